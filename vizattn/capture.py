"""The only place where a network is called: attention is read at its taps, then checked."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.mechanism import AttentionBlock, blocks_of

_LOCKS: weakref.WeakKeyDictionary[nn.Module, threading.Lock] = weakref.WeakKeyDictionary()
_LOCKS_GUARD = threading.Lock()


@dataclass(frozen=True)
class Firing:
    """What one attention block was given, made and returned in one forward pass.

    Args:
        site: dotted path of the block, with "#n" from its second firing on.
        block: the block itself.
        attention: what passed its tap: a tensor for a gate, a ``PairwiseAffinity`` else.
        inputs: what the block was given, in order.
        returned: the block's output.
    """

    site: str
    block: AttentionBlock
    attention: Any
    inputs: tuple[Float[Tensor, "batch channel row column"], ...]
    returned: Float[Tensor, "batch channel row column"]

    @property
    def given(self) -> Float[Tensor, "batch channel row column"]:
        """Return the block's first input: the map whose cells the attention is over."""
        return self.inputs[0]


def lock_of(network: nn.Module) -> threading.Lock:
    """Return the lock under which a network is called: hooks leak between threads."""
    with _LOCKS_GUARD:
        return _LOCKS.setdefault(network, threading.Lock())


class Recorder:
    """Hooks on every attention block of a network; use it in ``with``, read ``firings``."""

    def __init__(self, network: nn.Module) -> None:
        self.firings: list[Firing] = []
        self._attention: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._blocks = blocks_of(network)
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> Recorder:
        for path, block in self._blocks.items():
            self._handles.append(block.attention.register_forward_hook(self._keep_attention(path)))
            self._handles.append(block.register_forward_hook(self._keep_firing(path)))
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._attention.clear()

    def _keep_attention(self, path: str) -> Any:
        def hook(_tap: nn.Module, _arguments: Any, attention: Any) -> None:
            self._attention[path] = attention

        return hook

    def _keep_firing(self, path: str) -> Any:
        def hook(block: nn.Module, arguments: tuple[Tensor, ...], returned: Tensor) -> None:
            count = self._counts[path] = self._counts.get(path, 0) + 1
            site = path if count == 1 else f"{path}#{count}"
            attention = self._attention.pop(path)
            self.firings.append(Firing(site, self._blocks[path], attention, arguments, returned))

        return hook


@contextmanager
def recording(
    network: nn.Module, changed: AbstractContextManager[None] | None = None
) -> Iterator[Recorder]:
    """Record every attention block of a network while the block of code runs, alone.

    The network is locked meanwhile and the hooks are gone afterwards, also when it raises.

    Args:
        network: what is recorded.
        changed: changes the network until it is left; entered under the lock, so that nobody
            else meets the changed network.
    """
    with lock_of(network), changed or nullcontext(), Recorder(network) as recorder:
        yield recorder


def run(
    network: nn.Module,
    *images: Float[Tensor, "batch 3 row column"] | None,
    changed: AbstractContextManager[None] | None = None,
) -> tuple[Tensor, list[Firing]]:
    """Return a network's output for a batch and what its attention blocks did.

    Everything stays on the network's device and in its memory: nothing is copied or checked here.

    Args:
        network: what is called.
        images: its inputs; a network of several senses takes None for a missing one.
        changed: see ``recording``.
    """
    with recording(network, changed) as recorder, torch.inference_mode():
        output = network(*images)
    return output, recorder.firings
