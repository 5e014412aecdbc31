"""The tab "Compare": answers what its component in the browser asks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import gradio as gr

from vizattn.analysis import Analysis, look
from vizattn.attention import PlaceAffinity
from vizattn.comparing import MOST, Pane, comparison, comparison_facts, comparison_script
from vizattn.geometry import Point
from vizattn.intake import read_picture
from vizattn.networks import Library
from vizattn.store import Store
from vizattn.texts import Refused
from vizattn.ui.compare import component
from vizattn.ui.frame import QUIET, Frame, session_of
from vizattn.ui.links import BadLink
from vizattn.ui.messages import Value, answered, filed, language_asked
from vizattn.ui.payload import payload
from vizattn.ui.uploads import uploaded
from vizattn.ui.visits import WORKING_PIXELS
from vizattn.views import Selection

_KEPT, _ALL_KEPT = MOST, 48
Json = dict[str, Any]


class BadComparison(Refused):
    """A browser asks for what is not offered."""


def offered(library: Library) -> bool:
    """Return whether there are two networks to compare."""
    return sum(bool(card.mechanism) for card in library.cards().values()) > 1


def build(frame: Frame) -> None:
    """Add the tab's component and what it listens to."""
    tab = _Compare(frame)
    shown = component.component(frame.desk)
    asked = shown.ask(tab.answer, outputs=shown, **frame.working)
    asked.failure(None, js=component.FAILED, queue=False, **QUIET)
    frame.blocks.unload(tab.leave)


class _Compare:
    """The tab's listeners."""

    def __init__(self, frame: Frame) -> None:
        self.desk = frame.desk
        seconds = 60 * frame.settings.session_minutes
        self.own: Store[Analysis] = Store(_KEPT, _ALL_KEPT, seconds)

    def answer(self, event: gr.EventData, request: gr.Request) -> Value:
        """Answer one question; a refused one is answered too, and what is on show stays."""
        return answered(event, lambda question: self._answer(session_of(request), question))

    def _answer(self, session: str, question: Json) -> Json:
        if question.get("kind") == "save":
            return self._save(session, question)
        analysis = self._look(session, question)
        return {"file": filed(payload(analysis, {}), "comparison.json"), "own": analysis.id}

    def leave(self, request: gr.Request) -> None:
        """Forget a visitor's pictures."""
        self.own.drop(session_of(request))

    def _look(self, session: str, question: Json) -> Analysis:
        """Look with one network: at an example, at what was just sent, or at it again."""
        name = str(question.get("network"))
        if name not in self.desk.networks():
            raise BadLink("network", name)
        network = self.desk.library.network(name)
        if question.get("example"):
            example = self.desk.examples.get(str(question["example"]))
            if example is None:
                raise BadLink("example", str(question["example"]))
            analysis = look(example.path, network)
        elif question.get("path"):
            sent = read_picture(uploaded(question["path"]), working_pixels=WORKING_PIXELS)
            analysis = look(sent, network)
        else:
            known = self.own.find(session, str(question.get("own")))
            analysis = look(known.picture, network)
        self.own.keep(session, analysis)
        return analysis

    def _save(self, session: str, question: Json) -> Json:
        """Write a figure, the facts or a script of everything that is compared into one file."""
        panes = self._panes(session, question)
        shared = question.get("scale") == "shared"
        name, write = FILES.get(str(question.get("what")), FILES["facts"])
        found_at = panes[0].analysis.picture.name
        if example := self.desk.examples.get(str(question.get("example"))):
            found_at = f"assets/examples/{example.file}"
        content = write(panes, shared, language_asked(question), found_at)
        return {"file": filed(content, name)}

    def _panes(self, session: str, question: Json) -> list[Pane]:
        asked = question.get("panes")
        if not isinstance(asked, list) or not 0 < len(asked) <= MOST:
            raise BadComparison("compare.nothing")
        at = question.get("at")
        place = None if at is None else (float(at[0]), float(at[1]))
        return [self._pane(session, each, place) for each in asked]

    def _pane(self, session: str, asked: Json, at: Point | None) -> Pane:
        """Return a look as it is shown; a token is asked for by its number."""
        analysis = self.own.find(session, str(asked.get("analysis")))
        site, token = asked.get("site"), asked.get("token")
        selection = Selection(site=site, at=at)
        if token is not None:
            captured = analysis.site(site)
            named = captured.extra if isinstance(captured, PlaceAffinity) else ()
            if not 0 <= int(token) < len(named):
                raise BadLink("token", str(token))
            selection = replace(selection, token=named[int(token)])
        return Pane(analysis, selection, asked.get("face") == "maps")


def _figure(panes: list[Pane], shared: bool, language: str, found_at: str) -> bytes:
    return comparison(panes, shared, language=language).to_png()


def _facts(panes: list[Pane], shared: bool, language: str, found_at: str) -> bytes:
    facts = comparison_facts(panes, shared, language)
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()


def _script(panes: list[Pane], shared: bool, language: str, found_at: str) -> bytes:
    return comparison_script(panes, found_at, shared, language).encode()


FILES = {
    "figure": ("comparison.png", _figure),
    "facts": ("comparison.json", _facts),
    "script": ("comparison.py", _script),
}
"""by what is asked for, the file's name and what writes it"""
