"""What can be done to an attention: one class for each, written "off", "top:5", "local:3"..."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.affinity import PairwiseAffinity
from models.mechanism import AttentionBlock, Claim, Kind
from vizattn.surgery.gates import AXES, even, keep_largest, renormalised, shuffled, strongest
from vizattn.surgery.gates import elsewhere as order_elsewhere
from vizattn.surgery.painting import Stroke, drawn, on_cells
from vizattn.surgery.rows import (
    ChangedAffinity,
    EvenAffinity,
    MovedAffinity,
    OwnAffinity,
    Queries,
    Rows,
)
from vizattn.surgery.sites import Site
from vizattn.texts import Refused


class UnknownOperation(Refused):
    """There is no operation of that name, or its number is wrong."""


_AFFINITIES = {
    Kind.PLACE_AFFINITY,
    Kind.TOKEN_AFFINITY,
    Kind.CHANNEL_AFFINITY,
    Kind.CHANNEL_PLACE_AFFINITY,
}


@dataclass(frozen=True)
class Operation(ABC):
    """Puts another attention in the place of the one that passes a tap."""

    name: ClassVar[str]
    number: ClassVar[str | None] = None
    """the field that the part after the colon fills, if there may be one"""

    @classmethod
    @abstractmethod
    def suits(cls, block: AttentionBlock) -> bool:
        """Return whether a block's attention has room for the operation."""

    def gate(self, value: Tensor, site: Site) -> Tensor:
        """Return what passes in the place of a gate (batch, ...)."""
        raise site.cannot(self.name.replace("-", "_"))

    def affinity(self, value: PairwiseAffinity, site: Site) -> PairwiseAffinity:
        """Return what passes in the place of an affinity."""
        raise site.cannot(self.name.replace("-", "_"))

    def __call__(self, value: Any, site: Site) -> Any:
        """Return what passes the tap in the place of a value.

        Raises:
            CannotChange: if the attention has no room for the operation.
        """
        if not self.suits(site.block):
            raise site.cannot(self.name.replace("-", "_"))
        if isinstance(value, PairwiseAffinity):
            return self.affinity(value, site)
        return self.gate(value, site)

    def __str__(self) -> str:
        return self.name if self.number is None else f"{self.name}:{getattr(self, self.number)}"


@dataclass(frozen=True)
class Off(Operation):
    """The value at which a gate lets everything pass; each place listening to itself alone."""

    name = "off"

    @classmethod
    def suits(cls, block: AttentionBlock) -> bool:
        return block.kind in _AFFINITIES or (block.kind.scales and block.identity is not None)

    def gate(self, value: Tensor, site: Site) -> Tensor:
        return torch.full_like(value, float(site.block.identity or 0.0))

    def affinity(self, value: PairwiseAffinity, site: Site) -> PairwiseAffinity:
        return OwnAffinity(value, site.own_keys(value.shape[2]))


@dataclass(frozen=True)
class Uniform(Operation):
    """The mean for everything that is weighed against each other."""

    name = "uniform"

    @classmethod
    def suits(cls, block: AttentionBlock) -> bool:
        return block.kind in _AFFINITIES or block.kind in AXES

    def gate(self, value: Tensor, site: Site) -> Tensor:
        return even(value, site.block.kind)

    def affinity(self, value: PairwiseAffinity, site: Site) -> PairwiseAffinity:
        return EvenAffinity(value)


@dataclass(frozen=True)
class Shuffle(Operation):
    """Every weight somewhere else; all rows of an affinity in the same order.

    Args:
        seed: which order.
    """

    name = "shuffle"
    number = "seed"
    seed: int = 0

    @classmethod
    def suits(cls, block: AttentionBlock) -> bool:
        return Uniform.suits(block)

    def gate(self, value: Tensor, site: Site) -> Tensor:
        return shuffled(value, site.block.kind, self.seed)

    def affinity(self, value: PairwiseAffinity, site: Site) -> PairwiseAffinity:
        return MovedAffinity(value, order_elsewhere(value.shape[3], self.seed))


@dataclass(frozen=True)
class Top(Operation):
    """The largest weights only, those of each row for an affinity; 0 for the rest.

    Args:
        count: how many are kept.

    Raises:
        ValueError: if nothing would be kept.
    """

    name = "top"
    number = "count"
    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"expected at least 1 to keep, received {self.count}")

    @classmethod
    def suits(cls, block: AttentionBlock) -> bool:
        return block.kind in _AFFINITIES or bool(block.kind in AXES and AXES[block.kind].ranked)

    def gate(self, value: Tensor, site: Site) -> Tensor:
        return strongest(value, site.block.kind, site.block.claim, self.count)

    def affinity(self, value: PairwiseAffinity, site: Site) -> PairwiseAffinity:
        def change(rows: Rows, queries: Queries) -> Rows:
            return _again_a_row(keep_largest(rows, self.count), site)

        return ChangedAffinity(value, change)


