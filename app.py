"""Build the page and launch it: ``python app.py --help``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

# Before Gradio is imported: nothing about its use goes anywhere.
os.environ |= {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

from vizattn.networks import Library
from vizattn.ui.page import build_page, launch_options
from vizattn.ui.settings import Settings

FILES = "GRADIO_TEMP_DIR"
"""where Gradio keeps what visitors send and fetch"""


def main(arguments: list[str] | None = None) -> int:
    """Run the page until Ctrl-C; returns 0, or 2 with one sentence where it cannot start."""
    options = parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.WARNING)
    ended = heed_signals()
    with folder_of_its_own():
        return run(options, ended)


def run(options: argparse.Namespace, ended: threading.Event) -> int:
    """Run the page until it is to end; returns what the program returns."""
    try:
        settings = Settings(
            language=options.language,
            session_minutes=options.session_minutes,
            max_upload_mb=options.max_upload_mb,
            concurrency=options.concurrency,
            queue_size=options.queue_size,
            downloads=not options.no_downloads,
            allow_weights=options.allow_weights,
            max_weights_mb=options.max_weights_mb,
        )
        page = build_page(Library(options.device), settings, ahead=True)
        _, address, public = page.launch(
            server_name=options.host,
            server_port=options.port,
            share=options.share,
            auth=read_auth(options),
            quiet=True,
            prevent_thread_lock=True,
            **launch_options(settings),
        )
    except (OSError, ValueError) as error:
        taken = "empty port" in str(error)
        reason = f"port {options.port} is taken: give another with --port" if taken else error
        print(f"app.py: {reason}", file=sys.stderr)
        return 2
    print(f"vizattn is at {public or address} (Ctrl-C ends it)", flush=True)
    ended.wait()
    page.close(verbose=False)
    return 0


def heed_signals() -> threading.Event:
    """Return what Ctrl-C or a request to end sets; a second one changes nothing."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended


@contextmanager
def folder_of_its_own() -> Iterator[None]:
    """Let Gradio keep files in a folder that is gone afterwards, unless it was told of another."""
    if os.environ.get(FILES):
        yield
        return
    with TemporaryDirectory(prefix="vizattn-", ignore_cleanup_errors=True) as folder:
        os.environ[FILES] = folder
        try:
            yield
        finally:
            del os.environ[FILES]


def read_auth(options: argparse.Namespace) -> tuple[str, str] | None:
    """Return (user, password) from a file, the environment or the command line, in this order.

    Raises:
        ValueError: if it is not written USER:PASSWORD.
        OSError: if the file cannot be read.
    """
    file: Path | None = options.auth_file
    given = file.read_text(encoding="utf-8") if file else os.environ.get("VIZATTN_AUTH")
    given = (given or options.auth or "").strip()
    user, _, password = given.partition(":")
    if given and not (user and password):
        raise ValueError("expected USER:PASSWORD for the login")
    return (user, password) if given else None


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="app.py",
        description="Start the page: see where a vision model looks, on your own picture.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    usual = Settings()
    add = made.add_argument
    add("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 lets others in")
    add("--port", type=int, default=7860, help="port to listen at")
    add("--share", action="store_true", help="make a public link through Gradio's servers")
    add(
        "--auth",
        metavar="USER:PASSWORD",
        help="ask for a login; others on this machine can read "
        "it in the list of processes, unlike VIZATTN_AUTH in the environment or --auth-file",
    )
    add("--auth-file", type=Path, metavar="FILE", help="a file that holds USER:PASSWORD")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where networks run")
    add("--max-upload-mb", type=int, default=usual.max_upload_mb, help="largest picture file")
    add("--queue-size", type=int, default=usual.queue_size, help="how many requests may wait")
    add("--concurrency", type=int, default=usual.concurrency, help="pictures worked on at a time")
    add(
        "--no-downloads",
        action="store_true",
        help="offer only networks that are here: choosing a pretrained one downloads nothing",
    )
    add(
        "--allow-weights",
        action="store_true",
        help="let visitors use weights of their own for the networks that are here",
    )
    add(
        "--max-weights-mb",
        type=int,
        default=usual.max_weights_mb,
        help="largest file of weights that visitors may send",
    )
    add(
        "--session-minutes",
        type=float,
        default=usual.session_minutes,
        help="how long a picture is kept after its visitor last used it",
    )
    add(
        "--language",
        choices=("auto", "en", "zh"),
        default=usual.language,
        help="of the page; auto takes the browser's",
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
