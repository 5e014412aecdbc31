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

from models.taps import Tap


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
    CHANNEL_AFFINITY = "channel_affinity"
    """a row of weights over channels for each channel: a ``PairwiseAffinity``"""
    MODALITY_GATE = "modality_gate"
    """one weight for each sense at each place, summing to 1: (batch, sense, row, column)"""


class AttentionBlock(nn.Module):
    """A module written as attention is in the survey: ``y = f(g(x), x)``.

    Blocks that join several feature maps take them all: ``y = f(g(x, z), x, z)``. The first is
    the one whose places are asked (the queries' map).

    Subclasses give ``kind`` and ``claim`` and the two halves: ``attention_of`` (g) makes the
    attention, ``apply_attention`` (f) uses it. The tap between them is where everything else
    (reading, surgery, checking) takes hold, with no special case for any mechanism.
    """

    kind: ClassVar[Kind]
    claim: Claim
    formula: ClassVar[str]
    stride: int | None = None
    """model pixels that one cell of x is wide; set by the host, which alone knows"""

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
        return self.apply_attention(self.attention(self.attention_of(*x)), *x)

    def key_cells(self) -> int:
        """Return how many query cells along each side one key stands for."""
        return 1

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
class Reference:
    """How a file of reference numbers, made by one class of original code, maps onto ours.

    ``build`` gets the variant and the original keyword arguments. ``rename`` lists patterns and
    replacements for parameter names, the first that matches wins. ``attention`` maps the file's
    ``attention.<name>`` to the path of one of our blocks ("" is the module itself). ``outputs``
    names the parts of a result, as in ``output.<name>``; numbers from 0 where it is empty.
    ``unused`` is a pattern of parameters that the original owns and never uses.
    """

    build: Callable[..., nn.Module]
    positional: Sequence[str]
    attention: Mapping[str, str]
    rename: Sequence[tuple[str, str]] = ()
    outputs: Sequence[str] = ()
    unused: str | None = None

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


@dataclass(frozen=True)
class Plug:
    """How a mechanism joins a host: where, and the module for a number of channels."""

    placement: Placement
    build: Callable[[int], nn.Module]


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
    plugs: Mapping[str, Plug] = field(default_factory=dict)
    """by the name of the host: "classifier" or "segmenter" """


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


def blocks_of(network: nn.Module) -> dict[str, AttentionBlock]:
    """Return every attention block inside a network by its dotted path, in definition order."""
    return {
        path: child for path, child in network.named_modules() if isinstance(child, AttentionBlock)
    }
