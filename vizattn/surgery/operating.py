"""A network run again with the attention of some sites replaced; nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from models.mechanism import AttentionBlock, blocks_of
from vizattn.analysis import Analysis, UnknownSite, look
from vizattn.geometry import Framing
from vizattn.intake import Picture
from vizattn.networks import Network
from vizattn.surgery.operations import Operation, operation
from vizattn.surgery.sites import Site

Changes = Mapping[str, Operation | str]
"""by site, what is done there, or what names it"""


@contextmanager
def replaced(
    network: nn.Module, changes: Changes, framing: Framing | None = None
) -> Iterator[None]:
    """Replace what passes the taps of some sites until the block of code is left.

    The network must be one's own meanwhile: pass this to ``vizattn.passes.run`` as ``changed``.

    Args:
        network: whose blocks they are.
        changes: by site; "path#2" is the block's second firing.
        framing: where the picture is in the network's input; only painting asks.

    Raises:
        UnknownSite: if there is no such block, or it did not fire so often.
        UnknownOperation: if a text names none.
        CannotChange: if an attention has no room for what shall be done.
    """
    blocks, of_path = blocks_of(network), _by_path(changes)
    for path, firings in of_path.items():
        for number, (name, _) in firings.items():
            if path not in blocks or number < 1:
                raise UnknownSite("errors.unknown_site", site=name, known=_known(blocks))
    hooks = [_Hook(path, blocks[path], of_path[path], framing) for path in of_path]
    handles: list[RemovableHandle] = []
    try:
        for hook in hooks:
            handles += hook.attach()
        yield
    finally:
        for handle in handles:
            handle.remove()
    for hook in hooks:
        for name in hook.missed():
            raise UnknownSite("errors.unknown_site", site=name, known=_known(blocks))


def operate(network: Network, picture: Picture, changes: Changes) -> Analysis:
    """Run a network on a picture with some attention replaced, and look at what it does then.

    Args:
        network: the network; it is as before when this returns or raises.
        picture: the upright picture.
        changes: by site, what is done there.

    Raises:
        Refused: if there is no such site or operation, or an attention has no room for it.
    """
    framing = network.framing(picture.original_size)
    return look(picture, network, changed=replaced(network.module, changes, framing))


def _by_path(changes: Changes) -> dict[str, dict[int, tuple[str, Operation]]]:
    found: dict[str, dict[int, tuple[str, Operation]]] = {}
    for name, change in changes.items():
        path, again, firing = name.partition("#")
        # What follows from several passes has a name after the "#": there is no tap to change.
        number = int(firing) if firing.isdecimal() else 0 if again else 1
        done = operation(change) if isinstance(change, str) else change
        found.setdefault(path, {})[number] = (name, done)
    return found


def _known(blocks: Mapping[str, AttentionBlock]) -> str:
    return ", ".join(blocks) or "-"


class _Hook:
    """Counts the firings of one block and replaces what passes its tap in some of them."""

    def __init__(
        self,
        path: str,
        block: AttentionBlock,
        firings: Mapping[int, tuple[str, Operation]],
        framing: Framing | None,
    ) -> None:
        self._path, self._block, self._framing = path, block, framing
        self._firings = firings
        self._count = 0
        self._inputs: tuple[Any, ...] = ()

    def attach(self) -> list[RemovableHandle]:
        """Listen to the block's inputs, and stand in its tap."""
        return [
            self._block.register_forward_pre_hook(self._given),
            self._block.attention.register_forward_hook(self._replace),
        ]

    def missed(self) -> list[str]:
        """Return the sites that never came."""
        return [name for firing, (name, _) in self._firings.items() if firing > self._count]

    def _given(self, block: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._count += 1
        self._inputs = inputs

    def _replace(self, tap: nn.Module, given: tuple[Any, ...], attention: Any) -> Any:
        if self._count not in self._firings:
            return attention
        name, done = self._firings[self._count]
        return done(attention, Site(name, self._block, self._inputs, self._framing))
