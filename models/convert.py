"""Convert the CSCA authors' own checkpoint: ``python -m models.convert CHECKPOINT OUT``.

A checkpoint of PyTorch is a pickle, which can run any code when it is opened. This opens it with
``weights_only``, where only numbers come through, and writes them as safetensors, which can hold
nothing else, under our names. ``load_converted`` makes a network of the result.

The authors trained on pictures of 0..1, less the means and over the standard deviations of
``AUTHORS_PREPROCESSING``, the thermal ones coloured by their camera; the written file says so too.
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
import re
import struct
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.hosts.vgg import WIDTHS
from models.mechanism import Reference, mechanisms
from models.mechanisms.csca import CSCANetwork
from models.weights import WeightsError, load_strictly

AUTHORS_PREPROCESSING = {
    "rgb": {"mean": (0.407, 0.389, 0.396), "std": (0.241, 0.246, 0.242)},
    "thermal": {"mean": (0.492, 0.168, 0.430), "std": (0.317, 0.174, 0.191)},
}
"""of each channel, red first, for a network trained on RGBT-CC"""
NESTED = ("model_state_dict", "state_dict", "model")
"""names under which training programs keep the parameters beside other things"""
PARALLEL = "module."
"""what training on several GPUs puts before every name"""
LARGEST_RATIO = 4
"""beyond this a file would only claim to hold so much"""
_AUTHORS_CLASS = "FusionModel"
_FIRST_LAYERS = tuple(f"block{stage + 1}.rgb_conv.0.weight" for stage in range(5))
_CODE = re.compile(r"unsupported global:?\s+(?:global\s+)?([\w.]+)", re.IGNORECASE)
"""how PyTorch says which function or class a pickle wanted to call"""
_UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""what bytes that are no checkpoint can make PyTorch raise"""


class ConversionError(ValueError):
    """The file is not a checkpoint of the authors' network, or cannot be read or written."""


@dataclass(frozen=True)
class Converted:
    """A network with the authors' parameters, and what was found on the way."""

    network: CSCANetwork
    ratio: float
    """share of VGG-19's widths"""
    place: str | None
    """the name under which the parameters were, None where they were the whole file"""
    unused: int
    """tensors that the authors' class owns and never uses, and that were left out"""

    @property
    def summary(self) -> str:
        """Return one sentence on what was found."""
        tensors = self.network.state_dict().values()
        numbers = sum(tensor.numel() for tensor in tensors)
        widths = ", ".join(map(str, _widths(self.ratio)))
        where = f" under {self.place!r}" if self.place else ""
        return (
            f"CSCA's network at {self.ratio:g} of VGG-19's widths ({widths}): {len(tensors)} "
            f"tensors with {numbers:,} numbers{where}; {self.unused} tensors that it never uses "
            "were left out"
        )


def convert(checkpoint: Path | str) -> Converted:
    """Return the network of a checkpoint that ``torch.save`` wrote for the authors' class.

    Raises:
        ConversionError: if the file cannot be read, holds anything but numbers, or its tensors
            are not exactly those of the authors' network at some width.
    """
    path = Path(checkpoint)
    place, theirs = _parameters(_opened(path), path)
    ratio = _ratio_of(theirs, path)
    reference = mechanisms()["csca"].references[_AUTHORS_CLASS]
    used = {name: tensor for name, tensor in theirs.items() if not _is_unused(reference, name)}
    network = CSCANetwork(ratio)
    counters = {k: v for k, v in network.state_dict().items() if k.endswith(".num_batches_tracked")}
    # Old versions of PyTorch did not count batches, and the count changes no answer.
    ours = counters | {reference.our_name(name): tensor for name, tensor in used.items()}
    _load(network, ours, path)
    return Converted(network.eval(), ratio, place, len(theirs) - len(used))


def save_converted(converted: Converted, path: Path | str) -> None:
    """Write the network as float32, with its width and ``AUTHORS_PREPROCESSING``.

    Raises:
        ConversionError: if the file cannot be written.
    """
    tensors = {name: t.contiguous() for name, t in converted.network.state_dict().items()}
    facts = {
        "format": "pt",
        "ratio": repr(converted.ratio),
        "preprocessing": json.dumps(AUTHORS_PREPROCESSING),
    }
    try:
        save_file(tensors, path, metadata=facts)
    except (OSError, SafetensorError) as error:
        raise ConversionError(f"{path} cannot be written: {_in_one_line(error)}") from error


