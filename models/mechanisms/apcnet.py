"""APCNet: each place weighs the regions of a coarse grid, seeing itself and the whole picture.

Idea
    Pyramid pooling gives every place the same means of regions. Here each place decides, from its
    own features and the mean of the whole picture, how much it takes of which region; several
    grids, from one cell to 6 x 6, make a pyramid.

Equation
    y_r = conv(mean of x over region r),  A = sigmoid(W (x' + g)),  g = conv(mean of x')
    z = [conv](ReLU(conv(A y) + x'))                         (paper: section 3.2; eq. 2-5)
    x' is ``reduce`` of x, y is ``pooled`` of the means, g is ``summary``, W is ``weigh.affinity``,
    the last two are ``residual`` and ``fusion``. Every "conv" is 1 x 1 with norm and ReLU. A passes
    the tap ``weigh.attention``: a row over the s x s regions for each place.

Reading the map
    Point at a place: a coarse map, one value in 0..1 for each region. It is a sigmoid and not a
    softmax: a row may be high everywhere or nowhere, and its sum says how much context is taken.

Limits
    A row is over regions, not places: what is inside one is pooled before, and is put through a
    norm and a ReLU, so that no weights over places would give back the result. Where a side of the
    map is not a multiple of s, regions overlap in a line of places, and drawn cells are a little
    off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.affinities.low_rank import LowRankAffinity
from models.affinity import PairwiseAffinity
from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Claim,
    Growth,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)
from models.tokens import Feature, Result, conv_norm_relu, places, tokens

Regions = Float[Tensor, "batch channel down across"]
AUTHORS_SIDES = (1, 2, 3, 6)


class RegionWeights(AttentionBlock):
    """Return for each place the regions' features as it weighs them (He et al., eq. 2-4).

    Args:
        channels: channels of x and of the regions.
        side: regions along each side.

    Raises:
        ValueError: if there is no region.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.UNIT
    formula: ClassVar[str] = "A = σ(W (x + conv(mean x)));  y = Σᵣ Aᵣ yᵣ"

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        if side < 1:
            raise ValueError(f"expected at least 1 region, received {side}")
        self.side = side
        self.summary = conv_norm_relu(channels, channels)
        self.affinity = nn.Conv2d(channels, side * side, kernel_size=1)

    def attention_of(self, x: Feature, regions: Regions) -> PairwiseAffinity:
        """Return A of the places of x over the regions."""
        summary = self.summary(F.adaptive_avg_pool2d(x, 1))
        weights = tokens(self.affinity(x + summary).sigmoid())
        # Regions are their own bases: what gives to each is that region alone.
        alone = torch.eye(self.side**2, dtype=x.dtype, device=x.device)
        return LowRankAffinity(weights, alone.expand(len(x), 1, -1, -1))

    def apply_attention(self, attention: PairwiseAffinity, x: Feature, regions: Regions) -> Feature:
        """Return A y."""
        return places(attention.aggregate(tokens(regions)), x)

    def key_grid(self, rows: int, columns: int) -> tuple[int, int]:
        return self.side, self.side


class AdaptiveContext(nn.Module):
    """Return narrowed features with the context that each place takes (the paper's ACM).

    Args:
        channels: channels of x.
        out: channels of the result.
        side: regions along each side.
        fusion: one more convolution behind the sum.
        eps: of the norms.
    """

    def __init__(
        self, channels: int, out: int, side: int, fusion: bool = True, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.reduce = conv_norm_relu(channels, out, eps=eps)
        self.pooled = conv_norm_relu(channels, out, eps=eps)
        self.weigh = RegionWeights(out, side)
        self.residual = conv_norm_relu(out, out, eps=eps)
        self.fusion = conv_norm_relu(out, out, eps=eps) if fusion else nn.Identity()

    def forward(self, x: Feature) -> Result:
        regions = self.pooled(F.adaptive_avg_pool2d(x, self.weigh.side))
        reduced = self.reduce(x)
        gathered = self.residual(self.weigh(reduced, regions))
        return self.fusion((gathered + reduced).relu())


class AdaptivePyramid(nn.Module):
    """Return x joined with adaptive contexts of several grids (figure 2).

    Args:
        channels: channels of x and of the result.
        inner: channels of each context.
        sides: regions along each side of the grids.
    """

    def __init__(self, channels: int, inner: int, sides: Sequence[int] = AUTHORS_SIDES) -> None:
        super().__init__()
        self.contexts = nn.ModuleList(AdaptiveContext(channels, inner, side) for side in sides)
        self.join = conv_norm_relu(channels + inner * len(sides), channels)

    def forward(self, x: Feature) -> Feature:
        return self.join(torch.cat([x, *(context(x) for context in self.contexts)], dim=1))


_BATCH_NORMS = {"BN", "BN2d", "SyncBN"}


def _original(
    variant: str,
    pool_scale: int,
    fusion: bool,
    in_channels: int,
    channels: int,
    conv_cfg: None = None,
    norm_cfg: Mapping[str, Any] | None = None,
    act_cfg: Mapping[str, Any] | None = None,
) -> AdaptiveContext:
    norm = (norm_cfg or {}).get("type")
    activation = (act_cfg or {}).get("type")
    if norm not in _BATCH_NORMS or activation != "ReLU" or conv_cfg is not None:
        raise ValueError(
            "expected plain convolutions with a batch norm and a ReLU, received "
            f"{conv_cfg}, {norm_cfg} and {act_cfg}"
        )
    eps = float((norm_cfg or {}).get("eps", 1e-5))
    module = AdaptiveContext(in_channels, channels, pool_scale, fusion, eps)
    for part in module.weigh.summary:
        if isinstance(part, nn.BatchNorm2d):
            part.eps = eps
    return module


def _as_context(channels: int) -> AdaptivePyramid:
    return AdaptivePyramid(channels, channels // len(AUTHORS_SIDES))


def _convolutions(names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (rf"^{theirs}\.{part}\.", f"{ours}.{index}.")
        for theirs, ours in names.items()
        for index, part in enumerate(("conv", "bn"))
    )


MECHANISM = Mechanism(
    slug="apcnet",
    name="APCNet adaptive context",
    family="self-attention",
    goals=(Goal.LONG_RANGE, Goal.WINDOW),
    growth=Growth("O(N s², s regions a side)", 1.0),
    paper=Paper(
        title="Adaptive Pyramid Context Network for Semantic Segmentation",
        authors="He, Deng, Zhou, Wang, Qiao",
        venue="CVPR",
        year=2019,
    ),
    variants={
        "": lambda channels: AdaptiveContext(channels, channels // 2, side=3),
        "scale2_nofusion": lambda channels: AdaptiveContext(
            channels, channels // 2, side=2, fusion=False
        ),
        "pyramid": lambda channels: AdaptivePyramid(channels, channels // 4, (2, 3)),
    },
    references={
        "ACM": Reference(
            build=_original,
            positional=(
                "pool_scale",
                "fusion",
                "in_channels",
                "channels",
                "conv_cfg",
                "norm_cfg",
                "act_cfg",
            ),
            attention={"affinity": "weigh"},
            rename=(
                *_convolutions(
                    {
                        "pooled_redu_conv": "pooled",
                        "input_redu_conv": "reduce",
                        "global_info": "weigh.summary",
                        "residual_conv": "residual",
                        "fusion_conv": "fusion",
                    }
                ),
                (r"^gla\.", "weigh.affinity."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
