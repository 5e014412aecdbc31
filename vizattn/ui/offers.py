"""The networks that a page offers, as its picker shows them: by family, with one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from models.mechanism import mechanisms
from models.weights import Card
from models.zoo.loading import Pretrained
from vizattn.foreign.stranger import StrangersCard
from vizattn.labels import goal_label, metric_value, network_label
from vizattn.networks import Library
from vizattn.texts import text

Json = dict[str, Any]
_FAMILIES = (
    "channel",
    "spatial",
    "channel and spatial",
    "branch",
    "self-attention",
    "cross-modal",
    "control",
)
"""the survey's order; others follow"""
_STAGES = {"self-attention": 4, "cross-modal": 4, "control": None}
"""in which of the survey's four phases a family came up; the third where it is not said"""


def groups(language: str, cards: Mapping[str, Card], library: Library) -> list[Json]:
    """Return the networks in groups: those trained here by family, then others' by family.

    Args:
        language: of all words.
        cards: what is offered, by name.
        library: knows which of others' networks are downloaded.
    """
    own = [card for card in cards.values() if not card.foreign]
    theirs = [card for card in cards.values() if isinstance(card, Pretrained)]
    brought = [card for card in cards.values() if isinstance(card, StrangersCard)]
    groups = [*_grouped(language, own, library), *_grouped(language, theirs, library)]
    return [*_brought(language, brought), *groups]


def _brought(language: str, cards: Sequence[Card]) -> list[Json]:
    """Return the modules that whoever started the page brought, as a group of their own."""
    offered: list[Json] = [
        {
            "name": card.name,
            "title": card.name,
            "line": text(language, "foreign.offer"),
            "metric": "",
            "plain": None,
            "measured": "",
            "goals": [],
            "task": card.task,
            "mechanism": None,
            "year": None,
            "here": True,
        }
        for card in cards
    ]
    title = text(language, "foreign.group")
    return [{"title": title, "stage": None, "networks": offered}] if offered else []


def _grouped(language: str, cards: Sequence[Card], library: Library) -> list[Json]:
    families: dict[str, list[Card]] = {}
    for card in sorted(cards, key=_place):
        families.setdefault(_family(card), []).append(card)
    return [
        {
            "title": _title(language, name, own[0]),
            "stage": _stage(language, name),
            "networks": [_offer(language, card, library) for card in own],
        }
        for name, own in families.items()
    ]


def _family(card: Card) -> str:
    if isinstance(card, Pretrained):
        return card.entry.group.family
    return mechanisms()[str(card.mechanism)].family


def _year(card: Card) -> int:
    if isinstance(card, Pretrained):
        return card.entry.group.paper.year
    return mechanisms()[str(card.mechanism)].paper.year


def _place(card: Card) -> tuple[int, int]:
    """Return where a network stands: by family, then by year, as the survey tells it."""
    family = _family(card)
    known = _FAMILIES.index(family) if family in _FAMILIES else len(_FAMILIES)
    # What others trained keeps the order of its table, where its kinds stand together.
    return known, 0 if isinstance(card, Pretrained) else _year(card)


def _title(language: str, family: str, card: Card) -> str:
    if not isinstance(card, Pretrained):
        return network_label(language, card).family
    name = text(language, f"zoo.family.{family.replace('-', '_')}")
    return text(language, "zoo.pretrained_family", family=name)


def _stage(language: str, family: str) -> str | None:
    stage = _STAGES.get(family, 3)
    return None if stage is None else text(language, f"zoo.stage.{stage}")


def _offer(language: str, card: Card, library: Library) -> Json:
    if isinstance(card, Pretrained):
        return _theirs(language, card, library)
    return _ours(language, card)


def _ours(language: str, card: Card) -> Json:
    label = network_label(language, card)
    return asdict(label) | {
        "task": card.task,
        "goals": _goals(language, card),
        "mechanism": card.mechanism,
        "year": _year(card),
        "plain": _plain(language, card),
        "here": True,
    }


def _goals(language: str, card: Card) -> list[str]:
    """Return what a network's mechanism is for, with the survey's numbers."""
    return [goal_label(language, goal) for goal in mechanisms()[str(card.mechanism)].goals]


def _plain(language: str, card: Card) -> str | None:
    """Return how good the same network is without attention, where the card says so."""
    plain = card.facts.get("plain")
    if plain is None:
        return None
    return text(language, "explore.without", value=metric_value(plain["metric"]))


def _theirs(language: str, card: Pretrained, library: Library) -> Json:
    entry, here = card.entry, library.here(card.name)
    key = "zoo.downloaded" if here else "zoo.to_download"
    paper = entry.group.paper
    return {
        "name": card.name,
        "title": entry.title,
        "line": text(language, f"zoo.line.{entry.kind}"),
        "metric": text(language, key, megabytes=f"{entry.megabytes:.0f}"),
        "plain": text(language, "zoo.licence", licence=entry.licence),
        "measured": f"{paper.title}. {paper.authors}, {paper.venue} {paper.year}",
        "goals": [],
        "task": card.task,
        "mechanism": None,
        "year": paper.year,
        "here": here,
    }
