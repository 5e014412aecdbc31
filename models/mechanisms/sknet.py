"""SKNet: every channel chooses between windows of different sizes.

Idea
    Small things want a small window, large things a large one. A selective kernel convolution
    tries several, then looks at the mean of what all of them found and lets each channel take its
    own mixture of the windows.

Equation
    U_i = ReLU(BN(conv_i x)),  z = ReLU(BN(W mean over places of sum_i U_i))
    a = softmax over i of W_i z, for each channel,  y = sum_i a_i U_i      (paper: eq. 1 to 6)
    conv_i are ``branches``, W is ``select.describe``, the W_i are ``select.choose``; a passes
    ``select.attention``. The window of 5 is a 3 x 3 convolution with every second cell left out,
    as in the authors' model. z has max(C / r, 32) numbers in the paper. The reference files are
    those of two re-implementations; one of them has neither norm nor ReLU in z, biases everywhere
    and whole 5 x 5 kernels, the other gives z about C / 16 numbers, a multiple of 8.

Reading the map
    For each channel one weight a branch, which sum to 1: 0.5 and 0.5 is no choice, near 1 for the
    second says that this channel looks through the larger window, for the whole picture. There
    is no map of places: what each branch sees is in the branches' own feature maps.

Limits
    One choice for all places: a small and a large object in one picture share it. The weights
    compare branches, not importance: a channel that is near zero in both still sums to 1. That
    larger objects get the larger window holds on average (paper: figure 3), not for each channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
Weights = Float[Tensor, "batch branch channel"]


class BranchSelection(AttentionBlock):
    """Return a mixture of branches whose weights each channel chooses (Li et al., eq. 1-6).

    Args:
        describe: makes z from the mean of all branches.
        choose: makes the logits from z, all channels of the first branch first.
        windows: cells that each branch sees along a side, for people who look at the weights.

    Raises:
        ValueError: if there are fewer than two branches.
    """

    kind = Kind.BRANCH_GATE
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "a = softmaxᵢ(Wᵢ ReLU(BN(W mean(Σᵢ Uᵢ))));  y = Σᵢ aᵢ Uᵢ"
    identity = None

    def __init__(self, describe: nn.Module, choose: nn.Module, windows: Sequence[int]) -> None:
        super().__init__()
        if len(windows) < 2:
            raise ValueError(f"expected at least two branches, received {len(windows)}")
        self.describe = describe
        self.choose = choose
        self.windows = tuple(windows)

    def attention_of(self, *branches: Feature) -> Weights:
        """Return the weights of the branches, which sum to 1 in each channel."""
        together = torch.stack([branch.mean(dim=(2, 3)) for branch in branches]).sum(dim=0)
        logits = self.choose(self.describe(together))
        return logits.unflatten(1, (len(branches), -1)).softmax(dim=1)

    def apply_attention(self, attention: Weights, *branches: Feature) -> Feature:
        """Return the sum of the branches, each channel weighted by its own choice."""
        mixed = torch.zeros_like(branches[0])
        for index, branch in enumerate(branches):
            mixed = mixed + attention[:, index, :, None, None] * branch
        return mixed


class SelectiveKernel(nn.Module):
    """Return a convolution of x whose window each channel chooses (Li et al., section 3.1).

    Args:
        branches: the convolutions, one for each window.
        select: mixes what they found.
        split: give each branch its own share of the channels of x.
    """

    def __init__(
        self, branches: Sequence[nn.Module], select: BranchSelection, split: bool = False
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.select = select
        self.split = split

    def forward(self, x: Feature) -> Float[Tensor, "batch out down across"]:
        count = len(self.branches)
        parts = x.chunk(count, dim=1) if self.split else [x] * count
        return self.select(*map(_called, self.branches, parts))


def _called(branch: nn.Module, part: Feature) -> Tensor:
    return branch(part)


@dataclass(frozen=True)
class Window:
    """The kernel of one branch.

    Args:
        kernel: rows and columns of numbers.
        dilation: cells from one number to the next.
    """

    kernel: int
    dilation: int = 1

    @property
    def cells(self) -> int:
        """Return how many cells a side the window spans."""
        return self.dilation * (self.kernel - 1) + 1

    def convolution(self, channels: int, out: int, groups: int, stride: int = 1) -> nn.Sequential:
        """Return convolution, batch norm and ReLU that keep the size of a map at stride 1."""
        padding = (stride - 1 + self.cells - 1) // 2
        return nn.Sequential(
            nn.Conv2d(
                channels, out, self.kernel, stride, padding, self.dilation, groups, bias=False
            ),
            nn.BatchNorm2d(out),
            nn.ReLU(),
        )


SMALL_AND_LARGE = (Window(3), Window(3, dilation=2))
"""the paper's two windows, of 3 and of 5 cells"""


