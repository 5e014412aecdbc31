"""The pictures that come with the instrument: present, free to use, described, reproducible."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vizattn import examples as module
from vizattn.examples import FOLDER, Example, examples
from vizattn.texts import LANGUAGES

LICENCES = {"CC0-1.0", "public domain", "own work, CC0-1.0"}
NETWORK = re.compile(r"(classify|segment)-[a-z]+")
MOST_BYTES, MOST_BYTES_EACH = 3_000_000, 300_000

each_example = pytest.mark.parametrize("example", examples(), ids=lambda example: example.id)


def rendered() -> list[str]:
    return [e.file.removesuffix(".jpg") for e in examples() if "render.py" in e.source]


def test_there_are_enough_and_all_pictures_are_listed() -> None:
    assert len(examples()) >= 6
    pictures = {path.name for path in FOLDER.iterdir() if path.suffix in {".jpg", ".jpeg", ".png"}}
    assert pictures == {example.file for example in examples()}


def test_both_tasks_are_shown() -> None:
    assert {example.network.split("-")[0] for example in examples()} == {"classify", "segment"}


@each_example
def test_picture_is_what_the_list_says(example: Example) -> None:
    with Image.open(example.path) as picture:
        assert picture.size == (example.width, example.height)
        assert picture.mode == "RGB"
        picture.load()
    assert 640 <= max(example.width, example.height) <= 1280
    assert example.path.stat().st_size <= MOST_BYTES_EACH


def test_all_together_are_small() -> None:
    assert sum(example.path.stat().st_size for example in examples()) < MOST_BYTES


@each_example
def test_rights_are_stated(example: Example) -> None:
    assert example.licence in LICENCES
    assert example.source.strip()
    assert example.licence_url is None or example.licence_url.startswith("https://")


@each_example
def test_words_are_there_in_every_language(example: Example) -> None:
    for words in (example.title, example.note):
        assert set(words) == set(LANGUAGES)
        assert all(text.strip() for text in words.values())
        assert re.search(r"[\u4e00-\u9fff]", words["zh"])


@each_example
def test_network_and_place_make_sense(example: Example) -> None:
    assert NETWORK.fullmatch(example.network)
    if example.at is not None:
        x, y = example.at
        assert 0 <= x <= example.width
        assert 0 <= y <= example.height


def test_notes_are_one_line() -> None:
    for example in examples():
        assert all("\n" not in note and len(note) <= 120 for note in example.note.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licence": "all rights reserved"}, "licence"),
        ({"at": [10_000, 5]}, "inside the picture"),
        ({"colour": "red"}, "fields"),
        ({"title": None, "id": None}, "fields"),
    ],
)
def test_a_wrong_list_is_refused(
    change: dict[str, object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = json.loads((FOLDER / "examples.json").read_text(encoding="utf-8"))[0] | change
    if change.get("id", "") is None:
        del entry["id"]
    (tmp_path / "examples.json").write_text(json.dumps([entry]), encoding="utf-8")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=message):
        module.examples.__wrapped__()


def test_every_scene_can_be_rendered_by_its_name() -> None:
    shown = subprocess.run(
        [sys.executable, FOLDER / "render.py", "--help"], capture_output=True, text=True, check=True
    )
    assert rendered()
    # Long lines are broken, also after a hyphen.
    unbroken = "".join(shown.stdout.split())
    for name in rendered():
        assert name in unbroken


def test_a_rendered_picture_is_what_its_script_makes(tmp_path: Path) -> None:
    name = "parachute"
    assert name in rendered()
    subprocess.run([sys.executable, FOLDER / "render.py", name, "--to", tmp_path], check=True)
    with Image.open(tmp_path / f"{name}.jpg") as ours, Image.open(FOLDER / f"{name}.jpg") as stored:
        difference = np.abs(np.asarray(ours, np.int16) - np.asarray(stored, np.int16))
    # Another processor may round otherwise, which moves single pixels at edges.
    assert difference.mean() < 0.5
    assert (difference > 24).mean() < 0.002
