"""CARAFE: a map is enlarged by kernels that are made anew for every fine place.

Idea
    Bilinear enlarging mixes the same neighbours with the same weights everywhere. Here a small
    network looks at the coarse map and gives every fine place a kernel of its own, so that an edge
    can stay an edge.

Equation
    W = softmax over the k x k window of shuffle(encode(compress(x)))   (paper: eq. 1, 3)
    y(h, w) = sum over the window of W(h, w) x around (floor(h / s), floor(w / s))   (eq. 2)
    s is the factor; ``predict`` makes the logits, and ``reassemble``, whose tap ``attention`` the
    kernels W pass, puts them to use. Group g of the channels has kernels of its own: one head each.

Reading the map
    Point at a fine place: its kernel stands on the coarse cells around the one that it is in. The
    weights are not negative and sum to 1, but what a kernel gives to cells beyond the border is
    lost: there a row sums to less.

Limits
    A kernel only mixes what is in its window, and with positive weights: it can sharpen by
    choosing, not by subtracting. Near the border the result is darker, because kernels are not
    made whole again, as in the authors' code.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.affinities.heads import by_heads, from_heads
from models.affinities.windows import Window, WindowAffinity
from models.affinity import PairwiseAffinity
from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Claim,
    Derived,
    Growth,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)

Feature = Float[Tensor, "batch channel row column"]
Fine = Float[Tensor, "batch channel _ _"]
Logits = Float[Tensor, "batch entry fine_row fine_column"]


class Reassemble(AttentionBlock):
    """Return a coarse map enlarged by one kernel for each fine place (Wang et al., eq. 2).

    The logits are asked for their places and come first; what is enlarged comes second.

    Args:
        kernel: coarse cells along a side of a kernel; odd.
        groups: groups of channels with kernels of their own.
        factor: fine cells along a side of a coarse one.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.UNIT
    formula: ClassVar[str] = "W = softmax(φ(x));  yᵢ = Σⱼ Wᵢⱼ xⱼ, j ∈ N(⌊i / s⌋)"

    def __init__(self, kernel: int, groups: int, factor: int) -> None:
        super().__init__()
        self.window = Window.centred(kernel, factor=factor)
        self.groups = groups

    def key_cells(self) -> int:
        """Return s: so many fine cells along each side are one coarse cell."""
        return self.window.factor

    def key_grid(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the rows and columns of the coarse map; its last cells may be cut."""
        return -(-rows // self.window.factor), -(-columns // self.window.factor)

    def attention_of(self, logits: Logits, x: Feature) -> PairwiseAffinity:
        """Return W, a head for each group; channel g k k + n of the logits is entry n of group g.

        Raises:
            ValueError: if the logits are not those of such a window, or of another map than x.
        """
        queries, keys = (logits.shape[2], logits.shape[3]), (x.shape[2], x.shape[3])
        expected = (self.groups * self.window.entries, *keys)
        if (logits.shape[1], *self.key_grid(*queries)) != expected:
            raise ValueError(
                f"expected logits of {expected[0]} channels over {keys}, {self.window.factor} a "
                f"cell, received {tuple(logits.shape)}"
            )
        weights = logits.flatten(2).unflatten(1, (self.groups, -1)).softmax(dim=2)
        return WindowAffinity(weights, self.window, queries, keys)

    def apply_attention(self, attention: PairwiseAffinity, logits: Logits, x: Feature) -> Fine:
        """Return W x."""
        gathered = attention.aggregate(by_heads(x, attention.shape[1]))
        return from_heads(gathered, (logits.shape[2], logits.shape[3]))


class Carafe(nn.Module):
    """Return x enlarged by a factor (figure 2 of the paper).

    Args:
        channels: channels of x and of the result.
        factor: by how much; the paper's is 2.
        kernel: coarse cells along a side of a kernel; odd.
        groups: groups of channels with kernels of their own.
        encoder: cells along a side of the convolution that makes kernels; odd.
        dilation: of that convolution.
        compressed: channels that it sees.
    """

    def __init__(
        self,
        channels: int,
        factor: int = 2,
        kernel: int = 5,
        groups: int = 1,
        encoder: int = 3,
        dilation: int = 1,
        compressed: int = 64,
    ) -> None:
        super().__init__()
        if encoder % 2 == 0:
            raise ValueError(f"expected an odd encoder, received {encoder}")
        padding = (encoder - 1) * dilation // 2
        entries = groups * kernel**2
        self.predict = nn.Sequential(
            nn.Conv2d(channels, compressed, kernel_size=1),
            nn.Conv2d(compressed, entries * factor**2, encoder, padding=padding, dilation=dilation),
            nn.PixelShuffle(factor),
        )
        self.reassemble = Reassemble(kernel, groups, factor)

    def forward(self, x: Feature, size: tuple[int, int] | None = None) -> Fine:
        """Return x enlarged, cut to a size of fewer rows and columns where one is given."""
        logits = self.predict(x)
        if size is not None:
            logits = logits[:, :, : size[0], : size[1]]
        return self.reassemble(logits, x)


class CarafeLevel(nn.Module):
    """Return x joined with a coarser look at it, enlarged by kernels of its own.

    One level of a feature pyramid: down, two convolutions, and up again beside x.

    Args:
        channels: channels of x and of the result.
        kernel: coarse cells along a side of a kernel; odd.
    """

    def __init__(self, channels: int, kernel: int = 5) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.MaxPool2d(2, ceil_mode=True),
            *_convolved(channels, channels, 3),
            *_convolved(channels, channels, 3),
        )
        self.enlarge = Carafe(channels, kernel=kernel, compressed=channels // 2)
        self.join = nn.Sequential(*_convolved(2 * channels, channels, 1))

    def forward(self, x: Feature) -> Feature:
        enlarged = self.enlarge(self.down(x), (x.shape[2], x.shape[3]))
        return F.relu(x + self.join(torch.cat([x, enlarged], dim=1)))


def _convolved(channels: int, out: int, kernel: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
    return conv, nn.BatchNorm2d(out), nn.ReLU()


def _pack(
    variant: str,
    channels: int,
    scale_factor: int,
    up_kernel: int = 5,
    up_group: int = 1,
    encoder_kernel: int = 3,
    encoder_dilation: int = 1,
    compressed_channels: int = 64,
) -> Carafe:
    return Carafe(
        channels,
        scale_factor,
        up_kernel,
        up_group,
        encoder_kernel,
        encoder_dilation,
        compressed_channels,
    )


def _as_kernels(affinity: WindowAffinity) -> Fine:
    return affinity.weights.flatten(1, 2).unflatten(2, affinity.queries)


MECHANISM = Mechanism(
    slug="carafe",
    name="CARAFE upsampling",
    family="self-attention",
    goals=(Goal.NEIGHBOURS,),
    growth=Growth("O(N k², kernels of k)", 1.0),
    paper=Paper(
        title="CARAFE: Content-Aware ReAssembly of FEatures",
        authors="Wang, Chen, Xu, Liu, Loy, Lin",
        venue="ICCV",
        year=2019,
        arxiv="1905.02188",
    ),
    variants={
        "": lambda channels: Carafe(channels, kernel=3, compressed=8),
        "group2": lambda channels: Carafe(channels, kernel=3, groups=2, encoder=1, compressed=4),
        "level": lambda channels: CarafeLevel(channels, kernel=3),
    },
    references={
        "CARAFEPack": Reference(
            build=_pack,
            positional=(
                "channels",
                "scale_factor",
                "up_kernel",
                "up_group",
                "encoder_kernel",
                "encoder_dilation",
                "compressed_channels",
            ),
            attention={"kernels": Derived(("reassemble",), _as_kernels)},
            rename=(
                (r"^channel_compressor\.", "predict.0."),
                (r"^content_encoder\.", "predict.1."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, CarafeLevel)},
)
