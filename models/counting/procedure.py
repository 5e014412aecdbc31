"""What a procedure is: a function without parameters that a file of reference numbers replays."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Recording:
    """What a reference file holds of one call of a function.

    Args:
        inputs: by their names behind "input."; "" for ``input`` itself.
        arguments: what the original was called with, as far as the file says.
        wanted: the full names of the results, as ``output.loss``, and their shapes.
        recorded: the results themselves, for what is only defined up to a sign.
    """

    inputs: Mapping[str, Tensor]
    arguments: Mapping[str, Any]
    wanted: Mapping[str, tuple[int, ...]]
    recorded: Mapping[str, Tensor] = field(default_factory=dict)

    def input(self, name: str) -> Tensor:
        """Return one input; raises ValueError where the file has none of that name."""
        if name not in self.inputs:
            known = sorted(f"input.{known}".rstrip(".") for known in self.inputs)
            full = f"input.{name}".rstrip(".")
            raise ValueError(f"expected a tensor {full}, received {known}")
        return self.inputs[name]

    def number(self, name: str, default: float) -> float:
        """Return an argument that is a number; raises ValueError where it is something else."""
        value = self.arguments.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"expected a number for {name}, received {value!r}")
        return value


@dataclass(frozen=True)
class Procedure:
    """How reference files of one function map onto ours.

    Args:
        slug: what the files give as their mechanism.
        classes: a pattern that is found in what they give as the original class.
        replay: returns our results by the names of the file; of those that it knows.
        given: a pattern of the full names of outputs that no file holds enough to make again: the
            function takes them as inputs, by their full names, and they are not compared.
    """

    slug: str
    classes: str
    replay: Callable[[Recording], dict[str, Tensor]]
    given: str | None = None

    def takes(self, name: str) -> bool:
        """Return whether a tensor that a file calls a result is one that ours is given."""
        return self.given is not None and re.fullmatch(self.given, name) is not None

    def answers_to(self, slug: str, class_name: str) -> bool:
        """Return whether a file of this mechanism and class is one of this function."""
        return slug == self.slug and re.search(self.classes, class_name) is not None


@lru_cache(maxsize=1)
def procedures() -> tuple[Procedure, ...]:
    """Return every procedure, found by scanning ``models/counting`` and ``models/cam``."""
    import models.cam
    import models.counting

    modules = [
        importlib.import_module(f"{folder.__name__}.{info.name}")
        for folder in (models.counting, models.cam)
        for info in pkgutil.iter_modules(folder.__path__)
    ]
    return tuple(each for module in modules for each in getattr(module, "PROCEDURES", ()))
