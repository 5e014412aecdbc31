"""Capturing: what is read is what passed, for the right picture, and nothing stays behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.affinity import PairwiseAffinity
from models.mechanism import AttentionBlock, blocks_of
from models.mechanisms.se import SqueezeExcitation
from tests.networks_for_tests import small_network
from vizattn.passes import Firing, lock_of, recording, run

NETWORKS = (
    ("classify", "se"),
    ("classify", "cbam"),
    ("classify", "nonlocal"),
    ("segment", "nonlocal"),
    ("segment", "danet"),
)
on_every_network = pytest.mark.parametrize(("task", "mechanism"), NETWORKS)


def images(count: int, seed: int = 0, size: tuple[int, int] = (64, 80)) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(seed))


def values(firing: Firing, item: int = 0) -> Tensor:
    """Return one picture's attention as numbers, rows for an affinity."""
    if isinstance(firing.attention, PairwiseAffinity):
        return firing.attention.select(item).dense()
    return firing.attention[item : item + 1]


def hooks(network: nn.Module) -> int:
    return sum(
        len(each) for module in network.modules()
        for each in (module._forward_hooks, module._forward_pre_hooks)
    )  # fmt: skip


@on_every_network
def test_firings_are_what_the_blocks_did(task: str, mechanism: str) -> None:
    network = small_network(task, mechanism).module
    x = images(2)
    with torch.no_grad():
        expected = network(x)
    output, firings = run(network, x)
    assert torch.equal(output, expected), "capturing changes nothing"
    assert [firing.site for firing in firings] == list(blocks_of(network))
    for firing in firings:
        block = firing.block
        assert block is blocks_of(network)[firing.site]
        with torch.inference_mode():
            torch.testing.assert_close(
                block.apply_attention(firing.attention, *firing.inputs), firing.returned
            )
            again = block.attention_of(firing.given)
        expected_values = Firing(firing.site, block, again, firing.inputs, firing.returned)
        torch.testing.assert_close(values(firing, 1), values(expected_values, 1))


@on_every_network
def test_each_picture_of_a_batch_has_its_own_attention(task: str, mechanism: str) -> None:
    network = small_network(task, mechanism).module
    x = images(3)
    _, together = run(network, x)
    for item in range(3):
        _, alone = run(network, x[item : item + 1])
        for ours, theirs in zip(together, alone, strict=True):
            torch.testing.assert_close(values(ours, item), values(theirs), atol=1e-5, rtol=1e-4)


def test_nothing_is_attached_and_nothing_stays() -> None:
    network = small_network("segment", "danet").module
    with recording(network) as recorder:
        assert hooks(network) == 0
        assert lock_of(network).locked()
        network(images(1))
        assert len(recorder.firings) == 2
    assert not lock_of(network).locked()
    network(images(1))
    assert len(recorder.firings) == 2, "the recorder is deaf now"


def test_other_threads_are_not_heard() -> None:
    network = small_network("segment", "danet").module
    with recording(network) as recorder, ThreadPoolExecutor(1) as pool:
        pool.submit(network, images(1)).result()
        assert recorder.firings == []


def test_what_a_hook_put_at_a_tap_is_read_as_it_was_applied() -> None:
    gate = SqueezeExcitation(4, 2)
    x = torch.randn(1, 4, 5, 6)

    def recorded(attention: Tensor) -> Firing:
        with recording(gate) as recorder:
            changed = gate.attention.register_forward_hook(lambda *_: attention)
            gate(x)
            changed.remove()
        (firing,) = recorder.firings
        return firing

    half = torch.full((1, 4), 0.5)
    firing = recorded(half)
    assert firing.site == ""
    assert firing.attention is half
    assert torch.equal(firing.returned, x / 2)


def test_a_network_that_changes_is_looked_at_anew() -> None:
    network = nn.Sequential(SqueezeExcitation(4, 2), nn.ReLU())
    x = torch.randn(1, 4, 5, 6)

    def sites() -> list[str]:
        return [firing.site for firing in run(network, x)[1]]

    assert sites() == ["0"]
    network.append(SqueezeExcitation(4, 2))
    assert sites() == ["0", "2"], "added"
    first = network[0]
    network[0] = nn.Identity()
    assert sites() == ["2"], "removed"
    network[0] = SqueezeExcitation(4, 2)
    assert sites() == ["0", "2"], "replaced"
    network.insert(0, nn.Sequential(first))
    assert sites() == ["0.0", "1", "3"], "moved"
    network[1] = first
    assert sites() == ["0.0", "0.0#2", "3"], "one block at two places"
    del network[0]
    assert sites() == ["0", "2"], "and at the second alone"


