"""Numbers and words as the browser has them: base64, grids, a text in every language."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np

from vizattn.geometry import Grid
from vizattn.texts import LANGUAGES

Json = dict[str, Any]
Words = dict[str, str]
"""a text in every language: the browser switches without asking again"""


def spoken(say: Callable[[str], str]) -> Words:
    """Return a text in every language."""
    return {language: say(language) for language in LANGUAGES}


def floats(values: np.ndarray) -> str:
    """Return an array as base64 of little-endian float32."""
    return encoded(np.ascontiguousarray(values, dtype="<f4"))


def integers(values: np.ndarray) -> str:
    """Return an array as base64 of little-endian int32."""
    return encoded(np.ascontiguousarray(values, dtype="<i4"))


def encoded(values: np.ndarray) -> str:
    """Return an array's bytes as base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def grid_numbers(grid: Grid) -> Json:
    """Return a grid as the browser has it."""
    return {
        "rows": grid.rows,
        "columns": grid.columns,
        "cell": list(grid.cell),
        "origin": list(grid.origin),
    }
