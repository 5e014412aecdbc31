"""CondConv: the kernel of a convolution is mixed from several, anew for each picture.

Idea
    A convolution has one kernel for all pictures. Here there are several, the experts; the
    picture's channel means decide how much of each goes into the kernel, and then one convolution
    is made with the mixture. More kernels cost more memory but hardly more time.

Equation
    r = sigmoid(R mean(x) + b),  W(x) = sum_e r_e W_e,  y = W(x) * x    (paper: section 3, eq. 1-3)
    R is ``route``, the W_e are the rows of ``weight`` of each convolution; biases, where there
    are any, are mixed alike. r passes the tap ``attention``. In the residual block one r, made
    from the block's input, serves its three convolutions, each with experts of its own. The
    reference files are those of a re-implementation in another framework than the authors'.

Reading the map
    One bar for each expert, in 0..1. They need not sum to 1: several experts may be taken whole,
    and if all bars are small the whole kernel is. There is no map: one mixture serves all places
    and channels. Pictures of a kind tend to share their bars, most of all in late layers.

Limits
    A bar says which kernels are mixed, not what these look for, and experts have no names: those
    of another training differ. Since mixing kernels is linear, two experts that look for opposite
    things cancel, however high their bars are.
"""

from __future__ import annotations

from inspect import signature
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

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
Result = Float[Tensor, "batch out down across"]
Routing = Float[Tensor, "batch expert"]


