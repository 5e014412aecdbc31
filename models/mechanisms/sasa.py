"""Stand-alone self-attention: a convolution replaced by attention over the same small window.

Idea
    What a convolution adds up depends only on where a neighbour is. Here each place asks its
    window, and a neighbour counts by what it holds and by where it is; both are compared with the
    question.

Equation
    y_i = sum over the window's j of softmax_j(q_i . (k_j + r_{j-i})) v_j   (paper: eq. 3)
    q, k and v are ``query``, ``key`` and ``value``; r is ``relative``: half of its channels know
    the row of j in the window and half the column. The weights pass the tap ``attention``, one row
    for each head. The stem, where values are mixed from m convolutions by where they are in
    the window, has v_j = sum_m p(j-i, m) V_m x_j (paper: eq. 4): its heads are those of all m
    mixtures, and together they make a row. Nothing is scaled.

Reading the map
    Point at a place: its window shows what each neighbour counts for, in every head. Beyond the
    border there is nothing, but its direction is given weight all the same: near the border what
    is seen of a row sums to less than 1.

Limits
    Nothing is heard from outside the window. The most used re-implementation does not add up q k
    over the channels of a head: each channel has a softmax, and so a row, of its own
    (``heads`` = channels). Another adds up over all heads, so that they have one row together. Only
    with one head is that the paper's formula, and the first never is.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.affinities.heads import by_heads, from_heads
from models.affinities.windows import Window, WindowAffinity
from models.affinity import PairwiseAffinity
from models.bottleneck import Bottleneck
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
Maps = Float[Tensor, "batch out row column"]


class RelativePlaces(nn.Module):
    """Return what is learnt about each cell of a window: (channel, entry).

    Args:
        channels: an even number; one half knows the row and one the column.
        kernel: cells along a side of the window.
        columns_first: the first half knows the column.
    """

    def __init__(self, channels: int, kernel: int, columns_first: bool = True) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"expected an even number of channels, received {channels}")
        self.columns_first = columns_first
        self.rows = nn.Parameter(torch.randn(channels // 2, kernel))
        self.columns = nn.Parameter(torch.randn(channels // 2, kernel))

    def forward(self) -> Float[Tensor, "channel entry"]:
        side = self.rows.shape[1]
        rows = self.rows.unsqueeze(2).expand(-1, -1, side).flatten(1)
        columns = self.columns.unsqueeze(1).expand(-1, side, -1).flatten(1)
        return torch.cat([columns, rows] if self.columns_first else [rows, columns])


class _Local(AttentionBlock):
    """Shared by layer and stem: weights over a window from queries and keys.

    Args:
        channels: channels of x.
        out: channels of the result.
        window: which neighbours a place has.
        heads: how many rows each place has; channels of a head are compared together.
        groups: of the convolutions that make queries, keys and values.
        bias: whether the one of queries has one.
        split: groups that heads are listed in; changes no number.

    Raises:
        ValueError: if the result's channels are not a multiple of heads and of ``split``.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.UNIT

    def __init__(
        self,
        channels: int,
        out: int,
        window: Window,
        heads: int,
        groups: int = 1,
        bias: bool = False,
        split: int = 1,
    ) -> None:
        super().__init__()
        if min(heads, split) < 1 or out % heads or out % split:
            raise ValueError(
                f"expected channels a multiple of the heads, received {out} and {heads}, {split}"
            )
        self.heads_of_a_row = heads
        self.window = window
        self.query = nn.Conv2d(channels, out, kernel_size=1, groups=groups, bias=bias)
        # A key's bias would add one number to all logits of a window, those beyond the border too.
        self.key = nn.Conv2d(channels, out, kernel_size=1, groups=groups, bias=False)
        self.split = nn.Unflatten(1, (split, out // split))

    def _weights(
        self, x: Feature, relative: Float[Tensor, "out entry"] | None
    ) -> Float[Tensor, "batch head entry place"]:
        query = self.split(self.query(x)).flatten(1, 2)
        logits = []
        for entry, key in enumerate(self.window.seen(self.key(x), (x.shape[2], x.shape[3]))):
            place = 0 if relative is None else relative[:, entry, None, None]
            product = (query * (key + place)).unflatten(1, (self.heads_of_a_row, -1))
            logits.append(product.sum(dim=2).flatten(2))
        return torch.stack(logits, dim=2).softmax(dim=2)


class LocalSelfAttention(_Local):
    """Return what each place gathers from its window (Ramachandran et al., eq. 3).

    Args:
        channels: channels of x.
        out: channels of the result.
        kernel: cells along a side of the window; odd.
        heads: how many rows each place has.
        groups: of the convolutions.
        bias: whether queries and values have one.
        out_bias: whether one is added to the result.
        columns_first: which half of the channels knows the column.
        split: groups that heads are listed in; changes no number.
    """

    formula: ClassVar[str] = "yᵢ = Σⱼ softmaxⱼ(qᵢ · (kⱼ + rⱼ₋ᵢ)) vⱼ"

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 7,
        heads: int = 8,
        groups: int = 1,
        bias: bool = False,
        out_bias: bool = False,
        columns_first: bool = True,
        split: int = 1,
    ) -> None:
        super().__init__(channels, out, Window.centred(kernel), heads, groups, bias, split)
        self.value = nn.Conv2d(channels, out, kernel_size=1, groups=groups, bias=False)
        self.value_bias = nn.Parameter(torch.zeros(out)) if bias else None
        self.bias = nn.Parameter(torch.zeros(out)) if out_bias else None
        self.relative = RelativePlaces(out, kernel, columns_first)

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return the weights over every place's window."""
        size = (x.shape[2], x.shape[3])
        return WindowAffinity(self._weights(x, self.relative()), self.window, size, size)

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Maps:
        """Return A v + bias."""
        gathered = attention.aggregate(by_heads(self.value(x), attention.shape[1]))
        y = from_heads(gathered, (x.shape[2], x.shape[3]))
        # Weights sum to 1 over the whole window, beyond the border too: so does the values' bias.
        for bias in (self.value_bias, self.bias):
            y = y if bias is None else y + bias[:, None, None]
        return y


class ValueMixture(nn.Module):
    """Return how much each of m values counts in each cell of a window: (m, row, column), eq. 5.

    Args:
        mixtures: m.
        channels: channels of the embeddings.
        kernel: cells along a side of the window.
    """

    def __init__(self, mixtures: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.randn(channels, kernel))
        self.columns = nn.Parameter(torch.randn(channels, kernel))
        self.mixtures = nn.Parameter(torch.randn(mixtures, channels))

    def forward(self) -> Float[Tensor, "mixture row column"]:
        places = self.rows.unsqueeze(2) + self.columns.unsqueeze(1)
        return torch.einsum("mc,cij->mij", self.mixtures, places).softmax(dim=0)


class LocalStem(_Local):
    """Return what each place gathers from its window, values mixed by where they are (eq. 4).

    Args:
        channels: channels of x.
        out: channels of the result.
        kernel: cells along a side of the window.
        padding: rows above and columns left of a place that its window has.
        heads: how many rows each place has, before they are taken apart by mixtures.
        mixtures: m.
        split: groups that heads are listed in; changes no number.
    """

    formula: ClassVar[str] = "yᵢ = Σⱼ softmaxⱼ(qᵢ · kⱼ) Σₘ p(j − i, m) Vₘ xⱼ"

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 4,
        padding: int = 2,
        heads: int = 1,
        mixtures: int = 4,
        split: int = 1,
    ) -> None:
        # With less to the right and below, places there would have no window of their own.
        if not (kernel - 1) / 2 <= padding < kernel:
            raise ValueError(
                f"expected a padding of at least half the window, received {padding}, {kernel}"
            )
        window = Window((kernel, kernel), (padding, padding))
        super().__init__(channels, out, window, heads, split=split)
        self.values = nn.ModuleList(
            nn.Conv2d(channels, out, kernel_size=1, bias=False) for _ in range(mixtures)
        )
        self.mixture = ValueMixture(mixtures, out, kernel)

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return the weights over every place's window, those of every mixture as its own heads."""
        size = (x.shape[2], x.shape[3])
        shared = self.mixture().flatten(1)[:, None, :, None]
        parts = self._weights(x, None).unsqueeze(1) * shared
        return WindowAffinity(parts.flatten(1, 2), self.window, size, size)

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Maps:
        """Return the sum over m of A_m V_m x."""
        heads = self.heads_of_a_row
        values = torch.cat([by_heads(value(x), heads) for value in self.values], dim=1)
        gathered = attention.aggregate(values).unflatten(1, (-1, heads)).sum(dim=1)
        return from_heads(gathered, (x.shape[2], x.shape[3]))


