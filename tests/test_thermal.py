"""Thermal pictures as cameras and programs save them come out upright and finite."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests import pictures
from tests.pictures import STORED, deep_png, encoded, orientation_exif, png
from tests.spoilt import ANY_ARRAY, cut, flipped, fuzz
from vizattn.intake import PictureError, read_picture
from vizattn.intake.colourmaps import curves
from vizattn.intake.thermal import (
    Thermal,
    looks_thermal,
    looks_visible,
    notes_on_rgb,
    read_thermal,
    swapped,
)
from vizattn.texts import LANGUAGES

WORKING_PIXELS = 40_000
FUZZ = fuzz(80)


def scene(width: int = 64, height: int = 48) -> np.ndarray:
    """Return levels (height, width) of 10..255: a slope with two warm people in it."""
    y, x = np.mgrid[:height, :width]
    values = 10 + 90 * x / width + 60 * y / height
    for column, row in ((0.3, 0.4), (0.7, 0.6)):
        apart = ((x / width - column) / 0.06) ** 2 + ((y / height - row) / 0.15) ** 2
        values += 150 * np.exp(-apart)
    return values.clip(0, 255).astype(np.uint8)


def painted(levels: np.ndarray, name: str) -> Image.Image:
    return Image.fromarray(curves()[name].astype(np.uint8)[levels])


def photograph(seed: int = 0) -> Image.Image:
    """Return patches of many colours, as scenes have them and colour maps do not."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(patches).resize((64, 48), Image.Resampling.BICUBIC)


def keys(thermal: Thermal) -> list[str]:
    return [note.key for note in thermal.notes]


def refusal(source: Any, **options: Any) -> PictureError:
    return pictures.refusal(source, read_thermal, **options)


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 95}, 4),
    ],
)
def test_grey_levels_of_eight_bits(kind: str, options: dict[str, Any], tolerance: int) -> None:
    for image in (Image.fromarray(scene()), Image.fromarray(scene()).convert("RGB")):
        thermal = read_thermal(encoded(image, kind, **options), name="warm")
        assert (thermal.unit, thermal.colour_mapped, thermal.notes) == ("grey8", None, ())
        assert (thermal.original_size, thermal.size, thermal.name) == ((64, 48), (64, 48), "warm")
        assert thermal.values.dtype == np.float32
        assert np.abs(thermal.values - scene()).max() <= tolerance


def test_path_bytes_file_image_and_array_are_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "warm.png"
    Image.fromarray(scene()).save(path)
    with path.open("rb") as file, Image.open(path) as image:
        sources: list[Any] = [path, str(path), path.read_bytes(), file, image, scene()]
        sources += [scene()[..., None], np.dstack([scene()] * 3)]
        for source in sources:
            assert (read_thermal(source).values == scene()).all()
    assert read_thermal(path).name == "warm.png"


def deep_files(values: np.ndarray) -> list[Any]:
    return [deep_png(values), encoded(Image.fromarray(values), "TIFF"), values]


def test_counts_of_sixteen_bits_are_kept() -> None:
    counts = (7000 + scene().astype(np.uint16) * 9).astype(np.uint16)
    for source in deep_files(counts):
        thermal = read_thermal(source)
        assert (thermal.unit, thermal.notes) == ("grey16", ())
        assert (thermal.values == counts).all()


@pytest.mark.parametrize(("step", "precision"), [(0.01, 0.006), (0.1, 0.06)])
def test_steps_of_a_kelvin_become_degrees_celsius(step: float, precision: float) -> None:
    celsius = -5 + scene() / 5.0
    counts = np.rint((celsius + 273.15) / step).astype(np.uint16)
    for source in deep_files(counts):
        thermal = read_thermal(source)
        assert thermal.unit == "celsius"
        assert keys(thermal) == ["thermal.note_steps"]
        assert thermal.notes[0].values["step"] == f"{step:g}"
        assert np.abs(thermal.values - celsius).max() < precision


@pytest.mark.parametrize(
    ("values", "unit", "notes"),
    [
        (10 + scene() / 10, "celsius", ["thermal.note_celsius"]),
        (280 + scene() / 10, "kelvin", ["thermal.note_kelvin"]),
        (scene() / 255, "number", []),
        (scene() * 100.0, "number", []),
    ],
)
def test_floats_are_read_by_their_range(values: np.ndarray, unit: str, notes: list[str]) -> None:
    single = values.astype(np.float32)
    for source in (encoded(Image.fromarray(single), "TIFF"), single, values):
        thermal = read_thermal(source)
        assert (thermal.unit, keys(thermal)) == (unit, notes)
        assert (thermal.values == single).all()


