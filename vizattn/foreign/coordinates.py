"""One coordinate of the places of a tensor's numbers, not a number where there is no place."""

from __future__ import annotations

import torch
from torch import Tensor

_NONE = -0.5
"""stands for no place where numbers are compared; nothing else has this place"""
_WORTH_NARROWING = 50_000
"""numbers from which on it is worth a look whether they are alike along an axis"""


def varies(coordinate: Tensor, axis: int) -> bool:
    """Return whether places are different along an axis; what has none does not count."""
    if coordinate.stride(axis) == 0 or coordinate.shape[axis] < 2:
        return False
    known = coordinate.nan_to_num(nan=_NONE)
    real = ~coordinate.isnan()
    first = known.masked_fill(~real, _NONE).amax(dim=axis, keepdim=True)
    return bool(((known != first) & real).any())


def narrowed(coordinate: Tensor) -> Tensor:
    """Return a large coordinate without numbers that are all alike along an axis."""
    held = coordinate.untyped_storage().nbytes() // coordinate.element_size()
    if coordinate.numel() < _WORTH_NARROWING or 4 * held <= coordinate.numel():
        return coordinate
    for axis in range(coordinate.dim()):
        if coordinate.stride(axis) == 0 or coordinate.shape[axis] < 2:
            continue
        first, last = (coordinate.select(axis, index).nan_to_num(_NONE) for index in (0, -1))
        if not torch.equal(first, last):
            continue
        if bool((coordinate.nan_to_num(_NONE) == first.unsqueeze(axis)).all()):
            one = coordinate.narrow(axis, 0, 1)
            coordinate = one.clone().expand(coordinate.shape)
    return coordinate
