"""Captured attention and a selection to drawables: the only things that renderers know.

Every drawable carries its own scale and says what that scale is. A selection is completed before
anything is drawn (``resolve``): where no place was chosen a row is that of the picture's centre,
where no channel was chosen it is the one that weighs most.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from models.affinities.forms import ProductForm
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
from vizattn.drawables import (
    FIXED_UNIFORM,
    Bars,
    Drawable,
    Heat,
    Label,
    Matrix,
    Scale,
    Selection,
    UnknownChannel,
    UnknownHead,
    UnknownToken,
    chosen_channel,
    end,
    sorted_bars,
    with_channel,
)
from vizattn.drawables import completed as _completed
from vizattn.drawables import drawables as _drawables
from vizattn.feature_views import mapped, marked, ranged, shown_map
from vizattn.geometry import Point
from vizattn.labels import token_key
from vizattn.numbers import number

__all__ = [
    "FIXED_UNIFORM",
    "Bars",
    "Drawable",
    "Heat",
    "Label",
    "Matrix",
    "Scale",
    "Selection",
    "UnknownChannel",
    "UnknownHead",
    "UnknownToken",
    "channel_rows",
    "heads_of",
    "place_row",
    "resolve",
    "view",
]

_SAMPLED_ROWS = 64
"""the fixed scale of other rows ends at the largest weight of this many rows, spread evenly"""


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
    _check_token(captured, selection.token)
    return _completed(captured, analysis, replace(selection, site=captured.site, at=at))


def _check_token(captured: Captured, token: str | None) -> None:
    extra = captured.extra if isinstance(captured, PlaceAffinity) else ()
    if token is None or token in extra:
        return
    if extra:
        raise UnknownToken("kinds.unknown_token", token=token, known=", ".join(extra))
    raise UnknownToken("kinds.no_tokens", token=token)


def heads_of(captured: Captured) -> int:
    """Return how many heads an attention has; a gate has one."""
    rows = getattr(captured, "rows", None)
    return rows.heads if isinstance(rows, Rows) else 1


def place_row(
    captured: PlaceAffinity, analysis: Analysis, selection: Selection
) -> Float[np.ndarray, "row column"]:
    """Return the row of the selected place or token: of one head, or the mean over heads."""
    if selection.token is not None:
        return _one_head(captured.row_of_extra(selection.token), selection.head)
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


@_completed.register
def _(captured: PlaceAffinity, analysis: Analysis, selection: Selection) -> Selection:
    width, height = analysis.framing.original
    return selection if selection.at else replace(selection, at=(width / 2, height / 2))


@_completed.register
def _(captured: ChannelGate, analysis: Analysis, selection: Selection) -> Selection:
    return with_channel(selection, captured.values)


@_completed.register
def _(captured: ChannelAffinity, analysis: Analysis, selection: Selection) -> Selection:
    return with_channel(selection, channel_rows(captured, selection).max(axis=1))


@_drawables.register
def _(
    captured: PlaceAffinity, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    at = _place(selection)
    values = place_row(captured, analysis, selection)
    high, label = _row_scale(captured, values, scale)
    signed = captured.claim is Claim.SIGNED
    uniform = None
    count = _even_keys(captured, analysis, selection, values.size)
    if captured.claim is Claim.SIMPLEX and count:
        uniform = 1 / count
        even = Label("canvas.bar.uniform", {"count": count, "value": number(uniform, 2)})
        label = Label("figure.scale_and_uniform", {"scale": label, "uniform": even})
    title = Label("figure.place_row", {"x": f"{at[0]:g}", "y": f"{at[1]:g}"})
    marker = None
    if selection.token is None:
        query = captured.query_grid.box(analysis.query_at(at, captured.site))
        marker = analysis.framing.box_to_original(query)
    else:
        token = Label(*token_key(selection.token))
        title = Label("kinds.figure.row_of_token", {"token": token})
    low = -high if signed else 0.0
    row = Heat(values, captured.key_grid, low, high, signed, marker, title, label, uniform)
    if captured.maps is None:
        return (row,)
    # Behind a row that follows from maps: the map that differs most from place to place.
    return row, shown_map(captured.maps, captured.maps.strongest, Claim.SIGNED, scale)


def _even_keys(
    captured: PlaceAffinity, analysis: Analysis, selection: Selection, cells: int
) -> int:
    """Return over how many keys an even row would lie; 0 where keys are areas of several sizes."""
    if captured.rows.over_areas() is not None:
        return 0
    if captured.extra:
        return captured.rows.keys
    if captured.bands > 1:
        return cells
    query = captured.token_of(analysis.query_at(_place(selection), captured.site))
    heard = captured.rows.heard(query, selection.head)
    return cells if heard is None else len(heard)


def _row_scale(
    captured: PlaceAffinity, row: Float[np.ndarray, "row column"], scale: Scale
) -> tuple[float, Label]:
    """Return the upper end of a row's scale and what it is."""
    if scale is Scale.ROW_MAXIMUM:
        highest = float(np.abs(row).max())
        signed = captured.claim is Claim.SIGNED
        kind = "row" if captured.rows.over_areas() is None else "area"
        key = f"canvas.bar.{kind}_signed" if signed else f"canvas.bar.{kind}"
        return end(highest), Label(key, {"value": number(highest)})
    if captured.claim is Claim.SIMPLEX and isinstance(captured.rows.form(), ProductForm):
        high = min(1.0, FIXED_UNIFORM / row.size)
        said = {"times": FIXED_UNIFORM, "value": number(high)}
        return high, Label("canvas.bar.fixed_uniform", said)
    bound = _sampled_bound(captured.rows)
    return end(bound), Label("canvas.bar.fixed_sampled", {"value": number(bound)})


