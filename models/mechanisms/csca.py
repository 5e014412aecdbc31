"""CSCA: an RGB and a thermal picture ask each other where to look, then share the answer.

Idea
    A crowd at night is dark in the RGB picture and bright in the thermal one; by day it can be the
    other way round. At each stage of two streams, every place of one sense asks the whole map of
    the other sense what it has (spatial), and a gate decides for every place how much of either
    sense goes into what both streams share (channel).

Equation
    R' = MSC(R), T' = MSC(T): each map with itself pooled by 2 and by 4              (paper: 3.3)
    A_R = softmax(q(T')ᵀ k(R') / √d),  c_R = W_R A_R v(R');  A_T, c_T the other way (paper: eq. 1-3)
    g = softmax over the two senses of two 1 x 1 convolutions of [c_T, c_R]
    shared = g_R R + g_T T,  out_R = ReLU((R + shared) / 2),  out_T = ReLU((T + shared) / 2)
    q, k, v, W are ``query``, ``key``, ``value``, ``project``; g is ``ModalityGate``. Before q, k
    and v are compared they are re-assembled: the raster of each channel is cut into 2^L
    consecutive runs, and the runs are stacked as channels, so that n = HW / 2^L tokens of
    d = 2^L C / 2 numbers are left. The gate weighs R and T as they were before MSC: that is the
    authors' code, and so is the softmax over two convolutions with weights of their own.

Reading the map
    Point at a place of one sense: its row over the other sense sums to 1 over the tokens. A token
    is not a place: it holds the same position in every run, so all of its 2^L places, in different
    bands of the picture, get one weight. The gate is a map for each sense; both sum to 1 in each
    place, and a half means that neither is trusted more.

Limits
    Re-assembling divides the multiply-adds of the affinity by 2^L and its memory by 4^L, but what
    is compared are whole columns of far-apart places: the row cannot tell them apart. With one
    sense missing there is nothing to ask; the stage then hands the other sense through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.affinity import PairwiseAffinity, ProductAffinity
from models.goals import Goal
from models.hosts.vgg import CONVOLUTIONS, WIDTHS, vgg_stage
from models.mechanism import (
    AttentionBlock,
    Claim,
    Derived,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)
from models.multiscale import MultiScaleContext

Feature = Float[Tensor, "batch channel row column"]
Deep = Float[Tensor, "batch deep down across"]
Picture = Float[Tensor, "batch 3 row column"]
Senses = tuple[Tensor, Tensor, Tensor]

RUNS_LOG2 = (4, 3, 2, 1, 1)
"""L of each stage"""
SHARED_MULTIPLE = 32
"""inputs whose sides are multiples of this can be re-assembled at every stage"""


class CrossModalAttention(AttentionBlock):
    """Return what every place of one sense gathers from the whole map of the other (eq. 1-3).

    Args:
        channels: channels of both maps; queries, keys and values have half of them.
        runs_log2: L; 2^L far-apart places become one token.

    Raises:
        ValueError: if there are fewer than 2 channels, or the map cannot be cut into 2^L runs.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "Aᵢ = softmaxⱼ(q(x)ᵢ · k(z)ⱼ / √d);  y = W Σⱼ Aᵢⱼ v(z)ⱼ"

    def __init__(self, channels: int, runs_log2: int) -> None:
        super().__init__()
        if channels < 2 or runs_log2 < 0:
            raise ValueError(f"expected channels >= 2 and L >= 0, received {channels}, {runs_log2}")
        inner = channels // 2
        self.runs = 2**runs_log2
        self.query = _compared(channels, inner)
        self.key = _compared(channels, inner)
        self.value = nn.Conv2d(channels, inner, kernel_size=1)
        self.project = nn.Conv2d(inner, channels, kernel_size=1)

    def bands(self) -> int:
        """Return 2^L, the number of far-apart cells that share a token."""
        return self.runs

    def tokens(self, x: Feature) -> Float[Tensor, "batch 1 token dim"]:
        """Return the re-assembled map: token t holds the cells t, t + n, t + 2n, ... of x."""
        batch, channels, rows, columns = x.shape
        if rows * columns % self.runs:
            raise ValueError(
                f"expected a multiple of {self.runs} cells, received {rows} x {columns}"
            )
        return x.reshape(batch, channels * self.runs, -1).transpose(1, 2).unsqueeze(1)

    def attention_of(self, asking: Feature, asked: Feature) -> PairwiseAffinity:
        """Return A as its factors: queries of the asking sense, keys of the asked one."""
        query, key = self.tokens(self.query(asking)), self.tokens(self.key(asked))
        return ProductAffinity(query, key, scale=query.shape[-1] ** -0.5)

    def apply_attention(
        self, attention: PairwiseAffinity, asking: Feature, asked: Feature
    ) -> Feature:
        """Return W A v(asked), back in the places of the map."""
        gathered = attention.aggregate(self.tokens(self.value(asked)))
        batch, _, rows, columns = asking.shape
        placed = gathered.squeeze(1).transpose(1, 2).reshape(batch, -1, rows, columns)
        return self.project(placed)


