"""Networks by name, bundled or others' work, loaded once and shared by everybody."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import torch
from torch import nn

from models import own, weights
from models.preprocessing import Preprocessing
from models.weights import Card
from models.zoo import fetching
from models.zoo.fetching import Progress, quiet
from models.zoo.loading import Pretrained, load, pretrained
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
    """No network has that name."""


class DamagedWeights(Refused):
    """A weight file or its card cannot be used."""


class NotDownloaded(Refused):
    """Weights are not here yet and cannot be fetched."""


class UnfitWeights(Refused):
    """Somebody's own weights cannot be used for the network that they were given for."""


class Library:
    """All networks: the bundled ones and the zoo of others', each loaded when first asked for.

    Args:
        device: "auto" (CUDA if there is one), "cpu" or "cuda".

    Raises:
        ValueError: if the device is unknown or not there.
    """

    first: str | None = None
    """the network that a page opens with; None where every example has its own"""

    def __init__(self, device: str = "auto") -> None:
        self.device = choose_device(device)
        self._loaded: dict[str, Network] = {}
        self._lock = threading.Lock()
        # A download takes minutes: who asks for another network does not wait for it.
        self._loading: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def cards(self) -> dict[str, Card]:
        """Return the cards of all bundled networks by name."""
        try:
            return weights.cards()
        except weights.WeightsError as error:
            raise DamagedWeights("errors.weights_damaged", reason=error) from error

    def pretrained(self) -> dict[str, Pretrained]:
        """Return the cards of all networks that others trained by name."""
        return pretrained()

    def card(self, name: str) -> Card:
        """Return the card of any network; raises UnknownNetwork."""
        bundled = self.cards()
        every: dict[str, Card] = bundled | pretrained()
        if name not in every:
            known = get_close_matches(name, every) or bundled
            raise UnknownNetwork("errors.unknown_network", name=name, known=", ".join(known))
        return every[name]

    def here(self, name: str) -> bool:
        """Return whether a network can be used without downloading anything; others' may not."""
        known = pretrained().get(name)
        return known is None or fetching.cached(known.entry) is not None

    def network(self, name: str, progress: Progress = quiet) -> Network:
        """Return a network, loading it the first time, and downloading it where it is not here.

        Args:
            name: of a bundled network or one of the zoo.
            progress: is told how many bytes of how many are here while it is downloaded.

        Raises:
            UnknownNetwork: if there is none of that name.
            NotDownloaded: if its weights are not here and cannot be downloaded.
            DamagedWeights: if its files are missing, damaged or do not fit.
        """
        card = self.card(name)
        with self._lock:
            loading = self._loading[name]
        with loading:
            if name not in self._loaded:
                module, card = _load(card, progress)
                self._loaded[name] = Network(name, module.to(self.device), card, self.device)
            return self._loaded[name]

    def fetch(self, name: str, progress: Progress = quiet) -> None:
        """Download a network's weights where they are not here; load nothing.

        Raises:
            UnknownNetwork: if there is none of that name.
            NotDownloaded: if they cannot be downloaded.
            DamagedWeights: if what arrives is damaged.
        """
        card = self.card(name)
        if isinstance(card, Pretrained):
            with _explained(card):
                fetching.fetch(card.entry, progress)

    def with_weights(self, name: str, path: Path, largest: int | None = None) -> Network:
        """Return a network with somebody's own weights; nobody else gets these.

        Args:
            name: of the network, bundled or one of the zoo.
            path: a safetensors file, or a state dict that ``torch.save`` wrote.
            largest: how many bytes it may hold; any number by default.

        Raises:
            UnknownNetwork: if there is none of that name.
            UnfitWeights: if the file cannot be read, is too large or holds other tensors.
        """
        card = self.card(name)
        try:
            module, card = own.load_own(card, path, largest)
        except own.TooManyWeights as error:
            limit = f"{(largest or 0) / 1e6:.0f}"
            raise UnfitWeights("zoo.own_too_large", file=path.name, limit=limit) from error
        except own.OtherNetwork as error:
            found = {part: own.first(getattr(error, part)) for part in _PARTS}
            raise UnfitWeights("zoo.own_other", file=path.name, name=name, **found) from error
        except weights.WeightsError as error:
            raise UnfitWeights("zoo.own_unreadable", file=path.name, reason=error) from error
        return Network(name, module.to(self.device), card, self.device)


_PARTS = ("missing", "unexpected", "shapes")


def _load(card: Card, progress: Progress) -> tuple[nn.Module, Card]:
    with _explained(card):
        if not isinstance(card, Pretrained):
            return weights.load(card.name)
        return load(card.entry, progress), card


@contextmanager
def _explained(card: Card) -> Iterator[None]:
    """Turn what is wrong with a network's files into a sentence."""
    try:
        yield
    except fetching.Unreachable as error:
        size = f"{card.facts['bytes'] / 1e6:.0f}"
        raise NotDownloaded(
            "zoo.unreachable", name=card.name, megabytes=size, reason=error
        ) from error
    except weights.WeightsError as error:
        key = "zoo.damaged" if card.foreign else "errors.weights_damaged"
        raise DamagedWeights(key, reason=error) from error


def choose_device(device: str) -> torch.device:
    """Return the device of a name; "auto" is CUDA where there is one and the CPU else."""
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"expected a device of auto, cpu, cuda, received {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("expected a CUDA device, found none: use --device cpu")
    wanted = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    return torch.device(wanted)
