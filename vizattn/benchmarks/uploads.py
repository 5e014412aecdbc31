"""How much memory the page's server holds while visitors send it one picture after another."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vizattn.memory import resident_bytes

_VISITORS, _UPLOADS_EACH = 5, 10
_NETWORKS = ("classify-se", "segment-danet")
_SMALLEST, _LARGEST = 160, 640
_LEAVING = 135.0
"""seconds after which everything of a visitor who left is gone: two rounds of tidying up"""
_MEGABYTE = 1024**2


@dataclass(frozen=True)
class Held:
    """What a server holds at one time.

    Args:
        uploads: how many pictures it was sent so far.
        megabytes: of memory, resident; a megabyte has 1024² bytes.
        seconds: since the first upload.
    """

    uploads: int
    megabytes: float
    seconds: float


def held_over(
    uploads: int,
    address: str,
    process: int,
    every: int = 100,
    leaving: float | None = None,
) -> Iterator[Held]:
    """Send pictures of many sizes and yield what the server holds, before, meanwhile and after.

    Five visitors send ten pictures each, then five others come: the server has to forget as well
    as to keep. The last is yielded some time after everybody left.

    Args:
        uploads: how many pictures.
        address: of the page.
        process: number of the server's process on this machine.
        every: after how many uploads to look.
        leaving: seconds that visitors have been gone for the last look; by default as many as it
            takes until everything of theirs is gone.

    Raises:
        ValueError: if there is nothing to send.
        OSError: where the system does not say what a process holds.
    """
    if uploads < 1:
        raise ValueError(f"expected one upload or more, received {uploads}")
    began = time.monotonic()

    def look(sent: int) -> Held:
        held = resident_bytes(process)
        if held is None:
            raise OSError("this system does not say how much memory a process holds")
        return Held(sent, held / _MEGABYTE, time.monotonic() - began)

    yield look(0)
    for sent in _sent(uploads, address):
        if sent % every == 0 or sent == uploads:
            yield look(sent)
    time.sleep(_LEAVING if leaving is None else leaving)
    yield look(uploads)


def _sent(uploads: int, address: str) -> Iterator[int]:
    """Send the pictures, yielding after each how many they are by now."""
    sent = 0
    with tempfile.TemporaryDirectory() as folder:
        while sent < uploads:
            with ExitStack() as leaving:
                visitors = [_visitor(address, leaving) for _ in range(_VISITORS)]
                for number in range(min(_VISITORS * _UPLOADS_EACH, uploads - sent)):
                    picture = _picture(Path(folder) / "picture.jpg", seed=sent)
                    visitors[number % _VISITORS](picture, _NETWORKS[sent % len(_NETWORKS)])
                    sent += 1
                    yield sent


def _visitor(address: str, leaving: ExitStack) -> Callable[[Path, str], Any]:
    # Not at the top: whoever measures nothing of the page needs no client.
    from gradio_client import Client, handle_file

    client = Client(address, verbose=False)
    leaving.callback(client.close)
    return lambda picture, network: client.predict(
        image=handle_file(picture), network=network, api_name="/analyze"
    )


def _picture(path: Path, seed: int) -> Path:
    """Write a picture of some size: no two are alike."""
    random = np.random.default_rng(seed)
    width, height = (int(size) for size in random.integers(_SMALLEST, _LARGEST, 2))
    pixels = random.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC).save(path)
    return path
