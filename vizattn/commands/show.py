"""Show where a network looks on a picture: overlays, raw arrays and a summary in a folder.

A network that counts people takes a thermal picture too, or alone; it adds a table of regions.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from vizattn.analysis import Analysis, Classification, OtherTask, look
from vizattn.commands.reports import class_maps
from vizattn.commands.reports.downloads import downloads
from vizattn.commands.reports.report import (
    Report,
    Save,
    drawn,
    head_of,
    position,
    said_of,
    sites_of,
)
from vizattn.commands.reports.surgery import Changed, add_argument, changes_of
from vizattn.export import ARRAYS, SUMMARY, overlays, save_arrays
from vizattn.facts import summary
from vizattn.intake import PictureError
from vizattn.networks import COUNTS, Library, Network, choose_device
from vizattn.render import COLORMAPS
from vizattn.texts import DEFAULT_LANGUAGE, text
from vizattn.views import Scale, Selection

NAME = "show"
HELP = "write overlays, raw arrays and a summary for one picture"
LARGEST_SHARES = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "image", type=Path, nargs="?", metavar="IMAGE", help="a picture; not needed with --thermal"
    )
    parser.add_argument(
        "--thermal", type=Path, metavar="T", help="a thermal picture, for a network that counts"
    )
    parser.add_argument(
        "--register",
        default="auto",
        metavar="auto|none|DX,DY,ZOOM",
        help="how the thermal picture lies on the other: looked for, on the same view, or moved "
        "right and down by pixels and enlarged about the middle (default: auto)",
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="NAME",
        help="a bundled network, or a pretrained one, which is downloaded on first use",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="own weights for that network: safetensors, or a state dict that torch.save wrote",
    )
    parser.add_argument(
        "--site", metavar="S", help="which attention (default: the first with rows)"
    )
    parser.add_argument(
        "--channel",
        type=int,
        metavar="C",
        help="which channel, map, row of a table or item, from 0 (default: the strongest)",
    )
    parser.add_argument(
        "--token",
        metavar="NAME",
        help="a token that is no place, whose row is shown instead: class_token",
    )
    parser.add_argument("--head", type=int, metavar="H", help="which head, from 0 (default: mean)")
    class_maps.add_arguments(parser)
    parser.add_argument(
        "--at",
        metavar="X,Y",
        help="the place whose row is shown, in pixels of the upright original",
    )
    add_argument(parser)
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
    network = _network(options)
    report = _report_of(network)(options, network)
    names = write(report.save, report.facts, options.out)
    if options.json:
        print(json.dumps(report.facts, indent=2, ensure_ascii=False))
    else:
        print("\n".join(report.lines))
        print(f"\n{len(names)} files in {options.out}: {report.files} and {SUMMARY}")
    return 0


def _network(options: argparse.Namespace) -> Network:
    library = Library(options.device)
    if options.weights is not None:
        return library.with_weights(options.model, options.weights)
    with downloads(options.model) as progress:
        return library.network(options.model, progress)


def look_report(options: argparse.Namespace, network: Network) -> Report:
    """Look at one picture.

    Raises:
        Refused: if the picture, site, head or place cannot be used, or a thermal one was given.
    """
    if options.thermal is not None:
        raise OtherTask("crowd_engine.no_counter", name=network.name)
    if options.image is None:
        raise PictureError("errors.no_picture")
    at = None if options.at is None else position(options.at)
    changes = changes_of(options.change)
    looked = look(options.image, network)
    analysis, site = class_maps.mapped(looked, options)
    selection = Selection(site, options.head, at, options.channel, options.token)
    scale, style = drawn(options)

    def save(place: Path) -> list[Path]:
        files = overlays(analysis, selection, place, scale, style)
        return [*files, save_arrays(analysis, selection, place / ARRAYS)]

    facts = summary(analysis, selection)
    report = Report(facts, list(_lines(analysis, facts)), save, f"overlays, {ARRAYS}")
    if not changes:
        return report
    # A changed network is looked at anew: it has the sites of its own, and no class maps.
    own = replace(selection, site=options.site)
    return _with_changes(report, Changed(looked, changes), options, own)


def _with_changes(
    report: Report, changed: Changed, options: argparse.Namespace, selection: Selection
) -> Report:
    own = changed.saving(options, selection)
    return Report(
        report.facts | {"change": changed.facts()},
        [*report.lines, *changed.lines()],
        lambda place: [*report.save(place), *own(place)],
        f"{report.files}, those of the changed network",
    )


_REPORTS = {COUNTS: "vizattn.commands.reports.crowd"}
"""by the task of the network, the module that reports; loaded when asked for, since it is slow"""


def _report_of(network: Network) -> Callable[[argparse.Namespace, Network], Report]:
    if network.card.task not in _REPORTS:
        return look_report
    report: Callable[[argparse.Namespace, Network], Report]
    report = import_module(_REPORTS[network.card.task]).report
    return report


def write(save: Save, facts: dict[str, Any], folder: Path) -> list[str]:
    """Write what a report saves and its summary, all or none; return the names of the files.

    Raises:
        OSError: if the folder cannot be made or written; then it is as it was.
    """
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    # Written beside where they go, then moved: a half-written file is never under its own name.
    place: Path | None = None
    try:
        place = Path(tempfile.mkdtemp(prefix=".vizattn-", dir=folder))
        files = save(place)
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


def _lines(analysis: Analysis, facts: dict[str, Any]) -> Iterator[str]:
    yield head_of(facts["picture"], facts["network"])
    yield from (*facts["picture"]["notes"], *facts["notes"])
    yield from sites_of(facts["sites"])
    yield f"\n{_prediction(analysis)}"
    yield said_of(facts)


def _prediction(analysis: Analysis) -> str:
    prediction = analysis.prediction
    if isinstance(prediction, Classification) and not prediction.classes:
        return text(DEFAULT_LANGUAGE, "zoo.no_classes")
    if isinstance(prediction, Classification):
        found, what = prediction.top(), "most probable"
    else:
        found, what = list(prediction.shares().items())[:LARGEST_SHARES], "largest shares"
    return f"{what}: " + ", ".join(f"{name} {share:.1%}" for name, share in found)
