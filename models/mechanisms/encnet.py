"""EncNet: the whole picture in a few learnt words, and channels weighed by what they say.

Idea
    What can be in a picture depends on what sort of scene it is: boats come with water. Here every
    place is described by how it differs from a handful of learnt features, the codewords; summed
    over all places this is a description of the scene, which weighs channels and, trained with one
    more loss, says which classes are there at all.

Equation
    a_ik = softmax over k of s_k ||z_i - c_k||^2,  e_k = sum_i a_ik (z_i - c_k)   (paper: eq. 1, 2)
    e = mean over k of ReLU(BN(e_k)),  g = sigmoid(W e + b),  y = ReLU(x + g x)   (paper: eq. 3)
    presence = W' e + b'
    z = ReLU(BN(W_z x)) is ``encoder.project``, c and s are ``codewords`` and ``scale`` of
    ``encoder.assign``, whose tap ``attention`` a passes; g passes ``gate.attention``, the presence
    of classes passes ``presence``. s_k is stored with its minus sign, as in the authors' code,
    which also takes the mean over k where the paper writes a sum, and adds x to g x.

Reading the map
    Point at a codeword: its map shows which places are described by it; at every place the maps of
    all codewords sum to 1. The bars of g say how much of each channel is added: at 0 it passes as
    it was, at 1 it is doubled. Presence is a score for each class: above 0 means likely there.

Limits
    A codeword is a feature, not a word: it need not mean anything, and several may describe the
    same thing. The description forgets where things are. A gate that only adds cannot hide a
    channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

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
AUTHORS_CODEWORDS = 32


class ResidualEncoding(AttentionBlock):
    """Return how the places differ from each codeword, summed over places (Zhang et al., eq. 1-2).

    Args:
        channels: channels of x, and numbers of a codeword.
        codewords: how many codewords there are.

    Raises:
        ValueError: if there is no channel or no codeword.
    """

    kind = Kind.ASSIGNMENT
    note = "to_codewords"
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "aᵢₖ = softmaxₖ(sₖ ‖xᵢ − cₖ‖²);  eₖ = Σᵢ aᵢₖ (xᵢ − cₖ)"
    identity = None

    def __init__(self, channels: int, codewords: int) -> None:
        super().__init__()
        if channels < 1 or codewords < 1:
            raise ValueError(
                f"expected at least 1 channel and codeword, received {channels} and {codewords}"
            )
        widest = (channels * codewords) ** -0.5
        self.codewords = nn.Parameter(torch.empty(codewords, channels).uniform_(-widest, widest))
        self.scale = nn.Parameter(torch.empty(codewords).uniform_(-1, 0))

    def attention_of(
        self, x: Float[Tensor, "batch channel *place"]
    ) -> Float[Tensor, "batch _ codeword"]:
        """Return a, how much of each place (row by row) belongs to each codeword."""
        places = x.flatten(2).transpose(1, 2)
        # |z - c|^2 written out: no tensor of places x codewords x channels.
        distance = (
            places.square().sum(dim=2, keepdim=True)
            - 2 * places @ self.codewords.T
            + self.codewords.square().sum(dim=1)
        )
        return (self.scale * distance).softmax(dim=2)

    def apply_attention(
        self, attention: Float[Tensor, "batch _ codeword"], x: Float[Tensor, "batch channel *place"]
    ) -> Float[Tensor, "batch codeword channel"]:
        """Return e, one vector for each codeword."""
        gathered = attention.transpose(1, 2) @ x.flatten(2).transpose(1, 2)
        return gathered - attention.sum(dim=1).unsqueeze(2) * self.codewords


class ContextEncoder(nn.Module):
    """Return one description of each whole picture, (batch, channel).

    Args:
        channels: channels of x.
        codewords: how many codewords there are.
    """

    def __init__(self, channels: int, codewords: int) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.assign = ResidualEncoding(channels, codewords)
        self.norm = nn.BatchNorm1d(codewords)

    def forward(self, x: Feature) -> Float[Tensor, "batch channel"]:
        return self.norm(self.assign(self.project(x))).relu().mean(dim=1)


class ContextGate(AttentionBlock):
    """Add to each channel a share in 0..1 of itself, made from the description (eq. 3).

    Args:
        channels: channels of x and of the description.
    """

    kind = Kind.CHANNEL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "g = σ(W e + b);  y = x + g · x"
    identity = 0.0

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(channels, channels)

    def attention_of(
        self, x: Feature, context: Float[Tensor, "batch channel"]
    ) -> Float[Tensor, "batch channel"]:
        """Return g, in 0..1."""
        return self.weigh(context).sigmoid()

    def apply_attention(
        self,
        attention: Float[Tensor, "batch channel"],
        x: Feature,
        context: Float[Tensor, "batch channel"],
    ) -> Feature:
        """Return x + g x."""
        return x + x * attention[:, :, None, None]


class ContextEncoding(nn.Module):
    """Return features weighed by a description of the whole picture (figure 2 of the paper).

    Args:
        channels: channels of x.
        codewords: how many codewords there are; the authors' are 32.
        classes: how many classes the presence is a score of; none without it.
    """

    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "presence": Auxiliary(Kind.PRESENCE, Claim.SIGNED)
    }

    def __init__(self, channels: int, codewords: int, classes: int | None = None) -> None:
        super().__init__()
        self.encoder = ContextEncoder(channels, codewords)
        self.gate = ContextGate(channels)
        self.classify = None if classes is None else nn.Linear(channels, classes)
        self.presence = None if classes is None else Tap()

    def branches(self, x: Feature) -> tuple[Feature, Float[Tensor, "batch class"] | None]:
        """Return (features, scores of the classes' presence or None)."""
        context = self.encoder(x)
        features = self.gate(x, context).relu()
        if self.classify is None or self.presence is None:
            return features, None
        return features, self.presence(self.classify(context))

    def forward(self, x: Feature) -> Feature:
        return self.branches(x)[0]


class ContextEncodingModule(nn.Module):
    """Return (features, presence scores), or (features,) without classes: as the authors' does.

    Args:
        channels: channels of x.
        codewords: how many codewords there are.
        classes: how many classes the presence is a score of; none without it.
    """

    def __init__(self, channels: int, codewords: int, classes: int | None) -> None:
        super().__init__()
        self.encoding = ContextEncoding(channels, codewords, classes)

    def forward(self, x: Feature) -> tuple[Tensor, ...]:
        return tuple(each for each in self.encoding.branches(x) if each is not None)


def _module(
    variant: str,
    in_channels: int,
    nclass: int,
    ncodes: int = AUTHORS_CODEWORDS,
    se_loss: bool = True,
    norm_layer: str | None = None,
) -> ContextEncodingModule:
    if norm_layer is not None and not norm_layer.endswith(("BatchNorm", "BatchNorm2d")):
        raise ValueError(f"expected a batch norm, received norm_layer {norm_layer!r}")
    return ContextEncodingModule(in_channels, ncodes, nclass if se_loss else None)


def _as_context(channels: int) -> ContextEncoding:
    return ContextEncoding(channels, AUTHORS_CODEWORDS)


MECHANISM = Mechanism(
    slug="encnet",
    name="EncNet context encoding",
    family="channel",
    goals=(Goal.CHANNELS, Goal.WHOLE),
    paper=Paper(
        title="Context Encoding for Semantic Segmentation",
        authors="Zhang, Dana, Shi, Zhang, Wang, Tyagi, Agrawal",
        venue="CVPR",
        year=2018,
        arxiv="1803.08904",
    ),
    variants={
        "": lambda channels: ContextEncoding(channels, codewords=6),
        "presence": lambda channels: ContextEncodingModule(channels, codewords=6, classes=5),
        "encoding": lambda channels: ResidualEncoding(channels, codewords=6),
    },
    references={
        "EncModule": Reference(
            build=_module,
            positional=("in_channels", "nclass", "ncodes", "se_loss", "norm_layer"),
            attention={"assignment": "encoding.encoder.assign", "channel": "encoding.gate"},
            intermediate={"encoded": "encoding.encoder.assign", "context": "encoding.encoder"},
            rename=(
                (r"^encoding\.([01])\.", r"encoding.encoder.project.\1."),
                (r"^encoding\.3\.", "encoding.encoder.assign."),
                (r"^encoding\.4\.", "encoding.encoder.norm."),
                (r"^fc\.0\.", "encoding.gate.weigh."),
                (r"^selayer\.", "encoding.classify."),
            ),
        ),
        "Encoding": Reference(
            build=lambda variant, D, K: ResidualEncoding(D, K),
            positional=("D", "K"),
            attention={"assignment": ""},
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
