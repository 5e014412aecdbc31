"""The tab "Cost": assets/costs.js mounted in Gradio with what the scaling report measured.

Everything that it shows is given to it at once, so nothing is asked of the server.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from models import measured
from vizattn.networks import Library
from vizattn.texts import LANGUAGES, text
from vizattn.ui import canvas
from vizattn.ui.encoding import spoken
from vizattn.ui.frame import Frame

NUMBERS = measured.DOCS / measured.COSTS
"""what ``python -m vizattn bench --scaling --out docs`` writes"""
ENTRY = "costs.js"
MOUNT = "vk-mount"
_PLAIN = "plain"
_SHOWN = ("findings", "machine", "width", "fitted_to")
Json = dict[str, Any]

_LOAD = """
const costs = (() => {
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
const tab = costs.mount(element.querySelector(".%(mount)s"), {
  texts: %(texts)s,
  language: spoken(),
  measured: %(measured)s,
});
element.costs = tab;
window.vizattn?.addTab(tab);
new MutationObserver(() => {
  if (spoken() !== tab.language) tab.setLanguage(spoken());
}).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
"""


def offered(library: Library) -> bool:
    """Return whether costs were measured, of two mechanisms or more that the page has."""
    if not NUMBERS.is_file():
        return False
    here = {card.mechanism for card in library.cards().values()}
    return len(here & {each["slug"] for each in shown(NUMBERS)["mechanisms"]}) > 1


def build(frame: Frame) -> None:
    """Add the tab's component; it listens to nothing."""
    gr.HTML(
        None,
        html_template=f'<div class="{MOUNT}"></div>',
        js_on_load=_script(),
        apply_default_css=False,
        elem_id="vp-costs",
    )


@cache
def shown(path: Path) -> Json:
    """Return what the tab shows of a report, with the mechanisms' names in every language.

    Raises:
        OSError: if the file cannot be read.
    """
    facts: Json = json.loads(path.read_text(encoding="utf-8"))
    mechanisms = [each | {"name": _name(each["slug"])} for each in facts["mechanisms"]]
    return {name: facts[name] for name in _SHOWN} | {"mechanisms": mechanisms}


def _name(slug: str) -> dict[str, str]:
    key = "costs.plain" if slug == _PLAIN else f"mechanisms.name.{slug}"
    return spoken(lambda language: text(language, key))


def _script() -> str:
    styles = (("va-style", "canvas.css"), ("vk-style", "costs.css"))
    texts = {language: canvas.texts_of(language, "costs") for language in LANGUAGES}
    return _LOAD % {
        "bundle": canvas.bundle(ENTRY),
        "texts": json.dumps(texts, ensure_ascii=False),
        "styles": json.dumps([[name, _read(file)] for name, file in styles]),
        "measured": json.dumps(shown(NUMBERS), ensure_ascii=False),
        "mount": MOUNT,
    }


def _read(name: str) -> str:
    return (canvas.ASSETS / name).read_text(encoding="utf-8")
