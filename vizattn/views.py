"""Captured attention and a selection to drawables: the only things that renderers know.

Every drawable carries its own scale and says what that scale is. A selection is completed before
anything is drawn (``resolve``): where no place was chosen a row is that of the picture's centre,
where no channel was chosen it is the one that weighs most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import singledispatch

import numpy as np
from jaxtyping import Float, Int

from models.mechanism import Claim
from vizattn.analysis import Analysis
from vizattn.attention import (
    Activation,
    Captured,
    ChannelAffinity,
    ChannelGate,
    PlaceAffinity,
    Rows,
    SpatialGate,
)
from vizattn.geometry import Box, Grid, Point
from vizattn.numbers import number
from vizattn.texts import Refused, text

FIXED_UNIFORM = 20
"""the fixed scale of a row that sums to 1 ends at this many times the even weight"""
_SAMPLED_ROWS = 64
"""the fixed scale of other rows ends at the largest weight of this many rows, spread evenly"""


class UnknownHead(Refused):
    """The attention has no head of that number."""


class UnknownChannel(Refused):
    """The attention has no channel of that number."""


class Scale(Enum):
    """Which numbers the colours stand for."""

    ROW_MAXIMUM = "row"
    """the range of what is shown: every map uses all colours"""
    FIXED = "fixed"
    """a range that does not depend on what is shown: maps can be compared"""


@dataclass(frozen=True)
class Selection:
    """What somebody wants to see of an analysis.

    Args:
        site: which attention; the first that has rows over places by default, else the last.
        head: which head, from 0; the mean over heads by default.
        at: (x, y) in pixels of the upright original.
        channel: which channel, from 0; the strongest by default.
    """

    site: str | None = None
    head: int | None = None
    at: Point | None = None
    channel: int | None = None


@dataclass(frozen=True)
class Label:
    """A text that is not yet in any language.

    Args:
        key: its key in the catalogue, area included.
        values: what its placeholders stand for; labels among them are put into the language too.
    """

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, language: str) -> str:
        """Return the text in a language."""
        values = {
            name: value.text(language) if isinstance(value, Label) else value
            for name, value in self.values.items()
        }
        return text(language, self.key, **values)


@dataclass(frozen=True)
class Heat:
    """A map to draw over the picture.

    Args:
        values: one number a cell.
        grid: where the cells are in the model's input.
        low: the number at the lower end of the colours.
        high: the number at their upper end.
        signed: whether the middle of the colours is 0 and both ends are far from it.
        marker: the queried cell in pixels of the original.
        title: what it shows.
        scale_label: what the ends of the scale are.
        uniform: the weight that every key would have if all had the same.
    """

    values: Float[np.ndarray, "row column"]
    grid: Grid
    low: float
    high: float
    signed: bool
    marker: Box | None
    title: Label
    scale_label: Label
    uniform: float | None = None


@dataclass(frozen=True)
class Bars:
    """One bar for each channel.

    Args:
        values: the channels' numbers, largest first.
        channels: whose number each is.
        low: where the axis begins; never above 0, since a bar's length is its number.
        high: where the axis ends.
        chosen: the channel to point out.
        title: what they show.
        scale_label: what the ends of the axis are.
    """

    values: Float[np.ndarray, " channel"]
    channels: Int[np.ndarray, " channel"]
    low: float
    high: float
    chosen: int
    title: Label
    scale_label: Label


@dataclass(frozen=True)
class Matrix:
    """A row of weights over channels for each channel.

    Args:
        values: a row for each channel.
        low: the number at the lower end of the colours.
        high: the number at their upper end.
        chosen: the row to point out.
        title: what it shows.
        scale_label: what the ends of the scale are.
    """

    values: Float[np.ndarray, "query key"]
    low: float
    high: float
    chosen: int
    title: Label
    scale_label: Label


Drawable = Heat | Bars | Matrix


def view(
    analysis: Analysis, selection: Selection | None = None, scale: Scale = Scale.ROW_MAXIMUM
) -> tuple[Drawable, ...]:
    """Return what there is to draw for a selection, the map over the picture first.

    Raises:
        Refused: if the selection names a site, head, channel or place that is not there.
    """
    chosen = resolve(analysis, selection)
    return _drawables(analysis.site(chosen.site), analysis, chosen, scale)


def resolve(analysis: Analysis, selection: Selection | None = None) -> Selection:
    """Return a selection in which everything that its attention needs is chosen.

    Raises:
        Refused: if the selection names a site, head, channel or place that is not there.
    """
    selection = selection or Selection()
    at = selection.at
    if at is not None:  # plain numbers, also from NumPy: a selection is written into scripts
        at = analysis.check_point((float(at[0]), float(at[1])))
    if not analysis.sites and selection.site is None:  # a plain network: nothing to choose from
        return Selection(at=at)
    captured = analysis.site(selection.site)
    heads = heads_of(captured)
    if selection.head is not None and not 0 <= selection.head < heads:
        raise UnknownHead("errors.unknown_head", head=selection.head, count=heads)
    return _completed(captured, analysis, replace(selection, site=captured.site, at=at))


def heads_of(captured: Captured) -> int:
    """Return how many heads an attention has; a gate has one."""
    rows = getattr(captured, "rows", None)
    return rows.heads if isinstance(rows, Rows) else 1


def place_row(
    captured: PlaceAffinity, analysis: Analysis, selection: Selection
) -> Float[np.ndarray, "row column"]:
    """Return the row of the selected place: of one head, or the mean over heads."""
    rows = analysis.row(_place(selection), captured.site)
    return _one_head(rows, selection.head)


def channel_rows(captured: ChannelAffinity, selection: Selection) -> Float[np.ndarray, "query key"]:
    """Return every channel's row over channels: of one head, or the mean over heads."""
    return _one_head(captured.rows.some(range(captured.rows.queries)), selection.head)


