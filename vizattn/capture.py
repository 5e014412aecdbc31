"""The only place where a network is called: attention is read where it is applied."""

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
from models.taps import listening


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
    """Return the lock under which a network is called: what changes it would reach all threads."""
    return _known(network).lock


class _Known:
    """What is kept of a network between calls: its lock, and the paths of its blocks."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._paths: weakref.WeakKeyDictionary[nn.Module, str] = weakref.WeakKeyDictionary()

    def path(self, network: nn.Module, block: nn.Module) -> str | None:
        """Return where a block is in the network, or None if it is not in there.

        Looking through all modules takes longer than everything else in a capture; that one block
        still is where it was is seen at once.
        """
        path = self._paths.get(block)
        if path is None or _module_at(network, path) is not block:
            self._paths.clear()
            self._paths.update((block, path) for path, block in blocks_of(network).items())
            path = self._paths.get(block)
        return path


def _known(network: nn.Module) -> _Known:
    with _GUARD:
        known = _NETWORKS.get(network)
        if known is None:
            known = _NETWORKS[network] = _Known()
        return known


def _module_at(network: nn.Module, path: str) -> nn.Module | None:
    module: nn.Module | None = network
    for name in path.split(".") if path else ():
        if module is None:
            return None
        module = module._modules.get(name)
    return module


class Recorder:
    """Hears of every attention block of a network that fires; read ``firings``."""

    def __init__(self, network: nn.Module, known: _Known) -> None:
        self.firings: list[Firing] = []
        self._network = network
        self._known = known
        self._counts: dict[str, int] = {}

    def hear(
        self, block: nn.Module, attention: Any, inputs: tuple[Tensor, ...], returned: Tensor
    ) -> None:
        """Keep what a block did, unless it is another network's."""
        path = self._known.path(self._network, block)
        if path is None or not isinstance(block, AttentionBlock):
            return
        count = self._counts[path] = self._counts.get(path, 0) + 1
        site = path if count == 1 else f"{path}#{count}"
        self.firings.append(Firing(site, block, attention, inputs, returned))


_NETWORKS: weakref.WeakKeyDictionary[nn.Module, _Known] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()


@contextmanager
def recording(
    network: nn.Module, changed: AbstractContextManager[None] | None = None
) -> Iterator[Recorder]:
    """Record every attention block of a network while the block of code runs, alone.

    The network is locked meanwhile. Nothing is attached to it, so nothing stays, also when it
    raises.

    Args:
        network: what is recorded.
        changed: changes the network until it is left; entered under the lock, so that nobody
            else meets the changed network.
    """
    known = _known(network)
    recorder = Recorder(network, known)
    with known.lock, changed or nullcontext(), listening(recorder.hear):
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
