"""A measured number beside its target, and how to measure two things against each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One number that was measured, or the reason why it was not.

    Args:
        name: what was measured.
        value: the number; none where it could not be measured.
        unit: "x" for a ratio, "ms" or "s".
        target: the largest number that is good enough; none where there is no target.
        note: how it was measured, or why it was not.
    """

    name: str
    value: float | None
    unit: str
    target: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Return whether the target is met; none where there is no number or no target."""
        if self.value is None or self.target is None:
            return None
        return self.value <= self.target

    def facts(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "target": self.target,
            "met": self.met,
            "note": self.note,
        }


def skipped(name: str, unit: str, target: float | None, reason: str) -> Measure:
    """Return the measure of something that cannot be measured here."""
    return Measure(name, None, unit, target, f"not measured: {reason}")


Run = Callable[[], object]


@dataclass(frozen=True)
class Spent:
    """What one run took.

    Args:
        wall: seconds on the clock, other programs' share of the processor included.
        cpu: seconds of processor time of this process alone, all its threads together.
    """

    wall: float
    cpu: float


def alternate(runs: Mapping[str, Run], rounds: int) -> dict[str, list[Spent]]:
    """Return what each run took in each round.

    Every round times every run once, in an order that turns from round to round, so that a
    machine that grows slower or faster meanwhile does so to all of them alike.

    Args:
        runs: what to time, by name.
        rounds: how often.
    """
    names = list(runs)
    taken: dict[str, list[Spent]] = {name: [] for name in names}
    for name in names:
        runs[name]()
    for number in range(rounds):
        shift = number % len(names)
        order = names[shift:] + names[:shift]
        for name in order if number % 2 else reversed(order):
            taken[name].append(_spent(runs[name]))
    return taken


def _spent(run: Run) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    kept = run()
    spent = Spent(time.perf_counter() - wall, time.process_time() - cpu)
    del kept
    return spent


def ratio(above: Iterable[float], below: Iterable[float]) -> float:
    """Return the median of the rounds' ratios: what drifts from round to round cancels."""
    return median(a / b for a, b in zip(above, below, strict=True))
