"""Local relation layer: what a window adds up depends on who matches whom inside it.

Idea
    A convolution adds up its window with the same weights everywhere. Here the weights are made
    anew at each place: a neighbour counts for as much as it suits the place in the middle, plus
    what its direction and distance are worth in general.

Equation
    w_ij = softmax over the window's j of (k_j q_i + f(dx, dy)),  y_i = W sum_j w_ij x_j
    (paper: equations 2 and 3). q and k are one number for each group of m channels, from
    ``query`` and ``key``; f is ``geometry``, a small network of the two offsets; W is ``project``.
    All w pass the tap ``attention``, one head for each group. Head h has the channels h, h + g,
    ... of g groups, as in the published code.

Reading the map
    Point at a place: its window shows how much each neighbour counts, in every head anew. Beyond
    the border there is nothing, but it is given weight all the same: near the border what is seen
    of a row sums to less than 1, and well inside to exactly 1.

Limits
    Nothing is heard from outside the window. The geometry is the same at every place and may
    outweigh what is in the picture: compare places before reading meaning into one window. One
    re-implementation normalises each row of the window for itself (``by_row``), so that its
    weights sum to as many as the window has rows.
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


class Geometry(nn.Module):
    """Return what each cell of a window is worth by where it is: (1, group, row, column).

    Args:
        kernel: cells along a side of the window.
        groups: how many numbers each cell has.
    """

    def __init__(self, kernel: int, groups: int) -> None:
        super().__init__()
        hidden = groups // 2
        if hidden < 1:
            raise ValueError(f"expected at least 2 groups of channels, received {groups}")
        steps = torch.arange(kernel, dtype=torch.float32) - kernel // 2
        across = steps.expand(kernel, kernel)
        # Columns grow to the right, but rows upwards, as in a plot.
        self.register_buffer("offsets", torch.stack([across, -across.T])[None], persistent=False)
        self.widen = nn.Conv2d(2, hidden, kernel_size=1)
        self.score = nn.Conv2d(hidden, groups, kernel_size=1)

    def forward(self) -> Float[Tensor, "1 group side side"]:
        return self.score(self.widen(self.get_buffer("offsets")).relu())


class LocalRelation(AttentionBlock):
    """Return each place's window, added up by how well its cells match it (Hu et al., eq. 2).

    Args:
        channels: channels of x and of the result.
        kernel: cells along a side of the window; odd.
        shared: channels that share one set of weights (m).
        by_row: normalise each row of the window for itself.

    Raises:
        ValueError: if the window is even, or channels are not a multiple of ``shared``.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.UNIT
    formula: ClassVar[str] = "wᵢⱼ = softmaxⱼ(kⱼ qᵢ + f(Δx, Δy));  y = W Σⱼ wᵢⱼ xⱼ"

    def __init__(
        self, channels: int, kernel: int = 7, shared: int = 8, by_row: bool = False
    ) -> None:
        super().__init__()
        if shared < 1 or channels % shared:
            raise ValueError(f"expected channels a multiple of {shared}, received {channels}")
        groups = channels // shared
        self.window = Window.centred(kernel)
        self.by_row = by_row
        self.query = nn.Conv2d(channels, groups, kernel_size=1)
        self.key = nn.Conv2d(channels, groups, kernel_size=1)
        self.geometry = Geometry(kernel, groups)
        self.project = nn.Conv2d(channels, channels, kernel_size=1)

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return w over every place's window, a head for each group."""
        query, size = self.query(x), (x.shape[2], x.shape[3])
        seen = self.window.seen(self.key(x), size)
        matched = torch.stack([(query * key).flatten(2) for key in seen], dim=2)
        logits = matched + self.geometry().flatten(2).unsqueeze(3)
        if self.by_row:
            lines = logits.unflatten(2, self.window.kernel)
            weights = lines.softmax(dim=3).flatten(2, 3)
        else:
            weights = logits.softmax(dim=2)
        return WindowAffinity(weights, self.window, size, size)

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Feature:
        """Return W (w x)."""
        heads, size = attention.shape[1], (x.shape[2], x.shape[3])
        gathered = attention.aggregate(by_heads(x, heads, interleaved=True))
        return self.project(from_heads(gathered, size, interleaved=True))


def _in_bottleneck(channels: int, inner: int, kernel: int = 7) -> Bottleneck:
    return Bottleneck(channels, inner, LocalRelation(inner, kernel))


def _layer(
    variant: str, channels: int, k: int, stride: int = 1, m: int = 8, padding: int = 0
) -> LocalRelation:
    if stride != 1 or padding != k // 2:
        raise ValueError(f"expected stride 1 and padding {k // 2}, received {stride} and {padding}")
    return LocalRelation(channels, k, m, by_row=variant == "anonymous_so")


MECHANISM = Mechanism(
    slug="lrnet",
    name="Local relation layer",
    family="self-attention",
    goals=(Goal.NEIGHBOURS,),
    growth=Growth("O(N k², windows of k)", 1.0),
    paper=Paper(
        title="Local Relation Networks for Image Recognition",
        authors="Hu, Zhang, Xie, Lin",
        venue="ICCV",
        year=2019,
        arxiv="1904.11491",
    ),
    variants={
        "": lambda channels: LocalRelation(channels, kernel=3),
        "5": lambda channels: LocalRelation(channels, kernel=5, shared=4),
        "by_row": lambda channels: LocalRelation(channels, kernel=3, by_row=True),
        "bottleneck": lambda channels: _in_bottleneck(channels, 16, kernel=3),
    },
    references={
        "LocalRelationalLayer": Reference(
            build=_layer,
            positional=("channels", "k", "stride", "m", "padding"),
            attention={
                "weights": Derived(("",), lambda affinity: affinity.weights.transpose(2, 3))
            },
            rename=(
                (r"^qmap\.l\.", "query."),
                (r"^kmap\.l\.", "key."),
                (r"^gp\.l1\.", "geometry.widen."),
                (r"^gp\.l2\.", "geometry.score."),
                (r"^final1x1\.", "project."),
            ),
        ),
    },
    plugs={
        "classifier": Plug(
            Placement.ONCE, lambda channels: _in_bottleneck(channels, channels // 2)
        ),
    },
)
