"""What differs between tasks in training: the pack, the batches and the loss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from models.packs import (
    CAMVID_CLASSES,
    UNLABELLED,
    Entry,
    load_all,
    read_classification,
    read_segmentation,
)
from models.training.augment import crop, crop_masks, jitter, random_boxes
from models.training.recipes import Crop, Recipe


@runtime_checkable
class Task(Protocol):
    """A data pack in memory, batched and scored."""

    train: list[Entry]

    def batches(
        self, recipe: Recipe, cut: Crop, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield one epoch of (pictures in 0..255, targets)."""
        ...

    def loss(self, recipe: Recipe, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of one batch."""
        ...


def _load(entries: list[Entry], what: str) -> Tensor:
    return torch.stack(list(tqdm(load_all(entries), desc=what, total=len(entries), leave=False)))


class ClassifyTask:
    """Imagenette pictures of 128 x 128 with one label each."""

    pack = "cls_imagenette128"

    def __init__(self, folder: Path) -> None:
        self.train = read_classification(folder / self.pack, "train")
        self.pixels = _load(self.train, "reading pictures")
        self.labels = torch.tensor([entry.label for entry in self.train])

    def batches(
        self, recipe: Recipe, cut: Crop, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.train), generator=generator)
        for index in order.split(recipe.batch):
            theta = random_boxes(len(index), cut.scale, recipe.ratio, generator)
            images = crop(self.pixels[index], theta, cut.rows, cut.columns)
            yield jitter(images, 0.3, generator), self.labels[index]

    def loss(self, recipe: Recipe, scores: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(scores, targets, label_smoothing=0.1)


class SegmentTask:
    """CamVid frames of 360 x 480 with a class a pixel; rare classes may weigh more."""

    pack = "seg_camvid"

    def __init__(self, folder: Path) -> None:
        self.train = read_segmentation(folder / self.pack, "train")
        self.pixels = _load(self.train, "reading pictures")
        self.masks = torch.stack([entry.classes() for entry in self.train])
        counts = torch.bincount(self.masks.flatten().long(), minlength=len(CAMVID_CLASSES)).float()
        share = counts / counts[:UNLABELLED].sum()
        self.rarity = share[:UNLABELLED].median() / share

    def batches(
        self, recipe: Recipe, cut: Crop, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.train), generator=generator)
        for index in order.split(recipe.batch):
            if len(index) < recipe.batch:
                continue
            theta = random_boxes(len(index), cut.scale, recipe.ratio, generator)
            images = jitter(crop(self.pixels[index], theta, cut.rows, cut.columns), 0.3, generator)
            yield images, crop_masks(self.masks[index], theta, cut.rows, cut.columns, UNLABELLED)

    def loss(self, recipe: Recipe, scores: Tensor, targets: Tensor) -> Tensor:
        weight = self.rarity.pow(recipe.balance).clamp(0.4, 3.0)
        return F.cross_entropy(scores, targets, weight=weight, ignore_index=UNLABELLED)


TASKS: dict[str, type[ClassifyTask] | type[SegmentTask]] = {
    "classify": ClassifyTask,
    "segment": SegmentTask,
    "stream": ClassifyTask,
}
