"""Whatever way a picture arrives, it comes out upright, whole and as it looks."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from tests.pictures import (
    BLUE,
    GREEN,
    GREY,
    P3,
    RED,
    STORED,
    encoded,
    example,
    keys,
    matrix_profile,
    orientation_exif,
    pixels,
    quarters,
    reason,
    spoilt_tiff,
)
from vizattn.intake import files, read_picture
from vizattn.texts import LANGUAGES, Refused

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"big_tiff": True}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 12),
        ("JPEG", {"quality": 95, "subsampling": 0}, 4),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 4),
        ("GIF", {}, 0),
    ],
)
def test_every_kind_of_file_keeps_its_colours(
    kind: str, options: dict[str, Any], tolerance: int
) -> None:
    picture = read_picture(example(kind, **options))
    assert picture.rgb.mode == "RGB"
    assert picture.size == picture.original_size == (64, 32)
    assert picture.notes == ()
    inner = np.s_[[8, 8, 24, 24], [16, 48, 16, 48]]  # the middles of the quarters
    assert np.abs(pixels(picture)[inner] - quarters().astype(int)[inner]).max() <= tolerance


def test_path_bytes_file_image_and_array_are_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "four colours.png"
    path.write_bytes(example())
    with path.open("rb") as file, Image.open(path) as image:
        file.read(10)  # a file that was looked into is still read from its beginning
        sources: list[Any] = [
            path,
            str(path),
            path.read_bytes(),
            bytearray(path.read_bytes()),
            file,
        ]
        pictures = [read_picture(source) for source in [*sources, image, quarters()]]
        assert not file.closed
    for picture in pictures:
        np.testing.assert_array_equal(pixels(picture), quarters())
    names = [picture.name for picture in pictures]
    named, unnamed = "four colours.png", "picture"
    assert names == [named, named, unnamed, unnamed, named, named, unnamed]


class Pipe(io.RawIOBase):
    """A stream that cannot go back and gives a little at a time."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def read(self, size: int = -1) -> bytes:
        count = 50 if size < 0 else min(size, 50)
        taken, self.left = self.left[:count], self.left[count:]
        return taken


def test_a_stream_that_cannot_go_back_is_read() -> None:
    stream: Any = Pipe(example())
    np.testing.assert_array_equal(pixels(read_picture(stream)), quarters())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("holiday.jpg", "holiday.jpg"),
        ("/home/somebody/holiday.jpg", "holiday.jpg"),
        ("C:\\Users\\somebody\\holiday.jpg", "holiday.jpg"),
        ("假期.jpg", "假期.jpg"),
        ("a\nb\x1b[31m\udc80.png", "ab[31m.png"),
        ("", "picture"),
        ("x" * 500, "x" * files.MAX_NAME),
    ],
)
def test_names_have_no_folder_and_nothing_unprintable(given: str, expected: str) -> None:
    assert read_picture(quarters(), name=given).name == expected


def test_content_decides_not_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(example("PNG"))
    np.testing.assert_array_equal(pixels(read_picture(path)), quarters())


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TIFF-LZW", "WEBP", "JPEG", "Pillow image"])
def test_all_orientations_come_out_upright(kind: str, orientation: int) -> None:
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation](quarters())))
    exif = orientation_exif(orientation)
    options: dict[str, dict[str, Any]] = {
        "TIFF-LZW": {"compression": "tiff_lzw"},
        "WEBP": {"lossless": True},
        "JPEG": {"quality": 95, "subsampling": 0},
    }
    file_kind = {"TIFF-LZW": "TIFF", "Pillow image": "PNG"}.get(kind, kind)
    data = encoded(image, file_kind, exif=exif, **options.get(kind, {}))
    source = Image.open(io.BytesIO(data)) if kind == "Pillow image" else data
    picture = read_picture(source)
    assert picture.size == picture.original_size == (64, 32)
    assert np.abs(pixels(picture) - quarters()).max() <= (4 if kind == "JPEG" else 0)
    if not kind.startswith("TIFF"):  # Pillow turns these itself, and leaves no trace
        assert keys(picture) == (["note_turned"] if orientation > 1 else [])


