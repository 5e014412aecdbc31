"""Stages of VGG-19 (Simonyan, Zisserman, ICLR 2015), with or without batch norms."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

WIDTHS = (64, 128, 256, 512, 512)
"""channels of the five stages"""
CONVOLUTIONS = (2, 2, 4, 4, 4)
"""convolutions of each stage"""


def vgg_stage(channels: int, layers: Sequence[int | str], norm: bool = False) -> nn.Sequential:
    """Return 3 x 3 convolutions with ReLU, and pooling by 2 where ``layers`` has "M".

    Args:
        channels: channels of the input.
        layers: output channels of each convolution, or "M".
        norm: put a batch norm behind each convolution; ``without_norms`` folds them away.
    """
    parts: list[nn.Module] = []
    for layer in layers:
        if layer == "M":
            parts.append(nn.MaxPool2d(2, ceil_mode=True))
            continue
        width = int(layer)
        parts.append(nn.Conv2d(channels, width, kernel_size=3, padding=1))
        parts += [nn.BatchNorm2d(width), nn.ReLU()] if norm else [nn.ReLU()]
        channels = width
    return nn.Sequential(*parts)
