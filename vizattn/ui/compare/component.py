"""The comparison's component: assets/compare.js mounted in Gradio, one question at a time."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from models.weights import Card
from vizattn.labels import mechanism_label, metric_label
from vizattn.texts import DEFAULT_LANGUAGE, LANGUAGES
from vizattn.ui import canvas
from vizattn.ui.compare.together import together
from vizattn.ui.encoding import spoken
from vizattn.ui.parts import thumbnail
from vizattn.ui.visits import Desk

ENTRY = "compare.js"
MOUNT = "vm-mount"
AREAS = ("canvas", "compare")
Json = dict[str, Any]

_LOAD = """
const compare = (() => {
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
const tab = compare.mount(element.querySelector(".%(mount)s"), {
  texts: %(texts)s,
  language: spoken(),
  colormaps: %(colormaps)s,
  offer: %(offer)s,
  send: (question) => trigger('ask', { ...question, language: tab.language }),
  upload: (file) => upload(file),
});
element.compare = tab;
window.vizattn?.addTab(tab);
new MutationObserver(() => {
  if (spoken() !== tab.language) tab.setLanguage(spoken());
}).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
watch('value', () => props.value && tab.receive(props.value));
"""
FAILED = "() => document.querySelector('.vm-mount')?.parentElement?.compare?.failed()"


def component(desk: Desk) -> gr.HTML:
    """Return the component, which offers what a desk has."""
    return gr.HTML(
        None,
        html_template=f'<div class="{MOUNT}"></div>',
        js_on_load=_script(offer_of(desk)),
        apply_default_css=False,
        elem_id="vp-compare",
    )


def offer_of(desk: Desk) -> Json:
    """Return the examples and networks that are offered, with words in every language."""
    return {
        "limit": desk.settings.max_upload_mb,
        "examples": [
            {
                "id": each.id,
                "title": each.title,
                "at": each.at,
                "network": each.network,
                "thumbnail": thumbnail(each.path),
            }
            for each in desk.examples.values()
        ],
        "networks": [_network(name, card) for name, card in desk.networks().items()],
        "together": together(desk.networks(), desk.examples),
    }


def _network(name: str, card: Card) -> Json:
    return {
        "name": name,
        "task": card.task,
        "title": spoken(lambda language: mechanism_label(language, card)),
        "metric": spoken(lambda language: _metric(language, card)),
        "cost": card.facts.get("cost"),
    }


def _metric(language: str, card: Card) -> str:
    # Others' networks were not measured here.
    return "" if card.foreign else metric_label(language, card.metric)


def texts_of(language: str) -> dict[str, str]:
    """Return the words of the tab in a language."""
    return {
        name: words for area in AREAS for name, words in canvas.texts_of(language, area).items()
    }


def answer(question: Json, **parts: Any) -> canvas.Value:
    """Return the message that answers a question; without parts it says that it was refused."""
    turn = {"turn": question.get("turn"), "ok": bool(parts)}
    return canvas.message(DEFAULT_LANGUAGE, **turn, **parts)


def _script(offer: Json) -> str:
    styles = (("va-style", "canvas.css"), ("vm-style", "compare.css"))
    return _LOAD % {
        "bundle": canvas.bundle(ENTRY),
        "texts": json.dumps({one: texts_of(one) for one in LANGUAGES}, ensure_ascii=False),
        "styles": json.dumps([[name, _read(file)] for name, file in styles]),
        "colormaps": _read("colormaps.json"),
        "offer": json.dumps(offer, ensure_ascii=False),
        "mount": MOUNT,
    }


def _read(name: str) -> str:
    return (canvas.ASSETS / name).read_text(encoding="utf-8")
