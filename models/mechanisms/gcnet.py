"""GCNet: one map for the whole picture, because every place listened to the same ones anyway.

Idea
    The rows of a trained non-local block are nearly alike for all places. Then one row is enough:
    a map of where to listen, the same for all. What it gathers is put through a small bottleneck
    and added to every place, or scales every channel.

Equation
    a = softmax_j(W_k x_j),  c = sum_j a_j x_j,  t = W_2 ReLU(LN(W_1 c))   (paper: section 3.3)
    y = x s + t,  with s = sigmoid(t') of a bottleneck of its own; either may be left out
    W_k is ``mask``; the bottlenecks are ``add`` and ``scale``; a passes the tap ``attention`` as
    one row for all places, t passes ``added`` and s passes ``scaled``. Where both are used the
    scaling comes first. Instead of W_k every place may count alike (pooling "avg" in the code).

Reading the map
    Wherever you point, the map is the same, and sums to 1: it says what the picture as a whole is
    summed up by. The bars of t are what every place has added to it, those of s what its channels
    are multiplied by.

Limits
    No place can ask for anything of its own. If rows of a non-local block do differ (DNL's finding
    for labelling pixels), that is lost here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from models.affinities.shared import SharedRowAffinity, distinct
from models.affinity import PairwiseAffinity
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
from models.tokens import Feature, tokens

AUTHORS_RATIO = 1 / 16


def _bottleneck(channels: int, inner: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(channels, inner), nn.LayerNorm(inner), nn.ReLU(), nn.Linear(inner, channels)
    )


class GlobalContext(AttentionBlock):
    """Add to every place, or scale its channels by, what one map gathers (Cao et al.).

    Args:
        channels: channels of x.
        inner: channels inside the bottlenecks; the paper's is channels // 16.
        learnt: whether the map is learnt; without it every place counts alike.
        add: whether what was gathered is added.
        scale: whether what was gathered scales the channels.

    Raises:
        ValueError: if there is no inner channel, or nothing is done with what was gathered.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "a = softmaxⱼ(Wₖ xⱼ), c = Σⱼ aⱼ xⱼ;  y = x · σ(T′ c) + T c"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "scaled": Auxiliary(Kind.FEATURE_GATE, Claim.UNIT),
        "added": Auxiliary(Kind.CONTEXT, Claim.SIGNED),
    }

    def __init__(
        self,
        channels: int,
        inner: int,
        learnt: bool = True,
        add: bool = True,
        scale: bool = False,
    ) -> None:
        super().__init__()
        if inner < 1 or not (add or scale):
            raise ValueError(
                "expected inner channels and to add or to scale, received "
                f"{inner}, {add} and {scale}"
            )
        self.mask = nn.Conv2d(channels, 1, kernel_size=1) if learnt else None
        self.scale = _bottleneck(channels, inner) if scale else None
        self.add = _bottleneck(channels, inner) if add else None
        self.scaled = Tap() if scale else None
        self.added = Tap() if add else None

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return the one row that all places share."""
        logits = x.new_zeros(len(x), 1, *x.shape[2:]) if self.mask is None else self.mask(x)
        return SharedRowAffinity(logits.flatten(2), x.shape[2] * x.shape[3])

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Feature:
        """Return x sigmoid(T' c) + T c, of the parts that there are."""
        context = distinct(attention.aggregate(tokens(x))).squeeze(1)
        y = x
        if self.scale is not None and self.scaled is not None:
            y = y * self.scaled(_as_map(self.scale(context), x).sigmoid())
        if self.add is not None and self.added is not None:
            y = y + self.added(_as_map(self.add(context), x))
        return y


def _as_map(
    context: Float[Tensor, "batch some channel"], like: Feature
) -> Float[Tensor, "batch channel down across"]:
    """Return what is for each place in its place, and what is for all of them as one."""
    size = (1, 1) if context.shape[1] == 1 else like.shape[2:]
    return context.transpose(1, 2).unflatten(2, size)


_FUSIONS = {"channel_add", "channel_mul"}
_POOLINGS = {"att": True, "avg": False}
"""by the authors' name, whether the map is learnt"""


def _original(
    variant: str,
    inplanes: int,
    ratio: float,
    pooling_type: str = "att",
    fusion_types: Collection[str] = ("channel_add",),
) -> GlobalContext:
    if pooling_type not in _POOLINGS or not set(fusion_types) <= _FUSIONS:
        raise ValueError(
            f"expected a pooling of {list(_POOLINGS)} and fusions of {sorted(_FUSIONS)}, "
            f"received {pooling_type!r} and {list(fusion_types)}"
        )
    return GlobalContext(
        inplanes,
        int(inplanes * ratio),
        learnt=_POOLINGS[pooling_type],
        add="channel_add" in fusion_types,
        scale="channel_mul" in fusion_types,
    )


def _as_context(channels: int) -> GlobalContext:
    return GlobalContext(channels, max(8, int(channels * AUTHORS_RATIO)))


MECHANISM = Mechanism(
    slug="gcnet",
    name="GCNet global context",
    family="self-attention",
    goals=(Goal.SAVING, Goal.LONG_RANGE, Goal.WHOLE),
    growth=Growth("O(N)", 1.0),
    paper=Paper(
        title="GCNet: Non-local Networks Meet Squeeze-Excitation Networks and Beyond",
        authors="Cao, Xu, Lin, Wei, Hu",
        venue="ICCV workshops",
        year=2019,
        arxiv="1904.11492",
    ),
    variants={
        "": lambda channels: GlobalContext(channels, channels // 4),
        "channel_mul": lambda channels: GlobalContext(
            channels, channels // 4, add=False, scale=True
        ),
        "channel_mul_add": lambda channels: GlobalContext(channels, channels // 4, scale=True),
    },
    references={
        "ContextBlock": Reference(
            build=_original,
            positional=("inplanes", "ratio", "pooling_type", "fusion_types"),
            attention={
                "context_mask": Derived(("",), lambda a: a.row()),
                "channel_add": "added",
                "channel_mul": "scaled",
            },
            rename=(
                (r"^conv_mask\.", "mask."),
                (r"^channel_add_conv\.", "add."),
                (r"^channel_mul_conv\.", "scale."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
