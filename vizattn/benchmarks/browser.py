"""What the browser takes: rows of the canvas, and the page from upload to overlay."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from vizattn.benchmarks import moves as every_form
from vizattn.benchmarks.measure import Measure, skipped

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
ASSETS = Path(__file__).resolve().parents[2] / "assets"
ROW_TARGETS = {64: 1.0, 128: 4.0}
"""milliseconds by the side of a square grid of places"""
DIM = 64
UPLOAD_TARGET = 1.5
ADDRESS = "http://localhost:9"
"""never asked for over the network: what is fetched from it is read from the assets"""
_ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
"""with these a page's clock ticks every 5 microseconds, else only every 100"""
_KINDS = {".css": "text/css", ".js": "text/javascript", ".json": "application/json"}
_PICTURE = (1200, 800)
_UPLOADS = 5
_CLICKS = 20
_PATIENCE = 120_000
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class BrowserFailed(RuntimeError):
    """There is no browser, or a page did not do what it should; the message says which."""


@contextmanager
def browser() -> Iterator[Any]:
    """Start a headless Chromium through Playwright and end it afterwards.

    Raises:
        BrowserFailed: if Playwright or a Chromium is missing, or a page waited for something in
            vain.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise BrowserFailed("Playwright is not installed (requirements-dev.txt has it)") from None
    named = os.environ.get("VIZATTN_CHROMIUM")
    names = [named] if named else CHROMIUM_NAMES
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise BrowserFailed("no Chromium found")
    with sync_playwright() as playwright:
        try:
            running = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
            yield running
            running.close()
        except Error as error:
            raise BrowserFailed(str(error).splitlines()[0]) from error


def rows(running: Any) -> Iterator[Measure]:
    """Yield the time of one row in the canvas's own code, and of the whole matrix in rows."""
    page = running.new_page()
    page.route(f"{ADDRESS}/**", _answer)
    page.goto(f"{ADDRESS}/empty.html")
    for side, target in ROW_TARGETS.items():
        found = page.evaluate(
            "async ([tokens, dim]) => (await import('/canvas.js')).benchmarkRow(tokens, dim, 100)",
            [side * side, DIM],
        )
        note = f"{DIM} numbers a place, float32, one thread, median of {found['repeats']}"
        yield Measure(_row_name(side), found["row"], "ms", target, note)
        how = "whole" if found["measured"] else f"estimated from {found['repeats']} rows"
        matrix = found["matrix"]
        note = f"{matrix / 1000:.2f} s, {how}"
        yield Measure(_matrix_name(side), matrix / found["row"], "x", note=note)
    page.close()


def moves(running: Any) -> Iterator[Measure]:
    """Yield the time of one move of the pointer over rows of every form."""
    page = running.new_page(viewport={"width": 1440, "height": 900})
    page.route(f"{ADDRESS}/**", _answer)
    page.goto(f"{ADDRESS}/empty.html")
    page.add_style_tag(url="/canvas.css")
    yield from every_form.measures(page)
    page.close()


def page(running: Any, address: str) -> Iterator[Measure]:
    """Yield the times of a launched page: its load, an upload, and a click.

    Args:
        running: the browser.
        address: where the page is.
    """
    opened = running.new_page(viewport={"width": 1440, "height": 900})
    began = time.perf_counter()
    opened.goto(address)
    shown = _wait_for_another(opened, None)
    seconds = time.perf_counter() - began
    note = "1440 x 900, from the address to the first example's overlay, first visit"
    yield Measure(PAGE_NAMES[0], seconds, "s", note=note)
    taken = []
    for number in range(_UPLOADS):
        file = {"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": _jpeg(number)}
        began = time.perf_counter()
        opened.set_input_files(".vp-drop input[type=file]", files=[file])
        shown = _wait_for_another(opened, shown)
        taken.append(time.perf_counter() - began)
    wide, high = _PICTURE
    note = f"{wide} x {high} JPEG, median of {_UPLOADS}, largest {max(taken):.2f} s"
    yield Measure(PAGE_NAMES[1], median(taken), "s", UPLOAD_TARGET, note)
    note = f"from the event to the frame that shows it, median of {_CLICKS}"
    yield Measure(PAGE_NAMES[2], median(_clicks(opened)), "ms", note=note)
    opened.close()


