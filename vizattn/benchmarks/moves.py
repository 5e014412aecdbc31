"""What one move of the pointer costs in the browser, for every form in which rows are sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from models.affinities.composed import ComposedAffinity
from models.affinities.criss_cross import CrissCrossAffinity
from models.affinities.grouped import GroupedAffinity
from models.affinities.low_rank import LowRankAffinity
from models.affinities.partition import PartitionAffinity
from models.affinities.pooled import PooledAffinity
from models.affinities.sampled import SampledAffinity
from models.affinities.windows import Window, WindowAffinity
from models.affinity import PairwiseAffinity, ProductAffinity
from models.mechanism import Claim, Kind
from models.mechanisms.isa import close_together, far_apart
from models.weights import Card
from vizattn.analysis import Analysis, Classification
from vizattn.attention import PlaceAffinity, Rows
from vizattn.benchmarks.measure import Measure, skipped
from vizattn.geometry import Framing, Grid
from vizattn.intake import read_picture
from vizattn.networks import Network
from vizattn.texts import DEFAULT_LANGUAGE, catalogue
from vizattn.ui.payload import payload

SIDE = 128
MOVES = 100
TARGETS = {"product": 4.0}
"""milliseconds a move by what is sent; all else has the other target"""
OTHER_TARGET = 8.0
_CELL = 8
_AREA = "canvas."
Payload = dict[str, Any]
Make = Callable[["Draws"], PairwiseAffinity]


@dataclass(frozen=True)
class Draws:
    """Random tensors for a square map of places."""

    side: int
    random: torch.Generator

    @property
    def places(self) -> int:
        """Return how many places there are."""
        return self.side * self.side

    @property
    def size(self) -> tuple[int, int]:
        """Return rows and columns."""
        return self.side, self.side

    def tokens(self, dim: int) -> Tensor:
        """Return (batch, head, place, dim) of one picture and one head."""
        return torch.randn(1, 1, self.places, dim, generator=self.random)

    def weights(self, entries: int) -> Tensor:
        """Return weights (batch, head, entry, place) that sum to 1 over the entries."""
        drawn = torch.randn(1, 1, entries, self.places, generator=self.random)
        return drawn.softmax(dim=2)


def _product(draws: Draws) -> PairwiseAffinity:
    return ProductAffinity(draws.tokens(64), draws.tokens(64), 64**-0.5)


def _bases(draws: Draws) -> PairwiseAffinity:
    take, give = (draws.tokens(64).softmax(dim=axis) for axis in (3, 2))
    return LowRankAffinity(take, give)


def _window(draws: Draws) -> PairwiseAffinity:
    return WindowAffinity(draws.weights(49), Window.centred(7), draws.size, draws.size)


def _mask(draws: Draws) -> PairwiseAffinity:
    # Of each row a half is spread evenly over what the mask does not reach.
    entries = 15 * 15
    rest = torch.full((1, 1, draws.places), 0.5 / (draws.places - entries))
    weights = draws.weights(entries) / 2
    return WindowAffinity(weights, Window.centred(15), draws.size, draws.size, rest)


def _points(draws: Draws) -> PairwiseAffinity:
    row, column = torch.arange(draws.places) // draws.side, torch.arange(draws.places) % draws.side
    moved = 4 * torch.randn(1, 9, draws.places, 2, generator=draws.random)
    points = torch.stack([row, column], dim=1) + moved
    return SampledAffinity(draws.weights(9), points, draws.size)


def _areas(draws: Draws) -> PairwiseAffinity:
    sides = (1, 3, 6, 8)
    anchors = torch.randn(1, 1, sum(side * side for side in sides), 64, generator=draws.random)
    return PooledAffinity(ProductAffinity(draws.tokens(64), anchors, 0.125), sides, draws.size)


def _blocks(draws: Draws) -> PairwiseAffinity:
    return PartitionAffinity(draws.tokens(64), draws.tokens(64), draws.size, 2, 0.125)


def _interlaced(draws: Draws) -> PairwiseAffinity:
    long, short = (
        GroupedAffinity(draws.tokens(64), draws.tokens(64), groups(draws.size, (8, 8)), 0.125)
        for groups in (far_apart, close_together)
    )
    return ComposedAffinity(first=long, second=short)


def _crosses(passes: int) -> Make:
    def make(draws: Draws) -> PairwiseAffinity:
        one, *others = (
            CrissCrossAffinity(draws.tokens(16), draws.tokens(16), draws.size)
            for _ in range(passes)
        )
        found: PairwiseAffinity = one
        for other in others:
            found = ComposedAffinity(first=found, second=other)
        return found

    return make


FORMS: dict[str, Make] = {
    "product": _product,
    "implied rows, 64 bases": _bases,
    "7 x 7 window": _window,
    "15 x 15 mask and a rest": _mask,
    "9 sampled points": _points,
    "areas of 4 grids": _areas,
    "4 blocks": _blocks,
    "far apart, then close": _interlaced,
    "criss-cross": _crosses(1),
    "criss-cross, two passes": _crosses(2),
    "criss-cross, three passes": _crosses(3),
}


def measures(page: Any) -> Iterator[Measure]:
    """Yield the time of one move of the pointer over rows of every form.

    A move is everything that the page does for it in one frame: the row, its numbers, the words
    and the canvases; what the browser does afterwards to show them is not in it.

    Args:
        page: a browser's page at the address of the assets.
    """
    texts = {key[len(_AREA) :]: words for key, words in _words() if key.startswith(_AREA)}
    for name, make in FORMS.items():
        sent = _sent(make(Draws(SIDE, torch.Generator().manual_seed(0))))
        size = len(json.dumps(sent["sites"]))
        found = page.evaluate(_MOVE, [sent, texts, MOVES])
        note = (
            f"the row itself {found['row']:.2f} ms, the first one {found['first']:.0f} ms, "
            f"{size / 2**20:.1f} MiB sent, median of {MOVES}, quickest {found['least']:.2f} ms"
        )
        yield Measure(_name(name), found["move"], "ms", _target(name), note)


def without(reason: str) -> Iterator[Measure]:
    """Yield what ``measures`` would, with the reason why it was not measured."""
    for name in FORMS:
        yield skipped(_name(name), "ms", _target(name), reason)


def _name(form: str) -> str:
    return f"move of the pointer, {form}, {SIDE} x {SIDE} places"


def _target(form: str) -> float:
    return TARGETS.get(form, OTHER_TARGET)


def _words() -> Iterator[tuple[str, str]]:
    return iter(catalogue(DEFAULT_LANGUAGE).items())


def _sent(affinity: PairwiseAffinity) -> Payload:
    """Return what the page is sent of an affinity over all cells of a picture."""
    side = round(affinity.shape[3] ** 0.5)
    grid, pixels = Grid(side, side, (_CELL, _CELL)), side * _CELL
    rows = PlaceAffinity(
        "drawn", "Drawn", Kind.PLACE_AFFINITY, Claim.SIMPLEX, "", (), Rows(affinity), grid, grid
    )
    size = (pixels, pixels)
    card = Card("drawn", "classify", "nonlocal", None, "", {"accuracy": 1.0, "count": 1}, {})
    analysis = Analysis(
        Network("drawn", nn.Identity(), card, torch.device("cpu")),
        read_picture(Image.new("RGB", size)),
        Framing(size, size, (0, 0), size),
        Classification(("any",), np.ones(1)),
        (rows,),
    )
    return payload(analysis, {})


_MOVE = """async ([payload, texts, moves]) => {
  const { benchmarkMoves } = await import("/canvas/benchmark.js");
  const colormaps = await (await fetch("/colormaps.json")).json();
  return benchmarkMoves({ payload, texts, colormaps, language: "en" }, moves);
}"""
