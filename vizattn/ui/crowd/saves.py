"""What a visitor can take away of a counted pair: figure, arrays, regions, summary, script."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vizattn.crowd.analysis import CrowdAnalysis
from vizattn.crowd.areas import Polygon
from vizattn.crowd.changes import STAGES
from vizattn.crowd.export import regions_csv, save_arrays, script
from vizattn.crowd.facts import summary
from vizattn.crowd.figure import figure
from vizattn.export import safe_name
from vizattn.geometry import Point
from vizattn.pairs import ExamplePair
from vizattn.render import COLORMAPS, Style
from vizattn.ui.crowd.orders import BadQuestion, read_numbers, read_stage
from vizattn.ui.crowd.payload import ASKS
from vizattn.ui.uploads import place_for
from vizattn.views import Scale

DRAWN = "drawn"
"""what the table of regions calls the one that a visitor has drawn"""


class View:
    """What is selected and how it is drawn, in the library's own terms; raises BadQuestion.

    Args:
        analysis: what is on show.
        chosen: the selection as the browser has it.
        language: of the figure and the summary.
        example: the example that is open, for a script that finds its pictures.
    """

    def __init__(
        self,
        analysis: CrowdAnalysis,
        chosen: Mapping[str, Any],
        language: str,
        example: ExamplePair | None,
    ) -> None:
        usual = Style()
        self.language, self.example = language, example
        self.site = _site(analysis, chosen)
        at = chosen.get("at")
        self.at: Point | None = None
        if at is not None:
            x, y = read_numbers(at, 2)
            self.at = (x, y)
        self.region = _region(chosen.get("region"))
        colormap = chosen.get("colormap", usual.colormap)
        if colormap not in COLORMAPS:
            raise BadQuestion
        (opacity,) = read_numbers([chosen.get("opacity", usual.opacity)], 1)
        self.style = Style(colormap, opacity, bool(chosen.get("smooth")))
        self.scale = Scale.FIXED if chosen.get("scale") == Scale.FIXED.value else Scale.ROW_MAXIMUM


def save(
    kind: str,
    analysis: CrowdAnalysis,
    chosen: Mapping[str, Any],
    language: str,
    example: ExamplePair | None = None,
) -> Path:
    """Write a file of what is on show and return its path, which nobody else can guess.

    Args:
        kind: one of ``KINDS``.
        analysis: what is on show.
        chosen: the selection as the browser has it.
        language: of the figure and the summary.
        example: the example that is open.

    Raises:
        Refused: if there is no such kind, or the selection names what is not there.
    """
    if kind not in KINDS:
        raise BadQuestion
    suffix, write = KINDS[kind]
    view = View(analysis, chosen, language, example)
    stem = example.id if example else Path(analysis.pair.name.split(" + ")[0]).stem
    path = place_for(f"{safe_name(stem)}-{analysis.network.name}.{suffix}")
    write(path, analysis, view)
    return path


def _figure(path: Path, analysis: CrowdAnalysis, view: View) -> None:
    figure(analysis, view.at, view.site, view.scale, view.style, view.language).save(path)


def _arrays(path: Path, analysis: CrowdAnalysis, view: View) -> None:
    save_arrays(analysis, path, view.at)


def _regions(path: Path, analysis: CrowdAnalysis, view: View) -> None:
    """Write the table of regions; the one that was drawn is its last line, with its outer box."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(regions_csv(analysis))
        if view.region:
            count = analysis.count_in(view.region)
            x, y = zip(*view.region, strict=True)
            share = count / (analysis.count or 1.0)
            line = (DRAWN, "", min(x), min(y), max(x), max(y), round(count, 6), round(share, 6))
            csv.writer(file, lineterminator="\n").writerow(line)


def _summary(path: Path, analysis: CrowdAnalysis, view: View) -> None:
    facts = summary(analysis, view.at, view.site, view.language)
    if view.region:
        count = analysis.count_in(view.region)
        facts["region"] = {"corners": [list(corner) for corner in view.region], "count": count}
    path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _script(path: Path, analysis: CrowdAnalysis, view: View) -> None:
    folder, example = "assets/examples/pairs", view.example
    rgb = f"{folder}/{example.rgb}" if example else None
    thermal = f"{folder}/{example.thermal}" if example and example.thermal else None
    code = script(analysis, view.at, view.site, rgb, thermal, view.language)
    path.write_text(code, encoding="utf-8")


KINDS: dict[str, tuple[str, Callable[[Path, CrowdAnalysis, View], None]]] = {
    "figure": ("png", _figure),
    "arrays": ("npz", _arrays),
    "regions": ("csv", _regions),
    "summary": ("json", _summary),
    "script": ("py", _script),
}
"""by name, the file's ending and what writes it"""


def _site(analysis: CrowdAnalysis, chosen: Mapping[str, Any]) -> str | None:
    """Return the site that a layer of the page shows; none for the density and the pictures."""
    layer = chosen.get("layer")
    if layer not in ("row", "gate"):
        return None
    stage = read_stage(chosen.get("stage"), STAGES)
    by_sense = {sense: name for name, sense in ASKS.items()}
    name = "gate" if layer == "gate" else by_sense.get(str(chosen.get("asking")), "")
    found = analysis.at_stage(stage, name)
    return None if found is None else found.site


def _region(corners: Any) -> Polygon | None:
    if not corners:
        return None
    if not isinstance(corners, list):
        raise BadQuestion
    read = (read_numbers(corner, 2) for corner in corners)
    return [(x, y) for x, y in read]
