"""The methods of class activation maps by name, and what each needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.cam import formulas
from vizattn.cam.layers import Observed
from vizattn.cam.masked import ablated, masked
from vizattn.texts import Refused

Progress = Callable[[int, int], None]
"""hears how many passes are done, of how many; what it raises ends the work"""
Raw = Float[Tensor, "1 row column"]
Make = Callable[[nn.Module, Float[Tensor, "1 3 row column"], Observed, Progress], Raw]


class UnknownMethod(Refused):
    """There is no method of that name."""


@dataclass(frozen=True)
class Method:
    """One way to make a class activation map.

    Args:
        title: what it is called.
        formula: the map L before its ReLU, one line: A is the feature map, g the gradient.
        make: from the network, the picture and what was observed, the map before its ReLU.
        of_class: whether the map depends on a class.
        complete: whether the map's sum is the sum of g A, for any g and A.
        passes: whether it runs the network once for each channel.
    """

    title: str
    formula: str
    make: Make
    of_class: bool = True
    complete: bool = False
    passes: bool = False


def _by_formula(formula: Callable[[Tensor, Tensor], Tensor]) -> Make:
    def make(network: nn.Module, x: Tensor, seen: Observed, progress: Progress) -> Tensor:
        # Sums of thousands of products of either sign lose digits in single precision.
        activations, gradients = seen.features.activations, seen.features.gradients
        return formula(activations.double(), gradients.double())

    return make


def _scorecam(network: nn.Module, x: Tensor, seen: Observed, progress: Progress) -> Tensor:
    scores = masked(network, x, seen, progress)
    weights = formulas.scorecam_weights(scores.double()[None])
    return formulas.weighted(weights, seen.features.activations.double())


def _ablationcam(network: nn.Module, x: Tensor, seen: Observed, progress: Progress) -> Tensor:
    without = ablated(network, x, seen, progress)
    score = seen.target.logit(seen.scores)
    weights = formulas.ablationcam_weights(score.double(), without.double()[None])
    return formulas.weighted(weights, seen.features.activations.double())


def _by_package(name: str, **options: object) -> Make:
    """Return a method that only the package grad-cam has: its arithmetic on our feature map."""

    def make(network: nn.Module, x: Tensor, seen: Observed, progress: Progress) -> Tensor:
        # Imported here: it takes longer than everything else that a page needs to start.
        import pytorch_grad_cam

        # It would hook layers, clear gradients and resize; without layers it only computes.
        maker = getattr(pytorch_grad_cam, name)(nn.Linear(1, 1), [], **options)
        activations, gradients = (
            each.float().cpu().numpy()
            for each in (seen.features.activations, seen.features.gradients)
        )
        found = maker.get_cam_image(None, None, None, activations, gradients, False)
        return torch.from_numpy(np.asarray(found, dtype=np.float64)).to(x.device)

    return make


METHODS: dict[str, Method] = {
    "gradcam": Method("Grad-CAM", "L = Σ_c mean(g_c) A_c", _by_formula(formulas.gradcam)),
    "gradcam++": Method(
        "Grad-CAM++", "L = Σ_c Σ(α_c relu(g_c)) A_c", _by_formula(formulas.gradcam_plus_plus)
    ),
    "hirescam": Method(
        "HiResCAM", "L = Σ_c g_c A_c", _by_formula(formulas.hirescam), complete=True
    ),
    "layercam": Method("LayerCAM", "L = Σ_c relu(g_c) A_c", _by_formula(formulas.layercam)),
    "xgradcam": Method(
        "XGrad-CAM",
        "L = Σ_c (Σ g_c A_c / Σ A_c) A_c",
        _by_formula(formulas.xgradcam),
        complete=True,
    ),
    "elementwise": Method(
        "Grad-CAM, element-wise", "L = Σ_c relu(g_c A_c)", _by_formula(formulas.elementwise)
    ),
    "eigencam": Method(
        "Eigen-CAM",
        "L = (A − mean A) v₁",
        _by_formula(lambda activations, gradients: formulas.eigencam(activations)),
        of_class=False,
    ),
    "eigengradcam": Method(
        "Eigen-Grad-CAM", "L = (gA − mean gA) v₁", _by_formula(formulas.eigengradcam)
    ),
    "scorecam": Method("Score-CAM", "L = Σ_c softmax_c(y(x · A_c)) A_c", _scorecam, passes=True),
    "ablationcam": Method("Ablation-CAM", "L = Σ_c ((y − y_c) / y) A_c", _ablationcam, passes=True),
    "fem": Method(
        "FEM", "L = Σ_c share(A_c > mean + 2 sd) A_c", _by_package("FEM"), of_class=False
    ),
}
"""by name; the names are what the command line and the library take"""


def method_of(name: str) -> Method:
    """Return a method; raises UnknownMethod."""
    if name not in METHODS:
        raise UnknownMethod("trust.cam.unknown", method=name, known=", ".join(METHODS))
    return METHODS[name]
