"""A pair of pictures with warm people in them, and what an untrained counter makes of it."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from tests.networks_for_tests import scene, small_network
from vizattn.crowd.analysis import CrowdAnalysis, look_pair
from vizattn.networks import Network

SIZE = (300, 200)
"""scaled to 128 x 85 model pixels: neither side of the frame ends with a cell or a token"""
THERMAL_SIZE = (150, 100)
WARM = ((30, 40), (75, 60), (120, 30))
"""(x, y) of people in pixels of the thermal picture"""


def thermal_values(size: tuple[int, int] = THERMAL_SIZE, seed: int = 1) -> np.ndarray:
    """Return a cool gradient with noise and warm, upright people, in levels of 0..255."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    values = 40 + 30 * y / height + np.random.default_rng(seed).normal(0, 3, (height, width))
    for left, top in WARM:
        across, down = (x / width - left / THERMAL_SIZE[0]), (y / height - top / THERMAL_SIZE[1])
        values += 150 * np.exp(-((across / 0.03) ** 2) - (down / 0.1) ** 2)
    return values.clip(0, 255).astype(np.uint8)


def rgb_picture(size: tuple[int, int] = SIZE) -> Image.Image:
    return scene(*size)


def thermal_picture(size: tuple[int, int] = THERMAL_SIZE) -> Image.Image:
    return Image.fromarray(thermal_values(size))


@cache
def network() -> Network:
    return small_network("count", "csca")


@cache
def analysis() -> CrowdAnalysis:
    return look_pair(rgb_picture(), thermal_picture(), network())
