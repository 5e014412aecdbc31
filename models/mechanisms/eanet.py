"""EANet: places do not listen to each other but to a memory that all pictures share.

Idea
    What is learnt from many pictures may explain a place better than the rest of its own picture.
    Each place is compared with the keys of a small trained memory, and is given the mixture of the
    memory's values that it matched.

Equation
    F = W_1 x,  S = softmax over places of M_k F,  A = S / sum over slots of S   (paper: eq. 5-7)
    y = ReLU(BN(W_2 M_v A) + x)
    W_1, M_k, M_v, W_2 are ``project_in``, ``memory_keys``, ``memory_values``, ``project_out``. S
    passes the tap ``shares`` (each slot sums to 1 over places), A passes ``attention`` (each place
    sums to 1 over slots). The two normalisations go over different axes, in this order. The
    multi-head form, for tokens, has heads that share one memory, with biases.

Reading the map
    Each slot of the memory has a map of the places that use it; at every place those of all slots
    sum to 1. Since memory is the same for all pictures, slot 7 here is slot 7 everywhere: compare
    pictures.

Limits
    There is no row. What a place is given comes from the memory and not from any other place; other
    places only matter through the first normalisation, in which they compete for a slot, and no
    weight between two places, whatever it were multiplied by, would give back the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

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
from models.tokens import Feature, conv_norm

AUTHORS_SLOTS = 64
AUTHORS_WIDENING = 4
EPSILON = 1e-9


class ExternalAttention(AttentionBlock):
    """Add to each place the mixture of a memory's values that it matches (Guo et al., eq. 5-7).

    Args:
        channels: channels of x.
        slots: keys and values in the memory; the authors' is 64.

    Raises:
        ValueError: if there is no slot.
    """

    kind = Kind.ASSIGNMENT
    note = "memory"
    noun = "slot"
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "Sᵢ = softmaxᵢ(Mₖ W₁ xᵢ), A = S / Σₖ Sₖ;  y = ReLU(BN(W₂ Mᵥ A) + x)"
    identity = None
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "shares": Auxiliary(Kind.GATHERING, Claim.SIMPLEX)
    }

    def __init__(self, channels: int, slots: int = AUTHORS_SLOTS) -> None:
        super().__init__()
        if slots < 1:
            raise ValueError(f"expected at least 1 slot, received {slots}")
        self.project_in = nn.Conv2d(channels, channels, kernel_size=1)
        self.memory_keys = nn.Conv1d(channels, slots, kernel_size=1, bias=False)
        self.memory_values = nn.Conv1d(slots, channels, kernel_size=1, bias=False)
        self.project_out = conv_norm(channels, channels)
        self.shares = Tap()

    def attention_of(self, x: Feature) -> Float[Tensor, "batch place slot"]:
        """Return A, how much of each place is which slot."""
        matched = self.memory_keys(self.project_in(x).flatten(2))
        shares = self.shares(matched.softmax(dim=2))
        return (shares / (EPSILON + shares.sum(dim=1, keepdim=True))).transpose(1, 2)

    def apply_attention(self, attention: Float[Tensor, "batch place slot"], x: Feature) -> Feature:
        """Return ReLU(BN(W_2 M_v A) + x)."""
        given = self.memory_values(attention.transpose(1, 2))
        return (self.project_out(given.unflatten(2, x.shape[2:])) + x).relu()


class MultiHeadExternalAttention(AttentionBlock):
    """Return the mixtures of a memory's values that the tokens' heads match (the authors' EAMLP).

    Args:
        dim: numbers of a token.
        heads: parts of a token, before it is widened 4 times; each is matched on its own.

    Raises:
        ValueError: if the tokens cannot be cut into heads.
    """

    kind = Kind.ASSIGNMENT
    note = "memory"
    noun = "slot"
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "Sᵢ = softmaxᵢ(x′ᵢ Mₖ), A = S / Σₖ Sₖ;  y = W [A₁ Mᵥ ; A₂ Mᵥ ; …]"
    identity = None

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"expected heads that divide {dim}, received {heads}")
        self.heads = AUTHORS_WIDENING * heads
        slots = 256 // AUTHORS_WIDENING
        self.widen = nn.Linear(dim, AUTHORS_WIDENING * dim)
        self.memory_keys = nn.Linear(dim // heads, slots)
        self.memory_values = nn.Linear(slots, dim // heads)
        self.project = nn.Linear(AUTHORS_WIDENING * dim, dim)
        self.shares = Tap()

    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "shares": Auxiliary(Kind.ASSIGNMENT, Claim.POSITIVE)
    }

    def attention_of(
        self, x: Float[Tensor, "batch place channel"]
    ) -> Float[Tensor, "batch head place slot"]:
        """Return A of each head."""
        parts = self.widen(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
        shares = self.shares(self.memory_keys(parts).softmax(dim=2))
        return shares / (EPSILON + shares.sum(dim=3, keepdim=True))

    def apply_attention(
        self,
        attention: Float[Tensor, "batch head place slot"],
        x: Float[Tensor, "batch place channel"],
    ) -> Float[Tensor, "batch place channel"]:
        """Return W of the heads' mixtures side by side."""
        return self.project(self.memory_values(attention).transpose(1, 2).flatten(2))


def _original(variant: str, c: int, k: int = AUTHORS_SLOTS) -> ExternalAttention:
    return ExternalAttention(c, k)


def _multi_head(
    variant: str,
    dim: int,
    num_heads: int = 8,
    qkv_bias: bool = False,
    qk_scale: float | None = None,
    attn_drop: float = 0.0,
    proj_drop: float = 0.0,
) -> MultiHeadExternalAttention:
    # The original takes the rest and leaves it unused, but for the dropouts of training.
    return MultiHeadExternalAttention(dim, num_heads)


MECHANISM = Mechanism(
    slug="eanet",
    name="EANet external attention",
    family="self-attention",
    goals=(Goal.SAVING, Goal.LONG_RANGE),
    growth=Growth("O(N S, S memory slots)", 1.0),
    paper=Paper(
        title="Beyond Self-attention: External Attention using Two Linear Layers for Visual Tasks",
        authors="Guo, Liu, Mu, Hu",
        venue="TPAMI",
        year=2022,
        arxiv="2105.02358",
    ),
    variants={
        "": lambda channels: ExternalAttention(channels, slots=7),
        "multi_head": lambda channels: MultiHeadExternalAttention(channels, heads=1),
    },
    inputs={
        "multi_head": lambda batch, channels, rows, columns: [(batch, rows * columns, channels)]
    },
    references={
        "External_attention": Reference(
            build=_original,
            positional=("c", "k"),
            attention={
                "softmax": "shares",
                "double_normalised": Derived(("",), lambda a: a.transpose(1, 2)),
            },
            rename=(
                (r"^conv1\.", "project_in."),
                (r"^linear_0\.", "memory_keys."),
                (r"^linear_1\.", "memory_values."),
                (r"^conv2\.", "project_out."),
            ),
        ),
        "Attention": Reference(
            build=_multi_head,
            positional=("dim", "num_heads", "qkv_bias", "qk_scale", "attn_drop", "proj_drop"),
            attention={"softmax": "shares", "double_normalised": ""},
            rename=(
                (r"^trans_dims\.", "widen."),
                (r"^linear_0\.", "memory_keys."),
                (r"^linear_1\.", "memory_values."),
                (r"^proj\.", "project."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, ExternalAttention)},
)
