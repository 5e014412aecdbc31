"""Whatever bytes arrive, the answer is a checked picture or a refusal, never anything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.pictures import encoded
from tests.spoilt import ANY_ARRAY, cut, flipped, fuzz
from vizattn.intake import MAX_PIXELS, MAX_RATIO, MIN_SIDE, PictureError, read_picture
from vizattn.texts import LANGUAGES

WORKING_PIXELS = 40_000
FUZZ = fuzz(150)


def files() -> dict[str, bytes]:
    """Return a small valid file of each kind, with metadata that can be spoilt too."""
    noise = np.random.default_rng(7).integers(0, 256, (12, 17, 4), np.uint8)
    rgba = Image.fromarray(noise)
    rgb = rgba.convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "somebody"
    exif.get_ifd(0x8825)[1] = "N"
    frames: dict[str, Any] = {"save_all": True, "append_images": [rgb.rotate(180)]}
    deep = Image.fromarray(noise[..., 0].astype(np.uint16) * 100)
    real = Image.fromarray(noise[..., 0].astype(np.float32))
    recipes: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "jpeg": (rgb, "JPEG", {"exif": exif}),
        "progressive jpeg": (rgb, "JPEG", {"progressive": True}),
        "cmyk jpeg": (rgb.convert("CMYK"), "JPEG", {}),
        "png": (rgba, "PNG", {"exif": exif}),
        "palette png": (rgb.quantize(16), "PNG", {"transparency": 3}),
        "deep png": (deep, "PNG", {}),
        "one-bit png": (rgb.convert("1"), "PNG", {}),
        "animated png": (rgb, "PNG", frames),
        "webp": (rgba, "WEBP", {"exif": exif}),
        "lossless webp": (rgb, "WEBP", {"lossless": True}),
        "animated webp": (rgb, "WEBP", frames),
        "tiff": (rgb, "TIFF", {"exif": exif}),
        "deep tiff": (deep, "TIFF", {}),
        "float tiff": (real, "TIFF", {}),
        "pages": (rgb, "TIFF", frames),
        "lzw tiff": (rgb, "TIFF", {"compression": "tiff_lzw"}),
        "jpeg tiff": (rgb, "TIFF", {"compression": "jpeg"}),
        "bmp": (rgb, "BMP", {}),
        "palette bmp": (rgb.quantize(16), "BMP", {}),
        "gif": (rgb, "GIF", {}),
        "animated gif": (rgb, "GIF", frames),
    }
    return {name: encoded(image, kind, **more) for name, (image, kind, more) in recipes.items()}


FILES = files()
KINDS = pytest.mark.parametrize("kind", FILES)


def judge(source: Any) -> None:
    """Fail unless a source gives a picture within the limits, or a refusal in every language."""
    try:
        picture = read_picture(source, name="fuzz", working_pixels=WORKING_PIXELS)
    except PictureError as refused:
        assert all(refused.sentence(language) for language in LANGUAGES)
        return
    width, height = picture.original_size
    assert picture.rgb.mode == "RGB"
    assert picture.rgb.info == {}
    assert np.asarray(picture.rgb).shape == (picture.size[1], picture.size[0], 3)
    assert picture.size[0] * picture.size[1] <= WORKING_PIXELS
    assert min(width, height) >= MIN_SIDE
    assert max(width, height) <= MAX_RATIO * min(width, height)
    assert width * height <= MAX_PIXELS
    assert all(note.sentence(language) for note in picture.notes for language in LANGUAGES)


@KINDS
def test_the_files_themselves_are_read(kind: str) -> None:
    picture = read_picture(FILES[kind])
    assert set(picture.original_size) == {12, 17}


@FUZZ
@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    judge(data)


@FUZZ
@given(st.sampled_from(sorted(FILES)), st.binary(max_size=200))
def test_random_bytes_behind_a_true_beginning(kind: str, data: bytes) -> None:
    judge(FILES[kind][:32] + data)


@KINDS
def test_a_file_cut_anywhere(kind: str) -> None:
    for beginning in cut(FILES[kind], 120):
        judge(beginning)


@KINDS
@settings(FUZZ, max_examples=60)
@given(st.data())
def test_flipped_bytes(kind: str, data: st.DataObject) -> None:
    judge(flipped(FILES[kind], data))


@FUZZ
@given(
    st.sampled_from(sorted(FILES)), st.sampled_from(sorted(FILES)), st.integers(0, 600), st.data()
)
def test_two_files_joined(first: str, second: str, cut: int, data: st.DataObject) -> None:
    judge(FILES[first][:cut] + FILES[second][data.draw(st.integers(0, 200)) :])


@FUZZ
@given(ANY_ARRAY)
def test_arrays_of_any_shape_and_type(array: np.ndarray) -> None:
    judge(array)


@FUZZ
@given(st.text(max_size=50))
def test_paths_that_nobody_has(path: str) -> None:
    judge(path)
