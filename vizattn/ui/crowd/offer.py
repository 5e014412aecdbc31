"""What the crowd tab's column of choices offers: example pairs and networks that count."""

from __future__ import annotations

from typing import Any

from models.weights import Card
from vizattn.texts import LANGUAGES, catalogue
from vizattn.ui.crowd.pairs import CrowdDesk
from vizattn.ui.crowd.payload import words
from vizattn.ui.parts import thumbnail
from vizattn.ui.settings import Settings

Json = dict[str, Any]


def offer_of(desk: CrowdDesk, settings: Settings) -> Json:
    """Return what is offered, with its words in every language."""
    return {
        "limit": settings.max_upload_mb,
        "networks": [_network(card) for card in desk.networks().values()],
        "examples": [
            {
                "id": each.id,
                "title": each.title,
                "note": each.note,
                "thumbnails": {
                    "rgb": thumbnail(each.rgb_path),
                    "thermal": thumbnail(each.thermal_path),
                },
            }
            for each in desk.examples.values()
        ],
    }


def _network(card: Card) -> Json:
    kind = card.mechanism or "plain"
    # A network that somebody else trained goes by its name and needs no words of ours.
    known = f"crowd.network.{kind}" in catalogue(LANGUAGES[0])
    return {
        "name": card.name,
        "title": words(f"crowd.network.{kind}") if known else dict.fromkeys(LANGUAGES, card.name),
        "line": words(f"crowd.network.{kind}.line") if known else dict.fromkeys(LANGUAGES, ""),
        "metric": _metric(card),
    }


def _metric(card: Card) -> dict[str, str] | None:
    if "mae" not in card.metric:
        return None
    mae, count = f"{card.metric['mae']:.1f}", card.metric.get("count", "–")
    return words("crowd.metric", mae=mae, count=count)
