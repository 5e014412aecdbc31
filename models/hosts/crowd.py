"""A crowd counter for an RGB picture, a thermal picture, or both: CSCA's network at any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.hosts.trunk import set_stride
from models.mechanisms.csca import SHARED_MULTIPLE, CSCANetwork, SpatioChannelAttention

SMALLEST_SIDE = 32
DENSITY_STRIDE = 8
"""model pixels that one cell of the density map is wide"""
STAGE_STRIDES = (2, 4, 8, 16, 16)
"""model pixels that one cell of each stage's maps is wide"""
_LEAST_PADDED = 64
"""the smallest side at which the deepest maps have the four cells that they are pooled by"""
RATIO = 0.25
"""share of VGG-19's widths that the bundled counters have"""

Feature = Float[Tensor, "batch channel row column"]
Image = Float[Tensor, "batch 3 row column"]
Density = Float[Tensor, "batch 1 down across"]
Senses = tuple[Tensor, Tensor, Tensor]


class PlainAddition(nn.Module):
    """Return (RGB, thermal, shared) features where both senses simply share their mean."""

    def __init__(self, channels: int = 0, runs_log2: int = 0) -> None:
        super().__init__()

    def forward(self, rgb: Feature, thermal: Feature) -> Senses:
        shared = (rgb + thermal) / 2
        return F.relu((rgb + shared) / 2), F.relu((thermal + shared) / 2), shared


class CrowdCounter(nn.Module):
    """Return how many people each cell of 8 x 8 pixels holds, from one sense or both.

    Args:
        ratio: share of VGG-19's widths.
        fusion: builds what joins the senses from a width and L; plain: ``PlainAddition``.
        norm: train with batch norms behind the convolutions; ``without_norms`` folds them away.
    """

    def __init__(
        self,
        ratio: float = RATIO,
        fusion: Callable[[int, int], nn.Module] = SpatioChannelAttention,
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.ratio, self.fusion = ratio, fusion
        self.network = CSCANetwork(ratio, norm, fusion)
        # The first answer is nearly empty: what starts with a crowd everywhere is pushed down so
        # hard that the head stays silent for good wherever there is no crowd.
        for name, values in self.network.head[-1].named_parameters():
            nn.init.normal_(values, std=0.01 if name == "weight" else 0.0)
        for stage, stride in zip(self.stages, STAGE_STRIDES, strict=True):
            set_stride(stage, stride)

    @property
    def stages(self) -> nn.ModuleList:
        """Return the five stages."""
        return self.network.stages

    def forward(self, rgb: Image | None, thermal: Image | None = None) -> Density:
        """Return people a cell, of the cells that the pictures reach into.

        Raises:
            ValueError: if both pictures are missing, differ in size or are too small.
        """
        given = [picture for picture in (rgb, thermal) if picture is not None]
        _check(given)
        rows, columns = given[0].shape[2:]
        density = self.network(*(_padded(p) if p is not None else None for p in (rgb, thermal)))
        return density[:, :, : -(-rows // DENSITY_STRIDE), : -(-columns // DENSITY_STRIDE)]

    @contextmanager
    def fusion_off(self, stages: frozenset[int]) -> Iterator[None]:
        """Let some stages, counted from 0, share the senses' plain mean while the code runs.

        Raises:
            ValueError: if there is no such stage.
        """
        if not stages <= set(range(len(self.stages))):
            raise ValueError(f"expected stages of 0..{len(self.stages) - 1}, received {stages}")
        kept = {index: self.stages[index].fuse for index in stages}
        try:
            for index in stages:
                self.stages[index].fuse = PlainAddition()
            yield
        finally:
            for index, fuse in kept.items():
                self.stages[index].fuse = fuse


def _check(given: list[Image]) -> None:
    if not given:
        raise ValueError("expected an RGB or a thermal picture, received neither")
    for picture in given:
        if picture.ndim != 4 or picture.shape[1] != 3 or min(picture.shape[2:]) < SMALLEST_SIDE:
            raise ValueError(
                f"expected pictures of 3 channels and at least {SMALLEST_SIDE} pixels a side, "
                f"received {tuple(picture.shape)}"
            )
    if len({picture.shape for picture in given}) > 1:
        shapes = [tuple(picture.shape) for picture in given]
        raise ValueError(f"expected two pictures of one size, received {shapes}")


def _padded(picture: Image) -> Float[Tensor, "batch 3 down across"]:
    # Zeros are the mean colour: nothing to count. Sides of this multiple can be re-assembled at
    # every stage, and the picture keeps the top left corner, so that its cells stay where they are.
    rows, columns = (
        max(_LEAST_PADDED, -(-n // SHARED_MULTIPLE) * SHARED_MULTIPLE) for n in picture.shape[2:]
    )
    return F.pad(picture, (0, columns - picture.shape[3], 0, rows - picture.shape[2]))


def without_norms(trained: CrowdCounter) -> CrowdCounter:
    """Return the same counter with the batch norms behind its convolutions folded into them.

    What is left is the authors' architecture; in evaluation mode both answer alike.
    """
    plain = CrowdCounter(trained.ratio, trained.fusion)
    own = plain.state_dict()
    kept = {key: value for key, value in trained.state_dict().items() if key in own}
    plain.load_state_dict(own | {k: v for k, v in kept.items() if v.shape == own[k].shape})
    for stage, source in zip(plain.stages, trained.stages, strict=True):
        for sense in ("rgb", "thermal"):
            _fold(getattr(source, sense), getattr(stage, sense))
    return plain.eval()


def _fold(source: nn.Sequential, target: nn.Sequential) -> None:
    convolutions = [module for module in target if isinstance(module, nn.Conv2d)]
    layers = list(source)
    index = 0
    for here, layer in enumerate(layers):
        if not isinstance(layer, nn.Conv2d):
            continue
        following = layers[here + 1]
        if isinstance(following, nn.BatchNorm2d):
            fused = torch.nn.utils.fuse_conv_bn_eval(layer.eval(), following.eval())
        else:
            fused = layer
        convolutions[index].load_state_dict(fused.state_dict())
        index += 1