def _in_bottleneck(channels: int, inner: int, kernel: int, heads: int) -> Bottleneck:
    return Bottleneck(channels, inner, LocalSelfAttention(inner, inner, kernel, heads))


def _plain(stride: int, padding: int, kernel: int) -> None:
    if stride != 1 or 2 * padding + 1 != kernel:
        raise ValueError(
            "expected stride 1, an odd window and a padding of half of it, "
            f"received {stride}, {kernel} and {padding}"
        )


def _paper(
    variant: str,
    width: int,
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    bias: bool = True,
) -> LocalSelfAttention:
    _plain(stride, padding, kernel_size)
    # With groups this code adds up all of them before its one softmax.
    convolutions = in_channels // width
    return LocalSelfAttention(
        in_channels, out_channels, kernel_size, heads=1, groups=convolutions, out_bias=bias
    )


def _per_channel(
    variant: str,
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    bias: bool = False,
) -> LocalSelfAttention:
    _plain(stride, padding, kernel_size)
    return LocalSelfAttention(
        in_channels,
        out_channels,
        kernel_size,
        heads=out_channels,
        bias=bias,
        columns_first=False,
        split=groups,
    )


def _stem(
    variant: str,
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    m: int = 4,
    bias: bool = False,
) -> LocalStem:
    if stride != 1 or bias:
        raise ValueError(f"expected stride 1 and no bias, received {stride} and {bias}")
    return LocalStem(in_channels, out_channels, kernel_size, padding, out_channels, m, split=groups)


