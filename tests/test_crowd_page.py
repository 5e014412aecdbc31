"""The crowd tab of the whole page in a real browser, as a visitor meets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from tests import served
from tests.networks_for_tests import write_networks
from tests.served import page_at
from vizattn.attention import PlaceAffinity
from vizattn.crowd.analysis import CrowdAnalysis, look_at
from vizattn.crowd.changes import AS_IT_IS, Changes
from vizattn.crowd.pair import read_pair
from vizattn.networks import Library
from vizattn.pairs import pairs
from vizattn.ui.crowd.saves import KINDS

pytestmark = pytest.mark.browser

CROWD = "document.querySelector('.vc-mount')?.crowd"
SIZE = {"viewport": {"width": 1440, "height": 1000}}
FIRST = pairs()[0]
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two small counters beside a network for the other tab."""
    path = tmp_path_factory.mktemp("networks")
    return write_networks(path, ("segment", "nonlocal"), ("count", "csca"), ("count", None))


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with page_at(folder, small=True, max_upload_mb=1) as address:
        yield address


@pytest.fixture(scope="module")
def enter(browser: Any, address: str) -> Iterator[Open]:
    """Open the crowd tab; whatever a page complains about fails at the end."""
    problems: list[str] = []

    def opened(query: str = "?tab=crowd", **options: Any) -> Any:
        return served.enter(browser, address + query, problems, **SIZE | options)

    yield opened
    assert problems == []


@pytest.fixture(scope="module")
def open_page(enter: Open) -> Any:
    page = enter()
    settled(page)
    return page


@pytest.fixture
def page(open_page: Any) -> Any:
    """Return a page that several tests use, at the first example as it is."""
    if open_page.evaluate(f"() => {CROWD}.inquiry.pair.example") != FIRST.id:
        after(open_page, lambda: open_page.click(f"[data-pair={FIRST.id}]"))
    if open_page.evaluate(f"() => {CROWD}.scene.payload.changes.light !== 1"):
        after(open_page, lambda: open_page.click("text=Undo all changes"))
    open_page.evaluate(f"() => {CROWD}.set({{ layer: 'density', pin: null, region: null }})")
    return open_page


def settled(page: Any) -> None:
    """Wait until everything that was asked has been answered."""
    page.wait_for_function(
        f"() => {CROWD}?.scene && !{CROWD}.inquiry.courier.flying"
        f" && !{CROWD}.inquiry.courier.waiting.size"
    )


def after(page: Any, act: Callable[[], object]) -> dict[str, Any]:
    """Do something that counts again, and return what is shown then."""
    page.evaluate(f"() => {{ {CROWD.replace('?.', '.')}.scene.old = true; }}")
    act()
    page.wait_for_function(f"() => !{CROWD}.scene.old")
    settled(page)
    return shown(page)


def shown(page: Any) -> dict[str, Any]:
    return page.evaluate(
        f"""() => {{ const {{ payload, count }} = {CROWD}.scene;
        return {{ id: payload.id, count, senses: payload.senses, network: payload.network,
          gates: payload.gates.map((gate) => gate.stage), notes: payload.notes,
          own: {CROWD}.inquiry.pair.id }}; }}"""
    )


@cache
def seen(name: str = "count-csca", changes: Changes = AS_IT_IS) -> CrowdAnalysis:
    """Return what the library sees in the first example, with a network that the page has."""
    pair = read_pair(FIRST.rgb_path, FIRST.thermal_path)
    return look_at(pair, Library("cpu").network(name), changes)


def send(page: Any, **files: Path) -> None:
    for sense, path in files.items():
        page.set_input_files(f".vc-drop input[data-sense={sense}]", path)


