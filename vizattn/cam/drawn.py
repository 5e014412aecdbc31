"""What class maps are when they are drawn, described and exported: beside the other kinds."""

from __future__ import annotations

import numpy as np

from vizattn.analysis import Analysis
from vizattn.cam.class_map import ClassMap, name_of_class
from vizattn.drawables import (
    FIXED_UNIFORM,
    Drawable,
    Heat,
    Label,
    Scale,
    Selection,
    drawables,
)
from vizattn.export import _arrays, grid_array
from vizattn.numbers import number, percent
from vizattn.statistics import row_numbers, spread
from vizattn.texts import text
from vizattn.words import _region, _sentences

NEARLY_EVEN = 0.97
"""a map whose entropy is above this share of the largest possible one points nowhere"""


def fixed_end(captured: ClassMap) -> float:
    """Return the upper end of the fixed scale: as many times the map's mean as for rows.

    A row of attention sums to 1, so that its mean is the even weight; a class map has a unit of its
    own. In times of the mean the two can be compared, and maps of several methods.
    """
    mean = float(captured.values.mean())
    return min(FIXED_UNIFORM, captured.values.size) * mean


def scale_label(captured: ClassMap, scale: Scale) -> Label:
    """Return what the ends of a scale are."""
    if scale is Scale.ROW_MAXIMUM:
        return Label("trust.cam.row", {"value": number(float(captured.values.max()))})
    times = min(FIXED_UNIFORM, captured.values.size)
    return Label("trust.cam.fixed", {"times": times, "value": number(fixed_end(captured))})


@drawables.register
def _(
    captured: ClassMap, analysis: Analysis, selection: Selection, scale: Scale
) -> tuple[Drawable, ...]:
    mean = float(captured.values.mean())
    high = fixed_end(captured) if scale is Scale.FIXED else float(captured.values.max())
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
    label = scale_label(captured, scale)
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
    about, *rest = said(captured, language)
    lies = spread(captured.values, captured.grid, analysis.framing)
    if not captured.values.any() or row_numbers(captured.values).evenness > NEARLY_EVEN:
        return [about, *rest]
    best = int(lies.shares.argmax())
    share = percent(float(lies.shares.flat[best]))
    where = text(language, "trust.cam.where", region=_region(language, best), share=share)
    return [about, where, *rest]


def said(captured: ClassMap, language: str) -> list[str]:
    """Return what a class map shows, but for where in the picture: the sentences in order."""
    name = "" if captured.target is None else name_of_class(language, captured.target)
    about = "trust.cam.plain" if captured.target is None else "trust.cam.about"
    parts = [text(language, about, method=captured.title, target=name)]
    numbers = row_numbers(captured.values)
    if numbers.effective == 0:
        return [*parts, text(language, "trust.cam.zero"), captured.layer.evidence(language)]
    if numbers.evenness > NEARLY_EVEN:
        parts.append(text(language, "trust.cam.even", share=percent(numbers.evenness)))
    held, total = numbers.half_mass_cells, captured.values.size
    parts.append(text(language, "trust.cam.half", cells=held, total=total))
    if captured.remainder is not None:
        sums = {"score": number(captured.score), "rest": number(captured.remainder)}
        parts.append(text(language, "trust.cam.sums", sum=number(captured.raw.sum()), **sums))
    return [*parts, captured.layer.evidence(language)]


@_arrays.register
def _(captured: ClassMap, analysis: Analysis, selected: Selection) -> dict[str, np.ndarray]:
    return {
        "values": captured.values,
        "raw": captured.raw,
        "score": np.array(captured.score),
        "grid": grid_array(captured.grid),
    }
