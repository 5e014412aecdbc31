"""Synthetic analyses and a bare page that shows them: what the browser tests look at."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

from models.affinities.forms import SparseForm
from tests.served import enter as visit
from vizattn.ui.canvas import SCRIPT
from vizattn.ui.mounting import ASSETS
from vizattn.ui.sites import affinity

Payload = dict[str, Any]
WINDOW = {"viewport": {"width": 860, "height": 560}}

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/canvas.css">
<style>:root {{ color-scheme: light dark; }} body {{ margin: 0; padding: 16px; }}</style></head>
<body><main id="place"></main>
<script type="module">
import {{ benchmarkRow, mount }} from "/canvas.js";
const load = (path) => fetch(path).then((answer) => answer.json());
const [payload, texts, colormaps] = await Promise.all(
  [load("/payload.json"), load("/texts.json"), load("/colormaps.json")]);
window.selections = [];
window.benchmarkRow = benchmarkRow;
window.instrument = mount(document.getElementById("place"), {{
  payload, texts, language: "{language}", colormaps,
  onSelection: (selection) => window.selections.push(selection),
}});
window.ready = true;
</script></body></html>"""


def encoded(values: np.ndarray) -> str:
    """Return an array as base64 of little-endian float32; uint8 and int32 stay what they are."""
    kept = values.dtype in (np.dtype(np.uint8), np.dtype("<i4"))
    numbers = np.ascontiguousarray(values if kept else values.astype("<f4"))
    return base64.b64encode(numbers.tobytes()).decode()


def picture_of(pixels: np.ndarray) -> Payload:
    """Return the payload's entry for a picture (height, width, 3) uint8."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    height, width = pixels.shape[:2]
    return {"url": url, "width": width, "height": height, "shown_width": width,
            "shown_height": height, "alt": "synthetic"}  # fmt: skip


def grid_of(rows: int, columns: int, cell: float, origin: float = 0.0) -> Payload:
    """Return a grid of square cells."""
    return {"rows": rows, "columns": columns, "cell": [cell, cell], "origin": [origin, origin]}


def place_site(
    query: np.ndarray, key: np.ndarray, query_grid: Payload, key_grid: Payload,
    normaliser: str = "softmax", scale: float = 1.0, path: str = "context",
) -> Payload:  # fmt: skip
    """Return a place affinity from factors (head, place, dim)."""
    claim = {"softmax": "simplex", "relu_mean": "positive"}.get(normaliser, "signed")
    form = product(query, key, normaliser, scale)
    return rows_site(form, query_grid, key_grid, claim, path, query.shape[0])


def product(
    query: np.ndarray, key: np.ndarray, normaliser: str = "softmax", scale: float = 1.0
) -> Payload:
    """Return the form of rows that are made from factors (head, place, dim)."""
    return {"form": "product", "normaliser": normaliser, "scale": scale, "dim": query.shape[2],
            "query": encoded(query), "key": encoded(key)}  # fmt: skip


def sparse(keys: np.ndarray, weights: np.ndarray) -> Payload:
    """Return the form of rows over listed keys: keys (head or 1, query, count), -1 is none."""
    return affinity(SparseForm(keys.astype(np.int32), weights))


def regions(boxes: np.ndarray) -> Payload:
    """Return that keys stand for areas: boxes (key, 4) in cells."""
    return {"regions": {"count": len(boxes), "cells": encoded(boxes)}}


def rows_site(
    form: Payload, query_grid: Payload, key_grid: Payload, claim: str = "simplex",
    path: str = "context", heads: int = 1, **more: Any,
) -> Payload:  # fmt: skip
    """Return rows in one of their forms."""
    return {
        "path": path, "title": path, "kind": "place_affinity", "view": "rows", "claim": claim,
        "formula": "aᵢⱼ = softmaxⱼ(s qᵢ·kⱼ)", "shape": f"{heads} (head, query, key)",
        "checks": [check("sum", 1.2e-7, 1e-4)],
        "query_grid": query_grid, "key_grid": key_grid, "heads": heads, "affinity": form,
        "extra": [], "bands": 1,
    } | more  # fmt: skip


def maps_of(values: np.ndarray, grid: Payload, name: str, signed: bool = False) -> Payload:
    """Return several maps (map, row, column) with their means."""
    return {
        "maps": {"count": len(values), "grid": grid, "values": encoded(values), "name": name,
                 "labels": None, "signed": signed},
        "summary": encoded(values.mean((1, 2))),
    }  # fmt: skip


def plain_site(kind: str, view: str, claim: str, path: str, **contents: Any) -> Payload:
    """Return a site of any view."""
    return {
        "path": path, "title": path, "kind": kind, "view": view, "claim": claim,
        "formula": "y = f(g(x), x)", "shape": "1 × 2", "checks": [check("claim", 0.0, 1e-4)],
    } | contents  # fmt: skip


def edges_site(values: np.ndarray, axis: str, grid: Payload, path: str) -> Payload:
    """Return a gate (channel, line) of the height or of the width."""
    channels, length = values.shape
    return plain_site(f"{axis}_gate", "edges", "unit", path, edges={
        "axis": axis, "channels": channels, "length": length, "values": encoded(values),
        "grid": grid})  # fmt: skip


def table_site(values: np.ndarray, path: str, signed: bool = True, **more: Any) -> Payload:
    """Return a table (row, column) of nodes."""
    table = {
        "rows": len(values), "columns": values.shape[1], "values": encoded(values),
        "row_axis": "node", "column_axis": "channel", "row_labels": None, "column_labels": None,
        "signed": signed,
    }  # fmt: skip
    return plain_site("descriptors", "table", "signed", path, table=table) | more


def bars_site(values: np.ndarray, labels: list[str] | None, path: str) -> Payload:
    """Return values with names."""
    return plain_site("expert_gate", "bars", "unit", path, bars={
        "values": encoded(values), "labels": labels, "axis": "expert"})  # fmt: skip


def check(name: str, value: float, limit: float) -> Payload:
    """Return a truth check."""
    return {"name": name, "label": f"Rows {name}", "value": value, "limit": limit,
            "passed": value <= limit, "text": "Largest distance of 64 rows."}  # fmt: skip


def gate_site(values: np.ndarray, activation: np.ndarray, grid: Payload, path: str) -> Payload:
    """Return a channel gate: values (c), activation (c, rows, columns)."""
    return {
        "path": path, "title": path, "kind": "channel_gate", "view": "channels", "claim": "unit",
        "formula": "z = σ(W₂ δ(W₁ GAP(x)))", "shape": f"{values.size} (channel)",
        "checks": [check("range", 0.0, 0.0)],
        "gate": {"channels": values.size, "values": encoded(values)},
        "activation": {"grid": grid, "values": encoded(activation)},
    }  # fmt: skip


def matrix_site(matrix: np.ndarray, activation: np.ndarray, grid: Payload, path: str) -> Payload:
    """Return a channel affinity: matrix (c, c), activation (c, rows, columns)."""
    return {
        "path": path, "title": path, "kind": "channel_affinity", "view": "matrix",
        "claim": "simplex",
        "formula": "aᵢⱼ = softmaxⱼ(maxⱼ(xᵢ·xⱼ) − xᵢ·xⱼ)",
        "shape": f"{len(matrix)} × {len(matrix)} (query, key)",
        "checks": [check("sum", 2e-3, 1e-4)],
        "matrix": {"channels": len(matrix), "values": encoded(matrix)},
        "activation": {"grid": grid, "values": encoded(activation)},
    }  # fmt: skip


def map_site(values: np.ndarray, grid: Payload, path: str) -> Payload:
    """Return a spatial gate: values (rows, columns)."""
    return {
        "path": path, "title": path, "kind": "spatial_gate", "view": "map", "claim": "unit",
        "formula": "m = σ(conv₇ₓ₇([mean(x); max(x)]))",
        "shape": f"1 × {values.shape[0]} × {values.shape[1]}", "checks": [],
        "map": {"grid": grid, "values": encoded(values)},
    }  # fmt: skip


def payload_of(sites: list[Payload], pixels: np.ndarray, scale: float = 1.0) -> Payload:
    """Return a whole analysis of a picture that reached the model scaled by one factor."""
    height, width = pixels.shape[:2]
    top = [("tench", 0.91), ("church", 0.05), ("parachute", 0.02), ("golf ball", 0.01),
           ("chain saw", 0.004)]  # fmt: skip
    return {
        "version": 1, "id": "synthetic",
        "network": {"name": "synthetic", "title": "Synthetic", "task": "classify",
                    "mechanism": "Non-local block"},
        "picture": picture_of(pixels), "notes": [],
        "framing": {"scale": [scale, scale], "offset": [0.0, 0.0],
                    "input": [round(width * scale), round(height * scale)]},
        "sites": sites,
        "prediction": {"kind": "classify", "top": [
            {"class": name, "label": name, "probability": share} for name, share in top]},
        "selection": {"site": sites[0]["path"], "head": 0, "at": None, "colormap": "viridis",
                      "scale": "row", "smooth": False, "opacity": 0.75},
    }  # fmt: skip


class _Handler(SimpleHTTPRequestHandler):
    """Serves the assets and a page's files."""

    def __init__(self, *arguments: Any, page: dict[str, bytes], **options: Any) -> None:
        self.page = page
        super().__init__(*arguments, directory=str(ASSETS), **options)

    def do_GET(self) -> None:
        body = self.page.get(self.path.split("?")[0])
        if body is None:
            return super().do_GET()
        self.send_response(200)
        kind = "application/json" if self.path.endswith(".json") else "text/html"
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, *arguments: Any) -> None:
        """Keep the test output clean."""


