"""Measure how much attention rows depend on the place that asks, over a folder of pictures.

The mean cosine distance between the rows of different places (0: all listen to the same), and of
products of queries and keys the share of the logits that differs from place to place.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from vizattn.analysis import OtherTask, look
from vizattn.dependence import Dependence, dependences
from vizattn.intake import PictureError
from vizattn.networks import Library, choose_device
from vizattn.tables import markdown_table, table

NAME = "dependence"
HELP = "measure how much rows depend on the place that asks, over a folder of pictures"
HEADS = ("network", "site", "pictures", "row distance", "least", "most", "pairwise share")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="pictures, or one picture")
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="NAME",
        help="a bundled network with rows over places; may be given several times",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON and nothing else")
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute"
    )


def run(options: argparse.Namespace) -> int:
    """Measure every picture with every network and print means; returns 0.

    Raises:
        Refused: if there is no picture that can be read, or a network has no rows over places.
        OSError: if the folder cannot be read.
    """
    choose_device(options.device)
    library = Library(options.device)
    paths = _files(options.folder)
    found = [fact for name in options.model for fact in _measured(library, name, paths)]
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        lay_out = markdown_table if options.markdown else table
        print(lay_out(HEADS, [_row(fact) for fact in found]))
    return 0


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return [folder]
    return sorted(path for path in folder.iterdir() if path.is_file())


def _measured(library: Library, name: str, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    by_site: dict[str, list[Dependence]] = {}
    network, wrong = library.network(name), None
    for path in paths:
        try:
            analysis = look(path, network)
        except PictureError as error:
            # One file that is no picture does not stop a whole folder, unless there is no other.
            wrong = error
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        for each in dependences(analysis):
            by_site.setdefault(each.site, []).append(each)
        if not by_site:
            raise OtherTask("dependence.no_rows", name=name)
    if not by_site:
        raise wrong or PictureError("dependence.no_pictures")
    for site, every in by_site.items():
        yield _facts(name, site, every)


def _facts(name: str, site: str, every: Sequence[Dependence]) -> dict[str, Any]:
    distances = [each.distance for each in every]
    shares = [each.pairwise_share for each in every if each.pairwise_share is not None]
    return {
        "network": name,
        "site": site,
        "pictures": len(every),
        "distance": {
            "mean": fmean(distances),
            "deviation": pstdev(distances),
            "least": min(distances),
            "most": max(distances),
        },
        "pairwise_share": {"mean": fmean(shares), "deviation": pstdev(shares)} if shares else None,
    }


def _row(fact: dict[str, Any]) -> tuple[str, ...]:
    distance, share = fact["distance"], fact["pairwise_share"]
    return (
        fact["network"],
        fact["site"],
        str(fact["pictures"]),
        f"{distance['mean']:.3f} ± {distance['deviation']:.3f}",
        f"{distance['least']:.3f}",
        f"{distance['most']:.3f}",
        "" if share is None else f"{share['mean']:.1%} ± {share['deviation']:.1%}",
    )
