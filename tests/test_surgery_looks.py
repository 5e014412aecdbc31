"""Looks with changed attention: predictions before and after, in Python and on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from models.mechanism import AttentionBlock, blocks_of
from tests.networks_for_tests import scene, small_network, write_network
from tests.test_passes import hooks
from vizattn.__main__ import main
from vizattn.analysis import Analysis, Segmentation, UnknownSite, look, prepare
from vizattn.attention import PlaceAffinity, SpatialGate
from vizattn.geometry import Framing, Grid
from vizattn.networks import Library, Network
from vizattn.passes import lock_of
from vizattn.seen import Seen
from vizattn.surgery.difference import Difference
from vizattn.surgery.operating import operate
from vizattn.surgery.operations import Off, Paint, Uniform
from vizattn.surgery.painting import Stroke, drawn, on_cells
from vizattn.surgery.sites import CannotChange

SIZE = (150, 110)


@cache
def network(task: str, mechanism: str) -> Network:
    return small_network(task, mechanism)


@cache
def before(task: str, mechanism: str) -> Analysis:
    return look(scene(*SIZE), network(task, mechanism))


def without(network: Network, sites: list[str]) -> AttentionBlock | None:
    """Return a network of its own in which some blocks are not there."""
    other = small_network("classify", str(network.card.mechanism)).module
    for site in sites:
        parent, _, name = site.rpartition(".")
        setattr(other.get_submodule(parent), name, torch.nn.Identity())
    return other  # type: ignore[return-value]


@pytest.mark.parametrize("mechanism", ["se", "cbam"])
def test_gates_switched_off_are_a_host_without_them(mechanism: str) -> None:
    subject, seen = network("classify", mechanism), before("classify", mechanism)
    sites = [each.site for each in seen.sites]
    after = operate(subject, seen.picture, dict.fromkeys(sites, Off()))
    bare = without(subject, list(blocks_of(subject.module)))
    batch = prepare(subject, [seen.picture], [seen.framing])
    with torch.inference_mode():
        expected = bare(batch)[0].softmax(dim=0).numpy()  # type: ignore[misc]
    np.testing.assert_allclose(after.prediction.probabilities, expected, atol=1e-5)
    assert np.abs(expected - seen.prediction.probabilities).max() > 1e-4
    assert hooks(subject.module) == 0


def test_the_network_is_its_own_meanwhile_and_as_before_afterwards() -> None:
    subject, seen = network("segment", "nonlocal"), before("segment", "nonlocal")
    locked: list[bool] = []

    class Watching(Uniform):
        def affinity(self, value: object, site: object) -> object:  # type: ignore[override]
            locked.append(lock_of(subject.module).locked())
            return super().affinity(value, site)  # type: ignore[arg-type]

    (site,) = (each.site for each in seen.sites)
    changed = operate(subject, seen.picture, {site: Watching()})
    assert locked == [True]
    again = look(seen.picture, subject)
    assert (again.prediction.mask == seen.prediction.mask).all()
    assert (changed.prediction.probability != seen.prediction.probability).any()
    row = changed.row((40, 40), site)
    np.testing.assert_allclose(row, 1 / row.size, rtol=1e-4)
    assert all(check.passed for check in changed[site].checks)


@pytest.mark.parametrize("site", ["nowhere", "context#2"])
def test_unknown_sites_leave_nothing_behind(site: str) -> None:
    subject, seen = network("segment", "nonlocal"), before("segment", "nonlocal")
    with pytest.raises(UnknownSite, match="context"):
        operate(subject, seen.picture, {site: "uniform"})
    assert hooks(subject.module) == 0
    assert not lock_of(subject.module).locked()


# What a difference says.


def test_a_difference_counts_pixels_and_classes() -> None:
    seen = Seen(before("segment", "danet"))
    (site, *_) = (each.site for each in seen.sites if isinstance(each, PlaceAffinity))
    after = seen.with_changes({site: "shuffle"})
    found = seen.difference(after)
    old, new = seen.prediction, after.prediction
    assert isinstance(old, Segmentation)
    assert isinstance(new, Segmentation)
    where = found.where()
    assert where is not None
    assert (where == (old.mask != new.mask)).all()
    assert found.changed() == pytest.approx(np.mean(old.mask != new.mask))
    assert 0 < found.changed() < 1
    names = {shift.name: shift for shift in found.shifts()}
    assert {name: shift.before for name, shift in names.items() if shift.before} == old.shares()
    assert {name: shift.after for name, shift in names.items() if shift.after} == new.shares()
    facts = found.facts()
    assert json.loads(json.dumps(facts)) == facts


def test_a_classifiers_difference_is_half_of_what_moved() -> None:
    seen = Seen(before("classify", "cbam"))
    site = seen.sites[0].site
    found = seen.difference(seen.with_changes({site: Uniform()}))
    old = seen.prediction.probabilities  # type: ignore[union-attr]
    new = found.after.prediction.probabilities  # type: ignore[union-attr]
    assert found.where() is None
    assert found.changed() == pytest.approx(np.abs(new - old).sum() / 2, rel=1e-4)


def test_attention_moves_where_it_was_changed_and_after_it_only() -> None:
    seen = before("classify", "se")
    sites = [each.site for each in seen.sites]
    middle = len(sites) // 2
    after = operate(seen.network, seen.picture, {sites[middle]: "off"})
    moved = {each.site: each.share for each in Difference(seen, after).attention()}
    assert list(moved) == sites
    assert all(moved[site] == 0 for site in sites[:middle])
    assert all(0 < moved[site] <= 1 for site in sites[middle:])


def test_rows_that_share_nothing_have_moved_entirely() -> None:
    seen = before("segment", "nonlocal")
    (site,) = (each.site for each in seen.sites)
    off = operate(seen.network, seen.picture, {site: "off"})
    no_self = operate(seen.network, seen.picture, {site: "no-self"})
    (moved,) = Difference(off, no_self).attention()
    assert moved.share == pytest.approx(1, abs=1e-6)


def test_looks_of_other_networks_are_not_compared() -> None:
    with pytest.raises(ValueError, match="one network"):
        Difference(before("segment", "nonlocal"), before("segment", "danet"))


# Painting.


def test_strokes_are_where_they_were_drawn() -> None:
    strokes = [
        Stroke(((20.0, 20.0), (60.0, 20.0)), 10.0, 0.5),
        Stroke(((40.0, 20.0),), 4.0, None),
        Stroke(((20.0, 20.0),), 3.0, 1.0),
    ]
    mask = drawn(strokes, (100, 50))
    assert mask.shape == (50, 100)
    assert mask[20, 50] == 0.5
    assert mask[11:30, 50].tolist() == [0.5] * 19
    assert np.isnan(mask[20, 40])
    assert mask[20, 20] == 1.0
    assert np.isnan(mask[[5, 35, 20], [50, 50, 75]]).all()


def test_a_large_picture_is_drawn_smaller_and_means_the_same() -> None:
    strokes = [Stroke(((2000.0, 1000.0),), 500.0, 0.0)]
    mask = drawn(strokes, (4000, 3000))
    assert max(mask.shape) == 1024
    assert mask[256, 512] == 0
    assert np.isnan(mask[256, 380])
    assert np.nansum(mask == 0) == pytest.approx(np.pi * (500 * 1024 / 4000) ** 2, rel=0.03)


def test_cells_are_painted_as_far_as_they_are_covered() -> None:
    # Portrait between bars: 40 x 80 model pixels inside 80 x 80, cells of 16.
    framing = Framing.letterbox((200, 400), (80, 80))
    grid = Grid(5, 5, (16.0, 16.0))
    mask = np.full((400, 200), np.nan)
    mask[:80] = 0.75
    share, value = on_cells(mask, grid, framing)
    # The first row of cells is covered wherever it is picture; columns 0 and 4 are mostly bars.
    assert share[0].tolist() == [0, 1, 1, 1, 0]
    assert (share[1:] == 0).all()
    assert (value[0, 1:4] == 0.75).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": ()},
        {"points": ((float("nan"), 1.0),)},
        {"radius": 0.0},
        {"radius": float("inf")},
        {"value": 1.1},
        {"value": -0.1},
    ],
)
def test_strokes_that_cannot_be_drawn_are_refused(wrong: dict[str, object]) -> None:
    usual = {"points": ((1.0, 1.0),), "radius": 5.0, "value": 0.0}
    with pytest.raises(ValueError, match="expected"):
        Stroke(**(usual | wrong))  # type: ignore[arg-type]


def test_paint_reaches_the_cells_under_it_and_no_others() -> None:
    seen = before("classify", "cbam")
    gate = next(each for each in seen.sites if isinstance(each, SpatialGate))
    cell = len(gate.grid) // 2 + gate.grid.columns // 2
    left, top, right, bottom = seen.framing.box_to_original(gate.grid.box(cell))
    mask = np.full((SIZE[1] * 4, SIZE[0] * 4), np.nan, np.float32)
    mask[round(top * 4) : round(bottom * 4), round(left * 4) : round(right * 4)] = 0
    after = operate(seen.network, seen.picture, {gate.site: Paint(mask)})[gate.site]
    assert isinstance(after, SpatialGate)
    row, column = divmod(cell, gate.grid.columns)
    assert after.values[row, column] == pytest.approx(0, abs=0.02)
    far = np.ones_like(gate.values, dtype=bool)
    far[row - 1 : row + 2, column - 1 : column + 2] = False
    assert (after.values[far] == gate.values[far]).all()
    with pytest.raises(CannotChange):
        operate(seen.network, seen.picture, {seen.sites[0].site: Paint(mask)})


# The command line.


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("weights")
    for task, mechanism in (("classify", "se"), ("segment", "danet"), ("count", "csca")):
        write_network(network(task, mechanism), folder)
    path = folder / "photo.png"
    scene(*SIZE).save(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIZATTN_WEIGHTS", str(folder))
        yield path


def show(photo: Path, out: Path, *more: str, model: str = "segment-danet") -> int:
    return main(["show", str(photo), "--model", model, "--out", str(out), *more])


def test_show_writes_both_and_says_what_changed(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = look(photo, Library("cpu").network("segment-danet"))
    position, channel = (each.site for each in seen.sites if each.part_of is None)
    change = ("--change", f"{position}=local:3", "--change", f"{channel}=top:2")
    assert show(photo, tmp_path, *change) == 0
    said = capsys.readouterr().out
    facts = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    found = facts["change"]
    assert found["sites"] == {position: "local:3", channel: "top:2"}
    assert f"{found['changed']:.1%} of the prediction changed" in said
    expected = operate(seen.network, seen.picture, found["sites"])
    assert {n: each["after"] for n, each in found["classes"].items() if each["after"]} == {
        name: pytest.approx(share) for name, share in expected.prediction.shares().items()
    }
    assert found["attention"].keys() == {position, channel}
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"changed-{name}" for name in names if not name.startswith("changed-")} - names == {
        "changed-summary.json"
    }
    own, changed = (np.load(tmp_path / f"{n}attention.npz") for n in ("", "changed-"))
    assert own.files == changed.files
    assert any(not np.array_equal(own[name], changed[name]) for name in own.files)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("context", "write SITE=CHANGE"),
        ("context=of", "no change called"),
        ("context=top:0", 'write "top:K"'),
        ("nowhere=off", "nowhere"),
    ],
)
def test_wrong_changes_are_one_sentence(
    photo: Path, tmp_path: Path, change: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(photo, tmp_path / "out", "--change", change) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert says in line
    assert not (tmp_path / "out").exists()


def test_a_counter_has_its_own_laboratory(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(photo, tmp_path / "out", "--change", "a=off", model="count-csca") == 2
    assert "laboratory" in capsys.readouterr().err
