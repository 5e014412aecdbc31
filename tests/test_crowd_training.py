"""Counters are trained and measured on packs of a dozen pictures: points stay where people are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models import evaluate, report, weights
from models.counting.measure import Shown, counting_errors, mean_predictor
from models.packs import PackError, read_counting
from models.preprocessing import Preprocessing, normalise_thermal, thermal_levels
from models.training import __main__ as training
from models.training import crowds
from models.training.crowds import CONDITIONS, CountTask, Scene
from models.training.recipes import RECIPES, Crop, Recipe
from tests.packs_for_tests import classification_pack, crowd_pack

PREPROCESSING = Preprocessing((384, 512), fit="inside")
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    classification_pack(folder / "cls_imagenette128")
    crowd_pack(folder / "crowd_points")
    for name in crowds.BODIES:
        crowd_pack(folder / name, val=1, thermal=True)
    # Where rendered scenes would be kept: these are found and not rendered again.
    crowd_pack(folder / "runs" / crowds.RENDERED, thermal=True)
    return folder


def shrunken(name: str) -> Recipe:
    recipe = RECIPES[name]
    crops = (Crop(1, 64, 64, recipe.crops[-1].scale),)
    return replace(recipe, crops=crops, cycles=((1, 1.0),), batch=2, steps=4, average=0.5)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for name in ("trunk-stream", "trunk-senses", "trunk-counts", "sum-small", "csca-small"):
        training.train(shrunken(name), data, data / "runs", folder)
    return folder


# Training.


@pytest.mark.parametrize("name", ["sum-small", "csca-small"])
def test_a_run_makes_a_counter_and_a_card_with_every_condition(name: str, trained: Path) -> None:
    network, card = weights.load(name, trained)
    assert not any("running_mean" in key and ".rgb." in key for key in network.state_dict())
    assert card.facts["metric"]["split"] == "val"
    conditions = card.facts["metric"]["conditions"]
    assert conditions.keys() == {"crowd_points", *crowds.BODIES}
    assert conditions["crowd_points"].keys() == {"rgb", "mean_predictor"}
    for pack in crowds.BODIES:
        assert conditions[pack].keys() == {*CONDITIONS, "mean_predictor"}
    if name == "csca-small":
        assert card.facts["plain"]["name"] == "sum-small"


def test_the_report_has_a_line_for_every_condition(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(trained))
    lines = report.counters().splitlines()
    _, card = weights.load("csca-small", trained)
    for pack, conditions in card.metric["conditions"].items():
        assert any(line.startswith(f"`{pack}` (val; ") for line in lines)
        for condition, errors in conditions.items():
            if condition != "mean_predictor":
                cells = f"| {report.SHOWN[condition]} | `csca-small` | {errors['mae']:.2f} | "
                assert any(cells in line for line in lines)


def test_the_thermal_stream_starts_from_the_rgb_stream(data: Path, trained: Path) -> None:
    network = weights.build("senses", None, training.TRAINED_AS)
    training.start_from(network, "trunk-stream", trained)
    training.start_twins(network)
    own, start = network.state_dict(), load_file(trained / "trunk-stream.safetensors")
    same = [key for key in own if ".thermal." in key]
    assert same
    for key in same:
        assert torch.equal(own[key], own[key.replace(".thermal.", ".rgb.")])
        lent = start[key.replace(".thermal.", ".rgb.")]
        assert torch.equal(own[key], lent.to(own[key].dtype))


def test_a_counter_is_measured_from_the_command_line(
    data: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(trained))
    pack = data / "rgbt_msrs"
    assert evaluate.main(["csca-small", str(pack), "--json", "--split", "val"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["count"] == 1
    assert found["by_source"]["rgbt_msrs"]["mae"] == found["mae"] == found["game"][0]
    assert len(found["game"]) == 4
    assert evaluate.main(["csca-small", str(pack), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["count"] == 5
    assert evaluate.main(["csca-small", str(data / "cls_imagenette128")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_points_stay_on_their_people_in_every_crop() -> None:
    """People are single bright pixels: wherever a crop puts a point, the picture is bright."""
    points = torch.tensor([[20.5, 30.5], [70.5, 12.5], [90.5, 60.5]])
    rgb = torch.zeros(3, 80, 120, dtype=torch.uint8)
    for x, y in points.tolist():
        rgb[:, int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = 255
    scene = Scene(rgb, rgb[:1], points, 6.0)
    generator = torch.Generator().manual_seed(0)
    seen = 0
    for _ in range(40):
        window = crowds._window(scene, Crop(1, 64, 48, (0.5, 2.0)), generator)
        cut = window.pixels(scene.rgb, [0.0, 0.0, 0.0])
        assert cut.shape == (3, 64, 48)
        for x, y in window.points(points).tolist():
            seen += 1
            assert cut[0, int(y), int(x)] > 120
    assert seen > 20


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_crisp_crops_are_the_pixels_themselves(share: float) -> None:
    """What is resampled is softer than the picture itself."""
    noise = torch.randint(0, 256, (3, 80, 120), dtype=torch.uint8)
    scene = Scene(noise, None, torch.tensor([[20.5, 30.5], [70.5, 12.5]]), 6.0)
    generator = torch.Generator().manual_seed(0)
    cut = Crop(1, 64, 96, (0.75, 1.25), crisp=share)
    found = 0
    for _ in range(40):
        window = crowds._window(scene, cut, generator)
        pixels = window.pixels(noise, [127.5] * 3)
        pixels = pixels.flip(2) if window.mirrored else pixels
        left, top = round(window.left), round(window.top)
        own = noise[:, top : top + 64, left : left + 96].float()
        found += own.shape == pixels.shape and bool((pixels - own).abs().max() < 0.05)
    assert found == 40 * share if share in (0, 1) else 10 < found < 30


def test_a_shift_moves_only_the_thermal_picture() -> None:
    rgb = torch.zeros(3, 64, 64, dtype=torch.uint8)
    rgb[:, 30:34, 30:34] = 255
    window = crowds._Window(0.0, 0.0, 1.0, False, 64, 64)
    moved = window.pixels(rgb[:1], [0.0], (5.0, -3.0))
    assert torch.equal(moved[0, 33:37, 25:29] > 200, torch.ones(4, 4, dtype=torch.bool))


def test_batches_show_the_senses_that_the_recipe_names(data: Path) -> None:
    task = CountTask(data, data / "runs")
    recipe = replace(shrunken("csca-small"), steps=30)
    kinds = {
        (cuts.rgb is not None, cuts.thermal is not None)
        for cuts, _ in task.batches(recipe, recipe.crops[0], torch.Generator().manual_seed(0))
    }
    assert kinds == {(True, True), (True, False), (False, True)}


def test_the_loss_falls_when_people_are_found(data: Path) -> None:
    task = CountTask(data, data / "runs")
    points = torch.tensor([[20.0, 20.0], [44.0, 44.0]])
    marks = crowds.Marks([points], [384.0], [6.0])
    right = torch.zeros(1, 1, 8, 8)
    right[0, 0, 2, 2] = right[0, 0, 5, 5] = 1
    plain = {"density_weight": 0.0, "body_weight": 0.0, "count_weight": 0.0}
    recipe = replace(shrunken("csca-small"), **plain)
    assert task.loss(recipe, right, marks) < 0.05 < task.loss(recipe, right * 0, marks)
    assert task.loss(recipe, right * 2, marks) > 0.5
    counting = replace(recipe, count_weight=1.0)
    people = 3**0.5
    for factor, missed in ((1, 0.0), (2, 1.5), (0, 1.5)):
        more = task.loss(counting, right * factor, marks) - task.loss(recipe, right * factor, marks)
        assert float(more) == pytest.approx(missed / people, abs=1e-6)


def test_later_crops_may_be_fewer(data: Path) -> None:
    task = CountTask(data, data / "runs")
    recipe = shrunken("csca-small")
    for batch, count in ((None, recipe.batch), (3, 3)):
        cut = replace(recipe.crops[0], batch=batch)
        cuts, marks = next(iter(task.batches(recipe, cut, torch.Generator().manual_seed(0))))
        given = cuts.rgb if cuts.rgb is not None else cuts.thermal
        assert given is not None and len(given) == len(marks.points) == count


# Measuring.


class Spots(nn.Module):
    """Counts the bright spots of the tiny packs: 25 pixels are one person."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor
        self.shown: set[tuple[bool, bool]] = set()

    def forward(self, rgb: Tensor | None, thermal: Tensor | None) -> Tensor:
        self.shown.add((rgb is not None, thermal is not None))
        given = rgb if rgb is not None else thermal
        assert given is not None
        return torch.full((1, 1, 4, 4), self.factor / 16) + 0 * given.mean()


