"""Networks that belong side by side: CBAM's orders, by one button, with what their study found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models import weights
from tests.networks_for_tests import small_network, write_network
from tests.served import page_at, visiting
from vizattn.examples import examples
from vizattn.labels import network_label
from vizattn.ui.compare.together import together

TAB = "document.querySelector('.vm-mount').parentElement.compare"
FORMS = (None, "parallel", "space-first")
ORDERS = ["classify-cbam", "classify-cbam-parallel", "classify-cbam-space-first"]


def write_orders(folder: Path, seeds: bool = True) -> Path:
    """Write small untrained networks of all orders, one of them with what other seeds gave."""
    write_network(small_network("classify", "se"), folder)
    for index, form in enumerate(FORMS):
        network = small_network("classify", "cbam", form=form)
        write_network(network, folder)
        path = folder / f"{network.name}.json"
        facts = json.loads(path.read_text())
        if seeds:
            mean = {"seeds": [0, 1, 2], "mean": 0.7 + index / 10, "deviation": 0.004}
            path.write_text(json.dumps(facts | {"seeds": mean}))
    return folder


def test_the_forms_of_a_mechanism_belong_together(tmp_path: Path) -> None:
    cards = weights.cards(write_orders(tmp_path))
    known = {each.id: each for each in examples()}
    (group,) = together(cards, known)
    assert group["networks"] == ORDERS, "the mechanism's own form first"
    assert group["site"] == "trunk.stages.0.0.gate.spatial_gate"
    assert group["title"]["en"].startswith("CBAM")
    assert "80.0% ± 0.4 points over 3 seeds" in group["said"]["en"]
    assert "CBAM, in parallel" in group["said"]["en"]
    assert "70.0%" in group["said"]["zh"]
    assert together({name: cards[name] for name in ("classify-se", "classify-cbam")}, known) == []
    label = network_label("en", cards["classify-cbam-parallel"])
    assert label.title == "CBAM, in parallel"
    assert "80.0% ± 0.4" in label.measured


def test_what_was_not_measured_is_not_said(tmp_path: Path) -> None:
    (group,) = together(weights.cards(write_orders(tmp_path, seeds=False)), {})
    assert group["said"] == {"en": "", "zh": ""}
    assert group["site"] is None


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = write_orders(tmp_path_factory.mktemp("networks"))
    query = "?tab=compare&example=golf-ball&nets=classify-se"
    with page_at(folder, small=True) as address, visiting(browser, address + query) as page:
        page.wait_for_selector(".vm-mount", state="attached")
        page.wait_for_function(f"{TAB}?.panes.length === 1 && {TAB}.panes[0].payload")
        yield page


@pytest.mark.browser
def test_one_button_shows_them_side_by_side(page: Any) -> None:
    chosen = page.get_by_role("button", name="CBAM’s order side by side")
    assert chosen.get_attribute("aria-pressed") == "false"
    chosen.click()
    page.wait_for_function(f"{TAB}.panes.length === 3 && {TAB}.panes.every((one) => one.payload)")
    assert page.evaluate(f"{TAB}.panes.map((one) => one.network.name)") == ORDERS
    paths = set(page.evaluate(f"{TAB}.panes.map((one) => one.path)"))
    assert paths == {"trunk.stages.0.0.gate.spatial_gate"}
    titles = page.locator(".vm-pane h3").all_inner_texts()
    assert titles == ["CBAM", "CBAM, in parallel", "CBAM, space first"]
    assert chosen.get_attribute("aria-pressed") == "true"
    assert page.get_by_text("CBAM: 70.0% ± 0.4 points over 3 seeds").is_visible()
    page.wait_for_timeout(500)
    assert f"nets={','.join(ORDERS)}" in page.url
    page.get_by_role("button", name="Remove").first.click()
    assert chosen.get_attribute("aria-pressed") == "false"
    assert page.problems == []
