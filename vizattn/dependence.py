"""How much rows depend on who asks: the dispute of GCNet and the non-local family, measured.

Cao et al. (GCNet, ICCV Workshops 2019, table 1) found that non-local blocks listen to the same
places whoever asks, by the mean cosine distance between rows. Yin et al. (DNL, ECCV 2020, eq. 4)
split the logits q_i . k_j, less what is the same for a whole row and so lost in its softmax, into

    (q_i - mean q) . (k_j - mean k)  +  mean q . (k_j - mean k),

a pairwise part, which asks back, and a unary part, which says how salient a place is to everybody.
Over all pairs the two are uncorrelated, so that their variances add up to that of the logits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from models.affinity import Factors, Normaliser
from vizattn.analysis import Analysis
from vizattn.attention import PlaceAffinity

_AT_ONCE = 256


@dataclass(frozen=True)
class Dependence:
    """How much the rows of one attention depend on who asks.

    Args:
        site: its dotted path.
        distances: of each head, the mean of 1 - cos over all pairs of different queries: 0 where
            all listen to the same, 1 where rows have nothing in common.
        pairwise: of each head, the pairwise part's share of the logits' variance, 0..1; None
            where rows are no softmax of products.
        reach: mean share of the keys that a row gives any weight, 0..1. Rows of windows, crosses
            or sampled points reach few, and then differ by where they lie alone.
    """

    site: str
    distances: Float[np.ndarray, " head"]
    pairwise: Float[np.ndarray, " head"] | None
    reach: float

    @property
    def distance(self) -> float:
        """Return the mean distance over heads."""
        return float(self.distances.mean())

    @property
    def pairwise_share(self) -> float | None:
        """Return the pairwise part's mean share over heads."""
        return None if self.pairwise is None else float(self.pairwise.mean())


def dependences(analysis: Analysis) -> tuple[Dependence, ...]:
    """Return how much rows depend on who asks, for every attention that has rows over places."""
    return tuple(dependence(each) for each in analysis.sites if isinstance(each, PlaceAffinity))


def dependence(captured: PlaceAffinity) -> Dependence:
    """Return how much the rows of one attention depend on who asks; memory O(keys)."""
    distances, reach = _distances(captured)
    return Dependence(captured.site, distances, _pairwise(captured), reach)


def _distances(captured: PlaceAffinity) -> tuple[Float[np.ndarray, " head"], float]:
    """Return the mean of 1 - cos over pairs, and the share of weights that are not 0.

    The sum of all unit rows has every pair in its square: |sum_i u_i|^2 is the sum
    of u_i . u_j over all i and j, of which those with i = j are 1 each.
    """
    rows, first = captured.rows, len(captured.extra)
    total = np.zeros((rows.heads, rows.keys))
    own = np.zeros(rows.heads)
    heard = 0
    for start in range(first, rows.queries, _AT_ONCE):
        some = rows.some(range(start, min(start + _AT_ONCE, rows.queries))).astype(np.float64)
        heard += int(np.count_nonzero(some))
        lengths = np.linalg.norm(some, axis=-1, keepdims=True)
        units = np.divide(some, lengths, out=np.zeros_like(some), where=lengths > 0)
        total += units.sum(axis=1)
        own += (units**2).sum(axis=(1, 2))
    count = rows.queries - first
    reach = heard / max(1, count * rows.heads * rows.keys)
    if count < 2:
        return np.zeros(rows.heads), reach
    cosines = ((total**2).sum(axis=-1) - own) / (count * (count - 1))
    # Rounding may leave a little less than nothing.
    return np.maximum(0.0, 1 - cosines), reach


def _pairwise(captured: PlaceAffinity) -> Float[np.ndarray, " head"] | None:
    try:
        factors = captured.rows.factors()
    except ValueError:
        # Parts that are normalised in different ways have no logits in common.
        return None
    if factors is None or factors.normaliser is not Normaliser.SOFTMAX:
        return None
    pairwise, unary = variances(factors)
    whole = pairwise + unary
    return np.divide(pairwise, whole, out=np.zeros_like(whole), where=whole > 0)


def variances(
    factors: Factors,
) -> tuple[Float[np.ndarray, " head"], Float[np.ndarray, " head"]]:
    """Return the variances of the pairwise and the unary part of one picture's logits.

    In O(N d^2): the pairwise variance is the trace of the product of both covariances.
    """
    with torch.inference_mode():
        query, key = (side[0].double() for side in (factors.query, factors.key))
        mean = query.mean(dim=1, keepdim=True)
        queries, keys = query - mean, key - key.mean(dim=1, keepdim=True)
        of_queries, of_keys = (
            side.transpose(1, 2) @ side / side.shape[1] for side in (queries, keys)
        )
        pairwise = (of_queries * of_keys).sum(dim=(1, 2))
        unary = (mean @ keys.transpose(1, 2)).square().mean(dim=(1, 2))
        squared = factors.scale**2
        return (pairwise * squared).cpu().numpy(), (unary * squared).cpu().numpy()
