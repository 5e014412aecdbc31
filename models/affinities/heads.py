"""Channels of a map as heads: which channels share one row of weights."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def by_heads(
    x: Float[Tensor, "batch channel row column"], heads: int, interleaved: bool = False
) -> Float[Tensor, "batch head place _"]:
    """Return the places of a map, row by row, with the channels that each head has.

    Args:
        x: a map whose channels are a multiple of the heads.
        heads: how many rows of weights there are at each place.
        interleaved: head h has the channels h, h + heads, ...; otherwise it has a run of them.

    Raises:
        ValueError: if the channels cannot be shared out evenly.
    """
    if heads < 1 or x.shape[1] % heads:
        raise ValueError(f"expected channels a multiple of {heads} heads, received {x.shape[1]}")
    flat = x.flatten(2)
    if interleaved:
        return flat.unflatten(1, (-1, heads)).permute(0, 2, 3, 1)
    return flat.unflatten(1, (heads, -1)).transpose(2, 3)


def from_heads(
    gathered: Float[Tensor, "batch head place _"], size: tuple[int, int], interleaved: bool = False
) -> Float[Tensor, "batch channel row column"]:
    """Return tokens of heads as a map of some rows and columns: what ``by_heads`` takes apart."""
    order = (0, 3, 1, 2) if interleaved else (0, 1, 3, 2)
    return gathered.permute(order).flatten(1, 2).unflatten(2, size)
