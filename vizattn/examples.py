"""The pictures that come with the instrument, each with where it is from and what to look at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "examples"
LICENCES = ("own work, CC0-1.0", "CC0-1.0", "public domain")


@dataclass(frozen=True)
class Example:
    """A picture, its rights, and the network that has something to say about it."""

    id: str
    file: str
    title: dict[str, str]
    """by language"""
    width: int
    """pixels"""
    height: int
    source: str
    licence: str
    network: str
    """name of a bundled network"""
    note: dict[str, str]
    """one line that says what to look at, by language"""
    licence_url: str | None = None
    site: str | None = None
    """path of the attention that is shown first; none for the network's own first"""
    at: tuple[float, float] | None = None
    """a place (x, y) that is worth pointing at, in pixels of the picture"""

    @property
    def path(self) -> Path:
        """Return where the picture is."""
        return FOLDER / self.file


@cache
def examples() -> tuple[Example, ...]:
    """Return all examples in the order in which they are offered; the first is shown first.

    Raises:
        ValueError: if the list of examples is not as it should be.
    """
    return tuple(map(_read, entries(FOLDER / "examples.json")))


def entries(path: Path) -> list[dict[str, Any]]:
    """Return what a list of pictures says of each, all with ids of their own and rights to show it.

    Raises:
        ValueError: if it is no such list.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, list) or not found:
        raise ValueError(
            f"expected a list of {path.stem} in {path.name}, received {type(found).__name__}"
        )
    if len({each.get("id") for each in found}) < len(found):
        raise ValueError(f"expected every id in {path.name} once")
    for each in found:
        if each.get("licence") not in LICENCES:
            raise ValueError(
                f"{each.get('id')}: expected a licence of {LICENCES}, "
                f"received {each.get('licence')!r}"
            )
    return found


def _read(entry: dict[str, Any]) -> Example:
    try:
        place = entry.get("at")
        read = Example(**{**entry, "at": tuple(place) if place is not None else None})
    except TypeError as error:
        raise ValueError(f"an example does not have the expected fields: {error}") from error
    if read.at is not None and not (
        0 <= read.at[0] <= read.width and 0 <= read.at[1] <= read.height
    ):
        raise ValueError(f"{read.id}: expected a place inside the picture, received {read.at}")
    return read
