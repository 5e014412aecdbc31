"""The crowd tab's instrument in a real browser, on a hand-made pair and without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from tests import crowd_page, served
from tests.contrast import CONTRAST
from tests.crowd_page import DIM, FRAME, RUNS, STRIDES, density, factors, payload_of
from vizattn.crowd.areas import coverage
from vizattn.geometry import Framing, Grid

pytestmark = pytest.mark.browser

STAGE = 2
READ = ".va p, .va h3, .va dt, .va dd, .va li > span, .va button, .va summary, .va-field span"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with crowd_page.served(stage=STAGE) as address:
        yield address


@pytest.fixture
def enter(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Open the page; whatever it complains about fails the test."""
    problems: list[str] = []
    pages = []

    def opened(query: str = "", at: str = "", **options: Any) -> Any:
        settings = {"viewport": {"width": 1440, "height": 1000}} | options
        page = served.enter(browser, (at or address) + query, problems, **settings)
        page.wait_for_function("() => window.crowd?.scene")
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.context.close()
    assert problems == []


@pytest.fixture
def page(enter: Callable[..., Any]) -> Any:
    return enter()


def choose(page: Any, name: str, value: str) -> None:
    page.click(f"[data-name={name}] [data-value='{value}']")


def spot(page: Any, sense: str, x: float, y: float) -> tuple[float, float]:
    """Return where on the screen a pixel of a picture is."""
    box = page.locator(f".vc-pane[data-sense={sense}] .va-frame").bounding_box()
    return box["x"] + x / FRAME[0] * box["width"], box["y"] + y / FRAME[1] * box["height"]


def state(page: Any, name: str) -> Any:
    return page.evaluate(f"() => window.crowd.state.{name}")


def asked(page: Any, kind: str) -> list[dict[str, Any]]:
    return [one for one in page.evaluate("() => window.asked") if one["kind"] == kind]


