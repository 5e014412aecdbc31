"""GloRe: project the picture onto a few nodes, let the nodes reason, and project back.

Idea
    Relations between far apart regions are easier to see where each region is one node. A few
    learnt maps project all places onto nodes, a graph convolution mixes the nodes, and the same
    maps bring what they have found back to the places.

Equation
    V = S B^T [/ N],  Z = W_g ReLU(A_g V + V),  y = x + BN(W Z B)   (paper: eq. 1-3)
    S = W_s x, B = W_b x are ``state`` and ``project``; A_g, with a bias, and W_g are ``mix`` and
    ``transform``; W and its norm are ``extend`` and ``norm``. B passes the tap ``attention``, V
    passes ``nodes_in`` and Z passes ``nodes_out``. The paper writes I - A_g, the authors' code
    adds: the sign is learnt. B has no softmax and is used both ways.

Reading the map
    Each node has a map of signed weights: places of one sign add to the node, those of the other
    take away from it, and what the node found is added to the first and taken from the others.
    The implied row of a place, B^T (I + A_g) B, is what it would hear of all others if the ReLU
    between the nodes let everything through; it is not what the block computes.

Limits
    Because of the ReLU there is no row of weights: how much a place hears of another depends on
    the channel and on all other places. A_g is the same for all pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

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
from models.tokens import Feature

Projection = Float[Tensor, "batch node place"]
Nodes = Float[Tensor, "batch channel node"]
AUTHORS_EPS = 1e-4


class GlobalReasoning(AttentionBlock):
    """Add to each place what a few nodes found out about the whole picture (Chen et al.).

    Args:
        channels: channels of x.
        nodes: how many nodes there are; each has twice as many numbers.
        mean: divide what nodes collect by the number of places.

    Raises:
        ValueError: if there is no node.
    """

    kind = Kind.GATHERING
    claim = Claim.SIGNED
    formula: ClassVar[str] = "B = W_b x, V = W_s x Bᵀ, Z = W_g ReLU(A_g V + V);  y = x + BN(W Z B)"
    identity = None
    note = "without_nonlinearity"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "nodes_in": Auxiliary(Kind.DESCRIPTORS, Claim.SIGNED),
        "nodes_out": Auxiliary(Kind.DESCRIPTORS, Claim.SIGNED),
    }

    def __init__(self, channels: int, nodes: int, mean: bool = False) -> None:
        super().__init__()
        if nodes < 1:
            raise ValueError(f"expected at least 1 node, received {nodes}")
        self.mean = mean
        self.state = nn.Conv2d(channels, 2 * nodes, kernel_size=1)
        self.project = nn.Conv2d(channels, nodes, kernel_size=1)
        self.mix = nn.Conv1d(nodes, nodes, kernel_size=1)
        self.between = nn.ReLU()
        self.transform = nn.Conv1d(2 * nodes, 2 * nodes, kernel_size=1, bias=False)
        self.extend = nn.Conv2d(2 * nodes, channels, kernel_size=1, bias=False)
        self.norm = nn.BatchNorm2d(channels, eps=AUTHORS_EPS)
        self.nodes_in = Tap()
        self.nodes_out = Tap()

    def attention_of(self, x: Feature) -> Projection:
        """Return B, what each node takes from each place."""
        return self.project(x).flatten(2)

    def apply_attention(self, attention: Projection, x: Feature) -> Feature:
        """Return x + BN(W Z B)."""
        collected = self.state(x).flatten(2) @ attention.transpose(1, 2)
        nodes = self.nodes_in(collected / attention.shape[2] if self.mean else collected)
        mixed = self.mix(nodes.transpose(1, 2)).transpose(1, 2) + nodes
        found = self.nodes_out(self.transform(self.between(mixed)))
        return x + self.norm(self.extend((found @ attention).unflatten(2, x.shape[2:])))

    def implied_rows(self, attention: Projection, *x: Any) -> PairwiseAffinity:
        """Return B^T (I + A_g) B, as it would be without the ReLU and the bias between nodes."""
        taken = attention + self.mix.weight.squeeze(2) @ attention
        share = 1 / attention.shape[2] if self.mean else 1.0
        return LowRankAffinity(
            (attention * share).transpose(1, 2).unsqueeze(1), taken.transpose(1, 2).unsqueeze(1)
        )


def _original(variant: str, num_in: int, num_mid: int, normalize: bool = False) -> GlobalReasoning:
    return GlobalReasoning(num_in, num_mid, normalize)


def _as_context(channels: int) -> GlobalReasoning:
    # Divided by the number of places, because that differs from picture to picture.
    return GlobalReasoning(channels, channels // 4, mean=True)


MECHANISM = Mechanism(
    slug="glore",
    name="GloRe graph reasoning",
    family="self-attention",
    goals=(Goal.LONG_RANGE, Goal.WHOLE),
    growth=Growth("O(N)", 1.0),
    paper=Paper(
        title="Graph-Based Global Reasoning Networks",
        authors="Chen, Rohrbach, Yan, Yan, Feng, Kalantidis",
        venue="CVPR",
        year=2019,
        arxiv="1811.12814",
    ),
    variants={
        "": lambda channels: GlobalReasoning(channels, nodes=5),
        "normalize": lambda channels: GlobalReasoning(channels, nodes=5, mean=True),
    },
    references={
        "GloRe_Unit_2D": Reference(
            build=_original,
            positional=("num_in", "num_mid", "normalize"),
            attention={
                "projection": "",
                "nodes_in": "nodes_in",
                "nodes_out": "nodes_out",
            },
            rename=(
                (r"^conv_state\.", "state."),
                (r"^conv_proj\.", "project."),
                (r"^gcn\.conv1\.", "mix."),
                (r"^gcn\.conv2\.", "transform."),
                (r"^conv_extend\.", "extend."),
                (r"^blocker\.", "norm."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