@contextmanager
def served(payload: Payload | None, language: str = "en") -> Iterator[str]:
    """Serve a page that mounts the instrument on a payload; yields its address."""
    page = {
        "/": _PAGE.format(language=language).encode(),
        "/payload.json": json.dumps(payload).encode(),
        "/texts.json": json.dumps(SCRIPT.texts(language)).encode(),
    }
    with serving(page) as address:
        yield address


@contextmanager
def serving(page: dict[str, bytes]) -> Iterator[str]:
    """Serve some files by their paths, and the assets; yields the address of "/"."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, page=page))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def doors(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open bare pages that show a payload; a problem in any of them is an error at the end."""
    problems: list[str] = []
    with ExitStack() as stack:

        def enter(payload: Payload | None, language: str = "en", **options: Any) -> Any:
            address = stack.enter_context(served(payload, language))
            page = visit(browser, problems=problems, **WINDOW | options)
            stack.callback(page.context.close)
            page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
            page.goto(address)
            page.wait_for_function("window.ready")
            settle(page)
            return page

        yield enter
    if problems:
        raise AssertionError(problems)


def settle(page: Any) -> None:
    """Wait until the next frame has been drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")


def point_at(page: Any, x: float, y: float, payload: Payload, click: bool = False) -> None:
    """Point at (or click) a place given in original pixels."""
    box = page.locator(".va-frame").bounding_box()
    width, height = payload["picture"]["width"], payload["picture"]["height"]
    at = box["x"] + box["width"] * x / width, box["y"] + box["height"] * y / height
    (page.mouse.click if click else page.mouse.move)(*at)
    settle(page)


def picture(height: int = 96, width: int = 128) -> np.ndarray:
    """Return a picture (height, width, 3) with some structure."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], -1).astype(np.uint8)
