"""What the page says of a stranger's network: how places are known, and what was not captured."""

from __future__ import annotations

from functools import partial

from vizattn.analysis import Analysis
from vizattn.cam.class_map import ClassMap
from vizattn.foreign.events import Missed
from vizattn.foreign.looking import NothingFound, reason
from vizattn.texts import text
from vizattn.ui.encoding import Json, Words, spoken
from vizattn.ui.looks import Grids

_ASSUMED = "foreign.evidence.assumed"
_SETTABLE = (_ASSUMED, "foreign.evidence.traced", "foreign.evidence.traced_all")
"""evidence of tokens on one grid, which a person may know better"""
_PLACELESS = ("no_places", "keys_nowhere", "no_grid")
"""reasons that a grid set by hand may do away with"""


def evidence(analysis: Analysis, site: str, grids: Grids) -> Json | None:
    """Return how it is known where a site's cells are, or None where the network itself says so.

    Args:
        analysis: the analysis.
        site: of one captured attention.
        grids: what the visitor has set.
    """
    note = analysis.evidence.get(site)
    if note is None:
        return None
    by_hand = site in grids
    key = "explore.grid_by_hand" if by_hand else note.key
    shown: Json = {
        "said": spoken(lambda language: text(language, key, **note.values)),
        "weak": note.key == _ASSUMED and not by_hand,
        "by_hand": by_hand,
    }
    if note.key in _SETTABLE:
        shown |= {name: note.values[name] for name in ("tokens", "rows", "columns")}
    return shown


def missed(analysis: Analysis) -> list[Json]:
    """Return what looks like attention and was not captured, by reason, in the order of use."""
    reasons: dict[str, list[Missed]] = {}
    for each in analysis.missed:
        reasons.setdefault(each.reason, []).append(each)
    return [
        {
            "reason": spoken(partial(reason, every[0])),
            "settable": name in _PLACELESS,
            "places": [{"path": each.path, "what": each.what} for each in every],
        }
        for name, every in reasons.items()
    ]


def notice(analysis: Analysis) -> Words | None:
    """Return why only class maps are on show, or None where there is attention."""
    if any(not isinstance(each, ClassMap) for each in analysis.sites):
        return None
    found = NothingFound(analysis.network.name, analysis.missed)
    title = str(analysis.network.card.facts.get("title", analysis.network.name))
    if found.missed:
        return spoken(lambda language: text(language, "explore.only_missed", name=title))
    return spoken(lambda language: text(language, "explore.no_attention", name=title))
