"""What a mechanism is: a block written as f(g(x), x), and the declaration that describes it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, ClassVar

from torch import Tensor, nn

from models.goals import Goal
from models.taps import Tap, tell


class Claim(Enum):
    """What the values of an attention promise; the checks beside every map hold them to it."""

    UNIT = "unit"
    """every value lies in 0..1"""
    SIMPLEX = "simplex"
    """values are not negative and sum to 1 over the keys of a row"""
    POSITIVE = "positive"
    """no value is negative"""
    SIGNED = "signed"
    """values are finite and may have either sign"""


class Kind(Enum):
    """What sort of thing the attention weighs."""

    CHANNEL_GATE = "channel_gate"
    """one weight for each channel: (batch, channel)"""
    SPATIAL_GATE = "spatial_gate"
    """one weight for each place: (batch, 1, row, column)"""
    PLACE_AFFINITY = "place_affinity"
    """a row of weights over places for each place: a ``PairwiseAffinity``"""
    TOKEN_AFFINITY = "token_affinity"
    """a row of weights over tokens for each token: a ``PairwiseAffinity``. The block takes
    (batch, token, dim); tokens that are no places come first, then the places row by row"""
    CHANNEL_AFFINITY = "channel_affinity"
    """a row of weights over channels for each channel: a ``PairwiseAffinity``"""
    MODALITY_GATE = "modality_gate"
    """one weight for each sense at each place, summing to 1: (batch, sense, row, column)"""
    FEATURE_GATE = "feature_gate"
    """one weight for each channel at each place: (batch, channel, row, column)"""
    HEIGHT_GATE = "height_gate"
    """one weight for each row: (batch, channel, row); channel may be 1, for all of them"""
    WIDTH_GATE = "width_gate"
    """one weight for each column: (batch, channel, column); channel may be 1, for all of them"""
    ROTATED_GATE = "rotated_gate"
    """one weight for each pair on the two axes that the block's ``axes`` names: (batch, a, b)"""
    BRANCH_GATE = "branch_gate"
    """one weight for each branch in each channel: (batch, branch, channel)"""
    EXPERT_GATE = "expert_gate"
    """one weight for each expert: (batch, expert)"""
    ASSIGNMENT = "assignment"
    """how much of each place belongs to each codeword: (batch, place, codeword); blocks with
    ``heads`` have an axis for them before the places"""
    GATHERING = "gathering"
    """what each basis, node or slot takes from each place: (batch, node, place)"""
    DESCRIPTORS = "descriptors"
    """what each basis, node or region holds, features and not weights: (batch, channel, node)"""
    NODE_AFFINITY = "node_affinity"
    """a row of weights over nodes for each node: (batch, node, node)"""
    CHANNEL_PLACE_AFFINITY = "channel_place_affinity"
    """a row of weights over all channels of a group at all places, for each of them: a
    ``PairwiseAffinity`` whose heads are the groups; item c N + i is channel c at place i of N"""
    COVARIANCE = "covariance"
    """how each two features (or places) vary together: (batch, feature, feature)"""
    PRESENCE = "presence"
    """one score for each class, for being anywhere in the picture: (batch, class)"""
    CONTEXT = "context_features"
    """what each place gathered, features and not weights: (batch, channel, row, column)"""
    CLASS_MAP = "class_map"
    """how much each place speaks for a class: (row, column); made from gradients, by no block"""

    @property
    def simplex_axes(self) -> tuple[int, ...]:
        """Return the axes over which values of this kind sum to 1 where they claim SIMPLEX."""
        return _SIMPLEX_AXES.get(self, (-1,))

    @property
    def scales(self) -> bool:
        """Return whether a block of this kind multiplies x by what passes its tap."""
        return self in _SCALING


_SIMPLEX_AXES = {
    Kind.SPATIAL_GATE: (2, 3),
    Kind.FEATURE_GATE: (2, 3),
    Kind.ROTATED_GATE: (1, 2),
    Kind.MODALITY_GATE: (1,),
    Kind.BRANCH_GATE: (1,),
}

_SCALING = {
    Kind.CHANNEL_GATE,
    Kind.SPATIAL_GATE,
    Kind.FEATURE_GATE,
    Kind.HEIGHT_GATE,
    Kind.WIDTH_GATE,
    Kind.ROTATED_GATE,
}


@dataclass(frozen=True)
class Auxiliary:
    """What passes a tap other than a block's own: a step of g that is worth seeing.

    Args:
        kind: which axes it has.
        claim: what its values promise.
    """

    kind: Kind
    claim: Claim


