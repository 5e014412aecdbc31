"""DGMN: every place hears from a few points, and chooses itself where they are.

Idea
    Hearing from every place is costly and mostly in vain. Here each place hears from nine points
    around it at each of several distances. Where the points are, how much each is worth and what
    of it is let through, all follow from what the place itself looks like.

Equation
    y_i = x_i + sum over d of gamma_d sum_k w_dk(i) x(i + d p_k + o_dk(i))   (paper: eq. 4, 6, 8)
    p_k are the nine directions, d the distance (dilation), o the walk of a point from where it
    stood, ``walk``; w_dk = filter_k a_k with a = softmax over the nine, from one convolution,
    ``predict``, which looks at the displaced points too. Weights pass the taps
    ``levels.*.attention``, a head for each group of channels. Without walks (``still``) w is a
    softmax over the nine in each group, and there is no a.

Reading the map
    Point at a place: its nine points at each distance show what they count for; a point between
    cells is shared out over the four around it. With walks weights have any sign and no fixed sum;
    without they sum to 1, less what falls beyond the border.

Limits
    A point that walks onto another counts twice. The authors' code takes the a of the fourth
    distance from the last group's filters by mistake (``slip``); reference numbers have it so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.affinities.heads import by_heads, from_heads
from models.affinities.sampled import SampledAffinity, sampled
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
Points = Float[Tensor, "batch point place 2"]
_POINTS = 9


class _Level(AttentionBlock):
    """Shared by both forms: what a place hears at one distance.

    Args:
        channels: channels of x.
        groups: groups of channels with weights of their own.
        distance: cells from a place to its nearest points.
    """

    kind = Kind.PLACE_AFFINITY

    def __init__(self, channels: int, groups: int, distance: int) -> None:
        super().__init__()
        if groups < 1 or channels % groups:
            raise ValueError(f"expected channels a multiple of {groups}, received {channels}")
        self.groups = groups
        self.window = Window.centred(3, distance)

    def _around(self, channels: int, out: int) -> nn.Conv2d:
        distance = self.window.dilation
        return nn.Conv2d(channels, out, 3, padding=distance, dilation=distance, bias=False)

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Feature:
        """Return what is heard, w x."""
        gathered = attention.aggregate(by_heads(x, attention.shape[1]))
        return from_heads(gathered, (x.shape[2], x.shape[3]))


class StillPoints(_Level):
    """Return what places hear from nine points that stay where they are."""

    claim = Claim.UNIT
    formula: ClassVar[str] = "w = softmaxₖ(W * x);  yᵢ = Σₖ wₖ(i) x(i + d pₖ)"

    def __init__(self, channels: int, groups: int, distance: int) -> None:
        super().__init__(channels, groups, distance)
        self.predict = self._around(channels, groups * _POINTS)

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return w over the nine points of every place."""
        size = (x.shape[2], x.shape[3])
        filters = self.predict(x).flatten(2).unflatten(1, (self.groups, _POINTS))
        return WindowAffinity(filters.softmax(dim=2), self.window, size, size)


