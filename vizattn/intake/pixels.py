"""Pixels of any kind to 8-bit sRGB, with a note of each thing that was done to them."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from vizattn.intake.remarks import Note, PictureError

GROUND = (255, 255, 255)  # what shows through where a picture is transparent
DEEP_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})  # one deep channel, no colour
UNMULTIPLIED = {"RGBa": "RGBA", "La": "LA"}
ARRAY_SHAPES = "H x W, H x W x 1, H x W x 3, H x W x 4"
ARRAY_TYPES = "uint8, uint16, bool, float"
UNIT_SLACK = 0.01  # resampling overshoots: 1.003 is still a value of 0..1
# The image modes that a colour profile of each space can describe, and the mode it works on.
PROFILED = {
    "RGB": (frozenset({"1", "L", "P", "RGB", "RGBX"}), "RGB"),
    "GRAY": (frozenset({"1", "L"}), "L"),
    "CMYK": (frozenset({"CMYK"}), "CMYK"),
}


def image_to_rgb(image: Image.Image) -> tuple[Image.Image, list[Note]]:
    """Return an independent 8-bit sRGB copy of a loaded image of any mode, with notes.

    Raises:
        PictureError: if values are not finite.
    """
    if image.mode in DEEP_MODES:
        levels, notes = _grey_levels(np.asarray(image))
        return Image.fromarray(levels).convert("RGB"), notes
    opaque, alpha = split_alpha(image)
    rgb, notes = _to_srgb(opaque, image.info.get("icc_profile"))
    if alpha is not None:
        rgb = Image.composite(rgb, Image.new("RGB", rgb.size, GROUND), alpha)
        notes.append(Note("errors.note_flattened"))
    rgb.info.clear()  # the position of a camera, comments, profiles: nothing but pixels stays
    return rgb, notes


def array_to_image(array: np.ndarray) -> tuple[Image.Image, list[Note]]:
    """Return an image of mode L, RGB or RGBA of an array's values, with notes.

    It may share memory with the array; ``image_to_rgb`` always copies.

    Args:
        array: (height, width) or (height, width, 1, 3 or 4), the channels grey, RGB or RGBA; bool,
            uint8, uint16, or float in 0..1 or 0..255. Grey uint16 is stretched from its least to
            its greatest value, coloured uint16 keeps its full range.

    Raises:
        PictureError: if shape, type or range is another, or values are not finite.
    """
    shape = " x ".join(map(str, array.shape)) or "-"
    if not array.size:
        raise PictureError("errors.empty_array", shape=shape)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise PictureError("errors.bad_array_shape", shape=shape, expected=ARRAY_SHAPES)
    levels, notes = _array_levels(array)
    return Image.fromarray(levels), notes


def _array_levels(array: np.ndarray) -> tuple[np.ndarray, list[Note]]:
    """Return the uint8 values of an array of any type that is read."""
    if array.dtype == np.uint8:
        return array, []
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255, []
    if array.dtype.kind == "f":
        return _float_levels(array), []
    if array.dtype.kind != "u" or array.dtype.itemsize != 2:
        raise PictureError("errors.bad_array_type", given=str(array.dtype), expected=ARRAY_TYPES)
    if array.ndim == 2:
        return _grey_levels(array)
    levels = (array.astype(np.uint32) * 255 + 32767) // 65535
    return levels.astype(np.uint8), [Note("errors.note_depth")]


def _float_levels(values: np.ndarray) -> np.ndarray:
    """Return the uint8 values of floats in 0..1 or 0..255."""
    low, high = _finite_range(values)
    if low < -UNIT_SLACK or high > 255 + UNIT_SLACK:
        raise PictureError("errors.bad_array_range", low=f"{low:.4g}", high=f"{high:.4g}")
    scale = 255.0 if high <= 1 + UNIT_SLACK else 1.0
    return _rounded(values * np.float32(scale))


def _grey_levels(values: np.ndarray) -> tuple[np.ndarray, list[Note]]:
    """Return the uint8 values of one deep channel: floats in 0..1 as they are, else stretched.

    Sensors of 10, 12 or 14 bits fill a small part of 16 bits and would come out black if the whole
    range were mapped; stretched from the least to the greatest value, what is there can be seen.
    """
    low, high = _finite_range(values)
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return _rounded(values * np.float32(255)), []
    # float32 holds 16 bits exactly; wider values need float64 for their differences.
    work = values.astype(np.float32 if values.dtype.itemsize == 2 else np.float64)
    np.subtract(work, low, out=work)
    np.multiply(work, 255 / ((high - low) or 1), out=work)
    notes = [Note("errors.note_stretched", {"low": f"{low:.6g}", "high": f"{high:.6g}"})]
    return _rounded(work), notes


def _finite_range(values: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest value, all being finite."""
    missing = values.size - int(np.isfinite(values).sum())
    if missing:
        raise PictureError("errors.not_finite", count=missing)
    return float(values.min()), float(values.max())


def _rounded(values: np.ndarray) -> np.ndarray:
    """Return floats as uint8; they are overwritten, since a copy of 50 megapixels is costly."""
    np.rint(values, out=values)
    np.clip(values, 0, 255, out=values)
    return values.astype(np.uint8)


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return an image without transparency, and its opacity (L) where some of it is transparent."""
    if image.mode in UNMULTIPLIED:
        image = image.convert(UNMULTIPLIED[image.mode])
    if not image.has_transparency_data:
        return image, None
    rgba = image.convert("RGBA")
    alpha = rgba.getchannel("A")
    grey = image.getbands()[0] == "L"
    return rgba.convert("L" if grey else "RGB"), alpha if alpha.getextrema() != (255, 255) else None


def _to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, list[Note]]:
    """Return an opaque image as RGB, its colours converted where a profile says which they are."""
    if not profile:
        return image.convert("RGB"), []
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image.convert("RGB"), []
        modes, mode = PROFILED[source.profile.xcolor_space.strip()]
        if image.mode in modes:
            target = ImageCms.createProfile("sRGB")
            rgb = ImageCms.profileToProfile(image.convert(mode), source, target, outputMode="RGB")
            if rgb is not None:
                return rgb, [Note("errors.note_profile")]
    except Exception:  # whatever is wrong with a profile, the pixels can be shown without it
        pass
    return image.convert("RGB"), [Note("errors.note_profile_ignored")]
