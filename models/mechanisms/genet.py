"""Gather-Excite: each channel is gated by what that channel did in a wide neighbourhood.

Idea
    Squeeze-and-excitation asks for the mean of a channel over the whole picture. Gather-excite
    makes the size of the neighbourhood a choice: gather sums a channel up over windows of an
    extent, excite spreads the result back over the places and gates them. With the whole picture
    as the extent, the gate has no places left.

Equation
    y = x * sigmoid(interp(excite(gather(x))))   (paper: section 2, y = x * f(gather(x)))
    theta-minus  gather is the mean over windows of 2e - 1 cells every e; excite does nothing.
    theta        gather is a chain of depthwise 3 x 3 convolutions of stride 2, each with a norm.
    theta-plus   the same, and excite is two 1 x 1 convolutions with a ReLU between.
    They are ``gather`` and ``excite``; interp repeats the nearest cell, before the sigmoid. The
    gate passes the tap ``attention``. A global extent (0 in the code) gathers the whole channel.
    No numbers of the authors' own code can be run: the reference files are those of two
    re-implementations. The authors' Caffe model has a ReLU behind the last norm of the gather,
    both re-implementations have none; one of them averages over windows that do not overlap
    (``GEBlock``), the other over those of the paper, the default here.

Reading the map
    One map for each channel, in 0..1, made of blocks of the extent: the gate cannot change within
    a block. Bright means that this channel is let through there. With a global extent it is one
    bar for each channel.

Limits
    Without the 1 x 1 convolutions channels do not see each other: a gate only knows its own
    channel. theta-minus has nothing to learn, so its gate is only what the layers before arrange.
    A learned global gather is tied to one size of map. In the paper's form a window is centred on
    the first cell of its block, so the gate looks up and to the left by up to half an extent; the
    network bundled here has windows centred on their blocks.
"""

from __future__ import annotations

from inspect import signature
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

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
Gathered = Float[Tensor, "batch channel _ _"]
Gate = Float[Tensor, "batch channel row column"]


