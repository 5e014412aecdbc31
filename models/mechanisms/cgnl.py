"""CGNL: every channel at every place listens to every channel at every place, in linear time.

Idea
    A non-local block compares places and treats all their channels alike. Here the tokens are
    single numbers, one channel at one place. All pairs of them would be far too many, but a plain
    product needs no pair: what all have to say is summed up once, in one number for each group of
    channels, and each token takes its own multiple of it.

Equation
    y_u = sum_v theta_u phi_v g_v / sqrt(n) = theta_u att,  att = phi . g / sqrt(n)
    z = GN(W_z y) + x                                               (paper: eq. 7-10)
    u and v run over the n channels and places of one group; theta, phi, g, W_z, GN are ``attend``'s
    ``theta``, ``phi``, ``value``, and ``project``, ``norm``. The affinity passes the tap
    ``attention`` as thin factors, with the groups as heads. The root is optional. The other kernel,
    exp(-gamma ...), is a sum over powers of theta and phi up to an order, as in the authors' code:
    gamma = 1e-4, and exp(-2 gamma) where the paper has the squares of theta and phi.

Reading the map
    A row belongs to a channel at a place, and goes over all channels of its group at all places:
    one map for each channel, signed. With the plain product all rows of a group are the same up to
    a factor, theta_u: pointing elsewhere changes how strong the map is and not what it shows.

Limits
    There is no row of a place: its channels listen with factors of their own. After the group norm
    the factor att of a group hardly matters, but for its sign; what is left of the attention is
    mostly theta, a convolution of the place itself.
"""

from __future__ import annotations

from math import exp, factorial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.affinities.low_rank import LowRankAffinity
from models.affinity import PairwiseAffinity
from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
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
from models.tokens import Feature, Result

AUTHORS_GAMMA = 1e-4
AUTHORS_GROUPS = 8
AUTHORS_ORDER = 2
Grouped = Float[Tensor, "batch group item 1"]


def _grouped(x: Feature, groups: int) -> Grouped:
    return x.reshape(len(x), groups, -1, 1)


