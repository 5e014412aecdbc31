"""Work that takes long, as steps that a page can show: it can be seen, stopped, and abandoned."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from queue import Queue
from typing import Any, TypeVar

Result = TypeVar("Result")
Progress = Callable[[int, int], None]
_PAUSE = 0.3
"""seconds between two looks: what happened meanwhile is told as one"""


class Stopped(Exception):
    """Somebody did not want to wait for the rest."""


def stepwise(
    work: Callable[[Progress], Result], stopped: Callable[[], bool]
) -> Generator[tuple[int, int], None, Result]:
    """Do some work beside the caller and give (done, in all) now and then; returns its result.

    The work ends soon after ``stopped`` says so, or when nobody asks for steps any more.

    Args:
        work: is given what it has to tell how far it is.
        stopped: whether it is to end.

    Raises:
        Stopped: where it was stopped; else what the work raised.
    """
    told: Queue[Any] = Queue()
    gone = threading.Event()

    def progress(done: int, total: int) -> None:
        if gone.is_set() or stopped():
            raise Stopped
        told.put((done, total))

    def run() -> None:
        try:
            told.put(_Returned(work(progress)))
        except BaseException as error:  # whatever it is, the caller is the one to hear of it
            told.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        while True:
            last = told.get()
            # Not until there is nothing more to hear: work can tell faster than one hears.
            for _ in range(told.qsize()):
                last = told.get()
            if isinstance(last, BaseException):
                raise last
            if isinstance(last, _Returned):
                value: Result = last.value
                return value
            yield last
            gone.wait(_PAUSE)
    finally:
        gone.set()


class _Returned:
    def __init__(self, value: Any) -> None:
        self.value = value