class ExpertConvolution(nn.Module):
    """Return a convolution of each picture with its own mixture of kernels.

    Args:
        channels: channels of x.
        out: channels of the result.
        experts: kernels to mix.
        kernel: rows and columns of a kernel.
        stride: cells from one window to the next.
        padding: cells around the map; "" for half a kernel, "valid" for none, and "same" for as
            many as give ceil(cells / stride) windows, more of them below and on the right.
        dilation: cells from one number of a kernel to the next.
        groups: groups of channels that do not see each other.
        bias: whether each expert has a bias.

    Raises:
        ValueError: if there is no expert, or ``padding`` is another word.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        experts: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int | str = "",
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        if experts < 1 or (isinstance(padding, str) and padding not in _PADDINGS):
            raise ValueError(
                f"expected an expert and a padding of {_PADDINGS} or a number, received "
                f"{experts} and {padding!r}"
            )
        self.shape = (out, channels // groups, kernel, kernel)
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.groups = groups
        fan_in = channels // groups * kernel**2
        bound = fan_in**-0.5
        # Stored flat, one row an expert, as in the files of reference numbers.
        self.weight = nn.Parameter(torch.empty(experts, out * fan_in).uniform_(-bound, bound))
        biases = nn.Parameter(torch.empty(experts, out).uniform_(-bound, bound))
        self.bias = biases if bias else None

    def _padded(self, x: Feature) -> Tensor:
        reach = self.dilation * (self.shape[-1] - 1)
        if self.padding == "same":
            missing = (
                max(0, (-(-side // self.stride) - 1) * self.stride + reach + 1 - side)
                for side in x.shape[2:]
            )
            (top, bottom), (left, right) = ((n // 2, n - n // 2) for n in missing)
            return F.pad(x, (left, right, top, bottom))
        return F.pad(x, (self._border(reach),) * 4)

    def _border(self, reach: int) -> int:
        if isinstance(self.padding, int):
            return self.padding
        return 0 if self.padding == "valid" else (self.stride - 1 + reach) // 2

    def forward(self, x: Feature, routing: Routing) -> Result:
        """Return the convolution with the kernels mixed by ``routing``."""
        batch = x.shape[0]
        out = self.shape[0]
        kernels = (routing @ self.weight).reshape(batch * out, *self.shape[1:])
        bias = None if self.bias is None else (routing @ self.bias).flatten()
        # One convolution for the whole batch: every picture is a group with kernels of its own.
        padded = self._padded(x)
        side_by_side = padded.reshape(1, -1, *padded.shape[2:])
        groups = self.groups * batch
        result = F.conv2d(
            side_by_side, kernels, bias, self.stride, dilation=self.dilation, groups=groups
        )
        return result.reshape(batch, out, *result.shape[2:])


_PADDINGS = ("", "same", "valid")


class ConditionalConvolution(AttentionBlock):
    """Convolve x with a mixture of kernels that x itself decides (Yang et al., section 3).

    Args:
        channels: channels of x.
        convolution: the experts.
    """

    kind = Kind.EXPERT_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "r = σ(R mean(x));  y = (Σₑ rₑ Wₑ) ∗ x"
    identity = None

    def __init__(self, channels: int, convolution: ExpertConvolution) -> None:
        super().__init__()
        self.route = nn.Linear(channels, convolution.weight.shape[0])
        self.convolution = convolution

    def attention_of(self, x: Feature) -> Routing:
        """Return how much of each expert is taken, in 0..1."""
        return self.route(x.mean(dim=(2, 3))).sigmoid()

    def apply_attention(self, attention: Routing, x: Feature) -> Result:
        """Return the convolution of x with the mixed kernels."""
        return self.convolution(x, attention)


class ConditionalResidualBlock(AttentionBlock):
    """Widen, convolve each channel, narrow and add x, all with kernels mixed by one routing.

    Args:
        channels: channels of x.
        widen: experts of the first convolution.
        middle: experts of the second, usually of single channels.
        narrow: experts of the third.
        shortcut: whether x is added.
    """

    kind = Kind.EXPERT_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "r = σ(R mean(x));  y = x + BN(W₃(r) ∗ a(W₂(r) ∗ a(W₁(r) ∗ x)))"
    identity = None

    def __init__(
        self,
        channels: int,
        widen: ExpertConvolution,
        middle: ExpertConvolution,
        narrow: ExpertConvolution,
        shortcut: bool = True,
    ) -> None:
        super().__init__()
        self.route = nn.Linear(channels, widen.weight.shape[0])
        self.widen, self.middle, self.narrow = widen, middle, narrow
        self.norm1, self.norm2, self.norm3 = (
            nn.BatchNorm2d(convolution.shape[0]) for convolution in (widen, middle, narrow)
        )
        self.shortcut = shortcut

    def attention_of(self, x: Feature) -> Routing:
        """Return how much of each expert is taken, in 0..1."""
        return self.route(x.mean(dim=(2, 3))).sigmoid()

    def apply_attention(self, attention: Routing, x: Feature) -> Result:
        """Return what the three convolutions make of x, plus x where there is a shortcut."""
        wide = F.relu(self.norm1(self.widen(x, attention)))
        filtered = F.relu(self.norm2(self.middle(wide, attention)))
        narrow = self.norm3(self.narrow(filtered, attention))
        return narrow + x if self.shortcut else narrow


def residual_block(
    channels: int, experts: int, inner: int | None = None, kernel: int = 3
) -> ConditionalResidualBlock:
    """Return an inverted residual block of conditional convolutions.

    Args:
        channels: channels of x and of the result.
        experts: kernels to mix in each convolution.
        inner: channels between; twice those of x by default.
        kernel: rows and columns of the middle kernel, which sees single channels.
    """
    inner = inner or 2 * channels
    return ConditionalResidualBlock(
        channels,
        ExpertConvolution(channels, inner, experts, kernel=1),
        ExpertConvolution(inner, inner, experts, kernel=kernel, groups=inner),
        ExpertConvolution(inner, channels, experts, kernel=1),
    )


def _convolution(
    variant: str,
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    stride: int = 1,
    padding: int | str = "",
    dilation: int = 1,
    groups: int = 1,
    bias: bool = False,
    num_experts: int = 4,
) -> ConditionalConvolution:
    experts = ExpertConvolution(
        in_channels, out_channels, num_experts, kernel_size, stride, padding, dilation, groups, bias
    )
    return ConditionalConvolution(in_channels, experts)


def _divisible(value: float, divisor: int = 8) -> int:
    # The re-implementation rounds to a multiple, but not down by more than a tenth.
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _residual(
    variant: str,
    in_chs: int,
    out_chs: int,
    dw_kernel_size: int = 3,
    stride: int = 1,
    dilation: int = 1,
    group_size: int = 1,
    pad_type: str = "",
    noskip: bool = False,
    exp_ratio: float = 1.0,
    exp_kernel_size: int = 1,
    pw_kernel_size: int = 1,
    act_layer: str = "nn.ReLU",
    norm_layer: str = "nn.BatchNorm2d",
    aa_layer: None = None,
    se_layer: None = None,
    num_experts: int = 0,
    drop_path_rate: float = 0.0,
) -> ConditionalResidualBlock:
    plain = act_layer.endswith("ReLU") and norm_layer.endswith("BatchNorm2d")
    if not plain or aa_layer is not None or se_layer is not None:
        raise ValueError(
            "expected ReLU, batch norms and nothing else as in the paper, received "
            f"{act_layer}, {norm_layer}, {aa_layer} and {se_layer}"
        )
    inner = _divisible(in_chs * exp_ratio)
    groups = inner // group_size if group_size else 1
    return ConditionalResidualBlock(
        in_chs,
        ExpertConvolution(in_chs, inner, num_experts, exp_kernel_size, padding=pad_type),
        ExpertConvolution(
            inner, inner, num_experts, dw_kernel_size, stride, pad_type, dilation, groups
        ),
        ExpertConvolution(inner, out_chs, num_experts, pw_kernel_size, padding=pad_type),
        shortcut=in_chs == out_chs and stride == 1 and not noskip,
    )


def _in_between(channels: int) -> ConditionalResidualBlock:
    block = residual_block(channels, experts=4)
    # The hosts' trunk was trained without the block: it adds nothing at first.
    nn.init.zeros_(block.norm3.weight)
    return block


_CONVOLUTION = Reference(
    build=_convolution,
    positional=tuple(signature(_convolution).parameters)[1:],
    attention={"routing": ""},
    rename=((r"^routing_fn\.", "route."), (r"^conv\.", "convolution.")),
)

MECHANISM = Mechanism(
    slug="condconv",
    name="CondConv",
    family="branch",
    goals=(Goal.KERNELS,),
    paper=Paper(
        title="CondConv: Conditionally Parameterized Convolutions for Efficient Inference",
        authors="Yang, Bender, Le, Ngiam",
        venue="NeurIPS",
        year=2019,
        arxiv="1904.04971",
    ),
    variants={
        "": lambda channels: ConditionalConvolution(
            channels, ExpertConvolution(channels, channels, experts=3, bias=True)
        ),
        "block": lambda channels: residual_block(channels, experts=3),
    },
    references={
        "CondConv2d": _CONVOLUTION,
        "CondConv2d (+ routing exactly as timm/models/_efficientnet_blocks.py CondConvResidual: "
        "Linear on global average, sigmoid)": _CONVOLUTION,
        "CondConvResidual": Reference(
            build=_residual,
            positional=tuple(signature(_residual).parameters)[1:],
            attention={"routing": ""},
            rename=(
                (r"^routing_fn\.", "route."),
                (r"^conv_pw\.", "widen."),
                (r"^conv_dw\.", "middle."),
                (r"^conv_pwl\.", "narrow."),
                (r"^bn(\d)\.", r"norm\1."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.ONCE, _in_between)},
)
