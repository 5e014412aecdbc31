"""Class activation maps on the command line: their options, and progress where it takes long."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vizattn.analysis import Analysis
from vizattn.cam.making import with_class_map
from vizattn.cam.methods import METHODS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument(
        "--cam",
        metavar="METHOD",
        help="make a class activation map too, and show it: " + ", ".join(METHODS),
    )
    parser.add_argument(
        "--class",
        dest="target",
        metavar="C",
        help="its class, by name or number (default: the predicted one)",
    )
    parser.add_argument(
        "--layer", metavar="L", help="the layer that it is made at (default: found by what fires)"
    )


def mapped(analysis: Analysis, options: argparse.Namespace) -> tuple[Analysis, str | None]:
    """Return the analysis with the class map that was asked for, and the site to show.

    Raises:
        Refused: if there is no such method, class or layer.
    """
    if options.cam is None:
        return analysis, options.site
    with counting(f"{options.cam}: passes") as progress:
        made = with_class_map(analysis, options.cam, options.target, options.layer, progress)
    return made, options.site or made.sites[-1].site


@contextmanager
def counting(words: str) -> Iterator[Callable[[int, int], None]]:
    """Give what shows how far some work is, on the terminal of whoever waits."""
    from tqdm import tqdm

    with tqdm(desc=words, leave=False, disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress
