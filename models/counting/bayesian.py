"""The Bayesian loss: a density map is right if it gives every annotated point its one person.

Idea
    A point says that somebody is there, not how wide the person is. Instead of drawing a blob
    around each point and asking the network to copy it, let every cell of the density map say which
    point it probably belongs to, and ask that the shares of each point sum to 1.

Equation
    p(nᵢ | x) = softmax over the points of -‖x - zᵢ‖² / 2σ²                       (paper: section 3)
    E[cᵢ] = Σₓ p(nᵢ | x) D(x),  loss = Σᵢ |tᵢ - E[cᵢ]|
    One more, imagined point takes what is far from everybody; its target is 0. With d a share of
    the picture's shorter side, its squared distance is (d - ‖x - z‖)² in the paper and in the code
    of CSCA, and d² / ‖x - z‖² in the paper's own code at first, z being the nearest point.

Reading the map
    A column of the posterior is one cell: the shares of the points, which sum to 1. A row is one
    point's territory; its product with the density is how many people the network found there.

Limits
    The background takes over where the nearest point is farther than d / 2 in the first form and
    farther than √d in the second, which therefore depends on how large a pixel is. Nothing tells
    the network how people are spread inside a territory.

Source: Ma, Wei, Hong, Gong, Bayesian Loss for Crowd Count Estimation with Point Supervision,
ICCV 2019, arXiv:1908.03684.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import torch
from jaxtyping import Float
from torch import Tensor, nn

_LEAST_SQUARE = 1e-5
"""added to the squared distance that "ratio" divides by"""


class Background(Enum):
    """How far the imagined background point is from a cell."""

    DIFFERENCE = "difference"
    """d minus the distance to the nearest point: the paper's equation, and what CSCA trains with"""
    RATIO = "ratio"
    """d squared over the squared distance to the nearest point: the paper's own code at first"""


