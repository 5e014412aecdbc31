"""DANet: attention between places and attention between channels, side by side.

Idea
    For labelling every pixel, two kinds of context help: which places look like this one, and
    which channels respond together. The position module answers the first, the channel module the
    second; the head adds what both return.

Equation
    Position: A_i = softmax_j(Wq x_i . Wk x_j),  y = gamma sum_j A_ij Wv x_j + x   (paper: eq. 1, 2)
    Channel:  E = X X^T,  A_c = softmax_k(max(E_c) - E_ck),  y = gamma A X + x     (paper: eq. 3, 4)
    Wq, Wk, Wv are ``query``, ``key``, ``value``. The minus sign is the authors' code: the most
    similar channel gets the least weight; the paper's equation 3 has softmax(E). Neither is scaled.

Reading the map
    Position: point at a place, its row over all places sums to 1. Channel: pick a channel, its row
    over all channels sums to 1; bars, since channels have no place. gamma says how much of either
    reaches the output; at 0 the module does nothing, whatever its rows look like.

Limits
    The channel module has no learnt projections and, being unscaled, its rows are nearly one-hot
    where features are large. Rows of the position module tend to be alike for all places of one
    class, and for trained networks sometimes for all places.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.affinity import DenseAffinity, PairwiseAffinity, ProductAffinity
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

Feature = Float[Tensor, "batch channel row column"]
Inner = Float[Tensor, "batch inner row column"]
Scores = Float[Tensor, "batch class row column"]


def _tokens(x: Feature) -> Float[Tensor, "batch 1 place channel"]:
    return x.flatten(2).transpose(1, 2).unsqueeze(1)


class PositionAttentionModule(AttentionBlock):
    """Add to each place a learnt share of what it gathers from all places (Fu et al., eq. 1-2).

    Args:
        channels: channels of x; queries and keys have an eighth of them.

    Raises:
        ValueError: if there are fewer than 8 channels.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "Aᵢ = softmaxⱼ(Wq xᵢ · Wk xⱼ);  y = γ Σⱼ Aᵢⱼ Wv xⱼ + x"

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 8:
            raise ValueError(f"expected at least 8 channels, received {channels}")
        self.query = nn.Conv2d(channels, channels // 8, kernel_size=1)
        self.key = nn.Conv2d(channels, channels // 8, kernel_size=1)
        self.value = nn.Conv2d(channels, channels, kernel_size=1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return A as its factors."""
        return ProductAffinity(_tokens(self.query(x)), _tokens(self.key(x)))

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Feature:
        """Return gamma (A Wv x) + x."""
        gathered = attention.aggregate(_tokens(self.value(x)))
        return self.gamma * gathered.squeeze(1).transpose(1, 2).reshape(x.shape) + x


class ChannelAttentionModule(AttentionBlock):
    """Add to each channel a learnt share of a mixture of all channels (Fu et al., eq. 3-4)."""

    kind = Kind.CHANNEL_AFFINITY
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "A_c = softmax_k(max_k E_ck − E_ck), E = X Xᵀ;  y = γ A X + x"

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return the channel by channel matrix A."""
        flat = x.flatten(2).unsqueeze(1)
        energy = flat @ flat.transpose(-2, -1)
        return DenseAffinity((energy.amax(dim=-1, keepdim=True) - energy).softmax(dim=-1))

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Feature:
        """Return gamma (A X) + x."""
        mixed = attention.aggregate(x.flatten(2).unsqueeze(1))
        return self.gamma * mixed.reshape(x.shape) + x


def _conv_norm_relu(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


class DualAttention(nn.Module):
    """Return the features of the position branch and of the channel branch (figure 2).

    Args:
        channels: channels of x.
        inner: channels of both branches; the paper's is channels // 4.
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.position_in = _conv_norm_relu(channels, inner)
        self.position = PositionAttentionModule(inner)
        self.position_out = _conv_norm_relu(inner, inner)
        self.channel_in = _conv_norm_relu(channels, inner)
        self.channel = ChannelAttentionModule()
        self.channel_out = _conv_norm_relu(inner, inner)

    def branches(self, x: Feature) -> tuple[Inner, Inner]:
        """Return (position features, channel features)."""
        position = self.position_out(self.position(self.position_in(x)))
        channel = self.channel_out(self.channel(self.channel_in(x)))
        return position, channel

    def forward(self, x: Feature) -> Inner:
        position, channel = self.branches(x)
        return position + channel


class DANetHead(nn.Module):
    """Return (fused, position, channel) class scores: the whole head of the paper.

    Args:
        channels: channels of x.
        classes: number of classes.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        inner = channels // 4
        self.dual = DualAttention(channels, inner)
        self.classify_position = self._classifier(inner, classes)
        self.classify_channel = self._classifier(inner, classes)
        self.classify_sum = self._classifier(inner, classes)

    @staticmethod
    def _classifier(inner: int, classes: int) -> nn.Sequential:
        return nn.Sequential(nn.Dropout2d(0.1), nn.Conv2d(inner, classes, kernel_size=1))

    def forward(self, x: Feature) -> tuple[Scores, Scores, Scores]:
        position, channel = self.dual.branches(x)
        return (
            self.classify_sum(position + channel),
            self.classify_position(position),
            self.classify_channel(channel),
        )


def _head(variant: str, in_channels: int, out_channels: int, norm_layer: Any = None) -> DANetHead:
    return DANetHead(in_channels, out_channels)


_POSITION = ((r"^query_conv\.", "query."), (r"^key_conv\.", "key."), (r"^value_conv\.", "value."))


def _as_context(channels: int) -> DualAttention:
    block = DualAttention(channels, channels)
    # What follows is trained too, so gamma need not start at 0: both affinities then learn from
    # the first step.
    for module in (block.position, block.channel):
        nn.init.constant_(module.gamma, 0.5)
    return block


MECHANISM = Mechanism(
    slug="danet",
    name="DANet dual attention",
    family="self-attention",
    goals=(Goal.LONG_RANGE, Goal.CHANNELS),
    growth=Growth("O(N²)", 2.0),
    paper=Paper(
        title="Dual Attention Network for Scene Segmentation",
        authors="Fu, Liu, Tian, Li, Bao, Fang, Lu",
        venue="CVPR",
        year=2019,
        arxiv="1809.02983",
    ),
    variants={
        "position": PositionAttentionModule,
        "channel": lambda channels: ChannelAttentionModule(),
        "head": lambda channels: DANetHead(channels, classes=5),
    },
    references={
        "PAM_Module": Reference(
            build=lambda variant, in_dim: PositionAttentionModule(in_dim),
            positional=("in_dim",),
            attention={"affinity": ""},
            rename=_POSITION,
        ),
        "CAM_Module": Reference(
            build=lambda variant, in_dim: ChannelAttentionModule(),
            positional=("in_dim",),
            attention={"affinity": ""},
        ),
        "DANetHead": Reference(
            build=_head,
            positional=("in_channels", "out_channels", "norm_layer"),
            attention={"position": "dual.position", "channel": "dual.channel"},
            rename=(
                (r"^conv5a\.", "dual.position_in."),
                (r"^conv5c\.", "dual.channel_in."),
                (r"^conv51\.", "dual.position_out."),
                (r"^conv52\.", "dual.channel_out."),
                (r"^conv6\.", "classify_position."),
                (r"^conv7\.", "classify_channel."),
                (r"^conv8\.", "classify_sum."),
                *(
                    (pattern.replace("^", r"^sa\."), f"dual.position.{ours}")
                    for pattern, ours in _POSITION
                ),
                (r"^sa\.gamma$", "dual.position.gamma"),
                (r"^sc\.gamma$", "dual.channel.gamma"),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
