"""What one row costs beside the whole matrix, in Python."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

import torch

from models.affinity import ProductAffinity
from vizattn.attention import Rows
from vizattn.benchmarks.measure import Measure, skipped

SIDES = (64, 128)
DIM = 64
_BLOCK = 256


def measures(quick: bool = False) -> Iterator[Measure]:
    """Yield the time of one row, and of the whole matrix in rows, for square grids of places."""
    for side in SIDES:
        name = f"row in Python, {side} x {side} places"
        if quick and side > min(SIDES):
            yield skipped(name, "ms", None, "left out with --quick")
            continue
        yield from _side(side, name, repeats=5 if quick else 60)


def _side(side: int, name: str, repeats: int) -> Iterator[Measure]:
    places = side * side
    random = torch.Generator().manual_seed(0)
    query, key = (torch.randn(1, 1, places, DIM, generator=random) for _ in range(2))
    affinity = ProductAffinity(query, key, DIM**-0.5)
    rows = Rows(affinity)
    asked = torch.randint(places, (repeats,), generator=random).tolist()
    # Half of the rows before the matrix and half after it: a machine that drifts does so to both.
    taken = _row_times(rows, asked[: repeats // 2])
    matrix = _matrix_time(affinity, places)
    taken += _row_times(rows, asked[repeats // 2 :])
    one = median(taken)
    yield Measure(name, 1000 * one, "ms", note=f"{DIM} numbers a place, float32, {repeats} rows")
    size = 4 * places**2 / 2**20
    yield Measure(
        f"matrix / row in Python, {side} x {side} places",
        matrix / one,
        "x",
        note=f"{matrix:.2f} s for {size:.0f} MiB, once, by blocks of {_BLOCK} rows never kept",
    )


def _row_times(rows: Rows, asked: list[int]) -> list[float]:
    rows.row(0)
    taken = []
    for index in asked:
        began = time.perf_counter()
        rows.row(index)
        taken.append(time.perf_counter() - began)
    return taken


def _matrix_time(affinity: ProductAffinity, places: int) -> float:
    with torch.inference_mode():
        affinity.rows(torch.arange(_BLOCK))
        began = time.perf_counter()
        for block in torch.arange(places).split(_BLOCK):
            affinity.rows(block)
        return time.perf_counter() - began
