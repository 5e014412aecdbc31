"""EMANet: places are explained by a few bases that the picture itself refines, step by step.

Idea
    Features of all places lie close to a few of them. Expectation-maximisation finds those few for
    each picture: assign every place to the bases (E), move each basis to the mean of its places
    (M), again. Then each place is replaced by the mixture of bases that it was assigned to: the
    same as a non-local block whose matrix has a rank of as many bases as there are.

Equation
    Z = softmax_k(x_i . mu_k),  mu_k = sum_i Z_ik x_i / sum_i Z_ik / length   (paper: eq. 10, 12)
    y_i = sum_k Z_ik mu_k = sum_j A_ij x_j,  A = Z diag(1 / (n_k l_k)) Z^T     (paper: eq. 13)
    n_k is the sum of Z_ik over places and l_k the length of the mean before it is divided by it:
    both plus 1e-6. The authors' code divides by the length where the paper only bounds it. Z of
    step t passes ``steps.<t>.responsibilities``, the last one also ``responsibilities``, A passes
    the tap ``attention`` as its two thin factors. Z of the last step is made with the bases of the
    step before, and the bases it is multiplied by are made with that Z. The first bases, ``bases``,
    are not trained but moved towards those of each picture, by a tenth, in training.

Reading the map
    Each basis is a map of the places assigned to it; at every place those of all bases sum to 1.
    Step through the iterations to see them sharpen. Point at a place: its row has no fixed sum,
    because bases have length 1 and the means had not.

Limits
    Bases are made anew for each picture: number 3 need not be the same thing in the next one. A
    row has the rank of the bases: places that are assigned alike have the same row. The authors
    let no gradient through the iterations, which leaves the first convolution untrained; ours lets
    it through. Features of little spread are assigned evenly: all bases then become the mean of the
    picture and stay it, and rows are even. Ours start with the first convolution enlarged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.affinities.low_rank import LowRankAffinity
from models.affinity import PairwiseAffinity
from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Auxiliary,
    Claim,
    Derived,
    Growth,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)
from models.taps import Tap
from models.tokens import Feature, conv_norm, places, tokens

EPSILON = 1e-6
MOMENTUM = 0.9
AUTHORS_BASES, AUTHORS_STEPS = 64, 3
Places = Float[Tensor, "batch place channel"]
Bases = Float[Tensor, "batch channel basis"]
Assigned = Float[Tensor, "batch place basis"]

_RESPONSIBILITIES = {"responsibilities": Auxiliary(Kind.ASSIGNMENT, Claim.SIMPLEX)}


def _shares(x: Places, assigned: Assigned) -> Assigned:
    """Return with which weights the places make up each basis, of length 1."""
    means = assigned / (EPSILON + assigned.sum(dim=1, keepdim=True))
    length = (x.transpose(1, 2) @ means).norm(dim=1, keepdim=True)
    return means / (EPSILON + length)


class ExpectationStep(nn.Module):
    """Return how much of each place belongs to each basis, letting it through a tap (eq. 10)."""

    auxiliary: ClassVar[Mapping[str, Auxiliary]] = _RESPONSIBILITIES

    def __init__(self) -> None:
        super().__init__()
        self.responsibilities = Tap()

    def forward(self, x: Places, bases: Bases) -> Assigned:
        return self.responsibilities((x @ bases).softmax(dim=2))


class ExpectationMaximisation(AttentionBlock):
    """Return each place as the mixture of the picture's bases that it belongs to (Li et al.).

    Args:
        channels: channels of x.
        count: how many bases there are.
        iterations: how many times they are refined.

    Raises:
        ValueError: if there is no basis or no iteration.
    """

    kind = Kind.PLACE_AFFINITY
    noun = "basis"
    claim = Claim.POSITIVE
    formula: ClassVar[str] = "Z = softmaxₖ(xᵢ · μₖ), μₖ ← mₖ / ‖mₖ‖, mₖ = Σᵢ Zᵢₖ xᵢ;  y = Σₖ Zᵢₖ μₖ"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = _RESPONSIBILITIES
    bases: Tensor

    def __init__(self, channels: int, count: int, iterations: int) -> None:
        super().__init__()
        if count < 1 or iterations < 1:
            raise ValueError(f"expected bases and iterations, received {count} and {iterations}")
        start = torch.randn(1, channels, count) * (2 / count) ** 0.5
        self.register_buffer("bases", F.normalize(start, dim=1))
        self.steps = nn.ModuleList(ExpectationStep() for _ in range(iterations))
        self.responsibilities = Tap()

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return A as Z and the weights that make the bases."""
        features = x.flatten(2).transpose(1, 2)
        # A copy, because they are moved before the gradient is taken.
        bases = self.bases.clone().expand(len(x), -1, -1)
        *first, last = self.steps
        for step in first:
            bases = features.transpose(1, 2) @ _shares(features, step(features, bases))
        assigned = self.responsibilities(last(features, bases))
        shares = _shares(features, assigned)
        if self.training:
            self._move(features.detach().transpose(1, 2) @ shares.detach())
        return LowRankAffinity(assigned.unsqueeze(1), shares.unsqueeze(1))

    @torch.no_grad()
    def _move(self, bases: Bases) -> None:
        self.bases.lerp_(bases.float().mean(dim=0, keepdim=True), 1 - MOMENTUM)

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Feature:
        """Return A x."""
        return places(attention.aggregate(tokens(x)), x)

    def bases_of(self, x: Feature) -> Bases:
        """Return the bases of each picture after the last step."""
        features = x.flatten(2).transpose(1, 2)
        bases = self.bases.expand(len(x), -1, -1)
        for _ in self.steps:
            assigned = (features @ bases).softmax(dim=2)
            bases = features.transpose(1, 2) @ _shares(features, assigned)
        return bases


