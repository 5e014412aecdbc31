"""What ``show`` prints and writes of a network that counts people."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vizattn.crowd.export as crowd
from vizattn.analysis import OtherTask
from vizattn.commands.reports.report import (
    BadPosition,
    Report,
    drawn,
    head_of,
    numbers,
    position,
    said_of,
    sites_of,
)
from vizattn.crowd.analysis import look_at
from vizattn.crowd.changes import SENSES
from vizattn.crowd.pair import Pair, read_pair
from vizattn.export import ARRAYS
from vizattn.networks import Network
from vizattn.tables import table
from vizattn.views import UnknownHead


def report(options: argparse.Namespace, network: Network) -> Report:
    """Count in an RGB picture, a thermal one or both.

    Raises:
        Refused: if a picture, the registration, site or place cannot be used.
    """
    at = None if options.at is None else position(options.at)
    if options.change:
        raise OtherTask("surgery.no_counter", name=network.name)
    if options.head:
        raise UnknownHead("errors.unknown_head", head=options.head, count=1)
    pair = registered_pair(options.image, options.thermal, options.register)
    analysis = look_at(pair, network)
    scale, style = drawn(options)

    def save(place: Path) -> list[Path]:
        files = crowd.overlays(analysis, place, at, scale, style)
        arrays = crowd.save_arrays(analysis, place / ARRAYS, at)
        return [*files, arrays, crowd.save_regions(analysis, place / crowd.REGIONS)]

    facts = crowd.summary(analysis, at, options.site)
    return Report(facts, list(_count_lines(facts)), save, f"overlays, {ARRAYS}, {crowd.REGIONS}")


def registered_pair(rgb: Path | None, thermal: Path | None, given: str) -> Pair:
    """Return the pair of two files, laid on each other as "auto", "none" or "DX,DY,ZOOM" says.

    Raises:
        Refused: if a picture or the registration cannot be used.
    """
    if given in ("auto", "none"):
        return read_pair(rgb, thermal, "auto" if given == "auto" else None)
    nudge = numbers(given, 3)
    if nudge is None or nudge[2] <= 0:
        raise BadPosition("crowd_engine.bad_registration", given=repr(given))
    pair = read_pair(rgb, thermal)
    if len(pair.senses) < len(SENSES):
        return pair
    return read_pair(pair.rgb, pair.thermal, pair.laid.nudged(*nudge))


def _count_lines(facts: dict[str, Any]) -> Iterator[str]:
    yield head_of(facts["pair"], facts["network"])
    yield from facts["notes"]
    yield from sites_of(facts["sites"])
    weighed = [(stage, each) for stage, each in enumerate(facts["trusts"], 1) if each is not None]
    if weighed:
        heads = ("stage", *SENSES)
        rows = [(str(stage), *(f"{each[s]:.1%}" for s in SENSES)) for stage, each in weighed]
        yield "\n" + table(heads, rows)
    yield f"\n{facts['sentence']}"
    if facts["selection"]["site"]:
        yield said_of(facts)
