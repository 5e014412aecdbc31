"""What a mounted script is told: small messages, which are its component's value, and files.

What Gradio (6.31) makes of values, found by trying:

- It writes a component's whole value as JSON several times for each event that touches it (the
  mere fading of a pending output is one), and 4 MB of value held the page for 1 to 3 s each time.
  Hence whatever is large travels as a file of Gradio's cache that the script fetches.
- Equal values in succession are not told, so every message carries a serial number. When several
  values come at once only the last is told; hence each message is complete in itself, and names
  its language.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr
from gradio.data_classes import FileData

from vizattn.texts import DEFAULT_LANGUAGE, LANGUAGES
from vizattn.ui.frame import Stop, explained, warn
from vizattn.ui.uploads import place_for

Json = dict[str, Any]
Value: TypeAlias = dict[str, Any]
"""what a component is given: made by the functions below, opaque to everyone else"""

_SERIAL = itertools.count(1)
_FILE = {"_type": "gradio.FileData"}
"""what makes Gradio give a file an address"""


def message(language: str, **parts: Any) -> Value:
    """Return one value for a component; a part that is None has a meaning of its own.

    Raises:
        ValueError: if the language is unknown.
    """
    if language not in LANGUAGES:
        raise ValueError(f"expected a language of {LANGUAGES}, received {language!r}")
    return {"serial": next(_SERIAL), "language": language} | parts


def answered(event: gr.EventData, answer: Callable[[Json], Json]) -> Value:
    """Return the message that answers a script's question; one that is refused is answered too.

    A script asks one question at a time; the answer's "turn" is the question's, and "ok" whether
    there are parts.

    Args:
        event: its data are the question.
        answer: returns the answer's parts; none where nobody waits for them any more.
    """
    question = dict(event._data or {})
    parts: Json = {}
    try:
        with explained(language_asked(question)):
            parts = answer(question)
    except Stop as stop:
        warn(str(stop))
    return message(DEFAULT_LANGUAGE, turn=question.get("turn"), ok=bool(parts), **parts)


def language_asked(question: Json) -> str:
    """Return the language that a question comes in."""
    language = question.get("language")
    return language if language in LANGUAGES else DEFAULT_LANGUAGE


def filed(content: bytes | Mapping[str, Any], name: str) -> Value:
    """Write a file, or facts as JSON, where Gradio serves it; it adds the address as ``url``."""
    if not isinstance(content, bytes):
        content = json.dumps(content, ensure_ascii=False).encode()
    path = place_for(name)
    path.write_bytes(content)
    return dict(FileData(path=str(path)).model_dump())


def delivered(path: Path) -> Value:
    """Return a file that Gradio serves, to be saved under its own name."""
    return {"path": str(path), "orig_name": path.name, "meta": _FILE}
