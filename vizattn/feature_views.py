"""Drawables of maps side by side, of gates of rows and columns, of tables and of named weights."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from models.mechanism import Claim, Kind
from vizattn.analysis import Analysis
from vizattn.attention import Maps, ModalityGate
from vizattn.drawables import (
    Bars,
    Drawable,
    Heat,
    Label,
    Matrix,
    Scale,
    Selection,
    chosen_channel,
    completed,
    drawables,
    end,
    sorted_bars,
    with_channel,
)
from vizattn.features import EdgeGate, FeatureMaps, Table, Weights
from vizattn.geometry import Box, Grid
from vizattn.labels import map_labels, one_of
from vizattn.numbers import number

Range = tuple[float, float, bool, Label]
"""the ends of a scale, whether its middle is 0, and what it is"""


class ThingLabel(Label):
    """What one of several things is called, "node 3", in no language yet.

    Args:
        maps: where the things are, which may have names or heads; None where they are nowhere.
        name: what one of them is.
        index: which one.
    """

    def __init__(self, maps: Maps | None, name: str, index: int) -> None:
        super().__init__(name)
        self._maps, self._index = maps, index

    def text(self, language: str) -> str:
        labels = None if self._maps is None else map_labels(language, self._maps)
        return labels[self._index] if labels else one_of(language, self.key, self._index)


def mapped(
    values: Float[np.ndarray, "row column"], every: np.ndarray, claim: Claim, scale: Scale
) -> Range:
    """Return the scale of a map whose values are compared with some others.

    Args:
        values: the map on show.
        every: the values of all maps.
        claim: what the values promise.
        scale: the range of what is shown, or one that all maps share.
    """
    signed = claim is Claim.SIGNED and float(every.min()) < 0
    shown = every if scale is Scale.FIXED else values
    least, most = float(shown.min()), float(shown.max())
    if signed:
        high = end(max(-least, most))
        return -high, high, True, Label("canvas.bar.row_signed", {"value": number(high)})
    if scale is Scale.FIXED and claim is Claim.UNIT:
        return 0.0, 1.0, False, Label("canvas.bar.fixed_unit")
    said = {"low": number(least), "high": number(most)}
    if scale is Scale.FIXED:
        return 0.0, end(most), False, Label("kinds.scale.fixed", {**said, "low": number(0.0)})
    if most == least:
        least, most = 0.0, 1.0 if claim is Claim.UNIT else end(most)
    return least, most, False, Label("canvas.bar.map", said)


def ranged(values: np.ndarray) -> tuple[float, Label]:
    """Return the upper end of an axis for bars that may be longer than 1, and what it is."""
    said = {"low": number(float(values.min())), "high": number(float(values.max()))}
    high = max(0.0, float(values.max()))
    # Where there is something below it, 0 is an end.
    return high if values.min() < 0 else end(high), Label("kinds.scale.range", said)


def marked(grid: Grid, analysis: Analysis, selection: Selection) -> Box | None:
    """Return the cell of the selected place in original pixels, where one was selected."""
    if selection.at is None:
        return None
    framing = analysis.framing
    return framing.box_to_original(grid.box(grid.cell_at(framing.to_model(selection.at))))


def shown_map(
    maps: Maps, index: int, claim: Claim, scale: Scale, marker: Box | None = None
) -> Heat:
    """Return one of several maps as heat."""
    values = maps.values[index]
    low, high, signed, label = mapped(values, maps.values, claim, scale)
    title = Label("kinds.figure.map", {"name": ThingLabel(maps, maps.name, index)})
    return Heat(values, maps.grid, low, high, signed, marker, title, label)


def of_senses(captured: ModalityGate) -> Maps:
    """Return a gate between senses as maps, one for each sense."""
    return Maps(captured.values, captured.grid, "sense", captured.senses)


def _maps_of(captured: FeatureMaps | ModalityGate) -> Maps:
    return captured.maps if isinstance(captured, FeatureMaps) else of_senses(captured)


def is_mean(captured: FeatureMaps | ModalityGate, selection: Selection) -> bool:
    """Return whether the mean over channels is shown: of feature gates, unless one is chosen."""
    several = (
        len(captured.values if isinstance(captured, ModalityGate) else captured.maps.values) > 1
    )
    return several and captured.kind is Kind.FEATURE_GATE and selection.channel is None


@completed.register(FeatureMaps)
@completed.register(ModalityGate)
def _(captured: FeatureMaps | ModalityGate, analysis: Analysis, selection: Selection) -> Selection:
    maps = _maps_of(captured)
    if is_mean(captured, selection):
        return selection
    return with_channel(selection, np.ptp(maps.values.reshape(len(maps.values), -1), axis=1))


@drawables.register(FeatureMaps)
@drawables.register(ModalityGate)
def _(
    captured: FeatureMaps | ModalityGate, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    maps = _maps_of(captured)
    marker = marked(maps.grid, analysis, selection)
    means = maps.values.reshape(len(maps.values), -1).mean(axis=1)
    if is_mean(captured, selection):
        values = maps.values.mean(axis=0)
        low, high, signed, label = mapped(values, maps.values, captured.claim, scale)
        title = Label("kinds.figure.maps_mean", {"count": len(means)})
        heat = Heat(values, maps.grid, low, high, signed, marker, title, label)
        return heat, _means(maps, means, captured.claim, int(means.argmax()))
    index = chosen_channel(selection)
    heat = shown_map(maps, index, captured.claim, scale, marker)
    return heat, _means(maps, means, captured.claim, index)


def _means(maps: Maps, means: Float[np.ndarray, " item"], claim: Claim, index: int) -> Bars:
    high, label = ranged(means)
    if claim is Claim.UNIT:
        high, label = 1.0, Label("canvas.bar.fixed_unit")
    name = Label(f"kinds.noun.{maps.name}")
    order = Label("kinds.figure.maps_sorted", {"thing": ThingLabel(maps, maps.name, index)})
    title = Label("kinds.figure.maps_bars", {"name": name})
    return sorted_bars(means, index, high, title, label, order)


@completed.register
def _(captured: EdgeGate, analysis: Analysis, selection: Selection) -> Selection:
    return selection if selection.channel is None else _existing(captured, selection)


def _existing(captured: EdgeGate, selection: Selection) -> Selection:
    return with_channel(selection, captured.values.mean(axis=1))


def which_channel(captured: EdgeGate, selection: Selection) -> Label:
    """Return which channel's gate is shown: one, or the mean over all of them."""
    if selection.channel is not None:
        return Label("canvas.top.channel", {"channel": selection.channel})
    count = len(captured.values)
    return Label("canvas.maps.mean", {"count": count}) if count > 1 else Label("canvas.edges.all")


