"""FcaNet: a channel's weight from frequencies, of which the mean is only the lowest.

Idea
    The mean over places, which Squeeze-and-Excitation starts from, is the lowest frequency of the
    cosine transform of a map: two quite different maps can share it. Here the channels are cut into
    groups, and each group is summed up by a frequency of its own, so that the gate also knows of
    stripes and gradients.

Equation
    f_c = sum_ij x_c[i, j] D_c[i, j],  s = sigmoid(W2 relu(W1 f)),  y_c = s_c x_c
    D_c[i, j] = cos(pi u (i + 1/2) / h) cos(pi v (j + 1/2) / w), divided by sqrt(h w) and times
    sqrt(2) for u > 0 and for v > 0   (paper: two-dimensional DCT, multi-spectral attention)
    D is ``basis`` (fixed), W1 is ``reduce``, W2 is ``expand``; f passes ``frequency``, s passes the
    tap ``attention``. A map of another size than h x w is first resized to it by adaptive means.
    The frequencies of ``SELECTIONS`` are the authors': u (down) and v (across) of a 7 x 7 map,
    multiplied by h // 7 and w // 7 for larger ones.

Reading the map
    A bar chart: s has no place. Beside each bar stands its channel's frequency, drawn as the basis
    D_c, and the channel's coefficient f_c: how much of that pattern the channel's map holds.

Limits
    Which channel gets which frequency is decided before training, by position in the list. Apart
    from (0, 0), a coefficient has a sign that turns over when the picture is mirrored or shifted by
    half a wave. Frequency (0, 0) gives sum / sqrt(h w), which is not the mean but grows with size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Auxiliary,
    Claim,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)
from models.taps import Tap

Feature = Float[Tensor, "batch channel row column"]
Frequency = tuple[int, int]
NATIVE_SIDE = 7
"""frequencies of ``SELECTIONS`` belong to maps of this side"""

_RANKED = {
    # By what each reached alone on ImageNet, by how low they are, and from the other end.
    "top": (
        "00 01 60 05 02 10 12 40 50 16 30 04 06 03 35 22 "
        "46 63 33 53 55 21 61 52 54 32 31 41 23 20 65 13"
    ),
    "low": (
        "00 01 10 11 02 20 21 12 22 03 30 40 04 13 31 05 "
        "14 23 32 41 50 06 15 24 33 42 51 60 16 25 34 43"
    ),
    "bot": (
        "66 14 34 36 26 43 11 24 44 45 56 15 42 62 25 51 "
        "64 13 65 20 23 41 31 32 54 52 61 21 55 53 33 63"
    ),
}
SELECTIONS: Mapping[str, Sequence[Frequency]] = {
    f"{rank}{count}": [(int(pair[0]), int(pair[1])) for pair in pairs.split()[:count]]
    for rank, pairs in _RANKED.items()
    for count in (1, 2, 4, 8, 16, 32)
}
"""The frequencies (u, v) of the authors' selections, by their names there."""


def cosine_basis(rows: int, columns: int, frequency: Frequency) -> Float[Tensor, "row column"]:
    """Return the two-dimensional cosine of a frequency, of length 1, in double precision.

    Args:
        rows: height of the map.
        columns: width of the map.
        frequency: (u, v), half waves down and across.
    """
    down, across = (
        torch.cos(math.pi * f * (torch.arange(size, dtype=torch.float64) + 0.5) / size)
        * math.sqrt((2 if f else 1) / size)
        for f, size in zip(frequency, (rows, columns), strict=True)
    )
    return down[:, None] * across


