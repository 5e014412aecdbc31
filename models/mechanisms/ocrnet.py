"""OCRNet: places are gathered into regions, and every place listens to the regions.

Idea
    What a place belongs to says more than what it looks like. A first, coarse labelling says how
    much each place is of each class; the features of a class are the mean of its places; then
    every place takes from the classes that suit it.

Equation
    f_k = sum_i M_ki x_i,  M_k = softmax over places of m_k                (paper: eq. 4)
    w_i = softmax over k of phi(x_i) . psi(f_k) / sqrt(d)                  (eq. 6)
    y_i = rho(sum_k w_ik delta(f_k)),  z = g([y ; x])                      (eq. 5, 3)
    m are the coarse scores. M passes ``gather.attention``, f the tap ``objects``, w passes
    ``relate.attention``; phi and psi are ``place`` and ``object`` of ``relate``, delta is
    ``value``, rho ``project``, and g is ``join``.

Reading the map
    Point at a region: M shows where its features come from, a map that sums to 1. Point at a place:
    w says how much it takes of each region, summing to 1. Together they make the implied row
    (``implied_rows``): how much of each other place reaches this one before delta, which is not
    linear, bends it.

Limits
    There are as many kinds of context as regions. In the paper the coarse scores are trained with
    labels of their own; without such a loss (``SoftRegions``) regions are whatever helps, and need
    not be classes. Two places with the same w hear exactly the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.affinities.low_rank import LowRankAffinity
from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Auxiliary,
    Claim,
    Growth,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)
from models.taps import Tap

Feature = Float[Tensor, "batch channel row column"]
Scores = Float[Tensor, "batch region row column"]
Objects = Float[Tensor, "batch channel region"]
Joined = Float[Tensor, "batch out row column"]


class GatherRegions(AttentionBlock):
    """Return the mean feature of each region, by how much places are of it (Yuan et al., eq. 4)."""

    kind = Kind.GATHERING
    noun = "region"
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "Mₖ = softmaxᵢ(mₖᵢ);  fₖ = Σᵢ Mₖᵢ xᵢ"
    identity = None

    def attention_of(self, x: Feature, scores: Scores) -> Float[Tensor, "batch region place"]:
        """Return M."""
        return scores.flatten(2).softmax(dim=2)

    def apply_attention(
        self, attention: Float[Tensor, "batch region place"], x: Feature, scores: Scores
    ) -> Objects:
        """Return f = M x."""
        return x.flatten(2) @ attention.transpose(1, 2)


def _layers(channels: int, out: int, count: int, bias: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(count):
        conv = nn.Conv2d(out if index else channels, out, kernel_size=1, bias=bias)
        layers += [conv, nn.Sequential(nn.BatchNorm2d(out), nn.ReLU())]
    return nn.Sequential(*layers)


class RelateRegions(AttentionBlock):
    """Return what each place takes from the regions that suit it (Yuan et al., eq. 5-6).

    Args:
        channels: channels of x and of the regions.
        inner: channels in which they are compared.
        bias: whether the convolutions have one.
    """

    kind = Kind.ASSIGNMENT
    noun = "region"
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "wᵢ = softmaxₖ(φ(xᵢ) · ψ(fₖ) / √d);  yᵢ = ρ(Σₖ wᵢₖ δ(fₖ))"
    identity = None

    def __init__(self, channels: int, inner: int, bias: bool = False) -> None:
        super().__init__()
        self.scale = inner**-0.5
        self.place = _layers(channels, inner, 2, bias)
        self.object = _layers(channels, inner, 2, bias)
        self.value = _layers(channels, inner, 1, bias)
        self.project = _layers(inner, channels, 1, bias)

    def attention_of(self, x: Feature, objects: Objects) -> Float[Tensor, "batch place region"]:
        """Return w."""
        places = self.place(x).flatten(2).transpose(1, 2)
        regions = self.object(objects.unsqueeze(3)).squeeze(3)
        return (self.scale * places @ regions).softmax(dim=2)

    def apply_attention(
        self, attention: Float[Tensor, "batch place region"], x: Feature, objects: Objects
    ) -> Feature:
        """Return rho(w delta(f))."""
        values = self.value(objects.unsqueeze(3)).squeeze(3)
        gathered = values @ attention.transpose(1, 2)
        return self.project(gathered.unflatten(2, x.shape[2:]))


def implied_rows(
    gathered: Float[Tensor, "batch region place"], taken: Float[Tensor, "batch place region"]
) -> LowRankAffinity:
    """Return how much of each place reaches each place, through the regions.

    Args:
        gathered: M, what passed ``gather.attention``.
        taken: w, what passed ``relate.attention``.
    """
    return LowRankAffinity(taken.unsqueeze(1), gathered.transpose(1, 2).unsqueeze(1))


class ObjectContext(nn.Module):
    """Return features joined with those of the regions that each place takes from (eq. 3).

    Args:
        channels: channels of x.
        inner: channels in which places and regions are compared.
        out: channels of the result.
        bias: whether the convolutions have one.
        dropout: share of channels dropped in training.
    """

    implies: ClassVar[tuple[str, ...]] = ("relate", "gather")
    implied_claim: ClassVar[Claim] = Claim.SIMPLEX
    note: ClassVar[str] = "through_regions"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "objects": Auxiliary(Kind.DESCRIPTORS, Claim.SIGNED)
    }

    def __init__(
        self, channels: int, inner: int, out: int, bias: bool = False, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.gather = GatherRegions()
        self.objects = Tap()
        self.relate = RelateRegions(channels, inner, bias)
        self.join = _layers(2 * channels, out, 1, bias)
        self.dropout = nn.Dropout2d(dropout)

    def implied_rows(
        self,
        taken: Float[Tensor, "batch place region"],
        gathered: Float[Tensor, "batch region place"],
    ) -> LowRankAffinity:
        """Return how much of each place reaches each place, through the regions."""
        return implied_rows(gathered, taken)

    def forward(self, x: Feature, scores: Scores) -> Joined:
        """Return the joined features of x, given coarse scores of every region."""
        objects = self.objects(self.gather(x, scores))
        context = self.relate(x, objects)
        return self.dropout(self.join(torch.cat([context, x], dim=1)))


class SoftRegions(nn.Module):
    """Return x with the context of regions that are found without labels of their own.

    Args:
        channels: channels of x and of the result.
        regions: how many there are.
    """

    def __init__(self, channels: int, regions: int = 16) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            # A bias would change nothing under a softmax over places.
            nn.Conv2d(channels, regions, kernel_size=1, bias=False),
        )
        self.context = ObjectContext(channels, channels // 2, channels)

    def forward(self, x: Feature) -> Feature:
        return self.context(x, self.score(x))


def _module(
    variant: str,
    cls_num: int,
    in_channels: int,
    key_channels: int,
    out_channels: int,
    scale: int = 1,
    dropout: float = 0.1,
    bias: bool = False,
) -> ObjectContext:
    if cls_num < 1 or scale != 1:
        raise ValueError(f"expected classes and scale 1, received {cls_num} and {scale}")
    return ObjectContext(in_channels, key_channels, out_channels, bias, dropout)


_BLOCK = r"^object_context_block\."

MECHANISM = Mechanism(
    slug="ocrnet",
    name="OCRNet object context",
    family="self-attention",
    goals=(Goal.LONG_RANGE,),
    growth=Growth("O(N K, K classes)", 1.0),
    paper=Paper(
        title="Object-Contextual Representations for Semantic Segmentation",
        authors="Yuan, Chen, Wang",
        venue="ECCV",
        year=2020,
        arxiv="1909.11065",
    ),
    variants={
        "": lambda channels: ObjectContext(channels, 8, channels),
        "regions": lambda channels: SoftRegions(channels, regions=5),
    },
    inputs={"": lambda batch, channels, *size: [(batch, channels, *size), (batch, 6, *size)]},
    references={
        "SpatialGather_Module + SpatialOCR_Module": Reference(
            build=_module,
            positional=("cls_num", "in_channels", "key_channels", "out_channels", "scale"),
            attention={
                "region": "gather",
                "object_representation": "objects",
                "relation": "relate",
            },
            rename=(
                (_BLOCK + r"f_pixel\.", "relate.place."),
                (_BLOCK + r"f_object\.", "relate.object."),
                (_BLOCK + r"f_down\.", "relate.value."),
                (_BLOCK + r"f_up\.", "relate.project."),
                (r"^conv_bn_dropout\.", "join."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, SoftRegions)},
)
