"""Every form of rows and every view in a real browser, held against plain numpy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from models.affinities.forms import CrossForm, GroupedForm, SparseForm
from models.mechanism import Claim, Kind
from tests.canvas_page import (
    Payload,
    bars_site,
    doors,
    edges_site,
    gate_site,
    grid_of,
    maps_of,
    payload_of,
    picture,
    plain_site,
    point_at,
    product,
    regions,
    rows_site,
    settle,
    sparse,
    table_site,
)
from tests.networks_for_tests import scene, small_network
from vizattn.analysis import look
from vizattn.attention import PlaceAffinity
from vizattn.texts import LANGUAGES
from vizattn.ui.canvas import SCRIPT
from vizattn.ui.payload import payload
from vizattn.ui.sites import affinity

pytestmark = pytest.mark.browser

ROWS, COLUMNS, HEADS = 6, 8, 2
N = ROWS * COLUMNS
GRID = grid_of(ROWS, COLUMNS, 16)
HERE = "instrument"
Open = Callable[..., Any]
Matrix = np.ndarray
"""head x query x key"""


@pytest.fixture(scope="module")
def visit(browser: Any) -> Iterator[Open]:
    with doors(browser) as enter:
        yield enter


@pytest.fixture(scope="module")
def shared_page(visit: Open) -> Any:
    return visit(None)


def show(page: Any, sent: Payload, **selection: Any) -> None:
    page.evaluate(f"(payload) => {HERE}.update(payload)", sent)
    if selection:
        page.evaluate(f"(selection) => {HERE}.select(selection)", selection)
    settle(page)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def softmax(values: np.ndarray, axis: int = -1) -> np.ndarray:
    weights = np.exp(values - values.max(axis, keepdims=True))
    return (weights / weights.sum(axis, keepdims=True)).astype(np.float32)


def scattered(keys: np.ndarray, weights: np.ndarray, count: int = N) -> Matrix:
    """Return the whole matrix of listed keys, the plain way."""
    matrix = np.zeros((*weights.shape[:2], count + 1))
    listed = np.where(keys < 0, count, np.broadcast_to(keys, weights.shape))
    for head, query in np.ndindex(*weights.shape[:2]):
        np.add.at(matrix[head, query], listed[head, query], weights[head, query])
    return matrix[:, :, :count]


def listed_keys(heads: int, seed: int) -> np.ndarray:
    """Return keys with repetitions and some that are none (-1)."""
    return np.random.default_rng(seed).integers(-1, N, size=(heads, N, 7))


def pyramid() -> np.ndarray:
    """Return boxes that overlap, one of which ends within a cell."""
    boxes = [[0, 0, COLUMNS, ROWS], [0, 0, 4, 3], [4, 0, 8, 3.5], [3, 3, 8, 6], [0, 2, 4, 6]]
    return np.array(boxes, np.float32)


def over_boxes(weights: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return what boxes weigh spread over the cells that they cover."""
    cells = np.zeros((ROWS, COLUMNS))
    for weight, (left, top, right, bottom) in zip(weights, boxes, strict=True):
        down, across = np.arange(ROWS), np.arange(COLUMNS)
        high = np.clip(np.minimum(down + 1, bottom) - np.maximum(down, top), 0, 1)
        wide = np.clip(np.minimum(across + 1, right) - np.maximum(across, left), 0, 1)
        cells += weight * high[:, None] * wide / ((right - left) * (bottom - top))
    return cells.ravel()


def among(heard: np.ndarray, query: np.ndarray, key: np.ndarray, scale: float) -> Matrix:
    """Return the softmax over the keys that each query hears (query, key)."""
    logits = scale * np.einsum("hqd,hkd->hqk", query, key)
    return softmax(np.where(heard, logits, -np.inf))


