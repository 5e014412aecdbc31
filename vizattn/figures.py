"""Figures for papers and slides: what is drawn, its scale in numbers, and whether it is true.

Everything goes through matplotlib's objects and the Agg renderer, never through pyplot or the
global settings, so that threads can draw at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from vizattn.analysis import Analysis
from vizattn.attention import Captured, Check
from vizattn.labels import check_labels, mechanism_label, note_label, site_label
from vizattn.numbers import number
from vizattn.panels import INK, NUMBERS, PANELS, QUIET, SMALL, Panel, Subject
from vizattn.render import DEFAULT_STYLE, Style
from vizattn.texts import DEFAULT_LANGUAGE, text
from vizattn.typesetting import Typeface, typeface
from vizattn.views import Scale, Selection, heads_of, resolve, view
from vizattn.words import sentence

DPI = 160
_FAILED = "#b3261e"
_MARGIN, _SPACE, _CLOSE = 0.32, 0.2, 0.05
"""inches around everything, between panels and between a panel and its texts"""
_LINE = 1.45
"""height of a line in parts of its letters' size"""
TITLE, TEXT = 12.0, 8.5
"""points of the first line and of sentences"""


class Figure:
    """A drawn figure: it shows itself in a notebook and can be saved.

    Args:
        drawn: matplotlib's figure, free to be changed before it is saved.
    """

    def __init__(self, drawn: Any) -> None:
        self.drawn = drawn

    def to_png(self, dpi: int = DPI) -> bytes:
        """Return the figure as a PNG file's bytes."""
        return self._encoded("png", dpi)

    def save(self, path: str | Path, dpi: int = DPI) -> Path:
        """Write the figure and return the path; its ending says what: .png, .pdf, .svg.

        Raises:
            ValueError: if there is no such kind of file.
        """
        path = Path(path)
        path.write_bytes(self._encoded(path.suffix.lstrip(".").lower(), dpi))
        return path

    def _repr_png_(self) -> bytes:
        return self.to_png()

    def _encoded(self, kind: str, dpi: int) -> bytes:
        buffer = BytesIO()
        self.drawn.savefig(buffer, format=kind or "png", dpi=dpi)
        return buffer.getvalue()


def figure(
    analysis: Analysis,
    selection: Selection | None = None,
    scale: Scale = Scale.ROW_MAXIMUM,
    style: Style = DEFAULT_STYLE,
    language: str = DEFAULT_LANGUAGE,
) -> Figure:
    """Return the figure of a selection: the map over the picture with a colour bar in numbers,
    bars of channels where there are any, the sentence, and what was checked.

    Where no installed font has Chinese characters the texts are English.

    Raises:
        Refused: if the selection names a site, head, channel or place that is not there.
    """
    chosen = resolve(analysis, selection)
    letters = typeface(language)
    subject = Subject(analysis.picture, analysis.framing, style, letters)
    panels = [PANELS[type(each)](each, subject) for each in view(analysis, chosen, scale)]
    captured = analysis[str(chosen.site)]
    above = [
        Line(mechanism_label(letters.language, analysis.network.card), TITLE),
        Line(_subtitle(captured, chosen, letters.language), TEXT, QUIET),
    ]
    said = sentence(analysis, chosen, letters.language)
    below = [Line(line, TEXT) for line in letters.wrapped(said, TEXT, subject.width + NUMBERS)]
    note = note_label(letters.language, captured)
    if note is not None:
        noted = letters.wrapped(note, TEXT, subject.width + NUMBERS)
        below += [Line(line, TEXT, QUIET) for line in noted]
    checked = [check_line(captured, check, letters.language) for check in captured.checks]
    source = letters.wrapped(
        _source(analysis, captured, letters.language), SMALL, subject.width + NUMBERS
    )
    checked += [Line(line, SMALL, QUIET) for line in source]
    return Figure(Sheet(letters, subject.width + NUMBERS).drawn(above, panels, below, checked))


@dataclass(frozen=True)
class Line:
    """A line of text on a figure: its size in points, its colour."""

    text: str
    points: float
    colour: str = INK

    @property
    def height(self) -> float:
        """Return how many inches high the line is."""
        return self.points * _LINE / 72


@dataclass(frozen=True)
class Cell:
    """What stands at one place of a sheet: lines, a panel where there is one, and lines."""

    above: list[Line]
    panel: Panel[Any] | None
    below: list[Line]

    @property
    def size(self) -> float:
        """Return the panel's height in inches."""
        return 0.0 if self.panel is None else self.panel.size[1]


def _subtitle(captured: Captured, selection: Selection, language: str) -> str:
    site, heads = site_label(language, captured), heads_of(captured)
    if heads == 1:
        return site
    if selection.head is None:
        head = text(language, "figure.head_mean", count=heads)
    else:
        head = text(language, "figure.head_one", head=selection.head, count=heads)
    return text(language, "figure.site_head", site=site, head=head)