def posterior(
    points: Float[Tensor, "n 2"],
    st_size: float,
    cells: tuple[int, int],
    stride: float = 8,
    sigma: float = 8.0,
    background_ratio: float | None = 0.15,
    background: Background = Background.DIFFERENCE,
) -> Float[Tensor, "point cell"]:
    """Return the probability that each cell belongs to each point; every column sums to 1.

    Args:
        points: (x, y) in pixels of the crop whose density map is meant.
        st_size: the shorter side of the whole picture in the same pixels.
        cells: rows and columns of the density map; cell (i, j) has its centre at
            (j + 1/2, i + 1/2) strides.
        stride: pixels that one cell is wide.
        sigma: standard deviation of a point's neighbourhood in pixels.
        background_ratio: the background's distance as a share of ``st_size``; None for none.
        background: how that distance is used.

    Returns:
        One row a point and, last, one for the background; cells row by row. Without points all
        belongs to the background, and without that too there are no rows.

    Raises:
        ValueError: if the points are not pairs.
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"expected points of (x, y), received {tuple(points.shape)}")
    squares = _squared_distances(points, cells, stride)
    if background_ratio is not None:
        reach = squares.new_tensor(st_size) * background_ratio
        squares = torch.cat([squares, _from_background(squares, reach, background)])
    return (-squares / (2 * sigma**2)).softmax(dim=0)


def _squared_distances(
    points: Float[Tensor, "n 2"], cells: tuple[int, int], stride: float
) -> Float[Tensor, "n cell"]:
    rows, columns = (
        torch.arange(count, dtype=points.dtype, device=points.device) * stride + stride / 2
        for count in cells
    )
    across, down = _square_of(points[:, :1], columns), _square_of(points[:, 1:], rows)
    return (down[:, :, None] + across[:, None, :]).flatten(1)


def _square_of(at: Float[Tensor, "n 1"], centre: Float[Tensor, " m"]) -> Float[Tensor, "n m"]:
    # (a - c)² in the originals' order of operations: in single precision the terms cancel, and
    # what is left must round as theirs does to agree with their numbers.
    return -2 * (at * centre) + at * at + centre * centre


def _from_background(
    squares: Float[Tensor, "n cell"], reach: Float[Tensor, ""], background: Background
) -> Float[Tensor, "1 cell"]:
    if not len(squares):
        return squares.new_zeros(1, squares.shape[1])
    nearest = squares.amin(dim=0, keepdim=True).clamp(min=0)
    if background is Background.RATIO:
        return reach**2 / (nearest + _LEAST_SQUARE)
    return (reach - nearest.sqrt()) ** 2


class BayesianLoss(nn.Module):
    """Return how far the density maps of a batch are from giving each point its person.

    Args:
        stride: pixels that one cell of the density map is wide.
        sigma: as for ``posterior``.
        background_ratio: as for ``posterior``.
        background: as for ``posterior``.

    Raises:
        ValueError: if stride or sigma is not positive.
    """

    def __init__(
        self,
        stride: float = 8,
        sigma: float = 8.0,
        background_ratio: float | None = 0.15,
        background: Background = Background.DIFFERENCE,
    ) -> None:
        super().__init__()
        if not (stride > 0 and sigma > 0):
            raise ValueError(f"expected stride > 0 and sigma > 0, received {stride} and {sigma}")
        self.stride = stride
        self.sigma = sigma
        self.background_ratio = background_ratio
        self.background = background

    def forward(
        self,
        density: Float[Tensor, "batch 1 row column"],
        points: Sequence[Float[Tensor, "_ 2"]],
        st_sizes: Sequence[float] | Float[Tensor, " batch"],
        targets: Sequence[Float[Tensor, " _"]] | None = None,
    ) -> Float[Tensor, ""]:
        """Return the mean over the batch of the sums over the points of |target - expected|.

        Args:
            density: people in each cell, of crops of any one size.
            points: of each picture, (x, y) in pixels of its crop; there may be none.
            st_sizes: the shorter side of each whole picture in pixels.
            targets: what each point counts, 0..1; 1 where this is None.

        Raises:
            ValueError: if there is not one entry a picture.
        """
        if not len(density) == len(points) == len(st_sizes):
            raise ValueError(
                f"expected points and sizes of {len(density)} pictures, received {len(points)} "
                f"and {len(st_sizes)}"
            )
        given = targets if targets is not None else [None] * len(points)
        losses = [
            self.of_one(each[0], at, float(size), target)
            for each, at, size, target in zip(density, points, st_sizes, given, strict=True)
        ]
        return torch.stack(losses).mean()

    def of_one(
        self,
        density: Float[Tensor, "row column"],
        points: Float[Tensor, "n 2"],
        st_size: float,
        target: Float[Tensor, " n"] | None = None,
    ) -> Float[Tensor, ""]:
        """Return the loss of one picture; without points, the absolute count."""
        if not len(points):
            return density.sum().abs()
        expected = self.expected(density, points, st_size)
        wanted = torch.zeros_like(expected)
        wanted[: len(points)] = 1 if target is None else target.to(expected)
        return (wanted - expected).abs().sum()

    def expected(
        self,
        density: Float[Tensor, "row column"],
        points: Float[Tensor, "n 2"],
        st_size: float,
    ) -> Float[Tensor, " point"]:
        """Return how many people the density has for each point and, last, for the background."""
        rows, columns = density.shape
        shares = self.posterior(points.to(density.device), st_size, (rows, columns))
        # Sums of half precision would lose people; the points say how precise to be.
        return (shares * density.flatten().to(shares.dtype)).sum(dim=1)

    def posterior(
        self, points: Float[Tensor, "n 2"], st_size: float, cells: tuple[int, int]
    ) -> Float[Tensor, "point cell"]:
        """Return ``posterior`` with the settings of this loss."""
        return posterior(
            points, st_size, cells, self.stride, self.sigma, self.background_ratio, self.background
        )