class WalkingPoints(_Level):
    """Return what places hear from nine points that walk (Zhang et al., section 3.3).

    Args:
        channels: channels of x.
        groups: groups of channels with weights of their own.
        distance: cells from a place to its nearest points, before they walk.
        slip: make a from the last group's filters.
    """

    claim = Claim.SIGNED
    formula: ClassVar[str] = "w = f(x) softmaxₖ(a(x));  yᵢ = Σₖ wₖ(i) x(i + d pₖ + oₖ(i))"

    def __init__(self, channels: int, groups: int, distance: int, slip: bool = False) -> None:
        super().__init__(channels, groups, distance)
        self.slip = slip
        self.walk = self._around(channels, 2 * _POINTS)
        # Looks at displaced points, so that only the weight of this convolution is used.
        self.predict = self._around(channels, (groups + 1) * _POINTS)
        self.normalise = nn.Softmax(dim=-1)

    def _points(self, x: Feature) -> Points:
        rows, columns = x.shape[2:]
        walked = self.walk(x).flatten(2).unflatten(1, (_POINTS, 2)).transpose(2, 3)
        down, across = torch.meshgrid(
            torch.arange(rows, device=x.device),
            torch.arange(columns, device=x.device),
            indexing="ij",
        )
        places = torch.stack([down, across], dim=-1).flatten(0, 1)
        stood = torch.tensor(self.window.offsets(), device=x.device).unsqueeze(1) + places
        return walked + stood

    def _predicted(self, x: Feature, points: Points) -> Float[Tensor, "batch number place"]:
        weight = self.predict.weight.flatten(2)
        total = x.new_zeros(())
        for index, seen in enumerate(sampled(x, points)):
            total = total + weight[:, :, index] @ seen
        return total

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return w over the nine points of every place."""
        points = self._points(x)
        numbers = self._predicted(x, points)
        filters = numbers[:, : self.groups * _POINTS]
        scores = (filters if self.slip else numbers)[:, -_POINTS:]
        affinity = self.normalise(scores.transpose(1, 2).unsqueeze(1))
        weights = filters.unflatten(1, (self.groups, _POINTS)) * affinity.transpose(2, 3)
        return SampledAffinity(weights, points, (x.shape[2], x.shape[3]))


class DynamicMessages(nn.Module):
    """Return x and what its places hear at several distances (figure 2 of the paper).

    Args:
        channels: channels of x.
        groups: groups of channels with weights of their own.
        distances: cells from a place to its nearest points, one number for each level.
        walking: points choose where they are.
        slip: make the mistake of the authors' code in the fourth level.
    """

    def __init__(
        self,
        channels: int,
        groups: int = 4,
        distances: Sequence[int] = (1, 4, 8, 12),
        walking: bool = True,
        slip: bool = False,
    ) -> None:
        super().__init__()
        if not distances:
            raise ValueError("expected at least one distance, received none")
        self.levels = nn.ModuleList(
            WalkingPoints(channels, groups, distance, slip and index == 3)
            if walking
            else StillPoints(channels, groups, distance)
            for index, distance in enumerate(distances)
        )
        self.gamma = nn.ParameterList(torch.ones(1) for _ in distances)

    def forward(self, x: Feature) -> Feature:
        y = x
        for level, gamma in zip(self.levels, self.gamma, strict=True):
            y = y + gamma * level(x)
        return y


def _module(
    variant: str,
    channels: int,
    group: int = 1,
    kernel: int = 3,
    dilation: Sequence[int] = (1, 4, 8, 12),
    shuffle: bool = False,
    deform: str = "none",
) -> DynamicMessages:
    if kernel != 3 or shuffle or len(dilation) != 4 or deform not in ("none", "deformatt"):
        raise ValueError(
            "expected kernel 3, no shuffle, four dilations and deform none or deformatt, "
            f"received {kernel}, {shuffle}, {list(dilation)} and {deform!r}"
        )
    return DynamicMessages(channels, group, dilation, deform == "deformatt", slip=True)


def _as_context(channels: int) -> DynamicMessages:
    messages = DynamicMessages(channels, distances=(1, 4, 8, 12))
    # What is heard is a sum of many points: it begins softly.
    for gamma in messages.gamma:
        nn.init.constant_(gamma, 0.25)
    return messages


def _by_place(affinity: WindowAffinity | SampledAffinity) -> Tensor:
    return affinity.weights.transpose(2, 3)


_LETTERS = "abcd"

MECHANISM = Mechanism(
    slug="dgmn",
    name="Dynamic graph message passing",
    family="self-attention",
    goals=(Goal.SAVING, Goal.LONG_RANGE, Goal.NEIGHBOURS),
    growth=Growth("O(N K, K sampled places)", 1.0),
    paper=Paper(
        title="Dynamic Graph Message Passing Networks",
        authors="Zhang, Xu, Arnab, Torr",
        venue="CVPR",
        year=2020,
        arxiv="1908.06955",
    ),
    variants={
        "": lambda channels: DynamicMessages(channels, 2, (1, 3)),
        "slip": lambda channels: WalkingPoints(channels, 4, 2, slip=True),
        "none": lambda channels: DynamicMessages(channels, 2, (1, 2), walking=False),
    },
    references={
        "ReDynamicWeightsCat33": Reference(
            build=_module,
            positional=("channels", "group", "kernel", "dilation", "shuffle", "deform"),
            attention={
                **{
                    f"weights.dilation{n}": Derived((f"levels.{n}.attention",), _by_place)
                    for n in range(4)
                },
                **{f"affinity.dilation{n}": f"levels.{n}.normalise" for n in range(4)},
                **{f"offsets.dilation{n}": f"levels.{n}.walk" for n in range(4)},
            },
            rename=(
                *((rf"^gamma{n + 1}$", f"gamma.{n}") for n in range(4)),
                *((f"^off_conv{x}[.]", f"levels.{n}.walk.") for n, x in enumerate(_LETTERS)),
                *((f"^kernel_conv{x}[.]", f"levels.{n}.predict.") for n, x in enumerate(_LETTERS)),
                *((f"^cat{x}[.]", f"levels.{n}.predict.") for n, x in enumerate(_LETTERS)),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
