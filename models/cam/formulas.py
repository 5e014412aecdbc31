"""Class activation maps, written from their papers: a feature map and gradients to one map.

A is the feature map of a layer, g the gradient of the class score (a logit) with respect to it.
All maps are at the layer's own grid and before the ReLU that the papers end with, so that their
sums mean something; ``positive`` is that ReLU.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Maps = Float[Tensor, "batch row column"]
Features = Float[Tensor, "batch channel row column"]
Weights = Float[Tensor, "batch channel"]

_PLUSPLUS_EPSILON = 1e-6
_SUM_EPSILON = 1e-7
_PLACES = (2, 3)


def weighted(weights: Weights, activations: Features) -> Maps:
    """Return the sum over channels of w_c A_c."""
    return torch.einsum("bc,bcij->bij", weights, activations)


def positive(maps: Maps) -> Maps:
    """Return what speaks for the class: the part of a map above 0."""
    return maps.clamp(min=0)


def gradcam_weights(activations: Features, gradients: Features) -> Weights:
    """Return w_c = mean over places of g_c.

    Selvaraju et al., Grad-CAM, ICCV 2017, arXiv:1610.02391, equation 1.
    """
    return gradients.mean(dim=_PLACES)


def gradcam(activations: Features, gradients: Features) -> Maps:
    """Return sum_c w_c A_c with Grad-CAM's weights; equation 2 before its ReLU."""
    return weighted(gradcam_weights(activations, gradients), activations)


def gradcam_plus_plus_weights(activations: Features, gradients: Features) -> Weights:
    """Return w_c = sum over places of alpha_c relu(g_c).

    alpha = g^2 / (2 g^2 + (sum over places of A) g^3), 0 where g is 0.
    Chattopadhay et al., Grad-CAM++, WACV 2018, arXiv:1710.11063, equations 5 and 19.
    """
    squared = gradients**2
    total = activations.sum(dim=_PLACES, keepdim=True)
    alpha = squared / (2 * squared + total * squared * gradients + _PLUSPLUS_EPSILON)
    alpha = torch.where(gradients != 0, alpha, torch.zeros_like(alpha))
    return (alpha * gradients.clamp(min=0)).sum(dim=_PLACES)


def gradcam_plus_plus(activations: Features, gradients: Features) -> Maps:
    """Return sum_c w_c A_c with Grad-CAM++'s weights; equation 8 before its ReLU."""
    return weighted(gradcam_plus_plus_weights(activations, gradients), activations)


def xgradcam_weights(activations: Features, gradients: Features) -> Weights:
    """Return w_c = sum over places of g_c A_c, over the sum over places of A_c.

    Fu et al., Axiom-based Grad-CAM, BMVC 2020, arXiv:2008.02312, equation 8.
    """
    total = activations.sum(dim=_PLACES, keepdim=True) + _SUM_EPSILON
    return (gradients * activations / total).sum(dim=_PLACES)


def xgradcam(activations: Features, gradients: Features) -> Maps:
    """Return sum_c w_c A_c with XGrad-CAM's weights."""
    return weighted(xgradcam_weights(activations, gradients), activations)


def hirescam(activations: Features, gradients: Features) -> Maps:
    """Return sum_c g_c A_c, place by place.

    Draelos and Carin, Use HiResCAM instead of Grad-CAM, 2020, arXiv:2011.08891, equation 4.
    """
    return (gradients * activations).sum(dim=1)


def elementwise(activations: Features, gradients: Features) -> Maps:
    """Return sum_c relu(g_c A_c), place by place: HiResCAM without what speaks against the class.

    Pillai and Pirsiavash, Explainable Models with Consistent Interpretations, AAAI 2021.
    """
    return (gradients * activations).clamp(min=0).sum(dim=1)


def layercam(activations: Features, gradients: Features) -> Maps:
    """Return sum_c relu(g_c) A_c, place by place.

    Jiang et al., LayerCAM, IEEE TIP 30, 2021, equations 6 to 8.
    """
    return (gradients.clamp(min=0) * activations).sum(dim=1)


def eigencam(activations: Features) -> Maps:
    """Return the projection of the places on the first principal direction of the channels.

    It knows of no class, and its sign is arbitrary: here the places with the larger sum of
    magnitudes are positive.

    Muhammad and Yeasin, Eigen-CAM, IJCNN 2020, arXiv:2008.00299; the channels' means over places
    are subtracted first.
    """
    batch, _, rows, columns = activations.shape
    places = activations.flatten(2).transpose(1, 2)
    centred = places - places.mean(dim=1, keepdim=True)
    left, values, _ = torch.linalg.svd(centred, full_matrices=False)
    found = (left[..., 0] * values[:, :1]).reshape(batch, rows, columns)
    # Centred sums are 0: which side is meant shows in the features themselves.
    strength = activations.abs().sum(dim=1)
    strength = strength - strength.mean(dim=(1, 2), keepdim=True)
    agrees = (found * strength).sum(dim=(1, 2), keepdim=True)
    return torch.where(agrees < 0, -found, found)


def eigengradcam(activations: Features, gradients: Features) -> Maps:
    """Return Eigen-CAM of g A in the place of A, which makes it know of a class."""
    return eigencam(activations * gradients)


def scorecam_weights(scores: Weights) -> Weights:
    """Return the softmax over channels of the class scores of the masked pictures.

    Wang et al., Score-CAM, CVPRW 2020, arXiv:1910.01279; as in the package grad-cam the scores
    themselves are taken and not their increase over a baseline: a softmax forgets the baseline.
    """
    return scores.softmax(dim=1)


def ablationcam_weights(score: Float[Tensor, " batch"], without: Weights) -> Weights:
    """Return (y - y_c) / y, the share of the score that is lost with each channel.

    Desai and Ramaswamy, Ablation-CAM, WACV 2020, equation 2.
    """
    return (score[:, None] - without) / score[:, None]


def shown(maps: Maps, size: tuple[int, int]) -> Float[Tensor, "batch y x"]:
    """Return maps as the package grad-cam draws them: positive, 0 to 1, resized, 0 to 1 again.

    Only for comparing with its numbers: what is drawn here keeps the layer's grid and its scale.

    Args:
        maps: before the ReLU.
        size: (rows, columns) of the picture.
    """
    resized = torch.nn.functional.interpolate(
        _stretched(positive(maps))[:, None], size=size, mode="bilinear", align_corners=False
    )
    return _stretched(resized[:, 0])


def _stretched(maps: Maps) -> Maps:
    from_zero = maps - maps.amin(dim=(1, 2), keepdim=True)
    return from_zero / (_SUM_EPSILON + from_zero.amax(dim=(1, 2), keepdim=True))
