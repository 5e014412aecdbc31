"""The whole page: its head, and one tab after another."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gradio as gr

from vizattn.analysis import Analysis
from vizattn.networks import Library
from vizattn.store import Store
from vizattn.texts import DEFAULT_LANGUAGE, text
from vizattn.ui import endpoints, explore, links
from vizattn.ui.compare import tab as compare
from vizattn.ui.costs import tab as costs
from vizattn.ui.crowd import tab as crowd
from vizattn.ui.explore import KEEP_ADDRESS
from vizattn.ui.frame import QUIET, Frame, language_of, session_of
from vizattn.ui.parts import header_value, part
from vizattn.ui.settings import VISITORS, Settings
from vizattn.ui.theme import look
from vizattn.ui.turning_away import handlers
from vizattn.ui.uploads import leave, tidied
from vizattn.ui.visits import Desk


@dataclass(frozen=True)
class Tab:
    """One tab of the page.

    Args:
        name: what the address calls it.
        title: key of its title in the catalogue.
        build: adds its components and listeners to the page.
        offered: whether there is a network that the tab can use.
    """

    name: str
    title: str
    build: Callable[[Frame], None]
    offered: Callable[[Library], bool] = lambda library: True


TABS: tuple[Tab, ...] = (
    Tab(links.TAB, "explore.tab", explore.build),
    Tab("compare", "compare.tab", compare.build, compare.offered),
    Tab("crowd", "crowd_page.tab", crowd.build, crowd.offered),
    Tab("costs", "costs.tab", costs.build, costs.offered),
)
"""in the order in which they stand; a new tab is a builder and a line here"""
_AT_ONCE = QUIET | {"queue": False}
_PATIENCE = 0.05


def build_page(
    library: Library,
    settings: Settings | None = None,
    store: Store[Analysis] | None = None,
    ahead: bool = False,
) -> gr.Blocks:
    """Return the page, ready to be launched with ``launch_options``.

    Args:
        library: the networks that it offers.
        settings: how it behaves.
        store: where visitors' analyses are kept; one of its own by default.
        ahead: look at the first example as soon as the page runs, before anybody asks.
    """
    settings = settings or Settings()
    if store is None:
        store = Store(total=VISITORS, seconds=60 * settings.session_minutes)
    with gr.Blocks(
        title=text(DEFAULT_LANGUAGE, "explore.title"),
        analytics_enabled=False,
        fill_width=True,
    ) as blocks:
        desk = Desk(library, store, settings)
        frame = Frame(blocks, part("header", "header"), desk, settings)
        tabs = _add_tabs(frame)
        _speak(frame, tabs)
        endpoints.build(frame)
        blocks.unload(_leave)
    if ahead:
        _begin_looking_ahead(blocks, desk)
    blocks.queue(max_size=settings.queue_size, default_concurrency_limit=settings.concurrency)
    return blocks


def _leave(request: gr.Request) -> None:
    """Let a visitor's files go; the tabs forget what they keep."""
    leave(session_of(request))


def _begin_looking_ahead(blocks: gr.Blocks, desk: Desk) -> None:
    """Make the first visitor's first look, but not before the page answers."""
    ended = threading.Event()

    def wait_and_look() -> None:
        while not blocks.is_running:
            if ended.wait(_PATIENCE):
                return
        with suppress(Exception):
            # Whoever comes is told what is wrong.
            desk.look_ahead()

    looking = threading.Thread(target=wait_and_look, daemon=True)
    looking.start()

    def finish() -> None:
        ended.set()
        # A program that ends in the middle of a network's work is said to have crashed.
        looking.join()

    atexit.register(finish)


def launch_options(settings: Settings) -> dict[str, Any]:
    """Return what ``gr.Blocks.launch`` must be given beside host and port."""
    return look() | {
        "max_file_size": settings.max_file_mb * 1024**2,
        "state_session_capacity": VISITORS,
        "show_error": False,
        "ssr_mode": False,
        "pwa": False,
        "enable_monitoring": False,
        "app_kwargs": {"exception_handlers": handlers(settings), "lifespan": tidied},
    }


def _add_tabs(frame: Frame) -> dict[Tab, gr.Tab]:
    """Build every tab that is offered; a single one has no strip of titles above it."""
    offered = [tab for tab in TABS if tab.offered(frame.desk.library)]
    if len(offered) == 1:
        offered[0].build(frame)
        return {}
    titles = {}
    with gr.Tabs(elem_id="vp-tabs") as strip:
        for tab in offered:
            with gr.Tab(text(DEFAULT_LANGUAGE, tab.title), id=tab.name) as title:
                tab.build(frame)
            title.select(None, js=KEEP_ADDRESS, **_AT_ONCE)
            titles[tab] = title

    def open_linked(request: gr.Request) -> gr.Tabs:
        """Open the tab that the address names; the first one where it names none of these."""
        named = dict(request.query_params).get("tab")
        chosen = next((tab.name for tab in offered if tab.name == named), offered[0].name)
        return gr.Tabs(selected=chosen)

    frame.blocks.load(open_linked, outputs=strip, **_AT_ONCE)
    return titles


def _speak(frame: Frame, tabs: dict[Tab, gr.Tab]) -> None:
    """Put the head of the page and the tabs' titles into the visitor's language."""
    titles = list(tabs.values())

    def words(language: str) -> list[Any]:
        updates = [gr.update(label=text(language, tab.title)) for tab in tabs]
        return [header_value(language, frame.desk, frame.settings), *updates]

    def arrive(request: gr.Request) -> list[Any]:
        return words(language_of(request, frame.settings))

    def switch(event: gr.EventData) -> list[Any]:
        return words(str(event.language))

    frame.blocks.load(arrive, outputs=[frame.header, *titles], **_AT_ONCE)
    frame.header.language(switch, outputs=[frame.header, *titles], **_AT_ONCE)
