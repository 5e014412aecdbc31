"""Triplet attention: three gates, each over two of the axes channel, row and column.

Idea
    CBAM's spatial gate looks along the channels and weighs rows and columns. The same can be done
    after rotating the feature map: look along the rows and weigh channels and columns, or along
    the columns and weigh rows and channels. Three such gates, with almost no parameters, let
    channels and places interact without squeezing the channels to one number each.

Equation
    gate(z) = sigmoid(BN(conv7x7([max z ; mean z])))   maximum and mean along the third axis
    y = (gate_cw x + gate_hc x + gate_hw x) / 3        (paper: section 3, "Z-pool" and its figure)
    gate_cw weighs channels and columns and passes ``cw.attention``, gate_hc rows and channels
    (``hc.attention``), gate_hw rows and columns (``hw.attention``: the gate of CBAM). Each has its
    own convolution. Without the last (``spatial=False``, as the authors allow) the sum is halved.

Reading the map
    The third gate is a map over the picture, in 0..1. The other two have channels along one side:
    a bright column of gate_cw is a column of the picture where one channel is let through, and
    says nothing about the row. No gate alone is what a place is scaled by; that is the mean of
    the three.

Limits
    The 7 x 7 window of a rotated gate also slides along the channels, whose order means nothing:
    neighbours there are neighbours by accident. A gate at 0 takes away a third at most, so nothing
    is ever silenced by one of them.
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
    Derived,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)
from models.mechanisms.cbam import SpatialAttentionModule

Feature = Float[Tensor, "batch channel row column"]

_AXES = ("channel", "row", "column")


class RotatedGate(AttentionBlock):
    """Scale x by a gate over two axes, made from maximum and mean along the third (section 3).

    Args:
        axes: the two axes of the gate, in its order, of "channel", "row" and "column".

    Raises:
        ValueError: if these are not two of them.
    """

    kind = Kind.ROTATED_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "g = σ(BN(conv7×7[max x ; mean x]));  y = g · x"

    def __init__(self, axes: tuple[str, str]) -> None:
        super().__init__()
        if len(axes) != 2 or len(set(axes)) != 2 or not set(axes) <= set(_AXES):
            raise ValueError(f"expected two of {_AXES}, received {axes}")
        self.axes = axes
        self.conv = nn.Conv2d(2, 1, kernel_size=7, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def _pooled_axis(self) -> int:
        return next(1 + index for index, name in enumerate(_AXES) if name not in self.axes)

    def _turned(self) -> bool:
        return _AXES.index(self.axes[0]) > _AXES.index(self.axes[1])

    def attention_of(self, x: Feature) -> Float[Tensor, "batch a b"]:
        """Return the gate over the two axes, in 0..1."""
        axis = self._pooled_axis()
        summary = torch.stack([x.amax(dim=axis), x.mean(dim=axis)], dim=1)
        if self._turned():
            summary = summary.transpose(2, 3)
        return self.norm(self.conv(summary)).squeeze(1).sigmoid()

    def apply_attention(self, attention: Float[Tensor, "batch a b"], x: Feature) -> Feature:
        """Return x times the gate, the same along the third axis."""
        gate = attention.transpose(1, 2) if self._turned() else attention
        return x * gate.unsqueeze(self._pooled_axis())


class TripletAttention(nn.Module):
    """Return the mean of x under its three gates (Misra et al., section 3).

    Args:
        spatial: whether the gate over rows and columns is one of them.
    """

    def __init__(self, spatial: bool = True) -> None:
        super().__init__()
        self.cw = RotatedGate(("channel", "column"))
        self.hc = RotatedGate(("row", "channel"))
        self.hw = SpatialAttentionModule() if spatial else None

    def forward(self, x: Feature) -> Feature:
        if self.hw is None:
            return (self.cw(x) + self.hc(x)) / 2
        return (self.cw(x) + self.hc(x) + self.hw(x)) / 3


def _original(variant: str, no_spatial: bool = False) -> TripletAttention:
    return TripletAttention(spatial=not no_spatial)


def _in_residual_branch(channels: int) -> TripletAttention:
    block = TripletAttention()
    # The hosts' trunk was trained without gates: they open at first.
    for gate in (block.cw, block.hc, block.hw):
        if gate is not None:
            nn.init.constant_(gate.norm.bias, 2.0)
    return block


def _with_pooled_axis(gate: Tensor) -> Tensor:
    return gate.unsqueeze(1)


MECHANISM = Mechanism(
    slug="triplet",
    name="Triplet attention",
    family="channel and spatial",
    goals=(Goal.REGIONS, Goal.CHANNELS, Goal.DOMAINS),
    paper=Paper(
        title="Rotate to Attend: Convolutional Triplet Attention Module",
        authors="Misra, Nalamada, Arasanipalai, Hou",
        venue="WACV",
        year=2021,
        arxiv="2010.03045",
    ),
    variants={
        "": lambda channels: TripletAttention(),
        "no_spatial": lambda channels: TripletAttention(spatial=False),
    },
    references={
        "TripletAttention": Reference(
            build=_original,
            positional=("no_spatial",),
            attention={
                "cw": Derived(("cw",), _with_pooled_axis),
                "hc": Derived(("hc",), _with_pooled_axis),
                "hw": "hw",
            },
            # The original turns the map until the axis that is pooled stands first.
            intermediate={
                "branch_cw": Derived(("cw",), lambda branch: branch.permute(0, 2, 1, 3)),
                "branch_hc": Derived(("hc",), lambda branch: branch.permute(0, 3, 2, 1)),
                "branch_hw": "hw",
            },
            rename=(
                (r"^(cw|hc|hw)\.conv\.conv\.", r"\1.conv."),
                (r"^(cw|hc|hw)\.conv\.bn\.", r"\1.norm."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.EVERY_RESIDUAL, _in_residual_branch)},
)
