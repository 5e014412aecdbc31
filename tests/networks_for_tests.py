"""Untrained networks with maps worth testing, for tests that need no bundled weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from models import weights
from models.hosts.crowd import CrowdCounter
from models.mechanism import blocks_of
from models.mechanisms.csca import ModalityGate
from models.preprocessing import Preprocessing
from models.weights import HOSTS, Card
from vizattn.networks import Network

# Small enough to be quick, large enough that no map is a single cell.
PREPROCESSING = {
    "classify": Preprocessing((64, 64), fit="short"),
    "segment": Preprocessing((96, 128), fit="inside"),
    "count": Preprocessing((96, 128), fit="inside"),
}
PEOPLE = 0.05
"""that an untrained counter sees in a cell, on the mean"""
SHARPER = 3.0


def small_network(
    task: str,
    mechanism: str | None,
    seed: int = 0,
    name: str | None = None,
    form: str | None = None,
) -> Network:
    """Return an untrained network of a task whose zero-initialised blocks have been woken."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = weights.build(task, mechanism, form=form)
        _wake(module, *_noise(task))
    name = name or "-".join(filter(None, (task, mechanism or "plain", form)))
    digest = hashlib.sha256(f"{name} {seed}".encode()).hexdigest()
    card = _card(name, task, mechanism, digest, form)
    return Network(name, module.eval(), card, torch.device("cpu"))


def write_network(network: Network, folder: Path) -> None:
    """Write a network and its card as bundled ones are, for the environment's VIZATTN_WEIGHTS."""
    digest, size = weights.save(network.module, folder / f"{network.name}.safetensors")
    facts = network.card.facts | {"sha256": digest, "bytes": size}
    (folder / f"{network.name}.json").write_text(json.dumps(facts))


def write_networks(folder: Path, *networks: tuple[str, str | None]) -> Path:
    """Write small networks of (task, mechanism) into a folder and return it."""
    for task, mechanism in networks:
        write_network(small_network(task, mechanism), folder)
    return folder


@contextmanager
def bundling(folder: Path) -> Iterator[Path]:
    """Have a folder's networks in place of the bundled ones while the block of code runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIZATTN_WEIGHTS", str(folder))
        yield folder


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return a picture with gradients, edges and noise, so that no two places look alike."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    layers = [x * 255 / width, y * 255 / height, 128 + 100 * np.sin(x / 9) * np.cos(y / 13)]
    pixels = np.stack(layers, axis=-1) + random.normal(0, 12, (height, width, 3))
    pixels[height // 3 : height // 2, width // 4 : width // 2] = (230, 60, 40)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _noise(task: str) -> list[torch.Tensor]:
    """Return random pictures, smooth as real ones are: one for each input of a task's network."""
    senses = 2 if task == "count" else 1
    return [torch.randn(8, 3, 64, 96).cumsum(dim=2).cumsum(dim=3) / 20 for _ in range(senses)]


def _wake(module: nn.Module, *images: torch.Tensor) -> None:
    """Open what starts closed, and sharpen attention, so that maps differ from place to place."""
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            nn.init.uniform_(child.weight, 0.5, 1.5)
            nn.init.uniform_(child.bias, -0.3, 0.3)
        gamma = getattr(child, "gamma", None)
        if isinstance(gamma, nn.Parameter):
            nn.init.constant_(gamma, 0.7)
    if isinstance(module, CrowdCounter):
        # So many layers without norms would let nothing through.
        for child in module.modules():
            if isinstance(child, nn.Conv2d):
                nn.init.kaiming_normal_(child.weight)
    for block in blocks_of(module).values():
        for child in block.modules():
            if isinstance(child, nn.Conv2d | nn.Linear):
                child.weight.data.mul_(SHARPER)
    # One pass in training mode gives batch norms the statistics that they would have learnt.
    norms = [child for child in module.modules() if isinstance(child, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    with torch.no_grad():
        module.train()(*images)
    if isinstance(module, CrowdCounter):
        _see_people(module, *images)


def _see_people(counter: CrowdCounter, *images: torch.Tensor) -> None:
    """Scale the last layer until there is a number of people worth counting."""
    last = counter.network.head[-1]
    gates = [block for block in blocks_of(counter).values() if isinstance(block, ModalityGate)]
    handles = [gate.register_forward_pre_hook(_balance) for gate in gates]
    with torch.no_grad():
        counter.eval()(*images)
    for handle in handles:
        handle.remove()
    with torch.no_grad():
        last.bias.zero_()
        last.weight.mul_(PEOPLE / counter.eval()(*images).mean())


def _balance(gate: ModalityGate, given: tuple[torch.Tensor, ...]) -> None:
    """Scale a gate until it trusts now one sense, now the other."""
    contexts = torch.cat([given[3], given[2]], dim=1)
    for trust in (gate.trust_rgb, gate.trust_thermal):
        trust.bias.zero_()
        logits = trust(contexts)
        trust.weight.div_(logits.std())
        trust.bias.fill_(-logits.mean() / logits.std())


def _card(name: str, task: str, mechanism: str | None, digest: str, form: str | None) -> Card:
    metric = {"split": "val", "accuracy": 0.1, "miou": 0.1, "mae": 9.0, "count": 10}
    facts = {
        "name": name,
        "task": task,
        "mechanism": mechanism,
        "form": form,
        "shares": None,
        "sha256": digest,
        "metric": metric,
        "plain": None,
        "parameters": 1,
        "classes": list(HOSTS[task].classes),
        "preprocessing": asdict(PREPROCESSING[task]),
        "points": {"rgb": "heads", "thermal": "bodies", "both": "bodies"},
    }
    return Card(name, task, mechanism, None, digest, metric, facts)
