"""Hamburger: all places are rebuilt from a few patterns that are found anew in each picture.

Idea
    What is common to many places is signal, and what is not is noise. Write the map as a matrix
    of places and channels and keep only what a few patterns can say: each place is then made of
    patterns, and through them it hears of every place that made them.

Equation
    X = lower(x),  X ~ D C^T,  y = ReLU(upper(D C^T) + x)   (paper: eq. 4-6)
    VQ   C = softmax_k(t cos(x_i, d_k)),  D = X C / sum_i C                   (soft k-means)
    CD   the same C and D, D of length 1; at last C = X^T D (D^T D + b I)^-1  (concepts)
    NMF  C <- C X^T D / (C D^T D),  D <- D X C / (D C^T C)                    (none is negative)
    Several steps of both, then C once more. ``dictionary`` takes the steps, the bases D pass the
    tap ``bases`` and the last C passes ``rebuild.attention``. The C of step t, before it is shared
    out among places, passes ``rebuild.steps.<t>.responsibilities``. Steps have no gradient unless
    ``through`` is true: only the last C is differentiated (paper: section 3.2).

Reading the map
    Step through the iterations as with ``emanet``: with VQ both do the same but for the length of
    the bases. Point at a basis: its map shows how much of it each place is made of. With VQ these
    sum to 1 at each place; with NMF none is negative; with CD they have any sign. With VQ and CD a
    basis is a weighted sum of places, so places have rows too (``implied_rows``): what is rebuilt
    at a place is its row times X. With NMF they have none: a basis is rescaled channel by channel,
    so what one place says to another is not one number.

Limits
    The authors draw the first bases at random for every picture, so that the same picture gives
    different numbers twice. Ours are the same draw always; a file of reference numbers brings its
    own. The row through a few bases cannot be sharp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.affinities.low_rank import LowRankAffinity
from models.affinity import PairwiseAffinity
from models.decompositions import (
    KINDS,
    TINY,
    Bases,
    Coefficients,
    Decomposition,
    Matrix,
    NonNegativeFactors,
)
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
from models.tokens import conv_norm, conv_norm_relu

Feature = Float[Tensor, "batch channel row column"]


class Step(nn.Module):
    """Return better bases and their coefficients, letting these through a tap first.

    Args:
        way: the decomposition.
    """

    def __init__(self, way: Decomposition) -> None:
        super().__init__()
        self.auxiliary = {"responsibilities": Auxiliary(Kind.ASSIGNMENT, way.assigned_claim)}
        self.responsibilities = Tap()

    def forward(
        self, way: Decomposition, x: Matrix, bases: Bases, given: Coefficients
    ) -> tuple[Bases, Coefficients]:
        return way.refined(x, bases, self.responsibilities(way.assigned(x, bases, given)))


class Rebuild(AttentionBlock):
    """Return what bases and coefficients say of each item (Geng et al., eq. 5).

    Args:
        way: the decomposition.
        heads: how many groups of channels are decomposed apart.
        steps: how often bases and coefficients are bettered before.
    """

    kind = Kind.ASSIGNMENT
    formula: ClassVar[str] = "C = f(X, D);  X̃ = D Cᵀ"
    identity = None
    noun = "basis"

    def __init__(self, way: Decomposition, heads: int, steps: int) -> None:
        super().__init__()
        # They stand here because this is what they prepare.
        self.steps = nn.ModuleList(Step(way) for _ in range(steps))
        self.way, self.heads, self.claim = way, heads, way.claim
        self.implied_claim = way.claim
        self.note = "through_bases" if way.linear else "multiplied_bases"

    def _split(self, x: Float[Tensor, "batch dims item"]) -> Matrix:
        return x.unflatten(1, (self.heads, -1))

    def attention_of(
        self,
        x: Float[Tensor, "batch dims *item"],
        bases: Float[Tensor, "batch dims rank"],
        given: Coefficients,
    ) -> Coefficients:
        """Return C."""
        return self.way.last(self._split(x.flatten(2)), self._split(bases), given)

    def apply_attention(
        self,
        attention: Coefficients,
        x: Float[Tensor, "batch dims *item"],
        bases: Float[Tensor, "batch dims rank"],
        given: Coefficients,
    ) -> Float[Tensor, "batch dims *item"]:
        """Return D C^T in the shape of x."""
        return (self._split(bases) @ attention.transpose(-2, -1)).reshape(x.shape)

    def implied_rows(self, attention: Coefficients, *x: Any) -> PairwiseAffinity | None:
        """Return C G^T with bases D = X G: exact; none where bases are no sums of places."""
        items, _, given = x
        if not self.way.linear or items.ndim != 4:
            return None
        return implied_rows(self.way, attention, given, self._split(items.flatten(2)))


def implied_rows(
    way: Decomposition, taken: Coefficients, given: Coefficients, x: Matrix
) -> LowRankAffinity:
    """Return how much of each item each rebuilt item is, through the bases.

    Args:
        way: the decomposition.
        taken: the last coefficients.
        given: those of the last step, whose sums the bases are.
        x: the items.

    Raises:
        ValueError: if bases are not sums of items.
    """
    if not way.linear:
        raise ValueError(f"expected bases that are sums, received {type(way).__name__}")
    if way.claim is Claim.SIGNED:
        given = given / (x @ given).norm(dim=-2, keepdim=True).clamp(min=TINY)
    return LowRankAffinity(taken, given)


class Hamburger(nn.Module):
    """Return ReLU(x + upper(lower(x), rebuilt)) (figure 2 of the paper).

    Args:
        channels: channels of x and of the result.
        way: the decomposition.
        width: channels that are decomposed.
        rank: bases of each head.
        steps: how often bases and coefficients are bettered.
        heads: groups of channels that are decomposed apart.
        cheese: channels of a convolution after rebuilding; none without it.
        spatial: items are places; otherwise they are channels.
        through: differentiate all steps and not only the last coefficients.
    """

    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "bases": Auxiliary(Kind.DESCRIPTORS, Claim.SIGNED)
    }

    def __init__(
        self,
        channels: int,
        way: Decomposition,
        width: int,
        rank: int,
        steps: int = 6,
        heads: int = 1,
        cheese: int | None = None,
        spatial: bool = True,
        through: bool = False,
    ) -> None:
        super().__init__()
        if min(rank, heads) < 1 or steps < 1 or width % heads:
            raise ValueError(
                "expected ranks, steps and heads of at least 1 and channels a multiple of heads, "
                f"received {rank}, {steps}, {heads} and {width}"
            )
        self.heads, self.spatial, self.through = heads, spatial, through
        relu = [] if way.linear else [nn.ReLU()]
        self.lower = nn.Sequential(nn.Conv2d(channels, width, kernel_size=1), *relu)
        self.way = way
        self.bases = Tap()
        self.rebuild = Rebuild(way, heads, steps)
        self.given, self.rebuilt = nn.Identity(), nn.Identity()
        drawn = way.drawn(1, heads, width // heads, rank).flatten(1, 2)
        self.register_buffer("drawn", drawn, persistent=False)
        if cheese is None:
            self.upper = conv_norm(width, channels)
        else:
            last = nn.Conv2d(cheese, channels, kernel_size=1, bias=False)
            self.upper = nn.Sequential(*conv_norm_relu(width, cheese), last)

    def _first_bases(self, x: Matrix, bases: Tensor | None) -> Bases:
        if bases is None:
            drawn = self.get_buffer("drawn").unflatten(1, (self.heads, -1))
            bases = drawn.expand(len(x), -1, -1, -1)
        return bases.reshape(len(x), self.heads, *bases.shape[-2:])

    def dictionary(self, x: Matrix, bases: Bases) -> tuple[Bases, Coefficients]:
        """Return the bases after all steps and the coefficients of the last one."""
        with torch.set_grad_enabled(self.through and torch.is_grad_enabled()):
            given = self.way.first(x, bases)
            for step in self.rebuild.steps:
                bases, given = step(self.way, x, bases, given)
        return bases, given

    def _items(self, low: Feature) -> Float[Tensor, "batch dims item"]:
        if self.spatial:
            return low.flatten(2)
        split = low.flatten(2).unflatten(1, (self.heads, -1))
        return split.transpose(2, 3).flatten(1, 2)

    def _placed(self, items: Float[Tensor, "batch dims item"], like: Feature) -> Feature:
        if not self.spatial:
            items = items.unflatten(1, (self.heads, -1)).transpose(2, 3).flatten(1, 2)
        return items.reshape(like.shape)

    def forward(self, x: Feature, bases: Tensor | None = None) -> Feature:
        """Return the result; the first bases (batch x head, dim, rank) may be given."""
        low = self.lower(x)
        items = self._items(low)
        matrix = items.unflatten(1, (self.heads, -1))
        found, given = self.dictionary(matrix, self._first_bases(matrix, bases))
        found = self.bases(found.flatten(1, 2))
        shaped = low if self.spatial else items
        rebuilt = self.rebuild(shaped, found, self.given(given))
        rebuilt = self.rebuilt(self._placed(rebuilt.flatten(2), low))
        return (self.upper(rebuilt) + x).relu()


def _module(
    made_for: int,
    way: str,
    variant: str,
    in_c: int,
    width: int,
    cheese: int | None = None,
    HAM_TYPE: str | None = None,
    version: int | None = None,
    MD_S: int = 1,
    MD_D: int | None = None,
    MD_R: int = 64,
    TRAIN_STEPS: int = 6,
    EVAL_STEPS: int = 7,
    INV_T: float = 100,
    ETA: float = 0.9,
    RAND_INIT: bool = True,
    SPATIAL: bool = True,
    BETA: float = 0.1,
) -> Hamburger:
    if version not in (None, made_for) or HAM_TYPE not in (None, way):
        raise ValueError(f"expected version {made_for} with {way}, received {version}, {HAM_TYPE}")
    made = KINDS[way](float(INV_T), BETA)
    return Hamburger(in_c, made, width, MD_R, EVAL_STEPS, MD_S, cheese, SPATIAL)


def _joined(coefficients: Coefficients) -> Tensor:
    return coefficients.flatten(0, 1)


def _bases(bases: Tensor, coefficients: Coefficients) -> Tensor:
    return bases.unflatten(1, (coefficients.shape[1], -1)).flatten(0, 1)


def _reference(version: int, way: str) -> Reference:
    first = "upper_bread.0.weight" if version == 1 else "cheese.conv.weight"
    sizes = {"width": (first, 1)}
    if version == 2:
        sizes["cheese"] = (first, 0)
    return Reference(
        build=partial(_module, version, way),
        positional=("in_c",),
        attention={
            "coef": Derived(("rebuild.attention",), _joined),
            "coef_before_last": Derived(("given",), _joined),
            "bases": Derived(("bases", "rebuild.attention"), _bases),
            "ham_output": "rebuilt",
        },
        rename=(
            (r"^lower_bread\.(0\.)?(weight|bias)$", r"lower.0.\2"),
            (r"^cheese\.conv\.", "upper.0."),
            (r"^cheese\.bn\.", "upper.1."),
            (r"^upper_bread\.(\d)\.", r"upper.\1."),
            (r"^upper_bread\.weight$", "upper.3.weight"),
        ),
        sizes=sizes,
    )


def _variant(way: str, heads: int = 1, cheese: int | None = None) -> Callable[[int], nn.Module]:
    def build(channels: int) -> Hamburger:
        # Gradients of all steps, so that they are those of the function.
        made = KINDS[way](5.0)
        return Hamburger(channels, made, 24, 6, 3, heads, cheese, through=True)

    return build


def _as_context(channels: int) -> Hamburger:
    return Hamburger(channels, NonNegativeFactors(), channels, rank=32, cheese=channels)


MECHANISM = Mechanism(
    slug="hamnet",
    name="Hamburger matrix decomposition",
    family="self-attention",
    goals=(Goal.SAVING, Goal.LONG_RANGE, Goal.DENOISING),
    growth=Growth("O(N r, rank r)", 1.0),
    paper=Paper(
        title="Is Attention Better Than Matrix Decomposition?",
        authors="Geng, Guo, Chen, Li, Wei, Lin",
        venue="ICLR",
        year=2021,
        arxiv="2109.04553",
    ),
    variants={
        "nmf": _variant("NMF"),
        "vq": _variant("VQ", heads=2),
        "cd": _variant("CD"),
        "nmf_v2": _variant("NMF", cheese=16),
    },
    references={
        f"HamburgerV{version} + {way}2D": _reference(version, way)
        for version in (1, 2)
        for way in KINDS
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