def forms() -> dict[str, tuple[Payload, Matrix]]:
    """Return every form of rows with its matrix as numpy makes it."""
    query, key = normal(HEADS, N, 5), normal(HEADS, N, 5, seed=1)
    logits = 0.4 * np.einsum("hqd,hkd->hqk", query, key)
    soft = product(query, key, "softmax", 0.4), softmax(logits)
    plain = product(query, key, "none", 0.4), logits
    own, same = listed_keys(HEADS, 2), listed_keys(1, 3)
    weights = normal(HEADS, N, 7, seed=4)
    listed = sparse(own, weights), scattered(own, weights)
    alike = sparse(same, abs(weights)), scattered(same, abs(weights))

    line, column = np.divmod(np.arange(N), COLUMNS)
    in_line = (line[:, None] == line) | (column[:, None] == column)
    labels = np.random.default_rng(5).integers(0, 5, N)
    crossed = affinity(CrossForm(query, key, (ROWS, COLUMNS))), among(in_line, query, key, 1)
    grouped = (
        affinity(GroupedForm(query, key, 0.4, labels)),
        among(labels[:, None] == labels, query, key, 0.4),
    )
    every = affinity(SparseForm(None, softmax(logits))), softmax(logits)

    def composed(*parts: tuple[Payload, Matrix]) -> tuple[Payload, Matrix]:
        matrix = parts[0][1]
        for _, following in parts[1:]:
            matrix = matrix @ following
        return {"form": "composed", "stages": [form for form, _ in parts]}, matrix

    return {
        "product without a normaliser": plain,
        "listed keys of each head": listed,
        "listed keys of all heads": alike,
        "listed, listed": composed(listed, alike),
        "listed, softmax": composed(listed, soft),
        "softmax, low rank": composed(soft, plain),
        "three stages": composed(alike, plain, listed),
        "keys in line": crossed,
        "keys of a group": grouped,
        "three passes in line": composed(crossed, crossed, crossed),
        "a group, then keys in line": composed(grouped, crossed),
        "every key": every,
    }


def test_rows_of_every_form_equal_numpy(shared_page: Any) -> None:
    for cell, (form, matrix) in zip((0, 9, 21, 30, N - 1, 40, 7, 12, 33, 25, 3, 18),
                                    forms().values(), strict=True):  # fmt: skip
        sent = payload_of([rows_site(form, GRID, GRID, "signed", heads=HEADS)], picture())
        show(shared_page, sent)
        line, column = divmod(cell, COLUMNS)
        point_at(shared_page, 16 * column + 5, 16 * line + 11, sent)
        rows = shared_page.evaluate("""() => [0, 1, "mean"].map((head) =>
          Array.from(instrument.site.row({ ...instrument.state, head })))""")
        wanted = matrix[:, cell]
        for got, row in zip(rows, [*wanted, wanted.mean(0)], strict=True):
            assert np.abs(got - row).max() <= 1e-3 * np.abs(row).max()


def drawn(page: Any) -> np.ndarray:
    return np.array(page.evaluate(f"Array.from({HERE}.site.frame({HERE}.state).values)"))


def test_what_an_area_weighs_is_spread_over_its_box(shared_page: Any) -> None:
    boxes = pyramid()
    query, key = normal(1, N, 4), normal(1, len(boxes), 4, seed=1)
    form = product(query, key) | regions(boxes)
    sent = payload_of([rows_site(form, GRID, GRID)], picture())
    show(shared_page, sent, at=[100, 20])
    weights = softmax(query[0, COLUMNS + 6] @ key[0].T)
    assert np.allclose(shared_page.evaluate(f"{HERE}.row()"), weights, atol=1e-6)
    assert np.allclose(drawn(shared_page), over_boxes(weights, boxes), atol=1e-6)
    assert drawn(shared_page).sum() == pytest.approx(1, abs=1e-5)
    point_at(shared_page, 10, 40, sent)  # in three boxes: all, the second and the last
    outlined = shared_page.evaluate(f"{HERE}.site.pointed({HERE}.state).boxes")
    wanted = [[16 * x, 16 * y, 16 * (r - x), 16 * (b - y)] for x, y, r, b in boxes[[0, 1, 4]]]
    assert sorted(outlined) == sorted(np.array(wanted).tolist())
    assert "areas here weigh" in shared_page.locator(".va-readout").inner_text()


