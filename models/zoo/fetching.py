"""Files of others' weights: fetched on first use into the libraries' own caches, verified."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import tempfile
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from models.weights import WeightsError
from models.zoo.table import Entry

Progress = Callable[[int, int], None]
"""is told how many bytes of how many are here"""
FILE = "model.safetensors"
"""what a repository of the hub calls its weights"""
PATIENCE = 30.0
"""seconds without an answer after which a server counts as out of reach"""
_PIECE = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"-([0-9a-f]{8,})\.")


class Unreachable(WeightsError):
    """A file is not here yet and cannot be fetched."""


def quiet(done: int, total: int) -> None:
    """Tell nobody how far a file is."""


def cached(entry: Entry) -> Path | None:
    """Return where an entry's file lies, or None while it is still to be downloaded."""
    if not _is_address(entry):
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(entry.origin, FILE)
        return Path(found) if isinstance(found, str) else None
    path = _hub_folder() / entry.origin.rpartition("/")[2]
    return path if path.is_file() else None


def fetch(entry: Entry, progress: Progress = quiet) -> Path:
    """Return where an entry's file lies, intact; it is downloaded where it is not, or damaged.

    Args:
        entry: whose file.
        progress: is told how far the download is; never called where the file is here.

    Raises:
        Unreachable: if it must be downloaded and cannot be.
        WeightsError: if what was downloaded is damaged.
    """
    path = cached(entry)
    if path is not None:
        if intact(path):
            return path
        _remove(path)
    path = (_from_address if _is_address(entry) else _from_hub)(entry, progress)
    if not intact(path):
        _remove(path)
        raise WeightsError(f"{path.name} is damaged: its checksum is not the published one")
    return path


def _is_address(entry: Entry) -> bool:
    """Return whether an entry's file has an address; a repository of the hub has a name."""
    return "://" in entry.origin


def intact(path: Path) -> bool:
    """Return whether a file of a cache is what was published, as far as its name can tell.

    PyTorch's files carry the beginning of their SHA-256 in their names; the hub's cache names a
    file by its SHA-256 and links to it. Where a system has no links there is nothing to compare.
    """
    if path.is_symlink():
        wanted = _SHA256.fullmatch(path.resolve().name)
        return wanted is None or sha256(path) == wanted[0]
    prefix = _PREFIX.search(path.name)
    return prefix is None or sha256(path).startswith(prefix[1])


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path: Path) -> None:
    """Remove a file and, in the hub's cache, what it links to, so that it is fetched anew."""
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _hub_folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _from_hub(entry: Entry, progress: Progress) -> Path:
    from huggingface_hub import constants, hf_hub_download

    try:
        _look_up(constants.ENDPOINT)
        return Path(hf_hub_download(entry.origin, FILE, tqdm_class=_told(entry, progress)))
    except Exception as error:
        # The client lets pass whatever its HTTP library raises, and has changed that library.
        raise Unreachable(_reason(error)) from error


def _look_up(address: str) -> None:
    """Raise OSError at once where there is no network: the hub's client tries for half a minute."""
    place = urlsplit(address)
    if place.hostname and not urllib.request.getproxies():
        socket.getaddrinfo(place.hostname, place.port or place.scheme)


def _reason(error: Exception) -> str:
    """Return the innermost cause of an error in one line: what the network itself said."""
    while True:
        inner = getattr(error, "reason", None) or error.__cause__
        if not isinstance(inner, Exception):
            break
        error = inner
    said = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
    return str(said).split("\n")[0]


def _told(entry: Entry, progress: Progress) -> Any:
    """Return a class that the hub's client takes for a progress bar."""
    from tqdm.auto import tqdm

    class Bar(tqdm):
        """Draws nothing and tells how far it is."""

        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named | {"disable": True})
            self.n = named.get("initial") or 0
            self.total = named.get("total") or entry.bytes

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            progress(int(self.n), int(self.total))

    return Bar


def _from_address(entry: Entry, progress: Progress) -> Path:
    folder = _hub_folder()
    target = folder / entry.origin.rpartition("/")[2]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Written beside where it goes, then moved: a half-fetched file is never under its own name.
        handle, name = tempfile.mkstemp(suffix=".partial", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                _stream(entry, file.write, progress)
            os.replace(name, target)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)
    except OSError as error:
        raise Unreachable(_reason(error)) from error
    return target


def _stream(entry: Entry, write: Callable[[bytes], object], progress: Progress) -> None:
    """Hand on a file piece by piece; raises OSError where the server ends it early."""
    request = urllib.request.Request(entry.origin, headers={"User-Agent": "vizattn"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        total = int(answer.headers.get("Content-Length") or 0)
        done = 0
        while piece := answer.read(_PIECE):
            write(piece)
            done += len(piece)
            progress(done, total or entry.bytes)
    if total and done != total:
        raise OSError(f"expected {total} bytes, received {done}")
