"""A small residual classifier with room for gates in every block or one block between stages."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from models.hosts.trunk import Trunk, check_images, pad_to_aligned, set_stride
from models.mechanism import Placement, Plug

SMALLEST_SIDE = 64
_ONCE_AFTER_STAGE = 1
"""a block that stands once comes after stride 8: fine enough for maps, few enough places"""


class Classifier(nn.Module):
    """Return class scores for images of any size from 64 pixels.

    Args:
        classes: number of classes.
        plug: where attention stands and what it is; none for the plain host.
    """

    def __init__(self, classes: int, plug: Plug | None = None) -> None:
        super().__init__()
        placed = {} if plug is None else {plug.placement: plug.build}
        self.trunk = Trunk(gate=placed.get(Placement.EVERY_RESIDUAL))
        between = placed.get(Placement.ONCE, lambda channels: nn.Identity())
        self.between = between(self.trunk.widths[_ONCE_AFTER_STAGE])
        set_stride(self.between, 4 * 2**_ONCE_AFTER_STAGE)
        self.dropout = nn.Dropout(0.2)
        self.classify = nn.Linear(self.trunk.widths[-1], classes)

    def forward(self, x: Float[Tensor, "batch 3 row column"]) -> Float[Tensor, "batch class"]:
        """Return class scores; raises ValueError for images that are too small or not RGB."""
        check_images(x, SMALLEST_SIDE)
        x = self.trunk.stem(pad_to_aligned(x))
        for index in range(len(self.trunk.stages)):
            x = self.trunk.stage(index, x)
            if index == _ONCE_AFTER_STAGE:
                x = self.between(x)
        return self.classify(self.dropout(x.mean(dim=(2, 3))))
