"""Counts in parts of the picture: exact shares of cells, so that parts add up to the whole."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.counting.density import resize_conserving
from vizattn.crowd.areas import (
    MOST_CORNERS,
    BadRegion,
    cell_edges,
    coverage,
    own_cells,
    shares,
)
from vizattn.geometry import Framing, Grid

Corners = list[tuple[float, float]]
STAR = 5


def grid_of(framing: Framing, cell: int = 8) -> Grid:
    across, down = framing.input
    return Grid(-(-down // cell), -(-across // cell), (cell, cell))


def framing_of(size: tuple[int, int]) -> Framing:
    return Framing.inside(size, (128, 96), 64)


ODD = framing_of((301, 173))
"""128 x 74 model pixels: the last row of cells reaches 6 pixels beyond the picture"""
GRID = grid_of(ODD)


def area(corners: Corners, framing: Framing = ODD) -> float:
    """Return the area that a polygon covers, in pixels of the original, as coverage has it."""
    x, y = cell_edges(grid_of(framing), framing)
    cells = np.outer(np.diff(y), np.diff(x))
    return float((coverage(corners, grid_of(framing), framing) * cells).sum())


def shoelace(corners: Corners) -> float:
    x, y = np.array(corners).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def star(x: float, y: float, radius: float) -> Corners:
    """Return a pentagram, which crosses itself five times."""
    turns = [2 * index * 2 * math.pi / STAR for index in range(STAR)]
    return [(x + radius * math.sin(turn), y - radius * math.cos(turn)) for turn in turns]


@st.composite
def partitions(draw: st.DrawFn) -> tuple[Framing, list[Corners]]:
    """Draw a picture and triangles around an inner point that tile it."""
    size = draw(st.tuples(st.integers(40, 900), st.integers(40, 900)))
    inner = st.floats(0.01, 0.99)
    centre = (size[0] * draw(inner), size[1] * draw(inner))
    width, height = size
    along = sorted({0.0, 1.0, 2.0, 3.0, *draw(st.lists(st.floats(0, 4), max_size=12))})
    border: Corners = []
    for place in along:
        side, part = divmod(min(place, 4 - 1e-9), 1)
        border.append(
            ((part * width, 0.0), (width, part * height), ((1 - part) * width, height),
             (0.0, (1 - part) * height))[int(side)]
        )  # fmt: skip
    following = border[1:] + border[:1]
    triangles = [[centre, a, b] for a, b in zip(border, following, strict=True)]
    return framing_of(size), triangles


@settings(max_examples=40, deadline=None)
@given(partitions(), st.integers(0, 2**32 - 1))
def test_parts_that_tile_the_picture_hold_everybody(
    tiled: tuple[Framing, list[Corners]], seed: int
) -> None:
    framing, parts = tiled
    grid = grid_of(framing)
    density = np.random.default_rng(seed).random((grid.rows, grid.columns))
    found = sum((coverage(part, grid, framing) * density).sum() for part in parts)
    assert found == pytest.approx(density.sum(), abs=1e-4)


def test_the_whole_picture_covers_every_cell_though_some_reach_beyond() -> None:
    whole = [(0.0, 0.0), (301.0, 0.0), (301.0, 173.0), (0.0, 173.0)]
    np.testing.assert_allclose(coverage(whole, GRID, ODD), 1, atol=1e-12)
    assert own_cells(GRID, ODD)[-1].max() < 0.5


def test_a_cells_own_box_is_that_cell_alone() -> None:
    for index in (0, 5, 37, 100):
        left, top, right, bottom = ODD.box_to_original(GRID.box(index))
        covered = coverage([(left, top), (right, top), (right, bottom), (left, bottom)], GRID, ODD)
        expected = np.zeros(covered.size)
        expected[index] = 1
        np.testing.assert_allclose(covered.ravel(), expected, atol=1e-9)


def test_half_a_cell_holds_half_of_its_people() -> None:
    left, top, right, bottom = ODD.box_to_original(GRID.box(37))
    diagonal = coverage([(left, top), (right, top), (right, bottom)], GRID, ODD)
    assert diagonal.ravel()[37] == pytest.approx(0.5)
    assert diagonal.sum() == pytest.approx(0.5)


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 60), st.integers(0, 2**32 - 1))
def test_the_area_of_any_simple_outline_is_exact(corners: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    turns = np.sort(random.random(corners)) * 2 * math.pi
    away = random.uniform(5, 85, corners)
    outline = [
        (150 + r * math.cos(t), 86 + r * math.sin(t)) for t, r in zip(turns, away, strict=True)
    ]
    # Seen from the middle, every direction is met once, unless half the turn has no corner.
    if np.diff(np.append(turns, turns[0] + 2 * math.pi)).max() < math.pi:
        assert area(outline) == pytest.approx(shoelace(outline), rel=1e-9)
        assert area(outline[::-1]) == pytest.approx(shoelace(outline), rel=1e-9)


def test_what_an_outline_runs_around_is_inside_however_often() -> None:
    inner = 60 * math.sin(math.pi / 10) / math.sin(7 * math.pi / 10)
    filled = STAR * 60 * inner * math.sin(math.pi / STAR)
    assert area(star(150, 86, 60)) == pytest.approx(filled, rel=1e-9)
    square = [(40.0, 40.0), (90.0, 40.0), (90.0, 90.0), (40.0, 90.0)]
    assert area(square * 2) == pytest.approx(2500, rel=1e-9)


def test_what_is_off_the_picture_is_cut_off() -> None:
    assert area([(-50, -50), (50, -50), (50, 50), (-50, 50)]) == pytest.approx(2500)
    assert area([(-500, -500), (900, -500), (900, 900), (-500, 900)]) == pytest.approx(301 * 173)
    assert area([(400, 10), (500, 10), (450, 90)]) == 0


@pytest.mark.parametrize(
    "corners",
    [
        [],
        [(1, 1), (2, 2)],
        [(1, 1, 1), (2, 2, 2), (3, 3, 3)],
        [(1, 1), (2, float("nan")), (3, 1)],
        [(1, 1), (2, float("inf")), (3, 1)],
        [("a", 1), (2, 2), (3, 1)],
        [(1, 1), (2,), (3, 1)],
        [(index, index % 7) for index in range(MOST_CORNERS + 1)],
    ],
    ids=str,
)
def test_what_is_no_region_is_refused(corners: Corners) -> None:
    with pytest.raises(BadRegion, match="three"):
        coverage(corners, GRID, ODD)


def test_a_scribble_of_thousands_of_crossings_is_refused() -> None:
    random = np.random.default_rng(0)
    scribble = (random.random((400, 2)) * (301, 173)).tolist()
    with pytest.raises(BadRegion):
        coverage(scribble, GRID, ODD)


def test_shares_of_even_cells_are_those_of_the_resize_that_conserves() -> None:
    density = np.random.default_rng(0).random((12, 16))
    even = Framing((256, 192), (128, 96), (0, 0), (128, 96))
    x, y = cell_edges(grid_of(even), even)
    for columns, rows in ((4, 4), (33, 7), (64, 48), (256, 192)):
        across, down = (
            shares(edges, np.linspace(0, side, parts + 1))
            for edges, side, parts in ((x, 256, columns), (y, 192, rows))
        )
        ours = down @ density @ across.T
        np.testing.assert_allclose(ours, resize_conserving(density, (rows, columns)), atol=1e-12)


def test_padding_has_no_share_of_the_picture() -> None:
    padded = Grid(6, 8, (16, 16))
    framing = Framing((256, 170), (128, 85), (0, 0), (128, 85))
    own = own_cells(padded, framing)
    assert own[:5].min() == 1
    np.testing.assert_allclose(own[5], 5 / 16)
    assert own_cells(Grid(8, 8, (16, 16)), framing)[6:].max() == 0
