"""Symbolic graph reasoning: places vote for named nodes, which reason over a graph of knowledge.

Idea
    That a saddle goes with a horse is known without looking. Each node of a graph stands for a
    word; places vote which words they are of; nodes that are linked exchange what was voted for
    them, together with what the word itself means; the outcome goes back to the places.

Equation
    V_i = softmax over nodes of Wa^T x_i,  H = ReLU(V^T X Wps)            (paper: eq. 1)
    H' = ReLU(A [H ; words] Wg),  A = D^-1/2 (links + I) D^-1/2           (eq. 2, 3)
    S_n = softmax over places of Ws^T [h'_n ; x_i], each place's row of S made to sum to 1
    y = x + ReLU(S H' Wsp)                                                (eq. 4, 5)
    V passes ``vote.attention``, H the tap ``visual`` and H' the tap ``evolved``. The reference file
    is that of a port, not of the authors: the ReLU of H and the order in which S is normalised are
    how its author reads the paper.

Reading the map
    Point at a node: its map shows which places vote for it; at every place the votes sum to 1.

Limits
    What is sent back does not depend on the place. Ws^T [h'_n ; x_i] is a number of the node plus
    one of the place; the softmax over places takes away the node's, so that all columns of S are
    alike, and making rows sum to 1 takes away the place's: S is 1 / nodes everywhere. Ws gets
    no gradient, and the implied row (``implied_rows``) is the same for every place. This follows
    from the paper's formula; words and links only matter where somebody gives real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.affinities.low_rank import LowRankAffinity
from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Auxiliary,
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

Feature = Float[Tensor, "batch channel row column"]
Votes = Float[Tensor, "batch place node"]
Nodes = Float[Tensor, "batch inner node"]


def _weight(channels: int, out: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(channels, out) * channels**-0.5)


class Vote(AttentionBlock):
    """Return what places that vote for each node hold (Liang et al., eq. 1).

    Args:
        channels: channels of x.
        nodes: how many there are.
        inner: channels of a node.
    """

    kind = Kind.ASSIGNMENT
    noun = "node"
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "Vᵢ = softmaxₙ(Waᵀ xᵢ);  H = ReLU(Vᵀ X Wps)"
    identity = None

    def __init__(self, channels: int, nodes: int, inner: int) -> None:
        super().__init__()
        self.votes = _weight(channels, nodes)
        self.embed = _weight(channels, inner)

    def attention_of(self, x: Feature) -> Votes:
        """Return V."""
        return (x.flatten(2).transpose(1, 2) @ self.votes).softmax(dim=2)

    def apply_attention(self, attention: Votes, x: Feature) -> Nodes:
        """Return H, a column for each node."""
        voted = x.flatten(2) @ attention
        return (self.embed.T @ voted).relu()


class Compatibility(nn.Module):
    """Return how places share out what each node sends back: softmax over the places (eq. 4).

    Args:
        channels: channels of nodes and of x together.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.compatibility = _weight(channels, 1)

    def forward(self, nodes: Nodes, x: Feature) -> Votes:
        of_nodes, of_places = self.compatibility.split([nodes.shape[1], x.shape[1]])
        scores = x.flatten(2).transpose(1, 2) @ of_places + (of_nodes.T @ nodes)
        return scores.softmax(dim=1)


