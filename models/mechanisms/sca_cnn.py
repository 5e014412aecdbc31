"""SCA-CNN: one budget shared out over the channels, another over the places.

Idea
    Made for describing pictures in words: before each word the network decides, knowing what it
    has said so far, which channels matter (what) and which places (where). Both decisions are
    shares of a whole, so that more for one is less for the others.

Equation
    beta = softmax over channels of U1 . tanh(w v_c + b1 + D1 h),  v_c = mean over places of x_c
    x' = beta_c C x
    alpha = softmax over places of U2 . tanh(W2 x'_p + b2 + D2 h),  y = alpha_p N x'
    (paper: section 3, the channel-wise attention before the spatial one, "C-S"; the other order is
    ``space_first``). h is the state of the language model; without one (``state=0``) the picture
    alone decides. beta passes ``channel.attention``, alpha ``spatial.attention``; w and W2 are
    their ``project``, U their ``score``, D their ``told``. The factors C and N, the numbers of
    channels and of places, are the authors' code: the mean weight is then 1 and not 1/C. The
    paper's last bias before each softmax changes nothing and is left out. In the second of the two
    layers that attend, the authors' code adds D1 h to U1 before the product, for want of a
    parenthesis; neither the reference numbers nor this file repeat that.

Reading the map
    The bars sum to 1 over all channels, the map over all places: what counts is the ratio to an
    even share, 1/C or 1/N. A channel at twice its even share is doubled.

Limits
    All channels are scored by one and the same small network that sees nothing of a channel but
    its mean: two channels with one mean get one weight. A softmax over hundreds of channels that
    are alike is nearly even, and one strong channel can take almost everything.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Claim,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)

Feature = Float[Tensor, "batch channel row column"]
State = Float[Tensor, "batch state"]
Shares = Float[Tensor, "batch channel"]
Map = Float[Tensor, "batch 1 row column"]


class _Scored(AttentionBlock):
    """Shared by both: a score from a projection and, if there is one, the state.

    Args:
        given: numbers that describe what is scored.
        hidden: K, the width of the tanh.
        state: numbers of the language model's state; 0 for none.
    """

    claim = Claim.SIMPLEX
    identity = None

    def __init__(self, given: int, hidden: int, state: int) -> None:
        super().__init__()
        if hidden < 1 or state < 0:
            raise ValueError(f"expected hidden >= 1 and state >= 0, received {hidden}, {state}")
        self.project = nn.Parameter(torch.empty(given, hidden))
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.told = nn.Parameter(torch.empty(state, hidden)) if state else None
        self.score = nn.Parameter(torch.empty(hidden, 1))
        for weight in (self.project, self.told, self.score):
            if weight is not None:
                nn.init.xavier_uniform_(weight)

    def _scores(
        self, described: Float[Tensor, "batch item given"], state: tuple[State, ...]
    ) -> Float[Tensor, "batch item"]:
        inner = described @ self.project + self.bias
        if self.told is not None:
            if len(state) != 1:
                raise ValueError(f"expected one state, received {len(state)}")
            inner = inner + (state[0] @ self.told).unsqueeze(1)
        return (inner.tanh() @ self.score).squeeze(2)


class ChannelShare(_Scored):
    """Scale each channel by its share of one budget (Chen et al., channel-wise attention).

    Args:
        hidden: K, the width of the tanh.
        state: numbers of the language model's state; 0 for none.
    """

    kind = Kind.CHANNEL_GATE
    formula: ClassVar[str] = "β = softmax_c(U · tanh(w mean(x_c) + b + D h));  y = C β · x"

    def __init__(self, hidden: int, state: int = 0) -> None:
        super().__init__(1, hidden, state)

    def attention_of(self, x: Feature, *state: State) -> Shares:
        """Return the shares, which sum to 1 over the channels."""
        return self._scores(x.mean(dim=(2, 3)).unsqueeze(2), state).softmax(dim=1)

    def apply_attention(self, attention: Shares, x: Feature, *state: State) -> Feature:
        """Return x with each channel scaled by its share over an even share."""
        return x * (attention * x.shape[1])[:, :, None, None]


class SpatialShare(_Scored):
    """Scale each place by its share of one budget (Chen et al., spatial attention).

    Args:
        channels: channels of x.
        hidden: K, the width of the tanh.
        state: numbers of the language model's state; 0 for none.
    """

    kind = Kind.SPATIAL_GATE
    formula: ClassVar[str] = "α = softmax_p(U · tanh(W x_p + b + D h));  y = N α · x"

    def __init__(self, channels: int, hidden: int, state: int = 0) -> None:
        super().__init__(channels, hidden, state)

    def attention_of(self, x: Feature, *state: State) -> Map:
        """Return the shares, which sum to 1 over the places."""
        scores = self._scores(x.flatten(2).transpose(1, 2), state)
        return scores.softmax(dim=1).reshape(-1, 1, *x.shape[2:])

    def apply_attention(self, attention: Map, x: Feature, *state: State) -> Feature:
        """Return x with each place scaled by its share over an even share."""
        return x * (attention * attention[0].numel())


class SpatialChannelAttention(nn.Module):
    """Return x under both gates, channels first unless told otherwise (Chen et al., section 3).

    Args:
        channels: channels of x.
        hidden: K, the width of both tanh.
        state: numbers of the language model's state; 0 for none.
        space_first: weigh places before channels ("S-C").
    """

    def __init__(
        self, channels: int, hidden: int, state: int = 0, space_first: bool = False
    ) -> None:
        super().__init__()
        self.channel = ChannelShare(hidden, state)
        self.spatial = SpatialShare(channels, hidden, state)
        self.space_first = space_first

    def forward(self, x: Feature, *state: State) -> Feature:
        if self.space_first:
            return self.channel(self.spatial(x, *state), *state)
        return self.spatial(self.channel(x, *state), *state)


def _captioner(variant: str, channels: int, hidden: int, state: int) -> SpatialChannelAttention:
    return SpatialChannelAttention(channels, hidden, state)


def _in_between(channels: int) -> SpatialChannelAttention:
    block = SpatialChannelAttention(channels, channels // 2)
    # The hosts' trunk was trained without gates: both share out evenly at first.
    for gate in (block.channel, block.spatial):
        nn.init.zeros_(gate.score)
    return block


_LAYER = "att_res5c_branch2b"
"""how the authors name the first layer that attends"""

MECHANISM = Mechanism(
    slug="sca_cnn",
    name="SCA-CNN",
    family="channel and spatial",
    goals=(Goal.REGIONS, Goal.CHANNELS),
    paper=Paper(
        title="SCA-CNN: Spatial and Channel-wise Attention in Convolutional Networks for Image "
        "Captioning",
        authors="Chen, Zhang, Xiao, Nie, Shao, Liu, Chua",
        venue="CVPR",
        year=2017,
        arxiv="1611.05594",
    ),
    variants={
        "": lambda channels: SpatialChannelAttention(channels, hidden=8, state=10),
        "unconditional": lambda channels: SpatialChannelAttention(channels, hidden=8),
        "space_first": lambda channels: SpatialChannelAttention(
            channels, hidden=8, space_first=True
        ),
    },
    references={
        "lstm_cond_layer/_step, lines computing alpha_1, alpha_2, context_branch2b": Reference(
            build=_captioner,
            positional=("channels", "hidden", "state"),
            sizes={
                "channels": (f"Wc_{_LAYER}_2", 0),
                "hidden": (f"Wc_{_LAYER}_2", 1),
                "state": (f"Wd_{_LAYER}_2", 0),
            },
            attention={"channel": "channel", "spatial": "spatial"},
            rename=(
                (rf"^Wc_{_LAYER}_1$", "channel.project"),
                (rf"^Wd_{_LAYER}_1$", "channel.told"),
                (rf"^b_{_LAYER}_1$", "channel.bias"),
                (rf"^U_{_LAYER}_1$", "channel.score"),
                (rf"^Wc_{_LAYER}_2$", "spatial.project"),
                (rf"^Wd_{_LAYER}_2$", "spatial.told"),
                (rf"^b_{_LAYER}_2$", "spatial.bias"),
                (rf"^U_{_LAYER}_2$", "spatial.score"),
            ),
            unused=r"^c_att",
        ),
    },
    inputs={"": lambda *map_shape: [map_shape, (map_shape[0], 10)]},
    plugs={"classifier": Plug(Placement.ONCE, _in_between)},
)
