"""The page, launched on a free port with bundled networks, or with small ones where these lack.

And a browser to look at it with.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from models import weights
from models.mechanism import mechanisms
from tests.networks_for_tests import bundling, write_networks
from vizattn.analysis import Analysis
from vizattn.examples import examples
from vizattn.networks import Library
from vizattn.store import Store
from vizattn.ui.page import build_page, launch_options
from vizattn.ui.settings import Settings

PATIENCE = 60_000
"""milliseconds: for machines that do other things at the same time"""
VISITOR: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB"}


def write_small_networks(folder: Path) -> None:
    """Write an untrained network for every task and every mechanism that can do it."""
    for task, host in weights.HOSTS.items():
        fitting = (slug for slug, each in mechanisms().items() if host.plug in each.plugs)
        write_networks(folder, (task, None), *((task, slug) for slug in fitting))


def bundled_networks_are_there() -> bool:
    """Return whether every network that an example names is bundled."""
    return {example.network for example in examples()} <= weights.cards().keys()


@contextmanager
def networks_at(folder: Path, small: bool = False) -> Iterator[None]:
    """Have the bundled networks while the block of code runs, or small ones where these lack.

    Args:
        folder: for small ones; what it has already, if anything, is what there is.
        small: small ones in any case.
    """
    if not small and bundled_networks_are_there():
        yield
        return
    if not any(folder.glob("*.json")):
        write_small_networks(folder)
    with bundling(folder):
        yield


@contextmanager
def page_at(
    folder: Path, store: Store[Analysis] | None = None, small: bool = False, **options: Any
) -> Iterator[str]:
    """Serve the page while the block of code runs; yields its address.

    Args:
        folder: for small networks, see ``networks_at``.
        store: where visitors' analyses are kept.
        small: serve small networks in any case.
        options: of ``Settings``.
    """
    settings = Settings(**options)
    with networks_at(folder, small), ExitStack() as stack:
        page = build_page(Library("cpu"), settings, store)
        stack.callback(page.close, verbose=False)
        _, address, _ = page.launch(
            server_name="127.0.0.1",
            server_port=free_port(),
            quiet=True,
            prevent_thread_lock=True,
            **launch_options(settings),
        )
        yield address


@contextmanager
def running(chromium: str) -> Iterator[Any]:
    """Run a browser while the block of code does; without Playwright the test is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        yield browser
        browser.close()


def enter(
    browser: Any, address: str = "", problems: list[str] | None = None, **options: Any
) -> Any:
    """Return a page of a new visitor, whose own errors are told to ``problems``.

    Args:
        browser: what ``running`` yields.
        address: what it opens, if anything.
        problems: a list that several pages share; by default the page's own, ``page.problems``.
        options: of the visitor's browser: "viewport", "locale", "color_scheme", ...
    """
    page = browser.new_context(**VISITOR | options).new_page()
    page.set_default_timeout(PATIENCE)
    page.problems = [] if problems is None else problems
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    if address:
        page.goto(address)
    return page


@contextmanager
def visiting(browser: Any, address: str = "", **options: Any) -> Iterator[Any]:
    """Open a page, as ``enter`` does, while the block of code runs."""
    page = enter(browser, address, **options)
    yield page
    page.context.close()


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