def test_whole_numbers_of_any_width() -> None:
    for kind in (np.int16, np.int32, np.int64, np.uint32):
        thermal = read_thermal(scene().astype(kind) * 50)
        assert thermal.unit == "grey16"
        assert (thermal.values == scene().astype(np.float32) * 50).all()
    assert read_thermal(scene().astype(np.int32) - 100).unit == "number"


def nearest(values: np.ndarray, row: int, column: int) -> set[float]:
    """Return the values that are nearest to a place in its row and its column."""
    there = {
        (y, x): values[y, x]
        for y, x in np.argwhere(np.isfinite(values))
        if (y == row) != (x == column)
    }
    apart = {at: abs(at[0] - row) + abs(at[1] - column) for at in there}
    return {float(there[at]) for at in there if apart[at] == min(apart.values())}


def test_a_missing_value_takes_the_nearest_of_its_row_or_column() -> None:
    values = np.random.default_rng(0).uniform(300, 9000, (30, 40)).astype(np.float32)
    values[10, 20:25] = np.nan
    values[15:22, 4:9] = np.nan
    values[26:30, 36:40] = [np.inf, np.nan, -np.inf, 3e38]
    thermal = read_thermal(encoded(Image.fromarray(values), "TIFF"))
    assert keys(thermal) == ["thermal.note_filled"]
    values[26:30, 36:40] = np.nan
    for row, column in np.argwhere(np.isnan(values)):
        assert float(thermal.values[row, column]) in nearest(values, row, column)
    there = np.isfinite(values)
    assert (thermal.values[there] == values[there]).all()


def test_whole_rows_and_columns_may_be_missing() -> None:
    values = np.add.outer(np.arange(40.0), 1000 * np.arange(50.0)).astype(np.float32)
    holes = values.copy()
    holes[:3] = np.nan
    holes[:, 48:] = np.nan
    thermal = read_thermal(holes)
    assert (thermal.values[:3, :48] == values[3, :48]).all()
    assert (thermal.values[3:, 48:] == values[3:, 47:48]).all()
    assert (thermal.values[:3, 48:] == values[3, 47]).all()


def test_too_many_missing_values_are_refused() -> None:
    values = scene().astype(np.float32)
    values[:12] = np.nan  # a quarter
    error = refusal(encoded(Image.fromarray(values), "TIFF"))
    assert error.key == "thermal.missing"
    assert "25 %" in str(error)
    assert refusal(np.full((40, 40), np.nan)).key == "thermal.missing"
    assert refusal(np.full((40, 40), 1e300)).key == "thermal.missing"


def test_missing_values_do_not_spread_when_reduced() -> None:
    values = np.full((200, 300), 20.0, dtype=np.float32)
    values[:, 150:] = 30
    values[50:54, 100:110] = np.nan
    values[120, 30] = np.nan
    thermal = read_thermal(values, working_pixels=3000)
    assert thermal.size[0] * thermal.size[1] <= 3000
    assert np.isfinite(thermal.values).all()
    middle = thermal.size[0] // 2
    assert np.abs(thermal.values[:, : middle - 2] - 20).max() < 1e-3
    assert np.abs(thermal.values[:, middle + 2 :] - 30).max() < 1e-3


def test_transparent_pixels_are_missing() -> None:
    grey = Image.fromarray(scene())
    alpha = np.full(scene().shape, 255, np.uint8)
    alpha[5:8, 5:8] = 0
    for image in (grey.copy(), grey.convert("RGB"), painted(scene(), "inferno")):
        image.putalpha(Image.fromarray(alpha))
        thermal = read_thermal(encoded(image, "PNG"))
        assert "thermal.note_filled" in keys(thermal)
        assert thermal.values[6, 6] in thermal.values[[4, 8, 6, 6], [6, 6, 4, 8]]


@pytest.mark.parametrize("name", sorted(curves()))
def test_every_colour_map_is_recognised_and_undone(name: str) -> None:
    image = painted(scene(160, 120), name)
    for kind, options, typical in (("PNG", {}, 1), ("JPEG", {"quality": 85}, 6)):
        thermal = read_thermal(encoded(image, kind, **options))
        assert (thermal.unit, thermal.colour_mapped) == ("colour-mapped", name)
        assert keys(thermal) == ["thermal.note_mapped"]
        assert name in thermal.notes[0].sentence("en")
        apart = np.abs(thermal.values - scene(160, 120))
        assert np.median(apart) <= typical


def test_labels_on_a_painted_picture_do_not_hide_its_colour_map() -> None:
    pixels = np.asarray(painted(scene(160, 120), "iron")).copy()
    pixels[4:14, 4:60] = 255
    pixels[10:110, 150:158] = curves()["iron"].astype(np.uint8)[
        np.linspace(255, 0, 100, dtype=int)
    ][:, None]
    assert read_thermal(pixels).colour_mapped == "iron"


