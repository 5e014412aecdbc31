"""An analysis of a pair as the one JSON object that the browser draws from."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from vizattn.attention import Captured, Check, ModalityGate, PlaceAffinity
from vizattn.crowd.analysis import CrowdAnalysis, stage_of
from vizattn.crowd.cost import StageCost, Way
from vizattn.crowd.pair import Pair
from vizattn.intake import Note
from vizattn.labels import check_labels
from vizattn.texts import LANGUAGES, text
from vizattn.ui.crowd.orders import changes_numbers, registration_numbers
from vizattn.ui.encoding import Words, floats, grid_numbers
from vizattn.ui.payload import shown_picture
from vizattn.ui.sites import check_numbers

VERSION = 1
ASKS = {"thermal_context": "rgb", "rgb_context": "thermal"}
"""by the name of a stage's cross attention, the sense that asks in it"""
OFFERS = {
    "crowd_engine.swapped": "swap",
    "crowd_engine.different": "align",
    "crowd_engine.registered": "align",
    "thermal.note_grey_rgb": "swap",
    "thermal.note_mapped_rgb": "swap",
}
"""what the page offers beside a note"""
_NOISY_QUALITY = 80
_REGIONS = 4
_NINTHS = 3
Json = dict[str, Any]


def payload(analysis: CrowdAnalysis, row: Json | None = None) -> Json:
    """Return everything that the browser needs to show one analysis, but its pictures.

    Args:
        analysis: the analysis; the factors of its rows are fetched when they are needed.
        row: a row that goes along, made by ``row_numbers``.
    """
    framing, pair = analysis.framing, analysis.pair
    width, height = pair.size
    trusts = analysis.trusts()
    return {
        "version": VERSION,
        "id": analysis.id,
        "network": analysis.network.name,
        "frame": {"width": width, "height": height},
        "framing": {
            "scale": list(framing.scale),
            "offset": list(framing.offset),
            "input": list(framing.input),
        },
        "registration": registration_numbers(pair.registration),
        "changes": changes_numbers(analysis.changes),
        "points": analysis.points,
        "senses": list(analysis.senses),
        "density": {
            "grid": grid_numbers(analysis.grid),
            "values": floats(analysis.density),
            "count": analysis.count,
        },
        "gates": [_gate(each, trusts) for each in analysis.sites if isinstance(each, ModalityGate)],
        "sites": [_site(each) for each in analysis.sites if isinstance(each, PlaceAffinity)],
        "checks": _checks(analysis.sites),
        "notes": [_note(note) for note in pair.all_notes],
        "peaks": [[peak.x, peak.y, peak.share] for peak in analysis.peaks()],
        "regions": analysis.regions(_REGIONS, _REGIONS).tolist(),
        "ninths": analysis.regions(_NINTHS, _NINTHS).ravel().tolist(),
        "row": row,
        "given": _given(analysis),
    }


def pictures(pair: Pair) -> Json:
    """Return both pictures as they were given, each in its own frame, or None for a missing one."""
    rgb, thermal = pair.rgb, pair.thermal
    shown: Json = {"rgb": None, "thermal": None}
    if rgb is not None:
        shown["rgb"] = _picture(rgb.rgb, rgb.original_size, rgb.name)
    if thermal is not None:
        levels = Image.fromarray(thermal.levels())
        shown["thermal"] = _picture(levels, thermal.original_size, thermal.name)
        shown["thermal"]["unit"] = thermal.unit
    return shown


def row_numbers(analysis: CrowdAnalysis, stage: int, asks: str, at: list[float]) -> Json | None:
    """Return the row that a place of one sense asks with, or None where there is no such row."""
    name = next((name for name, sense in ASKS.items() if sense == asks), "")
    site = analysis.at_stage(stage, name)
    if not isinstance(site, PlaceAffinity) or not analysis.framing.contains((at[0], at[1])):
        return None
    cell = site.query_grid.cell_at(analysis.framing.to_model((at[0], at[1])))
    token = site.token_of(cell)
    values = floats(site.rows.row(token)[0])
    return {"stage": stage, "asking": asks, "token": token, "values": values}


