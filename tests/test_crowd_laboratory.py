"""Knobs, and what re-assembling costs: the same numbers as asking once each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.crowd_for_tests import analysis, network, rgb_picture, thermal_picture
from tests.networks_for_tests import small_network
from vizattn.crowd import cost
from vizattn.crowd.analysis import look_at, look_pair
from vizattn.crowd.changes import Changes
from vizattn.crowd.cost import StageCost, Way, cost_of
from vizattn.crowd.laboratory import KNOBS, Step, steps, sweep
from vizattn.crowd.pair import NoPair, Pair


def pair() -> Pair:
    return analysis().pair


@pytest.mark.parametrize(
    ("knob", "value", "same"),
    [
        ("shift_x", 12.0, Changes(shift=(12.0, 5.0), off=frozenset({2}))),
        ("shift_y", -7.0, Changes(shift=(0.0, -7.0), off=frozenset({2}))),
        ("light", 0.4, Changes(shift=(0.0, 5.0), light=0.4, off=frozenset({2}))),
        ("noise_rgb", 30.0, Changes(shift=(0.0, 5.0), noise=("rgb", 30.0), off=frozenset({2}))),
        (
            "noise_thermal",
            30.0,
            Changes(shift=(0.0, 5.0), noise=("thermal", 30.0), off=frozenset({2})),
        ),
    ],
)
def test_a_sweep_is_what_each_change_alone_gives(knob: str, value: float, same: Changes) -> None:
    base = Changes(shift=(0.0, 5.0), off=frozenset({2}))
    found = sweep(pair(), network(), knob, [0, value], base)
    seen = look_at(pair(), network(), same)
    assert found.knob == knob
    assert found.values.tolist() == [0, value]
    assert found.counts[1] == pytest.approx(seen.count, rel=1e-5)
    np.testing.assert_allclose(found.trusts[1], seen.trusts()[:, 0], atol=1e-6)
    assert np.isnan(found.trusts[:, 2]).all()
    assert found.counts[0] != pytest.approx(found.counts[1])
    assert set(KNOBS) == {"shift_x", "shift_y", "light", "noise_rgb", "noise_thermal"}


def test_steps_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = steps(pair(), network(), "light", [1.0, 0.5])
    first = next(found)
    assert isinstance(first, Step)
    assert first.count == pytest.approx(analysis().count, rel=1e-5)
    # Nothing is computed ahead of what is asked for.
    monkeypatch.setattr(Pair, "to_network", lambda *_: pytest.fail("asked"))
    with pytest.raises(pytest.fail.Exception):
        next(found)


def test_what_cannot_be_swept_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a knob"):
        sweep(pair(), network(), "zoom", [1])
    with pytest.raises(ValueError, match="at least one"):
        sweep(pair(), network(), "light", [])
    with pytest.raises(ValueError, match="light"):
        sweep(pair(), network(), "light", [3])
    with pytest.raises(ValueError, match="does not count"):
        sweep(pair(), small_network("classify", "se"), "light", [1])
    alone = look_pair(rgb_picture(), None, network()).pair
    with pytest.raises(NoPair, match="both"):
        sweep(alone, network(), "shift_x", [1])
    assert sweep(alone, network(), "light", [1, 0.2]).counts.std() > 0


# Cost


@pytest.fixture(scope="module")
def costs() -> list[StageCost]:
    return cost_of(analysis())


def test_costs_are_those_of_the_papers_formula(costs: list[StageCost]) -> None:
    assert [each.stage for each in costs] == [0, 1, 2, 3, 4]
    for each, channels, stride in zip(
        costs, (16, 32, 64, 128, 128), (2, 4, 8, 16, 16), strict=True
    ):
        cells = (128 // stride) * (96 // stride)
        assert each.plain.tokens == cells
        assert each.reassembled.tokens == cells // each.bands
        assert each.plain.dim == channels // 2
        assert each.reassembled.dim == each.bands * channels // 2
        assert each.plain.multiply_adds == cells**2 * channels
        assert each.reassembled.multiply_adds == cells**2 * channels // each.bands
        assert each.plain.matrix_bytes == 4 * cells**2
        assert each.reassembled.matrix_bytes * each.bands**2 == each.plain.matrix_bytes


def test_measured_memory_holds_the_matrix_twice(costs: list[StageCost]) -> None:
    for each in costs[:2]:
        for way in (each.reassembled, each.plain):
            assert way.peak_bytes is not None
            assert 1.9 * way.matrix_bytes < way.peak_bytes < 2.5 * way.matrix_bytes + 2**21
            assert way.milliseconds is not None
            assert way.milliseconds > 0
            assert way.fused_milliseconds is not None


def test_what_would_need_too_much_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 2 * 4 * 3072**2
    monkeypatch.setattr(cost, "MOST_BYTES", largest - 1)
    monkeypatch.setattr(cost, "MOST_PAIRS", 3072**2 - 1)
    first, second, *_ = cost_of(analysis())
    assert first.plain.too_large
    assert (first.plain.milliseconds, first.plain.peak_bytes) == (None, None)
    assert first.plain.fused_milliseconds is None
    assert first.plain.multiply_adds == 3072**2 * 16
    assert first.reassembled.milliseconds is not None
    assert second.plain.milliseconds is not None


def test_stages_that_did_not_fire_cost_nothing() -> None:
    seen = look_at(pair(), network(), Changes(off=frozenset({0, 1, 2})))
    assert [each.stage for each in cost_of(seen)] == [3, 4]
    assert cost_of(look_pair(None, thermal_picture(), network())) == []


def test_costs_of_a_full_size_pair_say_what_is_too_large() -> None:
    """At 512 x 384 the first stage's plain matrix would be 9.7 GB: nobody tries."""
    way = Way(256 * 192, 8, 2 * (256 * 192) ** 2 * 8, 4 * (256 * 192) ** 2, None, None, None)
    assert way.too_large
    small = replace(way, tokens=3072, matrix_bytes=4 * 3072**2)
    assert not small.too_large
