"""What cannot be used is refused in one clear sentence, the absurd before it is decoded."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageFile, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from tests.pictures import (
    encoded,
    example,
    pixels,
    png,
    quarters,
    reason,
    refusal,
)
from vizattn.intake import files, read_picture


def test_missing_files_folders_and_pipes(tmp_path: Path) -> None:
    missing = refusal(tmp_path / "nothing.png")
    assert missing.key == "errors.missing_file"
    assert "nothing.png" in str(missing)
    assert reason(str(tmp_path / "file.png" / "below")) == "missing_file"
    assert reason(tmp_path) == "directory"
    assert reason("a\0b.png") == "unreadable_file"
    assert reason("x" * 5000) == "unreadable_file"
    os.mkfifo(tmp_path / "pipe")
    assert reason(tmp_path / "pipe") == "unreadable_file"  # and nothing waits for a writer
    assert reason(Path("/dev/zero")) == "unreadable_file"


def test_files_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked.png"
    path.write_bytes(example())

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert reason(path) == "unreadable_file"


def test_streams_that_hold_no_bytes() -> None:
    closed = io.BytesIO(example())
    closed.close()
    assert reason(closed) == "unreadable_file"
    assert reason(io.StringIO("text")) == "bad_source"
    assert reason([1, 2, 3]) == "bad_source"
    assert reason(None) == "bad_source"


def test_empty_files(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    assert reason(tmp_path / "empty.png") == "empty_file"
    assert reason(b"") == "empty_file"
    assert reason(io.BytesIO()) == "empty_file"


def test_heavy_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    (tmp_path / "heavy.bmp").write_bytes(example("BMP"))
    for source in (tmp_path / "heavy.bmp", example("BMP"), io.BytesIO(example("BMP"))):
        assert reason(source) == "file_too_heavy"


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"hello, this is a text\n" * 50,
        b"BMW is a car" * 9,
        b"<html><body>no picture</body></html>",
        bytes(range(256)) * 9,
    ],
)
def test_what_is_no_picture(data: bytes) -> None:
    error = refusal(data, name="notes.txt")
    assert error.key == "errors.not_a_picture"
    assert "notes.txt" in str(error)
    assert "notes.txt" in error.sentence("zh")


FOREIGN = {
    "SVG": [
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b'\xef\xbb\xbf\n<?xml version="1.0"?>\n<!-- drawn -->\n<svg width="9"/>',
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" ""><SVG/>',
    ],
    "HEIC": [b"\0\0\0\x18ftypheic\0\0\0\0", b"\0\0\0\x18ftypmif1\0\0\0\0"],
    "AVIF": [b"\0\0\0\x1cftypavif\0\0\0\0"],
    "MP4": [b"\0\0\0\x18ftypisom\0\0\0\0"],
    "PDF": [b"%PDF-1.7\n", b"\n\n%PDF-1.4\n"],
    "EPS": [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n",
        b"\xc5\xd0\xd3\xc6" + bytes(40),
    ],
    "PSD": [b"8BPS\0\x01" + bytes(20)],
    "JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0"],
    "JPEG XL": [b"\xff\x0a\0\0", b"\0\0\0\x0cJXL \r\n\x87\n"],
    "ZIP": [b"PK\x03\x04" + bytes(30)],
}


@pytest.mark.parametrize(("kind", "data"), [(k, d) for k, all_ in FOREIGN.items() for d in all_])
def test_known_kinds_that_are_not_read_are_named(kind: str, data: bytes) -> None:
    error = refusal(data, name="drawing.png")
    assert error.key == "errors.unsupported_format"
    assert error.values == {"name": "drawing.png", "format": kind}


def test_postscript_never_runs_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise AssertionError("a program would have been started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    data = encoded(Image.fromarray(quarters()), "EPS")
    assert reason(data) == "unsupported_format"
    with Image.open(io.BytesIO(data)) as lazy:
        assert reason(lazy) == "unsupported_format"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_truncated_files(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    for share in (0.3, 0.6, 0.9):
        assert reason(data[: int(len(data) * share)]) in ("truncated", "damaged")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_a_download_that_stopped_is_told_from_damage() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    for kind in ("PNG", "JPEG", "BMP"):
        data = encoded(Image.fromarray(noise), kind)
        assert reason(data[: len(data) // 2]) == "truncated"
    spoilt = bytearray(encoded(Image.fromarray(noise), "PNG"))
    spoilt[60:80] = bytes(20)
    assert reason(bytes(spoilt)) == "damaged"


def tiff_header(width: int, height: int) -> bytes:
    tags = [
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, height),
        (279, 100),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)


def jpeg_header(width: int, height: int) -> bytes:
    data = bytearray(example("JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp_header(width: int, height: int) -> bytes:
    data = bytearray(example("BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def gif_header(width: int, height: int) -> bytes:
    data = bytearray(example("GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def png_header(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png(header, [(b"IDAT", zlib.compress(bytes(100)))])


def webp_extended_header(width: int, height: int) -> bytes:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + sizes + bytes(8)


def webp_lossy_header(width: int, height: int) -> bytes:
    data = bytearray(example("WEBP"))
    data[26:30] = struct.pack("<HH", width, height)
    return bytes(data)


def webp_lossless_header(width: int, height: int) -> bytes:
    data = bytearray(example("WEBP", lossless=True))
    data[21:25] = struct.pack("<I", width - 1 | height - 1 << 14)
    return bytes(data)


@pytest.fixture
def nothing_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every way to decode pixels, or to reserve memory for them, fail the test."""

    def decode(*_: Any, **__: Any) -> None:
        raise AssertionError("decoded before its size was checked")

    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", decode)
    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "load", decode)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", decode)
    monkeypatch.setattr(WebPImagePlugin._webp, "WebPAnimDecoder", decode)