def test_an_orientation_that_does_not_exist_changes_nothing() -> None:
    picture = read_picture(example(exif=orientation_exif(77)))
    np.testing.assert_array_equal(pixels(picture), quarters())


def test_broken_exif_costs_no_picture() -> None:
    for broken in (b"Exif\0\0nonsense", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01", b"Exif\0\0"):
        assert read_picture(example("JPEG", exif=broken)).size == (64, 32)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_picture_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    picture = read_picture(data)
    assert tuple(pixels(picture)[8, 8]) == RED
    assert keys(picture) == ["note_first_frame"]


def test_of_several_pages_the_first_is_taken() -> None:
    pages = [Image.new("RGB", (16, 16), RED), Image.new("L", (30, 20), 9)]
    for options in ({}, {"compression": "tiff_lzw"}):
        data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], **options)
        picture = read_picture(data)
        assert picture.size == (16, 16)
        assert tuple(pixels(picture)[8, 8]) == RED
        assert keys(picture) == ["note_first_frame"]


def test_a_jpeg_of_several_pictures_is_read_as_its_first() -> None:
    views = [Image.fromarray(quarters()), Image.new("RGB", (64, 32), RED)]
    data = encoded(views[0], "MPO", save_all=True, append_images=views[1:], quality=95)
    assert np.abs(pixels(read_picture(data))[24, 16] - BLUE).max() <= 6


# Reduction


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "array", "image"])
@pytest.mark.parametrize("working_pixels", [100_000, 20_000, 3000])
def test_over_the_working_size_a_picture_is_reduced(kind: str, working_pixels: int) -> None:
    array = quarters(640, 320)
    image = Image.fromarray(array)
    source = (
        {"array": array, "image": image}.get(kind)
        if kind in ("array", "image")
        else encoded(image, kind)
    )
    picture = read_picture(source, working_pixels=working_pixels)  # type: ignore[arg-type]
    width, height = picture.size
    assert 0.9 * working_pixels < width * height <= working_pixels
    assert abs(width / height - 2) < 0.06
    assert picture.original_size == (640, 320)
    for x, y, colour in ((1, 1, RED), (3, 1, GREEN), (1, 3, BLUE), (3, 3, GREY)):
        assert np.abs(pixels(picture)[height * y // 4, width * x // 4] - colour).max() <= 8
    (note,) = picture.notes
    assert note.key == "errors.note_reduced"
    for language in LANGUAGES:
        for number in ("640", "320", str(width), str(height)):
            assert number in note.sentence(language)


def test_a_jpeg_is_decoded_at_the_size_that_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []

    def load(image: JpegImagePlugin.JpegImageFile) -> Any:
        decoded.append(image.size)
        return ImageFile.ImageFile.load(image)

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", load)
    data = encoded(Image.fromarray(quarters(641, 321)), "JPEG")
    assert read_picture(data, working_pixels=5000).original_size == (641, 321)
    assert set(decoded) == {(161, 81)}  # a quarter, which still holds the 99 x 49 that are asked


def test_within_the_working_size_nothing_is_resampled() -> None:
    assert read_picture(quarters(), working_pixels=64 * 32).size == (64, 32)
    assert read_picture(quarters(), working_pixels=64 * 32 - 1).size != (64, 32)


def test_a_reduced_picture_is_turned_too() -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[6](quarters(640, 320))))
    for kind in ("JPEG", "PNG", "TIFF"):
        data = encoded(stored, kind, exif=orientation_exif(6))
        picture = read_picture(data, working_pixels=5000)
        assert picture.original_size == (640, 320)
        assert picture.size == (100, 50)
        assert np.abs(pixels(picture)[10, 90] - GREEN).max() <= 8


