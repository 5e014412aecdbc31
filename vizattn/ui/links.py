"""What the address bar keeps: a view that somebody can open again, and the language."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vizattn.render import COLORMAPS
from vizattn.texts import DEFAULT_LANGUAGE, LANGUAGES, Refused, text

TAB = "explore"
"""what the address calls the tab whose views are read here"""
FACES = ("rows", "maps", "rebuilt")
"""in which ways a site can be shown, where there are several"""
_LONGEST = 60


class BadLink(Refused):
    """A link names something that is not here; the sentence says what."""

    def __init__(self, part: str, value: str) -> None:
        self.part = part
        self.value = value[:_LONGEST]
        reason = text(DEFAULT_LANGUAGE, f"explore.bad_link.{part}", value=self.value)
        super().__init__("explore.bad_link", reason=reason)

    def sentence(self, language: str) -> str:
        """Return the message in a language."""
        reason = text(language, f"explore.bad_link.{self.part}", value=self.value)
        return text(language, self.key, reason=reason)


@dataclass(frozen=True)
class Link:
    """A view as an address names it; what it does not say is None or missing.

    Args:
        example: id of the picture.
        network: name of the network.
        selection: "site", "head", "at", "channel", "token" (the number of one that is no place),
            "face" (one of ``FACES``) and how it is drawn.
    """

    example: str | None = None
    network: str | None = None
    selection: dict[str, Any] = field(default_factory=dict)


def read_link(query: Mapping[str, str]) -> Link:
    """Return the view that a query names; what has another name is left to others.

    What names another tab names nothing here.

    Raises:
        BadLink: if a value cannot be read.
    """
    if query.get("tab") not in (None, "", TAB):
        return Link()
    selection = {}
    for name, read in _READERS.items():
        if value := query.get(name):
            try:
                selection[name] = read(value)
            except (ValueError, KeyError) as error:
                raise BadLink(name, value) from error
    return Link(query.get("example") or None, query.get("network") or None, selection)


def _head(value: str) -> int | str:
    return value if value == "mean" else _count(value)


def _count(value: str) -> int:
    count = int(value)
    if count < 0:
        raise ValueError(f"expected a number from 0, received {value!r}")
    return count


def _place(value: str) -> list[float]:
    place = [float(part) for part in value.split(",")]
    if len(place) != 2 or not all(map(math.isfinite, place)):
        raise ValueError(f"expected x,y, received {value!r}")
    return place


def _one_of(*names: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in names:
            raise ValueError(f"expected one of {names}, received {value!r}")
        return value

    return read


_READERS: dict[str, Callable[[str], Any]] = {
    "site": str,
    "head": _head,
    "at": _place,
    "channel": _count,
    "token": _count,
    "face": _one_of(*FACES),
    "colormap": _one_of(*COLORMAPS),
}


def choose_language(setting: str, query: Mapping[str, str], accepted: str) -> str:
    """Return the language for a visitor: the link's, else the setting's, else the browser's.

    Args:
        setting: a language, or "auto".
        query: of the address; "lang" names a language.
        accepted: the browser's Accept-Language header.
    """
    if query.get("lang") in LANGUAGES:
        return query["lang"]
    if setting in LANGUAGES:
        return setting
    preferred = sorted(map(_preference, accepted.split(",")), key=lambda entry: -entry[0])
    names = (name.split("-")[0] for _, name in preferred)
    return next((name for name in names if name in LANGUAGES), DEFAULT_LANGUAGE)


def _preference(entry: str) -> tuple[float, str]:
    name, _, quality = entry.strip().lower().partition(";q=")
    try:
        return float(quality or 1), name
    except ValueError:
        return 0.0, name