def factors(analysis: CrowdAnalysis, stage: int) -> bytes:
    """Return what a stage's rows are computed from, as float16.

    First the queries and the keys (token, dim) with which RGB asks, then those of thermal.
    """
    parts = []
    for name in ASKS:
        site = analysis.at_stage(stage, name)
        found = site.rows.factors() if isinstance(site, PlaceAffinity) else None
        if found is not None:
            parts += [found.query[0, 0], found.key[0, 0]]
    return b"".join(part.half().cpu().numpy().astype("<f2").tobytes() for part in parts)


def cost_numbers(costs: list[StageCost]) -> list[Json]:
    """Return what was measured of each stage's cross attention."""
    return [
        {
            "stage": cost.stage,
            "bands": cost.bands,
            "joined": _way(cost.reassembled),
            "plain": _way(cost.plain),
        }
        for cost in costs
    ]


def trust_numbers(shares: np.ndarray) -> list[float | None]:
    """Return shares with None where there is no number, which JSON does not know."""
    return [None if np.isnan(share) else float(share) for share in shares]


def words(key: str, **values: object) -> Words:
    """Return a text in every language: the browser switches without asking again."""
    return {language: text(language, key, **values) for language in LANGUAGES}


def _picture(image: Image.Image, size: tuple[int, int], name: str) -> Json:
    return {**shown_picture(image), "width": size[0], "height": size[1], "name": name}


def _given(analysis: CrowdAnalysis) -> Json | None:
    """Return the sense with noise as the network was given it; light and shifts need no picture."""
    noise = analysis.changes.noise
    levels = analysis.pair.given(analysis.framing, analysis.changes) if noise else {}
    if noise is None or noise[0] not in levels:
        return None
    shown = Image.fromarray(levels[noise[0]].round().astype(np.uint8))
    buffer = BytesIO()
    shown.save(buffer, "JPEG", quality=_NOISY_QUALITY)
    return {noise[0]: "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()}


def _gate(gate: ModalityGate, trusts: np.ndarray) -> Json:
    place = stage_of(gate.site)
    if place is None:
        raise ValueError(f"expected a gate of a stage, received {gate.site}")
    shares = np.ascontiguousarray(gate.values[0], dtype="<f2").tobytes()
    return {
        "stage": place[0],
        "grid": grid_numbers(gate.grid),
        "rgb": base64.b64encode(shares).decode("ascii"),
        "share": trusts[place[0]].tolist(),
    }


def _site(site: PlaceAffinity) -> Json:
    place = stage_of(site.site)
    found = site.rows.factors()
    if place is None or found is None:
        raise ValueError(f"expected the factors of a stage, received {site.site}")
    return {
        "stage": place[0],
        "asking": ASKS[place[1]],
        "path": site.site,
        "grid": grid_numbers(site.query_grid),
        "tokens": site.rows.queries,
        "bands": site.bands,
        "dim": found.query.shape[-1],
        "scale": found.scale,
        "normaliser": found.normaliser.value,
    }


def _checks(sites: tuple[Captured, ...]) -> list[Json]:
    """Return, of every kind of check, the one that is furthest off among all sites."""
    worst: dict[str, tuple[Captured, Check]] = {}
    for site in sites:
        for check in site.checks:
            label = check_labels(LANGUAGES[0], site, check)[0]
            if label not in worst or _badness(check) > _badness(worst[label][1]):
                worst[label] = (site, check)
    return [check_numbers(site, check) for site, check in worst.values()]


def _badness(check: Check) -> float:
    over = check.value / check.limit if check.limit else check.value
    return over if np.isfinite(over) else np.inf


def _note(note: Note) -> Json:
    sentences = {language: note.sentence(language) for language in LANGUAGES}
    return {"words": sentences, "offer": OFFERS.get(note.key)}


def _way(way: Way) -> Json:
    return {
        "tokens": way.tokens,
        "dim": way.dim,
        "work": way.multiply_adds,
        "bytes": way.matrix_bytes,
        "peak": way.peak_bytes,
        "milliseconds": way.milliseconds,
        "fused": way.fused_milliseconds,
    }
