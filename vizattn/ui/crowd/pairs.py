"""Visitors' own pairs: read, kept for their visitor alone, and counted when asked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from models.weights import Card
from vizattn.crowd.analysis import COUNTS, CrowdAnalysis, counter, look_at
from vizattn.crowd.changes import Changes
from vizattn.crowd.pair import Pair, read_pair
from vizattn.networks import Library
from vizattn.pairs import ExamplePair, pairs
from vizattn.store import Forgotten, Store
from vizattn.ui.crowd.orders import BadQuestion, Order

WORKING_PIXELS = 2_000_000
"""a larger picture is reduced to this, which is more than is shown or counted in"""
_EXAMPLES_KEPT = 8


@dataclass(frozen=True, eq=False)
class Opened:
    """A visitor's own pair.

    Args:
        pair: the pictures.
        sources: the file of each sense, for showing them the other way round.
        id: an unguessable name.
    """

    pair: Pair
    sources: dict[str, Path]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))


class CrowdDesk:
    """Answers visitors of the crowd tab.

    Args:
        library: the networks.
        own: where visitors' pairs are kept.
        analyses: where their analyses are kept.
    """

    def __init__(
        self,
        library: Library,
        own: Store[Opened],
        analyses: Store[CrowdAnalysis],
    ) -> None:
        self.library, self.own, self.analyses = library, own, analyses
        self.examples = {each.id: each for each in pairs()}
        self._example = lru_cache(_EXAMPLES_KEPT)(self._read_example)
        self._plain = lru_cache(_EXAMPLES_KEPT)(self._look_at_example)

    def networks(self) -> dict[str, Card]:
        """Return the cards of the networks that count."""
        return {n: card for n, card in self.library.cards().items() if card.task == COUNTS}

    def open(self, session: str, base: Order, files: dict[str, Path | None], swap: bool) -> Opened:
        """Keep a visitor's own pair and return it.

        Args:
            session: the visitor's.
            base: the pair of which pictures are replaced, or that is swapped.
            files: the new file of a sense, or None to go without it.
            swap: what was RGB is thermal from now on, and the other way round.

        Raises:
            Refused: if a picture cannot be used, or the old pair is no longer kept.
        """
        sources = self._sources(session, base, swap)
        if swap:
            other = {"rgb": "thermal", "thermal": "rgb"}
            sources = {other[sense]: path for sense, path in sources.items()}
        for sense, path in files.items():
            sources.pop(sense, None)
            if path is not None:
                sources[sense] = path
        if not all(path.is_file() for path in sources.values()):
            raise Forgotten("errors.expired")
        pair = read_pair(
            sources.get("rgb"), sources.get("thermal"), "auto", working_pixels=WORKING_PIXELS
        )
        opened = Opened(pair, sources)
        self.own.keep(session, opened)
        return opened

    def _sources(self, session: str, base: Order, swap: bool) -> dict[str, Path]:
        if base.own is not None:
            return dict(self.own.find(session, base.own).sources)
        if base.example is not None and swap:
            example = self._known(base.example)
            found = {"rgb": example.rgb_path, "thermal": example.thermal_path}
            return {sense: path for sense, path in found.items() if path is not None}
        return {}

    def pair(self, session: str, order: Order) -> Pair:
        """Return the pictures that are meant; raises Refused if they are not kept (any more)."""
        if order.own is not None:
            pair = self.own.find(session, order.own).pair
        else:
            pair = self._example(self._known(order.example).id)
        return pair.registered(order.registration) if order.registration else pair

    def look(self, session: str, order: Order) -> CrowdAnalysis:
        """Count the people, and keep the analysis for its visitor.

        Raises:
            Refused: if the pictures are no longer kept, or the network is not there.
        """
        untouched = order.registration is None and order.changes == Changes()
        if order.own is None and untouched:
            analysis = self._plain(self._known(order.example).id, order.network)
        else:
            network = counter(order.network, self.library)
            analysis = look_at(self.pair(session, order), network, order.changes)
        self.analyses.keep(session, analysis)
        return analysis

    def current(self, session: str, order: Order, name: object) -> CrowdAnalysis:
        """Return the analysis of that name; one that is no longer kept is made again."""
        try:
            return self.analyses.find(session, str(name))
        except Forgotten:
            return self.look(session, order)

    def example(self, name: str | None) -> ExamplePair | None:
        """Return an example, or None if there is none of that name."""
        return self.examples.get(name or "")

    def leave(self, session: str) -> None:
        """Forget everything of a visitor."""
        self.own.drop(session)
        self.analyses.drop(session)

    def _known(self, name: str | None) -> ExamplePair:
        example = self.example(name)
        if example is None:
            raise BadQuestion
        return example

    def _read_example(self, name: str) -> Pair:
        example = self._known(name)
        return read_pair(example.rgb_path, example.thermal_path)

    def _look_at_example(self, name: str, network: str) -> CrowdAnalysis:
        return look_at(self._example(name), counter(network, self.library))
