"""Strip pooling: every place is seen together with its whole row and its whole column.

Idea
    A square window mixes a long thin thing (a road, a pole, a row of houses) with what lies beside
    it. Pooling along whole rows and whole columns does not. The strip pooling module turns the two
    strips into a gate; the mixed pooling module adds what strips and squares gather to the map.

Equation
    SPM  v = BN(conv3x1(mean over columns of x)),  h = BN(conv1x3(mean over rows of x))
         g = sigmoid(W ReLU(v + h) + b),  y = g x
    MPM  P = ReLU(BN(conv3x3(ReLU(C0 a + up C1 pool5(a) + up C2 pool3(a)))))
         S = ReLU(BN(conv3x3(ReLU(v + h)))),  y = ReLU(x + BN(W [P ; S]))
    (paper: sections on the strip pooling module and the mixed pooling module). v holds one number
    a row and channel, h one a column; in the sum each is repeated along the other side. They pass
    the taps ``row_strip`` and ``column_strip``, the gate passes ``attention``. In MPM a, and the
    input of the strips, are 1 x 1 convolutions of x to a quarter of its channels; pool5 and pool3
    are square grids of means, 20 and 12 cells a side in the authors' code, stretched to the map.

Reading the map
    SPM has one map for each channel, in 0..1, made of horizontal and vertical bars: a place is
    bright where its row and its column together say so. The strips along the edges show which of
    the two it was; they are summed before the gate and may have either sign. MPM has no gate: what
    is shown is what it gathers, features that are added to the map and not weights.

Limits
    A bright place need not hold anything: a strong row and a strong column light their crossing
    too. MPM's output depends on P, S and x together, so its maps say what was at hand, not how
    much of it was used.
"""

from __future__ import annotations

import ast
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
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
Context = Float[Tensor, "batch inner row column"]


def _conv_norm(channels: int, out: int, rows: int, columns: int) -> nn.Sequential:
    padding = (rows // 2, columns // 2)
    return nn.Sequential(
        nn.Conv2d(channels, out, (rows, columns), padding=padding, bias=False), nn.BatchNorm2d(out)
    )


class _Strips(AttentionBlock):
    """Shared by what is made from the means of rows and columns: the two strips, summed."""

    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "row_strip": Auxiliary(Kind.HEIGHT_GATE, Claim.SIGNED),
        "column_strip": Auxiliary(Kind.WIDTH_GATE, Claim.SIGNED),
    }

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rows = _conv_norm(channels, channels, 3, 1)
        self.columns = _conv_norm(channels, channels, 1, 3)
        self.row_strip = Tap()
        self.column_strip = Tap()

    def _strips(self, x: Feature) -> Feature:
        rows = self.row_strip(self.rows(x.mean(dim=3, keepdim=True)).squeeze(3))
        columns = self.column_strip(self.columns(x.mean(dim=2, keepdim=True)).squeeze(2))
        return F.relu(rows.unsqueeze(3) + columns.unsqueeze(2))


class StripPoolingModule(_Strips):
    """Scale each channel at each place by a gate from its row and its column (Hou et al., SPM).

    Args:
        channels: channels of x.
    """

    kind = Kind.FEATURE_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = (
        "g = σ(W ReLU(v + h) + b), v = K₁ mean_W(x), h = K₂ mean_H(x);  y = g · x"
    )

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.expand = nn.Conv2d(channels, channels, kernel_size=1)

    def attention_of(self, x: Feature) -> Feature:
        """Return the gate, in 0..1."""
        return self.expand(self._strips(x)).sigmoid()

    def apply_attention(self, attention: Feature, x: Feature) -> Feature:
        """Return x times the gate."""
        return x * attention


class StripContext(_Strips):
    """Return what each place gathers from its row and its column.

    Args:
        channels: channels of x and of the result.
    """

    kind = Kind.CONTEXT
    claim = Claim.POSITIVE
    formula: ClassVar[str] = "S = ReLU(BN(conv3×3(ReLU(v + h))));  y = S"
    identity = None

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.mix = _conv_norm(channels, channels, 3, 3)

    def attention_of(self, x: Feature) -> Feature:
        """Return what was gathered, not negative."""
        return F.relu(self.mix(self._strips(x)))

    def apply_attention(self, attention: Feature, x: Feature) -> Feature:
        """Return what was gathered."""
        return attention


class PyramidContext(AttentionBlock):
    """Return what each place gathers from square regions around it.

    Args:
        channels: channels of x and of the result.
        sides: cells along each side of the grids of means.
        align_corners: whether grids are stretched so that their corner cells' centres meet those
            of the map, as in the authors' code.
        mode: how grids are stretched, as in ``torch.nn.functional.interpolate``.
    """

    kind = Kind.CONTEXT
    claim = Claim.POSITIVE
    formula: ClassVar[str] = "P = ReLU(BN(conv3×3(ReLU(C₀ x + Σ up Cₙ poolₙ x))));  y = P"
    identity = None

    def __init__(
        self,
        channels: int,
        sides: Sequence[int],
        align_corners: bool | None = True,
        mode: str = "bilinear",
    ) -> None:
        super().__init__()
        self.sides = tuple(sides)
        self.mode, self.align_corners = mode, align_corners
        self.here = _conv_norm(channels, channels, 3, 3)
        self.around = nn.ModuleList(_conv_norm(channels, channels, 3, 3) for _ in self.sides)
        self.mix = _conv_norm(channels, channels, 3, 3)

    def attention_of(self, x: Feature) -> Feature:
        """Return what was gathered, not negative."""
        gathered = self.here(x)
        for side, convolve in zip(self.sides, self.around, strict=True):
            grid = convolve(F.adaptive_avg_pool2d(x, side))
            gathered = gathered + F.interpolate(
                grid, size=x.shape[2:], mode=self.mode, align_corners=self.align_corners
            )
        return F.relu(self.mix(F.relu(gathered)))

    def apply_attention(self, attention: Feature, x: Feature) -> Feature:
        """Return what was gathered."""
        return attention


