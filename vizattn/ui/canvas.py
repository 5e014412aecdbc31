"""The instrument of the page: assets/canvas.js mounted in one Gradio component.

How ``gr.HTML`` (Gradio 6.31) carries it, found by trying:

- The component writes its template again whenever the value changes, but touches the document
  only where the written text differs from before. The template here is constant, so what the
  script has mounted is never wiped, and ``watch("value", ...)`` tells it of each new value.
- The value is small, and the payload travels as a file of Gradio's cache that the script fetches:
  Gradio writes a component's whole value as JSON several times for each event that touches it (the
  mere fading of a pending output is one), and 4 MB of value held the page for 1 to 3 s each time.
- Equal values in succession are not told, so every message carries a serial number. When several
  values come at once only the last is told; hence each message is complete in itself: a message
  without a payload leaves the picture on show as it is, and each names its language.
- ``trigger(name, data)`` reaches Python as a ``gr.EventData``. Listeners drop events that come
  while one is pending unless they say ``trigger_mode="multiple"``; ``on_selection`` does.
- A pending output is faded unless its event says ``show_progress="hidden"``; the style sheet keeps
  the instrument visible all the same.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, cast

import gradio as gr
from gradio.data_classes import FileData
from gradio.events import Dependency

from vizattn.texts import DEFAULT_LANGUAGE, LANGUAGES, catalogue
from vizattn.ui.uploads import place_for

ASSETS = Path(__file__).resolve().parents[2] / "assets"
ENTRY = "canvas.js"
STYLES = {"style": "canvas.css", "under": "under.css"}
"""the style sheets by the name of their element: other tabs share the first"""
EVENT = "selection"
MOUNT = "va-mount"

Value: TypeAlias = dict[str, Any]
"""what the component is given: made by the functions below, opaque to everyone else"""

_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
_EXPORTED = re.compile(r"^export (?=(?:class|function|const) (\w+))", re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export \{([^}]*)\};\n?", re.MULTILINE)
_SERIAL = itertools.count(1)

_LOAD = """
const canvas = (() => {
%(bundle)s
})();
const texts = %(texts)s;
const first = %(language)s;
for (const [id, text] of %(styles)s) {
  if (document.getElementById(id)) continue;
  const style = document.createElement("style");
  style.id = id;
  style.textContent = text;
  document.head.append(style);
}
const place = element.querySelector(".%(mount)s");
const instrument = canvas.mount(place, {
  payload: null,
  texts: texts[first],
  language: first,
  colormaps: %(colormaps)s,
  onSelection: (selection) => trigger('%(event)s', selection),
  onMessage: (text) => trigger('message', { text }),
});
element.vizattn = instrument;
let language = first;
place.addEventListener("vizattn:projector", (event) => {
  document.body.classList.toggle("va-projector-page", event.detail.on);
});
new MutationObserver(() => {
  const on = document.body.classList.contains("va-projector-page");
  if (on !== instrument.desk.projecting) instrument.setProjector(on);
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });
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
    instrument.setLanguage(texts[language], language);
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
"""


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
    return gr.HTML(
        value,
        html_template=f'<div class="{MOUNT}"></div>',
        js_on_load=_script(language),
        apply_default_css=False,
        **options,
    )


def shown(
    payload: Mapping[str, Any] | None,
    language: str = DEFAULT_LANGUAGE,
    selection: Mapping[str, Any] | None = None,
) -> Value:
    """Return the value that shows a payload (None: the empty state), and ends any waiting.

    The payload is written to a file that is emptied when it must have been fetched.
    """
    file = None if payload is None else filed(_encoded(payload), "analysis.json")
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


def texts_of(language: str, *areas: str) -> dict[str, str]:
    """Return the words of some areas (the instrument's by default), by key without the area.

    Raises:
        ValueError: if the language is unknown.
    """
    texts = {}
    for key, words in catalogue(language).items():
        area, _, name = key.partition(".")
        if area in (areas or ("canvas",)):
            texts[name] = words
    return texts


@cache
def bundle(entry: str = ENTRY) -> str:
    """Return a script of assets/ and what it imports as one text that returns its exports.

    Each module becomes a function of its own, in the order of the imports, so that names that are
    private to a module stay so.
    """
    order: list[Path] = []
    _visit(ASSETS / entry, order)
    modules = "\n".join(_wrapped(path) for path in order)
    return f"const modules = {{}};\n{modules}\nreturn modules[{json.dumps(entry)}];"


def _visit(path: Path, order: list[Path]) -> None:
    """Append a module after everything that it imports."""
    for _, target in _IMPORT.findall(path.read_text(encoding="utf-8")):
        imported = (path.parent / target).resolve()
        if imported not in order:
            _visit(imported, order)
    order.append(path)


def _wrapped(path: Path) -> str:
    """Return a module as a function whose result holds its exports."""
    source = path.read_text(encoding="utf-8")
    names = _EXPORTED.findall(source)
    for listed in _EXPORT_LIST.findall(source):
        names += [name.strip() for name in listed.split(",") if name.strip()]

    def taken(match: re.Match[str]) -> str:
        imported = (path.parent / match.group(2)).resolve()
        return f"const {{{match.group(1)}}} = modules[{_name(imported)}];\n"

    body = _EXPORT_LIST.sub("", _EXPORTED.sub("", _IMPORT.sub(taken, source)))
    return f"modules[{_name(path)}] = (() => {{\n{body}\nreturn {{ {', '.join(names)} }};\n}})();"


def _name(path: Path) -> str:
    return json.dumps(path.relative_to(ASSETS).as_posix())


def _script(language: str) -> str:
    """Return what runs when the component has loaded."""
    if language not in LANGUAGES:
        raise ValueError(f"expected a language of {LANGUAGES}, received {language!r}")
    parts = {
        "bundle": bundle(),
        "texts": json.dumps({one: texts_of(one) for one in LANGUAGES}, ensure_ascii=False),
        "language": json.dumps(language),
        "styles": json.dumps([[f"va-{name}", _style(name)] for name in STYLES]),
        "colormaps": (ASSETS / "colormaps.json").read_text(encoding="utf-8"),
        "mount": MOUNT,
        "event": EVENT,
    }
    return _LOAD % parts


def _style(name: str) -> str:
    return (ASSETS / STYLES[name]).read_text(encoding="utf-8")


def message(language: str, **parts: Any) -> Value:
    """Return one value for a component; a part that is None has a meaning of its own.

    Raises:
        ValueError: if the language is unknown.
    """
    if language not in LANGUAGES:
        raise ValueError(f"expected a language of {LANGUAGES}, received {language!r}")
    return {"serial": next(_SERIAL), "language": language} | parts


def filed(content: bytes, name: str) -> Value:
    """Write a file where Gradio serves it; Gradio adds the address as ``url``."""
    path = place_for(name)
    path.write_bytes(content)
    return dict(FileData(path=str(path)).model_dump())


def _encoded(payload: Mapping[str, Any]) -> bytes:
    return json.dumps(payload, ensure_ascii=False).encode()
