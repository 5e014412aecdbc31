"""Replay a file of reference numbers, made by a paper's original code, through ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from itertools import count
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from models.affinity import PairwiseAffinity
from models.counting.procedure import Procedure, Recording, procedures
from models.mechanism import AttentionBlock, Derived, Reference, mechanisms

TOLERANCE = 1e-5
"""largest difference that passes, absolute plus relative"""


class ReferenceFileError(ValueError):
    """The file cannot be read, or nothing here answers to it."""


@dataclass(frozen=True)
class Comparison:
    """One tensor of the file beside ours."""

    name: str
    error: float
    """largest absolute difference"""
    passed: bool


@dataclass(frozen=True)
class Replay:
    """All comparisons of one file."""

    path: Path
    slug: str
    comparisons: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        """Return whether every tensor is within ``TOLERANCE``."""
        return all(comparison.passed for comparison in self.comparisons)


def replay(path: Path | str, dtype: torch.dtype = torch.float64) -> Replay:
    """Build our module, or find our function, run the file's inputs and compare all it holds.

    The default precision is double, so that what differs is the original's rounding and not also
    ours.

    Args:
        path: a safetensors file of the reference format.
        dtype: precision in which ours runs.

    Raises:
        ReferenceFileError: if the file cannot be read, its mechanism or class is unknown here, or
            its arguments, tensors and parameters do not fit ours.
    """
    path = Path(path)
    tensors, metadata = _read(path)
    slug = metadata.get("slug", path.stem)
    name, results_of, given = _find(slug, metadata)
    try:
        compared = _compare_all(results_of(tensors, dtype), tensors, given)
    except _UNFIT as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ReferenceFileError(f"{path.name} does not fit {name}: {reason}") from error
    return Replay(path, slug, compared)


Results = Callable[[dict[str, Tensor], torch.dtype], dict[str, Tensor]]
"""from a file's tensors and our precision, what ours makes of them by the file's names"""


_UNFIT = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What arguments and tensors that somebody else wrote can make a constructor or a module raise."""


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if path.is_dir():
        raise ReferenceFileError(f"{path} cannot be read: it is a folder")
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (OSError, SafetensorError, *_UNFIT) as error:
        reason = " ".join(str(error).split())
        raise ReferenceFileError(f"{path} cannot be read: {reason}") from error


def _find(slug: str, metadata: dict[str, str]) -> tuple[str, Results, Callable[[str], bool]]:
    """Return what answers to a file, and which of its results ours is given."""
    name = metadata.get("mechanism") or slug.split("__")[0]
    class_name = metadata.get("class", "")
    functions = [each for each in procedures() if each.slug == name]
    for procedure in functions:
        if procedure.answers_to(name, class_name):
            return name, partial(_call, procedure, metadata), procedure.takes
    mechanism = mechanisms().get(name)
    references = mechanism.references if mechanism else {}
    if class_name in references:
        module = partial(_replay_module, references[class_name], slug, metadata)
        return name, module, lambda _: False
    if mechanism or functions:
        expected = sorted([*references, *(each.classes for each in functions)])
        received = metadata.get("class")
        raise ReferenceFileError(f"{slug}: expected a class of {expected}, received {received!r}")
    known = sorted({*mechanisms(), *(each.slug for each in procedures())})
    raise ReferenceFileError(f"{slug}: expected a mechanism of {known}")


def _call(
    procedure: Procedure, metadata: dict[str, str], tensors: dict[str, Tensor], dtype: torch.dtype
) -> dict[str, Tensor]:
    inputs = {
        name.removeprefix("input").removeprefix("."): tensor.to(dtype)
        for name, tensor in tensors.items()
        if name.split(".")[0] == "input"
    }
    inputs |= {name: value.to(dtype) for name, value in tensors.items() if procedure.takes(name)}
    kinds = ("output", "attention", "intermediate")
    recorded = {
        name: tensor
        for name, tensor in tensors.items()
        if name.split(".")[0] in kinds and name not in inputs
    }
    wanted = {name: tuple(tensor.shape) for name, tensor in recorded.items()}
    with torch.inference_mode():
        return procedure.replay(Recording(inputs, _arguments(metadata), wanted, recorded))


def _replay_module(
    reference: Reference,
    slug: str,
    metadata: dict[str, str],
    tensors: dict[str, Tensor],
    dtype: torch.dtype,
) -> dict[str, Tensor]:
    sizes = _sizes(reference, tensors)
    network = _build(reference, slug, metadata, sizes).to(dtype).eval()
    _load(network, reference, tensors)
    return _run(network, reference, tensors, dtype)


def _arguments(metadata: dict[str, str]) -> dict[str, Any]:
    arguments = json.loads(metadata.get("kwargs", "{}"))
    if not isinstance(arguments, dict):
        raise ValueError(f"expected kwargs as a JSON object, received {arguments!r}")
    return arguments


def _sizes(reference: Reference, tensors: dict[str, Tensor]) -> dict[str, Any]:
    return {
        name: tensors[f"param.{parameter}"].shape[axis]
        for name, (parameter, axis) in reference.sizes.items()
    }


def _build(
    reference: Reference, slug: str, metadata: dict[str, str], sizes: dict[str, Any]
) -> nn.Module:
    variant = metadata.get("variant") or "__".join(slug.split("__")[1:])
    arguments = sizes | _arguments(metadata)
    positional = arguments.pop("args", [])
    if not isinstance(positional, list) or len(positional) > len(reference.positional):
        raise ValueError(
            f"expected args of at most {list(reference.positional)}, received {positional!r}"
        )
    arguments |= dict(zip(reference.positional, positional, strict=False))
    # Binding first gives a sentence about the arguments and not about our function.
    bound = signature(reference.build).bind(variant, **arguments)
    return reference.build(*bound.args, **bound.kwargs)


