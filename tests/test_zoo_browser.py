"""Others' networks and own weights on the page, in a real browser, against a hub of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import safetensors.torch
import torch

from models.zoo import loading
from models.zoo.table import entries
from tests.served import page_at, visiting
from tests.zoo_for_tests import on_hub, server, use_caches

pytestmark = pytest.mark.browser

INSTRUMENT = "document.querySelector('.va-mount')?.parentElement?.vizattn"
NAME = "mobilenetv3_small_100.lamb_in1k"
ELSEWHERE = "seresnet50.a1_in1k"
"""of which the hub here has no file"""


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    return loading.build(entries()[NAME]).state_dict()


@pytest.fixture(scope="module")
def page(
    browser: Any, tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, torch.Tensor]
) -> Iterator[Any]:
    found = on_hub(entries()[NAME].origin, safetensors.torch.save(tensors))
    slowly = {path: replace(served, pause=0.2) for path, served in found.items()}
    with (
        pytest.MonkeyPatch.context() as patch,
        server(slowly) as hub,
        page_at(tmp_path_factory.mktemp("networks"), allow_weights=True) as address,
        visiting(browser) as page,
    ):
        use_caches(patch, tmp_path_factory.mktemp("caches"), hub)
        patch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1 << 20)
        page.goto(address)
        page.wait_for_function(
            f"() => {INSTRUMENT}?.payload && location.search.includes('network=')"
        )
        yield page


def pick(page: Any, name: str) -> None:
    page.click(".vp-pick")
    page.fill(".vp-search", name)
    page.keyboard.press("Enter")


def shows(page: Any, name: str) -> None:
    page.wait_for_function(f"(name) => {INSTRUMENT}.payload.network.name === name", arg=name)


def test_the_picker_finds_by_words_in_every_task(page: Any) -> None:
    page.click(".vp-pick")
    everything = page.locator(".vp-option").count()
    page.fill(".vp-search", "registers 2024")
    titles = page.locator(".vp-option-title").all_inner_texts()
    assert titles and all("with registers" in title for title in titles)
    assert "88 MB to download · licence apache-2.0" in page.inner_text(".vp-option")
    page.fill(".vp-search", "no such network")
    assert page.locator(".vp-option").count() == 0
    assert page.locator(".vp-none").is_visible()
    page.fill(".vp-search", "")
    assert page.locator(".vp-option").count() == everything
    # The list ends inside the window, and the marked option is in it.
    box = page.locator(".vp-networks").bounding_box()
    assert box["y"] + box["height"] <= 900
    for _ in range(everything + 3):
        page.keyboard.press("ArrowDown")
    marked = page.locator(".vp-marked").bounding_box()
    assert box["y"] <= marked["y"]
    assert marked["y"] + marked["height"] <= box["y"] + box["height"] + 1
    page.keyboard.press("Escape")
    assert not page.locator(".vp-panel").is_visible()
    assert page.evaluate("() => document.activeElement.className") == "vp-pick"


def test_a_network_is_downloaded_and_shown(page: Any) -> None:
    pick(page, NAME)
    page.wait_for_function(
        "() => /MobileNetV3 small: [1-9]\\d* of 10 MB/.test("
        "document.querySelector('.va-busy.va-on')?.textContent)"
    )
    shows(page, NAME)
    assert page.locator(".vp-pick").get_attribute("data-network") == NAME
    page.wait_for_function(f"() => location.search.includes('{NAME}')")
    assert "downloaded" in page.inner_text(".vp-about")
    assert page.locator(".va-busy.va-on").count() == 0


def test_what_cannot_be_had_changes_nothing(page: Any) -> None:
    before = page.evaluate(f"() => {INSTRUMENT}.payload.id")
    pick(page, ELSEWHERE)
    page.locator(".toast-wrap").get_by_text("cannot be downloaded").wait_for()
    page.wait_for_function("() => !document.querySelector('.va-busy.va-on')")
    assert page.evaluate(f"() => {INSTRUMENT}.payload.id") == before
    shown = page.locator(".vp-pick").get_attribute("data-network")
    assert shown == page.evaluate(f"() => {INSTRUMENT}.payload.network.name")


def test_own_weights_replace_the_networks_until_one_goes_back(
    page: Any, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    pick(page, NAME)
    shows(page, NAME)
    before = page.evaluate(f"() => JSON.stringify({INSTRUMENT}.payload.prediction)")
    path = tmp_path / "mine.safetensors"
    changed = {name: tensor * 1.5 if "se." in name else tensor for name, tensor in tensors.items()}
    safetensors.torch.save_file(changed, path)
    page.set_input_files(".vp-weights", path)
    page.locator(".vp-own").get_by_text("mine.safetensors").wait_for()
    page.wait_for_function(
        f"(old) => JSON.stringify({INSTRUMENT}.payload.prediction) !== old", arg=before
    )
    page.click(".vp-own .vp-link")
    page.wait_for_function(
        f"(old) => JSON.stringify({INSTRUMENT}.payload.prediction) === old", arg=before
    )
    safetensors.torch.save_file({"surplus": torch.zeros(2)}, path)
    page.set_input_files(".vp-weights", path)
    page.locator(".toast-wrap").get_by_text("unexpected: 1 (surplus)").wait_for()
