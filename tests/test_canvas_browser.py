"""The instrument in a real browser: its rows are Python's rows, its boxes the picture's boxes."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import numpy as np
import pytest

from tests.canvas_page import (
    Payload,
    doors,
    gate_site,
    grid_of,
    map_site,
    matrix_site,
    payload_of,
    picture,
    place_site,
    point_at,
    settle,
)
from vizattn.ui.canvas import (
    SCRIPT,
    Chosen,
    instrument,
    on_selection,
    shown,
    spoken,
    waiting,
)
from vizattn.ui.mounting import ASSETS

pytestmark = pytest.mark.browser

ROWS, COLUMNS, HEADS, DIM = 12, 16, 2, 10
HERE = "instrument"
Open = Callable[..., Any]


@pytest.fixture
def visit(browser: Any) -> Iterator[Open]:
    """Open a bare page that shows a payload; a problem in the page fails the test."""
    with doors(browser) as enter:
        yield enter


def factors(seed: int = 0, keys: int = ROWS * COLUMNS) -> tuple[np.ndarray, np.ndarray]:
    """Return random query and key factors (head, place, dim)."""
    random = np.random.default_rng(seed)
    query = random.normal(size=(HEADS, ROWS * COLUMNS, DIM)).astype(np.float32)
    return query, random.normal(size=(HEADS, keys, DIM)).astype(np.float32)


def expected_row(
    query: np.ndarray, key: np.ndarray, index: int, normaliser: str, scale: float
) -> np.ndarray:
    """Return rows (head, key) the plain way, in float64."""
    logits = scale * np.einsum("hd,hkd->hk", query[:, index].astype(float), key.astype(float))
    if normaliser == "softmax":
        weights = np.exp(logits - logits.max(1, keepdims=True))
        return weights / weights.sum(1, keepdims=True)
    kept = np.maximum(logits, 0) if normaliser == "relu_mean" else logits
    return kept / key.shape[1]


def half_keys_payload(normaliser: str, scale: float = 0.7) -> tuple[Payload, Any, Any]:
    """Return an analysis whose keys are cells twice as large as its queries."""
    query, key = factors(keys=ROWS * COLUMNS // 4)
    site = place_site(
        query, key, grid_of(ROWS, COLUMNS, 8), grid_of(ROWS // 2, COLUMNS // 2, 16),
        normaliser, scale,
    )  # fmt: skip
    return payload_of([site], picture()), query, key


def all_kinds_payload() -> Payload:
    """Return an analysis with one site of each kind."""
    random = np.random.default_rng(3)
    grid = grid_of(ROWS, COLUMNS, 8)
    query, key = factors()
    gate = random.uniform(size=24).astype(np.float32)
    activation = random.normal(size=(24, ROWS, COLUMNS)).astype(np.float32)
    matrix = random.dirichlet(np.ones(24) * 0.1, size=24).astype(np.float32)
    open_places = random.uniform(size=(ROWS, COLUMNS)).astype(np.float32)
    return payload_of(
        [
            place_site(query, key, grid, grid),
            gate_site(gate, activation, grid, "gate"),
            map_site(open_places, grid, "map"),
            matrix_site(matrix, activation, grid, "channel"),
        ],
        picture(),
    )


def row(page: Any) -> np.ndarray:
    return np.array(page.evaluate(f"{HERE}.row()"))


def test_rows_equal_numpy_for_every_head_and_sub_sampled_keys(visit: Open) -> None:
    page = visit(None)
    for normaliser in ("softmax", "mean", "relu_mean"):
        payload, query, key = half_keys_payload(normaliser)
        page.evaluate(f"(payload) => {HERE}.update(payload)", payload)
        settle(page)
        assert_rows(page, payload, query, key, normaliser)


def assert_rows(
    page: Any, payload: Payload, query: np.ndarray, key: np.ndarray, normaliser: str
) -> None:
    """Check some rows of every head, and of the mean of the heads, against the plain way."""
    for line, column in [(0, 0), (5, 9), (ROWS - 1, COLUMNS - 1)]:
        point_at(page, 8 * column + 3, 8 * line + 5, payload)
        expected = expected_row(query, key, line * COLUMNS + column, normaliser, 0.7)
        for head, wanted in [(0, expected[0]), (1, expected[1]), ("mean", expected.mean(0))]:
            page.evaluate(f"{HERE}.select({{ head: {json.dumps(head)} }})")
            got = row(page)
            assert got.shape == wanted.shape
            assert np.abs(got - wanted).max() <= 1e-3 * np.abs(wanted).max()


def test_a_row_follows_a_framing_with_scale_and_offset(visit: Open) -> None:
    query, key = factors()
    grid = grid_of(ROWS, COLUMNS, 8)
    payload = payload_of([place_site(query, key, grid, grid)], picture(200, 300))
    payload["framing"] = {"scale": [0.4, 0.4], "offset": [4.0, 8.0], "input": [128, 96]}
    page = visit(payload)
    x, y = 211.0, 133.0
    point_at(page, x, y, payload)
    index = int((y * 0.4 + 8) // 8) * COLUMNS + int((x * 0.4 + 4) // 8)
    wanted = expected_row(query, key, index, "softmax", 1.0)[0]
    assert np.abs(row(page) - wanted).max() <= 1e-3 * wanted.max()


def test_pointing_asks_the_server_nothing(visit: Open) -> None:
    payload = all_kinds_payload()
    page = visit(payload)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    seen = set()
    for step in range(12):
        point_at(page, 5 + 10 * step, 5 + 7 * step, payload)
        seen.add(tuple(row(page)))
    assert len(seen) == 12
    assert asked == []


def test_keyboard_moves_pins_and_releases(visit: Open) -> None:
    payload, *_ = half_keys_payload("softmax")
    page = visit(payload)
    page.locator(".va-frame").focus()
    page.keyboard.press("ArrowRight")  # brings the cursor to the middle
    start = page.evaluate(f"{HERE}.state.asked")
    for key in ("ArrowRight", "Shift+ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
    x, y = page.evaluate(f"{HERE}.state.asked")
    assert (x // 8 - start[0] // 8, y // 8 - start[1] // 8) == (-4, 1)
    page.keyboard.press("Home")
    assert page.evaluate(f"{HERE}.state.asked[0]") < 8
    page.keyboard.press("End")
    assert page.evaluate(f"{HERE}.state.asked[0]") > 8 * (COLUMNS - 1)
    page.keyboard.press("Enter")
    pinned = page.evaluate(f"{HERE}.state.pin")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(f"{HERE}.state.pin") == pinned
    page.keyboard.press("Escape")
    assert page.evaluate(f"{HERE}.state.pin") is None


def test_a_pin_stays_until_it_is_released_and_the_page_is_told_once_settled(visit: Open) -> None:
    payload, *_ = half_keys_payload("softmax")
    page = visit(payload)
    point_at(page, 60, 40, payload, click=True)
    kept = row(page)
    point_at(page, 100, 80, payload)
    assert np.array_equal(row(page), kept)
    assert "pinned" in page.locator(".va-readout").inner_text()
    page.wait_for_function("selections.length > 0")
    told = page.evaluate("selections")
    assert len(told) == 1
    assert told[0]["site"] == "context"
    assert np.allclose(told[0]["at"], [60, 40], atol=0.5)
    point_at(page, 60, 40, payload, click=True)
    point_at(page, 100, 80, payload)
    assert not np.array_equal(row(page), kept)


def one_hot_payload(line: int, column: int) -> Payload:
    """Return an analysis where every row is a single lit key; its grid overhangs the picture."""
    grid = grid_of(7, 10, 8)
    key = np.zeros((1, 70, 1), np.float32)
    key[0, line * 10 + column] = 1
    site = place_site(np.ones((1, 70, 1), np.float32), key, grid, grid, "relu_mean")
    payload = payload_of([site], picture(78, 114), scale=2 / 3)  # model: 76 x 52 pixels
    payload["selection"] |= {"at": [50, 40], "opacity": 1}
    return payload


@pytest.mark.parametrize("ratio", [1, 2])
def test_a_single_lit_key_lights_exactly_its_own_box(visit: Open, ratio: int) -> None:
    page = visit(None, device_scale_factor=ratio)
    for cell in [(0, 0), (3, 4), (6, 9)]:
        page.evaluate(f"(payload) => {HERE}.update(payload)", one_hot_payload(*cell))
        settle(page)
        assert_lit(page, *cell)


def assert_lit(page: Any, line: int, column: int) -> None:
    """Check that the drawn pixels are those of a cell of the one-hot analysis, and no others."""
    width, height, lit = page.evaluate("""() => {
      const canvas = document.querySelector(".va-heat");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const lit = [];
      for (let i = 3; i < data.length; i += 4) if (data[i] > 127) lit.push((i - 3) / 4);
      return [canvas.width, canvas.height, lit];
    }""")
    y, x = np.divmod(np.array(lit), width)
    # A cell of 8 model pixels is 12 original pixels; the last ones are cut by the picture's edge.
    left, right = 12 * column * width / 114, min(12 * (column + 1), 114) * width / 114
    top, bottom = 12 * line * height / 78, min(12 * (line + 1), 78) * height / 78
    assert np.allclose([x.min(), x.max() + 1, y.min(), y.max() + 1], [left, right, top, bottom],
                       atol=1)  # fmt: skip
    assert len(lit) == (np.ptp(x) + 1) * (np.ptp(y) + 1)


def test_smoothing_interpolates_between_the_centres_of_cells(visit: Open) -> None:
    page = visit(None)
    values = np.random.default_rng(1).normal(size=(3, 5))
    got = page.evaluate(
        """async (values) => {
          const { smoothed } = await import("/canvas/heat.js");
          const { values: fine, rows, columns } = smoothed(values, 3, 5);
          return { fine: Array.from(fine), rows, columns };
        }""",
        values.ravel().tolist(),
    )
    fine = np.array(got["fine"]).reshape(got["rows"], got["columns"])
    factor = got["rows"] // 3
    across = (np.arange(5 * factor) + 0.5) / factor - 0.5
    down = (np.arange(3 * factor) + 0.5) / factor - 0.5
    wide = np.stack([np.interp(across, np.arange(5), one) for one in values])
    wanted = np.stack([np.interp(down, np.arange(3), one) for one in wide.T], axis=1)
    assert factor > 1
    assert np.allclose(fine, wanted, atol=1e-5)


def test_channel_bars_are_sorted_and_reached_by_keys(visit: Open) -> None:
    payload = all_kinds_payload()
    page = visit(payload)
    page.evaluate(f"{HERE}.select({{ site: 'gate' }})")
    settle(page)
    values = row(page)
    bars = page.locator(".va-bars-slider")
    bars.focus()
    page.keyboard.press("Home")
    order = []
    for _ in values:
        settle(page)
        order.append(page.evaluate(f"{HERE}.state.channelPointed"))
        page.keyboard.press("ArrowRight")
    assert sorted(order) == list(range(len(values)))
    assert np.all(np.diff(values[order]) <= 0)
    page.keyboard.press("Enter")
    assert page.evaluate(f"{HERE}.state.channel") == order[-1]
    assert f"channel {order[-1]}" in page.locator(".va-bar-label").inner_text()
    frame = page.evaluate(
        f"(({{ values, scale }}) => ({{ scale, values: [...values] }}))"
        f"({HERE}.site.frame({HERE}.state))"
    )
    size = ROWS * COLUMNS
    encoded = base64.b64decode(payload["sites"][1]["activation"]["values"])
    sent = np.frombuffer(encoded, dtype="<f4")[order[-1] * size :][:size]
    assert np.array_equal(np.float32(frame["values"]), sent), "what takes away is shown too"
    reach = float(np.abs(sent).max())
    assert frame["scale"] == {"low": -reach, "high": reach, "signed": True}


def test_a_channel_affinity_shows_the_row_of_the_chosen_channel(visit: Open) -> None:
    payload = all_kinds_payload()
    page = visit(payload)
    page.evaluate(f"{HERE}.select({{ site: 'channel', channel: 7 }})")
    settle(page)
    matrix = np.array(page.evaluate(f"Array.from({HERE}.site.matrix)")).reshape(24, 24)
    assert np.array_equal(row(page), matrix[7])
    assert "channel 7" in page.locator(".va-bars .va-caption").inner_text()
    page.locator(".va-square").focus()
    page.keyboard.press("ArrowDown")
    settle(page)
    assert np.array_equal(row(page), matrix[8])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_kind_speaks_both_languages(visit: Open, language: str) -> None:
    payload = all_kinds_payload()
    payload["selection"]["at"] = [60, 40]
    page = visit(payload, language)
    texts = SCRIPT.texts(language)
    for site in payload["sites"]:
        page.evaluate(f"{HERE}.select({{ site: {json.dumps(site['path'])} }})")
        settle(page)
        words = page.locator(".va").inner_text()
        assert texts[f"kind.{site['kind']}"] in words
        assert texts["facts.sentence"] in words
        assert not re.search(r"\{\w+\}|NaN|undefined|null", words)
        assert bool(re.search("[一-鿿]", page.locator(".va-said").inner_text())) == (
            language == "zh"
        )


def test_the_language_changes_in_place(visit: Open) -> None:
    payload = all_kinds_payload()
    payload["notes"] = [{"en": "Turned upright.", "zh": "已转正。"}]
    payload["prediction"]["top"][0]["label"] = {"en": "tench", "zh": "丁鲷"}
    payload["sites"][0]["title"] = {"en": "Context", "zh": "上下文"}
    payload["sites"][0]["checks"][0]["label"] = {"en": "Rows sum to 1", "zh": "各行之和为 1"}
    page = visit(payload)
    words = page.locator(".va").inner_text
    assert all(each in words() for each in ("Turned", "tench", "Context", "Rows sum"))
    page.evaluate(f"{HERE}.point([50, 30])")
    settle(page)
    before = row(page)
    page.evaluate(f"(texts) => {HERE}.setLanguage(texts, 'zh')", SCRIPT.texts("zh"))
    settle(page)
    assert SCRIPT.texts("zh")["facts.checks"] in page.locator(".va-facts").inner_text()
    assert all(each in words() for each in ("已转正。", "丁鲷", "上下文", "各行之和为 1"))
    assert np.array_equal(row(page), before)


def test_the_empty_state_says_what_to_do(visit: Open) -> None:
    page = visit(None)
    assert page.locator(".va-empty").inner_text() == SCRIPT.texts("en")["empty"]
    assert page.evaluate(f"{HERE}.row()") == []


def test_projector_mode_has_no_small_text(visit: Open) -> None:
    page = visit(all_kinds_payload())
    smallest = """() => Math.min(...[...document.querySelectorAll(".va *")]
      .filter((one) => one.checkVisibility() && [...one.childNodes].some((child) =>
        child.nodeType === 3 && child.textContent.trim()))
      .map((one) => parseFloat(getComputedStyle(one).fontSize)))"""
    assert page.evaluate(smallest) < 18
    page.keyboard.press("p")
    settle(page)
    assert page.evaluate(smallest) >= 18


def test_a_phone_has_targets_for_fingers_and_no_sideways_scroll(visit: Open) -> None:
    page = visit(all_kinds_payload(), viewport={"width": 390, "height": 844}, has_touch=True)
    heights = page.evaluate("""() => [...document.querySelectorAll(
      ".va button, .va select, .va input")].filter((one) => one.checkVisibility())
      .map((one) => one.getBoundingClientRect().height)""")
    assert len(heights) > 5
    assert min(heights) >= 44
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb (WCAG 2)."""
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", [".va {", ".dark .va {", ".va.va-alone {"])
def test_text_colours_have_contrast_aa(theme: str) -> None:
    style = (ASSETS / "canvas.css").read_text(encoding="utf-8")
    block = style.split(theme, 1)[1].split("}", 1)[0]
    colours = dict(re.findall(r"--va-([\w-]+): (#[0-9a-f]{6})", block))
    for ink, ground in [
        ("ink", "ground"), ("quiet", "ground"), ("ink", "raised"), ("quiet", "scene"),
        ("accent", "accent-soft"), ("pass", "ground"), ("fail", "ground"),
    ]:  # fmt: skip
        light, dark = sorted([luminance(colours[ink]), luminance(colours[ground])], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_the_colour_tables_are_those_of_matplotlib() -> None:
    colormaps = pytest.importorskip("matplotlib").colormaps
    tables = json.loads((ASSETS / "colormaps.json").read_text(encoding="utf-8"))
    assert {"viridis", "magma", "cividis", "inferno", "RdBu_r"} == set(tables)
    for name, text in tables.items():
        expected = np.rint(colormaps[name](np.arange(256))[:, :3] * 255).astype(np.uint8)
        assert bytes.fromhex(text) == expected.tobytes()


def test_the_benchmark_measures_a_row(visit: Open) -> None:
    page = visit(None)
    result = page.evaluate("benchmarkRow(256, 16, 20)")
    assert result["row"] >= 0
    assert result["matrix"] > 0
    assert result["measured"] is True


def test_gradio_carries_values_in_and_selections_out(browser: Any) -> None:
    payload = all_kinds_payload()
    told: list[dict[str, Any]] = []
    with gr.Blocks() as blocks:
        view = instrument(shown(payload))
        wait = gr.Button("wait")
        speak = gr.Button("speak")
        wait.click(lambda: waiting("Running the network"), outputs=view)
        speak.click(lambda: spoken("zh"), outputs=view)

        def keep(event: Chosen) -> None:
            time.sleep(0.2)  # slower than the clicks: none of them may be lost
            told.append(event.selection)

        on_selection(view, keep)
    _, address, _ = blocks.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    try:
        page.goto(address)
        page.locator(".va-frame").wait_for()
        page.evaluate("window.kept = document.querySelector('.va')")
        for step in range(3):
            point_at(page, 20 + 30 * step, 50, payload, click=True)
            page.wait_for_timeout(180)
        page.get_by_role("button", name="wait").click()
        page.locator(".va-busy.va-on").wait_for()
        assert page.locator(".va-frame").is_visible()
        page.get_by_role("button", name="speak").click()
        page.get_by_text(SCRIPT.texts("zh")["facts.checks"]).wait_for()
        page.wait_for_timeout(600)
        assert [round(one["at"][0]) for one in told] == [20, 50, 80]
        assert page.evaluate("window.kept === document.querySelector('.va')")
        assert page.evaluate("document.querySelector('.va-mount').vizattn.state.pin !== null")
    finally:
        page.close()
        blocks.close()


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="received 'fr'"):
        instrument(language="fr")
    with pytest.raises(ValueError, match="received 'fr'"):
        spoken("fr")
