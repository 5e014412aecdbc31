"""The way in for every picture that shows colours: decoded, upright, checked and reduced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from vizattn.intake.decoding import (
    Loaded,
    check_size,
    check_working_pixels,
    fitting,
    load,
    reduction,
)
from vizattn.intake.files import FileSource, label
from vizattn.intake.pixels import array_to_image, image_to_rgb
from vizattn.intake.remarks import Note

WORKING_PIXELS = 12_000_000

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
    check_working_pixels(working_pixels)
    called = label(source, name)
    if isinstance(source, np.ndarray):
        rgb, original, notes = _from_array(source)
    else:
        rgb, original, notes = load(source, called, working_pixels, image_to_rgb)
    target = fitting(original, working_pixels)
    if rgb.size != target:
        rgb = rgb.resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return Picture(rgb, original, called, (*notes, *reduction(original, target)))


def _from_array(array: np.ndarray) -> Loaded:
    image, notes = array_to_image(array)
    check_size(image.size)
    rgb, more = image_to_rgb(image)
    return rgb, rgb.size, notes + more
