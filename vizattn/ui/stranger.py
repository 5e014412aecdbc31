"""The page on somebody's own module: ``vizattn.explore(model)``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

# Before Gradio is imported: nothing about its use goes anywhere.
os.environ |= {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

import gradio as gr

from models.preprocessing import Preprocessing
from models.weights import Card
from models.zoo.fetching import Progress, quiet
from vizattn.foreign.stranger import Prepare, Stranger, stranger
from vizattn.networks import Library, Network
from vizattn.ui.page import build_page, launch_options
from vizattn.ui.settings import Settings


class LibraryWith(Library):
    """The library with a module that somebody brought, which comes first.

    Args:
        brought: the module as a network; the others run on the same kind of device.
    """

    def __init__(self, brought: Stranger) -> None:
        super().__init__("cuda" if brought.device.type == "cuda" else "cpu")
        self._brought = brought
        self.first = brought.name

    def cards(self) -> dict[str, Card]:
        return {self._brought.name: self._brought.card} | super().cards()

    def network(self, name: str, progress: Progress = quiet) -> Network:
        return self._brought if name == self._brought.name else super().network(name, progress)


def explore(
    model: Any,
    preprocess: Preprocessing | Prepare | None = None,
    classes: Sequence[str] | None = None,
    name: str | None = None,
    port: int | None = None,
    settings: Settings | None = None,
    **options: Any,
) -> gr.Blocks:
    """Open the page on any module, beside the bundled networks; returns the page.

    In a notebook it is shown there and goes on in a thread; in a script the call returns when the
    page is ended (Ctrl-C), unless ``prevent_thread_lock=True``.

    Args:
        model: any ``torch.nn.Module``.
        preprocess: what must happen to a picture; see ``vizattn.capture``.
        classes: names in the order of the scores; numbers by default.
        name: what it is called; its class's name by default.
        port: to listen at; the first free one from 7860 on by default.
        settings: how the page behaves.
        options: passed on to Gradio's ``launch``.
    """
    settings = settings or Settings()
    page = build_page(LibraryWith(stranger(model, preprocess, classes, name)), settings)
    page.launch(server_port=port, **launch_options(settings), **options)
    return page
