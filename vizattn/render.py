"""Drawables to pixels: heat over the picture, at the size of the original or any other.

The picture below is grey and darkened, so that colour means attention and nothing else; opacity
follows value, so that low attention shows the scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from vizattn.geometry import Box, Framing, Size, lift
from vizattn.intake import Picture
from vizattn.views import Heat

COLORMAPS = ("viridis", "magma", "cividis", "inferno")
"""perceptually uniform and safe for colour-blind readers; the first is the default"""
SIGNED_COLORMAP = "RdBu_r"
"""for values of both signs: its middle is 0"""
BRIGHTNESS = 0.8
"""of white in the grey picture under the heat"""
_LIFT = 0.8
"""power of its other levels; below 1, so that the scene can be seen in dark pictures too"""
_OPACITY_POWER = 0.65
"""below 1: values in the middle are seen too, not only the largest"""
_BAND = 256
"""lines of pixels composed at once: what it takes beside the picture stays small"""
_DARK, _LIGHT = (0, 0, 0), (255, 255, 255)
_THROUGH = 150
"""opacity (of 255) of the crosshair, which must not hide what it crosses"""


@dataclass(frozen=True)
class Style:
    """How heat is drawn.

    Args:
        colormap: one of ``COLORMAPS``; signed values have a colour map of their own.
        opacity: of the highest value, 0..1.
        smooth: interpolated between the centres of cells instead of the cells themselves.

    Raises:
        ValueError: if the colour map is unknown or the opacity out of range.
    """

    colormap: str = COLORMAPS[0]
    opacity: float = 0.75
    smooth: bool = False

    def __post_init__(self) -> None:
        if self.colormap not in COLORMAPS:
            raise ValueError(f"expected a colour map of {COLORMAPS}, received {self.colormap!r}")
        if not 0 <= self.opacity <= 1:
            raise ValueError(f"expected an opacity of 0..1, received {self.opacity}")


DEFAULT_STYLE = Style()


def overlay(
    heat: Heat,
    picture: Picture,
    framing: Framing,
    style: Style = DEFAULT_STYLE,
    size: Size | None = None,
) -> Image.Image:
    """Return the picture with a heat map and the queried cell drawn over it.

    Args:
        heat: what to draw.
        picture: the upright picture; it may have been reduced.
        framing: where the original is in the model's input.
        style: colours, opacity, cells or smooth.
        size: (width, height) of the result in pixels; the original's by default.

    Returns:
        An RGB image.
    """
    size = size or framing.original
    ground = grey_ground(picture.rgb, size)
    image = Image.new("RGB", size)
    table = colour_table(heat, style)
    for top in range(0, size[1], _BAND):
        band = (top, min(top + _BAND, size[1]))
        values = lift(heat.values, heat.grid, framing, size, style.smooth, band)
        below = np.asarray(ground.crop((0, band[0], size[0], band[1])))
        image.paste(Image.fromarray(_blend(below, table[levels(heat, values)])), (0, top))
    if heat.marker is not None:
        draw_marker(image, scaled_box(heat.marker, framing, size))
    return image


def grey_ground(rgb: Image.Image, size: Size) -> Image.Image:
    """Return a picture as it lies under heat: grey, darkened, of mode L."""
    grey = rgb.convert("L").point(lambda level: 255 * BRIGHTNESS * (level / 255) ** _LIFT)
    if grey.size == size:
        return grey
    enlarged = size[0] > grey.width
    filter = Image.Resampling.BICUBIC if enlarged else Image.Resampling.LANCZOS
    return grey.resize(size, filter)


def levels(heat: Heat, values: Float[np.ndarray, "y x"]) -> UInt8[np.ndarray, "y x"]:
    """Return which of the 256 colours of a heat's scale each value has."""
    position = np.clip((values - heat.low) / (heat.high - heat.low), 0, 1)
    return np.rint(position * 255).astype(np.uint8)


def colour_table(heat: Heat, style: Style = DEFAULT_STYLE) -> UInt8[np.ndarray, "256 4"]:
    """Return the colours of a heat's scale with their opacity (RGBA), lowest value first."""
    table = np.empty((256, 4), dtype=np.uint8)
    table[:, :3] = colours(SIGNED_COLORMAP if heat.signed else style.colormap)
    position = np.linspace(0, 1, 256)
    strength = np.abs(2 * position - 1) if heat.signed else position
    table[:, 3] = np.rint(255 * style.opacity * strength**_OPACITY_POWER)
    return table


@cache
def colours(colormap: str) -> UInt8[np.ndarray, "256 3"]:
    """Return the 256 colours of one of matplotlib's colour maps."""
    # Imported here: loading matplotlib takes longer than anything else that looking needs.
    from matplotlib import colormaps

    table: np.ndarray = colormaps[colormap](np.arange(256), bytes=True)[:, :3]
    return table


def _blend(
    below: UInt8[np.ndarray, "y x"], above: UInt8[np.ndarray, "y x 4"]
) -> UInt8[np.ndarray, "y x 3"]:
    opacity = above[..., 3:].astype(np.uint16)
    mixed = above[..., :3] * opacity + below[..., None] * (255 - opacity)
    return ((mixed + 127) // 255).astype(np.uint8)


def scaled_box(box: Box, framing: Framing, size: Size) -> Box:
    """Return a box of original pixels in the pixels of a picture of another size."""
    across, down = (new / old for new, old in zip(size, framing.original, strict=True))
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def draw_marker(image: Image.Image, box: Box) -> None:
    """Draw a cell's outline and a crosshair through it, light on dark: legible on any ground."""
    pen = max(1, round(max(image.size) / 900))
    left, top, right, bottom = _grown(box, 9 * pen)
    x, y = (left + right) // 2, (top + bottom) // 2
    gap = 5 * pen
    lines = (
        (0, y, left - gap, y),
        (right + gap, y, image.width, y),
        (x, 0, x, top - gap),
        (x, bottom + gap, x, image.height),
    )
    draw = ImageDraw.Draw(image, "RGBA")
    for colour, width in ((_DARK, 3 * pen), (_LIGHT, pen)):
        for line in lines:
            if line[0] < line[2] or line[1] < line[3]:
                draw.line(line, fill=(*colour, _THROUGH), width=width)
    for colour, out, width in ((_DARK, 3 * pen, 3 * pen), (_LIGHT, 2 * pen, pen)):
        frame = (left - out, top - out, right + out - 1, bottom + out - 1)
        draw.rectangle(frame, outline=colour, width=width)


def _grown(box: Box, least: int) -> tuple[int, int, int, int]:
    """Return a box rounded to pixels and at least so wide, so that small cells can be seen."""
    left, top, right, bottom = (round(value) for value in box)
    across, down = max(0, least - (right - left)), max(0, least - (bottom - top))
    left, top = left - across // 2, top - down // 2
    return left, top, max(right, left + least), max(bottom, top + least)
