"""What every tab of the page is given, and how its listeners answer visitors."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gradio as gr

from vizattn.texts import Refused, text
from vizattn.ui.links import choose_language
from vizattn.ui.settings import Settings
from vizattn.ui.visits import Desk

log = logging.getLogger("vizattn")

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""settings of events: the scripts themselves say what is being waited for"""


class Stop(Exception):
    """A sentence for the visitor; what is on show stays."""


@dataclass(frozen=True)
class Frame:
    """What a tab builds on.

    Args:
        blocks: the page; a tab listens to its ``load`` and ``unload``.
        header: the head of the page; its event "language" brings ``event.language``.
        desk: what answers visitors.
        settings: how the page behaves.
    """

    blocks: gr.Blocks
    header: gr.HTML
    desk: Desk
    settings: Settings

    @property
    def working(self) -> dict[str, Any]:
        """Return the settings of events for which networks run, which all stand in one queue."""
        return QUIET | {
            "concurrency_id": "analysis",
            "concurrency_limit": self.settings.concurrency,
            "trigger_mode": "multiple",
        }


def language_of(request: gr.Request, settings: Settings) -> str:
    """Return the language for a visitor who arrives."""
    query = dict(request.query_params)
    return choose_language(settings.language, query, request.headers.get("accept-language", ""))


def session_of(request: gr.Request) -> str:
    """Return the name under which a visitor's pictures are kept."""
    return str(request.session_hash)


def warn(sentence: str) -> None:
    """Show a sentence at the corner of the page; what is on show stays."""
    # Gradio takes it for HTML, and names of files or parts of links may be in it.
    gr.Warning(html.escape(sentence))


@contextmanager
def explained(language: str, raises: Callable[[str], BaseException] = Stop) -> Iterator[None]:
    """Turn whatever goes wrong inside into one sentence, and that into what is raised.

    What nobody foresaw goes to the log with its traceback.
    """
    try:
        yield
    except Refused as refused:
        raise raises(refused.sentence(language)) from None
    except Exception:
        log.exception("unexpected error")
        raise raises(text(language, "errors.unexpected")) from None