@pytest.mark.usefixtures("nothing_decoded")
@pytest.mark.parametrize(
    ("header", "size"),
    [
        (png_header, (60_000, 60_000)),
        (png_header, (2**31 - 1, 2**31 - 1)),
        (png_header, (50_001, 1000)),
        (jpeg_header, (60_000, 60_000)),
        (bmp_header, (60_000, 60_000)),
        (gif_header, (60_000, 60_000)),
        (tiff_header, (60_000, 60_000)),
        (tiff_header, (9000, 9000)),
        (webp_extended_header, (16_384, 16_384)),
        (webp_extended_header, (2**24, 2**24)),
        (webp_lossy_header, (16_383, 16_383)),
        (webp_lossless_header, (16_384, 16_384)),
    ],
)
def test_absurd_sizes_are_refused_by_their_header(
    header: Callable[[int, int], bytes], size: tuple[int, int], recwarn: pytest.WarningsRecorder
) -> None:
    before = Image.MAX_IMAGE_PIXELS
    error = refusal(header(*size))
    assert error.key == "errors.too_many_pixels"
    assert (error.values["width"], error.values["height"]) == size
    assert before == Image.MAX_IMAGE_PIXELS
    assert len(recwarn) == 0


@pytest.mark.parametrize(
    "header",
    [
        png_header,
        jpeg_header,
        bmp_header,
        gif_header,
        tiff_header,
        webp_extended_header,
        webp_lossy_header,
        webp_lossless_header,
    ],
)
def test_small_and_narrow_pictures_are_refused_by_their_header(
    header: Callable[[int, int], bytes], nothing_decoded: None
) -> None:
    assert reason(header(16, 7)) == "too_small"
    assert reason(header(1601, 80)) == "too_narrow"
    assert reason(header(80, 1601)) == "too_narrow"


def test_the_limits_themselves_are_allowed() -> None:
    assert read_picture(np.zeros((8, 8, 3), np.uint8)).size == (8, 8)
    assert read_picture(np.zeros((8, 160), np.uint8)).size == (160, 8)
    largest = np.broadcast_to(np.uint8(200), (5000, 10_000))
    picture = read_picture(largest, working_pixels=10_000)
    assert picture.original_size == (10_000, 5000)
    assert pixels(picture).min() == pixels(picture).max() == 200


def test_a_pillow_image_is_checked_before_it_is_loaded(nothing_decoded: None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lazy = Image.open(io.BytesIO(png_header(10_000, 9000)))
    assert reason(lazy) == "too_many_pixels"
    assert reason(Image.new("RGB", (0, 0))) == "too_small"


def test_a_frame_that_outgrows_its_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    # The size of the screen may pass where that of the frame on it does not.
    data = bytearray(encoded(Image.new("L", (16, 16)), "GIF"))
    frame = data.index(b"\x2c", 13)
    data[frame + 5 : frame + 9] = struct.pack("<HH", 60_000, 60_000)
    assert reason(bytes(data)) in ("too_many_pixels", "bomb")


@pytest.mark.parametrize("place", ["before", "after"])
def test_text_that_unpacks_to_a_bomb(place: str) -> None:
    text = (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9))
    rows = (b"IDAT", zlib.compress(bytes(16 * (1 + 16 * 3))))
    chunks = [text, rows] if place == "before" else [rows, text]
    data = png(struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0), chunks)
    assert reason(data) == "bulky_metadata"


def test_a_profile_that_unpacks_to_a_bomb() -> None:
    profile = (b"iCCP", b"p\0\0" + zlib.compress(bytes(50_000_000), 9))
    rows = (b"IDAT", zlib.compress(bytes(16 * (1 + 16 * 3))))
    data = png(struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0), [profile, rows])
    assert reason(data) == "bulky_metadata"
