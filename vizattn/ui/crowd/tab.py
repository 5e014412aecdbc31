"""The tab "Crowd": answers what its instrument in the browser asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from vizattn.crowd.analysis import COUNTS, CrowdAnalysis, counter
from vizattn.crowd.changes import SENSES, STAGES, Changes
from vizattn.crowd.cost import cost_of
from vizattn.crowd.laboratory import KNOBS, sweep
from vizattn.networks import Library
from vizattn.registration import suggest
from vizattn.store import Store
from vizattn.ui.crowd import component, payload
from vizattn.ui.crowd.offer import offer_of
from vizattn.ui.crowd.orders import (
    BadQuestion,
    Order,
    read_numbers,
    read_order,
    read_stage,
    registration_numbers,
)
from vizattn.ui.crowd.pairs import CrowdDesk, Opened
from vizattn.ui.crowd.saves import save
from vizattn.ui.frame import QUIET, Frame, session_of, warn
from vizattn.ui.messages import Value, answered, delivered, filed, language_asked
from vizattn.ui.uploads import uploaded

PAIRS_KEPT, ALL_PAIRS = 2, 32
ANALYSES_KEPT, ALL_ANALYSES = 2, 24
"""a visitor's and everybody's; an analysis that is not kept is made again when it is asked about"""
Json = dict[str, Any]


def offered(library: Library) -> bool:
    """Return whether there is a network that counts."""
    return any(card.task == COUNTS for card in library.cards().values())


def build(frame: Frame) -> None:
    """Add the tab's component and what it listens to."""
    seconds = 60 * frame.settings.session_minutes
    own: Store[Opened] = Store(PAIRS_KEPT, ALL_PAIRS, seconds)
    kept: Store[CrowdAnalysis] = Store(ANALYSES_KEPT, ALL_ANALYSES, seconds)
    tab = _Crowd(CrowdDesk(frame.desk.library, own, kept))
    instrument = component.instrument(offer_of(tab.desk, frame.settings))
    instrument.ask(tab.answer, outputs=instrument, **frame.working)
    instrument.message(tab.tell, **QUIET)
    frame.blocks.unload(tab.leave)


class _Crowd:
    """The tab's listeners."""

    def __init__(self, desk: CrowdDesk) -> None:
        self.desk = desk
        self.kinds: dict[str, Callable[[str, Json], Json]] = {
            "open": self._open,
            "look": self._look,
            "rows": self._rows,
            "sweep": self._sweep,
            "cost": self._cost,
            "suggest": self._suggest,
            "save": self._save,
        }

    def answer(self, event: gr.EventData, request: gr.Request) -> Value:
        """Answer one question; a refused one is answered too, and what is on show stays."""
        return answered(event, lambda question: self._answer(session_of(request), question))

    def _answer(self, session: str, question: Json) -> Json:
        kind = self.kinds.get(str(question.get("kind")))
        if kind is None:
            raise BadQuestion
        return kind(session, question)

    def tell(self, event: gr.EventData) -> None:
        """Show what the instrument has to say."""
        warn(str(event.text))

    def leave(self, request: gr.Request) -> None:
        """Forget a visitor's pictures."""
        self.desk.leave(session_of(request))

    def _open(self, session: str, question: Json) -> Json:
        """Open an example, or a visitor's own pictures, and count in them as they are."""
        asked = question.get("pair") or {}
        order = read_order(question)
        files = {sense: _file(asked[sense]) for sense in SENSES if sense in asked}
        swap = bool(asked.get("swap"))
        if files or swap:
            opened = self.desk.open(session, order, files, swap)
            order = replace(order, example=None, own=opened.id, registration=None)
        analysis = self.desk.look(session, replace(order, changes=Changes()))
        example = self.desk.example(order.example)
        shown = payload.payload(analysis) | {
            "pair": {"example": order.example, "id": order.own},
            "lead": example.note if example else None,
            "pictures": payload.pictures(analysis.pair),
            "own_registration": self._own_registration(session, order),
        }
        return {"file": filed(shown, "crowd.json")}

    def _look(self, session: str, question: Json) -> Json:
        """Count again: with another network, registration or changes."""
        order = read_order(question)
        analysis = self.desk.look(session, order)
        shown = payload.payload(analysis, _row(analysis, question.get("want")))
        shown["own_registration"] = self._own_registration(session, order)
        example = self.desk.example(order.example)
        shown["lead"] = example.note if example else None
        return {"file": filed(shown, "crowd.json")}

    def _own_registration(self, session: str, order: Order) -> list[float] | None:
        """Return how the pair's pictures lie on each other before anybody moves them."""
        pair = self.desk.pair(session, replace(order, registration=None))
        return registration_numbers(pair.registration)

    def _rows(self, session: str, question: Json) -> Json:
        analysis = self.desk.current(session, read_order(question), question.get("id"))
        stage = read_stage(question.get("stage"), STAGES)
        return {"file": filed(payload.factors(analysis, stage), "rows.bin")}

    def _sweep(self, session: str, question: Json) -> Json:
        """Count at one more value of a knob."""
        order = read_order(question)
        knob, value = str(question.get("knob")), read_numbers([question.get("value")], 1)[0]
        if knob not in KNOBS:
            raise BadQuestion
        pair, network = self.desk.pair(session, order), counter(order.network, self.desk.library)
        found = sweep(pair, network, knob, [value], order.changes)
        trusts = payload.trust_numbers(found.trusts[0])
        return {"count": float(found.counts[0]), "trusts": trusts}

    def _cost(self, session: str, question: Json) -> Json:
        analysis = self.desk.current(session, read_order(question), question.get("id"))
        return {"rows": payload.cost_numbers(cost_of(analysis))}

    def _suggest(self, session: str, question: Json) -> Json:
        pair = self.desk.pair(session, read_order(question))
        if pair.rgb is None or pair.thermal is None:
            raise BadQuestion
        found = suggest(pair.rgb, pair.thermal)
        return {
            "registration": registration_numbers(found.registration),
            "before": found.information_before,
            "after": found.information_after,
            "confident": found.confident,
        }

    def _save(self, session: str, question: Json) -> Json:
        order = read_order(question)
        analysis = self.desk.current(session, order, question.get("id"))
        path = save(
            str(question.get("what")),
            analysis,
            question.get("selection") or {},
            language_asked(question),
            self.desk.example(order.example),
        )
        return {"file": delivered(path)}


def _file(path: object) -> Path | None:
    """Return where a file is that a browser has sent; None stands for going without it."""
    return None if path is None else uploaded(path)


def _row(analysis: CrowdAnalysis, want: Any) -> Json | None:
    """Return the row that the browser shows, so that it has it before its factors."""
    if not want:
        return None
    stage, asks = read_stage(want.get("stage"), STAGES), str(want.get("asking"))
    return payload.row_numbers(analysis, stage, asks, read_numbers(want.get("at"), 2))
