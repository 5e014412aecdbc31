"""Where an RGB picture and a thermal one lie on each other: exact by hand, near by itself."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from vizattn.geometry import Point, Size
from vizattn.intake import Picture, read_picture
from vizattn.intake.thermal import Thermal, read_thermal
from vizattn.registration import (
    CONFIDENT,
    DIFFERENT_SCENES,
    Registration,
    mutual_information,
    suggest,
    warp,
)
from vizattn.registration.matching import agreement, edges

RGB, THERMAL = (320, 240), (160, 128)
FUZZ = settings(max_examples=60, deadline=None, derandomize=True)

scales, shifts = st.floats(0.2, 3), st.floats(-60, 60)
registrations = st.builds(Registration, scales, scales, shifts, shifts)
points = st.tuples(st.floats(-500, 1500), st.floats(-500, 1500))


def test_two_pictures_of_one_view_share_their_corners() -> None:
    registration = Registration.fitted(RGB, THERMAL)
    assert registration.to_thermal((0, 0)) == (0, 0)
    assert registration.to_thermal(RGB) == pytest.approx(THERMAL)
    assert registration == Registration(0.5, 128 / 240, 0, 0)


def test_a_thermal_picture_of_a_part() -> None:
    registration = Registration.placed(RGB, THERMAL, (100, 110), (80, 64))
    assert registration.to_thermal((60, 78)) == pytest.approx((0, 0))
    assert registration.to_thermal((140, 142)) == pytest.approx(THERMAL)


@FUZZ
@given(registrations, points)
def test_there_and_back(registration: Registration, point: Point) -> None:
    assert registration.to_rgb(registration.to_thermal(point)) == pytest.approx(point, abs=1e-6)


@FUZZ
@given(points, shifts, shifts, st.floats(0.5, 2))
def test_a_nudge_enlarges_about_the_centre_and_then_moves(
    point: Point, dx: float, dy: float, zoom: float
) -> None:
    """What was seen at a place of the RGB picture is seen where the nudge has brought it."""
    before = Registration.placed(RGB, THERMAL, (150, 90), (200, 170))
    after = before.nudged(dx, dy, zoom)
    x = RGB[0] / 2 + (point[0] - RGB[0] / 2) * zoom + dx
    y = RGB[1] / 2 + (point[1] - RGB[1] / 2) * zoom + dy
    assert after.to_thermal((x, y)) == pytest.approx(before.to_thermal(point), abs=1e-6)


def test_nudges_follow_each_other() -> None:
    start = Registration.fitted(RGB, THERMAL)
    moved = start.nudged(5, -3).nudged(2, 1).nudged(-7, 2)
    numbers = (moved.scale_x, moved.scale_y, moved.dx, moved.dy)
    assert numbers == pytest.approx((start.scale_x, start.scale_y, 0, 0))
    assert start.nudged(0, 0, 1.25).nudged(0, 0, 0.8).dx == pytest.approx(0)


@pytest.mark.parametrize("numbers", [(0, 1, 0, 0), (1, -1, 0, 0), (math.nan, 1, 0, 0)])
def test_impossible_registrations_are_refused(numbers: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected finite numbers and positive scales"):
        Registration(*numbers)
    with pytest.raises(ValueError, match="expected finite numbers and positive scales"):
        Registration(1, 1, math.inf, 0)
    with pytest.raises(ValueError, match="expected a zoom > 0"):
        Registration(1, 1, 0, 0).nudged(0, 0, 0)


def slope(size: Size) -> np.ndarray:
    """Return x + 3 y of each pixel's centre."""
    width, height = size
    return np.add.outer(3 * (np.arange(height) + 0.5), np.arange(width) + 0.5).astype(np.float32)