def _by_place(affinity: WindowAffinity) -> Tensor:
    return affinity.weights[:, 0].transpose(1, 2).unflatten(1, affinity.queries)


def _by_channel(affinity: WindowAffinity, query: Tensor) -> Tensor:
    groups, channels = query.shape[1:3]
    # Parts of one row, where there are mixtures, are added up again.
    rows = affinity.weights.unflatten(1, (-1, groups * channels)).sum(dim=1)
    return rows.transpose(2, 3).unflatten(2, affinity.queries).unflatten(1, (groups, channels))


_CONVOLUTIONS = ((r"^(query|key|value)_conv\.(weight|bias)$", r"\1.\2"),)
_CALL = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "groups")

MECHANISM = Mechanism(
    slug="sasa",
    name="Stand-alone self-attention",
    family="self-attention",
    goals=(Goal.NEIGHBOURS, Goal.LESS_BIAS),
    growth=Growth("O(N k², windows of k)", 1.0),
    paper=Paper(
        title="Stand-Alone Self-Attention in Vision Models",
        authors="Ramachandran, Parmar, Vaswani, Bello, Levskaya, Shlens",
        venue="NeurIPS",
        year=2019,
        arxiv="1906.05909",
    ),
    variants={
        "": lambda channels: LocalSelfAttention(channels, channels, kernel=3, heads=4),
        "bias": lambda width: LocalSelfAttention(width, width, kernel=5, heads=2, out_bias=True),
        "stem": lambda channels: LocalStem(channels, channels, heads=2, mixtures=3),
        "bottleneck": lambda channels: _in_bottleneck(channels, 16, 3, 4),
        "per_channel": lambda channels: _in_bottleneck(channels, 16, 3, 16),
    },
    references={
        "SelfAttentionConv2d": Reference(
            build=_paper,
            positional=(*_CALL, "bias"),
            attention={"weights": Derived(("",), _by_place)},
            rename=(
                (r"^weight_(query|key|value)\.", r"\1."),
                (r"^relative_x$", "relative.columns"),
                (r"^relative_y$", "relative.rows"),
            ),
            sizes={"width": ("weight_query.weight", 1)},
        ),
        "AttentionConv": Reference(
            build=_per_channel,
            positional=(*_CALL, "bias"),
            attention={"weights": Derived(("", "split"), _by_channel)},
            rename=(
                (r"^value_conv\.bias$", "value_bias"),
                *_CONVOLUTIONS,
                (r"^rel_h$", "relative.rows"),
                (r"^rel_w$", "relative.columns"),
            ),
            unused=r"^key_conv\.bias$",
        ),
        "AttentionStem": Reference(
            build=_stem,
            positional=(*_CALL, "m", "bias"),
            attention={"weights": Derived(("", "split"), _by_channel), "value_mixture": "mixture"},
            rename=(
                (r"^value_conv\.(\d+)\.", r"values.\1."),
                *_CONVOLUTIONS,
                (r"^emb_a$", "mixture.rows"),
                (r"^emb_b$", "mixture.columns"),
                (r"^emb_mix$", "mixture.mixtures"),
            ),
        ),
    },
    plugs={
        "classifier": Plug(Placement.ONCE, lambda width: _in_bottleneck(width, width // 2, 7, 4)),
    },
)