def test_natural_colours_are_said_and_their_brightness_used() -> None:
    thermal = read_thermal(photograph())
    assert (thermal.unit, thermal.colour_mapped) == ("colour", None)
    assert keys(thermal) == ["thermal.note_colours"]
    assert (thermal.values == np.asarray(photograph().convert("L"))).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright(orientation: int) -> None:
    exif = orientation_exif(orientation)
    stored = np.ascontiguousarray(STORED[orientation](scene()))
    counts = stored.astype(np.uint16) * 100
    files = [
        (Image.fromarray(stored), "PNG", 1),
        (Image.fromarray(counts), "PNG", 100),
        (Image.fromarray(counts.astype(np.float32)), "TIFF", 100),
    ]
    for image, kind, factor in files:
        thermal = read_thermal(encoded(image, kind, exif=exif))
        assert thermal.original_size == thermal.size == (64, 48)
        assert (thermal.values == scene().astype(np.float32) * factor).all()
        # Pillow itself turns what it reads from a TIFF.
        assert ("errors.note_turned" in keys(thermal)) == (orientation != 1 and kind == "PNG")


@pytest.mark.parametrize(
    ("source", "key"),
    [
        (np.zeros((40, 40), np.uint8), "thermal.black"),
        (np.zeros((40, 40), np.uint16), "thermal.black"),
        (np.zeros((40, 40)), "thermal.black"),
        (np.full((40, 40), 255, np.uint8), "thermal.saturated"),
        (np.full((40, 40), 65535, np.uint16), "thermal.saturated"),
        (np.full((40, 40), 16383, np.uint16), "thermal.saturated"),
        (np.full((40, 40), 90, np.uint8), "thermal.constant"),
        (np.full((40, 40), 21.5), "thermal.constant"),
        (np.full((40, 40, 3), (0, 0, 255), np.uint8), "thermal.constant"),
    ],
)
def test_a_picture_that_shows_nothing_is_refused(source: np.ndarray, key: str) -> None:
    assert refusal(source, name="flat.png").key == key


def test_a_few_broken_pixels_do_not_make_a_picture() -> None:
    values = np.full((200, 200), 255, np.uint8)
    values[3, 7] = 0
    assert refusal(values).key == "thermal.saturated"


def test_saturated_parts_are_said() -> None:
    values = scene(100, 100)
    values[:40] = 255
    thermal = read_thermal(values)
    assert keys(thermal) == ["thermal.note_saturated"]
    assert 40 <= int(str(thermal.notes[0].values["percent"])) <= 45
    assert read_thermal(scene()).notes == ()


def test_sizes_from_the_smallest_to_forty_megapixels() -> None:
    assert read_thermal(scene(32, 32)).size == (32, 32)
    assert refusal(scene(7, 60)).key == "errors.too_small"
    assert refusal(scene(10, 400)).key == "errors.too_narrow"
    line = np.linspace(0, 255, 8000).astype(np.uint8)
    large = np.broadcast_to(line, (5000, 8000))
    thermal = read_thermal(large, working_pixels=WORKING_PIXELS)
    assert thermal.original_size == (8000, 5000)
    assert thermal.size == (252, 158)
    assert keys(thermal) == ["errors.note_reduced"]
    expected = np.interp((np.arange(252) + 0.5) / 252 * 8000 - 0.5, np.arange(8000), line)
    assert np.abs(thermal.values - expected)[:, 1:-1].max() < 1.5
    with pytest.raises(ValueError, match="working_pixels"):
        read_thermal(scene(), working_pixels=3)


def test_the_absurd_is_refused_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 16, 0, 0, 0, 0)
    assert refusal(png(header, [])).key == "errors.too_many_pixels"
    assert refusal(b"").key == "errors.empty_file"
    assert refusal(b"no picture at all").key == "errors.not_a_picture"
    assert refusal("nowhere.tif").key == "errors.missing_file"
    assert refusal(None).key == "errors.bad_source"
    assert refusal(np.zeros((0, 5))).key == "errors.empty_array"
    assert refusal(np.zeros((4, 40, 40, 2))).key == "errors.bad_array_shape"
    assert refusal(scene().astype(np.complex64)).key == "errors.bad_array_type"
    assert refusal(encoded(Image.fromarray(scene()), "PNG")[:400]).key == "errors.truncated"


def test_levels_do_not_let_a_few_pixels_decide() -> None:
    values = np.linspace(20, 30, 4000, dtype=np.float32).reshape(50, 80)
    values[0, :5] = 500
    levels = read_thermal(values).levels()
    assert levels.dtype == np.uint8
    assert (levels.min(), levels.max(), levels[0, 0]) == (0, 255, 255)
    assert abs(int(np.median(levels)) - 127) <= 2
    spot = np.zeros((50, 80), np.uint8)
    spot[20:22, 30:34] = 200
    assert set(np.unique(read_thermal(spot).levels())) == {0, 255}


