"""The instrument of the page: assets/canvas.js mounted in one Gradio component.

A message without a payload leaves the picture on show as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import gradio as gr
from gradio.events import Dependency

from vizattn.texts import DEFAULT_LANGUAGE, LANGUAGES
from vizattn.ui.messages import Value, filed, message
from vizattn.ui.mounting import Script, colormaps

EVENT = "selection"

SCRIPT = Script(
    entry="canvas.js",
    place="va-mount",
    styles=("canvas.css", "under.css"),
    areas=("canvas",),
    own="""
const instrument = mount(place, {
  payload: null,
  texts: given.texts[given.language],
  language: given.language,
  colormaps: given.colormaps,
  onSelection: (selection) => trigger('selection', selection),
  onMessage: (text) => trigger('message', { text }),
});
element.vizattn = instrument;
let { language } = given;
place.addEventListener("vizattn:projector", (event) => {
  document.body.classList.toggle("va-projector-page", event.detail.on);
});
followProjector(instrument);
let latest = 0;
const show = async (file, serial) => {
  latest = serial;
  const payload = file && await fetch(file.url).then((answer) => {
    if (!answer.ok) throw new Error(`${answer.status} for ${file.url}`);
    return answer.json();
  });
  if (latest === serial) instrument.update(payload);
};
const receive = async () => {
  const message = props.value;
  if (!message) return;
  if (message.language !== language) {
    language = message.language;
    instrument.setLanguage(given.texts[language], language);
  }
  if ("first" in message && !instrument.payload) instrument.setBusy(message.first);
  if ("busy" in message) instrument.setBusy(message.busy);
  if ("payload" in message) {
    await show(message.payload, message.serial).catch(() => {
      instrument.setBusy(null);
      instrument.problem("problem.payload");
    });
  }
  if (message.selection) instrument.select(message.selection);
};
watch('value', receive);
receive();
""",
)


class Chosen(gr.EventData):
    """What a listener of ``on_selection`` receives; annotate its argument with this class."""

    @property
    def selection(self) -> dict[str, Any]:
        """Return the selection: site, head, at, channel, colormap, scale, smooth, opacity."""
        return dict(self._data)


def instrument(
    value: Value | None = None, language: str = DEFAULT_LANGUAGE, **options: Any
) -> gr.HTML:
    """Return the component that holds the instrument.

    Args:
        value: what it shows first, made by ``shown`` (or another function below).
        language: of its words until a value names another one.
        options: passed on to ``gr.HTML`` (``elem_id``, ``scale``...).

    Raises:
        ValueError: if the language is unknown.
    """
    if language not in LANGUAGES:
        raise ValueError(f"expected a language of {LANGUAGES}, received {language!r}")
    given = {"language": language, "colormaps": colormaps()}
    return SCRIPT.component(value, given=given, **options)


def shown(
    payload: Mapping[str, Any] | None,
    language: str = DEFAULT_LANGUAGE,
    selection: Mapping[str, Any] | None = None,
) -> Value:
    """Return the value that shows a payload (None: the empty state), and ends any waiting.

    The payload is written to a file that is emptied when it must have been fetched.
    """
    file = None if payload is None else filed(payload, "analysis.json")
    return message(language, payload=file, selection=selection)


def waiting(words: str | None, language: str = DEFAULT_LANGUAGE) -> Value:
    """Return the value that says what is being waited for over the old picture; None ends it."""
    return message(language, busy=words)


def welcoming(words: str, language: str = DEFAULT_LANGUAGE) -> Value:
    """Return the value that says what is being waited for, unless something is on show already."""
    return message(language, first=words)


def selected(selection: Mapping[str, Any], language: str = DEFAULT_LANGUAGE) -> Value:
    """Return the value that applies a selection, or a part of one, to the picture on show."""
    return message(language, selection=selection)


def spoken(language: str) -> Value:
    """Return the value that puts the instrument's own words into another language."""
    return message(language)


def on_selection(
    component: gr.HTML,
    listener: Callable[..., Any] | None,
    inputs: Sequence[Any] | None = None,
    outputs: Sequence[Any] | None = None,
    **options: Any,
) -> Dependency:
    """Call ``listener(*inputs, event: Chosen)`` for every settled selection, losing none.

    Args:
        component: the instrument.
        listener: what is called, or None where ``js=`` among the options does it all.
        inputs: components whose values it takes first.
        outputs: components that it sets.
        options: passed on to Gradio's listener.
    """
    attach = getattr(component, EVENT)
    settings = {"trigger_mode": "multiple", "show_progress": "hidden", "queue": False} | options
    return cast(Dependency, attach(listener, inputs=inputs, outputs=outputs, **settings))
