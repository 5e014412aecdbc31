"""GSoP: a channel's weight from how it varies together with all other channels.

Idea
    A mean says how much of a channel there is; a covariance says which channels come and go
    together. Each row of the covariance matrix, one channel beside all others, is read by a kernel
    of its own, and from these rows come the gates. The same with places instead of channels gives
    a gate for places.

Equation
    R = ReLU(BN(W_r ReLU(x))),  S = R (I/N - 11'/N^2) R'  over the N places
    s = sigmoid(W rows(BN(S))),  y_c = s_c x_c   (paper: global second-order pooling block)
    W_r with its norm is ``reduce`` and ``reduce_norm``, S passes ``covariance``, ``rows`` makes
    four numbers of each row, W is ``rows.expand``, s passes the tap ``attention``. For places R is
    averaged to 8 x 8, S is 64 x 64, a ReLU stands before W, and the 8 x 8 gate (which passes
    ``coarse``) is resized to the map. In the authors' code R of the places has no ReLU, and its
    means are divided by N = 64 although they run over the channels of R: with 64 channels that
    is a covariance, with others it is not quite.

Reading the map
    Channels: a bar chart in 0..1, and the matrix that made it: bright off the diagonal where two
    channels go together, dark where one excludes the other. Places: a map in 0..1 whose true
    resolution is 8 x 8 cells, however large it is drawn.

Limits
    The covariance is taken between mixtures of channels (W_r), not between those the bars are for.
    Its values grow with the square of the features, and only the batch norm of the training
    pictures brings them to scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

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
AUTHORS_DIM = 128
NUMBERS_OF_A_ROW = 4
COARSE_SIDE = 8
"""rows and columns of the gate for places, before it is resized"""
WIDENING = 4
"""channels of a bottleneck over those inside it"""


def second_order(
    x: Float[Tensor, "batch feature sample"], count: int
) -> Float[Tensor, "batch feature feature"]:
    """Return x (I/n - 11'/n^2) x' with n = ``count``: the covariance if there are n samples."""
    total = x.sum(dim=2)
    return x @ x.transpose(1, 2) / count - total.unsqueeze(2) * total.unsqueeze(1) / count**2


class RowConvolution(nn.Module):
    """Return one number in 0..1 for each output, from all rows of a matrix.

    Args:
        features: rows and columns of the matrix.
        out: how many numbers.
        rectify: put a ReLU before the last layer.
    """

    def __init__(self, features: int, out: int, rectify: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(features)
        self.conv = nn.Conv2d(
            features, NUMBERS_OF_A_ROW * features, kernel_size=(features, 1), groups=features
        )
        self.between = nn.ReLU() if rectify else nn.Identity()
        self.expand = nn.Conv2d(NUMBERS_OF_A_ROW * features, out, kernel_size=1)

    def forward(self, matrix: Float[Tensor, "batch feature feature"]) -> Float[Tensor, "batch out"]:
        read = self.conv(self.norm(matrix.unsqueeze(3)))
        return self.expand(self.between(read)).flatten(1).sigmoid()


class SecondOrderChannelGate(AttentionBlock):
    """Scale each channel by a gate in 0..1 made from a covariance of channels (Gao et al.).

    Args:
        channels: channels of x.
        dim: channels whose covariance is taken; the authors' is 128.
        stride: take every place (1) or every second one down and across (2).

    Raises:
        ValueError: if ``dim`` or ``stride`` is not positive.
    """

    kind = Kind.CHANNEL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "s = σ(W rows(BN(Cov(R)))), R = ReLU(BN(Wᵣ ReLU(x)));  y = s · x"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "covariance": Auxiliary(Kind.COVARIANCE, Claim.SIGNED)
    }

    def __init__(self, channels: int, dim: int, stride: int = 1) -> None:
        super().__init__()
        _check_positive(dim, stride)
        self.reduce = nn.Conv2d(channels, dim, kernel_size=1, stride=stride)
        self.reduce_norm = nn.BatchNorm2d(dim)
        self.rows = RowConvolution(dim, channels)
        self.covariance = Tap()

    def attention_of(self, x: Feature) -> Float[Tensor, "batch channel"]:
        """Return the gate s, in 0..1."""
        reduced = self.reduce_norm(self.reduce(x.relu())).relu().flatten(2)
        return self.rows(self.covariance(second_order(reduced, reduced.shape[2])))

    def apply_attention(self, attention: Float[Tensor, "batch channel"], x: Feature) -> Feature:
        """Return x with each channel scaled by its gate."""
        return x * attention[:, :, None, None]


class SecondOrderPositionGate(AttentionBlock):
    """Scale each place by a gate in 0..1 made from a covariance of 8 x 8 places (Gao et al.).

    Args:
        channels: channels of x.
        dim: channels over which the places are compared; the authors' is 128.

    Raises:
        ValueError: if ``dim`` is not positive.
    """

    kind = Kind.SPATIAL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = (
        "q = resize(σ(W ReLU(rows(BN(Cov(R)))))), R = pool₈ₓ₈(BN(Wᵣ ReLU(x)));  y = q · x"
    )
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "covariance": Auxiliary(Kind.COVARIANCE, Claim.SIGNED),
        "coarse": Auxiliary(Kind.SPATIAL_GATE, Claim.UNIT),
    }

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        _check_positive(dim)
        self.reduce = nn.Conv2d(channels, dim, kernel_size=1)
        self.reduce_norm = nn.BatchNorm2d(dim)
        self.rows = RowConvolution(COARSE_SIDE**2, COARSE_SIDE**2, rectify=True)
        self.covariance = Tap()
        self.coarse = Tap()

    def attention_of(self, x: Feature) -> Float[Tensor, "batch 1 row column"]:
        """Return the gate q, in 0..1."""
        reduced = self.reduce_norm(self.reduce(x.relu()))
        places = F.adaptive_avg_pool2d(reduced, COARSE_SIDE).flatten(2).transpose(1, 2)
        gate = self.rows(self.covariance(second_order(places, COARSE_SIDE**2)))
        coarse = self.coarse(gate.unflatten(1, (1, COARSE_SIDE, COARSE_SIDE)))
        return F.adaptive_avg_pool2d(coarse, (x.shape[2], x.shape[3]))

    def apply_attention(
        self, attention: Float[Tensor, "batch 1 row column"], x: Feature
    ) -> Feature:
        """Return x with each place scaled by its gate."""
        return x * attention


def _check_positive(*numbers: int) -> None:
    if min(numbers) < 1:
        raise ValueError(f"expected numbers of at least 1, received {list(numbers)}")


class SecondOrderBottleneck(nn.Module):
    """A residual block whose branch ends in a gate (the authors' use of it).

    Args:
        channels: channels of x, four times ``inner``.
        inner: channels of the 3 x 3 convolution.
        gate: stands at the end of the branch.
        rectify: put a ReLU between the gate and the addition.

    Raises:
        ValueError: if the branch would not fit the shortcut.
    """

    def __init__(self, channels: int, inner: int, gate: nn.Module, rectify: bool) -> None:
        super().__init__()
        if inner < 1 or channels != WIDENING * inner:
            raise ValueError(
                f"expected {WIDENING} x {inner} channels, of at least 1, received {channels}"
            )
        self.conv1 = nn.Conv2d(channels, inner, kernel_size=1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, kernel_size=3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, channels, kernel_size=1, bias=False)
        self.norm3 = nn.BatchNorm2d(channels)
        self.gate = gate
        self.after = nn.ReLU() if rectify else nn.Identity()

    def forward(self, x: Feature) -> Feature:
        branch = self.norm1(self.conv1(x)).relu()
        branch = self.norm2(self.conv2(branch)).relu()
        branch = self.after(self.gate(self.norm3(self.conv3(branch))))
        return (branch + x).relu()


MOST_INNER_FOR_STRIDE_2 = 64
"""inner channels up to which the authors take every second place: maps are still large there"""


def _channel_bottleneck(inplanes: int, planes: int, dim: int) -> SecondOrderBottleneck:
    stride = 2 if planes <= MOST_INNER_FOR_STRIDE_2 else 1
    gate = SecondOrderChannelGate(WIDENING * planes, dim, stride)
    return SecondOrderBottleneck(inplanes, planes, gate, rectify=False)


def _position_bottleneck(inplanes: int, planes: int, dim: int) -> SecondOrderBottleneck:
    gate = SecondOrderPositionGate(WIDENING * planes, dim)
    return SecondOrderBottleneck(inplanes, planes, gate, rectify=True)


_BY_ATTENTION = {"1": _channel_bottleneck, "2": _position_bottleneck}
"""by the name of the attention in the authors' code"""


def _bottleneck(
    variant: str,
    inplanes: int,
    planes: int,
    stride: int = 1,
    downsample: None = None,
    attention: str = "1",
    att_dim: int = AUTHORS_DIM,
) -> SecondOrderBottleneck:
    if attention not in _BY_ATTENTION or stride != 1 or downsample is not None:
        raise ValueError(
            f"expected an attention of {list(_BY_ATTENTION)} at stride 1 with a plain shortcut, "
            f"received {attention!r}, {stride} and {downsample}"
        )
    return _BY_ATTENTION[attention](inplanes, planes, att_dim)


def _in_residual_branch(channels: int) -> SecondOrderChannelGate:
    # Every place counts: every second one would depend on which corner the counting starts from.
    block = SecondOrderChannelGate(channels, max(8, channels // 4))
    # The hosts' trunk was trained without gates: they open at first (sigmoid(2) = 0.88).
    nn.init.constant_(block.rows.expand.bias, 2.0)  # type: ignore[arg-type]
    return block


MECHANISM = Mechanism(
    slug="gsop",
    name="GSoP second-order pooling",
    family="channel",
    goals=(Goal.CHANNELS, Goal.WHOLE),
    paper=Paper(
        title="Global Second-Order Pooling Convolutional Networks",
        authors="Gao, Xie, Wang, Li",
        venue="CVPR",
        year=2019,
        arxiv="1811.12006",
    ),
    variants={
        "": lambda channels: SecondOrderChannelGate(channels, max(1, channels // 2)),
        "position": lambda channels: SecondOrderPositionGate(channels, max(1, channels // 2)),
    },
    references={
        "Bottleneck": Reference(
            build=_bottleneck,
            positional=("inplanes", "planes", "stride", "downsample", "attention", "att_dim"),
            attention={
                "channel": "gate",
                "spatial": "gate",
                "covariance": "gate.covariance",
                "coarse": "gate.coarse",
            },
            intermediate={"pre_attention": "norm3"},
            rename=(
                (r"^bn(\d)\.", r"norm\1."),
                (r"^conv_for_DR(_spatial)?\.", "gate.reduce."),
                (r"^bn_for_DR(_spatial)?\.", "gate.reduce_norm."),
                (r"^row_bn(_for_spatial)?\.", "gate.rows.norm."),
                (r"^row_conv_group(_for_spatial)?\.", "gate.rows.conv."),
                (r"^fc_adapt_channels(_for_spatial)?\.", "gate.rows.expand."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.EVERY_RESIDUAL, _in_residual_branch)},
)
