"""Contact sheets as pictures: a line for each attention, a column for each picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vizattn.analysis import Analysis, Classification
from vizattn.labels import class_label, mechanism_label, site_label
from vizattn.numbers import number, percent
from vizattn.panels import ACCENT, FAINT, INK, QUIET
from vizattn.render import DEFAULT_STYLE, SIGNED_COLORMAP, Style, colours, overlay
from vizattn.sheets.lines import Line
from vizattn.texts import DEFAULT_LANGUAGE, text
from vizattn.typesetting import Typeface, typeface
from vizattn.views import Bars, Drawable, Heat, Matrix, Selection, view

LINES = 5
"""lines of a page"""
DPI = 110
_CELL = (3.1, 2.35)
"""inches of what is drawn of one attention on one picture"""
_BARS, _MARGIN, _GAP = 0.42, 0.25, 0.14
"""inches: bars under a cell, around the page, between cells"""
_HEAD, _NOTES, _APART = 0.42, 0.5, 0.1
"""inches of the words over a line and under its cells, and between lines"""
_PIXELS_PER_INCH = 200
_TITLE, _SITE, _SMALL = 10.0, 7.5, 6.5
_FAILED = "#b3261e"


def write(
    lines: Iterable[Line],
    out: Path,
    style: Style = DEFAULT_STYLE,
    language: str = DEFAULT_LANGUAGE,
) -> Iterator[Path]:
    """Write lines to PNG files, five to a page, and yield their paths as they are there.

    Args:
        lines: what is shown.
        out: the file; pages are numbered before its ending.
        style: how heat is drawn.
        language: of the words.
    """
    rest = iter(lines)
    page = 0
    while some := list(islice(rest, LINES)):
        page += 1
        path = out.with_name(f"{out.stem}-{page:02d}{out.suffix or '.png'}")
        Page(some, style, typeface(language)).save(path)
        yield path


class Page:
    """One page of a contact sheet.

    Args:
        lines: what is on it, at least one line.
        style: how heat is drawn.
        letters: the fonts and the language.
    """

    def __init__(self, lines: Sequence[Line], style: Style, letters: Typeface) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        columns = len(lines[0].looks)
        width = 2 * _MARGIN + columns * _CELL[0] + (columns - 1) * _GAP
        height = 2 * _MARGIN + sum(map(_height, lines))
        self._letters, self._style, self._size = letters, style, (width, height)
        self._figure = Figure(figsize=self._size, dpi=DPI, facecolor="white")
        FigureCanvasAgg(self._figure)
        top = _MARGIN
        for line in lines:
            self._draw(line, top)
            top += _height(line)

    def save(self, path: Path) -> None:
        """Write the page as PNG."""
        self._figure.savefig(path, format="png", dpi=DPI)

    def _draw(self, line: Line, top: float) -> None:
        language = self._letters.language
        first, chosen = line.looks[0], line.selections[0]
        site = site_label(language, first.site(chosen.site))
        head = f"{mechanism_label(language, line.card)} · {line.card.name}"
        self._write(head, _MARGIN, top, _TITLE, INK, bold=True)
        self._write(site, _MARGIN, top + _TITLE * 1.5 / 72, _SITE, QUIET)
        for column, (look, selection) in enumerate(zip(line.looks, line.selections, strict=True)):
            left = _MARGIN + column * (_CELL[0] + _GAP)
            self._cell(look, selection, left, top + _HEAD)

    def _cell(self, look: Analysis, selection: Selection, left: float, top: float) -> None:
        language, captured = self._letters.language, look.site(selection.site)
        drawn = view(look, selection)
        box = self._axes(left, top, *_CELL)
        self._show(box, drawn[0], look)
        top += _CELL[1] + 0.03
        bars = _bars_below(drawn)
        if bars is not None:
            _bars(self._axes(left, top, _CELL[0], _BARS), bars)
            top += _BARS + 0.05
        passed = sum(check.passed for check in captured.checks)
        checks = text(language, "compare.checks_passed", passed=passed, count=len(captured.checks))
        colour = QUIET if captured.passed else _FAILED
        notes = [(drawn[0].title.text(language), QUIET)]
        notes.append((f"{number(drawn[0].low)} … {number(drawn[0].high)}", QUIET))
        notes.append((f"{_answer(look, selection, language)} · {checks}", colour))
        for line, ink in notes:
            self._write(line, left, top, _SMALL, ink)
            top += _SMALL * 1.5 / 72

    def _show(self, box: Any, drawn: Drawable, look: Analysis) -> None:
        if isinstance(drawn, Bars):
            _bars(box, drawn)
        elif isinstance(drawn, Matrix):
            table = colours(SIGNED_COLORMAP if drawn.signed else self._style.colormap)
            shares = np.clip((drawn.values - drawn.low) / (drawn.high - drawn.low), 0, 1)
            pixels = table[np.rint(shares * 255).astype(np.uint8)]
            box.imshow(pixels, interpolation="nearest")
            box.set_axis_off()
        else:
            box.imshow(np.asarray(self._overlay(drawn, look)), interpolation="antialiased")
            box.set_axis_off()

    def _overlay(self, heat: Heat, look: Analysis) -> Image.Image:
        original = look.framing.original
        scale = min(
            inches * _PIXELS_PER_INCH / side for inches, side in zip(_CELL, original, strict=True)
        )
        size = (max(1, round(original[0] * scale)), max(1, round(original[1] * scale)))
        return overlay(heat, look.picture, look.framing, self._style, size)

    def _axes(self, left: float, top: float, width: float, height: float) -> Any:
        across, down = self._size
        box = (left / across, 1 - (top + height) / down, width / across, height / down)
        return self._figure.add_axes(box)

    def _write(
        self, words: str, left: float, top: float, points: float, colour: str, bold: bool = False
    ) -> None:
        across, down = self._size
        font = self._letters.font(points, bold)
        self._figure.text(
            left / across, 1 - top / down, words, va="top", color=colour, fontproperties=font,
            parse_math=False,
        )  # fmt: skip


def _height(line: Line) -> float:
    """Return how many inches high a line is: the same site is drawn alike on every picture."""
    bars = _bars_below(view(line.looks[0], line.selections[0]))
    return _HEAD + _CELL[1] + _NOTES + _APART + (_BARS if bars is not None else 0.0)


def _bars_below(drawn: Sequence[Drawable]) -> Bars | None:
    return next((each for each in drawn[1:] if isinstance(each, Bars)), None)


def _bars(axes: Any, bars: Bars) -> None:
    marked = bars.channels == bars.chosen
    axes.bar(
        np.arange(len(bars.values)), bars.values, width=0.8,
        color=np.where(marked, ACCENT, "#9aa3ad"),
    )  # fmt: skip
    axes.set(xlim=(-0.7, len(bars.values) - 0.3), ylim=(bars.low, bars.high), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=FAINT, linewidth=0.6)


def _answer(look: Analysis, selection: Selection, language: str) -> str:
    """Return what the network says of the picture, or of the place that is pointed at."""
    if isinstance(look.prediction, Classification):
        name, share = look.prediction.top(1)[0]
    else:
        name, share = look.prediction.at(look.framing.to_model(selection.at or (0.0, 0.0)))
    said = {"label": class_label(language, name), "share": percent(share)}
    return text(language, "compare.class_share", **said)
