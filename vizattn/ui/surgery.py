"""The panel "What changes": other attention in the place of the network's own, before and after.

assets/surgery.js asks one question at a time, as the event "operate"; the answer is in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from vizattn.analysis import Analysis
from vizattn.surgery.difference import Difference
from vizattn.surgery.operating import operate
from vizattn.surgery.operations import Operation, Paint, UnknownOperation, operation
from vizattn.surgery.painting import Stroke
from vizattn.ui.frame import QUIET, Frame, session_of
from vizattn.ui.messages import Value, answered, filed
from vizattn.ui.mounting import Script
from vizattn.ui.payload import class_words, prediction_numbers
from vizattn.ui.visits import Visit

MOST_SITES, MOST_STROKES, MOST_POINTS = 64, 400, 20_000
_CLASSES = 6
Json = dict[str, Any]

SCRIPT = Script(
    entry="surgery.js",
    place="vs-mount",
    styles=("surgery.css",),
    areas=("canvas", "surgery"),
    own="""
const panel = mount({
  ...given,
  instrument: () => window.vizattn.instrument(),
  send: (question) => trigger('operate', question),
});
element.surgery = panel;
listen(panel);
""",
)
FAILED = "() => document.querySelector('.vs-mount')?.parentElement?.surgery?.failed()"


def panel() -> gr.HTML:
    """Return the component."""
    return SCRIPT.component(given={}, elem_id="vp-surgery")


def listen(component: gr.HTML, frame: Frame, visit: gr.State) -> None:
    """Answer the panel of a tab whose visitors have something open."""
    answers = _Answers(frame)
    asked = component.operate(answers.operate, visit, component, **frame.working)
    asked.failure(None, js=FAILED, queue=False, **QUIET)


class _Answers:
    """The panel's listeners."""

    def __init__(self, frame: Frame) -> None:
        self.desk = frame.desk

    def operate(self, visit: Visit, event: gr.EventData, request: gr.Request) -> Value:
        """Run the open picture's network with what the visitor wants changed."""
        return answered(
            event, lambda question: self._operated(session_of(request), visit, question)
        )

    def _operated(self, session: str, visit: Visit, question: Json) -> Json:
        before = self.desk.current(session, visit)
        if before.id != question.get("analysis"):
            return {}
        changes = read_changes(question.get("changes"), before)
        after = operate(before.network, before.picture, changes)
        return {"file": filed(answer(Difference(before, after)), "change.json")}


def answer(difference: Difference) -> Json:
    """Return what the browser shows of a difference, in every language."""
    return {
        "analysis": difference.before.id,
        "changed": difference.changed(),
        "after": prediction_numbers(difference.after.prediction),
        "classes": [
            {"label": class_words(each.name), "before": each.before, "after": each.after}
            for each in difference.shifts()[:_CLASSES]
        ],
        "attention": [
            {"site": moved.site, "share": moved.share} for moved in difference.attention()
        ],
    }


def read_changes(given: object, before: Analysis) -> dict[str, Operation]:
    """Return what a browser wants done, by site.

    Raises:
        UnknownOperation: if it cannot be read.
    """
    if not isinstance(given, list) or not 0 < len(given) <= MOST_SITES:
        raise UnknownOperation("surgery.unknown", given=repr(given)[:60])
    changes: dict[str, Operation] = {}
    for each in given:
        if not isinstance(each, Mapping):
            raise UnknownOperation("surgery.unknown", given=repr(each)[:60])
        written, size = str(each.get("operation")), before.framing.original
        painted = written == Paint.name
        done = Paint.strokes(_strokes(each), size) if painted else operation(written)
        changes[str(each.get("site"))] = done
    return changes


def _strokes(given: Mapping[str, Any]) -> list[Stroke]:
    try:
        strokes = list(given["strokes"])
        if len(strokes) > MOST_STROKES or sum(len(s["points"]) for s in strokes) > MOST_POINTS:
            raise ValueError
        return [
            Stroke(
                tuple((float(x), float(y)) for x, y in each["points"]),
                float(each["radius"]),
                None if each["value"] is None else float(each["value"]),
            )
            for each in strokes
        ]
    except (KeyError, TypeError, ValueError):
        raise UnknownOperation("surgery.wrong.strokes") from None