def _compared(channels: int, inner: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, inner, kernel_size=1), nn.Dropout(0.5), nn.BatchNorm2d(inner), nn.ReLU()
    )


class ModalityGate(AttentionBlock):
    """Return what both senses share: each place a weighted mean of RGB and thermal (section 3.4).

    Args:
        channels: channels of each map.
    """

    kind = Kind.MODALITY_GATE
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "[g_R, g_T] = softmax(W [c_T, c_R]);  y = g_R R + g_T T"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.trust_rgb = nn.Conv2d(2 * channels, 1, kernel_size=1)
        self.trust_thermal = nn.Conv2d(2 * channels, 1, kernel_size=1)

    def attention_of(
        self, rgb: Feature, thermal: Feature, rgb_context: Feature, thermal_context: Feature
    ) -> Float[Tensor, "batch 2 row column"]:
        """Return g, for RGB first."""
        contexts = torch.cat([thermal_context, rgb_context], dim=1)
        logits = torch.cat([self.trust_rgb(contexts), self.trust_thermal(contexts)], dim=1)
        return logits.softmax(dim=1)

    def apply_attention(
        self,
        attention: Float[Tensor, "batch 2 row column"],
        rgb: Feature,
        thermal: Feature,
        rgb_context: Feature,
        thermal_context: Feature,
    ) -> Feature:
        """Return g_R R + g_T T."""
        return attention[:, :1] * rgb + attention[:, 1:] * thermal


class SpatioChannelAttention(nn.Module):
    """Return (RGB, thermal, shared) features after the senses have asked each other (figure 2).

    Args:
        channels: channels of each sense.
        runs_log2: L of the re-assembling.
    """

    def __init__(self, channels: int, runs_log2: int) -> None:
        super().__init__()
        self.rgb_scales = MultiScaleContext(channels)
        self.thermal_scales = MultiScaleContext(channels)
        self.rgb_context = CrossModalAttention(channels, runs_log2)
        self.thermal_context = CrossModalAttention(channels, runs_log2)
        self.gate = ModalityGate(channels)

    def forward(self, rgb: Feature, thermal: Feature) -> Senses:
        wide_rgb, wide_thermal = self.rgb_scales(rgb), self.thermal_scales(thermal)
        from_rgb = self.rgb_context(wide_thermal, wide_rgb)
        from_thermal = self.thermal_context(wide_rgb, wide_thermal)
        shared = self.gate(rgb, thermal, from_rgb, from_thermal)
        return F.relu((rgb + shared) / 2), F.relu((thermal + shared) / 2), shared


