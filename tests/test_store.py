"""The store: bounded in number and time, and closed to everybody else."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from vizattn.store import Forgotten, Store
from vizattn.texts import LANGUAGES


@dataclass(eq=False)
class Thing:
    id: str
    load: bytearray = field(default_factory=lambda: bytearray(4096))


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def names(store: Store[Thing], session: str, candidates: str) -> str:
    """Return those of some names that a session still finds, without renewing the others."""
    found = ""
    for name in candidates:
        try:
            found += store.find(session, name).id
        except Forgotten:
            continue
    return found


def test_a_session_finds_what_it_kept() -> None:
    store: Store[Thing] = Store()
    thing = Thing("a")
    assert store.keep("ann", thing) == "a"
    assert store.find("ann", "a") is thing
    assert len(store) == 1


def test_nobody_else_finds_it() -> None:
    store: Store[Thing] = Store()
    store.keep("ann", Thing("a"))
    for session, name in (("bob", "a"), ("ann", "b"), ("", "a"), ("ann", ""), ("ann:", "a")):
        with pytest.raises(Forgotten):
            store.find(session, name)


def test_the_same_name_in_two_sessions_is_two_things() -> None:
    store: Store[Thing] = Store()
    mine, theirs = Thing("a"), Thing("a")
    store.keep("ann", mine)
    store.keep("bob", theirs)
    assert store.find("ann", "a") is mine
    assert store.find("bob", "a") is theirs


def test_a_session_keeps_its_last_used() -> None:
    store: Store[Thing] = Store(each=2)
    for name in "ab":
        store.keep("ann", Thing(name))
    store.find("ann", "a")
    store.keep("ann", Thing("c"))
    assert names(store, "ann", "abc") == "ac"


def test_one_visitor_does_not_push_out_another_before_the_total_is_reached() -> None:
    store: Store[Thing] = Store(each=2, total=10)
    store.keep("ann", Thing("a"))
    for index in range(50):
        store.keep("bob", Thing(f"{index}"))
    assert store.find("ann", "a").id == "a"
    assert len(store) == 3


def test_all_together_keep_the_total() -> None:
    store: Store[Thing] = Store(each=4, total=3)
    for session in "abcde":
        store.keep(session, Thing("x"))
    assert len(store) == 3
    with pytest.raises(Forgotten):
        store.find("b", "x")
    assert store.find("c", "x")


def test_time_runs_from_the_last_use() -> None:
    clock = Clock()
    store: Store[Thing] = Store(seconds=10, clock=clock)
    store.keep("ann", Thing("a"))
    store.keep("ann", Thing("b"))
    clock.now = 8
    store.find("ann", "a")
    clock.now = 12
    assert names(store, "ann", "ab") == "a"
    clock.now = 22
    assert len(store) == 0


def test_leaving_forgets_everything_of_a_session_only() -> None:
    store: Store[Thing] = Store()
    store.keep("ann", Thing("a"))
    store.keep("bob", Thing("b"))
    store.drop("ann")
    store.drop("nobody")
    assert names(store, "ann", "a") == ""
    assert names(store, "bob", "b") == "b"


def test_what_is_forgotten_leaves_the_memory() -> None:
    store: Store[Thing] = Store(each=4, total=16)
    alive: weakref.WeakSet[Thing] = weakref.WeakSet()
    most = 0
    for index in range(1000):
        thing = Thing(f"{index}")
        alive.add(thing)
        store.keep(f"visitor {index % 40}", thing)
        del thing
        if index % 100 == 99:
            gc.collect()
            most = max(most, len(alive))
    assert most == 16
    for index in range(40):
        store.drop(f"visitor {index}")
    gc.collect()
    assert len(alive) == 0


def test_without_visitors_the_alarm_forgets() -> None:
    store: Store[Thing] = Store(seconds=0.05)
    thing = Thing("a")
    gone = weakref.ref(thing)
    store.keep("ann", thing)
    del thing
    assert eventually(lambda: gone() is None)


def eventually(test: Callable[[], bool]) -> bool:
    for _ in range(200):
        gc.collect()
        if test():
            return True
        time.sleep(0.05)
    return False


def test_threads_do_not_disturb_each_other() -> None:
    store: Store[Thing] = Store(each=2, total=1000)
    wrong: list[str] = []

    def visit(session: str) -> None:
        for index in range(300):
            thing = Thing(f"{index}")
            store.keep(session, thing)
            if store.find(session, thing.id) is not thing:
                wrong.append(session)
        store.drop(session)

    threads = [threading.Thread(target=visit, args=(f"{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(store) == 0


def test_the_sentence_says_what_to_do_in_every_language() -> None:
    store: Store[Thing] = Store()
    with pytest.raises(Forgotten) as caught:
        store.find("ann", "a")
    sentences = {caught.value.sentence(language) for language in LANGUAGES}
    assert len(sentences) == len(LANGUAGES)


@pytest.mark.parametrize("bounds", [{"each": 0}, {"total": 0}, {"seconds": 0}])
def test_bounds_must_be_positive(bounds: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Store(**bounds)