def _load(network: nn.Module, reference: Reference, tensors: dict[str, Tensor]) -> None:
    ours = network.state_dict()
    loaded = {}
    for name, tensor in tensors.items():
        if not name.startswith("param.") or _unused(reference, name):
            continue
        key = reference.our_name(name.removeprefix("param."))
        if key not in ours:
            raise ValueError(f"expected no parameter {name}")
        loaded[key] = _shaped(name, tensor, ours[key])
    # How many batches a norm has seen changes nothing in evaluation mode.
    counters = {key: value for key, value in ours.items() if key.endswith(".num_batches_tracked")}
    missing = sorted(ours.keys() - loaded.keys() - counters.keys())
    if missing:
        raise ValueError(f"no numbers for our parameters {missing}")
    network.load_state_dict(counters | loaded)


def _unused(reference: Reference, name: str) -> bool:
    inner = name.removeprefix("param.")
    return reference.unused is not None and re.search(reference.unused, inner) is not None


def _shaped(name: str, tensor: Tensor, like: Tensor) -> Tensor:
    # A linear layer and a 1 x 1 convolution hold the same numbers, but for axes of length 1.
    if [n for n in tensor.shape if n != 1] != [n for n in like.shape if n != 1]:
        raise ValueError(
            f"{name}: expected shape {tuple(like.shape)}, received {tuple(tensor.shape)}"
        )
    return tensor.reshape(like.shape).to(like.dtype)


def _run(
    network: nn.Module, reference: Reference, tensors: dict[str, Tensor], dtype: torch.dtype
) -> dict[str, Tensor]:
    inputs = [tensors[name].to(dtype) for name in sorted(tensors) if name.split(".")[0] == "input"]
    if not inputs:
        raise ValueError("expected a tensor named input")
    named: dict[str, str | Derived] = {f"attention.{n}": p for n, p in reference.attention.items()}
    named |= {f"intermediate.{name}": path for name, path in reference.intermediate.items()}
    held: dict[str, Any] = {}
    handles = [
        module.register_forward_hook(_keep(key, held))
        for key, module in _read_modules(network, named).items()
    ]
    try:
        with torch.inference_mode():
            result = network(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    seen = _seen(named, held)
    if isinstance(result, Tensor):
        return {"output": result} | seen
    names = reference.outputs or range(len(result))
    return {
        f"output.{name}".rstrip("."): value for name, value in zip(names, result, strict=True)
    } | seen


def _paths(place: str | Derived) -> Sequence[str]:
    return place.paths if isinstance(place, Derived) else (place,)


def _key(name: str, path: str) -> str:
    return f"{name.split('.')[0]} {path}"


def _read_modules(network: nn.Module, named: Mapping[str, str | Derived]) -> dict[str, nn.Module]:
    # A constructor's arguments may leave a part out: CBAM has no spatial gate with no_spatial.
    modules = dict(network.named_modules())
    found = {}
    for name, place in named.items():
        for path in _paths(place):
            module = modules.get(path.split("#")[0])
            if isinstance(module, AttentionBlock) and name.startswith("attention."):
                module = module.attention
            if module is not None:
                found[_key(name, path)] = module
    return found


def _seen(named: Mapping[str, str | Derived], held: Mapping[str, Any]) -> dict[str, Tensor]:
    seen = {}
    for name, place in named.items():
        keys = [_key(name, path) for path in _paths(place)]
        if all(key in held for key in keys):
            values = [held[key] for key in keys]
            seen[name] = place.make(*values) if isinstance(place, Derived) else _as_tensor(*values)
    return seen


def _keep(key: str, held: dict[str, Any]) -> Any:
    """Keep what a module returns, when it fires for the first time or as "#n" in the key says."""
    before = int(key.partition("#")[2] or 0)
    firings = count()

    def hook(_module: nn.Module, _arguments: Any, returned: Any) -> None:
        if next(firings) == before:
            held[key] = returned

    return hook


def _as_tensor(attention: Any) -> Tensor:
    if isinstance(attention, PairwiseAffinity):
        dense = attention.dense()
        return dense.squeeze(1) if dense.shape[1] == 1 else dense
    return attention


def _compare_all(
    ours: dict[str, Tensor], tensors: dict[str, Tensor], given: Callable[[str], bool]
) -> tuple[Comparison, ...]:
    results = [name for name in tensors if name.split(".")[0] in ("output", "attention")]
    if not any(name.startswith("output") for name in results):
        raise ValueError("expected a tensor named output")
    expected = sorted(name for name in results if not given(name))
    expected += sorted(name for name in tensors if name in ours and name not in expected)
    if not expected:
        raise ValueError("expected a tensor that can be computed from the others")
    unknown = [name for name in expected if name not in ours]
    if unknown:
        raise ValueError(f"expected tensors of {sorted(ours)}, received {unknown}")
    return tuple(_compare(name, ours[name], tensors[name]) for name in expected)


def _compare(name: str, ours: Tensor, theirs: Tensor) -> Comparison:
    if ours.shape != theirs.shape:
        raise ValueError(
            f"{name}: expected shape {tuple(ours.shape)}, received {tuple(theirs.shape)}"
        )
    difference = (ours.double() - theirs.double()).abs()
    # A distance may be infinite, and infinity less infinity is no number.
    difference[ours == theirs] = 0
    allowed = TOLERANCE + TOLERANCE * theirs.double().abs()
    error = difference.max().item() if difference.numel() else 0.0
    # An infinite number would allow any difference.
    within = torch.isfinite(difference) & (difference <= allowed)
    return Comparison(name, error, bool(within.all()))
