"""Read the picture packs that the bundled networks are trained and measured on."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

IMAGENETTE_CLASSES = (
    "tench",
    "English_springer",
    "cassette_player",
    "chain_saw",
    "church",
    "French_horn",
    "garbage_truck",
    "gas_pump",
    "golf_ball",
    "parachute",
)
CAMVID_CLASSES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
    "unlabelled",
)
UNLABELLED = CAMVID_CLASSES.index("unlabelled")


class PackError(ValueError):
    """A folder is not a pack of the expected format."""


@dataclass(frozen=True)
class Entry:
    """One picture of a pack and where its answer is: a class index or a mask file."""

    image: Path
    label: int | None = None
    mask: Path | None = None

    def pixels(self) -> UInt8[Tensor, "3 row column"]:
        """Return the picture's RGB values."""
        with Image.open(self.image) as picture:
            return _channels_first(np.asarray(picture.convert("RGB")))

    def classes(self) -> UInt8[Tensor, "row column"]:
        """Return the mask's class indices; raises PackError where there is no mask."""
        if self.mask is None:
            raise PackError(f"{self.image.name}: expected a mask, found none")
        with Image.open(self.mask) as mask:
            return torch.from_numpy(np.array(mask, dtype=np.uint8))


def read_classification(folder: Path | str, split: str | None = None) -> list[Entry]:
    """Return the entries of a folder laid out SPLIT/CLASS/NAME.jpg with an index.csv.

    Raises:
        PackError: if the index is missing, names an unknown class or has nothing for the split.
    """
    entries = []
    for row in _index(Path(folder), split, ("split", "class", "name")):
        if row["class"] not in IMAGENETTE_CLASSES:
            raise PackError(f"expected a class of {IMAGENETTE_CLASSES}, received {row['class']!r}")
        image = Path(folder) / row["split"] / row["class"] / f"{row['name']}.jpg"
        entries.append(Entry(image, label=IMAGENETTE_CLASSES.index(row["class"])))
    return entries


def read_segmentation(folder: Path | str, split: str | None = None) -> list[Entry]:
    """Return the entries of a folder with images/NAME.jpg, masks/NAME.png and an index.csv.

    Raises:
        PackError: if the index is missing or has nothing for the split.
    """
    folder = Path(folder)
    return [
        Entry(
            folder / "images" / f"{row['name']}.jpg", mask=folder / "masks" / f"{row['name']}.png"
        )
        for row in _index(folder, split, ("split", "name"))
    ]


@dataclass(frozen=True)
class CrowdEntry:
    """One picture of a crowd pack, with its thermal picture where there is one, and its people.

    Args:
        image: the RGB picture.
        thermal: the thermal picture of the same view and size, or none.
        points: (x, y) of every person in pixels.
        source: which collection the picture is from.
    """

    image: Path
    thermal: Path | None
    points: Float[Tensor, "n 2"]
    source: str

    def pixels(self) -> UInt8[Tensor, "3 row column"]:
        """Return the picture's RGB values."""
        return Entry(self.image).pixels()

    def size(self) -> tuple[int, int]:
        """Return the (width, height) of the picture in pixels."""
        with Image.open(self.image) as picture:
            return picture.size

    def rgb_at(self, size: tuple[int, int]) -> Float[Tensor, "3 row column"]:
        """Return RGB values of 0..255 at a (width, height), antialiased."""
        with Image.open(self.image) as picture:
            resized = picture.convert("RGB").resize(size, Image.Resampling.BILINEAR)
        return _channels_first(np.asarray(resized, dtype=np.float32))

    def thermal_at(self, size: tuple[int, int], shift: int = 0) -> Float[Tensor, "1 row column"]:
        """Return thermal levels at a (width, height), antialiased.

        Args:
            size: (width, height) in pixels.
            shift: pixels of the original that the picture is moved to the right first, its left
                edge repeated where nothing is known.
        """
        levels = self.thermal_pixels()[0].numpy()
        moved = np.pad(levels, ((0, 0), (shift, 0)), mode="edge")[:, : levels.shape[1]]
        resized = Image.fromarray(moved).resize(size, Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(resized, dtype=np.float32))[None]

    def thermal_pixels(self) -> UInt8[Tensor, "1 row column"]:
        """Return the thermal picture's levels; raises PackError where there is none."""
        if self.thermal is None:
            raise PackError(f"{self.image.name}: expected a thermal picture, found none")
        with Image.open(self.thermal) as picture:
            return torch.from_numpy(np.array(picture.convert("L")))[None]


def read_counting(folder: Path | str, split: str | None = None) -> list[CrowdEntry]:
    """Return the entries of a crowd pack, of all splits or one.

    A pack has an annotations.json and either images/NAME.jpg or rgb/NAME.jpg and thermal/NAME.jpg.
    Left out are entries whose people nobody marked ("annotated": false), whose marks are in doubt
    ("quality" other than "reviewed"), or that repeat another entry ("dup_of").

    Raises:
        PackError: if the annotations are missing or not as expected, or nothing is left.
    """
    folder = Path(folder)
    path = folder / "annotations.json"
    if not path.is_file():
        raise PackError(f"expected a pack with an annotations.json in {folder}, found none")
    try:
        annotations = json.loads(path.read_text(encoding="utf-8"))
        splits = sorted({entry["split"] for entry in annotations.values()})
        found = [
            _crowd_entry(folder, name, entry)
            for name, entry in annotations.items()
            if split in (None, entry["split"]) and _is_marked(entry)
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PackError(f"{path.name} is not as expected: {error!r}") from error
    if not found:
        raise PackError(f"expected a split of {splits} with marked people, received {split!r}")
    return found


def _is_marked(entry: dict[str, Any]) -> bool:
    return (
        entry.get("annotated", True)
        and entry.get("quality", "reviewed") == "reviewed"
        and not entry.get("dup_of")
    )


def _crowd_entry(folder: Path, name: str, entry: dict[str, Any]) -> CrowdEntry:
    points = torch.tensor(entry["points"], dtype=torch.float32).reshape(-1, 2)
    thermal = folder / "thermal" / f"{name}.jpg"
    image = folder / ("rgb" if (folder / "rgb").is_dir() else "images") / f"{name}.jpg"
    source = entry.get("source") or folder.name
    return CrowdEntry(image, thermal if thermal.is_file() else None, points, str(source))


def load_all(entries: list[Entry]) -> Iterator[Tensor]:
    """Yield the pixels of all entries, read by a few threads, in order."""
    with ThreadPoolExecutor(4) as pool:
        yield from pool.map(Entry.pixels, entries)


def _index(folder: Path, split: str | None, columns: tuple[str, ...]) -> list[dict[str, str]]:
    path = folder / "index.csv"
    if not path.is_file():
        raise PackError(f"expected a pack with an index.csv in {folder}, found none")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not set(columns) <= rows[0].keys():
        raise PackError(f"expected columns {columns} in {path.name}")
    splits = sorted({row["split"] for row in rows})
    chosen = [row for row in rows if split is None or row["split"] == split]
    if not chosen:
        raise PackError(f"expected a split of {splits}, received {split!r}")
    return chosen


def _channels_first(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array)).permute(2, 0, 1)
