"""Attention gate: coarse, deep features decide which places of fine ones are let through.

Idea
    A U-Net hands fine features across to its decoder, with everything in them. The decoder's own
    features are coarse but know more of what is there. They are the gating signal: at each place
    they are compared with the fine features, and only where both agree do the fine ones pass.

Equation
    c = sigmoid(psi . ReLU(theta(x) + up(phi(g))) + b),  a = up(c),  y = a x
    (paper: section 2.1). x are the fine features (the skip), g the gating signal; theta, phi and
    psi are 1 x 1 convolutions by those names, but theta of a grid gate also takes 2 x 2 cells to
    one. c passes the tap ``coarse``, at the size of theta(x), and a ``attention``, at that of x.
    In the authors' network a 1 x 1 convolution with norm follows (``GatedFeatures``). In one of
    their variants a softmax over places stands for the sigmoid, in another a softplus for the
    ReLU. The simple gate, a re-implementation, has norms behind theta, phi and psi and takes g at
    the size of x. The code stretches maps with the centres of outer cells apart (and did it
    with corners together in the days it was written: ``align_corners``).

Reading the map
    A map in 0..1 over the skip's places, as fine as theta allows and smoothed in between. Dark is
    kept from the decoder, though the coarse features may still bring it. With the softmax the
    coarse map sums to 1, so its values are small and only their ratios say something.

Limits
    One number a place for all channels. An odd last row or column is left out by theta, and its
    map stretched over the whole: towards that edge the gate is off by up to one cell. The gate
    opens where agreeing helps the output, which need not be the thing that is looked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import ClassVar

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
from models.taps import Tap, listening

Feature = Float[Tensor, "batch channel row column"]
Signal = Float[Tensor, "batch gating down across"]
Coarse = Float[Tensor, "batch 1 _ _"]
Gate = Float[Tensor, "batch 1 row column"]


class AttentionGate(AttentionBlock):
    """Scale each place of x by how well it agrees with a gating signal (Oktay et al., section 2.1).

    Args:
        theta: embeds x, perhaps at a coarser size.
        phi: embeds the gating signal to as many channels.
        psi: scores what both have in common.
        softplus: softplus in the place of the ReLU.
        align_corners: stretch maps so that the centres of their outer cells meet.
    """

    kind = Kind.SPATIAL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "a = up(σ(ψ · ReLU(θ(x) + up(φ(g)))));  y = a · x"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "coarse": Auxiliary(Kind.SPATIAL_GATE, Claim.UNIT)
    }

    def __init__(
        self,
        theta: nn.Module,
        phi: nn.Module,
        psi: nn.Module,
        softplus: bool = False,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.theta, self.phi, self.psi = theta, phi, psi
        self.activate = F.softplus if softplus else F.relu
        self.align_corners = align_corners
        self.coarse = Tap()

    def _stretched(self, x: Tensor, size: Sequence[int]) -> Tensor:
        return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=self.align_corners)

    def _weights(self, scores: Coarse) -> Coarse:
        return scores.sigmoid()

    def attention_of(self, x: Feature, gating: Signal) -> Gate:
        """Return the gate, in 0..1, at the size of x."""
        fine = self.theta(x)
        both = fine + self._stretched(self.phi(gating), fine.shape[2:])
        coarse = self.coarse(self._weights(self.psi(self.activate(both))))
        return self._stretched(coarse, x.shape[2:])

    def apply_attention(self, attention: Gate, x: Feature, gating: Signal) -> Feature:
        """Return x with each place scaled by its gate."""
        return x * attention


class SoftmaxAttentionGate(AttentionGate):
    """The same, with weights that sum to 1 over the places of the coarse map."""

    formula: ClassVar[str] = "a = up(softmax(ψ · ReLU(θ(x) + up(φ(g)))));  y = a · x"
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "coarse": Auxiliary(Kind.SPATIAL_GATE, Claim.SIMPLEX)
    }

    def _weights(self, scores: Coarse) -> Coarse:
        return scores.flatten(2).softmax(dim=2).reshape(scores.shape)


def grid_gate(
    channels: int,
    gating: int,
    inner: int,
    cells: Sequence[int] = (2, 2),
    softmax: bool = False,
    softplus: bool = False,
    align_corners: bool = False,
) -> AttentionGate:
    """Return the authors' gate, which compares at a coarser size than that of x.

    Args:
        channels: channels of x.
        gating: channels of the gating signal.
        inner: channels of both embeddings.
        cells: rows and columns of x that are compared as one.
        softmax: a softmax over places in the place of the sigmoid.
        softplus: softplus in the place of the ReLU.
        align_corners: as in ``AttentionGate``.
    """
    made = SoftmaxAttentionGate if softmax else AttentionGate
    size = (cells[0], cells[1])
    theta = nn.Conv2d(channels, inner, kernel_size=size, stride=size, bias=False)
    phi, psi = nn.Conv2d(gating, inner, kernel_size=1), nn.Conv2d(inner, 1, kernel_size=1)
    return made(theta, phi, psi, softplus, align_corners)


def simple_gate(channels: int, gating: int, inner: int) -> AttentionGate:
    """Return the gate of a re-implementation: norms everywhere, all maps of one size.

    Args:
        channels: channels of x.
        gating: channels of the gating signal.
        inner: channels of both embeddings.
    """
    theta, phi, psi = _pointwise(channels, inner), _pointwise(gating, inner), _pointwise(inner, 1)
    return AttentionGate(theta, phi, psi)


def _pointwise(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, kernel_size=1), nn.BatchNorm2d(out))


class GatedFeatures(nn.Module):
    """Return (gated features after a 1 x 1 convolution and a norm, the gate) as the authors do.

    Args:
        gate: weighs x.
        channels: channels of x and of the result.
    """

    def __init__(self, gate: AttentionGate, channels: int) -> None:
        super().__init__()
        self.gate = gate
        self.transform = _pointwise(channels, channels)

    def forward(self, x: Feature, gating: Signal) -> tuple[Feature, Gate]:
        gates: list[Gate] = []
        with listening(lambda _block, attention, _inputs, _returned: gates.append(attention)):
            gated = self.gate(x, gating)
        return self.transform(gated), gates[-1]


class GatingFirst(nn.Module):
    """Return gated features from (gating signal, x), the order of the re-implementation.

    Args:
        gate: weighs x.
    """

    def __init__(self, gate: AttentionGate) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, gating: Signal, x: Feature) -> Feature:
        return self.gate(x, gating)


class GatedLevel(nn.Module):
    """Return x joined with a deeper look at it, which also decides what of x is let through.

    One level of an attention U-Net: down, two convolutions, and up again beside a gated skip.

    Args:
        channels: channels of x and of the result.
        deeper: channels at half the size.
    """

    def __init__(self, channels: int, deeper: int) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.MaxPool2d(2), *_convolved(channels, deeper), *_convolved(deeper, deeper)
        )
        self.signal = nn.Sequential(_pointwise(deeper, deeper), nn.ReLU())
        self.gate = grid_gate(channels, deeper, channels // 2)
        self.transform = _pointwise(channels, channels)
        self.join = nn.Sequential(*_convolved(channels + deeper, channels))

    def forward(self, x: Feature) -> Feature:
        deep = self.down(x)
        skip = self.transform(self.gate(x, self.signal(deep)))
        fine = F.interpolate(deep, size=x.shape[2:], mode="bilinear", align_corners=False)
        return self.join(torch.cat([skip, fine], dim=1))


def _convolved(channels: int, out: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(channels, out, kernel_size=3, padding=1, bias=False)
    return conv, nn.BatchNorm2d(out), nn.ReLU()


_MODES: Mapping[str, dict[str, bool]] = {
    "concatenation": {},
    "concatenation_debug": {"softplus": True},
    "concatenation_residual": {"softmax": True},
}
"""what the names of the authors' modes mean"""


