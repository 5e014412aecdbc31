"""The tab "Compare": what is offered, what is answered, and in a browser one pointer for all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.networks_for_tests import write_networks
from tests.served import page_at, visiting
from tests.test_views import analysis
from vizattn.attention import PlaceAffinity
from vizattn.comparing import Pane, comparison, comparison_facts, comparison_script
from vizattn.drawables import Heat
from vizattn.figures import Cell, Sheet
from vizattn.geometry import Point
from vizattn.numbers import percent
from vizattn.texts import LANGUAGES, Refused
from vizattn.ui.compare.component import SCRIPT
from vizattn.ui.compare.tab import FILES
from vizattn.ui.mounting import ASSETS
from vizattn.views import Selection

NETWORKS = (("segment", "nonlocal"), ("segment", "danet"))
TAB = "document.querySelector('.vm-mount').parentElement.compare"


def test_every_text_of_the_tab_is_there() -> None:
    scripts = [ASSETS / "compare.js", *(ASSETS / "compare").glob("*.js")]
    source = "\n".join(path.read_text("utf-8") for path in scripts)
    named = set(re.findall(r'say\("([a-z_.]+)"', source)) | {"scale_shared", "scale_row"}
    named |= {f"save_{what}" for what in FILES}
    assert len(named) > 15
    for language in LANGUAGES:
        assert named - SCRIPT.texts(language).keys() == set()


def wait_for_both(page: Any) -> None:
    """Wait until the tab is there and both networks have looked."""
    page.wait_for_selector(".vm-mount", state="attached")
    page.wait_for_function(f"{TAB}?.panes.length === 2 && {TAB}.panes.every((one) => one.payload)")


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = write_networks(tmp_path_factory.mktemp("networks"), *NETWORKS)
    names = ",".join(f"{task}-{mechanism}" for task, mechanism in NETWORKS)
    query = f"?tab=compare&example=crossing&nets={names}&at=400,420"
    with page_at(folder, small=True) as address, visiting(browser, address + query) as page:
        wait_for_both(page)
        page.wait_for_timeout(500)
        yield page


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


@pytest.fixture
def saved(page: Any) -> Callable[[str], Path]:
    """Press a button and return the file that comes."""

    def press(name: str) -> Path:
        with page.expect_download() as coming:
            page.get_by_role("button", name=name).click()
        return Path(coming.value.path())

    return press


@pytest.mark.browser
def test_what_is_compared_is_saved(page: Any, saved: Callable[[str], Path]) -> None:
    facts = json.loads(saved("Save facts (JSON)").read_text("utf-8"))
    assert [each["network"]["name"] for each in facts["looks"]] == [
        "segment-nonlocal",
        "segment-danet",
    ]
    place = facts["looks"][0]["selection"]["at"]
    for each in facts["looks"]:
        assert each["numbers"]["sum"] == pytest.approx(1, abs=1e-3)
        assert each["selection"]["at"] == place
    shown = page.evaluate(
        "[...document.querySelectorAll('.vm-numbers')].map((one) => one.textContent)"
    )
    for each, words in zip(facts["looks"], shown, strict=True):
        assert f"{each['numbers']['entropy']:.2f} nats" in words
        assert percent(each["numbers"]["distance"]) in words
    with Image.open(saved("Save figure (PNG)")) as figure:
        assert figure.width > 1000
    script = saved("Save script (Python)").read_text("utf-8")
    compile(script, "comparison.py", "exec")
    assert all(f"'{task}-{mechanism}'" in script for task, mechanism in NETWORKS)
    assert "PICTURE = 'assets/examples/crossing.jpg'" in script
    assert page.problems == []


@pytest.mark.browser
def test_a_link_brings_back_sites_and_what_they_show(page: Any) -> None:
    path = page.evaluate(f"{TAB}.panes[1].payload.sites.at(-1).path")
    page.evaluate(f"{TAB}.panes[1].choose({{ site: {json.dumps(path)} }})")
    page.get_by_role("button", name="each its own").click()
    page.wait_for_function(
        "location.search.includes('sites=,') && location.search.includes('colours=row')"
    )
    page.reload()
    wait_for_both(page)
    assert page.evaluate(f"{TAB}.panes.map((one) => one.path)[1]") == path
    assert page.evaluate(f"{TAB}.state.scale") == "row"
    page.evaluate(f"{TAB}.panes[1].choose({{ site: null }})")
    page.get_by_role("button", name="the same for all").click()


@pytest.mark.browser
def test_networks_come_and_go(page: Any) -> None:
    page.get_by_role("button", name="Remove").first.click()
    page.wait_for_function(f"{TAB}.panes.length === 1")
    page.locator(".vm-controls select").select_option("segment-nonlocal")
    page.wait_for_function(f"{TAB}.panes.length === 2 && {TAB}.panes.every((one) => one.payload)")
    assert page.problems == []


def panes(at: Point | None = (90.0, 60.0)) -> list[Pane]:
    found = [analysis("segment", mechanism) for _, mechanism in NETWORKS]
    return [Pane(seen, Selection(at=at)) for seen in found]


def test_a_comparison_has_one_scale_unless_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Heat] = []
    tiled = Sheet.tiled

    def watched(sheet: Sheet, cells: list[Cell], columns: int) -> Any:
        drawn.extend(cell.panel.shown for cell in cells if cell.panel is not None)
        return tiled(sheet, cells, columns)

    monkeypatch.setattr(Sheet, "tiled", watched)
    assert comparison(panes()).to_png(40).startswith(b"\x89PNG")
    comparison(panes(), shared=False)
    assert drawn[0].high == drawn[1].high == max(drawn[2].high, drawn[3].high)
    assert drawn[2].high != drawn[3].high


def test_a_comparison_is_of_one_to_six_looks() -> None:
    several = panes()
    for wrong in ([], several * 4):
        with pytest.raises(ValueError, match="1 to 6"):
            comparison(wrong)
    assert len(comparison_facts(several * 3)["looks"]) == 6
    with pytest.raises(Refused):
        comparison_facts([Pane(several[0].analysis, Selection("nowhere"))])


def test_the_numbers_of_a_pane_are_those_of_its_row() -> None:
    pane = panes()[0]
    numbers = pane.numbers()
    assert numbers is not None
    row = pane.analysis.row((90.0, 60.0)).mean(axis=0).ravel()
    entropy = -(row * np.log(row)).sum()
    assert numbers["entropy"] == pytest.approx(entropy, rel=1e-4)
    assert numbers["share"] == pytest.approx(entropy / np.log(row.size), rel=1e-4)
    assert numbers["effective"] == pytest.approx(np.exp(entropy), rel=1e-3)
    captured = pane.analysis.site()
    assert isinstance(captured, PlaceAffinity)
    grid = captured.key_grid
    centres = np.array([pane.analysis.framing.to_original(grid.centre(i)) for i in range(row.size)])
    cell = pane.analysis.query_at((90.0, 60.0), captured.site)
    away = np.linalg.norm(row @ centres / row.sum() - centres[cell])
    assert numbers["distance"] == pytest.approx(
        away / np.linalg.norm(pane.analysis.framing.original), rel=1e-3
    )


def test_the_script_makes_the_same_panes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    several = panes()
    by_name = {each.analysis.network.name: each.analysis for each in several}
    made: list[tuple[Any, ...]] = []

    class Seen:
        def __init__(self, picture: str, name: str) -> None:
            self.analysis = by_name[name]

    class Saved:
        def save(self, path: str) -> None:
            made.append((path,))

    def remember(given: list[Pane], **options: Any) -> Saved:
        made.append((given, options))
        return Saved()

    monkeypatch.setattr("vizattn.look", Seen, raising=False)
    monkeypatch.setattr("vizattn.comparison", remember, raising=False)
    exec(comparison_script(several, "street.jpg", False, "zh"), {})
    given, options = made[0]
    assert [each.chosen for each in given] == [each.chosen for each in several]
    assert options == {"shared": False, "language": "zh"}
    assert made[1] == ("comparison.png",)