class MultiSpectralAttention(AttentionBlock):
    """Scale each channel by a gate in 0..1 made from one frequency a channel (Qin et al.).

    Args:
        channels: channels of x; a multiple of the number of frequencies.
        hidden: width between the two linear maps; the paper's is channels // 16.
        size: (h, w) of the map that the frequencies are measured on.
        selection: a name of ``SELECTIONS``.

    Raises:
        ValueError: if the selection is unknown, does not divide the channels, or ``hidden`` or a
            side is not positive.
    """

    kind = Kind.CHANNEL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "s = σ(W₂ ReLU(W₁ f)), f_c = Σ x_c · D_c;  y = s · x"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "frequency": Auxiliary(Kind.CHANNEL_GATE, Claim.SIGNED)
    }
    basis: Tensor

    def __init__(
        self,
        channels: int,
        hidden: int,
        size: tuple[int, int] = (NATIVE_SIDE, NATIVE_SIDE),
        selection: str = "top16",
    ) -> None:
        super().__init__()
        if selection not in SELECTIONS:
            raise ValueError(f"expected a selection of {list(SELECTIONS)}, received {selection!r}")
        chosen = SELECTIONS[selection]
        if channels < 1 or channels % len(chosen):
            raise ValueError(f"expected a multiple of {len(chosen)} channels, received {channels}")
        if hidden < 1 or min(size) < 1:
            raise ValueError(
                f"expected a hidden channel and sides of at least 1, received {hidden} and {size}"
            )
        scale = [side // NATIVE_SIDE for side in size]
        self.frequencies = [(u * scale[0], v * scale[1]) for u, v in chosen]
        bases = torch.stack([cosine_basis(*size, frequency) for frequency in self.frequencies])
        repeated = bases.repeat_interleave(channels // len(chosen), dim=0)
        self.register_buffer("basis", repeated.to(torch.get_default_dtype()))
        self.reduce = nn.Linear(channels, hidden, bias=False)
        self.expand = nn.Linear(hidden, channels, bias=False)
        self.frequency = Tap()

    def frequency_of(self, channel: int) -> Frequency:
        """Return (u, v) of a channel; raises ValueError if there is no such channel."""
        channels = self.basis.shape[0]
        if not 0 <= channel < channels:
            raise ValueError(f"expected a channel of 0..{channels - 1}, received {channel}")
        return self.frequencies[channel * len(self.frequencies) // channels]

    def attention_of(self, x: Feature) -> Float[Tensor, "batch channel"]:
        """Return the gate s, in 0..1."""
        rows, columns = self.basis.shape[1:]
        same = x.shape[2:] == (rows, columns)
        resized = x if same else F.adaptive_avg_pool2d(x, (rows, columns))
        coefficients = self.frequency((resized * self.basis).sum(dim=(2, 3)))
        return self.expand(self.reduce(coefficients).relu()).sigmoid()

    def apply_attention(self, attention: Float[Tensor, "batch channel"], x: Feature) -> Feature:
        """Return x with each channel scaled by its gate."""
        return x * attention[:, :, None, None]


def _layer(
    variant: str,
    channel: int,
    dct_h: int,
    dct_w: int,
    reduction: int = 16,
    freq_sel_method: str = "top16",
) -> MultiSpectralAttention:
    hidden = channel // reduction
    return MultiSpectralAttention(channel, hidden, (dct_h, dct_w), freq_sel_method)


def _in_residual_branch(channels: int) -> MultiSpectralAttention:
    return MultiSpectralAttention(channels, max(8, channels // 8))


MECHANISM = Mechanism(
    slug="fca",
    name="FcaNet frequency channel attention",
    family="channel",
    goals=(Goal.CHANNELS, Goal.WHOLE),
    paper=Paper(
        title="FcaNet: Frequency Channel Attention Networks",
        authors="Qin, Zhang, Wu, Li",
        venue="ICCV",
        year=2021,
        arxiv="2012.11879",
    ),
    variants={
        "": lambda channels: MultiSpectralAttention(channels, max(1, channels // 4)),
        "low4": lambda channels: MultiSpectralAttention(
            channels, max(1, channels // 4), (14, 7), "low4"
        ),
    },
    references={
        "MultiSpectralAttentionLayer": Reference(
            build=_layer,
            positional=("channel", "dct_h", "dct_w", "reduction", "freq_sel_method"),
            attention={"channel": ""},
            intermediate={"frequency": "frequency"},
            rename=(
                (r"^dct_layer\.weight$", "basis"),
                (r"^fc\.0\.", "reduce."),
                (r"^fc\.2\.", "expand."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.EVERY_RESIDUAL, _in_residual_branch)},
)
