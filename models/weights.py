"""Bundled networks: their cards, and strict loading of what is stored once and shared."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.hosts.classifier import Classifier
from models.hosts.crowd import CrowdCounter, PlainAddition
from models.hosts.segmenter import Segmenter
from models.mechanism import Mechanism, Plug, mechanisms
from models.packs import CAMVID_CLASSES, IMAGENETTE_CLASSES
from models.preprocessing import Preprocessing


class WeightsError(ValueError):
    """A weight file is missing, damaged or does not fit its network."""


@dataclass(frozen=True)
class Host:
    """A kind of network: what it is called in a mechanism's plugs, and how it is built."""

    plug: str
    build: Any
    classes: tuple[str, ...]
    preprocessing: Preprocessing


def _counter(classes: int, plug: Plug | None = None) -> CrowdCounter:
    return CrowdCounter(fusion=plug.build if plug is not None else PlainAddition)


HOSTS: dict[str, Host] = {
    "classify": Host(
        "classifier", Classifier, IMAGENETTE_CLASSES, Preprocessing((128, 128), fit="short")
    ),
    "segment": Host(
        "segmenter", Segmenter, CAMVID_CLASSES, Preprocessing((360, 480), fit="inside")
    ),
    "count": Host("counter", _counter, ("person",), Preprocessing((384, 512), fit="inside")),
}
"""by task"""


def weights_folder() -> Path:
    """Return where bundled weights are: ``assets/weights``, or what VIZATTN_WEIGHTS names."""
    default = Path(__file__).resolve().parent.parent / "assets" / "weights"
    return Path(os.environ.get("VIZATTN_WEIGHTS", default))


