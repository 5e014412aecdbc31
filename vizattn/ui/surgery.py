"""The panel "What changes": other attention in the place of the network's own, before and after.

assets/surgery.js asks one question at a time, as the event "operate", and gets one message for
each as the component's value, whose ``turn`` is the question's; what it says is in a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from vizattn.analysis import Analysis
from vizattn.surgery.difference import Difference
from vizattn.surgery.operating import operate
from vizattn.surgery.operations import Operation, Paint, UnknownOperation, operation
from vizattn.surgery.painting import Stroke
from vizattn.texts import DEFAULT_LANGUAGE, LANGUAGES
from vizattn.ui import canvas
from vizattn.ui.frame import Frame, explained, session_of, warn
from vizattn.ui.payload import class_words, prediction_numbers
from vizattn.ui.visits import Visit

ENTRY = "surgery.js"
MOUNT = "vs-mount"
AREAS = ("canvas", "surgery")
MOST_SITES, MOST_STROKES, MOST_POINTS = 64, 400, 20_000
_CLASSES = 6
Json = dict[str, Any]

_LOAD = """
const surgery = (() => {
%(bundle)s
})();
if (!document.getElementById("vs-style")) {
  const style = document.createElement("style");
  style.id = "vs-style";
  style.textContent = %(style)s;
  document.head.append(style);
}
const panel = surgery.mount({
  texts: %(texts)s,
  instrument: () => window.vizattn.instrument(),
  send: (question) => trigger('operate', question),
});
element.surgery = panel;
watch('value', () => props.value && panel.receive(props.value));
"""
FAILED = "() => document.querySelector('.vs-mount')?.parentElement?.surgery?.failed()"


class _Stop(Exception):
    """A sentence for the visitor; what is on show stays."""


def panel() -> gr.HTML:
    """Return the component."""
    return gr.HTML(
        None,
        html_template=f'<div class="{MOUNT}"></div>',
        js_on_load=_script(),
        apply_default_css=False,
        elem_id="vp-surgery",
    )


def listen(component: gr.HTML, frame: Frame, visit: gr.State) -> None:
    """Answer the panel of a tab whose visitors have something open."""
    answers = _Answers(frame)
    settings: Json = {"show_progress": "hidden", "api_visibility": "private"}
    asked = component.operate(
        answers.operate,
        visit,
        component,
        concurrency_id="analysis",
        concurrency_limit=frame.settings.concurrency,
        trigger_mode="multiple",
        **settings,
    )
    asked.failure(None, js=FAILED, queue=False, **settings)


class _Answers:
    """The panel's listeners."""

    def __init__(self, frame: Frame) -> None:
        self.desk = frame.desk

    def operate(self, visit: Visit, event: gr.EventData, request: gr.Request) -> canvas.Value:
        """Run the open picture's network with what the visitor wants changed."""
        question = dict(event._data or {})
        try:
            with explained(_language(question), _Stop):
                before = self.desk.current(session_of(request), visit)
                if before.id != question.get("analysis"):
                    return _message(question)
                changes = read_changes(question.get("changes"), before)
                after = operate(before.network, before.picture, changes)
                found = answer(Difference(before, after))
                encoded = json.dumps(found, ensure_ascii=False).encode()
                return _message(question, file=canvas.filed(encoded, "change.json"))
        except _Stop as stop:
            warn(str(stop))
            return _message(question)


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


def _message(question: Json, **parts: Any) -> canvas.Value:
    """Return what answers a question; without parts it says that it was refused."""
    turn = {"turn": question.get("turn"), "ok": bool(parts)}
    return canvas.message(DEFAULT_LANGUAGE, **turn, **parts)


def _language(question: Json) -> str:
    language = question.get("language")
    return language if language in LANGUAGES else DEFAULT_LANGUAGE


def texts_of(language: str) -> dict[str, str]:
    """Return the words of the panel in a language."""
    return {
        name: words for area in AREAS for name, words in canvas.texts_of(language, area).items()
    }


def _script() -> str:
    return _LOAD % {
        "bundle": canvas.bundle(ENTRY),
        "texts": json.dumps({one: texts_of(one) for one in LANGUAGES}, ensure_ascii=False),
        "style": json.dumps((canvas.ASSETS / "surgery.css").read_text(encoding="utf-8")),
        "mount": MOUNT,
    }