def check_line(captured: Captured, check: Check, language: str) -> Line:
    """Return what a check measured, in red where it failed."""
    claim, _ = check_labels(language, captured, check)
    measured = {"value": number(check.value, 2), "limit": number(check.limit, 1)}
    key = "figure.check_passed" if check.passed else "figure.check_failed"
    line = text(language, key, claim=claim, **measured)
    return Line(line, SMALL, QUIET if check.passed else _FAILED)


def _source(analysis: Analysis, captured: Captured, language: str) -> str:
    (width, height), (across, down) = analysis.framing.original, analysis.framing.input
    sizes = {"width": width, "height": height, "input_width": across, "input_height": down}
    names = {"picture": analysis.picture.name, "network": analysis.network.name}
    names["site"] = captured.site
    return text(language, "figure.source", **names, **sizes)


class Sheet:
    """A page that is as high as what is put on it, measured in inches from its top left corner."""

    def __init__(self, letters: Typeface, width: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Drawn

        self._letters = letters
        self._size = (width + 2 * _MARGIN, 1.0)
        self._figure = Drawn(figsize=self._size, dpi=DPI, facecolor="white")
        FigureCanvasAgg(self._figure)

    def drawn(
        self,
        above: list[Line],
        panels: list[Panel[Any]],
        below: list[Line],
        checked: list[Line],
    ) -> Any:
        """Return matplotlib's figure with lines above and below the panels."""
        headed = [(self._head(panel), panel, self._notes(panel)) for panel in panels]
        height = 2 * _MARGIN + _height(above) + _height(below) + _CLOSE + _height(checked)
        for head, panel, notes in headed:
            height += _height(head) + panel.size[1] + _height(notes) + 2 * _CLOSE + _SPACE
        self._size = (self._size[0], height + _SPACE)
        self._figure.set_size_inches(self._size)
        top = self._write(above, _MARGIN, bold=True) + _SPACE
        for head, panel, notes in headed:
            top = self._write(head, top) + _CLOSE
            panel.draw(self, _MARGIN, top)
            top = self._write(notes, top + panel.size[1] + _CLOSE) + _SPACE
        top = self._write(below, top) + _CLOSE
        self._write(checked, top)
        return self._figure

    def tiled(self, cells: list[Cell], columns: int) -> Any:
        """Return matplotlib's figure with cells side by side, of the sheet's width each.

        Panels of one line of cells begin at the same height.
        """
        width = self._size[0] - 2 * _MARGIN
        lines = [cells[first : first + columns] for first in range(0, len(cells), columns)]
        parts = [
            (
                max(_height(cell.above) for cell in line) + _CLOSE,
                max(cell.size for cell in line) + _CLOSE,
                max(_height(cell.below) for cell in line) + _SPACE,
            )
            for line in lines
        ]
        across = columns * width + (columns - 1) * _SPACE + 2 * _MARGIN
        self._size = across, 2 * _MARGIN + sum(map(sum, parts))
        self._figure.set_size_inches(self._size)
        top = _MARGIN
        for line, (above, middle, below) in zip(lines, parts, strict=True):
            for index, cell in enumerate(line):
                left = _MARGIN + index * (width + _SPACE)
                self._write(cell.above, top, bold=True, left=left)
                if cell.panel is not None:
                    cell.panel.draw(self, left, top + above)
                self._write(cell.below, top + above + middle, left=left)
            top += above + middle + below
        return self._figure

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        """Return new axes at a place of the page."""
        across, down = self._size
        box = (left / across, 1 - (top + height) / down, width / across, height / down)
        return self._figure.add_axes(box)

    def _head(self, panel: Panel[Any]) -> list[Line]:
        return self._lines(panel.shown.title.text(self._letters.language), TEXT, INK)

    def _notes(self, panel: Panel[Any]) -> list[Line]:
        notes = (self._lines(note, SMALL, QUIET) for note in panel.notes())
        return [line for lines in notes for line in lines]

    def _lines(self, words: str, points: float, colour: str) -> list[Line]:
        room = self._size[0] - 2 * _MARGIN
        lines = self._letters.wrapped(words, points, room)
        return [Line(line, points, colour) for line in lines]

    def _write(
        self, lines: Iterable[Line], top: float, bold: bool = False, left: float = _MARGIN
    ) -> float:
        across, down = self._size
        for index, line in enumerate(lines):
            self._figure.text(
                left / across,
                1 - top / down,
                line.text,
                va="top",
                color=line.colour,
                fontproperties=self._letters.font(line.points, bold and index == 0),
                parse_math=False,
            )
            top += line.height
        return top


def _height(lines: Iterable[Line]) -> float:
    return sum(line.height for line in lines)
