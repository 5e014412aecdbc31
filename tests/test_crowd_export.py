"""What is taken away from a count: the same as what was shown, and it can be made again."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vizattn
from tests.conftest import ROOT
from tests.crowd_for_tests import (
    SIZE,
    THERMAL_SIZE,
    analysis,
    network,
    rgb_picture,
    thermal_picture,
)
from tests.networks_for_tests import small_network, write_network
from vizattn.analysis import OutsidePicture, UnknownSite
from vizattn.attention import ModalityGate, PlaceAffinity
from vizattn.crowd.analysis import look_at, look_pair
from vizattn.crowd.changes import Changes
from vizattn.crowd.counted import Counted, count
from vizattn.crowd.export import overlays, regions_csv, save_all, save_arrays, script
from vizattn.crowd.facts import summary
from vizattn.crowd.figure import figure
from vizattn.crowd.maps import density_heat, density_overlay, same_token, site_heat, site_overlay
from vizattn.crowd.sentences import count_sentence, site_sentence
from vizattn.geometry import lift
from vizattn.numbers import number
from vizattn.render import overlay
from vizattn.texts import LANGUAGES
from vizattn.views import Scale

AT = (210.0, 140.0)
ROW, GATE = "stages.1.fuse.thermal_context", "stages.2.fuse.gate"


# Drawables


def test_density_is_drawn_from_zero_to_its_highest_cell_with_the_count() -> None:
    heat = density_heat(analysis())
    assert heat.values is analysis().density
    assert (heat.low, heat.high) == (0, analysis().density.max())
    assert number(analysis().count) in heat.title.text("en")
    assert "bodies" in heat.title.text("en")
    image = density_overlay(analysis())
    assert image.size == SIZE
    plain = overlay(heat, analysis().pair.ground("rgb"), analysis().framing)
    peak = analysis().peaks()[0]
    changed = np.argwhere((np.asarray(image) != np.asarray(plain)).any(axis=2))
    assert len(changed)
    assert min(np.hypot(x - peak.x, y - peak.y) for y, x in changed) < 6


def test_a_lit_cell_of_density_lights_its_own_box() -> None:
    seen = analysis()
    lit = np.zeros_like(seen.density)
    lit[4, 7] = 1
    heat = density_heat(seen)
    drawn = lift(lit, heat.grid, seen.framing)
    left, top, right, bottom = seen.framing.box_to_original(seen.grid.box(4 * 16 + 7))
    rows, columns = np.nonzero(drawn)
    assert columns.min() == np.ceil(left - 0.5)
    assert columns.max() == np.ceil(right - 0.5) - 1
    assert rows.min() == np.ceil(top - 0.5)
    assert rows.max() == np.ceil(bottom - 0.5) - 1


def test_a_gate_is_drawn_between_both_senses() -> None:
    gate = analysis()[GATE]
    assert isinstance(gate, ModalityGate)
    heat = site_heat(analysis(), gate)
    assert (heat.low, heat.high, heat.signed) == (-1, 1, True)
    np.testing.assert_allclose(heat.values, gate.values[1] - gate.values[0])
    share = analysis().trusts()[2]
    assert f"{100 * share[0]:.0f}%" in heat.title.text("en")
    # Left RGB is trusted and right thermal: blue there, red here.
    split = gate.values.copy()
    split[1] = np.where(np.arange(gate.grid.columns) < gate.grid.columns / 2, 0.1, 0.9)
    split[0] = 1 - split[1]
    image = np.asarray(site_overlay(analysis(), replace(gate, values=split)), dtype=int)
    warmer = image[:, :, 0] - image[:, :, 2]
    assert warmer[:, :140].max() < 0 < warmer[:, 160:].min()


def test_a_row_is_drawn_with_every_cell_of_the_asking_token() -> None:
    site = analysis()[ROW]
    assert isinstance(site, PlaceAffinity)
    heat = site_heat(analysis(), site, AT)
    assert np.array_equal(heat.values, analysis().row(AT, ROW)[0])
    assert heat.uniform == pytest.approx(1 / 96)
    assert heat.marker is not None
    left, top, right, bottom = heat.marker
    assert left <= AT[0] < right
    assert top <= AT[1] < bottom
    fixed = site_heat(analysis(), site, AT, Scale.FIXED)
    assert fixed.high == pytest.approx(20 / 96)
    others = same_token(analysis(), site, AT)
    # Eight bands of three lines; the last has its cell in the padding below the picture.
    assert len(others) == 6
    tops = sorted([*(box[1] for box in others), top])
    assert np.allclose(np.diff(tops), 3 * 4 * 200 / 85)
    assert all(box[0] == pytest.approx(left) for box in others)
    assert same_token(analysis(), analysis()[GATE], AT) == []
    with pytest.raises(OutsidePicture):
        site_heat(analysis(), site, (999, 1))


def test_rows_over_thermal_are_drawn_on_the_thermal_picture() -> None:
    for sense in ("rgb", "thermal"):
        site = analysis()[f"stages.4.fuse.{sense}_context"]
        image = site_overlay(analysis(), site, AT, size=SIZE)
        heat = site_heat(analysis(), site, AT)
        ground = analysis().pair.ground(sense)
        expected = np.asarray(overlay(heat, ground, analysis().framing))
        # But for the outlines of the token's other cells, it is the sense's own picture.
        assert (np.asarray(image) == expected).all(axis=2).mean() > 0.9


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_map_has_a_title_a_scale_and_a_sentence(language: str) -> None:
    for captured in analysis().sites:
        heat = site_heat(analysis(), captured, AT)
        said = site_sentence(analysis(), captured, AT, language)
        assert heat.title.text(language)
        assert heat.scale_label.text(language)
        assert len(said) > 30
        assert "{" not in said + heat.title.text(language) + heat.scale_label.text(language)
    assert number(analysis().count) in count_sentence(analysis(), language)


def test_the_sentence_of_a_row_says_what_a_token_is() -> None:
    said = site_sentence(analysis(), analysis()[ROW], AT)
    assert "RGB picture asks the thermal picture" in said
    assert "96 tokens" in said
    assert "8 places" in said


# Facts and files


def strictly(value: object) -> object:
    return json.loads(json.dumps(value, allow_nan=False))


def test_the_summary_has_everything_and_is_json() -> None:
    found = summary(analysis(), AT, GATE)
    assert strictly(found) == found
    assert found["count"] == analysis().count
    assert found["senses"] == ["rgb", "thermal"]
    assert found["points"] == "bodies"
    assert np.sum(found["regions"]) == pytest.approx(found["count"], abs=1e-4)
    assert len(found["peaks"]) == len(analysis().peaks())
    assert found["pair"]["size"] == list(SIZE)
    assert found["pair"]["thermal"]["size"] == list(THERMAL_SIZE)
    assert found["pair"]["registration"]["scale_x"] == pytest.approx(0.5)
    assert found["selection"] == {"site": analysis()[GATE].site, "at": list(AT)}
    assert found["passed"] is True
    assert len(found["sites"]) == 15
    for site, captured in zip(found["sites"], analysis().sites, strict=True):
        assert site["site"] == captured.site
        assert site["shape"] == list(captured.shape)
        assert [check["name"] for check in site["checks"]] == ["claim", "output", "geometry"]
        assert all(check["passed"] for check in site["checks"])
        assert site["sentence"] == site_sentence(analysis(), captured, AT)
    assert found["sites"][0]["bands"] == 16
    assert [each["rgb"] for each in found["trusts"]] == pytest.approx(analysis().trusts()[:, 0])


def test_the_summary_of_one_sense_says_which_and_has_no_trust() -> None:
    found = summary(look_pair(rgb_picture(), None, network()))
    assert strictly(found) == found
    assert found["senses"] == ["rgb"]
    assert found["pair"]["thermal"] is None
    assert found["pair"]["registration"] is None
    assert found["trusts"] == [None] * 5
    assert found["sites"] == []
    assert found["selection"]["site"] is None
    assert "RGB picture alone" in found["sentence"]


def test_the_summary_says_what_was_changed() -> None:
    changes = Changes((3.0, 4.0), 0.5, "rgb", ("thermal", 9.0), frozenset({1, 0}))
    found = summary(look_at(analysis().pair, network(), changes))
    assert found["changes"] == {
        "shift": [3.0, 4.0],
        "light": 0.5,
        "blank": "rgb",
        "noise": ["thermal", 9.0],
        "off": [0, 1],
    }
    assert strictly(found) == found


def test_the_arrays_are_what_was_seen(tmp_path: Path) -> None:
    seen = analysis()
    with np.load(save_arrays(seen, tmp_path / "a.npz", AT)) as arrays:
        assert np.array_equal(arrays["density"], seen.density)
        assert arrays["density"].sum() == pytest.approx(seen.count, rel=1e-6)
        assert arrays["grid"].tolist() == [11, 16, 8, 8, 0, 0]
        assert arrays["at"].tolist() == list(AT)
        assert arrays["framing"].tolist() == [[300, 200], [128, 85], [0, 0], [128, 85]]
        assert len(arrays["peaks"]) == len(seen.peaks())
        np.testing.assert_allclose(arrays["trusts"], seen.trusts())
        for captured in seen.sites:
            if isinstance(captured, ModalityGate):
                assert np.array_equal(arrays[f"{captured.site}/values"], captured.values)
                continue
            assert isinstance(captured, PlaceAffinity)
            row = arrays[f"{captured.site}/row"]
            assert np.array_equal(row, seen.row(AT, captured.site))
            assert row.sum() / arrays[f"{captured.site}/bands"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (1, 3)])
def test_the_table_of_regions_adds_up(rows: int, columns: int) -> None:
    lines = list(csv.DictReader(StringIO(regions_csv(analysis(), rows, columns))))
    assert len(lines) == rows * columns
    assert sum(float(line["count"]) for line in lines) == pytest.approx(analysis().count, abs=1e-4)
    assert sum(float(line["share"]) for line in lines) == pytest.approx(1, abs=1e-4)
    for line in lines:
        left, top, right, bottom = (float(line[key]) for key in ("left", "top", "right", "bottom"))
        held = analysis().count_in([(left, top), (right, top), (right, bottom), (left, bottom)])
        assert held == pytest.approx(float(line["count"]), abs=1e-4)
    last = lines[-1]
    assert (last["row"], last["column"]) == (str(rows), str(columns))
    assert (float(last["right"]), float(last["bottom"])) == SIZE


def test_one_overlay_a_site_and_one_of_the_density(tmp_path: Path) -> None:
    paths = overlays(analysis(), tmp_path, AT)
    assert len(set(paths)) == 16
    assert paths[0].name == "density.png"
    for path in paths:
        with Image.open(path) as image:
            assert image.size == SIZE
            assert image.text["Description"]  # type: ignore[attr-defined]


def test_the_figure_has_the_density_and_what_was_chosen() -> None:
    alone, with_gate = (figure(analysis(), site=site).drawn for site in (None, GATE))
    assert alone.get_size_inches()[1] < with_gate.get_size_inches()[1]
    words = " ".join(each.get_text() for each in with_gate.texts)
    assert count_sentence(analysis()) in words
    assert site_sentence(analysis(), analysis()[GATE]).split(".")[0] in words
    assert words.count("✓") == 3
    with pytest.raises(UnknownSite):
        figure(analysis(), site="nothing")


def test_counted_shows_itself_and_answers_as_the_functions_do(tmp_path: Path) -> None:
    counted = count(rgb_picture(), thermal_picture(), network())
    seen = counted.analysis
    assert counted.count == pytest.approx(analysis().count, rel=1e-6)
    assert counted.senses == seen.senses
    assert counted.points == "bodies"
    assert counted.density().shape == SIZE[::-1]
    assert counted.density((30, 20)).sum() == pytest.approx(counted.count, abs=1e-4)
    assert np.array_equal(counted.regions(2, 2), seen.regions(2, 2))
    assert np.array_equal(counted.row(AT, ROW), seen.row(AT, ROW))
    assert np.array_equal(counted.trusts(), seen.trusts())
    assert counted.peaks(2) == seen.peaks(2)
    assert counted.count_in([(0, 0), (300, 0), (300, 200)]) < counted.count
    assert counted.sentence() == count_sentence(seen)
    assert counted.sentence(AT, ROW) == site_sentence(seen, seen[ROW], AT)
    assert counted.summary(AT) == summary(seen, AT)
    assert counted.overlay().size == counted.overlay(AT, ROW).size == SIZE
    page = counted._repr_html_()
    assert "data:image/png;base64," in page
    assert page.count("✓") == 45
    assert "people by bodies" in repr(counted)


def test_everything_is_saved(tmp_path: Path) -> None:
    paths = save_all(analysis(), tmp_path / "a" / "b", AT, ROW, language="zh")
    assert all(path.is_file() for path in paths)
    names = {path.name for path in paths}
    assert {"figure.png", "density.png", "attention.npz", "regions.csv"} < names
    assert {"summary.json", "reproduce.py"} < names
    assert len(names) == 16 + 5
    written = json.loads((tmp_path / "a" / "b" / "summary.json").read_text(encoding="utf-8"))
    assert written == strictly(summary(analysis(), AT, ROW, "zh"))
    with pytest.raises(UnknownSite):
        save_all(analysis(), tmp_path / "c", site="nothing")
    assert not (tmp_path / "c").exists()


def test_the_script_makes_the_same_again(tmp_path: Path) -> None:
    write_network(small_network("count", "csca"), tmp_path)
    rgb_picture().save(tmp_path / "a.png")
    thermal_picture().save(tmp_path / "b.png")
    changes = Changes(shift=(4.0, 0.0), off=frozenset({1}))
    stored = vizattn.Library("cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIZATTN_WEIGHTS", str(tmp_path))
        seen = look_pair(
            tmp_path / "a.png", tmp_path / "b.png", stored.network("count-csca"), changes=changes
        )
    code = script(seen, AT, "stages.2.fuse.rgb_context")
    (tmp_path / "reproduce.py").write_text(code, encoding="utf-8")
    environment = os.environ | {"VIZATTN_WEIGHTS": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "reproduce.py"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(done.stdout) == pytest.approx(seen.count, rel=1e-5)
    with np.load(tmp_path / "attention.npz") as again:
        np.testing.assert_allclose(again["density"], seen.density, atol=1e-6)
    assert (tmp_path / "regions.csv").read_text() == regions_csv(seen)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_notebook_runs_nothing_that_a_name_says() -> None:
    name = "<script>alert(1)<.png"
    seen = look_pair(rgb_picture(), None, network())
    picture = replace(seen.pair.rgb, name=name)  # type: ignore[type-var]
    shown = Counted(replace(seen, pair=replace(seen.pair, rgb=picture)))
    assert "<script>" not in shown._repr_html_()
