"""Squeeze-and-Excitation: one weight for each channel, from the mean of every channel.

Idea
    A convolution treats all feature channels alike. Here the network first looks at the whole
    picture through one number a channel (squeeze), then decides for each channel how much of
    it to let through (excitation), and multiplies.

Equation
    s = sigmoid(W2 relu(W1 z + b1) + b2),  z_c = mean over places of x_c,  y_c = s_c x_c
    (paper: equations 2, 3 and 4). W1 is ``reduce``, W2 is ``expand``, s passes the tap
    ``attention``. b1 and b2 exist with ``bias=True``, as in the authors' Caffe model; the paper's
    equation has none.

Reading the map
    A bar chart, not a map: s has no place. A bar near 1 leaves its channel as it was, a bar near 0
    mutes it. What a channel responds to shows when its activation is drawn over the picture: red
    adds to what passes by the block, blue takes away from it.

Limits
    The mean forgets where things are, so one small object and a faint texture everywhere look
    alike to the gate. A low weight need not mean an unimportant channel: the layers that follow
    can scale it up again. A high one need not mean much either: the most open gate may stand over
    a channel that holds next to nothing in this picture.
"""

from __future__ import annotations

from inspect import signature
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


class SqueezeExcitation(AttentionBlock):
    """Scale each channel by a gate in 0..1 made from all channel means (Hu et al., eq. 2-4).

    Args:
        channels: channels of x.
        hidden: width between the two linear maps; the paper's is channels // 16.
        bias: whether the linear maps have biases (the authors' Caffe model: yes; eq. 3: no).
        add_max: mix in the channel maxima, half and half with the means.

    Raises:
        ValueError: if ``hidden`` is not positive.
    """

    kind = Kind.CHANNEL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "s = σ(W₂ ReLU(W₁ mean(x)));  y = s · x"

    def __init__(
        self, channels: int, hidden: int, bias: bool = False, add_max: bool = False
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"expected at least 1 hidden channel, received {hidden}")
        self.add_max = add_max
        self.reduce = nn.Linear(channels, hidden, bias=bias)
        self.expand = nn.Linear(hidden, channels, bias=bias)

    def attention_of(
        self, x: Float[Tensor, "batch channel row column"]
    ) -> Float[Tensor, "batch channel"]:
        """Return the gate s, in 0..1."""
        squeezed = x.mean(dim=(2, 3))
        if self.add_max:
            squeezed = (squeezed + x.amax(dim=(2, 3))) / 2
        return self.expand(self.reduce(squeezed).relu()).sigmoid()

    def apply_attention(
        self,
        attention: Float[Tensor, "batch channel"],
        x: Float[Tensor, "batch channel row column"],
    ) -> Float[Tensor, "batch channel row column"]:
        """Return x with each channel scaled by its gate."""
        return x * attention[:, :, None, None]


def _timm_hidden(channels: int, rd_ratio: float, rd_channels: int | None, divisor: int) -> int:
    # The re-implementation rounds channels * ratio to a multiple of the divisor, at least one.
    if rd_channels:
        return rd_channels
    return max(divisor, int(channels * rd_ratio + divisor / 2) // divisor * divisor)


def _from_selayer(variant: str, channel: int, reduction: int = 16) -> SqueezeExcitation:
    return SqueezeExcitation(channel, channel // reduction)


def _from_semodule(
    variant: str,
    channels: int,
    rd_ratio: float = 1 / 16,
    rd_channels: int | None = None,
    rd_divisor: int = 8,
    add_maxpool: bool = False,
    bias: bool = True,
    act_layer: str | None = "nn.ReLU",
    norm_layer: str | None = None,
    gate_layer: str = "sigmoid",
) -> SqueezeExcitation:
    if act_layer not in (None, "nn.ReLU", "relu") or norm_layer or gate_layer != "sigmoid":
        raise ValueError(
            "expected ReLU, no norm and a sigmoid gate as in the paper, received "
            f"{act_layer}, {norm_layer} and {gate_layer}"
        )
    hidden = _timm_hidden(channels, rd_ratio, rd_channels, rd_divisor)
    return SqueezeExcitation(channels, hidden, bias=bias, add_max=add_maxpool)


def _in_residual_branch(channels: int) -> SqueezeExcitation:
    block = SqueezeExcitation(channels, max(8, channels // 8), bias=True)
    # The hosts' trunk was trained without gates: they open at first (sigmoid(2) = 0.88).
    nn.init.constant_(block.expand.bias, 2.0)
    return block


MECHANISM = Mechanism(
    slug="se",
    name="Squeeze-and-Excitation",
    family="channel",
    goals=(Goal.CHANNELS, Goal.WHOLE),
    paper=Paper(
        title="Squeeze-and-Excitation Networks",
        authors="Hu, Shen, Albanie, Sun, Wu",
        venue="CVPR",
        year=2018,
        arxiv="1709.01507",
    ),
    variants={
        "": lambda channels: SqueezeExcitation(channels, max(1, channels // 4)),
        "bias": lambda channels: SqueezeExcitation(channels, max(1, channels // 4), bias=True),
    },
    references={
        "SELayer": Reference(
            build=_from_selayer,
            positional=("channel", "reduction"),
            attention={"channel": ""},
            rename=((r"^fc\.0\.", "reduce."), (r"^fc\.2\.", "expand.")),
        ),
        "SEModule": Reference(
            build=_from_semodule,
            positional=tuple(signature(_from_semodule).parameters)[1:],
            attention={"channel": ""},
            rename=((r"^fc1\.", "reduce."), (r"^fc2\.", "expand.")),
        ),
    },
    plugs={"classifier": Plug(Placement.EVERY_RESIDUAL, _in_residual_branch)},
)
