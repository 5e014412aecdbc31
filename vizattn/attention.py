"""The captured kinds: what one tap held for one picture, frozen and without a batch axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float

from models.affinities.forms import LISTED, Form, ListedForm, form_of
from models.affinities.pooled import PooledAffinity
from models.affinity import Factors, PairwiseAffinity
from models.mechanism import Claim, Kind
from vizattn.geometry import Grid


@dataclass(frozen=True)
class Check:
    """One claim about a captured attention, measured.

    Args:
        name: "claim" (row sums and range), "output" (f of what was captured equals the block's
            output) or "geometry" (there and back again).
        value: the largest deviation that was found.
        limit: the largest deviation that passes.
    """

    name: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        """Return whether the deviation is a number within the limit."""
        return self.value <= self.limit


class Rows:
    """The rows of one picture's affinity, computed when asked for, exactly.

    Args:
        affinity: a batch of one.
    """

    def __init__(self, affinity: PairwiseAffinity) -> None:
        self._affinity = affinity
        batch, self.heads, self.queries, self.keys = affinity.shape
        if batch != 1:
            raise ValueError(f"expected the affinity of one picture, received a batch of {batch}")
        self._form: Form | None = None

    def row(self, query: int) -> Float[np.ndarray, "head key"]:
        """Return one row of every head in O(N d); raises ValueError for an unknown query."""
        return self.some([query])[:, 0]

    def some(self, queries: Sequence[int]) -> Float[np.ndarray, "head query key"]:
        """Return several rows of every head; raises ValueError for a query that is not there."""
        for query in queries:
            if not 0 <= query < self.queries:
                raise ValueError(f"expected a query of 0..{self.queries - 1}, received {query}")
        with torch.inference_mode():
            rows = self._affinity.rows(torch.as_tensor(list(queries), dtype=torch.long))
        return rows[0].float().cpu().numpy()

    def form(self) -> Form:
        """Return what another program computes rows from."""
        if self._form is None:
            with torch.inference_mode():
                self._form = form_of(self._affinity)
        return self._form

    def heard(self, query: int, head: int | None = None) -> frozenset[int] | None:
        """Return the keys that a query can hear at all, or None where these are all.

        Args:
            query: which query.
            head: of one head; of all of them by default.
        """
        form = self.form() if isinstance(self._affinity, LISTED) else None
        found = form.heard(query, head) if isinstance(form, ListedForm) else None
        return None if found is None or len(found) == self.keys else found

    def over_areas(self) -> Rows | None:
        """Return the rows over what keys stand for, where these are areas of several places."""
        of = self._affinity
        areas = of.anchors if isinstance(of, PooledAffinity) else None
        return None if areas is None or areas.shape[3] >= self.keys else Rows(areas)

    def factors(self) -> Factors | None:
        """Return the factors that a browser computes rows from; none where a matrix is stored."""
        make = getattr(self._affinity, "factors", None)
        return make() if make is not None else None


@dataclass(frozen=True)
class Captured:
    """What all captured kinds share.

    Args:
        site: dotted path of the block in its network, with "#n" where a block fired n times before.
        block: name of the block's class.
        kind: what sort of thing is weighed.
        claim: what the values promise.
        formula: the block's equation, one line.
        checks: what was measured against the claims.
        part_of: of a step on the way to a block's attention, the site of that block.
        note: the name of the sentence that says what is shown, or why there is no row; None where
            the kind says all.
    """

    site: str
    block: str
    kind: Kind
    claim: Claim
    formula: str
    checks: tuple[Check, ...] = field(repr=False)
    part_of: str | None = field(default=None, kw_only=True)
    note: str | None = field(default=None, kw_only=True)

    @property
    def passed(self) -> bool:
        """Return whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the sizes of the attention along its axes."""
        raise NotImplementedError(f"{type(self).__name__} does not say what shape it has")

    @property
    def axes(self) -> tuple[str, ...]:
        """Return what the axes of the shape are, by names in the catalogue; none: the kind says."""
        return ()


@dataclass(frozen=True)
class Activation:
    """The feature map that a gate weighs: what each channel responds to.

    Args:
        values: one map a channel.
        grid: where its cells are.
    """

    values: Float[np.ndarray, "channel row column"]
    grid: Grid


@dataclass(frozen=True)
class Maps:
    """Several maps of the same places, one for each channel, codeword, basis, node or sense.

    Args:
        values: one map each; any sign.
        grid: where the cells are.
        name: what one of them is, by its name in the catalogue ("channel", "codeword", "node"...).
        labels: what each of them is called, by names in the catalogue; None where they have none.
        heads: the maps are those of this many heads, one head's after the other's.
    """

    values: Float[np.ndarray, "count row column"]
    grid: Grid
    name: str
    labels: tuple[str, ...] | None = None
    heads: int = 1

    @property
    def strongest(self) -> int:
        """Return which map differs most from place to place."""
        return int(np.ptp(self.values.reshape(len(self.values), -1), axis=1).argmax())


@dataclass(frozen=True)
class ChannelGate(Captured):
    """One weight for each channel."""

    values: Float[np.ndarray, " channel"]
    activation: Activation

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (channel,)."""
        return self.values.shape


