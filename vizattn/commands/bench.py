"""Measure on this machine what capturing, rows, the page and starting take, in one run.

Ratios are medians of rounds that alternate between both sides, so that a machine that is busy with
something else slows both.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from models.tables import markdown_table
from vizattn.benchmarks import (
    browser,
    capturing,
    foreign,
    rows,
    scaling,
    scaling_report,
    starting,
    uploads,
)
from vizattn.benchmarks.machine import machine
from vizattn.benchmarks.measure import Measure, skipped
from vizattn.tables import table

NAME = "bench"
HELP = "measure how fast it is on this machine"
HEADS = ("what", "measured", "target", "met", "how")
_HELD = ("uploads", "resident", "after")
_STARTING = "start-up of the page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON and nothing else")
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument(
        "--quick", action="store_true", help="few rounds of small inputs, without the browser"
    )
    parser.add_argument(
        "--scaling",
        action="store_true",
        help="only how the cost of each mechanism grows with the number of places",
    )
    parser.add_argument(
        "--uploads",
        type=int,
        metavar="N",
        help="only how much memory the page's server holds while visitors send it N pictures",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="with --scaling: write page, plot and numbers"
    )


def run(options: argparse.Namespace) -> int:
    """Measure everything and print it; returns 0, whatever the numbers are."""
    if options.scaling:
        return _scaling(options)
    if options.uploads is not None:
        return _uploads(options)
    found = list(_in_python(options.quick))
    version = None
    if options.quick:
        found += browser.without("left out with --quick")
        found.append(skipped(_STARTING, "s", None, "left out with --quick"))
    else:
        version = _with_page(found)
    facts = machine(version)
    if options.json:
        report = {"machine": facts, "measures": [each.facts() for each in found]}
        print(json.dumps(report, indent=2))
        return 0
    lines = [_line(each) for each in found]
    print((markdown_table if options.markdown else table)(HEADS, lines))
    print("\n" + ", ".join(f"{name} {value}" for name, value in facts.items()))
    return 0


def _scaling(options: argparse.Namespace) -> int:
    found = []
    for each in scaling.scalings(options.quick):
        _say(each.name)
        found.append(each)
    if options.out is not None:
        for path in scaling_report.write(found, options.out):
            print(path)
    elif options.json:
        print(json.dumps([each.facts() for each in found], indent=2))
    else:
        form = markdown_table if options.markdown else table
        print(form(scaling_report.HEADS, scaling_report.lines(found)))
    return 0


def _uploads(options: argparse.Namespace) -> int:
    """Print what the server holds as the pictures come; returns 2 where it cannot be measured."""
    held = []
    try:
        with starting.launched() as page:
            for each in uploads.held_over(options.uploads, page.address, page.process):
                held.append(each)
                _say(f"{each.uploads} uploads, {each.megabytes:.0f} MB")
    except (OSError, ValueError, starting.NotStarted) as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps([asdict(each) for each in held], indent=2))
        return 0
    lines = [(f"{e.uploads}", f"{e.megabytes:.0f} MB", f"{e.seconds:.0f} s") for e in held]
    print((markdown_table if options.markdown else table)(_HELD, lines))
    return 0


def _in_python(quick: bool) -> Iterator[Measure]:
    for part, measures in (
        ("capturing", capturing.measures),
        ("strangers' networks", foreign.measures),
        ("rows", rows.measures),
        ("import", starting.imports),
    ):
        _say(part)
        yield from measures(quick)


def _with_page(found: list[Measure]) -> str | None:
    """Add what starting, the browser and the page take; return the browser's version."""
    _say("the page")
    try:
        with starting.launched() as page:
            found.append(page.started)
            return _in_browser(found, page.address)
    except starting.NotStarted as failed:
        found.append(skipped(_STARTING, "s", None, str(failed)))
        return _in_browser(found, None)


def _in_browser(found: list[Measure], address: str | None) -> str | None:
    try:
        with browser.browser() as running:
            version = str(running.version)
            found += browser.rows(running)
            found += browser.moves(running)
            if address is None:
                found += browser.without_page("the page did not start")
            else:
                found += browser.page(running, address)
            return version
    except browser.BrowserFailed as failed:
        # What was measured before it failed stays.
        known = {each.name for each in found}
        found += [each for each in browser.without(str(failed)) if each.name not in known]
    return None


def _say(part: str) -> None:
    if sys.stderr.isatty():
        print(f"measuring: {part}", file=sys.stderr)


def _line(each: Measure) -> tuple[str, ...]:
    measured = "-" if each.value is None else _number(each.value, each.unit)
    target = "-" if each.target is None else f"<= {_number(each.target, each.unit)}"
    met = {True: "yes", False: "no", None: "-"}[each.met]
    return each.name, measured, target, met, each.note


def _number(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    # A ratio so close to its target that two digits could hide on which side it is gets three.
    digits = 3 if unit == "x" and value < 2 else digits
    return f"{value:.{digits}f} {unit}"
