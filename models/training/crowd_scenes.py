"""Our own RGB-T pictures of people: ``python -m models.training.crowd_scenes FOLDER``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from models.training.scenes.pairs import write_pairs
from models.training.scenes.scene import paint

SOURCE = "models.training.crowd_scenes"
HELD_BACK = 8
"""every eighth scene of a pack is for validation"""


@dataclass(frozen=True)
class CrowdScene:
    """A colour picture, a thermal picture of the same moment, and who is in them."""

    rgb: UInt8[np.ndarray, "row column 3"]
    thermal: UInt8[np.ndarray, "row column"]
    points: Float[np.ndarray, "person 2"]
    """middles of bodies (x, y), in pixels of the colour picture"""
    heads: Float[np.ndarray, "person 2"]
    boxes: Float[np.ndarray, "person 4"]
    """left, top, right, bottom of what is seen of each"""
    shift: tuple[int, int]
    """what is at (x, y) in colour is at (x, y) + shift in the thermal picture"""
    night: bool


def crowd_scene(
    seed: int,
    size: tuple[int, int] = (640, 480),
    night: bool | None = None,
    people: int | None = None,
    shift: tuple[int, int] = (0, 0),
) -> CrowdScene:
    """Return a scene; the same arguments make the same arrays.

    Args:
        seed: at least 0.
        size: width and height in pixels, at least 64.
        night: whether it is night; by chance where none.
        people: how many are placed, some of whom may be hidden; by chance where none, mostly up
            to 10, now and then up to 60.
        shift: pixels (x, y) by which the thermal picture is moved.

    Raises:
        ValueError: if a size, a seed or a number of people makes no sense.
    """
    if seed < 0 or (people is not None and not 0 <= people <= 500):
        raise ValueError(f"expected seed >= 0 and people in 0..500, received {seed} and {people}")
    if min(size) < 64:
        raise ValueError(f"expected a size of at least 64 x 64 pixels, received {size}")
    margin = (abs(shift[0]), abs(shift[1]))
    scene = paint(seed, size, night, people, margin)
    truth = scene.truth
    return CrowdScene(scene.photo(), scene.thermal(shift), truth.points, truth.heads,
                      truth.boxes, shift, scene.climate.night)  # fmt: skip


def write_pack(folder: Path, count: int, seed: int, size: tuple[int, int] = (640, 480)) -> Path:
    """Write a pack: rgb/NAME.jpg, thermal/NAME.jpg and annotations.json, whose path it returns.

    An eighth of the scenes is for validation. Scene k has seed ``seed + k``.
    """
    entries = {}
    for part in ("rgb", "thermal"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        scene, name = crowd_scene(seed + index, size), f"scene-{seed + index:05d}"
        Image.fromarray(scene.rgb).save(folder / "rgb" / f"{name}.jpg", quality=90)
        Image.fromarray(scene.thermal).save(folder / "thermal" / f"{name}.jpg", quality=93)
        entries[name] = {
            "split": "val" if index % HELD_BACK == HELD_BACK - 1 else "train",
            "day_night": "night" if scene.night else "day",
            "width": size[0],
            "height": size[1],
            "count": len(scene.points),
            "points": scene.points.round(1).tolist(),
            "heads": scene.heads.round(1).tolist(),
            "boxes": scene.boxes.tolist(),
            "source": SOURCE,
        }
    path = folder / "annotations.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0, or 2 with one sentence where something does not fit."""
    parser = argparse.ArgumentParser(prog=f"python -m {SOURCE}", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the pictures go")
    parser.add_argument(
        "--examples", action="store_true", help="the page's example pairs instead of a pack"
    )
    parser.add_argument("--count", type=int, default=400, help="scenes of a pack")
    parser.add_argument("--seed", type=int, default=0, help="of the first scene")
    parser.add_argument("--size", type=_size, default=(640, 480), metavar="640x480")
    options = parser.parse_args(arguments)
    try:
        if options.examples:
            print(write_pairs(options.folder))
        else:
            print(write_pack(options.folder, options.count, options.seed, options.size))
    except (ValueError, OSError) as error:
        print(f"crowd_scenes: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