def test_errors_are_those_of_the_definitions(data: Path) -> None:
    entries = read_counting(data / "crowd_points", "train")
    counts = [len(entry.points) for entry in entries]
    assert counts == [0, 1, 2, 3]
    found = counting_errors(Spots(), PREPROCESSING, entries)
    assert found["mae"] == pytest.approx((1 + 0 + 1 + 2) / 4)
    assert found["rmse"] == pytest.approx(((1 + 0 + 1 + 4) / 4) ** 0.5)
    assert found["game"][0] == pytest.approx(found["mae"])
    assert found["game"] == sorted(found["game"])
    assert found["people"] == 1.5
    always = mean_predictor(entries, entries)
    assert always["mae"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("shown", "senses"),
    [
        (Shown(), (True, True)),
        (Shown(thermal=False), (True, False)),
        (Shown(rgb=False), (False, True)),
    ],
)
def test_only_what_should_be_is_shown(data: Path, shown: Shown, senses: tuple[bool, bool]) -> None:
    network = Spots()
    counting_errors(network, PREPROCESSING, read_counting(data / "rgbt_msrs", "val"), shown)
    assert network.shown == {senses}


def test_a_missing_sense_is_said(data: Path) -> None:
    entries = read_counting(data / "crowd_points", "val")
    with pytest.raises(ValueError, match="thermal"):
        counting_errors(Spots(), PREPROCESSING, entries, Shown(rgb=False))