def test_an_area_besides_the_cells_is_a_part_of_each(shared_page: Any) -> None:
    line, column = np.divmod(np.arange(N), COLUMNS)
    cells = np.stack([column, line, column + 1, line + 1], 1)
    boxes = np.concatenate([cells, [[0, 0, COLUMNS, ROWS]]]).astype(np.float32)
    keys = np.concatenate([listed_keys(1, 5), np.full((1, N, 1), N)], axis=2)
    weights = abs(normal(1, N, 8, seed=6))
    form = sparse(keys, weights) | regions(boxes)
    sent = payload_of([rows_site(form, GRID, GRID, "positive")], picture())
    show(shared_page, sent, at=[40, 40])
    parts = scattered(keys, weights, N + 1)[0, 2 * COLUMNS + 2]
    row = np.array(shared_page.evaluate(f"{HERE}.row()"))
    wanted = parts[:N] + parts[N] / N
    assert np.abs(row - wanted).max() <= 1e-3 * wanted.max()
    assert row.sum() == pytest.approx(wanted.sum(), rel=1e-5)


def test_a_token_that_is_no_place_asks_and_is_heard(shared_page: Any) -> None:
    query, key = normal(1, N + 1, 4), normal(1, N + 1, 4, seed=1)
    site = rows_site(product(query, key), GRID, GRID, extra=[{"en": "class token", "zh": "类别"}])
    sent = payload_of([site], picture())
    page = shared_page
    show(page, sent, at=[20, 20])
    rows = softmax(query[0] @ key[0].T)
    here = rows[1 + COLUMNS + 1]
    assert np.allclose(page.evaluate(f"{HERE}.row()"), here, atol=1e-6)
    assert np.allclose(drawn(page), here[1:], atol=1e-6)
    beside = page.locator(".va-bar-beside li").inner_text().split()
    assert beside[:2] == ["class", "token"]
    assert float(beside[2]) == pytest.approx(here[0], rel=0.01)
    page.get_by_role("button", name="class token").click()
    settle(page)
    assert np.allclose(page.evaluate(f"{HERE}.row()"), rows[0], atol=1e-6)
    page.wait_for_timeout(250)
    assert "row of the class token" in page.locator(".va-said").inner_text()
    point_at(page, 100, 50, sent, click=True)
    assert np.allclose(page.evaluate(f"{HERE}.row()"), rows[1 + 3 * COLUMNS + 6], atol=1e-6)


def test_all_cells_of_a_token_are_drawn_alike(shared_page: Any) -> None:
    tokens = N // 4
    query, key = normal(1, tokens, 4), normal(1, tokens, 4, seed=1)
    sent = payload_of([rows_site(product(query, key), GRID, GRID, bands=4)], picture())
    show(shared_page, sent, at=[8, 40])
    row = softmax(query[0, 2 * COLUMNS % tokens] @ key[0].T)
    assert np.allclose(drawn(shared_page), np.tile(row, 4), atol=1e-6)
    frame = f"{HERE}.site.frame({HERE}.state)"
    assert len(shared_page.evaluate(f"{frame}.others")) == 3


def heights(page: Any) -> np.ndarray:
    return np.array(page.evaluate(f"Array.from({HERE}.site.bars({HERE}.state, {HERE}.say).values)"))


