"""Deformable sampling: the points of a map at which a network looks for each place of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from models.affinities.sampled import SampledAffinity
from vizattn.foreign.events import Sampled, apart, roughness
from vizattn.foreign.hearing import Hearing

_NAMES = (
    "input",
    "weight",
    "offset",
    "mask",
    "bias",
    "stride_h",
    "stride_w",
    "pad_h",
    "pad_w",
    "dilation_h",
    "dilation_w",
    "groups",
    "offset_groups",
    "use_mask",
)
_NEAREST, _BORDER, _REFLECTION = 1, 1, 2
"""torch's numbers for ways to interpolate and for what lies beyond the border"""


def _deformed(hearing: Hearing, call: Any, result: Tensor) -> None:
    """Hear torchvision's deformable convolution: Dai et al. 2017, Zhu et al. 2019 with its mask."""
    given = dict(zip(_NAMES, call[1], strict=False)) | dict(call[2])
    source = given["input"]
    if source.shape[0] != 1:
        hearing.miss("deform_conv2d", "several_pictures")
        return
    kernel = tuple(given["weight"].shape[2:])
    groups = given["offset_groups"]
    points = _deformed_points(given, kernel, result.shape[2:])
    count = kernel[0] * kernel[1]
    places = result.shape[2] * result.shape[3]
    if given["use_mask"]:
        weights = given["mask"].reshape(1, groups, count, places)
    else:
        weights = source.new_ones(1).expand(1, groups, count, places)
    again = _convolved(given, points, weights, result)
    event = Sampled(
        *hearing.where(),
        **_kept(hearing, weights, points[0]),
        size=(source.shape[2], source.shape[3]),
        queries=(result.shape[2], result.shape[3]),
        source=hearing.graph.node(source),
        asking=hearing.graph.node(given["offset"]),
        along=(2, 3),
        worst=apart(again, result),
        rough=roughness(result),
        recipe="Σ m(k) · x(p + p_k + Δp_k)",
    )
    hearing.events.append(event)


def _deformed_points(
    given: dict[str, Any], kernel: tuple[int, ...], size: Any
) -> Float[Tensor, "1 group point query 2"]:
    """Return where each entry of the kernel looks, in cells of the padded-off map."""
    offset = given["offset"].float()
    rows, columns = (torch.arange(n, device=offset.device) for n in size)
    down, across = (torch.arange(n, device=offset.device) for n in kernel)
    y = (rows * given["stride_h"] - given["pad_h"])[None, :] + (down * given["dilation_h"])[:, None]
    x = (columns * given["stride_w"] - given["pad_w"])[None, :] + (across * given["dilation_w"])[
        :, None
    ]
    shape = (kernel[0], kernel[1], size[0], size[1])
    regular = torch.stack(
        [y[:, None, :, None].expand(shape), x[None, :, None, :].expand(shape)], dim=-1
    )
    moved = offset.reshape(1, given["offset_groups"], -1, 2, size[0], size[1])
    moved = moved.permute(0, 1, 2, 4, 5, 3)
    return (moved + regular.flatten(0, 1)).flatten(3, 4)


def _convolved(given: dict[str, Any], points: Tensor, weights: Tensor, result: Tensor) -> Tensor:
    """Return the convolution of what lies at the points: what the operator should have made."""
    source, kernels = given["input"], given["weight"]
    size, groups = tuple(source.shape[2:]), points.shape[1]
    columns = []
    for group, part in enumerate(source.chunk(groups, dim=1)):
        for point in range(points.shape[2]):
            own = weights[:, group : group + 1, point : point + 1].to(source.dtype)
            where = points[:, group, point : point + 1].to(source.dtype)
            affinity = SampledAffinity(own, where, size)
            value = part.flatten(2).transpose(1, 2).unsqueeze(1)
            columns.append(affinity.aggregate(value)[:, 0].transpose(1, 2))
    count = points.shape[2]
    stacked = torch.stack(columns, dim=0).unflatten(0, (groups, count))
    seen = stacked.permute(2, 0, 3, 1, 4).flatten(1, 2)
    out = F.conv1d(
        seen.flatten(1, 2),
        kernels.flatten(1).unflatten(1, (-1, count)).flatten(1)[..., None],
        given["bias"],
        groups=given["groups"],
    )
    return out.reshape(result.shape)


def _grid_sampled(hearing: Hearing, call: Any, result: Tensor) -> None:
    """Hear ``grid_sample`` of maps: Jaderberg et al. 2015, eq. 3 and 5; items are heads."""
    source, grid, way, beyond, corners = call[1][:5]
    if not hearing.graph.active(grid):
        return
    if source.dim() != 4 or way > _NEAREST:
        hearing.miss("grid_sample", "volume" if source.dim() != 4 else "bicubic")
        return
    hearing.graph.keep_value(grid)
    size = (source.shape[2], source.shape[3])
    points = grid_points(grid, size, beyond, corners).flatten(1, 2).unsqueeze(1)
    if way == _NEAREST:
        points = points.round()
    weights = source.new_ones(1).expand(1, len(grid), 1, points.shape[2])
    value = source.flatten(2).transpose(1, 2).unsqueeze(1)
    affinity = SampledAffinity(weights.transpose(0, 1), points.to(source.dtype), size)
    again = affinity.aggregate(value)[:, 0].transpose(1, 2).reshape(result.shape)
    event = Sampled(
        *hearing.where(),
        **_kept(hearing, weights, points),
        size=size,
        queries=(result.shape[2], result.shape[3]),
        source=hearing.graph.node(source),
        asking=hearing.graph.node(grid),
        along=(1, 2),
        worst=apart(again, result),
        rough=roughness(result),
        recipe="x(p)",
    )
    hearing.events.append(event)


def grid_points(
    grid: Tensor, size: tuple[int, ...], beyond: int, corners: bool
) -> Float[Tensor, "item row column 2"]:
    """Return the points of a grid of -1..1 as row and column in cells."""
    found = []
    for axis, length in ((1, size[0]), (0, size[1])):
        place = grid[..., axis].float()
        where = (place + 1) / 2 * (length - 1) if corners else ((place + 1) * length - 1) / 2
        if beyond == _REFLECTION:
            low, span = (0.0, length - 1.0) if corners else (-0.5, float(length))
            folded = (where - low).abs() % (2 * span) if span else where * 0
            where = low + torch.where(folded > span, 2 * span - folded, folded)
        if beyond in (_BORDER, _REFLECTION):
            where = where.clamp(0, length - 1)
        found.append(where)
    return torch.stack(found, dim=-1)


def _kept(hearing: Hearing, weights: Tensor, points: Tensor) -> dict[str, Any]:
    keep, settle = hearing.keeper.keep, hearing.keeper.settle
    return {"weights": settle(keep(weights)), "points": settle(keep(points))}


HEARD: dict[str, Callable[[Hearing, Any, Any], None]] = {
    "deform_conv2d": _deformed,
    "grid_sampler": _grid_sampled,
    "grid_sampler_2d": _grid_sampled,
}
"""by operator, what hears it"""
