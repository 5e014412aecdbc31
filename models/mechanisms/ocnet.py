"""OCNet: every place gathers from the places that look like the same object.

Idea
    The context that helps to label a place is the object it belongs to. Similar features are a
    good guess at the same object: each place takes a weighted mean of all places, those that look
    like it first. A pyramid does this inside blocks of several sizes as well.

Equation
    A_i = softmax_j(q_i . k_j / sqrt(d)),  c = W (A v)      (paper: eq. 2, 3)
    base     y = join([c ; x]);   pyramid  y = join([widen(x) ; c_1 ; c_2 ; ...])
    ASP      y = join([c of a 3 x 3 convolution ; 1 x 1 ; three dilated 3 x 3 of x])
    The ASP form halves the map before it compares places, and stretches the context back.
    A passes the tap ``attention`` of each of ``stages``. In a pyramid, stage n only compares places
    inside the blocks of a grid of so many blocks along a side; the last block takes the rest.

Reading the map
    Point at a place: its row over all places, or over its block, sums to 1. Outside the block
    there is nothing at all, not little.

Limits
    Like looks are not one object: rows find every car, not this car. In the first version q and k
    are one module, so that i asks j as much as j asks i, before the softmax. The query is then
    always like itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.affinities.partition import PartitionAffinity
from models.affinity import PairwiseAffinity, ProductAffinity
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
from models.taps import Tap
from models.tokens import places, tokens

Feature = Float[Tensor, "batch channel row column"]
Joined = Float[Tensor, "batch out row column"]
Activation = Callable[[], nn.Module]
LEAKY = partial(nn.LeakyReLU, 0.01)
"""the activation of the first version"""


def _layer(channels: int, out: int, activation: Activation, **options: object) -> nn.Sequential:
    settings: dict[str, object] = {"kernel_size": 1} | options
    conv = nn.Conv2d(channels, out, **settings)  # type: ignore[arg-type]
    return nn.Sequential(conv, nn.Sequential(nn.BatchNorm2d(out), activation()))


class ObjectContext(AttentionBlock):
    """Return what each place gathers from places like it (Yuan et al., eq. 2-3).

    Args:
        channels: channels of x and of the result.
        keys: channels of queries and keys.
        values: channels of values.
        shared: queries and keys are one module, as in the first version.
        blocks: blocks along each side of the map that are compared apart.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "Aᵢ = softmaxⱼ(qᵢ · kⱼ / √d);  y = W Σⱼ Aᵢⱼ v(xⱼ)"

    def __init__(
        self, channels: int, keys: int, values: int, shared: bool = False, blocks: int = 1
    ) -> None:
        super().__init__()
        self.scale, self.blocks = keys**-0.5, blocks
        if shared:
            self.key = _layer(channels, keys, LEAKY)
            self.query = self.key
        else:
            self.key, self.query = (
                nn.Sequential(*_layer(channels, keys, nn.ReLU), *_layer(keys, keys, nn.ReLU))
                for _ in range(2)
            )
        self.value = nn.Conv2d(channels, values, kernel_size=1)
        self.project = nn.Conv2d(values, channels, kernel_size=1)

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return A as its factors."""
        query, key = tokens(self.query(x)), tokens(self.key(x))
        if self.blocks == 1:
            return ProductAffinity(query, key, self.scale)
        size = (x.shape[2], x.shape[3])
        return PartitionAffinity(query, key, size, self.blocks, self.scale)

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Feature:
        """Return W (A v(x))."""
        return self.project(places(attention.aggregate(tokens(self.value(x))), x))


class ContextSum(nn.Module):
    """Return the sum of contexts gathered on maps pooled by several numbers.

    Args:
        channels: channels of x and of the result.
        keys: channels of queries and keys.
        values: channels of values.
        pools: cells along a side that are pooled to one, for each stage.
        shared: queries and keys are one module.
    """

    def __init__(
        self, channels: int, keys: int, values: int, pools: Sequence[int], shared: bool = False
    ) -> None:
        super().__init__()
        self.pools = tuple(pools)
        self.stages = nn.ModuleList(ObjectContext(channels, keys, values, shared) for _ in pools)

    def forward(self, x: Feature) -> Feature:
        total = torch.zeros_like(x)
        for pool, stage in zip(self.pools, self.stages, strict=True):
            if pool == 1:
                total = total + stage(x)
            else:
                context = stage(F.max_pool2d(x, pool))
                size = (x.shape[2], x.shape[3])
                total = total + F.interpolate(
                    context, size=size, mode="bilinear", align_corners=True
                )
        return total


class BaseContext(nn.Module):
    """Return x joined with the context of each place (figure 3 of the paper).

    Args:
        channels: channels of x.
        out: channels of the result.
        keys: channels of queries and keys.
        values: channels of values.
        pools: cells along a side that are pooled to one, for each stage.
        first: the first version: queries are keys, and ReLUs leak.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        keys: int,
        values: int,
        pools: Sequence[int] = (1,),
        first: bool = False,
    ) -> None:
        super().__init__()
        self.gather = ContextSum(channels, keys, values, pools, shared=first)
        self.join = _layer(2 * channels, out, LEAKY if first else nn.ReLU)
        self.dropout = nn.Dropout2d(0.05)

    def forward(self, x: Feature) -> Joined:
        return self.dropout(self.join(torch.cat([self.gather(x), x], dim=1)))


