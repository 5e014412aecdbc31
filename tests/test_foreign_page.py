"""The page on somebody's own module, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import vizattn
from models.preprocessing import Preprocessing
from tests.foreign_networks import DIM, HEADS
from tests.networks_for_tests import scene
from tests.served import free_port, visiting
from vizattn.analysis import look
from vizattn.foreign.stranger import stranger
from vizattn.intake import Note
from vizattn.store import Store
from vizattn.ui.evidence import evidence
from vizattn.ui.links import Link
from vizattn.ui.looks import BadGrid, Once
from vizattn.ui.payload import payload
from vizattn.ui.stranger import LibraryWith
from vizattn.ui.visits import Desk

pytestmark = pytest.mark.browser
PATIENCE = 180_000
"""milliseconds: for machines that do other things at the same time"""
INSTRUMENT = "document.querySelector('.va-mount')?.parentElement?.vizattn"


class Blurred(nn.Module):
    """Attention between tokens that were mixed before, so that none has a place of its own."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.mix = nn.Linear(tokens, tokens)

    def forward(self, tokens: Tensor) -> Tensor:
        mixed = self.mix(tokens.transpose(1, 2)).transpose(1, 2)
        return (mixed @ mixed.transpose(1, 2) / DIM**0.5).softmax(-1) @ mixed


