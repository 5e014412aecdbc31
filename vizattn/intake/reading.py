"""Decoding, turning, checking and reducing: the one way in for every picture."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from math import sqrt

import numpy as np
from PIL import Image

from vizattn.intake.files import FileSource, content, label
from vizattn.intake.formats import declared_size, foreign_kind, reader_of
from vizattn.intake.pixels import DEEP_MODES, array_to_image, image_to_rgb
from vizattn.intake.remarks import Note, PictureError

WORKING_PIXELS = 12_000_000
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

Source = FileSource | Image.Image | np.ndarray


@dataclass(frozen=True)
class Picture:
    """A checked picture.

    Args:
        rgb: upright, mode RGB, 8 bit, no metadata; reduced where it was over the working size.
        original_size: (width, height) in pixels, upright, before any reduction.
        name: the file's name without its folder.
        notes: what was done to the picture and a person should know.
    """

    rgb: Image.Image
    original_size: tuple[int, int]
    name: str
    notes: tuple[Note, ...]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of ``rgb`` in pixels."""
        return self.rgb.size


def read_picture(
    source: Source, name: str | None = None, working_pixels: int = WORKING_PIXELS
) -> Picture:
    """Return a picture from a path, a file's bytes, a binary file, a Pillow image or an array.

    JPEG, PNG, WebP, TIFF, BMP and GIF are recognised by their content, of several pictures the
    first is taken, EXIF orientation is applied (also that of a Pillow image), transparency is laid
    on white, colours go to sRGB. ``pixels.array_to_image`` says which arrays are read. A binary
    file is read from its beginning and left open; what was given is never changed. Python's own
    warnings are kept silent, the C library behind TIFF still reports a damaged file on stderr.

    Args:
        source: the picture.
        name: how sentences call it; the file's own name where None.
        working_pixels: a larger picture is reduced to at most this number of pixels.

    Raises:
        PictureError: if it cannot be used; the sentence says why and what to do.
        ValueError: if ``working_pixels`` is smaller than the least picture.
    """
    if working_pixels < MIN_SIDE**2:
        raise ValueError(f"expected working_pixels >= {MIN_SIDE**2}, received {working_pixels}")
    called = label(source, name)
    if isinstance(source, np.ndarray):
        rgb, original, notes = _from_array(source)
    elif isinstance(source, Image.Image):
        rgb, original, notes = _from_image(source, called)
    else:
        rgb, original, notes = _from_bytes(content(source, called), called, working_pixels)
    target = _fitting(original, working_pixels)
    if rgb.size != target:
        rgb = rgb.resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if target != original:
        sizes = {"from_width": original[0], "from_height": original[1]}
        sizes |= {"width": target[0], "height": target[1]}
        notes.append(Note("errors.note_reduced", sizes))
    return Picture(rgb, original, called, tuple(notes))


# What is left to do with these is the reduction: upright pixels, (width, height) they had, notes.
Loaded = tuple[Image.Image, tuple[int, int], list[Note]]


def _from_array(array: np.ndarray) -> Loaded:
    image, notes = array_to_image(array)
    _check_size(image.size)
    rgb, more = image_to_rgb(image)
    return rgb, rgb.size, notes + more


def _from_image(source: Image.Image, name: str) -> Loaded:
    """Read a Pillow image, of which a copy is taken first: loading and converting may change it."""
    _check_size(source.size)
    if source.format == "EPS" and getattr(source, "tile", None):  # not loaded: would run a program
        raise PictureError("errors.unsupported_format", name=name, format="EPS")
    with _decoding(name):
        image = source.copy()
        rgb, notes = image_to_rgb(image)
        return _upright(image, rgb, rgb.size, notes)


def _from_bytes(data: bytes, name: str, working_pixels: int) -> Loaded:
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
        _check_size(declared)
    with _decoding(name), reader(BytesIO(data)) as image:
        original = image.size
        _check_size(original)
        # A JPEG can be decoded at a half, a quarter or an eighth of its size in much less time.
        drafted = image.draft(None, _fitting(original, working_pixels))
        deep = any(";16" in str(tile[3]) for tile in image.tile)
        image.load()
        if not drafted:
            original = image.size
        rgb, notes = image_to_rgb(image)
        if deep and image.mode not in DEEP_MODES:
            notes.append(Note("errors.note_depth"))
        if _has_more(image):
            notes.append(Note("errors.note_first_frame"))
        return _upright(image, rgb, original, notes)


def _upright(
    image: Image.Image, rgb: Image.Image, size: tuple[int, int], notes: list[Note]
) -> Loaded:
    """Turn pixels as the EXIF orientation of the image that they come from says."""
    try:
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken EXIF breaks in as many ways; the pixels are good as they are
        turn = None
    if turn is None:
        return rgb, size, notes
    upright = rgb.transpose(turn)
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


def _check_size(size: tuple[int, int]) -> None:
    """Refuse a picture that is too large, too small or too narrow."""
    width, height = size
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 10**6
        raise PictureError("errors.too_many_pixels", width=width, height=height, limit=limit)
    if min(size) < MIN_SIDE:
        raise PictureError("errors.too_small", width=width, height=height, least=MIN_SIDE)
    if max(size) > MAX_RATIO * min(size):
        raise PictureError("errors.too_narrow", width=width, height=height, ratio=MAX_RATIO)


def _fitting(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    """Return the (width, height) of the same shape that holds at most a number of pixels."""
    width, height = size
    if width * height <= pixels:
        return size
    scale = sqrt(pixels / (width * height))
    return max(1, int(width * scale)), max(1, int(height * scale))
