"""ISA: first listen to far places a step apart, then to the neighbours, who did the same.

Idea
    Cut the map into blocks. Places at the same position of their blocks are far from each other and
    cover the whole picture: they listen to one another first. Then the places of each block listen
    among themselves. After both steps everything has reached everything, with two small matrices
    instead of one large one.

Equation
    c = SA_short(SA_long(x)),  y = ReLU(BN(W [x ; c]))       (paper: eq. 3-8; W is ``join``)
    SA(x) = ReLU(BN(W' A v)),  A = softmax(q k^T / sqrt(d)) inside each group of places
    q, k, v, W' are ``query``, ``key``, ``value``, ``project`` of ``stages.<n>.long`` and of
    ``stages.<n>.short``; each A passes the ``attention`` of its own block. q and k are two
    convolutions with norm and ReLU. There is no residual inside. Maps whose sides are not multiples
    of the block's are padded with zeros, evenly on both sides, which take part like other places.

Reading the map
    Point at a place. Long: its row has a weight on one place of every block, a raster of dots.
    Short: its row is inside its own block. Either sums to 1. Their product is the reach: which
    places are heard of by way of the neighbours, everywhere, with sum 1. It is exact for the
    weights; the values pass a norm and a ReLU in between.

Limits
    Which places are a step apart is a matter of the grid: a place's row is full of places that have
    nothing to do with it but their position. Padding is listened to, and where there is any, the
    sites' maps cover the padded map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from models.affinities.grouped import GroupedAffinity
from models.affinity import PairwiseAffinity
from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Claim,
    Derived,
    Growth,
    Kind,
    Laid,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)
from models.tokens import Feature, Result, conv_norm_relu, places, tokens

Size = tuple[int, int]
Host = Float[Tensor, "batch _ _ _"]
"""a map before it was padded"""
Groups = Int[Tensor, "group member"]
AUTHORS_BLOCK = (8, 8)


def _by_block(size: Size, block: Size) -> Int[Tensor, "down inner_row across inner_column"]:
    rows, columns = size
    if rows % block[0] or columns % block[1]:
        raise ValueError(f"expected a map of whole blocks of {block}, received {size}")
    numbered = torch.arange(rows * columns)
    return numbered.reshape(rows // block[0], block[0], columns // block[1], block[1])


def far_apart(size: Size, block: Size) -> Groups:
    """Return for each position in a block the places at that position of every block."""
    return _by_block(size, block).permute(1, 3, 0, 2).reshape(block[0] * block[1], -1)


def close_together(size: Size, block: Size) -> Groups:
    """Return for each block its places."""
    return _by_block(size, block).permute(0, 2, 1, 3).reshape(-1, block[0] * block[1])


def _compared(channels: int, inner: int) -> nn.Sequential:
    return nn.Sequential(*conv_norm_relu(channels, inner), *conv_norm_relu(inner, inner))


class GroupAttention(AttentionBlock):
    """Return what each place gathers from the places of its group (Huang et al.).

    Args:
        channels: channels of x.
        key_dim: numbers of a query and of a key.
        value_dim: numbers of a value.
        out: channels of the result.
        groups_of: which places are together, from the map's size and the block's.
        block: rows and columns of a block.

    Raises:
        ValueError: if a width or the block is empty, or a map is not made of whole blocks.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "Aᵢ = softmaxⱼ(qᵢ · kⱼ / √d), j ∈ G(i);  y = W Σⱼ Aᵢⱼ vⱼ"

    def __init__(
        self,
        channels: int,
        key_dim: int,
        value_dim: int,
        out: int,
        groups_of: Callable[[Size, Size], Groups],
        block: Size,
    ) -> None:
        super().__init__()
        if min(key_dim, value_dim, out, *block) < 1:
            raise ValueError(
                f"expected widths and blocks of at least 1, received {key_dim}, {value_dim}, "
                f"{out} and {block}"
            )
        self.groups_of, self.block = groups_of, block
        self.query = _compared(channels, key_dim)
        self.key = _compared(channels, key_dim)
        self.value = nn.Conv2d(channels, value_dim, kernel_size=1, bias=False)
        self.project = conv_norm_relu(value_dim, out)

    def laid(self, *x: Tensor) -> Laid:
        """Return where the padded map is: the one before, the second input, is in its middle."""
        padded, before = ((each.shape[2], each.shape[3]) for each in x)
        down, across = (b - a for a, b in zip(before, padded, strict=True))
        return Laid(before, origin=(-(down // 2), -(across // 2)))

    def attention_of(self, x: Feature, before: Host) -> PairwiseAffinity:
        """Return A as its factors and its groups."""
        query, key = tokens(self.query(x)), tokens(self.key(x))
        groups = self.groups_of((x.shape[2], x.shape[3]), self.block).to(x.device)
        return GroupedAffinity(query, key, groups, scale=query.shape[-1] ** -0.5)

    def apply_attention(self, attention: PairwiseAffinity, x: Feature, before: Host) -> Result:
        """Return ReLU(BN(W A v))."""
        return self.project(places(attention.aggregate(tokens(self.value(x))), x))


class LongThenShort(nn.Module):
    """Return what reaches each place from a step apart and then from its block (figure 3).

    Args:
        channels: channels of x.
        key_dim: numbers of a query and of a key.
        value_dim: numbers of a value.
        out: channels of the result.
        block: rows and columns of a block.
    """

    passes: ClassVar[tuple[str, ...]] = ("long", "short")

    def __init__(self, channels: int, key_dim: int, value_dim: int, out: int, block: Size) -> None:
        super().__init__()
        self.block = block
        self.long = GroupAttention(channels, key_dim, value_dim, out, far_apart, block)
        self.short = GroupAttention(out, key_dim, value_dim, out, close_together, block)

    def forward(self, x: Feature) -> Result:
        rows, columns = x.shape[2:]
        down, across = -rows % self.block[0], -columns % self.block[1]
        top, left = down // 2, across // 2
        padded = F.pad(x, (left, across - left, top, down - top)) if down or across else x
        # The map before it was padded says where the padded one's places are.
        reached = self.short(self.long(padded, x), x)
        return reached[:, :, top : top + rows, left : left + columns]


class InterlacedAttention(nn.Module):
    """Return x joined with what reaches its places in two sparse steps (the authors' ISA module).

    Args:
        channels: channels of x.
        key_dim: numbers of a query and of a key.
        value_dim: numbers of a value.
        out: channels of the result.
        blocks: rows and columns of a block; with several, their contexts stand side by side.
        dropout: share of the result's channels that are dropped in training.

    Raises:
        ValueError: if there is no block.
    """

    def __init__(
        self,
        channels: int,
        key_dim: int,
        value_dim: int,
        out: int,
        blocks: Sequence[Size] = (AUTHORS_BLOCK,),
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        if not blocks:
            raise ValueError("expected at least 1 block, received none")
        self.stages = nn.ModuleList(
            LongThenShort(channels, key_dim, value_dim, out, block) for block in blocks
        )
        several = len(blocks) > 1
        wide = out * len(blocks)
        self.widen = conv_norm_relu(channels, wide) if several else nn.Identity()
        self.join = conv_norm_relu((wide if several else channels) + wide, out)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Feature) -> Result:
        contexts = [stage(x) for stage in self.stages]
        return self.dropout(self.join(torch.cat([self.widen(x), *contexts], dim=1)))


def _original(
    variant: str,
    in_channels: int,
    key_channels: int,
    value_channels: int,
    out_channels: int,
    down_factors: Sequence[Sequence[int]] = (AUTHORS_BLOCK,),
    dropout: float = 0.0,
    bn_type: str | None = None,
) -> InterlacedAttention:
    if bn_type not in ("torchbn", None):
        raise ValueError(f"expected torch's batch norm, received bn_type {bn_type!r}")
    blocks = [(down, across) for down, across in down_factors]
    return InterlacedAttention(
        in_channels, key_channels, value_channels, out_channels, blocks, dropout
    )


def _renamed() -> tuple[tuple[str, str], ...]:
    found = []
    for side in ("long", "short"):
        at = rf"^stages\.(\d+)\.{side}_range_sa\."
        ours = rf"stages.\1.{side}."
        for name, path in (("f_query", "query"), ("f_key", "key"), ("W", "project")):
            # Each norm comes with its ReLU as one part of theirs, and as two of ours.
            for theirs, index in (("0", 0), (r"1\.0", 1), ("2", 3), (r"3\.0", 4)):
                found.append((rf"{at}{name}\.{theirs}\.", rf"{ours}{path}.{index}."))
        found.append((rf"{at}f_value\.", f"{ours}value."))
    return tuple(found)


def _matrices(attention: GroupedAffinity) -> Tensor:
    return attention.group_weights().squeeze(1).flatten(0, 1)


def _as_context(channels: int) -> InterlacedAttention:
    # The host's maps are multiples of 4: with blocks of 4 x 4 none of them is padded.
    return InterlacedAttention(channels, channels // 2, channels, channels, ((4, 4),))


MECHANISM = Mechanism(
    slug="isa",
    name="Interlaced sparse self-attention",
    family="self-attention",
    goals=(Goal.SAVING, Goal.LONG_RANGE),
    growth=Growth("O(N √N)", 1.5),
    paper=Paper(
        title="Interlaced Sparse Self-Attention for Semantic Segmentation",
        authors="Huang, Yuan, Guo, Zhang, Chen, Wang",
        venue="arXiv",
        year=2019,
        arxiv="1907.12273",
    ),
    variants={
        "": lambda channels: InterlacedAttention(channels, 8, 12, channels, ((2, 3),)),
        "two": lambda channels: InterlacedAttention(channels, 6, 8, channels, ((4, 4), (2, 2))),
    },
    references={
        "ISA_Module": Reference(
            build=_original,
            positional=(
                "in_channels",
                "key_channels",
                "value_channels",
                "out_channels",
                "down_factors",
                "dropout",
                "bn_type",
            ),
            attention={
                "long_range": Derived(("stages.0.long",), _matrices),
                "short_range": Derived(("stages.0.short",), _matrices),
            },
            rename=(
                *_renamed(),
                (r"^up_conv\.0\.", "widen.0."),
                (r"^up_conv\.1\.0\.", "widen.1."),
                (r"^conv_bn\.0\.", "join.0."),
                (r"^conv_bn\.1\.0\.", "join.1."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
