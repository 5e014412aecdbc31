"""What is taken away: it is the same as what was shown, and can be made again."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vizattn
from tests.conftest import ROOT
from tests.networks_for_tests import scene, small_network, write_network
from tests.test_views import SIZE, analysis, rows
from vizattn.analysis import UnknownSite
from vizattn.export import overlays, safe_name, save_all, save_arrays, script
from vizattn.facts import summary
from vizattn.figures import figure
from vizattn.networks import Network
from vizattn.render import Style, overlay
from vizattn.seen import Seen, look, look_all
from vizattn.version import VERSION
from vizattn.views import Heat, Scale, Selection, view
from vizattn.words import sentence

AT = (240.0, 180.0)


def test_arrays_are_the_rows_and_gates(tmp_path: Path) -> None:
    seen = rows()
    path = save_arrays(seen, Selection(at=AT), tmp_path / "attention.npz")
    with np.load(path) as arrays:
        assert np.array_equal(arrays["context/row"], seen.row(AT))
        assert arrays["context/query"] == seen.query_at(AT)
        assert arrays["at"].tolist() == list(AT)
        assert arrays["context/grid"].tolist() == [11, 16, 8, 8, 0, 0]
        assert np.array_equal(arrays["prediction/mask"], seen.prediction.mask)


def test_the_framing_among_the_arrays_is_enough_to_place_them(tmp_path: Path) -> None:
    seen = rows()
    with np.load(save_arrays(seen, Selection(at=AT), tmp_path / "a.npz")) as arrays:
        original, scaled, offset, size = arrays["framing"]
        grid = arrays["context/query_grid"]
        query = int(arrays["context/query"])
    assert size.tolist() == list(seen.framing.input)
    x, y = np.array(AT) * scaled / original + offset
    assert (y // grid[3]) * grid[1] + x // grid[2] == query


def test_arrays_of_gates_and_channels(tmp_path: Path) -> None:
    seen = analysis("classify", "cbam")
    with np.load(save_arrays(seen, None, tmp_path / "cbam")) as arrays:
        for site in seen.sites:
            assert np.array_equal(arrays[f"{site.site}/values"], site.values)
        probabilities = arrays["prediction/probabilities"]
        assert "at" not in arrays
    assert np.array_equal(probabilities, seen.prediction.probabilities)
    danet = analysis("segment", "danet")
    with np.load(save_arrays(danet, None, tmp_path / "danet.npz")) as arrays:
        matrix = arrays["context.channel/rows"]
    assert matrix.shape == (1, 96, 96)
    assert np.array_equal(matrix[0, 7], danet["context.channel"].rows.row(7)[0])
    assert np.allclose(matrix.sum(axis=-1), 1, atol=1e-5)


def test_one_overlay_a_site_at_the_size_of_the_original(tmp_path: Path) -> None:
    seen = analysis("segment", "danet")
    style = Style("magma", smooth=True)
    paths = overlays(seen, Selection(at=AT), tmp_path, Scale.FIXED, style)
    assert [path.name for path in paths] == ["context.position.png", "context.channel.png"]
    for path in paths:
        with Image.open(path) as image:
            assert image.size == SIZE
            assert image.text["Description"]
    with Image.open(paths[1]) as image:
        assert image.text["Title"].startswith("Context · attention between channels · ")
    (heat,) = view(seen, Selection("context.position", at=AT), Scale.FIXED)
    expected = overlay(heat, seen.picture, seen.framing, style)
    with Image.open(paths[0]) as image:
        assert np.array_equal(np.asarray(image), np.asarray(expected))
        assert image.text["Description"] == heat.scale_label.text("en")


def test_overlays_of_gates_show_their_strongest_channel(tmp_path: Path) -> None:
    seen = analysis("classify", "se")
    paths = overlays(seen, None, tmp_path)
    assert len(paths) == len(seen.sites) == len(set(paths))
    heat = view(seen, Selection(seen.sites[0].site))[0]
    assert isinstance(heat, Heat)
    with Image.open(paths[0]) as image:
        drawn = np.asarray(overlay(heat, seen.picture, seen.framing))
        assert np.array_equal(np.asarray(image), drawn)


@pytest.mark.parametrize(
    ("site", "name"),
    (
        ("trunk.stages.0.0.gate", "trunk.stages.0.0.gate"),
        ("context#2", "context-2"),
        ("", "attention"),
        ("../../etc/passwd", "etc-passwd"),
        ("a b\\c:d*e", "a-b-c-d-e"),
        ("注意力", "attention"),
    ),
)
def test_names_of_files_are_safe(site: str, name: str) -> None:
    assert safe_name(site) == name


def strictly(value: object) -> object:
    return json.loads(json.dumps(value, allow_nan=False))


def test_the_summary_has_everything_and_is_json() -> None:
    seen = rows()
    found = summary(seen, Selection(at=AT))
    assert strictly(found) == found
    assert found["network"]["sha256"] == seen.network.card.sha256
    assert found["framing"]["input"] == list(seen.framing.input)
    assert found["framing"]["scale"] == list(seen.framing.scale)
    chosen = {"site": "context", "head": None, "at": list(AT), "channel": None, "token": None}
    assert found["selection"] == chosen
    assert sum(found["prediction"]["shares"].values()) == pytest.approx(1)
    name, probability = seen.prediction.at(seen.framing.to_model(AT))
    assert found["prediction"]["at"] == {"class": name, "probability": probability}
    (site,) = found["sites"]
    assert site["shape"] == [1, 176, 176]
    assert site["title"] == "Context · attention between places"
    assert site["sentence"] == sentence(seen, Selection(at=AT))
    for check, measured in zip(site["checks"], seen.sites[0].checks, strict=True):
        assert check == {
            "name": measured.name,
            "value": measured.value,
            "limit": measured.limit,
            "passed": measured.passed,
        }
    assert found["passed"] is True
    assert found["versions"]["vizattn"] == VERSION
    assert found["notes"] == []


def test_the_summary_of_a_classifier_lists_every_probability() -> None:
    seen = analysis("classify", "cbam")
    found = strictly(summary(seen))
    assert sum(found["prediction"]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert found["prediction"]["class"] == seen.prediction.top(1)[0][0]
    assert len(found["sites"]) == len(seen.sites)
    assert found["notes"] == []


@pytest.mark.parametrize(("language", "word"), (("en", "centre"), ("zh", "中心")))
def test_the_summary_says_when_the_place_is_nobodys_choice(language: str, word: str) -> None:
    (note,) = summary(rows(), None, language)["notes"]
    assert word in note


def test_a_check_that_measured_no_number_is_still_json() -> None:
    from dataclasses import replace

    from vizattn.attention import Check

    seen = rows()
    broken = replace(seen.sites[0], checks=(Check("output", float("inf"), 1e-3),))
    found = strictly(summary(replace(seen, sites=(broken,))))
    assert found["sites"][0]["checks"][0] == {
        "name": "output",
        "value": None,
        "limit": 1e-3,
        "passed": False,
    }
    assert found["passed"] is False


def test_unknown_sites_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnknownSite):
        save_all(rows(), tmp_path / "out", Selection("nowhere"))
    assert not list(tmp_path.rglob("*.*"))


@pytest.fixture
def bundled(tmp_path: Path) -> Network:
    network = small_network("segment", "nonlocal")
    (tmp_path / "weights").mkdir()
    write_network(network, tmp_path / "weights")
    return network


def test_the_script_makes_the_same_figure_and_arrays(tmp_path: Path, bundled: Network) -> None:
    name = 'it\'s a "photo" 照片.png'
    folder = tmp_path / "again"
    folder.mkdir()
    scene(*SIZE).save(folder / name)
    code = script(
        Seen(look_with(tmp_path, bundled, folder / name)).analysis,
        Selection(at=AT, head=0),
        name,
        Scale.FIXED,
        Style("magma", 0.5, smooth=True),
        "zh",
    )
    environment = os.environ | {
        "VIZATTN_WEIGHTS": str(tmp_path / "weights"),
        "PYTHONPATH": str(ROOT),
    }
    (folder / "reproduce.py").write_text(code, encoding="utf-8")
    subprocess.run(
        [sys.executable, "reproduce.py"], cwd=folder, env=environment, check=True, timeout=300
    )
    seen = look_with(tmp_path, bundled, folder / name)
    with np.load(folder / "attention.npz") as arrays:
        # The script loads the weights as they are stored, in half precision.
        assert np.array_equal(arrays["context/row"], seen.row(AT))
    shown = figure(seen, Selection(at=AT, head=0), Scale.FIXED, Style("magma", 0.5, True), "zh")
    assert (folder / "figure.png").read_bytes() == shown.to_png()


def look_with(tmp_path: Path, network: Network, picture: Path) -> vizattn.Analysis:
    """Return what a bundled network sees, loaded from its file as the script loads it."""
    from models import weights
    from vizattn.analysis import look as look_with_network

    module, card = weights.load(network.name, tmp_path / "weights")
    return look_with_network(picture, Network(network.name, module, card, network.device))


def test_scripts_are_python_whatever_the_names_are() -> None:
    name = "'''\"\"\"\\n; import os"
    tree = ast.parse(script(rows(), Selection(at=(np.float64(3), np.float32(4))), name))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert name in strings


def test_three_lines_from_a_file_to_a_row_and_a_figure(tmp_path: Path) -> None:
    scene(*SIZE).save(tmp_path / "photo.jpg")
    seen = vizattn.look(tmp_path / "photo.jpg", small_network("segment", "nonlocal"))
    row, shown = seen.row(at=(240, 180)), seen.figure(at=(240, 180))
    assert row.shape == (1, 11, 16)
    assert shown._repr_png_().startswith(b"\x89PNG")


def test_seen_saves_everything(tmp_path: Path) -> None:
    seen = Seen(analysis("segment", "danet"))
    paths = seen.save(tmp_path / "a" / "b", at=AT, site="context.channel", language="zh")
    assert all(path.is_file() for path in paths)
    assert {path.name for path in paths} == {
        "figure.png",
        "context.position.png",
        "context.channel.png",
        "attention.npz",
        "summary.json",
        "reproduce.py",
    }
    written = json.loads((tmp_path / "a" / "b" / "summary.json").read_text(encoding="utf-8"))
    assert written == summary(seen.analysis, Selection("context.channel", at=AT), "zh")


def test_seen_answers_as_the_functions_do(tmp_path: Path) -> None:
    seen = Seen(rows())
    assert seen.sites == rows().sites
    assert seen.prediction is rows().prediction
    assert seen.sentence(AT) == sentence(rows(), Selection(at=AT))
    assert seen.summary(AT) == summary(rows(), Selection(at=AT))
    (heat,) = view(rows(), Selection(at=AT))
    expected = overlay(heat, rows().picture, rows().framing)
    assert np.array_equal(np.asarray(seen.overlay(AT)), np.asarray(expected))
    with np.load(seen.save_arrays(tmp_path / "x.npz", AT)) as arrays:
        assert np.array_equal(arrays["context/row"], seen.row(AT))


def test_seen_shows_itself_in_a_notebook() -> None:
    page = Seen(rows())._repr_html_()
    assert "data:image/png;base64," in page
    assert "softmax" in page or "Σ" in page
    assert page.count("✓") == 3


def test_a_notebook_runs_nothing_that_a_name_says(tmp_path: Path) -> None:
    name = "<script>alert(1)<.png" if os.name != "nt" else "&amp;.png"
    seen = look(scene(*SIZE), small_network("segment", None))
    assert "<script>" not in Seen(with_name(seen.analysis, name))._repr_html_()


def with_name(of: vizattn.Analysis, name: str) -> vizattn.Analysis:
    from dataclasses import replace

    return replace(of, picture=replace(of.picture, name=name))


def test_several_pictures_in_one_go() -> None:
    network = small_network("segment", "nonlocal")
    several = look_all([scene(*SIZE), scene(200, 300), scene(*SIZE, seed=1)], network)
    alone = look(scene(*SIZE, seed=1), network)
    assert np.allclose(several[2].row((9, 9)), alone.row((9, 9)), atol=1e-6)


def test_everything_that_the_package_promises_is_there() -> None:
    for name in vizattn.__all__:
        assert getattr(vizattn, name) is not None
    assert set(vizattn.__all__) <= set(dir(vizattn))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        vizattn.nothing  # noqa: B018


def test_type_checkers_and_python_see_the_same_package() -> None:
    tree = ast.parse((ROOT / "vizattn" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.asname for each in block.body for alias in each.names}
    assert typed == set(vizattn.__all__)


def test_importing_the_package_loads_neither_torch_nor_matplotlib() -> None:
    code = "import sys, vizattn; print({'torch', 'matplotlib', 'PIL', 'numpy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_there_is_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == VERSION == vizattn.__version__