def _sampled_bound(rows: Rows) -> float:
    step = max(1, rows.queries // _SAMPLED_ROWS)
    return float(np.abs(rows.some(range(0, rows.queries, step))).max())


@_drawables.register
def _(
    captured: SpatialGate, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    low, high, signed, label = mapped(captured.values, captured.values, captured.claim, scale)
    marker = marked(captured.grid, analysis, selection)
    title = Label("figure.spatial_gate")
    uniform = None
    if captured.claim is Claim.SIMPLEX:
        count = captured.values.size
        uniform = 1 / count
        even = Label("canvas.bar.uniform", {"count": count, "value": number(uniform, 2)})
        label = Label("figure.scale_and_uniform", {"scale": label, "uniform": even})
    heat = Heat(captured.values, captured.grid, low, high, signed, marker, title, label, uniform)
    return (heat,)


@_drawables.register
def _(
    captured: ChannelGate, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    channel, values = chosen_channel(selection), captured.values
    title = Label("figure.channel_gate", {"channel": channel, "weight": number(values[channel])})
    # Gates are bars on the whole of 0..1 whatever the scale: their length says how open they are.
    high, label = 1.0, Label("canvas.bar.fixed_unit")
    if captured.claim is not Claim.UNIT:
        high, label = ranged(values)
    order = Label("figure.bars", {"channel": channel})
    bars = sorted_bars(values, channel, high, title, label, order)
    return _activation_heat(captured.activation, channel, scale), bars


@_drawables.register
def _(
    captured: ChannelAffinity, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    channel = chosen_channel(selection)
    rows = channel_rows(captured, selection)
    row = rows[channel]
    fixed = Label("canvas.bar.fixed_unit")
    high, label, peak = 1.0, fixed, 1.0
    if scale is Scale.ROW_MAXIMUM:
        high, peak = end(row.max()), end(rows.max())
        label = Label("canvas.bar.row", {"value": number(row.max())})
    elif captured.claim not in (Claim.UNIT, Claim.SIMPLEX):
        high, label = ranged(rows)
        peak = high
    bars_title = Label("figure.channel_row", {"channel": channel})
    peak_label = Label("canvas.matrix.caption", {"low": number(0.0), "high": number(peak)})
    matrix = Matrix(rows, 0.0, peak, channel, Label("figure.channel_matrix"), peak_label)
    order = Label("figure.bars", {"channel": channel})
    return (
        _activation_heat(captured.activation, channel, scale),
        sorted_bars(row, channel, high, bars_title, label, order),
        matrix,
    )


def _activation_heat(activation: Activation, channel: int, scale: Scale) -> Heat:
    """Return what a channel responds to.

    At the end of a residual branch most of it may be below 0: that takes away from what passes by.
    """
    values = activation.values[channel]
    signed = bool((activation.values < 0).any())
    said: dict[str, object] = {"channel": channel}
    said |= {"low": number(float(values.min())), "high": number(float(values.max()))}
    high, label = end(np.abs(values).max()), Label("canvas.bar.activation", said)
    if scale is Scale.FIXED:
        high = end(np.abs(activation.values).max())
        label = Label("canvas.bar.activation_fixed", {**said, "bound": number(high)})
    title = Label("figure.activation", {"channel": channel})
    low = -high if signed else 0.0
    return Heat(values, activation.grid, low, high, signed, None, title, label)
