"""Scripts of assets/ as Gradio components: what is alike in all of them.

How ``gr.HTML`` (Gradio 6.31) carries a script, found by trying:

- The component writes its template again whenever the value changes, but touches the document
  only where the written text differs from before. The template here is constant, so what the
  script has mounted is never wiped, and ``watch("value", ...)`` tells it of each new value.
- ``trigger(name, data)`` reaches Python as a ``gr.EventData``. Listeners drop events that come
  while one is pending unless they say ``trigger_mode="multiple"``.
- A pending output is faded unless its event says ``show_progress="hidden"``; the style sheet keeps
  the instrument visible all the same.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from vizattn.texts import LANGUAGES, texts_of

ASSETS = Path(__file__).resolve().parents[2] / "assets"

_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
_EXPORTED = re.compile(r"^export (?=(?:class|function|const) (\w+))", re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export \{([^}]*)\};\n?", re.MULTILINE)

_LOAD = """
const { mount } = (() => {
%(bundle)s
})();
for (const [id, text] of %(styles)s) {
  if (document.getElementById(id)) continue;
  const style = document.createElement("style");
  style.id = id;
  style.textContent = text;
  document.head.append(style);
}
const given = %(given)s;
const place = element.querySelector(".%(place)s");
const spoken = () => (document.documentElement.lang.startsWith("zh") ? "zh" : "en");
const followLanguage = (mounted) => new MutationObserver(() => {
  if (spoken() !== mounted.language) mounted.setLanguage(spoken());
}).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
const followProjector = (mounted) => {
  const follow = () => {
    const on = document.body.classList.contains("va-projector-page");
    if (on !== mounted.desk?.projecting) mounted.setProjector(on);
  };
  new MutationObserver(follow)
    .observe(document.body, { attributes: true, attributeFilter: ["class"] });
  follow();
};
const beTab = (mounted) => {
  window.vizattn?.addTab(mounted);
  followLanguage(mounted);
};
const listen = (mounted) => watch('value', () => props.value && mounted.receive(props.value));
%(own)s
"""


@dataclass(frozen=True)
class Script:
    """A script of assets/ that is mounted in a component.

    Args:
        entry: the script; it exports ``mount``.
        place: class of the element that it is mounted in.
        styles: its style sheets, of assets/; what several scripts name is added to the page once.
        areas: of the catalogue, whose texts it is given; a text of a later one stands before one of
            the same name.
        own: what the browser does once it has all this, in JavaScript. Beside what Gradio has for
            it ("element", "trigger", "upload", ...) it finds ``mount``; the ``place``; what it is
            ``given``; ``spoken()``, the page's language; and for what it has mounted
            ``followLanguage``, ``followProjector``, ``beTab``, to have the page's language and keep
            its address, and ``listen``, to receive each new value.
    """

    entry: str
    place: str
    styles: tuple[str, ...]
    areas: tuple[str, ...]
    own: str

    def texts(self, language: str) -> dict[str, str]:
        """Return the words of the script in a language, by key without the area.

        Raises:
            ValueError: if the language is unknown.
        """
        found: dict[str, str] = {}
        for area in self.areas:
            found |= texts_of(language, area)
        return found

    def load(self, **given: Any) -> str:
        """Return what runs when the component has loaded.

        Args:
            given: what the script finds as ``given`` beside its "texts" by language.
        """
        texts = {language: self.texts(language) for language in LANGUAGES}
        parts = {
            "bundle": bundle(self.entry),
            "styles": json.dumps([[f"va-style-{name}", _read(name)] for name in self.styles]),
            "given": json.dumps({"texts": texts} | given, ensure_ascii=False),
            "place": self.place,
            "own": self.own,
        }
        return _LOAD % parts

    def component(self, value: Any = None, *, given: dict[str, Any], **options: Any) -> gr.HTML:
        """Return the component.

        Args:
            value: what the script receives first.
            given: see ``load``.
            options: passed on to ``gr.HTML`` (``elem_id``, ``scale``...).
        """
        return gr.HTML(
            value,
            html_template=f'<div class="{self.place}"></div>',
            js_on_load=self.load(**given),
            apply_default_css=False,
            **options,
        )


def colormaps() -> dict[str, str]:
    """Return the tables of colours by name, as the scripts know them."""
    found: dict[str, str] = json.loads(_read("colormaps.json"))
    return found


@cache
def bundle(entry: str) -> str:
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


def _read(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
