"""The page's example pairs: which scenes they are, and how their thermal pictures are stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from PIL import Image

from models.training.scenes.cameras import Thermograph, greys
from models.training.scenes.scene import Scene, paint

SIZE = (640, 480)
QUALITY = 88
SOURCE = "Rendered by models/training/crowd_scenes.py"
LICENCE = "own work, CC0-1.0"
LICENCE_URL = "https://creativecommons.org/publicdomain/zero/1.0/"
CAMERA = Thermograph(sigma=0.8, noise=0.05, columns=0.02, local=False, equal=0.0, gamma=1.15)
ZERO_CELSIUS = 273.15

Degrees = Float[np.ndarray, "row column"]


def as_greys(seen: Degrees) -> Image.Image:
    """Return 8 bits, dark with people bright, as most thermal cameras show it."""
    return Image.fromarray(greys(seen, CAMERA))


def as_centikelvin(seen: Degrees) -> Image.Image:
    """Return 16 bits: hundredths of a kelvin, as radiometric cameras store it."""
    return Image.fromarray(((seen + ZERO_CELSIUS) * 100 + 0.5).astype(np.uint16))


def as_inferno(seen: Degrees) -> Image.Image:
    """Return a picture in the colours of the map "inferno", without the degrees."""
    low, high = np.quantile(seen, [0.02, 0.998])
    levels = np.clip((seen - low) / (high - low) * 255 + 0.5, 0, 255).astype(np.uint8)
    table = (matplotlib.colormaps["inferno"](np.arange(256))[:, :3] * 255 + 0.5).astype(np.uint8)
    return Image.fromarray(table[levels])


@dataclass(frozen=True)
class Recipe:
    """One example pair."""

    id: str
    seed: int
    night: bool
    people: int
    """how many are placed"""
    title: tuple[str, str]
    """English and Chinese"""
    note: tuple[str, str]
    stored: Callable[[Degrees], Image.Image] | None = as_greys
    """how the thermal picture is stored; none where there is none"""
    size: tuple[int, int] = SIZE
    """of the thermal picture, in pixels"""
    covers: tuple[float, float, float, float] = (0, 0, *SIZE)
    """what the thermal camera sees: left, top, right, bottom in pixels of the colour picture"""


RECIPES = (
    Recipe(
        "night-street", 217, True, 24,
        ("A street at night", "夜晚的街道"),
        ("Under the trees on the left, colour hardly shows anyone; the thermal picture does.",
         "左侧树下，彩色图像里几乎看不到人；热图像里却清清楚楚。"),
    ),
    Recipe(
        "winter-square", 409, False, 90,
        ("A square on a cold, sunny day", "寒冷晴天的广场"),
        ("Many people, far ones a few pixels high; stone is warm in the sun and cold in the shade.",
         "人很多，远处的只有几个像素高；阳光下的石板是暖的，阴影里是冷的。"),
    ),
    Recipe(
        "headlights", 220, True, 24,
        ("Headlights, and a 16-bit thermal picture", "车灯与 16 位热图像"),
        ("The thermal file holds temperatures in hundredths of a kelvin, at 320 x 240 pixels.",
         "热图像文件存储的是以百分之一开尔文为单位的温度，尺寸为 320 x 240 像素。"),
        as_centikelvin, (320, 240),
    ),
    Recipe(
        "hot-path", 312, False, 34,
        ("A hot day, thermal picture in colours", "炎热的一天，伪彩色热图像"),
        ("The path in the sun is warmer than the people on it: here colour tells more than warmth.",
         "阳光下的小路比路上的人还热：这里彩色图像比热图像更有用。"),
        as_inferno, (480, 360),
    ),
    Recipe(
        "other-lens", 316, False, 34,
        ("Two cameras that do not see the same", "视野不同的两台相机"),
        ("The thermal camera sees a smaller part, off the middle: align the pair before you count.",
         "热像仪只看到较小且偏离中心的区域：计数之前请先配准。"),
        as_greys, (320, 256), (104, 34, 584, 418),
    ),
    Recipe(
        "market-square", 405, False, 150,
        ("A busy square, in colour only", "只有彩色图像的热闹广场"),
        ("There is no thermal picture: the network counts with one sense and says so.",
         "没有热图像：网络只用一种感官计数，并会说明这一点。"),
        None,
    ),
)  # fmt: skip


def write_pairs(folder: Path) -> Path:
    """Render the example pairs and write pairs.json, whose path it returns."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = [_write(recipe, folder) for recipe in RECIPES]
    path = folder / "pairs.json"
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return path


def _write(recipe: Recipe, folder: Path) -> dict[str, Any]:
    scene = render(recipe)
    colour, thermal = f"{recipe.id}-rgb.jpg", f"{recipe.id}-thermal.png"
    Image.fromarray(scene.photo()).save(folder / colour, quality=QUALITY, optimize=True)
    if recipe.stored is not None:
        seen = scene.measured_in(recipe.covers, recipe.size, CAMERA)
        recipe.stored(seen).save(folder / thermal, optimize=True)
    has_thermal = recipe.stored is not None
    return {
        "id": recipe.id,
        "rgb": colour,
        "thermal": thermal if has_thermal else None,
        "title": dict(zip(("en", "zh"), recipe.title, strict=True)),
        "note": dict(zip(("en", "zh"), recipe.note, strict=True)),
        "width": SIZE[0],
        "height": SIZE[1],
        "thermal_size": list(recipe.size) if has_thermal else None,
        "covers": list(recipe.covers) if has_thermal else None,
        "people": len(scene.truth.points),
        "points": np.round(scene.truth.points, 1).tolist(),
        "heads": np.round(scene.truth.heads, 1).tolist(),
        "source": SOURCE,
        "licence": LICENCE,
        "licence_url": LICENCE_URL,
    }


def render(recipe: Recipe) -> Scene:
    """Return the scene of an example pair."""
    return paint(recipe.seed, SIZE, recipe.night, recipe.people)
