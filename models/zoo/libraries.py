"""The two libraries that build the zoo's networks, each behind the same four questions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from torch import Tensor, nn

from models.zoo.table import FEATURES, SEGMENT, TIMM, TORCHVISION, Entry, Line

Facts = dict[str, Any]
"""of an entry, what its library says: fields of an ``Entry`` by name"""


class Scores(nn.Module):
    """A network whose answer is a mapping, as one that returns the scores alone.

    Takes (batch, 3, row, column) and returns (batch, class, row, column).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        scores: Tensor = self.network(pictures)["out"]
        return scores


def published(network: nn.Module) -> nn.Module:
    """Return the part of a network whose tensors have the names of the published files."""
    return network.network if isinstance(network, Scores) else network


@dataclass(frozen=True)
class Library:
    """How to ask a library.

    Args:
        build: from an entry, a number of classes (None: its own) and the sides of its input (None:
            its own), the network with random weights.
        load: puts a file's tensors into a network of an entry, strictly.
        classes: the names of an entry's classes in the order of its scores.
        facts: what the library says of an entry.
    """

    build: Callable[[Line | Entry, int | None, tuple[int, int] | None], nn.Module]
    load: Callable[[Entry, dict[str, Tensor]], nn.Module]
    classes: Callable[[Line | Entry], tuple[str, ...]]
    facts: Callable[[Line | Entry], Facts]


def _timm_build(
    entry: Line | Entry, classes: int | None = None, size: tuple[int, int] | None = None
) -> nn.Module:
    import timm

    options: Facts = {} if classes is None else {"num_classes": classes}
    if size is not None:
        options["img_size"] = size
    return timm.create_model(f"{entry.architecture}.{entry.tag}", pretrained=False, **options)


def _timm_load(entry: Entry, tensors: dict[str, Tensor]) -> nn.Module:
    import timm

    # The library renames and drops tensors of older files as each architecture needs it.
    network: Any = timm.create_model(
        f"{entry.architecture}.{entry.tag}",
        pretrained=True,
        pretrained_cfg_overlay={"state_dict": tensors},
    )
    # It would keep the tensors a second time.
    network.pretrained_cfg = {}
    return cast(nn.Module, network)


def _timm_config(entry: Line | Entry) -> Any:
    import timm

    return timm.get_pretrained_cfg(f"{entry.architecture}.{entry.tag}")


def _timm_classes(entry: Line | Entry) -> tuple[str, ...]:
    if entry.task == FEATURES:
        return ()
    from timm.data.imagenet_info import ImageNetInfo

    known = ImageNetInfo()
    names = [known.index_to_description(index) for index in range(known.num_classes())]
    short = [name.split(",")[0] for name in names]
    # Two of ImageNet's classes are a crane: only the numbers of their meanings tell them apart.
    return tuple(
        own if short.count(own) == 1 else f"{own} ({known.index_to_label_name(index)})"
        for index, own in enumerate(short)
    )


def _timm_facts(entry: Line | Entry) -> Facts:
    config = _timm_config(entry)
    size = list(config.input_size[1:])
    return {
        "origin": config.hf_hub_id or config.url,
        "licence": config.license,
        "size": size,
        "resized": math.floor(min(size) / config.crop_pct),
        "mean": list(config.mean),
        "std": list(config.std),
        "interpolation": config.interpolation,
    }


def _torchvision_weights(entry: Line | Entry) -> Any:
    from torchvision.models import get_model_weights

    return get_model_weights(entry.architecture)[entry.tag]


def _torchvision_build(
    entry: Line | Entry, classes: int | None = None, size: tuple[int, int] | None = None
) -> nn.Module:
    from torchvision.models import get_model

    known = len(_torchvision_weights(entry).meta["categories"])
    options: Facts = {"num_classes": known if classes is None else classes}
    if size is not None:
        options[_SIZES[entry.architecture]] = _SIDES[entry.architecture](size)
    if entry.task != SEGMENT:
        return get_model(entry.architecture, weights=None, **options)
    options["weights_backbone"] = None
    if entry.architecture.startswith("deeplab"):
        # The published files hold the second, auxiliary answer too.
        options["aux_loss"] = True
    return Scores(get_model(entry.architecture, weights=None, **options))


_SIZES = {"vit_b_16": "image_size", "maxvit_t": "input_size"}
_SIDES: dict[str, Callable[[tuple[int, int]], Any]] = {
    "vit_b_16": lambda size: size[0],
    "maxvit_t": lambda size: size,
}


def _torchvision_load(entry: Entry, tensors: dict[str, Tensor]) -> nn.Module:
    network = _torchvision_build(entry)
    published(network).load_state_dict(tensors)
    return network


def _torchvision_classes(entry: Line | Entry) -> tuple[str, ...]:
    return tuple(_torchvision_weights(entry).meta["categories"])


def _torchvision_facts(entry: Line | Entry) -> Facts:
    weights = _torchvision_weights(entry)
    wanted = weights.transforms()
    resized = wanted.resize_size[0]
    # What segments cuts nothing out.
    size = wanted.crop_size[0] if hasattr(wanted, "crop_size") else resized
    return {
        "origin": weights.url,
        # Given in units of 1024 x 1024 bytes, rounded to a thousandth.
        "bytes": round(weights.meta["_file_size"] * 1024**2),
        "licence": weights.meta.get("license", "bsd-3-clause"),
        "size": [size, size],
        "resized": resized,
        "mean": list(wanted.mean),
        "std": list(wanted.std),
        "interpolation": wanted.interpolation.value,
    }


LIBRARIES: dict[str, Library] = {
    TIMM: Library(_timm_build, _timm_load, cache(_timm_classes), _timm_facts),
    TORCHVISION: Library(
        _torchvision_build, _torchvision_load, cache(_torchvision_classes), _torchvision_facts
    ),
}
"""by ``Entry.source``; each is imported when first asked, since both are slow to import"""
