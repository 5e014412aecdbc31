"""What a visitor asks of the page, answered without any Gradio: pictures, networks, languages."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.weights import Card, weights_folder
from vizattn.analysis import TASKS, Analysis
from vizattn.cam.making import with_named_map
from vizattn.examples import Example, examples
from vizattn.intake import read_picture
from vizattn.networks import Library, Network
from vizattn.store import Forgotten, Store
from vizattn.texts import DEFAULT_LANGUAGE, LANGUAGES, Refused
from vizattn.ui.links import BadLink, Link
from vizattn.ui.looks import Grids, Once, look_again, look_for
from vizattn.ui.settings import Settings

DRAWN = {"colormap": "viridis", "scale": "row", "smooth": False, "opacity": 0.75}
"""how a map is drawn until a visitor wants it otherwise"""
WORKING_PIXELS = 4_000_000
"""a visitor's larger picture is reduced to this: many are kept at a time"""
_EXAMPLES_KEPT = 24
_OWN_KEPT = 4
"""networks with visitors' own weights that are kept at a time: each may take half a gigabyte"""


class NotHere(Refused):
    """A network's weights are not downloaded yet, and a look is not the time to do that."""


class NotAllowed(Refused):
    """Whoever runs the page does not want that."""


@dataclass(frozen=True)
class OwnWeights:
    """Which of a session's own weights are in use.

    Args:
        id: under which they are kept.
        file: what the file was called.
    """

    id: str
    file: str


@dataclass(frozen=True)
class OwnNetwork:
    """A network with a visitor's own weights.

    Args:
        network: the network.
        id: an unguessable name.
    """

    network: Network
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@dataclass(frozen=True)
class Visit:
    """What one visitor has open; the picture itself is in the store.

    Args:
        language: of everything on the page.
        network: name of the chosen network.
        example: id of the open example; None while an own picture is open.
        analysis: id of what is open in the store.
        weights: the visitor's own ones, where the network has these.
        grids: rows and columns of tokens that the visitor has set, by site.
    """

    language: str = DEFAULT_LANGUAGE
    network: str = ""
    example: str | None = None
    analysis: str | None = None
    weights: OwnWeights | None = None
    grids: Grids = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """What is to be shown: a visit, what was analysed in it, and what is selected there."""

    visit: Visit
    analysis: Analysis
    selection: dict[str, Any] = field(default_factory=dict)


