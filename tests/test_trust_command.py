"""Class maps and trials on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.networks_for_tests import scene, small_network, write_network
from vizattn.__main__ import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module", autouse=True)
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("weights")
    write_network(small_network("classify", None), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIZATTN_WEIGHTS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pictures") / "photo.png"
    scene(90, 70).save(path)
    return str(path)


def test_show_makes_a_class_map_of_a_network_without_attention(
    photo: str, tmp_path: Path, capsys: Captured
) -> None:
    given = ["--model", "classify-plain", "--cam", "hirescam", "--class", "church"]
    assert main(["show", photo, *given, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "cam.hirescam:4" in said and "completeness ok" in said and "HiResCAM" in said
    arrays = np.load(tmp_path / "attention.npz")
    assert arrays["cam.hirescam:4/values"].min() >= 0
    assert (tmp_path / "cam.hirescam-4.png").is_file()


def test_trust_says_what_a_map_is_worth(photo: str, capsys: Captured) -> None:
    given = [photo, "--model", "classify-plain", "--cam", "gradcam", "--seeds", "1", "--steps", "2"]
    assert main(["trust", *given, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["site"] == "cam.gradcam" and facts["network"] == "classify-plain"
    assert set(facts["tests"]) == {"deletion", "insertion", "road", "drop"}
    assert len(facts["randomisation"]["shares"]) == 4
    assert main(["trust", *given, "--no-randomisation", "--language", "zh"]) == 0
    lines = capsys.readouterr().out
    assert "删除" in lines and "ROAD" in lines


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ([], "make a class map first"),
        (["--cam", "campfire"], "Choose one of gradcam"),
        (["--cam", "gradcam", "--class", "dragon"], "no class dragon"),
        (["--cam", "gradcam", "--layer", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_tried_is_refused(
    photo: str, more: list[str], reason: str, capsys: Captured
) -> None:
    assert main(["trust", photo, "--model", "classify-plain", *more]) == 2
    said = capsys.readouterr()
    assert said.out == "" and reason in said.err and len(said.err.splitlines()) == 1


def test_a_number_of_seeds_is_a_number(photo: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["trust", photo, "--model", "classify-plain", "--seeds", "none"])
    assert left.value.code == 2
