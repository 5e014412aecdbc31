"""ANN: every place listens to a hundred means of regions instead of thousands of places.

Idea
    Most of a non-local block's keys say the same. Pooling keys and values over a pyramid of grids,
    from the whole picture to 8 x 8 cells, leaves 110 anchors, and the matrix shrinks from N x N to
    N x 110. The fusion block asks with the deep map and is answered by a shallow one.

Equation
    A = softmax(q(x) P(k(z))^T / sqrt(d)),  c = W A P(v(z)),  y = conv([c ; x])   (paper: eq. 4-8)
    q, k, v, W are ``gather.<n>.query``, ``key``, ``value``, ``project``; P is the pyramid of means
    over 1, 3 x 3, 6 x 6 and 8 x 8 cells, one after another. A passes the tap ``attention`` spread
    over the places: A P, with A over the anchors inside. In the pyramid block z is x and the keys
    are the queries (one convolution); in the fusion block x is the deep map and z the shallow one.
    The scale is the authors' code's, and so is that the result is a joint convolution of c and x
    and not a sum.

Reading the map
    Point at a place: its row over the places sums to 1, and is made of rectangles, one for each
    anchor, as bright as the anchor's weight divided by its size. What a place inside a rectangle
    has is only heard as part of the mean.

Limits
    What is smaller than a cell of the finest grid cannot be pointed at. Where a side of the map is
    not a multiple of a grid's, neighbouring cells overlap in a line of places, which count twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.affinities.pooled import PooledAffinity, pyramid
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
from models.tokens import Feature, Result, conv_norm, conv_norm_relu, places, tokens

AUTHORS_SIDES = (1, 3, 6, 8)
Asked = Float[Tensor, "batch low down across"]


class AnchorAttention(AttentionBlock):
    """Return what each place gathers from means over regions of the same or another map.

    Args:
        channels: channels of x, whose places ask.
        key_dim: numbers of a query and of a key.
        value_dim: numbers of a value.
        out: channels of the result.
        asked_channels: channels of the map that is asked, where that is not x itself.
        sides: cells along each side of the grids.

    Raises:
        ValueError: if a grid or a width is empty.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "A = softmax(q(x) P(k(z))ᵀ / √d) P;  y = W A v(z)"

    def __init__(
        self,
        channels: int,
        key_dim: int,
        value_dim: int,
        out: int,
        asked_channels: int | None = None,
        sides: Sequence[int] = AUTHORS_SIDES,
    ) -> None:
        super().__init__()
        if min(key_dim, value_dim, out, *sides, len(sides)) < 1:
            raise ValueError(
                "expected widths and grids of at least 1, received "
                f"{key_dim}, {value_dim}, {out} and {list(sides)}"
            )
        self.sides = tuple(sides)
        self.query = conv_norm_relu(channels, key_dim, bias=True)
        # Within one map queries and keys are the same features.
        own = asked_channels is None
        self.key = None if own else conv_norm_relu(asked_channels or 0, key_dim, bias=True)
        self.value = nn.Conv2d(asked_channels or channels, value_dim, kernel_size=1)
        self.project = nn.Conv2d(value_dim, out, kernel_size=1)

    def attention_of(self, x: Feature, z: Asked | None = None) -> PairwiseAffinity:
        """Return A P over the places of z, made of A over the anchors."""
        query = self.query(x)
        key = self.key(z) if self.key is not None else query
        anchors = pyramid(key, self.sides).transpose(1, 2).unsqueeze(1)
        product = ProductAffinity(tokens(query), anchors, scale=query.shape[1] ** -0.5)
        return PooledAffinity(product, self.sides, (key.shape[2], key.shape[3]))

    def apply_attention(
        self, attention: PairwiseAffinity, x: Feature, z: Asked | None = None
    ) -> Result:
        """Return W A P v(z)."""
        gathered = attention.aggregate(tokens(self.value(x if z is None else z)))
        return self.project(places(gathered, x))