def load_converted(path: Path | str) -> CSCANetwork:
    """Return the network that ``save_converted`` wrote, in evaluation mode.

    Raises:
        ConversionError: if the file cannot be read or holds another network.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            ratio = float((file.metadata() or {}).get("ratio", "nan"))
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, *_UNREADABLE) as error:
        raise ConversionError(f"{path} cannot be read: {_in_one_line(error)}") from error
    if not 1 / WIDTHS[0] <= ratio <= LARGEST_RATIO:
        raise ConversionError(f"{path} was not written by models.convert: it names no width")
    network = CSCANetwork(ratio)
    _load(network, tensors, path)
    return network.eval()


def _opened(path: Path) -> Any:
    try:
        # PyTorch warns of odd pickles and then refuses them; the refusal is enough.
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ConversionError(f"{path} cannot be read: {error.strerror or error}") from error
    except (pickle.UnpicklingError, *_UNREADABLE) as error:
        code = _CODE.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if code:
            raise ConversionError(
                f"{path} was not opened: beside numbers it holds code ({code[1]})"
            ) from error
        raise ConversionError(f"{path} is not a checkpoint that torch.save wrote") from error


def _parameters(held: Any, path: Path) -> tuple[str | None, dict[str, Tensor]]:
    """Return where the parameters were, and the parameters under the authors' names."""
    nested = {name: held.get(name) for name in NESTED} if isinstance(held, Mapping) else {}
    for place, found in ((None, held), *nested.items()):
        if _is_state(found):
            names = list(found)
            cut = len(PARALLEL) if all(name.startswith(PARALLEL) for name in names) else 0
            return place, {name[cut:]: found[name] for name in names}
    raise ConversionError(
        f"{path} holds no named tensors, neither alone nor under one of {list(NESTED)}"
    )


def _is_state(found: Any) -> bool:
    return (
        isinstance(found, Mapping)
        and len(found) > 0
        and all(isinstance(name, str) and _is_plain(value) for name, value in found.items())
    )


def _is_plain(value: Any) -> bool:
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and not value.is_quantized
        and not value.is_complex()
    )


def _ratio_of(theirs: Mapping[str, Tensor], path: Path) -> float:
    """Return the share of VGG-19's widths: exact, or the shortest decimal that gives all five."""
    first = [theirs[name] for name in _FIRST_LAYERS if name in theirs]
    if len(first) < len(_FIRST_LAYERS) or any(tensor.ndim != 4 for tensor in first):
        raise ConversionError(
            f"{path} is not a checkpoint of CSCA's network: expected tensors like "
            f"{_FIRST_LAYERS[0]}, received {sorted(theirs)[:3]}"
        )
    widths = [len(tensor) for tensor in first]
    shares = [width / full for width, full in zip(widths, WIDTHS, strict=True)]
    least = max(shares)
    rounded = [math.ceil(round(least * 10**digits, 6)) / 10**digits for digits in range(7)]
    for ratio in [*(shares[:1] if len(set(shares)) == 1 else []), *rounded]:
        if 0 < ratio <= LARGEST_RATIO and widths == _widths(ratio):
            return ratio
    raise ConversionError(
        f"{path} is not a checkpoint of CSCA's network: no share of VGG-19's widths "
        f"{list(WIDTHS)} gives {widths}"
    )


def _widths(ratio: float) -> list[int]:
    return [int(width * ratio) for width in WIDTHS]


def _is_unused(reference: Reference, name: str) -> bool:
    return reference.unused is not None and re.search(reference.unused, name) is not None


def _load(network: CSCANetwork, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        load_strictly(network, tensors, path.name)
    except WeightsError as error:
        raise ConversionError(f"{path} is not CSCA's network: {error}") from error


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0, or 2 with one sentence where something does not fit."""
    parser = argparse.ArgumentParser(
        prog="python -m models.convert",
        description="Convert the CSCA authors' checkpoint into a safetensors file of our names.",
    )
    parser.add_argument("checkpoint", type=Path, help="a file that torch.save wrote")
    parser.add_argument("out", type=Path, metavar="OUT.safetensors", help="the file to write")
    options = parser.parse_args(arguments)
    try:
        converted = convert(options.checkpoint)
        if options.out.exists() and options.out.samefile(options.checkpoint):
            raise ConversionError(f"{options.out} is the checkpoint itself: give another name")
        save_converted(converted, options.out)
    except (ConversionError, OSError) as error:
        print(f"convert: {error}", file=sys.stderr)
        return 2
    print(f"{converted.summary}. Written to {options.out}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
