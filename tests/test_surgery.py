"""Surgery on every mechanism: each operation is what it says, and nothing of it stays."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.affinity import DenseAffinity, PairwiseAffinity
from models.mechanism import Claim, Kind, blocks_of
from tests.test_mechanisms import VARIANTS, Fired, attention_of, built, fired, given, outputs
from tests.test_passes import hooks
from vizattn.analysis import UnknownSite
from vizattn.geometry import Framing
from vizattn.surgery.gates import AXES, elsewhere
from vizattn.surgery.operating import replaced
from vizattn.surgery.operations import (
    OPERATIONS,
    Local,
    NoSelf,
    Off,
    Operation,
    Paint,
    Shuffle,
    Top,
    Uniform,
    UnknownOperation,
    operation,
    operations_for,
)
from vizattn.surgery.sites import CannotChange

SIZE = (6, 9)
OF_PLACES = {Kind.PLACE_AFFINITY, Kind.TOKEN_AFFINITY, Kind.CHANNEL_PLACE_AFFINITY}
KEPT = 3
DONE: dict[str, Operation] = {
    "off": Off(),
    "uniform": Uniform(),
    "shuffle": Shuffle(seed=4),
    "top": Top(KEPT),
    "local": Local(3),
    "no-self": NoSelf(),
}
every = pytest.mark.parametrize(("slug", "variant"), VARIANTS)


@cache
def subject(slug: str, variant: str) -> tuple[nn.Module, tuple[Tensor, ...], list[Fired]]:
    module, inputs = built(slug, variant), given(slug, variant, SIZE)
    return module, inputs, attention_of(module, inputs)


def first_sites(module: nn.Module) -> list[str]:
    return list(blocks_of(module))


def operated(slug: str, variant: str, site: str, done: Operation) -> list[Fired]:
    module, inputs, _ = subject(slug, variant)
    with replaced(module, {site: done}):
        firings = attention_of(module, inputs)
    assert hooks(module) == 0
    return firings


def dense(attention: Any) -> np.ndarray:
    is_affinity = isinstance(attention, PairwiseAffinity)
    return (attention.dense() if is_affinity else attention).double().numpy()


def firing_of(firings: list[Fired], module: nn.Module, site: str) -> Fired:
    return next(each for each in firings if each.block is blocks_of(module)[site])


def pairs(slug: str, variant: str, name: str) -> list[tuple[Fired, Fired]]:
    """Return the firing before and after an operation on each site that has room for it."""
    module, _, before = subject(slug, variant)
    found = []
    for site, block in blocks_of(module).items():
        # Without a picture nobody knows how tokens without rows and columns lie.
        unplaced = name == "local" and block.kind is Kind.TOKEN_AFFINITY
        if name in operations_for(block) and not unplaced:
            after = operated(slug, variant, site, DONE[name])
            found.append((firing_of(before, module, site), firing_of(after, module, site)))
    return found


def holds_its_claim(after: Fired) -> None:
    """What stands in for an attention promises what it promised, wherever anything is left."""
    values, claim = dense(after.attention), after.block.claim
    assert np.isfinite(values).all()
    if claim is Claim.UNIT:
        assert 0 <= values.min() <= values.max() <= 1 + 1e-6
    if claim is Claim.SIMPLEX:
        assert values.min() >= 0
        sums = values.sum(axis=after.block.kind.simplex_axes)
        assert (np.isclose(sums, 1, atol=1e-5) | (sums == 0)).all()


@every
def test_every_site_has_room_for_something(slug: str, variant: str) -> None:
    module, _, _ = subject(slug, variant)
    for block in blocks_of(module).values():
        offered = set(operations_for(block))
        assert {"uniform", "shuffle"} <= offered
        if block.kind in OF_PLACES:
            assert {"off", "local", "no-self", "top"} <= offered


@every
def test_off_lets_everything_pass(slug: str, variant: str) -> None:
    for before, after in pairs(slug, variant, "off"):
        if isinstance(after.attention, PairwiseAffinity):
            rows = dense(after.attention)
            assert (rows.sum(axis=-1) == 1).all()
            assert (rows.max(axis=-1) == 1).all()
            if rows.shape[2] == rows.shape[3]:
                assert (rows == np.eye(rows.shape[2])).all()
            aggregates(after.attention)
        else:
            # The host without the gate is what stands around a block that returns its input.
            torch.testing.assert_close(after.returned, before.inputs[0], atol=1e-5, rtol=0)


def aggregates(attention: PairwiseAffinity) -> None:
    """What an affinity gathers is its matrix times the values, for each item of the batch."""
    value = torch.randn(*attention.shape[:2], attention.shape[3], 5)
    expected = DenseAffinity(attention.dense()).aggregate(value)
    torch.testing.assert_close(attention.aggregate(value), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(attention.select(1).dense(), attention.dense()[1:])


@every
def test_uniform_is_the_mean_for_all(slug: str, variant: str) -> None:
    for before, after in pairs(slug, variant, "uniform"):
        old, new = dense(before.attention), dense(after.attention)
        is_affinity = isinstance(after.attention, PairwiseAffinity)
        along = (3,) if is_affinity else AXES[after.block.kind].along
        expected = np.broadcast_to(old.mean(axis=along, keepdims=True), old.shape)
        np.testing.assert_allclose(new, expected, atol=1e-5, rtol=1e-4)
        holds_its_claim(after)
        if is_affinity:
            aggregates(after.attention)


@every
def test_shuffled_weights_are_all_there_and_elsewhere(slug: str, variant: str) -> None:
    for before, after in pairs(slug, variant, "shuffle"):
        old, new = dense(before.attention), dense(after.attention)
        is_affinity = isinstance(after.attention, PairwiseAffinity)
        along = (3,) if is_affinity else AXES[after.block.kind].along
        ends = tuple(range(-len(along), 0))
        old, new = (np.moveaxis(each, along, ends) for each in (old, new))
        old, new = (each.reshape(*each.shape[: -len(along)], -1) for each in (old, new))
        order = elsewhere(old.shape[-1], seed=4)
        assert sorted(order.tolist()) == list(range(old.shape[-1]))
        assert not (order == torch.arange(len(order))).any()
        np.testing.assert_allclose(new, old[..., order], atol=1e-6)
        if is_affinity:
            aggregates(after.attention)


@every
def test_the_largest_are_kept(slug: str, variant: str) -> None:
    for before, after in pairs(slug, variant, "top"):
        old, new = dense(before.attention), dense(after.attention)
        is_affinity = isinstance(after.attention, PairwiseAffinity)
        ranked = (3,) if is_affinity else AXES[after.block.kind].ranked
        ends = tuple(range(-len(ranked), 0))
        old, new = (np.moveaxis(each, ranked, ends) for each in (old, new))
        old, new = (each.reshape(-1, *each.shape[-len(ranked) :]) for each in (old, new))
        for was, is_now in zip(old.reshape(len(old), -1), new.reshape(len(new), -1), strict=True):
            kept = np.flatnonzero(is_now)
            assert len(kept) <= KEPT
            least = np.sort(np.abs(was))[-min(KEPT, len(was))]
            assert (np.abs(was[kept]) >= least - 1e-6).all()
            scale = is_now[kept].sum() / was[kept].sum() if len(kept) else 1
            np.testing.assert_allclose(is_now[kept], was[kept] * scale, rtol=1e-3, atol=1e-6)
            if after.block.claim is not Claim.SIMPLEX:
                np.testing.assert_allclose(is_now[kept], was[kept], atol=1e-6)
        holds_its_claim(after)


@every
def test_nobody_hears_itself(slug: str, variant: str) -> None:
    for before, after in pairs(slug, variant, "no-self"):
        old, new = dense(before.attention), dense(after.attention)
        if old.shape[2] == old.shape[3]:
            itself = np.eye(old.shape[2], dtype=bool)
            assert (new[..., itself] == 0).all()
            old[..., itself] = 0
        else:
            changed = (new == 0) & (old != 0)
            assert (changed.sum(axis=-1) <= 1).all()
            old[new == 0] = 0
        if after.block.claim is Claim.SIMPLEX:
            sums = old.sum(axis=-1, keepdims=True)
            old = np.divide(old, sums, out=np.zeros_like(old), where=sums > 0)
        np.testing.assert_allclose(new, old, atol=1e-5)
        holds_its_claim(after)


@every
def test_only_the_window_is_heard(slug: str, variant: str) -> None:
    for before, after in pairs(slug, variant, "local"):
        old, new = dense(before.attention), dense(after.attention)
        near = window_of(before, side=3)
        assert (new[..., ~near] == 0).all()
        old[..., ~near] = 0
        if after.block.claim is Claim.SIMPLEX:
            sums = old.sum(axis=-1, keepdims=True)
            old = np.divide(old, sums, out=np.zeros_like(old), where=sums > 0)
        np.testing.assert_allclose(new, old, atol=1e-5)
        holds_its_claim(after)


def window_of(firing: Fired, side: int) -> np.ndarray:
    """Which keys are in a window around each query, counted out cell by cell."""
    block, shape = firing.block, firing.inputs[0].shape
    rows, columns = shape[2:]
    _, _, queries, keys = firing.attention.shape
    near = np.zeros((queries, keys), dtype=bool)
    if block.kind is Kind.CHANNEL_PLACE_AFFINITY:
        key_rows, key_columns, places = rows, columns, queries
    else:
        key_rows, key_columns = block.key_grid(rows, columns)
        places = rows * columns
    cells = block.key_cells()
    step_down, step_across = (1 / cells, 1 / cells)
    if cells == 1:
        step_down, step_across = key_rows / rows, key_columns / columns
    for query in range(places):
        row, column = divmod(query % (rows * columns), columns)
        # The key cell that holds the middle of the query's cell, or the nearest to it.
        row = min(int((row + 0.5) * step_down), key_rows - 1)
        column = min(int((column + 0.5) * step_across), key_columns - 1)
        for key in range(keys * (block.bands() if places != queries else 1)):
            key_row, key_column = divmod(key % (key_rows * key_columns), key_columns)
            if max(abs(key_row - row), abs(key_column - column)) <= side // 2:
                near[query % queries, key % keys] = True
    return near


GATES = [
    (slug, name)
    for slug, name in VARIANTS
    if any("paint" in operations_for(block) for block in blocks_of(built(slug, name)).values())
]


@pytest.mark.parametrize(("slug", "variant"), GATES)
def test_painting_a_gate_to_zero_silences_that_place(slug: str, variant: str) -> None:
    module, inputs, before = subject(slug, variant)
    rows, columns = inputs[0].shape[2:]
    # A picture of 8 pixels a cell: the paint covers two cells, and half of a third.
    framing = Framing.letterbox((columns * 8, rows * 8), (columns * 8, rows * 8))
    mask = np.full((rows * 8, columns * 8), np.nan, np.float32)
    mask[8:16, 16:36] = 0.0
    for site, block in blocks_of(module).items():
        if "paint" not in operations_for(block):
            continue
        with replaced(module, {site: Paint(mask)}, framing):
            after = firing_of(attention_of(module, inputs), module, site)
        old, new = dense(firing_of(before, module, site).attention), dense(after.attention)
        assert (new[:, :, 1, 2:4] == 0).all()
        untouched = np.ones(old.shape[2:], dtype=bool)
        untouched[1, 2:5] = False
        if block.claim is Claim.SIMPLEX:
            # The rest shares what the painted places gave away.
            np.testing.assert_allclose(new.sum(axis=(2, 3)), 1, atol=1e-5)
        else:
            np.testing.assert_allclose(new[:, :, 1, 4], old[:, :, 1, 4] / 2, atol=1e-6)
            assert (new[..., untouched] == old[..., untouched]).all()
        silenced = after.returned[:, :, 1, 2:4]
        passes = after.inputs[0][:, :, 1, 2:4] if block.identity == 0.0 else 0 * silenced
        torch.testing.assert_close(silenced, passes)


def test_windows_of_tokens_leave_out_what_is_no_place() -> None:
    module, inputs, _ = subject("vit", "")
    (site, *_), (rows, columns) = first_sites(module), SIZE
    framing = Framing.letterbox((columns * 16, rows * 16), (columns * 16, rows * 16))
    with replaced(module, {site: Local(1)}, framing):
        after = firing_of(attention_of(module, inputs), module, site)
    # A window of one cell is oneself, also for the class token.
    np.testing.assert_allclose(
        dense(after.attention), np.broadcast_to(np.eye(55), (2, 4, 55, 55)), atol=1e-6
    )


def test_paint_brings_its_own_value() -> None:
    module, inputs, before = subject("cbam", "spatial")
    framing = Framing.letterbox((9, 6), (9, 6))
    mask = np.full((6, 9), 0.25, np.float32)
    with replaced(module, {"": Paint(mask)}, framing):
        (after,) = attention_of(module, inputs)
    np.testing.assert_allclose(dense(after.attention), 0.25)
    assert dense(before[0].attention).std() > 0


# What stays, and what is refused.


def test_other_firings_of_a_block_are_left_alone() -> None:
    module, inputs, before = subject("ccnet", "r2")
    (path,) = blocks_of(module)
    with replaced(module, {f"{path}#2": Uniform()}):
        after = attention_of(module, inputs)
    assert (dense(after[0].attention) == dense(before[0].attention)).all()
    assert dense(before[1].attention).std(axis=-1).max() > 0
    assert dense(after[1].attention).std(axis=-1).max() < 1e-6


def test_nothing_stays_after_a_failure() -> None:
    module, inputs, before = subject("cbam", "")

    class Broken(Uniform):
        def gate(self, value: Tensor, site: Any) -> Tensor:
            raise RuntimeError("broken")

    with (
        pytest.raises(RuntimeError, match="broken"),
        replaced(module, {"channel_gate": Broken(), "spatial_gate": Off()}),
    ):
        assert hooks(module) > 0
        module(*inputs)
    assert hooks(module) == 0
    with torch.no_grad(), fired(module):
        again = outputs(module(*inputs))
    torch.testing.assert_close(again[0], before[-1].returned)


@pytest.mark.parametrize("site", ["nowhere", "channel_gate#2", "channel_gate#x2", ""])
def test_unknown_sites_are_refused(site: str) -> None:
    module, inputs, _ = subject("cbam", "")
    with (
        pytest.raises(UnknownSite, match="channel_gate, spatial_gate"),
        replaced(module, {site: Uniform()}),
    ):
        module(*inputs)
    assert hooks(module) == 0


@pytest.mark.parametrize(
    ("slug", "variant", "done", "says"),
    [
        ("se", "", "local:3", "window"),
        ("se", "", "no-self", "over all others"),
        ("sknet", "", "off", "lets everything pass"),
        ("danet", "channel", "local:3", "window"),
        ("vit", "", "local:3", "window"),
        ("strip_pooling", "mpm", "top:2", "nothing to rank"),
    ],
)
def test_what_has_no_room_is_refused(slug: str, variant: str, done: str, says: str) -> None:
    module, inputs, _ = subject(slug, variant)
    site = first_sites(module)[0]
    with pytest.raises(CannotChange, match=says), replaced(module, {site: done}):
        module(*inputs)
    assert hooks(module) == 0


def test_painting_needs_a_picture_and_values_of_a_gate() -> None:
    module, inputs, _ = subject("cbam", "spatial")
    with (
        pytest.raises(CannotChange, match="which part of the picture"),
        replaced(module, {"": Paint(np.zeros((4, 4), np.float32))}),
    ):
        module(*inputs)
    with pytest.raises(ValueError, match="with values of"):
        Paint(np.full((4, 4), 1.5, np.float32))


@pytest.mark.parametrize("written", ["off", "uniform", "shuffle:7", "top:5", "local:3", "no-self"])
def test_operations_are_written_as_they_are_read(written: str) -> None:
    assert str(operation(written)) == written
    assert type(operation(written)) is OPERATIONS[written.partition(":")[0]]


@pytest.mark.parametrize(
    "written",
    ["", "of", "paint", "off:1", "top", "top:0", "top:x", "local:2", "local:-1", "no-self:2"],
)
def test_what_is_no_operation_is_refused_in_a_sentence(written: str) -> None:
    with pytest.raises(UnknownOperation) as refused:
        operation(written)
    for language in ("en", "zh"):
        assert refused.value.sentence(language)
