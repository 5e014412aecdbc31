"""What two cameras make of a painted canvas: colours by light, and grey values by warmth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from models.training.scenes.climate import Climate
from models.training.scenes.texture import blur, enlarged, reduced
from models.training.scenes.view import FAR, Canvas, Field, Lamp

_LIGHT = np.linspace(0, 1, 1 << 14) ** (1 / 2.2)
CURVE = (0.7 * _LIGHT + 0.3 * _LIGHT**2 * (3 - 2 * _LIGHT)).astype(np.float32)
"""grey values of linear light, dark a little darker and bright a little brighter"""
BLOCK = 4
"""pixels that are joined for what is soft anyway: glare, and grey values of the surroundings"""


def light_on(
    canvas: Canvas, climate: Climate, lamps: Sequence[Lamp]
) -> Float[np.ndarray, "row column 3"]:
    """Return the light that comes from each pixel, with white in the sun at about 1."""
    view = canvas.view
    depth = np.minimum(canvas.depth, 300.0)
    falls = canvas.sky[..., None] * np.array(climate.ambient, np.float32)
    if not climate.night:
        falls += canvas.sun[..., None] * np.array(climate.sun, np.float32)
    x = (view.columns() - view.ahead) * depth / view.focal
    y = view.eye - (view.rows() - view.horizon) * depth / view.focal
    for power in dict.fromkeys(lamp[3] for lamp in lamps):
        alike = [lamp[:3] for lamp in lamps if lamp[3] == power]
        falls += _from_lamps(alike, x, y, depth)[..., None] * np.array(power, np.float32)
    seen = canvas.rgb * falls
    clear = np.exp(-np.where(canvas.depth >= FAR, 0, depth) / 700.0)[..., None]
    seen = seen * clear + np.array(climate.haze, np.float32) * (1 - clear)
    return seen + canvas.glow


def _from_lamps(lamps: Sequence[tuple[float, float, float]], x: Field, y: Field, z: Field) -> Field:
    """Return what arrives at places (x, y, z) from lamps of power 1."""
    total = np.zeros_like(z)
    for lamp_x, lamp_y, lamp_z in lamps:
        above = lamp_y - y
        square = (x - lamp_x) ** 2 + above**2 + (z - lamp_z) ** 2
        # Street lamps shine down, on grazed ground with the cosine of the angle.
        total += (0.25 + 0.75 * np.maximum(above, 0) / np.sqrt(square + 0.01)) / (square + 1.0)
    return total


def photograph(
    falls: Float[np.ndarray, "row column 3"], climate: Climate, rng: np.random.Generator
) -> UInt8[np.ndarray, "row column 3"]:
    """Return what a colour camera sees: exposure, glare, tone curve, soft lens and noise."""
    rows, columns = falls.shape[:2]
    lower = falls[rows // 3 :]
    if climate.night:
        gain = float(np.exp(rng.uniform(np.log(0.2), np.log(1.5))))
    else:
        gain = float(rng.uniform(0.15, 0.34)) / float(np.median(lower[::4, ::4]) + 0.02)
        gain = float(np.clip(gain, 0.4, 2.5))
    black = float(rng.uniform(0.0, 0.012))
    light: Field = np.maximum(falls - black * (not climate.night), 0) * (
        gain * rng.uniform(0.95, 1.05, 3)
    ).astype(np.float32)
    small = np.minimum(reduced(light, BLOCK), 12.0)
    bright = np.maximum(small - 0.9, 0)
    spread = float(rng.uniform(1.0, 2.5)) if climate.night else 0.6
    glare = spread * (0.2 * blur(bright, 1.2) + 0.12 * blur(bright, 5.0)) + 0.003 * blur(small, 12)
    light = light + enlarged(glare, BLOCK, rows, columns)
    light = light * _vignette(rows, columns, float(rng.uniform(0.05, 0.25)))[..., None]
    if climate.night:
        light = light * np.array([0.93, 1.06, 0.9], np.float32)
    light = light * (1 + light / 16) / (1 + light * 0.55)
    grey: Field = CURVE[(np.clip(light, 0, 1) * (len(CURVE) - 1)).astype(np.int32)]
    grey = blur(grey, float(rng.uniform(0.35, 0.59)))
    strength = float(rng.uniform(0.005, 0.014) if climate.night else rng.uniform(0.004, 0.012))
    grain = rng.standard_normal(grey.shape, dtype=np.float32)
    grey = grey + strength * (0.5 + np.sqrt(grey)) * grain
    return np.clip(grey * 255 + 0.5, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Thermograph:
    """A thermal camera and how it turns degrees into grey values."""

    sigma: float
    """blur of the lens, in pixels"""
    noise: float
    """degrees"""
    columns: float
    """degrees by which columns differ, as uncooled sensors have it"""
    local: bool
    """whether grey values are spread locally, else linear and dark with people bright"""
    equal: float
    """how much of that is equalising, 0..1"""
    gamma: float


def thermograph(rng: np.random.Generator) -> Thermograph:
    """Return a camera; two in three show degrees as they are, others stretch what is near."""
    return Thermograph(float(rng.uniform(0.6, 1.3)), float(rng.uniform(0.03, 0.11)),
                       float(rng.uniform(0.0, 0.1)), bool(rng.random() < 0.35),
                       float(rng.uniform(0.25, 0.65)), float(rng.uniform(1.1, 1.8)))  # fmt: skip


def degrees(
    heat: Field, depth: Field, climate: Climate, camera: Thermograph, rng: np.random.Generator
) -> Float[np.ndarray, "row column"]:
    """Return degrees Celsius as a thermal camera measures them: through air, lens and noise."""
    clear = np.exp(-np.where(depth >= FAR, 0, depth) / 350.0)
    seen: Field = blur(climate.air + (heat - climate.air) * clear, camera.sigma)
    rows, columns = seen.shape
    edge = 1 - _vignette(rows, columns, 1.0)
    seen = seen - 0.8 * edge + camera.columns * rng.standard_normal((1, columns), np.float32)
    seen += camera.noise * rng.standard_normal(seen.shape, np.float32)
    return seen.astype(np.float32)


def greys(
    seen: Float[np.ndarray, "row column"], camera: Thermograph
) -> UInt8[np.ndarray, "row column"]:
    """Return 8-bit grey values, as thermal cameras hand them out."""
    rows, columns = seen.shape
    sample = seen[::3, ::3]
    if camera.local:
        around = enlarged(blur(reduced(seen, BLOCK), 8.0), BLOCK, rows, columns)
        detail = seen + 0.6 * (seen - around)
        marks = np.quantile(detail[::3, ::3], np.linspace(0.02, 0.998, 33))
        # Half equalised, half linear: equalising alone would drown people in the ground's noise.
        equal = np.interp(detail, marks, np.linspace(0, 1, 33))
        linear = np.clip((detail - marks[2]) / (marks[-1] - marks[2]), 0, 1)
        levels = 12 + 238 * (camera.equal * equal + (1 - camera.equal) * linear)
    else:
        # The sky would take up most of the range: it is cut off, the ground is dark already.
        low = float(np.quantile(sample[len(sample) // 2 :], 0.1)) - 1.5
        span = max(float(np.quantile(sample, 0.998)) - low, 9.0)
        levels = 4 + 246 * np.clip((seen - low) / span, 0, 1.05) ** camera.gamma
    return np.clip(levels + 0.5, 0, 255).astype(np.uint8)


def _vignette(rows: int, columns: int, amount: float) -> Field:
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None]
    return 1 - amount * (x**2 + y**2) / 2
