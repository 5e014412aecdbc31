"""What is read at taps can fail its checks, belongs to a block, and is what hooks made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.affinities.forms import ProductForm, SparseForm, form_of
from models.affinities.grouped import GroupedAffinity
from models.affinities.low_rank import LowRankAffinity
from models.affinities.placewise import over_places
from models.affinities.shared import SharedRowAffinity, StackedAffinity
from models.affinity import (
    ConcatenationAffinity,
    DenseAffinity,
    Normaliser,
    PairwiseAffinity,
    ProductAffinity,
    RowwiseAffinity,
)
from models.mechanism import Claim, Kind, blocks_of
from models.structure import structure_of
from models.taps import Tap, listening
from tests.rows_of_forms import row
from tests.test_every_mechanism import Host
from vizattn import measures
from vizattn.attention import Captured, PlaceAffinity
from vizattn.geometry import Framing
from vizattn.measures import MeasuredRows
from vizattn.passes import Firing, Heard, run
from vizattn.surgery.rows import EvenAffinity, MovedAffinity, OwnAffinity
from vizattn.truth import sites_of

FRAMING = Framing((10, 12), (10, 12), (0, 0), (10, 12))
IMAGE = torch.randn(1, 3, 12, 10, generator=torch.Generator().manual_seed(0))


def fired(slug: str, variant: str = "") -> tuple[nn.Module, list[Firing]]:
    host = Host(slug, variant)
    return host, run(host, IMAGE)[1]


def named(sites: tuple[Captured, ...], site: str) -> Captured:
    (found,) = (each for each in sites if each.site == site)
    return found


def failing(captured: Captured) -> set[str]:
    return {check.name for check in captured.checks if not check.passed}


def changed(firing: Firing, attention: Any) -> list[Firing]:
    return [replace(firing, attention=attention)]


@pytest.mark.parametrize(
    ("slug", "variant", "change", "expected"),
    [
        ("bam", "", lambda a: a + 1.5, {"claim", "output"}),
        ("strip_pooling", "", lambda a: a.roll(1, dims=3), {"output"}),
        ("coordinate", "", lambda a: -a, {"claim", "output"}),
        ("triplet", "", lambda a: a * 2, {"claim", "output"}),
        ("sknet", "", lambda a: a.flip(1), {"output"}),
        ("sknet", "", lambda a: a * 0.9, {"claim", "output"}),
        ("condconv", "", lambda a: a.flip(1), {"output"}),
        ("eanet", "", lambda a: a.roll(1, dims=1), {"output"}),
        ("sca_cnn", "", lambda a: a * 1.01, {"claim", "output"}),
        ("hamnet", "vq", lambda a: a * 1.5, {"claim", "maps", "output"}),
        ("encnet", "encoding", lambda a: a.double() * float("nan"), {"claim", "output"}),
    ],
)
def test_what_the_network_did_not_use_fails(
    slug: str, variant: str, change: Any, expected: set[str]
) -> None:
    host, firings = fired(slug, variant)
    first = firings[0]
    (captured, *_) = sites_of(host, changed(first, change(first.attention).float()), 0, FRAMING)
    assert failing(captured) == expected


def test_a_step_that_breaks_its_claim_fails() -> None:
    host, (firing,) = fired("a2net")
    gather, distribute = firing.taps
    broken = Heard(gather.site, gather.auxiliary, gather.value * 1.1)
    sites = sites_of(host, [replace(firing, taps=(broken, distribute))], 0, FRAMING)
    assert failing(named(sites, gather.site)) == {"claim"}
    assert failing(named(sites, distribute.site)) == set()


def test_tokens_that_do_not_fill_the_picture_fail_the_geometry() -> None:
    host, (firing,) = fired("danet", "position")
    few = firing.attention
    few = ProductAffinity(few.query[:, :, :100], few.key[:, :, :100])
    block = _Fewer(firing.block)
    sites = sites_of(host, [replace(firing, attention=few, block=block)], 0, FRAMING)  # type: ignore[arg-type]
    assert failing(sites[0]) == {"geometry"}


class _Fewer:
    """A block that returns what it returned, whatever its attention is."""

    def __init__(self, block: Any) -> None:
        self._block = block

    def __getattr__(self, name: str) -> Any:
        return getattr(self._block, name)

    def apply_attention(self, attention: PairwiseAffinity, x: Tensor) -> Tensor:
        attention.aggregate(torch.zeros(1, 1, attention.shape[3], 1))
        returned: Tensor = self._block(x)
        return returned


def test_taps_tell_what_hooks_made_of_it_and_forget() -> None:
    host = Host("fca", "")
    tap = host.subject.frequency
    handle = tap.register_forward_hook(lambda _tap, _given, out: out * 0 + 7)
    heard: list[tuple[nn.Module, Any]] = []
    with listening(lambda *_: None, lambda *each: heard.append(each)), torch.no_grad():
        host(IMAGE)
    handle.remove()
    told = dict(heard)
    assert (told[tap] == 7).all()
    with torch.no_grad():
        host(IMAGE)
    assert len(heard) == len(told), "nobody listens any more"


def test_taps_of_other_networks_are_not_heard() -> None:
    other, host = Tap(), Host("se", "")

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.host = host

        def forward(self, image: Tensor) -> Any:
            other(image)
            return self.host(image)

    _, firings = run(Both(), IMAGE)
    assert [(firing.site, firing.taps) for firing in firings] == [("host.subject", ())]


def test_a_tap_between_blocks_belongs_to_the_last_that_fired() -> None:
    _, firings = fired("ocrnet")
    taps = {firing.site: [heard.site for heard in firing.taps] for firing in firings}
    assert taps == {"subject.gather": ["subject.objects"], "subject.relate": []}
    _, (rebuilt,) = fired("hamnet", "nmf")
    heard = [each.site for each in rebuilt.taps]
    steps = [f"subject.rebuild.steps.{n}.responsibilities" for n in range(len(heard) - 1)]
    assert heard == [*steps, "subject.bases"], "no other block had fired before"


def test_declarations_of_strangers_are_left_alone() -> None:
    class Stranger(nn.Module):
        implies: ClassVar[int] = 3
        passes: ClassVar[list[str]] = ["a"]

    found = structure_of(nn.Sequential(Stranger()))
    assert not (found.implied or found.passes or found.taps)


def test_a_network_that_changes_is_looked_at_again() -> None:
    host = Host("fca", "")
    run(host, IMAGE)
    host.subject = Host("bam", "").subject
    _, firings = run(host, IMAGE)
    assert [heard.site for heard in firings[0].taps] == [
        "subject.channel_logit",
        "subject.spatial_logit",
    ]


def test_implied_rows_need_all_that_they_follow_from() -> None:
    host, firings = fired("ocrnet")
    alone = [firing for firing in firings if firing.site == "subject.relate"]
    (captured,) = sites_of(host, alone, 0, FRAMING)
    assert captured.kind is Kind.ASSIGNMENT
    assert not isinstance(captured, PlaceAffinity), "the regions' own weights are missing"
    together = named(sites_of(host, firings, 0, FRAMING), "subject.relate")
    assert isinstance(together, PlaceAffinity)
    assert together.claim is Claim.SIMPLEX


def test_large_affinities_are_measured_at_some_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    affinity = ProductAffinity(torch.randn(1, 2, 900, 3), torch.randn(1, 2, 900, 3))
    value = torch.randn(1, 2, 900, 2)
    exact = affinity.aggregate(value)
    monkeypatch.setattr(measures, "MOST_WEIGHTS", 1000)
    measured = MeasuredRows(affinity, Claim.SIMPLEX)
    torch.testing.assert_close(measured.aggregate(value), exact, atol=1e-5, rtol=1e-4)
    assert 0 < measured.worst < 1e-5
    wrong = MeasuredRows(affinity, Claim.UNIT)
    broken = MeasuredRows(DenseAffinity(affinity.dense() * 2), Claim.SIMPLEX)
    assert wrong.measured() == 0
    assert broken.measured(most=10) == pytest.approx(1)


def unlike() -> StackedAffinity:
    product = ProductAffinity(torch.randn(1, 1, 6, 2), torch.randn(1, 1, 6, 2))
    mean = replace(product, normaliser=Normaliser.MEAN)
    return StackedAffinity((product, mean))


@pytest.mark.parametrize(
    ("affinity", "expected"),
    [
        (DenseAffinity(torch.randn(1, 2, 6, 6)), SparseForm),
        (unlike(), SparseForm),
        (RowwiseAffinity(LowRankAffinity(torch.randn(1, 1, 6, 2), torch.randn(1, 1, 6, 2))), None),
        (ConcatenationAffinity(torch.randn(1, 1, 6), torch.randn(1, 1, 6)), ProductForm),
        (SharedRowAffinity(torch.randn(1, 1, 6), 6), ProductForm),
    ],
)
def test_affinities_that_no_block_has_are_written_too(
    affinity: PairwiseAffinity, expected: type | None
) -> None:
    form = form_of(affinity)
    assert expected is None or isinstance(form, expected)
    for query in (0, 5):
        exact = affinity.rows(torch.tensor([query]))[0, :, 0].numpy()
        np.testing.assert_allclose(row(form, query, 6, (2, 3)), exact, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "of",
    [
        ProductAffinity(torch.randn(1, 2, 6, 3), torch.randn(1, 2, 6, 3)),
        LowRankAffinity(torch.randn(1, 2, 6, 3), torch.randn(1, 2, 6, 3)),
        GroupedAffinity(
            torch.randn(1, 2, 6, 3),
            torch.randn(1, 2, 6, 3),
            torch.tensor([[0, 4], [1, 3], [5, 2]]),
        ),
    ],
    ids=lambda of: type(of).__name__,
)
def test_affinities_that_stand_in_for_others_are_written(of: PairwiseAffinity) -> None:
    order = torch.tensor([3, 0, 5, 1, 2, 4])
    for affinity in (OwnAffinity(of, order), EvenAffinity(of), MovedAffinity(of, order)):
        form = form_of(affinity)
        for query in range(6):
            exact = affinity.rows(torch.tensor([query]))[0, :, 0].numpy()
            np.testing.assert_allclose(row(form, query, 6, (2, 3)), exact, rtol=1e-4, atol=1e-6)


def test_rows_between_places_sum_over_channels() -> None:
    """Item c N + i is channel c at place i: the mean over query channels, the sum over keys'."""
    low = LowRankAffinity(torch.randn(1, 2, 12, 3), torch.randn(1, 2, 12, 3))
    dense = low.dense().unflatten(2, (3, 4)).unflatten(4, (3, 4))
    expected = dense.mean(dim=2).sum(dim=3)
    for affinity in (low, DenseAffinity(low.dense())):
        torch.testing.assert_close(over_places(affinity, 4).dense(), expected)
    with pytest.raises(ValueError, match="5 places"):
        over_places(low, 5)


def test_every_step_has_a_block_that_it_belongs_to() -> None:
    module = Host("emanet", "")
    blocks = blocks_of(module)
    for place in structure_of(module).taps.values():
        assert place.block in blocks
