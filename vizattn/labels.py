"""What networks, attention, classes and checks are called in a language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.mechanism import mechanisms
from models.weights import Card
from vizattn.attention import Captured, Check
from vizattn.cam.class_map import ClassMap, class_map_label
from vizattn.texts import catalogue, text

_MEASURES = ("accuracy", "miou")
PLAIN = "plain"
"""what a network without a mechanism goes by in the catalogue"""
_PLACES: tuple[tuple[str, str, Callable[[re.Match[str]], dict[str, int]]], ...] = (
    (
        r"^trunk\.stages\.(\d+)\.(\d+)\.",
        "where.stage",
        lambda found: {"stage": int(found[1]) + 1, "block": int(found[2]) + 1},
    ),
    (r"^between\b", "where.between", lambda found: {}),
    (r"^context\b", "where.context", lambda found: {}),
)
"""The hosts' places of attention: path, sentence, and what fills it."""


@dataclass(frozen=True)
class NetworkLabel:
    """How a network is offered to a person.

    Args:
        name: its name in the library.
        title: its mechanism.
        family: what kind of mechanism that is.
        line: one sentence on what it does.
        metric: how good the network is, "88.7 % accuracy".
        measured: on what that was measured.
    """

    name: str
    title: str
    family: str
    line: str
    metric: str
    measured: str


def mechanism_label(language: str, card: Card) -> str:
    """Return what a network's mechanism is called, or a stranger's network itself."""
    if card.foreign:
        return str(card.facts.get("title", card.name))
    return text(language, f"mechanisms.name.{card.mechanism or PLAIN}")


def network_label(language: str, card: Card) -> NetworkLabel:
    """Return how a network is offered."""
    slug = card.mechanism or PLAIN
    family = mechanisms()[slug].family if card.mechanism else PLAIN
    measured = text(language, "mechanisms.metric.count", count=card.metric["count"])
    return NetworkLabel(
        card.name,
        mechanism_label(language, card),
        text(language, f"mechanisms.family.{re.sub(r'[^a-z]+', '_', family.lower())}"),
        text(language, f"mechanisms.line.{slug}"),
        metric_label(language, card.metric),
        measured,
    )


def metric_label(language: str, metric: Mapping[str, Any]) -> str:
    """Return a network's quality with its name; a card's metric says which was measured."""
    name = next(key for key in _MEASURES if key in metric)
    return text(language, f"mechanisms.metric.{name}", value=metric_value(metric))


def metric_value(metric: Mapping[str, Any]) -> str:
    """Return a network's quality as a percentage."""
    name = next(key for key in _MEASURES if key in metric)
    return f"{metric[name]:.1%}"


def site_label(language: str, captured: Captured) -> str:
    """Return where an attention is and of what kind; a path that no host has stays a path."""
    if isinstance(captured, ClassMap):
        return class_map_label(language, captured)
    path, _, count = captured.site.partition("#")
    where = path
    for pattern, key, values in _PLACES:
        if found := re.match(pattern, path):
            where = text(language, f"mechanisms.{key}", **values(found))
    if count:
        where = text(language, "mechanisms.where.again", where=where, count=count)
    kind = text(language, f"mechanisms.kind.{captured.kind.value}")
    return text(language, "mechanisms.site", where=where, kind=kind)


def class_label(language: str, name: str) -> str:
    """Return what a class is called; those of strangers' networks stay as these name them."""
    return catalogue(language).get(f"mechanisms.class.{name}", name)


def check_labels(language: str, captured: Captured, check: Check) -> tuple[str, str]:
    """Return a check's short name and its sentence."""
    own = f".{captured.claim.value}" if check.name == "claim" else ""
    key = f"mechanisms.check.{check.name}{own}"
    return text(language, key), text(language, f"{key}.text")
