"""What differs between tasks in training: the pack, the batches and the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from models.evaluate import measure
from models.packs import (
    CAMVID_CLASSES,
    UNLABELLED,
    Entry,
    load_all,
    read_classification,
    read_segmentation,
)
from models.preprocessing import Preprocessing
from models.training.augment import crop, crop_masks, jitter, random_boxes
from models.training.crowds import CountTask, SensesTask
from models.training.recipes import Crop, Recipe


@runtime_checkable
class Task(Protocol):
    """A data pack in memory, batched and scored."""

    pack: str

    @property
    def facts(self) -> dict[str, Any]:
        """Return what else a card says."""
        ...

    @property
    def train(self) -> Sequence[Any]:
        """Return what is trained on."""
        ...

    def steps(self, recipe: Recipe) -> int:
        """Return how many batches an epoch has at most."""
        ...

    def batches(
        self, recipe: Recipe, cut: Crop, generator: torch.Generator
    ) -> Iterator[tuple[Any, Any]]:
        """Yield one epoch of (pictures, targets)."""
        ...

    def answer(self, network: nn.Module, preprocessing: Preprocessing, images: Any) -> Tensor:
        """Return what a network says of a batch of pictures."""
        ...

    def loss(self, recipe: Recipe, scores: Tensor, targets: Any) -> Tensor:
        """Return the loss of one batch."""
        ...

    def finished(self, network: nn.Module) -> nn.Module:
        """Return a trained network as it is measured and stored."""
        ...

    def measured(self, network: nn.Module, preprocessing: Preprocessing) -> dict[str, Any]:
        """Return what a card says about a network: "split", the metric and "count"."""
        ...


class PictureTask:
    """What tasks have in common whose batches are RGB pictures in 0..255."""

    train: list[Entry]
    facts: ClassVar[dict[str, Any]] = {}
    task: str
    pack: str
    measured_on: str
    """the split that a card reports; no recipe looks at it"""

    def __init__(self, folder: Path, runs: Path) -> None:
        self.folder = folder / self.pack

    def finished(self, network: nn.Module) -> nn.Module:
        """Return the network as it is."""
        return network

    def measured(self, network: nn.Module, preprocessing: Preprocessing) -> dict[str, Any]:
        """Return the metric on the split that no recipe looks at."""
        found = measure(network, self.task, preprocessing, self.folder, self.measured_on)
        return {"split": self.measured_on, **found}

    def steps(self, recipe: Recipe) -> int:
        """Return the number of batches that show every picture once."""
        return math.ceil(len(self.train) / recipe.batch)

    def answer(self, network: nn.Module, preprocessing: Preprocessing, images: Tensor) -> Tensor:
        """Return the network's scores."""
        x = preprocessing.normalise(images).to(memory_format=torch.channels_last)
        scores: Tensor = network(x)
        return scores


def _load(entries: list[Entry], what: str) -> Tensor:
    return torch.stack(list(tqdm(load_all(entries), desc=what, total=len(entries), leave=False)))


class ClassifyTask(PictureTask):
    """Imagenette pictures of 128 x 128 with one label each."""

    task = "classify"
    pack = "cls_imagenette128"
    measured_on = "val"

    def __init__(self, folder: Path, runs: Path) -> None:
        super().__init__(folder, runs)
        self.train = read_classification(folder / self.pack, "train")
        self.pixels = _load(self.train, "reading pictures")
        self.labels = torch.tensor([entry.label for entry in self.train])

    def batches(
        self, recipe: Recipe, cut: Crop, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.train), generator=generator)
        for index in order.split(recipe.batch):
            theta = random_boxes(len(index), cut.scale, recipe.ratio, generator, cut.crisp)
            images = crop(self.pixels[index], theta, cut.rows, cut.columns)
            yield jitter(images, 0.3, generator), self.labels[index]

    def loss(self, recipe: Recipe, scores: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(scores, targets, label_smoothing=0.1)


class SegmentTask(PictureTask):
    """CamVid frames of 360 x 480 with a class a pixel; rare classes may weigh more."""

    task = "segment"
    pack = "seg_camvid"
    measured_on = "test"

    def __init__(self, folder: Path, runs: Path) -> None:
        super().__init__(folder, runs)
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
            theta = random_boxes(len(index), cut.scale, recipe.ratio, generator, cut.crisp)
            images = jitter(crop(self.pixels[index], theta, cut.rows, cut.columns), 0.3, generator)
            yield images, crop_masks(self.masks[index], theta, cut.rows, cut.columns, UNLABELLED)

    def loss(self, recipe: Recipe, scores: Tensor, targets: Tensor) -> Tensor:
        weight = self.rarity.pow(recipe.balance).clamp(0.4, 3.0)
        return F.cross_entropy(scores, targets, weight=weight, ignore_index=UNLABELLED)


TASKS: dict[str, Callable[[Path, Path], Task]] = {
    "classify": ClassifyTask,
    "segment": SegmentTask,
    "stream": ClassifyTask,
    "senses": SensesTask,
    "count": CountTask,
}