def test_senses_are_told_apart() -> None:
    colour, grey = photograph(), Image.fromarray(scene()).convert("RGB")
    warm = painted(scene(), "iron")
    assert not looks_thermal(read_picture(colour))
    assert looks_visible(read_thermal(colour)) and looks_visible(read_picture(colour))
    for image in (grey, warm):
        assert looks_thermal(read_picture(image))
        assert not looks_visible(read_thermal(image)) and not looks_visible(read_picture(image))
        assert swapped(read_picture(image), read_thermal(colour))
        assert not swapped(read_picture(colour), read_thermal(image))
    assert not swapped(read_picture(grey), read_thermal(warm))
    assert not swapped(read_picture(colour), read_thermal(colour))


def test_an_rgb_picture_without_natural_colours_is_said() -> None:
    grey, warm = Image.fromarray(scene()), painted(scene(), "jet")
    notes = [notes_on_rgb(read_picture(image, name="a.png")) for image in (grey, warm)]
    assert [note.key for each in notes for note in each] == [
        "thermal.note_grey_rgb",
        "thermal.note_mapped_rgb",
    ]
    assert all("a.png" in each[0].sentence(language) for each in notes for language in LANGUAGES)
    assert notes_on_rgb(read_picture(photograph())) == ()


@pytest.mark.parametrize("pack", ["rgbt_msrs", "rgbt_roadscene"])
def test_senses_of_real_pairs_are_told_apart(shared: Path, pack: str) -> None:
    folder = shared / "data" / pack
    if not folder.is_dir():
        pytest.skip(f"no pack {pack}")
    for name in sorted(json.loads((folder / "annotations.json").read_text("utf-8")))[::40]:
        rgb, thermal = (folder / sense / f"{name}.jpg" for sense in ("rgb", "thermal"))
        assert not swapped(read_picture(rgb), read_thermal(thermal)), name
        assert swapped(read_picture(thermal), read_thermal(rgb)), name


def files() -> dict[str, bytes]:
    """Return a small valid file of each kind that thermal cameras and programs write."""
    grey, exif = Image.fromarray(scene(17, 12)), orientation_exif(6)
    counts = scene(17, 12).astype(np.uint16) * 100
    real = scene(17, 12).astype(np.float32) / 5
    real[3, 4:6] = np.nan
    recipes: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "jpeg": (grey, "JPEG", {"exif": exif}),
        "png": (grey, "PNG", {"exif": exif}),
        "painted jpeg": (painted(scene(17, 12), "iron"), "JPEG", {}),
        "painted palette png": (painted(scene(17, 12), "jet").quantize(64), "PNG", {}),
        "deep png": (Image.fromarray(counts), "PNG", {}),
        "deep tiff": (Image.fromarray(counts), "TIFF", {"compression": "tiff_lzw"}),
        "float tiff": (Image.fromarray(real), "TIFF", {}),
    }
    made = {}
    for name, (image, kind, options) in recipes.items():
        made[name] = encoded(image, kind, **options)
    return made


FILES = files()


def judge(source: Any) -> None:
    """Fail unless a source gives finite values, or a refusal in both languages."""
    try:
        thermal = read_thermal(source, name="fuzz", working_pixels=WORKING_PIXELS)
    except PictureError as refused:
        assert all(refused.sentence(language) for language in LANGUAGES)
        return
    assert thermal.values.dtype == np.float32
    assert thermal.values.shape == (thermal.size[1], thermal.size[0])
    assert np.isfinite(thermal.values).all()
    assert thermal.values.size <= WORKING_PIXELS
    levels = thermal.levels()
    assert (levels.min(), levels.max()) == (0, 255)
    assert all(note.sentence(language) for note in thermal.notes for language in LANGUAGES)


@FUZZ
@given(st.sampled_from(sorted(FILES)), st.binary(max_size=200))
def test_random_bytes_behind_a_true_beginning(kind: str, data: bytes) -> None:
    judge(FILES[kind][:32] + data)


@pytest.mark.parametrize("kind", FILES)
@settings(FUZZ, max_examples=40)
@given(st.data())
def test_flipped_bytes(kind: str, data: st.DataObject) -> None:
    judge(flipped(FILES[kind], data))


@pytest.mark.parametrize("kind", FILES)
def test_a_file_cut_anywhere(kind: str) -> None:
    for beginning in cut(FILES[kind], 40):
        judge(beginning)


@FUZZ
@given(ANY_ARRAY)
def test_arrays_of_any_shape_and_type(array: np.ndarray) -> None:
    judge(array)
