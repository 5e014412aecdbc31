"""Analyses kept for their visitors: bounded in number and time, and never shared by accident."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from vizattn.texts import Refused


class Named(Protocol):
    """Anything with an unguessable name."""

    @property
    def id(self) -> str:
        """Return the name."""


Item = TypeVar("Item", bound=Named)


class Forgotten(Refused):
    """A visitor asks for something that is no longer kept, or never was theirs."""


@dataclass(frozen=True)
class _Kept(Generic[Item]):
    item: Item
    until: float


class Store(Generic[Item]):
    """Keeps each visitor's newest items for a while.

    An item is found only with the session that stored it and its own name, so that a visitor who
    learns another's name for a thing still cannot see it.

    Args:
        each: how many items one session keeps; the least recently used goes first.
        total: how many all sessions together keep.
        seconds: how long an item is kept after it was last used.
        clock: returns the time in seconds; a test gives its own.

    Raises:
        ValueError: if a bound is not positive.
    """

    def __init__(
        self,
        each: int = 4,
        total: int = 64,
        seconds: float = 1800,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if min(each, total) < 1 or seconds <= 0:
            raise ValueError(f"expected positive bounds, received {each}, {total}, {seconds}")
        self._each, self._total, self._seconds, self._clock = each, total, seconds, clock
        self._kept: OrderedDict[tuple[str, str], _Kept[Item]] = OrderedDict()
        self._lock = threading.Lock()
        self._alarm: threading.Timer | None = None

    def __len__(self) -> int:
        with self._lock:
            self._forget_old()
            return len(self._kept)

    def keep(self, session: str, item: Item) -> str:
        """Keep an item for a session and return its name; what was there longest unused may go."""
        with self._lock:
            self._forget_old()
            self._put((session, item.id), item)
            own = [key for key in self._kept if key[0] == session]
            for key in own[: -self._each]:
                del self._kept[key]
            while len(self._kept) > self._total:
                self._kept.popitem(last=False)
            self._set_alarm()
        return item.id

    def find(self, session: str, name: str) -> Item:
        """Return a session's item and keep it longer.

        Raises:
            Forgotten: if that session has no such item (any more).
        """
        with self._lock:
            self._forget_old()
            kept = self._kept.get((session, name))
            if kept is None:
                raise Forgotten("errors.expired")
            self._put((session, name), kept.item)
            return kept.item

    def drop(self, session: str) -> None:
        """Forget everything of a session."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == session]:
                del self._kept[key]

    def _put(self, key: tuple[str, str], item: Item) -> None:
        self._kept[key] = _Kept(item, self._clock() + self._seconds)
        self._kept.move_to_end(key)

    def _forget_old(self) -> None:
        # The order of use is the order of expiry: every use renews the same span of time.
        now = self._clock()
        while self._kept and next(iter(self._kept.values())).until <= now:
            self._kept.popitem(last=False)

    def _set_alarm(self) -> None:
        # Without visitors nobody would look: the alarm forgets the last pictures all the same.
        if self._alarm is None and self._kept:
            wait = next(iter(self._kept.values())).until - self._clock()
            self._alarm = threading.Timer(max(wait, 0.01), self._ring)
            self._alarm.daemon = True
            self._alarm.start()

    def _ring(self) -> None:
        with self._lock:
            self._alarm = None
            self._forget_old()
            self._set_alarm()