class WindowMean(nn.Module):
    """Return the mean of each channel over overlapping windows, or over the whole map.

    Args:
        extent: cells from window to window; a window is 2 * extent - 1 wide. 0 is the whole map.
        add_max: mix in the maximum of the same window, half and half.
    """

    def __init__(self, extent: int, add_max: bool = False) -> None:
        super().__init__()
        if extent < 0 or extent % 2:
            raise ValueError(f"expected an even extent or 0, received {extent}")
        self.extent = extent
        self.add_max = add_max

    def forward(self, x: Feature) -> Gathered:
        if not self.extent:
            mean, largest = x.mean(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
            return (mean + largest) / 2 if self.add_max else mean
        window, border = 2 * self.extent - 1, self.extent - 1
        mean = F.avg_pool2d(x, window, self.extent, border, count_include_pad=False)
        if not self.add_max:
            return mean
        return (mean + F.max_pool2d(x, window, self.extent, border)) / 2


def learned_gather(channels: int, extent: int, norm: bool = True, kernel: int = 3) -> nn.Sequential:
    """Return depthwise convolutions of stride 2 that together reach an extent.

    Args:
        channels: channels of x.
        extent: a power of two of at least 2; each convolution halves the map.
        norm: a batch norm behind each convolution.
        kernel: rows and columns of each; the paper's 3 puts a window's centre on its first cell,
            4 puts it between the cells that the result stands for.

    Raises:
        ValueError: if ``extent`` is odd or less than 2.
    """
    if extent < 2 or extent % 2:
        raise ValueError(f"expected an even extent of at least 2, received {extent}")
    layers: list[nn.Module] = []
    # Extents between two powers of two count as the smaller one.
    for index in range(extent.bit_length() - 1):
        if index:
            layers.append(nn.ReLU())
        layers.append(_depthwise(channels, kernel, stride=2, padding=1))
        layers.append(nn.BatchNorm2d(channels) if norm else nn.Identity())
    return nn.Sequential(*layers)


def global_gather(channels: int, kernel: int, padding: int = 0, norm: bool = True) -> nn.Sequential:
    """Return one depthwise convolution as large as the map that it is made for.

    Args:
        channels: channels of x.
        kernel: rows and columns of the map.
        padding: cells around the map; with any, the result is not a single place.
        norm: a batch norm behind the convolution.
    """
    conv = _depthwise(channels, kernel, stride=1, padding=padding)
    return nn.Sequential(conv, nn.BatchNorm2d(channels) if norm else nn.Identity())


def _depthwise(channels: int, kernel: int, stride: int, padding: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, kernel, stride, padding, groups=channels, bias=False)


def excitation(channels: int, hidden: int, bias: bool = True) -> nn.Sequential:
    """Return the two 1 x 1 convolutions of theta-plus.

    Raises:
        ValueError: if ``hidden`` is not positive.
    """
    if hidden < 1:
        raise ValueError(f"expected at least 1 hidden channel, received {hidden}")
    return nn.Sequential(
        nn.Conv2d(channels, hidden, kernel_size=1, bias=bias),
        nn.ReLU(),
        nn.Conv2d(hidden, channels, kernel_size=1, bias=bias),
    )


class GatherExcite(AttentionBlock):
    """Scale each channel at each place by a gate from its neighbourhood (Hu et al., section 2).

    Args:
        gather: sums each channel up over windows.
        excite: mixes what was gathered; identity for theta and theta-minus.
        extent: cells along each side that one gathered cell is to stand for, exactly: x is filled
            up with zeros to a multiple. By default what was gathered is stretched over x, as in
            the originals, and no cell need be where its window was.
    """

    kind = Kind.FEATURE_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "g = σ(interp(excite(gather(x))));  y = g · x"

    def __init__(
        self, gather: nn.Module, excite: nn.Module | None = None, extent: int | None = None
    ) -> None:
        super().__init__()
        self.gather = gather
        self.excite = excite or nn.Identity()
        self.extent = extent

    def attention_of(self, x: Feature) -> Gate:
        """Return the gate, in 0..1, repeated from its windows to the places of x."""
        rows, columns = x.shape[2:]
        if self.extent is None:
            gathered = self.excite(self.gather(x))
            return F.interpolate(gathered, size=(rows, columns)).sigmoid()
        filled = F.pad(x, (0, -columns % self.extent, 0, -rows % self.extent))
        gathered = self.excite(self.gather(filled))
        spread = F.interpolate(gathered, scale_factor=self.extent)
        return spread[:, :, :rows, :columns].sigmoid()

    def apply_attention(self, attention: Gate, x: Feature) -> Feature:
        """Return x times the gate."""
        return x * attention


class GlobalGatherExcite(AttentionBlock):
    """Scale each channel by a gate from the mean of its whole map (global extent).

    Args:
        excite: mixes what was gathered; identity for theta-minus.
        add_max: mix in the channel maxima, half and half with the means.
    """

    kind = Kind.CHANNEL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "g = σ(excite(gather(x)));  y = g · x"

    def __init__(self, excite: nn.Module | None = None, add_max: bool = False) -> None:
        super().__init__()
        self.gather = WindowMean(0, add_max)
        self.excite = excite or nn.Identity()

    def attention_of(self, x: Feature) -> Float[Tensor, "batch channel"]:
        """Return the gate, in 0..1."""
        return self.excite(self.gather(x)).flatten(1).sigmoid()

    def apply_attention(self, attention: Float[Tensor, "batch channel"], x: Feature) -> Feature:
        """Return x with each channel scaled by its gate."""
        return x * attention[:, :, None, None]


class GatherExciteBlock(nn.Module):
    """Return a pre-activation residual block whose branch ends in a gate.

    Args:
        channels: channels of x.
        out: channels of the result.
        stride: stride of the first convolution and of the shortcut.
        gate: what stands at the end of the branch.
        dropout: share of values dropped between the convolutions while training.
    """

    def __init__(
        self, channels: int, out: int, stride: int, gate: GatherExcite, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.gate = gate
        self.shortcut = (
            nn.Conv2d(channels, out, kernel_size=1, stride=stride, bias=False)
            if channels != out
            else None
        )

    def forward(self, x: Feature) -> Float[Tensor, "batch out down across"]:
        activated = F.relu(self.norm1(x))
        inner = self.dropout(F.relu(self.norm2(self.conv1(activated))))
        branch = self.gate(self.conv2(inner))
        return (x if self.shortcut is None else self.shortcut(activated)) + branch


_RELUS = ("nn.ReLU", "relu", "torch.nn.ReLU", "ReLU")
_NORMS = ("nn.BatchNorm2d", "torch.nn.BatchNorm2d", "BatchNorm2d", "batchnorm2d", "batchnorm")


def _timm(
    variant: str,
    channels: int,
    feat_size: int | None = None,
    extra_params: bool = False,
    extent: int = 0,
    use_mlp: bool = True,
    rd_ratio: float = 1 / 16,
    rd_channels: int | None = None,
    rd_divisor: int = 1,
    add_maxpool: bool = False,
    act_layer: str = "nn.ReLU",
    norm_layer: str | None = "nn.BatchNorm2d",
    gate_layer: str = "sigmoid",
) -> GatherExcite | GlobalGatherExcite:
    if act_layer not in _RELUS or norm_layer not in (None, *_NORMS) or gate_layer != "sigmoid":
        raise ValueError(
            "expected ReLU, a batch norm or none, and a sigmoid gate as in the paper, received "
            f"{act_layer}, {norm_layer} and {gate_layer}"
        )
    rounded = int(channels * rd_ratio + rd_divisor / 2) // rd_divisor * rd_divisor
    hidden = rd_channels or max(rd_divisor, rounded)
    excite = excitation(channels, hidden) if use_mlp else None
    norm = norm_layer is not None
    if not extra_params and not extent:
        return GlobalGatherExcite(excite, add_maxpool)
    if not extra_params:
        return GatherExcite(WindowMean(extent, add_maxpool), excite)
    if extent:
        return GatherExcite(learned_gather(channels, extent, norm), excite)
    if feat_size is None:
        raise ValueError("expected feat_size for a global extent with parameters, received none")
    # This re-implementation pads its global convolution as any other: several places are left.
    padding = (feat_size - 1) // 2
    return GatherExcite(global_gather(channels, feat_size, padding, norm), excite)


def _wide_resnet_block(
    variant: str,
    in_planes: int,
    out_planes: int,
    stride: int,
    spatial: int,
    extent: int = 0,
    extra_params: bool = True,
    mlp: bool = True,
    dropRate: float = 0.0,
) -> GatherExciteBlock:
    gather: nn.Module
    if not extra_params:
        gather = nn.AdaptiveAvgPool2d(spatial // extent if extent else 1)
    elif extent:
        gather = learned_gather(out_planes, extent)
    else:
        gather = global_gather(out_planes, spatial)
    excite = excitation(out_planes, out_planes // 16, bias=False) if mlp else None
    gate = GatherExcite(gather, excite)
    return GatherExciteBlock(in_planes, out_planes, stride, gate, dropRate)


def _as_gathered(gate: Tensor, gathered: Tensor) -> Tensor:
    # The re-implementation leaves a gate of one place as it is, for the product to broadcast.
    if gathered.shape[2:] == (1, 1):
        return gate[:, :, None, None] if gate.ndim == 2 else gate[:, :, :1, :1]
    return gate


def _chain(theirs: str, ours: str, conv: str, norm: str) -> tuple[tuple[str, str], ...]:
    """Return the patterns of up to three convolutions, each with its norm and a ReLU behind."""
    pairs = []
    for index in range(3):
        pairs.append((theirs + conv.format(index, index + 1), f"{ours}gather.{3 * index}."))
        pairs.append((theirs + norm.format(index, index + 1), f"{ours}gather.{3 * index + 1}."))
    return tuple(pairs)


def _in_residual_branch(channels: int) -> GatherExcite:
    excite = excitation(channels, max(8, channels // 8))
    # The hosts' trunk was trained without gates: they open at first.
    if isinstance(excite[2].bias, Tensor):
        nn.init.constant_(excite[2].bias, 2.0)
    # Windows centred on the cells that they gate: the gate is not off by half a window.
    return GatherExcite(learned_gather(channels, extent=4, kernel=4), excite, extent=4)


def _theta_plus(channels: int) -> GatherExcite:
    return GatherExcite(learned_gather(channels, 4), excitation(channels, max(1, channels // 4)))


MECHANISM = Mechanism(
    slug="genet",
    name="Gather-Excite",
    family="spatial",
    goals=(Goal.REGIONS, Goal.LONG_RANGE),
    paper=Paper(
        title="Gather-Excite: Exploiting Feature Context in Convolutional Neural Networks",
        authors="Hu, Shen, Albanie, Sun, Vedaldi",
        venue="NeurIPS",
        year=2018,
        arxiv="1810.12348",
    ),
    variants={
        "": lambda channels: GatherExcite(learned_gather(channels, extent=4)),
        "theta_plus": _theta_plus,
        "centred": _in_residual_branch,
        "theta_minus": lambda channels: GatherExcite(WindowMean(4)),
        "theta_minus_global": lambda channels: GlobalGatherExcite(),
        "block": lambda channels: GatherExciteBlock(channels, channels, 1, _theta_plus(channels)),
    },
    references={
        "GatherExcite": Reference(
            build=_timm,
            positional=tuple(signature(_timm).parameters)[1:],
            attention={"gate": Derived(("", "excite"), _as_gathered)},
            rename=(
                *_chain("^gather[.]", "", "conv{1}[.]", "norm{1}[.]"),
                (r"^mlp\.fc1\.", "excite.0."),
                (r"^mlp\.fc2\.", "excite.2."),
            ),
        ),
        "GEBlock": Reference(
            build=_wide_resnet_block,
            positional=tuple(signature(_wide_resnet_block).parameters)[1:],
            attention={"gate": "gate"},
            intermediate={"gathered": "gate.gather", "pre_attention": "conv2"},
            rename=(
                (r"^bn1\.", "norm1."),
                (r"^bn2\.", "norm2."),
                (r"^convShortcut\.", "shortcut."),
                (r"^downop\.dwconv\.", "gate.gather.0."),
                (r"^downop\.bn\.", "gate.gather.1."),
                *_chain("^downop[.]", "gate.", "{0}[.]dwconv[.]", "{0}[.]bn[.]"),
                (r"^mlp\.", "gate.excite."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.EVERY_RESIDUAL, _in_residual_branch)},
)
