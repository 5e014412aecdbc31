"""The tab "Compare": what is offered, what is answered, and in a browser one pointer for all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.networks_for_tests import small_network, write_network
from tests.served import page_at
from vizattn.texts import LANGUAGES
from vizattn.ui import canvas
from vizattn.ui.compare.component import texts_of

PATIENCE = 60_000
NETWORKS = (("segment", "nonlocal"), ("segment", "danet"))
TAB = "document.querySelector('.vm-mount').parentElement.compare"


def test_every_text_of_the_tab_is_there() -> None:
    scripts = [canvas.ASSETS / "compare.js", *(canvas.ASSETS / "compare").glob("*.js")]
    source = "\n".join(path.read_text("utf-8") for path in scripts)
    named = set(re.findall(r'say\("([a-z_.]+)"', source)) | {"scale_shared", "scale_row"}
    assert len(named) > 15
    for language in LANGUAGES:
        assert named - texts_of(language).keys() == set()


@pytest.fixture(scope="module")
def page(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    folder = tmp_path_factory.mktemp("networks")
    for task, mechanism in NETWORKS:
        write_network(small_network(task, mechanism), folder)
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with page_at(folder, small=True) as address, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        page = browser.new_context(locale="en-GB").new_page()
        page.set_default_timeout(PATIENCE)
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        names = ",".join(f"{task}-{mechanism}" for task, mechanism in NETWORKS)
        page.goto(f"{address}?tab=compare&example=crossing&nets={names}&at=400,420")
        page.wait_for_selector(".vm-mount", state="attached")
        page.wait_for_function(
            f"{TAB}?.panes.length === 2 && {TAB}.panes.every((one) => one.payload)"
        )
        page.wait_for_timeout(500)
        yield page
        browser.close()


@pytest.mark.browser
def test_one_pointer_drives_all_and_the_link_says_so(page: Any) -> None:
    assert page.evaluate(f"{TAB}.state.pin") == [400, 420]
    assert "nets=segment-nonlocal,segment-danet" in page.url
    scale = page.evaluate(
        "[...document.querySelectorAll('.vm-numbers')].map((one) => [...one.children].find("
        "(part) => part.textContent.startsWith('Colours')).nextSibling.textContent)"
    )
    assert len(set(scale)) == 1, "the same colours mean the same numbers"
    marks = f"{TAB}.panes.map((one) => one.stage.marks.toDataURL())"
    before = page.evaluate(marks)
    box = page.locator(".vm-pane .va-frame").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.7)
    page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.7)
    page.wait_for_timeout(300)
    after = page.evaluate(marks)
    assert all(a != b for a, b in zip(before, after, strict=True))
    x, y = page.evaluate(f"{TAB}.state.pin")
    rows = page.evaluate(f"{TAB}.panes.map((one) => [...one.site.row(one.stateOf({TAB}.state))])")
    assert all(sum(row) == pytest.approx(1, abs=1e-3) for row in rows)
    assert rows[0] != rows[1]
    page.wait_for_timeout(400)
    kept = re.search(r"at=([\d.]+),([\d.]+)", page.url)
    assert kept is not None
    assert [float(each) for each in kept.groups()] == pytest.approx([x, y], abs=0.06)
    assert page.problems == []


@pytest.mark.browser
def test_the_facts_of_all_are_saved_and_networks_come_and_go(page: Any) -> None:
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save facts (JSON)").click()
    facts = json.loads(saved.value.path().read_text("utf-8"))
    assert [each["network"]["name"] for each in facts] == ["segment-nonlocal", "segment-danet"]
    page.get_by_role("button", name="Remove").first.click()
    page.wait_for_function(f"{TAB}.panes.length === 1")
    page.locator(".vm-controls select").select_option("segment-nonlocal")
    page.wait_for_function(f"{TAB}.panes.length === 2 && {TAB}.panes.every((one) => one.payload)")
    assert page.problems == []
