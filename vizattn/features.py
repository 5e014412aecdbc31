"""More captured kinds: maps side by side, gates of rows and columns, tables, weights by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vizattn.attention import Captured, Maps
from vizattn.geometry import Grid


@dataclass(frozen=True)
class FeatureMaps(Captured):
    """A map for each channel, codeword, basis, node or sense."""

    maps: Maps

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (map, row, column)."""
        return self.maps.values.shape

    @property
    def axes(self) -> tuple[str, ...]:
        """Return what they are, by names in the catalogue."""
        return self.maps.name, "row", "column"


@dataclass(frozen=True)
class EdgeGate(Captured):
    """One weight for each row, or for each column, of the map, in each channel.

    Args:
        axis: "height" where rows are weighed, "width" where columns are.
        values: the weights; one channel where all channels share them.
        grid: the map's cells; ``length`` is its rows or its columns.
    """

    axis: str
    values: Float[np.ndarray, "channel length"]
    grid: Grid

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (channel, length)."""
        return self.values.shape

    @property
    def axes(self) -> tuple[str, ...]:
        """Return what they are, by names in the catalogue."""
        return "channel", "row" if self.axis == "height" else "column"

    def over_cells(self, channel: int | None = None) -> Float[np.ndarray, "row column"]:
        """Return the weights of a channel, or their mean over channels, as bands of the map."""
        line = self.values.mean(axis=0) if channel is None else self.values[channel]
        along = line[:, None] if self.axis == "height" else line[None, :]
        return np.broadcast_to(along, (self.grid.rows, self.grid.columns))


@dataclass(frozen=True)
class Table(Captured):
    """A number for each pair of two things that are no places.

    Args:
        values: the numbers.
        row_axis: what a row is, by its name in the catalogue.
        column_axis: what a column is.
        row_maps: where each row's thing is in the picture, if it is somewhere.
        column_maps: where each column's thing is.
    """

    values: Float[np.ndarray, "row column"]
    row_axis: str
    column_axis: str
    row_maps: Maps | None = None
    column_maps: Maps | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (row, column)."""
        return self.values.shape

    @property
    def axes(self) -> tuple[str, ...]:
        """Return what they are, by names in the catalogue."""
        return self.row_axis, self.column_axis


@dataclass(frozen=True)
class Weights(Captured):
    """One number for each of a few things that are no places.

    Args:
        values: the numbers.
        axis: what they are of, by its name in the catalogue.
    """

    values: Float[np.ndarray, " item"]
    axis: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (item,)."""
        return self.values.shape

    @property
    def axes(self) -> tuple[str, ...]:
        """Return what they are, by names in the catalogue."""
        return (self.axis,)