@dataclass(frozen=True)
class SpatialGate(Captured):
    """One weight for each place."""

    values: Float[np.ndarray, "row column"]
    grid: Grid

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (row, column)."""
        return self.values.shape


@dataclass(frozen=True)
class ModalityGate(Captured):
    """How much of each sense goes into what both share, at each place; both sum to 1."""

    values: Float[np.ndarray, "sense row column"]
    grid: Grid
    senses: tuple[str, ...] = ("rgb", "thermal")

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (sense, row, column)."""
        return self.values.shape


@dataclass(frozen=True)
class PlaceAffinity(Captured):
    """A row of weights over places for each place.

    Args:
        rows: the rows, over tokens: first those that are no places, then the places.
        query_grid: where the queries' places are.
        key_grid: where the keys' places are.
        bands: cells, far apart, that one token stands for: 1 unless the map was re-assembled.
        extra: what the tokens are that are no places, by names in the catalogue ("class_token");
            they are the first queries and the first keys.
        maps: of rows that follow from it, what the attention itself holds.
    """

    rows: Rows
    query_grid: Grid
    key_grid: Grid
    bands: int = 1
    extra: tuple[str, ...] = ()
    maps: Maps | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (head, query, key) of the matrix that is not built, in tokens."""
        return self.rows.heads, self.rows.queries, self.rows.keys

    @property
    def axes(self) -> tuple[str, ...]:
        """Return (head, query, key)."""
        return "head", "query", "key"

    @property
    def places(self) -> tuple[int, int]:
        """Return how many (queries, keys) are places."""
        return self.rows.queries - len(self.extra), self.rows.keys - len(self.extra)

    def token_of(self, cell: int) -> int:
        """Return the token that a query cell asks with; raises ValueError for an unknown cell."""
        if not 0 <= cell < len(self.query_grid):
            raise ValueError(f"expected a cell of 0..{len(self.query_grid) - 1}, received {cell}")
        return len(self.extra) + cell % self.places[0]

    def cells_of(self, token: int) -> tuple[int, ...]:
        """Return the key cells that one token stands for, one in each band.

        Raises:
            ValueError: if there is no such token, or it is no place.
        """
        first = len(self.extra)
        if not first <= token < self.rows.keys:
            raise ValueError(f"expected a token of {first}..{self.rows.keys - 1}, received {token}")
        return tuple(range(token - first, len(self.key_grid), self.places[1]))

    def row_of(self, cell: int) -> Float[np.ndarray, "head row column"]:
        """Return the row of a query cell over the key cells.

        Every cell of a token gets the token's weight: the sum over tokens is what the claim says,
        the sum over cells ``bands`` times that. What the row gives to tokens that are no places
        is left out. Raises ValueError for an unknown cell.
        """
        return self.over_cells(self.rows.row(self.token_of(cell)))

    def row_of_extra(self, name: str) -> Float[np.ndarray, "head row column"]:
        """Return the row over the key cells of a token that is no place.

        Raises:
            ValueError: if there is no such token.
        """
        if name not in self.extra:
            raise ValueError(f"expected a token of {list(self.extra)}, received {name!r}")
        return self.over_cells(self.rows.row(self.extra.index(name)))

    def over_cells(
        self, row: Float[np.ndarray, "head key"]
    ) -> Float[np.ndarray, "head row column"]:
        """Return a row over tokens as one over the key cells."""
        grid = self.key_grid
        placed = np.tile(row[:, len(self.extra) :], (1, self.bands))
        return placed.reshape(-1, grid.rows, grid.columns)


@dataclass(frozen=True)
class ChannelAffinity(Captured):
    """A row of weights over channels for each channel."""

    rows: Rows
    activation: Activation

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (head, query, key), both in channels."""
        return self.rows.heads, self.rows.queries, self.rows.keys