class CSCAStage(nn.Module):
    """Return (RGB, thermal, shared) features of one stage: a piece of VGG a sense, then the fusion.

    Args:
        channels: channels of the input of each sense.
        layers: what ``vgg_stage`` builds.
        runs_log2: L of the re-assembling.
        norm: train with batch norms behind the convolutions.
        fusion: builds what joins the senses; the spatio-channel attention by default.
        thermal_channels: channels of the second sense's input where they differ.
    """

    def __init__(
        self,
        channels: int,
        layers: Sequence[int | str],
        runs_log2: int,
        norm: bool = False,
        fusion: Callable[[int, int], nn.Module] = SpatioChannelAttention,
        thermal_channels: int | None = None,
    ) -> None:
        super().__init__()
        width = next(int(layer) for layer in reversed(layers) if layer != "M")
        self.rgb = vgg_stage(channels, layers, norm)
        self.thermal = vgg_stage(thermal_channels or channels, layers, norm)
        self.fuse = fusion(width, runs_log2)

    def forward(
        self, rgb: Feature | None, thermal: Float[Tensor, "batch hot row column"] | None
    ) -> list[Deep | None]:
        """Return the stage's features; a sense that is None is passed over, with its shares."""
        if rgb is not None and thermal is not None:
            return list(self.fuse(self.rgb(rgb), self.thermal(thermal)))
        if rgb is not None:
            alone = self.rgb(rgb)
            return [F.relu(alone), None, alone]
        if thermal is not None:
            alone = self.thermal(thermal)
            return [None, F.relu(alone), alone]
        raise ValueError("expected RGB or thermal features, received neither")


class CSCANetwork(nn.Module):
    """Return a density map at stride 8 whose sum is the number of people (figure 1).

    Args:
        ratio: share of VGG-19's widths; the authors' is 0.6.
        norm: train with batch norms behind the convolutions.
        fusion: builds what joins the senses.
    """

    def __init__(
        self,
        ratio: float = 0.6,
        norm: bool = False,
        fusion: Callable[[int, int], nn.Module] = SpatioChannelAttention,
    ) -> None:
        super().__init__()
        widths = [int(width * ratio) for width in WIDTHS]
        self.stages = nn.ModuleList()
        channels = 3
        for index, (width, count) in enumerate(zip(widths, CONVOLUTIONS, strict=True)):
            layers = [width] * count + (["M"] if index < len(widths) - 1 else [])
            self.stages.append(CSCAStage(channels, layers, RUNS_LOG2[index], norm, fusion))
            channels = width
        self.head = nn.Sequential(
            nn.Conv2d(channels, int(256 * ratio), kernel_size=3, padding=1), nn.ReLU(),
            nn.Conv2d(int(256 * ratio), 128, kernel_size=3, padding=1), nn.ReLU(),
            nn.Conv2d(128, 1, kernel_size=1),
        )  # fmt: skip

    def forward(self, rgb: Picture | None, thermal: Picture | None) -> Deep:
        """Return the density map; raises ValueError without any picture."""
        if rgb is None and thermal is None:
            raise ValueError("expected an RGB or a thermal picture, received neither")
        shared: Tensor = torch.empty(0)
        for stage in self.stages:
            rgb, thermal, shared = stage(rgb, thermal)
        # The corners of both grids coincide, as in the authors' network.
        doubled = F.interpolate(shared, scale_factor=2, mode="bilinear", align_corners=True)
        return self.head(doubled).abs()


def _stage(
    variant: str,
    cfg: list[int | str],
    in_channels: int,
    L: int,
    first_block: bool = False,
    D_in_channels: bool = False,
) -> CSCAStage:
    return CSCAStage(in_channels, cfg, L, thermal_channels=1 if D_in_channels else None)


def _renamed(theirs: str, ours: str, fusion: str) -> tuple[tuple[str, str], ...]:
    """Return the patterns of one block's parameters below two prefixes."""
    cross = {}
    for sense, asked, asking in (
        ("RGB", "rgb_context", "thermal_context"),
        ("T", "thermal_context", "rgb_context"),
    ):
        for n in (0, 2):
            cross[f"{sense}_query.{n}"] = f"{asking}.query.{n}"
            cross[f"{sense}_key.{n}"] = f"{asked}.key.{n}"
        cross |= {f"{sense}_value": f"{asked}.value", f"{sense}_W": f"{asked}.project"}
    cross |= {"gate_RGB": "gate.trust_rgb", "gate_T": "gate.trust_thermal"}
    cross |= {"rgb_msc.conv.0": "rgb_scales.mix", "t_msc.conv.0": "thermal_scales.mix"}
    paths = {name: f"{fusion}{path}" for name, path in cross.items()}
    paths |= {"rgb_conv": "rgb", "t_conv": "thermal"}
    return tuple((f"^{theirs}{re.escape(n)}[.]", f"{ours}{path}.") for n, path in paths.items())


