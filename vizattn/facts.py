"""Everything that one look found, as facts that fit into JSON."""

from __future__ import annotations

import math
import platform
from importlib.metadata import version
from typing import Any

import torch

from vizattn.analysis import Analysis, Classification
from vizattn.attention import Captured, Check, PlaceAffinity
from vizattn.foreign.looking import reason
from vizattn.geometry import Framing
from vizattn.labels import note_label, site_label
from vizattn.networks import Network
from vizattn.texts import DEFAULT_LANGUAGE, text
from vizattn.version import VERSION
from vizattn.views import Selection, resolve
from vizattn.words import sentence

Json = dict[str, Any]
_LIBRARIES = ("numpy", "pillow", "matplotlib")


def summary(
    analysis: Analysis, selection: Selection | None = None, language: str = DEFAULT_LANGUAGE
) -> Json:
    """Return what was looked at, with what, what was found, and whether it is true.

    Raises:
        Refused: if the selection names a site, head, channel or place that is not there.
    """
    chosen = resolve(analysis, selection)
    return {
        "picture": {
            "name": analysis.picture.name,
            "size": list(analysis.picture.original_size),
            "notes": [note.sentence(language) for note in analysis.picture.notes],
        },
        "network": network_facts(analysis.network),
        "framing": framing_facts(analysis.framing),
        "selection": _selection(chosen),
        "prediction": _prediction(analysis, chosen),
        "sites": [_site(analysis, each, chosen, language) for each in analysis.sites],
        "missed": [
            {"site": each.path, "what": each.what, "reason": reason(each, language)}
            for each in analysis.missed
        ],
        "passed": all(each.passed for each in analysis.sites),
        "notes": _notes(analysis, selection, language),
        "versions": versions(),
    }


def site_selection(analysis: Analysis, captured: Captured, chosen: Selection) -> Selection:
    """Return a resolved selection for any site: head and channel belong to the chosen one only."""
    if captured.site == chosen.site:
        return chosen
    return resolve(analysis, Selection(captured.site, at=chosen.at))


def versions() -> dict[str, str]:
    """Return the versions of everything that numbers and pictures depend on."""
    own = {"vizattn": VERSION, "python": platform.python_version(), "torch": torch.__version__}
    return own | {name: version(name) for name in _LIBRARIES}


def network_facts(network: Network) -> Json:
    """Return which network was used, how good it is, and on which device it ran."""
    card = network.card
    return {
        "name": network.name,
        "task": card.task,
        "mechanism": card.mechanism,
        "form": card.form,
        "metric": card.metric,
        "sha256": card.sha256,
        "shares": card.shares,
        # The file's name, where somebody gave weights of their own.
        "weights": card.facts.get("weights"),
        "device": str(network.device),
    }


def framing_facts(framing: Framing) -> Json:
    """Return where the picture is in the network's input."""
    return {
        "original": list(framing.original),
        "scaled": list(framing.scaled),
        "offset": list(framing.offset),
        "input": list(framing.input),
        "scale": list(framing.scale),
    }


def _selection(chosen: Selection) -> Json:
    return {
        "site": chosen.site,
        "head": chosen.head,
        "at": None if chosen.at is None else list(chosen.at),
        "channel": chosen.channel,
        "token": chosen.token,
    }


def _notes(analysis: Analysis, selection: Selection | None, language: str) -> list[str]:
    given = selection is not None and selection.at is not None
    has_rows = any(isinstance(each, PlaceAffinity) for each in analysis.sites)
    return [text(language, "figure.centre_used")] if has_rows and not given else []


def _prediction(analysis: Analysis, chosen: Selection) -> Json:
    prediction = analysis.prediction
    if isinstance(prediction, Classification):
        every = prediction.top(len(prediction.classes))
        return {"class": every[0][0] if every else None, "probabilities": dict(every)}
    found: Json = {"shares": prediction.shares()}
    if chosen.at is not None:
        name, probability = prediction.at(analysis.framing.to_model(chosen.at))
        found["at"] = {"class": name, "probability": probability}
    return found


def _site(analysis: Analysis, captured: Captured, chosen: Selection, language: str) -> Json:
    selected = site_selection(analysis, captured, chosen)
    known = analysis.evidence.get(captured.site)
    return site_facts(captured) | {
        "evidence": None if known is None else known.sentence(language),
        "title": site_label(language, captured),
        "note": note_label(language, captured),
        "selection": _selection(selected),
        "sentence": sentence(analysis, selected, language),
    }


def site_facts(captured: Captured) -> Json:
    """Return what was captured at a site and what was measured against its claims."""
    return {
        "site": captured.site,
        "kind": captured.kind.value,
        "block": captured.block,
        "shape": list(captured.shape),
        "claim": captured.claim.value,
        "formula": captured.formula,
        "part_of": captured.part_of,
        "checks": [_check(check) for check in captured.checks],
        "passed": captured.passed,
    }


def _check(check: Check) -> Json:
    # JSON has no infinity, which is what a check of numbers that are none measures.
    value = check.value if math.isfinite(check.value) else None
    return {"name": check.name, "value": value, "limit": check.limit, "passed": check.passed}
