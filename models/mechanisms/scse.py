"""scSE: channels and places are weighed apart, and the larger result is kept.

Idea
    For labelling every pixel, where something is matters as much as what it is. Beside the gate
    for channels of Squeeze-and-Excitation stands its counterpart: one number for each place, from
    all channels at that place. Both work on the same input at once.

Equation
    s = sigmoid(W2 relu(W1 z + b1) + b2),  z_c = mean over places of x_c      (paper: cSE)
    q = sigmoid(w . x + b) at each place                                      (paper: sSE)
    y = max(s x, q x), element by element                                     (paper: scSE)
    s passes ``channel_gate.attention``, q passes ``spatial_gate.attention``. The authors' code
    takes the maximum, the paper's text adds the two: ``combine="sum"``.

Reading the map
    The bars say how much of each channel is let through by the one branch, the map how much of
    each place by the other, both in 0..1. Where x is positive the larger of the two weights
    decides, so a place passes if either the channel or the place is open.

Limits
    Where x is negative the maximum keeps the value nearer to zero, and so the smaller weight. The
    spatial gate looks at one place alone: it knows nothing of what is around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

COMBINE: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "max": torch.maximum,
    "sum": torch.add,
}
"""How the two results become one: the authors' code and the paper's text."""


class ChannelSqueezeExcitation(AttentionBlock):
    """Scale each channel by a gate in 0..1 made from all channel means (cSE).

    Args:
        channels: channels of x.
        hidden: width between the two linear maps; the paper's is channels // 2.

    Raises:
        ValueError: if ``hidden`` is not positive.
    """

    kind = Kind.CHANNEL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "s = σ(W₂ ReLU(W₁ mean(x)));  y = s · x"

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"expected at least 1 hidden channel, received {hidden}")
        self.reduce = nn.Linear(channels, hidden)
        self.expand = nn.Linear(hidden, channels)

    def attention_of(self, x: Feature) -> Float[Tensor, "batch channel"]:
        """Return the gate s, in 0..1."""
        return self.expand(self.reduce(x.mean(dim=(2, 3))).relu()).sigmoid()

    def apply_attention(self, attention: Float[Tensor, "batch channel"], x: Feature) -> Feature:
        """Return x with each channel scaled by its gate."""
        return x * attention[:, :, None, None]


class SpatialSqueezeExcitation(AttentionBlock):
    """Scale each place by a gate in 0..1 made from all channels there (sSE).

    Args:
        channels: channels of x.
    """

    kind = Kind.SPATIAL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "q = σ(w · x + b);  y = q · x"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, 1, kernel_size=1)

    def attention_of(self, x: Feature) -> Float[Tensor, "batch 1 row column"]:
        """Return the gate q, in 0..1."""
        return self.project(x).sigmoid()

    def apply_attention(
        self, attention: Float[Tensor, "batch 1 row column"], x: Feature
    ) -> Feature:
        """Return x with each place scaled by its gate."""
        return x * attention


class ConcurrentSqueezeExcitation(nn.Module):
    """Return what the channel gate and the spatial gate let through, joined (Roy et al., scSE).

    Args:
        channels: channels of x.
        hidden: width inside the channel gate.
        combine: "max" or "sum".

    Raises:
        ValueError: if ``combine`` is unknown.
    """

    def __init__(self, channels: int, hidden: int, combine: str = "max") -> None:
        super().__init__()
        if combine not in COMBINE:
            raise ValueError(f"expected to combine by {sorted(COMBINE)}, received {combine!r}")
        self.combine = combine
        self.channel_gate = ChannelSqueezeExcitation(channels, hidden)
        self.spatial_gate = SpatialSqueezeExcitation(channels)

    def forward(self, x: Feature) -> Feature:
        return COMBINE[self.combine](self.channel_gate(x), self.spatial_gate(x))


def _layer(
    variant: str, num_channels: int, reduction_ratio: int = 2
) -> ConcurrentSqueezeExcitation:
    return ConcurrentSqueezeExcitation(num_channels, num_channels // reduction_ratio)


def _in_residual_branch(channels: int) -> ConcurrentSqueezeExcitation:
    block = ConcurrentSqueezeExcitation(channels, max(8, channels // 8))
    # The hosts' trunk was trained without gates: both open at first (sigmoid(2) = 0.88).
    nn.init.constant_(block.channel_gate.expand.bias, 2.0)
    nn.init.constant_(block.spatial_gate.project.bias, 2.0)  # type: ignore[arg-type]
    return block


MECHANISM = Mechanism(
    slug="scse",
    name="scSE",
    family="channel and spatial",
    goals=(Goal.REGIONS, Goal.CHANNELS),
    paper=Paper(
        title="Concurrent Spatial and Channel Squeeze & Excitation in Fully Convolutional Networks",
        authors="Roy, Navab, Wachinger",
        venue="MICCAI",
        year=2018,
        arxiv="1803.02579",
    ),
    variants={
        "": lambda channels: ConcurrentSqueezeExcitation(channels, max(1, channels // 2)),
        "sum": lambda channels: ConcurrentSqueezeExcitation(
            channels, max(1, channels // 2), combine="sum"
        ),
    },
    references={
        "ChannelSpatialSELayer": Reference(
            build=_layer,
            positional=("num_channels", "reduction_ratio"),
            attention={"channel": "channel_gate", "spatial": "spatial_gate"},
            intermediate={"cse": "channel_gate", "sse": "spatial_gate"},
            rename=(
                (r"^cSE\.fc1\.", "channel_gate.reduce."),
                (r"^cSE\.fc2\.", "channel_gate.expand."),
                (r"^sSE\.conv\.", "spatial_gate.project."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.EVERY_RESIDUAL, _in_residual_branch)},
)
