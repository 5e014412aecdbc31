"""One cell lights exactly its own box of the original, whatever its shape and framing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from vizattn.geometry import Framing, Grid, lift

# (original, framing): wide, tall, square, reduced, enlarged, turned by EXIF, letterboxed.
FRAMINGS = {
    "native": Framing.inside((480, 360), (480, 360), 64),
    "portrait": Framing.inside((360, 480), (480, 360), 64),
    "wide": Framing.inside((1000, 97), (480, 360), 64),
    "tall": Framing.short_side((101, 977), 128, 64, 768),
    "odd": Framing.short_side((333, 217), 128, 64, 768),
    "enlarged": Framing.short_side((50, 40), 128, 64, 768),
    "very long": Framing.short_side((1600, 90), 128, 64, 768),
    "letterbox wide": Framing.letterbox((301, 100), (224, 224)),
    "letterbox tall": Framing.letterbox((100, 350), (224, 224)),
}
CASES = pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)

sides = st.integers(8, 3000)
sizes = st.tuples(sides, sides)


@st.composite
def framings(draw: st.DrawFn) -> Framing:
    original = draw(sizes)
    kind = draw(st.sampled_from(("short", "inside", "letterbox")))
    if kind == "short":
        return Framing.short_side(original, draw(st.integers(64, 256)), 64, 768)
    limit = draw(st.tuples(st.integers(64, 512), st.integers(64, 512)))
    if kind == "inside":
        return Framing.inside(original, limit, 64)
    return Framing.letterbox(original, limit)


def grid_over(framing: Framing, stride: int) -> Grid:
    width, height = framing.input
    return Grid(math.ceil(height / stride), math.ceil(width / stride), (stride, stride))


def pixels_of(framing: Framing, box: tuple[float, float, float, float]) -> np.ndarray:
    """Return which pixels of the original have their centre inside a box of the original."""
    width, height = framing.original
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    left, top, right, bottom = box
    return ((y >= top) & (y < bottom))[:, None] & ((x >= left) & (x < right))[None, :]


def inner_cells(framing: Framing, grid: Grid) -> list[int]:
    """Return some cells of all edges and of the middle whose box lies over the picture."""
    rows = sorted({0, 1, grid.rows // 2, grid.rows - 1})
    columns = sorted({0, 1, grid.columns // 2, grid.columns - 1})
    cells = (row * grid.columns + column for row in rows for column in columns)
    return [cell for cell in cells if cell < len(grid)]


@CASES
@pytest.mark.parametrize("stride", (4, 8, 32))
def test_a_lit_cell_lights_exactly_its_own_box(framing: Framing, stride: int) -> None:
    grid = grid_over(framing, stride)
    lit_somewhere = 0
    for cell in inner_cells(framing, grid):
        values = np.zeros((grid.rows, grid.columns), dtype=np.float32)
        values.flat[cell] = 1
        box = framing.box_to_original(grid.box(cell))
        expected = pixels_of(framing, box)
        assert np.array_equal(lift(values, grid, framing) == 1, expected)
        lit_somewhere += expected.any()
    assert lit_somewhere


@CASES
def test_every_pixel_shows_the_cell_that_a_click_on_it_asks_for(framing: Framing) -> None:
    grid = grid_over(framing, 8)
    cells = np.arange(len(grid)).reshape(grid.rows, grid.columns)
    shown = lift(cells, grid, framing)
    random = np.random.default_rng(0)
    for _ in range(200):
        x, y = (int(random.integers(side)) for side in framing.original)
        assert shown[y, x] == grid.cell_at(framing.to_model((x + 0.5, y + 0.5)))


@given(framings(), st.sampled_from((4, 8, 16)), st.data())
@settings(max_examples=60, deadline=None)
def test_a_cell_is_where_its_centre_is(framing: Framing, stride: int, data: st.DataObject) -> None:
    grid = grid_over(framing, stride)
    cell = data.draw(st.integers(0, len(grid) - 1))
    assert grid.cell_at(grid.centre(cell)) == cell
    back = framing.to_model(framing.to_original(grid.centre(cell)))
    assert grid.cell_at(back) == cell


@given(framings(), st.tuples(st.floats(0, 1), st.floats(0, 1)))
@settings(max_examples=200, deadline=None)
def test_there_and_back_again(framing: Framing, part: tuple[float, float]) -> None:
    point = (part[0] * framing.original[0], part[1] * framing.original[1])
    assert framing.to_original(framing.to_model(point)) == pytest.approx(point, abs=1e-6)
    model = framing.to_model(point)
    assert framing.to_model(framing.to_original(model)) == pytest.approx(model, abs=1e-6)
    assert framing.round_trip_error() < 1e-6


@given(framings())
@settings(max_examples=200, deadline=None)
def test_the_corners_of_the_picture_are_where_it_was_pasted(framing: Framing) -> None:
    assert framing.to_model((0, 0)) == pytest.approx(framing.offset)
    corner = tuple(o + s for o, s in zip(framing.offset, framing.scaled, strict=True))
    assert framing.to_model(framing.original) == pytest.approx(corner)


@given(framings())
@settings(max_examples=200, deadline=None)
def test_shape_survives_but_for_rounding_and_the_least_side(framing: Framing) -> None:
    across, down = framing.scale
    assume(min(framing.scaled) > 64)
    # Each side is rounded to a whole pixel.
    assert abs(across - down) <= 0.5 / framing.original[0] + 0.5 / framing.original[1] + 1e-9


@given(sizes, st.integers(64, 256))
@settings(max_examples=200, deadline=None)
def test_short_side_keeps_to_its_bounds(original: tuple[int, int], side: int) -> None:
    framing = Framing.short_side(original, side, 64, 768)
    assert 64 <= min(framing.input) <= side
    assert max(framing.input) <= 768
    assert framing.scaled == framing.input


@given(sizes)
@settings(max_examples=200, deadline=None)
def test_inside_fits_either_way_round(original: tuple[int, int]) -> None:
    framing = Framing.inside(original, (480, 360), 64)
    turned = Framing.inside(original[::-1], (480, 360), 64)
    assume(original[0] != original[1])
    assert turned.input == framing.input[::-1]
    assert max(framing.input) <= 480
    assert min(framing.input) <= 360


@CASES
@pytest.mark.parametrize("stride", (4, 8))
def test_smooth_maps_have_the_cells_values_at_their_centres(framing: Framing, stride: int) -> None:
    grid = grid_over(framing, stride)
    values = np.random.default_rng(1).random((grid.rows, grid.columns))
    # One pixel a model pixel: then a cell of even width has its centre between two pixels.
    enlarged = Framing(framing.scaled, framing.scaled, framing.offset, framing.input)
    smooth = lift(values, grid, enlarged, smooth=True)
    half = stride // 2
    checked = 0
    for cell in range(len(grid)):
        x, y = (round(part) for part in enlarged.to_original(grid.centre(cell)))
        if half <= x < enlarged.original[0] - half and half <= y < enlarged.original[1] - half:
            around = smooth[y - 1 : y + 1, x - 1 : x + 1].mean()
            # Linear on both sides: the mean over the four pixels bends towards the neighbours.
            assert around == pytest.approx(values.flat[cell], abs=2 / stride)
            checked += 1
    assert checked > 3


@CASES
def test_smooth_maps_go_through_the_values_exactly(framing: Framing) -> None:
    # Cells of an odd number of pixels have a pixel's centre as their centre.
    stride = 3
    exact = Framing(framing.scaled, framing.scaled, (0, 0), framing.scaled)
    grid = Grid(exact.input[1] // stride, exact.input[0] // stride, (stride, stride))
    values = np.random.default_rng(2).random((grid.rows, grid.columns))
    smooth = lift(values, grid, exact, smooth=True)
    at_centres = smooth[1 : grid.rows * stride : stride, 1 : grid.columns * stride : stride]
    assert np.allclose(at_centres, values, atol=1e-12)


@CASES
def test_smooth_maps_stay_between_the_values(framing: Framing) -> None:
    grid = grid_over(framing, 8)
    values = np.random.default_rng(3).random((grid.rows, grid.columns)).astype(np.float32)
    smooth = lift(values, grid, framing, smooth=True)
    assert smooth.min() >= values.min() - 1e-6
    assert smooth.max() <= values.max() + 1e-6


def test_a_smooth_ramp_is_the_ramp() -> None:
    framing = Framing.inside((480, 360), (480, 360), 64)
    grid = grid_over(framing, 8)
    centres = np.array([grid.centre(cell)[0] for cell in range(len(grid))])
    smooth = lift(centres.reshape(grid.rows, grid.columns), grid, framing, smooth=True)
    inner = slice(4, 480 - 4)
    assert np.allclose(smooth[:, inner], (np.arange(480) + 0.5)[inner], atol=1e-9)


@pytest.mark.parametrize("smooth", (False, True))
@pytest.mark.parametrize("size", (None, (240, 180), (77, 300)))
def test_bands_are_parts_of_the_whole(size: tuple[int, int] | None, smooth: bool) -> None:
    framing = FRAMINGS["native"]
    grid = grid_over(framing, 8)
    values = np.random.default_rng(4).random((grid.rows, grid.columns))
    whole = lift(values, grid, framing, size, smooth)
    bands = [
        lift(values, grid, framing, size, smooth, band=(top, top + 64))
        for top in range(0, len(whole), 64)
    ]
    assert np.array_equal(np.concatenate(bands), whole)


def test_a_smaller_view_shows_the_same_cells() -> None:
    framing = FRAMINGS["native"]
    grid = grid_over(framing, 8)
    cells = np.arange(len(grid)).reshape(grid.rows, grid.columns)
    half = lift(cells, grid, framing, (240, 180))
    assert np.array_equal(half, lift(cells, grid, framing)[1::2, 1::2])


def test_values_of_another_shape_are_refused() -> None:
    framing = FRAMINGS["native"]
    with pytest.raises(ValueError, match=r"expected \(45, 60\) values, received \(60, 45\)"):
        lift(np.zeros((60, 45)), grid_over(framing, 8), framing)


@CASES
def test_apply_puts_the_picture_where_the_framing_says(framing: Framing) -> None:
    colours = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))
    width, height = framing.original
    picture = Image.new("RGB", framing.original)
    quarters = ((0, 0), (width // 2, 0), (0, height // 2), (width // 2, height // 2))
    for colour, corner in zip(colours, quarters, strict=True):
        picture.paste(colour, (*corner, width, height))
    given_to_model = framing.apply(picture)
    assert given_to_model.size == framing.input
    for colour, (left, top) in zip(colours, quarters, strict=True):
        middle = (left + width / 4, top + height / 4)
        x, y = (int(part) for part in framing.to_model(middle))
        assert given_to_model.getpixel((x, y)) == colour


def test_bars_of_a_letterbox_are_grey_and_outside_the_picture() -> None:
    framing = FRAMINGS["letterbox wide"]
    given_to_model = np.asarray(framing.apply(Image.new("RGB", framing.original, "white")))
    is_picture = (given_to_model == 255).all(axis=-1)
    rows = np.flatnonzero(is_picture.all(axis=1))
    assert rows[0] == framing.offset[1]
    assert len(rows) == framing.scaled[1]
    assert not is_picture[: rows[0]].any()
    assert not is_picture[rows[-1] + 1 :].any()


def test_a_reduced_copy_is_framed_like_the_original() -> None:
    original = Image.linear_gradient("L").resize((800, 600)).convert("RGB")
    framing = Framing.inside((800, 600), (480, 360), 64)
    direct = np.asarray(framing.apply(original), dtype=float)
    reduced = np.asarray(framing.apply(original.resize((640, 480))), dtype=float)
    assert np.abs(direct - reduced).max() <= 2


@pytest.mark.parametrize("point", ((-0.1, 5), (5, -0.1), (480, 5), (5, 360)))
def test_the_far_edges_are_outside(point: tuple[float, float]) -> None:
    framing = FRAMINGS["native"]
    assert not framing.contains(point)
    assert framing.contains((479.99, 359.99))
    assert framing.contains((0, 0))


@pytest.mark.parametrize(
    "values",
    (
        {"scaled": (0, 5)},
        {"offset": (-1, 0)},
        {"offset": (1, 0)},
        {"scaled": (11, 10)},
    ),
)
def test_impossible_framings_are_refused(values: dict[str, tuple[int, int]]) -> None:
    possible = {"original": (20, 20), "scaled": (10, 10), "offset": (0, 0), "input": (10, 10)}
    with pytest.raises(ValueError, match="expected"):
        Framing(**possible | values)


@pytest.mark.parametrize("cell", (-1, 12))
def test_cells_that_are_not_there_are_refused(cell: int) -> None:
    with pytest.raises(ValueError, match=r"expected a cell of 0\.\.11"):
        Grid(3, 4, (8, 8)).box(cell)


@pytest.mark.parametrize("bad", ((0, 4, (8, 8)), (3, 0, (8, 8)), (3, 4, (0, 8))))
def test_grids_without_cells_are_refused(bad: tuple[int, int, tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="expected a grid with cells"):
        Grid(*bad)


@given(sizes, st.tuples(st.integers(64, 512), st.integers(64, 512)))
@settings(max_examples=100, deadline=None)
def test_a_letterbox_is_filled_along_one_side_and_even_along_the_other(
    original: tuple[int, int], size: tuple[int, int]
) -> None:
    framing = Framing.letterbox(original, size)
    assert any(s == i for s, i in zip(framing.scaled, framing.input, strict=True))
    for offset, scaled, whole in zip(framing.offset, framing.scaled, framing.input, strict=True):
        assert 0 <= whole - scaled - 2 * offset <= 1
