"""What an operation did: to the prediction, and to all attention that came after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from vizattn.analysis import Analysis, Classification, Segmentation
from vizattn.attention import Captured, Rows

_ROWS_COMPARED = 64
"""rows of an affinity that are compared, spread evenly"""


@dataclass(frozen=True)
class Moved:
    """How far the attention of one site moved.

    Args:
        site: its dotted path.
        share: sum |after - before| over sum (|after| + |before|): 0 where nothing moved, 1 where
            nothing is where it was. For rows that sum to 1 this is the total variation distance.
    """

    site: str
    share: float


@dataclass(frozen=True)
class Shift:
    """How probable a class was and is; of a segmentation, how much of the picture it covers."""

    name: str
    before: float
    after: float


@dataclass(frozen=True)
class Difference:
    """What changed between two looks of one network at one picture.

    Args:
        before: the first look.
        after: the second.

    Raises:
        ValueError: if they are not of one network and of pictures of one size.
    """

    before: Analysis
    after: Analysis

    def __post_init__(self) -> None:
        ours, theirs = self.before, self.after
        if ours.network.name != theirs.network.name or ours.framing != theirs.framing:
            raise ValueError(
                "expected two looks of one network at one picture, received "
                f"{ours.network.name} at {ours.framing} and {theirs.network.name} at "
                f"{theirs.framing}"
            )

    def shifts(self) -> tuple[Shift, ...]:
        """Return every class before and after; those with the largest share in either first."""
        before, after = (_shares(each) for each in (self.before, self.after))
        names = sorted(
            dict.fromkeys([*before, *after]),
            key=lambda name: -max(before.get(name, 0.0), after.get(name, 0.0)),
        )
        return tuple(Shift(name, before.get(name, 0.0), after.get(name, 0.0)) for name in names)

    def where(self) -> Bool[np.ndarray, "row column"] | None:
        """Return which of the model's pixels got another class; None for a classifier."""
        before, after = self.before.prediction, self.after.prediction
        if isinstance(before, Segmentation) and isinstance(after, Segmentation):
            return before.mask != after.mask
        return None

    def changed(self) -> float:
        """Return the share of pixels with another class; of a classifier, half the sum of all
        changes of probability. Both are 0..1.
        """
        where = self.where()
        if where is not None:
            return float(where.mean())
        return sum(abs(shift.after - shift.before) for shift in self.shifts()) / 2

    def attention(self) -> tuple[Moved, ...]:
        """Return how far the attention of every site moved, in the order of the network."""
        known = {each.site: each for each in self.before.sites}
        return tuple(
            Moved(each.site, _moved(known[each.site], each))
            for each in self.after.sites
            if each.site in known
        )

    def facts(self) -> dict[str, Any]:
        """Return everything as facts that fit into JSON."""
        return {
            "changed": self.changed(),
            "classes": {
                shift.name: {"before": shift.before, "after": shift.after}
                for shift in self.shifts()
            },
            "attention": {moved.site: moved.share for moved in self.attention()},
        }


def _shares(analysis: Analysis) -> dict[str, float]:
    prediction = analysis.prediction
    if isinstance(prediction, Classification):
        return dict(prediction.top(len(prediction.classes)))
    return prediction.shares()


def _moved(before: Captured, after: Captured) -> float:
    apart = whole = 0.0
    for old, new in zip(_numbers(before), _numbers(after), strict=True):
        apart += float(np.abs(new - old).sum())
        whole += float(np.abs(new).sum() + np.abs(old).sum())
    return apart / whole if whole > 0 else 0.0


def _numbers(captured: Captured) -> Iterator[Float[np.ndarray, "*axes"]]:
    rows = getattr(captured, "rows", None)
    if isinstance(rows, Rows):
        step = -(-rows.queries // _ROWS_COMPARED)
        yield rows.some(range(0, rows.queries, step)).astype(np.float64)
    maps = getattr(captured, "maps", None)
    for values in (getattr(captured, "values", None), maps and maps.values):
        if isinstance(values, np.ndarray):
            yield values.astype(np.float64)