def selective_kernel(
    channels: int,
    hidden: int,
    out: int | None = None,
    windows: Sequence[Window] = SMALL_AND_LARGE,
    groups: int = 1,
    stride: int = 1,
    split: bool = False,
) -> SelectiveKernel:
    """Return the paper's selective kernel convolution.

    Args:
        channels: channels of x.
        hidden: d, the numbers from which the choice is made.
        out: channels of the result; as many as x by default.
        windows: what the branches see.
        groups: of all branches.
        stride: of all branches.
        split: give each branch its own share of the channels of x.

    Raises:
        ValueError: if the channels cannot be shared out or ``hidden`` is not positive.
    """
    out = out or channels
    if hidden < 1 or (split and channels % len(windows)):
        raise ValueError(
            f"expected a hidden channel and {len(windows)} equal shares if split, received "
            f"{hidden} and {channels} channels"
        )
    given = channels // len(windows) if split else channels
    branches = [window.convolution(given, out, groups, stride) for window in windows]
    describe = nn.Sequential(nn.Linear(out, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU())
    choose = nn.Linear(hidden, len(windows) * out, bias=False)
    select = BranchSelection(describe, choose, [window.cells for window in windows])
    return SelectiveKernel(branches, select, split)


class SelectiveKernelUnit(nn.Module):
    """Return x plus a selective kernel convolution between two 1 x 1 convolutions (section 3.2).

    Args:
        channels: channels of x and of the result.
        inner: channels of the selective kernel convolution.
        hidden: d, the numbers from which the choice is made.
        groups: of the branches.
    """

    def __init__(self, channels: int, inner: int, hidden: int, groups: int) -> None:
        super().__init__()
        self.enter = _pointwise(channels, inner)
        self.convolve = selective_kernel(inner, hidden, groups=groups)
        self.leave = _pointwise(inner, channels)

    def forward(self, x: Feature) -> Feature:
        return F.relu(x + self.leave(self.convolve(F.relu(self.enter(x)))))


def _pointwise(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out))


def _divisible(value: float, divisor: int) -> int:
    # The re-implementation rounds to a multiple, but not down by more than a tenth.
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


