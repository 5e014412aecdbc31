"""What ``show --change`` adds: the network run again with other attention, before beside after."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vizattn.analysis import Analysis
from vizattn.commands.reports.report import Save, drawn
from vizattn.export import ARRAYS, overlays, save_arrays
from vizattn.surgery.difference import Difference
from vizattn.surgery.operating import operate
from vizattn.surgery.operations import Operation, UnknownOperation, operation
from vizattn.tables import table
from vizattn.views import Selection

CHANGED = "changed-"
"""what the names of files begin with that show the changed network"""
_LARGEST = 5


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Describe the argument."""
    parser.add_argument(
        "--change",
        action="append",
        default=[],
        metavar="SITE=CHANGE",
        help="run the network again with other attention at a site: off, uniform, shuffle[:SEED], "
        "top:K, local:K (a window of K x K cells) or no-self; may be given for several sites",
    )


def changes_of(given: Sequence[str]) -> dict[str, Operation]:
    """Return by site what "SITE=CHANGE" asks for.

    Raises:
        UnknownOperation: if a text is not written so, or names no operation.
    """
    changes = {}
    for each in given:
        site, equals, change = each.rpartition("=")
        if not equals:
            raise UnknownOperation("surgery.wrong.option", given=repr(each))
        changes[site] = operation(change)
    return changes


class Changed:
    """One analysis, and the same picture with other attention.

    Raises:
        Refused: if there is no such site, or its attention has no room for the change.
    """

    def __init__(self, before: Analysis, changes: dict[str, Operation]) -> None:
        self.changes = changes
        self.after = operate(before.network, before.picture, changes)
        self.difference = Difference(before, self.after)

    def facts(self) -> dict[str, Any]:
        """Return what was changed and what came of it, as facts that fit into JSON."""
        said = {site: str(change) for site, change in self.changes.items()}
        return {"sites": said} | self.difference.facts()

    def lines(self) -> Iterator[str]:
        """Yield what is printed: classes before and after, and how far attention moved."""
        said = ", ".join(f"{site} {change}" for site, change in self.changes.items())
        yield f"\nwith {said}: {self.difference.changed():.1%} of the prediction changed"
        shifts = self.difference.shifts()[:_LARGEST]
        rows = [(each.name, f"{each.before:.1%}", f"{each.after:.1%}") for each in shifts]
        yield table(("class", "before", "after"), rows)
        moved = [(each.site, f"{each.share:.1%}") for each in self.difference.attention()]
        yield "\n" + table(("site", "attention moved"), moved)

    def saving(self, options: argparse.Namespace, selection: Selection) -> Save:
        """Return what writes the changed attention beside the network's own."""
        scale, style = drawn(options)

        def save(place: Path) -> list[Path]:
            with tempfile.TemporaryDirectory(dir=place) as apart:
                files = overlays(self.after, selection, apart, scale, style)
                files.append(save_arrays(self.after, selection, Path(apart) / ARRAYS))
                return [path.rename(place / f"{CHANGED}{path.name}") for path in files]

        return save
