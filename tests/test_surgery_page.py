"""The panel "What changes?" in a real browser, and what it asks the server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from models.mechanism import blocks_of
from tests.contrast import CONTRAST
from tests.networks_for_tests import scene, small_network, write_networks
from tests.served import page_at, visiting
from vizattn.analysis import Analysis, look
from vizattn.surgery.offers import offers
from vizattn.surgery.operations import Local, Paint, Top, UnknownOperation, operations_for
from vizattn.texts import LANGUAGES
from vizattn.ui.mounting import ASSETS
from vizattn.ui.surgery import MOST_POINTS, SCRIPT, read_changes

SIZE = (150, 110)
READY = "document.querySelector('.va-mount')?.parentElement?.vizattn?.payload"
IDLE = "() => document.querySelector('.vs').getAttribute('aria-busy') === 'false'"
NETWORKS = (("classify", "cbam"), ("segment", "nonlocal"))
STROKE = {"points": [[10, 10], [40.5, 12]], "radius": 5, "value": 0.25}


@cache
def seen(task: str, mechanism: str) -> Analysis:
    return look(scene(*SIZE), small_network(task, mechanism))


@pytest.mark.parametrize(("task", "mechanism"), [*NETWORKS, ("segment", "danet")])
def test_what_is_offered_is_what_there_is_room_for(task: str, mechanism: str) -> None:
    analysis = seen(task, mechanism)
    blocks, found = blocks_of(analysis.network.module), offers(analysis)
    assert found
    for site, names in found.items():
        assert set(names) == set(operations_for(blocks[site]))
        for name in (Top.name, Local.name):
            assert name not in names or (names[name] or 0) >= 1
        assert (names.get(Local.name) or 1) % 2 == 1


def test_what_a_browser_asks_is_read() -> None:
    analysis = seen("classify", "cbam")
    first, second = (each.site for each in analysis.sites[:2])
    found = read_changes(
        [
            {"site": first, "operation": "top:3"},
            {"site": second, "operation": "paint", "strokes": [STROKE]},
        ],
        analysis,
    )
    assert found[first] == Top(3)
    painted = found[second]
    assert isinstance(painted, Paint)
    assert painted.mask.shape == SIZE[::-1]
    assert painted.mask[10, 20] == 0.25


@pytest.mark.parametrize(
    "asked",
    [
        None,
        [],
        ["off"],
        [{"site": "a", "operation": "of"}],
        [{"site": "a", "operation": "paint"}],
        [{"site": "a", "operation": "paint", "strokes": [{"points": []}]}],
        [{"site": "a", "operation": "paint", "strokes": [STROKE | {"value": 2}]}],
        [{"site": "a", "operation": "paint", "strokes": [STROKE | {"radius": None}]}],
        [{"site": "a", "operation": "paint", "strokes": [STROKE] * MOST_POINTS}],
        [{"site": "a", "operation": "off"}] * 1000,
    ],
)
def test_what_cannot_be_read_is_refused(asked: object) -> None:
    with pytest.raises(UnknownOperation) as refused:
        read_changes(asked, seen("classify", "cbam"))
    for language in LANGUAGES:
        assert refused.value.sentence(language)


def test_every_text_of_the_panel_is_there() -> None:
    scripts = [ASSETS / "surgery.js", *(ASSETS / "surgery").glob("*.js")]
    source = "\n".join(path.read_text("utf-8") for path in scripts)
    named = set(re.findall(r'"((?:panel|result|op|hint|number)\.[a-z_]+)"', source))
    assert len(named) > 10
    kinds = {name for each in NETWORKS for names in offers(seen(*each)).values() for name in names}
    kinds |= {"off_rows"}
    named |= {f"{part}.{name}" for part in ("op", "hint") for name in kinds}
    for language in LANGUAGES:
        assert named - SCRIPT.texts(language).keys() == set()


# In the browser.


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = write_networks(tmp_path_factory.mktemp("networks"), *NETWORKS)
    with page_at(folder, small=True) as address, visiting(browser, color_scheme="dark") as page:
        page.address = address
        yield page


def enter(page: Any, network: str) -> None:
    page.goto(f"{page.address}?network={network}")
    page.wait_for_function(READY)
    page.wait_for_selector(".vs", state="attached")
    page.evaluate("document.querySelector('.vs').open = true")


def said(page: Any) -> str:
    page.wait_for_timeout(300)
    page.wait_for_function(IDLE)
    return str(page.locator(".vs-sentence").inner_text())


def choose(page: Any, name: str) -> None:
    page.locator(f'.vs-choices button[data-value="{name}"]').click()


@pytest.mark.browser
def test_a_row_can_be_changed_and_put_back(page: Any) -> None:
    enter(page, "segment-nonlocal")
    assert said(page) == "Nothing is changed."
    choose(page, "local")
    page.wait_for_selector(".vs-moved li")
    assert "of the pixels have another class now" in said(page)
    own = page.locator(".vs-own span").last.inner_text()
    assert float(own.rstrip("%")) > 0
    # Before is the prediction that the instrument shows; the pictures' pixels say so too.
    pixels = "([...document.querySelectorAll('.vs-picture canvas')].map((one) => one.toDataURL()))"
    before, after, where = page.evaluate(pixels)
    assert len({before, after, where}) == 3
    # The keyboard moves the window; undoing goes back one choice at a time.
    page.locator(".vs-tools > .vs-slider input").focus()
    page.keyboard.press("ArrowRight")
    assert "7 × 7" in page.locator(".vs-tools > .vs-slider output").inner_text()
    assert said(page)
    page.get_by_role("button", name="Undo").click()
    assert "5 × 5" in page.locator(".vs-tools > .vs-slider output").inner_text()
    page.get_by_role("button", name="As it was").click()
    assert said(page) == "Nothing is changed."
    assert not page.locator(".vs-classes").is_visible()
    assert page.problems == []


@pytest.mark.browser
def test_a_gate_is_painted_by_hand_and_by_key(page: Any) -> None:
    enter(page, "classify-cbam")
    site = page.evaluate(
        "document.querySelector('.va-mount').parentElement.vizattn.payload.sites"
        ".find((one) => one.kind === 'spatial_gate').path"
    )
    page.evaluate(
        "(site) => document.querySelector('.va-mount').parentElement.vizattn.chooseSite(site)", site
    )
    page.wait_for_selector('.vs-choices button[data-value="paint"]')
    choose(page, "paint")
    assert said(page).startswith("Paint on the picture")
    page.wait_for_timeout(300)
    box = page.locator(".va-frame").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.6, steps=5)
    page.mouse.up()
    assert "most probable class" in said(page)
    first = page.locator(".vs-own span").last.inner_text()
    page.get_by_role("button", name="Dot at the cross").click()
    page.get_by_role("button", name="Eraser").click()
    assert "most probable class" in said(page)
    strokes = "document.querySelector('.vs-mount').parentElement.surgery.brush.strokes"
    drawn, dot = page.evaluate(strokes)
    assert len(drawn["points"]) > 2
    assert drawn["value"] == dot["value"] == 0
    assert float(first.rstrip("%")) > 0
    # Another place in the network: the pointer is the instrument's again, the change stays.
    page.evaluate(
        "() => { const one = document.querySelector('.va-mount').parentElement.vizattn;"
        " one.chooseSite(one.payload.sites[0].path); }"
    )
    page.wait_for_selector(".vs-others li")
    assert not page.evaluate("document.querySelector('.va-frame').matches('.va-handed')")
    page.get_by_role("button", name="Take back").click()
    assert said(page) == "Nothing is changed."
    assert page.problems == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1440])
def test_the_panel_is_legible_and_fits_in_both_languages(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    enter(page, "segment-nonlocal")
    choose(page, "uniform")
    assert said(page)
    page.get_by_role("button", name="中文").click()
    page.wait_for_function(
        "/[\\u4e00-\\u9fff]/.test(document.querySelector('.vs summary').textContent)"
    )
    words = page.locator(".vs").inner_text()
    assert not re.search(r"[a-z]{4}", words), words
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for dark in (True, False):
        page.evaluate("(on) => document.body.classList.toggle('dark', on)", dark)
        page.wait_for_timeout(200)
        selector = ".vs :is(button, p, h3, th, td, li, figcaption, summary, output)"
        poor = [(what, found) for what, found in page.evaluate(CONTRAST, selector) if found < 4.5]
        assert poor == []
    page.get_by_role("button", name="EN", exact=True).click()
    assert page.problems == []
