"""Relation-aware global attention: a place is weighed by how it relates to all the others.

Idea
    Whether a place matters shows in the company it keeps: a patch of the figure is like many
    others of the figure, and not like the ground. So each place is described by its relations to
    all places, in a fixed order, and a small network that sees this description and a little of
    the place itself decides its weight. The same is done with channels in the place of places.

Equation
    G_ij = theta(x_i) . phi(x_j),  r_i = [G_i. ; G_.i]
    a_i = sigmoid(BN(W2 ReLU(BN(W1 [mean psi(x_i) ; ReLU(BN(W r_i))])))),  y_i = a_i x_i
    (paper: section 3.2 for places, section 3.3 for channels). theta, phi and psi are 1 x 1
    convolutions with norm and ReLU, psi is ``appearance``, W is ``relate``, W1 and W2 are in
    ``score``. G_i. passes the tap ``outgoing`` and G_.i the tap ``incoming``, as factors: W r_i is
    a sum over j, so that the N x N matrix is never needed. The gates pass ``spatial.attention``
    and ``channel.attention``, the channels after the places. G is not scaled and not normalised.

Reading the map
    The spatial gate is a map in 0..1, the channel gate one bar a channel. Point at a place to see
    its relations: not negative, with no fixed sum. Relations are not the attention: a place that
    is like everything may be let through or muted, as W was trained.

Limits
    W has one column for each place in a fixed order, so the authors' module only fits maps of one
    size. Ours is the same there; on a map of another size the other end of each pair is a mean
    over a cell of the grid it was made for, which the paper does not have. Because of the order
    the description knows where things are, and moving the picture changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from math import prod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.affinity import Normaliser, PairwiseAffinity, ProductAffinity
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
Nodes = Float[Tensor, "batch feature node"]
Embedded = Float[Tensor, "batch inner node"]
Anchors = Float[Tensor, "batch inner anchor"]
Grid = int | tuple[int, int]
"""the places that a module is made for: their number, or rows and columns"""


def _embedding(features: int, inner: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(features, inner, kernel_size=1, bias=False), nn.BatchNorm1d(inner), nn.ReLU()
    )


class _RelationGate(AttentionBlock):
    """Shared by both gates: scores of nodes from their relations to anchors.

    Args:
        features: numbers that describe a node.
        inner: numbers of an embedded node.
        anchors: nodes that every node is related to.
        related: numbers that a node's relations are put into.
        down_ratio: by how much the first layer of the score is narrower than what it is given.

    Raises:
        ValueError: if a width comes out as less than 1.
    """

    claim = Claim.UNIT

    def __init__(
        self, features: int, inner: int, anchors: int, related: int, down_ratio: int
    ) -> None:
        super().__init__()
        hidden = (1 + related) // down_ratio
        if min(inner, related, hidden) < 1:
            raise ValueError(
                "expected widths of at least 1, received ratios that leave "
                f"{inner}, {related} and {hidden}"
            )
        self.theta = _embedding(features, inner)
        self.phi = _embedding(features, inner)
        self.appearance = _embedding(features, inner)
        self.relate = nn.Linear(2 * anchors, related, bias=False)
        self.relate_norm = nn.BatchNorm1d(related)
        self.score = nn.Sequential(
            nn.Conv1d(1 + related, hidden, kernel_size=1, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Conv1d(hidden, 1, kernel_size=1, bias=False),
            nn.BatchNorm1d(1),
        )
        self.outgoing = Tap()
        self.incoming = Tap()

    def _scores(
        self, nodes: Nodes, anchors_of: Callable[[Embedded], Anchors]
    ) -> Float[Tensor, "batch node"]:
        theta, phi = self.theta(nodes), self.phi(nodes)
        outgoing = self.outgoing(_raw_products(theta, anchors_of(phi)))
        incoming = self.incoming(_raw_products(phi, anchors_of(theta)))
        # W [G_i. ; G_.i] is a sum over the anchors, as any aggregation.
        weight_out, weight_in = self.relate.weight.T.expand(len(nodes), 1, -1, -1).chunk(2, dim=2)
        related = outgoing.aggregate(weight_out) + incoming.aggregate(weight_in)
        structure = F.relu(self.relate_norm(related.squeeze(1).transpose(1, 2)))
        look = self.appearance(nodes).mean(dim=1, keepdim=True)
        return self.score(torch.cat([look, structure], dim=1)).squeeze(1)


def _raw_products(query: Embedded, key: Anchors) -> PairwiseAffinity:
    # The mean normaliser divides by the number of keys: this scale takes it back.
    return ProductAffinity(
        query.transpose(1, 2).unsqueeze(1),
        key.transpose(1, 2).unsqueeze(1),
        scale=float(key.shape[2]),
        normaliser=Normaliser.MEAN,
    )


def _on_grid(x: Feature, grid: Grid) -> Float[Tensor, "batch channel anchor"]:
    """Return the places of x, or means over the cells of the grid where x is of another size."""
    places = grid if isinstance(grid, int) else prod(grid)
    if prod(x.shape[2:]) == places:
        return x.flatten(2)
    if isinstance(grid, int):
        raise ValueError(f"expected maps of {places} places, received {tuple(x.shape)}")
    return F.adaptive_avg_pool2d(x, grid).flatten(2)


class SpatialRelationGate(_RelationGate):
    """Scale each place by a gate made from its relations to all places (Zhang et al., RGA-S).

    Args:
        channels: channels of x.
        grid: the places that it is made for.
        inner: numbers of an embedded place; the paper's is channels // 8.
        related: numbers that the relations are put into; the paper's is places // 8.
        down_ratio: narrowing of the score's first layer; the paper's is 8.
    """

    kind = Kind.SPATIAL_GATE
    formula: ClassVar[str] = (
        "aᵢ = σ(ω[mean ψ(xᵢ) ; ReLU(BN(W[Gᵢ· ; G·ᵢ]))]), Gᵢⱼ = θ(xᵢ) · φ(xⱼ);  y = a · x"
    )
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "outgoing": Auxiliary(Kind.PLACE_AFFINITY, Claim.POSITIVE),
        "incoming": Auxiliary(Kind.PLACE_AFFINITY, Claim.POSITIVE),
    }

    def __init__(
        self, channels: int, grid: Grid, inner: int, related: int, down_ratio: int
    ) -> None:
        places = grid if isinstance(grid, int) else prod(grid)
        super().__init__(channels, inner, places, related, down_ratio)
        self.grid = grid

    def key_grid(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the rows and columns of the anchors that places are related to."""
        grid = self.grid
        return (rows, columns) if isinstance(grid, int) or prod(grid) == rows * columns else grid

    def attention_of(self, x: Feature) -> Float[Tensor, "batch 1 row column"]:
        """Return the gate, in 0..1; raises ValueError if x does not fit a grid that is a number."""
        size = x.shape[2:]
        scores = self._scores(x.flatten(2), lambda e: _on_grid(e.unflatten(2, size), self.grid))
        return scores.sigmoid().reshape(-1, 1, *size)

    def apply_attention(
        self, attention: Float[Tensor, "batch 1 row column"], x: Feature
    ) -> Feature:
        """Return x with each place scaled by its gate."""
        return x * attention


