"""Numbers of a thermal sensor to finite values: their unit, their reduction, their gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from vizattn.intake.remarks import Note, PictureError

MOST_MISSING = 0.2
"""share of pixels without a finite value beyond which a picture is refused"""
LOW, HIGH = 1, 99
"""percentiles that tell a picture's range: some pixels are broken"""
_ZERO_CELSIUS = 273.15
_LARGEST = 1e30
"""what is beyond is no measurement, and would not stay finite when values are added up"""
_SCARCE = 1e-3
"""share of a reduced pixel that must have a value"""
Values = Float[np.ndarray, "row column"]


@dataclass(frozen=True)
class _Scale:
    """Numbers in a range that only one scale of temperature gives to a scene on earth.

    Args:
        low: that the 1st percentile reaches.
        high: that the 99th percentile does not exceed.
        step: kelvin of a difference of 1.
        unit: of the values as they are kept.
        note: key of what to say about it.
        whole: whether whole numbers are meant with it too.
    """

    low: float
    high: float
    step: float
    unit: str
    note: str
    whole: bool = False


_SCALES = (
    _Scale(-60, 150, 1, "celsius", "thermal.note_celsius"),
    _Scale(200, 430, 1, "kelvin", "thermal.note_kelvin"),
    _Scale(2231.5, 3931.5, 0.1, "celsius", "thermal.note_steps", whole=True),  # -50 to 120 °C
    _Scale(22315, 47315, 0.01, "celsius", "thermal.note_steps", whole=True),  # -50 to 200 °C
)


def finite_or_nan(values: np.ndarray) -> Values:
    """Return any real numbers as float32, NaN where they are not finite or absurdly large."""
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = values.astype(np.float32)
        numbers[~(np.abs(numbers) < _LARGEST)] = np.nan
    return numbers


def of_numbers(
    values: Values, whole: bool, size: tuple[int, int]
) -> tuple[Values, str, list[Note]]:
    """Return numbers at a size in the unit that their range tells, the unit, and notes."""
    check_missing(values)
    values = _reduced(values, size)
    low, high = percentiles(values[np.isfinite(values)], LOW, HIGH)
    least, most = float(np.nanmin(values)), float(np.nanmax(values))
    if not whole and least >= 0 and most <= 1:
        return values, "number", []
    for scale in _SCALES:
        if (scale.whole or not whole) and scale.low <= low and high <= scale.high:
            return _in_unit(values, scale)
    return values, "grey16" if whole and least >= 0 and most <= 65535 else "number", []


def _in_unit(values: Values, scale: _Scale) -> tuple[Values, str, list[Note]]:
    """Return temperatures in a scale's unit, its name, and a note."""
    if scale.step != 1:
        values = (values.astype(np.float64) * scale.step - _ZERO_CELSIUS).astype(np.float32)
    least, most = float(np.nanmin(values)), float(np.nanmax(values))
    said = {"low": f"{least:.1f}", "high": f"{most:.1f}", "step": f"{scale.step:g}"}
    return values, scale.unit, [Note(scale.note, said)]


def _reduced(values: Values, size: tuple[int, int]) -> Values:
    """Return the means of values at a size, of those that there are."""
    if values.shape == (size[1], size[0]):
        return values
    there = np.isfinite(values)
    sums = _resized(np.where(there, values, 0), size)
    if there.all():
        return sums
    weights = _resized(there.astype(np.float32), size)
    few = weights < _SCARCE
    return np.where(few, np.nan, sums / np.where(few, 1, weights)).astype(np.float32)


def _resized(values: Values, size: tuple[int, int]) -> Values:
    image = Image.fromarray(values)
    return np.array(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))


def check_missing(values: Values) -> None:
    """Refuse values of which too many are NaN to be filled in."""
    share = float(np.isnan(values).mean())
    if share > MOST_MISSING:
        limit = round(100 * MOST_MISSING)
        raise PictureError("thermal.missing", percent=f"{100 * share:.3g}", limit=limit)


def filled(values: Values) -> tuple[Values, list[Note]]:
    """Return values without NaN, which take the nearest value of their row or column."""
    missing = np.isnan(values)
    if not missing.any():
        return values, []
    note = Note("thermal.note_filled", {"percent": f"{100 * missing.mean():.2g}"})
    # Where a whole row and a whole column cross, the values come with the second round at last:
    # the first fills the row from the columns that have values.
    while missing.any():
        best = np.full(values.shape, np.iinfo(np.int32).max, dtype=np.int32)
        filled = values.copy()
        for axis in (0, 1):
            for backwards in (False, True):
                _fill_along(values, missing, axis, backwards, filled, best)
        values, missing = filled, np.isnan(filled)
    return values, [note]


def _fill_along(
    values: Values,
    missing: Bool[np.ndarray, "row column"],
    axis: int,
    backwards: bool,
    filled: Values,
    best: np.ndarray,
) -> None:
    """Put the last value before each missing one where it is nearer than what was found so far."""
    turn = slice(None, None, -1 if backwards else 1)
    at = (turn, slice(None)) if axis == 0 else (slice(None), turn)
    line = np.arange(values.shape[axis], dtype=np.int32)
    line = line[:, None] if axis == 0 else line[None, :]
    last = np.maximum.accumulate(np.where(missing[at], np.int32(-1), line), axis=axis)
    apart = np.where(last < 0, best[at], line - last)
    nearer = missing[at] & (apart < best[at])
    found = np.take_along_axis(values[at], np.maximum(last, 0), axis)
    filled[at][nearer] = found[nearer]
    best[at][nearer] = apart[nearer]


def percentiles(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Return two percentiles of finite values."""
    # Every n-th of many values says the same and takes less time.
    some = values.ravel()[:: 1 + values.size // 4_000_000]
    first, second = np.percentile(some, [low, high])
    return float(first), float(second)
