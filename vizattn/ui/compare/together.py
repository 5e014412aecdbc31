"""Networks that belong side by side: the forms of one mechanism, with what their study measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.weights import Card
from vizattn.examples import Example
from vizattn.labels import forms_label, seeds_label
from vizattn.texts import text
from vizattn.ui.encoding import spoken

Json = dict[str, Any]


def together(cards: Mapping[str, Card], examples: Mapping[str, Example]) -> list[Json]:
    """Return groups of networks that one button shows side by side.

    Args:
        cards: of the networks that are offered.
        examples: may name the attention of one of them that is worth looking at.
    """
    groups: dict[tuple[str, str], list[Card]] = {}
    for card in cards.values():
        if card.mechanism:
            groups.setdefault((card.task, card.mechanism), []).append(card)
    return [
        _group(mechanism, group, examples)
        for (_, mechanism), group in groups.items()
        if len(group) > 1 and any(card.form for card in group)
    ]


def _group(mechanism: str, cards: list[Card], examples: Mapping[str, Example]) -> Json:
    # The mechanism's own form first.
    cards = sorted(cards, key=lambda card: card.form is not None)
    names = [card.name for card in cards]
    sites = (each.site for each in examples.values() if each.network in names)
    return {
        "networks": names,
        "site": next(filter(None, sites), None),
        "title": spoken(lambda language: forms_label(language, mechanism)),
        "said": spoken(lambda language: _said(language, cards)),
    }


def _said(language: str, cards: list[Card]) -> str:
    """Return what the same recipe gave from several seeds, where that was measured for all."""
    parts = [seeds_label(language, card) for card in cards]
    measured = [part for part in parts if part is not None]
    return (
        text(language, "mechanisms.seeds.join").join(measured)
        if len(measured) == len(cards)
        else ""
    )
