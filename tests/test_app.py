"""Starting the page from the command line: what is refused, and how."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import httpx
import pytest

import app
from tests.served import free_port, networks_at
from vizattn.ui import page
from vizattn.ui.frame import Frame
from vizattn.ui.page import Tab, build_page
from vizattn.ui.settings import Settings
from vizattn.ui.visits import Visit

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module", autouse=True)
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with networks_at(tmp_path_factory.mktemp("networks")):
        yield


def options(*arguments: str) -> tuple[str, str] | None:
    return app.read_auth(app.parser().parse_args(arguments))


def test_the_login_comes_from_a_file_the_environment_or_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIZATTN_AUTH", raising=False)
    assert options() is None
    assert options("--auth", "ann:secret:with:colons") == ("ann", "secret:with:colons")
    monkeypatch.setenv("VIZATTN_AUTH", "bob:word")
    assert options("--auth", "ann:secret") == ("bob", "word")
    file = tmp_path / "login"
    file.write_text("eve:other\n")
    assert options("--auth-file", str(file)) == ("eve", "other")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the sentence with which the program refuses to start."""
    assert app.main(list(arguments)) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("app.py: ")
    assert "\n" not in said
    return said


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port} is taken" in refused(capsys, "--port", port, "--device", "cpu")


def test_what_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "USER:PASSWORD" in refused(capsys, "--auth", "ann")
    assert "nowhere" in refused(capsys, "--auth-file", str(tmp_path / "nowhere"))
    assert "positive" in refused(capsys, "--queue-size", "0")
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(tmp_path))
    assert "networks" in refused(capsys)


def test_unknown_options_show_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        app.main(["--colour", "blue"])
    assert left.value.code == 2
    assert "usage" in capsys.readouterr().err


def hear_interrupts() -> None:
    """Undo what a shell does to programs that it starts in the background: they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_it_starts_asks_for_the_login_and_ends_when_told(number: int, tmp_path: Path) -> None:
    port = free_port()
    environment = os.environ | {"VIZATTN_AUTH": "ann:secret", "TMPDIR": str(tmp_path)}
    del environment["GRADIO_TEMP_DIR"]
    command = [sys.executable, "app.py", "--port", str(port), "--device", "cpu"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    ) as started:
        try:
            assert started.stdout is not None
            said = started.stdout.readline()
            address = f"http://127.0.0.1:{port}/"
            assert address in said
            assert list(tmp_path.glob("vizattn-*")), "a folder for what visitors send"
            assert httpx.get(f"{address}config").status_code == 401
            login = {"username": "ann", "password": "secret"}
            with httpx.Client() as client:
                assert client.post(f"{address}login", data=login).status_code == 200
                assert client.get(f"{address}config").status_code == 200
                # A visitor who is still there does not hold it up.
                with client.stream("GET", f"{address}gradio_api/heartbeat/visitor") as alive:
                    assert alive.status_code == 200
                    started.send_signal(number)
                    assert started.wait(timeout=60) == 0
            assert started.stderr is not None
            assert "Traceback" not in started.stderr.read()
            assert list(tmp_path.glob("vizattn-*")) == []
        finally:
            started.kill()


def test_a_second_tab_is_a_builder_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Frame] = []
    monkeypatch.setattr(page, "TABS", (*page.TABS, Tab("more", "explore.help", built.append)))
    blocks = build_page(app.Library("cpu"), Settings())
    labels = [each.label for each in blocks.blocks.values() if type(each).__name__ == "Tab"]
    assert (labels[0], labels[-1]) == ("Explore", "Help")
    assert built[0].blocks is blocks


def test_a_picture_may_come_before_the_page_has_said_hello() -> None:
    library = app.Library("cpu")
    blocks = build_page(library, Settings())
    visits = [each.value for each in blocks.blocks.values() if isinstance(each, gr.State)]
    asked = [each.network for each in visits if isinstance(each, Visit)]
    assert asked, "the page keeps a visit"
    assert set(asked) <= library.cards().keys()
