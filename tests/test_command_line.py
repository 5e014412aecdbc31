"""The command line: what ``list`` and ``show`` print and write, and how they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.mechanism import mechanisms
from models.zoo.table import entries
from tests.networks_for_tests import bundling, scene, write_networks
from tests.zoo_for_tests import use_caches
from vizattn.__main__ import commands, main
from vizattn.analysis import look
from vizattn.commands import show
from vizattn.export import ARRAYS, SUMMARY
from vizattn.networks import Library

ROOT = Path(__file__).resolve().parent.parent
SIZE = (150, 110)
BUILT = (("classify", "se"), ("classify", None), ("segment", "nonlocal"), ("segment", "danet"))
SITES = {"classify-se": 6, "segment-nonlocal": 1, "segment-danet": 2}
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module", autouse=True)
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of small untrained networks in place of the bundled ones."""
    with bundling(write_networks(tmp_path_factory.mktemp("weights"), *BUILT)) as folder:
        yield folder


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "photo.png"
    scene(*SIZE).save(path)
    return path


def shown(photo: Path, out: Path, *more: str, model: str = "segment-nonlocal") -> int:
    return main(["show", str(photo), "--model", model, "--out", str(out), *more])


def refusal(captured: Captured) -> str:
    """Return the one sentence on stderr; nothing may be on stdout."""
    said = captured.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    (line,) = said.err.splitlines()
    return line


# The commands themselves.


def test_commands_are_found_by_scanning() -> None:
    names = ["bench", "dependence", "list", "sheet", "show", "trust", "verify"]
    assert [module.NAME for module in commands()] == names
    assert all(module.__doc__ and module.HELP for module in commands())


