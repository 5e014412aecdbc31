"""What the browser asks, checked: a question is somebody else's until it has been read here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vizattn.crowd.changes import Changes
from vizattn.registration import Registration
from vizattn.texts import Refused

_LARGEST = 1e6
Json = Mapping[str, Any]


class BadQuestion(Refused):
    """A question is not one that the page asks."""

    def __init__(self) -> None:
        super().__init__("crowd_page.bad_question")


@dataclass(frozen=True)
class Order:
    """Which analysis is meant.

    Args:
        example: id of an example pair; none for a visitor's own.
        own: id of a visitor's own pair; none for an example.
        network: name of the counter.
        registration: how the pictures lie on each other; the pair's own where there is none.
        changes: what is done to the pair first.
    """

    example: str | None
    own: str | None
    network: str
    registration: Registration | None = None
    changes: Changes = field(default_factory=Changes)


def read_order(question: Json) -> Order:
    """Return which analysis a question is about; raises BadQuestion."""
    pair = question.get("pair") or {}
    return Order(
        _name(pair.get("example")),
        _name(pair.get("own")),
        _name(question.get("network")) or "",
        read_registration(question.get("registration")),
        read_changes(question.get("changes") or {}),
    )


def read_registration(numbers: Any) -> Registration | None:
    """Return a registration from (scale x, scale y, dx, dy), or None; raises BadQuestion."""
    if numbers is None:
        return None
    scale_x, scale_y, dx, dy = read_numbers(numbers, 4)
    try:
        return Registration(scale_x, scale_y, dx, dy)
    except ValueError as error:
        raise BadQuestion from error


def registration_numbers(registration: Registration | None) -> list[float] | None:
    """Return a registration as the browser has it."""
    if registration is None:
        return None
    return [registration.scale_x, registration.scale_y, registration.dx, registration.dy]


def read_changes(given: Json) -> Changes:
    """Return the changes that a laboratory's sliders stand for; raises BadQuestion."""
    try:
        noise = given.get("noise")
        shift = read_numbers(given.get("shift", (0, 0)), 2)
        return Changes(
            (shift[0], shift[1]),
            float(given.get("light", 1)),
            given.get("blank"),
            None if noise is None else (str(noise[0]), float(noise[1])),
            frozenset(int(stage) for stage in given.get("off", ())),
        )
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadQuestion from error


def changes_numbers(changes: Changes) -> dict[str, Any]:
    """Return changes as the browser has them."""
    return {
        "shift": list(changes.shift),
        "light": changes.light,
        "blank": changes.blank,
        "noise": None if changes.noise is None else list(changes.noise),
        "off": sorted(changes.off),
    }


def read_numbers(given: Any, count: int) -> list[float]:
    """Return so many finite numbers of sensible size; raises BadQuestion."""
    try:
        numbers = [float(number) for number in given]
    except (TypeError, ValueError) as error:
        raise BadQuestion from error
    if len(numbers) != count or not all(
        math.isfinite(number) and abs(number) <= _LARGEST for number in numbers
    ):
        raise BadQuestion
    return numbers


def read_stage(given: Any, stages: int) -> int:
    """Return the number of a stage, from 0; raises BadQuestion."""
    if not isinstance(given, int) or not 0 <= given < stages:
        raise BadQuestion
    return given


def _name(given: Any) -> str | None:
    if given is not None and not isinstance(given, str):
        raise BadQuestion
    return given or None
