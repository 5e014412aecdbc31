"""What the crowd tab computes in the browser, and what it is sent, against the library."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.weights import read_card
from tests.conftest import ROOT
from tests.networks_for_tests import small_network, write_network
from vizattn.attention import ModalityGate, PlaceAffinity
from vizattn.crowd.analysis import CrowdAnalysis, look_at
from vizattn.crowd.areas import coverage
from vizattn.crowd.changes import SENSES, STAGES, Changes
from vizattn.crowd.pair import read_pair
from vizattn.geometry import Framing, Grid
from vizattn.networks import Library
from vizattn.pairs import pairs
from vizattn.registration import Registration
from vizattn.store import Forgotten, Store
from vizattn.texts import LANGUAGES, Refused
from vizattn.ui.crowd.component import SCRIPT
from vizattn.ui.crowd.offer import _metric
from vizattn.ui.crowd.orders import (
    BadQuestion,
    Order,
    changes_numbers,
    read_order,
    registration_numbers,
)
from vizattn.ui.crowd.pairs import CrowdDesk
from vizattn.ui.crowd.payload import ASKS, factors, payload, pictures, row_numbers, words
from vizattn.ui.crowd.saves import KINDS, save

PROGRAM = """
import { countInside, coverage } from "%(folder)s/areas.js";
import { boxOf, fitted, nudgeBetween, nudged, unnudged } from "%(folder)s/registration.js";
import { cellsOf, overCells, tokenOf } from "%(folder)s/tokens.js";
import { decodeHalves } from "%(folder)s/../canvas/codec.js";
import { readFileSync } from "node:fs";
const { ask, given } = JSON.parse(readFileSync(0, "utf-8"));
const answers = {
  coverage: ({ polygon, grid, framing, picture }) =>
    Array.from(coverage(polygon, grid, framing, picture)),
  count: ({ polygon, grid, values, framing, picture }) =>
    countInside(polygon, { grid, values }, framing, picture),
  nudged: ({ registration, nudge, rgb }) => nudged(registration, nudge, rgb),
  unnudged: ({ registration, nudge, rgb }) => unnudged(registration, nudge, rgb),
  between: ({ from, to, rgb }) => nudgeBetween(from, to, rgb),
  fitted: ({ rgb, thermal }) => fitted(rgb, thermal),
  box: ({ registration, thermal }) => boxOf(registration, thermal),
  tokens: ({ cell, tokens, grid, row }) => [tokenOf(cell, tokens),
    cellsOf(tokenOf(cell, tokens), tokens, grid),
    Array.from(overCells(Float32Array.from(row), grid))],
  halves: ({ bytes }) => Array.from(decodeHalves(Uint8Array.from(bytes).buffer)),
};
console.log(JSON.stringify(answers[ask](given)));
"""
POLYGONS = {
    "triangle": [(20, 30), (250, 60), (90, 200)],
    "concave": [(10, 10), (300, 40), (120, 90), (290, 210), (30, 180)],
    "crossing itself": [(20, 20), (280, 200), (280, 20), (20, 200)],
    "round twice": [(50, 50), (150, 50), (150, 150), (50, 150)] * 2,
    "beyond the picture": [(-80, -50), (500, 40), (420, 400), (-30, 260)],
    "inside one cell": [(33.2, 41.1), (35.9, 41.4), (34.7, 44.0)],
    "on the edges of cells": [(16, 16), (48, 16), (48, 64), (16, 64)],
    "a lasso": [
        (150 + (90 + 25 * np.sin(5 * a)) * np.cos(a), 110 + 70 * np.sin(a))
        for a in np.linspace(0, 2 * np.pi, 150, endpoint=False)
    ],
}


def in_browser(ask: str, **given: Any) -> Any:
    """Return what the page's own modules answer."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js to run the page's numbers without a browser")
    folder = ROOT / "assets" / "crowd"
    done = subprocess.run(
        [node, "--input-type=module", "-e", PROGRAM % {"folder": folder}],
        input=json.dumps({"ask": ask, "given": given}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


def sent(grid: Grid, framing: Framing) -> dict[str, Any]:
    """Return a grid and a framing as the browser has them."""
    width, height = framing.original
    return {
        "grid": {"rows": grid.rows, "columns": grid.columns, "cell": grid.cell,
                 "origin": grid.origin},
        "framing": {"scale": framing.scale, "offset": framing.offset, "input": framing.input},
        "picture": {"width": width, "height": height},
    }  # fmt: skip


@pytest.fixture(scope="module")
def place() -> tuple[Grid, Framing]:
    framing = Framing((321, 235), (417, 305), (0, 0), (417, 305))
    return Grid(39, 53, (8.0, 8.0)), framing


@pytest.mark.parametrize("name", POLYGONS)
def test_a_region_covers_what_the_library_says(name: str, place: tuple[Grid, Framing]) -> None:
    grid, framing = place
    polygon = POLYGONS[name]
    ours = coverage(polygon, grid, framing)
    theirs = np.array(in_browser("coverage", polygon=polygon, **sent(grid, framing)))
    assert 0 < ours.sum() <= ours.size
    np.testing.assert_allclose(theirs.reshape(ours.shape), ours, atol=1e-9)


def test_people_in_a_region_are_counted_alike(place: tuple[Grid, Framing]) -> None:
    grid, framing = place
    people = np.random.default_rng(0).random((grid.rows, grid.columns)) ** 9
    for polygon in POLYGONS.values():
        ours = float((coverage(polygon, grid, framing) * people).sum())
        values = people.ravel().tolist()
        theirs = in_browser("count", polygon=polygon, values=values, **sent(grid, framing))
        assert theirs == pytest.approx(ours, abs=1e-6)


def test_tokens_lie_on_cells_in_every_band() -> None:
    grid = {"rows": 6, "columns": 8, "cell": [4, 4], "origin": [0, 0]}
    row = np.random.default_rng(1).random(12).astype(np.float32).tolist()
    token, cells, values = in_browser("tokens", cell=29, tokens=12, grid=grid, row=row)
    assert token == 5
    assert cells == [5, 17, 29, 41]
    np.testing.assert_allclose(values, np.tile(row, 4), rtol=1e-6)


def test_half_numbers_are_read_exactly() -> None:
    values = np.array([0, -0.0, 1, -2.5, 6e-8, 3e-5, 65504, 0.1, np.nan, np.inf], "<f2")
    read = in_browser("halves", bytes=list(values.tobytes()))
    wanted = np.where(np.isfinite(values), values, 0).astype(np.float64)
    np.testing.assert_array_equal(read, wanted)


@pytest.fixture(scope="module")
def analysis() -> CrowdAnalysis:
    example = pairs()[0]
    pair = read_pair(example.rgb_path, example.thermal_path)
    return look_at(pair, small_network("count", "csca"))


def decoded(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_density_and_regions_are_sent(analysis: CrowdAnalysis) -> None:
    sent = payload(analysis)
    np.testing.assert_array_equal(decoded(sent["density"]["values"]), analysis.density.ravel())
    assert sent["density"]["count"] == analysis.count
    assert np.sum(sent["regions"]) == pytest.approx(analysis.count, rel=1e-6)
    assert np.sum(sent["ninths"]) == pytest.approx(analysis.count, rel=1e-6)
    assert json.loads(json.dumps(sent, allow_nan=False))["id"] == analysis.id


def test_gates_are_sent_with_their_average(analysis: CrowdAnalysis) -> None:
    gates = payload(analysis)["gates"]
    assert [gate["stage"] for gate in gates] == list(range(STAGES))
    for gate in gates:
        captured = analysis.at_stage(gate["stage"], "gate")
        assert isinstance(captured, ModalityGate)
        shares = np.frombuffer(base64.b64decode(gate["rgb"]), "<f2").astype(float)
        np.testing.assert_allclose(shares, captured.values[0].ravel(), atol=1e-3)
        assert sum(gate["share"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("stage", range(STAGES))
def test_rows_can_be_computed_from_what_is_sent(analysis: CrowdAnalysis, stage: int) -> None:
    """What the browser gets gives the library's rows, for a place of either sense."""
    sites = [one for one in payload(analysis)["sites"] if one["stage"] == stage]
    values = np.frombuffer(factors(analysis, stage), "<f2").astype(np.float32)
    assert {one["asking"] for one in sites} == {"rgb", "thermal"}
    start = 0
    for name, asks in ASKS.items():
        site = next(one for one in sites if one["asking"] == asks)
        shape = site["tokens"], site["dim"]
        query, key = values[start : start + 2 * np.prod(shape)].reshape(2, *shape)
        start += 2 * np.prod(shape)
        captured = analysis.at_stage(stage, name)
        assert isinstance(captured, PlaceAffinity)
        x, y = 400.0, 300.0
        cell = captured.query_grid.cell_at(analysis.framing.to_model((x, y)))
        logits = site["scale"] * (key @ query[cell % site["tokens"]])
        weights = np.exp(logits - logits.max())
        wanted = captured.rows.row(captured.token_of(cell))[0]
        np.testing.assert_allclose(weights / weights.sum(), wanted, atol=1e-3)
        sent = row_numbers(analysis, stage, asks, [x, y])
        assert sent is not None
        assert sent["token"] == captured.token_of(cell)
        np.testing.assert_allclose(decoded(sent["values"]), wanted, atol=1e-6)
    assert start == values.size


def test_a_row_beside_the_picture_is_none(analysis: CrowdAnalysis) -> None:
    assert row_numbers(analysis, 0, "rgb", [-5.0, 10.0]) is None
    assert row_numbers(analysis, 0, "smell", [5.0, 10.0]) is None


def test_every_sentence_is_sent_in_every_language(analysis: CrowdAnalysis) -> None:
    sent = payload(analysis)
    assert len(sent["checks"]) >= 3
    for one in [*(check["label"] for check in sent["checks"]),
                *(check["text"] for check in sent["checks"]),
                *(note["words"] for note in sent["notes"])]:  # fmt: skip
        assert one.keys() == set(LANGUAGES)
        assert one["en"] != one["zh"]


def test_a_missing_sense_is_sent_as_none(analysis: CrowdAnalysis) -> None:
    example = pairs()[0]
    alone = look_at(read_pair(example.rgb_path), analysis.network)
    sent = payload(alone)
    assert (sent["senses"], sent["gates"], sent["sites"]) == (["rgb"], [], [])
    assert sent["registration"] is None
    assert pictures(alone.pair)["thermal"] is None


def test_noise_is_shown_as_the_network_got_it(analysis: CrowdAnalysis) -> None:
    noisy = look_at(analysis.pair, analysis.network, Changes(noise=("thermal", 40.0)))
    url = payload(noisy)["given"]["thermal"]
    shown = Image.open(BytesIO(base64.b64decode(url.partition(",")[2])))
    assert shown.size == noisy.framing.input
    given = noisy.pair.given(noisy.framing, noisy.changes)["thermal"]
    assert np.abs(np.asarray(shown, dtype=float) - given).mean() < 12
    assert payload(analysis)["given"] is None


def test_nudges_are_those_of_the_library() -> None:
    rgb, thermal = (640, 480), (320, 256)
    side = {"width": rgb[0], "height": rgb[1]}
    fitted = Registration.fitted(rgb, thermal)
    base = registration_numbers(fitted)
    sizes = {"rgb": side, "thermal": {"width": thermal[0], "height": thermal[1]}}
    assert in_browser("fitted", **sizes) == pytest.approx(base)
    nudge = {"x": 12.5, "y": -7.0, "zoom": 1.25}
    theirs = in_browser("nudged", registration=base, nudge=nudge, rgb=side)
    ours = fitted.nudged(12.5, -7.0, 1.25)
    assert theirs == pytest.approx(registration_numbers(ours))
    back = in_browser("between", **{"from": base}, to=theirs, rgb=side)
    assert back == pytest.approx(nudge)
    before = in_browser("unnudged", registration=theirs, nudge=nudge, rgb=side)
    assert before == pytest.approx(base, abs=1e-9)
    left, top, width, height = in_browser("box", registration=theirs, thermal=sizes["thermal"])
    assert ours.to_thermal((left, top)) == pytest.approx((0, 0), abs=1e-6)
    corner = ours.to_thermal((left + width, top + height))
    assert corner == pytest.approx(thermal, abs=1e-6)


@pytest.mark.parametrize(
    "question",
    [
        {"pair": {"example": 7}},
        {"registration": [1, 1, 0]},
        {"registration": [1, 1, float("nan"), 0]},
        {"registration": [0, 1, 0, 0]},
        {"changes": {"light": 9}},
        {"changes": {"noise": ["smell", 3]}},
        {"changes": {"off": [5]}},
        {"changes": {"shift": "no"}},
        {"changes": {"blank": "both"}},
    ],
)
def test_a_question_that_nobody_asks_is_refused(question: dict[str, Any]) -> None:
    with pytest.raises(BadQuestion):
        read_order(question)


def test_changes_go_there_and_back() -> None:
    changes = Changes((3.0, -4.5), 0.5, "rgb", ("thermal", 20.0), frozenset({1, 4}))
    assert read_order({"changes": changes_numbers(changes)}).changes == changes
    assert read_order({}).changes == Changes()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CrowdDesk:
    write_network(small_network("count", "csca"), tmp_path)
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(tmp_path))
    return CrowdDesk(Library("cpu"), Store(2), Store(2))


def order(own: str | None = None, example: str | None = None) -> Order:
    return Order(example, own, "count-csca")


def test_a_pair_is_its_visitors_alone(desk: CrowdDesk) -> None:
    rgb = pairs()[0].rgb_path
    opened = desk.open("ann", order(), {"rgb": rgb}, swap=False)
    assert desk.look("ann", order(opened.id)).senses == ("rgb",)
    with pytest.raises(Forgotten):
        desk.look("bob", order(opened.id))
    desk.leave("ann")
    with pytest.raises(Forgotten):
        desk.pair("ann", order(opened.id))


def test_pictures_of_a_pair_are_replaced_removed_and_swapped(desk: CrowdDesk) -> None:
    example = pairs()[0]
    assert example.thermal_path is not None
    one = desk.open("ann", order(), {"rgb": example.rgb_path}, swap=False)
    both = desk.open("ann", order(one.id), {"thermal": example.thermal_path}, swap=False)
    assert both.pair.senses == ("rgb", "thermal")
    swapped = desk.open("ann", order(both.id), {}, swap=True)
    assert swapped.sources == {"rgb": example.thermal_path, "thermal": example.rgb_path}
    alone = desk.open("ann", order(swapped.id), {"rgb": None}, swap=False)
    assert alone.pair.senses == ("thermal",)


def test_an_example_is_looked_at_once(desk: CrowdDesk) -> None:
    name = pairs()[0].id
    first = desk.look("ann", order(example=name))
    assert desk.look("bob", order(example=name)) is first
    assert desk.current("carl", order(example=name), first.id) is first
    changed = replace(order(example=name), changes=Changes(light=0.5))
    assert desk.look("ann", changed) is not first


def test_an_unknown_example_or_network_is_refused(desk: CrowdDesk) -> None:
    with pytest.raises(BadQuestion):
        desk.look("ann", order(example="nowhere"))
    with pytest.raises(Refused):
        desk.look("ann", Order(pairs()[0].id, None, "nobody"))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_file_is_written(analysis: CrowdAnalysis, kind: str) -> None:
    region = [[100.0, 100.0], [500.0, 120.0], [300.0, 400.0]]
    chosen = {"layer": "row", "stage": 2, "asking": "thermal", "at": [200.0, 150.0],
              "region": region}  # fmt: skip
    path = save(kind, analysis, chosen, "en", pairs()[0])
    assert path.suffix == f".{KINDS[kind][0]}"
    assert path.stat().st_size > 200
    if kind == "regions":
        *table, drawn = path.read_text().splitlines()
        assert len(table) == 17
        count = float(drawn.split(",")[6])
        corners = [(x, y) for x, y in region]
        assert count == pytest.approx(analysis.count_in(corners), abs=1e-5)


@pytest.mark.parametrize(
    "chosen",
    [{"at": [1, 2, 3]}, {"colormap": "pink"}, {"region": "round"}, {"layer": "row", "stage": 9}],
)
def test_a_selection_that_nobody_makes_is_refused(
    analysis: CrowdAnalysis, chosen: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        save("figure", analysis, chosen, "en")
    with pytest.raises(Refused):
        save("film", analysis, {}, "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_that_the_scripts_name_is_there(language: str) -> None:
    known = SCRIPT.texts(language)
    folder = ROOT / "assets"
    scripts = [folder / "crowd.js", *(folder / "crowd").glob("*.js")]
    named = {
        key
        for path in scripts
        for key in re.findall(r'say\("([a-z_.A-Z0-9]+)"', path.read_text("utf-8"))
    }
    assert len(named) > 60
    assert named - known.keys() == set()
    built = [f"control.layer_{layer}_hint" for layer in ("plain", "density", "row", "gate")]
    built += [f"save.{kind}" for kind in KINDS] + [f"sense.{sense}" for sense in SENSES]
    assert set(built) - known.keys() == set()


def test_a_network_says_how_far_off_it_is_in_crowds_and_on_streets() -> None:
    card = read_card("csca-small")
    crowds, streets = (
        card.metric["conditions"][pack][shown]
        for pack, shown in (("crowd_points", "rgb"), ("rgbt_msrs", "both"))
    )
    said = _metric(card)
    assert said is not None
    for sentence in said.values():
        numbers = [float(each) for each in re.findall(r"\d+(?:\.\d+)?", sentence)]
        assert {
            round(crowds["mae"]),
            round(crowds["people"]),
            crowds["count"],
            round(streets["mae"], 1),
            round(streets["people"], 1),
            streets["count"],
        } == set(numbers)
    only = replace(card, metric={"mae": 9.0, "count": 10})
    assert _metric(only) == words("crowd_page.metric", mae="9.0", count=10)
