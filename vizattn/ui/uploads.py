"""Files that come from a browser and files that go to it, all in Gradio's folder for them."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from gradio.context import LocalContext
from gradio.utils import get_upload_folder

from vizattn.memory import Thrift, give_back
from vizattn.texts import Refused

FETCHED_WITHIN = 300.0
"""seconds after which nobody comes for a file: it was to be fetched, or read, at once"""
_EMPTY_FOR = 60.0
"""seconds that an empty folder waits for a file; as long as between two times of tidying up"""
_LOOKED_EVERY = 1.0
"""seconds between two looks at how much memory is held"""
_OUTGOING = "outgoing"


class NotUploaded(Refused):
    """A path is not that of a file that a visitor sent."""


class _Belongings:
    """Which files are whose, so that they can go with their visitors."""

    def __init__(self) -> None:
        self._of: dict[str, set[Path]] = {}
        self._left: set[Path] = set()
        self._lock = threading.Lock()

    def add(self, path: Path) -> Path:
        """Note that a file belongs to whoever is being answered."""
        request = LocalContext.request.get(None)
        with self._lock:
            self._of.setdefault(str(getattr(request, "session_hash", None)), set()).add(path)
        return path

    def leave(self, session: str) -> None:
        """Note that a visitor's files are nobody's; equal files share one place with Gradio."""
        with self._lock:
            gone = self._of.pop(session, set())
            self._left |= gone.difference(*self._of.values())

    def left(self, path: Path) -> bool:
        """Return whether a file's visitors have left."""
        with self._lock:
            return path in self._left

    def forget(self, path: Path) -> None:
        """Note that a file is gone."""
        with self._lock:
            self._left.discard(path)
            for paths in self._of.values():
                paths.discard(path)
            self._of = {session: paths for session, paths in self._of.items() if paths}


_BELONGINGS = _Belongings()


def uploaded(path: object) -> Path:
    """Return the path of a file that a browser says it has sent.

    Raises:
        NotUploaded: if it is anywhere but in the folder of uploads, or not there any more.
    """
    folder = Path(get_upload_folder()).resolve()
    given = Path(str(path)).resolve()
    if folder not in given.parents or not given.is_file():
        raise NotUploaded("explore.not_uploaded")
    return _BELONGINGS.add(given)


def place_for(name: str) -> Path:
    """Return where to write a file of that name for a browser; its folder cannot be guessed."""
    folder = Path(get_upload_folder()) / _OUTGOING / secrets.token_hex(20)
    folder.mkdir(parents=True)
    return _BELONGINGS.add(folder.resolve() / name)


def leave(session: str) -> None:
    """Let the files that a visitor who left had sent or was given go with the next tidying up."""
    _BELONGINGS.leave(session)


@asynccontextmanager
async def tidied(app: Any) -> AsyncIterator[None]:
    """Tidy up once a minute while a server runs, and give back freed memory as soon as it grows."""
    chores = [asyncio.create_task(chore) for chore in (_tidy(app), _save_memory())]
    try:
        yield
    finally:
        for chore in chores:
            chore.cancel()
            with suppress(asyncio.CancelledError):
                await chore


async def _save_memory() -> None:
    thrift = Thrift()
    while True:
        await asyncio.sleep(_LOOKED_EVERY)
        await asyncio.to_thread(thrift.look)


async def _tidy(app: Any) -> None:
    while True:
        await asyncio.sleep(_EMPTY_FOR)
        blocks = app.get_blocks()
        stay = {name for block in blocks.blocks.values() for name in _kept_by(block)}
        await asyncio.to_thread(tidy_up, blocks.temp_file_sets, stay)


def _kept_by(block: Any) -> set[str]:
    return set(getattr(block, "keep_in_cache", ()))


def tidy_up(
    names: Sequence[set[str]] = (), stay: Collection[str] = (), now: float | None = None
) -> None:
    """Remove files that have been fetched or read, and folders that have nothing in them.

    Gradio's own tidying ends for good when a file comes while it looks, and keeps the names of
    files that others deleted. Memory that nobody uses goes back to the system.

    Args:
        names: Gradio's sets of the names of its files; those of removed files are taken out.
        stay: names of files that the page itself shows.
        now: seconds since the epoch; the clock's by default.
    """
    now = time.time() if now is None else now
    folder = Path(get_upload_folder()).resolve()
    # A copy is made in one go, whatever is being added meanwhile.
    files = {Path(name) for own in names for name in own.copy() if name not in stay}
    for file in (*files, *folder.glob(f"{_OUTGOING}/*/*")):
        with suppress(OSError):
            if folder in file.resolve().parents:
                _tidy_away(file, now)
    for own in names:
        own -= {name for name in own.copy() if not os.path.exists(name)}
    for empty in (*folder.glob("*/"), *folder.glob(f"{_OUTGOING}/*/")):
        # One that is not empty stays, and somebody may have been quicker.
        with suppress(OSError):
            if empty.name != _OUTGOING and empty.stat().st_mtime < now - _EMPTY_FOR:
                empty.rmdir()
    give_back()


def _tidy_away(file: Path, now: float) -> None:
    # Another visitor may just have sent the same: no younger file goes.
    wait = _EMPTY_FOR if _BELONGINGS.left(file.resolve()) else FETCHED_WITHIN
    if file.stat().st_mtime < now - wait:
        file.unlink()
        _BELONGINGS.forget(file.resolve())
