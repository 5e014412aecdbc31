"""Every coordinate rule, written once: original pixels, model pixels and cells.

Coordinates are continuous: the origin is the top left corner, x goes right and y goes down, pixel
(i, j) covers [i, i + 1) and has its centre at i + 0.5. "Original" means the upright picture at its
full resolution, "model" the pixels that the network is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

Point = tuple[float, float]
Size = tuple[int, int]
Box = tuple[float, float, float, float]
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class Framing:
    """Where the pixels of the upright original went in the model's input, and back.

    Args:
        original: (width, height) of the upright original.
        scaled: (width, height) of the picture inside the model's input.
        offset: (x, y) of the picture's top left corner inside the model's input.
        input: (width, height) of the model's input, bars included.
    """

    original: Size
    scaled: Size
    offset: Size
    input: Size

    def __post_init__(self) -> None:
        if min(*self.original, *self.scaled, *self.input) < 1:
            raise ValueError(f"expected sizes of at least 1 pixel, received {self}")
        if any(
            o < 0 or o + s > i for o, s, i in zip(self.offset, self.scaled, self.input, strict=True)
        ):
            raise ValueError(f"expected the picture inside the model's input, received {self}")

    @classmethod
    def short_side(cls, original: Size, side: int, smallest: int, longest: int) -> Framing:
        """Scale the short side to ``side``, within ``smallest`` and ``longest`` for both sides."""
        scale = min(side / min(original), longest / max(original))
        return cls._scaled(original, scale, smallest)

    @classmethod
    def inside(cls, original: Size, limit: Size, smallest: int) -> Framing:
        """Scale until the picture just fits into ``limit`` (or into it turned by a quarter)."""
        wide, high = limit
        if (original[0] < original[1]) != (wide < high):
            wide, high = high, wide
        return cls._scaled(original, min(wide / original[0], high / original[1]), smallest)

    @classmethod
    def letterbox(cls, original: Size, input: Size) -> Framing:
        """Scale until the picture just fits and centre it between bars."""
        scale = min(input[0] / original[0], input[1] / original[1])
        scaled = _scaled_size(original, scale, 1)
        scaled = (min(scaled[0], input[0]), min(scaled[1], input[1]))
        offset = ((input[0] - scaled[0]) // 2, (input[1] - scaled[1]) // 2)
        return cls(original, scaled, offset, input)

    @classmethod
    def _scaled(cls, original: Size, scale: float, smallest: int) -> Framing:
        size = _scaled_size(original, scale, smallest)
        return cls(original, size, (0, 0), size)

    @property
    def scale(self) -> Point:
        """Return model pixels per original pixel, along x and y."""
        return self.scaled[0] / self.original[0], self.scaled[1] / self.original[1]

    def to_model(self, point: Point) -> Point:
        """Return where a point of the original is in the model's input."""
        return tuple(  # type: ignore[return-value]
            value * scale + offset
            for value, scale, offset in zip(point, self.scale, self.offset, strict=True)
        )

    def to_original(self, point: Point) -> Point:
        """Return where a point of the model's input is in the original."""
        return tuple(  # type: ignore[return-value]
            (value - offset) / scale
            for value, scale, offset in zip(point, self.scale, self.offset, strict=True)
        )

    def box_to_original(self, box: Box) -> Box:
        """Return a box (left, top, right, bottom) of model pixels in original pixels."""
        return (*self.to_original(box[:2]), *self.to_original(box[2:]))

    def contains(self, point: Point) -> bool:
        """Return whether a point lies on the original."""
        return 0 <= point[0] < self.original[0] and 0 <= point[1] < self.original[1]

    def apply(self, picture: Image.Image, interpolation: str = "bilinear") -> Image.Image:
        """Return the model's input for a picture, antialiased, grey where there are bars.

        The picture may have been reduced already: what counts is its shape, not its size.

        Args:
            picture: of any size and the original's shape.
            interpolation: "bilinear" or "bicubic".
        """
        resized = picture.convert("RGB").resize(self.scaled, _RESAMPLING[interpolation])
        if self.scaled == self.input:
            return resized
        framed = Image.new("RGB", self.input, (124, 116, 104))
        framed.paste(resized, self.offset)
        return framed

    def round_trip_error(self) -> float:
        """Return how far corners and centre come back from where they were, in original pixels."""
        width, height = self.original
        points = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height), (width / 2, height / 2)]
        return max(math.dist(p, self.to_original(self.to_model(p))) for p in points)


