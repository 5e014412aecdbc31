"""Rows in numbers and words: definitions by hand-made rows, words in every language."""

from __future__ import annotations

import math
import string
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from models.affinity import DenseAffinity
from models.mechanism import Claim
from tests.test_views import analysis, rows, signed, with_affinity, with_sites
from vizattn.geometry import Framing, Grid
from vizattn.texts import LANGUAGES, catalogue
from vizattn.views import Selection
from vizattn.words import row_numbers, sentence, spread

FRAMING = Framing.inside((480, 360), (480, 360), 64)
GRID = Grid(45, 60, (8, 8))


def test_an_even_row() -> None:
    numbers = row_numbers(np.full((5, 8), 1 / 40))
    assert numbers.total == pytest.approx(1)
    assert numbers.maximum == numbers.minimum == 1 / 40
    assert numbers.entropy == pytest.approx(math.log(40))
    assert numbers.evenness == pytest.approx(1)
    assert numbers.effective == pytest.approx(40)
    assert numbers.half_mass_cells == 20


def test_a_row_on_one_key() -> None:
    row = np.zeros(100)
    row[37] = 1
    numbers = row_numbers(row, own=37)
    assert (numbers.entropy, numbers.evenness, numbers.effective) == (0, 0, 1)
    assert numbers.half_mass_cells == 1
    assert numbers.self_weight == 1
    assert numbers.top[0] == (37, 1)
    assert len(numbers.top) == 5


def test_a_row_of_known_entropy() -> None:
    numbers = row_numbers(np.array([0.5, 0.25, 0.125, 0.125]), own=2, count=2)
    assert numbers.entropy == pytest.approx(1.75 * math.log(2))
    assert numbers.effective == pytest.approx(2**1.75)
    assert numbers.half_mass_cells == 1
    assert numbers.top == ((0, 0.5), (1, 0.25))
    assert numbers.self_weight == 0.125


def test_signed_rows_are_measured_by_magnitude() -> None:
    numbers = row_numbers(np.array([-3.0, 1, 1, 1]))
    assert numbers.total == 0
    assert numbers.minimum == -3
    assert numbers.half_mass_cells == 1
    assert numbers.top[0][1] == 1
    assert numbers.entropy == pytest.approx(-0.5 * math.log(0.5) - 0.5 * math.log(1 / 6))


def test_a_row_of_zeros() -> None:
    numbers = row_numbers(np.zeros(7))
    assert (numbers.entropy, numbers.effective, numbers.half_mass_cells) == (0, 0, 0)


def test_an_empty_row_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        row_numbers(np.zeros(0))


@given(st_numpy.arrays(np.float32, st.integers(1, 300), elements=st.floats(0, 1, width=32)))
@settings(max_examples=200, deadline=None)
def test_half_of_the_mass_is_held_by_so_few_and_no_fewer(row: np.ndarray) -> None:
    held = row_numbers(row).half_mass_cells
    largest = np.sort(row.astype(np.float64))[::-1]
    half = largest.sum() / 2
    assert largest[:held].sum() >= half * (1 - 3e-9)
    assert held == 0 or largest[: held - 1].sum() < half * (1 + 1e-12)


@given(st_numpy.arrays(np.float32, st.integers(2, 300), elements=st.floats(0, 1, width=32)))
@settings(max_examples=200, deadline=None)
def test_effective_keys_are_at_most_all(row: np.ndarray) -> None:
    numbers = row_numbers(row)
    assert 0 <= numbers.effective <= row.size * (1 + 1e-9)
    assert 0 <= numbers.evenness <= 1 + 1e-9


def lit(row: int, column: int) -> np.ndarray:
    values = np.zeros((GRID.rows, GRID.columns), dtype=np.float32)
    values[row, column] = 2
    return values


@pytest.mark.parametrize(
    ("cell", "region"),
    (((0, 0), 0), ((3, 30), 1), ((14, 59), 2), ((22, 5), 3), ((22, 30), 4), ((44, 59), 8)),
)
def test_mass_lies_in_the_ninth_of_its_cell(cell: tuple[int, int], region: int) -> None:
    lies = spread(lit(*cell), GRID, FRAMING)
    assert lies.shares.flat[region] == 1
    assert lies.shares.sum() == 1
    assert lies.centre == pytest.approx(((cell[1] + 0.5) / 60, (cell[0] + 0.5) / 45))
    assert lies.means.flat[region] == pytest.approx(2 / (15 * 20))


