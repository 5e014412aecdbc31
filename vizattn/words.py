"""Maps in words and numbers: where the mass lies, how far away, how concentrated.

Shares are of the magnitudes |w|, which are the weights themselves wherever these are not signed.
The page says the same sentences: it computes them in the browser, with the same definitions, and
takes their words from the same place in the catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from jaxtyping import Float

from models.mechanism import Claim
from vizattn.analysis import Analysis
from vizattn.attention import Captured, ChannelAffinity, ChannelGate, PlaceAffinity, SpatialGate
from vizattn.geometry import Framing, Grid, Point
from vizattn.numbers import number, percent
from vizattn.texts import text
from vizattn.views import Selection, channel_rows, place_row, resolve

NEARLY_EVEN = 0.97
"""a row whose entropy is above this share of the largest possible one points nowhere"""
NEAR = 0.12
"""in diagonals of the picture: a centre of mass that is closer lies around the place itself"""
OPEN, CLOSED = 0.9, 0.1
"""a gate above the one lets its channel through, one below the other mutes it"""
_HALF = 0.5 - 1e-9


@dataclass(frozen=True)
class RowNumbers:
    """A row of weights in numbers.

    Args:
        minimum: the smallest weight.
        maximum: the largest weight.
        total: the sum of the weights.
        entropy: of the shares of the magnitudes, in nats.
        evenness: the entropy in parts of the largest that so many keys allow, 0..1.
        effective: exp(entropy): as many keys with one weight each would be as spread out.
        self_weight: the weight of the query's own place or channel, where that is known.
        half_mass_cells: how few keys hold half of the mass.
        top: (key, weight) of the largest weights, largest first.
    """

    minimum: float
    maximum: float
    total: float
    entropy: float
    evenness: float
    effective: float
    self_weight: float | None
    half_mass_cells: int
    top: tuple[tuple[int, float], ...]


def row_numbers(
    row: Float[np.ndarray, "*axes"], own: int | None = None, count: int = 5
) -> RowNumbers:
    """Return a row in numbers; a row of zeros has no entropy and no effective keys.

    Args:
        row: the weights, of any shape.
        own: the index, row by row, of the query itself among the keys.
        count: how many of the largest weights to list.

    Raises:
        ValueError: if the row is empty.
    """
    weights = np.asarray(row, dtype=np.float64).ravel()
    if not weights.size:
        raise ValueError("expected a row with weights, received an empty one")
    sizes = np.abs(weights)
    mass = float(sizes.sum())
    shares = sizes[sizes > 0] / mass if mass > 0 else np.zeros(0)
    entropy = max(0.0, float(-(shares * np.log(shares)).sum()))
    most = math.log(weights.size)
    best = np.argsort(-weights, kind="stable")[:count]
    return RowNumbers(
        minimum=float(weights.min()),
        maximum=float(weights.max()),
        total=float(weights.sum()),
        entropy=entropy,
        evenness=entropy / most if most > 0 else 0.0,
        effective=math.exp(entropy) if mass > 0 else 0.0,
        self_weight=None if own is None else float(weights[own]),
        half_mass_cells=_half_mass(sizes),
        top=tuple((int(key), float(weights[key])) for key in best),
    )


def _half_mass(sizes: Float[np.ndarray, " key"]) -> int:
    held = np.cumsum(np.sort(sizes)[::-1])
    # Half but for rounding is half: an even row of 40 keys holds it in 20.
    return int(np.searchsorted(held, held[-1] * _HALF)) + 1 if held[-1] > 0 else 0


@dataclass(frozen=True)
class Spread:
    """Where the mass of a map lies in the picture.

    Args:
        centre: (x, y) of the centre of mass in parts of the picture, 0..1.
        shares: the share of the mass in each ninth of the picture.
        means: the mean value in each ninth; not a number where a ninth holds no cell.
    """

    centre: Point
    shares: Float[np.ndarray, "3 3"]
    means: Float[np.ndarray, "3 3"]


def spread(values: Float[np.ndarray, "row column"], grid: Grid, framing: Framing) -> Spread:
    """Return where the mass of a map over cells lies in the original picture."""
    corners = [framing.to_original(grid.centre(index)) for index in (0, len(grid) - 1)]
    counts = grid.columns, grid.rows
    x, y = (
        np.linspace(corners[0][axis], corners[1][axis], counts[axis]) / framing.original[axis]
        for axis in (0, 1)
    )
    sizes = np.abs(values.astype(np.float64))
    mass = sizes.sum() or 1.0
    centre = float((sizes * x).sum() / mass), float((sizes * y[:, None]).sum() / mass)
    down, across = _thirds(y), _thirds(x)
    cells = np.outer(down.sum(axis=1), across.sum(axis=1))
    sums = down @ values.astype(np.float64) @ across.T
    means = np.divide(sums, cells, out=np.full((3, 3), np.nan), where=cells > 0)
    return Spread(centre, down @ sizes @ across.T / mass, means)


def _thirds(fractions: Float[np.ndarray, " n"]) -> Float[np.ndarray, "3 n"]:
    """Return for each third which fractions of the picture's side are in it, as 0 and 1."""
    third = np.clip(np.floor(fractions * 3), 0, 2)
    return (third == np.arange(3)[:, None]).astype(np.float64)


