"""The tab "Cost": when it is offered, and in a browser its chart and its table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.networks_for_tests import bundling, write_networks
from tests.served import visiting
from vizattn.benchmarks import scaling_report
from vizattn.benchmarks.scaling import Point, Scaling
from vizattn.networks import Library
from vizattn.texts import LANGUAGES
from vizattn.ui.costs import tab
from vizattn.ui.mounting import ASSETS
from vizattn.ui.page import build_page

SIZES = (1024, 4096, 16384)


def made(slug: str, power: float, stated: float, scale: float) -> Scaling:
    points = (Point(n, scale * n**power, 40 * n, int(scale * 1e9 * n**power)) for n in SIZES)
    return Scaling(slug, slug, f"O(N^{stated}, as it were)", stated, tuple(points))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A report of three lines: the quadratic one starts in the middle and ends on top."""
    found = [
        made("plain", 1, 1, 2e-7),
        made("nonlocal", 2, 2, 1e-9),
        made("gcnet", 1, 1, 4e-8),
    ]
    path = tmp_path_factory.mktemp("docs") / scaling_report.NUMBERS
    path.write_text(json.dumps(scaling_report.facts(found)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tab, "NUMBERS", path)
        yield path


def library(folder: Path, *mechanisms: str) -> Library:
    with bundling(write_networks(folder, *(("segment", slug) for slug in mechanisms))):
        found = Library("cpu")
        assert found.cards()
        return found


def titles(found: Library) -> list[str]:
    parts = build_page(found).config["components"]
    return [part["props"]["label"] for part in parts if part["type"] == "tabitem"]


def test_the_page_has_the_tab_where_costs_were_measured(
    numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = library(tmp_path, "nonlocal", "gcnet")
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(tmp_path))
    assert titles(found) == ["Explore", "Compare", "Cost"]
    monkeypatch.setattr(tab, "NUMBERS", tmp_path / "nowhere.json")
    assert not tab.offered(found)


def test_one_mechanism_is_nothing_to_compare(
    numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(tmp_path))
    assert not tab.offered(library(tmp_path, "nonlocal"))


def test_every_text_of_the_tab_is_there() -> None:
    scripts = [ASSETS / "costs.js", *(ASSETS / "costs").glob("*.js")]
    named = set(
        re.findall(r'say\("([a-z_.]+)"', "\n".join(path.read_text("utf-8") for path in scripts))
    )
    assert len(named) > 8
    named |= {f"measure.{one}" for one in ("multiply_adds", "seconds", "bytes")}
    named |= {f"column.{one}" for one in ("name", "stated", "fitted", "side")}
    for language in LANGUAGES:
        assert named - tab.SCRIPT.texts(language).keys() == set()


@pytest.fixture(scope="module")
def page(browser: Any, numbers: Path) -> Iterator[Any]:
    with visiting(browser, viewport={"width": 1200, "height": 900}) as page:
        page.route("http://page/**", lambda route: route.fulfill(body=""))
        page.goto("http://page/?tab=costs&mechanism=gcnet&measure=seconds")
        page.set_content('<html lang="en"><div id="tab"><div class="vk-mount"></div></div></html>')
        page.evaluate(
            "(code) => new Function('element', code)(document.getElementById('tab'))",
            tab.SCRIPT.load(**tab.given()),
        )
        page.wait_for_selector(".vk-line.vk-chosen")
        yield page


SAID = ".vk-said"


@pytest.mark.browser
def test_what_the_address_names_is_chosen_and_said(page: Any) -> None:
    assert page.locator(".vk-line.vk-chosen").get_attribute("data-slug") == "gcnet"
    assert page.locator(".va-segments [aria-pressed=true]").inner_text() == "Time"
    words = page.inner_text(SAID)
    assert words.startswith("GCNet global context: 655 µs on a map of 128 × 128 places.")
    assert "Stated O(N^1), measured to grow as N to the power of 1.00." in words


@pytest.mark.browser
def test_the_line_under_the_pointer_is_named(page: Any) -> None:
    box = page.locator(".vk-plot").bounding_box()
    x, y = page.evaluate(
        "(() => { const { chart } = document.getElementById('tab').costs;"
        " return [chart.x(1024), chart.y(1e-9 * 1024 ** 2)]; })()"
    )
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_selector(".vk-line.vk-pointed")
    assert page.inner_text(SAID).startswith("Non-local block: 1.05 ms on a map of 32 × 32 places.")
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.wait_for_selector(".vk-line.vk-chosen[data-slug=nonlocal]")
    # The stated growth of the chosen one is drawn, and it is the measured one here.
    guide = page.locator(".vk-guide")
    assert float(guide.get_attribute("y1")) == pytest.approx(y, abs=0.5)
    page.mouse.move(box["x"] + box["width"] - 30, box["y"] + box["height"] - 4)
    page.wait_for_function("!document.querySelector('.vk-line.vk-pointed')")


@pytest.mark.browser
def test_the_table_sorts_by_any_column_and_chooses(page: Any) -> None:
    slugs = "[...document.querySelectorAll('.vk tbody tr')].map((one) => one.dataset.slug)"
    assert page.evaluate(slugs) == ["nonlocal", "plain", "gcnet"], "by the largest map, at first"
    page.get_by_role("button", name="32 × 32").click()
    page.wait_for_function(f"{slugs}[0] === 'nonlocal'")
    page.get_by_role("button", name="32 × 32").click()
    page.wait_for_function(f"{slugs}[0] === 'gcnet'")
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("32 × 32")
    page.get_by_role("button", name="Mechanism").click()
    page.wait_for_function(f"{slugs}[0] === 'plain'")
    page.locator("[data-key=plain]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".vk-line.vk-chosen[data-slug=plain]")
    assert page.evaluate("document.activeElement.dataset.key") == "plain"


@pytest.mark.browser
def test_it_speaks_chinese_and_fits_a_telephone(page: Any) -> None:
    page.evaluate("document.documentElement.lang = 'zh-CN'")
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("document.querySelector('.vk-said').innerText.includes('位置')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="内存").click()
    page.wait_for_function("document.querySelector('.vk-said').innerText.includes('655 kB')")
    page.evaluate("document.getElementById('tab').costs.keepAddress()")
    assert re.search(r"\?tab=costs&mechanism=\w+&measure=bytes&lang=zh$", page.url)
    assert page.problems == []
