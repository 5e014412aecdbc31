"""The training loop: seeded by epoch, resumable, with a moving average of the weights."""

from __future__ import annotations

import copy
import math
import re
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from models.mechanism import blocks_of
from models.preprocessing import Preprocessing
from models.training.recipes import Crop, Recipe
from models.training.tasks import Task

_WARM_UP = 0.1
"""share of a cycle in which the rate rises"""


class Run:
    """One training run and everything that a checkpoint must hold to continue it.

    Args:
        recipe: what to do.
        network: the network, already started from other weights where the recipe says so.
        checkpoint: file that the state is written to after every epoch and resumed from.
    """

    def __init__(self, recipe: Recipe, network: nn.Module, checkpoint: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.network = network.to(memory_format=torch.channels_last)
        self.frozen = freeze(network, recipe)
        self.average = copy.deepcopy(network).eval()
        self.optimiser = _optimiser(network, recipe)
        self.checkpoint = checkpoint
        self.epoch = 0
        self.seconds = 0.0
        if checkpoint.is_file():
            self._resume()

    def _state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
            "seconds": self.seconds,
            "recipe": repr(self.recipe),
        }

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        if state["recipe"] != repr(self.recipe):
            raise ValueError(
                f"{self.checkpoint} belongs to another version of this recipe: remove it"
            )
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.seconds = state["epoch"], state["seconds"]

    def train(self, task: Task, preprocessing: Preprocessing) -> nn.Module:
        """Train to the last epoch and return the averaged network."""
        while self.epoch < self.recipe.epochs:
            began = time.monotonic()
            self._epoch(task, preprocessing)
            self.epoch += 1
            self.seconds += time.monotonic() - began
            self._save()
        return self.average

    def _save(self) -> None:
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        # Whoever stops the run while this is written still has the checkpoint before.
        unfinished = self.checkpoint.with_suffix(".unfinished")
        torch.save(self._state(), unfinished)
        unfinished.replace(self.checkpoint)

    def _epoch(self, task: Task, preprocessing: Preprocessing) -> None:
        generator = generator_at(self.recipe, self.epoch)
        torch.manual_seed(generator.initial_seed())
        self.network.train()
        for module in self.frozen:
            module.eval()
        steps = task.steps(self.recipe)
        bar = tqdm(
            task.batches(self.recipe, crop_at(self.recipe, self.epoch), generator),
            total=steps,
            desc=f"{self.recipe.name} {self.epoch + 1}/{self.recipe.epochs}",
            mininterval=5,
        )
        for step, (images, targets) in enumerate(bar):
            self._set_rate(self.epoch + step / steps)
            loss = self._step(task, preprocessing, images, targets)
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)

    def _step(self, task: Task, preprocessing: Preprocessing, images: Any, targets: Any) -> float:
        with torch.autocast("cpu", torch.bfloat16):
            scores = task.answer(self.network, preprocessing, images)
        loss = task.loss(self.recipe, scores.float(), targets)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self._update_average()
        return loss.item()

    def _update_average(self) -> None:
        with torch.no_grad():
            ours = self.network.state_dict()
            for key, kept in self.average.state_dict().items():
                if kept.is_floating_point():
                    kept.lerp_(ours[key], 1 - self.recipe.average)
                else:
                    kept.copy_(ours[key])

    def _set_rate(self, epoch: float) -> None:
        for group in self.optimiser.param_groups:
            share = max(rate_at(self.recipe, epoch), 1e-3)
            group["lr"] = self.recipe.peak_rate * group["factor"] * share


def generator_at(recipe: Recipe, epoch: int) -> torch.Generator:
    """Return what an epoch draws from: a resumed run draws what an uninterrupted one would."""
    return torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)


def rate_at(recipe: Recipe, epoch: float) -> float:
    """Return the share of the peak rate at a time in epochs: a short rise, then a cosine."""
    for epochs, height in recipe.cycles:
        progress = epoch / epochs
        if progress < 1:
            fall = (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP))) / 2
            return height * min(progress / _WARM_UP, fall)
        epoch -= epochs
    return 0.0


def freeze(network: nn.Module, recipe: Recipe) -> list[nn.Module]:
    """Stop gradients where the recipe says so; return the modules that must stay in eval mode."""
    if recipe.still_norms:
        return _norms(network, "")
    if recipe.frozen is None:
        return []
    pattern = re.compile(recipe.frozen)
    attention = tuple(f"{path}." for path in blocks_of(network))
    for name, parameter in network.named_parameters():
        outside = not name.startswith(attention)
        if pattern.match(name) and outside and (parameter.ndim == 4 or not recipe.train_norms):
            parameter.requires_grad_(False)
    if recipe.train_norms:
        return []
    return _norms(network, recipe.frozen)


def _norms(network: nn.Module, pattern: str) -> list[nn.Module]:
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d) and re.match(pattern, f"{name}.")
    ]


def crop_at(recipe: Recipe, epoch: int) -> Crop:
    """Return what is cut from the pictures in an epoch."""
    for crop in recipe.crops:
        if epoch < crop.epochs:
            return crop
        epoch -= crop.epochs
    return recipe.crops[-1]


def _optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    attention = tuple(f"{path}." for path in blocks_of(network))
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            # Norms, biases and scalars are not pulled towards zero.
            decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
            factor = recipe.attention_rate if name.startswith(attention) else 1.0
            groups.setdefault((decay, factor), []).append(parameter)
    listed = [
        {"params": parameters, "weight_decay": decay, "factor": factor}
        for (decay, factor), parameters in groups.items()
    ]
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(listed, lr=recipe.peak_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(listed, lr=recipe.peak_rate)