def test_a_shifted_thermal_picture_moves_to_the_right(data: Path) -> None:
    (entry, *_) = read_counting(data / "rgbt_msrs", "val")
    size = entry.size()
    still, moved = entry.thermal_at(size), entry.thermal_at(size, 9)
    assert torch.equal(moved[:, :, 9:], still[:, :, :-9])
    assert torch.equal(moved[:, :, :9], still[:, :, :1].expand(-1, -1, 9))


# Packs.


def test_entries_without_sure_marks_are_left_out(tmp_path: Path) -> None:
    pack = crowd_pack(tmp_path / "pack", train=4, val=1, thermal=True)
    path = pack / "annotations.json"
    entries: dict[str, Any] = json.loads(path.read_text())
    entries["train_0"]["annotated"] = False
    entries["train_1"]["quality"] = "doubtful"
    entries["train_2"]["quality"] = "reviewed"
    path.write_text(json.dumps(entries))
    names = {entry.image.stem for entry in read_counting(pack, "train")}
    assert names == {"train_2", "train_3"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text("{"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text('{"a": {"split": "train"}}'),
        lambda path: path.write_text('{"a": {"split": "train", "points": [[1, 2, 3], 4]}}'),
    ],
)
def test_broken_annotations_are_refused(tmp_path: Path, spoil: Callable[[Path], Any]) -> None:
    pack = crowd_pack(tmp_path / "pack")
    spoil(pack / "annotations.json")
    with pytest.raises(PackError):
        read_counting(pack, "train")


# What a network is given.


def test_thermal_values_of_any_unit_become_the_same_levels() -> None:
    celsius = torch.rand(1, 1, 40, 50, generator=torch.Generator().manual_seed(0)) * 30
    levels = thermal_levels(celsius)
    torch.testing.assert_close(thermal_levels(celsius * 100 + 27315), levels, atol=1e-3, rtol=0)
    assert levels.min() == 0
    assert levels.max() == 1
    given = normalise_thermal(celsius)
    assert given.shape == (1, 3, 40, 50)
    assert (given.min(), given.max()) == (-2, 2)


def test_a_thermal_picture_of_one_value_is_no_error() -> None:
    assert torch.equal(thermal_levels(torch.full((1, 1, 8, 8), 7.0)), torch.zeros(1, 1, 8, 8))
