"""Bundled networks by name, loaded once and shared by everybody."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import torch
from torch import nn

from models import weights
from models.preprocessing import Preprocessing
from models.weights import Card
from vizattn.geometry import Framing, Size
from vizattn.texts import Refused

COUNTS = "count"
"""the task of a network that counts people"""
SMALLEST_SIDE = 64
LONGEST_SIDE = 768
"""a very long picture is scaled until this is its long side, whatever its short side is then"""


@dataclass(frozen=True)
class Network:
    """A loaded network with its card, on its device."""

    name: str
    module: nn.Module
    card: Card
    device: torch.device

    @property
    def preprocessing(self) -> Preprocessing:
        """Return what must happen to pixels first."""
        return self.card.preprocessing

    def framing(self, size: Size) -> Framing:
        """Return where an original of (width, height) goes in the network's input."""
        rows, columns = self.preprocessing.size
        if self.preprocessing.fit == "short":
            return Framing.short_side(size, min(rows, columns), SMALLEST_SIDE, LONGEST_SIDE)
        if self.preprocessing.fit == "letterbox":
            return Framing.letterbox(size, (columns, rows))
        return Framing.inside(size, (columns, rows), SMALLEST_SIDE)


class UnknownNetwork(Refused):
    """No bundled network has that name."""


class DamagedWeights(Refused):
    """A weight file or its card cannot be used."""


class Library:
    """The bundled networks, each loaded when first asked for.

    Args:
        device: "auto" (CUDA if there is one), "cpu" or "cuda".

    Raises:
        ValueError: if the device is unknown or not there.
    """

    def __init__(self, device: str = "auto") -> None:
        self.device = choose_device(device)
        self._loaded: dict[str, Network] = {}
        self._lock = threading.Lock()

    def cards(self) -> dict[str, Card]:
        """Return the cards of all bundled networks by name."""
        try:
            return weights.cards()
        except weights.WeightsError as error:
            raise DamagedWeights("errors.weights_damaged", reason=error) from error

    def network(self, name: str) -> Network:
        """Return a network, loading it the first time.

        Raises:
            UnknownNetwork: if there is none of that name.
            DamagedWeights: if its files are missing, damaged or do not fit.
        """
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = self._load(name)
            return self._loaded[name]

    def _load(self, name: str) -> Network:
        known = self.cards()
        if name not in known:
            raise UnknownNetwork("errors.unknown_network", name=name, known=", ".join(known))
        try:
            module, card = weights.load(name)
        except weights.WeightsError as error:
            raise DamagedWeights("errors.weights_damaged", reason=error) from error
        return Network(name, module.to(self.device), card, self.device)


def choose_device(device: str) -> torch.device:
    """Return the device of a name; "auto" is CUDA where there is one and the CPU else."""
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"expected a device of auto, cpu, cuda, received {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("expected a CUDA device, found none: use --device cpu")
    wanted = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    return torch.device(wanted)
