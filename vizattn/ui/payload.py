"""An analysis as the one JSON object that the browser's canvas draws from."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from vizattn.analysis import Analysis, Classification, Segmentation
from vizattn.attention import (
    Activation,
    Captured,
    ChannelAffinity,
    ChannelGate,
    Check,
    PlaceAffinity,
    SpatialGate,
)
from vizattn.geometry import Grid
from vizattn.labels import check_labels, class_label, mechanism_label, site_label
from vizattn.texts import LANGUAGES, text

VERSION = 1
LONGEST_SHOWN = 1280
"""the long side, in pixels, at which a larger picture is sent to the browser"""
CLASS_COLOURS = (
    "#6fb7e0",  # sky
    "#c7573b",  # building
    "#cfc6a0",  # pole
    "#7a5aa8",  # road
    "#e08cc0",  # pavement
    "#4c9a44",  # tree
    "#f5c518",  # sign
    "#8a5a30",  # fence
    "#2f5fdc",  # car
    "#f0303c",  # pedestrian
    "#12b5a0",  # bicyclist
    "#8b929b",  # unlabelled
)
"""By the index of a class, over again where there are more: for the 12 of a street scene each is
distinct from the others and from both the light and the dark ground."""
Json = dict[str, Any]
Words = dict[str, str]
"""a text in every language: the browser switches without asking again"""


def payload(analysis: Analysis, selection: Json) -> Json:
    """Return everything that the browser needs to show one analysis, in every language.

    Args:
        analysis: the analysis; its factors go along, so that the browser computes rows itself.
        selection: what is selected at first: "site", "head", "at" in pixels of the original, and
            how it is drawn.
    """
    card = analysis.network.card
    return {
        "version": VERSION,
        "id": analysis.id,
        "network": {
            "name": card.name,
            "title": _spoken(lambda language: mechanism_label(language, card)),
            "task": card.task,
            "mechanism": card.mechanism,
        },
        "picture": _picture(analysis),
        "notes": [_spoken(note.sentence) for note in analysis.picture.notes],
        "framing": {
            "scale": list(analysis.framing.scale),
            "offset": list(analysis.framing.offset),
            "input": list(analysis.framing.input),
        },
        "sites": [_site(each) for each in analysis.sites],
        "prediction": _prediction(analysis.prediction),
        "selection": selection,
    }


def _spoken(say: Callable[[str], str]) -> Words:
    return {language: say(language) for language in LANGUAGES}


def _picture(analysis: Analysis) -> Json:
    width, height = analysis.framing.original
    name = analysis.picture.name
    return {
        **shown_picture(analysis.picture.rgb),
        "width": width,
        "height": height,
        "alt": _spoken(lambda language: text(language, "explore.picture_alt", name=name)),
    }


def shown_picture(picture: Image.Image) -> Json:
    """Return a picture, reduced where it is large, as an address that holds it, and its size."""
    shown = picture.copy()
    shown.thumbnail((LONGEST_SHOWN, LONGEST_SHOWN), Image.Resampling.LANCZOS)
    # It is looked at once and thrown away: fast beats small.
    buffer = BytesIO()
    shown.save(buffer, "PNG", compress_level=1)
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {"url": url, "shown_width": shown.width, "shown_height": shown.height}


def _site(captured: Captured) -> Json:
    return {
        "path": captured.site,
        "title": _spoken(lambda language: site_label(language, captured)),
        "kind": captured.kind.value,
        "claim": captured.claim.value,
        "formula": captured.formula,
        "checks": [check_numbers(captured, check) for check in captured.checks],
        "shape": _spoken(lambda language: _shape(captured, language)),
        **_CONTENTS[type(captured)](captured),
    }


def check_numbers(captured: Captured, check: Check) -> Json:
    """Return a check as the browser has it, with its words in every language."""
    return {
        "name": check.name,
        "label": _spoken(lambda language: check_labels(language, captured, check)[0]),
        "text": _spoken(lambda language: check_labels(language, captured, check)[1]),
        # JSON has no infinity, which is what a check of numbers that are none measures.
        "value": check.value if math.isfinite(check.value) else None,
        "limit": check.limit,
        "passed": check.passed,
    }


def _channel_gate(captured: ChannelGate) -> Json:
    channels = len(captured.values)
    return {
        "gate": {"channels": channels, "values": floats(captured.values)},
        "activation": _activation(captured.activation),
    }


def _spatial_gate(captured: SpatialGate) -> Json:
    return {
        "map": {"grid": grid_numbers(captured.grid), "values": floats(captured.values)},
    }


def _place_affinity(captured: PlaceAffinity) -> Json:
    factors = captured.rows.factors()
    if factors is None:
        raise ValueError(f"expected factors at {captured.site}, received a stored matrix")
    return {
        "query_grid": grid_numbers(captured.query_grid),
        "key_grid": grid_numbers(captured.key_grid),
        "heads": captured.rows.heads,
        "affinity": {
            "normaliser": factors.normaliser.value,
            "scale": factors.scale,
            "dim": factors.query.shape[-1],
            "query": floats(factors.query[0].float().cpu().numpy()),
            "key": floats(factors.key[0].float().cpu().numpy()),
        },
    }


def _channel_affinity(captured: ChannelAffinity) -> Json:
    channels = captured.rows.queries
    return {
        "heads": captured.rows.heads,
        "matrix": {
            "channels": channels,
            "values": floats(captured.rows.some(range(channels))[0]),
        },
        "activation": _activation(captured.activation),
    }


_CONTENTS: dict[type[Captured], Callable[[Any], Json]] = {
    ChannelGate: _channel_gate,
    SpatialGate: _spatial_gate,
    PlaceAffinity: _place_affinity,
    ChannelAffinity: _channel_affinity,
}


def _shape(captured: Captured, language: str) -> str:
    sides = " × ".join(map(str, captured.shape))
    return f"{sides} ({text(language, f'mechanisms.axes.{captured.kind.value}')})"


def _activation(activation: Activation) -> Json:
    return {"grid": grid_numbers(activation.grid), "values": floats(activation.values)}


def grid_numbers(grid: Grid) -> Json:
    """Return a grid as the browser has it."""
    return {
        "rows": grid.rows,
        "columns": grid.columns,
        "cell": list(grid.cell),
        "origin": list(grid.origin),
    }


def _class(name: str) -> Words:
    return _spoken(lambda language: class_label(language, name))


def _prediction(prediction: Classification | Segmentation) -> Json:
    if isinstance(prediction, Classification):
        return {
            "kind": "classify",
            "top": [
                {"class": name, "label": _class(name), "probability": probability}
                for name, probability in prediction.top()
            ],
        }
    rows, columns = prediction.mask.shape
    shares = prediction.shares()
    return {
        "kind": "segment",
        "classes": [_class(name) for name in prediction.classes],
        "colours": [
            CLASS_COLOURS[index % len(CLASS_COLOURS)] for index in range(len(prediction.classes))
        ],
        "rows": rows,
        "columns": columns,
        "mask": _bytes(prediction.mask),
        "confidence": _bytes(np.rint(prediction.probability * 255).astype(np.uint8)),
        "share": [shares.get(name, 0.0) for name in prediction.classes],
    }


def floats(values: np.ndarray) -> str:
    """Return an array as base64 of little-endian float32."""
    return _bytes(np.ascontiguousarray(values, dtype="<f4"))


def _bytes(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
