"""A mask drawn on the picture, brought to the cells of a gate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from vizattn.geometry import Framing, Grid, Point

_SAMPLES = 8
"""points along each side of a cell at which the mask is read"""
_LONGEST = 1024
"""the long side of the raster that strokes are drawn into"""


@dataclass(frozen=True)
class Stroke:
    """A line drawn with a round brush.

    Args:
        points: (x, y) in pixels of the upright original; one point is a dot.
        radius: of the brush, in pixels of the original.
        value: 0..1 that it paints, or None where it takes paint away.

    Raises:
        ValueError: if there are no points, or a number is out of its range.
    """

    points: tuple[Point, ...]
    radius: float
    value: float | None

    def __post_init__(self) -> None:
        numbers = [each for point in self.points for each in point]
        if not self.points or not all(map(math.isfinite, numbers)):
            raise ValueError(f"expected points of finite numbers, received {self.points}")
        if not (math.isfinite(self.radius) and self.radius > 0):
            raise ValueError(f"expected a radius above 0, received {self.radius}")
        if self.value is not None and not 0 <= self.value <= 1:
            raise ValueError(f"expected a value of 0..1, received {self.value}")


def drawn(strokes: Sequence[Stroke], size: tuple[int, int]) -> Float[np.ndarray, "row column"]:
    """Return what strokes leave on a picture: values of 0..1, none (NaN) where it is unpainted.

    Args:
        strokes: in the order in which they were drawn.
        size: (width, height) of the original; the result is smaller where that is large.
    """
    scale = min(1.0, _LONGEST / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    raster = Image.new("F", (width, height), math.nan)
    pen = ImageDraw.Draw(raster)
    zoom = width / size[0], height / size[1]
    for stroke in strokes:
        _draw(pen, stroke, zoom)
    return np.asarray(raster).copy()


def _draw(pen: ImageDraw.ImageDraw, stroke: Stroke, zoom: Sequence[float]) -> None:
    fill = math.nan if stroke.value is None else stroke.value
    # Pillow's coordinates are of pixels' centres; ours are of their edges.
    points = [(x * zoom[0] - 0.5, y * zoom[1] - 0.5) for x, y in stroke.points]
    across, down = (stroke.radius * each for each in zoom)
    if len(points) > 1:
        pen.line(points, fill=fill, width=max(1, round(across + down)))
    for x, y in points:
        pen.ellipse((x - across, y - down, x + across, y + down), fill=fill)


def on_cells(
    mask: Float[np.ndarray, "y x"], grid: Grid, framing: Framing
) -> tuple[Float[np.ndarray, "row column"], Float[np.ndarray, "row column"]]:
    """Return how far each cell is painted, 0..1, and with which mean value (0 where it is not).

    What a cell has beyond the picture's border is neither painted nor bare.

    Args:
        mask: what is drawn on the original, at any size; NaN where nothing is.
        grid: where the cells are in the model's input.
        framing: where the original is in there.
    """
    rows, down = _lines(grid.rows, grid.cell[1], grid.origin[1], framing, 1, mask.shape[0])
    columns, across = _lines(grid.columns, grid.cell[0], grid.origin[0], framing, 0, mask.shape[1])
    read = mask[rows][:, columns].astype(np.float64)
    seen = down[:, None] & across[None, :]
    painted = seen & ~np.isnan(read)
    sums = [_by_cell(each, grid) for each in (seen, painted, np.where(painted, read, 0.0))]
    whole, covered, total = sums
    return covered / np.maximum(whole, 1), total / np.maximum(covered, 1)


def _lines(
    cells: int, step: float, origin: float, framing: Framing, axis: int, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return which line of a mask each sample along one axis is on, and whether on the picture."""
    model = origin + (np.arange(cells * _SAMPLES) + 0.5) * (step / _SAMPLES)
    share = (model - framing.offset[axis]) / framing.scaled[axis]
    inside = (share >= 0) & (share < 1)
    return np.clip(np.floor(share * length).astype(int), 0, length - 1), inside


def _by_cell(samples: np.ndarray, grid: Grid) -> np.ndarray:
    parts = samples.reshape(grid.rows, _SAMPLES, grid.columns, _SAMPLES)
    return parts.sum(axis=(1, 3), dtype=np.float64)
