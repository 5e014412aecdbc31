"""A residual bottleneck around any layer: how layers that replace a convolution join a host."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

Feature = Float[Tensor, "batch channel row column"]


class Bottleneck(nn.Module):
    """Return ReLU(x + what a layer makes of x between two 1 x 1 convolutions).

    Args:
        channels: channels of x and of the result.
        inner: channels that the layer takes and returns.
        layer: stands where a bottleneck has its 3 x 3 convolution.
    """

    def __init__(self, channels: int, inner: int, layer: nn.Module) -> None:
        super().__init__()
        self.reduce = nn.Sequential(
            nn.Conv2d(channels, inner, kernel_size=1, bias=False), nn.BatchNorm2d(inner), nn.ReLU()
        )
        self.layer = layer
        self.expand = nn.Sequential(
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Feature) -> Feature:
        return (x + self.expand(self.layer(self.reduce(x)))).relu()
