"""How far a counter is off on a pack: MAE, RMSE and GAME, by source and by what it was shown."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from models.counting.game import game_of_points
from models.hosts.crowd import DENSITY_STRIDE
from models.packs import CrowdEntry
from models.preprocessing import Preprocessing, normalise_thermal

LEVELS = (0, 1, 2, 3)
"""of GAME: 1, 4, 16 and 64 cells"""


@dataclass(frozen=True)
class Shown:
    """What a counter is shown of each entry.

    Args:
        rgb: the RGB picture.
        thermal: the thermal picture, where there is one.
        shift: how many pixels of the original the thermal picture is moved to the right.
    """

    rgb: bool = True
    thermal: bool = True
    shift: int = 0


def counting_errors(
    network: nn.Module,
    preprocessing: Preprocessing,
    entries: Sequence[CrowdEntry],
    shown: Shown | None = None,
) -> dict[str, Any]:
    """Return {"mae", "rmse", "game", "count", "people", "by_source"} over entries.

    ``game`` has the levels 0 to 3 (level 0 is the MAE), ``people`` is the mean true count, and
    ``by_source`` the same for each collection.

    Raises:
        ValueError: if an entry has nothing of what should be shown.
    """
    shown = shown or Shown()
    rows = [_errors(network, preprocessing, entry, shown) for entry in _progress(entries)]
    return _summary(rows) | {"by_source": _by_source(rows, entries)}


def mean_predictor(train: Sequence[CrowdEntry], entries: Sequence[CrowdEntry]) -> dict[str, Any]:
    """Return the errors of always answering the mean count of the training pictures.

    Its people are spread evenly, which is what GAME compares.
    """
    mean = sum(len(entry.points) for entry in train) / len(train)

    def even(entry: CrowdEntry) -> list[float]:
        width, height = entry.size()
        density = torch.full((64, 64), mean / 64**2)
        points = entry.points * torch.tensor([64 / width, 64 / height])
        return _compared(density, points)

    rows = [even(entry) for entry in entries]
    return _summary(rows) | {"by_source": _by_source(rows, entries)}


def density_of(
    network: nn.Module, preprocessing: Preprocessing, entry: CrowdEntry, shown: Shown
) -> tuple[Float[Tensor, "row column"], tuple[float, float]]:
    """Return an entry's density map, and model pixels per original pixel along x and y.

    Raises:
        ValueError: if the entry has nothing of what should be shown.
    """
    original = entry.size()
    size = _model_size(preprocessing, original)
    rgb = preprocessing.normalise(entry.rgb_at(size)[None]) if shown.rgb else None
    thermal = None
    if shown.thermal and entry.thermal is not None:
        thermal = normalise_thermal(entry.thermal_at(size, shown.shift)[None])
    if rgb is None and thermal is None:
        raise ValueError(f"{entry.image.name}: expected a thermal picture, found none")
    with torch.inference_mode():
        density = network(rgb, thermal)
    return density[0, 0].float(), (size[0] / original[0], size[1] / original[1])


def _errors(
    network: nn.Module, preprocessing: Preprocessing, entry: CrowdEntry, shown: Shown
) -> list[float]:
    density, scale = density_of(network, preprocessing, entry, shown)
    return _compared(density, entry.points * torch.tensor(scale) / DENSITY_STRIDE)


def _compared(density: Tensor, points: Tensor) -> list[float]:
    """Return [signed error, GAME 0, GAME 1, ...] of one picture."""
    signed = float(density.double().sum()) - len(points)
    return [signed, *(game_of_points(density, points, level) for level in LEVELS), len(points)]


def _by_source(
    rows: Sequence[Sequence[float]], entries: Sequence[CrowdEntry]
) -> dict[str, dict[str, Any]]:
    return {
        source: _summary([r for r, e in zip(rows, entries, strict=True) if e.source == source])
        for source in sorted({entry.source for entry in entries})
    }


def _summary(rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    table = np.asarray(rows, dtype=np.float64)
    game = table[:, 1:-1].mean(axis=0)
    return {
        "mae": float(np.abs(table[:, 0]).mean()),
        "rmse": float(np.sqrt((table[:, 0] ** 2).mean())),
        "game": [float(value) for value in game],
        "bias": float(table[:, 0].mean()),
        "people": float(table[:, -1].mean()),
        "count": len(table),
    }


def _model_size(preprocessing: Preprocessing, original: tuple[int, int]) -> tuple[int, int]:
    rows, columns = preprocessing.size
    # A picture on end is fitted into the native size on end.
    wide, high = (columns, rows) if original[0] >= original[1] else (rows, columns)
    scale = min(wide / original[0], high / original[1])
    return max(32, round(original[0] * scale)), max(32, round(original[1] * scale))


def _progress(entries: Sequence[CrowdEntry]) -> Any:
    return tqdm(entries, desc="counting", leave=False, disable=not sys.stderr.isatty())
