"""What networks, attention, classes and checks are called in a language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.goals import Goal
from models.mechanism import mechanisms
from models.weights import Card
from vizattn.attention import Captured, Check, Maps
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
    return text(language, f"mechanisms.name.{_named(card)}")


def _named(card: Card) -> str:
    """Return what a network's mechanism, or that form of it, goes by in the catalogue."""
    slug = card.mechanism or PLAIN
    return slug if card.form is None else f"{slug}.{card.form.replace('-', '_')}"


def goal_label(language: str, goal: Goal) -> str:
    """Return what a goal is called, with its number in the survey where it has one."""
    words = text(language, f"goals.{goal.value}")
    if not goal.numeral:
        return words
    return text(language, "goals.numbered", numeral=goal.numeral, goal=words)


def network_label(language: str, card: Card) -> NetworkLabel:
    """Return how a network is offered."""
    family = mechanisms()[card.mechanism].family if card.mechanism else PLAIN
    measured = [text(language, "mechanisms.metric.count", count=card.metric["count"])]
    measured += filter(None, [seeds_label(language, card)])
    return NetworkLabel(
        card.name,
        mechanism_label(language, card),
        text(language, f"mechanisms.family.{re.sub(r'[^a-z]+', '_', family.lower())}"),
        text(language, f"mechanisms.line.{_named(card)}"),
        metric_label(language, card.metric),
        text(language, "mechanisms.seeds.join").join(measured),
    )


def forms_label(language: str, mechanism: str) -> str:
    """Return what the question is called that the trained forms of a mechanism answer."""
    return text(language, f"mechanisms.forms.{mechanism}")


def seeds_label(language: str, card: Card) -> str | None:
    """Return how good a network's recipe is over several seeds, where that was measured."""
    seeds = card.facts.get("seeds")
    if seeds is None:
        return None
    said = {"mean": f"{seeds['mean']:.1%}", "deviation": f"{100 * seeds['deviation']:.1f}"}
    name = mechanism_label(language, card)
    return text(language, "mechanisms.seeds", name=name, count=len(seeds["seeds"]), **said)


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
    kind = text(language, f"mechanisms.kind.{captured.kind.value}")
    if captured.part_of is not None:
        path, _, step = path.rpartition(".")
        kind = text(language, f"kinds.tap.{step}")
    where = _where(language, path)
    if count:
        several = f"kinds.several.{count}"
        key = several if several in catalogue(language) else "mechanisms.where.again"
        where = text(language, key, where=where, count=count)
    return text(language, "mechanisms.site", where=where, kind=kind) if where else kind


def _where(language: str, path: str) -> str:
    """Return the host's place of a path and the parts of the mechanism that have names."""
    where, rest = path, ""
    for pattern, key, values in _PLACES:
        if found := re.match(pattern, path):
            where = text(language, f"mechanisms.{key}", **values(found))
            rest = path[found.end() :]
    for part in re.finditer(r"([a-z_]+)(?:\.(\d+))?", rest):
        name = f"kinds.part.{part[1]}"
        if name in catalogue(language):
            said = text(language, name, number=int(part[2] or 0) + 1)
            where = text(language, "kinds.part.join", where=where, part=said)
    return where


def noun(language: str, name: str) -> str:
    """Return what one of several things is called: "channel", "node", "region"..."""
    return text(language, f"kinds.noun.{name}")


def one_of(language: str, name: str, index: int, heads: int = 1, count: int = 0) -> str:
    """Return what a thing with a number is called, "node 3".

    Args:
        language: of the text.
        name: what it is.
        index: which one, from 0, of all heads' where there are several.
        heads: how many heads have things of their own.
        count: how many things there are, those of all heads together.
    """
    if heads == 1:
        return text(language, "kinds.one", name=noun(language, name), index=index)
    head, own = divmod(index, count // heads)
    return text(language, "kinds.one_of_head", name=noun(language, name), index=own, head=head)


def map_labels(language: str, maps: Maps) -> list[str] | None:
    """Return what each of several maps is called, or None where a number is all there is."""
    if maps.labels is not None:
        return [text(language, f"kinds.label.{label}") for label in maps.labels]
    if maps.heads == 1:
        return None
    count = len(maps.values)
    return [one_of(language, maps.name, each, maps.heads, count) for each in range(count)]


def token_key(name: str) -> tuple[str, dict[str, object]]:
    """Return the catalogue's key for a token that is no place, and what its placeholders mean."""
    known, _, number = name.partition("-")
    return (
        (f"foreign.token.{known}", {"number": number}) if number else (f"kinds.token.{known}", {})
    )


def token_label(language: str, name: str) -> str:
    """Return what a token that is no place is called; "extra-2" is the second of unknown ones."""
    key, values = token_key(name)
    return text(language, key, **values)


def note_label(language: str, captured: Captured) -> str | None:
    """Return the sentence on what is shown or why there is no row, where there is one."""
    return None if captured.note is None else text(language, f"kinds.note.{captured.note}")


def shape_label(language: str, captured: Captured) -> str:
    """Return the sizes of an attention and what its axes are."""
    axes = text(language, "kinds.axes.join").join(noun(language, name) for name in captured.axes)
    axes = axes or text(language, f"mechanisms.axes.{captured.kind.value}")
    return f"{' × '.join(map(str, captured.shape))} ({axes})"


def class_label(language: str, name: str) -> str:
    """Return what a class is called; those of strangers' networks stay as these name them."""
    return catalogue(language).get(f"mechanisms.class.{name}", name)


def check_labels(language: str, captured: Captured, check: Check) -> tuple[str, str]:
    """Return a check's short name and its sentence."""
    own = f".{captured.claim.value}" if check.name == "claim" else ""
    key = f"mechanisms.check.{check.name}{own}"
    return text(language, key), text(language, f"{key}.text")
