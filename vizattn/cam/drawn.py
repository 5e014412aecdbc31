"""What class maps are when they are drawn, described and exported: beside the other kinds."""

from __future__ import annotations

import numpy as np

from vizattn.analysis import Analysis
from vizattn.cam.class_map import ClassMap, name_of_class
from vizattn.export import _arrays, grid_array
from vizattn.numbers import number, percent
from vizattn.texts import text
from vizattn.views import FIXED_UNIFORM, Drawable, Heat, Label, Scale, Selection, _drawables
from vizattn.words import _region, _sentences, row_numbers, spread

NEARLY_EVEN = 0.97


def fixed_end(captured: ClassMap) -> float:
    """Return the upper end of the fixed scale: as many times the map's mean as for rows.

    A row of attention sums to 1, so that its mean is the even weight; a class map has a unit of its
    own. In times of the mean the two can be compared, and maps of several methods.
    """
    mean = float(captured.values.mean())
    return min(FIXED_UNIFORM, captured.values.size) * mean


@_drawables.register
def _(
    captured: ClassMap, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    mean, highest = float(captured.values.mean()), float(captured.values.max())
    high, label = highest, Label("trust.cam.row", {"value": number(highest)})
    if scale is Scale.FIXED:
        high = fixed_end(captured)
        times = min(FIXED_UNIFORM, captured.values.size)
        label = Label("trust.cam.fixed", {"times": times, "value": number(high)})
    marker = None
    if selection.at is not None:
        cell = captured.grid.cell_at(analysis.framing.to_model(selection.at))
        marker = analysis.framing.box_to_original(captured.grid.box(cell))
    if captured.target is None:
        title = Label("trust.cam.figure_plain", {"method": captured.title})
    else:
        named = {"method": captured.title, "target": ClassLabel(captured.target)}
        title = Label("trust.cam.figure", named)
    uniform = mean if mean > 0 else None
    heat = Heat(
        captured.values, captured.grid, 0.0, high or 1.0, False, marker, title, label, uniform
    )
    return (heat,)


class ClassLabel(Label):
    """The name of a class that is not yet in any language."""

    def __init__(self, name: str) -> None:
        super().__init__(name)

    def text(self, language: str) -> str:
        return name_of_class(language, self.key)


@_sentences.register
def _(captured: ClassMap, analysis: Analysis, selection: Selection, language: str) -> list[str]:
    return [*said(captured, analysis, language), captured.layer.evidence(language)]


def said(captured: ClassMap, analysis: Analysis, language: str) -> list[str]:
    """Return what a class map shows, without where it was made."""
    name = "" if captured.target is None else name_of_class(language, captured.target)
    about = "trust.cam.plain" if captured.target is None else "trust.cam.about"
    parts = [text(language, about, method=captured.title, target=name)]
    numbers = row_numbers(captured.values)
    if numbers.effective == 0:
        return [*parts, text(language, "trust.cam.zero")]
    lies = spread(captured.values, captured.grid, analysis.framing)
    if numbers.evenness > NEARLY_EVEN:
        parts.append(text(language, "trust.cam.even", share=percent(numbers.evenness)))
    else:
        best = int(lies.shares.argmax())
        share = percent(float(lies.shares.flat[best]))
        parts.append(text(language, "trust.cam.where", region=_region(language, best), share=share))
    held, total = numbers.half_mass_cells, captured.values.size
    parts.append(text(language, "trust.cam.half", cells=held, total=total))
    if captured.remainder is not None:
        sums = {"score": number(captured.score), "rest": number(captured.remainder)}
        parts.append(text(language, "trust.cam.sums", sum=number(captured.raw.sum()), **sums))
    return parts


@_arrays.register
def _(captured: ClassMap, analysis: Analysis, selected: Selection) -> dict[str, np.ndarray]:
    return {
        "values": captured.values,
        "raw": captured.raw,
        "score": np.array(captured.score),
        "grid": grid_array(captured.grid),
    }
