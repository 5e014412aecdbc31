"""SAN: every neighbour is weighed by a small network, for each group of channels anew.

Idea
    Dot products give a neighbour one number. Here a small network looks at the difference between
    a place and its neighbour, feature by feature, and gives weights for each group of channels:
    what is an edge for some channels need not be one for others. The patchwise form looks at
    the whole window at once, like a convolution that is made anew at each place.

Equation
    Pairwise    y_i = sum over j in R(i) of softmax_j(gamma([phi(x_i) - psi(x_j) ; p_i - p_j]))
                beta(x_j)   (paper: eq. 2-4)
    Patchwise   y_i = sum over j in R(i) of gamma([phi(x_i) ; psi(x_R(i))])_j beta(x_j)  (eq. 5, 6)
    phi, psi, beta and gamma are ``phi``, ``psi``, ``value`` and ``weigh``, p is a learnt map of
    places in ``position``. The weights alpha pass the tap ``attention``, one head for each
    weight map; head h of g has the channels h, h + g, .... Beyond the border the picture is
    mirrored. The softmax is the authors' code; the paper leaves it open.

Reading the map
    Point at a place: its window shows how much each neighbour counts, in every head anew. Pairwise
    weights are not negative and sum to 1; patchwise ones have any sign and sum. Near the border
    a cell may stand in the window twice, once mirrored: both weights are added up.

Limits
    Nothing is heard from outside the window. Weights say how much of beta(x_j) arrives, not why;
    the network gamma that made them is not linear, and patchwise every weight depends on the whole
    window.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.affinities.heads import by_heads, from_heads
from models.affinities.windows import Window, WindowAffinity
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

Feature = Float[Tensor, "batch channel row column"]
Compared = Float[Tensor, "batch feature entry place"]


class _WindowAttention(AttentionBlock):
    """Shared by both forms: values added up with weights over a window.

    Args:
        channels: channels of x.
        related: channels in which places are compared.
        out: channels of the result.
        shared: channels of the result that share one map of weights.
        window: which neighbours a place has.

    Raises:
        ValueError: if the result's channels are not a multiple of ``shared``.
    """

    kind = Kind.PLACE_AFFINITY

    def __init__(self, channels: int, related: int, out: int, shared: int, window: Window) -> None:
        super().__init__()
        if shared < 1 or out % shared:
            raise ValueError(f"expected channels a multiple of {shared}, received {out}")
        self.window = window
        self.maps = out // shared
        self.phi = nn.Conv2d(channels, related, kernel_size=1)
        self.psi = nn.Conv2d(channels, related, kernel_size=1)
        self.value = nn.Conv2d(channels, out, kernel_size=1)

    def _seen(self, x: Feature) -> Compared:
        size = (x.shape[2], x.shape[3])
        return torch.stack([seen.flatten(2) for seen in self.window.seen(x, size)], dim=2)

    def weights(self, x: Feature) -> Float[Tensor, "batch map entry place"]:
        """Return alpha."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it weighs neighbours")

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return alpha over every place's window, a head for each map of weights."""
        size = (x.shape[2], x.shape[3])
        return WindowAffinity(self.weights(x), self.window, size, size)

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Tensor:
        """Return alpha beta(x)."""
        value = by_heads(self.value(x), attention.shape[1], interleaved=True)
        gathered = attention.aggregate(value)
        return from_heads(gathered, (x.shape[2], x.shape[3]), interleaved=True)


class PairwiseSelfAttention(_WindowAttention):
    """Weigh each neighbour by how it differs from the place in the middle (Zhao et al., eq. 2-4).

    Args:
        channels: channels of x.
        related: channels in which places are compared.
        out: channels of the result.
        shared: channels of the result that share one map of weights.
        kernel: cells along a side of the window; odd.
        dilation: cells from one neighbour to the next.
    """

    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "yᵢ = Σⱼ softmaxⱼ(γ([φ(xᵢ) − ψ(xⱼ) ; pᵢ − pⱼ])) ⊙ β(xⱼ)"

    def __init__(
        self,
        channels: int,
        related: int,
        out: int,
        shared: int = 8,
        kernel: int = 7,
        dilation: int = 1,
    ) -> None:
        window = Window.centred(kernel, dilation, reflect=True)
        super().__init__(channels, related, out, shared, window)
        self.position = nn.Conv2d(2, 2, kernel_size=1)
        self.weigh = nn.Sequential(
            nn.BatchNorm2d(related + 2),
            nn.ReLU(),
            nn.Conv2d(related + 2, related, kernel_size=1, bias=False),
            nn.BatchNorm2d(related),
            nn.ReLU(),
            nn.Conv2d(related, self.maps, kernel_size=1),
        )

    def _places(self, x: Feature) -> Float[Tensor, "1 2 row column"]:
        down, across = (
            torch.linspace(-1, 1, side, device=x.device, dtype=x.dtype) for side in x.shape[2:]
        )
        rows, columns = torch.meshgrid(down, across, indexing="ij")
        return self.position(torch.stack([columns, rows])[None])

    def _difference(self, own: Feature, others: Feature) -> Compared:
        return own.flatten(2).unsqueeze(2) - self._seen(others)

    def weights(self, x: Feature) -> Float[Tensor, "batch map entry place"]:
        """Return alpha, positive and summing to 1 over the entries."""
        looks = self._difference(self.phi(x), self.psi(x))
        places = self._places(x)
        apart = self._difference(places, places).expand(len(x), -1, -1, -1)
        return self.weigh(torch.cat([looks, apart], dim=1)).softmax(dim=2)


