"""Three ways to write a map as bases times coefficients, found step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.mechanism import Claim

Matrix = Float[Tensor, "batch head dim item"]
Bases = Float[Tensor, "batch head dim rank"]
Coefficients = Float[Tensor, "batch head item rank"]
TINY = 1e-6


def _always_alike() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Decomposition(nn.Module):
    """One way to write a matrix as bases times coefficients.

    Args:
        sharpness: t, by how much cosines are multiplied before a softmax.
        ridge: b, what is added to the diagonal before an inverse.
    """

    claim: ClassVar[Claim]
    assigned_claim: ClassVar[Claim] = Claim.SIMPLEX
    """what the coefficients of a step promise"""
    linear: ClassVar[bool] = True
    """whether bases are weighted sums of the items"""

    def __init__(self, sharpness: float = 100.0, ridge: float = 0.1) -> None:
        super().__init__()
        self.sharpness, self.ridge = sharpness, ridge

    def drawn(self, *shape: int) -> Bases:
        """Return first bases of length 1, drawn at random."""
        return F.normalize(torch.randn(*shape, generator=_always_alike()), dim=-2)

    def first(self, x: Matrix, bases: Bases) -> Coefficients:
        """Return the coefficients that the steps begin with."""
        return (x.transpose(-2, -1) @ bases).softmax(dim=-1)

    def assigned(self, x: Matrix, bases: Bases, given: Coefficients) -> Coefficients:
        """Return how much of each item belongs to each of some bases, given the last step's."""
        raise NotImplementedError(f"{type(self).__name__} takes no steps")

    def refined(
        self, x: Matrix, bases: Bases, assigned: Coefficients
    ) -> tuple[Bases, Coefficients]:
        """Return better bases, and the coefficients that they are made with."""
        raise NotImplementedError(f"{type(self).__name__} takes no steps")

    def last(self, x: Matrix, bases: Bases, given: Coefficients) -> Coefficients:
        """Return the coefficients of the result, given those of the last step."""
        raise NotImplementedError(f"{type(self).__name__} gives no coefficients")

    def _similar(self, x: Matrix, bases: Bases) -> Coefficients:
        cosines = F.normalize(x, dim=-2).transpose(-2, -1) @ F.normalize(bases, dim=-2, eps=TINY)
        return (self.sharpness * cosines).softmax(dim=-1)


class Clusters(Decomposition):
    """Items belong to the bases that they are most similar to, softly."""

    def assigned(self, x: Matrix, bases: Bases, given: Coefficients) -> Coefficients:
        return self._similar(x, bases)

    def _shared_out(self, assigned: Coefficients) -> Coefficients:
        return assigned / (TINY + assigned.sum(dim=-2, keepdim=True))


class VectorQuantization(Clusters):
    """Each item is a mixture of the means of clusters."""

    claim = Claim.SIMPLEX

    def refined(
        self, x: Matrix, bases: Bases, assigned: Coefficients
    ) -> tuple[Bases, Coefficients]:
        shares = self._shared_out(assigned)
        return x @ shares, shares

    def last(self, x: Matrix, bases: Bases, given: Coefficients) -> Coefficients:
        return self._similar(x, bases)


class ConceptDecomposition(Clusters):
    """Each item is the nearest point, by least squares, to the directions of clusters."""

    claim = Claim.SIGNED

    def refined(
        self, x: Matrix, bases: Bases, assigned: Coefficients
    ) -> tuple[Bases, Coefficients]:
        shares = self._shared_out(assigned)
        return F.normalize(x @ shares, dim=-2, eps=TINY), shares

    def last(self, x: Matrix, bases: Bases, given: Coefficients) -> Coefficients:
        overlap = bases.transpose(-2, -1) @ bases
        ridge = self.ridge * torch.eye(overlap.shape[-1], dtype=x.dtype, device=x.device)
        # One basis may depend on the others, with the ridge the inverse exists all the same.
        return x.transpose(-2, -1) @ bases @ torch.linalg.inv(overlap + ridge)


class NonNegativeFactors(Decomposition):
    """Each item is a sum of parts, of which there can be more or less but not less than none."""

    claim = Claim.POSITIVE
    assigned_claim = Claim.POSITIVE
    linear = False

    def drawn(self, *shape: int) -> Bases:
        return F.normalize(torch.rand(*shape, generator=_always_alike()), dim=-2)

    def assigned(self, x: Matrix, bases: Bases, given: Coefficients) -> Coefficients:
        return self.last(x, bases, given)

    def refined(
        self, x: Matrix, bases: Bases, assigned: Coefficients
    ) -> tuple[Bases, Coefficients]:
        wanted, made = x @ assigned, bases @ (assigned.transpose(-2, -1) @ assigned)
        return bases * wanted / (made + TINY), assigned

    def last(self, x: Matrix, bases: Bases, given: Coefficients) -> Coefficients:
        wanted = x.transpose(-2, -1) @ bases
        made = given @ (bases.transpose(-2, -1) @ bases)
        return given * wanted / (made + TINY)


KINDS: Mapping[str, type[Decomposition]] = {
    "NMF": NonNegativeFactors,
    "VQ": VectorQuantization,
    "CD": ConceptDecomposition,
}
"""the authors' decompositions by their names"""