@FUZZ
@given(registrations, st.sampled_from([(64, 48), (33, 50), (200, 150)]))
def test_every_pixel_shows_the_place_that_it_lies_on(
    registration: Registration, size: Size
) -> None:
    """A slope shows where each value comes from: half-pixel centres, at every size."""
    values, inside = warp(slope(THERMAL), registration, RGB, size)
    x, y = ((np.arange(count) + 0.5) * side / count for count, side in zip(size, RGB, strict=True))
    x, y = x * registration.scale_x + registration.dx, y * registration.scale_y + registration.dy
    here = ((y >= 0) & (y < THERMAL[1]))[:, None] & ((x >= 0) & (x < THERMAL[0]))[None, :]
    assert (inside == here).all()
    # Beside the border a pixel's surroundings are cut off; where many fall on one, more of them.
    steps = (RGB[0] / size[0] * registration.scale_x, RGB[1] / size[1] * registration.scale_y)
    margin = 1 + max(1.0, *steps)
    deep = ((y > margin) & (y < THERMAL[1] - margin))[:, None]
    deep = deep & ((x > margin) & (x < THERMAL[0] - margin))[None, :]
    apart = np.abs(values - np.add.outer(3 * y, x))[deep]
    assert apart.max(initial=0) < (0.01 if max(steps) <= 1 else 0.4)
    assert (values[~inside] == np.float32(np.median(slope(THERMAL)))).all()
    assert values.dtype == np.float32


@pytest.mark.parametrize("pixel", [(40, 30), (41, 77), (100, 64)])
@pytest.mark.parametrize(
    "registration",
    [
        Registration.fitted(RGB, THERMAL),
        Registration.fitted(RGB, THERMAL).nudged(11, -7.5, 1.13),
        Registration.placed(RGB, THERMAL, (170, 110), (260, 200)),
        Registration(0.5, 0.5, 7, -3),
    ],
)
def test_one_lit_pixel_lights_its_own_place(registration: Registration, pixel: Size) -> None:
    values = np.zeros(THERMAL[::-1], np.float32)
    values[pixel[1], pixel[0]] = 1
    laid, inside = warp(values, registration, RGB, RGB)
    x, y = registration.to_rgb((pixel[0] + 0.5, pixel[1] + 0.5))
    assert inside[int(y), int(x)]
    rows, columns = np.nonzero(laid)
    total = laid.sum()
    middle = (
        (laid * (np.arange(RGB[0]) + 0.5)).sum() / total,
        (laid * (np.arange(RGB[1]) + 0.5)[:, None]).sum() / total,
    )
    assert middle == pytest.approx((x, y), abs=0.2)
    # It reaches as far as the middles of the pixels around it, and no farther.
    assert np.abs(columns + 0.5 - x).max() <= 1 / registration.scale_x
    assert np.abs(rows + 0.5 - y).max() <= 1 / registration.scale_y
    assert total == pytest.approx(1 / registration.scale_x / registration.scale_y, rel=0.02)


def test_pixel_by_pixel_where_nothing_is_scaled() -> None:
    values = np.random.default_rng(0).normal(size=(60, 80)).astype(np.float32)
    laid, inside = warp(values, Registration(1, 1, 5, -9), (80, 60), (80, 60))
    assert (laid[9:, :75] == values[:-9, 5:]).all()
    assert inside[9:, :75].all()
    assert inside.sum() == 75 * 51
    laid, inside = warp(values, Registration(1, 1, 0, 0), (80, 60), (80, 60))
    assert (laid == values).all()
    assert inside.all()


def test_many_pixels_on_one_are_averaged() -> None:
    chequered = (np.indices((120, 160)).sum(axis=0) % 2).astype(np.float32)
    laid, _ = warp(chequered, Registration.fitted((160, 120), (160, 120)), (160, 120), (20, 15))
    assert np.abs(laid - 0.5).max() < 0.02


def test_reduced_values_lie_where_the_whole_ones_do() -> None:
    registration = Registration.placed(RGB, THERMAL, (150, 120), (250, 200))
    whole, inside = warp(slope(THERMAL), registration, RGB, (64, 48))
    halved = slope(THERMAL).reshape(64, 2, 80, 2).mean(axis=(1, 3))
    reduced, also = warp(halved, registration, RGB, (64, 48), thermal_size=THERMAL)
    assert (inside == also).all()
    assert np.abs(whole - reduced)[3:-3, 3:-3].max() < 8  # of 544; a shift of 2 pixels shows


def test_nothing_in_common() -> None:
    laid, inside = warp(slope(THERMAL), Registration(1, 1, 900, 0), RGB, (40, 30))
    assert not inside.any()
    assert np.isfinite(laid).all()