@dataclass(frozen=True)
class Local(Operation):
    """A window around each place only; 0 beyond.

    Args:
        side: of the window, in cells of the keys' map; odd.

    Raises:
        ValueError: if the window has no middle.
    """

    name = "local"
    number = "side"
    side: int

    def __post_init__(self) -> None:
        if self.side < 1 or self.side % 2 == 0:
            raise ValueError(f"expected an odd window, received {self.side}")

    @classmethod
    def suits(cls, block: AttentionBlock) -> bool:
        return block.kind in _AFFINITIES - {Kind.CHANNEL_AFFINITY}

    def affinity(self, value: PairwiseAffinity, site: Site) -> PairwiseAffinity:
        layout = site.layout(value.shape[3])
        if layout is None:
            raise site.cannot(self.name)

        def change(rows: Rows, queries: Queries) -> Rows:
            near = layout.near(queries, self.side).to(rows.device)
            return _again_a_row(rows.masked_fill(~near, 0.0), site)

        return ChangedAffinity(value, change)


@dataclass(frozen=True)
class NoSelf(Operation):
    """Nothing of what a place says itself."""

    name = "no-self"

    @classmethod
    def suits(cls, block: AttentionBlock) -> bool:
        return block.kind in _AFFINITIES

    def affinity(self, value: PairwiseAffinity, site: Site) -> PairwiseAffinity:
        own = site.own_keys(value.shape[2])

        def change(rows: Rows, queries: Queries) -> Rows:
            itself = own.to(rows.device)[queries][:, None].expand(*rows.shape[:3], 1)
            return _again_a_row(rows.scatter(3, itself, 0.0), site)

        return ChangedAffinity(value, change)


@dataclass(frozen=True, eq=False)
class Paint(Operation):
    """Values drawn on the picture, in the place of the gate's own wherever there is paint.

    A cell takes them as far as it is covered. Where a gate's weights sum to 1, 1 is its largest
    weight, and it sums to 1 again afterwards.

    Args:
        mask: values of 0..1 over the original, at any size; NaN where nothing is drawn.

    Raises:
        ValueError: if a value is outside 0..1.
    """

    name = "paint"
    mask: Float[np.ndarray, "y x"]

    def __post_init__(self) -> None:
        values = self.mask[~np.isnan(self.mask)]
        if self.mask.ndim != 2 or not ((values >= 0) & (values <= 1)).all():
            raise ValueError("expected a mask (y, x) with values of 0..1 or NaN")

    @classmethod
    def strokes(cls, strokes: list[Stroke], size: tuple[int, int]) -> Paint:
        """Return the operation for strokes on an original of (width, height)."""
        return cls(drawn(strokes, size))

    @classmethod
    def suits(cls, block: AttentionBlock) -> bool:
        return block.kind in AXES and AXES[block.kind].painted

    def gate(self, value: Tensor, site: Site) -> Tensor:
        grid = site.grid()
        if site.framing is None:
            raise site.cannot("no_picture")
        share, paint = (
            torch.from_numpy(each).to(value) for each in on_cells(self.mask, grid, site.framing)
        )
        simplex = site.block.claim is Claim.SIMPLEX
        most = value.amax(dim=(2, 3), keepdim=True) if simplex else 1.0
        painted = torch.lerp(value, paint * most, share.expand(value.shape))
        return renormalised(painted, site.block.kind.simplex_axes) if simplex else painted


def _again_a_row(kept: Rows, site: Site) -> Rows:
    """Return what is left of rows; it sums to 1 again where that is the claim."""
    return renormalised(kept, (3,)) if site.block.claim is Claim.SIMPLEX else kept


_ALL: tuple[type[Operation], ...] = (Off, Uniform, Shuffle, Top, Local, NoSelf, Paint)
OPERATIONS: Mapping[str, type[Operation]] = {each.name: each for each in _ALL}
"""by name"""


def operations_for(block: AttentionBlock) -> tuple[str, ...]:
    """Return the names of what a block's attention has room for."""
    return tuple(name for name, operation in OPERATIONS.items() if operation.suits(block))


def operation(written: str) -> Operation:
    """Return the operation that a text names: "off", "uniform", "shuffle", "top:5", "local:3"...

    Raises:
        UnknownOperation: if there is none of that name, or its number is missing or wrong.
    """
    name, colon, number = written.strip().partition(":")
    found = OPERATIONS.get(name)
    if found is None or found is Paint:
        raise UnknownOperation("surgery.unknown", given=repr(written))
    try:
        if colon and found.number is None:
            raise ValueError
        return found(**({found.number: int(number)} if colon and found.number else {}))
    except (TypeError, ValueError):
        raise UnknownOperation(f"surgery.wrong.{name.replace('-', '_')}", given=written) from None
