"""A hand-made pair, its analysis as the browser gets it, and a bare page that shows it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.canvas_page import check, encoded, grid_of, picture_of, serving
from vizattn.ui.crowd.component import SCRIPT

Payload = dict[str, Any]
SENSES = ("rgb", "thermal")
FRAME = (320, 240)
STRIDES, RUNS, DIM = (2, 4, 8, 16, 16), (16, 8, 4, 2, 2), 8

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css">
<link rel="stylesheet" href="/canvas.css"><link rel="stylesheet" href="/crowd.css">
<style>body {{ margin: 0; padding: 0 16px; }}</style></head>
<body class="{theme}"><main id="place"></main>
<script type="module">
import {{ mount }} from "/crowd.js";
import * as areas from "/crowd/areas.js";
import * as registration from "/crowd/registration.js";
const load = (path) => fetch(path).then((answer) => answer.json());
const [texts, colormaps, offer, answers] = await Promise.all(
  ["/texts.json", "/colormaps.json", "/offer.json", "/answers.json"].map(load));
Object.assign(window, {{ asked: [], said: [], areas, registration }});
const crowd = mount(document.getElementById("place"), {{
  texts, colormaps, offer, language: "{language}",
  send: (question) => {{
    window.asked.push(question);
    setTimeout(() => crowd.receive({{ turn: question.turn, ok: question.kind in answers,
      ...answers[question.kind] }}), 20);
  }},
  upload: async (file) => ({{ path: `/sent/${{file.name}}` }}),
  onMessage: (text) => window.said.push(text),
  onProjector: (on) => document.body.classList.toggle("va-projector-page", on),
}});
window.crowd = crowd;
</script></body></html>"""


def halves(values: np.ndarray) -> bytes:
    """Return an array as little-endian float16."""
    return np.ascontiguousarray(values, "<f2").tobytes()


def pixels(sense: str) -> np.ndarray:
    """Return a scene with a few warm people: dark in RGB, bright in thermal."""
    random = np.random.default_rng(3)
    width, height = FRAME
    y, x = np.mgrid[:height, :width]
    ground = 40 + 0.3 * y + random.normal(0, 4, (height, width))
    for left, top in ((60, 150), (120, 170), (200, 140), (230, 190), (70, 60)):
        person = np.exp(-(((x - left) / 6) ** 2 + ((y - top) / 14) ** 2))
        ground += person * (170 if sense == "thermal" else 35)
    colours = (1, 1, 1) if sense == "thermal" else (0.9, 1.0, 1.25)
    return (ground[:, :, None] * colours).clip(0, 255).astype(np.uint8)


