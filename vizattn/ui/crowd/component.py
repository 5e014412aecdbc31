"""The crowd tab's instrument: assets/crowd.js mounted in one Gradio component.

The browser asks one question at a time, as the event "ask", and gets one message for each as the
component's value, whose ``turn`` is the question's; see ``vizattn.ui.canvas`` for how Gradio
carries values. Larger answers are files that the browser fetches.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from vizattn.texts import DEFAULT_LANGUAGE, LANGUAGES
from vizattn.ui import canvas

ENTRY = "crowd.js"
MOUNT = "vc-mount"
AREAS = ("canvas", "crowd_page")
"""of the catalogue: a text of the later one stands before one of the same name"""
Json = dict[str, Any]

_LOAD = """
const crowd = (() => {
%(bundle)s
})();
for (const [id, text] of %(styles)s) {
  if (document.getElementById(id)) continue;
  const style = document.createElement("style");
  style.id = id;
  style.textContent = text;
  document.head.append(style);
}
const spoken = () => (document.documentElement.lang.startsWith("zh") ? "zh" : "en");
const place = element.querySelector(".%(mount)s");
const instrument = crowd.mount(place, {
  texts: %(texts)s,
  language: spoken(),
  colormaps: %(colormaps)s,
  offer: %(offer)s,
  send: (question) => trigger('ask', { ...question, language: instrument.language }),
  upload: (file) => upload(file),
  onMessage: (text) => trigger('message', { text }),
  onProjector: (on) => document.body.classList.toggle("va-projector-page", on),
});
window.vizattn?.addTab(instrument);
new MutationObserver(() => {
  if (spoken() !== instrument.language) instrument.setLanguage(spoken());
}).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
const follow = () => {
  const on = document.body.classList.contains("va-projector-page");
  if (on !== instrument.desk.projecting) instrument.setProjector(on);
};
new MutationObserver(follow)
  .observe(document.body, { attributes: true, attributeFilter: ["class"] });
follow();
watch('value', () => props.value && instrument.receive(props.value));
"""


def instrument(offer: Json) -> gr.HTML:
    """Return the component.

    Args:
        offer: what the column of choices offers: "examples", "networks" and "limit" in MB, with
            words by language.
    """
    return gr.HTML(
        None,
        html_template=f'<div class="{MOUNT}"></div>',
        js_on_load=_script(offer),
        apply_default_css=False,
        elem_id="vp-crowd",
    )


def answer(question: Json, **parts: Any) -> canvas.Value:
    """Return the message that answers a question; without parts it says that it was refused."""
    turn = {"turn": question.get("turn"), "ok": bool(parts)}
    return canvas.message(DEFAULT_LANGUAGE, **turn, **parts)


def texts_of(language: str) -> dict[str, str]:
    """Return the words of the crowd tab in a language."""
    return {
        name: words for area in AREAS for name, words in canvas.texts_of(language, area).items()
    }


def _script(offer: Json) -> str:
    styles = ("canvas.css", "crowd.css")
    parts = {
        "bundle": canvas.bundle(ENTRY),
        "texts": json.dumps({one: texts_of(one) for one in LANGUAGES}, ensure_ascii=False),
        "styles": json.dumps([[_style_id(name), _read(name)] for name in styles]),
        "colormaps": _read("colormaps.json"),
        "offer": json.dumps(offer, ensure_ascii=False),
        "mount": MOUNT,
    }
    return _LOAD % parts


def _style_id(name: str) -> str:
    # The instrument of the other tab brings its own style sheet under this name.
    return "va-style" if name == "canvas.css" else f"vc-style-{name.removesuffix('.css')}"


def _read(name: str) -> str:
    return (canvas.ASSETS / name).read_text(encoding="utf-8")