class SymbolicReasoning(nn.Module):
    """Return x and what the nodes of a graph of knowledge answer (figure 2 of the paper).

    Args:
        channels: channels of x and of the result.
        nodes: how many there are.
        inner: channels of a node.
        words: numbers of a word.
    """

    implies: ClassVar[tuple[str, ...]] = ("vote",)
    implied_claim: ClassVar[Claim] = Claim.POSITIVE
    note: ClassVar[str] = "one_row_for_all"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "visual": Auxiliary(Kind.DESCRIPTORS, Claim.POSITIVE),
        "evolved": Auxiliary(Kind.DESCRIPTORS, Claim.POSITIVE),
    }

    def __init__(self, channels: int, nodes: int, inner: int, words: int) -> None:
        super().__init__()
        if min(channels, nodes, inner, words) < 1:
            raise ValueError("expected channels, nodes and words of at least 1")
        self.vote = Vote(channels, nodes, inner)
        self.reason = _weight(inner + words, inner)
        self.map = Compatibility(inner + channels)
        self.answer = _weight(inner, channels)
        # Without knowledge every node is linked with the next one, and words are any vectors.
        links = torch.eye(nodes).roll(1, dims=0)
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("links", ((links + links.T) > 0).float().fill_diagonal_(0))
        self.register_buffer("words", torch.randn(nodes, words, generator=generator))
        self.visual, self.evolved = Tap(), Tap()

    def graph(self) -> Float[Tensor, "node node"]:
        """Return A."""
        links = self.get_buffer("links")
        linked = links + torch.eye(len(links), dtype=links.dtype, device=links.device)
        root = linked.sum(dim=1).rsqrt()
        return root[:, None] * linked * root

    def implied_rows(self, votes: Votes) -> LowRankAffinity:
        """Return how much of each place reaches each place through nodes and graph."""
        return implied_rows(votes, self.graph())

    def forward(self, x: Feature) -> Feature:
        visual = self.visual(self.vote(x))
        words = self.get_buffer("words").T.expand(len(x), -1, -1)
        told = self.reason.T @ torch.cat([visual, words], dim=1)
        evolved = self.evolved((told @ self.graph().T).relu())
        shares = self.map(evolved, x)
        shares = shares / shares.sum(dim=2, keepdim=True)
        answered = self.answer.T @ evolved @ shares.transpose(1, 2)
        return x + answered.relu().unflatten(2, x.shape[2:])


def implied_rows(votes: Votes, graph: Float[Tensor, "node node"]) -> LowRankAffinity:
    """Return how much of each place reaches each place through nodes and graph: one row for all.

    Args:
        votes: V, what passed ``vote.attention``.
        graph: A.
    """
    shares = torch.full_like(votes, 1 / votes.shape[2])
    return LowRankAffinity((shares @ graph).unsqueeze(1), votes.unsqueeze(1))


def _module(
    variant: str, nodes: int, in_channels: int, node_channels: int, embedding: int
) -> SymbolicReasoning:
    return SymbolicReasoning(in_channels, nodes, node_channels, embedding)


def _by_node(nodes: Nodes) -> Float[Tensor, "batch node inner"]:
    return nodes.transpose(1, 2)


MECHANISM = Mechanism(
    slug="sgr",
    name="Symbolic graph reasoning",
    family="self-attention",
    goals=(Goal.LONG_RANGE, Goal.WHOLE),
    growth=Growth("O(N M, M nodes)", 1.0),
    paper=Paper(
        title="Symbolic Graph Reasoning Meets Convolutions",
        authors="Liang, Hu, Zhang, Lin, Xing",
        venue="NeurIPS",
        year=2018,
    ),
    variants={"": lambda channels: SymbolicReasoning(channels, 6, 16, 5)},
    references={
        "SGRLayer (function)": Reference(
            build=_module,
            positional=("nodes", "in_channels", "node_channels", "embedding"),
            attention={
                "voting": "vote",
                "mapping_before_rownorm": "map",
                "visual_nodes": Derived(("visual",), _by_node),
                "evolved_nodes": Derived(("evolved",), _by_node),
            },
            rename=(
                (r"^L2S_Wa_weight$", "vote.votes"),
                (r"^L2S_Wps_weight$", "vote.embed"),
                (r"^Wg$", "reason"),
                (r"^Ws_weight$", "map.compatibility"),
                (r"^Wsp$", "answer"),
                (r"^adjacency$", "links"),
                (r"^fasttext_embeddings$", "words"),
            ),
        ),
    },
    plugs={
        "segmenter": Plug(
            Placement.CONTEXT, lambda channels: SymbolicReasoning(channels, 16, channels // 2, 16)
        ),
    },
)
