"""Freed memory goes back to the system as soon as the process has grown."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from vizattn import memory
from vizattn.memory import Thrift, give_back, resident_bytes
from vizattn.ui import uploads

MEGABYTE = 1024**2


class Process:
    """A process that holds what it is told; of what it holds, ``used`` bytes cannot go back."""

    def __init__(self, held: int | None, used: int = 0) -> None:
        self.held, self.used, self.times = held, used, 0

    def resident(self) -> int | None:
        return self.held

    def back(self) -> None:
        self.held, self.times = self.used, self.times + 1


def test_memory_goes_back_once_more_than_allowed_has_gathered() -> None:
    process = Process(held=100, used=100)
    thrift = Thrift(allowed=10, resident=process.resident, back=process.back)
    assert not thrift.look()
    process.held = 110
    assert not thrift.look()
    process.held = 111
    assert thrift.look()
    assert process.held == 100


def test_what_is_in_use_is_not_asked_for_again_and_again() -> None:
    process = Process(held=100, used=500)
    thrift = Thrift(allowed=10, resident=process.resident, back=process.back)
    thrift.look()
    process.held = 505
    assert [thrift.look() for _ in range(3)] == [True, False, False]
    process.held = 515
    assert thrift.look()
    assert process.times == 2


def test_growth_counts_from_the_least_that_was_held() -> None:
    process = Process(held=500, used=100)
    thrift = Thrift(allowed=10, resident=process.resident, back=process.back)
    thrift.look()
    process.held = 100
    thrift.look()
    process.held = 111
    assert thrift.look()


def test_where_nobody_tells_nothing_is_done() -> None:
    process = Process(held=None)
    assert not Thrift(resident=process.resident, back=process.back).look()
    assert process.times == 0


def test_the_status_of_the_process_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    before = resident_bytes()
    if before is None:
        pytest.skip("this system does not say what a process holds")
    kept = torch.ones(64 * MEGABYTE // 4)
    after = resident_bytes()
    assert after is not None
    assert after - before > 0.9 * kept.nbytes
    assert resident_bytes(os.getpid()) == pytest.approx(after, rel=0.05)
    monkeypatch.setattr(memory, "_PROCESSES", tmp_path)
    assert resident_bytes() is None


def test_small_pieces_between_kept_ones_do_go_back() -> None:
    held = resident_bytes()
    if held is None or not hasattr(memory.ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("nothing can be given back here")
    # Too small to be mapped one by one: they stay in the heap, between those that are kept.
    pieces = [torch.ones(16 * 1024) for _ in range(2048)]
    kept = pieces[::2]
    full = resident_bytes()
    del pieces
    give_back()
    after = resident_bytes()
    assert full is not None and after is not None
    assert full - after > 0.3 * (full - held)
    assert all(bool((piece == 1).all()) for piece in kept)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    seen: list[int] = []
    monkeypatch.setattr(uploads, "_LOOKED_EVERY", 0.01)
    monkeypatch.setattr(uploads.Thrift, "look", lambda self: seen.append(1))
    yield seen


def test_a_server_looks_while_it_runs_and_not_after(looks: list[int]) -> None:
    async def serve() -> tuple[int, int]:
        async with uploads.tidied(None):
            while len(looks) < 3:
                await asyncio.sleep(0.005)
        ended = len(looks)
        await asyncio.sleep(0.1)
        return ended, len(looks)

    ended, later = asyncio.run(asyncio.wait_for(serve(), 30))
    assert 3 <= ended == later
