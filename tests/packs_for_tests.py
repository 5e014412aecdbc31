"""Tiny picture packs of the formats that training and evaluation read."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("tench", "church", "parachute")


def classification_pack(folder: Path, train: int = 12, val: int = 6, side: int = 128) -> Path:
    """Write pictures whose colour tells their class; return the pack's folder."""
    random = np.random.default_rng(0)
    rows = []
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            label = number % len(CLASSES)
            name = f"{split}_{number}"
            path = folder / split / CLASSES[label] / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 60, (side, side, 3), dtype=np.uint8)
            pixels[..., label] += 150
            Image.fromarray(pixels).save(path)
            rows.append((split, CLASSES[label], name))
    return _indexed(folder, ("split", "class", "name"), rows)


def segmentation_pack(
    folder: Path, train: int = 4, test: int = 2, size: tuple[int, int] = (96, 128)
) -> Path:
    """Write pictures of two halves with their masks; return the pack's folder."""
    random = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rows = []
    for split, count in (("train", train), ("test", test)):
        for number in range(count):
            name = f"{split}_{number}"
            mask = np.zeros(size, np.uint8)
            mask[size[0] // 2 :] = 3 + number % 2
            mask[:, :4] = 11
            pixels = random.integers(0, 60, (*size, 3), dtype=np.uint8)
            pixels[..., 2] += np.where(mask == 0, 180, 0).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "images" / f"{name}.jpg")
            Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
            rows.append((split, name))
    return _indexed(folder, ("split", "name"), rows)


def crowd_pack(
    folder: Path,
    train: int = 4,
    val: int = 2,
    thermal: bool = False,
    size: tuple[int, int] = (96, 128),
) -> Path:
    """Write pictures with a bright spot for every person; return the pack's folder."""
    random = np.random.default_rng(0)
    images = folder / ("rgb" if thermal else "images")
    images.mkdir(parents=True)
    if thermal:
        (folder / "thermal").mkdir()
    annotations = {}
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            name = f"{split}_{number}"
            points = [
                [float(random.integers(8, side - 8)) for side in reversed(size)]
                for _ in range(number % 4)
            ]
            pixels = random.integers(0, 60, (*size, 3), dtype=np.uint8)
            for x, y in points:
                pixels[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = 250
            Image.fromarray(pixels).save(images / f"{name}.jpg")
            if thermal:
                Image.fromarray(pixels[..., 0]).save(folder / "thermal" / f"{name}.jpg")
            annotations[name] = {"split": split, "count": len(points), "points": points}
    (folder / "annotations.json").write_text(json.dumps(annotations))
    return folder


def _indexed(folder: Path, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Path:
    with (folder / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([heads, *rows])
    return folder