class ChoiceByBranch(nn.Module):
    """Return the logits of all branches from a linear map for each, as one of the files has.

    Args:
        hidden: d, the numbers from which the choice is made.
        channels: channels of every branch.
        branches: how many there are.
    """

    def __init__(self, hidden: int, channels: int, branches: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(hidden, channels) for _ in range(branches))

    def forward(self, z: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch logit"]:
        return torch.cat([choose(z) for choose in self.maps], dim=1)


def _timm(
    variant: str,
    in_channels: int,
    out_channels: int | None = None,
    kernel_size: int | list[int] | None = None,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    rd_ratio: float = 1 / 16,
    rd_channels: int | None = None,
    rd_divisor: int = 8,
    keep_3x3: bool = True,
    split_input: bool = True,
    act_layer: str = "nn.ReLU",
    norm_layer: str = "nn.BatchNorm2d",
    aa_layer: None = None,
    drop_layer: None = None,
) -> SelectiveKernel:
    plain = act_layer.endswith("ReLU") and norm_layer.endswith("BatchNorm2d")
    if not plain or aa_layer is not None or drop_layer is not None:
        raise ValueError(
            "expected ReLU, batch norms and nothing else as in the paper, received "
            f"{act_layer}, {norm_layer}, {aa_layer} and {drop_layer}"
        )
    out = out_channels or in_channels
    kernels = kernel_size or [3, 5]
    if isinstance(kernels, int):
        kernels = [kernels, kernels]
    windows = [
        Window(3, dilation * (kernel - 1) // 2) if keep_3x3 else Window(kernel, dilation)
        for kernel in kernels
    ]
    hidden = rd_channels or _divisible(out * rd_ratio, rd_divisor)
    groups = min(out, groups)
    return selective_kernel(in_channels, hidden, out, windows, groups, stride, split_input)


def _with_biases(
    variant: str, features: int, WH: int, M: int, G: int, r: int, stride: int = 1, L: int = 32
) -> SelectiveKernel:
    windows = [Window(3 + 2 * index) for index in range(M)]
    branches = [
        # Padding makes up for the kernel alone here, and not for the stride.
        nn.Sequential(
            nn.Conv2d(features, features, window.kernel, stride, window.kernel // 2, groups=G),
            nn.BatchNorm2d(features),
            nn.ReLU(),
        )
        for window in windows
    ]
    hidden = max(int(features / r), L)
    describe, choose = nn.Linear(features, hidden), ChoiceByBranch(hidden, features, M)
    return SelectiveKernel(
        branches, BranchSelection(describe, choose, [window.cells for window in windows])
    )


def _in_between(channels: int) -> SelectiveKernelUnit:
    block = SelectiveKernelUnit(channels, channels, hidden=32, groups=channels // 8)
    # The hosts' trunk was trained without the unit: it adds nothing at first.
    nn.init.zeros_(block.leave.get_submodule("1").get_parameter("weight"))
    return block


_BRANCHES = {f"path{index}": f"branches.{index}" for index in range(8)}


MECHANISM = Mechanism(
    slug="sknet",
    name="Selective kernels",
    family="branch",
    goals=(Goal.BRANCHES, Goal.WINDOW),
    paper=Paper(
        title="Selective Kernel Networks",
        authors="Li, Wang, Hu, Yang",
        venue="CVPR",
        year=2019,
        arxiv="1903.06586",
    ),
    variants={
        "": lambda channels: selective_kernel(channels, max(1, channels // 4), groups=4),
        "unit": lambda channels: SelectiveKernelUnit(channels, channels // 2, 8, groups=4),
        "ppplang": lambda channels: _with_biases("", channels, WH=9, M=2, G=4, r=2, L=8),
    },
    references={
        "SelectiveKernel": Reference(
            build=_timm,
            positional=tuple(signature(_timm).parameters)[1:],
            attention={"branch": "select"},
            intermediate=_BRANCHES,
            rename=(
                (r"^paths\.(\d+)\.conv\.", r"branches.\1.0."),
                (r"^paths\.(\d+)\.bn\.", r"branches.\1.1."),
                (r"^attn\.fc_reduce\.", "select.describe.0."),
                (r"^attn\.bn\.", "select.describe.1."),
                (r"^attn\.fc_select\.", "select.choose."),
            ),
        ),
        "SKConv": Reference(
            build=_with_biases,
            positional=tuple(signature(_with_biases).parameters)[1:],
            attention={"branch": "select"},
            intermediate=_BRANCHES,
            rename=(
                (r"^convs\.", "branches."),
                (r"^fc\.", "select.describe."),
                (r"^fcs\.", "select.choose.maps."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.ONCE, _in_between)},
)
