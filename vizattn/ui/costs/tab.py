"""The tab "Cost": assets/costs.js mounted in Gradio with what the scaling report measured.

Everything that it shows is given to it at once, so nothing is asked of the server.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from models import measured
from vizattn.networks import Library
from vizattn.texts import text
from vizattn.ui.encoding import spoken
from vizattn.ui.frame import Frame
from vizattn.ui.mounting import Script

NUMBERS = measured.DOCS / measured.COSTS
"""what ``python -m vizattn bench --scaling --out docs`` writes"""
_PLAIN = "plain"
_SHOWN = ("findings", "machine", "width", "fitted_to")
Json = dict[str, Any]

SCRIPT = Script(
    entry="costs.js",
    place="vk-mount",
    styles=("canvas.css", "costs.css"),
    areas=("costs",),
    own="""
const tab = mount(place, { ...given, language: spoken() });
element.costs = tab;
beTab(tab);
""",
)


def offered(library: Library) -> bool:
    """Return whether costs were measured, of two mechanisms or more that the page has."""
    if not NUMBERS.is_file():
        return False
    here = {card.mechanism for card in library.cards().values()}
    return len(here & {each["slug"] for each in shown(NUMBERS)["mechanisms"]}) > 1


def build(frame: Frame) -> None:
    """Add the tab's component; it listens to nothing."""
    SCRIPT.component(given=given(), elem_id="vp-costs")


def given() -> Json:
    """Return what the script is given."""
    return {"measured": shown(NUMBERS)}


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