PAGE_NAMES = ("page load to first overlay", "upload to overlay on the page", "click to drawn")
PAGE_UNITS = ("s", "s", "ms")


def without(reason: str) -> Iterator[Measure]:
    """Yield what ``rows``, ``moves`` and ``page`` would, with the reason why there is nothing."""
    for side, target in ROW_TARGETS.items():
        yield skipped(_row_name(side), "ms", target, reason)
        yield skipped(_matrix_name(side), "x", None, reason)
    yield from every_form.without(reason)
    yield from without_page(reason)


def without_page(reason: str) -> Iterator[Measure]:
    """Yield what ``page`` would, with the reason why it was not measured."""
    targets = (None, UPLOAD_TARGET, None)
    for name, unit, target in zip(PAGE_NAMES, PAGE_UNITS, targets, strict=True):
        yield skipped(name, unit, target, reason)


def _row_name(side: int) -> str:
    return f"row in the browser, {side} x {side} places"


def _matrix_name(side: int) -> str:
    return f"matrix / row in the browser, {side} x {side} places"


def _answer(route: Any) -> None:
    path = ASSETS / route.request.url.removeprefix(f"{ADDRESS}/")
    kind, body = "text/html", "<!doctype html>"
    if path.is_file():
        kind, body = _KINDS[path.suffix], path.read_text(encoding="utf-8")
    route.fulfill(body=body, headers=_ISOLATED | {"Content-Type": kind})


_SHOWN = """(before) => {
  const { vizattn } = document.querySelector(".va-mount") ?? {};
  const id = vizattn?.payload?.id;
  const picture = document.querySelector(".va-image");
  return id && id !== before && picture.complete && picture.naturalWidth > 0 ? id : null;
}"""
_NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))"
_HEATED = """() => {
  const heat = document.querySelector(".va-heat");
  const pixels = heat.getContext("2d").getImageData(0, 0, heat.width, heat.height).data;
  return pixels.some((value, index) => index % 4 === 3 && value > 0);
}"""


def _wait_for_another(opened: Any, before: str | None) -> str:
    """Wait until another analysis than ``before`` is drawn and return its id."""
    shown = opened.wait_for_function(
        _SHOWN, arg=before, polling="raf", timeout=_PATIENCE
    ).json_value()
    opened.evaluate(_NEXT_FRAME)
    if not opened.evaluate(_HEATED):
        raise BrowserFailed("expected an overlay on the page, found none")
    return str(shown)


_WATCH = """() => {
  window.vizattnTimes = [];
  document.querySelector(".va-frame").addEventListener("click", (event) => {
    requestAnimationFrame(() => window.vizattnTimes.push(performance.now() - event.timeStamp));
  });
}"""


def _clicks(opened: Any) -> list[float]:
    # Added after the instrument's own listener, so its frame callback comes after the drawing.
    opened.evaluate(_WATCH)
    box = opened.locator(".va-frame").bounding_box()
    random = np.random.default_rng(0)
    for across, down in random.uniform(0.1, 0.9, size=(_CLICKS, 2)):
        opened.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
        opened.evaluate(_NEXT_FRAME)
    times: list[float] = opened.evaluate("() => window.vizattnTimes")
    return times


def _jpeg(seed: int) -> bytes:
    """Return a picture that nobody has sent before: smooth colours with some grain."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (8, 12, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(_PICTURE, Image.Resampling.BICUBIC), dtype=np.int16)
    grain = random.integers(-12, 13, smooth.shape, dtype=np.int16)
    buffer = io.BytesIO()
    Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()
