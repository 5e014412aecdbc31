"""What a capture keeps: every kind of number, however it lies in memory, comes back as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vizattn.foreign.keeping import Keeper

LARGE = 40_000
"""numbers, more than stay in memory in any case"""


def numbers(dtype: torch.dtype, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(-100, 100, (count,), generator=generator)
    if dtype.is_complex:
        return torch.complex(drawn.float(), drawn.flip(0).float()).to(dtype)
    return drawn.to(dtype)


def settled(tensor: Tensor) -> Tensor:
    keeper = Keeper(0)
    kept = keeper.settle(keeper.keep(tensor))
    assert keeper._end > 0, "nothing was written"
    return kept.tensor


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.float64,
        torch.bool,
        torch.uint8,
        torch.int64,
        torch.complex64,
        torch.complex128,
        torch.float8_e4m3fn,
    ],
)
def test_every_kind_of_number_comes_back(dtype: torch.dtype) -> None:
    whole = numbers(dtype, LARGE)
    for tensor in (whole, whole.view(200, 200).T, whole.view(20, 50, 40)[:, ::3].transpose(0, 2)):
        found = settled(tensor)
        assert found.dtype == dtype and found.shape == tensor.shape
        assert torch.equal(found.to(torch.complex128), tensor.to(torch.complex128))


@pytest.mark.parametrize(
    ("shape", "order"),
    [
        ((1, 4097, 3, 6, 64), (2, 0, 3, 1, 4)),
        ((700, 3, 900), (0, 2, 1)),
        ((2, 900_000), (1, 0)),
        ((1, 1, 600_000, 2), (3, 1, 0, 2)),
    ],
)
def test_what_is_larger_than_a_piece_is_in_order(shape: list[int], order: list[int]) -> None:
    tensor = torch.arange(torch.Size(shape).numel(), dtype=torch.int32).view(shape).permute(order)
    assert torch.equal(settled(tensor), tensor)


def test_conjugates_and_stretched_axes_come_back() -> None:
    whole = numbers(torch.complex64, LARGE)
    assert torch.equal(settled(whole.conj()), whole.conj())
    assert torch.equal(settled(whole.conj().imag), whole.conj().imag)
    stretched = numbers(torch.float32, LARGE).view(200, 1, 200).expand(200, 5, 200)
    assert torch.equal(settled(stretched), stretched)


def test_several_tensors_lie_behind_each_other() -> None:
    keeper = Keeper(0)
    given = [torch.full((5001 + i, 3), float(i)).T for i in range(4)]
    kept = [keeper.settle(keeper.keep(each)) for each in given]
    for each, tensor in zip(kept, given, strict=True):
        assert torch.equal(each.tensor, tensor)