class MixedPoolingModule(nn.Module):
    """Return x plus what strips and squares gather for each place (Hou et al., MPM).

    Args:
        channels: channels of x; each branch has a quarter of them.
        sides: cells along each side of the square grids; the authors' are 20 and 12.
        stretch: how grids are stretched, as in ``PyramidContext``.

    Raises:
        ValueError: if there are fewer than 4 channels.
    """

    def __init__(
        self,
        channels: int,
        sides: Sequence[int] = (20, 12),
        stretch: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if channels < 4:
            raise ValueError(f"expected at least 4 channels, received {channels}")
        inner = channels // 4
        self.pyramid_in = _conv_norm(channels, inner, 1, 1)
        self.pyramid = PyramidContext(inner, sides, **(stretch or {}))
        self.strip_in = _conv_norm(channels, inner, 1, 1)
        self.strip = StripContext(inner)
        self.join = _conv_norm(2 * inner, channels, 1, 1)

    def forward(self, x: Feature) -> Feature:
        pyramid = self.pyramid(F.relu(self.pyramid_in(x)))
        strip = self.strip(F.relu(self.strip_in(x)))
        return F.relu(x + self.join(torch.cat([pyramid, strip], dim=1)))


def _check_norm(norm_layer: str | None) -> None:
    if norm_layer is not None and not norm_layer.endswith("BatchNorm2d"):
        raise ValueError(f"expected a batch norm, received {norm_layer}")


def _gate(
    variant: str, inplanes: int, outplanes: int, norm_layer: str | None = None
) -> StripPoolingModule:
    _check_norm(norm_layer)
    if inplanes != outplanes:
        raise ValueError(f"expected a gate for every channel, received {inplanes}, {outplanes}")
    return StripPoolingModule(inplanes)


def _mixed(
    variant: str,
    in_channels: int,
    pool_size: Sequence[int],
    norm_layer: str | None = None,
    up_kwargs: Mapping[str, Any] | str | None = None,
) -> MixedPoolingModule:
    _check_norm(norm_layer)
    # A file that was made from Python may hold the call that made the dictionary.
    stretch = _keywords(up_kwargs) if isinstance(up_kwargs, str) else dict(up_kwargs or {})
    unknown = stretch.keys() - {"mode", "align_corners"}
    if unknown:
        raise ValueError(f"expected up_kwargs of mode and align_corners, received {unknown}")
    return MixedPoolingModule(in_channels, pool_size, {"align_corners": None} | stretch)


def _keywords(call: str) -> dict[str, Any]:
    tree = ast.parse(call, mode="eval").body
    if isinstance(tree, ast.Call):
        return {str(each.arg): ast.literal_eval(each.value) for each in tree.keywords}
    return dict(ast.literal_eval(tree))


def _as_context(channels: int) -> nn.Sequential:
    gate = StripPoolingModule(channels)
    # The features that it weighs were trained without a gate: it opens at first.
    if gate.expand.bias is not None:
        nn.init.constant_(gate.expand.bias, 2.0)
    return nn.Sequential(OrderedDict(weigh=gate, gather=MixedPoolingModule(channels)))


MECHANISM = Mechanism(
    slug="strip_pooling",
    name="Strip pooling",
    family="channel and spatial",
    goals=(Goal.REGIONS, Goal.LONG_RANGE),
    paper=Paper(
        title="Strip Pooling: Rethinking Spatial Pooling for Scene Parsing",
        authors="Hou, Zhang, Cheng, Feng",
        venue="CVPR",
        year=2020,
        arxiv="2003.13328",
    ),
    variants={
        "": StripPoolingModule,
        "mpm": lambda channels: MixedPoolingModule(channels, (5, 3)),
    },
    references={
        "SPBlock": Reference(
            build=_gate,
            positional=("inplanes", "outplanes", "norm_layer"),
            attention={"gate": ""},
            intermediate={"vertical": "rows", "horizontal": "columns"},
            rename=(
                (r"^conv1\.", "rows.0."),
                (r"^bn1\.", "rows.1."),
                (r"^conv2\.", "columns.0."),
                (r"^bn2\.", "columns.1."),
                (r"^conv3\.", "expand."),
            ),
        ),
        "StripPooling": Reference(
            build=_mixed,
            positional=("in_channels", "pool_size", "norm_layer", "up_kwargs"),
            attention={"pyramid": "pyramid", "strip": "strip"},
            rename=(
                (r"^conv1_1\.", "pyramid_in."),
                (r"^conv1_2\.", "strip_in."),
                (r"^conv2_0\.", "pyramid.here."),
                (r"^conv2_1\.", "pyramid.around.0."),
                (r"^conv2_2\.", "pyramid.around.1."),
                (r"^conv2_3\.", "strip.columns."),
                (r"^conv2_4\.", "strip.rows."),
                (r"^conv2_5\.", "pyramid.mix."),
                (r"^conv2_6\.", "strip.mix."),
                (r"^conv3\.", "join."),
            ),
        ),
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
