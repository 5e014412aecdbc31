"""SRM: a channel's weight from its style, that is from its mean and its spread.

Idea
    What makes the style of a picture is in the mean and the spread of each feature channel. Here
    both numbers of a channel make its weight, through two learnt factors of that channel alone:
    channels do not ask each other.

Equation
    t_c = [mean of x_c, sqrt(var x_c + 1e-5)],  z_c = w_c . t_c
    s = sigmoid(BN(z)),  y_c = s_c x_c   (paper: style pooling and style integration)
    w is ``style_weight``, BN is ``norm``, s passes the tap ``attention``. The authors' code divides
    the variance by N - 1, the paper by N; w starts at 0, so that at first the batch norm alone
    makes the weights.

Reading the map
    A bar chart: s has no place. A bar near 1 leaves its channel as it was, a bar near 0 mutes it.
    A channel can be muted for a strong mean as well as for a strong spread: the two factors of
    ``style_weight`` say which of them counts and in which direction.

Limits
    The batch norm compares a picture's style with those of the training pictures: the same feature
    map gets another weight in a network trained on other data. A channel never learns what the
    others see.
"""

from __future__ import annotations

from typing import Any, ClassVar

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
VARIANCE_FLOOR = 1e-5
"""added to the variance before the root"""


class StyleRecalibration(AttentionBlock):
    """Scale each channel by a gate in 0..1 made from its mean and spread (Lee et al.).

    Args:
        channels: channels of x.
    """

    kind = Kind.CHANNEL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "s = σ(BN(w₁ mean(x) + w₂ std(x)));  y = s · x"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.style_weight = nn.Parameter(torch.zeros(channels, 2))
        self.norm = nn.BatchNorm2d(channels)

    def attention_of(self, x: Feature) -> Float[Tensor, "batch channel"]:
        """Return the gate s, in 0..1; raises ValueError for a single place, which has no spread."""
        if x.shape[2] * x.shape[3] < 2:
            raise ValueError(f"expected at least 2 places, received {tuple(x.shape)}")
        variance, mean = torch.var_mean(x, dim=(2, 3), correction=1)
        style = torch.stack([mean, (variance + VARIANCE_FLOOR).sqrt()], dim=2)
        encoded = (style * self.style_weight).sum(dim=2)
        return self.norm(encoded[:, :, None, None])[:, :, 0, 0].sigmoid()

    def apply_attention(self, attention: Float[Tensor, "batch channel"], x: Feature) -> Feature:
        """Return x with each channel scaled by its gate."""
        return x * attention[:, :, None, None]


def _srm_layer(variant: str, channel: int, reduction: Any = None) -> StyleRecalibration:
    # The original takes a reduction for the sake of its callers and never uses it.
    return StyleRecalibration(channel)


def _in_residual_branch(channels: int) -> StyleRecalibration:
    block = StyleRecalibration(channels)
    # The hosts' trunk was trained without gates: they open at first (sigmoid(2) = 0.88).
    nn.init.constant_(block.norm.bias, 2.0)
    return block


MECHANISM = Mechanism(
    slug="srm",
    name="SRM style recalibration",
    family="channel",
    goals=(Goal.CHANNELS, Goal.WHOLE),
    paper=Paper(
        title="SRM: A Style-based Recalibration Module for Convolutional Neural Networks",
        authors="Lee, Kim, Nam",
        venue="ICCV",
        year=2019,
        arxiv="1903.10829",
    ),
    variants={"": StyleRecalibration},
    references={
        "SRMLayer": Reference(
            build=_srm_layer,
            positional=("channel", "reduction"),
            attention={"channel": ""},
            rename=((r"^cfc$", "style_weight"), (r"^bn\.", "norm.")),
        ),
    },
    plugs={"classifier": Plug(Placement.EVERY_RESIDUAL, _in_residual_branch)},
)
