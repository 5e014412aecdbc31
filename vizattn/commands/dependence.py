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

from models.packs import PackError, read_segmentation
from models.tables import markdown_table
from vizattn.analysis import TASKS, OtherTask, look
from vizattn.benchmarks import dependence_report
from vizattn.dependence import Dependence, dependences
from vizattn.intake import PictureError
from vizattn.networks import Library, choose_device
from vizattn.tables import table

NAME = "dependence"
HELP = "measure how much rows depend on the place that asks, over a folder of pictures"
HEADS = ("network", "site", "pictures", "row distance", "least", "most", "pairwise share")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="pictures, or one picture")
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="a bundled network with rows over places; may be given several times; by default all",
    )
    parser.add_argument(
        "--split", metavar="NAME", help="FOLDER is a pack with an index.csv: this split of it"
    )
    parser.add_argument(
        "--count", type=_positive, metavar="N", help="at most N of the pictures, spread evenly"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON and nothing else")
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")
    form.add_argument("--out", type=Path, metavar="DIR", help="write page, plot and numbers there")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute"
    )


def _positive(value: str) -> int:
    count = int(value)
    if count < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, received {count}")
    return count


def run(options: argparse.Namespace) -> int:
    """Measure every picture with every network and print means, or write a report; returns 0.

    Raises:
        Refused: if there is no picture that can be read, or a network has no rows over places.
        OSError: if the folder cannot be read.
    """
    choose_device(options.device)
    library = Library(options.device)
    every = _files(options.folder, options.split)
    paths = _spread(every, options.count or len(every))
    of_them = _of_named(library, options.model, paths) if options.model else _of_all(library, paths)
    found = list(of_them)
    if options.out is not None:
        of = {"folder": options.folder.resolve().name, "split": options.split, "all": len(every)}
        for path in dependence_report.write(found, of, options.out):
            print(path)
    elif options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        lay_out = markdown_table if options.markdown else table
        print(lay_out(HEADS, [_row(fact) for fact in found]))
    return 0


def _files(folder: Path, split: str | None) -> list[Path]:
    if split is not None:
        try:
            return [entry.image for entry in read_segmentation(folder, split)]
        except PackError:
            raise PictureError("dependence.no_split", folder=folder.name, split=split) from None
    if not folder.is_dir():
        return [folder]
    return sorted(path for path in folder.iterdir() if path.is_file())


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Return at most so many of some paths, as far apart as they can be."""
    count = min(count, len(paths))
    return [paths[index * len(paths) // count] for index in range(count)]


def _of_named(
    library: Library, names: Sequence[str], paths: Sequence[Path]
) -> Iterator[dict[str, Any]]:
    for name in names:
        found = list(_measured(library, name, paths))
        if not found:
            raise OtherTask("dependence.no_rows", name=name)
        yield from found


def _of_all(library: Library, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yield what every bundled network with rows over places measures."""
    for name, card in library.cards().items():
        if card.mechanism and card.task in TASKS:
            if sys.stderr.isatty():
                print(f"measuring: {name}", file=sys.stderr)
            yield from _measured(library, name, paths)


def _measured(library: Library, name: str, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yield a fact for each site with rows over places; nothing where there is none."""
    by_site: dict[str, list[Dependence]] = {}
    network, looked, wrong = library.network(name), False, None
    for path in paths:
        try:
            analysis = look(path, network)
        except PictureError as error:
            # One file that is no picture does not stop a whole folder, unless there is no other.
            wrong = error
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        looked = True
        for each in dependences(analysis):
            by_site.setdefault(each.site, []).append(each)
        if not by_site:
            return
    if not looked:
        raise wrong or PictureError("dependence.no_pictures")
    for site, every in by_site.items():
        yield _facts(name, network.card.mechanism, site, every)


def _facts(
    name: str, mechanism: str | None, site: str, every: Sequence[Dependence]
) -> dict[str, Any]:
    distances = [each.distance for each in every]
    shares = [each.pairwise_share for each in every if each.pairwise_share is not None]
    return {
        "network": name,
        "mechanism": mechanism,
        "site": site,
        "pictures": len(every),
        "reach": fmean(each.reach for each in every),
        "distance": {
            "mean": fmean(distances),
            "deviation": pstdev(distances),
            "least": min(distances),
            "most": max(distances),
        },
        "pairwise_share": {"mean": fmean(shares), "deviation": pstdev(shares)} if shares else None,
        "heads": [_head(index, every) for index in range(len(every[0].distances))],
    }


def _head(index: int, every: Sequence[Dependence]) -> dict[str, Any]:
    """Return the means of one head: DNL's pairwise and unary parts are two."""
    shares = [float(each.pairwise[index]) for each in every if each.pairwise is not None]
    return {
        "distance": fmean(float(each.distances[index]) for each in every),
        "pairwise_share": fmean(shares) if shares else None,
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