def test_a_place_tells_all_maps_and_a_bar_its_map(shared_page: Any) -> None:
    values = softmax(normal(5, ROWS, COLUMNS) * np.arange(1, 6)[:, None, None], 0)
    site = plain_site("assignment", "maps", "simplex", "z", **maps_of(values, GRID, "codeword"))
    sent = payload_of([site], picture())
    page = shared_page
    show(page, sent)
    widest = int(np.ptp(values.reshape(5, -1), axis=1).argmax())
    assert np.allclose(page.evaluate(f"{HERE}.row()"), values[widest].ravel())
    assert np.allclose(heights(page), values.mean((1, 2)), atol=1e-6)
    point_at(page, 100, 50, sent)
    assert np.allclose(heights(page), values[:, 3, 6])
    assert f"codeword {widest}" in page.locator(".va-readout").inner_text()
    page.locator(".va-bars-slider").focus()
    page.keyboard.press("Home")
    settle(page)
    first = int(values.mean((1, 2)).argmax())
    assert np.allclose(page.evaluate(f"{HERE}.row()"), values[first].ravel())
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate(f"{HERE}.state.channel") == first


def test_a_feature_gate_begins_with_the_mean_of_its_channels(shared_page: Any) -> None:
    values = softmax(normal(6, ROWS, COLUMNS), 0)
    site = plain_site("feature_gate", "maps", "unit", "gate", **maps_of(values, GRID, "channel"))
    show(shared_page, payload_of([site], picture()))
    assert np.allclose(shared_page.evaluate(f"{HERE}.row()"), values.mean(0).ravel(), atol=1e-6)
    assert "mean of 6 channels" in shared_page.locator(".va-bar-label").inner_text()


def test_rows_have_a_second_face(shared_page: Any) -> None:
    assigned = softmax(normal(4, ROWS, COLUMNS), 0)
    flat = assigned.reshape(1, 4, N).swapaxes(1, 2).copy()
    maps = maps_of(assigned, GRID, "basis")["maps"]
    site = rows_site(product(flat, flat, "none"), GRID, GRID, "positive", maps=maps)
    sent = payload_of([site], picture())
    page = shared_page
    show(page, sent, at=[60, 40])
    implied = flat[0, 2 * COLUMNS + 3] @ flat[0].T
    assert np.allclose(page.evaluate(f"{HERE}.row()"), implied, atol=1e-6)
    page.get_by_role("button", name=SCRIPT.texts("en")["control.face_maps"]).click()
    settle(page)
    assert np.allclose(heights(page), assigned[:, 2, 3])
    page.get_by_role("button", name=SCRIPT.texts("en")["control.face_rows"]).click()
    settle(page)
    assert np.allclose(page.evaluate(f"{HERE}.row()"), implied, atol=1e-6)


PIXELS = """(layer) => {
  const canvas = document.querySelectorAll(".va-layer")[layer];
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const lit = [];
  for (let i = 3; i < data.length; i += 4) if (data[i] > 127) lit.push((i - 3) / 4);
  return [canvas.width, canvas.height, lit];
}"""
"""opaque pixels of a layer of the stage: 0 the heat, 1 the profile"""


@pytest.mark.parametrize("axis", ["height", "width"])
def test_a_line_of_a_gate_lights_its_own_band(shared_page: Any, axis: str) -> None:
    length = {"height": ROWS, "width": COLUMNS}[axis]
    values = np.zeros((3, length), np.float32)
    values[:, 2] = 1
    sent = payload_of([edges_site(values, axis, GRID, "gate")], picture())
    show(shared_page, sent, opacity=1)
    width, height, lit = shared_page.evaluate(PIXELS, 0)
    y, x = np.divmod(np.array(lit), width)
    low, high, whole = (y, y, height) if axis == "height" else (x, x, width)
    assert low.min() == pytest.approx(2 * whole / length, abs=1)
    assert high.max() + 1 == pytest.approx(3 * whole / length, abs=1)
    assert np.ptp(x if axis == "height" else y) + 1 == (width if axis == "height" else height)
    edge = np.divmod(np.array(shared_page.evaluate(PIXELS, 1)[2]), width)
    # The ground of the profile lies along the left edge, or along the bottom.
    assert edge[1].min() == 0
    assert edge[0].max() == height - 1
    assert (edge[1].max() < width / 4) if axis == "height" else (edge[0].min() > height / 2)


