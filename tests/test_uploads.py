"""Files of visitors: found only where they were sent to, and nothing lies about for long."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gradio import Blocks, Request
from gradio.context import LocalContext

from vizattn.ui import uploads
from vizattn.ui.uploads import (
    FETCHED_WITHIN,
    NotUploaded,
    leave,
    place_for,
    tidied,
    tidy_up,
    uploaded,
)

LONG = 10 * FETCHED_WITHIN


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "files"))
    return tmp_path / "files"


def sent(folder: Path, name: str = "mine.png") -> Path:
    """Return a file as Gradio puts an upload."""
    path = folder / "abc" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a picture")
    return path


def test_only_what_was_sent_is_found(folder: Path, tmp_path: Path) -> None:
    mine, other = sent(folder), tmp_path / "other.png"
    other.write_bytes(b"not sent")
    assert uploaded(str(mine)) == mine.resolve()
    for wrong in (other, folder / ".." / "other.png", folder, folder / "gone.png", None, 3):
        with pytest.raises(NotUploaded):
            uploaded(wrong)


def test_places_cannot_be_guessed() -> None:
    one, other = place_for("a.json"), place_for("a.json")
    assert one.name == other.name == "a.json"
    assert one.parent != other.parent
    assert len(one.parent.name) >= 32


def later(seconds: float = LONG) -> float:
    return time.time() + seconds


def test_empty_folders_go_and_files_that_were_sent_stay_for_a_while(folder: Path) -> None:
    kept, gone = sent(folder), folder / "def"
    names = {str(kept)}
    gone.mkdir()
    tidy_up([names])
    assert gone.is_dir(), "a file may be on its way"
    tidy_up([names], now=later(0.9 * FETCHED_WITHIN))
    assert kept.read_bytes() == b"a picture"
    assert not gone.exists()
    tidy_up([names], now=later())
    assert list(folder.iterdir()) == [], "it was read long ago"
    assert names == set()


def test_files_of_the_page_and_of_others_stay(folder: Path, tmp_path: Path) -> None:
    shown, other = sent(folder, "shown.png"), tmp_path / "other.png"
    other.write_bytes(b"not sent")
    somebody = folder / "ghi" / "theirs.png"
    somebody.parent.mkdir()
    somebody.write_bytes(b"another program's")
    names = {str(shown), str(other)}
    tidy_up([names], stay={str(shown)}, now=later())
    assert all(path.is_file() for path in (shown, other, somebody))
    assert names == {str(shown), str(other)}


@contextmanager
def answering(session: str) -> Iterator[None]:
    """Answer a visitor, as Gradio says it to whoever asks."""
    before = LocalContext.request.set(Request(session_hash=session))
    try:
        yield
    finally:
        LocalContext.request.reset(before)


def test_files_go_with_their_visitor(folder: Path) -> None:
    soon = later(0.5 * FETCHED_WITHIN)
    with answering("one"):
        shared, own = uploaded(sent(folder)), place_for("analysis.json")
        own.write_bytes(b"numbers")
    names = [{str(shared)}]
    with answering("other"):
        assert uploaded(shared) == shared
    tidy_up(names, now=soon)
    assert own.read_bytes() == b"numbers", "its visitor is still here"
    leave("one")
    tidy_up(names, now=soon)
    assert not own.exists()
    assert shared.read_bytes() == b"a picture", "another visitor has sent the same"
    leave("other")
    tidy_up(names)
    assert shared.read_bytes() == b"a picture", "somebody may just have sent it again"
    tidy_up(names, now=soon)
    assert not shared.exists()


def test_what_was_fetched_takes_no_room(folder: Path) -> None:
    path = place_for("analysis.json")
    path.write_bytes(bytes(10_000))
    tidy_up()
    assert path.stat().st_size == 10_000
    tidy_up(now=later())
    assert not path.parent.exists()
    place_for("next.json").write_bytes(b"there is room again")


def test_nothing_to_tidy_up_is_no_matter(folder: Path) -> None:
    assert not folder.exists()
    tidy_up()


def test_a_running_server_tidies_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_EMPTY_FOR", 0.01)
    gone = folder / "def"
    gone.mkdir(parents=True)
    os.utime(gone, (1, 1))

    class Running:
        """As much of Gradio's server as tidying up asks for."""

        def get_blocks(self) -> Blocks:
            return Blocks()

    async def serve() -> None:
        async with tidied(Running()):
            for _ in range(1000):
                if not gone.exists():
                    break
                await asyncio.sleep(0.01)

    asyncio.run(serve())
    assert not gone.exists()
