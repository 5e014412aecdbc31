"""The page, launched on a free port with bundled networks, or with small ones where these lack."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models import weights
from models.mechanism import mechanisms
from tests.networks_for_tests import small_network, write_network
from vizattn.analysis import Analysis
from vizattn.examples import examples
from vizattn.networks import Library
from vizattn.store import Store
from vizattn.ui.page import build_page, launch_options
from vizattn.ui.settings import Settings


def write_small_networks(folder: Path) -> None:
    """Write an untrained network for every task and every mechanism that can do it."""
    for task, host in weights.HOSTS.items():
        for slug in [None, *(s for s, m in mechanisms().items() if host.plug in m.plugs)]:
            write_network(small_network(task, slug), folder)


def bundled_networks_are_there() -> bool:
    """Return whether every network that an example names is bundled."""
    return {example.network for example in examples()} <= weights.cards().keys()


@contextmanager
def page_at(
    folder: Path, store: Store[Analysis] | None = None, small: bool = False, **options: Any
) -> Iterator[str]:
    """Serve the page while the block of code runs; yields its address.

    Args:
        folder: for small networks, where the bundled ones are not there.
        store: where visitors' analyses are kept.
        small: serve small networks in any case; those that ``folder`` has already, if any.
        options: of ``Settings``.
    """
    before = os.environ.get("VIZATTN_WEIGHTS")
    if small or not bundled_networks_are_there():
        if not any(folder.glob("*.json")):
            write_small_networks(folder)
        os.environ["VIZATTN_WEIGHTS"] = str(folder)
    settings = Settings(**options)
    page = build_page(Library("cpu"), settings, store)
    try:
        _, address, _ = page.launch(
            server_name="127.0.0.1",
            server_port=free_port(),
            quiet=True,
            prevent_thread_lock=True,
            **launch_options(settings),
        )
        yield address
    finally:
        page.close(verbose=False)
        if before is None:
            os.environ.pop("VIZATTN_WEIGHTS", None)
        else:
            os.environ["VIZATTN_WEIGHTS"] = before


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