def _grid(
    variant: str,
    in_channels: int,
    gating_channels: int,
    inter_channels: int | None = None,
    mode: str = "concatenation",
    sub_sample_factor: Sequence[int] | int = (2, 2),
) -> GatedFeatures:
    if mode not in _MODES:
        raise ValueError(f"expected a mode of {sorted(_MODES)}, received {mode!r}")
    inner = inter_channels or max(1, in_channels // 2)
    factor = sub_sample_factor
    cells = (factor, factor) if isinstance(factor, int) else factor
    gate = grid_gate(in_channels, gating_channels, inner, cells, **_MODES[mode])
    return GatedFeatures(gate, in_channels)


def _simple(variant: str, F_g: int, F_l: int, F_int: int) -> GatingFirst:
    return GatingFirst(simple_gate(F_l, F_g, F_int))


def _as_context(channels: int) -> GatedLevel:
    block = GatedLevel(channels, channels)
    # The features that it weighs were trained without a gate: it opens at first.
    nn.init.constant_(block.gate.psi.get_parameter("bias"), 2.0)
    return block


_GATING = 24
"""channels of the gating signal in the variants below"""


def _at_half_size(batch: int, channels: int, rows: int, columns: int) -> list[tuple[int, ...]]:
    return [(batch, channels, rows, columns), (batch, _GATING, -(-rows // 2), -(-columns // 2))]


def _at_one_size(batch: int, channels: int, rows: int, columns: int) -> list[tuple[int, ...]]:
    return [(batch, channels, rows, columns), (batch, _GATING, rows, columns)]


MECHANISM = Mechanism(
    slug="attention_gate",
    name="Attention gate",
    family="spatial",
    goals=(Goal.REGIONS, Goal.DENOISING),
    paper=Paper(
        title="Attention U-Net: Learning Where to Look for the Pancreas",
        authors="Oktay, Schlemper, Le Folgoc, Lee, Heinrich, Misawa, Mori, McDonagh, Hammerla, "
        "Kainz, Glocker, Rueckert",
        venue="MIDL",
        year=2018,
        arxiv="1804.03999",
    ),
    variants={
        "": lambda channels: grid_gate(channels, _GATING, 8),
        "softmax": lambda channels: grid_gate(channels, _GATING, 8, softmax=True),
        "softplus": lambda channels: grid_gate(channels, _GATING, 8, softplus=True),
        "corners": lambda channels: grid_gate(channels, _GATING, 8, align_corners=True),
        "simple": lambda channels: simple_gate(channels, _GATING, 8),
        "level": lambda channels: GatedLevel(channels, 16),
    },
    references={
        "GridAttentionBlock2D": Reference(
            build=_grid,
            positional=tuple(signature(_grid).parameters)[1:],
            attention={"spatial": "gate", "coarse": "gate.coarse"},
            rename=((r"^(theta|phi|psi)\.", r"gate.\1."), (r"^W\.", "transform.")),
        ),
        "Attention_block": Reference(
            build=_simple,
            positional=tuple(signature(_simple).parameters)[1:],
            attention={"spatial": "gate"},
            rename=(
                (r"^W_g\.", "gate.phi."),
                (r"^W_x\.", "gate.theta."),
                (r"^psi\.", "gate.psi."),
            ),
        ),
    },
    inputs={
        "": _at_half_size,
        "softmax": _at_half_size,
        "softplus": _at_half_size,
        "corners": _at_half_size,
        "simple": _at_one_size,
    },
    plugs={"segmenter": Plug(Placement.CONTEXT, _as_context)},
)