def factors() -> dict[str, np.ndarray]:
    """Return queries and keys (token, dim), by "stage asking-sense part"."""
    random = np.random.default_rng(5)
    found = {}
    for stage, (stride, runs) in enumerate(zip(STRIDES, RUNS, strict=True)):
        tokens = (FRAME[0] // stride) * (FRAME[1] // stride) // runs
        for sense in SENSES:
            for part in ("query", "key"):
                values = random.normal(0, 1.5, (tokens, DIM)).astype("<f2")
                found[f"{stage} {sense} {part}"] = values
    return found


def density() -> np.ndarray:
    """Return people a cell (30, 40)."""
    random = np.random.default_rng(7)
    return (random.random((30, 40)) ** 8).astype(np.float32)


def payload_of(**changed: Any) -> Payload:
    """Return a whole analysis of the pair; named parts are replaced."""
    width, height = FRAME
    random = np.random.default_rng(9)
    people, sites, gates = density(), [], []
    for stage, (stride, runs) in enumerate(zip(STRIDES, RUNS, strict=True)):
        grid = grid_of(height // stride, width // stride, stride)
        cells = grid["rows"] * grid["columns"]
        rgb = random.random((grid["rows"], grid["columns"]))
        share = float(rgb.mean())
        gates.append(
            {"stage": stage, "grid": grid, "share": [share, 1 - share],
             "rgb": base64.b64encode(halves(rgb)).decode()}
        )  # fmt: skip
        for sense in SENSES:
            sites.append(
                {"stage": stage, "asking": sense, "path": f"stages.{stage}.{sense}", "grid": grid,
                 "tokens": cells // runs, "bands": runs, "dim": DIM, "scale": DIM**-0.5,
                 "normaliser": "softmax"}
            )  # fmt: skip
    one = check("sum", 1.2e-7, 1e-4) | {
        "label": {"en": "Rows sum to 1", "zh": "每行之和为 1"},
        "text": {"en": "In every row.", "zh": "每一行。"},
    }
    return {
        "version": 1, "id": "synthetic", "network": "csca-small",
        "frame": {"width": width, "height": height},
        "framing": {"scale": [1.0, 1.0], "offset": [0.0, 0.0], "input": [width, height]},
        "registration": [1.0, 1.0, 0.0, 0.0], "own_registration": [1.0, 1.0, 0.0, 0.0],
        "changes": {"shift": [0, 0], "light": 1, "blank": None, "noise": None, "off": []},
        "points": "heads", "senses": list(SENSES),
        "density": {"grid": grid_of(30, 40, 8.0), "values": encoded(people),
                    "count": float(people.sum(dtype=np.float64))},
        "gates": gates, "sites": sites, "checks": [one],
        "notes": [{"words": {"en": "They may be swapped.", "zh": "两张图可能颠倒。"},
                   "offer": "swap"}],
        "peaks": [[60.0, 150.0, 0.2], [200.0, 140.0, 0.1]],
        "regions": people.reshape(2, 15, 4, 10).sum(axis=(1, 3)).repeat(2, 0).tolist(),
        "ninths": [float(people.sum()) / 9] * 9, "row": None,
        "pair": {"example": "square", "id": None},
        "lead": {"en": "A square at night.", "zh": "夜晚的广场。"},
        "pictures": {sense: picture_of(pixels(sense)) | {"name": f"{sense}.png"}
                     for sense in SENSES},
    } | changed  # fmt: skip


def rows_of(stage: int) -> bytes:
    """Return the file with which the browser computes a stage's rows."""
    found = factors()
    return b"".join(
        halves(found[f"{stage} {sense} {part}"]) for sense in SENSES for part in ("query", "key")
    )


OFFER = {
    "limit": 50,
    "networks": [
        {"name": name, "title": {"en": name, "zh": name}, "line": {"en": "A line.", "zh": "一行。"},
         "metric": None}
        for name in ("csca-small", "sum-small")
    ],
    "examples": [],
}  # fmt: skip


@contextmanager
def served(
    payload: Payload | None = None, language: str = "en", theme: str = "", stage: int = 2
) -> Iterator[str]:
    """Serve a page that mounts the crowd tab; its server is a list of answers by kind."""
    payload = payload or payload_of()
    thumbnails = [payload["pictures"][sense]["url"] for sense in SENSES]
    example = {"id": "square", "title": {"en": "Square", "zh": "广场"}, "thumbnails": thumbnails}
    looked = {key: value for key, value in payload.items() if key != "pictures"}
    answers = {
        "open": {"file": {"url": "/open.json"}},
        "look": {"file": {"url": "/look.json"}},
        "rows": {"file": {"url": "/rows.bin"}},
        "sweep": {"count": 7.5, "trusts": [0.5] * 5},
    }
    page = {
        "/": _PAGE.format(language=language, theme=theme).encode(),
        "/open.json": json.dumps(payload).encode(),
        "/look.json": json.dumps(looked).encode(),
        "/rows.bin": rows_of(stage),
        "/answers.json": json.dumps(answers).encode(),
        "/offer.json": json.dumps(OFFER | {"examples": [example]}).encode(),
        "/texts.json": json.dumps({one: SCRIPT.texts(one) for one in ("en", "zh")}).encode(),
    }
    with serving(page) as address:
        yield address
