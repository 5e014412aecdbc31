"""The crowd counter: any size, one sense or both, and the authors' network inside."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.hosts.crowd import CrowdCounter, PlainAddition, without_norms
from models.mechanism import Kind, blocks_of
from models.mechanisms.csca import CSCANetwork
from vizattn.passes import run

SIZES = ((32, 32), (64, 80), (97, 70), (130, 33))
RATIO = 0.03125


def counter(norm: bool = False, fusion: type[nn.Module] | None = None) -> CrowdCounter:
    torch.manual_seed(0)
    if fusion is not None:
        return CrowdCounter(RATIO, fusion, norm).eval()
    return CrowdCounter(RATIO, norm=norm).eval()


def pictures(size: tuple[int, int], batch: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    first = torch.randn(batch, 3, *size, generator=generator)
    return first, torch.randn(batch, 3, *size, generator=generator)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shown", [(True, True), (True, False), (False, True)])
def test_any_size_and_any_sense_gives_people_for_every_cell(
    size: tuple[int, int], shown: tuple[bool, bool]
) -> None:
    given = [p if s else None for p, s in zip(pictures(size, 2), shown, strict=True)]
    with torch.inference_mode():
        density = counter()(*given)
    assert density.shape == (2, 1, -(-size[0] // 8), -(-size[1] // 8))
    assert torch.isfinite(density).all()
    assert (density >= 0).all()


def test_at_sizes_that_need_no_padding_it_is_the_authors_network() -> None:
    ours = counter()
    theirs = CSCANetwork(RATIO).eval()
    theirs.load_state_dict(ours.network.state_dict())
    rgb, thermal = pictures((64, 96))
    with torch.inference_mode():
        assert torch.equal(ours(rgb, thermal), theirs(rgb, thermal))


def test_padding_is_cut_off_where_it_was_added() -> None:
    rgb, thermal = pictures((64, 96))
    rgb[:, :, 50:], thermal[:, :, 50:] = 0, 0
    rgb[:, :, :, 70:], thermal[:, :, :, 70:] = 0, 0
    network = counter()
    with torch.inference_mode():
        whole = network(rgb, thermal)
        cut = network(rgb[:, :, :50, :70], thermal[:, :, :50, :70])
    assert torch.equal(cut, whole[:, :, :7, :9])


@pytest.mark.parametrize("given", [(None, None), ((1, 3, 31, 64), None), (None, (1, 1, 64, 64))])
def test_what_cannot_be_counted_is_refused(given: tuple[tuple[int, ...] | None, ...]) -> None:
    with pytest.raises((ValueError, TypeError)):
        counter()(*(torch.zeros(shape) if shape else None for shape in given))


def test_two_sizes_are_refused() -> None:
    with pytest.raises((ValueError, TypeError), match="96"):
        counter()(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 96))


def test_every_attention_fires_and_covers_the_padded_picture() -> None:
    network = counter()
    size = (70, 90)
    _, firings = run(network, *pictures(size))
    assert {firing.site for firing in firings} == set(blocks_of(network))
    assert len(firings) == 3 * len(network.stages)
    for firing in firings:
        stride = firing.block.stride
        assert stride is not None
        assert firing.given.shape[2:] == (96 // stride, 96 // stride)
        if firing.block.kind is Kind.PLACE_AFFINITY:
            cells = firing.given.shape[2] * firing.given.shape[3]
            assert firing.attention.shape[2] * firing.block.bands() == cells


def test_with_one_sense_nothing_is_asked() -> None:
    rgb, _ = pictures((64, 64))
    _, firings = run(counter(), rgb, None)
    assert firings == []


def test_a_stage_can_be_switched_off_for_a_while() -> None:
    network = counter()
    given = pictures((64, 64))
    with torch.inference_mode():
        before = network(*given)
        with network.fusion_off(frozenset({0, 3})):
            assert isinstance(network.stages[3].fuse, PlainAddition)
            assert not torch.equal(network(*given), before)
        assert torch.equal(network(*given), before)
        with pytest.raises(RuntimeError), network.fusion_off(frozenset({1})):
            raise RuntimeError
        assert torch.equal(network(*given), before)
    with pytest.raises(ValueError, match="7"), network.fusion_off(frozenset({7})):
        pass


def test_norms_are_folded_away_without_a_change() -> None:
    trained = counter(norm=True)
    for module in trained.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    given = pictures((64, 80))
    stored = without_norms(trained)
    assert stored.state_dict().keys() == counter().state_dict().keys()
    with torch.inference_mode():
        torch.testing.assert_close(stored(*given), trained(*given), atol=1e-5, rtol=1e-4)


def test_the_plain_host_has_no_attention() -> None:
    network = counter(fusion=PlainAddition)
    assert not blocks_of(network)
    with torch.inference_mode():
        assert torch.isfinite(network(*pictures((64, 64)))).all()
