"""Several looks at one picture side by side: one figure, one summary, one script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vizattn.analysis import Analysis, Classification
from vizattn.attention import PlaceAffinity
from vizattn.drawables import Drawable, Heat, Label
from vizattn.facts import summary
from vizattn.figures import Cell, Figure, Line, Sheet
from vizattn.labels import class_label, mechanism_label, site_label
from vizattn.numbers import number, percent
from vizattn.panels import INK, NUMBERS, PANELS, QUIET, SMALL, Subject
from vizattn.render import DEFAULT_STYLE, Style
from vizattn.statistics import row_numbers, spread
from vizattn.texts import DEFAULT_LANGUAGE, text
from vizattn.typesetting import Typeface, typeface
from vizattn.version import VERSION
from vizattn.views import Selection, place_row, resolve, view

MOST = 6
"""looks side by side"""
_COLUMNS = 3
_WIDEST = 4.2
"""inches of a picture"""
_TITLE, _TEXT = 11.0, 8.5
FIGURE = "comparison.png"
Json = dict[str, Any]


@dataclass(frozen=True)
class Pane:
    """One look of a comparison.

    Args:
        analysis: the look.
        selection: what is shown of it.
        maps: of rows that follow from maps, show the map that differs most from place to place.
    """

    analysis: Analysis
    selection: Selection | None = None
    maps: bool = False

    @property
    def chosen(self) -> Selection:
        """Return the selection, with everything chosen that its attention needs."""
        return resolve(self.analysis, self.selection)

    def drawn(self, style: Style) -> Drawable | None:
        """Return what is shown on its own scale; None of a network without attention."""
        if self.chosen.site is None:
            return None
        several = view(self.analysis, self.chosen)
        heats = [each for each in several if isinstance(each, Heat)]
        return heats[-1 if self.maps else 0] if heats else several[0]

    def numbers(self) -> Json | None:
        """Return how concentrated the row on show is and how far away; None where it is no row.

        "entropy" is in nats, "share" in parts of the most that so many "keys" allow, "distance"
        from the place that asks to the centre of the row's mass in parts of the diagonal, and
        "areas" whether keys are areas of several places.
        """
        chosen = self.chosen
        captured = None if chosen.site is None else self.analysis[chosen.site]
        if not isinstance(captured, PlaceAffinity) or chosen.at is None:
            return None
        cell = self.analysis.query_at(chosen.at, captured.site)
        query = captured.token_of(cell)
        if chosen.token is not None:
            query = captured.extra.index(chosen.token)
        areas = captured.rows.over_areas()
        rows = (areas or captured.rows).row(query)
        found = row_numbers(rows.mean(axis=0) if chosen.head is None else rows[chosen.head])
        heard = captured.rows.heard(query, chosen.head)
        keys = rows.shape[1] if heard is None else len(heard)
        return {
            "entropy": found.entropy,
            "share": found.entropy / math.log(keys) if keys > 1 else 0.0,
            "effective": found.effective,
            "keys": keys,
            "areas": areas is not None,
            "sum": found.total,
            "distance": None if chosen.token else self._distance(captured, chosen, cell),
        }

    def _distance(self, captured: PlaceAffinity, chosen: Selection, cell: int) -> float:
        framing = self.analysis.framing
        row = place_row(captured, self.analysis, chosen)
        centre = spread(row, captured.key_grid, framing).centre
        asked = framing.to_original(captured.query_grid.centre(cell))
        gaps = (a * side - b for a, b, side in zip(centre, asked, framing.original, strict=True))
        return math.hypot(*gaps) / math.hypot(*framing.original)


def comparison(
    panes: Sequence[Pane],
    shared: bool = True,
    style: Style = DEFAULT_STYLE,
    language: str = DEFAULT_LANGUAGE,
) -> Figure:
    """Return the figure of several looks: each with its colour bar and its numbers.

    Args:
        panes: the looks, at most 6.
        shared: the same colour is the same number everywhere: the largest on show ends the scale.
        style: how heat is drawn.
        language: of the texts.

    Raises:
        Refused: if a selection names a site, head, channel or place that is not there.
        ValueError: if there are none, or too many.
    """
    _check(panes)
    letters = typeface(language)
    every = [pane.drawn(style) for pane in panes]
    high = _top(every) if shared else None
    subjects = [_Small(pane, style, letters) for pane in panes]
    width = max(subject.width for subject in subjects) + NUMBERS
    cells = [
        _cell(pane, None if shown is None else _ending(shown, high), subject, width)
        for pane, shown, subject in zip(panes, every, subjects, strict=True)
    ]
    columns = min(_COLUMNS, len(cells)) if len(cells) != 4 else 2
    return Figure(Sheet(letters, width).tiled(cells, columns))


def _check(panes: Sequence[Pane]) -> None:
    if not 0 < len(panes) <= MOST:
        raise ValueError(f"expected 1 to {MOST} looks, received {len(panes)}")


def _top(every: Sequence[Drawable | None]) -> float | None:
    highs = [each.high for each in every if isinstance(each, Heat)]
    return max(highs) if highs else None


def _ending(shown: Drawable, high: float | None) -> Drawable:
    """Return the same on a scale that ends at a number; as it is without one."""
    if high is None or not isinstance(shown, Heat):
        return shown
    label = Label("compare.scale_said", {"value": number(high)})
    return replace(shown, low=-high if shown.signed else 0.0, high=high, scale_label=label)


class _Small(Subject):
    """A picture of several beside each other."""

    def __init__(self, pane: Pane, style: Style, letters: Typeface) -> None:
        super().__init__(pane.analysis.picture, pane.analysis.framing, style, letters)

    @property
    def picture_inches(self) -> tuple[float, float]:
        width, height = self.framing.original
        scale = _WIDEST / max(width, height)
        return width * scale, height * scale

    @property
    def width(self) -> float:
        return _WIDEST


def _cell(pane: Pane, shown: Drawable | None, subject: Subject, width: float) -> Cell:
    letters, analysis = subject.typeface, pane.analysis
    titles = [(mechanism_label(letters.language, analysis.network.card), _TITLE, INK)]
    if shown is not None:
        site = site_label(letters.language, analysis[str(pane.chosen.site)])
        titles += [(site, _TEXT, INK), (shown.title.text(letters.language), _TEXT, QUIET)]
    panel = None if shown is None else PANELS[type(shown)](shown, subject)
    notes = [] if panel is None else [(note, SMALL, QUIET) for note in panel.notes()]
    facts = [(f"{name}: {value}", SMALL, INK) for name, value in _facts(pane, letters.language)]

    def lines(several: list[tuple[str, float, str]]) -> list[Line]:
        return [
            Line(line, points, colour)
            for words, points, colour in several
            for line in letters.wrapped(words, points, width)
        ]

    return Cell(lines(titles), panel, lines(notes + facts))


def _facts(pane: Pane, language: str) -> list[tuple[str, str]]:
    """Return names and values of what is said under a look, as the page says it."""

    def say(key: str, **words: object) -> str:
        return text(language, key, **words)

    found = [(say("compare.prediction"), _prediction(pane, language))]
    numbers = pane.numbers()
    if numbers is not None:
        nats = {"nats": f"{numbers['entropy']:.2f}", "share": percent(numbers["share"])}
        effective = "effective_areas" if numbers["areas"] else "effective"
        area = {"value": number(numbers["effective"]), "total": numbers["keys"]}
        found += [
            (say("canvas.numbers.entropy"), say("canvas.numbers.entropy_value", **nats)),
            (say(f"canvas.numbers.{effective}"), say("canvas.numbers.of", **area)),
        ]
        if numbers["distance"] is not None:
            away = say("compare.of_diagonal", share=percent(numbers["distance"]))
            found.append((say("compare.distance"), away))
    found.append((say("compare.cost"), _cost(pane, language)))
    if pane.chosen.site is not None:
        checks = pane.analysis[pane.chosen.site].checks
        count = {"passed": sum(check.passed for check in checks), "count": len(checks)}
        found.append((say("compare.checks"), say("compare.checks_passed", **count)))
    return found


def _prediction(pane: Pane, language: str) -> str:
    prediction, at = pane.analysis.prediction, pane.chosen.at
    if isinstance(prediction, Classification):
        best = prediction.top(1)
    else:
        best = [] if at is None else [prediction.at(pane.analysis.framing.to_model(at))]
    if not best:
        return "–"
    name, probability = best[0]
    label = class_label(language, name)
    return text(language, "compare.class_share", label=label, share=percent(probability))


def _cost(pane: Pane, language: str) -> str:
    cost = pane.analysis.network.card.facts.get("cost")
    if not cost:
        return text(language, "compare.cost_unknown")
    more = cost["multiply_adds"] / cost["plain_multiply_adds"] - 1
    return text(
        language,
        "compare.cost_value",
        giga=number(cost["multiply_adds"] / 1e9),
        more=percent(more),
        milliseconds=number(cost["milliseconds"]),
    )


def comparison_facts(
    panes: Sequence[Pane], shared: bool = True, language: str = DEFAULT_LANGUAGE
) -> Json:
    """Return the summaries of several looks, each with the numbers of what is shown of it.

    Raises:
        Refused: if a selection names a site, head, channel or place that is not there.
        ValueError: if there are none, or too many.
    """
    _check(panes)
    return {
        "scale": "shared" if shared else "row",
        "looks": [
            summary(pane.analysis, pane.chosen, language)
            | {"numbers": pane.numbers(), "cost": pane.analysis.network.card.facts.get("cost")}
            for pane in panes
        ],
    }


def comparison_script(
    panes: Sequence[Pane],
    file_name: str,
    shared: bool = True,
    language: str = DEFAULT_LANGUAGE,
) -> str:
    """Return a short Python script that makes the figure again.

    Args:
        panes: the looks, of bundled networks.
        file_name: where the script finds the picture.
        shared: as of the figure.
        language: of the figure.

    Raises:
        Refused: if a selection names a site, head, channel or place that is not there.
        ValueError: if there are none, or too many.
    """
    _check(panes)
    lines = []
    for pane in panes:
        chosen, maps = pane.chosen, ", maps=True" if pane.maps else ""
        named = {name: getattr(chosen, name) for name in ("site", "head", "at", "channel", "token")}
        said = ", ".join(f"{key}={value!r}" for key, value in named.items() if value is not None)
        look = f"vizattn.look(PICTURE, {pane.analysis.network.name!r}).analysis"
        lines.append(f"    vizattn.Pane({look}, vizattn.Selection({said}){maps}),")
    listed = "\n".join(lines)
    return f'''"""Make the figure of a comparison again; written by vizattn {VERSION}."""

import vizattn

PICTURE = {file_name!r}
panes = [
{listed}
]
vizattn.comparison(panes, shared={shared!r}, language={language!r}).save({FIGURE!r})
'''
