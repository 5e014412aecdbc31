"""What is captured between two senses: gates over senses, and tokens in bands."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from models.affinity import ProductAffinity
from models.mechanisms.csca import CrossModalAttention
from models.mechanisms.csca import ModalityGate as GateBlock
from tests.networks_for_tests import small_network
from vizattn.attention import ModalityGate, PlaceAffinity
from vizattn.geometry import Framing
from vizattn.passes import Firing, run
from vizattn.truth import captured

FRAMING = Framing((256, 170), (128, 85), (0, 0), (128, 85))
STRIDES = (2, 4, 8, 16, 16)
BANDS = (16, 8, 4, 2, 2)


def images(seed: int = 0, size: tuple[int, int] = (85, 128)) -> Tensor:
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def firings() -> list[Firing]:
    _, found = run(small_network("count", "csca").module, images(0), images(1))
    return found


def gate_of(firings: list[Firing], stage: int) -> Firing:
    return next(each for each in firings if each.site.endswith(f"stages.{stage}.fuse.gate"))


def context_of(firings: list[Firing], stage: int, sense: str = "rgb") -> Firing:
    name = f"stages.{stage}.fuse.{sense}_context"
    return next(each for each in firings if each.site.endswith(name))


@pytest.mark.parametrize("stage", range(5))
def test_gates_are_what_the_network_used(firings: list[Firing], stage: int) -> None:
    firing = gate_of(firings, stage)
    gate = captured(firing, 0, FRAMING)
    assert isinstance(gate, ModalityGate)
    assert gate.passed
    assert np.array_equal(gate.values, firing.attention[0].numpy())
    np.testing.assert_allclose(gate.values.sum(axis=0), 1, atol=1e-6)
    assert gate.shape == (2, gate.grid.rows, gate.grid.columns)
    assert gate.grid.cell == (STRIDES[stage], STRIDES[stage])
    assert gate.senses == ("rgb", "thermal")


@pytest.mark.parametrize("stage", range(5))
def test_tokens_stand_for_cells_in_bands(firings: list[Firing], stage: int) -> None:
    found = captured(context_of(firings, stage), 0, FRAMING)
    assert isinstance(found, PlaceAffinity)
    assert found.passed
    assert found.bands == BANDS[stage]
    # The maps cover the padded input, 128 x 96.
    assert (found.query_grid.rows, found.query_grid.columns) == (
        96 // STRIDES[stage],
        128 // STRIDES[stage],
    )
    cells = sorted(cell for token in range(found.rows.keys) for cell in found.cells_of(token))
    assert cells == list(range(len(found.key_grid)))
    for cell in (0, 7, len(found.query_grid) - 1):
        assert cell in found.cells_of(found.token_of(cell))


def test_every_cell_of_a_token_has_the_tokens_weight(firings: list[Firing]) -> None:
    found = captured(context_of(firings, 1), 0, FRAMING)
    assert isinstance(found, PlaceAffinity)
    for cell in (3, 200, 767):
        row = found.row_of(cell)
        weights = found.rows.row(found.token_of(cell))[0]
        assert row.shape == (1, 24, 32)
        assert weights.sum() == pytest.approx(1, abs=1e-5)
        for token, weight in enumerate(weights):
            assert (row.ravel()[list(found.cells_of(token))] == weight).all()


def test_rows_are_those_of_the_paper_written_out(firings: list[Firing]) -> None:
    """One cell's row, from the block's own maps, with nothing of ours in between."""
    firing = context_of(firings, 2, "thermal")
    block = firing.block
    assert isinstance(block, CrossModalAttention)
    with torch.inference_mode():
        query, key = block.query(firing.inputs[0])[0], block.key(firing.inputs[1])[0]
    channels, rows, columns = query.shape
    cells, runs = rows * columns, block.runs
    tokens = cells // runs
    query, key = (each.reshape(channels, runs, tokens) for each in (query, key))
    cell = 50
    logits = torch.einsum("cr,crt->t", query[:, :, cell % tokens], key) / (channels * runs) ** 0.5
    expected = logits.softmax(dim=0).repeat(runs).reshape(rows, columns)
    found = captured(firing, 0, FRAMING)
    assert isinstance(found, PlaceAffinity)
    np.testing.assert_allclose(found.row_of(cell)[0], expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("cell", [-1, 192])
def test_cells_and_tokens_that_are_not_there_are_refused(firings: list[Firing], cell: int) -> None:
    found = captured(context_of(firings, 2), 0, FRAMING)
    assert isinstance(found, PlaceAffinity)
    with pytest.raises(ValueError, match=r"expected a cell of 0\.\.191"):
        found.row_of(cell)
    with pytest.raises(ValueError, match=r"expected a token of 0\.\.47"):
        found.cells_of(cell)


def failed(firing: Firing, **changed: object) -> set[str]:
    """Return the names of the checks that a changed firing fails."""
    found = captured(replace(firing, **changed), 0, FRAMING)
    return {check.name for check in found.checks if not check.passed}


def test_a_gate_that_is_not_the_networks_is_noticed(firings: list[Firing]) -> None:
    firing = gate_of(firings, 1)
    assert failed(firing) == set()
    assert failed(firing, attention=firing.attention * 1.01) == {"claim", "output"}
    assert failed(firing, attention=firing.attention.flip(1)) == {"output"}
    assert "claim" in failed(firing, attention=firing.attention * float("nan"))


def test_a_gate_sums_over_its_senses_and_not_over_places() -> None:
    block = GateBlock(4)
    gate = torch.rand(1, 1, 3, 5)
    gate = torch.cat([gate, 1 - gate], dim=1)
    rgb, thermal = torch.randn(2, 1, 4, 3, 5).unbind(0)
    firing = Firing(
        "gate", block, gate, (rgb, thermal, rgb, thermal), gate[:, :1] * rgb + gate[:, 1:] * thermal
    )
    assert failed(firing) == set()
    even = torch.full_like(gate, 1 / 5)
    assert failed(firing, attention=even) == {"claim", "output"}


def test_rows_that_are_not_the_networks_are_noticed(firings: list[Firing]) -> None:
    firing = context_of(firings, 3)
    factors = firing.attention.factors()
    sharper = ProductAffinity(factors.query, factors.key, 9 * factors.scale)
    assert failed(firing, attention=sharper) == {"output"}


def test_tokens_that_do_not_cover_the_cells_are_noticed(firings: list[Firing]) -> None:
    firing = context_of(firings, 3)
    liar = copy.copy(firing.block)
    liar.bands = lambda: 4  # type: ignore[method-assign]
    assert failed(firing, block=liar) == {"geometry"}
