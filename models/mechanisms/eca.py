"""ECA: a channel's weight from its own mean and those of a few neighbouring channels.

Idea
    Squeeze-and-Excitation squeezes all channel means through a narrow layer, which mixes every
    channel with every other one and loses detail on the way. Here nothing is squeezed: one short
    kernel slides along the list of channel means, so each weight depends on a handful of
    neighbours, and the whole gate has k numbers to learn.

Equation
    s_c = sigmoid(sum_j w_j z_(c+j)),  z_c = mean over places of x_c,  y_c = s_c x_c
    (paper: equations 7 to 9). j runs from -(k - 1)/2 to (k - 1)/2, channels beyond either end
    count as 0, w is ``conv`` without a bias, s passes the tap ``attention``. The paper's equation
    12 makes k from the number of channels, ``kernel_for``; the authors' module takes k as an
    argument, 3 where none is given.

Reading the map
    A bar chart: s has no place. A bar near 1 leaves its channel as it was, a bar near 0 mutes it.
    Neighbouring bars move together when w has one sign.

Limits
    Which channels are neighbours is an accident of training: channels have no order until this
    gate gives them one. Without a bias a channel that is silent among silent neighbours is let
    through by exactly a half.
"""

from __future__ import annotations

import math
from typing import ClassVar

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


def kernel_for(channels: int, gamma: float = 2, offset: float = 1) -> int:
    """Return the paper's kernel length for a number of channels (equation 12), an odd number.

    Args:
        channels: channels of x.
        gamma: the paper's gamma, 2.
        offset: the paper's b, 1.

    Raises:
        ValueError: if there is no channel.
    """
    if channels < 1:
        raise ValueError(f"expected at least 1 channel, received {channels}")
    length = int(abs(math.log2(channels) + offset) / gamma)
    return length if length % 2 else length + 1


class EfficientChannelAttention(AttentionBlock):
    """Scale each channel by a gate in 0..1 made from its neighbours' means (Wang et al., eq. 9).

    Args:
        kernel: k, how many neighbouring channel means make one weight.

    Raises:
        ValueError: if ``kernel`` is not an odd, positive number.
    """

    kind = Kind.CHANNEL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "s_c = σ(Σₖ wₖ m(c + k)), m = mean(x);  y = s · x"

    def __init__(self, kernel: int = 3) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"expected an odd kernel of at least 1, received {kernel}")
        self.conv = nn.Conv1d(1, 1, kernel, padding=(kernel - 1) // 2, bias=False)

    def attention_of(self, x: Feature) -> Float[Tensor, "batch channel"]:
        """Return the gate s, in 0..1."""
        means = x.mean(dim=(2, 3)).unsqueeze(1)
        return self.conv(means).squeeze(1).sigmoid()

    def apply_attention(self, attention: Float[Tensor, "batch channel"], x: Feature) -> Feature:
        """Return x with each channel scaled by its gate."""
        return x * attention[:, :, None, None]


def _eca_layer(variant: str, channel: int, k_size: int = 3) -> EfficientChannelAttention:
    # The original never uses the number of channels.
    return EfficientChannelAttention(k_size)


MECHANISM = Mechanism(
    slug="eca",
    name="ECA-Net",
    family="channel",
    goals=(Goal.CHANNELS, Goal.WHOLE),
    paper=Paper(
        title="ECA-Net: Efficient Channel Attention for Deep Convolutional Neural Networks",
        authors="Wang, Wu, Zhu, Li, Zuo, Hu",
        venue="CVPR",
        year=2020,
        arxiv="1910.03151",
    ),
    variants={
        "": lambda channels: EfficientChannelAttention(kernel_for(channels)),
        "k5": lambda channels: EfficientChannelAttention(5),
    },
    references={
        "eca_layer": Reference(
            build=_eca_layer,
            positional=("channel", "k_size"),
            attention={"channel": ""},
        ),
    },
    plugs={
        "classifier": Plug(
            Placement.EVERY_RESIDUAL,
            lambda channels: EfficientChannelAttention(kernel_for(channels)),
        )
    },
)
