"""The figure of a count: people over the picture, then a gate or a row where one is chosen."""

from __future__ import annotations

from typing import Any

from PIL import Image

from vizattn.attention import Captured
from vizattn.crowd.analysis import CrowdAnalysis
from vizattn.crowd.maps import (
    density_heat,
    density_overlay,
    ground_of,
    site_heat,
    site_overlay,
)
from vizattn.crowd.sentences import count_sentence, site_sentence
from vizattn.figures import TEXT, TITLE, Figure, Line, Sheet, check_line
from vizattn.geometry import Point, Size
from vizattn.panels import NUMBERS, QUIET, SMALL, HeatPanel, Panel, Subject
from vizattn.render import DEFAULT_STYLE, Style
from vizattn.texts import DEFAULT_LANGUAGE, text
from vizattn.typesetting import Typeface, typeface
from vizattn.views import Scale


class DensityPanel(HeatPanel):
    """The density with a ring at each peak."""

    def __init__(self, analysis: CrowdAnalysis, style: Style, letters: Typeface) -> None:
        subject = Subject(ground_of(analysis), analysis.framing, style, letters)
        super().__init__(density_heat(analysis), subject)
        self._analysis = analysis

    def image(self, size: Size) -> Image.Image:
        return density_overlay(self._analysis, self.subject.style, size)

    def notes(self) -> list[str]:
        count = len(self._analysis.peaks())
        rings = text(self.subject.typeface.language, "crowd_engine.peaks", count=count)
        return [*super().notes(), *([rings] if count else [])]


class SitePanel(HeatPanel):
    """A gate, or a row with all cells that ask with its token."""

    def __init__(
        self,
        analysis: CrowdAnalysis,
        captured: Captured,
        at: Point | None,
        scale: Scale,
        style: Style,
        letters: Typeface,
    ) -> None:
        subject = Subject(ground_of(analysis, captured), analysis.framing, style, letters)
        super().__init__(site_heat(analysis, captured, at, scale), subject)
        self._draw = lambda size: site_overlay(analysis, captured, at, scale, style, size)

    def image(self, size: Size) -> Image.Image:
        return self._draw(size)


def figure(
    analysis: CrowdAnalysis,
    at: Point | None = None,
    site: str | None = None,
    scale: Scale = Scale.ROW_MAXIMUM,
    style: Style = DEFAULT_STYLE,
    language: str = DEFAULT_LANGUAGE,
) -> Figure:
    """Return the figure of a count: the density with its number and peaks and, where a site or a
    place is chosen, that site's map, its sentence and what was checked.

    Where no installed font has Chinese characters the texts are English.

    Args:
        analysis: what was seen.
        at: a place (x, y) in pixels of the frame; its row is drawn.
        site: which attention; the first with rows where only a place is given.
        scale: which numbers the colours of a row stand for.
        style: how heat is drawn.
        language: of the texts.

    Raises:
        Refused: if there is no such site, or the place is not on the frame.
    """
    letters = typeface(language)
    panels: list[Panel[Any]] = [DensityPanel(analysis, style, letters)]
    sentences = [] if site is None and at is None else [analysis.site(site)]
    width = panels[0].subject.width + NUMBERS
    below: list[Line] = []
    checked: list[Line] = []
    for captured in sentences:
        panels.append(SitePanel(analysis, captured, at, scale, style, letters))
        said = site_sentence(analysis, captured, at, letters.language)
        below += [Line(line, TEXT) for line in letters.wrapped(said, TEXT, width)]
        checked += [check_line(captured, check, letters.language) for check in captured.checks]
    checked.append(Line(_source(analysis, letters.language), SMALL, QUIET))
    title = count_sentence(analysis, letters.language)
    above = [Line(line, TITLE) for line in letters.wrapped(title, TITLE, width)]
    return Figure(Sheet(letters, width).drawn(above, panels, below, checked))


def _source(analysis: CrowdAnalysis, language: str) -> str:
    (width, height), (across, down) = analysis.framing.original, analysis.framing.input
    sizes = {"width": width, "height": height, "input_width": across, "input_height": down}
    names = {"pair": analysis.pair.name, "network": analysis.network.name}
    return text(language, "crowd_engine.source", **names, **sizes)
