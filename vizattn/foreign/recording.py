"""One forward pass of any network, recorded: alone, in evaluation mode, and then as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vizattn.foreign.events import Event, Missed
from vizattn.foreign.graph import tensors_of
from vizattn.foreign.keeping import MEMORY_LIMIT, Keeper
from vizattn.foreign.tracker import Tracker
from vizattn.passes import lock_of


@dataclass(frozen=True)
class Recording:
    """What a network answered and did.

    Args:
        output: what it returned.
        events: attention that was found, in order.
        missed: what looks like attention and could not be followed.
    """

    output: Any
    events: tuple[Event, ...]
    missed: tuple[Missed, ...]


def record(
    network: nn.Module,
    inputs: Sequence[Any],
    named: Mapping[str, Any] | None = None,
    limit: int = MEMORY_LIMIT,
    changed: AbstractContextManager[None] | None = None,
) -> Recording:
    """Run a network on its inputs and return what it did, with every tensor that rows need.

    The network is locked meanwhile and in evaluation mode; nothing is attached to it.

    Args:
        network: what is called.
        inputs: what it is given, in order.
        named: what it is given by name.
        limit: bytes that stay in memory; what is more goes to a temporary file.
        changed: changes the network until it is left; entered under the lock.
    """
    keeper = Keeper(limit)
    with (
        lock_of(network),
        changed or nullcontext(),
        evaluating(network),
        torch.inference_mode(),
        eager(),
    ):
        tracker = Tracker(network, keeper)
        for tensor in tensors_of((list(inputs), dict(named or {}))):
            tracker.heard.graph.give(tensor)
        with tracker:
            output = network(*inputs, **(named or {}))
    heard = tracker.heard
    return Recording(output, tuple(heard.events), tuple(dict.fromkeys(heard.missed)))


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and every module back as it was."""
    training = [module for module in network.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def eager() -> Iterator[None]:
    """Run what ``torch.compile`` made as it was written: compiled code would not be heard."""
    # The compiler takes seconds to import; while it is not, nothing can have been compiled. But
    # ``flex_attention`` imports and calls it by itself.
    if not {"torch._dynamo", "torch.nn.attention.flex_attention"} & {*sys.modules}:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def answer(output: Any) -> Tensor | None:
    """Return the scores among what a network returned: of classes, or of classes at places."""
    found = (each for each in tensors_of(output) if each.is_floating_point())
    return next((each for each in found if each.dim() in (2, 4)), None)