def test_a_height_gate_tells_all_channels_of_the_line_pointed_at(shared_page: Any) -> None:
    values = softmax(normal(4, ROWS), 0)
    sent = payload_of([edges_site(values, "height", GRID, "gate")], picture())
    show(shared_page, sent)
    assert np.allclose(shared_page.evaluate(f"{HERE}.row()"), values.mean(0), atol=1e-6)
    point_at(shared_page, 30, 70, sent)
    assert np.allclose(heights(shared_page), values[:, 4])
    assert "row 4" in shared_page.locator(".va-readout").inner_text()


def test_a_table_shows_the_row_pointed_at_and_its_map(shared_page: Any) -> None:
    table, maps = normal(4, 9), normal(4, ROWS, COLUMNS, seed=1)
    sent = maps_of(maps, GRID, "")["maps"]
    site = table_site(table, "nodes", row_maps=sent)
    page = shared_page
    show(page, payload_of([site], picture()))
    strongest = int(abs(table).max(1).argmax())
    assert np.allclose(page.evaluate(f"{HERE}.row()"), table[strongest])
    box = page.locator(".va-square").bounding_box()
    page.mouse.move(box["x"] + 5.5 * box["width"] / 9, box["y"] + 1.5 * box["height"] / 4)
    settle(page)
    assert np.allclose(page.evaluate(f"{HERE}.row()"), table[1])
    assert np.allclose(drawn(page), maps[1].ravel())
    assert page.locator(".va-bars .va-caption").inner_text().startswith("node 1, channel 5: ")
    page.locator(".va-square").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    settle(page)
    assert np.allclose(page.evaluate(f"{HERE}.row()"), table[2])
    assert "node 2, channel 6" in page.locator(".va-bars .va-caption").inner_text()


def test_named_values_are_sorted_and_said(shared_page: Any) -> None:
    values = np.array([0.1, 0.7, 0.2], np.float32)
    show(shared_page, payload_of([bars_site(values, ["a", "b", "c"], "experts")], picture()))
    assert np.allclose(shared_page.evaluate(f"{HERE}.row()"), values)
    shared_page.wait_for_timeout(250)
    words = shared_page.locator(".va-said").inner_text()
    assert "b has the largest value (0.70), then c" in words
    assert shared_page.locator(".va-bars-slider").get_attribute("aria-valuetext").startswith("b:")


def many_sites() -> list[Payload]:
    """Return twelve blocks with two further parts each."""
    sites = []
    for block in range(12):
        path = f"stages.{block}"
        gate = gate_site(softmax(normal(8)), normal(8, ROWS, COLUMNS), GRID, path)
        values = normal(2, ROWS, COLUMNS)
        parts = [
            plain_site("context_features", "maps", "signed", f"{path}.{name}", part_of=path,
                       **maps_of(values, GRID, "channel", True))
            for name in ("before", "after")
        ]  # fmt: skip
        sites += [gate, *parts]
    return sites


def test_many_sites_fold_and_are_reached_by_keys(visit: Open) -> None:
    page = visit(payload_of(many_sites(), picture()), viewport={"width": 390, "height": 844})
    tiles = page.locator(".va-tile")
    assert (tiles.count(), page.locator(".va-tile:visible").count()) == (36, 12)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    tiles.first.focus()
    page.keyboard.press("ArrowDown")
    assert page.locator(".va-tile:visible").count() == 14
    page.keyboard.press("ArrowRight")
    assert page.evaluate(f"{HERE}.state.site") == "stages.0.before"
    page.keyboard.press("ArrowUp")  # to the block, and again to fold it
    page.keyboard.press("ArrowUp")
    assert page.locator(".va-tile:visible").count() == 12
    page.keyboard.press("End")
    settle(page)
    assert page.evaluate(f"{HERE}.state.site") == "stages.11"
    box = page.locator(".va-tile[aria-selected=true]").bounding_box()
    assert 0 <= box["x"] < 390 - 100
    page.select_option("select[data-name=site]", "stages.5.after")
    settle(page)
    assert page.locator(".va-tile[aria-selected=true]").is_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(f"{HERE}.point([50, 50])")
    page.wait_for_timeout(300)
    assert asked == []


