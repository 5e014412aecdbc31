"""The interface for programs: named calls, each usable alone through ``gradio_client``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from vizattn.analysis import Analysis, look
from vizattn.attention import PlaceAffinity
from vizattn.facts import summary
from vizattn.intake import read_picture
from vizattn.render import overlay
from vizattn.texts import DEFAULT_LANGUAGE
from vizattn.ui import counting, trust_calls
from vizattn.ui.frame import Frame, explained, language_of, session_of
from vizattn.ui.links import Link
from vizattn.ui.sent import Sent, refusal
from vizattn.ui.uploads import NotUploaded, place_for, uploaded
from vizattn.ui.visits import WORKING_PIXELS
from vizattn.views import Heat, Selection, place_row, resolve, view

Json = dict[str, Any]


def build(frame: Frame) -> None:
    """Add the calls to the page, without anything that can be seen."""
    calls = _Calls(frame)
    first = frame.desk.invite(DEFAULT_LANGUAGE, Link()).network
    working: dict[str, Any] = {
        "concurrency_id": "analysis",
        "concurrency_limit": frame.settings.concurrency,
    }
    with gr.Column(visible=False) as unseen:
        image = Sent(label="Picture file")
        network = gr.Textbox(first, label="Name of a network that is here")
        site = gr.Textbox("", label="Path of the attention; empty: the first with rows")
        head = gr.Number(None, precision=0, label="Head, from 0; none: the mean over heads")
        x = gr.Number(None, label="Pixels from the left of the upright picture; none: the middle")
        y = gr.Number(None, label="Pixels from the top of the upright picture; none: the middle")
        known = gr.Textbox("", label="Id that /analyze returned, in the place of a picture")
        facts, drawn = gr.JSON(label="What was found"), gr.File(label="Overlay (PNG)")
        analyze, attend = gr.Button("analyze"), gr.Button("attend")
        counting.build(frame, **working)
        trust_calls.build(frame, first)
    _leave_out(unseen)
    analyze.click(calls.analyze, [image, network], facts, api_name="analyze", **working)
    attend.click(
        calls.attend,
        [image, network, site, head, x, y, known],
        [facts, drawn],
        api_name="attend",
        **working,
    )


def _leave_out(unseen: gr.blocks.BlockContext) -> None:
    """Hide every component by itself: a browser fetches the code of all whose parent alone is."""
    for each in unseen.children:
        each.visible = False
        if isinstance(each, gr.blocks.BlockContext):
            _leave_out(each)


class _Calls:
    """The calls; their docstrings are what programs read."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.desk = frame.desk

    def analyze(self, request: gr.Request, image: str, network: str) -> Json:
        """Run a network on a picture and return what it answered, all its attention, and checks.

        The answer's "id" stands for the picture and the network in further calls of /attend by
        the same client, for a while.
        """
        with explained(self._language(request), refusal):
            analysis = self._open(request, image, network, "")
            facts = summary(analysis, language=self._language(request))
            return {"id": analysis.id} | facts

    def attend(
        self,
        request: gr.Request,
        image: str | None = None,
        network: str = "",
        site: str = "",
        head: int | None = None,
        x: float | None = None,
        y: float | None = None,
        analysis: str = "",
    ) -> tuple[Json, str]:
        """Return how much one place of a picture takes from every other place, and a PNG of it.

        The answer's "row" has a line of numbers for each line of cells; "grid" says where the
        cells are in the network's input, "framing" where the picture is in there.
        """
        with explained(self._language(request), refusal):
            seen = self._open(request, image, network, analysis)
            at = None if x is None or y is None else (float(x), float(y))
            chosen = resolve(seen, Selection(site or None, head, at))
            facts = _row(seen, chosen)
            return facts, str(_overlay(seen, chosen))

    def _open(self, request: gr.Request, image: str | None, network: str, known: str) -> Analysis:
        session = session_of(request)
        if known:
            return self.desk.store.find(session, known)
        if image is None:
            raise NotUploaded("explore.no_picture")
        picture = read_picture(uploaded(image), working_pixels=WORKING_PIXELS)
        analysis = look(picture, self.desk.network(network))
        self.desk.store.keep(session, analysis)
        return analysis

    def _language(self, request: gr.Request) -> str:
        return language_of(request, self.frame.settings)


def _row(seen: Analysis, chosen: Selection) -> Json:
    """Return the numbers of one row; raises OutsidePicture where the attention has no rows."""
    query = seen.query_at(chosen.at or (0.0, 0.0), chosen.site)
    captured = seen.site(chosen.site)
    if not isinstance(captured, PlaceAffinity):
        raise ValueError(f"expected attention between places, received {captured.kind}")
    row, grid = place_row(captured, seen, chosen), captured.key_grid
    return {
        "id": seen.id,
        "network": seen.network.name,
        "site": chosen.site,
        "head": chosen.head,
        "heads": captured.rows.heads,
        "at": chosen.at,
        "query": query,
        "grid": {
            "rows": grid.rows,
            "columns": grid.columns,
            "cell": grid.cell,
            "origin": grid.origin,
        },
        "framing": {"scale": seen.framing.scale, "offset": seen.framing.offset},
        "uniform": 1 / row.size,
        "sum": float(row.sum()),
        "minimum": float(row.min()),
        "maximum": float(row.max()),
        "passed": captured.passed,
        "row": row.tolist(),
    }


def _overlay(seen: Analysis, chosen: Selection) -> Path:
    heat = next(each for each in view(seen, chosen) if isinstance(each, Heat))
    path = place_for(f"{seen.network.name}-row.png")
    overlay(heat, seen.picture, seen.framing).save(path)
    return path
