"""What a network declares beside its blocks: further taps, passes in a row, rows that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from models.mechanism import Auxiliary, auxiliary_of, blocks_of


@dataclass(frozen=True)
class Place:
    """Where a further tap is.

    Args:
        site: its dotted path.
        owner: the dotted path of the module whose attribute it is.
        block: the dotted path of the attention block that it is inside of, if it is.
        auxiliary: what passes there.
    """

    site: str
    owner: str
    block: str | None
    auxiliary: Auxiliary


@dataclass(frozen=True)
class Passes:
    """Attention that comes one after another.

    Args:
        sites: the sites' dotted paths in order; "#n" for a block that fired n times before.
        shortcuts: whether what goes in is added to what comes out, each time.
    """

    sites: tuple[str, ...]
    shortcuts: bool


@dataclass(frozen=True)
class Structure:
    """What a network declares.

    Args:
        taps: the further taps, by the dotted path of each.
        passes: by the dotted path of the module that says so.
        implied: by the dotted path of a module whose ``implied_rows`` takes the attentions of
            several of its blocks, the dotted paths of these; its rows are shown at the first.
    """

    taps: Mapping[str, Place]
    passes: Mapping[str, Passes]
    implied: Mapping[str, tuple[str, ...]]


def structure_of(network: nn.Module) -> Structure:
    """Return what a network declares; it takes walks over all of its modules."""
    modules = dict(network.named_modules())
    blocks = blocks_of(network)
    taps = {
        site: Place(site, owner, _around(owner, blocks), auxiliary)
        for site, auxiliary in auxiliary_of(network).items()
        for owner in [site.rpartition(".")[0]]
    }
    passes = {
        path: Passes(sites, getattr(modules[path], "shortcuts", False) is True)
        for path, sites in passes_of(network).items()
    }
    return Structure(taps, passes, _sites_named(network, "implies"))


def passes_of(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """Return which sites come one after another inside the modules that say so in ``passes``.

    By the module's dotted path, the sites' dotted paths in order, with "#n" for a block that fired
    n times before. What the last hears of the first is the composition of their affinities.
    """
    return _sites_named(network, "passes")


def _around(path: str, blocks: Mapping[str, nn.Module]) -> str | None:
    parts = path.split(".") if path else []
    tried = (".".join(parts[:length]) for length in range(len(parts), -1, -1))
    return next((each for each in tried if each in blocks), None)


def _sites_named(network: nn.Module, attribute: str) -> dict[str, tuple[str, ...]]:
    found = {}
    for path, module in network.named_modules():
        declared = getattr(module, attribute, None)
        # A stranger's network may use this name for something else.
        if isinstance(declared, tuple) and all(isinstance(name, str) for name in declared):
            found[path] = tuple(f"{path}.{name}".removeprefix(".") for name in declared)
    return found
