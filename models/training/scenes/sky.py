"""The sky, and the trees that stand far away below it."""

from __future__ import annotations

import numpy as np

from models.training.scenes.climate import Climate
from models.training.scenes.street import Street
from models.training.scenes.texture import noise, smooth_noise
from models.training.scenes.view import Canvas


def paint_sky(canvas: Canvas, climate: Climate, street: Street) -> None:
    """Paint the whole canvas with sky and, at the horizon, what stands far away."""
    view = canvas.view
    x, y = view.columns(), view.rows()
    up = np.clip((view.horizon - y) / view.height, 0, 1)
    cloud = smooth_noise(1.6, x * 0.25, y * 0.5, street.seed % 89)
    cloud = np.clip(cloud * 0.5 + 1.6 * climate.overcast - 0.4, 0, 1)[..., None]
    if climate.night:
        glow = np.array([0.012, 0.01, 0.007], np.float32) * np.exp(-up * 7)[..., None]
        bright = (np.array([0.004, 0.005, 0.008], np.float32) + glow) * (1 + 1.2 * cloud)
    else:
        pale = np.array([0.5, 0.42, 0.22], np.float32) * np.exp(-up * 4)[..., None]
        clear = np.array([0.27, 0.47, 0.86], np.float32) + pale
        bright = clear + (np.array([1.05, 1.07, 1.1], np.float32) - clear) * cloud
    canvas.glow[:] = bright
    canvas.heat[:] = climate.sky_heat + (climate.air - climate.sky_heat) * np.exp(-up * 5) * 0.8
    canvas.heat += cloud[..., 0] * 4
    _far_trees(canvas, climate, street)


def _far_trees(canvas: Canvas, climate: Climate, street: Street) -> None:
    view = canvas.view
    x, y = view.columns(), view.rows()
    rise = 0.06 + 0.022 * smooth_noise(1.2, x * 0.12, np.zeros_like(x), street.seed % 83)
    rise = rise + 0.004 * noise(0.5, x, np.zeros_like(x), 3)
    edge = view.horizon - rise * view.height
    bottom = view.horizon + 2
    window = view.box(-view.margin[0], float(edge.min()) - 2, view.width + view.margin[0], bottom)
    if window is None:
        return
    y = y[window[0]]
    share = np.clip(y - edge + 0.5, 0, 1)
    leaves = 1 + 0.35 * noise(0.6, x / 1.5, y / 1.5, 5)
    green = np.array([0.05, 0.085, 0.03], np.float32) * leaves[..., None]
    canvas.cover(window, share, green, climate.air + 0.6 * noise(0.6, x, y, 6), 160.0, 0.5)