@dataclass(frozen=True)
class Laid:
    """Where the cells of a block's map lie on the map of the module that its host plugged in.

    Args:
        host: rows and columns of the host's map.
        cell: how many of the host's cells one of the block's is (down, across).
        origin: rows and columns of the host's map before the block's first cell; negative where
            the block's map was padded.
    """

    host: tuple[int, int]
    cell: tuple[float, float] = (1.0, 1.0)
    origin: tuple[float, float] = (0.0, 0.0)


class AttentionBlock(nn.Module):
    """A module written as attention is in the survey: ``y = f(g(x), x)``.

    Blocks that join several feature maps take them all: ``y = f(g(x, z), x, z)``. The first is
    the one whose places are asked (the queries' map).

    Subclasses give ``kind`` and ``claim`` and the two halves: ``attention_of`` (g) makes the
    attention, ``apply_attention`` (f) uses it. The tap between them is where everything else
    (reading, surgery, checking) takes hold, with no special case for any mechanism. Every
    pass is told to whoever is ``listening``.
    """

    kind: ClassVar[Kind]
    claim: Claim
    formula: ClassVar[str]
    identity: ClassVar[float | None] = 1.0
    """of a kind that scales x, the value at which y = x; None where no value does that"""
    axes: tuple[str, str]
    """of a ``ROTATED_GATE``: what its two axes are, of "channel", "row" and "column" """
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {}
    """by the name of the attribute, what passes further taps inside g"""
    stride: int | None = None
    """model pixels that one cell of the host's map is wide; set by the host, which alone knows"""
    extra: tuple[str, ...] = ()
    """of a ``TOKEN_AFFINITY``: what the tokens are that are no places; they come first"""
    implied_claim: Claim = Claim.SIGNED
    """what the weights of ``implied_rows`` promise"""
    note: str | None = None
    """the name of the sentence that says what the rows are, or why there are none"""
    noun: ClassVar[str | None] = None
    """what the codewords, bases or nodes are called that places belong to or give to"""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Tap()

    def attention_of(self, *x: Any, **named: Any) -> Any:
        """Return g(x)."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it makes attention")

    def apply_attention(self, attention: Any, *x: Any, **named: Any) -> Tensor:
        """Return f(attention, x)."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it applies attention")

    def forward(self, *x: Tensor) -> Tensor:
        attention = self.attention(self.attention_of(*x))
        y = self.apply_attention(attention, *x)
        tell(self, attention, x, y)
        return y

    def implied_rows(self, attention: Any, *x: Any) -> Any:
        """Return the affinity of places that an attention of another kind comes to.

        None where there is no such row; the block's ``note`` says why, or how exact it is.
        """
        return None

    def laid(self, *x: Tensor) -> Laid:
        """Return where the cells of x are: by default x is the host's own map."""
        return Laid((x[0].shape[2], x[0].shape[3]))

    def key_cells(self) -> int:
        """Return how many query cells along each side one key stands for."""
        return 1

    def key_grid(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the rows and columns of the keys, for a query map of some rows and columns."""
        return rows // self.key_cells(), columns // self.key_cells()

    def bands(self) -> int:
        """Return how many cells, far apart, one token stands for: 1 unless re-assembled.

        Token t of n stands for the cells t, t + n, t + 2n, ... of the row by row order.
        """
        return 1


@dataclass(frozen=True)
class Paper:
    """Where a mechanism was published."""

    title: str
    authors: str
    venue: str
    year: int
    arxiv: str | None = None

    @property
    def url(self) -> str | None:
        """Return the address of the paper, where arXiv has it."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else None


@dataclass(frozen=True)
class Growth:
    """How the cost of a mechanism grows with the number N of places, as its paper states it.

    Args:
        formula: as in "O(N²)", widths left out.
        exponent: of N.
    """

    formula: str
    exponent: float


@dataclass(frozen=True)
class Derived:
    """A tensor of a reference file that follows from what several of our modules hold.

    Args:
        paths: dotted paths, as in ``Reference.attention``.
        make: makes the tensor from what passed there, in this order.
    """

    paths: Sequence[str]
    make: Callable[..., Tensor]


@dataclass(frozen=True)
class Reference:
    """How a file of reference numbers, made by one class of original code, maps onto ours.

    ``build`` gets the variant and the original keyword arguments. ``rename`` lists patterns and
    replacements for parameter names, the first that matches wins. ``attention`` maps the file's
    ``attention.<name>`` to the path of one of our blocks ("" is the module itself) or of any other
    tap; ``intermediate`` maps ``intermediate.<name>`` to the path of a module that returns it. A
    path that ends in "#n" means the firing of that module that n others came before.
    ``outputs`` names the parts of a result, as in ``output.<name>`` ("" is ``output`` itself);
    numbers from 0 where it is empty. ``unused`` is a pattern of parameters that the original owns
    and never uses. ``sizes`` says of which parameter, along which axis, the length is an argument
    that the file leaves out.
    """

    build: Callable[..., nn.Module]
    positional: Sequence[str]
    attention: Mapping[str, str | Derived]
    rename: Sequence[tuple[str, str]] = ()
    intermediate: Mapping[str, str | Derived] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    unused: str | None = None
    sizes: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def our_name(self, name: str) -> str:
        """Return our name for a parameter of the original."""
        for pattern, replacement in self.rename:
            ours, count = re.subn(pattern, replacement, name)
            if count:
                return ours
        return name


class Placement(Enum):
    """Where a host puts a mechanism."""

    EVERY_RESIDUAL = "every_residual"
    """at the end of every residual branch, before the addition"""
    ONCE = "once"
    """one block between two stages"""
    CONTEXT = "context"
    """the context module of a dense predictor"""
    EVERY_STAGE = "every_stage"
    """between the streams of a counter, after each stage: built from a width and L"""


@dataclass(frozen=True)
class Plug:
    """How a mechanism joins a host: where, and the module for a number of channels."""

    placement: Placement
    build: Callable[..., nn.Module]


Inputs = Callable[[int, int, int, int], Sequence[tuple[int, ...]]]
"""from (batch, channels, rows, columns), the shapes of a variant's inputs"""


@dataclass(frozen=True)
class Mechanism:
    """Everything the rest of the project needs to know of one mechanism; one a file."""

    slug: str
    name: str
    family: str
    paper: Paper
    variants: Mapping[str, Callable[[int], nn.Module]]
    """by name, a builder from a number of channels: what the conformance tests construct"""
    references: Mapping[str, Reference]
    """by the name of the original class"""
    inputs: Mapping[str, Inputs] = field(default_factory=dict)
    """by the name of the variant, the shapes of what it takes, where that is not one map"""
    multiple: int = 1
    """the sides of the maps that the variants take are multiples of this"""
    goals: tuple[Goal, ...] = ()
    """what it is for, judged from its paper; in the survey's order"""
    growth: Growth | None = None
    """stated for what relates places to each other"""
    plugs: Mapping[str, Plug] = field(default_factory=dict)
    """by the name of the host: "classifier", "segmenter" or "counter" """
    forms: Mapping[str, Mapping[str, Plug]] = field(default_factory=dict)
    """by the name of the host, then of the form, other forms that are trained for comparison"""

    def plug(self, host: str, form: str | None = None) -> Plug | None:
        """Return how the mechanism, or another form of it, joins a host; None where it does not."""
        return self.plugs.get(host) if form is None else self.forms.get(host, {}).get(form)


@lru_cache(maxsize=1)
def mechanisms() -> dict[str, Mechanism]:
    """Return every mechanism by slug, found by scanning ``models/mechanisms``."""
    import models.mechanisms as folder

    found: dict[str, Mechanism] = {}
    for module_info in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{module_info.name}")
        declared = getattr(module, "MECHANISM", None)
        if not isinstance(declared, Mechanism):
            raise ValueError(f"{module.__name__} should declare MECHANISM, found {declared!r}")
        if declared.slug in found:
            raise ValueError(f"expected one mechanism a slug, found {declared.slug!r} twice")
        found[declared.slug] = declared
    return found


def auxiliary_of(network: nn.Module) -> dict[str, Auxiliary]:
    """Return what passes every further tap inside a network by the tap's dotted path."""
    found = {}
    for path, child in network.named_modules():
        declared = getattr(child, "auxiliary", None)
        # A stranger's network may use this name for something else.
        for name, auxiliary in declared.items() if isinstance(declared, Mapping) else ():
            if isinstance(getattr(child, name, None), Tap):
                found[f"{path}.{name}".removeprefix(".")] = auxiliary
    return found


def blocks_of(network: nn.Module) -> dict[str, AttentionBlock]:
    """Return every attention block inside a network by its dotted path, in definition order."""
    return {
        path: child for path, child in network.named_modules() if isinstance(child, AttentionBlock)
    }
