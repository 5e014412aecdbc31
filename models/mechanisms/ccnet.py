"""CCNet: every place listens to its own row and column, twice, and so hears of everything.

Idea
    Comparing every place with every other is dear, and most of it is not needed: if each place
    gathers from the cross of places in line with it, and then does so again, whatever any place
    knows arrives everywhere by way of the two corners between them.

Equation
    A_u = softmax over {column of u, row of u} of Wq x_u . Wk x_i    (paper: eq. 1, the affinity)
    y_u = gamma sum_i A_ui Wv x_i + x_u                              (paper: eq. 2, the aggregation)
    Wq, Wk, Wv are ``query``, ``key``, ``value``; A passes the tap ``attention`` as its factors.
    A place is in its column and in its row: the authors' code leaves it out of the column, so that
    H + W - 1 keys are left. gamma is theirs too, and nothing is scaled. The recurrence applies one
    module, with the same weights, to its own result: the sites are ``attend`` and ``attend#1``.

Reading the map
    Point at a place: the map of either pass is a cross, and sums to 1. The reach of both passes is
    their product: the weight with which a place is heard of by way of every corner, again with
    sum 1. It is exact for the weights; the values are transformed by Wv in between.

Limits
    With H + W - 1 keys the weights of a pass are larger than those over all places could be, and
    say nothing of places that are not in line. Two places at a corner from each other are always
    connected by two ways, however little they have to do with each other. The reach stays bright
    along the cross, because the places in line with this one hear the same line.
"""

from __future__ import annotations

import re
from typing import ClassVar

import torch
from torch import nn

from models.affinities.criss_cross import CrissCrossAffinity
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
from models.tokens import Feature, places, tokens

AUTHORS_RECURRENCE = 2


class CrissCrossAttention(AttentionBlock):
    """Add to each place a learnt share of what it gathers from its row and column (eq. 1-2).

    Args:
        channels: channels of x; queries and keys have an eighth of them.

    Raises:
        ValueError: if there are fewer than 8 channels.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = (
        "Aᵤ = softmaxᵢ(Wq xᵤ · Wk xᵢ), i ∈ row(u) ∪ column(u);  y = γ Σᵢ Aᵤᵢ Wv xᵢ + xᵤ"
    )

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 8:
            raise ValueError(f"expected at least 8 channels, received {channels}")
        self.query = nn.Conv2d(channels, channels // 8, kernel_size=1)
        self.key = nn.Conv2d(channels, channels // 8, kernel_size=1)
        self.value = nn.Conv2d(channels, channels, kernel_size=1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return A as its factors."""
        size = (x.shape[2], x.shape[3])
        return CrissCrossAffinity(tokens(self.query(x)), tokens(self.key(x)), size)

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Feature:
        """Return gamma (A Wv x) + x."""
        return self.gamma * places(attention.aggregate(tokens(self.value(x))), x) + x


class RecurrentCrissCross(nn.Module):
    """Apply one criss-cross attention several times, each to the result of the last (section 3.3).

    Args:
        channels: channels of x.
        recurrence: how often; the paper's is 2.

    Raises:
        ValueError: if it would not be applied at all.
    """

    def __init__(self, channels: int, recurrence: int = AUTHORS_RECURRENCE) -> None:
        super().__init__()
        if recurrence < 1:
            raise ValueError(f"expected at least 1 pass, received {recurrence}")
        self.recurrence = recurrence
        self.attend = CrissCrossAttention(channels)
        self.passes = ("attend", *(f"attend#{n}" for n in range(1, recurrence)))

    def forward(self, x: Feature) -> Feature:
        for _ in range(self.recurrence):
            x = self.attend(x)
        return x


def _original(variant: str, in_dim: int) -> RecurrentCrissCross:
    # The recurrence is not an argument of the original: whoever calls it calls it again.
    repeated = re.fullmatch(r"r(\d+)", variant)
    return RecurrentCrissCross(in_dim, int(repeated[1]) if repeated else 1)


def _parts(site: str, prefix: str) -> dict[str, Derived]:
    return {
        f"{prefix}joint": Derived((site,), lambda a: a.joint().squeeze(1)),
        f"{prefix}column": Derived((site,), lambda a: a.weights()[0].squeeze(1)),
        f"{prefix}row": Derived((site,), lambda a: a.weights()[1].squeeze(1)),
    }


MOST_PASSES_COMPARED = 4


def _as_context(channels: int) -> RecurrentCrissCross:
    module = RecurrentCrissCross(channels)
    # What follows is trained too, so gamma need not start at 0: the affinity then learns from the
    # first step.
    nn.init.constant_(module.attend.gamma, 0.5)
    return module


MECHANISM = Mechanism(
    slug="ccnet",
    name="CCNet criss-cross attention",
    family="self-attention",
    goals=(Goal.SAVING, Goal.LONG_RANGE),
    growth=Growth("O(N √N)", 1.5),
    paper=Paper(
        title="CCNet: Criss-Cross Attention for Semantic Segmentation",
        authors="Huang, Wang, Huang, Huang, Wei, Liu",
        venue="ICCV",
        year=2019,
        arxiv="1811.11721",
    ),
    variants={
        "": CrissCrossAttention,
        "r2": RecurrentCrissCross,
    },
    references={
        "CrissCrossAttention": Reference(
            build=_original,
            positional=("in_dim",),
            attention={
                **_parts("attend", ""),
                **_parts("attend", "pass1."),
                **{
                    name: derived
                    for n in range(1, MOST_PASSES_COMPARED)
                    for name, derived in _parts(f"attend#{n}", f"pass{n + 1}.").items()
                },
            },
            rename=(
                (r"^(query|key|value)_conv\.", r"attend.\1."),
                (r"^gamma$", "attend.gamma"),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
