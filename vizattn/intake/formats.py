"""What a file is and how large its picture claims to be, from its first bytes alone."""

from __future__ import annotations

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

# Where a file begins with these bytes, this reader opens it. Pillow's general ``Image.open`` is not
# used: it would offer a file to every plugin, among them some that start other programs.
READERS: tuple[tuple[bytes, type[ImageFile]], ...] = (
    (b"\xff\xd8\xff", JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"GIF87a", GifImageFile),
    (b"GIF89a", GifImageFile),
    (b"II*\0", TiffImageFile),
    (b"MM\0*", TiffImageFile),
    (b"II+\0", TiffImageFile),
    (b"MM\0+", TiffImageFile),
)
BITMAP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes 14 to 18 of a BMP: its header's length

# Kinds that people do try and that are not read, by their first bytes.
FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"8BPS", "PSD"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"PK\x03\x04", "ZIP"),
)
# An ISO media file names its kind in its bytes 8 to 12.
BRANDS: dict[bytes, str] = {
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"
    ),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}


def reader_of(data: bytes) -> type[ImageFile] | None:
    """Return the reader for a file's content, or None where it is no picture that is read here."""
    for prefix, reader in READERS:
        if data.startswith(prefix):
            return reader
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WebPImageFile
    # Two letters alone are no proof of a bitmap: many a text begins with them.
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in BITMAP_HEADERS:
        return BmpImageFile
    return None


def foreign_kind(data: bytes) -> str | None:
    """Return the name of a kind of file that is known but not read here, such as "SVG"."""
    for prefix, kind in FOREIGN:
        if data.startswith(prefix):
            return kind
    if data[4:8] == b"ftyp":
        return BRANDS.get(data[8:12], "MP4")
    if b"%PDF-" in data[:1024]:  # readers of PDF allow that much before its mark
        return "PDF"
    beginning = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if beginning.startswith(b"<svg"):
        return "SVG"
    if beginning.startswith((b"<?xml", b"<!doctype svg", b"<!--")) and b"<svg" in beginning:
        return "SVG"
    return None


def declared_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) in pixels where the format states it at a fixed place, else None.

    Pillow already reserves the whole canvas of a WebP or GIF, or follows chunks of a PNG, when it
    opens the file; a size that is refused should be refused before that.
    """
    if data.startswith(b"\x89PNG") and data[12:16] == b"IHDR" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(b"GIF8") and len(data) >= 10:
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if data.startswith(b"RIFF") and len(data) >= 30:
        return _webp_size(data)
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Return the canvas's (width, height) from the first of a WebP file's chunks."""
    if data[12:16] == b"VP8X":  # twice 24 bits, each less one
        width, height = (int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        return width + 1, height + 1
    if data[12:16] == b"VP8L":  # twice 14 bits, each less one
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if data[12:16] == b"VP8 ":  # twice 14 bits, each in 16
        width, height = (int.from_bytes(data[at : at + 2], "little") for at in (26, 28))
        return width & 0x3FFF, height & 0x3FFF
    return None
