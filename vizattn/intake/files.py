"""The bytes and the name of whatever is given as a file."""

from __future__ import annotations

import stat
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

from vizattn.intake.remarks import PictureError

MAX_BYTES = 400_000_000  # 50 megapixels of RGBA with 16 bits each, uncompressed
MAX_NAME = 120
UNNAMED = "picture"

FileSource = str | Path | bytes | bytearray | memoryview | BinaryIO


def content(source: FileSource, name: str) -> bytes:
    """Return a file's bytes."""
    if isinstance(source, str | Path):
        data = _file_content(Path(source))
    elif isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif hasattr(source, "read"):
        data = _stream_content(source, name)
    else:  # callers without types, who pass a list or a tensor
        raise PictureError("errors.bad_source", given=type(source).__name__)
    if len(data) > MAX_BYTES:
        raise PictureError("errors.file_too_heavy", name=name, limit=MAX_BYTES // 10**6)
    return data


def label(source: object, name: str | None) -> str:
    """Return a picture's name: no folder, nothing unprintable, not too long."""
    given: object = name
    if name is None:
        known = source if isinstance(source, str | Path) else getattr(source, "name", None)
        given = known or getattr(source, "filename", None)
    if not isinstance(given, str | Path):
        return UNNAMED
    base = PureWindowsPath(given).name  # knows both kinds of slashes
    return "".join(filter(str.isprintable, base))[:MAX_NAME] or UNNAMED


def _file_content(path: Path) -> bytes:
    """Return a file's bytes, or of a file that is too heavy as many as show that it is."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):  # a pipe or a device would wait or never end
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PictureError("errors.missing_file", path=_shown(path)) from error
    except (OSError, ValueError) as error:
        raise PictureError("errors.unreadable_file", path=_shown(path)) from error
    key = "errors.directory" if stat.S_ISDIR(mode) else "errors.unreadable_file"
    raise PictureError(key, path=_shown(path))


def _shown(path: Path) -> str:
    """Return a path as a sentence can hold it; of a very long one the end, which tells most."""
    return "".join(filter(str.isprintable, str(path)))[-MAX_NAME:]


def _stream_content(stream: BinaryIO, name: str) -> bytes:
    """Return what a file object holds from its beginning on, or as much as shows it too heavy."""
    data = bytearray()
    try:
        if stream.seekable():
            stream.seek(0)
        while len(data) <= MAX_BYTES:
            part = stream.read(MAX_BYTES + 1 - len(data))  # may be less: a raw stream gives so
            if not isinstance(part, bytes):
                raise PictureError("errors.bad_source", given=type(stream).__name__)
            if not part:
                break
            data += part
    except PictureError:
        raise
    except (AttributeError, OSError, ValueError) as error:  # closed, or opened for writing
        raise PictureError("errors.unreadable_file", path=name) from error
    return bytes(data)
