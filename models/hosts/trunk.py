"""The convolutional trunk that the classifier and the segmenter share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.mechanism import blocks_of

Feature = Float[Tensor, "batch channel row column"]
Derived = Float[Tensor, "batch _ _ _"]
"""a feature of the same pictures with other channels or of another size"""
STEM_STRIDE = 4
ALIGNED_STRIDE = 8
"""inputs are padded to a multiple of this, so that a cell of 8 pixels is exactly 8 pixels"""


def conv_norm_relu(channels: int, out: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return convolution, batch norm and ReLU.

    An odd kernel goes with stride 1 and an even one with stride 2: then the centre of an output
    cell's window is the centre of the pixels it stands for, and maps are not half a cell off.
    """
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, padding=(kernel - 1) // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


def pad_to_aligned(x: Feature) -> Derived:
    """Repeat the last row and column until both sides are multiples of ``ALIGNED_STRIDE``."""
    rows, columns = (-side % ALIGNED_STRIDE for side in x.shape[2:])
    return F.pad(x, (0, columns, 0, rows), mode="replicate") if rows or columns else x


def double(x: Feature, like: Derived) -> Derived:
    """Return x at twice its size, cropped to the size of ``like``.

    Doubling exactly and cropping keeps cells where they are when a side is odd; resizing to the
    wanted size would stretch them.
    """
    doubled = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return doubled[:, :, : like.shape[2], : like.shape[3]]


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, with room for a gate on the branch."""

    def __init__(self, channels: int, gate: nn.Module) -> None:
        super().__init__()
        self.conv1 = conv_norm_relu(channels, channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm2.weight)
        self.gate = gate

    def forward(self, x: Feature) -> Feature:
        return F.relu(x + self.gate(self.norm2(self.conv2(self.conv1(x)))))


class Trunk(nn.Module):
    """Return features at strides 4, 8, 16 and 32.

    Args:
        widths: channels at each stride.
        depths: residual blocks at each stride.
        gate: builds what stands at the end of every residual branch, from its channels.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128, 192),
        depths: Sequence[int] = (1, 2, 2, 1),
        gate: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        make_gate = gate or (lambda channels: nn.Identity())
        self.widths = tuple(widths)
        self.stem = nn.Sequential(
            conv_norm_relu(3, 24, kernel=4, stride=2),
            conv_norm_relu(24, widths[0], kernel=4, stride=2),
        )
        self.reduce = nn.ModuleList(
            nn.Sequential(
                nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False),
                conv_norm_relu(channels, out),
            )
            for channels, out in pairwise(widths)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width, make_gate(width)) for _ in range(depth)))
            for width, depth in zip(widths, depths, strict=True)
        )
        for index, stage in enumerate(self.stages):
            set_stride(stage, STEM_STRIDE * 2**index)

    def stage(self, index: int, x: Feature) -> Derived:
        """Return stage ``index`` of the features of the stage before (or of the stem)."""
        return self.stages[index](self.reduce[index - 1](x) if index else x)

    def forward(self, x: Feature) -> list[Derived]:
        features = [self.stage(0, self.stem(x))]
        for index in range(1, len(self.stages)):
            features.append(self.stage(index, features[-1]))
        return features


def set_stride(module: nn.Module, stride: int) -> None:
    """Tell every attention block inside how many model pixels one of its cells is wide."""
    for block in blocks_of(module).values():
        block.stride = stride


def check_images(x: Tensor, smallest: int) -> None:
    """Raise ValueError unless x is a batch of RGB images with sides of at least ``smallest``."""
    if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < smallest:
        raise ValueError(
            f"expected images (batch, 3, rows >= {smallest}, columns >= {smallest}), "
            f"received {tuple(x.shape)}"
        )
    if not torch.is_floating_point(x):
        raise ValueError(f"expected floating point images, received {x.dtype}")