def row_of(stage: int, sense: str, x: float, y: float) -> tuple[int, np.ndarray]:
    """Return the token that a place of a sense asks with, and its row over the tokens."""
    columns, rows = FRAME[0] // STRIDES[stage], FRAME[1] // STRIDES[stage]
    tokens = rows * columns // RUNS[stage]
    cell = int(y // STRIDES[stage]) * columns + int(x // STRIDES[stage])
    made = factors()
    query = made[f"{stage} {sense} query"].astype(float)[cell % tokens]
    logits = made[f"{stage} {sense} key"].astype(float) @ query * DIM**-0.5
    weights = np.exp(logits - logits.max())
    return cell % tokens, weights / weights.sum()


def test_the_first_view_says_how_many(page: Any) -> None:
    shown = float(page.locator(".vc-number-shown").inner_text())
    assert shown == pytest.approx(float(density().sum()), abs=0.051)
    assert "heads" in page.locator(".vc-total").inner_text()
    assert page.locator(".vc-regions-table td").count() == 16
    assert page.locator(".va-bar-numbers").inner_text().split()[0] == "0"
    assert page.locator(".vc-lead").inner_text() == "A square at night."


def test_a_cell_says_how_many_it_holds(page: Any) -> None:
    people = density()
    row, column = np.unravel_index(people.argmax(), people.shape)
    page.mouse.move(*spot(page, "thermal", 8 * column + 4, 8 * row + 4))
    page.wait_for_function("() => window.crowd.state.pointer")
    page.wait_for_timeout(100)
    assert f"{people.max():.3g}" in page.locator(".va-readout").inner_text()


@pytest.mark.parametrize(("sense", "x", "y"), [("rgb", 100, 130), ("thermal", 313, 237)])
def test_a_place_of_one_sense_has_its_exact_row_over_the_other(
    page: Any, sense: str, x: int, y: int
) -> None:
    choose(page, "layer", "row")
    page.wait_for_function(f"() => window.crowd.scene.hasFactors({STAGE})")
    page.mouse.move(*spot(page, sense, x, y))
    page.wait_for_function("() => window.crowd.row().length")
    token, wanted = row_of(STAGE, sense, x, y)
    np.testing.assert_allclose(page.evaluate("() => window.crowd.row()"), wanted, atol=1e-3)
    found = page.evaluate(
        f"() => {{ const at = window.crowd.state.asked; const {{ token, over, values }} ="
        f" window.crowd.scene.row({STAGE}, at.sense, at.at);"
        " return { token, over, values: Array.from(values) }; }"
    )
    assert (found["token"], found["over"]) == (token, "thermal" if sense == "rgb" else "rgb")
    np.testing.assert_allclose(found["values"], np.tile(wanted, RUNS[STAGE]), atol=1e-3)


def test_rows_need_the_server_once(page: Any) -> None:
    choose(page, "layer", "row")
    for x, y in ((50, 50), (100, 130), (200, 30)):
        page.mouse.move(*spot(page, "rgb", x, y))
        page.wait_for_timeout(60)
    page.mouse.click(*spot(page, "rgb", 200, 30))
    page.mouse.move(*spot(page, "thermal", 80, 80))
    page.wait_for_timeout(100)
    assert [one["stage"] for one in asked(page, "rows")] == [STAGE]
    assert "weight" in page.locator(".va-readout").inner_text()
    assert page.locator(".vc-row").inner_text().count(str(RUNS[STAGE])) >= 2


def test_a_drawn_region_holds_what_the_library_says(page: Any) -> None:
    page.get_by_role("button", name="Draw a region").click()
    corners = [(40, 40), (250, 60), (200, 200), (60, 180)]
    for corner in [*corners, corners[0]]:
        page.mouse.click(*spot(page, "rgb", *corner))
    drawn = state(page, "region")
    np.testing.assert_allclose(drawn, corners, atol=1.5)
    framing = Framing(FRAME, FRAME, (0, 0), FRAME)
    ours = float((coverage(drawn, Grid(30, 40, (8, 8)), framing) * density()).sum())
    assert page.evaluate("() => window.crowd.scene.countIn(window.crowd.state.region)") == (
        pytest.approx(ours, abs=1e-3)
    )
    assert f"{ours:.1f}" in page.locator(".vc-region-count").inner_text()
    assert state(page, "pin") is None
    page.get_by_role("button", name="Remove the region").click()
    assert page.locator(".vc-region-count").inner_text() == ""


def test_a_region_can_be_a_lasso_or_drawn_with_keys(page: Any) -> None:
    page.get_by_role("button", name="Draw a region").click()
    page.mouse.move(*spot(page, "thermal", 60, 60))
    page.mouse.down()
    for x, y in ((160, 40), (240, 120), (160, 200), (60, 150)):
        page.mouse.move(*spot(page, "thermal", x, y), steps=6)
    page.mouse.up()
    assert len(state(page, "region")) > 10
    page.get_by_role("button", name="Remove the region").click()
    page.get_by_role("button", name="Draw a region").click()
    page.locator(".vc-pane[data-sense=rgb] .va-frame").focus()
    for keys in (
        ["ArrowRight"],
        ["Shift+ArrowRight"] * 2,
        ["Shift+ArrowDown"],
        ["Shift+ArrowLeft"],
    ):
        for key in keys:
            page.keyboard.press(key)
        page.keyboard.press("Enter")
    page.keyboard.press("Backspace")
    page.get_by_role("button", name="Finish the region").click()
    assert len(state(page, "region")) == 3


def test_the_gate_says_how_much_of_each(page: Any) -> None:
    choose(page, "layer", "gate")
    choose(page, "stage", "4")
    page.mouse.move(*spot(page, "rgb", 20, 20))
    page.wait_for_function("() => document.querySelector('.va-readout').innerText.includes('%')")
    share = payload_of()["gates"][3]["share"]
    label = page.locator(".va-bar-label").inner_text()
    assert f"{share[0]:.0%} RGB" in label
    assert "red: more thermal" in label


def test_sliders_ask_for_the_newest_only_and_the_curve_fills_up(page: Any) -> None:
    page.evaluate(
        """() => { const slider = document.querySelector("input[data-name=light]");
        for (let i = 0; i < 20; i += 1) {
          slider.value = 0.05 * i; slider.dispatchEvent(new Event("input"));
        } slider.dispatchEvent(new Event("change")); }"""
    )
    page.wait_for_function("() => document.querySelectorAll('.vc-dot').length >= 9")
    looks = asked(page, "look")
    assert 1 <= len(looks) <= 3
    assert looks[-1]["changes"]["light"] == pytest.approx(0.95)
    points = asked(page, "sweep")
    assert {one["knob"] for one in points} == {"light"}
    assert len({one["value"] for one in points}) == len(points) >= 7
    assert page.locator(".vc-pane[data-sense=rgb] .va-frame").evaluate(
        "(one) => getComputedStyle(one).getPropertyValue('--vc-light')"
    ) == ("0.95")
    page.get_by_role("button", name="Undo all changes").click()
    assert state(page, "changes.light") == 1


def test_a_switched_off_stage_and_a_black_sense_are_asked_for(page: Any) -> None:
    page.click(".vc-off [data-value='1']")
    choose(page, "blank", "thermal")
    page.wait_for_function("() => window.asked.at(-1).changes?.blank === 'thermal'")
    assert state(page, "changes.off") == [1]
    assert asked(page, "look")[-1]["changes"]["off"] == [1]


def test_an_alignment_is_applied_as_it_is_seen(page: Any) -> None:
    page.get_by_role("button", name="Align", exact=True).click()
    frame = page.locator(".vc-compare")
    frame.focus()
    for key in ["ArrowRight"] * 3 + ["Shift+ArrowUp"]:
        page.keyboard.press(key)
    assert page.locator("input[data-name=x]").input_value() == "3"
    page.fill("input[data-name=zoom]", "120")
    page.keyboard.press("Tab")
    placed = page.locator(".vc-over img").evaluate("(one) => [one.style.left, one.style.width]")
    assert placed[1] == "120%"
    page.get_by_role("button", name="Apply and count").click()
    page.wait_for_function("() => window.asked.at(-1).registration")
    scale, _, right, _ = page.evaluate("() => window.asked.at(-1).registration")
    assert scale == pytest.approx(1 / 1.2)
    assert right == pytest.approx(160 - 163 / 1.2)
    assert page.locator(".vc-align").is_hidden()


def test_a_link_brings_the_same_view(enter: Callable[..., Any]) -> None:
    page = enter()
    choose(page, "layer", "row")
    choose(page, "stage", str(STAGE + 1))
    page.mouse.click(*spot(page, "thermal", 123, 77))
    page.wait_for_function("() => location.search.includes('from=thermal')")
    page.evaluate("() => window.crowd.alter({ ...window.crowd.state.changes, light: 0.5 })")
    page.wait_for_function("() => location.search.includes('light=0.5')")
    query = urlsplit(page.url).query
    assert parse_qs(query)["tab"] == ["crowd"]
    again = enter("?" + query)
    again.wait_for_function("() => window.asked.some((one) => one.changes?.light === 0.5)")
    assert state(again, "layer") == "row"
    assert state(again, "stage") == STAGE
    pin = state(again, "pin")
    assert pin["sense"] == "thermal"
    np.testing.assert_allclose(pin["at"], state(page, "pin.at"), atol=0.1)


def test_a_wrong_link_is_said_and_left_out(enter: Callable[..., Any]) -> None:
    page = enter("?tab=crowd&pair=nowhere&light=7")
    said = page.evaluate("() => window.said")
    assert len(said) == 2
    assert any("nowhere" in one for one in said)
    assert page.evaluate("() => window.crowd.inquiry.pair.example") == "square"


def test_one_sense_is_one_picture_without_rows(enter: Callable[..., Any]) -> None:
    whole = payload_of()
    alone = payload_of(
        senses=["rgb"], gates=[], sites=[], registration=None, own_registration=None
    ) | {"pictures": whole["pictures"] | {"thermal": None}}
    with crowd_page.served(alone | {"pictures": whole["pictures"]}) as address:
        page = enter(at=address)
        assert page.locator(".vc-used, .vc-count").first.inner_text().count("RGB alone") == 1
        assert page.locator("[data-name=layer] [data-value=row]").is_disabled()
        assert page.locator(".vc-off").is_hidden()


def test_both_languages_and_no_word_is_left_behind(page: Any) -> None:
    page.evaluate("() => window.crowd.setLanguage('zh')")
    texts = page.locator(".va :is(button, h3, summary, label > span, h2):visible").all_inner_texts()
    latin = [one for one in texts if one.strip() and not any("一" <= c <= "鿿" for c in one)]
    assert [one for one in latin if not one.strip().isascii() or len(one.strip()) > 12] == []


@pytest.mark.parametrize("theme", ["", "dark"])
def test_every_word_can_be_read(enter: Callable[..., Any], theme: str) -> None:
    with crowd_page.served(theme=theme) as address:
        page = enter(at=address)
        choose(page, "layer", "row")
        page.evaluate(
            "() => document.body.style.background = document.body.className ? '#111113' : '#fff'"
        )
        ratios = page.evaluate(CONTRAST, READ)
        assert len(ratios) > 40
        faint = [each for each in ratios if each[1] < 4.5]
        assert faint == []


def test_a_telephone_has_the_pictures_first_and_never_scrolls_sideways(
    enter: Callable[..., Any],
) -> None:
    page = enter(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    wide = "() => document.documentElement.scrollWidth"
    for layer in ("density", "row", "gate", "plain"):
        choose(page, "layer", layer)
        assert page.evaluate(wide) == 390
    page.get_by_role("button", name="Align", exact=True).click()
    assert page.evaluate(wide) == 390
    page.get_by_role("button", name="Cancel").click()
    tops = [
        page.locator(f".vc-pane[data-sense={sense}] .va-frame").bounding_box()["y"]
        for sense in ("rgb", "thermal")
    ]
    assert tops[0] < 300
    assert tops[1] > tops[0] + 200
    page.click(".vc-choices summary")
    assert page.locator(".vc-drop").first.is_visible()
    assert page.evaluate(wide) == 390


def test_a_room_can_read_it_at_one_key(page: Any) -> None:
    page.keyboard.press("p")
    sizes = page.evaluate(
        f"""() => [...document.querySelectorAll('{READ}')].filter((one) => one.checkVisibility()
          && one.innerText?.trim()).map((one) => parseFloat(getComputedStyle(one).fontSize))"""
    )
    assert min(sizes) >= 18
