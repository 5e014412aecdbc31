"""The methods that ask the network itself: one pass for each channel of the layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vizattn.cam.layers import Observed, scores_with

BATCH = 16
"""pictures in one pass"""
_FLAT = 1e-8


def masked(
    network: nn.Module,
    x: Float[Tensor, "1 3 row column"],
    seen: Observed,
    progress: Callable[[int, int], None],
) -> Float[Tensor, " channel"]:
    """Return the class score of the picture times each channel's map, stretched to 0..1.

    Wang et al., Score-CAM, CVPRW 2020, arXiv:1910.01279, equations 2 and 4. Maps are enlarged
    bilinearly between the centres of cells.
    """
    activations = seen.features.activations[0]
    size = (x.shape[2], x.shape[3])

    def scores(first: int, end: int) -> Tensor:
        maps = torch.nn.functional.interpolate(
            activations[None, first:end], size=size, mode="bilinear", align_corners=False
        )[0]
        low, high = (each(maps, dim=(1, 2), keepdim=True) for each in (torch.amin, torch.amax))
        return scores_with(network, x * ((maps - low) / (high - low + _FLAT))[:, None])

    return _in_batches(len(activations), scores, seen, progress)


def ablated(
    network: nn.Module,
    x: Float[Tensor, "1 3 row column"],
    seen: Observed,
    progress: Callable[[int, int], None],
) -> Float[Tensor, " channel"]:
    """Return the class score without each channel of the layer: set to 0 everywhere.

    Desai and Ramaswamy, Ablation-CAM, WACV 2020, equation 2.
    """
    layout, layer = seen.features.layout, seen.features.layer

    def scores(first: int, end: int) -> Tensor:
        def without(output: Tensor) -> Tensor:
            changed = output.clone()
            for index in range(first, end):
                changed[index - first][layout.channel(index)] = 0
            return changed

        batch = x.expand(end - first, -1, -1, -1)
        return scores_with(network, batch, layer, without)

    return _in_batches(layer.channels, scores, seen, progress)


def _in_batches(
    count: int,
    scores: Callable[[int, int], Tensor],
    seen: Observed,
    progress: Callable[[int, int], None],
) -> Float[Tensor, " channel"]:
    found = []
    progress(0, count)
    for first in range(0, count, BATCH):
        end = min(first + BATCH, count)
        found.append(seen.target.logit(scores(first, end)))
        progress(end, count)
    return torch.cat(found)
