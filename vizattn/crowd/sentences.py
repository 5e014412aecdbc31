"""A crowd analysis in words: how many, from what, and what a gate or a row says."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from vizattn.attention import Captured, ModalityGate, PlaceAffinity
from vizattn.crowd.analysis import CrowdAnalysis, asked_sense
from vizattn.crowd.maps import centre, stage_number
from vizattn.geometry import Point
from vizattn.numbers import number, percent
from vizattn.texts import DEFAULT_LANGUAGE, text
from vizattn.words import join, row_numbers, spread


def count_sentence(analysis: CrowdAnalysis, language: str = DEFAULT_LANGUAGE) -> str:
    """Return how many people there are, what was counted of each, and in which pictures."""
    used = "_and_".join(analysis.senses)
    return text(
        language,
        "crowd_engine.counted",
        count=number(analysis.count),
        points=text(language, f"crowd_engine.points.{analysis.points}"),
        senses=text(language, f"crowd_engine.senses.{used}"),
    )


def site_sentence(
    analysis: CrowdAnalysis,
    captured: Captured,
    at: Point | None = None,
    language: str = DEFAULT_LANGUAGE,
) -> str:
    """Return what there is to see at a site.

    Args:
        analysis: what was seen.
        captured: one of its sites.
        at: the place (x, y) in pixels of the frame that is asked; its centre by default.
        language: of the sentences.

    Raises:
        OutsidePicture: if the place is not on the frame.
        ValueError: if nothing here has words for attention of its kind.
    """
    place = centre(analysis) if at is None else analysis.check_point(at)
    return join(language, _sentences(captured, analysis, place, language))


@singledispatch
def _sentences(captured: Captured, analysis: CrowdAnalysis, at: Point, language: str) -> list[str]:
    raise ValueError(f"expected a gate or a row between senses, received {captured!r}")


@_sentences.register
def _(captured: ModalityGate, analysis: CrowdAnalysis, at: Point, language: str) -> list[str]:
    stage = stage_number(captured)
    rgb, thermal = analysis.trusts()[stage - 1]
    means = spread(captured.values[1], captured.grid, analysis.framing).means
    most, least = int(np.nanargmax(means)), int(np.nanargmin(means))
    shares = {"stage": stage, "rgb": percent(rgb), "thermal": percent(thermal)}
    regions = {
        "most": text(language, f"canvas.region.{most}"),
        "most_share": percent(float(means.flat[most])),
        "least": text(language, f"canvas.region.{least}"),
        "least_share": percent(float(means.flat[least])),
    }
    return [
        text(language, "crowd_engine.gate_says", **shares),
        text(language, "crowd_engine.gate_where", **regions),
    ]


@_sentences.register
def _(captured: PlaceAffinity, analysis: CrowdAnalysis, at: Point, language: str) -> list[str]:
    cell = captured.query_grid.cell_at(analysis.framing.to_model(at))
    token = captured.token_of(cell)
    weights = captured.rows.row(token).mean(axis=0)
    numbers = row_numbers(weights, count=1)
    tokens = {"tokens": weights.size, "bands": captured.bands}
    best, weight = numbers.top[0]
    said = {
        "half": numbers.half_mass_cells,
        "effective": number(numbers.effective),
        "times": number(weight * weights.size, 2),
    }
    asked = asked_sense(captured.site)
    return [
        text(language, f"crowd_engine.row_says.{asked}", stage=stage_number(captured), **tokens),
        text(language, "crowd_engine.row_spread", **tokens, **said),
        text(language, "crowd_engine.row_best", **_places(analysis, captured, best)),
    ]


def _places(analysis: CrowdAnalysis, captured: PlaceAffinity, token: int) -> dict[str, object]:
    """Return how many cells of a token are on the frame, and where the first of them is."""
    to_original = analysis.framing.to_original
    centres = [to_original(captured.key_grid.centre(cell)) for cell in captured.cells_of(token)]
    seen = [place for place in centres if analysis.framing.contains(place)]
    x, y = (seen or centres)[0]
    return {"count": len(seen), "x": round(x), "y": round(y)}
