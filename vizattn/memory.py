"""How much memory a piece of work takes at most, and giving back what none needs any more."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

_QUIET = "99"
_ONE_AT_A_TIME = threading.Lock()
"""a process has one profiler"""
_PROCESSES = Path("/proc")


def peak_bytes(work: Callable[[], object]) -> int:
    """Return how many bytes at most were allocated at once while something ran, beyond before.

    The profiler hears of every allocation on the CPU, those inside kernels too; the resident size
    of the process would not do, since Python and torch are many times larger than a forward pass.
    """
    # Its library would otherwise write to the terminal that it has started and stopped.
    os.environ.setdefault("KINETO_LOG_LEVEL", _QUIET)
    work()
    with (
        _ONE_AT_A_TIME,
        profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled,
    ):
        kept = work()
    del kept
    recorded = profiled.profiler
    if recorded is None or recorded.kineto_results is None:
        raise RuntimeError("expected the profiler's events, found none")
    events = [each for each in recorded.kineto_results.events() if each.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda each: each.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def give_back() -> None:
    """Let the system have memory that was freed; C libraries like to keep it for a next time.

    Where the C library has no such call (it is glibc's), nothing happens.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    trim(0)


def resident_bytes(process: int | None = None) -> int | None:
    """Return how much of the machine's memory a process holds; None where nobody tells.

    Args:
        process: its number; by default this one.
    """
    name = "self" if process is None else str(process)
    try:
        pages = int((_PROCESSES / name / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


class Thrift:
    """Gives memory back whenever a process has grown; each look costs next to nothing.

    Tensors of many sizes come and go in a busy server, and the C library keeps the room between
    them: several times as much as is in use, if nothing is done.

    Args:
        allowed: bytes that a process may grow before its freed memory is given back.
        resident: returns how many bytes the process holds.
        back: gives freed memory back.
    """

    def __init__(
        self,
        allowed: int = 64 * 1024**2,
        resident: Callable[[], int | None] = resident_bytes,
        back: Callable[[], None] = give_back,
    ) -> None:
        self._allowed, self._resident, self._back = allowed, resident, back
        self._least: int | None = None

    def look(self) -> bool:
        """Give memory back if the process has grown since it held least; returns whether it had."""
        now = self._resident()
        if now is None:
            return False
        if self._least is None or now < self._least:
            self._least = now
        if now <= self._least + self._allowed:
            return False
        self._back()
        # What is in use is no waste: it is what the next growth is measured from.
        self._least = self._resident()
        return True
