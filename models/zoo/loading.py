"""The zoo's networks with their weights, and the cards that say what they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.preprocessing import Preprocessing
from models.weights import Card, WeightsError
from models.zoo.fetching import Progress, fetch, quiet
from models.zoo.libraries import LIBRARIES
from models.zoo.table import Entry, entries


@dataclass(frozen=True)
class Pretrained(Card):
    """What there is to say of a network that others trained.

    ``metric`` is empty: what it reaches was measured by others.

    Args:
        entry: its line of the zoo's table.
        named: the class names, where they are not the entry's own.
    """

    entry: Entry
    named: tuple[str, ...] | None = None

    @property
    def foreign(self) -> bool:
        return True

    @property
    def preprocessing(self) -> Preprocessing:
        return self.entry.preprocessing

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the class names in the order of the scores; none for a network of features."""
        if self.named is not None:
            return self.named
        return LIBRARIES[self.entry.source].classes(self.entry)


@cache
def pretrained() -> dict[str, Pretrained]:
    """Return the cards of the whole zoo by name; nothing is downloaded for that."""
    return {name: _card(entry) for name, entry in entries().items()}


def _card(entry: Entry) -> Pretrained:
    facts = {
        "name": entry.name,
        "title": entry.title,
        "source": entry.source,
        "licence": entry.licence,
        "bytes": entry.bytes,
        "parameters": entry.parameters,
        "origin": entry.origin,
    }
    return Pretrained(entry.name, entry.task, None, None, "", {}, facts, entry)


def build(
    entry: Entry, classes: int | None = None, size: tuple[int, int] | None = None
) -> nn.Module:
    """Return an entry's network with random weights; nothing is downloaded for that.

    Args:
        entry: which one.
        classes: how many classes it tells apart; its own number by default.
        size: (rows, columns) of its input, where its library can build it for others than its own.
    """
    return LIBRARIES[entry.source].build(entry, classes, size)


def load(entry: Entry, progress: Progress = quiet) -> nn.Module:
    """Return an entry's network with its weights, in evaluation mode.

    Args:
        entry: which one.
        progress: is told how far the download is.

    Raises:
        Unreachable: if the weights are not here and cannot be downloaded.
        WeightsError: if they are damaged or not those of the network.
    """
    path = fetch(entry, progress)
    try:
        return LIBRARIES[entry.source].load(entry, _read(path)).eval()
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
        raise WeightsError(f"{path.name} cannot be used: {error}") from error


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return tensors
