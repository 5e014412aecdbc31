"""Bilinear attention: an inner and an outer gate, both from products of pairs of features.

Idea
    Two features that fire together say more than each alone: red and round is a light, red and
    flat a wall. All products of pairs of a few reduced features describe each place; their mean
    describes the picture. The inner gate, from the picture, weighs the channels of the outer one,
    from the places: attention in attention.

Equation
    z = ReLU(BN(W1 x)),  b_p = entries of z_p z_p' on and below its diagonal, at every place p
    c = ReLU(BN(W2 mean over places of b)),  m = ReLU(BN(W3 b)),  y = x sigmoid(c m)
    (paper: attention in attention). W1, W2, W3 with their norms are ``reduce``, ``inner`` and
    ``outer``; the mean of z z' passes ``gram``, c passes ``channel``, m passes
    ``spatial_channel`` and the gate, one value for each channel at each place, the tap
    ``attention``. The entries of b stand diagonal by diagonal, the main one first.

Reading the map
    A map for each channel between 1/2 and 1: since c and m are never negative, no place is ever
    weighed less than a half, and a half means that nothing was found. The matrix beside it shows
    which pairs of reduced features go together in the picture.

Limits
    b has d (d + 1) / 2 numbers at every place for d reduced features, so d must stay small. The
    gate cannot close. Where c is 0 (its ReLU), a channel has the same weight everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Auxiliary,
    Claim,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)
from models.taps import Tap

Feature = Float[Tensor, "batch channel row column"]
REDUCTION = 16


def pairs_by_diagonal(count: int) -> tuple[list[int], list[int]]:
    """Return (rows, columns) of a matrix's lower triangle, one diagonal after the other.

    Args:
        count: rows of the matrix.
    """
    places = [(first, first - below) for below in range(count) for first in range(below, count)]
    return [row for row, _ in places], [column for _, column in places]


def _conv_norm_relu(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, kernel_size=1), nn.BatchNorm2d(out), nn.ReLU())


class BilinearAttention(AttentionBlock):
    """Scale each channel at each place by a gate in 0..1 made from pairs of features (Fang et al.).

    Args:
        channels: channels of x.
        dim: reduced features whose pairs are taken; the paper's is channels // 16.
        gates: channels of the gate: those of x, or 1 for one map that all channels share.

    Raises:
        ValueError: if ``dim`` is not positive, or ``gates`` fits no channel.
    """

    kind = Kind.FEATURE_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = (
        "M = σ(c · m), c = ReLU(BN(W₂ mean(b))), m = ReLU(BN(W₃ b)), b = z zᵀ;  y = M · x"
    )
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "gram": Auxiliary(Kind.COVARIANCE, Claim.POSITIVE),
        "channel": Auxiliary(Kind.CHANNEL_GATE, Claim.POSITIVE),
        "spatial_channel": Auxiliary(Kind.FEATURE_GATE, Claim.POSITIVE),
    }

    def __init__(self, channels: int, dim: int, gates: int | None = None) -> None:
        super().__init__()
        gates = channels if gates is None else gates
        if dim < 1 or gates not in (1, channels):
            raise ValueError(
                f"expected at least 1 reduced feature and 1 or {channels} gates, received "
                f"{dim} and {gates}"
            )
        self._first, self._second = pairs_by_diagonal(dim)
        self.reduce = _conv_norm_relu(channels, dim)
        self.inner = _conv_norm_relu(len(self._first), gates)
        self.outer = _conv_norm_relu(len(self._first), gates)
        self.gram = Tap()
        self.channel = Tap()
        self.spatial_channel = Tap()

    def attention_of(self, x: Feature) -> Float[Tensor, "batch gates row column"]:
        """Return the gate, in 1/2..1."""
        reduced = self.reduce(x)
        flat = reduced.flatten(2)
        gram = self.gram(flat @ flat.transpose(1, 2) / flat.shape[2])
        mean = gram[:, self._first, self._second, None, None]
        channel = self.channel(self.inner(mean)[:, :, 0, 0])
        pairs = reduced[:, self._first] * reduced[:, self._second]
        spatial = self.spatial_channel(self.outer(pairs))
        return (channel[:, :, None, None] * spatial).sigmoid()

    def apply_attention(
        self, attention: Float[Tensor, "batch gates row column"], x: Feature
    ) -> Feature:
        """Return x scaled by the gate."""
        return x * attention


def _original(variant: str, inChannels: int, outChannels: int) -> BilinearAttention:
    return BilinearAttention(inChannels, inChannels // REDUCTION, outChannels)


def _between_stages(channels: int) -> BilinearAttention:
    return BilinearAttention(channels, max(8, channels // REDUCTION))


MECHANISM = Mechanism(
    slug="bilinear",
    name="Bilinear attention",
    family="channel and spatial",
    goals=(Goal.REGIONS, Goal.CHANNELS),
    paper=Paper(
        title="Bilinear Attention Networks for Person Retrieval",
        authors="Fang, Zhou, Roy, Petersson, Harandi",
        venue="ICCV",
        year=2019,
    ),
    variants={
        "": lambda channels: BilinearAttention(channels, max(1, channels // 8)),
        "shared": lambda channels: BilinearAttention(channels, max(1, channels // 8), gates=1),
    },
    references={
        "BilinearAttention": Reference(
            build=_original,
            positional=("inChannels", "outChannels"),
            attention={"gate": ""},
            intermediate={
                "reduced": "reduce",
                "channel": "channel",
                "spatial_channel": "spatial_channel",
            },
            rename=(
                (r"^dimReduceLayer1\.conv\.conv\.", "reduce.0."),
                (r"^dimReduceLayer1\.conv\.bn\.", "reduce.1."),
                (r"^dimReduceLayer2\.conv\.conv\.", "outer.0."),
                (r"^dimReduceLayer2\.conv\.bn\.", "outer.1."),
                (r"^dimReduceLayer3\.conv\.conv\.", "inner.0."),
                (r"^dimReduceLayer3\.conv\.bn\.", "inner.1."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.ONCE, _between_stages)},
)
