"""Maps on trial: every metric on a case whose answer is known, and the verdict in words."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import vizattn
from tests.networks_for_tests import scene, small_network
from vizattn.analysis import look
from vizattn.cam.making import with_class_map
from vizattn.cam.targets import Target
from vizattn.geometry import Framing, Grid
from vizattn.trials.cells import OUTSIDE, cell_pixels, chosen_pixels, ranking
from vizattn.trials.controls import CONTROLS
from vizattn.trials.imputing import imputed
from vizattn.trials.measured import MAP, Metric, Randomisation, Trust
from vizattn.trials.randomising import cascade
from vizattn.trials.ranks import rank_correlation
from vizattn.trials.removal import Bench, area, blur, deletion, insertion, kept, road
from vizattn.trials.trying import Effort, NoMap, Subject, _Trial, trust
from vizattn.views import Selection

SIZE = (48, 32)
WHOLE = Framing(SIZE, SIZE, (0, 0), SIZE)
GRID = Grid(4, 6, (8, 8))
QUICK = Effort(2, 6, 2)
SUBJECT = (1, 4)
"""row and column of the one cell that the network below looks at"""


class OneCell(nn.Module):
    """The logit of class 1 is the mean light of one cell, sharpened; of class 0 it is 0."""

    def __init__(self) -> None:
        super().__init__()
        weights = torch.zeros(1, 1, 32, 48)
        weights[..., 8:16, 32:40] = 1 / 64
        self.weights = nn.Parameter(weights)
        self.steep = nn.Linear(1, 1)
        with torch.no_grad():
            self.steep.weight.fill_(8)
            self.steep.bias.fill_(-4)

    def forward(self, x):
        light = (x.mean(dim=1, keepdim=True) * self.weights).sum(dim=(2, 3))
        return torch.cat([torch.zeros_like(light), self.steep(light)], dim=1)


def picture() -> torch.Tensor:
    """Return a picture whose only light is the cell that the network looks at."""
    x = torch.zeros(1, 3, 32, 48)
    x[:, :, 8:16, 32:40] = 1
    return x


def bench() -> Bench:
    return Bench(OneCell().eval(), picture(), Target(1), cell_pixels(GRID, WHOLE))


def ranked(values: np.ndarray, seed: int = 0) -> np.ndarray:
    return ranking(values, cell_pixels(GRID, WHOLE), np.random.default_rng(seed))


def pointing(at: tuple[int, int]) -> np.ndarray:
    values = np.zeros((4, 6))
    values[at] = 1
    return values


HIGH, LOW = 1 / (1 + np.exp(-4)), 1 / (1 + np.exp(4))
EACH = np.arange(25) / 24


def test_cells_are_pixels_of_the_picture_and_of_nothing_else() -> None:
    framing = Framing((100, 100), (24, 24), (12, 4), SIZE)
    cells = cell_pixels(GRID, framing)
    assert cells.shape == (32, 48) and (cells != OUTSIDE).sum() == 24 * 24
    assert cells[4, 12] == 1 and cells[27, 35] == 3 * 6 + 4 and cells[3, 12] == OUTSIDE
    order = ranking(np.arange(24.0).reshape(4, 6), cells, np.random.default_rng(0))
    assert order[0] == 3 * 6 + 4 and 0 not in order and len(order) == 16


def test_ties_are_broken_by_the_seed_and_values_are_not() -> None:
    flat = np.zeros((4, 6))
    assert not np.array_equal(ranked(flat, 0), ranked(flat, 1))
    values = np.arange(24.0).reshape(4, 6)
    assert np.array_equal(ranked(values, 0), np.arange(24)[::-1])


def test_fractions_take_whole_cells() -> None:
    cells = cell_pixels(GRID, WHOLE)
    taken = chosen_pixels(np.arange(24), cells, np.array([0, 0.25, 1]))
    assert [int(each.sum()) for each in taken] == [0, 6 * 64, 32 * 48]


def test_deletion_of_the_right_cell_first_takes_everything_at_once() -> None:
    best = deletion(bench(), ranked(pointing(SUBJECT)), EACH, 0)
    assert best[0] == pytest.approx(HIGH, abs=1e-6)
    # What stands for it is a colour of the blurred picture: dark, but not black.
    assert best[1] < 0.2 and np.allclose(best[1:], best[1])
    last = deletion(bench(), ranked(-pointing(SUBJECT)), EACH, 0)
    assert np.allclose(last[:-1], HIGH, atol=1e-6) and last[-1] == pytest.approx(best[-1])
    assert area(best, EACH) < 0.2 < 0.9 < area(last, EACH)


def test_insertion_of_the_right_cell_first_gives_everything_at_once() -> None:
    best = insertion(bench(), ranked(pointing(SUBJECT)), EACH, 0)
    assert best[0] < 0.7 and np.allclose(best[1:], HIGH, atol=1e-6)
    last = insertion(bench(), ranked(-pointing(SUBJECT)), EACH, 0)
    assert np.allclose(last[:-1], last[0]) and last[-1] == pytest.approx(HIGH, abs=1e-6)


def test_the_best_order_of_a_linear_network_is_that_of_its_weights() -> None:
    """A network that adds up cells: no order deletes or inserts better than that of the terms."""

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            terms = torch.rand(4, 6, generator=torch.Generator().manual_seed(1))
            self.terms = nn.Parameter(terms)

        def forward(self, x):
            cells = torch.nn.functional.avg_pool2d(x.mean(dim=1), 8)
            return (cells * self.terms).sum(dim=(1, 2))[:, None]

    network = Sum().eval()
    white = torch.ones(1, 3, 32, 48)
    own = Bench(network, white, Target(None), cell_pixels(GRID, WHOLE))
    terms, steps = network.terms.detach().numpy(), np.arange(13) / 12

    def area_of(values: np.ndarray, seed: int = 0) -> float:
        black = chosen_pixels(ranked(values, seed), own.cells, steps)
        batch = torch.where(torch.from_numpy(black)[:, None], 0.0, white)
        return area(own.probabilities(batch), steps)

    random = [area_of(np.zeros((4, 6)), seed) for seed in range(5)]
    assert area_of(terms) < min(random) <= max(random) < area_of(-terms)
    # Removed in their order, the terms leave what is left of their sum.
    left = np.concatenate([[0], np.sort(terms.ravel())[::-1].cumsum()])[::2]
    assert area_of(terms) == pytest.approx(area(terms.sum() - left, steps), rel=1e-4)


def test_road_fills_the_right_cell_from_its_surroundings() -> None:
    at = np.array([1 / 24, 0.5])
    best = road(bench(), ranked(pointing(SUBJECT)), at, 0)
    assert np.allclose(best, LOW, atol=0.01)
    assert road(bench(), ranked(-pointing(SUBJECT)), at, 0)[0] == pytest.approx(HIGH, abs=1e-3)


def test_imputation_gives_back_what_is_linear() -> None:
    """Weighted means of neighbours: every linear picture solves the system, whatever is missing."""
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(56.0), indexing="ij")
    linear = torch.stack([x / 20, y / 10 - x / 30, 1 + 0 * x])[None]
    removed = torch.zeros(2, 40, 56, dtype=torch.bool)
    removed[0, 10:30, 12:44] = True
    removed[1] = torch.rand(40, 56, generator=torch.Generator().manual_seed(0)) < 0.6
    removed[1, [0, -1]] = removed[1, :, 0] = removed[1, :, -1] = False
    filled = imputed(linear, removed, noise=0)
    assert (filled - linear).abs().max() < 0.005
    known = ~removed[:, None].expand(-1, 3, -1, -1)
    assert torch.equal(filled[known], linear.expand(2, -1, -1, -1)[known])


def test_imputation_solves_the_system_of_the_paper() -> None:
    """Against the equations written out one by one, a dense matrix, and solved at once."""
    rows, columns = 17, 22
    generator = torch.Generator().manual_seed(5)
    x = torch.rand(1, 2, rows, columns, generator=generator)
    removed = torch.rand(1, rows, columns, generator=generator) < 0.8
    removed[0, :6, :9] = True
    unknown = {tuple(at): number for number, at in enumerate(torch.nonzero(removed[0]).tolist())}
    matrix = torch.zeros(len(unknown), len(unknown), dtype=torch.float64)
    right = torch.zeros(len(unknown), 2, dtype=torch.float64)
    for (row, column), number in unknown.items():
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                at = (row + down, column + across)
                if at == (row, column) or not (0 <= at[0] < rows and 0 <= at[1] < columns):
                    continue
                weight = 1 / 6 if down == 0 or across == 0 else 1 / 12
                matrix[number, number] += weight
                if at in unknown:
                    matrix[number, unknown[at]] -= weight
                else:
                    right[number] += weight * x[0, :, at[0], at[1]].double()
    expected = torch.linalg.solve(matrix, right)
    found = imputed(x, removed, noise=0)[0][:, removed[0]].T.double()
    assert (found - expected).abs().max() < 1e-3


def test_imputation_adds_noise_of_its_size_and_of_its_seed() -> None:
    x, removed = torch.zeros(1, 3, 32, 32), torch.ones(1, 32, 32, dtype=torch.bool)
    removed[:, 0, 0] = False
    first, again, other = (
        imputed(x, removed, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert float(first.std()) == pytest.approx(0.01, rel=0.1)
    assert torch.isfinite(imputed(x, torch.ones_like(removed))).all()


def test_keeping_only_the_map() -> None:
    own = bench()
    assert kept(own, pointing(SUBJECT)) == pytest.approx(HIGH, abs=1e-6)
    assert kept(own, -pointing(SUBJECT)) == pytest.approx(LOW, abs=1e-6)
    assert kept(own, np.ones((4, 6))) == pytest.approx(HIGH, abs=1e-6)
    half = pointing(SUBJECT) / 2
    half[0, 0] = 1
    assert kept(own, half) == pytest.approx(0.5, abs=1e-6)


def test_a_blurred_picture_keeps_its_mean_and_loses_its_shapes() -> None:
    x = torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(0))
    blurred = blur(x)
    assert blurred.shape == x.shape
    assert float(blurred.mean()) == pytest.approx(float(x.mean()), abs=0.01)
    assert blurred.std() < 0.1 * x.std()


def test_rank_correlation_of_known_cases() -> None:
    values = np.array([[3.0, 1.0, 2.0], [9.0, 7.0, 8.0]])
    assert rank_correlation(values, np.exp(values)) == pytest.approx(1)
    assert rank_correlation(values, -values) == pytest.approx(-1)
    assert rank_correlation(values, np.ones_like(values)) == 0
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
    tied = rank_correlation(np.array([0.0, 1, 1, 2]), np.array([0.0, 1, 2, 3]))
    assert tied == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    with pytest.raises(ValueError, match="one shape"):
        rank_correlation(values, values.T)


def test_controls_are_what_they_are_called() -> None:
    cells = cell_pixels(GRID, WHOLE)
    light = np.zeros((32, 48))
    light[:, 20:] = 255
    made = {name: make(GRID, cells, light, 3) for name, make in CONTROLS.items()}
    assert all(values.shape == (4, 6) for values in made.values())
    middle = made["centre"]
    assert np.allclose(middle, middle[::-1, ::-1])
    assert middle[1, 2] == pytest.approx(middle.max()) and middle[0, 0] == pytest.approx(
        middle.min()
    )
    assert np.all(made["edges"][:, 2] > 0) and np.all(made["edges"][:, [0, 1, 3, 4, 5]] == 0)
    again, other = (CONTROLS["random"](GRID, cells, light, seed) for seed in (3, 4))
    assert np.array_equal(made["random"], again) and not np.array_equal(again, other)


def test_the_cascade_draws_the_last_layers_first_and_leaves_the_network_alone() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3)
    ).eval()
    with torch.no_grad():
        network[1].running_mean.fill_(3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    drawn = []
    for share, changed in cascade(network, torch.rand(1, 3, 16, 16), 3, seed=1):
        now = changed.state_dict()
        drawn.append((share, {name for name in now if not torch.equal(now[name], before[name])}))
        assert changed is not network
    assert [round(share, 2) for share, _ in drawn] == [0.33, 0.67, 1.0]
    assert drawn[0][1] == {"3.weight", "3.bias"}
    assert drawn[1][1] == {"3.weight", "3.bias", "1.running_mean"}
    assert {"0.weight", "0.bias"} <= drawn[2][1]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def put_on_trial(values: np.ndarray, effort: Effort = QUICK, again=None) -> Trust:
    own = Subject("a map", values, GRID, again)
    light = np.random.default_rng(0).random((32, 48))
    steps = _Trial(bench(), own, effort, light).run("one")
    while True:
        try:
            done, total = next(steps)
            assert 0 < done <= total
        except StopIteration as stop:
            return stop.value


def test_the_map_of_what_the_network_uses_is_supported() -> None:
    found = put_on_trial(pointing(SUBJECT))
    assert found.verdict == "supported" and found.randomisation is None
    assert found.forwards == replace(QUICK, stages=0).forwards
    assert found.probability == pytest.approx(HIGH, abs=1e-6)
    assert found.increase == {MAP: False, "random": False, "centre": False, "edges": False}
    for name in ("deletion", "insertion", "road", "drop"):
        assert found.metrics[name].clear_wins == 2, name
    words = found.words("en")
    assert "better than a random map" in words[0] and "2 of 2 seeds" in words[1]
    assert found.words("zh")[0] != words[0]
    assert json.loads(json.dumps(found.facts(), allow_nan=False))["verdict"] == "supported"


def test_a_map_that_points_elsewhere_is_refuted() -> None:
    found = put_on_trial(-pointing(SUBJECT))
    assert found.verdict == "refuted"
    assert "do not read this map as a reason" in found.words("en")[0]
    assert "不要把这张图当作理由" in found.words("zh")[0]


def test_a_map_that_no_weight_changes_is_unmoved() -> None:
    found = put_on_trial(pointing(SUBJECT), again=lambda network: pointing(SUBJECT))
    assert found.verdict == "unmoved"
    assert found.randomisation is not None and found.randomisation.final == pytest.approx(1)
    moved = put_on_trial(pointing(SUBJECT), again=lambda network: -pointing(SUBJECT))
    assert moved.verdict == "supported" and moved.randomisation is not None
    assert moved.randomisation.correlations.shape == (2, 2)


def metric(name: str, own: list[float], others: list[float], curve: float = 1.0) -> Metric:
    controls = {control: np.array(others) for control in CONTROLS}
    curves = {MAP: np.array([[0.0, curve]])}
    return Metric(name, {MAP: np.array(own), **controls}, curves, np.array([0.0, 1.0]))


def result(*metrics: Metric, randomisation: Randomisation | None = None) -> Trust:
    named = {each.name: each for each in metrics}
    return Trust("a map", "one", 0.9, named, {MAP: False}, randomisation, 3, 1)


def test_wins_count_seeds_and_a_tie_is_none() -> None:
    lower = metric("deletion", [0.1, 0.5, 0.2], [0.3, 0.3, 0.2])
    assert [lower.wins(name) for name in lower.controls] == [1, 1, 1] and lower.clear_wins == 1
    assert lower.unbeaten == tuple(CONTROLS)
    higher = metric("insertion", [0.4, 0.5, 0.2], [0.3, 0.3, 0.2])
    assert higher.clear_wins == 2 and higher.unbeaten == ()


def test_verdicts() -> None:
    good, bad = ([0.1] * 3, [0.3] * 3), ([0.3] * 3, [0.1] * 3)
    better = [metric("deletion", *good), metric("insertion", *bad), metric("road", *good)]
    worse = [metric("deletion", *bad), metric("insertion", *good), metric("road", *bad)]
    assert result(*better).verdict == "supported" and result(*worse).verdict == "refuted"
    mixed = result(better[0], worse[1], better[2])
    assert mixed.verdict == "mixed" and "do not agree" in mixed.words("en")[0]
    flat = [replace(each, curves={MAP: np.zeros((1, 2))}) for each in better]
    assert result(*flat).verdict == "undecided"
    same = Randomisation(np.array([0.5, 1]), np.array([[0.9, 0.8]]))
    assert result(*better, randomisation=same).verdict == "unmoved"
    assert "random map, centre blob and edge detector" in result(*worse).words("en")[0]


@pytest.fixture(scope="module")
def segmented():
    return look(scene(128, 96), small_network("segment", "nonlocal"))


def test_a_row_is_held_against_the_class_at_its_place(segmented) -> None:
    told: list[tuple[int, int]] = []
    found = vizattn.trust(
        segmented, at=(20, 70), effort=Effort(1, 2, 1), progress=lambda *step: told.append(step)
    )
    assert found.site == segmented.site().site
    inside = segmented.framing.to_model((20, 70))
    assert found.target == segmented.prediction.at(inside)[0]
    assert told[-1][0] == told[-1][1] == found.forwards
    assert found.randomisation is not None
    assert found.randomisation.correlations.shape == (1, 1)


def test_a_class_map_is_held_against_its_own_class() -> None:
    analysis = with_class_map(look(scene(90, 70), small_network("classify", "se")), "gradcam", 7)
    found = trust(analysis, "cam.gradcam:7", effort=Effort(1, 2, 1))
    assert found.target == analysis.network.card.classes[7]
    assert found.randomisation is not None
    chosen = trust(analysis, analysis.sites[0].site, channel=3, effort=Effort(1, 2, 0))
    assert chosen.randomisation is None
    assert chosen.target == analysis.prediction.top(1)[0][0]


def test_a_trial_can_be_stopped_and_nothing_stays(segmented) -> None:
    class Enough(Exception):
        pass

    def progress(done: int, total: int) -> None:
        raise Enough

    with pytest.raises(Enough):
        trust(segmented, effort=QUICK, progress=progress)
    assert not any(each._forward_hooks for each in segmented.network.module.modules())


def test_without_a_map_there_is_no_trial() -> None:
    plain = look(scene(90, 70), small_network("classify", None))
    with pytest.raises(NoMap, match="no map"):
        trust(plain)
    with pytest.raises(ValueError, match="at least one seed"):
        Effort(0)


def test_the_selection_of_a_trial_is_checked(segmented) -> None:
    with pytest.raises(vizattn.Refused):
        trust(segmented, "nowhere")
    with pytest.raises(vizattn.Refused):
        trust(segmented, at=(-5, 0))
    assert Selection().site is None
