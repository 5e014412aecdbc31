"""Whether a class map is what it says: measured on the network, beside every map."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vizattn.attention import Check
from vizattn.cam.layers import Observed, scores_with
from vizattn.cam.methods import Method
from vizattn.geometry import Framing, Grid

OUTPUT_LIMIT = 1e-3
"""how far the score may be from the one of the layer's own output put back, over its size"""
GRADIENT_LIMIT = 0.05
"""how far the gradient along A may be from the difference that it stands for"""
COMPLETENESS_LIMIT = 1e-3
"""how far the map's sum may be from what it has to be, over the size of the terms"""
GEOMETRY_LIMIT = 1e-6
_STEP = 0.01
_AFFINE = 1e-4
"""how far the score of half the feature map may be from half-way, where it is called affine"""
_SCALES = (0.0, 0.5, 1 - _STEP, 1.0, 1 + _STEP)


def measured(
    network: nn.Module,
    x: Float[Tensor, "1 3 row column"],
    seen: Observed,
    method: Method,
    raw: Tensor,
) -> tuple[tuple[Check, ...], float | None]:
    """Return the checks of a map, and the score of nothing where the map's sum is explained.

    In one pass of a few pictures the layer returns its own output times 0, 1/2, a little less than
    1, 1, and a little more:

    - "replayed": with the captured output put back, the network gives the score that it gave;
    - "gradient": along the output itself the score changes as the gradient says. For a method
      that uses no gradient this is left out;
    - "completeness": score = score of nothing + sum of the map before its ReLU. It follows where
      the rest of the network is affine in the output (measured: half the output gives the score
      half-way) and the map's sum is the sum of g A: for HiResCAM and XGrad-CAM always, for
      Grad-CAM where the gradient is the same at all places. Elsewhere nothing is claimed.
    """
    nothing, half, less, same, more = _scores(network, x, seen)
    size = max(1.0, abs(seen.score))
    checks = [Check("replayed", _number(abs(same - seen.score) / size), OUTPUT_LIMIT)]
    if not method.of_class or method.passes:
        return tuple(checks), None
    features = seen.features
    along = float((features.output.double() * features.gradient.double()).sum())
    slope = (more - less) / (2 * _STEP)
    scale = max(abs(slope), abs(along), 1e-3 * size)
    checks.append(Check("gradient", _number(abs(slope - along) / scale), GRADIENT_LIMIT))
    affine = abs(half - (nothing + same) / 2) <= _AFFINE * max(size, abs(nothing))
    if not (affine and features.layer.prefix == 0 and _sums(method, seen)):
        return tuple(checks), None
    total = float(raw.double().sum())
    off = abs(seen.score - nothing - total) / max(size, abs(nothing), abs(total))
    return (*checks, Check("completeness", _number(off), COMPLETENESS_LIMIT)), nothing


def geometry(framing: Framing, grid: Grid) -> Check:
    """Return whether cells and pixels map onto each other, and back."""
    wrong = sum(grid.cell_at(grid.centre(index)) != index for index in range(len(grid)))
    return Check("geometry", framing.round_trip_error() + wrong, GEOMETRY_LIMIT)


def finite(raw: Tensor) -> Check:
    """Return whether every value of a map is a number: infinite where one is not."""
    return Check("claim", 0.0 if bool(torch.isfinite(raw).all()) else float("inf"), 0.0)


def _scores(network: nn.Module, x: Tensor, seen: Observed) -> list[float]:
    # One at a time: not every network takes several pictures at once.
    def score(scale: float) -> Tensor:
        scaled = seen.features.output * scale
        return scores_with(network, x, seen.features.layer, lambda _: scaled)

    return seen.target.logit(torch.cat([score(scale) for scale in _SCALES])).double().tolist()


def _sums(method: Method, seen: Observed) -> bool:
    """Return whether the map's sum is the sum of g A."""
    if method.complete:
        return True
    gradients = seen.features.gradients
    spread = (gradients - gradients.mean(dim=(2, 3), keepdim=True)).abs().max()
    return method.title == "Grad-CAM" and bool(spread <= _AFFINE * gradients.abs().max())


def _number(value: float) -> float:
    return value if value == value else float("inf")
