"""The example pairs: present, small, free to use, described, true, and rendered by our own code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.training.crowd_scenes import main
from models.training.scenes import pairs as recipes
from vizattn import pairs as module
from vizattn.pairs import FOLDER, ExamplePair, pairs
from vizattn.texts import LANGUAGES

MOST_BYTES = 1_500_000

each_pair = pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.id)


def test_all_pictures_are_listed_and_together_small() -> None:
    stored = {path.name for path in FOLDER.iterdir()} - {"pairs.json"}
    assert stored == {name for pair in pairs() for name in (pair.rgb, pair.thermal) if name}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MOST_BYTES


def test_every_kind_of_pair_is_there() -> None:
    modes = {Image.open(pair.thermal_path).mode for pair in pairs() if pair.thermal_path}
    assert modes == {"L", "RGB", "I;16"}
    assert [pair.id for pair in pairs() if pair.thermal is None] == ["market-square"]
    assert [pair.id for pair in pairs() if pair.shift != (0, 0)] == ["other-lens"]
    assert max(pair.people for pair in pairs()) > 60


@each_pair
def test_picture_is_what_the_list_says(pair: ExamplePair) -> None:
    with Image.open(pair.rgb_path) as picture:
        assert (picture.size, picture.mode) == ((pair.width, pair.height), "RGB")
    if pair.thermal_path is not None:
        with Image.open(pair.thermal_path) as thermal:
            assert thermal.size == pair.thermal_size


@each_pair
def test_words_and_rights_are_there(pair: ExamplePair) -> None:
    for words in (pair.title, pair.note):
        assert set(words) == set(LANGUAGES)
        assert re.search(r"[\u4e00-\u9fff]", words["zh"])
        assert all(
            text.strip() and "\n" not in text and len(text) <= 120 for text in words.values()
        )
    assert pair.licence == "own work, CC0-1.0"


def test_the_list_says_what_the_recipes_say() -> None:
    for pair, recipe in zip(pairs(), recipes.RECIPES, strict=True):
        assert pair.id == recipe.id
        assert pair.covers == (recipe.covers if recipe.stored else None)
        assert pair.thermal_size == (recipe.size if recipe.stored else None)
        assert 0.6 * recipe.people < pair.people <= recipe.people


def warmth_at(pair: ExamplePair, aligned: tuple[float, float, float, float]) -> float:
    """Return the mean rank, 0 to 1, of what is at people's places: 0.5 where they are missed."""
    with Image.open(pair.thermal_path) as thermal:
        values = np.asarray(thermal.convert("L") if thermal.mode == "RGB" else thermal, float)
    scale_x, scale_y, dx, dy = aligned
    ranks = []
    for x, y in pair.points:
        column, row = int(x * scale_x + dx), int(y * scale_y + dy)
        if 0 <= column < values.shape[1] and 0 <= row < values.shape[0]:
            # In its own row: what is as far away has about the same ground.
            ranks.append((values[row] < values[row, column]).mean())
    assert len(ranks) >= 8
    return float(np.mean(ranks))


@pytest.mark.parametrize("name", ["night-street", "winter-square", "headlights", "other-lens"])
def test_people_are_warm_where_the_list_says(name: str) -> None:
    pair = next(pair for pair in pairs() if pair.id == name)
    assert warmth_at(pair, pair.aligned) > 0.7


def test_without_alignment_people_are_missed_by_the_other_lens() -> None:
    pair = next(pair for pair in pairs() if pair.id == "other-lens")
    as_if_equal = (pair.thermal_size[0] / 640, pair.thermal_size[1] / 480, 0.0, 0.0)
    assert warmth_at(pair, pair.aligned) > warmth_at(pair, as_if_equal) + 0.15


def test_on_the_hot_path_people_are_no_warmer_than_the_ground() -> None:
    pair = next(pair for pair in pairs() if pair.id == "hot-path")
    assert warmth_at(pair, pair.aligned) < 0.75


def test_true_alignment_maps_corners_to_corners() -> None:
    for pair in pairs():
        if pair.aligned is None:
            continue
        scale_x, scale_y, dx, dy = pair.aligned
        left, top, right, bottom = pair.covers
        assert (left * scale_x + dx, top * scale_y + dy) == pytest.approx((0, 0))
        corner = (right * scale_x + dx, bottom * scale_y + dy)
        assert corner == pytest.approx(pair.thermal_size)


def test_sixteen_bits_are_plausible_temperatures() -> None:
    with Image.open(FOLDER / "headlights-thermal.png") as thermal:
        celsius = np.asarray(thermal).astype(float) / 100 - 273.15
    assert -60 < celsius.min() < 10 and 15 < celsius.max() < 80


def test_a_pair_is_what_its_recipe_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recipes, "RECIPES", recipes.RECIPES[:1])
    assert main([str(tmp_path), "--examples"]) == 0
    assert capsys.readouterr().out.strip().endswith("pairs.json")
    (entry,) = json.loads((tmp_path / "pairs.json").read_text(encoding="utf-8"))
    stored = json.loads((FOLDER / "pairs.json").read_text(encoding="utf-8"))[0]
    assert {**entry, "points": None, "heads": None} == {**stored, "points": None, "heads": None}
    assert np.abs(np.subtract(entry["points"], stored["points"])).max() <= 2
    for name in (stored["rgb"], stored["thermal"]):
        with Image.open(tmp_path / name) as ours, Image.open(FOLDER / name) as theirs:
            difference = np.abs(np.asarray(ours, np.int32) - np.asarray(theirs, np.int32))
        # Another processor may round otherwise, which moves single pixels at edges.
        assert difference.mean() < 0.5
        assert (difference > 24).mean() < 0.002


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licence": "all rights reserved"}, "licence"),
        ({"people": 3}, "points and heads"),
        ({"width": 20}, "inside the picture"),
        ({"covers": None}, "its size and view"),
        ({"colour": "red"}, "fields"),
    ],
)
def test_a_wrong_list_is_refused(
    change: dict[str, object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = json.loads((FOLDER / "pairs.json").read_text(encoding="utf-8"))[0] | change
    (tmp_path / "pairs.json").write_text(json.dumps([entry]), encoding="utf-8")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=message):
        module.pairs.__wrapped__()


def test_lists_that_are_none_or_name_one_pair_twice_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = json.loads((FOLDER / "pairs.json").read_text(encoding="utf-8"))[0]
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    for entries, message in (({}, "list of pairs"), ([entry, entry], "once")):
        (tmp_path / "pairs.json").write_text(json.dumps(entries), encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            module.pairs.__wrapped__()
