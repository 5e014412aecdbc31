"""Random crops, flips and colours for whole batches, on uint8 pictures held in memory."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

Images = UInt8[Tensor, "batch 3 row column"]


def random_boxes(
    count: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: torch.Generator,
    crisp: float = 0.0,
) -> Float[Tensor, "batch 2 3"]:
    """Return affine grids' parameters for random crops: a share of the area, a ratio, a flip.

    ``scale`` may exceed 1: then the crop is larger than the picture and the outside is padding.
    A share of ``crisp`` are whole pictures, for a crop of their size as sharp as they are.
    """

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    area = uniform(*scale)
    aspect = torch.exp(uniform(math.log(ratio[0]), math.log(ratio[1])))
    wide, high = (area * aspect).sqrt(), (area / aspect).sqrt()
    centre_x, centre_y = (uniform(-1, 1) * (1 - extent).abs() for extent in (wide, high))
    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    if crisp > 0:
        whole = torch.rand(count, generator=generator) < crisp
        wide, high = wide.masked_fill(whole, 1), high.masked_fill(whole, 1)
        centre_x, centre_y = centre_x.masked_fill(whole, 0), centre_y.masked_fill(whole, 0)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = wide * flip, centre_x
    theta[:, 1, 1], theta[:, 1, 2] = high, centre_y
    return theta


def crop(
    images: Images, theta: Float[Tensor, "batch 2 3"], rows: int, columns: int
) -> Float[Tensor, "batch 3 crop_row crop_column"]:
    """Return the crops in 0..255, bilinear, the border repeated outside."""
    grid = F.affine_grid(theta, [len(images), 3, rows, columns], align_corners=False)
    return F.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)


def crop_masks(
    masks: UInt8[Tensor, "batch row column"],
    theta: Float[Tensor, "batch 2 3"],
    rows: int,
    columns: int,
    outside: int,
) -> Tensor:
    """Return the crops of class masks, nearest neighbour, ``outside`` where there is no picture."""
    grid = F.affine_grid(theta, [len(masks), 1, rows, columns], align_corners=False)
    # Shifted by one, so that the zero that grid_sample pads with is no class.
    shifted = masks.float().unsqueeze(1) + 1
    sampled = F.grid_sample(shifted, grid, mode="nearest", align_corners=False).squeeze(1)
    return torch.where(sampled == 0, float(outside), sampled - 1).long()


def jitter(
    images: Float[Tensor, "batch 3 row column"], strength: float, generator: torch.Generator
) -> Float[Tensor, "batch 3 row column"]:
    """Return images in 0..255 with random brightness, contrast, saturation and channel balance."""

    def factor(*shape: int) -> Tensor:
        return 1 + (2 * torch.rand(*shape, generator=generator) - 1) * strength

    count = len(images)
    images = images * factor(count, 1, 1, 1) * (1 + (factor(count, 3, 1, 1) - 1) * 0.3)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * factor(count, 1, 1, 1)
    grey = images.mean(dim=1, keepdim=True)
    return (grey + (images - grey) * factor(count, 1, 1, 1)).clamp(0, 255)