class PyramidContext(nn.Module):
    """Return x joined with contexts gathered inside blocks of several sizes (figure 4).

    Args:
        channels: channels of x.
        out: channels of the result.
        blocks: blocks along a side, for each stage.
    """

    def __init__(self, channels: int, out: int, blocks: Sequence[int] = (1, 2, 3, 6)) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            ObjectContext(channels, channels // 2, channels, True, count) for count in blocks
        )
        self.widen = _layer(channels, channels * len(blocks), LEAKY)
        self.join = _layer(2 * channels * len(blocks), out, LEAKY)
        self.dropout = nn.Dropout2d(0.05)

    def forward(self, x: Feature) -> Joined:
        contexts = [self.widen(x), *(stage(x) for stage in self.stages)]
        return self.dropout(self.join(torch.cat(contexts, dim=1)))


class AtrousContext(nn.Module):
    """Return contexts of objects beside those of convolutions of several widths (figure 5).

    Args:
        channels: channels of x.
        inner: channels of each of the five branches; the result has twice as many.
        dilations: of the three wide convolutions.
        pool: cells along a side that are pooled to one before places are compared.
    """

    def __init__(
        self, channels: int, inner: int, dilations: Sequence[int] = (12, 24, 36), pool: int = 2
    ) -> None:
        super().__init__()
        self.context = nn.Sequential(
            _layer(channels, inner, nn.ReLU, kernel_size=3, padding=1),
            ContextSum(inner, inner // 2, inner // 2, (pool,)),
            nn.Sequential(nn.BatchNorm2d(inner), nn.ReLU()),
        )
        self.branches = nn.ModuleList([_layer(channels, inner, nn.ReLU, bias=False)])
        for gap in dilations:
            around = {"kernel_size": 3, "padding": gap, "dilation": gap, "bias": False}
            self.branches.append(_layer(channels, inner, nn.ReLU, **around))
        joined = inner * (1 + len(self.branches))
        self.join = _layer(joined, 2 * inner, nn.ReLU, bias=False)
        self.dropout = nn.Dropout2d(0.1)

    def forward(self, x: Feature) -> Joined:
        parts = [self.context(x), *(branch(x) for branch in self.branches)]
        return self.dropout(self.join(torch.cat(parts, dim=1)))


class SeenByScale(nn.Module):
    """Return what a pyramid returns; its taps are found by how many blocks a side they have.

    Args:
        pyramid: has one stage for each number of blocks.
    """

    def __init__(self, pyramid: PyramidContext) -> None:
        super().__init__()
        self.scale = nn.ModuleDict()
        for stage in pyramid.stages:
            if isinstance(stage, ObjectContext):
                tap: Tap = stage.attention
                self.scale[str(stage.blocks)] = tap
        self.pyramid = pyramid

    def forward(self, x: Feature) -> Joined:
        return self.pyramid(x)


def _base(
    variant: str,
    in_channels: int,
    out_channels: int,
    key_channels: int,
    value_channels: int,
    dropout: float = 0.05,
    sizes: Sequence[int] = (1,),
    bn_type: str | None = None,
) -> BaseContext:
    first = variant == "base_oc_v1" or bn_type is None
    return BaseContext(in_channels, out_channels, key_channels, value_channels, sizes, first)


def _pyramid(
    variant: str,
    in_channels: int,
    out_channels: int,
    dropout: float = 0.05,
    sizes: Sequence[int] = (1, 2, 3, 6),
) -> SeenByScale:
    if len(set(sizes)) != len(sizes):
        raise ValueError(f"expected sizes that differ, received {list(sizes)}")
    return SeenByScale(PyramidContext(in_channels, out_channels, sizes))


def _atrous(
    variant: str,
    features: int,
    out_features: int = 256,
    dilations: Sequence[int] = (12, 24, 36),
    bn_type: str | None = None,
    dropout: float = 0.1,
) -> AtrousContext:
    if len(dilations) != 3:
        raise ValueError(f"expected three dilations, received {list(dilations)}")
    return AtrousContext(features, out_features, dilations)


def _block(row: int, column: int, affinity: PairwiseAffinity) -> Tensor:
    if isinstance(affinity, PartitionAffinity):
        affinity = affinity.block(row, column)
    return affinity.dense().squeeze(1)


def _stages(theirs: str, ours: str) -> tuple[tuple[str, str], ...]:
    names = {"f_key": "key", "f_query": "query", "f_value": "value", "W": "project"}
    inside = rf"^{theirs}stages\.(\d+)\."
    return (
        # The first version's norms have no activation beside them.
        (inside + r"f_(key|query)\.1\.(?=[a-z])", rf"{ours}stages.\1.\2.1.0."),
        *((inside + rf"{name}\.", rf"{ours}stages.\1.{own}.") for name, own in names.items()),
    )


_MOST_BLOCKS = 12
"""along a side of what a file can name"""

MECHANISM = Mechanism(
    slug="ocnet",
    name="OCNet object context pooling",
    family="self-attention",
    goals=(Goal.LONG_RANGE,),
    growth=Growth("O(N²)", 2.0),
    paper=Paper(
        title="OCNet: Object Context Network for Scene Parsing",
        authors="Yuan, Huang, Guo, Zhang, Chen, Wang",
        venue="IJCV",
        year=2021,
        arxiv="1809.00916",
    ),
    variants={
        "base_oc": lambda channels: BaseContext(channels, channels, 8, 8),
        "base_oc_v1": lambda channels: BaseContext(channels, channels, 8, 8, first=True),
        "pyramid_oc": lambda channels: PyramidContext(channels, channels, (1, 2, 3)),
        "asp_oc": lambda channels: AtrousContext(channels, 8, (1, 2, 3), pool=1),
    },
    references={
        "BaseOC_Module": Reference(
            build=_base,
            positional=(
                "in_channels", "out_channels", "key_channels", "value_channels", "dropout", "sizes",
            ),
            attention={"affinity": "gather.stages.0"},
            rename=(
                *_stages("", "gather."),
                (r"^conv_bn_dropout\.1\.(?=[a-z])", "join.1.0."),
                (r"^conv_bn_dropout\.", "join."),
            ),
        ),
        "Pyramid_OC_Module": Reference(
            build=_pyramid,
            positional=("in_channels", "out_channels", "dropout", "sizes"),
            attention={
                f"scale{count}.block{row}_{column}": Derived(
                    (f"scale.{count}",), partial(_block, row, column)
                )
                for count in range(1, _MOST_BLOCKS + 1)
                for row in range(count)
                for column in range(count)
            },
            rename=(
                *_stages("", "pyramid."),
                (r"^up_dr\.1\.", "pyramid.widen.1.0."),
                (r"^up_dr\.", "pyramid.widen."),
                (r"^conv_bn_dropout\.1\.", "pyramid.join.1.0."),
                (r"^conv_bn_dropout\.", "pyramid.join."),
            ),
        ),
        "ASP_OC_Module": Reference(
            build=_atrous,
            positional=("features", "out_features", "dilations"),
            attention={"affinity": "context.1.stages.0"},
            rename=(
                *_stages(r"context\.2\.", "context.1."),
                (r"^context\.([01])\.", r"context.0.\1."),
                (r"^context\.2\.conv_bn_dropout\.0\.", "context.2."),
                *((rf"^conv{n + 2}\.", f"branches.{n}.") for n in range(4)),
                (r"^conv_bn_dropout\.", "join."),
            ),
        ),
    },
    plugs={
        "segmenter": Plug(
            Placement.CONTEXT,
            lambda channels: BaseContext(channels, channels, channels // 2, channels // 2),
        ),
    },
)  # fmt: skip