@dataclass(frozen=True)
class Card:
    """What a training run wrote about the weights that it made."""

    name: str
    task: str
    mechanism: str | None
    shares: str | None
    """name of the weights that hold the tensors that this file leaves out"""
    sha256: str
    metric: dict[str, Any]
    facts: dict[str, Any]
    """the whole card as it was written"""

    @property
    def form(self) -> str | None:
        """Return which of the mechanism's other forms the network has; None for its own."""
        return self.facts.get("form")

    @property
    def foreign(self) -> bool:
        """Return whether the network is a stranger's: its attention is not made by our blocks."""
        return False

    @property
    def preprocessing(self) -> Preprocessing:
        """Return what must happen to pixels first."""
        stored = self.facts["preprocessing"]
        return Preprocessing(
            tuple(stored["size"]), stored["fit"], tuple(stored["mean"]), tuple(stored["std"])
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the class names in the order of the scores."""
        return tuple(self.facts["classes"])


def cards(folder: Path | None = None) -> dict[str, Card]:
    """Return the cards of all bundled networks by name; trunks only lend tensors."""
    # By name: of paths, "cbam-parallel.json" would come before "cbam.json".
    names = sorted(path.stem for path in (folder or weights_folder()).glob("*.json"))
    found = {name: read_card(name, folder) for name in names}
    return {name: card for name, card in found.items() if not name.startswith("trunk-")}


def read_card(name: str, folder: Path | None = None) -> Card:
    """Return one card.

    Raises:
        WeightsError: if there is none of that name or it cannot be read.
    """
    path = (folder or weights_folder()) / f"{name}.json"
    try:
        facts = json.loads(path.read_text())
        card = Card(
            facts["name"],
            facts["task"],
            facts["mechanism"],
            facts["shares"],
            facts["sha256"],
            facts["metric"],
            facts,
        )
        if not (card.preprocessing and card.classes):
            raise ValueError("expected at least one class")
        return card
    except FileNotFoundError as error:
        raise WeightsError(f"expected a bundled network, received {name!r}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"the card {path.name} cannot be read: {error!r}") from error


def build(
    task: str,
    mechanism: str | None,
    hosts: Mapping[str, Host] | None = None,
    form: str | None = None,
) -> nn.Module:
    """Return the untrained network of a task with a mechanism, or the plain one.

    Args:
        task: a task of ``hosts``.
        mechanism: slug of what is plugged in; none for the plain host.
        hosts: by task; ``HOSTS`` by default.
        form: which of the mechanism's other forms; by default its own.

    Raises:
        ValueError: if the task, the mechanism or the form is unknown, or the mechanism has no plug
            for it.
    """
    hosts = HOSTS if hosts is None else hosts
    if task not in hosts:
        raise ValueError(f"expected a task of {sorted(hosts)}, received {task!r}")
    host = hosts[task]
    if mechanism is None:
        return host.build(len(host.classes))
    found: Mechanism | None = mechanisms().get(mechanism)
    if found is None or host.plug not in found.plugs:
        able = sorted(slug for slug, m in mechanisms().items() if host.plug in m.plugs)
        raise ValueError(f"expected a mechanism of {able} to {task}, received {mechanism!r}")
    plug = found.plug(host.plug, form)
    if plug is None:
        forms = sorted(found.forms.get(host.plug, ()))
        raise ValueError(f"expected a form of {mechanism} of {forms}, received {form!r}")
    return host.build(len(host.classes), plug)


def load(name: str, folder: Path | None = None) -> tuple[nn.Module, Card]:
    """Return a bundled network in evaluation mode and its card.

    Raises:
        WeightsError: if a file is missing, its checksum is not the card's, or its tensors are not
            exactly those of the network.
    """
    folder = folder or weights_folder()
    card = read_card(name, folder)
    try:
        network = build(card.task, card.mechanism, form=card.form)
    except ValueError as error:
        raise WeightsError(f"the card of {name} cannot be used: {error}") from error
    tensors = read_tensors(name, folder)
    if card.shares:
        shared = read_tensors(card.shares, folder)
        wanted = network.state_dict().keys()
        tensors = {key: value for key, value in shared.items() if key in wanted} | tensors
    load_strictly(network, tensors, name)
    return network.eval(), card


def load_strictly(network: nn.Module, tensors: dict[str, Tensor], name: str) -> None:
    """Load tensors whose names and shapes are exactly the network's.

    Raises:
        WeightsError: if any is missing, left over, of another shape or not finite.
    """
    own = network.state_dict()
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or extra:
        raise WeightsError(f"{name}: missing tensors {missing[:3]}, unexpected tensors {extra[:3]}")
    for key, tensor in tensors.items():
        if tensor.shape != own[key].shape:
            raise WeightsError(
                f"{name}: {key}: expected shape {tuple(own[key].shape)}, "
                f"received {tuple(tensor.shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{name}: {key}: expected finite numbers")
    network.load_state_dict({key: value.to(own[key].dtype) for key, value in tensors.items()})


def save(
    network: nn.Module, path: Path, shares: dict[str, Tensor] | None = None
) -> tuple[str, int]:
    """Write a network as ``as_stored`` has it, less the tensors that ``shares`` holds already.

    Returns:
        The file's sha256 and its size in bytes.
    """
    halves = as_stored(network)
    kept = {
        key: value
        for key, value in halves.items()
        if not (shares and key in shares and torch.equal(shares[key], value))
    }
    save_file(kept, path, metadata={"format": "pt"})
    content = path.read_bytes()
    return hashlib.sha256(content).hexdigest(), len(content)


def as_stored(network: nn.Module) -> dict[str, Tensor]:
    """Return a network's tensors as a weight file holds them: floating point numbers as float16.

    Tensors with numbers that are too large for that stay as they are: a norm's variances may be.
    """
    return {key: _short(value).contiguous() for key, value in network.state_dict().items()}


def _short(value: Tensor) -> Tensor:
    halved = value.half() if value.is_floating_point() else value
    return halved if torch.isfinite(halved).all() else value


def read_tensors(name: str, folder: Path | None = None) -> dict[str, Tensor]:
    """Return the tensors of one weight file as they are stored.

    Raises:
        WeightsError: if the file or its card is missing or damaged.
    """
    folder = folder or weights_folder()
    return _read_tensors(folder / f"{name}.safetensors", read_card(name, folder).sha256)


def _read_tensors(path: Path, sha256: str) -> dict[str, Tensor]:
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            raise WeightsError(f"{path.name} is damaged: its checksum is not the one on its card")
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path.name} cannot be read: {error}") from error
