"""Read the picture packs that the bundled networks are trained and measured on."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
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