def _one_head(rows: np.ndarray, head: int | None) -> np.ndarray:
    return rows.mean(axis=0) if head is None else rows[head]


def _place(selection: Selection) -> Point:
    if selection.at is None:
        raise ValueError(f"expected a resolved selection, received {selection}")
    return selection.at


def _channel(selection: Selection) -> int:
    if selection.channel is None:
        raise ValueError(f"expected a resolved selection, received {selection}")
    return selection.channel


@singledispatch
def _completed(captured: Captured, analysis: Analysis, selection: Selection) -> Selection:
    return selection


@_completed.register
def _(captured: PlaceAffinity, analysis: Analysis, selection: Selection) -> Selection:
    width, height = analysis.framing.original
    return selection if selection.at else replace(selection, at=(width / 2, height / 2))


@_completed.register
def _(captured: ChannelGate, analysis: Analysis, selection: Selection) -> Selection:
    return _with_channel(selection, captured.values)


@_completed.register
def _(captured: ChannelAffinity, analysis: Analysis, selection: Selection) -> Selection:
    return _with_channel(selection, channel_rows(captured, selection).max(axis=1))


def _with_channel(selection: Selection, strengths: Float[np.ndarray, " channel"]) -> Selection:
    if selection.channel is None:
        return replace(selection, channel=int(strengths.argmax()))
    if not 0 <= selection.channel < len(strengths):
        raise UnknownChannel(
            "words.unknown_channel", channel=selection.channel, count=len(strengths)
        )
    return selection


