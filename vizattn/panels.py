"""Drawables on matplotlib's axes: a picture with heat, bars, a matrix, each with its numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vizattn.geometry import Framing, Size
from vizattn.intake import Picture
from vizattn.numbers import number
from vizattn.render import SIGNED_COLORMAP, Style, colour_table, colours, grey_ground, overlay
from vizattn.texts import text
from vizattn.typesetting import Typeface
from vizattn.views import Bars, Drawable, Heat, Matrix

INK, QUIET, FAINT, ACCENT = "#1c1f23", "#59616a", "#c4c9cf", "#0b6bcb"
SMALL = 7.5
"""points of numbers and scale labels"""
WIDEST, HIGHEST, NARROWEST = 6.4, 4.8, 4.2
"""inches: the picture's most width and height, and the least width of everything else"""
NUMBERS = 1.05
"""inches for a colour bar and the numbers beside a panel"""
_GAP, _BAR = 0.12, 0.13
_BARS_HEIGHT, _MATRIX_SIDE = 1.25, 3.2
_PIXELS_PER_INCH = 240
_CLOSEST = 0.07
"""of the bar's length: closer ticks would write over each other"""

Shown = TypeVar("Shown", bound=Drawable)


@dataclass(frozen=True)
class Subject:
    """What all panels of a figure have in common.

    Args:
        picture: the upright picture.
        framing: where the original is in the model's input.
        style: how heat is drawn.
        typeface: the fonts and the language.
    """

    picture: Picture
    framing: Framing
    style: Style
    typeface: Typeface

    @property
    def picture_inches(self) -> tuple[float, float]:
        """Return the (width, height) at which the picture is drawn."""
        width, height = self.framing.original
        scale = min(WIDEST / width, HIGHEST / height)
        return width * scale, height * scale

    @property
    def width(self) -> float:
        """Return how many inches wide panels are, less their numbers."""
        return max(self.picture_inches[0], NARROWEST)


class Panel(ABC, Generic[Shown]):
    """One drawable on a figure."""

    def __init__(self, shown: Shown, subject: Subject) -> None:
        self.shown = shown
        self.subject = subject

    @property
    @abstractmethod
    def size(self) -> tuple[float, float]:
        """Return the plot's (width, height) in inches, less the numbers beside it."""

    @abstractmethod
    def draw(self, sheet: Any, left: float, top: float) -> None:
        """Draw on a sheet whose ``axes(left, top, width, height)`` takes inches."""

    def notes(self) -> list[str]:
        """Return what stands under the plot: above all, what its scale is."""
        return [self.shown.scale_label.text(self.subject.typeface.language)]

    def _label_ticks(self, axes: Any, ticks: Sequence[tuple[float, str]]) -> None:
        axes.yaxis.tick_right()
        axes.set_yticks([value for value, _ in ticks], [label for _, label in ticks])
        axes.tick_params(axis="y", length=2, width=0.6, color=QUIET, pad=2)
        for label in axes.get_yticklabels():
            label.set(fontproperties=self.subject.typeface.font(SMALL), color=QUIET)
            label.set_parse_math(False)


