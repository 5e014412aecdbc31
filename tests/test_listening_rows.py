"""The rows that people are shown, times the values, are what a block returns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from models.affinities.sampled import SampledAffinity
from models.affinities.windows import Window, WindowAffinity
from models.affinity import DenseAffinity
from tests.test_mechanisms import AFFINITIES, SIZES, VARIANTS, attention_of, built, given

SLUGS = ("sasa", "vit", "psanet", "lrnet", "san", "ocnet", "dgmn", "carafe")
MINE = [(slug, variant) for slug, variant in VARIANTS if slug in SLUGS]


@pytest.mark.parametrize(("slug", "variant"), MINE)
@pytest.mark.parametrize("size", SIZES)
def test_rows_applied_to_the_values_give_the_blocks_output(
    slug: str, variant: str, size: tuple[int, int]
) -> None:
    firings = attention_of(built(slug, variant), given(slug, variant, size))
    firings = [each for each in firings if each.block.kind in AFFINITIES]
    assert firings
    for firing in firings:
        painted = DenseAffinity(firing.attention.dense())
        with torch.no_grad():
            again = firing.block.apply_attention(painted, *firing.inputs)
        torch.testing.assert_close(again, firing.returned, atol=1e-4, rtol=1e-4)


def mirrored(index: int, length: int) -> int:
    return abs(index) if index < length else 2 * (length - 1) - index


def plain_rows(affinity: WindowAffinity) -> np.ndarray:
    """Every weight put where it belongs, one by one."""
    window, weights = affinity.window, affinity.weights.double().numpy()
    (rows, columns), (key_rows, key_columns) = affinity.queries, affinity.keys
    dense = np.zeros((*weights.shape[:2], rows * columns, key_rows * key_columns))
    if affinity.rest is not None:
        dense += affinity.rest.double().numpy()[..., None]
    for r in range(rows):
        for c in range(columns):
            for entry, (down, right) in enumerate(window.offsets()):
                i, j = r // window.factor + down, c // window.factor + right
                if window.reflect:
                    i, j = mirrored(i, key_rows), mirrored(j, key_columns)
                if not (0 <= i < key_rows and 0 <= j < key_columns):
                    continue
                value = weights[:, :, entry, r * columns + c]
                if affinity.rest is None:
                    dense[:, :, r * columns + c, i * key_columns + j] += value
                else:
                    dense[:, :, r * columns + c, i * key_columns + j] = value
    return dense


@pytest.mark.parametrize(
    ("window", "queries", "keys", "rest"),
    [
        (Window.centred(3), (4, 6), (4, 6), False),
        (Window.centred((3, 5), dilation=2), (7, 5), (7, 5), False),
        (Window.centred(5, reflect=True), (4, 6), (4, 6), False),
        (Window.centred(3, factor=2), (7, 9), (4, 5), False),
        (Window.centred((5, 3)), (4, 6), (4, 6), True),
        (Window((4, 4), (2, 2)), (5, 3), (5, 3), False),
        (Window((2, 3), (0, 2), dilation=2), (5, 4), (5, 4), True),
    ],
)
def test_windows_are_put_where_they_belong(
    window: Window, queries: tuple[int, int], keys: tuple[int, int], rest: bool
) -> None:
    generator = torch.Generator().manual_seed(3)
    places = queries[0] * queries[1]
    weights = torch.randn(2, 3, window.entries, places, generator=generator)
    beyond = torch.randn(2, 3, places, generator=generator) if rest else None
    affinity = WindowAffinity(weights, window, queries, keys, beyond)
    expected = plain_rows(affinity)
    np.testing.assert_allclose(affinity.dense().numpy(), expected, atol=1e-6)
    value = torch.randn(2, 3, keys[0] * keys[1], 4, generator=generator)
    np.testing.assert_allclose(
        affinity.aggregate(value).numpy(), expected @ value.double().numpy(), atol=1e-5
    )
    given_away = torch.randn(2, 3, 5, places, generator=generator)
    np.testing.assert_allclose(
        affinity.push(given_away).numpy(), given_away.double().numpy() @ expected, atol=1e-4
    )
    assert torch.equal(affinity.select(1).dense(), affinity.dense()[1:])


def around(point: Tensor, rows: int, columns: int) -> np.ndarray:
    """How much of each cell a point is: nothing of those a whole cell away."""
    near_rows = np.maximum(0, 1 - np.abs(np.arange(rows) - float(point[0])))
    near_columns = np.maximum(0, 1 - np.abs(np.arange(columns) - float(point[1])))
    return np.outer(near_rows, near_columns).reshape(-1)


def test_points_listen_to_the_four_cells_around_them() -> None:
    generator = torch.Generator().manual_seed(4)
    rows, columns, heads, many = 5, 3, 2, 4
    points = torch.rand(1, many, 15, 2, generator=generator) * 9 - 2
    points[0, 0, 0] = torch.tensor([2.0, 1.0])
    weights = torch.randn(1, heads, many, 15, generator=generator)
    affinity = SampledAffinity(weights, points, (rows, columns))
    expected = np.zeros((heads, 15, rows * columns))
    for query in range(15):
        for index in range(many):
            share = around(points[0, index, query], rows, columns)
            for head in range(heads):
                expected[head, query] += float(weights[0, head, index, query]) * share
    np.testing.assert_allclose(affinity.dense()[0].numpy(), expected, atol=1e-5)
    value = torch.randn(1, heads, rows * columns, 3, generator=generator)
    np.testing.assert_allclose(
        affinity.aggregate(value)[0].numpy(), expected @ value[0].double().numpy(), atol=1e-5
    )


def test_windows_without_a_middle_are_refused() -> None:
    for kernel in (2, (3, 4), -1):
        with pytest.raises(ValueError, match="expected an odd window"):
            Window.centred(kernel)