class PyramidNonLocal(nn.Module):
    """Return x joined with what its places gather from its anchors (the paper's APNB).

    Args:
        channels: channels of x.
        out: channels of the result.
        key_dim: numbers of a query and of a key.
        value_dim: numbers of a value.
        count: how many attentions are added up; the authors' is 1.
        dropout: share of the result's numbers that are dropped in training.
        sides: cells along each side of the grids.

    Raises:
        ValueError: if there is no attention.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        key_dim: int,
        value_dim: int,
        count: int = 1,
        dropout: float = 0.05,
        sides: Sequence[int] = AUTHORS_SIDES,
    ) -> None:
        super().__init__()
        _check_count(count)
        self.gather = nn.ModuleList(
            AnchorAttention(channels, key_dim, value_dim, out, sides=sides) for _ in range(count)
        )
        self.join = conv_norm_relu(out + channels, out, bias=True)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Feature) -> Result:
        return self.dropout(self.join(_joined([gather(x) for gather in self.gather], x)))


class FusionNonLocal(nn.Module):
    """Return a deep map joined with what it gathers from a shallow one (the paper's AFNB).

    Args:
        low_channels: channels of the shallow map, which is asked.
        channels: channels of the deep map, whose places ask.
        out: channels of the result.
        key_dim: numbers of a query and of a key.
        value_dim: numbers of a value.
        count: how many attentions are added up; the authors' is 1.
        dropout: share of the result's numbers that are dropped in training.
        sides: cells along each side of the grids.

    Raises:
        ValueError: if there is no attention.
    """

    def __init__(
        self,
        low_channels: int,
        channels: int,
        out: int,
        key_dim: int,
        value_dim: int,
        count: int = 1,
        dropout: float = 0.05,
        sides: Sequence[int] = AUTHORS_SIDES,
    ) -> None:
        super().__init__()
        _check_count(count)
        self.gather = nn.ModuleList(
            AnchorAttention(channels, key_dim, value_dim, out, low_channels, sides)
            for _ in range(count)
        )
        self.join = conv_norm(out + channels, out, bias=True)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, low: Asked, x: Feature) -> Result:
        return self.dropout(self.join(_joined([gather(x, low) for gather in self.gather], x)))


def _check_count(count: int) -> None:
    if count < 1:
        raise ValueError(f"expected at least 1 attention, received {count}")


def _joined(gathered: Sequence[Result], x: Feature) -> Float[Tensor, "batch joined row column"]:
    return torch.cat([torch.stack(list(gathered)).sum(dim=0), x], dim=1)


def _stages(sizes: Sequence[int], norm_type: str | None) -> int:
    # With other sizes the original pools its input, and cannot join the result with it.
    if any(size != 1 for size in sizes) or norm_type not in _BATCH_NORMS:
        raise ValueError(
            f"expected sizes of 1 and a batch norm, received {list(sizes)} and {norm_type!r}"
        )
    return len(sizes)


_BATCH_NORMS = {"batchnorm", "sync_batchnorm", "encsync_batchnorm"}


def _pyramid_block(
    variant: str,
    in_channels: int,
    out_channels: int,
    key_channels: int,
    value_channels: int,
    dropout: float,
    sizes: Sequence[int] = (1,),
    norm_type: str | None = None,
    psp_size: Sequence[int] = AUTHORS_SIDES,
) -> PyramidNonLocal:
    count = _stages(sizes, norm_type)
    return PyramidNonLocal(
        in_channels, out_channels, key_channels, value_channels, count, dropout, psp_size
    )


def _fusion_block(
    variant: str,
    low_in_channels: int,
    high_in_channels: int,
    out_channels: int,
    key_channels: int,
    value_channels: int,
    dropout: float,
    sizes: Sequence[int] = (1,),
    norm_type: str | None = None,
    psp_size: Sequence[int] = AUTHORS_SIDES,
) -> FusionNonLocal:
    return FusionNonLocal(
        low_in_channels,
        high_in_channels,
        out_channels,
        key_channels,
        value_channels,
        _stages(sizes, norm_type),
        dropout,
        psp_size,
    )


def _renamed(key: str) -> tuple[tuple[str, str], ...]:
    stage = r"^stages\.(\d+)\."
    return (
        (rf"{stage}f_query\.0\.", r"gather.\1.query.0."),
        (rf"{stage}f_query\.1\.0\.", r"gather.\1.query.1."),
        (rf"{stage}f_key\.0\.", rf"gather.\1.{key}.0."),
        (rf"{stage}f_key\.1\.0\.", rf"gather.\1.{key}.1."),
        (rf"{stage}f_value\.", r"gather.\1.value."),
        (rf"{stage}W\.", r"gather.\1.project."),
        (r"^conv_bn_dropout\.0\.", "join.0."),
        (r"^conv_bn_dropout\.1\.(0\.)?", "join.1."),
    )


_ATTENTION = {"affinity": Derived(("gather.0",), lambda a: a.anchors.dense().squeeze(1))}


def _as_context(channels: int) -> PyramidNonLocal:
    return PyramidNonLocal(channels, channels, channels // 2, channels // 2)


MECHANISM = Mechanism(
    slug="ann",
    name="Asymmetric non-local block",
    family="self-attention",
    goals=(Goal.SAVING, Goal.LONG_RANGE),
    growth=Growth("O(N S, S pooled keys)", 1.0),
    paper=Paper(
        title="Asymmetric Non-local Neural Networks for Semantic Segmentation",
        authors="Zhu, Xu, Bai, Huang, Bai",
        venue="ICCV",
        year=2019,
        arxiv="1908.07678",
    ),
    variants={
        "apnb": lambda channels: PyramidNonLocal(channels, channels, 6, 10),
        "afnb": lambda channels: FusionNonLocal(channels, channels, channels, 6, 10),
    },
    inputs={"afnb": lambda *shape: [shape, shape]},
    references={
        "APNB": Reference(
            build=_pyramid_block,
            positional=(
                "in_channels",
                "out_channels",
                "key_channels",
                "value_channels",
                "dropout",
                "sizes",
                "norm_type",
                "psp_size",
            ),
            attention=_ATTENTION,
            rename=_renamed("query"),
        ),
        "AFNB": Reference(
            build=_fusion_block,
            positional=(
                "low_in_channels",
                "high_in_channels",
                "out_channels",
                "key_channels",
                "value_channels",
                "dropout",
                "sizes",
                "norm_type",
                "psp_size",
            ),
            attention=_ATTENTION,
            rename=_renamed("key"),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