class PatchwiseSelfAttention(_WindowAttention):
    """Weigh the neighbours by what the whole window holds (Zhao et al., eq. 5-6).

    Args:
        channels: channels of x.
        related: channels in which places are compared.
        out: channels of the result.
        shared: channels of the result that share one map of weights.
        kernel: cells along a side of the window; odd.
    """

    claim = Claim.SIGNED
    formula: ClassVar[str] = "yᵢ = Σⱼ γ([φ(xᵢ) ; ψ(x_R(i))])ⱼ ⊙ β(xⱼ)"

    def __init__(
        self, channels: int, related: int, out: int, shared: int = 8, kernel: int = 7
    ) -> None:
        window = Window.centred(kernel, reflect=True)
        super().__init__(channels, related, out, shared, window)
        looked_at = related * (window.entries + 1)
        self.weigh = nn.Sequential(
            nn.BatchNorm2d(looked_at),
            nn.ReLU(),
            nn.Conv2d(looked_at, self.maps, kernel_size=1, bias=False),
            nn.BatchNorm2d(self.maps),
            nn.ReLU(),
            nn.Conv2d(self.maps, window.entries * self.maps, kernel_size=1),
        )

    def weights(self, x: Feature) -> Float[Tensor, "batch map entry place"]:
        """Return alpha, of any sign."""
        around = self._seen(self.psi(x)).flatten(1, 2).unflatten(2, x.shape[2:])
        made = self.weigh(torch.cat([self.phi(x), around], dim=1))
        return made.flatten(2).unflatten(1, (self.maps, self.window.entries))


class SANBottleneck(nn.Module):
    """Add self-attention between norms to x (figure 3 of the paper).

    Args:
        channels: channels of x and of the result.
        attend: self-attention over windows.
        inner: channels of what it returns.
    """

    def __init__(self, channels: int, attend: _WindowAttention, inner: int) -> None:
        super().__init__()
        self.norm_in = nn.BatchNorm2d(channels)
        self.attend = attend
        self.norm_out = nn.BatchNorm2d(inner)
        self.expand = nn.Conv2d(inner, channels, kernel_size=1)

    def forward(self, x: Feature) -> Feature:
        attended = self.attend(self.norm_in(x).relu())
        return self.expand(self.norm_out(attended).relu()) + x


def _module(
    variant: str,
    sa_type: int,
    in_planes: int,
    rel_planes: int,
    out_planes: int,
    share_planes: int,
    kernel_size: int = 3,
    stride: int = 1,
    dilation: int = 1,
) -> _WindowAttention:
    if sa_type not in (0, 1) or stride != 1:
        raise ValueError(f"expected sa_type 0 or 1 and stride 1, received {sa_type} and {stride}")
    if sa_type == 0:
        return PairwiseSelfAttention(
            in_planes, rel_planes, out_planes, share_planes, kernel_size, dilation
        )
    if dilation != 1:
        raise ValueError(f"expected dilation 1 of the patchwise form, received {dilation}")
    return PatchwiseSelfAttention(in_planes, rel_planes, out_planes, share_planes, kernel_size)


def _bottleneck(
    variant: str,
    sa_type: int,
    in_planes: int,
    rel_planes: int,
    mid_planes: int,
    out_planes: int,
    share_planes: int = 8,
    kernel_size: int = 7,
    stride: int = 1,
) -> SANBottleneck:
    if in_planes != out_planes:
        raise ValueError(f"expected as many channels out as in, {in_planes}, received {out_planes}")
    attend = _module(
        variant, sa_type, in_planes, rel_planes, mid_planes, share_planes, kernel_size, stride
    )
    return SANBottleneck(in_planes, attend, mid_planes)


def _in_host(channels: int) -> SANBottleneck:
    inner = channels // 2
    return SANBottleneck(channels, PairwiseSelfAttention(channels, channels // 8, inner), inner)


_WEIGHTS = (
    (r"^conv1\.", "phi."),
    (r"^conv2\.", "psi."),
    (r"^conv3\.", "value."),
    (r"^conv_p\.", "position."),
    (r"^conv_w\.", "weigh."),
)

MECHANISM = Mechanism(
    slug="san",
    name="SAN self-attention network",
    family="self-attention",
    goals=(Goal.NEIGHBOURS,),
    growth=Growth("O(N k², windows of k)", 1.0),
    paper=Paper(
        title="Exploring Self-attention for Image Recognition",
        authors="Zhao, Jia, Koltun",
        venue="CVPR",
        year=2020,
        arxiv="2004.13621",
    ),
    variants={
        "pairwise": lambda channels: PairwiseSelfAttention(channels, 4, channels, kernel=3),
        "pairwise_5": lambda channels: PairwiseSelfAttention(channels, 2, channels, 16, kernel=5),
        "patchwise": lambda channels: PatchwiseSelfAttention(channels, 2, channels, kernel=3),
        "bottleneck": lambda channels: SANBottleneck(
            channels, PairwiseSelfAttention(channels, 4, channels, kernel=3), channels
        ),
    },
    references={
        "SAM": Reference(
            build=_module,
            positional=(
                "sa_type", "in_planes", "rel_planes", "out_planes",
                "share_planes", "kernel_size", "stride", "dilation",
            ),
            attention={"weights": Derived(("",), lambda affinity: affinity.weights)},
            rename=_WEIGHTS,
        ),
        "Bottleneck": Reference(
            build=_bottleneck,
            positional=(
                "sa_type", "in_planes", "rel_planes", "mid_planes",
                "out_planes", "share_planes", "kernel_size", "stride",
            ),
            attention={"weights": Derived(("attend",), lambda affinity: affinity.weights)},
            rename=(
                *((theirs.replace("^", r"^sam\."), f"attend.{ours}") for theirs, ours in _WEIGHTS),
                (r"^bn1\.", "norm_in."),
                (r"^bn2\.", "norm_out."),
                (r"^conv\.", "expand."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.ONCE, _in_host)},
)  # fmt: skip