def query_of(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "mine.png"
    with Image.open(FIRST.rgb_path) as picture:
        picture.resize((320, 240)).save(path)
    return path


def test_the_page_counts_what_the_library_counts(page: Any) -> None:
    assert shown(page)["count"] == pytest.approx(seen().count, rel=1e-4)
    assert f"{seen().count:.1f}" in page.locator(".vc-total").inner_text()
    assert query_of(page) == {
        "tab": "crowd", "pair": FIRST.id, "network": "count-csca", "lang": "en"
    }  # fmt: skip
    assert page.locator(".vc-lead").inner_text() == FIRST.note["en"]
    assert page.locator(".vc-checks .va-failed").count() == 0


@pytest.mark.parametrize("sense", ["rgb", "thermal"])
def test_rows_and_regions_are_those_of_the_library(page: Any, sense: str) -> None:
    at, stage = (401.0, 222.0), 1
    page.evaluate(
        f"() => {CROWD}.set({{ layer: 'row', stage: {stage},"
        f" pin: {{ sense: '{sense}', at: {list(at)} }} }})"
    )
    page.wait_for_function(f"() => {CROWD}.row().length")
    asked = "thermal_context" if sense == "rgb" else "rgb_context"
    site = seen().at_stage(stage, asked)
    assert isinstance(site, PlaceAffinity)
    token = site.token_of(site.query_grid.cell_at(seen().framing.to_model(at)))
    row = page.evaluate(f"() => {CROWD}.row()")
    np.testing.assert_allclose(row, site.rows.row(token)[0], atol=1e-3)
    region = [(33.0, 41.0), (600.0, 100.0), (410.0, 470.0), (90.0, 300.0)]
    inside = page.evaluate(f"() => {CROWD}.scene.countIn({[list(one) for one in region]})")
    assert inside == pytest.approx(seen().count_in(region), abs=1e-3)


def test_the_laboratory_counts_what_the_library_counts(page: Any) -> None:
    changes = Changes((16.0, 0.0), 0.4, off=frozenset({1}))
    there = "{ shift: [16, 0], light: 0.4, blank: null, noise: null, off: [1] }"
    now = after(page, lambda: page.evaluate(f"() => {CROWD}.alter({there})"))
    assert now["count"] == pytest.approx(seen(changes=changes).count, rel=1e-4)
    assert now["gates"] == [0, 2, 3, 4]
    assert page.locator(".vc-off [aria-pressed=false]").inner_text() == "2"
    assert page.locator(".vc-dot").count() >= 1
    assert f"unchanged {seen().count:.1f}" in page.locator(".vc-lab-said").inner_text()
    back = after(page, lambda: page.click("text=Undo all changes"))
    assert back["count"] == pytest.approx(seen().count, rel=1e-4)


def test_a_slider_that_is_let_go_draws_its_curve(page: Any) -> None:
    page.locator("input[data-name=light]").focus()
    page.keyboard.press("Home")
    page.wait_for_function("() => document.querySelectorAll('.vc-dot').length >= 9")
    settled(page)
    heights = page.evaluate(
        f"() => [...{CROWD}.desk.laboratory.curve()].map(([value, one]) => [value, one.count])"
    )
    by_light = dict(map(tuple, heights))
    assert by_light[0] == pytest.approx(seen(changes=Changes(light=0.0)).count, rel=1e-4)
    assert by_light[1] == pytest.approx(seen().count, rel=1e-4)
    assert len(by_light) >= 9


def test_plain_addition_has_a_count_and_nothing_to_point_at(page: Any) -> None:
    now = after(page, lambda: page.select_option(".vc-choices select", "count-plain"))
    assert now["count"] == pytest.approx(seen("count-plain").count, rel=1e-4)
    assert now["gates"] == []
    assert page.locator("[data-name=layer] [data-value=gate]").is_disabled()
    assert page.locator(".vc-cost").first.is_hidden()
    after(page, lambda: page.select_option(".vc-choices select", "count-csca"))
    assert page.locator("[data-name=layer] [data-value=gate]").is_enabled()


def test_own_pictures_are_counted_swapped_and_removed(page: Any, mine: Path) -> None:
    alone = after(page, lambda: send(page, rgb=mine))
    assert alone["senses"] == ["rgb"]
    page.wait_for_function("() => !location.search.includes('pair=')")
    assert "RGB alone" in page.locator(".vc-count").first.inner_text()
    assert FIRST.thermal_path is not None
    both = after(page, lambda: send(page, thermal=FIRST.thermal_path))
    assert both["senses"] == ["rgb", "thermal"]
    assert "mine.png" in page.locator(".vc-drop[data-sense=rgb]").inner_text()
    after(page, lambda: page.click("text=Swap RGB and thermal"))
    assert "mine.png" in page.locator(".vc-drop[data-sense=thermal]").inner_text()
    left = after(page, lambda: page.click(".vc-drop[data-sense=rgb] >> text=remove"))
    assert left["senses"] == ["thermal"]
    assert page.locator(".vc-pane:visible").count() == 1


def test_a_picture_that_is_sent_before_the_first_is_opened_joins_it(page: Any, mine: Path) -> None:
    after(page, lambda: page.evaluate(f"() => {CROWD}.open({{ example: '{FIRST.id}' }})"))
    page.evaluate(f"() => {{ {CROWD}.open({{ example: '{FIRST.id}' }}); }}")
    send(page, rgb=mine, thermal=FIRST.thermal_path)  # type: ignore[arg-type]
    page.wait_for_function(f"() => {CROWD}.scene.payload.senses.length === 2 && !{CROWD}.scene.old")
    page.wait_for_function(f"() => {CROWD}.inquiry.pair.id")
    settled(page)
    assert shown(page)["senses"] == ["rgb", "thermal"]
    assert "mine.png" in page.locator(".vc-drop[data-sense=rgb]").inner_text()


def test_a_bad_file_is_one_sentence_and_loses_nothing(page: Any, tmp_path: Path) -> None:
    before = shown(page)
    bad = tmp_path / "<b>notes<b>.png"
    bad.write_text("not a picture")
    send(page, thermal=bad)
    page.locator(".toast-wrap").get_by_text("is not a picture").wait_for()
    settled(page)
    assert shown(page) == before
    assert page.locator(".toast-wrap b").count() == 0
    heavy = tmp_path / "heavy.png"
    heavy.write_bytes(bytes(1024 * 1024 + 1))
    send(page, rgb=heavy)
    assert "larger than 1 MB" in page.locator(".vc-choices .vp-said").inner_text()


def test_an_alignment_is_suggested_and_applied(page: Any) -> None:
    page.get_by_role("button", name="Align", exact=True).click()
    page.get_by_role("button", name="Suggest").click()
    page.wait_for_function("() => document.querySelector('.vc-align [role=status]').innerText")
    assert "ormation" in page.locator(".vc-align [role=status]").inner_text()
    page.fill("input[data-name=x]", "24")
    page.keyboard.press("Tab")
    moved = after(page, lambda: page.click("text=Apply and count"))
    assert moved["count"] != pytest.approx(seen().count, rel=1e-6)
    page.wait_for_function("() => location.search.includes('align=')")
    after(page, lambda: page.click(f"[data-pair={pairs()[1].id}]"))
    page.wait_for_function("() => !location.search.includes('align=')")


def test_the_cost_is_measured_when_asked(page: Any) -> None:
    page.get_by_role("button", name="Measure it now").click()
    page.wait_for_selector(".vc-cost table")
    text = page.locator(".vc-cost table").inner_text()
    assert text.count("plain") == 5
    assert "ms" in text


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_file_is_delivered(page: Any, tmp_path: Path, kind: str) -> None:
    with page.expect_download() as download:
        page.click(f".vc-choices [data-save={kind}]")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.suffix == f".{KINDS[kind][0]}"
    assert path.name.startswith(FIRST.id)
    assert path.stat().st_size > 200


def test_two_visitors_do_not_see_each_others_pictures(enter: Open, mine: Path) -> None:
    ann, bob = enter(), enter()
    for one in (ann, bob):
        settled(one)
    own = after(ann, lambda: send(ann, rgb=mine))["own"]
    before = shown(bob)
    bob.evaluate(
        f"(own) => {{ const crowd = {CROWD}; crowd.inquiry.pair = {{ id: own }};"
        " crowd.inquiry.again('x'); }",
        own,
    )
    bob.locator(".toast-wrap").get_by_text("no longer").wait_for()
    settled(bob)
    assert shown(bob)["id"] == before["id"]
    for one in (ann, bob):
        one.context.close()


def test_the_address_follows_the_tab(enter: Open) -> None:
    page = enter("")
    page.wait_for_function("() => location.search.includes('example=')")
    page.get_by_role("tab", name="Crowd").click()
    settled(page)
    page.wait_for_function("() => location.search.includes('tab=crowd')")
    assert "example" not in query_of(page)
    page.get_by_role("tab", name="Explore").click()
    page.wait_for_function("() => location.search.includes('example=')")
    assert query_of(page).keys().isdisjoint({"tab", "pair", "layer"})
    page.context.close()


def test_the_head_of_the_page_switches_the_language_here_too(enter: Open) -> None:
    page = enter()
    settled(page)
    page.click(".vp-header button[lang=zh]")
    page.wait_for_function(f"() => {CROWD}.language === 'zh'")
    assert page.locator(".vc-lead").inner_text() == FIRST.note["zh"]
    assert page.get_by_role("tab", selected=True).inner_text() == "人群"
    page.wait_for_function("() => location.search.includes('lang=zh')")
    page.context.close()


def test_without_a_counter_there_is_no_tab(browser: Any, tmp_path: Path) -> None:
    folder = write_networks(tmp_path, ("segment", "nonlocal"))
    with (
        page_at(folder, small=True) as address,
        served.visiting(browser, address + "?tab=crowd") as page,
    ):
        page.wait_for_selector(".vp-choices summary", state="attached")
        assert page.get_by_role("tab").count() == 0
