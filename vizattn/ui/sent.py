"""What calls from programs have in common: files that they send, and how they are refused."""

from __future__ import annotations

from typing import Any

import gradio as gr


class Sent(gr.File):
    """A file that somebody sent, by its path.

    Gradio's own component makes an empty file beside each that it hands over, and forgets it.
    """

    is_template = True

    def preprocess(self, payload: Any) -> str | None:
        """Return the path of the sent file."""
        return None if payload is None else str(payload.path)


def refusal(sentence: str) -> gr.Error:
    """Return the error that tells a program why it gets no answer."""
    return gr.Error(sentence, print_exception=False)
