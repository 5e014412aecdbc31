"""The crowd tab's instrument: assets/crowd.js mounted in one Gradio component.

The browser asks one question at a time, as the event "ask"; larger answers are files.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from vizattn.ui.mounting import Script, colormaps

Json = dict[str, Any]

SCRIPT = Script(
    entry="crowd.js",
    place="vc-mount",
    styles=("canvas.css", "crowd.css"),
    areas=("canvas", "crowd_page"),
    own="""
const instrument = mount(place, {
  ...given,
  language: spoken(),
  send: (question) => trigger('ask', { ...question, language: instrument.language }),
  upload: (file) => upload(file),
  onMessage: (text) => trigger('message', { text }),
  onProjector: (on) => document.body.classList.toggle("va-projector-page", on),
});
beTab(instrument);
followProjector(instrument);
listen(instrument);
""",
)


def instrument(offer: Json) -> gr.HTML:
    """Return the component.

    Args:
        offer: what the column of choices offers: "examples", "networks" and "limit" in MB, with
            words by language.
    """
    return SCRIPT.component(given={"colormaps": colormaps(), "offer": offer}, elem_id="vp-crowd")
