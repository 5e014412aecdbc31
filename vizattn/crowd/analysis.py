"""A pair and a counter in, people out: where, how many, and which sense was trusted where."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from models.hosts.crowd import DENSITY_STRIDE, CrowdCounter
from vizattn.analysis import Looked, OtherTask, UnknownSite, default_library
from vizattn.attention import Captured, ModalityGate
from vizattn.crowd.areas import Polygon, cell_edges, coverage, own_cells, shares
from vizattn.crowd.changes import AS_IT_IS, SENSES, STAGES, Changes
from vizattn.crowd.pair import Pair, read_pair
from vizattn.crowd.peaks import Peak, peaks_of
from vizattn.geometry import Framing, Grid, Size
from vizattn.networks import COUNTS, Library, Network
from vizattn.passes import run
from vizattn.registration import Registration
from vizattn.truth import captured

__all__ = [
    "COUNTS",
    "DEFAULT_NETWORK",
    "CrowdAnalysis",
    "asked_sense",
    "counter",
    "counters",
    "look_at",
    "look_pair",
    "stage_of",
    "switched_off",
    "trusts_of",
]

DEFAULT_NETWORK = "csca-small"
_STAGE = re.compile(r"(?:^|\.)stages\.(\d+)\.fuse\.(\w+)$")


@dataclass(frozen=True, eq=False)
class CrowdAnalysis(Looked):
    """What one counter did with one pair.

    Args:
        network: the counter.
        pair: the pictures.
        changes: what was done to them first.
        framing: where the frame is in the network's input.
        grid: where the cells of the density map are in there.
        density: people in each cell.
        senses: which senses were used, of "rgb" and "thermal".
        points: what one person is counted by: "heads" or "bodies".
        sites: every captured attention, in the order in which the network used it.
        id: an unguessable name.
    """

    network: Network
    pair: Pair
    changes: Changes
    framing: Framing
    grid: Grid
    density: Float[np.ndarray, "row column"]
    senses: tuple[str, ...]
    points: str
    sites: tuple[Captured, ...]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))

    def __getitem__(self, site: str) -> Captured:
        """Return one captured attention by its site, or by the end of it; raises UnknownSite."""
        for each in self.sites:
            if each.site == site or each.site.endswith(f".{site}"):
                return each
        known = ", ".join(each.site for each in self.sites) or "-"
        raise UnknownSite("errors.unknown_site", site=site, known=known)

    @property
    def count(self) -> float:
        """Return how many people there are: the sum of the density."""
        return float(self.density.sum(dtype=np.float64))

    def count_in(self, polygon: Polygon) -> float:
        """Return how many people a polygon holds, of each cell its exact share.

        Args:
            polygon: at least three corners (x, y) in pixels of the frame.

        Raises:
            Refused: if that is no polygon.
        """
        covered = coverage(polygon, self.grid, self.framing)
        return float((covered * self.density.astype(np.float64)).sum())

    def regions(self, rows: int = 4, columns: int = 4) -> Float[np.ndarray, "row column"]:
        """Return how many people each part of the frame holds, cut evenly; they add up to all.

        Raises:
            ValueError: if there are no parts.
        """
        return self.density_at((columns, rows))

    def density_at(self, size: Size) -> Float[np.ndarray, "y x"]:
        """Return people in each pixel of the frame scaled to (width, height); the sum stays.

        Raises:
            ValueError: if there are no pixels.
        """
        if min(size) < 1:
            raise ValueError(f"expected at least one pixel, received {size}")
        across, down = (
            shares(edges, np.linspace(0, side, count + 1))
            for edges, side, count in zip(
                cell_edges(self.grid, self.framing), self.framing.original, size, strict=True
            )
        )
        spread: np.ndarray = down @ self.density.astype(np.float64) @ across.T
        return spread

    def peaks(self, limit: int | None = None) -> list[Peak]:
        """Return where the density is highest, at most one for each person, highest first.

        Args:
            limit: how many at most; the rounded count by default, and never more.
        """
        most = max(0, round(self.count))
        return peaks_of(
            self.density, self.grid, self.framing, most if limit is None else min(limit, most)
        )

    def at_stage(self, stage: int, name: str) -> Captured | None:
        """Return what a stage, counted from 0, has under a name, or None where it did not fire.

        Args:
            stage: which stage.
            name: "rgb_context" (thermal asks RGB), "thermal_context" (RGB asks thermal) or "gate".
        """
        wanted = (stage, name)
        return next((each for each in self.sites if stage_of(each.site) == wanted), None)

    def trusts(self) -> Float[np.ndarray, "stage sense"]:
        """Return each stage's mean share of RGB and of thermal over the picture's own cells.

        A stage that did not weigh the senses (one is missing, or it was switched off) has no
        number there.
        """
        return trusts_of(self.sites, self.framing)


def stage_of(site: str) -> tuple[int, str] | None:
    """Return the stage, from 0, and the name inside its fusion that a site has, or None."""
    found = _STAGE.search(site)
    return (int(found[1]), found[2]) if found else None


def asked_sense(site: str) -> str | None:
    """Return the sense that a site's rows lie over, "rgb" or "thermal"; None for a gate."""
    place = stage_of(site)
    name = place[1].removesuffix("_context") if place else ""
    return name if name in SENSES else None


