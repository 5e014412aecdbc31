"""The Bayesian loss, density maps and GAME: what must hold for any points, sizes and settings."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.counting.bayesian import Background, BayesianLoss, posterior
from models.counting.density import (
    adaptive_density,
    adaptive_sigmas,
    dot_map,
    fixed_density,
    neighbour_distances,
    points_of,
    resize_conserving,
)
from models.counting.game import game, game_cropped, game_of_points

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
quick = settings(max_examples=40, deadline=None)


def scattered(seed: int, count: int, size: tuple[int, int]) -> Tensor:
    """Return (x, y) inside rows x columns."""
    rows, columns = size
    drawn = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed))
    return drawn * torch.tensor([columns, rows])


def mapped(seed: int, size: tuple[int, int]) -> Tensor:
    return torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# The Bayesian loss.


@quick
@given(
    seed=st.integers(0, 999),
    count=st.integers(0, 9),
    size=SIZES,
    sigma=st.floats(1, 50),
    background=st.sampled_from(Background),
)
def test_every_cell_is_shared_out_completely(
    seed: int, count: int, size: tuple[int, int], sigma: float, background: Background
) -> None:
    points = scattered(seed, count, (size[0] * 8, size[1] * 8))
    for ratio in (None, 0.15):
        shares = posterior(points, 300, size, 8, sigma, ratio, background)
        assert shares.shape == (count + (ratio is not None), size[0] * size[1])
        assert (shares >= 0).all()
        if len(shares):
            assert torch.allclose(shares.sum(dim=0), torch.ones(shares.shape[1]))


def test_a_crop_that_is_no_square() -> None:
    points = [(36.0, 12.0), (4.0, 20.0)]
    shares = posterior(torch.tensor(points), 100, (3, 5), 8, 16.0, None).reshape(2, 3, 5)
    for row in range(3):
        for column in range(5):
            x, y = 8 * column + 4, 8 * row + 4
            weights = [math.exp(-((x - a) ** 2 + (y - b) ** 2) / 512) for a, b in points]
            assert shares[0, row, column].item() == pytest.approx(weights[0] / sum(weights))


@pytest.mark.parametrize("background", Background)
def test_the_background_is_what_is_far_from_everybody(background: Background) -> None:
    point = torch.tensor([[4.0, 4.0]], dtype=torch.float64)
    shares = posterior(point, 400, (1, 60), 8, 8.0, 0.25, background)[1]
    assert shares[0] < 1e-6
    assert shares[-1] > 1 - 1e-6
    turn = {Background.DIFFERENCE: 100 / 2, Background.RATIO: math.sqrt(100)}[background]
    distances = torch.arange(60) * 8
    assert ((shares > 0.5) == (distances > turn)).all()


def test_without_points_all_is_background() -> None:
    none = torch.zeros(0, 2)
    assert torch.equal(posterior(none, 100, (2, 3)), torch.ones(1, 6))
    assert posterior(none, 100, (2, 3), background_ratio=None).shape == (0, 6)
    density = mapped(0, (2, 3)).float()
    assert BayesianLoss()(density[None, None], [none], [100]).item() == pytest.approx(
        density.sum().item()
    )


@pytest.mark.parametrize("ratio", [None, 0.15])
@pytest.mark.parametrize("background", Background)
def test_the_loss_of_a_batch_is_the_mean_of_its_pictures(
    ratio: float | None, background: Background
) -> None:
    loss = BayesianLoss(8, 8.0, ratio, background)
    density = torch.stack([mapped(seed, (4, 7))[None] for seed in range(3)])
    points = [scattered(seed, count, (32, 56)).double() for seed, count in enumerate((3, 0, 5))]
    targets = [torch.full((len(each),), 0.5, dtype=torch.float64) for each in points]
    sizes = [60.0, 70.0, 80.0]
    alone = [loss(density[i : i + 1], points[i : i + 1], sizes[i : i + 1]) for i in range(3)]
    assert loss(density, points, torch.tensor(sizes)).item() == pytest.approx(sum(alone).item() / 3)
    halved = loss(density, points, sizes, targets)
    by_hand = [
        (torch.cat([aim, aim.new_zeros(int(ratio is not None))]) - loss.expected(d[0], at, size))
        .abs()
        .sum()
        if len(at)
        else d.sum()
        for d, at, size, aim in zip(density, points, sizes, targets, strict=True)
    ]
    assert halved.item() == pytest.approx(sum(by_hand).item() / 3)


def test_expected_counts_share_out_the_whole_density() -> None:
    density, points = mapped(1, (6, 5)), scattered(1, 4, (48, 40)).double()
    for ratio in (None, 0.15):
        expected = BayesianLoss(background_ratio=ratio).expected(density, points, 200.0)
        assert expected.sum().item() == pytest.approx(density.sum().item())


def test_the_loss_leads_to_one_person_a_point() -> None:
    """Plain descent on the map itself must find as many people as there are points."""
    points = torch.tensor([[20.0, 20.0], [90.0, 30.0], [60.0, 70.0]])
    loss = BayesianLoss()
    density = torch.full((1, 1, 12, 15), 0.1, requires_grad=True)
    before = loss(density, [points], [96.0]).item()
    for step in range(60):
        value = loss(density, [points], [96.0])
        (slope,) = torch.autograd.grad(value, density)
        density = (density - 0.05 * 0.93**step * slope).detach().requires_grad_()
    assert value.item() < 0.05 * before
    assert loss.expected(density[0, 0], points, 96.0).detach() == pytest.approx(
        torch.tensor([1.0, 1.0, 1.0, 0.0]), abs=0.15
    )


def test_half_precision_is_summed_in_the_points_precision() -> None:
    density = torch.full((1, 1, 64, 64), 0.3).bfloat16()
    value = BayesianLoss()(density, [torch.zeros(0, 2)], [512.0])
    assert value.isfinite()
    some = BayesianLoss()(density, [scattered(0, 5, (512, 512))], [512.0])
    assert some.dtype == torch.float32
    assert some.item() == pytest.approx(
        BayesianLoss()(density.float(), [scattered(0, 5, (512, 512))], [512.0]).item(), rel=1e-5
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: BayesianLoss(stride=0),
        lambda: BayesianLoss(sigma=-1.0),
        lambda: BayesianLoss()(torch.zeros(2, 1, 3, 3), [torch.zeros(1, 2)], [9.0]),
        lambda: BayesianLoss()(torch.zeros(1, 1, 3, 3), [torch.zeros(1, 2)], [9.0, 9.0]),
    ],
)
def test_what_the_loss_refuses(call: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        call()  # type: ignore[operator]


# Density maps.


@quick
@given(seed=st.integers(0, 999), old=SIZES, new=SIZES)
def test_resizing_keeps_the_sum(seed: int, old: tuple[int, int], new: tuple[int, int]) -> None:
    density = mapped(seed, old)
    resized = resize_conserving(density, new)
    assert resized.shape == new
    assert (resized >= 0).all()
    assert resized.sum().item() == pytest.approx(density.sum().item(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(384, 512), (48, 64), (7, 1), (1080, 33)])
def test_sums_are_conserved_in_any_precision(dtype: torch.dtype, size: tuple[int, int]) -> None:
    density = mapped(2, (2, 48, 64)).to(dtype)  # type: ignore[arg-type]
    resized = resize_conserving(density, size)
    assert resized.dtype == dtype
    sums = density.double().sum((1, 2)), resized.double().sum((1, 2))
    assert torch.allclose(*sums, rtol=1e-4 if dtype != torch.float16 else 1e-3)


def test_resizing_keeps_people_where_they_are() -> None:
    """Any region whose borders lie on both grids holds as many people as before."""
    density = mapped(3, (6, 8))
    larger = resize_conserving(density, (15, 12))
    assert torch.allclose(larger[:5, :6].sum(), density[:2, :4].sum())
    assert torch.allclose(larger[10:, 9:].sum(), density[4:, 6:].sum())
    smaller = resize_conserving(density, (2, 4))
    assert torch.allclose(smaller, density.reshape(2, 3, 4, 2).sum(dim=(1, 3)))
    assert torch.allclose(resize_conserving(density, (6, 8)), density)
    back = resize_conserving(resize_conserving(density, (18, 32)), (6, 8))
    assert torch.allclose(back, density)


def test_resizing_of_arrays() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    resized = resize_conserving(array, (7, 5))
    assert isinstance(resized, np.ndarray)
    assert resized.dtype == np.float32
    assert resized.sum() == pytest.approx(array.sum(), rel=1e-6)
    assert resize_conserving(array.astype(np.int64), (1, 1)).item() == 66
    flipped = resize_conserving(array[::-1], (7, 5))
    assert np.allclose(flipped, resized[::-1])


@pytest.mark.parametrize(("shape", "size"), [((0, 3), (2, 2)), ((3,), (2, 2)), ((3, 3), (0, 2))])
def test_grids_without_cells_are_refused(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected maps with cells"):
        resize_conserving(torch.zeros(shape), size)


def test_points_fall_into_pixels() -> None:
    points = torch.tensor(
        [[0.9, 0.1], [3.0, 1.99], [3.5, 1.2], [4.0, 0.0], [-1.0, 1.0], [1.0, 2.0]]
    )
    dots = dot_map(points, (2, 4))
    assert dots.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]], "two in one, and three outside"
    assert points_of(dots).tolist() == [[0, 0], [3, 1]]
    assert dot_map(torch.zeros(0, 2), (2, 4)).sum() == 0
    for wrong in (torch.tensor([[math.nan, 1.0]]), torch.tensor([[math.inf, 1.0]])):
        with pytest.raises(ValueError, match="finite"):
            dot_map(wrong, (2, 4))


@quick
@given(
    seed=st.integers(0, 999),
    size=SIZES,
    count=st.integers(0, 20),
    sigma=st.floats(0.1, 60),
)
def test_a_mirrored_map_holds_the_count(
    seed: int, size: tuple[int, int], count: int, sigma: float
) -> None:
    dots = dot_map(scattered(seed, count, size).double(), size)
    kept, lost = fixed_density(dots, sigma), fixed_density(dots, sigma, mirrored=False)
    assert kept.sum().item() == pytest.approx(dots.sum().item(), abs=1e-9)
    assert (lost <= kept + 1e-12).all()


@pytest.mark.parametrize(("sigma", "size"), [(4, (48, 72)), (15, (20, 33)), (0.6, (9, 9))])
def test_gaussians_are_those_of_scipy(sigma: float, size: tuple[int, int]) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    dots = dot_map(scattered(4, 9, size).double(), size)
    for mode, mirrored in (("reflect", True), ("constant", False)):
        theirs = torch.from_numpy(ndimage.gaussian_filter(dots.numpy(), sigma, mode=mode))
        assert torch.allclose(fixed_density(dots, sigma, mirrored), theirs, atol=1e-14)


def test_widths_follow_the_neighbours() -> None:
    dots = dot_map(torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0], [9.0, 12.0]]), (20, 20))
    assert neighbour_distances(points_of(dots))[0].tolist() == [5, 10, 15]
    assert adaptive_sigmas(dots).tolist() == pytest.approx([3.0, 2.0, 2.0, 3.0])
    alone = dot_map(torch.tensor([[10.0, 10.0]]), (20, 40))
    assert adaptive_sigmas(alone).tolist() == [7.5]
    assert adaptive_density(alone)[10, 10] == adaptive_density(alone).max()
    assert adaptive_density(torch.zeros(5, 5)).sum() == 0


@pytest.mark.parametrize("count", [2, 3])
def test_too_few_neighbours_have_no_width(count: int) -> None:
    dots = dot_map(scattered(0, count, (30, 30)), (30, 30))
    assert neighbour_distances(points_of(dots)).isinf().any()
    with pytest.raises(ValueError, match=f"received {count}"):
        adaptive_density(dots)


def test_neighbours_of_many_points_are_those_of_all_pairs() -> None:
    points = scattered(5, 1100, (700, 900)).double()
    every = torch.cdist(points, points).sort(dim=1).values[:, 1:4]
    assert torch.allclose(neighbour_distances(points), every)


@pytest.mark.parametrize("sigma", [0.0, -1.0, 1e9, math.nan])
def test_widths_without_meaning_are_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match="expected a sigma"):
        fixed_density(torch.ones(3, 3), sigma)


# GAME.


@quick
@given(seed=st.integers(0, 999), size=SIZES)
def test_each_level_asks_for_more(seed: int, size: tuple[int, int]) -> None:
    predicted, truth = mapped(seed, size), mapped(seed + 1, size)
    values = [game(predicted, truth, level) for level in range(6)]
    assert values[0] == pytest.approx((predicted.sum() - truth.sum()).abs().item())
    assert all(a <= b + 1e-9 for a, b in pairwise(values))
    assert values[-1] <= (predicted - truth).abs().sum().item() + 1e-9
    assert game(predicted, predicted, 3) == 0


def test_people_in_the_wrong_place_count_from_level_1() -> None:
    left, right = torch.zeros(8, 8), torch.zeros(8, 8)
    left[2, 1], right[2, 6] = 10, 10
    assert [game(left, right, level) for level in (0, 1, 2)] == [0, 20, 20]
    near = torch.zeros(8, 8)
    near[2, 2] = 10
    assert [game(left, near, level) for level in (0, 1, 2, 3)] == [0, 0, 20, 20]


def test_what_is_cropped_and_what_is_not() -> None:
    predicted, truth = torch.zeros(5, 7), torch.zeros(5, 7)
    predicted[4, 6] = 3
    assert game(predicted, truth, 1) == game(predicted, truth, 2) == 3
    assert game_cropped(predicted, truth, 1) == 0
    assert game_cropped(predicted, truth, 0) == 3
    even = mapped(6, (8, 16)), mapped(7, (8, 16))
    assert game_cropped(*even, 2) == pytest.approx(game(*even, 2))


@quick
@given(seed=st.integers(0, 999), size=SIZES, count=st.integers(0, 30), level=st.integers(0, 4))
def test_points_are_counted_as_a_map_of_them_is(
    seed: int, size: tuple[int, int], count: int, level: int
) -> None:
    density, points = mapped(seed, size), scattered(seed, count, size)
    truth = torch.zeros(size, dtype=torch.float64)
    for x, y in points.tolist():
        truth[int(y), int(x)] += 1
    assert game_of_points(density, points, level) == pytest.approx(game(density, truth, level))


def test_points_outside_the_map_are_not_lost() -> None:
    density = torch.zeros(6, 6)
    points = torch.tensor([[-3.0, 2.0], [6.0, 6.0], [99.0, 1.0]])
    assert [game_of_points(density, points, level) for level in (0, 1)] == [3, 3]


@pytest.mark.parametrize(
    "call",
    [
        lambda: game(torch.zeros(3, 3), torch.zeros(3, 4), 1),
        lambda: game(torch.zeros(3, 3), torch.zeros(3, 3), -1),
        lambda: game_cropped(torch.zeros(3, 3), torch.zeros(3, 3), 99),
        lambda: game_of_points(torch.zeros(3, 3), torch.zeros(1, 2), -1),
    ],
)
def test_what_game_refuses(call: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        call()  # type: ignore[operator]
