"""DNL: a non-local block taken apart into what any place hears and what this place hears.

Idea
    The logits of a non-local block hold two things: which places matter to everybody (unary) and
    which matter to this one (pairwise), and in one softmax each spoils the other. Here each has a
    softmax of its own: the pairwise part compares features less their mean over the picture, the
    unary part is one map for all.

Equation
    A_p = softmax_j((q_i - mu_q) . (k_j - mu_k) / (sqrt(d) T)),  a_u = softmax_j(m . x_j)
    y_i = x_i + W (gamma sum_j A_p,ij v_j + sum_j a_u,j v_j)        (paper: section 3.3)
    q, k, v, m, W are ``query``, ``key``, ``value``, ``mask``, ``project``; T is the temperature.
    Both pass the tap ``attention`` as two heads: head 0 pairwise, head 1 unary. gamma, the root and
    T are the authors' code's; the paper adds both maps before multiplying. ``downsample`` pools
    what is asked 2 x 2. Without whitening and unary part it is the authors' non-local block.

Reading the map
    Point at a place: head 0 is its own row and sums to 1, head 1 is the row of everybody and sums
    to 1. What arrives is gamma times the first and all of the second. Compare head 0 of two places
    to see what this block adds to GCNet.

Limits
    What the unary head shows is learnt beside the pairwise one, not measured in it: it need not be
    what a plain non-local block would have heard. A small gamma makes a striking row of head 0
    count for little.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.affinities.shared import SharedRowAffinity, StackedAffinity
from models.affinity import PairwiseAffinity, ProductAffinity
from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
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
from models.tokens import Feature, places, tokens

AUTHORS_TEMPERATURE = 0.05


class DisentangledNonLocal(AttentionBlock):
    """Add to each place what it gathers for itself and what all gather alike (Yin et al.).

    Args:
        channels: channels of x.
        inner: channels of queries and keys, and of values where the result is projected.
        unary: whether there is a row for all places.
        whiten: whether queries and keys are compared less their mean over places.
        temperature: divides the logits of the pairwise part.
        subsample: pool keys and values 2 x 2 (an odd last row or column is dropped).
        project: whether the result is projected back from ``inner`` channels.
        norm: batch norm before the addition.

    Raises:
        ValueError: if ``inner`` or the temperature is not positive.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = (
        "Aᵢ = softmaxⱼ((qᵢ − μ_q) · (kⱼ − μ_k) / (√d T)), a = softmaxⱼ(m · xⱼ);  "
        "y = x + W (γ Σⱼ Aᵢⱼ vⱼ + Σⱼ aⱼ vⱼ)"
    )

    def __init__(
        self,
        channels: int,
        inner: int,
        unary: bool = True,
        whiten: bool = True,
        temperature: float = 1.0,
        subsample: bool = False,
        project: bool = True,
        norm: bool = False,
    ) -> None:
        super().__init__()
        if inner < 1 or temperature <= 0:
            raise ValueError(
                f"expected inner channels and a temperature above 0, received {inner} and "
                f"{temperature}"
            )
        self.subsample, self.whiten = subsample, whiten
        self.scale = inner**-0.5 / temperature
        self.pool = nn.MaxPool2d(2) if subsample else nn.Identity()
        self.query = nn.Conv2d(channels, inner, kernel_size=1)
        self.key = nn.Conv2d(channels, inner, kernel_size=1)
        self.value = nn.Conv2d(
            channels, inner if project else channels, kernel_size=1, bias=project
        )
        self.mask = nn.Conv2d(channels, 1, kernel_size=1) if unary else None
        self.gamma = nn.Parameter(torch.zeros(1))
        self.project = (
            nn.Conv2d(inner, channels, kernel_size=1, bias=False) if project else nn.Identity()
        )
        self.norm = nn.BatchNorm2d(channels) if norm else nn.Identity()

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return both parts as heads; raises ValueError where pooling leaves no key."""
        if self.subsample and min(x.shape[2:]) < 2:
            raise ValueError(f"expected at least 2 x 2 places to pool, received {tuple(x.shape)}")
        asked = self.pool(x)
        query, key = tokens(self.query(x)), tokens(self.key(asked))
        if self.whiten:
            query, key = (side - side.mean(dim=2, keepdim=True) for side in (query, key))
        pairwise = ProductAffinity(query, key, self.scale)
        if self.mask is None:
            return StackedAffinity((pairwise,))
        unary = SharedRowAffinity(self.mask(asked).flatten(2), query.shape[2])
        return StackedAffinity((pairwise, unary))

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Feature:
        """Return x + W (gamma A_p v + a_u v)."""
        value = tokens(self.value(self.pool(x))).expand(-1, attention.shape[1], -1, -1)
        own, *shared = attention.aggregate(value).split(1, dim=1)
        gathered = sum(shared, start=self.gamma * own)
        return x + self.norm(self.project(places(gathered, x)))

    def key_cells(self) -> int:
        return 2 if self.subsample else 1


_WHITENINGS: dict[tuple[str, ...], bool] = {(): False, ("channel",): True}


def _original(
    variant: str,
    inplanes: int,
    planes: int,
    downsample: bool = False,
    use_gn: bool = False,
    lr_mult: float | None = None,
    use_out: bool = True,
    out_bn: bool = False,
    whiten_type: Collection[str] = ("channel",),
    temperature: float = 1.0,
    with_gc: bool = False,
) -> DisentangledNonLocal:
    kinds = tuple(whiten_type)
    if kinds not in _WHITENINGS or use_gn:
        raise ValueError(
            f"expected whitening of {list(_WHITENINGS)} and a batch norm, received {kinds} and "
            f"use_gn {use_gn}"
        )
    return DisentangledNonLocal(
        inplanes,
        planes,
        unary=with_gc,
        whiten=_WHITENINGS[kinds],
        temperature=temperature,
        subsample=downsample,
        project=use_out,
        norm=out_bn,
    )


def _unary(attention: StackedAffinity) -> Float[Tensor, "batch 1 key"]:
    # Without a unary part the file has none either: what is returned is then compared with nothing.
    return attention.parts[-1].rows(torch.zeros(1, dtype=torch.long)).squeeze(1)


def _as_context(channels: int) -> DisentangledNonLocal:
    block = DisentangledNonLocal(channels, channels // 2, temperature=AUTHORS_TEMPERATURE)
    # What follows is trained too, so gamma need not start at 0: the pairwise part then learns
    # from the first step.
    nn.init.constant_(block.gamma, 0.5)
    return block


MECHANISM = Mechanism(
    slug="dnl",
    name="Disentangled non-local block",
    family="self-attention",
    goals=(Goal.REGIONS, Goal.LONG_RANGE),
    growth=Growth("O(N²)", 2.0),
    paper=Paper(
        title="Disentangled Non-Local Neural Networks",
        authors="Yin, Yao, Cao, Li, Zhang, Lin, Hu",
        venue="ECCV",
        year=2020,
        arxiv="2006.06668",
    ),
    variants={
        "": lambda channels: DisentangledNonLocal(channels, 8, project=False, temperature=0.5),
        "nonlocal": lambda channels: DisentangledNonLocal(
            channels, 8, unary=False, whiten=False, norm=True
        ),
        "out_bn": lambda channels: DisentangledNonLocal(channels, 8, subsample=True, norm=True),
    },
    references={
        "NonLocal2d_bn": Reference(
            build=_original,
            positional=(
                "inplanes",
                "planes",
                "downsample",
                "use_gn",
                "lr_mult",
                "use_out",
                "out_bn",
                "whiten_type",
                "temperature",
                "with_gc",
            ),
            attention={
                "pairwise": Derived(("",), lambda a: a.parts[0].dense().squeeze(1)),
                "unary": Derived(("",), _unary),
            },
            rename=(
                (r"^conv_(query|key|value|mask)\.", r"\1."),
                (r"^conv_out\.", "project."),
                (r"^out_bn\.", "norm."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
