"""A stranger's module as a network of the library: its card, and how pictures become its input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from models.preprocessing import Preprocessing
from models.weights import Card
from vizattn.foreign.preparing import Prepared, from_function
from vizattn.intake import Picture
from vizattn.networks import Network

Prepare = Callable[[Image.Image], Any]
"""makes what a network is given from a picture"""
_USUAL = Preprocessing((224, 224), "letterbox")
"""what is assumed where nobody says: ImageNet's size and colours, the whole picture, bars"""


@dataclass(frozen=True)
class StrangersCard(Card):
    """What is known of a module that somebody brought.

    Args:
        prepares: what must happen to pixels first.
        named: its classes, in the order of the scores.
    """

    prepares: Preprocessing
    named: tuple[str, ...]

    @property
    def foreign(self) -> bool:
        return True

    @property
    def preprocessing(self) -> Preprocessing:
        return self.prepares

    @property
    def classes(self) -> tuple[str, ...]:
        return self.named


@dataclass(frozen=True)
class Stranger(Network):
    """A module that somebody brought, as a network.

    Args:
        prepare: makes its input from a picture; None where its card says how.
    """

    prepare: Prepare | None

    def prepared(self, picture: Picture) -> Prepared:
        """Return what the network is given for a picture, and where the picture is in it."""
        if self.prepare is not None:
            return from_function(picture, self.prepare, self.device)
        framing = self.framing(picture.original_size)
        shown = framing.apply(picture.rgb, self.preprocessing.interpolation)
        pixels = torch.from_numpy(np.array(shown)).permute(2, 0, 1)[None].to(self.device)
        return Prepared(picture, framing, (self.preprocessing.normalise(pixels),))


def stranger(
    module: nn.Module,
    preprocess: Preprocessing | Prepare | None = None,
    classes: Sequence[str] | None = None,
    name: str | None = None,
) -> Stranger:
    """Return any module as a network of the library.

    Args:
        module: the module; it stays where it is, and nothing in it is changed.
        preprocess: what must happen to pixels: our own declaration, or a function from a PIL image
            to a tensor. By default what the module itself says in timm's ``pretrained_cfg``, else
            224 x 224 pixels with ImageNet's colours, the whole picture between bars.
        classes: names in the order of the scores; numbers by default.
        name: what it is called; its class's name by default.
    """
    called = name or type(module).__name__
    prepares, prepare = _USUAL, None
    if isinstance(preprocess, Preprocessing):
        prepares = preprocess
    elif preprocess is not None:
        prepare = preprocess
    else:
        prepares = _declared(module) or _USUAL
    facts = {"name": called, "title": called}
    card = StrangersCard(
        called, "classify", None, None, "", {}, facts, prepares, tuple(classes or ())
    )
    return Stranger(called, module, card, device_of(module), prepare)


def _declared(module: nn.Module) -> Preprocessing | None:
    """Return what timm's networks say of their input; None where a module says nothing."""
    said = getattr(module, "pretrained_cfg", None)
    if not isinstance(said, Mapping) or len(said.get("input_size", ())) != 3:
        return None
    usual = {"mean": _USUAL.mean, "std": _USUAL.std}
    colours = {key: tuple(said.get(key) or value) for key, value in usual.items()}
    if any(len(each) != 3 for each in colours.values()):
        return None
    way = "bicubic" if said.get("interpolation") == "bicubic" else "bilinear"
    rows, columns = said["input_size"][1:]
    return Preprocessing((rows, columns), "letterbox", colours["mean"], colours["std"], way)


def device_of(module: nn.Module) -> torch.device:
    """Return where a module's parameters or buffers are; the CPU where it has none."""
    held: Tensor | None = next(iter([*module.parameters(), *module.buffers()]), None)
    return held.device if held is not None else torch.device("cpu")
