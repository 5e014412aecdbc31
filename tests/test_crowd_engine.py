"""Counting in a pair: the count and where it is, rows between senses, changes and refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.affinity import Factors
from models.counting.measure import Shown, density_of
from models.hosts.crowd import CrowdCounter
from models.packs import read_counting
from models.preprocessing import thermal_input, thermal_levels
from tests.crowd_for_tests import (
    SIZE,
    THERMAL_SIZE,
    analysis,
    network,
    rgb_picture,
    thermal_picture,
    thermal_values,
)
from tests.networks_for_tests import small_network
from vizattn.analysis import OtherTask, OutsidePicture, UnknownSite, look
from vizattn.attention import ModalityGate, PlaceAffinity
from vizattn.crowd.analysis import CrowdAnalysis, asked_sense, counter, look_at, look_pair, stage_of
from vizattn.crowd.changes import AS_IT_IS, Changes
from vizattn.crowd.pair import NoPair, Pair, read_pair
from vizattn.crowd.peaks import peaks_of
from vizattn.geometry import Framing, Grid
from vizattn.registration import Registration
from vizattn.texts import LANGUAGES

AT = (210.0, 140.0)


def pair() -> Pair:
    return analysis().pair


# The count and where it is.


def test_the_count_is_the_sum_of_what_the_network_returns() -> None:
    seen = analysis()
    _, rgb, thermal = pair().to_network(network())
    with torch.inference_mode():
        density = network().module(rgb, thermal)
    assert seen.count == pytest.approx(density.double().sum().item(), rel=1e-6)
    assert seen.density.shape == (11, 16) == (seen.grid.rows, seen.grid.columns)
    assert seen.framing.input == (128, 85)
    assert seen.senses == ("rgb", "thermal")
    assert seen.points == "bodies"


@pytest.mark.parametrize("size", [(4, 4), (1, 1), (37, 5), SIZE, (600, 400)])
def test_a_resized_density_has_the_same_sum_everywhere(size: tuple[int, int]) -> None:
    seen = analysis()
    resized = seen.density_at(size)
    assert resized.shape == size[::-1]
    assert resized.sum() == pytest.approx(seen.count, abs=1e-4)
    left = [(0.0, 0.0), (SIZE[0] / 2, 0.0), (SIZE[0] / 2, SIZE[1]), (0.0, SIZE[1])]
    if size[0] % 2 == 0:
        half = resized[:, : size[0] // 2].sum()
        assert half == pytest.approx(seen.count_in(left), abs=1e-4)


def test_regions_add_up_and_are_what_polygons_hold() -> None:
    seen = analysis()
    regions = seen.regions(3, 5)
    assert regions.sum() == pytest.approx(seen.count, abs=1e-4)
    width, height = SIZE[0] / 5, SIZE[1] / 3
    for row in range(3):
        for column in range(5):
            left, top = column * width, row * height
            corners = [(left, top), (left + width, top), (left + width, top + height)]
            held = seen.count_in([*corners, (left, top + height)])
            assert held == pytest.approx(regions[row, column], abs=1e-4)


@pytest.mark.parametrize("size", [(0, 3), (3, -1)])
def test_parts_that_are_none_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        analysis().regions(*size)


# Peaks


def people(*places: tuple[int, int], shape: tuple[int, int] = (24, 32)) -> np.ndarray:
    """Return a density with one blurred person at each (row, column)."""
    density = np.zeros(shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for row, column in places:
        blob = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 0.8)
        density += blob / blob.sum()
    return density


FRAMING = Framing((512, 384), (256, 192), (0, 0), (256, 192))
GRID = Grid(24, 32, (8, 8))


def test_each_person_has_a_peak_at_their_place() -> None:
    places = [(3, 4), (3, 9), (12, 20), (20, 30), (23, 0)]
    found = peaks_of(people(*places), GRID, FRAMING, limit=len(places))
    assert len(found) == len(places)
    for row, column in places:
        x, y = (column + 0.5) * 16, (row + 0.5) * 16
        assert min(np.hypot(peak.x - x, peak.y - y) for peak in found) < 8  # half a cell
    assert all(0.1 < peak.share <= 0.2 + 1e-9 for peak in found)


def test_there_are_no_more_peaks_than_asked_for_and_the_highest_come_first() -> None:
    density = people((5, 5)) + 0.5 * people((15, 15)) + 0.25 * people((20, 28))
    found = peaks_of(density, GRID, FRAMING, limit=2)
    assert len(found) == 2
    assert found[0].share > found[1].share
    assert (found[0].x, found[0].y) == (pytest.approx(88, abs=1), pytest.approx(88, abs=1))
    assert peaks_of(density, GRID, FRAMING, limit=0) == []


def test_an_empty_or_even_density_has_no_crowd_of_peaks() -> None:
    assert peaks_of(np.zeros((24, 32)), GRID, FRAMING, limit=9) == []
    even = peaks_of(np.full((24, 32), 0.5), GRID, FRAMING, limit=384)
    assert len(even) < 24 * 32 / 4 + 24 + 32


def test_peaks_of_an_analysis_lie_on_the_frame_and_are_as_many_as_people() -> None:
    seen = analysis()
    found = seen.peaks()
    assert 0 < len(found) <= round(seen.count)
    assert all(seen.framing.contains((peak.x, peak.y)) for peak in found)
    assert seen.peaks(limit=1) == found[:1]
    assert len(seen.peaks(limit=10**6)) == len(found)


# Sites


def test_every_stage_has_two_rows_and_a_gate_and_every_check_passes() -> None:
    seen = analysis()
    found = {stage_of(each.site) for each in seen.sites}
    names = ("rgb_context", "thermal_context", "gate")
    assert found == {(stage, name) for stage in range(5) for name in names}
    assert all(each.passed for each in seen.sites)
    assert seen["stages.3.fuse.gate"] is seen.at_stage(3, "gate")
    assert isinstance(seen.site(), PlaceAffinity)
    with pytest.raises(UnknownSite, match="nothing"):
        seen["nothing"]
    with pytest.raises(UnknownSite):
        seen["gate.of"]


def test_rows_lie_over_the_sense_that_is_asked() -> None:
    """RGB asks thermal where the thermal map gives the keys, and the other way round."""
    assert asked_sense("stages.0.fuse.rgb_context") == "rgb"
    assert asked_sense("stages.0.fuse.thermal_context") == "thermal"
    assert asked_sense("stages.0.fuse.gate") is None
    dimmed = look_at(pair(), network(), Changes(light=0.3))
    for name, same, other in (
        ("stages.0.fuse.thermal_context", "key", "query"),
        ("stages.0.fuse.rgb_context", "query", "key"),
    ):
        before, after = (factors_of(each, name) for each in (analysis(), dimmed))
        # Less light changes what RGB asks with and what it has to offer, and nothing of thermal.
        assert torch.equal(getattr(before, same), getattr(after, same))
        assert not torch.equal(getattr(before, other), getattr(after, other))


def factors_of(seen: CrowdAnalysis, site: str) -> Factors:
    found = seen[site]
    assert isinstance(found, PlaceAffinity)
    factors = found.rows.factors()
    assert factors is not None
    return factors


def test_a_place_asks_with_its_cells_token() -> None:
    seen = analysis()
    site = seen["stages.1.fuse.thermal_context"]
    assert isinstance(site, PlaceAffinity)
    x, y = seen.framing.to_model(AT)
    cell = int(y // 4) * site.query_grid.columns + int(x // 4)
    assert seen.query_at(AT, site.site) == cell
    assert np.array_equal(seen.row(AT, site.site), site.row_of(cell))
    with pytest.raises(OutsidePicture, match="300 × 200"):
        seen.row((300, 10), site.site)
    with pytest.raises(OutsidePicture, match="gate"):
        seen.row(AT, "stages.1.fuse.gate")


def test_trust_is_the_gates_mean_over_the_picture_without_the_padding() -> None:
    seen = analysis()
    gate = seen.at_stage(3, "gate")
    assert isinstance(gate, ModalityGate)
    # 128 x 85 pixels in cells of 16: 5 whole lines of cells and 5 / 16 of the sixth.
    lines = gate.values.mean(axis=2)
    expected = (lines[:, :5].sum(axis=1) + lines[:, 5] * 5 / 16) / (5 + 5 / 16)
    np.testing.assert_allclose(seen.trusts()[3], expected, atol=1e-6)
    np.testing.assert_allclose(seen.trusts().sum(axis=1), 1, atol=1e-6)


# One sense


def test_one_sense_alone_is_counted_and_said() -> None:
    by_rgb = look_pair(rgb_picture(), None, network())
    by_heat = look_pair(None, thermal_picture(), network())
    assert (by_rgb.senses, by_heat.senses) == (("rgb",), ("thermal",))
    assert by_rgb.sites == by_heat.sites == ()
    assert by_rgb.framing.original == SIZE
    assert by_heat.framing.original == THERMAL_SIZE
    assert len({round(each.count, 3) for each in (by_rgb, by_heat, analysis())}) == 3
    assert np.isnan(by_rgb.trusts()).all()
    with pytest.raises(UnknownSite, match="no attention"):
        by_rgb.site()


def test_a_pair_needs_something_to_look_at() -> None:
    with pytest.raises(NoPair, match="Neither"):
        look_pair(None, None, network())
    with pytest.raises(ValueError, match="registration"):
        Pair(pair().rgb, pair().thermal)
    with pytest.raises(ValueError, match="'auto'"):
        read_pair(rgb_picture(), thermal_picture(), "best")


# What the network is given


def test_the_network_is_given_both_pictures_on_one_frame() -> None:
    framing, rgb, thermal = pair().to_network(network())
    assert rgb is not None
    assert thermal is not None
    assert rgb.shape == thermal.shape == (1, 3, 85, 128)
    assert framing.original == SIZE
    expected = np.asarray(framing.apply(rgb_picture())) / 255
    mean, std = (np.array(v) for v in (network().preprocessing.mean, network().preprocessing.std))
    np.testing.assert_allclose(rgb[0].permute(1, 2, 0).numpy(), (expected - mean) / std, atol=1e-4)
    assert (thermal[:, :1] == thermal).all()
    # Warm people are warm where they stand, (x, y) of the thermal picture.
    hottest = np.unravel_index(thermal[0, 0].numpy().argmax(), (85, 128))
    places = [
        (row / 100 * 85, column / 150 * 128) for column, row in ((30, 40), (75, 60), (120, 30))
    ]
    assert min(np.hypot(hottest[0] - row, hottest[1] - column) for row, column in places) < 8


def test_a_pair_of_the_networks_own_size_is_given_pixel_by_pixel() -> None:
    values = thermal_values((128, 96))
    seen = read_pair(rgb_picture((128, 96)), values)
    _, _, thermal = seen.to_network(network())
    expected = thermal_input(thermal_levels(torch.from_numpy(values)[None, None].float()))
    half_a_level = 0.5 * 4 / 255 + 1e-6
    torch.testing.assert_close(thermal, expected.contiguous(), atol=half_a_level, rtol=0)


def test_a_shift_moves_the_thermal_picture_right_and_down_in_rgb_pixels() -> None:
    values = thermal_values((128, 96))
    seen = read_pair(rgb_picture((256, 192)), values)
    _, _, still = seen.to_network(network())
    _, _, moved = seen.to_network(network(), Changes(shift=(20.0, -8.0)))
    assert still is not None
    assert moved is not None
    torch.testing.assert_close(moved[:, :, :-4, 10:], still[:, :, 4:, :-10], atol=1e-4, rtol=0)
    # Nothing is known where the thermal picture no longer reaches: neither warm nor cold.
    assert (moved[:, :, :, :10] == 0).all()
    assert (moved[:, :, -4:] == 0).all()


def test_two_pictures_are_remarked_on_together() -> None:
    keys = {note.key for note in read_pair(rgb_picture(), thermal_picture()).notes}
    assert keys <= {"crowd_engine.different"}
    grey = rgb_picture().convert("L")
    alone = read_pair(grey)
    assert [note.key for note in alone.notes] == ["thermal.note_grey_rgb"]
    taken = read_pair(thermal_picture(), rgb_picture((150, 100)))
    assert "crowd_engine.swapped" in {note.key for note in taken.notes}
    assert alone.all_notes[-1] == alone.notes[0]
    for note in (*taken.all_notes, *alone.all_notes):
        assert all(note.sentence(language) for language in LANGUAGES)


def test_pictures_of_different_scenes_are_remarked_on(shared: Path) -> None:
    first, second, *_ = read_counting(shared / "data" / "rgbt_roadscene", "val")
    assert read_pair(first.image, first.thermal).notes == ()
    keys = [note.key for note in read_pair(first.image, second.thermal).notes]
    assert keys == ["crowd_engine.different"]


def test_a_thermal_picture_is_laid_where_it_belongs(shared: Path) -> None:
    entry = read_counting(shared / "data" / "rgbt_roadscene", "val")[0]
    with Image.open(entry.image) as image:
        width, height = image.size
        wider = Image.new("RGB", (width + 40, height), (128, 128, 128))
        wider.paste(image, (40, 0))
    assert entry.thermal is not None
    found = read_pair(wider, entry.thermal, "auto")
    assert found.notes[0].key == "crowd_engine.registered"
    x, y = found.laid.to_thermal((40 + width / 2, height / 2))
    assert (x, y) == (pytest.approx(width / 2, abs=4), pytest.approx(height / 2, abs=4))
    assert found.registered(found.laid.nudged(3, 0)).notes == found.notes[1:]
    # Whoever says where it lies is not contradicted.
    given = read_pair(wider, entry.thermal, found.laid.nudged(9, 9))
    assert given.laid == found.laid.nudged(9, 9)
    assert given.notes == ()


def test_a_shift_needs_both_pictures() -> None:
    with pytest.raises(NoPair, match="both"):
        look_pair(rgb_picture(), None, network(), changes=Changes(shift=(3, 0)))


def test_another_registration_lays_the_thermal_picture_elsewhere() -> None:
    laid = pair().laid
    other = replace(laid, dx=laid.dx + 10)
    seen = look_pair(rgb_picture(), thermal_picture(), network(), registration=other)
    shifted = look_at(pair(), network(), Changes(shift=(-20.0, 0.0)))
    assert seen.count == pytest.approx(shifted.count, rel=1e-5)
    assert pair().registered(other).laid == other


def test_light_blank_and_noise_do_what_they_say() -> None:
    levels = np.full((4, 5, 3), 100, dtype=np.float32)
    heat = levels[..., 0]
    assert (Changes(light=0.5).rgb(levels) == 50).all()
    assert (Changes(light=2).rgb(2 * levels) == 255).all()
    assert (Changes(light=0.5).thermal(heat) == 100).all()
    assert (Changes(blank="rgb").rgb(levels) == 0).all()
    assert (Changes(blank="rgb").thermal(heat) == 100).all()
    assert (Changes(blank="thermal").thermal(heat) == 0).all()
    wide = np.full((300, 300, 3), 100, dtype=np.float32)
    noisy = Changes(noise=("rgb", 20.0)).rgb(wide)
    assert noisy.std() == pytest.approx(20, rel=0.02)
    assert noisy.mean() == pytest.approx(100, abs=0.5)
    assert np.array_equal(noisy, Changes(noise=("rgb", 20.0)).rgb(wide))
    assert (Changes(noise=("rgb", 20.0)).thermal(heat) == 100).all()
    assert AS_IT_IS.rgb(levels) is levels


@pytest.mark.parametrize(
    "wrong",
    [
        {"light": 2.1},
        {"light": -0.1},
        {"light": float("nan")},
        {"shift": (float("nan"), 0)},
        {"blank": "depth"},
        {"noise": ("depth", 3.0)},
        {"noise": ("rgb", -3.0)},
        {"noise": ("rgb", 256.0)},
        {"off": frozenset({5})},
        {"off": frozenset({-1})},
    ],
    ids=str,
)
def test_changes_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Changes(**wrong)  # type: ignore[arg-type]


def test_a_stage_that_is_switched_off_does_not_fire_and_is_on_again_afterwards() -> None:
    seen = look_at(pair(), network(), Changes(off=frozenset({1, 4})))
    assert {stage_of(each.site)[0] for each in seen.sites} == {0, 2, 3}  # type: ignore[index]
    assert np.isnan(seen.trusts()[[1, 4]]).all()
    assert np.isfinite(seen.trusts()[[0, 2, 3]]).all()
    assert seen.count != pytest.approx(analysis().count)
    assert look_at(pair(), network()).count == pytest.approx(analysis().count, rel=1e-6)
    module = network().module
    assert isinstance(module, CrowdCounter)
    with module.fusion_off(frozenset({1, 4})), torch.inference_mode():
        _, rgb, thermal = pair().to_network(network())
        expected = module(rgb, thermal).double().sum().item()
    assert seen.count == pytest.approx(expected, rel=1e-6)


# Other networks


def test_a_counter_is_not_asked_for_classes_and_others_not_for_people() -> None:
    with pytest.raises(OtherTask, match=r"vizattn\.count"):
        look(rgb_picture(), network())
    with pytest.raises(OtherTask, match="does not count"):
        counter(small_network("segment", "nonlocal"))
    with pytest.raises(OtherTask, match="does not count"):
        look_pair(rgb_picture(), None, small_network("classify", "se"))


def test_a_counter_of_plain_addition_counts_and_has_nothing_to_show() -> None:
    plain = small_network("count", None)
    seen = look_pair(rgb_picture(), thermal_picture(), plain)
    assert seen.count > 0
    assert seen.sites == ()
    assert look_at(seen.pair, plain, Changes(off=frozenset({0}))).count == pytest.approx(seen.count)


# Grounds


def test_maps_over_thermal_are_drawn_on_the_thermal_picture_in_the_frame() -> None:
    ground = pair().ground("thermal")
    assert ground.original_size == SIZE
    grey = np.asarray(ground.rgb.convert("L"), dtype=float)
    assert grey.shape == (200, 300)
    assert grey[120, 150] > 200
    assert np.median(grey) < 120
    assert pair().ground("rgb") is pair().rgb
    alone = read_pair(None, thermal_picture())
    assert alone.ground("rgb").original_size == THERMAL_SIZE
    assert read_pair(rgb_picture()).ground("thermal").size == SIZE


def test_a_large_pair_is_drawn_at_working_size_and_counted_in_full_coordinates() -> None:
    large = Image.new("RGB", (1600, 1200), (90, 100, 110))
    small = read_pair(large, thermal_picture(), working_pixels=20_000)
    seen = look_at(small, network())
    assert seen.framing.original == (1600, 1200)
    assert seen.count_in([(0, 0), (1600, 0), (1600, 1200), (0, 1200)]) == pytest.approx(
        seen.count, abs=1e-4
    )


def test_the_levels_that_do_not_change_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = read_pair(rgb_picture(), thermal_picture())
    first = seen.to_network(network(), Changes(light=0.5))
    monkeypatch.setattr(Framing, "apply", lambda *_: pytest.fail("scaled again"))
    again = seen.to_network(network(), Changes(light=0.5))
    assert first[1] is not None
    assert again[1] is not None
    assert torch.equal(first[1], again[1])


def test_registrations_are_of_the_whole_view_by_default() -> None:
    assert pair().laid == Registration.fitted(SIZE, THERMAL_SIZE)


def test_a_pair_of_a_pack_is_counted_as_it_is_measured(shared: Path) -> None:
    """What a person sees is what the card's errors were measured with, but for rounding."""
    for entry in read_counting(shared / "data" / "rgbt_msrs", "val")[:3]:
        measured, _ = density_of(network().module, network().preprocessing, entry, Shown())
        seen = look_pair(entry.image, entry.thermal, network())
        assert seen.density.shape == tuple(measured.shape)
        assert seen.count == pytest.approx(measured.sum().item(), rel=0.05)