class ExpectationMaximisationUnit(nn.Module):
    """Return x with its reconstruction from a few bases added (the paper's EMAU).

    Args:
        channels: channels of x.
        count: how many bases there are; the paper's is 64.
        iterations: how many times they are refined; the paper's is 3.
    """

    def __init__(
        self, channels: int, count: int = AUTHORS_BASES, iterations: int = AUTHORS_STEPS
    ) -> None:
        super().__init__()
        self.project_in = nn.Conv2d(channels, channels, kernel_size=1)
        self.reconstruct = ExpectationMaximisation(channels, count, iterations)
        self.project_out = conv_norm(channels, channels)

    def forward(self, x: Feature) -> Feature:
        gathered = self.reconstruct(self.project_in(x)).relu()
        return (self.project_out(gathered) + x).relu()


class UnitWithBases(nn.Module):
    """Return (features, bases), as the authors' module does.

    Args:
        channels: channels of x.
        count: how many bases there are.
        iterations: how many times they are refined.
    """

    def __init__(self, channels: int, count: int, iterations: int) -> None:
        super().__init__()
        self.unit = ExpectationMaximisationUnit(channels, count, iterations)

    def forward(self, x: Feature) -> tuple[Feature, Bases]:
        return self.unit(x), self.unit.reconstruct.bases_of(self.unit.project_in(x))


def _bases(attention: LowRankAffinity, x: Feature) -> Bases:
    return attention.gathered(tokens(x)).squeeze(1).transpose(1, 2)


def _original(variant: str, c: int, k: int, stage_num: int = AUTHORS_STEPS) -> UnitWithBases:
    return UnitWithBases(c, k, stage_num)


def _as_context(channels: int) -> ExpectationMaximisationUnit:
    unit = ExpectationMaximisationUnit(channels)
    with torch.no_grad():
        unit.project_in.weight.mul_(_GAIN)
    return unit


_GAIN = 8.0
"""of the features at first: with a tenth of that all bases end as the one mean of the picture"""
MOST_STEPS_COMPARED = 10


MECHANISM = Mechanism(
    slug="emanet",
    name="EMANet expectation-maximisation attention",
    family="self-attention",
    goals=(Goal.SAVING, Goal.LONG_RANGE, Goal.DENOISING),
    growth=Growth("O(N K, K bases)", 1.0),
    paper=Paper(
        title="Expectation-Maximization Attention Networks for Semantic Segmentation",
        authors="Li, Zhong, Wu, Yang, Lin, Liu",
        venue="ICCV",
        year=2019,
        arxiv="1907.13426",
    ),
    variants={
        "": lambda channels: ExpectationMaximisationUnit(channels, count=6),
        "one_step": lambda channels: ExpectationMaximisationUnit(channels, 5, iterations=1),
    },
    references={
        "EMAU": Reference(
            build=_original,
            positional=("c", "k", "stage_num"),
            attention={
                "bases": Derived(("unit.reconstruct", "unit.project_in"), _bases),
                "responsibilities": "unit.reconstruct.responsibilities",
                **{
                    f"responsibilities.stage{n + 1}": f"unit.reconstruct.steps.{n}.responsibilities"
                    for n in range(MOST_STEPS_COMPARED)
                },
            },
            rename=(
                (r"^conv1\.", "unit.project_in."),
                (r"^conv2\.", "unit.project_out."),
                (r"^mu$", "unit.reconstruct.bases"),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
