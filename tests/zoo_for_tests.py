"""Caches that hold random weights, and servers that hand them out, as the real ones do."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest

from models.zoo.fetching import FILE

COMMIT = "0" * 40


@dataclass(frozen=True)
class Served:
    """What is answered at a path: the body, and headers beside its length."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    """what the answer says of its length, where that is not true"""
    pause: float = 0.0
    """seconds that it waits before each megabyte"""


@contextmanager
def server(files: Mapping[str, Served]) -> Iterator[str]:
    """Serve files on this machine and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(False)

        def do_GET(self) -> None:
            self._answer(True)

        def _answer(self, whole: bool) -> None:
            found = files.get(self.path)
            if found is None:
                self.send_error(404)
                return
            self.send_response(200)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(found.length or len(found.body)))
            self.end_headers()
            for start in range(0, len(found.body) if whole else 0, 1 << 20):
                time.sleep(found.pause)
                self.wfile.write(found.body[start : start + (1 << 20)])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}"
        finally:
            running.shutdown()


def on_hub(repository: str, content: bytes, etag: str | None = None) -> dict[str, Served]:
    """Return what the hub answers for the weights of a repository."""
    etag = hashlib.sha256(content).hexdigest() if etag is None else etag
    headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}
    return {f"/{repository}/resolve/main/{FILE}": Served(content, headers)}


def in_cache(folder: Path, repository: str, content: bytes, etag: str | None = None) -> Path:
    """Write weights as the hub's cache keeps them; return where they are found."""
    etag = hashlib.sha256(content).hexdigest() if etag is None else etag
    place = folder / f"models--{repository.replace('/', '--')}"
    for inner in ("blobs", "refs", f"snapshots/{COMMIT}"):
        (place / inner).mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    (place / "blobs" / etag).write_bytes(content)
    link = place / "snapshots" / COMMIT / FILE
    link.symlink_to(Path("../../blobs") / etag)
    return link


def use_caches(patch: pytest.MonkeyPatch, folder: Path, endpoint: str | None = None) -> None:
    """Let both libraries keep files in a folder, and the hub be somewhere else, or nowhere."""
    patch.setenv("TORCH_HOME", str(folder / "torch"))
    patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder / "hub"))
    patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", endpoint is None)
    if endpoint is not None:
        patch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
        patch.setattr(
            huggingface_hub.constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            endpoint + "/{repo_id}/resolve/{revision}/{filename}",
        )
