"""What ``show`` prints and writes, whatever sort of network it was."""

from __future__ import annotations

import argparse
import math
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vizattn.geometry import Point
from vizattn.render import Style
from vizattn.tables import table
from vizattn.texts import DEFAULT_LANGUAGE, Refused, text
from vizattn.views import Scale

WIDTH = 100
Save = Callable[[Path], list[Path]]


class BadPosition(Refused):
    """A place is not written as X,Y, or a registration not as DX,DY,ZOOM."""


@dataclass(frozen=True)
class Report:
    """What there is to print and to write.

    Args:
        facts: the summary.
        lines: what is printed in its place for people.
        save: writes everything but the summary into a folder and returns the paths.
        files: what that is, in words.
    """

    facts: dict[str, Any]
    lines: list[str]
    save: Save
    files: str


def position(given: str) -> Point:
    """Return the place that "X,Y" names; raises BadPosition."""
    place = numbers(given, 2)
    if place is None:
        raise BadPosition("errors.bad_position", given=repr(given))
    return place[0], place[1]


def numbers(given: str, count: int) -> tuple[float, ...] | None:
    """Return so many finite numbers that commas separate, or None if that is something else."""
    try:
        found = tuple(float(part) for part in given.split(","))
    except ValueError:
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None


def drawn(options: argparse.Namespace) -> tuple[Scale, Style]:
    """Return how the options want maps to be drawn."""
    return Scale(options.scale), Style(colormap=options.colormap, smooth=options.smooth)


def head_of(picture: dict[str, Any], network: dict[str, Any]) -> str:
    """Return what was looked at, with what, in one line."""
    width, height = picture["size"]
    name = network["name"] + (f" with {network['weights']}" if network.get("weights") else "")
    return f"{picture['name']}, {width} x {height}, {name} on {network['device']}"


def sites_of(sites: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the table of sites with their checks, if there are any."""
    if sites:
        heads = ("site", "kind", "shape", "checks")
        yield "\n" + table(heads, [_site(site) for site in sites])


def said_of(facts: dict[str, Any]) -> str:
    """Return what the selected site shows, in words."""
    chosen = facts["selection"]["site"]
    said = [
        said
        for each in facts["sites"]
        if each["site"] == chosen
        for said in (each["sentence"], each.get("note"))
        if said
    ]
    name = facts["network"]["name"]
    said = said or [text(DEFAULT_LANGUAGE, "errors.no_attention", name=name)]
    return textwrap.fill(" ".join(said), WIDTH)


def _site(site: dict[str, Any]) -> tuple[str, ...]:
    checks = ", ".join(
        f"{each['name']} {'ok' if each['passed'] else 'FAILED'}"
        + ("" if each["value"] is None else f" {each['value']:.1g}")
        for each in site["checks"]
    )
    return site["site"], site["kind"], " x ".join(map(str, site["shape"])), checks
