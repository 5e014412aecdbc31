"""The page on somebody's own module, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import vizattn
from models.preprocessing import Preprocessing
from tests.foreign_networks import DIM, HEADS
from tests.served import free_port

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = pytest.mark.browser
INSTRUMENT = "document.querySelector('.va-mount')?.parentElement?.vizattn"


class Mixture(nn.Module):
    """A gate of channels, attention with a token of its own, and attention with a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, DIM, 16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, DIM))
        self.qkv = nn.Linear(DIM, 3 * DIM)
        self.head = nn.Linear(DIM, 3)

    def attend(self, tokens: Tensor, bias: Tensor | None) -> Tensor:
        parts = self.qkv(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(*parts.unbind(0), attn_mask=bias)
        return tokens + out.transpose(1, 2).flatten(2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        x = x * x.mean((2, 3), keepdim=True).sigmoid()
        tokens = torch.cat([self.token, x.flatten(2).transpose(1, 2)], dim=1)
        tokens = self.attend(self.attend(tokens, None)[:, 1:], self._bias(x))
        return self.head(tokens.mean(dim=1))

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


def test_the_page_opens_on_the_module(address: str, chromium: str) -> None:
    problems: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page: Any = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-GB")
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.set_default_timeout(60_000)
        page.goto(address)
        page.wait_for_function(f"() => {INSTRUMENT}?.payload && location.search")
        payload = page.evaluate(f"() => {INSTRUMENT}.payload")
        words = page.inner_text("body")
        browser.close()
    assert problems == []
    assert payload["network"]["name"] == "mixture"
    assert [site["view"] for site in payload["sites"]] == ["channels", "rows", "rows"]
    assert all(check["passed"] for site in payload["sites"] for check in site["checks"])
    assert "mixture" in words
    assert any(name in words for name in ("cat", "dog", "bird"))


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
