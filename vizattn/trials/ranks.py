"""Rank correlation: whether two maps put the same places first, whatever their numbers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def rank_correlation(one: Float[np.ndarray, "*axes"], other: Float[np.ndarray, "*axes"]) -> float:
    """Return Spearman's rank correlation, -1 to 1, with mean ranks for ties; 0 for an even map.

    Spearman, The Proof and Measurement of Association between Two Things, 1904.

    Raises:
        ValueError: if the maps have other shapes.
    """
    if one.shape != other.shape:
        raise ValueError(f"expected maps of one shape, received {one.shape} and {other.shape}")
    ranks = [_ranks(each.ravel()) for each in (one, other)]
    first, second = (each - each.mean() for each in ranks)
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / size) if size > 0 else 0.0


def _ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]