def sentence(analysis: Analysis, selection: Selection | None = None, language: str = "en") -> str:
    """Return one to three sentences that say what there is to see for a selection.

    Raises:
        Refused: if the selection names a site, head, channel or place that is not there.
    """
    chosen = resolve(analysis, selection)
    return join(language, _sentences(analysis[str(chosen.site)], analysis, chosen, language))


def join(language: str, sentences: Sequence[str]) -> str:
    """Return sentences as a paragraph of a language."""
    return text(language, "canvas.sentence.join").join(sentences)


@singledispatch
def _sentences(
    captured: Captured, analysis: Analysis, selection: Selection, language: str
) -> list[str]:
    raise ValueError(f"expected a captured kind that has words, received {captured!r}")


@_sentences.register
def _(
    captured: PlaceAffinity, analysis: Analysis, selection: Selection, language: str
) -> list[str]:
    row = place_row(captured, analysis, selection)
    numbers = row_numbers(row)
    if numbers.effective == 0:
        return [text(language, "canvas.sentence.zero")]
    lies = spread(row, captured.key_grid, analysis.framing)
    return [
        _where(numbers, lies, language),
        _distance(captured, analysis, selection, lies, language),
        _concentration(numbers, row.size, "canvas.sentence.half", language),
        *_signs(captured, row, language),
    ]


def _where(numbers: RowNumbers, lies: Spread, language: str) -> str:
    if numbers.evenness > NEARLY_EVEN:
        return text(language, "canvas.sentence.even", share=percent(numbers.evenness))
    best = int(lies.shares.argmax())
    share = percent(float(lies.shares.flat[best]))
    return text(language, "canvas.sentence.where", region=_region(language, best), share=share)


def _distance(
    captured: PlaceAffinity, analysis: Analysis, selection: Selection, lies: Spread, language: str
) -> str:
    framing = analysis.framing
    query = analysis.query_at(selection.at or (0, 0), captured.site)
    place = framing.to_original(captured.query_grid.centre(query))
    centre = [part * side for part, side in zip(lies.centre, framing.original, strict=True)]
    distance = math.dist(centre, place) / math.hypot(*framing.original)
    key = "canvas.sentence.near" if distance < NEAR else "canvas.sentence.far"
    return text(language, key, distance=percent(distance))


def _concentration(numbers: RowNumbers, total: int, key: str, language: str) -> str:
    held = numbers.half_mass_cells
    said = {"cells": held, "total": total, "share": percent(held / total)}
    return text(language, key, effective=number(numbers.effective), **said)


def _signs(captured: Captured, row: np.ndarray, language: str) -> list[str]:
    if captured.claim is not Claim.SIGNED:
        return []
    return [text(language, "canvas.sentence.signed", share=percent((row < 0).mean()))]


@_sentences.register
def _(captured: SpatialGate, analysis: Analysis, selection: Selection, language: str) -> list[str]:
    values = captured.values
    means = spread(values, captured.grid, analysis.framing).means
    opened, shut = int(np.nanargmax(means)), int(np.nanargmin(means))
    regions = {"open": _region(language, opened), "most": number(means.flat[opened], 2)}
    regions |= {"shut": _region(language, shut), "least": number(means.flat[shut], 2)}
    shares = {"open": percent((values > OPEN).mean()), "closed": percent((values < CLOSED).mean())}
    return [
        text(language, "canvas.sentence.gate_regions", **regions),
        text(language, "canvas.sentence.gate_places", **_range(values), **shares),
    ]


@_sentences.register
def _(captured: ChannelGate, analysis: Analysis, selection: Selection, language: str) -> list[str]:
    values = captured.values
    counts = {"open": int((values > OPEN).sum()), "closed": int((values < CLOSED).sum())}
    strongest = int(values.argmax())
    return [
        text(language, "canvas.sentence.gate_channels", total=values.size, **counts),
        text(language, "canvas.sentence.gate_range", channel=strongest, **_range(values)),
    ]


@_sentences.register
def _(
    captured: ChannelAffinity, analysis: Analysis, selection: Selection, language: str
) -> list[str]:
    query = selection.channel or 0
    row = channel_rows(captured, selection)[query]
    best = int(row.argmax())
    which = "canvas.sentence.channel_self" if best == query else "canvas.sentence.channel_best"
    return [
        text(language, which, query=query, key=best, weight=number(row[best], 2)),
        _concentration(row_numbers(row), row.size, "canvas.sentence.channel_half", language),
    ]


def _range(values: np.ndarray) -> dict[str, str]:
    return {"low": number(values.min(), 2), "high": number(values.max(), 2)}


def _region(language: str, index: int) -> str:
    """Return the name of a ninth of the picture, counted row by row."""
    return text(language, f"canvas.region.{index}")
