"""Measuring what the server holds while pictures come: real pictures, a real server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.served import page_at
from vizattn.__main__ import main
from vizattn.benchmarks import starting, uploads
from vizattn.benchmarks.measure import Measure

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with page_at(tmp_path_factory.mktemp("networks")) as address:
        yield address


@pytest.fixture
def here(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page that is served in this process stand for the one that is launched."""

    @contextmanager
    def launched() -> Iterator[starting.Launched]:
        started = Measure("start-up of the page", 1.0, "s")
        yield starting.Launched(address, os.getpid(), started)

    monkeypatch.setattr(starting, "launched", launched)
    monkeypatch.setattr(uploads, "_LEAVING", 0.0)


def test_pictures_are_all_different(tmp_path: Path) -> None:
    seen = {uploads._picture(tmp_path / "one.jpg", seed).read_bytes() for seed in range(20)}
    assert len(seen) == 20


def test_the_server_is_looked_at_before_meanwhile_and_after(address: str) -> None:
    if uploads.resident_bytes() is None:
        pytest.skip("this system does not say what a process holds")
    found = list(uploads.held_over(5, address, os.getpid(), every=2, leaving=0.0))
    assert [each.uploads for each in found] == [0, 2, 4, 5, 5]
    assert all(each.megabytes > 100 for each in found), "torch alone takes more"
    seconds = [each.seconds for each in found]
    assert seconds == sorted(seconds)


def test_the_command_prints_what_was_held(here: None, capsys: Captured) -> None:
    if uploads.resident_bytes() is None:
        pytest.skip("this system does not say what a process holds")
    assert main(["bench", "--uploads", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["uploads"] for each in found] == [0, 2, 2]
    assert main(["bench", "--uploads", "1"]) == 0
    assert "resident" in capsys.readouterr().out


@pytest.mark.parametrize("number", ["0", "-3"])
def test_nothing_to_send_is_said(here: None, capsys: Captured, number: str) -> None:
    assert main(["bench", "--uploads", number]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "expected one upload or more" in said[0]


def test_a_system_that_does_not_tell_is_said(
    here: None, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(uploads, "resident_bytes", lambda process: None)
    assert main(["bench", "--uploads", "2"]) == 2
    assert "does not say how much memory" in capsys.readouterr().err