class Failure(Exception):
    """What a network raises in these tests."""


def fail(*_: Any) -> None:
    raise Failure


@pytest.mark.parametrize(
    "where",
    [
        lambda network: network.trunk.stem,
        lambda network: network.context.position,
        lambda network: network.context.position.attention,
        lambda network: network.context.channel_out,
        lambda network: network.classify,
    ],
)
def test_hooks_are_gone_when_the_network_raises(where: Callable[[Any], nn.Module]) -> None:
    network = small_network("segment", "danet").module
    _, before = run(network, images(1))
    trap = where(network).register_forward_pre_hook(fail)
    with pytest.raises(Failure):
        run(network, images(1))
    trap.remove()
    assert hooks(network) == 0
    assert not lock_of(network).locked()
    _, after = run(network, images(1))
    for ours, theirs in zip(before, after, strict=True):
        assert torch.equal(values(ours), values(theirs))


def test_a_refused_input_leaves_nothing_behind() -> None:
    network = small_network("classify", "se").module
    with pytest.raises(ValueError, match="expected"):
        run(network, images(1, size=(32, 32)))
    assert hooks(network) == 0
    assert not lock_of(network).locked()


class Twice(nn.Module):
    """Uses one gate twice."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = SqueezeExcitation(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(self.gate(x) + 1)


def test_a_block_that_fires_again_gets_a_site_of_its_own() -> None:
    network = Twice()
    x = torch.randn(1, 4, 5, 6)
    for _ in range(2):
        output, firings = run(network, x)
        assert [firing.site for firing in firings] == ["gate", "gate#2"]
        assert torch.equal(firings[0].returned + 1, firings[1].given)
        assert torch.equal(firings[1].returned, output)
        assert not torch.equal(firings[0].attention, firings[1].attention)


def test_a_network_without_attention_has_no_firings() -> None:
    network = small_network("classify", None).module
    output, firings = run(network, images(1))
    assert firings == []
    assert output.shape == (1, 10)


def test_two_networks_are_recorded_one_inside_the_other() -> None:
    outer, inner = small_network("classify", "se").module, small_network("classify", "cbam").module
    with recording(outer) as first, recording(inner) as second, torch.no_grad():
        outer(images(1))
        inner(images(1))
        outer(images(1))
    assert len(first.firings) == 2 * len(blocks_of(outer))
    assert len(second.firings) == len(blocks_of(inner))


@on_every_network
def test_threads_on_one_network_get_their_own_results(task: str, mechanism: str) -> None:
    network = small_network(task, mechanism).module
    pictures = [images(1, seed, (64, 64 + 16 * (seed % 3))) for seed in range(8)]
    expected = [run(network, picture) for picture in pictures]
    start = threading.Barrier(4)

    def work(worker: int) -> list[tuple[Tensor, list[Firing]]]:
        start.wait()
        return [run(network, picture) for picture in pictures[worker::4]]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(4)))
    for worker, results in enumerate(found):
        for (output, firings), (right, theirs) in zip(results, expected[worker::4], strict=True):
            torch.testing.assert_close(output, right)
            assert len(firings) == len(theirs)
            for one, other in zip(firings, theirs, strict=True):
                assert one.site == other.site
                torch.testing.assert_close(values(one), values(other))
    assert hooks(network) == 0


def test_one_network_one_lock() -> None:
    one, other = Twice(), Twice()
    assert lock_of(one) is lock_of(one)
    assert lock_of(one) is not lock_of(other)


def test_a_block_without_halves_says_so() -> None:
    block = AttentionBlock()
    for half in (block.attention_of, lambda x: block.apply_attention(None, x)):
        with pytest.raises(NotImplementedError, match="AttentionBlock"):
            half(torch.zeros(1, 1, 1, 1))
