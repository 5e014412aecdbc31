"""The panel "Trust" under the picture: class maps, and what a map is worth against controls."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import Dependency

from vizattn.analysis import Analysis
from vizattn.attention import PlaceAffinity
from vizattn.cam.class_map import name_of_class
from vizattn.cam.making import with_class_map
from vizattn.cam.methods import METHODS
from vizattn.labels import site_label
from vizattn.texts import DEFAULT_LANGUAGE
from vizattn.trials.trying import Effort, trust
from vizattn.ui import canvas
from vizattn.ui.encoding import spoken
from vizattn.ui.frame import QUIET, Frame, Stop, explained, session_of, warn
from vizattn.ui.messages import Value, message
from vizattn.ui.mounting import Script
from vizattn.ui.payload import payload
from vizattn.ui.trust_maps import selection_of
from vizattn.ui.visits import Visit
from vizattn.ui.waiting import Stopped, stepwise
from vizattn.views import Selection, resolve

EFFORTS = {"quick": Effort(3, 8, 4), "thorough": Effort(5, 12, 5)}
Json = dict[str, Any]

SCRIPT = Script(
    entry="trust/index.js",
    place="vt-mount",
    styles=("trust/trust.css",),
    areas=("trust",),
    own="""
const panel = mount(place, {
  ...given,
  language: spoken(),
  current: () => window.vizattn?.selection() ?? {},
  send: (name, question) => trigger(name, question),
  made: (site, tries = 20) => {
    // The address names what is on show, which takes a moment to arrive.
    if (window.vizattn?.selection().site === site) window.vizattn.keepAddress();
    else if (tries) setTimeout(() => panel.options.made(site, tries - 1), 250);
  },
});
// Under the picture that it is about, and not under the column of facts beside it.
const settle = () => {
  const under = window.vizattn?.instrument()?.desk.under;
  if (under && !under.contains(panel.root)) under.append(panel.root);
};
document.addEventListener("vizattn:shown", settle);
settle();
followLanguage(panel);
followProjector(panel);
listen(panel);
if (props.value) panel.receive(props.value);
""",
)


def component() -> gr.HTML:
    """Return the panel's component, empty until it hears of an analysis."""
    methods = [[name, each.title] for name, each in METHODS.items()]
    return SCRIPT.component(given={"methods": methods}, elem_id="vp-trust")


def attach(
    panel: gr.HTML,
    frame: Frame,
    visit: gr.State,
    instrument: gr.HTML,
    answers: Sequence[Dependency],
) -> None:
    """Let the panel hear of every new analysis, make class maps and put maps on trial.

    Args:
        panel: the component.
        frame: the page.
        visit: what the visitor has open.
        instrument: where class maps are shown.
        answers: the events that put another analysis on show.
    """
    tab = _Trust(frame)
    for answer in answers:
        answer.then(tab.renew, visit, panel, queue=False, **QUIET)
    # Trials take long: they wait for each other, and pictures do not wait for them.
    long = QUIET | {"concurrency_id": "trust", "concurrency_limit": 1, "trigger_mode": "multiple"}
    panel.cam(tab.make_map, visit, [instrument, panel], **long)
    panel.ask(tab.put_on_trial, visit, panel, **long)
    panel.stop(tab.stop, None, None, queue=False, trigger_mode="multiple", **QUIET)
    frame.blocks.unload(tab.leave)


