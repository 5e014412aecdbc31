"""Weights that visitors wait for: fetched once for all of them, with how far it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from gradio.events import Dependency

from vizattn.networks import Library
from vizattn.texts import text
from vizattn.ui import canvas
from vizattn.ui.frame import QUIET, Frame, Stop, explained, warn
from vizattn.ui.parts import choices_value
from vizattn.ui.visits import Visit

EVERY = 0.4
"""seconds between two words on how far a download is"""
_AT_A_TIME = 4
"""downloads that are followed at a time; further visitors wait"""


class Download:
    """One file on its way; ``done`` of ``total`` bytes are here."""

    def __init__(self, fetch: Callable[[Callable[[int, int], None]], None]) -> None:
        self.done, self.total = 0, 0
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(fetch,), daemon=True)
        self._thread.start()

    def _run(self, fetch: Callable[[Callable[[int, int], None]], None]) -> None:
        try:
            fetch(self._heard)
        except Exception as error:
            self.error = error

    def _heard(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    @property
    def running(self) -> bool:
        """Return whether it still goes on."""
        return self._thread.is_alive()


class Downloads:
    """All downloads of a page, each shared by everybody who waits for it."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._running: dict[str, Download] = {}
        self._lock = threading.Lock()

    def follow(self, name: str) -> Iterator[Download]:
        """Fetch a network's weights and yield the download again and again until it has ended.

        Raises:
            Refused: if the weights cannot be had.
        """
        with self._lock:
            download = self._running.get(name)
            if download is None or not download.running:
                download = Download(lambda heard: self._library.fetch(name, heard))
                self._running[name] = download
        while download.running:
            yield download
            time.sleep(EVERY)
        if download.error is not None:
            raise download.error


def listen(choices: gr.HTML, instrument: gr.HTML, frame: Frame, visit: gr.State) -> Dependency:
    """Let the choices ask for weights; they hear when these are here, and choose the network."""
    downloads = Downloads(frame.desk.library)

    def fetch(visit: Visit, event: gr.EventData) -> Iterator[list[Any]]:
        language, name = visit.language, str(event.network)
        try:
            with explained(language):
                title = frame.desk.check_download(name)
                for download in downloads.follow(name):
                    yield [gr.skip(), canvas.waiting(_words(language, title, download), language)]
        except Stop as stop:
            warn(str(stop))
        yield [choices_value(frame.desk, visit, frame.settings), canvas.waiting(None, language)]

    asked: Dependency = choices.download(
        fetch,
        visit,
        [choices, instrument],
        concurrency_id="downloads",
        concurrency_limit=_AT_A_TIME,
        trigger_mode="multiple",
        **QUIET,
    )
    return asked


def _words(language: str, title: str, download: Download) -> str:
    done, total = download.done / 1e6, download.total / 1e6
    share = f"{download.done / download.total:.0%}" if download.total else "0%"
    return text(
        language,
        "zoo.downloading",
        name=title,
        done=f"{done:.0f}",
        total=f"{total:.0f}" if total else "…",
        share=share,
    )
