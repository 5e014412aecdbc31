"""Places of the numbers of maps, and of maps that were sampled from others or made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vizattn.foreign.coordinates import varies
from vizattn.foreign.graph import Node

_EXACT = 1e-6
"""parts of the picture to which sampled places are rounded, so that those of one row are equal"""


@dataclass(frozen=True)
class Places:
    """Where the numbers of a tensor lie, in parts of the picture's height and width.

    Args:
        y: from the top, of the tensor's shape; not a number where there is no place.
        x: from the left, likewise; where there is no place but a constant, minus the number of its
            ``Follower.constants``, from 1, and ``BEYOND`` for what was put around a map.
        origin: rows and columns of the map that the places come from.
    """

    y: Float[Tensor, ...]
    x: Float[Tensor, ...]
    origin: tuple[int, int]

    def each(self, change: Callable[[Tensor], Tensor]) -> Places:
        """Return the places after both coordinates were moved alike."""
        return Places(change(self.y), change(self.x), self.origin)


def map_places(shape: Sequence[int]) -> Places:
    """Return the places of a map that is spread over the whole picture."""
    rows, columns = shape[-2:]
    y = ((torch.arange(rows) + 0.5) / rows)[:, None]
    x = ((torch.arange(columns) + 0.5) / columns)[None, :]
    return Places(y.expand(*shape), x.expand(*shape), (rows, columns))


def map_of(node: Node, first: Places | None) -> Places | None:
    """Return the places of a map that was made of one with places on a regular grid.

    It reaches as far as the other: the whole picture, or the part that was sampled.
    """
    if first is None or not len(node.shape) == first.y.dim() == 4 or node.shape[0] != 1:
        return None
    if any(varies(first.y, axis) for axis in (1, 3)) or any(
        varies(first.x, axis) for axis in (1, 2)
    ):
        return None
    if not (varies(first.y, 2) and varies(first.x, 3)):
        return None
    rows, columns = node.shape[2:]
    if rows * columns == 1:
        # One number of the whole picture is at no place.
        return None
    y = _as_many(first.y[0, 0, :, 0], rows)
    x = _as_many(first.x[0, 0, 0], columns)
    if y is None or x is None:
        return None
    assumed = first.origin[0] < 0
    origin = (-rows, -columns) if assumed else (rows, columns)
    return Places(y[:, None].expand(node.shape), x.expand(node.shape), origin)


def _as_many(line: Float[Tensor, " n"], count: int) -> Float[Tensor, " m"] | None:
    """Return as many places as wanted, evenly where the others are; None where these are not."""
    if not _is_even(line):
        return None
    step = (line[-1] - line[0]) / (len(line) - 1)
    if count == len(line):
        return line
    return line[0] - step / 2 + step * len(line) * (torch.arange(count) + 0.5) / count


def warped(node: Node, source: Places | None, grid: Places | None) -> Places | None:
    """Return the places of what was sampled from a map: of what asked, else of what was found.

    Args:
        node: of the sampled map.
        source: where the numbers are from which it was sampled.
        grid: where those are that say where to look.
    """
    if grid is not None and any(varies(each, axis) for each in (grid.y, grid.x) for axis in (1, 2)):
        return grid.each(lambda each: each[..., 0].unsqueeze(1).expand(node.shape))
    where = node.arguments[1].value
    if source is None or where is None or len(node.shape) != 4 or source.origin[0] < 0:
        return None
    corners = bool(node.arguments[4])
    found = []
    for line, along in ((source.y[0, 0, :, 0], where[..., 1]), (source.x[0, 0, 0], where[..., 0])):
        if len(line) < 2 or not _is_even(line):
            return None
        last = len(line) - 1
        cell = (along + 1) / 2 * last if corners else ((along + 1) * len(line) - 1) / 2
        place = line[0] + (line[-1] - line[0]) / last * cell.float().cpu()
        inside = (cell > -0.5) & (cell < last + 0.5)
        place = (place / _EXACT).round() * _EXACT
        found.append(place.masked_fill(~inside.cpu(), float("nan")))
    beyond = found[0].isnan() | found[1].isnan()
    y, x = (
        each.masked_fill(beyond, float("nan")).unsqueeze(1).expand(node.shape) for each in found
    )
    return Places(y, x, source.origin)


def _is_even(line: Float[Tensor, " n"]) -> bool:
    steps = line.diff()
    return bool(((steps - steps[0]).abs() < 100 * _EXACT).all())
