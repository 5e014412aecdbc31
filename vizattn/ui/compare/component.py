"""The comparison's component: assets/compare.js mounted in Gradio, one question at a time."""

from __future__ import annotations

from typing import Any

import gradio as gr

from models.weights import Card
from vizattn.labels import mechanism_label, metric_label
from vizattn.ui.compare.together import together
from vizattn.ui.encoding import spoken
from vizattn.ui.mounting import Script, colormaps
from vizattn.ui.parts import thumbnail
from vizattn.ui.visits import Desk

Json = dict[str, Any]

SCRIPT = Script(
    entry="compare.js",
    place="vm-mount",
    styles=("canvas.css", "compare.css"),
    areas=("canvas", "compare"),
    own="""
const tab = mount(place, {
  ...given,
  language: spoken(),
  send: (question) => trigger('ask', { ...question, language: tab.language }),
  upload: (file) => upload(file),
});
element.compare = tab;
beTab(tab);
listen(tab);
""",
)
FAILED = "() => document.querySelector('.vm-mount')?.parentElement?.compare?.failed()"


def component(desk: Desk) -> gr.HTML:
    """Return the component, which offers what a desk has."""
    given = {"colormaps": colormaps(), "offer": offer_of(desk)}
    return SCRIPT.component(given=given, elem_id="vp-compare")


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