def trusts_of(sites: Sequence[Captured], framing: Framing) -> Float[np.ndarray, "stage sense"]:
    """Return what ``CrowdAnalysis.trusts`` returns, from the gates among some sites.

    Cells count by how much of them is on the picture, so padding does not count at all.
    """
    found = np.full((STAGES, len(SENSES)), np.nan)
    for each in sites:
        place = stage_of(each.site)
        if place is not None and isinstance(each, ModalityGate):
            weights = own_cells(each.grid, framing)
            mean = (each.values.astype(np.float64) * weights).sum(axis=(1, 2))
            found[place[0]] = mean / weights.sum()
    return found


def look_pair(
    rgb: Any = None,
    thermal: Any = None,
    model: str | Network = DEFAULT_NETWORK,
    registration: Registration | str | None = None,
    changes: Changes = AS_IT_IS,
) -> CrowdAnalysis:
    """Count the people in a pair and return the attention between its senses, checked.

    Args:
        rgb: path, bytes, file, PIL image, array or ``Picture``; none where there is no RGB picture.
        thermal: the same for a thermal picture; none where there is no thermal picture.
        model: name of a bundled counter, or a loaded one.
        registration: where places of the RGB picture are in the thermal one; "auto" looks for it,
            and without any both pictures cover the same view.
        changes: what is done to the pair first.

    Raises:
        Refused: with one clear sentence, if a picture or the network cannot be used.
    """
    network = counter(model)
    return look_at(read_pair(rgb, thermal, registration), network, changes)


def look_at(pair: Pair, network: Network, changes: Changes = AS_IT_IS) -> CrowdAnalysis:
    """Count the people in a pair that has been read; see ``look_pair``."""
    network = counter(network)
    framing, rgb, thermal = pair.to_network(network, changes)
    output, firings = run(network.module, rgb, thermal, changed=switched_off(network, changes))
    density = output[0, 0].float().cpu().numpy()
    rows, columns = density.shape
    return CrowdAnalysis(
        network,
        pair,
        changes,
        framing,
        Grid(rows, columns, (DENSITY_STRIDE, DENSITY_STRIDE)),
        density,
        pair.senses,
        _points(network, pair.senses),
        tuple(captured(firing, 0, framing) for firing in firings),
    )


def _points(network: Network, senses: Sequence[str]) -> str:
    """Return what one person is counted by: crowds have points at heads, pairs at bodies."""
    by_senses: dict[str, str] = network.card.facts["points"]
    return by_senses["both" if len(senses) > 1 else senses[0]]


def switched_off(network: Network, changes: Changes) -> AbstractContextManager[None] | None:
    """Return what switches a counter's stages off for one call, or None if none shall be."""
    if not changes.off:
        return None
    module = network.module
    if not isinstance(module, CrowdCounter):
        raise ValueError(f"expected a counter with stages, received {type(module).__name__}")
    return module.fusion_off(changes.off)


def counter(model: str | Network, library: Library | None = None) -> Network:
    """Return a counter by its name.

    Raises:
        Refused: if there is no such network, or it does not count.
    """
    if isinstance(model, str):
        model = (library or default_library()).network(model)
    if model.card.task != COUNTS:
        raise OtherTask("crowd_engine.no_counter", name=model.name)
    return model


def counters(library: Library) -> Sequence[str]:
    """Return the names of the bundled counters."""
    return [name for name, card in library.cards().items() if card.task == COUNTS]