@drawables.register
def _(
    captured: EdgeGate, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    cells = np.ascontiguousarray(captured.over_cells(selection.channel))
    low, high, signed, label = mapped(cells, captured.values, captured.claim, scale)
    title = Label(
        f"kinds.figure.edge_{captured.axis}", {"which": which_channel(captured, selection)}
    )
    marker = marked(captured.grid, analysis, selection)
    heat = Heat(cells, captured.grid, low, high, signed, marker, title, label)
    line = cells[:, 0] if captured.axis == "height" else cells[0]
    top, ends = ranged(line)
    if captured.claim is Claim.UNIT:
        top, ends = 1.0, Label("canvas.bar.fixed_unit")
    along = Label("kinds.noun.row" if captured.axis == "height" else "kinds.noun.column")
    order = Label("kinds.figure.edge_bars", {"axis": along})
    bottom = min(0.0, float(line.min()))
    return heat, Bars(line, np.arange(len(line)), bottom, top, None, title, ends, order)


@completed.register
def _(captured: Table, analysis: Analysis, selection: Selection) -> Selection:
    return with_channel(selection, np.abs(captured.values).max(axis=1))


@drawables.register
def _(
    captured: Table, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    index, values = chosen_channel(selection), captured.values
    signed, peak = bool((values < 0).any()), end(np.abs(values).max())
    axes = {
        "down": Label(f"kinds.noun.{captured.row_axis}"),
        "across": Label(f"kinds.noun.{captured.column_axis}"),
    }
    low = -peak if signed else 0.0
    said = {"low": number(low), "high": number(peak)}
    caption = Label("canvas.table.caption", {**axes, **said})
    matrix = Matrix(
        values, low, peak, index, Label("kinds.figure.table", axes), caption, signed=signed
    )
    row, best = values[index], int(np.abs(values[index]).argmax())
    named = ThingLabel(captured.row_maps, captured.row_axis, index)
    high, label = ranged(row) if scale is Scale.ROW_MAXIMUM else ranged(values)
    across = ThingLabel(captured.column_maps, captured.column_axis, best)
    order = Label("kinds.figure.maps_sorted", {"thing": across})
    title = Label("canvas.table.bars_label", {"row": named})
    bars = sorted_bars(row, best, high, title, label, order)
    if captured.row_maps is not None:
        return shown_map(captured.row_maps, index, Claim.SIGNED, scale), bars, matrix
    if captured.column_maps is not None:
        return shown_map(captured.column_maps, best, Claim.SIGNED, scale), bars, matrix
    return bars, matrix


@completed.register
def _(captured: Weights, analysis: Analysis, selection: Selection) -> Selection:
    return with_channel(selection, captured.values)


@drawables.register
def _(
    captured: Weights, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    index = chosen_channel(selection)
    high, label = ranged(captured.values)
    if scale is Scale.FIXED and captured.claim in (Claim.UNIT, Claim.SIMPLEX):
        high, label = 1.0, Label("canvas.bar.fixed_unit")
    name = Label(f"kinds.noun.{captured.axis}")
    order = Label("kinds.figure.maps_sorted", {"thing": ThingLabel(None, captured.axis, index)})
    title = Label("kinds.figure.weights", {"name": name})
    return (sorted_bars(captured.values, index, high, title, label, order),)
