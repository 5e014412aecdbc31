"""Where places and channels are in what a layer returns: maps, maps with channels last, tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from vizattn.geometry import Grid, Size

MOST_PREFIX = 8
"""class, distillation and register tokens that may stand before the places"""
_SLACK = 1.0
"""cells by which a side may differ from what the input's shape says: strides round up or down"""
_STRIDES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Layout:
    """How a layer's output is a feature map.

    Args:
        channel_axis: the axis of the channels.
        rows: cells from top to bottom.
        columns: cells from left to right.
        prefix: tokens before the places.
        tokens: the places are one axis and not two.
    """

    channel_axis: int
    rows: int
    columns: int
    prefix: int = 0
    tokens: bool = False

    def as_map(self, output: Tensor) -> Float[Tensor, "batch channel row column"]:
        """Return an output of this layout as a map, without the tokens that are no places."""
        moved = output.movedim(self.channel_axis, 1)
        if not self.tokens:
            return moved
        return moved[:, :, self.prefix :].unflatten(2, (self.rows, self.columns))

    def channel(self, index: int) -> tuple[slice | int, ...]:
        """Return where one channel is in the output of one picture, at all places and tokens."""
        where: list[slice | int] = [slice(None)] * (2 if self.tokens else 3)
        where[self.channel_axis - 1] = index
        return tuple(where)


def layout_of(shape: tuple[int, ...], input: Size) -> Layout | None:
    """Return the layout of an output of this shape, or None where it has no places.

    What has the proportions of the input is a map: with its channels first, else last, else as
    tokens, of which a few at the beginning may be no places. One cell has no extent.

    Args:
        shape: of the output, with the batch.
        input: (width, height) of the network's input.
    """
    if len(shape) == 4:
        if _fits(shape[2], shape[3], input):
            return Layout(1, shape[2], shape[3])
        return Layout(3, shape[1], shape[2]) if _fits(shape[1], shape[2], input) else None
    return _of_tokens(shape[1], input) if len(shape) == 3 else None


def _fits(rows: int, columns: int, input: Size) -> bool:
    width, height = input
    if rows * columns < 2 or rows > height or columns > width:
        return False
    cell = math.sqrt(width * height / (rows * columns))
    return abs(rows - height / cell) <= _SLACK and abs(columns - width / cell) <= _SLACK


def _of_tokens(count: int, input: Size) -> Layout | None:
    width, height = input
    found = [
        (abs(height / rows - width / columns), prefix, rows, columns)
        for prefix in range(min(MOST_PREFIX, count - 1) + 1)
        for rows in _divisors(count - prefix)
        for columns in [(count - prefix) // rows]
        if _fits(rows, columns, input)
    ]
    if not found:
        return None
    _, prefix, rows, columns = min(found)
    return Layout(2, rows, columns, prefix, tokens=True)


def _divisors(count: int) -> list[int]:
    return [rows for rows in range(1, count + 1) if count % rows == 0]


def grid_of(layout: Layout, input: Size) -> Grid:
    """Return which model pixels the cells of a layout stand for.

    A stride that explains both sides is the cell; it may reach over the input's edge, where a
    network pads. Otherwise the cells share the input out.
    """
    width, height = input
    for stride in _STRIDES:
        fits = math.ceil(height / stride) == layout.rows
        if fits and math.ceil(width / stride) == layout.columns:
            return Grid(layout.rows, layout.columns, (stride, stride))
    return Grid(layout.rows, layout.columns, (width / layout.columns, height / layout.rows))
