"""Residual attention: an hourglass beside the trunk makes a mask that amplifies its features.

Idea
    A small network within the network looks at the map coarsely: pool, convolve, pool again, then
    stretch back. What it returns is a mask for every channel and place. Multiplying by a mask in
    many layers would fade the features away, so the mask only ever adds: a place where it is 0
    stays as it was, where it is 1 it doubles.

Equation
    M = sigmoid(head(hourglass(x))),  y = (1 + M) T(x)    (paper: eq. 3, with f1 of its eq. 4)
    T is ``trunk``, two residual units; the hourglass and the head are in ``mask``, M passes
    ``mask.attention``. The hourglass halves the map ``depth`` times with maxima and stretches it
    back with bilinear interpolation whose corner cells keep their places; ``skips`` join maps of
    one size. The reference files are those of a re-implementation, whose mask also gets what the
    paper's figure does not have: the maps on the way down are added once more on the way up, and
    T(x) is added before the head. ``additions=False`` is the paper's form.

Reading the map
    One map for each channel, in 0..1, as fine as the features: how much more of them there is.
    0 is no attention, not silence. Coarse blotches come from the hourglass; fine detail comes from
    the trunk that is added before the head, and is missing in the paper's form.

Limits
    Nothing can be muted: the least a mask does is nothing. Because trunk and mask are trained
    together, the trunk may already be small where the mask is large. The hourglass sees very far
    only if it is deep: at depth 1 it is one pooling. The originals' windows and stretching leave
    the coarse part of a mask up to a cell off (``centred=True``, as in the bundled network, does
    not).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import ClassVar

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


class ResidualUnit(nn.Module):
    """Return x plus three convolutions of it, each behind its norm and ReLU.

    Args:
        channels: channels of x; the convolutions between have a quarter of them.

    Raises:
        ValueError: if there are fewer than 4 channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 4:
            raise ValueError(f"expected at least 4 channels, received {channels}")
        inner = channels // 4
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, inner, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, kernel_size=3, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, channels, kernel_size=1, bias=False)

    def forward(self, x: Feature) -> Feature:
        inner = self.conv1(F.relu(self.norm1(x)))
        inner = self.conv2(F.relu(self.norm2(inner)))
        return x + self.conv3(F.relu(self.norm3(inner)))


class SoftMask(AttentionBlock):
    """Amplify the trunk's features by a mask that an hourglass makes (Wang et al., eq. 3).

    Args:
        channels: channels of the trunk and of the hourglass's input.
        depth: how often the hourglass halves the map.
        additions: add the maps on the way down and the trunk, as the re-implementation does.
        centred: halve by 2 x 2 cells and stretch edge to edge, so that every coarse cell stays
            over the cells that it was made from.

    Raises:
        ValueError: if ``depth`` is not positive.
    """

    kind = Kind.FEATURE_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "M = σ(head(hourglass(x)));  y = (1 + M) · T(x)"
    identity = 0.0

    def __init__(
        self, channels: int, depth: int, additions: bool = True, centred: bool = False
    ) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"expected to halve the map at least once, received {depth}")
        self.additions, self.centred = additions, centred
        between = range(depth - 1)
        self.down = nn.ModuleList(nn.Sequential(ResidualUnit(channels)) for _ in between)
        # The coarsest map goes through two units.
        self.down.append(nn.Sequential(ResidualUnit(channels), ResidualUnit(channels)))
        self.skips = nn.ModuleList(ResidualUnit(channels) for _ in between)
        self.up = nn.ModuleList(ResidualUnit(channels) for _ in between)
        self.head = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel_size=1, bias=False),
        )

    def attention_of(self, trunk: Feature, x: Feature) -> Feature:
        """Return the mask M, in 0..1."""
        coarser = []
        for step in self.down:
            x = step(self._halved(x))
            coarser.append(x)
        for level in reversed(range(len(self.up))):
            same_size = coarser[level]
            x = self._stretched(x, same_size) + self.skips[level](same_size)
            x = self.up[level](x)
        return self.head(self._stretched(x, trunk)).sigmoid()

    def _halved(self, x: Feature) -> Float[Tensor, "batch channel _ _"]:
        if self.centred:
            return F.max_pool2d(x, kernel_size=2, ceil_mode=True)
        return F.max_pool2d(x, kernel_size=3, stride=2, padding=1)

    def _stretched(self, x: Feature, like: Float[Tensor, "batch channel _ _"]) -> Tensor:
        size = like.shape[2:]
        if self.centred:
            # Doubling exactly and cropping keeps cells where they are when a side is odd.
            doubled = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            stretched = doubled[:, :, : size[0], : size[1]]
        else:
            stretched = F.interpolate(x, size=size, mode="bilinear", align_corners=True)
        return stretched + like if self.additions else stretched

    def apply_attention(self, attention: Feature, trunk: Feature, x: Feature) -> Feature:
        """Return (1 + M) times the trunk."""
        return (1 + attention) * trunk


