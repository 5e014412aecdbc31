"""Pictures to test with: four colours in every kind of file, and files made by hand."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vizattn.intake import Picture, PictureError, read_picture
from vizattn.texts import LANGUAGES

RED, GREEN, BLUE, GREY = (220, 30, 40), (20, 160, 60), (30, 60, 200), (128, 128, 128)


def quarters(width: int = 64, height: int = 32) -> np.ndarray:
    """Return (height, width, rgb): four colours, so that every turn and mirroring shows."""
    array = np.empty((height, width, 3), np.uint8)
    middle_row, middle = height // 2, width // 2
    array[:middle_row, :middle], array[:middle_row, middle:] = RED, GREEN
    array[middle_row:, :middle], array[middle_row:, middle:] = BLUE, GREY
    return array


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def example(kind: str = "PNG", **options: Any) -> bytes:
    return encoded(Image.fromarray(quarters()), kind, **options)


def pixels(picture: Picture) -> np.ndarray:
    return np.asarray(picture.rgb).astype(int)


def keys(picture: Picture) -> list[str]:
    return [note.key.removeprefix("errors.") for note in picture.notes]


def refusal(source: Any, read: Callable[..., Any] = read_picture, **options: Any) -> PictureError:
    """Return why a source is refused, having checked that its sentence says what to do."""
    with pytest.raises(PictureError) as caught:
        read(source, **options)
    for language in LANGUAGES:
        sentence = caught.value.sentence(language)
        assert "{" not in sentence
        assert sentence.count("\n") == 0
        assert sentence.endswith((".", "。"))
        assert ": " in sentence or "\uff1a" in sentence  # what is wrong: what to do
    return caught.value


def reason(source: Any, **options: Any) -> str:
    return refusal(source, **options).key.removeprefix("errors.")


# What the first row and the first column of the stored pixels are in the upright picture, from the
# definition of the tag: 6, for one, has the picture's right side as its first row.
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: upright[::-1].swapaxes(0, 1),
}


def orientation_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def deep_png(array: np.ndarray) -> bytes:
    """Return a PNG of 16 bits, (height, width) grey or (height, width, 3) colours."""
    colour_type = 2 if array.ndim == 3 else 0
    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    return png(header, [(b"IDAT", zlib.compress(rows))])


def png(header: bytes, chunks: list[tuple[bytes, bytes]]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    parts = [chunk(*each) for each in [(b"IHDR", header), *chunks, (b"IEND", b"")]]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def profile(name: bytes, space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return a display profile of a colour space such as b"RGB " with the tags that it needs."""
    title = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + bytes(80)
    tags = {b"desc": title + bytes(-len(title) % 4), b"wtpt": xyz((0.9642, 1.0, 0.8249)), **tags}
    at, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for kind, value in tags.items():
        table += kind + struct.pack(">II", at + len(body), len(value))
        body += value
    length = at + len(body)
    kinds = b"mntr" + space + b"XYZ "
    header = struct.pack(">I4sI", length, b"", 0x02400000) + kinds + bytes(12) + b"acsp"
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)  # D50
    return header + bytes(128 - len(header)) + table + body


def xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(value * 256))


def matrix_profile(name: bytes, primaries: list[tuple[float, float, float]]) -> bytes:
    """Return a profile from the XYZ (D50) of red, green and blue, with a gamma of 2.2."""
    tags = {kind: xyz(p) for kind, p in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return profile(name, b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(2.2)))


P3 = [(0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)]
LINEAR_GREY = profile(b"linear grey", b"GRAY", {b"kTRC": gamma(1.0)})


def spoilt_tiff() -> bytes:
    """Return a TIFF whose copyright lies behind its end: it can be read, and Pillow warns."""
    data = bytearray(example("TIFF", tiffinfo={33432: "nobody, in some length"}))
    directory = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[directory : directory + 2], "little")
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        if int.from_bytes(data[at : at + 2], "little") == 33432:
            data[at + 8 : at + 12] = struct.pack("<I", len(data) + 1000)
            return bytes(data)
    raise AssertionError("no copyright was written")
