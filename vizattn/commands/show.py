"""Show where a network looks on a picture: overlays, raw arrays and a summary in a folder."""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import tempfile
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

from vizattn.analysis import Analysis, Classification, look
from vizattn.export import ARRAYS, SUMMARY, overlays, save_arrays
from vizattn.facts import summary
from vizattn.geometry import Point
from vizattn.networks import Library, choose_device
from vizattn.render import COLORMAPS, Style
from vizattn.tables import table
from vizattn.texts import DEFAULT_LANGUAGE, Refused, text
from vizattn.views import Scale, Selection

NAME = "show"
HELP = "write overlays, raw arrays and a summary for one picture"
LARGEST_SHARES = 5
WIDTH = 100


class BadPosition(Refused):
    """A place is not written as X,Y."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="a picture")
    parser.add_argument("--model", required=True, metavar="NAME", help="a bundled network")
    parser.add_argument(
        "--site", metavar="S", help="which attention (default: the first with rows)"
    )
    parser.add_argument("--head", type=int, metavar="H", help="which head, from 0 (default: mean)")
    parser.add_argument(
        "--at",
        metavar="X,Y",
        help="the place whose row is shown, in pixels of the upright original",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="where to write (default: out)"
    )
    parser.add_argument("--json", action="store_true", help="print the summary and nothing else")
    parser.add_argument(
        "--device", type=_device, default="auto", metavar="auto|cpu|cuda", help="where to compute"
    )
    parser.add_argument("--colormap", choices=COLORMAPS, default=COLORMAPS[0])
    parser.add_argument(
        "--scale",
        choices=[scale.value for scale in Scale],
        default=Scale.ROW_MAXIMUM.value,
        help="colours over the shown row's own range, or over one that maps share",
    )
    parser.add_argument(
        "--smooth", action="store_true", help="interpolate between cells instead of drawing them"
    )


def run(options: argparse.Namespace) -> int:
    """Look, write everything or nothing, and print what was found; returns 0.

    Raises:
        Refused: if picture, network, site, head or place cannot be used.
        OSError: if the folder cannot be written.
    """
    at = None if options.at is None else position(options.at)
    analysis = look(options.image, Library(options.device).network(options.model))
    selection = Selection(options.site, options.head, at)
    facts = summary(analysis, selection)
    written = write(analysis, selection, facts, options)
    if options.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        _print(analysis, facts)
        print(f"\n{len(written)} files in {options.out}: overlays, {ARRAYS} and {SUMMARY}")
    return 0


def position(given: str) -> Point:
    """Return the place that "X,Y" names; raises BadPosition."""
    try:
        x, y = (float(part) for part in given.split(","))
    except ValueError:
        raise BadPosition("errors.bad_position", given=repr(given)) from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise BadPosition("errors.bad_position", given=repr(given))
    return x, y


def write(
    analysis: Analysis, selection: Selection, facts: dict[str, Any], options: argparse.Namespace
) -> list[str]:
    """Write overlays, arrays and summary, all or none, and return the names of the files.

    Raises:
        OSError: if the folder cannot be made or written; then it is as it was.
    """
    scale = Scale(options.scale)
    style = Style(colormap=options.colormap, smooth=options.smooth)
    folder: Path = options.out
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    # Written beside where they go, then moved: a half-written file is never under its own name.
    place: Path | None = None
    try:
        place = Path(tempfile.mkdtemp(prefix=".vizattn-", dir=folder))
        files = overlays(analysis, selection, place, scale, style)
        files.append(save_arrays(analysis, selection, place / ARRAYS))
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        (place / SUMMARY).write_text(text, encoding="utf-8")
        names = [*(path.name for path in files), SUMMARY]
        _move(names, place, folder)
        return names
    finally:
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
        if new:
            # Only an empty one goes: that is one that nothing could be written to.
            with suppress(OSError):
                folder.rmdir()


def _move(names: list[str], start: Path, end: Path) -> None:
    for name in names:
        if (end / name).is_dir():
            raise IsADirectoryError(f"{end / name} is a folder and cannot be replaced by a file")
    for name in names:
        os.replace(start / name, end / name)


def _device(name: str) -> str:
    try:
        choose_device(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name


def _print(analysis: Analysis, facts: dict[str, Any]) -> None:
    width, height = facts["picture"]["size"]
    network = facts["network"]
    print(
        f"{facts['picture']['name']}, {width} x {height}, {network['name']} on {network['device']}"
    )
    for note in (*facts["picture"]["notes"], *facts["notes"]):
        print(note)
    heads = ("site", "kind", "shape", "checks")
    if facts["sites"]:
        print("\n" + table(heads, [_site(site) for site in facts["sites"]]))
    print(f"\n{_prediction(analysis)}")
    chosen = facts["selection"]["site"]
    said = [each["sentence"] for each in facts["sites"] if each["site"] == chosen]
    said = said or [text(DEFAULT_LANGUAGE, "errors.no_attention", name=network["name"])]
    print(textwrap.fill(" ".join(said), WIDTH))


def _site(site: dict[str, Any]) -> tuple[str, ...]:
    checks = ", ".join(
        f"{each['name']} {'ok' if each['passed'] else 'FAILED'}"
        + ("" if each["value"] is None else f" {each['value']:.1g}")
        for each in site["checks"]
    )
    return site["site"], site["kind"], " x ".join(map(str, site["shape"])), checks


def _prediction(analysis: Analysis) -> str:
    prediction = analysis.prediction
    if isinstance(prediction, Classification):
        found, what = prediction.top(), "most probable"
    else:
        found, what = list(prediction.shares().items())[:LARGEST_SHARES], "largest shares"
    return f"{what}: " + ", ".join(f"{name} {share:.1%}" for name, share in found)
