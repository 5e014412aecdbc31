"""What the crowd tab computes in the browser, and what it is sent, against the library."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from vizattn.crowd.areas import coverage
from vizattn.geometry import Framing, Grid

PROGRAM = """
import { countInside, coverage } from "%(folder)s/areas.js";
import { boxOf, fitted, nudgeBetween, nudged } from "%(folder)s/registration.js";
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
  between: ({ from, to, rgb }) => nudgeBetween(from, to, rgb),
  fitted: ({ rgb, thermal }) => fitted(rgb, thermal),
  box: ({ registration, thermal }) => boxOf(registration, thermal),
  tokens: ({ cell, tokens, grid, row }) => [tokenOf(cell, tokens),
    cellsOf(tokenOf(cell, tokens), tokens, grid), Array.from(overCells(Float32Array.from(row), grid))],
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
