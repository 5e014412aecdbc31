"""A2-Net: collect the picture into a few descriptors, then hand each place the ones it wants.

Idea
    Attention in two steps. First a few maps gather features from the whole picture, each into one
    descriptor; then each place takes a mixture of the descriptors. No two places are ever compared,
    and yet every place may hear of any other. It is one iteration of what ``emanet`` and ``hamnet``
    repeat, with learnt bases: what places are compared with is the same for all pictures.

Equation
    G = A softmax_HW(B)^T,  Z = G softmax_n(V),  y = W_o Z,  A, B, V 1 x 1 convolutions of x
    (paper: eq. 3-6). As one affinity of places: A_ij = sum_n V_ni B_nj, of rank n.
    A, B, V, W_o are ``value``, ``give``, ``take``, ``reconstruct``. The gathering maps pass the
    tap ``gather`` (each sums to 1 over places), the distribution passes ``distribute`` (sums to 1
    over maps at each place), their product passes ``attention`` as these two factors. The reference
    files return y alone; the paper adds it to x, as the network bundled here does.

Reading the map
    A gathering map shows what goes into a descriptor, the distribution map of the same number who
    takes it. Point at a place: its row is the mixture of gathering maps that it takes, not
    negative, with sum 1.

Limits
    There are only as many different rows as mixtures of n maps: places that take alike have the
    same row, however different they are. A gathering map may be spread over nothing in particular.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

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
from models.tokens import Feature, Result, places, tokens


class DoubleAttention(AttentionBlock):
    """Return what each place takes of a few descriptors of the picture (Chen et al., eq. 3-6).

    Args:
        channels: channels of x.
        value_dim: numbers of a descriptor; the paper's c_m.
        count: how many descriptors there are; the paper's c_n.
        reconstruct: bring the result back to ``channels`` by one more convolution.

    Raises:
        ValueError: if a number is not positive.
    """

    kind = Kind.PLACE_AFFINITY
    note = "learnt_bases"
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "Aᵢⱼ = Σₙ softmaxₙ(Vᵢ)ₙ softmaxⱼ(Bₙ)ⱼ;  y = Wₒ Σⱼ Aᵢⱼ A xⱼ"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "gather": Auxiliary(Kind.GATHERING, Claim.SIMPLEX),
        "distribute": Auxiliary(Kind.ASSIGNMENT, Claim.SIMPLEX),
    }

    def __init__(self, channels: int, value_dim: int, count: int, reconstruct: bool = True) -> None:
        super().__init__()
        if min(channels, value_dim, count) < 1:
            raise ValueError(
                f"expected numbers of at least 1, received {channels}, {value_dim} and {count}"
            )
        self.value = nn.Conv2d(channels, value_dim, kernel_size=1)
        self.give = nn.Conv2d(channels, count, kernel_size=1)
        self.take = nn.Conv2d(channels, count, kernel_size=1)
        self.reconstruct = (
            nn.Conv2d(value_dim, channels, kernel_size=1) if reconstruct else nn.Identity()
        )
        self.gather = Tap()
        self.distribute = Tap()

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return the affinity as what places take and what they give."""
        give = self.gather(self.give(x).flatten(2).softmax(dim=2))
        take = self.distribute(self.take(x).flatten(2).transpose(1, 2).softmax(dim=2))
        return LowRankAffinity(take.unsqueeze(1), give.transpose(1, 2).unsqueeze(1))

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Result:
        """Return W_o of what was gathered and distributed."""
        return self.reconstruct(places(attention.aggregate(tokens(self.value(x))), x))


class ResidualDoubleAttention(nn.Module):
    """Return x with the double attention added, as the paper uses it.

    Args:
        channels: channels of x.
        value_dim: numbers of a descriptor.
        count: how many descriptors there are.
    """

    def __init__(self, channels: int, value_dim: int, count: int) -> None:
        super().__init__()
        self.attend = DoubleAttention(channels, value_dim, count)

    def forward(self, x: Feature) -> Feature:
        return x + self.attend(x)


def _original(
    variant: str,
    in_channels: int,
    c_m: int,
    c_n: int,
    reconstruct: bool | None = None,
    k: int = 1,
) -> DoubleAttention:
    # Two people's code under one name: that with k, for clips of k pictures, ends before W_o.
    if k != 1:
        raise ValueError(f"expected single pictures, received clips of {k}")
    ends_early = variant == "no_reconstruct"
    return DoubleAttention(
        in_channels, c_m, c_n, not ends_early if reconstruct is None else reconstruct
    )


def _descriptors(
    gather: Float[Tensor, "batch node place"], value: Feature
) -> Float[Tensor, "batch channel node"]:
    return value.flatten(2) @ gather.transpose(1, 2)


def _as_context(channels: int) -> ResidualDoubleAttention:
    return ResidualDoubleAttention(channels, channels // 2, channels // 4)


MECHANISM = Mechanism(
    slug="a2net",
    name="A²-Net double attention",
    family="self-attention",
    goals=(Goal.SAVING, Goal.LONG_RANGE, Goal.WHOLE),
    growth=Growth("O(N)", 1.0),
    paper=Paper(
        title="A^2-Nets: Double Attention Networks",
        authors="Chen, Kalantidis, Li, Yan, Feng",
        venue="NeurIPS",
        year=2018,
        arxiv="1810.11579",
    ),
    variants={
        "": lambda channels: DoubleAttention(channels, channels // 2, 6),
        "no_reconstruct": lambda channels: DoubleAttention(channels, channels, 5, False),
        "residual": lambda channels: ResidualDoubleAttention(channels, channels // 2, 6),
    },
    references={
        "DoubleAttentionLayer": Reference(
            build=_original,
            positional=("in_channels", "c_m", "c_n"),
            attention={
                "gather": "gather",
                "distribute": Derived(("distribute",), lambda take: take.transpose(1, 2)),
                "global_descriptors": Derived(("gather", "value"), _descriptors),
            },
            rename=(
                (r"^convA\.", "value."),
                (r"^convB\.", "give."),
                (r"^convV\.", "take."),
                (r"^conv_reconstruct\.", "reconstruct."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
