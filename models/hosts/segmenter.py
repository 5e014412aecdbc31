"""A small segmentation network with a context module at stride 8."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.hosts.trunk import (
    ALIGNED_STRIDE,
    Derived,
    Feature,
    Trunk,
    check_images,
    conv_norm_relu,
    double,
    pad_to_aligned,
    set_stride,
)
from models.mechanism import Plug

SMALLEST_SIDE = 64
CONTEXT_WIDTH = 96
DECODER_WIDTH = 48


def _lateral(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, kernel_size=1, bias=False), nn.BatchNorm2d(out))


class Segmenter(nn.Module):
    """Return class scores for every pixel of images of any size from 64 pixels.

    The trunk's features at strides 8, 16 and 32 are joined at stride 8, where the context module
    stands; a decoder adds the detail of stride 4.

    Args:
        classes: number of classes.
        plug: builds the context module; none for the plain host.
    """

    def __init__(self, classes: int, plug: Plug | None = None) -> None:
        super().__init__()
        self.trunk = Trunk()
        width4, width8, width16, width32 = self.trunk.widths
        self.lateral8 = _lateral(width8, CONTEXT_WIDTH)
        self.lateral16 = _lateral(width16, CONTEXT_WIDTH)
        self.lateral32 = _lateral(width32, CONTEXT_WIDTH)
        self.join = conv_norm_relu(CONTEXT_WIDTH, CONTEXT_WIDTH)
        self.context = plug.build(CONTEXT_WIDTH) if plug is not None else nn.Identity()
        set_stride(self.context, ALIGNED_STRIDE)
        self.refine = conv_norm_relu(CONTEXT_WIDTH, CONTEXT_WIDTH)
        self.lateral4 = _lateral(width4, DECODER_WIDTH)
        self.lateral_refined = _lateral(CONTEXT_WIDTH, DECODER_WIDTH)
        self.decode = conv_norm_relu(DECODER_WIDTH, DECODER_WIDTH)
        self.dropout = nn.Dropout2d(0.1)
        self.classify = nn.Conv2d(DECODER_WIDTH, classes, kernel_size=1)

    def features(self, x: Float[Tensor, "batch 3 row column"]) -> tuple[Derived, Derived]:
        """Return (features at stride 4, joined features at stride 8) of padded images."""
        f4, f8, f16, f32 = self.trunk(x)
        coarse = self.lateral16(f16)
        coarse = coarse + double(self.lateral32(f32), like=coarse)
        joined = self.lateral8(f8)
        return f4, self.join(F.relu(joined + double(coarse, like=joined)))

    def decode_features(self, f4: Feature, joined: Derived) -> Derived:
        """Return class scores at stride 4 from what ``features`` returned."""
        return self.classify(self.dropout(self.decode(self._with_detail(f4, joined))))

    def _with_detail(self, f4: Feature, joined: Derived) -> Derived:
        # A function of its own, so that what it adds up is gone before the decoder needs memory.
        refined = self.lateral_refined(self.refine(self.context(joined)))
        detail = self.lateral4(f4)
        return F.relu(detail + double(refined, like=detail))

    def forward(
        self, x: Float[Tensor, "batch 3 row column"]
    ) -> Float[Tensor, "batch class row column"]:
        """Return class scores a pixel; raises ValueError for images too small or not RGB."""
        return self.answer(*self.padded_features(x), (x.shape[2], x.shape[3]))

    def padded_features(self, x: Float[Tensor, "batch 3 row column"]) -> tuple[Derived, Derived]:
        """Return ``features`` of images of any size; raises ValueError as ``forward`` does."""
        check_images(x, SMALLEST_SIDE)
        return self.features(pad_to_aligned(x))

    def answer(self, f4: Feature, joined: Derived, size: tuple[int, int]) -> Derived:
        """Return class scores for every pixel of images of some (rows, columns)."""
        scores = self.decode_features(f4, joined)
        scores = F.interpolate(scores, scale_factor=4, mode="bilinear", align_corners=False)
        return scores[:, :, : size[0], : size[1]]
