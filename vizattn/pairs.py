"""The example pairs that come with the instrument: scenes in colour and in warmth, with truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vizattn.examples import entries

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "examples" / "pairs"

Point = tuple[float, float]


@dataclass(frozen=True)
class ExamplePair:
    """A colour picture, mostly with a thermal one of the same moment, and who is in it."""

    id: str
    rgb: str
    """file of the colour picture"""
    thermal: str | None
    """file of the thermal picture; none where there is only colour"""
    title: dict[str, str]
    """by language"""
    note: dict[str, str]
    """one line that says what to look at, by language"""
    width: int
    """pixels of the colour picture"""
    height: int
    thermal_size: tuple[int, int] | None
    """width and height of the thermal picture, in pixels"""
    covers: tuple[float, float, float, float] | None
    """what the thermal camera sees: left, top, right, bottom in pixels of the colour picture"""
    people: int
    """how many are seen, a fifth of each at least"""
    points: tuple[Point, ...]
    """middles (x, y) of what is seen of each, in pixels of the colour picture"""
    heads: tuple[Point, ...]
    """middles of the heads, in the same order"""
    source: str
    licence: str
    licence_url: str | None = None

    @property
    def rgb_path(self) -> Path:
        """Return where the colour picture is."""
        return FOLDER / self.rgb

    @property
    def thermal_path(self) -> Path | None:
        """Return where the thermal picture is, if there is one."""
        return None if self.thermal is None else FOLDER / self.thermal

    @property
    def aligned(self) -> tuple[float, float, float, float] | None:
        """Return the true (scale_x, scale_y, dx, dy): (x, y) in colour lies at
        (x * scale_x + dx, y * scale_y + dy) in the thermal picture.
        """
        if self.covers is None or self.thermal_size is None:
            return None
        left, top, right, bottom = self.covers
        scale_x = self.thermal_size[0] / (right - left)
        scale_y = self.thermal_size[1] / (bottom - top)
        return scale_x, scale_y, -left * scale_x, -top * scale_y

    @property
    def shift(self) -> Point:
        """Return by how much the thermal picture's content is off the middle, in colour pixels."""
        if self.covers is None:
            return (0.0, 0.0)
        left, top, right, bottom = self.covers
        return (self.width - left - right) / 2, (self.height - top - bottom) / 2


@cache
def pairs() -> tuple[ExamplePair, ...]:
    """Return all example pairs in the order in which they are offered; the first is shown first.

    Raises:
        ValueError: if the list of pairs is not as it should be.
    """
    return tuple(map(_read, entries(FOLDER / "pairs.json")))


def _read(entry: dict[str, Any]) -> ExamplePair:
    try:
        lists = {name: tuple(map(tuple, entry[name])) for name in ("points", "heads")}
        view = {
            name: tuple(entry[name]) if entry[name] is not None else None
            for name in ("thermal_size", "covers")
        }
        read = ExamplePair(**{**entry, **lists, **view})
    except (KeyError, TypeError) as error:
        raise ValueError(f"a pair does not have the expected fields: {error}") from error
    if not read.people == len(read.points) == len(read.heads):
        raise ValueError(
            f"{read.id}: expected {read.people} points and heads, "
            f"received {len(read.points)} and {len(read.heads)}"
        )
    if any(not (0 <= x <= read.width and 0 <= y <= read.height) for x, y in read.points):
        raise ValueError(f"{read.id}: expected every point inside the picture")
    if (read.thermal is None) != (read.covers is None) or (read.covers is None) != (
        read.thermal_size is None
    ):
        raise ValueError(f"{read.id}: expected a thermal picture with its size and view, or none")
    return read
