"""Maps in words and numbers: where the mass lies, how far away, how concentrated.

Shares are of the magnitudes |w|, which are the weights themselves wherever these are not signed.
The page says the same sentences: it computes them in the browser, with the same definitions, and
takes their words from the same place in the catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import singledispatch

import numpy as np
from jaxtyping import Float

from models.mechanism import Claim
from vizattn.analysis import Analysis
from vizattn.attention import (
    Captured,
    ChannelAffinity,
    ChannelGate,
    Maps,
    ModalityGate,
    PlaceAffinity,
    SpatialGate,
)
from vizattn.feature_views import ThingLabel, is_mean, of_senses, which_channel
from vizattn.features import EdgeGate, FeatureMaps, Table, Weights
from vizattn.geometry import Grid
from vizattn.labels import one_of, site_label, token_label
from vizattn.numbers import number, percent
from vizattn.statistics import RowNumbers, Spread, row_numbers, spread
from vizattn.texts import text
from vizattn.views import Selection, channel_rows, place_row, resolve

__all__ = ["RowNumbers", "Spread", "join", "row_numbers", "sentence", "spread"]

NEARLY_EVEN = 0.97
"""a row whose entropy is above this share of the largest possible one points nowhere"""
NEAR = 0.12
"""in diagonals of the picture: a centre of mass that is closer lies around the place itself"""
LOST = 1e-3
"""share of a row that may lie beyond the picture unsaid: rounding"""
OPEN, CLOSED = 0.9, 0.1
"""a gate above the one lets its channel through, one below the other mutes it"""


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
    weights, heard = _weights(captured, analysis, selection)
    numbers = row_numbers(weights)
    if numbers.effective == 0:
        return [text(language, "canvas.sentence.zero")]
    row = place_row(captured, analysis, selection)
    lies = spread(row, captured.key_grid, analysis.framing)
    beside = _beside(captured, weights, language)
    where = _where(numbers, heard, len(weights), lies, language)
    areas = captured.rows.over_areas() is not None
    half = "canvas.sentence.half_areas" if areas else "canvas.sentence.half"
    total = len(weights) if heard is None else heard
    ends = [_concentration(numbers, total, half, language), *_signs(captured, weights, language)]
    ends += _outside(captured, numbers, language)
    if selection.token is None:
        return [*beside, where, _distance(captured, analysis, selection, lies, language), *ends]
    token = token_label(language, selection.token)
    return [text(language, "canvas.sentence.token_row", token=token), *beside, where, *ends]


def _beside(
    captured: PlaceAffinity, weights: Float[np.ndarray, " key"], language: str
) -> list[str]:
    """Say what the tokens that are no places take of a row, in one sentence if there are any."""
    shares = [
        text(language, "canvas.sentence.token", token=token_label(language, name), weight=weight)
        for name, weight in zip(captured.extra, (number(w, 2) for w in weights), strict=False)
    ]
    together = text(language, "canvas.sentence.and").join(shares)
    return [text(language, "canvas.sentence.tokens", shares=together)] if shares else []


def _weights(
    captured: PlaceAffinity, analysis: Analysis, selection: Selection
) -> tuple[Float[np.ndarray, " key"], int | None]:
    """Return the selected row over its keys, and how many places it can hear if not all."""
    if selection.token is None:
        query = captured.token_of(analysis.query_at(selection.at or (0, 0), captured.site))
    else:
        query = captured.extra.index(selection.token)
    areas = captured.rows.over_areas()
    rows = (captured.rows if areas is None else areas).row(query)
    weights = rows.mean(axis=0) if selection.head is None else rows[selection.head]
    heard = None if captured.bands > 1 else captured.rows.heard(query, selection.head)
    if heard is None:
        return weights, None
    return weights, sum(key >= len(captured.extra) for key in heard)


def _where(numbers: RowNumbers, heard: int | None, keys: int, lies: Spread, language: str) -> str:
    most = math.log(keys if heard is None else heard)
    evenness = numbers.entropy / most if most > 0 else 0.0
    if evenness > NEARLY_EVEN:
        even = "canvas.sentence.even" if heard is None else "canvas.sentence.even_heard"
        return text(language, even, share=percent(evenness), count=heard)
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


def _outside(captured: PlaceAffinity, numbers: RowNumbers, language: str) -> list[str]:
    """Say what goes to the zeros with which a network surrounds its map."""
    lost = 1 - numbers.total
    if captured.claim is not Claim.SIMPLEX or lost <= LOST:
        return []
    return [text(language, "canvas.sentence.outside", share=percent(lost))]


def _signs(captured: Captured, row: np.ndarray, language: str) -> list[str]:
    if captured.claim is not Claim.SIGNED:
        return []
    return [text(language, "canvas.sentence.signed", share=percent((row < 0).mean()))]


@_sentences.register
def _(captured: SpatialGate, analysis: Analysis, selection: Selection, language: str) -> list[str]:
    values = captured.values
    if captured.claim is not Claim.UNIT:
        return _map(values, captured.grid, site_label(language, captured), analysis, language)
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
    said = [text(language, "canvas.sentence.gate_range", channel=strongest, **_range(values))]
    if captured.claim is not Claim.UNIT:
        return said
    return [text(language, "canvas.sentence.gate_channels", total=values.size, **counts), *said]


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


@_sentences.register(FeatureMaps)
@_sentences.register(ModalityGate)
def _(
    captured: FeatureMaps | ModalityGate, analysis: Analysis, selection: Selection, language: str
) -> list[str]:
    maps = captured.maps if isinstance(captured, FeatureMaps) else of_senses(captured)
    if is_mean(captured, selection):
        values = maps.values.mean(axis=0)
        name = text(language, "canvas.maps.mean", count=len(maps.values))
    else:
        index = selection.channel or 0
        values, name = maps.values[index], _thing(maps, index, language)
    said = _map(values, maps.grid, name, analysis, language)
    if selection.at is not None:
        cell = maps.grid.cell_at(analysis.framing.to_model(selection.at))
        here = maps.values.reshape(len(maps.values), -1)[:, cell]
        best = {"name": _thing(maps, int(here.argmax()), language), "value": number(here.max(), 2)}
        said.append(text(language, "canvas.sentence.map_here", **best))
    return said


def _thing(maps: Maps, index: int, language: str) -> str:
    return ThingLabel(maps, maps.name, index).text(language)


def _map(values: np.ndarray, grid: Grid, name: str, analysis: Analysis, language: str) -> list[str]:
    means = spread(values, grid, analysis.framing).means
    most, least = int(np.nanargmax(means)), int(np.nanargmin(means))
    lies = {"most": _region(language, most), "high": number(means.flat[most], 2)}
    lies |= {"least": _region(language, least), "low": number(means.flat[least], 2)}
    return [
        text(language, "canvas.sentence.map", name=name, **lies),
        text(language, "canvas.sentence.map_range", **_range(values)),
    ]


@_sentences.register
def _(captured: EdgeGate, analysis: Analysis, selection: Selection, language: str) -> list[str]:
    cells = captured.over_cells(selection.channel)
    line = cells[:, 0] if captured.axis == "height" else cells[0]
    name = which_channel(captured, selection).text(language)
    most, least = int(line.argmax()), int(line.argmin())
    at = {"most": percent((most + 0.5) / len(line)), "least": percent((least + 0.5) / len(line))}
    at |= {"high": number(line[most], 2), "low": number(line[least], 2)}
    return [text(language, f"canvas.sentence.edge_{captured.axis}", name=name, **at)]


@_sentences.register
def _(captured: Table, analysis: Analysis, selection: Selection, language: str) -> list[str]:
    index = selection.channel or 0
    row = captured.values[index]
    best = int(np.abs(row).argmax())
    named = ThingLabel(captured.row_maps, captured.row_axis, index).text(language)
    if row[best] == 0:
        return [text(language, "canvas.sentence.table_zero", row=named)]
    across = ThingLabel(captured.column_maps, captured.column_axis, best).text(language)
    said = {"row": named, "column": across, "value": number(row[best], 2)}
    return [text(language, "canvas.sentence.table", **said), _few(row, language)]


@_sentences.register
def _(captured: Weights, analysis: Analysis, selection: Selection, language: str) -> list[str]:
    values = captured.values
    first, *others = np.argsort(-values, kind="stable")[:2]
    said = {"first": one_of(language, captured.axis, int(first)), "most": number(values[first], 2)}
    key = "canvas.sentence.named_one"
    for second in others:
        key = "canvas.sentence.named"
        said |= {"second": one_of(language, captured.axis, int(second))}
        said |= {"next": number(values[second], 2)}
    return [text(language, key, **said), _few(values, language)]


def _few(values: np.ndarray, language: str) -> str:
    numbers = row_numbers(values)
    held = {"count": numbers.half_mass_cells, "total": values.size}
    return text(language, "canvas.sentence.table_half", effective=number(numbers.effective), **held)


def _range(values: np.ndarray) -> dict[str, str]:
    return {"low": number(values.min(), 2), "high": number(values.max(), 2)}


def _region(language: str, index: int) -> str:
    """Return the name of a ninth of the picture, counted row by row."""
    return text(language, f"canvas.region.{index}")
