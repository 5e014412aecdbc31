"""Files that come from a browser and files that go to it, all in Gradio's folder for them."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from vizattn.texts import Refused

FETCHED_WITHIN = 300.0
"""seconds after which nobody comes for a file that was written to be fetched at once"""
_EMPTY_FOR = 60.0
"""seconds that an empty folder waits for a file; as long as between two times of tidying up"""
_OUTGOING = "outgoing"


class NotUploaded(Refused):
    """A path is not that of a file that a visitor sent."""


def uploaded(path: object) -> Path:
    """Return the path of a file that a browser says it has sent.

    Raises:
        NotUploaded: if it is anywhere but in the folder of uploads, or not there any more.
    """
    folder = Path(get_upload_folder()).resolve()
    given = Path(str(path)).resolve()
    if folder not in given.parents or not given.is_file():
        raise NotUploaded("explore.not_uploaded")
    return given


def place_for(name: str) -> Path:
    """Return where to write a file of that name for a browser; its folder cannot be guessed."""
    folder = Path(get_upload_folder()) / _OUTGOING / secrets.token_hex(20)
    folder.mkdir(parents=True)
    return folder / name


@asynccontextmanager
async def tidied(_: Any) -> AsyncIterator[None]:
    """Tidy up once a minute while a server runs."""
    tidying = asyncio.create_task(_tidy())
    try:
        yield
    finally:
        tidying.cancel()
        with suppress(asyncio.CancelledError):
            await tidying


async def _tidy() -> None:
    while True:
        await asyncio.sleep(_EMPTY_FOR)
        await asyncio.to_thread(tidy_up)


def tidy_up(now: float | None = None) -> None:
    """Empty files that have been fetched and remove folders that have nothing in them.

    Gradio deletes files when they are as old as a visitor's pictures may get, and would keep the
    names of those that others deleted; folders it leaves.

    Args:
        now: seconds since the epoch; the clock's by default.
    """
    now = time.time() if now is None else now
    folder = Path(get_upload_folder())
    for file in folder.glob(f"{_OUTGOING}/*/*"):
        with suppress(OSError):
            if file.stat().st_size and file.stat().st_mtime < now - FETCHED_WITHIN:
                os.truncate(file, 0)
    for empty in (*folder.glob("*/"), *folder.glob(f"{_OUTGOING}/*/")):
        # One that is not empty stays, and somebody may have been quicker.
        with suppress(OSError):
            if empty.name != _OUTGOING and empty.stat().st_mtime < now - _EMPTY_FOR:
                empty.rmdir()