class CompactNonLocal(AttentionBlock):
    """Return what each channel at each place gathers from all of its group (Yue et al.).

    Args:
        channels: channels of x.
        inner: channels of theta, phi, g and the result.
        groups: groups of channels that only listen to themselves.
        scale: divide by the root of the number of tokens of a group.
        order: of the sum over powers that stands for the exponential kernel; without it the kernel
            is the plain product.

    Raises:
        ValueError: if the groups do not divide ``inner``, or the order is negative.
    """

    kind = Kind.CHANNEL_PLACE_AFFINITY
    note = "over_channels"
    formula: ClassVar[str] = "A_uv = θᵤ φᵥ / √n, u, v ∈ C × H × W;  y = Σᵥ A_uv gᵥ"

    def __init__(
        self, channels: int, inner: int, groups: int, scale: bool = True, order: int | None = None
    ) -> None:
        super().__init__()
        if groups < 1 or inner < 1 or inner % groups or (order or 0) < 0:
            raise ValueError(
                f"expected groups that divide {inner} channels and an order of at least 0, "
                f"received {groups} and {order}"
            )
        self.groups, self.scaled, self.order = groups, scale, order
        # A sum of powers that ends with an even one is positive, like the exponential.
        positive = order is not None and order % 2 == 0
        self.claim = Claim.POSITIVE if positive else Claim.SIGNED
        self.theta = nn.Conv2d(channels, inner, kernel_size=1, bias=False)
        self.phi = nn.Conv2d(channels, inner, kernel_size=1, bias=False)
        self.value = nn.Conv2d(channels, inner, kernel_size=1, bias=False)

    def _powers(self, x: Grouped) -> Float[Tensor, "batch group item power"]:
        if self.order is None:
            return x
        terms = []
        for power in range(self.order + 1):
            weight = (2 * AUTHORS_GAMMA) ** power / factorial(power) * exp(-2 * AUTHORS_GAMMA)
            terms.append(x**power * weight**0.5)
        return torch.cat(terms, dim=3)

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return the affinity as powers of theta and of phi."""
        theta, phi = (_grouped(side(x), self.groups) for side in (self.theta, self.phi))
        share = theta.shape[2] ** -0.5 if self.scaled else 1.0
        return LowRankAffinity(self._powers(theta), self._powers(phi) * share)

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Result:
        """Return A g."""
        value = self.value(x)
        return attention.aggregate(_grouped(value, self.groups)).reshape(value.shape)


class CompactNonLocalBlock(nn.Module):
    """Return x with what its channels and places gathered added (figure 2).

    Args:
        channels: channels of x.
        inner: channels of theta, phi and g.
        groups: groups of channels that only listen to themselves.
        scale: divide by the root of the number of tokens of a group.
        order: of the exponential kernel; without it the kernel is the plain product.
    """

    def __init__(
        self,
        channels: int,
        inner: int,
        groups: int = AUTHORS_GROUPS,
        scale: bool = False,
        order: int | None = None,
    ) -> None:
        super().__init__()
        self.attend = CompactNonLocal(channels, inner, groups, scale, order)
        self.project = nn.Conv2d(inner, channels, kernel_size=1, groups=groups, bias=False)
        self.norm = nn.GroupNorm(groups, channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Feature) -> Feature:
        return self.norm(self.project(self.attend(x))) + x


def _product(
    variant: str, inplanes: int, planes: int, use_scale: bool = False, groups: int = AUTHORS_GROUPS
) -> CompactNonLocalBlock:
    return CompactNonLocalBlock(inplanes, planes, groups, use_scale)


def _exponential(
    variant: str,
    inplanes: int,
    planes: int,
    use_scale: bool = False,
    groups: int = AUTHORS_GROUPS,
    order: int = AUTHORS_ORDER,
) -> CompactNonLocalBlock:
    return CompactNonLocalBlock(inplanes, planes, groups, use_scale, order)


def _summed_up(attention: LowRankAffinity, value: Feature) -> Float[Tensor, "batch group power"]:
    return attention.gathered(_grouped(value, attention.shape[1])).squeeze(3)


def _aggregated(attention: LowRankAffinity, value: Feature) -> Feature:
    return attention.aggregate(_grouped(value, attention.shape[1])).reshape(value.shape)


_ATTENTION: dict[str, str | Derived] = {
    "att": Derived(("attend", "attend.value"), _summed_up),
    "aggregated": Derived(("attend", "attend.value"), _aggregated),
    "theta": "attend.theta",
    "phi": "attend.phi",
    "g": "attend.value",
}
_RENAME = (
    (r"^t\.", "attend.theta."),
    (r"^p\.", "attend.phi."),
    (r"^g\.", "attend.value."),
    (r"^z\.", "project."),
    (r"^gn\.", "norm."),
)


def _as_context(channels: int) -> CompactNonLocalBlock:
    block = CompactNonLocalBlock(channels, channels // 2, scale=True)
    # What follows is trained too, so the block need not start as identity.
    nn.init.constant_(block.norm.weight, 0.5)
    return block


MECHANISM = Mechanism(
    slug="cgnl",
    name="Compact generalized non-local block",
    family="self-attention",
    goals=(Goal.SAVING, Goal.LONG_RANGE, Goal.DOMAINS),
    growth=Growth("O(N C)", 1.0),
    paper=Paper(
        title="Compact Generalized Non-local Network",
        authors="Yue, Sun, Yuan, Zhou, Ding, Xu",
        venue="NeurIPS",
        year=2018,
        arxiv="1810.13125",
    ),
    variants={
        "": lambda channels: CompactNonLocalBlock(channels, channels, groups=8, scale=True),
        "noscale": lambda channels: CompactNonLocalBlock(channels, channels, groups=4),
        "rbf": lambda channels: CompactNonLocalBlock(channels, channels, groups=8, order=2),
    },
    references={
        "SpatialCGNL": Reference(
            build=_product,
            positional=("inplanes", "planes", "use_scale", "groups"),
            attention=_ATTENTION,
            rename=_RENAME,
        ),
        "SpatialCGNLx": Reference(
            build=_exponential,
            positional=("inplanes", "planes", "use_scale", "groups", "order"),
            attention=_ATTENTION,
            rename=_RENAME,
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
