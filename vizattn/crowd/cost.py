"""What re-assembling saves: the same cross attention with and without it, on this picture.

Re-assembled, 2^L far-apart cells are one token of 2^L times as many numbers: the matrix of weights
has 1/4^L of the elements and takes 1/2^L of the multiply-adds, and every row loses sight of which
of its cells is meant. Plain, every cell is a token. Both are measured as the paper writes them,
with their matrix, and with the fused operator that keeps none, which is what the network runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from models.mechanisms.csca import CrossModalAttention
from vizattn.crowd.analysis import CrowdAnalysis, stage_of, switched_off
from vizattn.memory import peak_bytes
from vizattn.passes import Firing, run

MOST_BYTES = 2**30
"""a way that would need more than this is not measured"""
MOST_PAIRS = 2**28
"""of tokens: more of them would take the fused operator seconds"""
_FLOAT = 4
_COPIES = 2
"""of the matrix that are there at once: logits and weights"""
_ROUNDS = 5

Tokens = Float[Tensor, "1 1 token dim"]


@dataclass(frozen=True)
class Way:
    """One way of doing a stage's cross attention, in one direction.

    Args:
        tokens: that ask, and that are asked.
        dim: numbers in each.
        multiply_adds: of the weights and of what they gather.
        matrix_bytes: of the weights, float32.
        milliseconds: with the matrix, the quickest of five; None where it was not measured.
        peak_bytes: allocated at most meanwhile; None where it was not measured.
        fused_milliseconds: with the fused operator; None where it was not measured.
    """

    tokens: int
    dim: int
    multiply_adds: int
    matrix_bytes: int
    milliseconds: float | None
    peak_bytes: int | None
    fused_milliseconds: float | None

    @property
    def too_large(self) -> bool:
        """Return whether its matrix would need more than may be tried."""
        return self.matrix_bytes * _COPIES > MOST_BYTES


@dataclass(frozen=True)
class StageCost:
    """What a stage's cross attention costs, each of its two directions.

    Args:
        stage: counted from 0.
        bands: cells that one re-assembled token stands for.
        reassembled: as the network does it.
        plain: with a token for every cell.
    """

    stage: int
    bands: int
    reassembled: Way
    plain: Way


def cost_of(analysis: CrowdAnalysis) -> list[StageCost]:
    """Return what each stage's cross attention costs, measured on this picture's own features.

    The counter runs once more, then every way runs a few times on one thread's share of the CPU:
    a few seconds in all. Stages that did not fire are left out.
    """
    network, changes = analysis.network, analysis.changes
    _, rgb, thermal = analysis.pair.to_network(network, changes)
    _, firings = run(network.module, rgb, thermal, changed=switched_off(network, changes))
    found = []
    for firing in firings:
        place = stage_of(firing.site)
        if place is not None and place[1] == "rgb_context":
            found.append(_stage(place[0], firing))
    return found


def _stage(stage: int, firing: Firing) -> StageCost:
    block = firing.block
    if not isinstance(block, CrossModalAttention):
        raise ValueError(f"expected cross attention at {firing.site}, received {type(block)}")
    asking, asked = firing.inputs
    with torch.inference_mode():
        maps = [block.query(asking), block.key(asked), block.value(asked)]
        maps = [each.cpu().float() for each in maps]
        together = [block.tokens(each).contiguous() for each in maps]
        apart = [each.flatten(2).transpose(1, 2).unsqueeze(1).contiguous() for each in maps]
        return StageCost(stage, block.bands(), _way(*together), _way(*apart))


def _way(query: Tokens, key: Tokens, value: Tokens) -> Way:
    tokens, dim = query.shape[2:]
    way = Way(tokens, dim, 2 * tokens**2 * dim, _FLOAT * tokens**2, None, None, None)
    fused = None
    if tokens**2 <= MOST_PAIRS:
        fused = _milliseconds(lambda: F.scaled_dot_product_attention(query, key, value))

    def explicit() -> Tensor:
        return ((query @ key.transpose(-2, -1)) * dim**-0.5).softmax(dim=-1) @ value

    if way.too_large:
        return replace(way, fused_milliseconds=fused)
    return replace(
        way,
        milliseconds=_milliseconds(explicit),
        peak_bytes=peak_bytes(explicit),
        fused_milliseconds=fused,
    )


def _milliseconds(work: Callable[[], object]) -> float:
    """Return the quickest of a few runs: whatever else the machine does only adds to it."""
    work()
    taken = []
    for _ in range(_ROUNDS):
        began = perf_counter()
        work()
        taken.append(1000 * (perf_counter() - began))
    return min(taken)
