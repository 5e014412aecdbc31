"""Put a map to the test: does the class depend on the places that it points at?

Deletion, insertion and ROAD take the places away in the order of the map, in the order of a random
map, a centre blob and an edge detector; the randomisation draws the network's layers anew.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import Any

from vizattn.analysis import look
from vizattn.commands.reports import class_maps
from vizattn.commands.reports.report import WIDTH, position
from vizattn.networks import Library
from vizattn.texts import LANGUAGES
from vizattn.trials.trying import SEEDS, STAGES, STEPS, Effort, trust

NAME = "trust"
HELP = "test a map against a random map, a centre blob and an edge detector"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="a picture")
    parser.add_argument("--model", required=True, metavar="NAME", help="a network")
    parser.add_argument("--site", metavar="S", help="which map (default: the first with rows)")
    parser.add_argument("--head", type=int, metavar="H", help="which head (default: mean)")
    parser.add_argument(
        "--at", metavar="X,Y", help="the place of a row, in pixels of the upright original"
    )
    class_maps.add_arguments(parser)
    parser.add_argument(
        "--seeds", type=_positive, default=SEEDS, metavar="N", help=f"of each test ({SEEDS})"
    )
    parser.add_argument(
        "--steps", type=_positive, default=STEPS, metavar="N", help=f"of each curve ({STEPS})"
    )
    parser.add_argument(
        "--no-randomisation", action="store_true", help="leave the network's layers as they are"
    )
    parser.add_argument("--language", choices=LANGUAGES, default=LANGUAGES[0])
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(options: argparse.Namespace) -> int:
    """Test the map and print the verdict; returns 0.

    Raises:
        Refused: if picture, network, site, head, place, class or layer cannot be used.
    """
    analysis = look(options.image, Library(options.device).network(options.model))
    analysis, site = class_maps.mapped(analysis, options)
    at = None if options.at is None else position(options.at)
    stages = 0 if options.no_randomisation else STAGES
    with class_maps.counting("pictures through the network") as progress:
        effort = Effort(options.seeds, options.steps, stages)
        found = trust(analysis, site, at, options.head, None, effort, progress)
    if options.json:
        facts: dict[str, Any] = {"picture": analysis.picture.name, "network": analysis.network.name}
        print(json.dumps(facts | found.facts(), indent=2, ensure_ascii=False))
    else:
        lines = found.words(options.language)
        print(f"{analysis.picture.name}, {analysis.network.name}, {found.site}\n")
        print("\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines))
    return 0


def _positive(given: str) -> int:
    if not given.isdecimal() or int(given) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, received {given!r}")
    return int(given)
