"""Maps at several scales as one."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Feature = Float[Tensor, "batch channel row column"]


class MultiScaleContext(nn.Module):
    """Return each map mixed with itself pooled by 2 and by 4 (CSCA, section 3.3).

    Args:
        channels: channels of x.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3 * channels, channels, kernel_size=1)

    def forward(self, x: Feature) -> Feature:
        """Return ReLU(conv([x, x pooled by 2, x pooled by 4])); sides must be 4 at least."""
        if min(x.shape[2:]) < 4:
            raise ValueError(f"expected maps of at least 4 x 4 cells, received {tuple(x.shape)}")
        pooled = [F.interpolate(F.max_pool2d(x, n), size=x.shape[2:]) for n in (2, 4)]
        return F.relu(self.mix(torch.cat([x, *pooled], dim=1)))
