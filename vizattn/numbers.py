"""Numbers as a person reads them, the same everywhere."""

from __future__ import annotations

import math

_SMALLEST_PLAIN = 1e-4
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SHORTEST = 2
"""significant digits before a power of ten: it is about the size of a number then"""


def number(value: float, digits: int = 3) -> str:
    """Return a number with some significant digits; a very small one with a power of ten."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if abs(value) < _SMALLEST_PLAIN:
        mantissa, exponent = f"{value:.{min(digits, _SHORTEST) - 1}e}".split("e")
        return _minus(f"{mantissa} × 10") + str(int(exponent)).translate(_SUPERSCRIPTS)
    # Rounding decides whether it is still below ten to the number of digits: 999.7 is 1,000.
    rounded = float(f"{value:.{digits - 1}e}")
    if abs(rounded) >= 10**digits:
        return _minus(f"{round(value):,}")
    return _minus(f"{value:#.{digits}g}".rstrip("."))


def percent(share: float) -> str:
    """Return a share of one as a percentage."""
    value = 100 * share
    if not math.isfinite(value):
        return "–"
    if 0 < value < 0.1:
        return "<0.1%"
    # Half of a percent is rounded up, as the page does it.
    return f"{math.floor(value + 0.5)}%" if value >= 9.95 else f"{value:.1f}%"


def _minus(number: str) -> str:
    return number.replace("-", "−")
