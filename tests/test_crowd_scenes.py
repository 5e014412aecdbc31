"""Our own crowd scenes: the same each time, true to their points, and plausible in both senses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.training.crowd_scenes import crowd_scene, main

SIZE = (320, 240)


def test_the_same_seed_makes_the_same_arrays() -> None:
    first, second, other = (crowd_scene(seed, SIZE) for seed in (4, 4, 5))
    for name in ("rgb", "thermal", "points", "heads", "boxes"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    assert not np.array_equal(first.rgb, other.rgb)


def test_a_pack_is_written(tmp_path: Path) -> None:
    assert main([str(tmp_path), "--count", "8", "--seed", "3", "--size", "160x120"]) == 0
    entries = json.loads((tmp_path / "annotations.json").read_text(encoding="utf-8"))
    assert len(entries) == 8
    assert {entry["split"] for entry in entries.values()} == {"train", "val"}
    for name, entry in entries.items():
        assert entry["count"] == len(entry["points"]) == len(entry["boxes"])
        for part, mode in (("rgb", "RGB"), ("thermal", "L")):
            with Image.open(tmp_path / part / f"{name}.jpg") as picture:
                assert (picture.size, picture.mode) == ((160, 120), mode)


@pytest.mark.parametrize(
    ("seed", "size", "people"), [(-1, SIZE, 1), (0, (20, 90), 1), (0, SIZE, -2)]
)
def test_what_makes_no_sense_is_refused(seed: int, size: tuple[int, int], people: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        crowd_scene(seed, size, people=people)
