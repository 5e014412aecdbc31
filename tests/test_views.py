"""What is drawn for a selection, and that its scale says what it is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from models.affinity import ConcatenationAffinity, Normaliser, ProductAffinity
from models.mechanism import Claim
from tests.networks_for_tests import scene, small_network
from vizattn.analysis import Analysis, OutsidePicture, UnknownSite, look
from vizattn.attention import PlaceAffinity, Rows, SpatialGate
from vizattn.numbers import number, percent
from vizattn.texts import LANGUAGES
from vizattn.views import (
    Bars,
    Heat,
    Matrix,
    Scale,
    Selection,
    UnknownChannel,
    UnknownHead,
    resolve,
    view,
)

SIZE = (300, 200)


@cache
def analysis(task: str, mechanism: str) -> Analysis:
    return look(scene(*SIZE), small_network(task, mechanism))


def rows() -> Analysis:
    return analysis("segment", "nonlocal")


def with_sites(of: Analysis, *sites: object) -> Analysis:
    return replace(of, sites=sites)


def with_affinity(affinity: object, claim: Claim) -> Analysis:
    """Return an analysis whose only site has another affinity over the same places."""
    site = rows().sites[0]
    assert isinstance(site, PlaceAffinity)
    return with_sites(rows(), replace(site, rows=Rows(affinity), claim=claim))


def signed() -> Analysis:
    factors = rows().sites[0].rows.factors()
    return with_affinity(
        ProductAffinity(factors.query, factors.key, 1.0, Normaliser.MEAN), Claim.SIGNED
    )


def two_heads() -> Analysis:
    factors = rows().sites[0].rows.factors()
    query = factors.query.repeat(1, 2, 1, 1)
    query[:, 1] *= 3
    affinity = ProductAffinity(query, factors.key.repeat(1, 2, 1, 1), factors.scale)
    return with_affinity(affinity, Claim.SIMPLEX)


def test_a_row_is_the_row_of_the_place() -> None:
    (heat,) = view(rows(), Selection(at=(240, 180)))
    assert isinstance(heat, Heat)
    assert np.array_equal(heat.values, rows().row((240, 180))[0])
    assert not heat.signed
    assert (heat.low, heat.high) == (0, heat.values.max())


def test_the_marker_is_the_queried_cell_in_original_pixels() -> None:
    (heat,) = view(rows(), Selection(at=(240, 180)))
    left, top, right, bottom = heat.marker
    assert left <= 240 < right
    assert top <= 180 < bottom
    scale = rows().framing.scale
    assert (right - left, bottom - top) == pytest.approx((8 / scale[0], 8 / scale[1]))


def test_the_row_label_says_maximum_and_uniform() -> None:
    (heat,) = view(rows(), Selection(at=(240, 180)))
    count = heat.values.size
    label = heat.scale_label.text("en")
    assert f"row maximum {number(heat.high)}" in label
    assert f"1/{count} = {number(1 / count, 2)}" in label
    assert heat.uniform == 1 / count


def test_the_fixed_scale_of_rows_is_the_same_for_all_places() -> None:
    heats = [
        view(rows(), Selection(at=at), Scale.FIXED)[0] for at in ((5, 5), (150, 100), (290, 190))
    ]
    assert {(heat.low, heat.high) for heat in heats} == {(0, 20 / heats[0].values.size)}
    assert f"20 × uniform = {number(heats[0].high)}" in heats[0].scale_label.text("en")


def test_the_fixed_scale_never_goes_beyond_a_weight_of_one() -> None:
    few = small_network("classify", "nonlocal")
    seen = look(scene(64, 64), few)
    site = seen.sites[0]
    affinity = ProductAffinity(*(f[:, :, :9] for f in (site.rows.factors().query,) * 2))
    grid = replace(site.key_grid, rows=3, columns=3)
    tiny = replace(site, rows=Rows(affinity), query_grid=grid, key_grid=grid)
    (heat,) = view(with_sites(seen, tiny), Selection(), Scale.FIXED)
    assert heat.high == 1


@pytest.mark.parametrize("scale", Scale)
def test_signed_rows_are_symmetric_around_zero(scale: Scale) -> None:
    (heat,) = view(signed(), Selection(at=(240, 180)), scale)
    assert heat.signed
    assert heat.values.min() < 0 < heat.values.max()
    assert heat.low == -heat.high
    assert heat.uniform is None
    if scale is Scale.ROW_MAXIMUM:
        assert heat.high == np.abs(heat.values).max()
    assert number(heat.high) in heat.scale_label.text("en")


def test_the_fixed_scale_of_signed_rows_is_the_same_for_all_places() -> None:
    highs = {view(signed(), Selection(at=at), Scale.FIXED)[0].high for at in ((5, 5), (150, 100))}
    (high,) = highs
    every = np.abs(signed().sites[0].rows.some(range(len(rows().sites[0].query_grid))))
    assert 0.3 * every.max() < high <= every.max()


def test_positive_rows_start_at_zero_and_claim_no_uniform() -> None:
    factors = rows().sites[0].rows.factors()
    affinity = ConcatenationAffinity(factors.query[..., 0], factors.key[..., 0])
    (heat,) = view(with_affinity(affinity, Claim.POSITIVE), Selection(at=(240, 180)))
    assert not heat.signed
    assert heat.low == 0
    assert heat.uniform is None


def test_a_row_of_zeros_has_a_scale_and_says_zero() -> None:
    factors = rows().sites[0].rows.factors()
    nothing = ProductAffinity(factors.query * 0, factors.key, 1.0, Normaliser.MEAN)
    for scale in Scale:
        (heat,) = view(with_affinity(nothing, Claim.SIGNED), Selection(at=(9, 9)), scale)
        assert heat.high > heat.low
        assert " 0" in heat.scale_label.text("en")


def test_heads_one_by_one_and_their_mean() -> None:
    seen = two_heads()
    one, other = (view(seen, Selection(head=head, at=(9, 9)))[0].values for head in (0, 1))
    (mean,) = view(seen, Selection(at=(9, 9)))
    assert not np.allclose(one, other)
    assert np.allclose(mean.values, (one + other) / 2)


@pytest.mark.parametrize("head", (-1, 2))
def test_unknown_heads_are_refused(head: int) -> None:
    with pytest.raises(UnknownHead, match="this attention has 2"):
        view(two_heads(), Selection(head=head, at=(9, 9)))


def test_without_a_place_the_row_is_that_of_the_centre() -> None:
    assert resolve(rows()).at == (150, 100)
    assert np.array_equal(view(rows())[0].values, rows().row((150, 100))[0])


def test_a_place_off_the_picture_is_refused_also_where_no_row_is_needed() -> None:
    for seen in (rows(), analysis("classify", "se")):
        with pytest.raises(OutsidePicture, match="300 × 200"):
            view(seen, Selection(at=(300, 10)))


def test_an_unknown_site_is_refused() -> None:
    with pytest.raises(UnknownSite, match="context"):
        view(rows(), Selection(site="elsewhere"))


def test_a_selection_holds_plain_numbers() -> None:
    chosen = resolve(rows(), Selection(at=(np.float32(10), np.int64(20))))
    assert chosen.at == (10.0, 20.0)
    assert [type(part) for part in chosen.at] == [float, float]


def spatial() -> tuple[Analysis, SpatialGate]:
    seen = analysis("classify", "cbam")
    return seen, next(site for site in seen.sites if isinstance(site, SpatialGate))


def test_spatial_gates_fixed_and_on_their_own_range() -> None:
    seen, gate = spatial()
    (fixed,) = view(seen, Selection(gate.site), Scale.FIXED)
    (own,) = view(seen, Selection(gate.site))
    assert (fixed.low, fixed.high) == (0, 1)
    assert (own.low, own.high) == (gate.values.min(), gate.values.max())
    for end in (own.low, own.high):
        assert number(end) in own.scale_label.text("en")
    assert own.marker is None


def test_a_spatial_gate_marks_the_selected_cell() -> None:
    seen, gate = spatial()
    (heat,) = view(seen, Selection(gate.site, at=(40, 50)))
    assert heat.marker[0] <= 40 < heat.marker[2]
    assert heat.marker[1] <= 50 < heat.marker[3]


def test_a_gate_that_is_the_same_everywhere_is_not_on_a_scale_of_no_width() -> None:
    seen, gate = spatial()
    flat = replace(gate, values=np.full_like(gate.values, 0.5))
    (heat,) = view(with_sites(seen, flat), Selection(gate.site))
    assert (heat.low, heat.high) == (0, 1)
    assert "0.500 to 0.500" in heat.scale_label.text("en")


def test_channel_gates_are_bars_beside_the_activation_of_the_strongest() -> None:
    seen = analysis("classify", "se")
    gate = seen.sites[2]
    heat, bars = view(seen, Selection(gate.site))
    assert isinstance(heat, Heat)
    assert isinstance(bars, Bars)
    assert bars.chosen == gate.values.argmax() == bars.channels[0]
    assert np.array_equal(bars.values, gate.values[bars.channels])
    assert (np.diff(bars.values) <= 0).all()
    assert sorted(bars.channels) == list(range(len(gate.values)))
    assert (bars.low, bars.high) == (0, 1)


def test_a_chosen_channel_shows_what_it_responds_to() -> None:
    seen = analysis("classify", "se")
    gate = seen.sites[2]
    heat, bars = view(seen, Selection(gate.site, channel=7))
    raw = gate.activation.values[7]
    assert np.array_equal(heat.values, raw)
    assert raw.min() < 0, "at the end of a residual branch"
    assert (heat.signed, heat.low, heat.high) == (True, -np.abs(raw).max(), np.abs(raw).max())
    assert bars.chosen == 7
    assert number(raw.min()) in heat.scale_label.text("en")
    fixed, _ = view(seen, Selection(gate.site, channel=7), Scale.FIXED)
    assert fixed.high == np.abs(gate.activation.values).max() >= heat.high


@pytest.mark.parametrize("channel", (-1, 10_000))
def test_unknown_channels_are_refused_in_both_languages(channel: int) -> None:
    seen = analysis("classify", "se")
    with pytest.raises(UnknownChannel, match=f"no channel {channel}") as refused:
        view(seen, Selection(seen.sites[0].site, channel=channel))
    assert str(channel) in refused.value.sentence("zh")


def test_channel_affinities_are_activation_bars_and_matrix() -> None:
    seen = analysis("segment", "danet")
    site = seen["context.channel"]
    heat, bars, matrix = view(seen, Selection("context.channel", channel=5))
    assert isinstance(matrix, Matrix)
    dense = site.rows.some(range(site.rows.queries))[0]
    assert np.array_equal(matrix.values, dense)
    assert np.array_equal(bars.values, np.sort(dense[5])[::-1])
    assert bars.high == dense[5].max()
    assert matrix.high == dense.max()
    assert matrix.chosen == bars.chosen == 5
    assert np.array_equal(heat.values, site.activation.values[5])
    assert site.activation.values.min() == 0 == heat.low, "behind a ReLU nothing is below 0"
    assert not heat.signed
    _, bars, matrix = view(seen, Selection("context.channel", channel=5), Scale.FIXED)
    assert (bars.high, matrix.high) == (1, 1)


def test_without_a_channel_the_row_with_the_largest_weight_is_chosen() -> None:
    seen = analysis("segment", "danet")
    dense = seen["context.channel"].rows.some(range(96))[0]
    assert resolve(seen, Selection("context.channel")).channel == dense.max(axis=1).argmax()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scale", Scale)
def test_every_label_exists_in_every_language(language: str, scale: Scale) -> None:
    shown = 0
    for seen in (rows(), signed(), analysis("segment", "danet"), analysis("classify", "cbam")):
        for site in seen.sites[:3]:
            for drawable in view(seen, Selection(site.site), scale):
                for label in (drawable.title, drawable.scale_label):
                    assert "{" not in label.text(language)
                    shown += 1
    assert shown > 10


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    (
        (0, 3, "0"),
        (0.031, 2, "0.031"),
        (1 / 2700, 2, "0.00037"),
        (0.5, 3, "0.500"),
        (-0.25, 2, "−0.25"),
        (123.4, 3, "123"),
        (999.7, 3, "1,000"),
        (12345.6, 3, "12,346"),
        (1.24e-7, 2, "1.2 × 10⁻⁷"),
        (-1.24e-7, 3, "−1.2 × 10⁻⁷"),
        (1e-6, 1, "1 × 10⁻⁶"),
        (float("nan"), 3, "–"),
        (float("inf"), 3, "–"),
    ),
)
def test_numbers(value: float, digits: int, written: str) -> None:
    assert number(value, digits) == written


@pytest.mark.parametrize(
    ("share", "written"),
    ((0, "0.0%"), (0.0004, "<0.1%"), (0.023, "2.3%"), (0.21, "21%"), (1, "100%"), (0.0996, "10%")),
)
def test_percentages(share: float, written: str) -> None:
    assert percent(share) == written