@singledispatch
def _drawables(
    captured: Captured, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    raise ValueError(f"expected a captured kind that can be drawn, received {captured!r}")


@_drawables.register
def _(
    captured: PlaceAffinity, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    at = _place(selection)
    values = place_row(captured, analysis, selection)
    high, label = _row_scale(captured, values, scale)
    signed = captured.claim is Claim.SIGNED
    uniform = None
    if captured.claim is Claim.SIMPLEX:
        uniform = 1 / values.size
        even = Label("canvas.bar.uniform", {"count": values.size, "value": number(uniform, 2)})
        label = Label("figure.scale_and_uniform", {"scale": label, "uniform": even})
    query = captured.query_grid.box(analysis.query_at(at, captured.site))
    return (
        Heat(
            values=values,
            grid=captured.key_grid,
            low=-high if signed else 0.0,
            high=high,
            signed=signed,
            marker=analysis.framing.box_to_original(query),
            title=Label("figure.place_row", {"x": f"{at[0]:g}", "y": f"{at[1]:g}"}),
            scale_label=label,
            uniform=uniform,
        ),
    )


def _row_scale(
    captured: PlaceAffinity, row: Float[np.ndarray, "row column"], scale: Scale
) -> tuple[float, Label]:
    """Return the upper end of a row's scale and what it is."""
    if scale is Scale.ROW_MAXIMUM:
        highest = float(np.abs(row).max())
        signed = captured.claim is Claim.SIGNED
        key = "canvas.bar.row_signed" if signed else "canvas.bar.row"
        return _end(highest), Label(key, {"value": number(highest)})
    if captured.claim is Claim.SIMPLEX:
        high = min(1.0, FIXED_UNIFORM / row.size)
        said = {"times": FIXED_UNIFORM, "value": number(high)}
        return high, Label("canvas.bar.fixed_uniform", said)
    bound = _sampled_bound(captured.rows)
    return _end(bound), Label("canvas.bar.fixed_sampled", {"value": number(bound)})


def _sampled_bound(rows: Rows) -> float:
    step = max(1, rows.queries // _SAMPLED_ROWS)
    return float(np.abs(rows.some(range(0, rows.queries, step))).max())


@_drawables.register
def _(
    captured: SpatialGate, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    values, framing = captured.values, analysis.framing
    low, high, label = 0.0, 1.0, Label("canvas.bar.fixed_unit")
    least, most = float(values.min()), float(values.max())
    if scale is Scale.ROW_MAXIMUM:
        label = Label("canvas.bar.map", {"low": number(least), "high": number(most)})
        if most > least:
            low, high = least, most
    marker = None
    if selection.at is not None:
        cell = captured.grid.cell_at(framing.to_model(selection.at))
        marker = framing.box_to_original(captured.grid.box(cell))
    title = Label("figure.spatial_gate")
    return (Heat(values, captured.grid, low, high, False, marker, title, label),)


@_drawables.register
def _(
    captured: ChannelGate, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    channel = _channel(selection)
    weight = number(captured.values[channel])
    title = Label("figure.channel_gate", {"channel": channel, "weight": weight})
    # Gates are bars on the whole of 0..1 whatever the scale: their length says how open they are.
    bars = _bars(captured.values, channel, 1.0, title, Label("canvas.bar.fixed_unit"))
    return _activation_heat(captured.activation, channel, scale), bars


@_drawables.register
def _(
    captured: ChannelAffinity, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    channel = _channel(selection)
    rows = channel_rows(captured, selection)
    row = rows[channel]
    fixed = Label("canvas.bar.fixed_unit")
    high, label, peak = 1.0, fixed, 1.0
    if scale is Scale.ROW_MAXIMUM:
        high, peak = _end(row.max()), _end(rows.max())
        label = Label("canvas.bar.row", {"value": number(row.max())})
    bars_title = Label("figure.channel_row", {"channel": channel})
    peak_label = Label("canvas.matrix.caption", {"high": number(peak)})
    matrix = Matrix(rows, 0.0, peak, channel, Label("figure.channel_matrix"), peak_label)
    return (
        _activation_heat(captured.activation, channel, scale),
        _bars(row, channel, high, bars_title, label),
        matrix,
    )


def _bars(
    values: Float[np.ndarray, " channel"], chosen: int, high: float, title: Label, label: Label
) -> Bars:
    order = np.argsort(-values, kind="stable")
    low = min(0.0, float(values.min()))
    return Bars(values[order], order, low, high, chosen, title, label)


def _activation_heat(activation: Activation, channel: int, scale: Scale) -> Heat:
    """Return what a channel responds to: the part above 0, which is what a gate passes on."""
    raw = activation.values[channel]
    values = np.maximum(raw, 0)
    said: dict[str, object] = {"channel": channel}
    said |= {"low": number(float(raw.min())), "high": number(float(raw.max()))}
    high, label = values.max(), Label("canvas.bar.activation", said)
    if scale is Scale.FIXED:
        high = np.maximum(activation.values.max(), 0)
        label = Label("canvas.bar.activation_fixed", {**said, "bound": number(high)})
    title = Label("figure.activation", {"channel": channel})
    return Heat(values, activation.grid, 0.0, _end(high), False, None, title, label)


def _end(high: float | np.floating) -> float:
    """Return the upper end of a scale from 0, which has a width also where all values are 0."""
    return float(high) or 1.0