class ChannelRelationGate(_RelationGate):
    """Scale each channel by a gate made from its relations to all channels (RGA-C).

    Args:
        channels: channels of x.
        grid: the places that it is made for: a channel is described by its values there.
        inner: numbers of an embedded channel; the paper's is places // 8.
        related: numbers that the relations are put into; the paper's is channels // 8.
        down_ratio: narrowing of the score's first layer; the paper's is 8.
    """

    kind = Kind.CHANNEL_GATE
    formula: ClassVar[str] = (
        "a_c = σ(ω[mean ψ(x_c) ; ReLU(BN(W[G_c· ; G·_c]))]), G_cd = θ(x_c) · φ(x_d);  y = a · x"
    )
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "outgoing": Auxiliary(Kind.CHANNEL_AFFINITY, Claim.POSITIVE),
        "incoming": Auxiliary(Kind.CHANNEL_AFFINITY, Claim.POSITIVE),
    }

    def __init__(
        self, channels: int, grid: Grid, inner: int, related: int, down_ratio: int
    ) -> None:
        places = grid if isinstance(grid, int) else prod(grid)
        super().__init__(places, inner, channels, related, down_ratio)
        self.grid = grid

    def attention_of(self, x: Feature) -> Float[Tensor, "batch channel"]:
        """Return the gate, in 0..1; raises ValueError if x does not fit a grid that is a number."""
        return self._scores(_on_grid(x, self.grid).transpose(1, 2), lambda e: e).sigmoid()

    def apply_attention(self, attention: Float[Tensor, "batch channel"], x: Feature) -> Feature:
        """Return x with each channel scaled by its gate."""
        return x * attention[:, :, None, None]


