"""What readers of pictures are tried with: spoilt files, and arrays of anything."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

ANY_ARRAY = arrays.arrays(
    st.one_of(
        arrays.boolean_dtypes(),
        arrays.unsigned_integer_dtypes(),
        arrays.integer_dtypes(),
        arrays.floating_dtypes(),
        arrays.complex_number_dtypes(),
    ),
    arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=12),
)


def fuzz(examples: int) -> settings:
    """Return settings with which examples are the same in every run.

    A red light then means that the code changed, not the dice.
    """
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def flipped(content: bytes, data: st.DataObject) -> bytes:
    """Return a file of which a few bytes are others."""
    spoilt = bytearray(content)
    flips = st.tuples(st.integers(0, len(spoilt) - 1), st.integers(0, 255))
    for at, value in data.draw(st.lists(flips, min_size=1, max_size=6)):
        spoilt[at] = value
    return bytes(spoilt)


def cut(content: bytes, times: int) -> Iterator[bytes]:
    """Yield the beginnings of a file, about so many."""
    for length in range(0, len(content), max(1, len(content) // times)):
        yield content[:length]
