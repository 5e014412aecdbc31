"""Features of what a recipe leaves as it is: computed once, read by every recipe that shares it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from models import weights
from models.hosts.segmenter import Segmenter
from models.preprocessing import Preprocessing
from models.training.loop import crop_at, generator_at
from models.training.recipes import Recipe
from models.training.tasks import Task


@dataclass(frozen=True)
class Features:
    """What ``Segmenter.features`` returned for a batch, and the size of its pictures."""

    f4: Float[Tensor, "batch channel row column"]
    joined: Float[Tensor, "batch width down across"]
    size: tuple[int, int]


class KeptTask:
    """A task whose batches are features that were kept; all else is the task's.

    The batches of an epoch depend only on its seed, and frozen layers in evaluation mode answer
    every recipe alike: a run on kept features is the run that it stands for.

    Args:
        task: the task.
        network: a host whose layers before its context module stay as they are.
        recipe: says so, and which batches there are.
        preprocessing: what happens to pixels first.
        folder: where features are kept.
    """

    def __init__(
        self,
        task: Task,
        network: Segmenter,
        recipe: Recipe,
        preprocessing: Preprocessing,
        folder: Path,
    ) -> None:
        self.task, self.pack = task, task.pack
        self.folder = folder
        self.loss, self.finished, self.measured = task.loss, task.finished, task.measured
        for epoch in range(recipe.epochs):
            if not self._of(epoch).is_dir():
                self._keep(network.eval(), recipe, preprocessing, epoch)

    @property
    def facts(self) -> dict[str, Any]:
        """Return what else a card says."""
        return self.task.facts

    @property
    def train(self) -> Sequence[Any]:
        """Return what is trained on."""
        return self.task.train

    def steps(self, recipe: Recipe) -> int:
        """Return how many batches an epoch has at most."""
        return self.task.steps(recipe)

    def batches(
        self, recipe: Recipe, cut: Any, generator: torch.Generator
    ) -> Iterator[tuple[Features, Tensor]]:
        """Yield what was kept of the epoch whose seed the generator has."""
        seeds = [generator_at(recipe, epoch).initial_seed() for epoch in range(recipe.epochs)]
        for path in sorted(self._of(seeds.index(generator.initial_seed())).iterdir()):
            kept = load_file(path)
            masks = kept["masks"]
            yield Features(kept["f4"], kept["joined"], (masks.shape[1], masks.shape[2])), masks

    def answer(self, network: Any, preprocessing: Preprocessing, images: Features) -> Tensor:
        """Return the network's scores."""
        f4, joined = (
            each.to(memory_format=torch.channels_last) for each in (images.f4, images.joined)
        )
        scores: Tensor = network.answer(f4, joined, images.size)
        return scores

    def _of(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:02d}"

    def _keep(
        self, network: Segmenter, recipe: Recipe, preprocessing: Preprocessing, epoch: int
    ) -> None:
        unfinished = self._of(epoch).with_suffix(".unfinished")
        unfinished.mkdir(parents=True, exist_ok=True)
        batches = self.task.batches(recipe, crop_at(recipe, epoch), generator_at(recipe, epoch))
        bar = tqdm(batches, total=self.task.steps(recipe), desc=f"keeping features {epoch + 1}")
        for step, (images, masks) in enumerate(bar):
            x = preprocessing.normalise(images).to(memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                f4, joined = network.padded_features(x)
            kept = {"f4": f4, "joined": joined, "masks": masks}
            save_file(
                {name: tensor.contiguous() for name, tensor in kept.items()},
                unfinished / f"{step:04d}.safetensors",
            )
        unfinished.rename(self._of(epoch))


def kept(
    task: Task,
    network: Any,
    recipe: Recipe,
    preprocessing: Preprocessing,
    runs: Path,
    folder: Path,
) -> Task:
    """Return the task on kept features where everything before the context module stays.

    Args:
        task: the task.
        network: what is trained, already started.
        recipe: what to do.
        preprocessing: what happens to pixels first.
        runs: folder of what training keeps.
        folder: folder of the weights that the recipe starts from.
    """
    if not (isinstance(network, Segmenter) and recipe.start and recipe.frozen):
        return task
    if recipe.train_norms:
        return task
    shared = (
        recipe.start, recipe.frozen, recipe.crops, recipe.batch, recipe.ratio, recipe.seed,
        weights.read_card(recipe.start, folder).facts["sha256"],
    )  # fmt: skip
    name = hashlib.sha256(repr(shared).encode()).hexdigest()[:12]
    return KeptTask(task, network, recipe, preprocessing, runs / f"features-{name}")
