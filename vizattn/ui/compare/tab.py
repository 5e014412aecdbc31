"""The tab "Compare": answers what its component in the browser asks."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from vizattn.analysis import Analysis, look
from vizattn.facts import summary
from vizattn.intake import read_picture
from vizattn.networks import Library
from vizattn.store import Store
from vizattn.texts import DEFAULT_LANGUAGE, LANGUAGES, Refused
from vizattn.ui import canvas
from vizattn.ui.compare import component
from vizattn.ui.frame import Frame, explained, session_of, warn
from vizattn.ui.links import BadLink
from vizattn.ui.payload import payload
from vizattn.ui.uploads import uploaded
from vizattn.ui.visits import WORKING_PIXELS
from vizattn.views import Selection

MOST = 6
"""networks side by side"""
_KEPT, _ALL_KEPT = MOST, 48
Json = dict[str, Any]


class _Stop(Exception):
    """A sentence for the visitor; what is on show stays."""


class BadComparison(Refused):
    """A browser asks for what is not offered."""


def offered(library: Library) -> bool:
    """Return whether there are two networks to compare."""
    return sum(bool(card.mechanism) for card in library.cards().values()) > 1


def build(frame: Frame) -> None:
    """Add the tab's component and what it listens to."""
    tab = _Compare(frame)
    shown = component.component(frame.desk)
    settings: Json = {"show_progress": "hidden", "api_visibility": "private"}
    asked = shown.ask(
        tab.answer,
        outputs=shown,
        concurrency_id="analysis",
        concurrency_limit=frame.settings.concurrency,
        trigger_mode="multiple",
        **settings,
    )
    asked.failure(None, js=component.FAILED, queue=False, **settings)
    frame.blocks.unload(tab.leave)


class _Compare:
    """The tab's listeners."""

    def __init__(self, frame: Frame) -> None:
        self.desk = frame.desk
        seconds = 60 * frame.settings.session_minutes
        self.own: Store[Analysis] = Store(_KEPT, _ALL_KEPT, seconds)

    def answer(self, event: gr.EventData, request: gr.Request) -> canvas.Value:
        """Answer one question; a refused one is answered too, and what is on show stays."""
        question = dict(event._data or {})
        try:
            with explained(_language(question), _Stop):
                if question.get("kind") == "save":
                    return component.answer(question, **self._save(session_of(request), question))
                analysis = self._look(session_of(request), question)
                encoded = json.dumps(payload(analysis, {}), ensure_ascii=False).encode()
                file = canvas.filed(encoded, "comparison.json")
                return component.answer(question, file=file, own=analysis.id)
        except _Stop as stop:
            warn(str(stop))
            return component.answer(question)

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
        """Write the facts of everything that is compared into one file."""
        names = question.get("analyses")
        if not isinstance(names, list) or not 0 < len(names) <= MOST:
            raise BadComparison("compare.nothing")
        at, language = question.get("at"), _language(question)
        place = None if at is None else (float(at[0]), float(at[1]))
        found = [self.own.find(session, str(name)) for name in names]
        facts = [summary(each, Selection(at=place), language) for each in found]
        encoded = json.dumps(facts, ensure_ascii=False).encode()
        return {"file": canvas.filed(encoded, "comparison.json")}


def _language(question: Json) -> str:
    language = question.get("language")
    return language if language in LANGUAGES else DEFAULT_LANGUAGE
