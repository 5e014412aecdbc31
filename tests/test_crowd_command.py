"""``show`` with a network that counts: what it prints and writes, and how it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.crowd_for_tests import SIZE, THERMAL_SIZE, rgb_picture, thermal_picture
from tests.networks_for_tests import bundling, small_network, write_network, write_networks
from vizattn.__main__ import main
from vizattn.crowd.analysis import look_pair
from vizattn.export import ARRAYS, SUMMARY
from vizattn.intake import read_picture
from vizattn.intake.thermal import read_thermal
from vizattn.networks import Library
from vizattn.registration import Registration, suggest

NAME = "csca-small"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module", autouse=True)
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of small untrained networks in place of the bundled ones."""
    folder = tmp_path_factory.mktemp("weights")
    write_network(small_network("count", "csca", name=NAME), folder)
    with bundling(write_networks(folder, ("segment", "nonlocal"))):
        yield folder


@pytest.fixture(scope="module")
def rgb(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pictures") / "street.png"
    rgb_picture().save(path)
    return str(path)


@pytest.fixture(scope="module")
def thermal(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pictures") / "heat.png"
    thermal_picture().save(path)
    return str(path)


def shown(out: Path, *arguments: str, model: str = NAME) -> int:
    more = () if "--register" in arguments else ("--register", "none")
    return main(["show", "--model", model, "--out", str(out), *more, *arguments])


def refusal(captured: Captured) -> str:
    """Return the one sentence on stderr; nothing may be on stdout."""
    said = captured.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    (line,) = said.err.splitlines()
    return line


def test_a_pair_is_counted_and_everything_is_written(
    rgb: str, thermal: str, tmp_path: Path, capsys: Captured
) -> None:
    site = "stages.3.fuse.thermal_context"
    out = tmp_path / "out"
    assert shown(out, rgb, "--thermal", thermal, "--site", site, "--at", "200,100") == 0
    said = capsys.readouterr().out
    facts = json.loads((out / SUMMARY).read_text(encoding="utf-8"))
    assert facts["sentence"] in said
    assert facts["selection"]["at"] == [200, 100]
    assert facts["selection"]["site"].endswith(site)
    assert said.count("claim ok") == said.count("output ok") == said.count("geometry ok") == 15
    for stage, trust in enumerate(facts["trusts"], 1):
        line = next(line for line in said.splitlines() if line.startswith(f"{stage} "))
        assert f"{trust['rgb']:.1%}" in line
        assert f"{trust['thermal']:.1%}" in line
    chosen = next(each for each in facts["sites"] if each["site"].endswith(site))
    assert chosen["sentence"] in " ".join(said.split())
    names = {path.name for path in out.iterdir()}
    assert {ARRAYS, SUMMARY, "regions.csv", "density.png"} < names
    pictures = [path for path in out.iterdir() if path.suffix == ".png"]
    assert len(pictures) == 16
    for path in pictures:
        with Image.open(path) as image:
            assert image.size == SIZE


def test_the_numbers_are_the_librarys(
    rgb: str, thermal: str, tmp_path: Path, capsys: Captured
) -> None:
    assert shown(tmp_path, rgb, "--thermal", thermal, "--at", "200,100", "--json") == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert said.err == ""
    assert facts == json.loads((tmp_path / SUMMARY).read_text(encoding="utf-8"))
    seen = look_pair(rgb, thermal, Library("cpu").network(NAME))
    assert facts["count"] == pytest.approx(seen.count, rel=1e-6)
    with np.load(tmp_path / ARRAYS) as arrays:
        np.testing.assert_allclose(arrays["density"], seen.density, atol=1e-7)
        name = seen.site().site
        np.testing.assert_allclose(arrays[f"{name}/row"], seen.row((200, 100)), atol=1e-7)


@pytest.mark.parametrize(("sense", "size"), [("rgb", SIZE), ("thermal", THERMAL_SIZE)])
def test_one_picture_alone_is_counted_too(
    sense: str, size: tuple[int, int], rgb: str, thermal: str, tmp_path: Path, capsys: Captured
) -> None:
    given = [rgb] if sense == "rgb" else ["--thermal", thermal]
    assert shown(tmp_path, *given) == 0
    said = capsys.readouterr().out
    assert "picture alone" in said
    facts = json.loads((tmp_path / SUMMARY).read_text(encoding="utf-8"))
    assert facts["senses"] == [sense]
    assert facts["sites"] == []
    assert {path.name for path in tmp_path.iterdir()} == {
        ARRAYS, SUMMARY, "regions.csv", "density.png",
    }  # fmt: skip
    with Image.open(tmp_path / "density.png") as image:
        assert image.size == size


def test_the_registration_is_the_one_that_was_given(
    rgb: str, thermal: str, tmp_path: Path, capsys: Captured
) -> None:
    fitted = Registration.fitted(SIZE, THERMAL_SIZE)
    found = suggest(read_picture(rgb), read_thermal(thermal)).registration
    for written, expected in (("6,-4,1.1", fitted.nudged(6, -4, 1.1)), ("auto", found)):
        arguments = ("--thermal", thermal, "--json", "--register", written)
        assert shown(tmp_path, rgb, *arguments) == 0
        laid = json.loads(capsys.readouterr().out)["pair"]["registration"]
        assert Registration(**laid) == expected


def test_pictures_cover_the_same_view_unless_it_is_said_otherwise(
    rgb: str, thermal: str, tmp_path: Path, capsys: Captured
) -> None:
    assert shown(tmp_path, rgb, "--thermal", thermal, "--json", "--register", "none") == 0
    laid = json.loads(capsys.readouterr().out)["pair"]["registration"]
    assert Registration(**laid) == Registration.fitted(SIZE, THERMAL_SIZE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Neither"),
        (["RGB", "--register", "somehow"], "DX,DY,ZOOM"),
        (["RGB", "--thermal", "HEAT", "--register", "1,2"], "DX,DY,ZOOM"),
        (["RGB", "--thermal", "HEAT", "--register", "1,2,0"], "DX,DY,ZOOM"),
        (["RGB", "--thermal", "HEAT", "--register", "1,2,nan"], "DX,DY,ZOOM"),
        (["RGB", "--thermal", "HEAT", "--at", "300,5"], "300 × 200"),
        (["RGB", "--thermal", "HEAT", "--site", "stages.7.fuse.gate"], "stages.7"),
        (["RGB", "--thermal", "HEAT", "--head", "2"], "head 2"),
        (["RGB", "--site", "stages.0.fuse.gate"], "no attention"),
        (["absent.png"], "absent.png"),
        (["RGB", "--thermal", "absent.png"], "absent.png"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_refused(
    arguments: list[str], said: str, rgb: str, thermal: str, tmp_path: Path, capsys: Captured
) -> None:
    files = {"RGB": rgb, "HEAT": thermal}
    assert shown(tmp_path / "out", *(files.get(each, each) for each in arguments)) == 2
    assert said in refusal(capsys)
    assert not (tmp_path / "out").exists()


def test_a_thermal_picture_for_another_network_is_refused(
    rgb: str, thermal: str, tmp_path: Path, capsys: Captured
) -> None:
    name = "segment-nonlocal"
    for given in ([rgb, "--thermal", thermal], ["--thermal", thermal]):
        assert shown(tmp_path / "out", *given, model=name) == 2
        said = refusal(capsys)
        assert name in said
        assert "no thermal picture" in said
    assert shown(tmp_path / "out", model=name) == 2
    assert "No picture" in refusal(capsys)
    assert not (tmp_path / "out").exists()


def test_counters_are_listed(capsys: Captured) -> None:
    assert main(["list", "--json"]) == 0
    models = {each["name"]: each for each in json.loads(capsys.readouterr().out)["models"]}
    assert models[NAME]["task"] == "count"
    assert models[NAME]["mechanism"] == "csca"