class _Trust:
    """The panel's listeners."""

    def __init__(self, frame: Frame) -> None:
        self.desk = frame.desk
        self._stopped: dict[str, int] = {}
        self._lock = threading.Lock()

    def renew(self, visit: Visit, request: gr.Request) -> Value:
        """Tell the panel what there is to choose from in the analysis on show."""
        with explained(visit.language):
            return message(DEFAULT_LANGUAGE, offer=_offer(self._current(visit, request)))

    def make_map(
        self, visit: Visit, event: gr.EventData, request: gr.Request
    ) -> Iterator[list[Any]]:
        """Make a class map, show how far it is, and put it on show beside the other sites."""
        question = dict(event._data or {})
        try:
            with explained(visit.language):
                analysis = self._current(visit, request)
                target, layer = question.get("target"), question.get("layer") or None
                work = stepwise(
                    lambda progress: with_class_map(
                        analysis, str(question.get("method")), target, layer, progress
                    ),
                    self._stopping(request, question),
                )
                made = yield from self._told(work, question, lambda value: [gr.skip(), value])
                if made is None:
                    yield [gr.skip(), _message(question, stopped=True)]
                    return
                self.desk.store.keep(session_of(request), made)
                drawn = {**question.get("selection", {})}
                sent = payload(made, selection_of(made, drawn), visit.grids)
                shown = canvas.shown(sent, visit.language)
                yield [shown, _message(question, made=made.sites[-1].site)]
        except Stop as stop:
            warn(str(stop))
            yield [gr.skip(), _message(question, stopped=True)]

    def put_on_trial(
        self, visit: Visit, event: gr.EventData, request: gr.Request
    ) -> Iterator[Value]:
        """Put the map on show on trial, and tell how far it is until it is done."""
        question = dict(event._data or {})
        try:
            with explained(visit.language):
                analysis = self._current(visit, request)
                chosen = resolve(analysis, _selection(question.get("selection") or {}))
                effort = EFFORTS.get(str(question.get("effort")), EFFORTS["quick"])
                work = stepwise(
                    lambda progress: trust(
                        analysis,
                        chosen.site,
                        chosen.at,
                        chosen.head,
                        chosen.channel,
                        effort,
                        progress,
                    ),
                    self._stopping(request, question),
                )
                found = yield from self._told(work, question, lambda value: value)
                if found is None:
                    yield _message(question, stopped=True)
                    return
                about = spoken(lambda language: _about(analysis, chosen, language))
                result = found.facts() | {"about": about}
                yield _message(question, result=result)
        except Stop as stop:
            warn(str(stop))
            yield _message(question, stopped=True)

    def stop(self, event: gr.EventData, request: gr.Request) -> None:
        """End what a visitor does not want to wait for."""
        with self._lock:
            self._stopped[session_of(request)] = int(event.turn)

    def leave(self, request: gr.Request) -> None:
        """End whatever a visitor who has gone was waiting for."""
        with self._lock:
            self._stopped.pop(session_of(request), None)

    def _told(self, work: Any, question: Json, as_outputs: Any) -> Any:
        """Pass on how far some work is; returns its result, or None where it was stopped."""
        while True:
            try:
                done, total = next(work)
            except StopIteration as stop:
                return stop.value
            except Stopped:
                return None
            yield as_outputs(_message(question, progress=[done, total]))

    def _stopping(self, request: gr.Request, question: Json) -> Any:
        session, turn = session_of(request), int(question.get("turn") or 0)
        return lambda: self._stopped.get(session, -1) >= turn

    def _current(self, visit: Visit, request: gr.Request) -> Analysis:
        return self.desk.current(session_of(request), visit)


def _selection(given: Json) -> Selection:
    """Return what the browser has selected; its head "mean" is the library's none."""
    head, at = given.get("head"), given.get("at")
    return Selection(
        given.get("site"),
        None if head == "mean" else head,
        None if at is None else (float(at[0]), float(at[1])),
        given.get("channel"),
    )


def _offer(analysis: Analysis) -> Json:
    classes = analysis.network.card.classes
    return {
        "id": analysis.id,
        "sites": [each.site for each in analysis.sites],
        "classes": [spoken(partial(_name, name)) for name in classes],
    }


def _name(name: str, language: str) -> str:
    return name_of_class(language, name)


def _about(analysis: Analysis, chosen: Selection, language: str) -> str:
    """Return which map was put on trial."""
    parts = [site_label(language, analysis.site(chosen.site))]
    if chosen.at is not None and isinstance(analysis.site(chosen.site), PlaceAffinity):
        parts.append(f"({chosen.at[0]:.0f}, {chosen.at[1]:.0f})")
    return " · ".join([*parts, analysis.picture.name])


def _message(question: Json, **parts: Any) -> Value:
    return message(DEFAULT_LANGUAGE, turn=question.get("turn"), **parts)
