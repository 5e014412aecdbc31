"""The tab "Explore": a picture, a network, and the attention under the pointer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from vizattn.texts import DEFAULT_LANGUAGE, text
from vizattn.ui import canvas, downloads, surgery
from vizattn.ui.frame import QUIET, Frame, Stop, explained, language_of, session_of, warn
from vizattn.ui.links import BadLink, Link, read_link
from vizattn.ui.messages import delivered
from vizattn.ui.parts import choices_value, part
from vizattn.ui.payload import payload
from vizattn.ui.saves import save
from vizattn.ui.trust import attach, component
from vizattn.ui.uploads import uploaded
from vizattn.ui.visits import View, Visit

LEAD = '<p class="vp-lead"></p>'
"""the line that says what to do; the choices fill it"""
KEEP_ADDRESS = "() => { window.vizattn.keepAddress(); }"
FAILED = "() => { window.vizattn.failed(); }"
"""what the page does when a request got no answer, above all when too many were waiting"""


def build(frame: Frame) -> None:
    """Add the tab's components and what they listen to."""
    tab = _Explore(frame)
    with gr.Row(elem_id="vp-explore"):
        choices = part("aside", "choices")
        with gr.Column(elem_id="vp-main"):
            gr.HTML(LEAD, apply_default_css=False, elem_id="vp-lead")
            instrument = canvas.instrument(elem_id="vp-instrument")
            panel = component()
            change = surgery.panel()
    delivery = part("div", "delivery", visible="hidden")
    # The state holds ids; the pictures are in the store, which forgets them by itself.
    # It is a whole visit from the start: a picture may come before the page has said hello.
    visit = gr.State(frame.desk.invite(DEFAULT_LANGUAGE, Link()))
    surgery.listen(change, frame, visit)
    shown = [visit, choices, instrument]
    working = frame.working
    at_once = QUIET | {"queue": False, "trigger_mode": "multiple"}
    # Both at once: the choices wait for nothing, and the first look not for them.
    frame.blocks.load(tab.welcome, outputs=shown, **at_once)
    answers = (
        frame.blocks.load(tab.arrive, None, shown, **working),
        choices.example(tab.open_example, visit, shown, **working),
        choices.picture(tab.open_picture, visit, shown, **working),
        choices.network(tab.change_network, visit, shown, **working),
        choices.weights(tab.use_weights, visit, shown, **working),
        choices.grid(tab.set_grid, visit, shown, **working),
    )
    for answer in answers:
        answer.failure(None, js=FAILED, **at_once)
    attach(panel, frame, visit, instrument, answers)
    fetched = downloads.listen(choices, instrument, frame, visit)
    fetched.failure(None, js=FAILED, **at_once)
    frame.blocks.unload(tab.leave)
    frame.header.language(tab.speak, visit, shown, **at_once)
    choices.save(tab.save, visit, delivery, **working)
    canvas.on_selection(instrument, None, js=KEEP_ADDRESS)
    instrument.message(tab.tell, **QUIET)


class _Explore:
    """The tab's listeners."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.desk = frame.desk

    def welcome(self, request: gr.Request) -> list[Any]:
        """Show the choices at once, whatever happens to be waited for."""
        visit, _, _ = self._invited(request)
        words = text(visit.language, "explore.busy.example")
        return [visit, self._choices(visit), canvas.welcoming(words, visit.language)]

    def arrive(self, request: gr.Request) -> list[Any]:
        """Open what the address names, or the first example and say what was wrong with it."""
        session, (visit, link, wrong) = session_of(request), self._invited(request)
        if wrong is not None:
            warn(wrong.sentence(visit.language))
        return self._answer(visit, lambda: self._as_linked(session, visit, link))

    def _invited(self, request: gr.Request) -> tuple[Visit, Link, BadLink | None]:
        language = language_of(request, self.frame.settings)
        try:
            named = read_link(dict(request.query_params))
            return self.desk.invite(language, named), named, None
        except BadLink as wrong:
            return self.desk.invite(language, Link()), Link(), wrong

    def _as_linked(self, session: str, visit: Visit, link: Link) -> View:
        try:
            return self.desk.arrive(session, visit, link)
        except BadLink as wrong:
            warn(wrong.sentence(visit.language))
            first = self.desk.invite(visit.language, Link())
            return self.desk.arrive(session, first, Link())

    def open_example(self, visit: Visit, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Show an example with its own network."""
        session = session_of(request)
        return self._answer(
            visit,
            lambda: self.desk.open_example(session, visit, event.example, event.selection),
        )

    def open_picture(self, visit: Visit, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Show an uploaded picture with the chosen network."""
        session = session_of(request)
        return self._answer(
            visit,
            lambda: self.desk.open_picture(session, visit, uploaded(event.path), event.selection),
        )

    def change_network(self, visit: Visit, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Show the same picture, and the same place, with another network."""
        session = session_of(request)
        return self._answer(
            visit,
            lambda: self.desk.change_network(session, visit, event.network, event.selection),
        )

    def use_weights(self, visit: Visit, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Show the same picture with the visitor's own weights; the file is not kept."""
        session = session_of(request)

        def look() -> View:
            path = uploaded(event.path)
            try:
                return self.desk.use_weights(session, visit, path, event.selection)
            finally:
                path.unlink(missing_ok=True)

        return self._answer(visit, look)

    def set_grid(self, visit: Visit, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Show the same picture with the grid of tokens that the visitor knows."""
        session = session_of(request)
        return self._answer(
            visit, lambda: self.desk.set_grid(session, visit, event.grid, event.selection)
        )

    def speak(self, visit: Visit, event: gr.EventData) -> list[Any]:
        """Put everything on show into another language, even what is no longer kept."""
        spoken = self.desk.speak(visit, event.language)
        return [spoken, self._choices(spoken), canvas.spoken(spoken.language)]

    def save(self, visit: Visit, event: gr.EventData, request: gr.Request) -> Any:
        """Make a file of the view on show and hand it to the browser."""
        try:
            with explained(visit.language):
                analysis = self.desk.current(session_of(request), visit)
                example = self.desk.examples.get(visit.example or "")
                path = save(event.kind, analysis, event.selection, visit.language, example)
                return {"file": delivered(path), "serial": path.parent.name}
        except Stop as stop:
            warn(str(stop))
            return gr.skip()

    def tell(self, event: gr.EventData) -> None:
        """Show what the instrument has to say."""
        warn(event.text)

    def leave(self, request: gr.Request) -> None:
        """Forget a visitor's pictures."""
        self.desk.store.drop(session_of(request))

    def _answer(self, visit: Visit, make: Callable[[], View]) -> list[Any]:
        """Return what is shown after a request; where it is refused, what was shown before."""
        try:
            with explained(visit.language):
                view = make()
                sent = payload(view.analysis, view.selection, view.visit.grids)
                shown = canvas.shown(sent, view.visit.language)
                return [view.visit, self._choices(view.visit), shown]
        except Stop as stop:
            warn(str(stop))
            return [visit, self._choices(visit), canvas.waiting(None, visit.language)]

    def _choices(self, visit: Visit) -> str:
        return choices_value(self.desk, visit, self.frame.settings)
