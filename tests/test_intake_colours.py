"""Values of any depth and kind become the 8-bit sRGB colours that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.pictures import (
    GREEN,
    LINEAR_GREY,
    P3,
    RED,
    deep_png,
    encoded,
    example,
    keys,
    matrix_profile,
    pixels,
    quarters,
    reason,
    refusal,
)
from vizattn.intake import read_picture


@pytest.mark.parametrize(
    ("colour", "cmyk"),
    [((255, 255, 255), (0, 0, 0, 0)), ((0, 0, 0), (0, 0, 0, 255)), ((0, 255, 255), (255, 0, 0, 0))],
)
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_not_inverted(
    kind: str, cmyk: tuple[int, ...], colour: tuple[int, int, int]
) -> None:
    # Pillow writes CMYK JPEG as Adobe does: inverted, and marked so.
    picture = read_picture(encoded(Image.new("CMYK", (16, 16), cmyk), kind))
    assert np.abs(pixels(picture) - np.array(colour)).max() <= 2


def test_palette_and_one_bit_and_grey() -> None:
    palette = Image.fromarray(quarters()).quantize(4)
    np.testing.assert_array_equal(pixels(read_picture(encoded(palette, "PNG"))), quarters())
    checks = np.indices((16, 16)).sum(0) % 2 * 255
    one_bit = Image.fromarray(checks.astype(np.uint8)).convert("1")
    np.testing.assert_array_equal(pixels(read_picture(encoded(one_bit, "PNG")))[..., 1], checks)
    ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (16, 1))
    grey = pixels(read_picture(encoded(Image.fromarray(ramp), "PNG")))
    np.testing.assert_array_equal(grey, np.repeat(ramp[..., None], 3, 2))


@pytest.mark.parametrize(("mode", "kind"), [("RGBA", "PNG"), ("RGBA", "WEBP"), ("LA", "PNG")])
def test_transparency_is_laid_on_white_and_said(mode: str, kind: str) -> None:
    image = Image.new("RGBA", (16, 16), (40, 40, 40, 255))
    image.paste((40, 40, 40, 0), (0, 0, 8, 16))
    image.putpixel((15, 15), (40, 40, 40, 51))  # a fifth opaque: 40 / 5 + 255 * 4 / 5
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = read_picture(encoded(image.convert(mode), kind, **options))
    assert keys(picture) == ["note_flattened"]
    for (x, y), value in {(3, 3): 255, (12, 3): 40, (15, 15): 212}.items():
        assert np.abs(pixels(picture)[y, x] - value).max() <= 1


def test_an_opaque_alpha_channel_is_not_worth_a_note() -> None:
    image = Image.fromarray(quarters()).convert("RGBA")
    picture = read_picture(encoded(image, "PNG"))
    np.testing.assert_array_equal(pixels(picture), quarters())
    assert picture.notes == ()


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])])
def test_palette_transparency(transparency: int | bytes) -> None:
    image = Image.new("P", (16, 16), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(0, (0, 0, 8, 16))
    picture = read_picture(encoded(image, "PNG", transparency=transparency))
    assert tuple(pixels(picture)[0, 0]) == (255, 255, 255)
    assert tuple(pixels(picture)[0, 15]) == (200, 100, 50)
    assert keys(picture) == ["note_flattened"]


def test_a_transparent_colour() -> None:
    image = Image.fromarray(quarters())
    picture = read_picture(encoded(image, "PNG", transparency=RED))
    assert tuple(pixels(picture)[0, 0]) == (255, 255, 255)
    assert tuple(pixels(picture)[0, 63]) == GREEN


@pytest.mark.parametrize("mode", ["RGBa", "La", "PA", "LAB", "HSV", "YCbCr", "RGBX", "I", "F", "1"])
def test_rare_modes_of_pillow_images(mode: str) -> None:
    steps = {"RGBa": "RGBA", "La": "LA"}
    image = Image.new("RGB", (16, 16), (102, 102, 102)).convert(steps.get(mode, "RGB"))
    picture = read_picture(image.convert(mode))
    assert picture.rgb.mode == "RGB"
    if mode not in ("I", "F", "1"):
        assert np.abs(pixels(picture) - 102).max() <= 2


def test_deep_grey_is_stretched_by_its_range_and_says_which() -> None:
    # 12 bits in 16, as many sensors write: by the full range all of it would be nearly black.
    values = np.linspace(100, 4095, 16 * 16).astype(np.uint16).reshape(16, 16)
    expected = np.rint((values - 100.0) * 255 / 3995)
    tiff = encoded(Image.fromarray(values), "TIFF")
    for source in (deep_png(values), tiff, Image.fromarray(values), values):
        picture = read_picture(source)
        assert np.abs(pixels(picture) - expected[..., None]).max() <= 1
        assert keys(picture) == ["note_stretched"]
        assert picture.notes[0].values == {"low": "100", "high": "4095"}
        assert "100" in picture.notes[0].sentence("zh")


def test_a_constant_deep_picture_is_black_and_quiet(recwarn: pytest.WarningsRecorder) -> None:
    assert pixels(read_picture(np.full((16, 16), 700, np.uint16))).max() == 0
    assert len(recwarn) == 0


def test_deep_grey_of_big_endian_tiff() -> None:
    values = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    image = Image.frombytes("I;16B", (16, 16), values.astype(">u2").tobytes())
    picture = read_picture(encoded(image, "TIFF"))
    np.testing.assert_array_equal(pixels(picture)[..., 0], values // 257)


def test_deep_colours_keep_their_full_range() -> None:
    values = quarters().astype(np.uint16) * 257
    for source in (deep_png(values), values):
        picture = read_picture(source)
        np.testing.assert_array_equal(pixels(picture), quarters())
        assert keys(picture) == ["note_depth"]


def test_wide_integers_stretch_without_overflow() -> None:
    values = np.array([-(2**31), 0, 2**31 - 1], np.int32).repeat(64).reshape(12, 16)
    levels = np.unique(pixels(read_picture(Image.fromarray(values))))
    assert levels.tolist() in ([0, 127, 255], [0, 128, 255])


def test_small_differences_of_large_integers_stay() -> None:
    values = (2_000_000_000 + np.arange(256, dtype=np.int32)).reshape(16, 16)
    picture = read_picture(Image.fromarray(values))
    np.testing.assert_array_equal(pixels(picture)[..., 0].ravel(), np.arange(256))


def test_float_tiff() -> None:
    unit = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    picture = read_picture(encoded(Image.fromarray(unit), "TIFF"))
    np.testing.assert_array_equal(pixels(picture)[..., 2].ravel(), np.arange(256))
    assert picture.notes == ()
    warm = read_picture(encoded(Image.fromarray(unit * 20 + 15), "TIFF"))  # degrees, say
    np.testing.assert_array_equal(pixels(warm)[..., 2].ravel(), np.arange(256))
    assert keys(warm) == ["note_stretched"]
    unit[3, 4] = np.nan
    missing = refusal(encoded(Image.fromarray(unit), "TIFF"))
    assert (missing.key, missing.values) == ("errors.not_finite", {"count": 1})


# Colour profiles


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_wide_colours_become_srgb(kind: str) -> None:
    image = Image.new("RGB", (32, 32), (200, 100, 100))
    profile = matrix_profile(b"a wide display", P3)
    picture = read_picture(encoded(image, kind, icc_profile=profile))
    red, green, _ = pixels(picture)[16, 16]
    assert red > 208  # the same red lies further out in the smaller space
    assert green < 100
    assert keys(picture) == ["note_profile"]
    grey = read_picture(encoded(Image.new("L", (32, 32), 128), kind, icc_profile=profile))
    assert np.ptp(pixels(grey)[16, 16]) <= 2


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_profiles(mode: str) -> None:
    image = Image.new(mode, (16, 16), 128 if mode == "L" else (128, 128))
    picture = read_picture(encoded(image, "PNG", icc_profile=LINEAR_GREY))
    shown = 188  # half of the light, as sRGB writes it
    expected = shown if mode == "L" else (shown * 128 + 255 * 127) / 255
    assert np.abs(pixels(picture) - expected).max() <= 1.5
    assert "note_profile" in keys(picture)


def test_a_grey_profile_takes_no_colour_away() -> None:
    picture = read_picture(example(icc_profile=LINEAR_GREY))
    np.testing.assert_array_equal(pixels(picture), quarters())
    assert keys(picture) == ["note_profile_ignored"]


def test_profiles_and_transparency_together() -> None:
    image = Image.new("RGBA", (32, 32), (200, 100, 100, 255))
    image.paste((0, 0, 0, 0), (0, 0, 16, 32))
    picture = read_picture(encoded(image, "PNG", icc_profile=matrix_profile(b"wide", P3)))
    assert tuple(pixels(picture)[16, 4]) == (255, 255, 255)
    assert pixels(picture)[16, 28, 0] > 208
    assert keys(picture) == ["note_profile", "note_flattened"]


@pytest.mark.parametrize(
    "profile", [b"no profile at all", matrix_profile(b"cut", P3)[:200], bytes(500)]
)
def test_a_bad_profile_is_left_aside_and_said(profile: bytes) -> None:
    picture = read_picture(example(icc_profile=profile))
    np.testing.assert_array_equal(pixels(picture), quarters())
    assert keys(picture) == ["note_profile_ignored"]


def test_a_profile_of_another_kind_of_colours_is_left_aside() -> None:
    data = encoded(
        Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "TIFF", icc_profile=matrix_profile(b"wide", P3)
    )
    picture = read_picture(data)
    assert pixels(picture).min() == 255
    assert keys(picture) == ["note_profile_ignored"]


def test_srgb_itself_is_not_worth_a_conversion() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read_picture(example(icc_profile=profile))
    np.testing.assert_array_equal(pixels(picture), quarters())
    assert picture.notes == ()


# Arrays


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((16, 16), 77, np.uint8), (77, 77, 77)),
        (np.full((16, 16, 1), 77, np.uint8), (77, 77, 77)),
        (np.full((16, 16, 3), (1, 2, 3), np.uint8), (1, 2, 3)),
        (np.full((16, 16, 4), (1, 2, 3, 255), np.uint8), (1, 2, 3)),
        (np.full((16, 16, 4), (1, 2, 3, 0), np.uint8), (255, 255, 255)),
        (np.full((16, 16), True), (255, 255, 255)),
        (np.full((16, 16, 3), (0.0, 0.5, 1.0), np.float32), (0, 128, 255)),
        (np.full((16, 16, 3), (0.0, 0.5, 1.003), np.float64), (0, 128, 255)),
        (np.full((16, 16, 3), (0.0, 0.5, 1.0), np.float16), (0, 128, 255)),
        (np.full((16, 16, 3), (0.0, 127.6, 255.0)), (0, 128, 255)),
        (np.full((16, 16, 3), (0.0, 0.5, 1.0), ">f4"), (0, 128, 255)),
        (np.full((16, 16, 3), (385, 386, 65535), np.uint16), (1, 2, 255)),
        (np.full((16, 16, 3), (0, 257, 65535), ">u2"), (0, 1, 255)),
    ],
)
def test_arrays(array: np.ndarray, expected: tuple[int, int, int]) -> None:
    assert tuple(pixels(read_picture(array))[7, 9]) == expected


def test_arrays_of_any_layout_in_memory() -> None:
    turned = np.asfortranarray(quarters())[::-1, ::-1]
    np.testing.assert_array_equal(pixels(read_picture(turned)), quarters()[::-1, ::-1])


@pytest.mark.parametrize(
    ("array", "key"),
    [
        (np.empty((0, 16, 3), np.uint8), "empty_array"),
        (np.empty((0,)), "empty_array"),
        (np.array(3.0), "bad_array_shape"),
        (np.zeros(16, np.uint8), "bad_array_shape"),
        (np.zeros((16, 16, 2), np.uint8), "bad_array_shape"),
        (np.zeros((3, 32, 32), np.uint8), "bad_array_shape"),
        (np.zeros((1, 16, 16, 3), np.uint8), "bad_array_shape"),
        (np.zeros((16, 16), np.int64), "bad_array_type"),
        (np.zeros((16, 16), np.uint32), "bad_array_type"),
        (np.zeros((16, 16), complex), "bad_array_type"),
        (np.full((16, 16), "pixel"), "bad_array_type"),
        (np.full((16, 16), None), "bad_array_type"),
        (np.full((16, 16), -1.0), "bad_array_range"),
        (np.full((16, 16), 256.0), "bad_array_range"),
        (np.full((16, 16), np.nan), "not_finite"),
        (np.full((16, 16, 3), np.inf, np.float32), "not_finite"),
        (np.zeros((7, 16, 3), np.uint8), "too_small"),
        (np.zeros((8, 161), np.uint8), "too_narrow"),
        (np.broadcast_to(np.uint8(0), (10_000, 5_001)), "too_many_pixels"),
    ],
)
def test_arrays_that_are_no_pictures(array: np.ndarray, key: str) -> None:
    assert reason(array) == key