@dataclass(frozen=True)
class Grid:
    """Which model pixels the cells of a feature map stand for.

    Args:
        rows: cells from top to bottom.
        columns: cells from left to right.
        cell: (width, height) of a cell in model pixels.
        origin: (x, y) of the first cell's top left corner in model pixels.
    """

    rows: int
    columns: int
    cell: Point
    origin: Point = (0.0, 0.0)

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1 or min(self.cell) <= 0:
            raise ValueError(f"expected a grid with cells, received {self}")

    def __len__(self) -> int:
        return self.rows * self.columns

    def cell_at(self, point: Point) -> int:
        """Return the index, row by row, of the cell nearest to a point of the model's input."""
        column = math.floor((point[0] - self.origin[0]) / self.cell[0])
        row = math.floor((point[1] - self.origin[1]) / self.cell[1])
        column = min(max(column, 0), self.columns - 1)
        return min(max(row, 0), self.rows - 1) * self.columns + column

    def box(self, index: int) -> Box:
        """Return a cell's (left, top, right, bottom) in model pixels.

        Raises:
            ValueError: if there is no such cell.
        """
        if not 0 <= index < len(self):
            raise ValueError(f"expected a cell of 0..{len(self) - 1}, received {index}")
        row, column = divmod(index, self.columns)
        left = self.origin[0] + column * self.cell[0]
        top = self.origin[1] + row * self.cell[1]
        return left, top, left + self.cell[0], top + self.cell[1]

    def centre(self, index: int) -> Point:
        """Return a cell's centre in model pixels."""
        left, top, right, bottom = self.box(index)
        return (left + right) / 2, (top + bottom) / 2


def lift(
    values: Float[np.ndarray, "row column"],
    grid: Grid,
    framing: Framing,
    size: Size | None = None,
    smooth: bool = False,
    band: tuple[int, int] | None = None,
) -> Float[np.ndarray, "y x"]:
    """Return a map over cells as a map over the original's pixels.

    Args:
        values: one number a cell.
        grid: where the cells are in the model's input.
        framing: where the original is in the model's input.
        size: (width, height) of the result; the original's by default, any other is a scaled view.
        smooth: bilinear between cell centres instead of the cells themselves.
        band: [first, end) of the lines of pixels to return; all of them by default.

    Raises:
        ValueError: if the values do not have the grid's shape.
    """
    if values.shape != (grid.rows, grid.columns):
        raise ValueError(f"expected {(grid.rows, grid.columns)} values, received {values.shape}")
    width, height = size or framing.original
    x, y = (
        (np.arange(count) + 0.5) * (framing.original[axis] / count)
        for axis, count in enumerate((width, height))
    )
    if band is not None:
        y = y[slice(*band)]
    column = _cell_coordinate(x, framing, grid, axis=0)
    row = _cell_coordinate(y, framing, grid, axis=1)
    if not smooth:
        return values[_clamped(row, grid.rows)[:, None], _clamped(column, grid.columns)[None, :]]
    return _interpolate(_interpolate(values, row, axis=0), column, axis=1)


def _cell_coordinate(
    pixels: Float[np.ndarray, " n"], framing: Framing, grid: Grid, axis: int
) -> Float[np.ndarray, " n"]:
    model = pixels * framing.scale[axis] + framing.offset[axis]
    return (model - grid.origin[axis]) / grid.cell[axis]


def _clamped(coordinate: Float[np.ndarray, " n"], count: int) -> np.ndarray:
    return np.clip(np.floor(coordinate).astype(np.int64), 0, count - 1)


def _interpolate(
    values: Float[np.ndarray, "row column"], coordinate: Float[np.ndarray, " n"], axis: int
) -> Float[np.ndarray, "row column"]:
    # Cell centres are at i + 0.5; beyond the outer centres the outer value holds.
    count = values.shape[axis]
    position = np.clip(coordinate - 0.5, 0, count - 1)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, count - 1)
    share = (position - low).astype(values.dtype)
    share = share[:, None] if axis == 0 else share[None, :]
    return values.take(low, axis) * (1 - share) + values.take(high, axis) * share


def _scaled_size(original: Size, scale: float, smallest: int) -> Size:
    width, height = (max(smallest, round(side * scale)) for side in original)
    return width, height
