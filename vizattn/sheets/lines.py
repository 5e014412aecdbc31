"""What a contact sheet shows: for each network its most telling attention on every picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.weights import Card
from vizattn.analysis import TASKS, Analysis, look_all
from vizattn.attention import (
    Captured,
    ChannelAffinity,
    ChannelGate,
    ModalityGate,
    PlaceAffinity,
    SpatialGate,
)
from vizattn.features import EdgeGate, FeatureMaps
from vizattn.geometry import Point
from vizattn.intake import Picture
from vizattn.networks import Library
from vizattn.views import Selection, channel_rows

ON_THE_PICTURE = (SpatialGate, FeatureMaps, ModalityGate, EdgeGate)
"""what differs from place to place; other kinds weigh what is nowhere in the picture"""


@dataclass(frozen=True)
class Subject:
    """A picture and the place on it that is pointed at, in pixels of the upright original."""

    picture: Picture
    at: Point


@dataclass(frozen=True)
class Line:
    """One attention of one network on every picture.

    Args:
        card: of the network.
        looks: one look at each picture.
        selections: what is shown of each: the same site and the place that is pointed at.
    """

    card: Card
    looks: tuple[Analysis, ...]
    selections: tuple[Selection, ...]


def sheet_networks(library: Library) -> list[Card]:
    """Return the cards of the bundled networks that have attention on one picture."""
    cards = library.cards().values()
    return [card for card in cards if card.mechanism and card.task in TASKS]


def lines(
    library: Library, cards: Sequence[Card], subjects: Sequence[Subject], kinds: bool = False
) -> Iterator[Line]:
    """Yield the lines of a sheet, network by network.

    Args:
        library: loads the networks.
        cards: of the networks, in order.
        subjects: what they look at.
        kinds: show one attention of each kind that a network has, not only the most telling one.

    Raises:
        Refused: if a network cannot be loaded, or a place is not on its picture.
    """
    for card in cards:
        network = library.network(card.name)
        looks = tuple(look_all([each.picture for each in subjects], network))
        for site in most_telling(looks[0], kinds):
            pairs = zip(looks, subjects, strict=True)
            chosen = tuple(_selection(look.site(site), each.at) for look, each in pairs)
            yield Line(card, looks, chosen)


def _selection(captured: Captured, at: Point) -> Selection:
    channel = None
    if isinstance(captured, ChannelGate):
        # The most open gate is often that of a channel in which there is little to let through.
        responses = np.abs(captured.activation.values).max(axis=(1, 2))
        channel = int((captured.values * responses).argmax())
    return Selection(captured.site, at=at, channel=channel)


def most_telling(analysis: Analysis, kinds: bool = False) -> list[str]:
    """Return the attention that says most, or with ``kinds`` one of each kind, in their order.

    Rows over places say most, and of several passes the last, which is what they come to
    together; then what differs from place to place, and of that whatever differs most.
    """
    analysis.site()  # refuses a network without attention
    own = [each for each in analysis.sites if each.part_of is None]
    order = [each.site for each in own]
    ranked = sorted(own, key=lambda each: _rank(each, order), reverse=True)
    first_of = {each.kind: each.site for each in reversed(ranked)}
    return sorted(first_of.values(), key=order.index) if kinds else [ranked[0].site]


def _rank(captured: Captured, order: list[str]) -> tuple[int, float, int]:
    if isinstance(captured, PlaceAffinity):
        return 2, 0.0, order.index(captured.site)
    return int(isinstance(captured, ON_THE_PICTURE)), contrast(captured), 0


def contrast(captured: Captured) -> float:
    """Return the range of an attention's numbers in parts of the largest magnitude, 0..2."""
    values = _numbers(captured)
    largest = float(np.abs(values).max())
    return float(np.ptp(values)) / largest if largest > 0 else 0.0


def _numbers(captured: Captured) -> np.ndarray:
    if isinstance(captured, FeatureMaps):
        # Channels differ in size; what is asked is whether one of them differs over places.
        return captured.maps.values[captured.maps.strongest]
    if isinstance(captured, ChannelAffinity):
        return channel_rows(captured, Selection())
    values: np.ndarray = captured.values  # type: ignore[attr-defined]
    return values
