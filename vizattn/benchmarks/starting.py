"""How long it takes until something can be used: the import, and the page's first answer."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.error import URLError
from urllib.request import urlopen

from vizattn.benchmarks.measure import Measure

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app.py"
_PATIENCE = 180.0
_IMPORT = "import time; t = time.perf_counter(); {0}; print(time.perf_counter() - t)"
_READY = ("import vizattn", "import vizattn; vizattn.look")
"""the package itself, and with all that its first use loads"""


class NotStarted(RuntimeError):
    """The page did not answer; the message says what it wrote last."""


def imports(quick: bool = False) -> Iterator[Measure]:
    """Yield how long importing takes in a fresh interpreter."""
    times = 1 if quick else 3
    for line in _READY:
        command = [sys.executable, "-c", _IMPORT.format(line)]
        taken = [float(subprocess.check_output(command, cwd=ROOT, text=True)) for _ in range(times)]
        yield Measure(line, median(taken), "s", note=f"fresh interpreter, median of {times}")


@dataclass(frozen=True)
class Launched:
    """A page that runs.

    Args:
        address: where it is.
        process: number of its server's process.
        started: how long it took to start.
    """

    address: str
    process: int
    started: Measure


@contextmanager
def launched() -> Iterator[Launched]:
    """Start ``app.py`` on a free port, give what runs, and end it afterwards.

    Raises:
        NotStarted: if it ends or does not answer.
    """
    port = _free_port()
    address = f"http://127.0.0.1:{port}/"
    command = [sys.executable, str(APP), "--port", str(port), "--language", "en"]
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"GRADIO_ANALYTICS_ENABLED": "False"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait(process, address, began)
        note = "python app.py to the first HTTP 200"
        taken = time.perf_counter() - began
        yield Launched(address, process.pid, Measure("start-up of the page", taken, "s", note=note))
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait(process: subprocess.Popen[str], address: str, began: float) -> None:
    while time.perf_counter() - began < _PATIENCE:
        if process.poll() is not None:
            said = (process.stderr.read() if process.stderr else "").strip().splitlines()
            raise NotStarted(f"app.py ended at once: {said[-1] if said else 'without a word'}")
        try:
            with urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.02)
    raise NotStarted(f"app.py did not answer within {_PATIENCE:g} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