class RelationAwareAttention(nn.Module):
    """Return x under the gate of places, then under that of channels (Zhang et al., section 3).

    Args:
        channels: channels of x.
        grid: the places that it is made for; with rows and columns, maps of other sizes fit too.
        spatial: whether places are weighed.
        channel: whether channels are weighed.
        channel_ratio: channels to embedded numbers; the paper's is 8.
        spatial_ratio: places to embedded numbers; the paper's is 8.
        down_ratio: narrowing of the scores' first layers; the paper's is 8.

    Raises:
        ValueError: if nothing is weighed or a ratio leaves no width.
    """

    def __init__(
        self,
        channels: int,
        grid: Grid,
        spatial: bool = True,
        channel: bool = True,
        channel_ratio: int = 8,
        spatial_ratio: int = 8,
        down_ratio: int = 8,
    ) -> None:
        super().__init__()
        if not (spatial or channel):
            raise ValueError("expected places or channels to be weighed, received neither")
        places = grid if isinstance(grid, int) else prod(grid)
        by_channel, by_place = channels // channel_ratio, places // spatial_ratio
        self.spatial = (
            SpatialRelationGate(channels, grid, by_channel, by_place, down_ratio)
            if spatial
            else None
        )
        self.channel = (
            ChannelRelationGate(channels, grid, by_place, by_channel, down_ratio)
            if channel
            else None
        )

    def forward(self, x: Feature) -> Feature:
        if self.spatial is not None:
            x = self.spatial(x)
        return x if self.channel is None else self.channel(x)


def _original(
    variant: str,
    in_channel: int,
    in_spatial: int,
    use_spatial: bool = True,
    use_channel: bool = True,
    cha_ratio: int = 8,
    spa_ratio: int = 8,
    down_ratio: int = 8,
) -> RelationAwareAttention:
    return RelationAwareAttention(
        in_channel, in_spatial, use_spatial, use_channel, cha_ratio, spa_ratio, down_ratio
    )


def _in_between(channels: int) -> RelationAwareAttention:
    block = RelationAwareAttention(channels, grid=(8, 8), down_ratio=2)
    # The hosts' trunk was trained without gates: both open at first.
    for gate in (block.spatial, block.channel):
        if gate is not None:
            nn.init.constant_(gate.score.get_submodule("4").get_parameter("bias"), 2.0)
    return block


def _renamed(side: str) -> tuple[tuple[str, str], ...]:
    names = {
        "theta": "theta",
        "phi": "phi",
        "gx": "appearance",
        "W": "score",
    }
    return (
        *((rf"^{theirs}_{side}\.", f"{side}.{ours}.") for theirs, ours in names.items()),
        (rf"^gg_{side}\.0\.", f"{side}.relate."),
        (rf"^gg_{side}\.1\.", f"{side}.relate_norm."),
    )


def _variant(spatial: bool, channel: bool) -> Callable[[int], nn.Module]:
    def build(channels: int) -> nn.Module:
        return RelationAwareAttention(channels, (4, 6), spatial, channel, 2, 3, 2)

    return build


MECHANISM = Mechanism(
    slug="rga",
    name="Relation-aware global attention",
    family="channel and spatial",
    goals=(Goal.REGIONS, Goal.LONG_RANGE, Goal.CHANNELS),
    paper=Paper(
        title="Relation-Aware Global Attention for Person Re-identification",
        authors="Zhang, Lan, Zeng, Jin, Chen",
        venue="CVPR",
        year=2020,
        arxiv="1904.02998",
    ),
    variants={
        "": _variant(spatial=True, channel=True),
        "spatial": _variant(spatial=True, channel=False),
        "channel": _variant(spatial=False, channel=True),
    },
    references={
        "RGA_Module": Reference(
            build=_original,
            positional=tuple(signature(_original).parameters)[1:],
            attention={
                "spatial": "spatial",
                "channel": "channel",
                "spatial_relation": "spatial.outgoing",
                "channel_relation": "channel.outgoing",
            },
            rename=(*_renamed("spatial"), *_renamed("channel")),
        ),
    },
    plugs={"classifier": Plug(Placement.ONCE, _in_between)},
)
