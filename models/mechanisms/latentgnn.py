"""LatentGNN: messages between all places by way of a few nodes that talk among themselves.

Idea
    Send every place's features to a few latent nodes, let the nodes exchange what they got, and
    send the result back: a full matrix of places, written as the product of three thin ones.
    Several such matrices, kernels, stand side by side.

Equation
    Z = F_v X,  Z' = softmax(cos(Z, Z)) Z,  X' = F_l^T Z'   (paper: eq. 6-8)
    y = x + gamma BN(W [X' of all kernels])
    As one affinity of places: A = F_l^T S F_v, S = softmax(cos(Z, Z)). F_v and F_l are
    ReLU(BN(conv)) of the narrowed, unit-length features, divided by their length: F_v over places,
    F_l over nodes, and in the symmetric form one and the same over nodes. F_v passes
    ``visible_to_latent``, F_l passes ``latent_to_visible``, S passes ``between``, A passes the tap
    ``attention`` as thin factors.

Reading the map
    F_v says what goes into a node, F_l who is told by it; both are maps of a node. S says which
    node listens to which, rows sum to 1. Point at a place: its row, through all nodes, is not
    negative and has no fixed sum.

Limits
    A place where the ReLUs leave nothing has a row of zeros. Rows have the rank of the nodes. The
    graph's convolution, where there is one, comes after the rows and is no part of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

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
from models.tokens import Feature, conv_norm, conv_norm_relu, places, tokens


class LatentKernel(AttentionBlock):
    """Return what each place is told by a few nodes that gathered from all places (Zhang et al.).

    Args:
        channels: channels of both inputs.
        nodes: how many latent nodes there are.
        symmetric: whether places listen to nodes as they tell them.

    Raises:
        ValueError: if there is no node.
    """

    kind = Kind.PLACE_AFFINITY
    claim = Claim.POSITIVE
    formula: ClassVar[str] = "A = F_lᵀ softmax(cos(Z, Z)) F_v, Z = F_v z;  y = A z"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "visible_to_latent": Auxiliary(Kind.GATHERING, Claim.UNIT),
        "latent_to_visible": Auxiliary(Kind.GATHERING, Claim.UNIT),
        "between": Auxiliary(Kind.NODE_AFFINITY, Claim.SIMPLEX),
    }

    def __init__(self, channels: int, nodes: int, symmetric: bool = False) -> None:
        super().__init__()
        if nodes < 1:
            raise ValueError(f"expected at least 1 node, received {nodes}")
        self.collect = conv_norm_relu(channels, nodes)
        self.tell = None if symmetric else conv_norm_relu(channels, nodes)
        self.visible_to_latent = Tap()
        self.latent_to_visible = Tap()
        self.between = Tap()

    def attention_of(self, x: Feature, z: Feature) -> PairwiseAffinity:
        """Return A of the places of x over those of z."""
        collected = self.collect(z).flatten(2)
        # One side's maps have unit length over the places, the other's over the nodes.
        visible = F.normalize(collected, dim=1 if self.tell is None else 2)
        told = visible if self.tell is None else F.normalize(self.tell(x).flatten(2), dim=1)
        give, take = self.visible_to_latent(visible), self.latent_to_visible(told)
        nodes = F.normalize(give @ z.flatten(2).transpose(1, 2), dim=2)
        between = self.between((nodes @ nodes.transpose(1, 2)).softmax(dim=2))
        return LowRankAffinity(
            (take.transpose(1, 2) @ between).unsqueeze(1), give.transpose(1, 2).unsqueeze(1)
        )

    def apply_attention(self, attention: PairwiseAffinity, x: Feature, z: Feature) -> Feature:
        """Return A z."""
        return places(attention.aggregate(tokens(z)), x)


class LatentGNN(nn.Module):
    """Return x with a learnt share of what latent nodes tell its places (section 3).

    Args:
        channels: channels of x.
        nodes: how many latent nodes each kernel has.
        narrowing: channels of x over those that are exchanged.
        symmetric: whether places listen to nodes as they tell them.
        graph_conv: one more convolution behind each kernel.

    Raises:
        ValueError: if there is no kernel or no channel is left.
    """

    def __init__(
        self,
        channels: int,
        nodes: Sequence[int],
        narrowing: int,
        symmetric: bool = False,
        graph_conv: bool = False,
    ) -> None:
        super().__init__()
        inner = channels // narrowing if narrowing > 0 else 0
        if not nodes or inner < 1:
            raise ValueError(
                f"expected kernels and channels, received {list(nodes)} and a narrowing of "
                f"{channels} by {narrowing}"
            )
        self.narrow_asked = conv_norm(channels, inner)
        self.narrow_asking = None if symmetric else conv_norm(channels, inner)
        self.kernels = nn.ModuleList(LatentKernel(inner, each, symmetric) for each in nodes)
        self.graph_convs = nn.ModuleList(
            conv_norm_relu(inner, inner) if graph_conv else nn.Identity() for _ in nodes
        )
        self.widen = conv_norm(inner * len(nodes), channels)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Feature) -> Feature:
        asked = F.normalize(self.narrow_asked(x), dim=1)
        asking = asked if self.narrow_asking is None else F.normalize(self.narrow_asking(x), dim=1)
        pairs = zip(self.kernels, self.graph_convs, strict=True)
        told = torch.cat([convolve(kernel(asking, asked)) for kernel, convolve in pairs], dim=1)
        return x + self.widen(told) * self.gamma


_MODES = {"asymmetric": False, "symmetric": True}


def _original(
    variant: str,
    in_channels: int,
    latent_dims: Sequence[int],
    channel_stride: int,
    num_kernels: int,
    mode: str = "asymmetric",
    without_residual: bool = False,
    graph_conv_flag: bool = False,
) -> LatentGNN:
    if mode not in _MODES or without_residual:
        raise ValueError(
            f"expected a mode of {list(_MODES)} with the residual, received {mode!r} and "
            f"without_residual {without_residual}"
        )
    if num_kernels > len(latent_dims):
        raise ValueError(f"expected nodes of {num_kernels} kernels, received {list(latent_dims)}")
    nodes = latent_dims[:num_kernels]
    return LatentGNN(in_channels, nodes, channel_stride, _MODES[mode], graph_conv_flag)


MOST_KERNELS_COMPARED = 8
_KERNEL = r"^LatentGNN_Kernel_(\d+)\."


def _as_context(channels: int) -> LatentGNN:
    module = LatentGNN(channels, (48, 48), narrowing=2)
    # What follows is trained too, so gamma need not start at 0.
    nn.init.constant_(module.gamma, 0.5)
    return module


MECHANISM = Mechanism(
    slug="latentgnn",
    name="LatentGNN",
    family="self-attention",
    goals=(Goal.SAVING, Goal.LONG_RANGE),
    growth=Growth("O(N d, d latent nodes)", 1.0),
    paper=Paper(
        title="LatentGNN: Learning Efficient Non-local Relations for Visual Recognition",
        authors="Zhang, He, Yan",
        venue="ICML",
        year=2019,
        arxiv="1905.11634",
    ),
    variants={
        "": lambda channels: LatentGNN(channels, (6, 5), narrowing=2),
        "symmetric": lambda channels: LatentGNN(
            channels, (6,), narrowing=2, symmetric=True, graph_conv=True
        ),
    },
    references={
        "LatentGNNV1": Reference(
            build=_original,
            positional=("in_channels", "latent_dims", "channel_stride", "num_kernels", "mode"),
            attention={
                name: path
                for n in range(MOST_KERNELS_COMPARED)
                for name, path in (
                    (f"kernel{n}.v2l", f"kernels.{n}.visible_to_latent"),
                    (f"kernel{n}.l2v", f"kernels.{n}.latent_to_visible"),
                    (f"kernel{n}.latent_affinity", f"kernels.{n}.between"),
                )
            },
            rename=(
                (rf"{_KERNEL}psi(_v2l)?\.", r"kernels.\1.collect."),
                (rf"{_KERNEL}psi_l2v\.", r"kernels.\1.tell."),
                (rf"{_KERNEL}GraphConvWeight\.", r"graph_convs.\1."),
                (r"^down_channel(_v2l)?\.", "narrow_asked."),
                (r"^down_channel_l2v\.", "narrow_asking."),
                (r"^up_channel\.", "widen."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
