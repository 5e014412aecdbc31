"""A file's bytes or a Pillow image, decoded safely and turned upright, whatever it shows."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from math import sqrt

from PIL import Image

from vizattn.intake.files import FileSource, content
from vizattn.intake.formats import declared_size, foreign_kind, reader_of
from vizattn.intake.pixels import DEEP_MODES
from vizattn.intake.remarks import Note, PictureError

MAX_PIXELS = 50_000_000
MIN_SIDE = 8
MAX_RATIO = 20

ORIENTATION = 0x0112  # the EXIF tag, 1 to 8
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = {turn for value, turn in UPRIGHT.items() if value >= 5}  # these swap width and height
# Pillow logs odd files as errors, which Python prints where nobody set up logging.
logging.getLogger("PIL").addHandler(logging.NullHandler())
# Filters of warnings belong to the process, so one thread at a time may exchange them.
_DECODING = threading.Lock()

Convert = Callable[[Image.Image], tuple[Image.Image, list[Note]]]
"""a loaded image of any mode as one that can be turned, with notes on what was done to it"""
# What is left to do with these is the reduction: upright pixels, (width, height) they had, notes.
Loaded = tuple[Image.Image, tuple[int, int], list[Note]]


def load(
    source: FileSource | Image.Image, name: str, working_pixels: int, convert: Convert
) -> Loaded:
    """Return the upright pixels of a file or a Pillow image, with the size that they had and notes.

    Args:
        source: the picture.
        name: how sentences call it.
        working_pixels: what it will be reduced to; a JPEG may already come out smaller.
        convert: what to do with the decoded image before it is turned.

    Raises:
        PictureError: if it cannot be used; the sentence says why and what to do.
    """
    if isinstance(source, Image.Image):
        return _from_image(source, name, convert)
    return _from_bytes(content(source, name), name, working_pixels, convert)


def check_size(size: tuple[int, int]) -> None:
    """Refuse a picture that is too large, too small or too narrow."""
    width, height = size
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 10**6
        raise PictureError("errors.too_many_pixels", width=width, height=height, limit=limit)
    if min(size) < MIN_SIDE:
        raise PictureError("errors.too_small", width=width, height=height, least=MIN_SIDE)
    if max(size) > MAX_RATIO * min(size):
        raise PictureError("errors.too_narrow", width=width, height=height, ratio=MAX_RATIO)


def check_working_pixels(pixels: int) -> None:
    """Refuse to reduce pictures to less than the least picture, with a ValueError."""
    if pixels < MIN_SIDE**2:
        raise ValueError(f"expected working_pixels >= {MIN_SIDE**2}, received {pixels}")


def fitting(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    """Return the (width, height) of the same shape that holds at most a number of pixels."""
    width, height = size
    if width * height <= pixels:
        return size
    scale = sqrt(pixels / (width * height))
    return max(1, int(width * scale)), max(1, int(height * scale))


def reduction(original: tuple[int, int], size: tuple[int, int]) -> list[Note]:
    """Return what to say of a picture that was reduced, and nothing of one that was not."""
    if size == original:
        return []
    sizes = {"from_width": original[0], "from_height": original[1]}
    return [Note("errors.note_reduced", sizes | {"width": size[0], "height": size[1]})]


def _from_image(source: Image.Image, name: str, convert: Convert) -> Loaded:
    """Read a Pillow image, of which a copy is taken first: loading and converting may change it."""
    check_size(source.size)
    if source.format == "EPS" and getattr(source, "tile", None):  # not loaded: would run a program
        raise PictureError("errors.unsupported_format", name=name, format="EPS")
    with _decoding(name):
        image = source.copy()
        pixels, notes = convert(image)
        return _upright(image, pixels, pixels.size, notes)


def _from_bytes(data: bytes, name: str, working_pixels: int, convert: Convert) -> Loaded:
    """Decode a file's content, once its header has shown that it may be decoded."""
    if not data:
        raise PictureError("errors.empty_file", name=name)
    reader = reader_of(data)
    if reader is None:
        kind = foreign_kind(data)
        if kind:
            raise PictureError("errors.unsupported_format", name=name, format=kind)
        raise PictureError("errors.not_a_picture", name=name)
    declared = declared_size(data)
    if declared:
        check_size(declared)
    with _decoding(name), reader(BytesIO(data)) as image:
        original = image.size
        check_size(original)
        # A JPEG can be decoded at a half, a quarter or an eighth of its size in much less time.
        drafted = image.draft(None, fitting(original, working_pixels))
        deep = any(";16" in str(tile[3]) for tile in image.tile)
        image.load()
        if not drafted:
            original = image.size
        pixels, notes = convert(image)
        if deep and image.mode not in DEEP_MODES:
            notes.append(Note("errors.note_depth"))
        if _has_more(image):
            notes.append(Note("errors.note_first_frame"))
        return _upright(image, pixels, original, notes)


def _upright(
    image: Image.Image, pixels: Image.Image, size: tuple[int, int], notes: list[Note]
) -> Loaded:
    """Turn pixels as the EXIF orientation of the image that they come from says."""
    try:
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken EXIF breaks in as many ways; the pixels are good as they are
        turn = None
    if turn is None:
        return pixels, size, notes
    upright = pixels.transpose(turn)
    turned = (size[1], size[0]) if turn in SIDEWAYS else size
    return upright, turned, [*notes, Note("errors.note_turned")]


def _has_more(image: Image.Image) -> bool:
    """Return whether a file holds more pictures than the one that was taken."""
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # what follows the first picture may be damaged; it is not needed
        return True


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises into a PictureError, and keep its warnings from stderr."""
    try:
        with _DECODING, warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError("errors.bomb", name=name, limit=MAX_PIXELS // 10**6) from error
    except Exception as error:  # a damaged file can raise anything: struct.error, KeyError, ...
        reason = str(error)
        if "MAX_TEXT_CHUNK" in reason or "text chunk" in reason:
            raise PictureError("errors.bulky_metadata", name=name) from error
        key = "errors.truncated" if "truncated" in reason.lower() else "errors.damaged"
        raise PictureError(key, name=name) from error