def steps_payload(count: int = 3) -> Payload:
    """Return a block with its steps, as EMANet has them."""
    flat = softmax(normal(1, N, 4))
    block = rows_site(product(flat, flat, "none"), GRID, GRID, "positive", path="em")
    steps = [
        plain_site("assignment", "maps", "simplex", f"em.steps.{step}.responsibilities",
                   part_of="em", **maps_of(softmax(normal(4, ROWS, COLUMNS, seed=step), 0), GRID,
                                           "basis"))
        for step in range(count)
    ]  # fmt: skip
    return payload_of([block, *steps], picture())


def test_steps_keep_the_pointer_and_the_basis(shared_page: Any) -> None:
    page = shared_page
    show(page, steps_payload(), site="em.steps.0.responsibilities", at=[60, 40], channel=2)
    words = page.locator(".va-step")
    assert words.inner_text() == "step 1 of 3"
    page.get_by_role("button", name="Next step").click()
    settle(page)
    assert words.inner_text() == "step 2 of 3"
    kept = page.evaluate(f"[{HERE}.state.pin, {HERE}.state.channel]")
    assert kept == [[60, 40], 2]
    second = softmax(normal(4, ROWS, COLUMNS, seed=1), 0)
    assert np.allclose(page.evaluate(f"{HERE}.row()"), second[2].ravel())
    page.keyboard.press(",")
    settle(page)
    assert words.inner_text() == "step 1 of 3"
    page.keyboard.press(".")
    settle(page)
    assert words.inner_text() == "step 2 of 3"
    page.get_by_role("button", name="Play the steps").click()
    page.wait_for_function("document.querySelector('.va-step').textContent === 'step 3 of 3'")
    assert page.get_by_role("button", name="Next step").is_disabled()
    page.evaluate(f"{HERE}.select({{ site: 'em' }})")
    settle(page)
    assert not words.is_visible()


def test_a_step_rebuilds_a_place_from_the_means_of_its_bases(shared_page: Any) -> None:
    page = shared_page
    show(page, steps_payload(), site="em.steps.0.responsibilities", at=[60, 40])
    page.get_by_role("button", name=SCRIPT.texts("en")["control.face_rebuilt"]).click()
    for step in range(2):
        settle(page)
        assigned = softmax(normal(4, ROWS, COLUMNS, seed=step), 0).reshape(4, N)
        shares = assigned / assigned.sum(1, keepdims=True)
        wanted = assigned[:, 2 * COLUMNS + 3] @ shares
        assert np.allclose(page.evaluate(f"{HERE}.row()"), wanted, atol=1e-6)
        assert SCRIPT.texts("en")["facts.rebuilt"] in page.locator(".va-site").inner_text()
        page.keyboard.press(".")


def test_another_module_can_take_the_pointer(shared_page: Any) -> None:
    sent = steps_payload()
    page = shared_page
    show(page, sent, at=[60, 40])
    page.evaluate(f"""() => {{
      window.heard = [];
      const tell = (step) => (place) => window.heard.push([step, place]);
      {HERE}.desk.stage.handTo({{ down: tell("down"), move: tell("move"), up: tell("up"),
        draw: () => window.heard.push(["draw", null]) }});
    }}""")
    point_at(page, 100, 30, sent, click=True)
    assert page.evaluate(f"{HERE}.state.pin") == [60, 40]
    heard = page.evaluate("window.heard")
    assert [step for step, _ in heard if step != "move"][:2] == ["down", "up"]
    assert np.allclose(next(place for step, place in heard if step == "down"), [100, 30], atol=0.5)
    page.evaluate(f"{HERE}.desk.stage.handTo(null)")
    point_at(page, 100, 30, sent, click=True)
    assert np.allclose(page.evaluate(f"{HERE}.state.pin"), [100, 30], atol=0.5)


