"""An analysis as the one JSON object that the browser's canvas draws from."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from PIL import Image

from vizattn.analysis import Analysis, Classification, Segmentation
from vizattn.attention import Captured
from vizattn.labels import class_label, mechanism_label
from vizattn.surgery.offers import offers
from vizattn.texts import text
from vizattn.ui.encoding import Json, Words, encoded, spoken
from vizattn.ui.evidence import evidence, missed, notice
from vizattn.ui.looks import Grids
from vizattn.ui.sites import site

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


def payload(analysis: Analysis, selection: Json, grids: Grids | None = None) -> Json:
    """Return everything that the browser needs to show one analysis, in every language.

    Args:
        analysis: the analysis; its factors go along, so that the browser computes rows itself.
        selection: what is selected at first: "site", "head", "at" in pixels of the original, and
            how it is drawn.
        grids: rows and columns of tokens that a visitor has set, by site.
    """
    card = analysis.network.card
    return {
        "version": VERSION,
        "id": analysis.id,
        "network": {
            "name": card.name,
            "title": spoken(lambda language: mechanism_label(language, card)),
            "task": card.task,
            "mechanism": card.mechanism,
        },
        "picture": _picture(analysis),
        "notes": [spoken(note.sentence) for note in analysis.picture.notes],
        "framing": {
            "scale": list(analysis.framing.scale),
            "offset": list(analysis.framing.offset),
            "input": list(analysis.framing.input),
        },
        "sites": [_site(analysis, each, grids or {}) for each in analysis.sites],
        "missed": missed(analysis),
        "notice": notice(analysis),
        "changes": offers(analysis),
        "prediction": prediction_numbers(analysis.prediction),
        "selection": selection,
    }


def _site(analysis: Analysis, captured: Captured, grids: Grids) -> Json:
    known = evidence(analysis, captured.site, grids)
    return site(captured) | ({} if known is None else {"evidence": known})


def _picture(analysis: Analysis) -> Json:
    width, height = analysis.framing.original
    name = analysis.picture.name
    return {
        **shown_picture(analysis.picture.rgb),
        "width": width,
        "height": height,
        "alt": spoken(lambda language: text(language, "explore.picture_alt", name=name)),
    }


def shown_picture(picture: Image.Image) -> Json:
    """Return a picture, reduced where it is large, as an address that holds it, and its size."""
    shown = picture.copy()
    shown.thumbnail((LONGEST_SHOWN, LONGEST_SHOWN), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    # It is looked at once and thrown away: fast beats small.
    shown.save(buffer, "PNG", compress_level=1)
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {"url": url, "shown_width": shown.width, "shown_height": shown.height}


def class_words(name: str) -> Words:
    """Return what a class is called in every language."""
    return spoken(lambda language: class_label(language, name))


def prediction_numbers(prediction: Classification | Segmentation) -> Json:
    """Return a prediction as the browser has it, with its words in every language."""
    if isinstance(prediction, Classification):
        return {
            "kind": "classify",
            "top": [
                {"class": name, "label": class_words(name), "probability": probability}
                for name, probability in prediction.top()
            ],
        }
    rows, columns = prediction.mask.shape
    shares = prediction.shares()
    return {
        "kind": "segment",
        "classes": [class_words(name) for name in prediction.classes],
        "colours": [
            CLASS_COLOURS[index % len(CLASS_COLOURS)] for index in range(len(prediction.classes))
        ],
        "rows": rows,
        "columns": columns,
        "mask": encoded(prediction.mask),
        "confidence": encoded(np.rint(prediction.probability * 255).astype(np.uint8)),
        "share": [shares.get(name, 0.0) for name in prediction.classes],
    }
