"""How much memory a piece of work takes at most, and giving back what none needs any more."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile

_QUIET = "99"
_ONE_AT_A_TIME = threading.Lock()
"""a process has one profiler"""


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
