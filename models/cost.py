"""What a forward pass costs: multiply-adds, and milliseconds by turns with another network."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

_ROUNDS = 15


@dataclass(frozen=True)
class Cost:
    """What one picture costs a network, beside the plain host.

    Args:
        size: rows and columns of the picture.
        multiply_adds: of convolutions and matrix products.
        milliseconds: median of several forward passes.
        plain_multiply_adds: of the plain host.
        plain_milliseconds: of the plain host, measured by turns with the network.
        threads: threads that torch used.
    """

    size: tuple[int, int]
    multiply_adds: int
    milliseconds: float
    plain_multiply_adds: int
    plain_milliseconds: float
    threads: int


def multiply_adds(network: nn.Module, *inputs: Tensor) -> int:
    """Return the multiply-adds of a forward pass: convolutions and matrix products alone.

    Fused attention counts as the two matrix products that it stands for.
    """
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), counter:
        network(*inputs)
    return int(counter.get_total_flops()) // 2


def cost(network: nn.Module, plain: nn.Module, size: tuple[int, int]) -> dict[str, Any]:
    """Return the fields of ``Cost`` of a network for a picture of some (rows, columns)."""
    x = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    x = x.to(memory_format=torch.channels_last)
    both = [each.eval().to(memory_format=torch.channels_last) for each in (network, plain)]
    own, others = _by_turns(both[0], both[1], x)
    adds = [multiply_adds(each, x) for each in both]
    return asdict(Cost(size, adds[0], own, adds[1], others, torch.get_num_threads()))


def _by_turns(
    network: nn.Module, plain: nn.Module, x: Float[Tensor, "batch 3 row column"]
) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    with torch.inference_mode():
        for _ in range(_ROUNDS):
            for each, taken in zip((network, plain), times, strict=True):
                began = time.perf_counter()
                each(x)
                taken.append(1000 * (time.perf_counter() - began))
    # The first pass of each pays for what is prepared once.
    own, others = (round(median(taken[1:]), 2) for taken in times)
    return own, others