def test_mutual_information_by_hand() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 256, (2, 200, 200))
    assert mutual_information(one, one) == pytest.approx(1)
    assert mutual_information(one, 255 - one) == pytest.approx(1)
    assert 0 <= mutual_information(one, other) < 0.01
    assert mutual_information(one, np.zeros_like(one)) == pytest.approx(0)
    assert mutual_information(np.zeros((5, 5)), np.zeros((5, 5))) == 0
    # Two values each: H = log 2; shared in half of the pixels.
    left = np.array([[0, 0, 255, 255]])
    right = np.array([[0, 255, 0, 255]])
    assert mutual_information(left, right) == pytest.approx(0)
    assert mutual_information(left, right, left == right) == pytest.approx(1)
    assert mutual_information(left, right, np.zeros_like(left, dtype=bool)) == 0


def test_agreement_of_edges_by_hand() -> None:
    levels = np.asarray(things(0), dtype=np.float64)
    found = edges(levels)
    assert np.abs(found).max() <= 1 + 1e-12
    assert agreement(found, found) == pytest.approx(1)
    assert agreement(found, edges(255 - levels)) == pytest.approx(1)
    turned = edges(np.rot90(levels[:200, :200]))
    assert agreement(found[:200, :200], turned) < 0.2
    assert agreement(found, found, np.zeros(found.shape, dtype=bool)) == 0
    assert agreement(edges(np.ones((9, 9))), edges(np.ones((9, 9)))) == 0
    # A vertical edge has the doubled angle 0, a horizontal one the doubled angle of half a turn.
    upright = np.repeat([[0.0, 0, 9, 9]], 4, axis=0)
    assert edges(upright)[1, 1].real > 0.7
    assert edges(upright.T)[1, 1].real < -0.7


