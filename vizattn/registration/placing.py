"""Where places of an RGB picture are in a thermal one, and that one laid on the other's frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, UInt8

from vizattn.geometry import Point, Size

Levels = Float[np.ndarray, "row column"]
Mask = Bool[np.ndarray, "row column"]


@dataclass(frozen=True)
class Registration:
    """Where places of an RGB picture are in a thermal one.

    Both in continuous pixels of the upright originals, as in ``geometry``: a point (x, y) of the
    RGB picture is (x * scale_x + dx, y * scale_y + dy) of the thermal one.

    Args:
        scale_x: thermal pixels per RGB pixel, along x.
        scale_y: the same along y.
        dx: where the RGB picture's left edge is in the thermal picture.
        dy: where its top edge is.
        centre: (x, y) of the RGB picture about which ``nudged`` zooms.

    Raises:
        ValueError: if a scale is not positive, or a number not finite.
    """

    scale_x: float
    scale_y: float
    dx: float
    dy: float
    centre: Point = field(default=(0.0, 0.0), compare=False)

    def __post_init__(self) -> None:
        numbers = (self.scale_x, self.scale_y, self.dx, self.dy, *self.centre)
        if not all(map(math.isfinite, numbers)) or min(self.scale_x, self.scale_y) <= 0:
            raise ValueError(f"expected finite numbers and positive scales, received {self}")

    @classmethod
    def fitted(cls, rgb_size: Size, thermal_size: Size) -> Registration:
        """Return the registration of two pictures that cover the same view.

        Args:
            rgb_size: (width, height) of the RGB original in pixels.
            thermal_size: the same of the thermal one.
        """
        return cls.placed(rgb_size, thermal_size, (rgb_size[0] / 2, rgb_size[1] / 2), rgb_size)

    @classmethod
    def placed(
        cls, rgb_size: Size, thermal_size: Size, middle: Point, covers: tuple[float, float]
    ) -> Registration:
        """Return the registration of a thermal picture that covers a part of the RGB picture.

        Args:
            rgb_size: (width, height) of the RGB original in pixels.
            thermal_size: the same of the thermal one.
            middle: (x, y) of the RGB picture that the thermal one has in its middle.
            covers: (width, height) of RGB pixels that it covers.
        """
        scale_x, scale_y = thermal_size[0] / covers[0], thermal_size[1] / covers[1]
        dx = thermal_size[0] / 2 - middle[0] * scale_x
        dy = thermal_size[1] / 2 - middle[1] * scale_y
        return cls(scale_x, scale_y, dx, dy, (rgb_size[0] / 2, rgb_size[1] / 2))

    def nudged(self, dx: float, dy: float, zoom: float = 1.0) -> Registration:
        """Return what it is once the thermal picture is enlarged about the centre, then moved.

        Args:
            dx: by how many RGB pixels the thermal picture moves to the right.
            dy: by how many it moves down.
            zoom: how many times as large it becomes.

        Raises:
            ValueError: if the zoom is not positive.
        """
        if not zoom > 0:
            raise ValueError(f"expected a zoom > 0, received {zoom}")
        x, y = (
            middle - (middle + move) / zoom
            for middle, move in zip(self.centre, (dx, dy), strict=True)
        )
        return replace(
            self,
            scale_x=self.scale_x / zoom,
            scale_y=self.scale_y / zoom,
            dx=self.dx + x * self.scale_x,
            dy=self.dy + y * self.scale_y,
        )

    def to_thermal(self, point: Point) -> Point:
        """Return where a point of the RGB picture is in the thermal one."""
        return point[0] * self.scale_x + self.dx, point[1] * self.scale_y + self.dy

    def to_rgb(self, point: Point) -> Point:
        """Return where a point of the thermal picture is in the RGB one."""
        return (point[0] - self.dx) / self.scale_x, (point[1] - self.dy) / self.scale_y


def warp(
    thermal_values: Float[np.ndarray, "row column"] | UInt8[np.ndarray, "row column"],
    registration: Registration,
    rgb_size: Size,
    size: Size,
    thermal_size: Size | None = None,
) -> tuple[Levels, Mask]:
    """Return thermal values laid on the RGB picture's frame, and where there are any.

    Between pixel centres values are linear, and averaged where several fall on one pixel. Outside
    the thermal picture the median of its values stands, which is neither warm nor cold.

    Args:
        thermal_values: (row, column), finite.
        registration: where the RGB picture is in the thermal one.
        rgb_size: (width, height) of the RGB original in pixels.
        size: (width, height) of the result, which shows the whole RGB picture.
        thermal_size: (width, height) of the thermal original, where the values are reduced.

    Returns:
        Values and mask of shape (row, column).
    """
    rows, columns = thermal_values.shape
    whole = thermal_size or (columns, rows)
    values = np.asarray(thermal_values, dtype=np.float32)
    inside = []
    for axis, (count, scale, start) in enumerate(
        (
            (size[1], registration.scale_y, registration.dy),
            (size[0], registration.scale_x, registration.dx),
        )
    ):
        kept = values.shape[axis] / whole[1 - axis]
        step = rgb_size[1 - axis] / count * scale * kept
        at = (np.arange(count) + 0.5) * step + start * kept
        inside.append((at >= 0) & (at < values.shape[axis]))
        values = _sampled(values, at, max(step, 1.0), axis)
    mask = inside[0][:, None] & inside[1][None, :]
    if not mask.all():
        values = np.where(mask, values, np.float32(np.median(thermal_values)))
    return values, mask


def _sampled(values: Levels, at: Float[np.ndarray, " n"], reach: float, axis: int) -> Levels:
    """Return values along an axis at places, weighed by a triangle that reaches so many pixels."""
    count = values.shape[axis]
    at = np.clip(at, 0.5, count - 0.5)
    first = np.floor(at - reach + 0.5).astype(np.int64)
    shape = (-1, 1) if axis == 0 else (1, -1)
    total = np.zeros(len(at), dtype=np.float32)
    found = np.zeros(
        (len(at), values.shape[1]) if axis == 0 else (values.shape[0], len(at)), dtype=np.float32
    )
    for index in (first + tap for tap in range(math.ceil(2 * reach) + 1)):
        weight = np.maximum(0, 1 - np.abs(index + 0.5 - at) / reach) * (
            (index >= 0) & (index < count)
        )
        weight = weight.astype(np.float32)
        total += weight
        found += values.take(np.clip(index, 0, count - 1), axis) * weight.reshape(shape)
    return found / total.reshape(shape)
