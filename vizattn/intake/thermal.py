"""A thermal picture in any of the ways in which cameras and programs save one, to finite values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vizattn.intake import colourmaps
from vizattn.intake.decoding import check_size, check_working_pixels, fitting, load, reduction
from vizattn.intake.files import label
from vizattn.intake.pixels import DEEP_MODES, array_to_image, split_alpha
from vizattn.intake.reading import WORKING_PIXELS, Picture, Source
from vizattn.intake.remarks import Note, PictureError
from vizattn.intake.temperature import (
    HIGH,
    LOW,
    Values,
    check_missing,
    filled,
    finite_or_nan,
    of_numbers,
    percentiles,
)

SATURATED = 0.25
"""share of pixels at the greatest value from which a person is told"""
_EDGE = 0.05
"""percentiles left out at both ends before a picture is called constant: some pixels are broken"""
_OPAQUE = 128
_SENSOR_TOPS = frozenset({255, 1023, 4095, 16383, 65535})


@dataclass(frozen=True, eq=False)
class Thermal:
    """A checked thermal picture.

    Args:
        values: (row, column), upright, finite, warmer is greater; reduced where the picture was
            over the working size.
        original_size: (width, height) in pixels, upright, before any reduction.
        name: the file's name without its folder.
        notes: what was done to the picture and a person should know.
        colour_mapped: the colour map that was undone, or none.
        unit: of the values: "celsius"; "kelvin"; "grey8" or "grey16", levels of so many bits;
            "number", where nothing says what they are; "colour-mapped", levels of 0..255 of a
            colour map that was undone; "colour", the brightness of natural colours.
    """

    values: Values
    original_size: tuple[int, int]
    name: str
    notes: tuple[Note, ...] = ()
    colour_mapped: str | None = None
    unit: str = "grey8"

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of ``values`` in pixels."""
        return self.values.shape[1], self.values.shape[0]

    def levels(self) -> UInt8[np.ndarray, "row column"]:
        """Return the values as 0..255, black and white at their 1st and 99th percentile."""
        low, high = percentiles(self.values, LOW, HIGH)
        if high <= low:  # all that differs is in few pixels
            low, high = float(self.values.min()), float(self.values.max())
        scaled = (self.values.astype(np.float64) - low) * (255 / ((high - low) or 1))
        return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def read_thermal(
    source: Source, name: str | None = None, working_pixels: int = WORKING_PIXELS
) -> Thermal:
    """Return a thermal picture from a path, bytes, a binary file, a Pillow image or an array.

    Files are decoded, checked and turned as ``read_picture`` does. Grey levels of 8 and 16 bits and
    floats are taken as they are; numbers that by their range can only be hundredths or tenths of a
    kelvin become degrees Celsius; a colour map is recognised and undone. Pixels that are infinite,
    not a number or transparent take the nearest value of their row or column.

    Args:
        source: the picture; an array is (row, column) of any real numbers, or with a last axis of
            1, 3 (RGB) or 4 (RGBA) channels as ``read_picture`` takes it.
        name: how sentences call it; the file's own name where None.
        working_pixels: a larger picture is reduced to at most this number of pixels.

    Raises:
        PictureError: if it cannot be used or shows nothing; the sentence says why and what to do.
        ValueError: if ``working_pixels`` is smaller than the least picture.
    """
    check_working_pixels(working_pixels)
    called = label(source, name)
    if isinstance(source, np.ndarray):
        given, original, notes = _from_array(source)
    else:
        image, original, notes = load(source, called, working_pixels, _plain)
        given = _numbers(image) if image.mode in ("I", "F") else image
    size = fitting(original, working_pixels)
    mapped = None
    if isinstance(given, Image.Image):
        values, unit, mapped, more = _of_levels(given, size)
    else:
        values, unit, more = of_numbers(*given, size)
    values, gaps = filled(values)
    notes += [*reduction(original, size), *more, *gaps, *_saturation(values, unit, called)]
    return Thermal(values, original, called, tuple(notes), mapped, unit)


def looks_thermal(picture: Picture) -> bool:
    """Return whether what was read as RGB has no colours, or those of a colour map."""
    pixels = np.asarray(picture.rgb)
    return colourmaps.is_grey(pixels) or colourmaps.recognise(pixels) is not None