def test_notes_and_passes_are_said_in_both_languages(shared_page: Any) -> None:
    form = {"form": "composed", "stages": [sparse(listed_keys(1, 1), abs(normal(1, N, 7)))] * 2}
    note = {"en": "Two passes reach everything.", "zh": "两遍可达全部位置。"}
    sent = payload_of([rows_site(form, GRID, GRID, path="cc#composed", note=note)], picture())
    show(shared_page, sent, at=[60, 40])
    facts = shared_page.locator(".va-site").inner_text
    assert note["en"] in facts()
    assert SCRIPT.texts("en")["facts.composed"] in facts()
    shared_page.evaluate(f"(texts) => {HERE}.setLanguage(texts, 'zh')", SCRIPT.texts("zh"))
    settle(shared_page)
    assert note["zh"] in facts()
    assert SCRIPT.texts("zh")["facts.composed"] in facts()
    shared_page.evaluate(f"(texts) => {HERE}.setLanguage(texts, 'en')", SCRIPT.texts("en"))


REAL = [("segment", "ann"), ("segment", "ccnet"), ("segment", "isa"), ("segment", "emanet"),
        ("segment", "dgmn"), ("segment", "psanet"), ("classify", "vit"), ("classify", "lrnet"),
        ("segment", "strip_pooling"), ("classify", "triplet"), ("classify", "sknet")]  # fmt: skip
"""of each form of rows and each view, a mechanism or two"""


def row_at(page: Any, site: Payload, framing: Payload, cell: int, head: int) -> np.ndarray:
    """Return the row of a query cell as the browser draws it, over the key cells."""
    grid = site["query_grid"]
    line, column = divmod(cell, grid["columns"])
    model = [
        grid["origin"][i] + (at + 0.5) * grid["cell"][i] for i, at in enumerate((column, line))
    ]
    place = [(model[i] - framing["offset"][i]) / framing["scale"][i] for i in (0, 1)]
    frame = """([pin, head]) => Array.from(
      instrument.site.frame({ ...instrument.state, pin, asked: pin, head }).values)"""
    return np.array(page.evaluate(frame, [place, head]))


@pytest.mark.parametrize("network", REAL, ids="-".join)
def test_real_blocks_are_shown_with_the_numbers_of_python(
    shared_page: Any, network: tuple[str, str]
) -> None:
    seen = look(scene(96, 80), small_network(*network))
    sent = payload(seen, {"at": [50, 40]})
    show(shared_page, sent)
    for captured, site in zip(seen.sites, sent["sites"], strict=True):
        shared_page.evaluate(f"(site) => {HERE}.select({{ site }})", site["path"])
        settle(shared_page)
        words = shared_page.locator(".va").inner_text()
        assert not re.search(r"\{\w+\}|NaN|undefined|null", words)
        if not isinstance(captured, PlaceAffinity):
            continue
        cell = len(captured.query_grid) // 3
        for head, wanted in enumerate(captured.row_of(cell)):
            got = row_at(shared_page, site, sent["framing"], cell, head)
            assert np.abs(got - wanted.ravel()).max() <= 1e-3 * np.abs(wanted).max()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_and_claim_has_its_words(language: str) -> None:
    texts = SCRIPT.texts(language)
    assert {f"kind.{kind.value}" for kind in Kind} <= texts.keys()
    assert {f"claim.{claim.value}" for claim in Claim} <= texts.keys()
