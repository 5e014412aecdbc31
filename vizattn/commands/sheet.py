"""Write contact sheets: every bundled network on the same pictures under the same pointer.

Each shows the attention of a network that says most: a row of the place, a gate, a map or bars.
Networks that count people take pairs of pictures and are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vizattn.commands.reports.report import position
from vizattn.examples import examples
from vizattn.geometry import Point
from vizattn.intake import read_picture
from vizattn.networks import Library
from vizattn.render import COLORMAPS, Style
from vizattn.sheets.lines import Subject, lines, sheet_networks
from vizattn.sheets.pages import write
from vizattn.texts import LANGUAGES

NAME = "sheet"
HELP = "write contact sheets of all bundled networks on the same pictures"
SHOWN = ("avenue", "golf-ball", "rocket")
"""the examples that are looked at where no picture is given: a street, a thing, a photograph"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "images", type=Path, nargs="*", metavar="IMAGE", help="pictures; three examples by default"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.png",
        help="where to write; pages are numbered before the ending",
    )  # fmt: skip
    parser.add_argument(
        "--at", metavar="X,Y",
        help="the place that is pointed at, in parts of each picture's width and height, 0..1 "
        "(default: the middle, or the place that an example names)",
    )  # fmt: skip
    parser.add_argument(
        "--model", action="append", metavar="NAME", help="only this network; may be repeated"
    )
    parser.add_argument(
        "--kinds", action="store_true", help="one attention of each kind that a network has"
    )
    parser.add_argument("--colormap", choices=COLORMAPS, default=COLORMAPS[0])
    parser.add_argument("--language", choices=LANGUAGES, default=LANGUAGES[0])


def run(options: argparse.Namespace) -> int:
    """Write the pages and print their paths; returns 0."""
    library = Library("cpu")
    cards = sheet_networks(library)
    if options.model:
        known = {card.name: card for card in cards}
        cards = [known.get(name) or library.card(name) for name in options.model]
    at = position(options.at) if options.at else None
    shown = lines(library, cards, _subjects(options.images, at), options.kinds)
    for path in write(shown, options.out, Style(colormap=options.colormap), options.language):
        print(path, flush=True)
    return 0


def _subjects(images: list[Path], at: Point | None) -> list[Subject]:
    if not images:
        known = {each.id: each for each in examples()}
        chosen = [known[name] for name in SHOWN]
        return [_subject(each.path, at, each.at) for each in chosen]
    return [_subject(path, at, None) for path in images]


def _subject(path: Path, at: Point | None, own: Point | None) -> Subject:
    picture = read_picture(path)
    width, height = picture.original_size
    share = at or (0.5, 0.5)
    place = own if at is None and own is not None else (share[0] * width, share[1] * height)
    return Subject(picture, place)