def looks_visible(picture: Thermal | Picture) -> bool:
    """Return whether what was read as thermal has the colours of a scene."""
    if isinstance(picture, Thermal):
        return picture.unit == "colour"
    return not looks_thermal(picture)


def swapped(rgb: Picture, thermal: Thermal | Picture) -> bool:
    """Return whether two pictures look as if each was taken for the other.

    It takes both: an RGB picture without colours, and a thermal one with those of a scene.
    """
    return looks_visible(thermal) and looks_thermal(rgb)


def notes_on_rgb(picture: Picture) -> tuple[Note, ...]:
    """Return what a person should know of an RGB picture that has no natural colours."""
    pixels = np.asarray(picture.rgb)
    if colourmaps.is_grey(pixels):
        return (Note("thermal.note_grey_rgb", {"name": picture.name}),)
    mapped = colourmaps.recognise(pixels)
    if mapped:
        return (Note("thermal.note_mapped_rgb", {"name": picture.name, "map": mapped}),)
    return ()


# Numbers as they came, NaN where there are none, and whether they were whole.
_Numbers = tuple[Values, bool]


def _plain(image: Image.Image) -> tuple[Image.Image, list[Note]]:
    """Return a copy of a loaded image in mode I, F, L, LA, RGB or RGBA; profiles are left alone."""
    if image.mode in DEEP_MODES:
        return image.convert("F" if image.mode == "F" else "I"), []
    opaque, alpha = split_alpha(image)
    plain = opaque.convert("L" if opaque.mode in ("1", "L") else "RGB")
    if alpha is not None:
        plain.putalpha(alpha)
    return plain, []


def _from_array(
    array: np.ndarray,
) -> tuple[Image.Image | _Numbers, tuple[int, int], list[Note]]:
    """Return an array as numbers, or as an image where its values are levels."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 2 and array.size and array.dtype.kind in "uif" and array.dtype != np.uint8:
        check_size((array.shape[1], array.shape[0]))
        return (finite_or_nan(array), array.dtype.kind != "f"), array.shape[::-1], []
    image, notes = array_to_image(array)
    check_size(image.size)
    plain, _ = _plain(image)
    return plain, plain.size, notes


def _numbers(image: Image.Image) -> _Numbers:
    return finite_or_nan(np.asarray(image)), image.mode == "I"


def _of_levels(
    image: Image.Image, size: tuple[int, int]
) -> tuple[Values, str, str | None, list[Note]]:
    """Return the values of 8-bit grey or colours at a size, unit, colour map undone, and notes."""
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    unit, mapped, notes = "grey8", None, list[Note]()
    if image.mode in ("L", "LA"):
        levels = np.asarray(image.getchannel(0))
    else:
        pixels = np.asarray(image.convert("RGB"))
        levels = np.asarray(Image.fromarray(pixels).convert("L"))
        mapped = None if colourmaps.is_grey(pixels) else colourmaps.recognise(pixels)
        if mapped:
            levels, unit = colourmaps.undo(pixels, mapped), "colour-mapped"
            notes.append(Note("thermal.note_mapped", {"map": mapped}))
        elif not colourmaps.is_grey(pixels):
            unit = "colour"
            notes.append(Note("thermal.note_colours"))
    values = levels.astype(np.float32)
    if image.mode in ("LA", "RGBA"):
        values[np.asarray(image.getchannel("A")) < _OPAQUE] = np.nan
    check_missing(values)
    return values, unit, mapped, notes


def _saturation(values: Values, unit: str, name: str) -> list[Note]:
    """Refuse a picture that shows nothing, and say how much of one is at its greatest value."""
    low, high = percentiles(values, _EDGE, 100 - _EDGE)
    if high - low <= (1 if unit in ("grey8", "colour-mapped", "colour") else 0):
        key = "thermal.saturated" if high in _SENSOR_TOPS else "thermal.constant"
        raise PictureError(key if high else "thermal.black", name=name, value=f"{high:.4g}")
    share = float(np.mean(values >= values.max()))
    if share < SATURATED:
        return []
    return [Note("thermal.note_saturated", {"percent": round(100 * share)})]