def test_ninths_follow_the_picture_and_not_the_bars_around_it() -> None:
    framing = Framing.letterbox((300, 100), (96, 96))
    grid = Grid(12, 12, (8, 8))
    values = np.zeros((12, 12))
    values[4, 0] = 1  # the top of the picture, in the upper half of the input
    assert spread(values, grid, framing).shares[0, 0] == 1


def test_ninths_without_a_cell_have_no_mean() -> None:
    lies = spread(np.ones((1, 2)), Grid(1, 2, (240, 360)), FRAMING)
    assert np.isnan(lies.means).sum() == 7
    assert lies.shares.sum() == pytest.approx(1)


def one_hot(key: int) -> str:
    """Return the sentence of a row that looks at one cell, asked from the middle."""
    site = rows().sites[0]
    weights = torch.zeros(1, 1, len(site.query_grid), len(site.key_grid))
    weights[..., key] = 1
    seen = with_affinity(DenseAffinity(weights), Claim.SIMPLEX)
    return sentence(seen, Selection(at=(150, 100)))


def test_the_sentence_says_where_how_far_and_how_concentrated() -> None:
    said = one_hot(0)
    assert "100%" in said
    assert "top left" in said
    assert "elsewhere" in said
    assert "1 of 176 cells" in said


def test_the_sentence_says_near_where_it_is_near() -> None:
    grid = rows().sites[0].key_grid
    said = one_hot(grid.cell_at(rows().framing.to_model((150, 100))))
    assert "near the place itself" in said
    assert "centre of the picture" in said


def test_an_even_row_is_said_to_be_even() -> None:
    site = rows().sites[0]
    count = len(site.key_grid)
    even = DenseAffinity(torch.full((1, 1, count, count), 1 / count))
    said = sentence(with_affinity(even, Claim.SIMPLEX), Selection(at=(9, 9)))
    assert "nearly even" in said
    assert "top" not in said


def test_a_row_of_zeros_has_a_sentence_of_its_own() -> None:
    count = len(rows().sites[0].key_grid)
    nothing = with_affinity(DenseAffinity(torch.zeros(1, 1, count, count)), Claim.POSITIVE)
    assert "zero" in sentence(nothing)


def test_signed_rows_name_the_share_of_negative_weights() -> None:
    row = signed().row((150, 100))
    share = round(100 * (row < 0).mean())
    assert f"weights of {share}% of the cells are negative" in sentence(signed())
    assert "negative" not in sentence(rows())


def test_gates_are_counted() -> None:
    seen = analysis("classify", "se")
    gate = seen.sites[0]
    values = np.linspace(0.05, 0.5, len(gate.values)).astype(np.float32)
    values[3:6] = 0.95
    said = sentence(with_sites(seen, replace(gate, values=values)), Selection(gate.site))
    assert f"Of {len(values)} channels, 3 " in said
    assert f"{(values < 0.1).sum()} are almost shut" in said
    assert "channel 3 is the strongest" in said


def test_spatial_gates_name_their_most_and_least_open_parts() -> None:
    seen = analysis("classify", "cbam")
    gate = seen.sites[1]
    values = np.full_like(gate.values, 0.5)
    third = -(-values.shape[1] // 3)
    values[: values.shape[0] // 3, :third] = 0.99
    values[-(values.shape[0] // 3) :, -third:] = 0.01
    said = sentence(with_sites(seen, replace(gate, values=values)), Selection(gate.site))
    assert "most open in the top left" in said
    assert "least open in the bottom right" in said
    assert "from 0.010 to 0.99" in said


def test_channel_rows_name_the_channel_they_look_at() -> None:
    seen = analysis("segment", "danet")
    row = seen["context.channel"].rows.row(5)[0]
    said = sentence(seen, Selection("context.channel", channel=5))
    assert f"Channel 5 attends most to channel {row.argmax()} " in said


def test_every_kind_has_words_in_every_language() -> None:
    for seen in (rows(), signed(), analysis("segment", "danet"), analysis("classify", "cbam")):
        for site in seen.sites[:3]:
            texts = [sentence(seen, Selection(site.site), language) for language in LANGUAGES]
            assert len(set(texts)) == len(LANGUAGES)
            assert not any("{" in said for said in texts)


@pytest.mark.parametrize("area", ("words", "figure"))
def test_both_languages_have_the_same_texts_and_placeholders(area: str) -> None:
    def placeholders(language: str) -> dict[str, set[str]]:
        return {
            key: {field for _, field, *_ in string.Formatter().parse(value) if field}
            for key, value in catalogue(language).items()
            if key.startswith(f"{area}.")
        }

    english, chinese = map(placeholders, LANGUAGES)
    assert english
    assert english == chinese
