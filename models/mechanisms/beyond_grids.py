"""Beyond Grids: places join regions of alike features, and the regions form a small graph.

Idea
    A grid says what is next to what, and that is all. Here places that look alike become one node,
    wherever they are; nodes that resemble each other exchange what they hold; and every place takes
    back from the nodes it belongs to.

Equation
    q_ik ~ exp(-||(x_i - w_k) / sigma_k||^2 / 2), sum over k of q = 1   (paper: eq. 1)
    z_k = sum_i q_ik (x_i - w_k) / sigma_k / sum_i q_ik, made of length 1  (eq. 2)
    A = Z^T Z,  Z' = ReLU(A Z^T W),  y_i = sum_k q_ik Z'_k              (eq. 3-5)
    w and sigma are ``anchors`` and ``spread``, W is ``transform``. q passes the tap ``attention``,
    z the tap ``nodes`` and A the tap ``adjacency``. A re-implementation divides z by its squared
    length (``squared``) and takes sigma as it is stored; the paper has a sigmoid of it.

Reading the map
    Point at a node: its map shows which places belong to it; at every place the maps of all nodes
    sum to 1. A says which nodes are alike, 1 for the same. The implied row of a place
    (``implied_rows``) is how much of each other place reaches it through nodes and graph.

Limits
    Nodes stand for differences from an anchor, and W and the ReLU bend what they pass on: the
    implied row says through which nodes places hear of each other, and does not rebuild the output.
    Positions play no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.affinities.low_rank import LowRankAffinity
from models.affinity import PairwiseAffinity
from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Auxiliary,
    Claim,
    Growth,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)
from models.taps import Tap
from models.tokens import conv_norm_relu

Feature = Float[Tensor, "batch channel row column"]
Assignment = Float[Tensor, "batch place node"]


class GraphUnit(AttentionBlock):
    """Return what each place takes back from the nodes it belongs to (Li and Gupta, eq. 1-5).

    Args:
        channels: channels of x.
        nodes: how many there are.
        out: channels of the result.
        squared: divide nodes by their squared length, and take the spread as it is stored.
    """

    kind = Kind.ASSIGNMENT
    noun = "node"
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "qᵢₖ = softmaxₖ(−‖(xᵢ − wₖ) / σₖ‖² / 2);  yᵢ = Σₖ qᵢₖ ReLU(A Zᵀ W)ₖ"
    identity = None
    note = "without_nonlinearity"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "nodes": Auxiliary(Kind.DESCRIPTORS, Claim.SIGNED),
        "adjacency": Auxiliary(Kind.NODE_AFFINITY, Claim.SIGNED),
    }

    def __init__(self, channels: int, nodes: int, out: int, squared: bool = False) -> None:
        super().__init__()
        if min(channels, nodes, out) < 1:
            raise ValueError(
                f"expected channels and nodes of at least 1, received {channels}, {nodes}, {out}"
            )
        self.squared = squared
        self.anchors = nn.Parameter(torch.randn(channels, nodes) * 0.5)
        self.spread = nn.Parameter(torch.randn(channels, nodes) * 0.5)
        self.transform = nn.Parameter(torch.randn(channels, out) * channels**-0.5)
        self.nodes, self.adjacency = Tap(), Tap()

    def sigma(self) -> Float[Tensor, "channel node"]:
        """Return the spread of each node in each channel."""
        return self.spread if self.squared else self.spread.sigmoid()

    def attention_of(self, x: Feature) -> Assignment:
        """Return q, a soft choice of nodes for each place."""
        places = x.flatten(2).transpose(1, 2)
        scaled = self.sigma().square().reciprocal()
        # The square written out: no tensor of places x channels x nodes.
        distance = (
            places.square() @ scaled
            - 2 * places @ (self.anchors * scaled)
            + (self.anchors.square() * scaled).sum(dim=0)
        )
        return (-distance / 2).softmax(dim=2)

    def _encoded(self, attention: Assignment, x: Feature) -> Float[Tensor, "batch channel node"]:
        total = attention.sum(dim=1, keepdim=True)
        means = x.flatten(2) @ (attention / total)
        nodes = (means - self.anchors) / self.sigma()
        length = nodes.square().sum(dim=1, keepdim=True)
        return nodes / (length if self.squared else length.sqrt())

    def apply_attention(
        self, attention: Assignment, x: Feature
    ) -> Float[Tensor, "batch out row column"]:
        """Return q Z'."""
        nodes = self.nodes(self._encoded(attention, x))
        adjacency = self.adjacency(nodes.transpose(1, 2) @ nodes)
        passed = (adjacency @ (nodes.transpose(1, 2) @ self.transform)).relu()
        return (attention @ passed).transpose(1, 2).unflatten(2, x.shape[2:])

    def implied_rows(self, attention: Assignment, *x: Any) -> PairwiseAffinity:
        """Return q A q'^T, as it would be without the anchors, the spread and the ReLU."""
        nodes = self._encoded(attention, x[0])
        return implied_rows(attention, nodes.transpose(1, 2) @ nodes)


