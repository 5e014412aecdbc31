"""Coordinate attention: a weight for each row and each column of each channel.

Idea
    A mean over all places forgets where things are; a full map for each channel is dear. In
    between are two strips: the mean of every row and the mean of every column. From them come two
    gates that say at which height and at which distance from the left a channel matters, and their
    product marks places.

Equation
    f = hswish(BN(W [mean over columns of x ; mean over rows of x])), cut again into f_h and f_w
    g_h = sigmoid(W_h f_h),  g_w = sigmoid(W_w f_w),  y = x g_h g_w   (paper: equations 4 to 9)
    W with its norm is ``encode``, shared by both strips, which lie end to end with the rows first;
    W_h and W_w are ``height_gate.project`` and ``width_gate.project``. g_h passes
    ``height_gate.attention``, g_w passes ``width_gate.attention``.

Reading the map
    Two strips along the edges of the picture, one beside it and one under it, each in 0..1. A
    place of a channel is let through by the product of its row's and its column's weight.

Limits
    The product of a row and a column is a cross: two objects at opposite corners also open the two
    corners where nothing is. Each weight depends on means along a whole line, so a small thing in
    a wide picture hardly moves it.
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

Feature = Float[Tensor, "batch channel row column"]
SMALLEST_HIDDEN = 8


class HeightGate(AttentionBlock):
    """Scale each row of each channel by a gate in 0..1 made from the rows' strip (eq. 7).

    Args:
        hidden: channels of the strip.
        gates: channels of the gate: those of x, or 1 for one strip that all channels share.
    """

    kind = Kind.HEIGHT_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "gₕ = σ(Wₕ fₕ);  y = gₕ · x"

    def __init__(self, hidden: int, gates: int) -> None:
        super().__init__()
        self.project = nn.Conv1d(hidden, gates, kernel_size=1)

    def attention_of(
        self, x: Feature, strip: Float[Tensor, "batch hidden row"]
    ) -> Float[Tensor, "batch gates row"]:
        """Return the gate of the rows, in 0..1."""
        return self.project(strip).sigmoid()

    def apply_attention(
        self,
        attention: Float[Tensor, "batch gates row"],
        x: Feature,
        strip: Float[Tensor, "batch hidden row"],
    ) -> Feature:
        """Return x with each row scaled by its gate."""
        return x * attention.unsqueeze(3)


class WidthGate(AttentionBlock):
    """Scale each column of each channel by a gate in 0..1 made from the columns' strip (eq. 8).

    Args:
        hidden: channels of the strip.
        gates: channels of the gate: those of x, or 1 for one strip that all channels share.
    """

    kind = Kind.WIDTH_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "g_w = σ(W_w f_w);  y = g_w · x"

    def __init__(self, hidden: int, gates: int) -> None:
        super().__init__()
        self.project = nn.Conv1d(hidden, gates, kernel_size=1)

    def attention_of(
        self, x: Feature, strip: Float[Tensor, "batch hidden column"]
    ) -> Float[Tensor, "batch gates column"]:
        """Return the gate of the columns, in 0..1."""
        return self.project(strip).sigmoid()

    def apply_attention(
        self,
        attention: Float[Tensor, "batch gates column"],
        x: Feature,
        strip: Float[Tensor, "batch hidden column"],
    ) -> Feature:
        """Return x with each column scaled by its gate."""
        return x * attention.unsqueeze(2)


class CoordinateAttention(nn.Module):
    """Scale each row and each column of each channel (Hou et al., eq. 4-9).

    Args:
        channels: channels of x.
        hidden: channels of both strips; the authors' is channels // 32 and 8 at least.
        gates: channels of both gates: those of x unless 1.

    Raises:
        ValueError: if ``hidden`` is not positive, or ``gates`` fits no channel.
    """

    def __init__(self, channels: int, hidden: int, gates: int | None = None) -> None:
        super().__init__()
        gates = channels if gates is None else gates
        if hidden < 1 or gates not in (1, channels):
            raise ValueError(
                f"expected at least 1 hidden channel and 1 or {channels} gates, received "
                f"{hidden} and {gates}"
            )
        self.encode = nn.Sequential(
            nn.Conv1d(channels, hidden, kernel_size=1), nn.BatchNorm1d(hidden), nn.Hardswish()
        )
        self.height_gate = HeightGate(hidden, gates)
        self.width_gate = WidthGate(hidden, gates)

    def forward(self, x: Feature) -> Feature:
        strips = self.encode(torch.cat([x.mean(dim=3), x.mean(dim=2)], dim=2))
        rows, columns = strips.split(list(x.shape[2:]), dim=2)
        return self.height_gate(self.width_gate(x, columns), rows)


def _coord_att(variant: str, inp: int, oup: int, reduction: int = 32) -> CoordinateAttention:
    return CoordinateAttention(inp, max(SMALLEST_HIDDEN, inp // reduction), oup)


def _in_residual_branch(channels: int) -> CoordinateAttention:
    block = CoordinateAttention(channels, max(SMALLEST_HIDDEN, channels // 8))
    # The hosts' trunk was trained without gates: both open at first (sigmoid(3) = 0.95).
    for gate in (block.height_gate, block.width_gate):
        nn.init.constant_(gate.project.bias, 3.0)  # type: ignore[arg-type]
    return block


def _product(
    height: Float[Tensor, "batch gates row"], width: Float[Tensor, "batch gates column"]
) -> Float[Tensor, "batch gates row column"]:
    return height.unsqueeze(3) * width.unsqueeze(2)


MECHANISM = Mechanism(
    slug="coordinate",
    name="Coordinate attention",
    family="channel and spatial",
    goals=(Goal.REGIONS, Goal.LONG_RANGE, Goal.CHANNELS),
    paper=Paper(
        title="Coordinate Attention for Efficient Mobile Network Design",
        authors="Hou, Zhou, Feng",
        venue="CVPR",
        year=2021,
        arxiv="2103.02907",
    ),
    variants={
        "": lambda channels: CoordinateAttention(channels, SMALLEST_HIDDEN),
        "shared": lambda channels: CoordinateAttention(channels, SMALLEST_HIDDEN, gates=1),
    },
    references={
        "CoordAtt": Reference(
            build=_coord_att,
            positional=("inp", "oup", "reduction"),
            # The original's strips keep an axis of length 1 where the other side was.
            attention={
                "height": Derived(("height_gate",), lambda gate: gate.unsqueeze(3)),
                "width": Derived(("width_gate",), lambda gate: gate.unsqueeze(2)),
                "joint": Derived(("height_gate", "width_gate"), _product),
            },
            rename=(
                (r"^conv1\.", "encode.0."),
                (r"^bn1\.", "encode.1."),
                (r"^conv_h\.", "height_gate.project."),
                (r"^conv_w\.", "width_gate.project."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.EVERY_RESIDUAL, _in_residual_branch)},
)
