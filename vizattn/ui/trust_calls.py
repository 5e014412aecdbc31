"""The named call that puts a map on trial for programs: /trust."""

from __future__ import annotations

from typing import Any

import gradio as gr

from vizattn.analysis import look
from vizattn.cam.making import with_class_map
from vizattn.intake import read_picture
from vizattn.trials.trying import SEEDS, Effort, trust
from vizattn.ui.frame import Frame, explained, language_of, session_of
from vizattn.ui.sent import Sent, refusal
from vizattn.ui.uploads import NotUploaded, uploaded
from vizattn.ui.visits import WORKING_PIXELS

Json = dict[str, Any]
MOST_SEEDS = 10


def build(frame: Frame, network: str) -> None:
    """Add the call to the page, without anything that can be seen.

    Args:
        frame: what it builds on.
        network: the name that stands there at first.
    """
    image = Sent(label="Picture file")
    name = gr.Textbox(network, label="Name of a network")
    site = gr.Textbox("", label="Path of the attention; empty: the class map, or the first rows")
    x = gr.Number(None, label="Pixels from the left of the upright picture; none: the middle")
    y = gr.Number(None, label="Pixels from the top of the upright picture; none: the middle")
    method = gr.Textbox("", label="Method of a class map; empty: none")
    target = gr.Textbox("", label="Its class, by name or number; empty: the predicted one")
    seeds = gr.Number(SEEDS, precision=0, label=f"Seeds of each test, 1 to {MOST_SEEDS}")
    known = gr.Textbox("", label="Id that /analyze returned, in the place of a picture")
    facts, asked = gr.JSON(label="What the map is worth"), gr.Button("trust")
    # Trials take long: they wait for each other, and pictures do not wait for them.
    asked.click(
        _Call(frame).trust,
        [image, name, site, x, y, method, target, seeds, known],
        facts,
        api_name="trust",
        concurrency_id="trust",
        concurrency_limit=1,
    )


class _Call:
    """The call; its docstring is what programs read."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def trust(
        self,
        request: gr.Request,
        image: str | None = None,
        network: str = "",
        site: str = "",
        x: float | None = None,
        y: float | None = None,
        method: str = "",
        target: str = "",
        seeds: int = SEEDS,
        analysis: str = "",
    ) -> Json:
        """Put a map on trial against a random map, a centre blob and an edge detector.

        The answer has the "verdict", "words" in both languages, the "tests" (deletion, insertion,
        ROAD, average drop) with the scores and curves of every seed, and the "randomisation".
        """
        with explained(language_of(request, self.frame.settings), refusal):
            seen = self._open(request, image, network, analysis)
            if method:
                seen = with_class_map(seen, method, target or None)
                site = site or seen.sites[-1].site
            at = None if x is None or y is None else (float(x), float(y))
            effort = Effort(min(max(int(seeds), 1), MOST_SEEDS))
            return trust(seen, site or None, at, effort=effort).facts()

    def _open(self, request: gr.Request, image: str | None, network: str, known: str) -> Any:
        desk = self.frame.desk
        if known:
            return desk.store.find(session_of(request), known)
        if image is None:
            raise NotUploaded("explore.no_picture")
        picture = read_picture(uploaded(image), working_pixels=WORKING_PIXELS)
        return look(picture, desk.library.network(network))