class HeatPanel(Panel[Heat]):
    """The picture with heat over it and a colour bar as the colours look there."""

    @property
    def size(self) -> tuple[float, float]:
        return self.subject.picture_inches

    def notes(self) -> list[str]:
        key = "canvas.bar.smooth" if self.subject.style.smooth else "canvas.bar.cells"
        grid, language = self.shown.grid, self.subject.typeface.language
        return [*super().notes(), text(language, key, columns=grid.columns, rows=grid.rows)]

    def draw(self, sheet: Any, left: float, top: float) -> None:
        width, height = self.size
        axes = sheet.axes(left, top, width, height)
        across, down = (max(1, round(side * _PIXELS_PER_INCH)) for side in (width, height))
        image = self.image((across, down))
        axes.imshow(np.asarray(image), aspect="auto", interpolation="antialiased")
        axes.set_axis_off()
        subject = self.subject
        table = colour_table(self.shown, subject.style)
        below = float(np.asarray(grey_ground(subject.picture.rgb, (64, 64))).mean())
        opacity = table[:, 3:] / 255
        seen = np.rint(table[:, :3] * opacity + below * (1 - opacity)).astype(np.uint8)
        bar = sheet.axes(left + width + _GAP, top, _BAR, height)
        draw_bar(bar, seen, self.shown.low, self.shown.high)
        self._label_ticks(bar, self._ticks())

    def image(self, size: Size) -> Image.Image:
        """Return the picture with the heat at (width, height); another panel may draw more."""
        subject = self.subject
        return overlay(self.shown, subject.picture, subject.framing, subject.style, size)

    def _ticks(self) -> list[tuple[float, str]]:
        low, high = self.shown.low, self.shown.high
        ticks = [(value, number(value)) for value in np.linspace(low, high, 5).tolist()]
        uniform = self.shown.uniform
        apart = (high - low) * _CLOSEST
        if uniform is None or not low + apart <= uniform <= high - apart:
            return ticks
        label = text(self.subject.typeface.language, "canvas.bar.uniform_name")
        return [tick for tick in ticks if abs(tick[0] - uniform) > apart] + [(uniform, label)]


class BarsPanel(Panel[Bars]):
    """A bar for each channel or other thing."""

    @property
    def size(self) -> tuple[float, float]:
        return self.subject.width, _BARS_HEIGHT

    def draw(self, sheet: Any, left: float, top: float) -> None:
        width, height = self.size
        axes = sheet.axes(left, top, width, height)
        shown = self.shown
        marked = shown.channels == shown.chosen
        count = len(shown.values)
        axes.bar(
            np.arange(count), shown.values, width=0.8, color=np.where(marked, ACCENT, "#9aa3ad")
        )
        if shown.chosen is not None:
            # A bar of no height is no mark: the line shows where the chosen one stands.
            axes.axvline(int(marked.argmax()), color=ACCENT, alpha=0.4, linewidth=0.8, zorder=0)
        axes.set_xlim(-0.7, count - 0.3)
        axes.set_ylim(shown.low, shown.high)
        axes.set_xticks([])
        for side in ("left", "top"):
            axes.spines[side].set_visible(False)
        for side in ("right", "bottom"):
            axes.spines[side].set(color=FAINT, linewidth=0.6)
        middle = (shown.low + shown.high) / 2
        self._label_ticks(axes, [(v, number(v)) for v in (shown.low, middle, shown.high)])

    def notes(self) -> list[str]:
        order = self.shown.order_label.text(self.subject.typeface.language)
        return [*super().notes(), order]


class MatrixPanel(Panel[Matrix]):
    """A table as a square: what is asked down, what is answered with across."""

    @property
    def size(self) -> tuple[float, float]:
        return _MATRIX_SIDE, _MATRIX_SIDE

    def draw(self, sheet: Any, left: float, top: float) -> None:
        side = self.size[0]
        shown = self.shown
        table = colours(SIGNED_COLORMAP if shown.signed else self.subject.style.colormap)
        axes = sheet.axes(left, top, side, side)
        position = np.clip((shown.values - shown.low) / (shown.high - shown.low), 0, 1)
        pixels = table[np.rint(position * 255).astype(np.uint8)]
        axes.imshow(pixels, aspect="auto", interpolation="nearest")
        axes.axhspan(
            shown.chosen - 0.5, shown.chosen + 0.5, fill=False, edgecolor="white", linewidth=0.8
        )
        axes.set_axis_off()
        bar = sheet.axes(left + side + _GAP, top, _BAR, side)
        draw_bar(bar, table, shown.low, shown.high)
        ticks = np.linspace(shown.low, shown.high, 5).tolist()
        self._label_ticks(bar, [(value, number(value)) for value in ticks])


def draw_bar(axes: Any, table: UInt8[np.ndarray, "256 3"], low: float, high: float) -> None:
    """Draw 256 colours from low, below, to high, above."""
    axes.imshow(table[::-1, None], extent=(0, 1, low, high), aspect="auto", interpolation="nearest")
    axes.set_xticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


PANELS: dict[type[Drawable], type[Panel[Any]]] = {
    Heat: HeatPanel,
    Bars: BarsPanel,
    Matrix: MatrixPanel,
}
