"""Feature maps as lists of places, and back."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

Feature = Float[Tensor, "batch channel row column"]
Result = Float[Tensor, "batch out row column"]
"""a map of the same places with other channels"""


def tokens(x: Feature) -> Float[Tensor, "batch 1 place channel"]:
    """Return the places of x row by row, as one head."""
    return x.flatten(2).transpose(1, 2).unsqueeze(1)


def places(
    gathered: Float[Tensor, "batch 1 place channel"], like: Float[Tensor, "batch _ row column"]
) -> Feature:
    """Return tokens of one head as a feature map of the rows and columns of ``like``."""
    return gathered.squeeze(1).transpose(1, 2).unflatten(2, like.shape[2:])


def conv_norm(channels: int, out: int, bias: bool = False, eps: float = 1e-5) -> nn.Sequential:
    """Return a 1 x 1 convolution and a batch norm."""
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel_size=1, bias=bias), nn.BatchNorm2d(out, eps=eps)
    )


def conv_norm_relu(channels: int, out: int, bias: bool = False, eps: float = 1e-5) -> nn.Sequential:
    """Return a 1 x 1 convolution, a batch norm and a ReLU."""
    return nn.Sequential(*conv_norm(channels, out, bias, eps), nn.ReLU())
