"""The only place where a network is called: attention is read where it is applied."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.mechanism import AttentionBlock, Auxiliary, blocks_of
from models.structure import Place, Structure, structure_of
from models.taps import listening, taps_of


@dataclass(frozen=True)
class Heard:
    """What passed a further tap, a step of g that is worth seeing.

    Args:
        site: dotted path of the tap, with "#n" from its second passing on.
        auxiliary: which axes it has and what it promises.
        value: what passed: a tensor, or a ``PairwiseAffinity``.
    """

    site: str
    auxiliary: Auxiliary
    value: Any


@dataclass(frozen=True)
class Firing:
    """What one attention block was given, made and returned in one forward pass.

    Args:
        site: dotted path of the block, with "#n" from its second firing on.
        block: the block itself.
        attention: what passed its tap: a tensor for a gate, a ``PairwiseAffinity`` else.
        inputs: what the block was given, in order.
        returned: the block's output.
        taps: what passed the further taps that belong to the block, in order.
    """

    site: str
    block: AttentionBlock
    attention: Any
    inputs: tuple[Float[Tensor, "batch channel row column"], ...]
    returned: Float[Tensor, "batch channel row column"]
    taps: tuple[Heard, ...] = ()

    @property
    def given(self) -> Float[Tensor, "batch channel row column"]:
        """Return the block's first input: the map whose cells the attention is over."""
        return self.inputs[0]


def lock_of(network: nn.Module) -> threading.Lock:
    """Return the lock under which a network is called: what changes it would reach all threads."""
    return _known(network).lock


def structure(network: nn.Module) -> Structure:
    """Return what a network declares; looked for once, and again where a block has moved."""
    return _known(network).structure(network)


class _Known:
    """What is kept of a network between calls: its lock, and where its blocks and taps are."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._paths: weakref.WeakKeyDictionary[nn.Module, str] = weakref.WeakKeyDictionary()
        self._structure: Structure | None = None

    def path(self, network: nn.Module, module: nn.Module) -> str | None:
        """Return where a block or a tap is in the network, or None if it is not in there.

        Looking through all modules takes longer than everything else in a capture; that one of
        them still is where it was is seen at once.
        """
        path = self._paths.get(module)
        if path is None or _module_at(network, path) is not module:
            self._paths.clear()
            for found in (taps_of(network), blocks_of(network)):
                self._paths.update((module, path) for path, module in found.items())
            self._structure = structure_of(network)
            path = self._paths.get(module)
        return path

    def structure(self, network: nn.Module) -> Structure:
        """Return what the network declares."""
        if self._structure is None:
            self._structure = structure_of(network)
        return self._structure

    def place(self, network: nn.Module, tap: nn.Module) -> Place | None:
        """Return where a further tap is, or None if it is none of the network's."""
        path = self.path(network, tap)
        return None if path is None else self.structure(network).taps.get(path)


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
        self._waiting: list[tuple[Place, Heard]] = []

    def hear(
        self, block: nn.Module, attention: Any, inputs: tuple[Tensor, ...], returned: Tensor
    ) -> None:
        """Keep what a block did, unless it is another network's."""
        path = self._known.path(self._network, block)
        if path is None or not isinstance(block, AttentionBlock):
            return
        own = [each for each in self._waiting if _belongs(each[0], path)]
        self._waiting = [each for each in self._waiting if not _belongs(each[0], path)]
        taps = tuple(heard for _, heard in own)
        site = self._numbered(path)
        self.firings.append(Firing(site, block, attention, inputs, returned, taps))

    def hear_tap(self, tap: nn.Module, value: Any) -> None:
        """Keep what passed a further tap, beside the block that it belongs to.

        That is the block that it is inside of. A tap between blocks belongs to the last of its
        module's blocks that fired, or else to the next.
        """
        place = self._known.place(self._network, tap)
        if place is None:
            return
        heard = Heard(self._numbered(place.site), place.auxiliary, value)
        if place.block is None:
            for index in range(len(self.firings) - 1, -1, -1):
                firing = self.firings[index]
                if _belongs(place, firing.site.partition("#")[0]):
                    self.firings[index] = replace(firing, taps=(*firing.taps, heard))
                    return
        self._waiting.append((place, heard))

    def _numbered(self, path: str) -> str:
        count = self._counts[path] = self._counts.get(path, 0) + 1
        return path if count == 1 else f"{path}#{count}"


def _belongs(place: Place, path: str) -> bool:
    """Return whether a tap may stand beside the block of a path."""
    if place.block is not None:
        return place.block == path
    return not place.owner or path.startswith(f"{place.owner}.")


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
    with known.lock, changed or nullcontext(), listening(recorder.hear, recorder.hear_tap):
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
