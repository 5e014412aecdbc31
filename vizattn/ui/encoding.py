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
_MOST_SHORT = 2**16 - 1


def spoken(say: Callable[[str], str]) -> Words:
    """Return a text in every language."""
    return {language: say(language) for language in LANGUAGES}


def floats(values: np.ndarray) -> str:
    """Return an array as base64 of little-endian float32."""
    return encoded(np.ascontiguousarray(values, dtype="<f4"))


def integers(values: np.ndarray) -> str:
    """Return an array as base64 of little-endian int32."""
    return encoded(np.ascontiguousarray(values, dtype="<i4"))


def places(keys: np.ndarray) -> Json:
    """Return numbers of keys, -1 for none: two bytes each where that is enough, else four."""
    if keys.size and int(keys.max()) >= _MOST_SHORT:
        return {"bytes": 4, "values": integers(keys)}
    # None is what two bytes make of -1: the largest number that they can say.
    return {"bytes": 2, "values": encoded(keys.astype("<i2", casting="unsafe"))}


def halves(lines: np.ndarray) -> Json:
    """Return lines of numbers as float16 times a factor of each line.

    Each is off by less than a thousandth of itself, or by 3e-8 of the largest of its line. Lines of
    numbers from 0 keep their sum; of others the largest is exact.

    Args:
        lines: of any shape, the last axis along a line.
    """
    lines = lines.astype(np.float64)
    largest = np.abs(lines).max(axis=-1, keepdims=True)
    short = (lines / np.where(largest > 0, largest, 1)).astype("<f2")
    sums = short.sum(axis=-1, keepdims=True, dtype=np.float64)
    same_sign = (lines.min(axis=-1, keepdims=True) >= 0) & (sums > 0)
    kept = lines.sum(axis=-1, keepdims=True) / np.where(same_sign, sums, 1)
    return {"halves": encoded(short), "factors": floats(np.where(same_sign, kept, largest))}


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
