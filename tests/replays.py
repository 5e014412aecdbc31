"""What every test of ``verify`` asks of reference files, the bundled and those made by numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from models.reference import ReferenceFileError, replay
from tests.originals import Original

REFERENCE = Path(__file__).resolve().parent / "reference"
BUNDLED = sorted(REFERENCE.glob("*.safetensors"))


def content(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return a file's tensors by name, and what it says of itself."""
    with safe_open(path, framework="np") as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})


def results(path: Path) -> set[str]:
    """Return the names of what the original came to."""
    kinds = ("output", "attention.", "intermediate.")
    return {name for name in content(path)[0] if name.startswith(kinds)}


def check_all_compared(path: Path) -> None:
    """Fail unless a file passes, and everything in it is compared."""
    replayed = replay(path)
    assert replayed.passed, replayed
    assert {each.name for each in replayed.comparisons} == results(path)


def check_refused(file: Original, folder: Path) -> None:
    """Fail unless a file is refused with what was expected of it."""
    with pytest.raises(ReferenceFileError, match="expected"):
        replay(file.write(folder))
