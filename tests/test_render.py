"""Heat over the picture, pixel by pixel, and figures that carry their scale."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from tests.networks_for_tests import scene
from tests.test_geometry import CASES, grid_over, inner_cells, pixels_of
from tests.test_views import analysis, rows, signed, two_heads
from vizattn import typesetting
from vizattn.analysis import Analysis
from vizattn.attention import Check
from vizattn.figures import Figure, figure
from vizattn.geometry import Framing
from vizattn.intake import Picture, read_picture
from vizattn.labels import mechanism_label, site_label
from vizattn.numbers import number
from vizattn.panels import PANELS
from vizattn.render import (
    COLORMAPS,
    Style,
    colour_table,
    colours,
    draw_marker,
    grey_ground,
    levels,
    overlay,
)
from vizattn.views import Drawable, Heat, Label, Scale, Selection, view

TITLE = Label("figure.spatial_gate")
SOLID = Style(opacity=1)


def heat_of(values: np.ndarray, framing: Framing, signed: bool = False) -> Heat:
    grid = grid_over(framing, 8)
    low = -1.0 if signed else 0.0
    return Heat(values, grid, low, 1.0, signed, None, TITLE, TITLE)


def zeros(framing: Framing) -> np.ndarray:
    grid = grid_over(framing, 8)
    return np.zeros((grid.rows, grid.columns), dtype=np.float32)


def picture(size: tuple[int, int]) -> Picture:
    return read_picture(scene(*size), working_pixels=12_000_000)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@CASES
def test_a_lit_cell_colours_exactly_its_own_box(framing: Framing) -> None:
    below = picture(framing.original)
    dark = pixels(overlay(heat_of(zeros(framing), framing), below, framing, SOLID))
    top = colours("viridis")[255]
    for cell in inner_cells(framing, grid_over(framing, 8)):
        values = zeros(framing)
        values.flat[cell] = 1
        heat = heat_of(values, framing)
        drawn = pixels(overlay(heat, below, framing, SOLID))
        lit = pixels_of(framing, framing.box_to_original(heat.grid.box(cell)))
        assert (drawn[lit] == top).all()
        assert np.array_equal(drawn[~lit], dark[~lit])


@CASES
def test_the_overlay_has_the_size_of_the_original(framing: Framing) -> None:
    below = picture(framing.original)
    heat = heat_of(zeros(framing), framing)
    assert overlay(heat, below, framing).size == framing.original
    assert overlay(heat, below, framing, size=(64, 48)).size == (64, 48)


def test_a_reduced_picture_is_drawn_at_the_original_size() -> None:
    below = read_picture(scene(800, 600), working_pixels=120_000)
    framing = Framing.inside((800, 600), (480, 360), 64)
    assert below.rgb.size == (400, 300)
    drawn = overlay(heat_of(zeros(framing), framing), below, framing)
    assert drawn.size == (800, 600)
    close = np.abs(
        pixels(drawn.resize((400, 300))) - pixels(grey_ground(below.rgb, (400, 300)))[..., None]
    )
    assert close.mean() < 3


def test_where_there_is_no_attention_the_scene_shows_in_grey() -> None:
    framing = Framing.inside((480, 360), (480, 360), 64)
    below = picture((480, 360))
    drawn = pixels(overlay(heat_of(zeros(framing), framing), below, framing))
    assert (drawn == drawn[..., :1]).all()
    levels_of_grey = pixels(below.rgb.convert("L"))
    assert np.corrcoef(drawn[..., 0].ravel(), levels_of_grey.ravel())[0, 1] > 0.99
    assert drawn[..., 0].max() <= 0.8 * 255 + 1
    assert drawn[..., 0].mean() < levels_of_grey.mean()


@pytest.mark.parametrize("colormap", COLORMAPS)
def test_colours_are_matplotlibs(colormap: str) -> None:
    expected = colormaps[colormap](np.linspace(0, 1, 256), bytes=True)[:, :3]
    assert np.array_equal(colours(colormap), expected)
    framing = Framing.inside((480, 360), (480, 360), 64)
    values = np.linspace(0, 1, 45 * 60, dtype=np.float32).reshape(45, 60)
    style = Style(colormap, opacity=1)
    drawn = pixels(overlay(heat_of(values, framing), picture((480, 360)), framing, style))
    assert (drawn[-1, -1] == expected[255]).all()
    table = colour_table(heat_of(values, framing), style)
    assert table[0, 3] == 0
    assert (np.diff(table[:, 3].astype(int)) >= 0).all()


def test_signed_maps_are_blue_below_zero_and_red_above() -> None:
    framing = Framing.inside((480, 360), (480, 360), 64)
    values = zeros(framing)
    values[0, 0], values[0, 1] = -1, 1
    drawn = pixels(
        overlay(heat_of(values, framing, signed=True), picture((480, 360)), framing, SOLID)
    )
    negative, positive, nothing = drawn[2, 2], drawn[2, 10], drawn[2, 20]
    assert negative[2] > negative[0] + 40
    assert positive[0] > positive[2] + 40
    assert nothing.max() - nothing.min() <= 4


def test_values_beyond_the_scale_have_the_colours_of_its_ends() -> None:
    framing = Framing.inside((480, 360), (480, 360), 64)
    heat = heat_of(zeros(framing), framing)
    assert levels(heat, np.array([[-3.0, 0, 0.5, 1, 7]])).tolist() == [[0, 0, 128, 255, 255]]


def test_smooth_heat_differs_from_cells_only_between_centres() -> None:
    framing = Framing.inside((480, 360), (480, 360), 64)
    values = np.random.default_rng(0).random((45, 60)).astype(np.float32)
    below = picture((480, 360))
    cells = pixels(overlay(heat_of(values, framing), below, framing, SOLID))
    smooth = pixels(
        overlay(heat_of(values, framing), below, framing, Style(opacity=1, smooth=True))
    )
    difference = np.abs(cells - smooth).sum(axis=-1)
    near = difference[4::8, 4::8].mean()
    far = difference[0::8, 0::8].mean()
    assert near < far / 2


@pytest.mark.parametrize("ground", ("black", "white", "grey"))
def test_the_marker_is_legible_on_any_ground(ground: str) -> None:
    image = Image.new("RGB", (300, 200), ground)
    draw_marker(image, (100, 80, 120, 100))
    edge = pixels(image)[90, 94:126].mean(axis=-1)
    assert edge.max() - edge.min() > 200
    cross = pixels(image)[85:95, 20].mean(axis=-1)
    assert cross.max() - cross.min() > 100


def test_the_marker_leaves_the_cell_free() -> None:
    image = Image.new("RGB", (300, 200), (10, 120, 30))
    draw_marker(image, (100, 80, 120, 100))
    assert (pixels(image)[80:100, 100:120] == (10, 120, 30)).all()


@pytest.mark.parametrize(
    "box", ((0, 0, 8, 8), (292, 192, 300, 200), (290, 190, 310, 210), (5, 5, 6, 6))
)
def test_markers_at_the_edges_can_be_drawn(box: tuple[float, float, float, float]) -> None:
    image = Image.new("RGB", (300, 200))
    draw_marker(image, box)
    assert pixels(image).max() == 255


@pytest.mark.parametrize("bad", ({"colormap": "jet"}, {"opacity": 1.1}, {"opacity": -0.1}))
def test_styles_that_mislead_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Style(**bad)


def test_picture_and_network_agree_on_where_things_are() -> None:
    seen = rows()
    (heat,) = view(seen, Selection(at=(240, 180)))
    drawn = pixels(overlay(replace(heat, marker=None), seen.picture, seen.framing, SOLID))
    best = int(heat.values.argmax())
    lit = pixels_of(seen.framing, seen.framing.box_to_original(heat.grid.box(best)))
    assert (drawn[lit] == colours("viridis")[255]).all()


def words_of(shown: Figure) -> list[str]:
    texts = [text.get_text() for text in shown.drawn.texts]
    for axes in shown.drawn.axes:
        texts += [label.get_text() for label in axes.get_yticklabels()]
    return texts


def every_kind() -> list[tuple[Analysis, Selection]]:
    return [
        (rows(), Selection(at=(240, 180))),
        (signed(), Selection(at=(240, 180))),
        (analysis("classify", "se"), Selection(channel=3)),
        (analysis("classify", "cbam"), Selection("trunk.stages.1.0.gate.spatial_gate")),
        (analysis("segment", "danet"), Selection("context.channel")),
    ]


@pytest.mark.parametrize("number_of_case", range(5))
def test_figures_carry_their_scale_and_their_checks(number_of_case: int) -> None:
    seen, selection = every_kind()[number_of_case]
    shown = figure(seen, selection, Scale.ROW_MAXIMUM)
    said = words_of(shown)
    assert any(seen.network.name in line for line in said)
    for drawable in view(seen, selection):
        assert number(drawable.high) in said
        assert number(drawable.low) in said
        assert any(drawable.scale_label.text("en").startswith(line) for line in said if line)
    assert sum(line.startswith("✓") for line in said) == 3
    image = Image.open(BytesIO(shown.to_png()))
    assert min(image.size) > 400


def test_every_drawable_has_a_panel() -> None:
    assert set(PANELS) == set(Drawable.__args__)


def test_a_failed_check_is_not_passed_over() -> None:
    seen = rows()
    wrong = replace(seen.sites[0], checks=(Check("output", 0.5, 1e-3),))
    said = words_of(figure(replace(seen, sites=(wrong,))))
    (line,) = (line for line in said if line.startswith("✗"))
    assert "0.50" in line
    assert "0.001" in line
    assert not any(line.startswith("✓") for line in said)


def test_figures_say_which_head() -> None:
    assert any("mean of 2 heads" in line for line in words_of(figure(two_heads())))
    assert any("head 1 (of 2" in line for line in words_of(figure(two_heads(), Selection(head=1))))
    assert not any("head" in line for line in words_of(figure(rows())))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_figures_call_sites_what_the_page_calls_them(language: str) -> None:
    seen, selection = every_kind()[3]
    captured = seen.site(selection.site)
    said = words_of(figure(seen, selection, language=language))
    spoken = typesetting.typeface(language).language
    assert said[:2] == [
        mechanism_label(spoken, seen.network.card),
        site_label(spoken, captured),
    ]
    *_, small = (line for line in said if captured.site in line)
    assert [line for line in said if captured.site in line] == [small], "the path, once"
    assert seen.network.name in small


def test_figures_say_whether_they_are_smooth() -> None:
    assert any("cells as computed" in line for line in words_of(figure(rows())))
    assert any("smoothed" in line for line in words_of(figure(rows(), style=Style(smooth=True))))


def test_figures_speak_chinese_where_a_font_does() -> None:
    chinese = words_of(figure(rows(), language="zh"))
    if typesetting.typeface("zh").language == "en":
        pytest.skip("no font with Chinese characters")
    assert any("注意力" in line for line in chinese)


def test_without_a_chinese_font_the_words_are_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typesetting, "installed_fonts", lambda: frozenset({typesetting.LATIN}))
    typesetting.typeface.cache_clear()
    try:
        said = words_of(figure(rows(), language="zh"))
    finally:
        monkeypatch.undo()
        typesetting.typeface.cache_clear()
    assert any("Attention row" in line for line in said)
    assert not any("注意力" in line for line in said)


def test_lines_break_where_they_may() -> None:
    letters = typesetting.typeface("en")
    lines = letters.wrapped("one two three four five six seven eight nine ten", 9, 1.0)
    assert len(lines) > 2
    assert " ".join(lines) == "one two three four five six seven eight nine ten"
    broken = letters.wrapped("注意力集中在这里，也在那里。" * 3, 9, 1.0)
    assert len(broken) > 2
    assert not any(line.startswith(("，", "。")) for line in broken)


def test_figures_are_saved_as_what_their_name_says(tmp_path: Path) -> None:
    shown = figure(rows())
    heads = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
    for ending, head in heads.items():
        path = shown.save(tmp_path / f"figure.{ending}")
        assert path.read_bytes().startswith(head)
    with pytest.raises(ValueError, match="docx"):
        shown.save(tmp_path / "figure.docx")
    assert not (tmp_path / "figure.docx").exists()


@pytest.mark.parametrize("size", ((900, 60), (60, 900)))
def test_narrow_pictures_have_figures(size: tuple[int, int]) -> None:
    seen = rows()
    narrow = replace(
        seen,
        picture=picture(size),
        framing=Framing(size, seen.framing.scaled, (0, 0), seen.framing.input),
    )
    image = Image.open(BytesIO(figure(narrow).to_png()))
    assert max(image.size) < 4 * min(image.size)


def test_threads_draw_the_same_as_one_alone() -> None:
    cases = every_kind()[:4]
    alone = [figure(*case).to_png() for case in cases]
    start = threading.Barrier(len(cases))

    def drawn(case: tuple[Analysis, Selection]) -> bytes:
        start.wait()
        return figure(*case).to_png()

    with ThreadPoolExecutor(len(cases)) as pool:
        assert list(pool.map(drawn, cases)) == alone


def test_drawing_leaves_matplotlibs_settings_alone() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figure(rows(), language="zh").to_png()
    assert dict(mpl.rcParams) == before
