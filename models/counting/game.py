"""GAME: how far a count is off when people in the wrong place count as errors too.

Idea
    A counter that misses ten people on the left and invents ten on the right has a perfect total.
    GAME(L) cuts the picture into 4ᴸ cells and adds up how far each one's count is off: level 0 is
    the absolute error of the total, and each level asks more precisely where people are.

Equation
    GAME(L) = Σ over the 4ᴸ cells of |Σ predicted - Σ true|, then the mean over the pictures

Limits
    Despite its name (grid average mean absolute error) it is a sum over the cells. Sides that 2ᴸ
    does not divide leave cells of unequal size: the recursive definition halves each part, so that
    nothing is lost, and the widespread short form drops the last rows and columns.

Source: Guerrero-Gómez-Olmedo et al., Extremely Overlapping Vehicle Counting, IbPRIA 2015.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.counting.procedure import Procedure, Recording

Edges = list[int]


def game(
    predicted: Float[Tensor, "row column"], truth: Float[Tensor, "row column"], level: int
) -> float:
    """Return GAME of one picture, in people; each part is halved ``level`` times, nothing is lost.

    Args:
        predicted: people in each cell of the map.
        truth: the same for the annotated people.
        level: L, from 0.

    Raises:
        ValueError: if the maps differ in size or the level is negative.
    """
    rows, columns = _same_size(predicted, truth)
    return _summed(predicted, truth, _halved(rows, level), _halved(columns, level))


def game_cropped(
    predicted: Float[Tensor, "row column"], truth: Float[Tensor, "row column"], level: int
) -> float:
    """Return GAME over equal cells of floor(side / 2ᴸ); what remains at the end is left out.

    Raises:
        ValueError: if the maps differ in size or the level is negative.
    """
    rows, columns = _same_size(predicted, truth)
    return _summed(predicted, truth, _equal(rows, level), _equal(columns, level))


def game_of_points(
    density: Float[Tensor, "row column"], points: Float[Tensor, "n 2"], level: int
) -> float:
    """Return GAME of a density map against points, which are counted where they are.

    Args:
        density: people in each cell.
        points: (x, y) in cells of the map, (0, 0) being the corner of its first cell; what lies
            outside is counted in the cell at that border.
        level: L, from 0; cells are those of ``game``.

    Raises:
        ValueError: if the arrays have other axes or the level is negative.
    """
    if density.ndim != 2 or points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"expected a map and points of (x, y), received {tuple(density.shape)} "
            f"and {tuple(points.shape)}"
        )
    rows, columns = (_halved(count, level) for count in density.shape)
    inside = _sums(density, rows, columns)
    down, across = (
        torch.bucketize(
            points[:, axis].double().cpu(), torch.tensor(edges[1:-1]).double(), right=True
        )
        for axis, edges in ((1, rows), (0, columns))
    )
    return (inside - _counts(down, across, 2**level)).abs().sum().item()


def _counts(
    down: Int[Tensor, " n"], across: Int[Tensor, " n"], cells: int
) -> Float[Tensor, "down across"]:
    counted = torch.bincount(down * cells + across, minlength=cells**2)
    return counted.reshape(cells, cells).double()


def _same_size(predicted: Tensor, truth: Tensor) -> tuple[int, int]:
    if predicted.ndim != 2 or predicted.shape != truth.shape:
        raise ValueError(
            f"expected two maps of one size, received {tuple(predicted.shape)} "
            f"and {tuple(truth.shape)}"
        )
    return predicted.shape[0], predicted.shape[1]


def _summed(predicted: Tensor, truth: Tensor, rows: Edges, columns: Edges) -> float:
    off = _sums(predicted, rows, columns) - _sums(truth, rows, columns)
    return off.abs().sum().item()


def _sums(x: Float[Tensor, "row column"], rows: Edges, columns: Edges) -> Float[Tensor, "r c"]:
    """Return the sums between each two edges, in double precision."""
    for axis, edges in ((0, rows), (1, columns)):
        sizes = [end - start for start, end in pairwise(edges)]
        parts = x.double().cpu().narrow(axis, 0, sum(sizes)).split(sizes, dim=axis)
        x = torch.stack([part.sum(dim=axis) for part in parts], dim=axis)
    return x


def _halved(length: int, level: int) -> Edges:
    """Return 2ᴸ + 1 edges; of an odd part, the second half is the larger."""
    edges = [0, length]
    for _ in range(_checked(level)):
        middles = [(start + end) // 2 for start, end in pairwise(edges)]
        edges = sorted([*edges, *middles])
    return edges


def _equal(length: int, level: int) -> Edges:
    cells = 2 ** _checked(level)
    return [index * (length // cells) for index in range(cells + 1)]


def _checked(level: int) -> int:
    # Beyond this there are more cells than maps have.
    if not 0 <= level <= 10:
        raise ValueError(f"expected a level of 0 to 10, received {level}")
    return level


def _replayed(recording: Recording) -> dict[str, Tensor]:
    """Return GAME at as many levels as the file has; the cropped form starts at level 1."""
    results = {}
    for name, shape in recording.wanted.items():
        kind, _, which = name.removeprefix("output.").partition(".")
        if kind not in _FORMS or len(shape) != 1:
            continue
        form, first = _FORMS[kind]
        predicted, truth = (recording.input(f"{side}_{which}") for side in ("pred", "gt"))
        levels = range(first, first + shape[0])
        values = [form(predicted, truth, level) for level in levels]
        results[name] = torch.tensor(values, dtype=torch.float64)
    return results


_FORMS = {"game": (game, 0), "game_cropped": (game_cropped, 1)}

PROCEDURES = (Procedure(slug="game", classes=r"\b(gameMetric|game_metric)\b", replay=_replayed),)
