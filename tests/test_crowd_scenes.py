"""Our own crowd scenes: the same each time, true to their points, and plausible in both senses."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.training.crowd_scenes import CrowdScene, crowd_scene, main
from models.training.scenes.climate import climate
from models.training.scenes.scene import Scene, how_many, paint
from models.training.scenes.texture import between, blur, enlarged, noise, reduced, stripes
from models.training.scenes.view import NOBODY, Canvas, Material, Shape, View

SIZE = (160, 120)
SEEDS = range(4)


@cache
def scene(seed: int, night: bool | None = None, people: int | None = 8) -> CrowdScene:
    return crowd_scene(seed, SIZE, night, people)


@cache
def painted_night(seed: int) -> Scene:
    return paint(seed, SIZE, True, 8)


def test_the_same_seed_makes_the_same_arrays() -> None:
    again = crowd_scene(4, SIZE, None, 8)
    for name in ("rgb", "thermal", "points", "heads", "boxes"):
        assert np.array_equal(getattr(scene(4), name), getattr(again, name))
    assert not np.array_equal(scene(4).rgb, scene(5).rgb)


def test_arrays_are_what_is_promised() -> None:
    one = scene(1)
    assert (one.rgb.shape, one.rgb.dtype) == ((120, 160, 3), np.uint8)
    assert (one.thermal.shape, one.thermal.dtype) == ((120, 160), np.uint8)
    assert one.points.dtype == one.heads.dtype == one.boxes.dtype == np.float32


@pytest.mark.parametrize("seed", SEEDS)
def test_every_point_is_in_the_middle_of_its_box(seed: int) -> None:
    one = scene(seed)
    assert 0 < len(one.points) == len(one.heads) == len(one.boxes) <= 8
    left, top, right, bottom = one.boxes.T
    assert np.array_equal(one.points, np.stack([(left + right) / 2, (top + bottom) / 2], 1))
    assert (left >= 0).all() and (right <= SIZE[0]).all()
    assert (top >= 0).all() and (bottom <= SIZE[1]).all()
    assert (one.heads[:, 1] < one.points[:, 1]).mean() > 0.9


def test_nobody_is_counted_where_nobody_is() -> None:
    assert scene(2, people=0).points.shape == (0, 2)
    assert scene(2, people=0).boxes.shape == (0, 4)


def test_who_is_hidden_does_not_count() -> None:
    crowd = scene(3, people=60)
    assert 20 < len(crowd.points) < 60


def test_numbers_of_people_are_mostly_small_and_sometimes_large() -> None:
    rng = np.random.default_rng(0)
    numbers = np.array([how_many(rng) for _ in range(2000)])
    assert numbers.min() == 0 and 40 < numbers.max() <= 60
    assert (numbers <= 10).mean() > 0.75
    assert 0.08 < (numbers > 11).mean() < 0.2


def test_night_is_dark_and_day_is_bright() -> None:
    nights = [painted_night(seed).photo().mean() for seed in SEEDS]
    days = [scene(seed, False).rgb.mean() for seed in SEEDS[:2]]
    assert max(nights) < min(days)
    assert np.mean(nights) < 60 < np.mean(days)
    assert painted_night(0).climate.night and not scene(0, False).night


def test_people_are_warm_at_night_and_the_sky_is_cold() -> None:
    people, sky, ground = [], [], []
    for one in map(painted_night, SEEDS):
        heat, owner = one.measured(), one.canvas.owner
        people.append(np.quantile(heat[owner != NOBODY], 0.7) - one.climate.air)
        ground.append(np.median(heat[-20:][owner[-20:] == NOBODY]) - one.climate.air)
        sky.append(heat[one.canvas.depth > 5000].mean() - one.climate.air)
    assert np.median(people) > np.median(ground) + 1.5
    assert np.median(sky) < -4


def test_some_things_are_as_warm_as_people_and_are_no_people() -> None:
    warm = 0
    for one in map(painted_night, SEEDS):
        heat, nobody = one.canvas.heat, one.canvas.owner == NOBODY
        warm += bool((heat[nobody] > np.median(heat[~nobody])).sum() > 20)
    assert warm >= 2


def test_on_some_days_asphalt_in_the_sun_is_warmer_than_clothes() -> None:
    days = [climate(np.random.default_rng(seed), False) for seed in range(300)]
    hot = [day.air + day.stored + day.warming > day.of_cloth(0.4) for day in days]
    assert 0.05 < np.mean(hot) < 0.5


def test_a_shift_moves_the_thermal_picture_alone() -> None:
    still, moved = scene(1), crowd_scene(1, SIZE, None, 8, shift=(9, -6))
    # Beyond the border more is painted, which soft shadows at the border tell.
    assert (np.abs(still.rgb - moved.rgb.astype(int)) > 3).mean() < 0.01
    assert np.array_equal(still.points, moved.points)
    assert moved.shift == (9, -6)

    def alike(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.corrcoef(one.ravel().astype(float), other.ravel().astype(float))[0, 1])

    # What is at (x, y) in one is at (x + 9, y - 6) in the other.
    undone = alike(still.thermal[6:, :-9], moved.thermal[:-6, 9:])
    assert undone > 0.97
    assert undone > alike(still.thermal, moved.thermal) + 0.02


def test_near_things_hide_far_ones() -> None:
    canvas = Canvas(View(40, 30, 30.0, 1.5, 20.0, 10.0))
    square = np.array([(10, 8), (20, 8), (20, 20), (10, 20)], float)
    red, blue = Material((1, 0, 0), 30.0), Material((0, 0, 1), 10.0)
    assert canvas.paint([Shape(square, red)], 9.0, owner=0) == pytest.approx(120, rel=0.05)
    canvas.paint([Shape(square + np.array([5, 0]), blue)], 5.0)
    assert (canvas.owner == 0).sum() == pytest.approx(60, abs=14)
    assert canvas.heat[14, 12] == pytest.approx(30) and canvas.heat[14, 18] == pytest.approx(10)


def test_pixels_of_places_are_those_of_a_pinhole() -> None:
    view = View(40, 30, 30.0, 1.5, 20.0, 10.0)
    assert view.project(np.array([(2.0, 0.0, 10.0)])).tolist() == [[26.0, 14.5]]
    assert view.depth_of(1.7, 51.0) == pytest.approx(1.0)


def test_stripes_and_bands_are_exact_averages() -> None:
    u = np.arange(0, 20, 0.01, dtype=np.float32)
    assert stripes(u, 2.0, 0.5, 0.01).mean() == pytest.approx(0.25, abs=1e-3)
    assert np.allclose(stripes(u, 2.0, 0.5, 2.0), 0.25, atol=1e-4)
    assert between(u, 3.0, 4.5, 0.01).sum() * 0.01 == pytest.approx(1.5, abs=1e-3)


def test_noise_wraps_and_has_unit_deviation() -> None:
    x, y = np.meshgrid(np.arange(256.0), np.arange(256.0))
    values = noise(1.0, x, y)
    assert values.std() == pytest.approx(1, abs=1e-3)
    assert np.array_equal(values, noise(1.0, x + 256, y - 512))


def test_blur_keeps_the_mean_and_enlarging_undoes_reducing() -> None:
    values = np.random.default_rng(0).random((24, 36), np.float32)
    assert blur(values, 2.0).mean() == pytest.approx(values.mean(), abs=0.02)
    assert blur(values, 2.0).std() < 0.5 * values.std()
    ramp = np.tile(np.arange(36, dtype=np.float32), (24, 1))
    restored = enlarged(reduced(ramp, 4), 4, 24, 36)
    assert np.allclose(restored[:, 2:-2], ramp[:, 2:-2], atol=1e-4)


def test_a_pack_is_written(tmp_path: Path) -> None:
    assert main([str(tmp_path), "--count", "8", "--seed", "3", "--size", "96x72"]) == 0
    entries = json.loads((tmp_path / "annotations.json").read_text(encoding="utf-8"))
    assert [entry["split"] for entry in entries.values()] == ["train"] * 7 + ["val"]
    for name, entry in entries.items():
        assert entry["count"] == len(entry["points"]) == len(entry["boxes"])
        assert entry["day_night"] in {"day", "night"}
        for part, mode in (("rgb", "RGB"), ("thermal", "L")):
            with Image.open(tmp_path / part / f"{name}.jpg") as picture:
                assert (picture.size, picture.mode) == ((entry["width"], entry["height"]), mode)


@pytest.mark.parametrize(
    ("seed", "size", "people"), [(-1, SIZE, 1), (0, (20, 90), 1), (0, SIZE, -2), (0, SIZE, 501)]
)
def test_what_makes_no_sense_is_refused(seed: int, size: tuple[int, int], people: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        crowd_scene(seed, size, people=people)


def test_a_folder_that_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file"), "--count", "1"]) == 2
    assert "crowd_scenes:" in capsys.readouterr().err
