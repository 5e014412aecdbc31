"""Everything that one count found, as facts that fit into JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from vizattn.attention import Captured, PlaceAffinity
from vizattn.crowd.analysis import CrowdAnalysis, stage_of
from vizattn.crowd.changes import SENSES, Changes
from vizattn.crowd.maps import centre
from vizattn.crowd.pair import Pair
from vizattn.crowd.sentences import count_sentence, site_sentence
from vizattn.facts import framing_facts, network_facts, site_facts, versions
from vizattn.geometry import Point
from vizattn.registration import Registration
from vizattn.texts import DEFAULT_LANGUAGE, text

Json = dict[str, Any]


def summary(
    analysis: CrowdAnalysis,
    at: Point | None = None,
    site: str | None = None,
    language: str = DEFAULT_LANGUAGE,
) -> Json:
    """Return how many people there are, where, which sense was trusted, and whether it is true.

    Args:
        analysis: what was seen.
        at: the place (x, y) in pixels of the frame whose rows are put into words; its centre by
            default.
        site: the attention that is selected; the first with rows by default.
        language: of the sentences.

    Raises:
        Refused: if there is no such site, or the place is not on the frame.
    """
    place = centre(analysis) if at is None else analysis.check_point((float(at[0]), float(at[1])))
    chosen = analysis.site(site).site if site is not None or analysis.sites else None
    notes = [note.sentence(language) for note in analysis.pair.all_notes]
    if at is None and any(isinstance(each, PlaceAffinity) for each in analysis.sites):
        notes.append(text(language, "figure.centre_used"))
    return {
        "pair": _pair(analysis.pair),
        "network": network_facts(analysis.network),
        "framing": framing_facts(analysis.framing),
        "changes": _changes(analysis.changes),
        "senses": list(analysis.senses),
        "points": analysis.points,
        "count": analysis.count,
        "sentence": count_sentence(analysis, language),
        "regions": analysis.regions().tolist(),
        "peaks": [asdict(peak) for peak in analysis.peaks()],
        "trusts": _trusts(analysis),
        "selection": {"site": chosen, "at": list(place)},
        "sites": [_site(analysis, each, place, language) for each in analysis.sites],
        "passed": all(each.passed for each in analysis.sites),
        "notes": notes,
        "versions": versions(),
    }


def _pair(pair: Pair) -> Json:
    rgb, thermal = pair.rgb, pair.thermal
    facts: Json = {"name": pair.name, "size": list(pair.size), "rgb": None, "thermal": None}
    if rgb is not None:
        facts["rgb"] = {"name": rgb.name, "size": list(rgb.original_size)}
    if thermal is not None:
        facts["thermal"] = {
            "name": thermal.name,
            "size": list(thermal.original_size),
            "unit": thermal.unit,
            "colour_mapped": thermal.colour_mapped,
        }
    both = rgb is not None and thermal is not None
    return facts | {"registration": _registration(pair.laid) if both else None}


def _registration(laid: Registration) -> Json:
    return {"scale_x": laid.scale_x, "scale_y": laid.scale_y, "dx": laid.dx, "dy": laid.dy}


def _changes(changes: Changes) -> Json:
    return {
        "shift": list(changes.shift),
        "light": changes.light,
        "blank": changes.blank,
        "noise": None if changes.noise is None else list(changes.noise),
        "off": sorted(changes.off),
    }


def _trusts(analysis: CrowdAnalysis) -> list[Json | None]:
    """Return each stage's mean shares by sense; None for a stage that did not weigh them."""
    return [
        None if np.isnan(row).any() else dict(zip(SENSES, map(float, row), strict=True))
        for row in analysis.trusts()
    ]


def _site(analysis: CrowdAnalysis, captured: Captured, at: Point, language: str) -> Json:
    place = stage_of(captured.site)
    bands = {"bands": captured.bands} if isinstance(captured, PlaceAffinity) else {}
    return (
        site_facts(captured)
        | bands
        | {
            "stage": None if place is None else place[0] + 1,
            "sentence": site_sentence(analysis, captured, at, language),
        }
    )