def things(seed: int, warm: bool = False, size: Size = (400, 300)) -> Image.Image:
    """Return a street of boxes and poles, in grey as light shows it or as warmth does."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", size, 90)
    draw = ImageDraw.Draw(image)
    shades = np.random.default_rng(seed + (1000 if warm else 0))
    for _ in range(45):
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        width, height = rng.uniform(8, 60), rng.uniform(8, 60)
        shade = int(shades.integers(0, 256))
        if rng.random() < 0.6:
            draw.rectangle((x, y, x + width, y + height), fill=shade)
        else:
            draw.ellipse((x, y, x + width, y + height), fill=shade)
    return image


def pair(seed: int, middle: Point, covers: Size, thermal_size: Size) -> tuple[Image.Image, Thermal]:
    """Return an RGB picture and a thermal one that covers a part of the same scene.

    The frame of the RGB picture is (40, 30) to (360, 270) of the scene.
    """
    rgb = things(seed).crop((40, 30, 360, 270)).convert("RGB")
    left, top = 40 + middle[0] - covers[0] / 2, 30 + middle[1] - covers[1] / 2
    box = (left, top, left + covers[0], top + covers[1])
    warm = things(seed, warm=True).resize(thermal_size, Image.Resampling.BICUBIC, box=box)
    return rgb, read_thermal(np.asarray(warm))


def error(found: Registration, true: Registration, rgb: Size, thermal: Size) -> float:
    """Return how far, on the mean over the common part, a registration is off in RGB pixels."""
    off = []
    for x in np.linspace(0, thermal[0], 5):
        for y in np.linspace(0, thermal[1], 5):
            here = true.to_rgb((x, y))
            if 0 <= here[0] <= rgb[0] and 0 <= here[1] <= rgb[1]:
                off.append(math.dist(here, found.to_rgb((x, y))))
    return float(np.mean(off))


@pytest.mark.parametrize(
    ("middle", "covers", "thermal_size"),
    [
        ((172, 112), (320, 240), (320, 240)),
        ((150, 135), (272, 204), (320, 240)),
        ((165, 118), (352, 264), (160, 120)),
        ((168, 110), (230, 184), (160, 128)),
    ],
    ids=["shifted", "enlarged", "wider", "another shape"],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_known_shift_and_zoom_is_found(
    middle: Point, covers: Size, thermal_size: Size, seed: int
) -> None:
    rgb, thermal = pair(seed, middle, covers, thermal_size)
    true = Registration.placed(rgb.size, thermal_size, middle, covers)
    found = suggest(rgb, thermal)
    assert found.confident and not found.different_scenes
    assert error(found.registration, true, rgb.size, thermal_size) < 2
    assert found.lead > CONFIDENT
    assert found.agreement_after > found.agreement_before
    assert found.information_after > found.information_before


def test_pictures_that_lie_well_are_left_alone() -> None:
    for seed in range(3):
        rgb, thermal = pair(seed, (160, 120), (320, 240), (320, 240))
        found = suggest(rgb, thermal)
        assert found.confident
        assert found.registration == Registration.fitted((320, 240), (320, 240))
        assert found.agreement_after == found.agreement_before
        assert found.information_after == found.information_before


def test_pictures_of_different_scenes_are_not_moved() -> None:
    for seed in range(3):
        rgb, _ = pair(seed, (160, 120), (320, 240), (320, 240))
        _, thermal = pair(seed + 7, (160, 120), (320, 240), (320, 240))
        found = suggest(rgb, thermal)
        assert not found.confident
        assert found.registration == Registration.fitted((320, 240), (320, 240))
    assert DIFFERENT_SCENES < CONFIDENT


def test_places_are_those_of_the_originals() -> None:
    rgb, thermal = pair(1, (172, 112), (320, 240), (320, 240))
    small = Picture(rgb, (1280, 960), "reduced", ())
    half = Thermal(thermal.values, (640, 480), "reduced")
    plain, scaled = suggest(rgb, thermal).registration, suggest(small, half).registration
    assert scaled.scale_x == pytest.approx(plain.scale_x / 2)
    assert scaled.dx == pytest.approx(plain.dx * 2)
    assert scaled.dy == pytest.approx(plain.dy * 2)
    assert suggest(read_picture(rgb), thermal).registration == plain


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (160, 9), (9, 160), (33, 20)])
def test_the_smallest_pictures_are_compared_too(size: Size) -> None:
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))
    thermal = read_thermal(rng.integers(0, 256, (11, 13), np.uint8))
    found = suggest(rgb, thermal)
    assert math.isfinite(found.lead + found.agreement_after + found.information_after)


def test_a_picture_without_edges_gives_no_suggestion() -> None:
    _, thermal = pair(0, (160, 120), (320, 240), (320, 240))
    found = suggest(Image.new("RGB", (320, 240), (90, 90, 90)), thermal)
    assert not found.confident
    assert found.registration == Registration.fitted((320, 240), (320, 240))
    assert found.information_after == pytest.approx(0)


@pytest.mark.parametrize("pack", ["rgbt_msrs", "rgbt_roadscene"])
def test_real_pairs(shared: Path, pack: str) -> None:
    """A known move of true pairs is found, and a thermal picture of another scene is told."""
    folder = shared / "data" / pack
    if not folder.is_dir():
        pytest.skip(f"no pack {pack}")
    names = sorted(json.loads((folder / "annotations.json").read_text("utf-8")))[5::60][:3]
    pairs = [
        [Image.open(folder / sense / f"{name}.jpg") for sense in ("rgb", "thermal")]
        for name in names
    ]
    for rgb, thermal in pairs:
        width, height = rgb.size
        covers = (0.8 * width, 0.8 * height)
        middle = (0.52 * width, 0.47 * height)
        box = (middle[0] - covers[0] / 2, middle[1] - covers[1] / 2)
        part = thermal.convert("L").resize(
            (320, 240), Image.Resampling.BICUBIC, box=(*box, box[0] + covers[0], box[1] + covers[1])
        )
        found = suggest(rgb, read_thermal(np.asarray(part)))
        true = Registration.placed(rgb.size, (320, 240), middle, covers)
        assert found.confident
        # The pairs themselves lie on each other to 4 pixels only.
        assert error(found.registration, true, rgb.size, (320, 240)) < 8
    different = [
        suggest(pairs[index][0], read_thermal(np.asarray(pairs[index - 1][1])))
        for index in range(len(pairs))
    ]
    assert not any(found.confident for found in different)
