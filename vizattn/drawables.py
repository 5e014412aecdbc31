"""What renderers know: heat over the picture, bars, a matrix, each with its own scale.

Besides: what somebody has selected, and the two questions that every captured kind answers, what
there is to draw of it and what a selection lacks. Each kind's answers are registered where that
kind is drawn (``vizattn.views``, ``vizattn.feature_views``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import singledispatch

import numpy as np
from jaxtyping import Float, Int

from vizattn.analysis import Analysis
from vizattn.attention import Captured
from vizattn.geometry import Box, Grid, Point
from vizattn.texts import Refused, text

FIXED_UNIFORM = 20
"""the fixed scale of a row that sums to 1 ends at this many times the even weight"""


class UnknownHead(Refused):
    """The attention has no head of that number."""


class UnknownChannel(Refused):
    """The attention has no channel of that number."""


class UnknownToken(Refused):
    """The attention has no token of that name that is no place."""


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
        channel: which channel, map, row of a table or item, from 0; the strongest by default.
        token: a token that is no place, whose row is shown instead of a place's: "class_token".
    """

    site: str | None = None
    head: int | None = None
    at: Point | None = None
    channel: int | None = None
    token: str | None = None


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
    """One bar for each channel, or for each of other things with a number.

    Args:
        values: their numbers, in the order in which they are drawn.
        channels: whose number each is.
        low: where the axis begins; never above 0, since a bar's length is its number.
        high: where the axis ends.
        chosen: the one to point out, or None.
        title: what they show.
        scale_label: what the ends of the axis are.
        order_label: what their order is and which one is pointed out.
    """

    values: Float[np.ndarray, " channel"]
    channels: Int[np.ndarray, " channel"]
    low: float
    high: float
    chosen: int | None
    title: Label
    scale_label: Label
    order_label: Label


@dataclass(frozen=True)
class Matrix:
    """A number for each pair: of two channels, or of a row's and a column's things.

    Args:
        values: a row for each thing that is down.
        low: the number at the lower end of the colours.
        high: the number at their upper end.
        chosen: the row to point out.
        title: what it shows.
        scale_label: what the ends of the scale are.
        signed: whether the middle of the colours is 0 and both ends are far from it.
    """

    values: Float[np.ndarray, "query key"]
    low: float
    high: float
    chosen: int
    title: Label
    scale_label: Label
    signed: bool = False


Drawable = Heat | Bars | Matrix


@singledispatch
def completed(captured: Captured, analysis: Analysis, selection: Selection) -> Selection:
    """Return a selection with what its captured kind needs besides."""
    return selection


@singledispatch
def drawables(
    captured: Captured, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    """Return what there is to draw of a captured kind for a completed selection.

    Raises:
        ValueError: if nobody draws that kind.
    """
    raise ValueError(f"expected a captured kind that can be drawn, received {captured!r}")


def with_channel(selection: Selection, strengths: Float[np.ndarray, " item"]) -> Selection:
    """Return a selection with a channel, the strongest one where none was chosen.

    Raises:
        Refused: if there is no channel of that number.
    """
    if selection.channel is None:
        return replace(selection, channel=int(strengths.argmax()))
    if not 0 <= selection.channel < len(strengths):
        raise UnknownChannel(
            "words.unknown_channel", channel=selection.channel, count=len(strengths)
        )
    return selection


def chosen_channel(selection: Selection) -> int:
    """Return the channel of a completed selection; raises ValueError where there is none."""
    if selection.channel is None:
        raise ValueError(f"expected a resolved selection, received {selection}")
    return selection.channel


def end(high: float | np.floating) -> float:
    """Return the upper end of a scale from 0, which has a width also where all values are 0."""
    return float(high) or 1.0


def sorted_bars(
    values: Float[np.ndarray, " item"],
    chosen: int,
    high: float,
    title: Label,
    scale_label: Label,
    order_label: Label,
) -> Bars:
    """Return bars that are sorted, the largest first, from 0 or the least of them to ``high``."""
    order = np.argsort(-values, kind="stable")
    low = min(0.0, float(values.min()))
    return Bars(values[order], order, low, high, chosen, title, scale_label, order_label)