_TAPS = {"rgb_affinity": "rgb_context", "thermal_affinity": "thermal_context", "gate": "gate"}
# The authors name a query after the sense that asks.
_STEPS = {"rgb_query": "thermal_context.query", "thermal_query": "rgb_context.query"} | {
    theirs.format(sense): ours.format(sense)
    for sense in ("rgb", "thermal")
    for theirs, ours in (
        ("{}_msc", "{}_scales"),
        ("{}_key", "{}_context.key"),
        ("{}_value", "{}_context.value"),
        ("{}_context", "{}_context"),
        ("gate_logit_{}", "gate.trust_{}"),
    )
}
_UNUSED = r"(^|\.)(shared_conv|block1_depth)\."
"""parameters that the authors' classes own and never use"""


def _block(build: Callable[..., nn.Module], positional: Sequence[str], fusion: str) -> Reference:
    """Return how a block, whose fusion is below a prefix, maps onto ours."""
    return Reference(
        build=build,
        positional=positional,
        attention={name: f"{fusion}{path}" for name, path in _TAPS.items()},
        intermediate={name: f"{fusion}{path}" for name, path in _STEPS.items()},
        rename=_renamed("", "", fusion),
        outputs=("rgb", "thermal", "shared"),
        unused=_UNUSED,
    )


MECHANISM = Mechanism(
    slug="csca",
    name="CSCA spatio-channel attention between RGB and thermal",
    family="cross-modal",
    goals=(Goal.SAVING, Goal.LONG_RANGE, Goal.BRANCHES),
    paper=Paper(
        title="Spatio-channel Attention Blocks for Cross-modal Crowd Counting",
        authors="Zhang, Choi, Hong",
        venue="ACCV",
        year=2022,
        arxiv="2210.10392",
    ),
    variants={
        "": lambda channels: SpatioChannelAttention(channels, runs_log2=2),
        "stage": lambda channels: CSCAStage(channels, [channels, "M"], runs_log2=1),
    },
    inputs=dict.fromkeys(("", "stage"), lambda *shape: [shape, shape]),
    multiple=8,
    references={
        "Block (method fuse)": _block(
            lambda variant, channels, L: SpatioChannelAttention(channels, L), ("channels", "L"), ""
        ),
        "Block": _block(
            _stage, ("cfg", "in_channels", "L", "first_block", "D_in_channels"), "fuse."
        ),
        "MSC": Reference(
            build=lambda variant, channels: MultiScaleContext(channels),
            positional=("channels",),
            attention={},
            rename=((r"^conv\.0\.", "mix."),),
        ),
        "FusionModel": Reference(
            build=lambda variant, ratio=0.6: CSCANetwork(ratio),
            positional=("ratio",),
            attention={
                f"block{stage + 1}.{name}": f"stages.{stage}.fuse.{path}"
                for stage in range(len(CONVOLUTIONS))
                for name, path in _TAPS.items()
            },
            intermediate={"count": Derived(("head",), lambda x: x.abs().sum(dim=(1, 2, 3)))},
            rename=(
                *(
                    pair
                    for stage in range(len(CONVOLUTIONS))
                    for pair in _renamed(rf"block{stage + 1}[.]", f"stages.{stage}.", "fuse.")
                ),
                (r"^reg_layer\.", "head."),
            ),
            unused=_UNUSED,
        ),
    },
    plugs={"counter": Plug(Placement.EVERY_STAGE, SpatioChannelAttention)},
)
