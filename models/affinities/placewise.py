"""Rows between places, of affinities between all channels at all places."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.affinities.low_rank import LowRankAffinity
from models.affinity import PairwiseAffinity


@dataclass(frozen=True)
class PlacewiseAffinity(PairwiseAffinity):
    """The mean over a place's channels of what each takes from all channels of another place.

    Item c N + i of the affinity that it is made from is channel c at place i of N.
    """

    of: PairwiseAffinity
    places: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, _, _ = self.of.shape
        return batch, head, self.places, self.places

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        return self.by_rows().aggregate(value)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        channels = self.of.shape[2] // self.places
        first = torch.arange(channels)[:, None] * self.places
        rows = self.of.rows((first + queries.cpu()).flatten()).unflatten(2, (channels, -1))
        return rows.mean(dim=2).unflatten(3, (-1, self.places)).sum(dim=3)

    def select(self, item: int) -> PlacewiseAffinity:
        return PlacewiseAffinity(self.of.select(item), self.places)


def over_places(affinity: PairwiseAffinity, places: int) -> PairwiseAffinity:
    """Return the rows between places of an affinity between channels at places; see the class.

    Raises:
        ValueError: if the affinity's items are not so many for each place.
    """
    if affinity.shape[2] % places or affinity.shape[3] % places:
        raise ValueError(f"expected items for {places} places each, received {affinity.shape}")
    if not isinstance(affinity, LowRankAffinity):
        return PlacewiseAffinity(affinity, places)
    take = affinity.take.unflatten(2, (-1, places)).mean(dim=2)
    give = affinity.give.unflatten(2, (-1, places)).sum(dim=2)
    return LowRankAffinity(take, give)