class Memory(nn.Module):
    """Attention to the largest of each number, which stand in no order that could be followed."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, tokens: Tensor) -> Tensor:
        largest = torch.sort(tokens, dim=1).values[:, -self.count :]
        return (tokens @ largest.transpose(1, 2)).softmax(-1) @ largest


class Mixture(nn.Module):
    """A gate, attention with a token of its own and with a bias, a memory and blurred tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, DIM, 16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, DIM))
        self.qkv = nn.Linear(DIM, 3 * DIM)
        self.blurred = Blurred(48)
        self.memory = Memory(7)
        self.head = nn.Linear(DIM, 3)

    def attend(self, tokens: Tensor, bias: Tensor | None) -> Tensor:
        parts = self.qkv(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(*parts.unbind(0), attn_mask=bias)
        return tokens + out.transpose(1, 2).flatten(2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        x = x * x.mean((2, 3), keepdim=True).sigmoid()
        tokens = x.flatten(2).transpose(1, 2)
        aside = self.blurred(tokens) + self.memory(tokens)
        tokens = torch.cat([self.token, tokens], dim=1)
        tokens = self.attend(self.attend(tokens, None)[:, 1:], self._bias(x))
        return self.head((tokens + aside).mean(dim=1))

    def _bias(self, x: Tensor) -> Tensor:
        count = x.shape[2] * x.shape[3]
        return torch.linspace(-1, 1, count * count).view(count, count)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    torch.manual_seed(0)
    page = vizattn.explore(
        Mixture(),
        Preprocessing((96, 128), "inside"),
        ("cat", "dog", "bird"),
        name="mixture",
        port=free_port(),
        prevent_thread_lock=True,
        quiet=True,
        server_name="127.0.0.1",
    )
    yield page.local_url
    page.close(verbose=False)


@pytest.fixture(scope="module")
def page(address: str, browser: Any) -> Iterator[Any]:
    with visiting(browser, address) as opened:
        opened.set_default_timeout(PATIENCE)
        opened.wait_for_function(f"() => {INSTRUMENT}?.payload && location.search")
        yield opened
        assert opened.problems == []


def test_the_page_opens_on_the_module(page: Any) -> None:
    payload = page.evaluate(f"() => {INSTRUMENT}.payload")
    words = page.inner_text("body")
    assert payload["network"]["name"] == "mixture"
    assert [site["view"] for site in payload["sites"]] == ["channels", "rows", "rows"]
    assert all(check["passed"] for site in payload["sites"] for check in site["checks"])
    assert "mixture" in words
    assert any(name in words for name in ("cat", "dog", "bird"))


def test_what_was_not_captured_is_listed_with_its_reason(page: Any) -> None:
    listed = page.locator(".va-missed")
    assert listed.locator("summary").inner_text() == "Not captured: 2"
    listed.locator("summary").click()
    words = listed.inner_text()
    assert "memory" in words and "keys do not come from places" in words
    assert "blurred" in words and "neither its queries nor its keys" in words
    assert listed.locator(".va-grid-form").count() == 2


def test_a_grid_is_shown_with_its_evidence_and_set_by_hand(page: Any) -> None:
    show(page, "Mixture#3")
    facts = page.locator(".va-site")
    assert "48 tokens lie on 6 × 8 cells: followed from a map" in facts.inner_text()
    facts.locator(".va-by-hand summary").click()
    set_grid(facts, 7, 8)
    assert "but only 48 tokens" in facts.inner_text()
    assert facts.get_by_role("button", name="Set").is_disabled()
    set_grid(facts, 4, 12)
    facts.get_by_role("button", name="Set").click()
    facts.get_by_text("Set by hand: 48 tokens lie on 4 × 12 cells").wait_for()
    shown = page.evaluate(f"() => [{INSTRUMENT}.state.site, {INSTRUMENT}.site.site.key_grid]")
    assert shown[0] == "Mixture#3" and (shown[1]["rows"], shown[1]["columns"]) == (4, 12)
    facts.get_by_role("button", name="As found").click()
    facts.get_by_text("followed from a map").wait_for()
    assert page.evaluate(f"() => {INSTRUMENT}.site.site.key_grid.rows") == 6


def set_grid(facts: Any, rows: int, columns: int) -> None:
    facts.locator("[data-grid=rows]").fill(str(rows))
    facts.locator("[data-grid=columns]").fill(str(columns))


def test_a_class_map_stands_in_a_row_of_its_own(page: Any) -> None:
    assert page.locator(".va-family-title").count() == 0
    page.locator(".vt-group .va-button").first.click()
    page.locator(".va-family-title").get_by_text("Class maps").wait_for()
    assert page.locator(".va-family").last.locator(".va-tile").count() == 1
    # It outlives another grid.
    show(page, "Mixture#3")
    facts = page.locator(".va-site")
    facts.locator(".va-by-hand summary").click()
    set_grid(facts, 8, 6)
    facts.get_by_role("button", name="Set").click()
    page.wait_for_function(f"() => {INSTRUMENT}.site.site.evidence?.by_hand")
    assert page.locator(".va-family").last.locator(".va-tile").count() == 1


def show(page: Any, site: str) -> None:
    page.evaluate(f"(site) => {INSTRUMENT}.select({{ site }})", site)
    page.wait_for_function(f"(site) => {INSTRUMENT}.state.site === site", arg=site)
    page.wait_for_function(f"(site) => {INSTRUMENT}.desk.shown?.site.path === site", arg=site)


def test_the_panels_stand_under_the_picture(page: Any) -> None:
    boxes = [page.locator(each).bounding_box() for each in (".va-middle", ".vs", ".vt")]
    middle, change, trust = boxes
    for panel in (change, trust):
        assert middle["x"] <= panel["x"]
        assert panel["x"] + panel["width"] <= middle["x"] + middle["width"] + 1
    assert change["y"] + change["height"] <= trust["y"] + 1
    page.set_viewport_size({"width": 390, "height": 844})
    facts, change = (page.locator(each).bounding_box() for each in (".va-facts", ".vs"))
    assert facts["y"] + facts["height"] <= change["y"]
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390


@pytest.fixture(scope="module")
def desk() -> Desk:
    torch.manual_seed(0)
    module = stranger(Mixture(), Preprocessing((96, 128), "inside"), name="mixture")
    return Desk(LibraryWith(module), Store())


@pytest.mark.parametrize(
    "asked",
    [
        None,
        {"sites": "blurred"},
        {"sites": ["blurred"], "rows": "4", "columns": 12},
        {"sites": ["blurred"], "rows": 0, "columns": 12},
        {"sites": ["blurred"], "rows": 10**6, "columns": 10**6},
        {"sites": ["Mixture#3"], "rows": 7, "columns": 8},
        {"sites": ["nowhere"], "rows": 4, "columns": 12},
    ],
)
def test_a_grid_that_does_not_fit_is_refused(desk: Desk, asked: object) -> None:
    view = desk.arrive("ann", desk.invite("en", Link()), Link())
    with pytest.raises(BadGrid):
        desk.set_grid("ann", view.visit, asked, view.selection)
    assert desk.current("ann", view.visit) is view.analysis


def test_a_grid_by_hand_lasts_until_another_picture(desk: Desk, tmp_path: Path) -> None:
    view = desk.arrive("ann", desk.invite("en", Link()), Link())
    asked = {"sites": ["memory"], "rows": 1, "columns": 7}
    by_hand = desk.set_grid("ann", view.visit, asked, view.selection)
    assert by_hand.analysis["memory"].shape == (1, 48, 7)
    shown = evidence(by_hand.analysis, "memory", by_hand.visit.grids)
    assert shown is not None and shown["by_hand"] and not shown["weak"]
    # What was only concluded is marked; what a person has set is not.
    assumed = Note("foreign.evidence.assumed", by_hand.analysis.evidence["memory"].values)
    doubtful = replace(by_hand.analysis, evidence={"memory": assumed})
    known = evidence(doubtful, "memory", {})
    assert known is not None and known["weak"] and known["tokens"] == 7
    # Also where the analysis itself was forgotten meanwhile.
    desk.store.drop("ann")
    assert "memory" in {each.site for each in desk.current("ann", by_hand.visit).sites}
    picture = tmp_path / "mine.png"
    scene(128, 96).save(picture)
    other = desk.open_picture("ann", by_hand.visit, picture, {})
    assert other.visit.grids == {} and "memory" in {each.path for each in other.analysis.missed}


def test_without_attention_a_class_map_is_shown_and_said_to_be_one() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(3, 8, 5, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)
    )
    desk = Desk(LibraryWith(stranger(plain, Preprocessing((96, 128), "inside"))), Store())
    view = desk.arrive("ann", desk.invite("en", Link()), Link())
    sent = payload(view.analysis, view.selection)
    assert [site["view"] for site in sent["sites"]] == ["class_map"]
    assert "Nothing in Sequential is attention" in sent["notice"]["en"]
    module = stranger(Mixture(), Preprocessing((96, 128), "inside"))
    assert payload(look(scene(128, 96), module), {})["notice"] is None


def test_what_is_asked_twice_is_made_once() -> None:
    made: list[str] = []

    def make(name: str) -> Any:
        made.append(name)
        if name == "wrong":
            raise ZeroDivisionError
        return name

    once = Once(make, 2)
    assert [once("one"), once("one"), once("two"), once("one"), once("three")][-1] == "three"
    assert made == ["one", "two", "three"]
    assert (once("one"), once("two")) == ("one", "two")
    assert made == ["one", "two", "three", "two"]
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            once("wrong")
    assert made[-2:] == ["wrong", "wrong"]


def test_the_browser_is_sent_the_same_rows() -> None:
    torch.manual_seed(0)
    seen = vizattn.capture(Mixture(), torch.randn(1, 3, 96, 128))
    biased = seen.sites[2]
    form = biased.rows.form()
    rows = biased.rows.some(range(biased.rows.queries))
    placed = np.zeros_like(rows)
    for query in range(rows.shape[1]):
        keys = form.keys[0, query]
        np.add.at(
            placed[:, query], (slice(None), keys[keys >= 0]), form.weights[:, query, keys >= 0]
        )
    np.testing.assert_allclose(placed, rows, atol=1e-6)
