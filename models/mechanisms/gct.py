"""GCT: channels compete or help each other, through their norms and three numbers a channel.

Idea
    How strong a channel is, is its norm over all places. Divided by the average strength of all
    channels it says how the channel stands beside the others. One learnt number a channel then
    turns that into more of it (channels compete: the strong get stronger) or less of it (they
    help each other), without any layer that mixes channels.

Equation
    e_c = alpha_c ||x_c||,  n_c = e_c / sqrt(mean over channels of e^2)
    s_c = 1 + tanh(gamma_c n_c + beta_c),  y_c = s_c x_c
    (paper: global context embedding, channel normalization and gating adaptation). ||x_c|| is the
    root of the sum of squares over places plus 1e-5, which the mean over channels gets as well; s
    passes the tap ``attention``. With norm "l1" the norms are sums of |x|, and the mean is that of
    |e|. The authors' code divides by a mean over channels: this is the paper's
    sqrt(C) / ||e||, but for the 1e-5.

Reading the map
    A bar chart around 1, and not in 0..1: s lies between 0 and 2. At 1 a channel passes as it is,
    above 1 it is amplified, below 1 it is muted. gamma > 0 means competition, gamma < 0 help.

Limits
    A norm is a sum over places: the same texture on a larger picture has a larger norm, and only
    the division by the other channels' makes up for that. Large values of the tanh saturate: bars
    at 0 or at 2 no longer answer to the picture.
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
Gate = Float[Tensor, "batch channel"]
NORMS = ("l2", "l1")


class GatedChannelTransformation(AttentionBlock):
    """Scale each channel by a gate in 0..2 made from all channels' norms (Yang et al.).

    At first the gate is 1 everywhere.

    Args:
        channels: channels of x.
        norm: "l2" or "l1".
        epsilon: what keeps roots and denominators from zero.
        after_relu: with "l1", x is not negative and its absolute value need not be taken.

    Raises:
        ValueError: if the norm is unknown.
    """

    kind = Kind.CHANNEL_GATE
    claim = Claim.POSITIVE
    formula: ClassVar[str] = "s = 1 + tanh(γ e / √mean(e²) + β), e_c = α_c ‖x_c‖;  y = s · x"

    def __init__(
        self, channels: int, norm: str = "l2", epsilon: float = 1e-5, after_relu: bool = False
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"expected a norm of {list(NORMS)}, received {norm!r}")
        self.norm = norm
        self.epsilon = epsilon
        self.after_relu = after_relu
        self.alpha = nn.Parameter(torch.ones(channels))
        self.gamma = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def embedding(self, x: Feature) -> Gate:
        """Return e, the norm of each channel times alpha."""
        if self.norm == "l2":
            return self.alpha * (x.square().sum(dim=(2, 3)) + self.epsilon).sqrt()
        return self.alpha * (x if self.after_relu else x.abs()).sum(dim=(2, 3))

    def attention_of(self, x: Feature) -> Gate:
        """Return the gate s, in 0..2."""
        embedded = self.embedding(x)
        if self.norm == "l2":
            average = (embedded.square().mean(dim=1, keepdim=True) + self.epsilon).sqrt()
        else:
            average = embedded.abs().mean(dim=1, keepdim=True) + self.epsilon
        return 1 + (self.gamma * embedded / average + self.beta).tanh()

    def apply_attention(self, attention: Gate, x: Feature) -> Feature:
        """Return x with each channel scaled by its gate."""
        return x * attention[:, :, None, None]


def _gct(
    variant: str,
    num_channels: int,
    epsilon: float = 1e-5,
    mode: str = "l2",
    after_relu: bool = False,
) -> GatedChannelTransformation:
    return GatedChannelTransformation(num_channels, mode, epsilon, after_relu)


MECHANISM = Mechanism(
    slug="gct",
    name="GCT gated channel transformation",
    family="channel",
    goals=(Goal.CHANNELS, Goal.WHOLE),
    paper=Paper(
        title="Gated Channel Transformation for Visual Recognition",
        authors="Yang, Zhu, Wu, Yang",
        venue="CVPR",
        year=2020,
        arxiv="1909.11519",
    ),
    variants={
        "": GatedChannelTransformation,
        "l1": lambda channels: GatedChannelTransformation(channels, norm="l1"),
    },
    references={
        "GCT": Reference(
            build=_gct,
            positional=("num_channels", "epsilon", "mode", "after_relu"),
            attention={"channel": ""},
        ),
    },
    plugs={"classifier": Plug(Placement.EVERY_RESIDUAL, GatedChannelTransformation)},
)
