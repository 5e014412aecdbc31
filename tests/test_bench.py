"""``bench``: what it measures is there and sane; how fast anything is, no test may say."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from vizattn.__main__ import main
from vizattn.benchmarks import browser, capturing, moves, starting
from vizattn.benchmarks.machine import machine
from vizattn.benchmarks.measure import Measure, alternate, ratio, skipped
from vizattn.commands import bench

UNITS = {"x", "ms", "s"}


@pytest.fixture(scope="module")
def quick() -> list[Measure]:
    return [*capturing.measures(quick=True), *starting.imports(quick=True)]


def test_ratios_are_finite_and_positive(quick: list[Measure]) -> None:
    assert len(quick) == 10
    for each in quick:
        assert each.value is not None, each
        assert math.isfinite(each.value)
        assert each.value > 0
        assert each.unit in UNITS
        assert each.note


def test_memory_of_capturing_is_at_least_that_of_a_plain_pass(quick: list[Measure]) -> None:
    (memory,) = [m for m in quick if "memory" in m.name and "segment" in m.name]
    assert memory.value is not None
    assert 1 <= memory.value < 2


def test_the_whole_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(starting, "_READY", ("import json",))
    assert main(["bench", "--quick", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["machine"] == machine()
    measures = report["measures"]
    assert len({each["name"] for each in measures}) == len(measures)
    for each in measures:
        assert list(each) == ["name", "value", "unit", "target", "met", "note"]
        assert each["unit"] in UNITS
        if each["value"] is None:
            assert each["met"] is None
            assert "--quick" in each["note"]
        elif each["target"] is not None:
            assert each["met"] is (each["value"] <= each["target"])
    names = " ".join(each["name"] for each in measures)
    for part in ("time", "memory", "Python", "browser", "import", "start-up", "upload", "click"):
        assert part in names


@pytest.mark.parametrize(("option", "rule"), [([], "---"), (["--markdown"], "|---|")])
def test_the_tables_show_every_measure(
    option: list[str],
    rule: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = [
        Measure("fast", 0.5, "ms", 1.0, "twice"),
        Measure("slow", 1.0504, "x", 1.05, "thrice"),
        Measure("free", 1234.5, "x"),
        skipped("absent", "s", 2.0, "no browser"),
    ]
    monkeypatch.setattr(bench, "_in_python", lambda quick: iter(found))
    monkeypatch.setattr(browser, "without", lambda reason: iter(()))
    assert main(["bench", "--quick", *option]) == 0
    head, line, *rows = capsys.readouterr().out.splitlines()
    assert rule in line
    assert all(name in head for name in bench.HEADS)
    fast, slow, free, absent = rows[:4]
    assert all(part in fast for part in ("0.50 ms", "<= 1.00 ms", "yes", "twice"))
    assert all(part in slow for part in ("1.050 x", "<= 1.050 x", "no", "thrice"))
    assert "1234 x" in free
    assert "no browser" in absent
    assert str(machine()["processor"]) in rows[-1]


def test_a_measure_knows_whether_its_target_is_met() -> None:
    assert Measure("a", 1.0, "x", 1.0).met is True
    assert Measure("a", 1.1, "x", 1.0).met is False
    assert Measure("a", 1.1, "x").met is None
    assert skipped("a", "x", 1.0, "why").met is None


def test_rounds_alternate_and_drift_cancels() -> None:
    calls: list[str] = []
    runs = {name: lambda name=name: calls.append(name) for name in "abc"}
    taken = alternate(runs, rounds=4)
    assert all(len(spent) == 4 for spent in taken.values())
    assert calls[:3] == ["a", "b", "c"], "each once to warm up"
    orders = [calls[3 + 3 * number : 6 + 3 * number] for number in range(4)]
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    assert len({order[0] for order in orders}) > 1
    assert ratio([2, 20, 200], [1, 10, 100]) == 2


def test_processor_time_does_not_count_waiting() -> None:
    spent = alternate({"waits": lambda: time.sleep(0.05)}, rounds=1)["waits"][0]
    assert spent.wall >= 0.05
    assert 0 <= spent.cpu < spent.wall


def test_peak_memory_is_what_is_alive_at_once() -> None:
    megabyte = 1_000_000

    def one_after_another() -> None:
        for _ in range(5):
            torch.ones(megabyte // 4)

    def together() -> list[torch.Tensor]:
        return [torch.ones(megabyte // 4) for _ in range(5)]

    assert capturing.peak_bytes(one_after_another) == pytest.approx(megabyte, rel=0.01)
    assert capturing.peak_bytes(together) == pytest.approx(5 * megabyte, rel=0.01)


def test_without_a_browser_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def started() -> Iterator[starting.Launched]:
        yield starting.Launched("http://127.0.0.1:1/", 1, Measure("start-up of the page", 1.0, "s"))

    monkeypatch.setattr(starting, "launched", started)
    monkeypatch.setenv("VIZATTN_CHROMIUM", "no-such-program")
    found: list[Measure] = []
    assert bench._with_page(found) is None
    assert found[0].value == 1.0
    assert len(found) == 1 + len(list(browser.without("")))
    assert all("Chromium" in each.note or "Playwright" in each.note for each in found[1:])


def test_a_page_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    program = tmp_path / "app.py"
    program.write_text("import sys; sys.exit('no page today')")
    monkeypatch.setattr(starting, "APP", program)
    monkeypatch.setenv("VIZATTN_CHROMIUM", "no-such-program")
    found: list[Measure] = []
    assert bench._with_page(found) is None
    assert "no page today" in found[0].note
    assert found[0].value is None


@pytest.mark.browser
def test_rows_in_the_browser(chromium: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("playwright.sync_api", reason="needs playwright")
    monkeypatch.setenv("VIZATTN_CHROMIUM", chromium)
    monkeypatch.setattr(browser, "ROW_TARGETS", {32: 1.0, 48: 1.0})
    with browser.browser() as running:
        found = list(browser.rows(running))
        assert running.version
    assert [each.unit for each in found] == ["ms", "x", "ms", "x"]
    for each in found:
        assert each.value is not None
        assert math.isfinite(each.value)
        assert each.value > 0


@pytest.mark.browser
def test_moves_in_the_browser(chromium: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("playwright.sync_api", reason="needs playwright")
    monkeypatch.setenv("VIZATTN_CHROMIUM", chromium)
    some = ("product", "far apart, then close", "criss-cross, three passes")
    monkeypatch.setattr(moves, "FORMS", {name: moves.FORMS[name] for name in some})
    monkeypatch.setattr(moves, "SIDE", 16)
    monkeypatch.setattr(moves, "MOVES", 5)
    with browser.browser() as running:
        found = list(browser.moves(running))
    assert [each.target for each in found] == [4.0, 8.0, 8.0]
    for each, name in zip(found, some, strict=True):
        assert name in each.name
        assert each.value is not None
        assert each.value > 0