def implied_rows(
    assignment: Assignment, adjacency: Float[Tensor, "batch node node"]
) -> LowRankAffinity:
    """Return how much of each place reaches each place, through nodes and their graph.

    Args:
        assignment: q, what passed ``attention``.
        adjacency: A, what passed ``adjacency``.
    """
    given = assignment / assignment.sum(dim=1, keepdim=True)
    return LowRankAffinity((assignment @ adjacency).unsqueeze(1), given.unsqueeze(1))


class GraphContext(nn.Module):
    """Return x joined with what a graph of regions gives back (section 3.3 of the paper).

    Args:
        channels: channels of x and of the result.
        nodes: how many regions there are.
    """

    def __init__(self, channels: int, nodes: int = 16) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.Conv2d(channels, channels // 2, kernel_size=1, bias=False),
            nn.BatchNorm2d(channels // 2),
        )
        self.unit = GraphUnit(channels // 2, nodes, channels // 2)
        self.join = conv_norm_relu(channels + channels // 2, channels)

    def forward(self, x: Feature) -> Feature:
        return self.join(torch.cat([x, self.unit(self.embed(x))], dim=1))


class ChannelsLast(nn.Module):
    """Return (places in the order of the re-implementation, tokens) of maps with channels last.

    It reads the memory of the tokens as if it were a map's, without exchanging axes.

    Args:
        unit: takes maps with channels first.
    """

    def __init__(self, unit: GraphUnit) -> None:
        super().__init__()
        self.unit = unit

    def forward(
        self, x: Float[Tensor, "batch row column channel"]
    ) -> tuple[Float[Tensor, "batch out row column"], Float[Tensor, "batch place out"]]:
        y = self.unit(x.permute(0, 3, 1, 2))
        tokens = y.flatten(2).transpose(1, 2).contiguous()
        return tokens.reshape(y.shape), tokens


def _module(
    variant: str, batch: int, h: int, w: int, d: int, V: int, outfeatures: int
) -> ChannelsLast:
    return ChannelsLast(GraphUnit(d, V, outfeatures, squared=True))


MECHANISM = Mechanism(
    slug="beyond_grids",
    name="Beyond Grids graph convolution unit",
    family="self-attention",
    goals=(Goal.LONG_RANGE,),
    growth=Growth("O(N K, K vertices)", 1.0),
    paper=Paper(
        title="Beyond Grids: Learning Graph Representations for Visual Recognition",
        authors="Li, Gupta",
        venue="NeurIPS",
        year=2018,
    ),
    variants={
        "": lambda channels: GraphUnit(channels, 5, 12),
        "context": lambda channels: GraphContext(channels, nodes=4),
    },
    references={
        "GCU": Reference(
            build=_module,
            positional=("batch", "h", "w", "d", "V", "outfeatures"),
            attention={
                "assignment": "unit",
                "nodes": "unit.nodes",
                "adjacency": "unit.adjacency",
            },
            rename=(
                (r"^W$", "unit.anchors"),
                (r"^variance$", "unit.spread"),
                (r"^weight$", "unit.transform"),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, GraphContext)},
)