class AttentionModule(nn.Module):
    """Return x after a unit, the masked trunk and another unit (Wang et al., figure 2).

    Args:
        channels: channels of x and of the result.
        depth: how often the mask's hourglass halves the map.
        additions: as in ``SoftMask``.
        centred: as in ``SoftMask``.
    """

    def __init__(
        self, channels: int, depth: int, additions: bool = True, centred: bool = False
    ) -> None:
        super().__init__()
        self.enter = ResidualUnit(channels)
        self.trunk = nn.Sequential(ResidualUnit(channels), ResidualUnit(channels))
        self.mask = SoftMask(channels, depth, additions, centred)
        self.leave = ResidualUnit(channels)

    def forward(self, x: Feature) -> Feature:
        x = self.enter(x)
        return self.leave(self.mask(self.trunk(x), x))


def _module(in_channels: int, out_channels: int, depth: int) -> AttentionModule:
    if in_channels != out_channels:
        raise ValueError(
            f"expected as many channels out as in, received {in_channels} and {out_channels}"
        )
    return AttentionModule(out_channels, depth)


Size = Sequence[int] | int | None
"""a size that the original stretches to: ours takes it from the maps, where it must be the same"""


def _stage1(
    variant: str,
    in_channels: int,
    out_channels: int,
    size1: Size = None,
    size2: Size = None,
    size3: Size = None,
) -> AttentionModule:
    return _module(in_channels, out_channels, depth=3)


def _stage2(
    variant: str, in_channels: int, out_channels: int, size1: Size = None, size2: Size = None
) -> AttentionModule:
    return _module(in_channels, out_channels, depth=2)


def _stage3(
    variant: str, in_channels: int, out_channels: int, size1: Size = None
) -> AttentionModule:
    return _module(in_channels, out_channels, depth=1)


def _renamed(depth: int) -> tuple[tuple[str, str], ...]:
    """Return the patterns of a module that halves the map ``depth`` times."""
    unit = tuple(
        (rf"{theirs}(\d)\.", rf"{ours}\1.") for theirs, ours in (("bn", "norm"), ("conv", "conv"))
    )
    places = {
        "first_residual_blocks": "enter",
        "trunk_branches.0": "trunk.0",
        "trunk_branches.1": "trunk.1",
        "last_blocks": "leave",
        f"softmax{depth}_blocks.0": f"mask.down.{depth - 1}.0",
        f"softmax{depth}_blocks.1": f"mask.down.{depth - 1}.1",
    }
    for level in range(depth - 1):
        places[f"softmax{level + 1}_blocks"] = f"mask.down.{level}.0"
        places[f"skip{level + 1}_connection_residual_block"] = f"mask.skips.{level}"
        places[f"softmax{2 * depth - 1 - level}_blocks"] = f"mask.up.{level}"
    patterns = [
        (rf"^{name.replace('.', '[.]')}\.{part}", f"{ours}.{part_ours}")
        for name, ours in places.items()
        for part, part_ours in unit
    ]
    return (*patterns, (rf"^softmax{2 * depth}_blocks\.", "mask.head."))


def _reference(build: Callable[..., AttentionModule], depth: int) -> Reference:
    return Reference(
        build=build,
        positional=tuple(signature(build).parameters)[1:],
        attention={"mask": "mask"},
        intermediate={"trunk": "trunk"},
        rename=_renamed(depth),
        # The shortcut's convolution is there for units that change the number of channels.
        unused=r"\.conv4\.",
    )


def _in_between(channels: int) -> AttentionModule:
    block = AttentionModule(channels, depth=2, centred=True)
    # The hosts' trunk was trained without the module: its units add nothing at first.
    for unit in (block.enter, block.trunk[0], block.trunk[1], block.leave):
        nn.init.zeros_(unit.get_submodule("conv3").get_parameter("weight"))
    return block


MECHANISM = Mechanism(
    slug="residual_attention",
    name="Residual attention",
    family="channel and spatial",
    goals=(Goal.REGIONS, Goal.CHANNELS),
    paper=Paper(
        title="Residual Attention Network for Image Classification",
        authors="Wang, Jiang, Qian, Yang, Li, Zhang, Wang, Tang",
        venue="CVPR",
        year=2017,
        arxiv="1704.06904",
    ),
    variants={
        "": lambda channels: AttentionModule(channels, depth=3),
        "stage2": lambda channels: AttentionModule(channels, depth=2),
        "stage3": lambda channels: AttentionModule(channels, depth=1),
        "centred": lambda channels: AttentionModule(channels, depth=2, centred=True),
        "paper": lambda channels: AttentionModule(channels, depth=2, additions=False),
    },
    references={
        "AttentionModule_stage1": _reference(_stage1, depth=3),
        "AttentionModule_stage2": _reference(_stage2, depth=2),
        "AttentionModule_stage3": _reference(_stage3, depth=1),
    },
    plugs={"classifier": Plug(Placement.ONCE, _in_between)},
)
