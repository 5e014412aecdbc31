"""Weights that somebody trained themselves, for the networks that are registered here."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models import weights
from models.weights import HOSTS, Card, WeightsError
from models.zoo import fetching, loading
from models.zoo.libraries import published
from models.zoo.loading import Pretrained

SHOWN = 3
"""how many names of tensors a sentence lists"""
_WRAPPERS = ("state_dict", "model", "network")
"""under which training programs file a state dict, beside other things"""
_PARALLEL = "module."
"""what data-parallel training puts before every name"""


class UnreadableWeights(WeightsError):
    """A file holds no state dict, or more than tensors."""


class TooManyWeights(WeightsError):
    """A file is larger than is allowed."""


class OtherNetwork(WeightsError):
    """A file's tensors are not those of the network.

    Args:
        missing: names that the network has and the file lacks.
        unexpected: names that the file has and the network lacks.
        shapes: names that both have, in different shapes.
    """

    def __init__(self, missing: list[str], unexpected: list[str], shapes: list[str]) -> None:
        self.missing, self.unexpected, self.shapes = missing, unexpected, shapes
        super().__init__(
            f"missing: {first(missing)}; unexpected: {first(unexpected)}; "
            f"of another shape: {first(shapes)}"
        )


def first(names: list[str]) -> str:
    """Return how many names there are and the first of them, "0" for none."""
    shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    return f"{len(names)} ({shown})" if names else "0"


def read_state(path: Path, largest: int | None = None) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, or of a state dict that ``torch.save`` wrote.

    Nothing in the file is run: what holds more than tensors is refused.

    Args:
        path: the file.
        largest: how many bytes it may hold, unpacked; any number by default.

    Raises:
        TooManyWeights: if it holds more.
        UnreadableWeights: if it cannot be read, or holds anything but tensors.
    """
    if largest is not None and _unpacked(path) > largest:
        raise TooManyWeights(f"{path.name} holds more than {largest / 1e6:.0f} MB")
    try:
        read: Any = _safetensors(path)
        if read is None:
            read = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A file that was made up can bring the readers to raise anything.
        raise UnreadableWeights(str(error).split("\n")[0]) from error
    wrapped = next((read[key] for key in _WRAPPERS if _holds_tensors(read, key)), read)
    if not isinstance(wrapped, dict) or not _all_tensors(wrapped):
        raise UnreadableWeights("expected names and tensors, received something else")
    if all(name.startswith(_PARALLEL) for name in wrapped):
        return {name.removeprefix(_PARALLEL): tensor for name, tensor in wrapped.items()}
    return wrapped


def _unpacked(path: Path) -> int:
    """Return how many bytes a file comes to; what ``torch.save`` writes is an archive."""
    size = path.stat().st_size
    if not zipfile.is_zipfile(path):
        return size
    with zipfile.ZipFile(path) as archive:
        return max(size, sum(each.file_size for each in archive.infolist()))


def _safetensors(path: Path) -> dict[str, Tensor] | None:
    """Return a file's tensors, or None if it is of another format."""
    with path.open("rb") as file:
        # Eight bytes say how long the header is; it is JSON.
        start = file.read(9)
    return load_file(path) if start[8:] == b"{" else None


def _holds_tensors(read: Any, key: str) -> bool:
    return isinstance(read, dict) and isinstance(read.get(key), dict) and _all_tensors(read[key])


def _all_tensors(found: dict[Any, Any]) -> bool:
    return bool(found) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()
    )


def load_own(card: Card, path: Path, largest: int | None = None) -> tuple[nn.Module, Card]:
    """Return a registered network with somebody's own weights, in evaluation mode, and its card.

    A network that was trained to tell apart another number of classes is built for as many; these
    go by their numbers.

    Args:
        card: of the registered network.
        path: a file of tensors with the network's own names; see ``read_state``.
        largest: how many bytes it may hold.

    Raises:
        TooManyWeights: if it holds more.
        UnreadableWeights: if it cannot be read.
        OtherNetwork: if its tensors are not the network's.
        WeightsError: if a number in it is not finite.
    """
    tensors = read_state(path, largest)
    build = _builder(card)
    network = build(None)
    own = published(network).state_dict()
    classes = _classes_in(own, tensors, len(card.classes))
    if classes is not None:
        network = build(classes)
        own = published(network).state_dict()
    _compare(own, tensors)
    weights.load_strictly(published(network), tensors, path.name)
    return network.eval(), _own_card(card, path, classes)


def _builder(card: Card) -> Callable[[int | None], nn.Module]:
    """Return what builds a card's network for a number of classes, its own where that is None."""
    if isinstance(card, Pretrained):
        entry = card.entry
        return lambda classes: loading.build(entry, classes)

    def build(classes: int | None) -> nn.Module:
        host = HOSTS[card.task]
        if classes is not None:
            host = replace(host, classes=numbered(classes))
        return weights.build(card.task, card.mechanism, {card.task: host}, card.form)

    return build


def numbered(classes: int) -> tuple[str, ...]:
    """Return names for classes of which only the number is known."""
    return tuple(f"class {index}" for index in range(classes))


def _classes_in(own: dict[str, Tensor], given: dict[str, Tensor], classes: int) -> int | None:
    """Return for how many classes tensors are, if that is all they differ in; None if not."""
    found = set()
    for name in own.keys() & given.keys():
        mine, theirs = own[name].shape, given[name].shape
        if mine != theirs:
            if len(mine) != len(theirs) or mine[1:] != theirs[1:] or mine[0] != classes:
                return None
            found.add(theirs[0])
    return found.pop() if len(found) == 1 else None


def _compare(own: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    missing = [name for name in own if name not in given]
    unexpected = [name for name in given if name not in own]
    shapes = [name for name in own if name in given and own[name].shape != given[name].shape]
    if missing or unexpected or shapes:
        raise OtherNetwork(missing, unexpected, shapes)


def _own_card(card: Card, path: Path, classes: int | None) -> Card:
    """Return the card of a network with other weights: what was measured of the first is gone."""
    facts = card.facts | {"weights": path.name, "bytes": path.stat().st_size}
    facts.pop("plain", None)
    known: dict[str, Any] = {
        "facts": facts,
        "metric": {},
        "shares": None,
        "sha256": fetching.sha256(path),
    }
    if classes is not None:
        facts["classes"] = list(numbered(classes))
        if isinstance(card, Pretrained):
            known["named"] = numbered(classes)
    return replace(card, **known)
