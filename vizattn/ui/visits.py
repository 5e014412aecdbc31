"""What a visitor asks of the page, answered without any Gradio: pictures, networks, languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from models.weights import Card, weights_folder
from vizattn.analysis import TASKS, Analysis, look
from vizattn.cam.making import with_named_map
from vizattn.examples import Example, examples
from vizattn.intake import read_picture
from vizattn.networks import Library
from vizattn.store import Forgotten, Store
from vizattn.texts import DEFAULT_LANGUAGE, LANGUAGES
from vizattn.ui.links import BadLink, Link

DRAWN = {"colormap": "viridis", "scale": "row", "smooth": False, "opacity": 0.75}
"""how a map is drawn until a visitor wants it otherwise"""
WORKING_PIXELS = 4_000_000
"""a visitor's larger picture is reduced to this: many are kept at a time"""
_EXAMPLES_KEPT = 24


@dataclass(frozen=True)
class Visit:
    """What one visitor has open; the picture itself is in the store.

    Args:
        language: of everything on the page.
        network: name of the chosen network.
        example: id of the open example; None while an own picture is open.
        analysis: id of what is open in the store.
    """

    language: str = DEFAULT_LANGUAGE
    network: str = ""
    example: str | None = None
    analysis: str | None = None


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

    Raises:
        ValueError: if the library has no network with attention.
        Refused: if a network's card cannot be used.
    """

    def __init__(self, library: Library, store: Store[Analysis]) -> None:
        self.library = library
        self.store = store
        if not self.networks():
            raise ValueError(f"expected bundled networks in {weights_folder()}, found none")
        self.examples = {each.id: each for each in examples()}
        self._look_at_example = lru_cache(_EXAMPLES_KEPT)(self._analyse_example)

    def networks(self) -> dict[str, Card]:
        """Return the cards of the networks that have attention to look at in one picture."""
        return {
            name: card
            for name, card in self.library.cards().items()
            if card.mechanism and card.task in TASKS
        }

    def invite(self, language: str, link: Link) -> Visit:
        """Return the visit that a link begins; raises BadLink if it names what is not here."""
        example = self._example(link)
        network = link.network or self._network_of(example)
        if network not in self.networks():
            raise BadLink("network", network)
        return Visit(language, network, example.id)

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
        visit = replace(visit, network=network, example=example.id)
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
        analysis = look(picture, self.library.network(visit.network))
        return self._keep(session, replace(visit, example=None), analysis, _drawing(drawn))

    def change_network(
        self, session: str, visit: Visit, network: str, selection: Mapping[str, Any]
    ) -> View:
        """Look at the open picture with another network, at the same place.

        Raises:
            Refused: if there is no such network, or the picture is no longer kept.
        """
        visit = replace(visit, network=network)
        if visit.example is not None:
            analysis = self._look_at_example(visit.example, network)
        else:
            picture = self.current(session, visit).picture
            analysis = look(picture, self.library.network(network))
        return self._keep(session, visit, analysis, _drawing(selection, "at"))

    def current(self, session: str, visit: Visit) -> Analysis:
        """Return what a visitor has open; raises Forgotten when a picture is no longer kept."""
        try:
            return self.store.find(session, visit.analysis or "")
        except Forgotten:
            if visit.example is None:
                raise
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
        """Return the network that an example is shown with: its own, where it is there."""
        known = self.networks()
        return example.network if example.network in known else next(iter(known))

    def _own_selection(self, example: Example, network: str) -> dict[str, Any]:
        """Return what is worth seeing of an example; another network has other sites."""
        site = example.site if network == example.network else None
        return {"site": site, "head": 0, "at": example.at and list(example.at)}

    def _analyse_example(self, name: str, network: str) -> Analysis:
        return look(self.examples[name].path, self.library.network(network))

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
