"""PSANet: every place predicts from whom it collects and to whom it gives, by where they are.

Idea
    Non-local attention compares features. Here nothing is compared: each place looks at its own
    feature and predicts one number for every direction and distance. In one branch the number is
    how much it wants to hear from there (collect); in the other, how much it has to say to there
    (distribute).

Equation
    z_i = (1 / n) sum_j A_ij x_j   (paper: eq. 5, 6, 9)
    collect     A_i = softmax_j(M_i[j - i]),  M_i predicted at the place that hears
    distribute  A_i = softmax_j(M_j[i - j]),  M_j predicted at the place that speaks
    M are the masks of ``predict`` and ``predict_p``. A passes the taps ``collect.attention`` and
    ``distribute.attention``. The softmax, and n = 1, are the authors' later code; the paper divides
    by the number of places. What a mask does not reach has the logit 0: such places share an equal
    weight, which is kept as one number a row.

Reading the map
    Point at a place: collect shows whom it asks, distribute who speaks to it. Rows sum to 1. Where
    the mask ends the row goes on at one even level; compare it with what is inside.

Limits
    A place cannot know what is over there, only that something usually is: the rows follow the
    layout of scenes. Masks grow with the map, (2H - 1)(2W - 1) numbers at each place for a full
    reach; the compact form, one number for each place of a map of fixed size, is N x N by nature.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.affinities.windows import Size, Window, WindowAffinity
from models.affinity import DenseAffinity, PairwiseAffinity
from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Claim,
    Derived,
    Growth,
    Kind,
    Laid,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)
from models.tokens import places, tokens

Feature = Float[Tensor, "batch channel row column"]
Inner = Float[Tensor, "batch inner down across"]
Mask = Float[Tensor, "batch offset row column"]
Host = Float[Tensor, "batch _ _ _"]
"""a map before it was shrunk"""
Logits = Float[Tensor, "batch offset place"]


class PointwiseAttention(AttentionBlock):
    """Return what each place hears when masks over offsets say from whom (Zhao et al., eq. 5).

    Args:
        size: rows and columns of a mask, both odd; of a compact one, those of the map.
        compact: a mask has one number for each place of the map instead of each offset.
        softmax: weights of a row are positive and sum to 1.
        divisor: what sums are divided by; the number of entries of a mask by default.

    Raises:
        ValueError: if a mask over offsets has no middle.
    """

    kind = Kind.PLACE_AFFINITY
    formula: ClassVar[str] = "Aᵢ = softmaxⱼ(Mᵢ[j − i]);  zᵢ = Σⱼ Aᵢⱼ xⱼ / n"

    def __init__(
        self,
        size: Size,
        compact: bool = False,
        softmax: bool = True,
        divisor: float | None = 1.0,
    ) -> None:
        super().__init__()
        self.size, self.compact, self.softmax = size, compact, softmax
        self.window = None if compact else Window.centred(size)
        self.divisor = size[0] * size[1] if divisor is None else divisor
        self.claim = Claim.SIMPLEX if softmax else Claim.SIGNED
        self.mask = nn.Identity()

    def _logits(self, mask: Mask, window: Window) -> Logits:
        """Return, at the place that hears, the logit of each offset to the one that speaks."""
        return mask.flatten(2)

    def _compact_logits(self, mask: Mask) -> Float[Tensor, "batch hearing speaking"]:
        return mask.flatten(2).transpose(1, 2)

    def attention_of(self, x: Feature, mask: Mask, before: Host) -> PairwiseAffinity:
        """Return A; raises ValueError if a mask is not of the size that was said."""
        mask = self.mask(mask)
        size = (x.shape[2], x.shape[3])
        if mask.shape[1] != self.size[0] * self.size[1] or (self.compact and size != self.size):
            raise ValueError(f"expected masks of {self.size}, received {tuple(mask.shape)}")
        if self.window is None:
            logits = self._compact_logits(mask)
            weights = logits.softmax(dim=2) if self.softmax else logits
            return DenseAffinity(weights.unsqueeze(1))
        weights, rest = self._weights(self._logits(mask, self.window), self.window, size)
        return WindowAffinity(weights, self.window, size, size, rest)

    def _weights(
        self, logits: Logits, window: Window, size: Size
    ) -> tuple[Float[Tensor, "batch 1 offset place"], Float[Tensor, "batch 1 place"] | None]:
        inside = (window.keys(size, size) >= 0).to(logits.device)
        if not self.softmax:
            return (logits * inside).unsqueeze(1), None
        # Places that the mask does not reach have logit 0, and there may be some for any row.
        most = logits.masked_fill(~inside, 0).amax(dim=1, keepdim=True).clamp(min=0)
        powers = (logits - most).exp() * inside
        beyond = size[0] * size[1] - inside.sum(dim=0)
        total = powers.sum(dim=1, keepdim=True) + beyond * (-most).exp()
        rest = (-most).exp() / total
        return (powers / total).unsqueeze(1), rest

    def laid(self, *x: Tensor) -> Laid:
        """Return where the places of a shrunken map are: the middles of outer cells are kept."""
        own, host = ((each.shape[2], each.shape[3]) for each in (x[0], x[-1]))
        if own == host:
            return Laid(host)
        down, across = ((b - 1) / max(1, a - 1) for a, b in zip(own, host, strict=True))
        return Laid(host, (down, across), origin=((1 - down) / 2, (1 - across) / 2))

    def apply_attention(
        self, attention: PairwiseAffinity, x: Feature, mask: Mask, before: Host
    ) -> Feature:
        """Return A x / n."""
        return places(attention.aggregate(tokens(x)), x) / self.divisor


class PointwiseDistribution(PointwiseAttention):
    """The same with masks predicted by those who speak (Zhao et al., eq. 6)."""

    formula: ClassVar[str] = "Aᵢ = softmaxⱼ(Mⱼ[i − j]);  zᵢ = Σⱼ Aᵢⱼ xⱼ / n"

    def _logits(self, mask: Mask, window: Window) -> Logits:
        size = (mask.shape[2], mask.shape[3])
        index = window.keys(size, size).to(mask.device)
        # Who stands at an offset from me has me at the opposite one.
        opposite = mask.flip(1).flatten(2)
        return opposite.gather(2, index.clamp(min=0).expand(opposite.shape))

    def _compact_logits(self, mask: Mask) -> Float[Tensor, "batch hearing speaking"]:
        return mask.flatten(2)


def _conv_norm_relu(channels: int, out: int) -> nn.Sequential:
    conv = nn.Conv2d(channels, out, kernel_size=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())


def _predictor(inner: int, entries: int) -> nn.Sequential:
    last = nn.Conv2d(inner, entries, kernel_size=1, bias=False)
    return nn.Sequential(*_conv_norm_relu(inner, inner), last)


class PSA(nn.Module):
    """Return x beside what its places collected and were given (figure 4 of the paper).

    Args:
        channels: channels of x; the result has twice as many.
        inner: channels of what is passed on.
        mask: rows and columns of the masks.
        collect: have the collecting branch.
        distribute: have the distributing branch.
        compact: masks have one number for each place of a map of that size.
        softmax: weights of a row are positive and sum to 1.
        divisor: what sums are divided by; the number of entries of a mask by default.
        shrink: by how much the map is made smaller before.

    Raises:
        ValueError: if there is no branch.
    """

    def __init__(
        self,
        channels: int,
        inner: int,
        mask: Size,
        collect: bool = True,
        distribute: bool = True,
        compact: bool = False,
        softmax: bool = True,
        divisor: float | None = 1.0,
        shrink: int = 1,
    ) -> None:
        super().__init__()
        if not (collect or distribute) or shrink < 1:
            raise ValueError("expected at least one branch, and a map that is not enlarged")
        self.shrink = shrink
        entries = mask[0] * mask[1]
        branches: list[PointwiseAttention] = []
        if collect:
            self.collect = PointwiseAttention(mask, compact, softmax, divisor)
            branches.append(self.collect)
        if distribute:
            self.distribute = PointwiseDistribution(mask, compact, softmax, divisor)
            branches.append(self.distribute)
        self.reduce, self.predict = _conv_norm_relu(channels, inner), _predictor(inner, entries)
        if len(branches) > 1:
            self.reduce_p = _conv_norm_relu(channels, inner)
            self.predict_p = _predictor(inner, entries)
        self.project = _conv_norm_relu(inner * len(branches), channels)

    def _resized(self, x: Inner, size: Size) -> Float[Tensor, "batch inner _ _"]:
        return F.interpolate(x, size=size, mode="bilinear", align_corners=True)

    def _branch(
        self, block: PointwiseAttention, x: Feature, reduce: nn.Module, predict: nn.Module
    ) -> Inner:
        before = inner = reduce(x)
        if self.shrink > 1:
            rows, columns = ((side - 1) // self.shrink + 1 for side in x.shape[2:])
            inner = self._resized(inner, (rows, columns))
        # The map before it was shrunk says where the shrunken one's places are.
        return block(inner, predict(inner), before)

    def context(self, x: Feature) -> Feature:
        """Return what places collected and were given, in as many channels as x has."""
        layers = [(self.reduce, self.predict)]
        if hasattr(self, "predict_p"):
            layers.append((self.reduce_p, self.predict_p))
        blocks = [getattr(self, n) for n in ("collect", "distribute") if hasattr(self, n)]
        found = [self._branch(block, x, *pair) for block, pair in zip(blocks, layers, strict=True)]
        made = self.project(torch.cat(found, dim=1))
        return self._resized(made, (x.shape[2], x.shape[3])) if self.shrink > 1 else made

    def forward(self, x: Feature) -> Float[Tensor, "batch doubled row column"]:
        return torch.cat([x, self.context(x)], dim=1)


class PointwiseContext(nn.Module):
    """Return x joined with what its places collected and were given.

    Args:
        channels: channels of x and of the result.
        mask: rows and columns of the masks.
    """

    def __init__(self, channels: int, mask: Size = (13, 13)) -> None:
        super().__init__()
        self.attend = PSA(channels, channels // 2, mask)
        self.join = _conv_norm_relu(2 * channels, channels)

    def forward(self, x: Feature) -> Feature:
        return self.join(self.attend(x))


def _module(
    variant: str,
    in_channels: int,
    mid_channels: int,
    psa_type: int = 2,
    compact: bool = False,
    shrink_factor: int = 2,
    mask_h: int = 59,
    mask_w: int = 59,
    normalization_factor: float | None = 1.0,
    psa_softmax: bool = True,
) -> PSA:
    if psa_type not in (0, 1, 2):
        raise ValueError(f"expected a psa_type of 0, 1 or 2, received {psa_type}")
    return PSA(
        in_channels,
        mid_channels,
        (mask_h, mask_w),
        psa_type != 1,
        psa_type != 0,
        compact,
        psa_softmax,
        normalization_factor,
        shrink_factor,
    )


def _by_speaker(affinity: PairwiseAffinity) -> Tensor:
    # The authors' matrices have the place that speaks first.
    return affinity.dense().squeeze(1).transpose(1, 2)


MECHANISM = Mechanism(
    slug="psanet",
    name="PSANet point-wise spatial attention",
    family="self-attention",
    goals=(Goal.LONG_RANGE,),
    growth=Growth("O(N²)", 2.0),
    paper=Paper(
        title="PSANet: Point-wise Spatial Attention Network for Scene Parsing",
        authors="Zhao, Zhang, Liu, Shi, Loy, Lin, Jia",
        venue="ECCV",
        year=2018,
    ),
    variants={
        "": lambda channels: PointwiseContext(channels, mask=(5, 7)),
        "collect": lambda channels: PSA(channels, 8, (3, 5), distribute=False),
        "distribute": lambda channels: PSA(channels, 8, (3, 5), collect=False),
        "plain": lambda channels: PSA(channels, 8, (5, 3), softmax=False, divisor=None, shrink=2),
    },
    references={
        "PSA": Reference(
            build=_module,
            positional=("in_channels", "mid_channels", "psa_type", "compact", "shrink_factor"),
            attention={
                "collect": Derived(("collect.attention",), _by_speaker),
                "distribute": Derived(("distribute.attention",), _by_speaker),
                "raw_mask.collect": "collect.mask",
                "raw_mask.distribute": "distribute.mask",
            },
            rename=(
                (r"^attention\.", "predict."),
                (r"^attention_p\.", "predict_p."),
                (r"^proj\.", "project."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, PointwiseContext)},
)