class Desk:
    """Answers visitors: opens pictures, runs networks and keeps what they look at.

    Args:
        library: the networks.
        store: where the visitors' analyses are kept.
        settings: what the page allows.

    Raises:
        ValueError: if the library has no network with attention.
        Refused: if a network's card cannot be used.
    """

    def __init__(
        self, library: Library, store: Store[Analysis], settings: Settings | None = None
    ) -> None:
        self.library = library
        self.store = store
        self.settings = settings or Settings()
        seconds = 60 * self.settings.session_minutes
        self._own: Store[OwnNetwork] = Store(each=1, total=_OWN_KEPT, seconds=seconds)
        if not self.networks():
            raise ValueError(f"expected bundled networks in {weights_folder()}, found none")
        self.examples = {each.id: each for each in examples()}
        self._look_at_example = Once(self._analyse_example, _EXAMPLES_KEPT)

    def networks(self) -> dict[str, Card]:
        """Return the cards of the networks that can be looked at now."""
        theirs = self.library.pretrained()
        return self._bundled() | {n: card for n, card in theirs.items() if self.library.here(n)}

    def offered(self) -> dict[str, Card]:
        """Return the cards of all networks, also of those that must be downloaded first."""
        if not self.settings.downloads:
            return self.networks()
        return self._bundled() | self.library.pretrained()

    def _bundled(self) -> dict[str, Card]:
        """Return the cards of our networks that have attention to look at in one picture."""
        return {
            name: card
            for name, card in self.library.cards().items()
            if (card.mechanism or card.foreign) and card.task in TASKS
        }

    def network(self, name: str) -> Network:
        """Return a network that can be looked at now; raises Refused where it cannot."""
        if not self.library.here(name):
            raise NotHere("zoo.not_here", name=name)
        return self.library.network(name)

    def check_download(self, name: str) -> str:
        """Return what a network is called; raises Refused where it may not be downloaded."""
        if not self.settings.downloads and not self.library.here(name):
            raise NotAllowed("zoo.no_downloads")
        card = self.library.card(name)
        return str(card.facts.get("title", card.name))

    def invite(self, language: str, link: Link) -> Visit:
        """Return the visit that a link begins; raises BadLink if it names what is not here."""
        example = self._example(link)
        network = link.network or self._network_of(example)
        if network not in self.networks():
            raise BadLink("network", network)
        return Visit(language, network, example.id)

    def look_ahead(self) -> None:
        """Look at what a visitor without a link sees first, so that nobody waits for it."""
        first = self._example(Link())
        self._look_at_example(first.id, self._network_of(first))

    def arrive(self, session: str, visit: Visit, link: Link) -> View:
        """Open the example of a visit as a link has it: by default with its own view.

        Raises:
            BadLink: if the link selects what is not there.
        """
        example = self.examples[str(visit.example)]
        own = DRAWN | self._own_selection(example, visit.network)
        analysis = self._look_at_example(example.id, visit.network)
        analysis = with_named_map(analysis, link.selection.get("site"))
        _check_link(link, analysis)
        return self._keep(session, visit, analysis, own | link.selection)

    def speak(self, visit: Visit, language: object) -> Visit:
        """Return a visit in another language; one that is not spoken here changes nothing."""
        return replace(visit, language=language) if language in LANGUAGES else visit

    def open_example(self, session: str, visit: Visit, name: str, drawn: Mapping[str, Any]) -> View:
        """Open an example with its own network and the row that is worth seeing; raises BadLink."""
        example = self._example(Link(example=name))
        network = self._network_of(example)
        visit = replace(visit, network=network, example=example.id, weights=None, grids={})
        analysis = self._look_at_example(example.id, network)
        own = self._own_selection(example, network)
        return self._keep(session, visit, analysis, _drawing(drawn) | own)

    def open_picture(
        self, session: str, visit: Visit, source: Path, drawn: Mapping[str, Any]
    ) -> View:
        """Open a visitor's own picture with the chosen network.

        Raises:
            Refused: if the picture cannot be used.
        """
        picture = read_picture(source, working_pixels=WORKING_PIXELS)
        analysis = look_for(picture, self._network(session, visit))
        visit = replace(visit, example=None, grids={})
        return self._keep(session, visit, analysis, _drawing(drawn))

    def change_network(
        self, session: str, visit: Visit, network: str, selection: Mapping[str, Any]
    ) -> View:
        """Look at the open picture with another network, at the same place.

        Raises:
            Refused: if there is no such network, or the picture is no longer kept.
        """
        shown, visit = visit, replace(visit, network=network, weights=None, grids={})
        if visit.example is not None:
            analysis = self._look_at_example(visit.example, network)
        else:
            picture = self.current(session, shown).picture
            analysis = look_for(picture, self.network(network))
        return self._keep(session, visit, analysis, _drawing(selection, "at"))

    def use_weights(
        self, session: str, visit: Visit, source: Path, selection: Mapping[str, Any]
    ) -> View:
        """Look at the open picture with a visitor's own weights for the chosen network.

        Raises:
            Refused: if that is not allowed, the file does not fit, or the picture is not kept.
        """
        if not self.settings.allow_weights:
            raise NotAllowed("zoo.own_off")
        largest = self.settings.max_weights_mb * 1024**2
        picture = self.current(session, visit).picture
        own = OwnNetwork(self.library.with_weights(visit.network, source, largest))
        weights = OwnWeights(self._own.keep(session, own), source.name)
        visit = replace(visit, weights=weights, grids={})
        analysis = look_for(picture, own.network)
        return self._keep(session, visit, analysis, _drawing(selection, "at"))

    def set_grid(
        self, session: str, visit: Visit, asked: object, selection: Mapping[str, Any]
    ) -> View:
        """Look at the open picture again with the grid of tokens that a visitor knows.

        Args:
            session: the visitor.
            visit: what is open.
            asked: {"sites", "rows", "columns"}; without the numbers these sites are as found.
            selection: what is selected; it stays.

        Raises:
            Refused: if it cannot be read, or the tokens do not fill such a grid.
        """
        before = self.current(session, visit)
        analysis, grids = look_again(before, self._network(session, visit), visit.grids, asked)
        chosen = _drawing(selection, "site", "head", "at")
        return self._keep(session, replace(visit, grids=grids), analysis, chosen)

    def _network(self, session: str, visit: Visit) -> Network:
        """Return a visit's network; raises Forgotten where its own weights are no longer kept."""
        if visit.weights is not None:
            return self._own.find(session, visit.weights.id).network
        return self.network(visit.network)

    def current(self, session: str, visit: Visit) -> Analysis:
        """Return what a visitor has open; raises Forgotten when a picture is no longer kept."""
        try:
            return self.store.find(session, visit.analysis or "")
        except Forgotten:
            if visit.example is None:
                raise
            if visit.weights is not None or visit.grids:
                example = self.examples[visit.example]
                analysis = look_for(example.path, self._network(session, visit), visit.grids)
            else:
                analysis = self._look_at_example(visit.example, visit.network)
            self.store.keep(session, analysis)
            return analysis

    def _example(self, link: Link) -> Example:
        if link.example is None:
            return next(iter(self.examples.values()))
        if link.example not in self.examples:
            raise BadLink("example", link.example)
        return self.examples[link.example]

    def _network_of(self, example: Example) -> str:
        """Return what an example is shown with: a module that was brought, else its own."""
        known = self.networks()
        if self.library.first is not None:
            return self.library.first
        return example.network if example.network in known else next(iter(known))

    def _own_selection(self, example: Example, network: str) -> dict[str, Any]:
        """Return what is worth seeing of an example; another network has other sites."""
        site = example.site if network == example.network else None
        return {"site": site, "head": 0, "at": example.at and list(example.at)}

    def _analyse_example(self, name: str, network: str) -> Analysis:
        return look_for(self.examples[name].path, self.network(network))

    def _keep(
        self, session: str, visit: Visit, analysis: Analysis, selection: Mapping[str, Any]
    ) -> View:
        name = self.store.keep(session, analysis)
        chosen = dict(selection)
        if chosen.get("at") is None:
            width, height = analysis.framing.original
            chosen["at"] = [width / 2, height / 2]
        return View(replace(visit, analysis=name), analysis, chosen)


def _drawing(selection: Mapping[str, Any], *more: str) -> dict[str, Any]:
    """Return how a selection is drawn, and no more of what it selects than is named."""
    return DRAWN | {key: selection[key] for key in (*DRAWN, *more) if key in selection}


def _check_link(link: Link, analysis: Analysis) -> None:
    """Raise BadLink if a link's selection is not in the analysis that it opened."""
    site, at = link.selection.get("site"), link.selection.get("at")
    if site is not None and site not in {each.site for each in analysis.sites}:
        raise BadLink("site", site)
    if at is not None and not analysis.framing.contains((at[0], at[1])):
        raise BadLink("at", f"{at[0]:g},{at[1]:g}")
