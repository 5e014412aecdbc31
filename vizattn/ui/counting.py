"""The named call that counts people for programs: /count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from vizattn.crowd.analysis import CrowdAnalysis, counter, counters, look_at
from vizattn.crowd.facts import summary
from vizattn.crowd.maps import density_overlay
from vizattn.crowd.pair import read_pair
from vizattn.ui.frame import Frame, explained, language_of
from vizattn.ui.sent import Sent, refusal
from vizattn.ui.uploads import place_for, uploaded
from vizattn.ui.visits import WORKING_PIXELS

Json = dict[str, Any]


def build(frame: Frame, **working: Any) -> None:
    """Add the call to the page, without anything that can be seen.

    Args:
        frame: what it builds on.
        working: how its listener waits for others that compute.
    """
    names = counters(frame.desk.library)
    rgb, thermal = Sent(label="RGB picture file"), Sent(label="Thermal picture file")
    network = gr.Textbox(names[0] if names else "", label="Name of a bundled counter")
    facts, drawn = gr.JSON(label="What was counted"), gr.File(label="Density overlay (PNG)")
    asked = gr.Button("count")
    call = _Count(frame)
    asked.click(call.count, [rgb, thermal, network], [facts, drawn], api_name="count", **working)


class _Count:
    """The call; its docstring is what programs read."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def count(
        self,
        request: gr.Request,
        rgb: str | None = None,
        thermal: str | None = None,
        network: str = "",
    ) -> tuple[Json, str]:
        """Count the people in an RGB picture, a thermal one or both, which cover the same view.

        The answer has the "count", which "senses" were used and what "points" are counted (heads or
        bodies), people in 4 x 4 "regions", the "trusts" in each sense at each stage, and every
        site with its checks; the file is a PNG of the density over the picture.
        """
        language = language_of(request, self.frame.settings)
        with explained(language, refusal):
            chosen = counter(network, self.frame.desk.library)
            seen, felt = (None if sent is None else uploaded(sent) for sent in (rgb, thermal))
            pair = read_pair(seen, felt, working_pixels=WORKING_PIXELS)
            analysis = look_at(pair, chosen)
            return summary(analysis, language=language), str(_overlay(analysis))


def _overlay(analysis: CrowdAnalysis) -> Path:
    path = place_for(f"{analysis.network.name}-density.png")
    density_overlay(analysis).save(path)
    return path