def test_a_senseless_working_size_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="expected working_pixels >= 64, received 63") as caught:
        read_picture(quarters(), working_pixels=63)
    assert not isinstance(caught.value, Refused)


# What else must hold


def test_nothing_but_pixels_stays() -> None:
    exif = orientation_exif(3)
    exif[0x010F] = "Maker of the camera"
    exif.get_ifd(0x8825)[1] = "N"
    about = PngImagePlugin.PngInfo()
    about.add_text("Comment", "taken at home")
    for data in (
        example("JPEG", exif=exif, comment=b"taken at home"),
        example("PNG", exif=exif, pnginfo=about),
        example("WEBP", exif=exif),
        example("TIFF", exif=exif),
        example("JPEG", exif=exif, icc_profile=matrix_profile(b"the maker's display", P3)),
    ):
        for source in (data, Image.open(io.BytesIO(data))):
            rgb = read_picture(source).rgb
            assert rgb.info == {}
            assert not rgb.getexif()
            for kind in ("PNG", "JPEG", "TIFF"):
                saved = encoded(rgb, kind)
                assert b"home" not in saved
                assert b"aker" not in saved


def test_what_was_given_is_not_changed_and_not_shared() -> None:
    array = quarters()
    image = Image.fromarray(quarters()).convert("P")
    image.info["transparency"] = bytes([0, 1, 2])
    before = image.tobytes(), dict(image.info), image.getpalette("RGBA")
    pictures = read_picture(array), read_picture(image)
    assert (image.tobytes(), dict(image.info), image.getpalette("RGBA")) == before
    np.testing.assert_array_equal(array, quarters())
    array[:] = 0
    image.paste(0, (0, 0, 64, 32))
    assert all(pixels(picture).max() > 0 for picture in pictures)
    np.testing.assert_array_equal(pixels(pictures[0]), quarters())


def test_pillows_warnings_stay_silent(
    recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        pytest.warns(UserWarning),
        TiffImagePlugin.TiffImageFile(io.BytesIO(spoilt_tiff())) as spoilt,
    ):
        spoilt.load()
    recwarn.clear()
    np.testing.assert_array_equal(pixels(read_picture(spoilt_tiff())), quarters())
    assert len(recwarn) == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_no_file_stays_open(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.tif", tmp_path / "bad.png"
    pages = [Image.fromarray(quarters())] * 2
    good.write_bytes(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    bad.write_bytes(example()[:60])
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(5):
        kept = read_picture(good)
        assert kept.size == (64, 32)
        assert reason(bad) in ("truncated", "damaged")
    assert set(os.listdir("/proc/self/fd")) == before
    good.unlink()


def test_many_threads_read_at_once() -> None:
    sources = [example(kind) for kind in ("PNG", "BMP", "TIFF")] + [spoilt_tiff()]
    filters, settings = (
        list(warnings.filters),
        (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES),
    )
    start = threading.Barrier(8)

    def work(index: int) -> bool:
        start.wait()
        pictures = [read_picture(sources[(index + step) % len(sources)]) for step in range(12)]
        return all(np.array_equal(pixels(picture), quarters()) for picture in pictures)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert list(warnings.filters) == filters
    assert settings == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_nothing_is_printed_where_nobody_set_up_logging() -> None:
    data = bytearray(example("TIFF"))
    samples = data.index(struct.pack("<HHI", 277, 3, 1))  # samples per pixel, of which there are 3
    data[samples + 8] = 200
    code = (
        "import sys; from vizattn.intake import PictureError, read_picture\n"
        "try: read_picture(sys.stdin.buffer.read())\n"
        "except PictureError as error: print(error.key)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, cwd=ROOT)
    assert (done.stdout.split(), done.stderr) == ([b"errors.damaged"], b"")


def test_pictures_are_values() -> None:
    picture = read_picture(quarters())
    with pytest.raises(AttributeError):
        picture.name = "another"  # type: ignore[misc]
