"""What the crowd tab's column of choices offers: example pairs and networks that count."""

from __future__ import annotations

from typing import Any

from PIL import Image

from models.weights import Card
from vizattn.intake.thermal import read_thermal
from vizattn.pairs import ExamplePair
from vizattn.texts import LANGUAGES, catalogue
from vizattn.ui.crowd.pairs import CrowdDesk
from vizattn.ui.crowd.payload import words
from vizattn.ui.parts import small_copy, thumbnail
from vizattn.ui.settings import Settings

Json = dict[str, Any]
_CROWDS, _STREETS = ("crowd_points", "rgb"), ("rgbt_msrs", "both")
"""packs and what is shown of them, as cards name them"""


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
                "thumbnails": _thumbnails(each),
            }
            for each in desk.examples.values()
        ],
    }


def _thumbnails(pair: ExamplePair) -> list[str]:
    """Return small copies of the colour picture and, if there is one, of the thermal one."""
    small = [thumbnail(pair.rgb_path)]
    if pair.thermal_path is not None:
        # It may hold temperatures, which only its reader makes a picture of.
        small.append(small_copy(Image.fromarray(read_thermal(pair.thermal_path).levels())))
    return small


def _network(card: Card) -> Json:
    key = f"crowd_page.network.{card.mechanism or 'plain'}"
    # A network that somebody else trained goes by its name and needs no words of ours.
    known = key in catalogue(LANGUAGES[0])
    return {
        "name": card.name,
        "title": words(key) if known else dict.fromkeys(LANGUAGES, card.name),
        "line": words(f"{key}.line") if known else dict.fromkeys(LANGUAGES, ""),
        "metric": _metric(card),
    }


def _metric(card: Card) -> dict[str, str] | None:
    if "mae" not in card.metric:
        return None
    conditions = card.metric.get("conditions", {})
    crowds, streets = (conditions.get(pack, {}).get(shown) for pack, shown in (_CROWDS, _STREETS))
    if crowds and streets:
        return words(
            "crowd_page.metric_of_both",
            crowds=f"{crowds['mae']:.0f}",
            heads=f"{crowds['people']:.0f}",
            photographs=crowds["count"],
            streets=f"{streets['mae']:.1f}",
            bodies=f"{streets['people']:.1f}",
            pairs=streets["count"],
        )
    mae, count = f"{card.metric['mae']:.1f}", card.metric.get("count", "–")
    return words("crowd_page.metric", mae=mae, count=count)