@pytest.mark.parametrize("arguments", [[], ["lst"], ["show"], ["list", "--depth", "3"]])
def test_wrong_arguments_end_in_one_line(arguments: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert refusal(capsys).startswith("python -m vizattn")


@pytest.mark.parametrize("name", ["", *(module.NAME for module in commands())])
def test_help(name: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as left:
        main([*filter(None, [name]), "--help"])
    assert left.value.code == 0
    assert "usage: python -m vizattn" in capsys.readouterr().out


def test_whoever_reads_the_output_may_stop_early() -> None:
    program = f"{sys.executable} -m vizattn list --json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program}"],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "{"
    assert done.stderr == ""


# list


def test_list_as_json(
    bundled: Path, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_caches(monkeypatch, tmp_path)
    assert main(["list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["models", "pretrained", "mechanisms"]
    theirs = {each["name"]: each for each in found["pretrained"]}
    assert theirs.keys() == entries().keys()
    swin = theirs["swin_t.IMAGENET1K_V1"]
    assert (swin["source"], swin["family"], swin["year"]) == ("torchvision", "self-attention", 2021)
    assert (swin["licence"], swin["bytes"], swin["downloaded"]) == (
        "bsd-3-clause",
        113445437,
        False,
    )
    models = {each["name"]: each for each in found["models"]}
    assert models.keys() == {"classify-plain", "classify-se", "segment-danet", "segment-nonlocal"}
    se = models["classify-se"]
    assert (se["task"], se["mechanism"], se["family"]) == ("classify", "se", "channel")
    assert se["weights"]["shares"] is None
    assert se["weights"]["bytes"] == (bundled / se["weights"]["file"]).stat().st_size
    assert se["metric"] == {"name": "accuracy", "value": 0.1, "split": "val", "count": 10}
    assert models["classify-plain"]["mechanism"] is None
    assert models["classify-plain"]["family"] is None
    slugs = {each["slug"]: each for each in found["mechanisms"]}
    assert slugs.keys() == mechanisms().keys()
    for slug, each in slugs.items():
        assert each["variants"] == list(mechanisms()[slug].variants)
        assert each["name"] == mechanisms()[slug].name


def test_list_as_a_table(capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_caches(monkeypatch, tmp_path)
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 100 for line in lines)
    for name in ("classify-se", "segment-danet", *entries(), *mechanisms()):
        assert any(line.startswith(f"{name} ") for line in lines), name
    (swin,) = (line for line in lines if line.startswith("swin_t."))
    assert swin.split()[1:] == ["classify", "113", "MB", "to", "download", "bsd-3-clause"]


def test_list_refuses_a_damaged_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    (tmp_path / "classify-se.json").write_text('{"name": ')
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(tmp_path))
    assert main(["list"]) == 2
    assert "classify-se.json" in refusal(capsys)


# show


@pytest.mark.parametrize("model", SITES)
def test_show_writes_an_overlay_for_each_site(
    model: str, photo: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert shown(photo, tmp_path / "new" / "out", "--at", "40,30", model=model) == 0
    out = capsys.readouterr().out
    folder = tmp_path / "new" / "out"
    facts = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    overlays = sorted(folder.glob("*.png"))
    assert len(overlays) == len(facts["sites"]) == SITES[model]
    assert {path.name for path in folder.iterdir()} == {
        *(path.name for path in overlays), ARRAYS, SUMMARY,
    }  # fmt: skip
    for path in overlays:
        with Image.open(path) as image:
            assert image.size == SIZE
            assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 20
    for site in facts["sites"]:
        line = next(line for line in out.splitlines() if line.startswith(f"{site['site']} "))
        assert site["kind"] in line
        assert all(f"{check['name']} ok" in line for check in site["checks"])
    chosen = next(s for s in facts["sites"] if s["site"] == facts["selection"]["site"])
    assert chosen["sentence"] in " ".join(out.split())
    assert "%" in out


def test_show_as_json_prints_only_the_summary(
    photo: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert shown(photo, tmp_path, "--at", "12.5,99.5", "--json") == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert said.err == ""
    assert facts == json.loads((tmp_path / SUMMARY).read_text(encoding="utf-8"))
    assert facts["picture"]["size"] == list(SIZE)
    assert facts["framing"]["original"] == list(SIZE)
    assert facts["selection"] == {
        "site": "context",
        "head": None,
        "at": [12.5, 99.5],
        "channel": None,
        "token": None,
    }
    (site,) = facts["sites"]
    assert site["kind"] == "place_affinity"
    assert site["claim"] == "simplex"
    assert len(site["shape"]) == 3
    assert [check["passed"] for check in site["checks"]] == [True] * 3
    assert sum(facts["prediction"]["shares"].values()) == pytest.approx(1)
    assert 0 < facts["prediction"]["at"]["probability"] <= 1


def test_show_gives_every_probability(photo: Path, tmp_path: Path, capsys: Captured) -> None:
    assert shown(photo, tmp_path, "--json", model="classify-se") == 0
    prediction = json.loads(capsys.readouterr().out)["prediction"]
    assert len(prediction["probabilities"]) == 10
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert prediction["class"] == max(
        prediction["probabilities"], key=prediction["probabilities"].get
    )


def test_the_arrays_are_those_of_the_library(photo: Path, tmp_path: Path) -> None:
    at = (71.0, 20.0)
    for model in SITES:
        assert shown(photo, tmp_path / model, "--at", "71,20", model=model) == 0
        analysis = look(photo, Library("cpu").network(model))
        with np.load(tmp_path / model / ARRAYS) as arrays:
            for captured in analysis.sites:
                own = {
                    key: arrays[key] for key in arrays.files if key.startswith(f"{captured.site}/")
                }
                values = getattr(captured, "values", None)
                if values is not None:
                    np.testing.assert_array_equal(own[f"{captured.site}/values"], values)
                if captured.kind.value == "place_affinity":
                    row = own[f"{captured.site}/row"]
                    np.testing.assert_allclose(row, analysis.row(at, captured.site), atol=1e-7)


def test_site_and_head_are_chosen(photo: Path, tmp_path: Path, capsys: Captured) -> None:
    more = ("--site", "context.channel", "--head", "0", "--json")
    assert shown(photo, tmp_path, *more, model="segment-danet") == 0
    selection = json.loads(capsys.readouterr().out)["selection"]
    assert (selection["site"], selection["head"]) == ("context.channel", 0)


@pytest.mark.parametrize("option", [["--colormap", "magma"], ["--scale", "fixed"], ["--smooth"]])
def test_options_change_the_overlay(option: list[str], photo: Path, tmp_path: Path) -> None:
    assert shown(photo, tmp_path / "usual") == 0
    assert shown(photo, tmp_path / "other", *option) == 0
    usual, other = (
        np.asarray(Image.open(tmp_path / n / "context.png")) for n in ("usual", "other")
    )
    assert usual.shape == other.shape
    assert (usual != other).any()


def test_places_are_those_of_the_upright_picture(
    photo: Path, tmp_path: Path, capsys: Captured
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(photo) as image:
        turned = image.transpose(Image.Transpose.ROTATE_90)
        turned.save(tmp_path / "turned.png", exif=exif)
    assert shown(photo, tmp_path / "a", "--at", "140,100") == 0
    assert shown(tmp_path / "turned.png", tmp_path / "b", "--at", "140,100") == 0
    with np.load(tmp_path / "a" / ARRAYS) as a, np.load(tmp_path / "b" / ARRAYS) as b:
        np.testing.assert_array_equal(a["context/row"], b["context/row"])
    with Image.open(tmp_path / "b" / "context.png") as image:
        assert image.size == SIZE
    capsys.readouterr()


def test_a_second_look_replaces_the_first(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert shown(photo, tmp_path, "--at", "10,10") == 0
    first = (tmp_path / ARRAYS).read_bytes()
    assert shown(photo, tmp_path, "--at", "140,100") == 0
    assert (tmp_path / ARRAYS).read_bytes() != first
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {
        "context.png",
        ARRAYS,
        SUMMARY,
        "notes.txt",
    }


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--at", "9"], "X,Y"),
        (["--at", "9,x"], "X,Y"),
        (["--at", "1,2,3"], "X,Y"),
        (["--at", ""], "X,Y"),
        (["--at", "nan,5"], "X,Y"),
        (["--at", "inf,5"], "X,Y"),
        (["--at", "150,5"], "150 × 110"),
        (["--at=-1,5"], "150 × 110"),
        (["--site", "contxt"], "context"),
        (["--head", "1"], "head 1"),
        (["--head", "-1"], "head -1"),
        (["--token", "class_token"], "are places"),
    ],
)
def test_what_is_not_there_is_refused(
    more: list[str], said: str, photo: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert shown(photo, tmp_path / "out", *more) == 2
    assert said in refusal(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("model", ["segment-nonlocl", "../segment-nonlocal", ""])
def test_unknown_networks_are_refused(
    model: str, photo: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert shown(photo, tmp_path / "out", model=model) == 2
    assert model in refusal(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["absent.png", "text.png", "empty.png", "cut.png", "."])
def test_pictures_that_are_none_are_refused(
    name: str, photo: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:400])
    assert shown(tmp_path / name, tmp_path / "out") == 2
    assert refusal(capsys).startswith("vizattn show: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", [["--device", "gpu"], ["--scale", "log"], ["--head", "x"]])
def test_options_that_are_none_are_refused(
    option: list[str], photo: Path, tmp_path: Path, capsys: Captured
) -> None:
    with pytest.raises(SystemExit) as left:
        shown(photo, tmp_path, *option)
    assert left.value.code == 2
    assert option[0] in refusal(capsys)


def test_damaged_weights_are_refused(
    bundled: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for path in bundled.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = bytearray((tmp_path / "segment-nonlocal.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "segment-nonlocal.safetensors").write_bytes(weights)
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(tmp_path))
    assert shown(photo, tmp_path / "out") == 2
    assert "checksum" in refusal(capsys)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_refused(
    photo: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "inner"):
        assert shown(photo, out) == 2
        assert str(tmp_path / "file") in refusal(capsys)


def test_nothing_is_written_where_one_file_cannot_be(
    photo: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / ARRAYS).mkdir()
    assert shown(photo, tmp_path) == 2
    assert ARRAYS in refusal(capsys)
    assert [path.name for path in tmp_path.iterdir()] == [ARRAYS]


@pytest.mark.parametrize("fresh", [True, False])
def test_a_full_disk_leaves_the_folder_as_it_was(
    fresh: bool, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def full(*_arguments: Any) -> Path:
        raise OSError(28, "No space left on device", "attention.npz")

    out = tmp_path / "out"
    if not fresh:
        out.mkdir()
        (out / "context.png").write_text("from before")
    monkeypatch.setattr(show, "save_arrays", full)
    assert shown(photo, out) == 2
    assert "No space left" in refusal(capsys)
    if fresh:
        assert not out.exists()
    else:
        assert {path.name: path.read_text() for path in out.iterdir()} == {
            "context.png": "from before"
        }


def test_a_plain_network_answers_and_says_that_it_has_no_attention(
    photo: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert shown(photo, tmp_path, model="classify-plain") == 0
    assert "classify-plain has no attention" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {ARRAYS, SUMMARY}
    facts = json.loads((tmp_path / SUMMARY).read_text())
    assert facts["sites"] == []
    assert facts["prediction"]
