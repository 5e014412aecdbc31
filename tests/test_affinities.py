"""The rarer forms of pairwise attention against plain loops over pairs of places."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.affinities.composed import ComposedAffinity
from models.affinities.criss_cross import CrissCrossAffinity
from models.affinities.grouped import GroupedAffinity
from models.affinities.low_rank import LowRankAffinity
from models.affinities.pooled import PooledAffinity
from models.affinities.shared import SharedRowAffinity, StackedAffinity, distinct
from models.affinity import (
    ConcatenationAffinity,
    Normaliser,
    PairwiseAffinity,
    ProductAffinity,
)
from models.mechanism import mechanisms
from models.mechanisms.ccnet import RecurrentCrissCross
from models.mechanisms.glore import GlobalReasoning
from models.mechanisms.isa import InterlacedAttention, close_together, far_apart
from models.structure import passes_of
from models.taps import listening

BATCH, HEADS, ROWS, COLUMNS, DIM = 2, 2, 4, 6, 3
PLACES = ROWS * COLUMNS
SIDES = (1, 3)
Array = np.ndarray


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def tokens(seed: int) -> Tensor:
    return drawn(seed, BATCH, HEADS, PLACES, DIM)


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def over(pairs: Callable[[Array, Array, int], dict[int, float]], a: Tensor, b: Tensor) -> Array:
    """Place by place the weights that a rule gives it, as a whole matrix."""
    matrix = np.zeros((BATCH, HEADS, PLACES, PLACES))
    for item in range(BATCH):
        for head in range(HEADS):
            for query in range(PLACES):
                found = pairs(a[item, head].numpy(), b[item, head].numpy(), query)
                for key, weight in found.items():
                    matrix[item, head, query, key] = weight
    return matrix


def in_line(query: Array, key: Array, place: int) -> dict[int, float]:
    row, column = divmod(place, COLUMNS)
    line = {r * COLUMNS + column for r in range(ROWS)} | {row * COLUMNS + c for c in range(COLUMNS)}
    listed = sorted(line)
    weights = softmax(np.array([query[place] @ key[other] for other in listed]))
    return dict(zip(listed, weights, strict=True))


def together(same: Callable[[int, int], bool], query: Array, key: Array, place: int) -> dict:
    listed = [other for other in range(PLACES) if same(place, other)]
    weights = softmax(np.array([0.7 * query[place] @ key[other] for other in listed]))
    return dict(zip(listed, weights, strict=True))


def same_offset(a: int, b: int) -> bool:
    (r, c), (s, d) = divmod(a, COLUMNS), divmod(b, COLUMNS)
    return r % 2 == s % 2 and c % 3 == d % 3


def same_block(a: int, b: int) -> bool:
    (r, c), (s, d) = divmod(a, COLUMNS), divmod(b, COLUMNS)
    return r // 2 == s // 2 and c // 3 == d // 3


def cells(side: int, length: int) -> list[range]:
    """The places along one side of each cell: the rule of adaptive pooling."""
    return [
        range(int(np.floor(n * length / side)), int(np.ceil((n + 1) * length / side)))
        for n in range(side)
    ]


def pooling() -> Array:
    """The means over all cells, as a matrix of anchors by places."""
    rows = []
    for side in SIDES:
        for down in cells(side, ROWS):
            for across in cells(side, COLUMNS):
                row = np.zeros(PLACES)
                for r in down:
                    for c in across:
                        row[r * COLUMNS + c] = 1 / (len(down) * len(across))
                rows.append(row)
    return np.array(rows)


def anchored() -> tuple[PairwiseAffinity, Array]:
    query, key = tokens(5), drawn(6, BATCH, HEADS, len(pooling()), DIM)
    product = ProductAffinity(query, key, 0.6)
    return PooledAffinity(product, SIDES, (ROWS, COLUMNS)), product.dense().numpy() @ pooling()


def criss_cross(seed: int = 0) -> tuple[PairwiseAffinity, Array]:
    query, key = tokens(seed), tokens(seed + 1)
    made = CrissCrossAffinity(query, key, (ROWS, COLUMNS))
    return made, over(in_line, query, key)


def grouped(
    groups_of: Callable[[tuple[int, int], tuple[int, int]], Tensor],
    same: Callable[[int, int], bool],
) -> tuple[PairwiseAffinity, Array]:
    query, key = tokens(2), tokens(3)
    made = GroupedAffinity(query, key, groups_of((ROWS, COLUMNS), (2, 3)), 0.7)
    return made, over(partial(together, same), query, key)


def low_rank() -> tuple[PairwiseAffinity, Array]:
    take, give = tokens(7), tokens(8)
    return LowRankAffinity(take, give), np.einsum("bmir,bmjr->bmij", take.numpy(), give.numpy())


def shared() -> tuple[PairwiseAffinity, Array]:
    logits = drawn(9, BATCH, HEADS, PLACES)
    row = np.array([[softmax(head) for head in item] for item in logits.numpy()])
    return SharedRowAffinity(logits, PLACES), np.repeat(row[:, :, None], PLACES, axis=2)


def stacked() -> tuple[PairwiseAffinity, Array]:
    (one, first), (other, second) = shared(), criss_cross()
    return StackedAffinity((one, other)), np.concatenate([first, second], axis=1)


def composed() -> tuple[PairwiseAffinity, Array]:
    (short, second), (long, first) = grouped(close_together, same_block), criss_cross(4)
    return ComposedAffinity(first=long, second=short), second @ first


FORMS: dict[str, Callable[[], tuple[PairwiseAffinity, Array]]] = {
    "criss-cross": criss_cross,
    "far apart": partial(grouped, far_apart, same_offset),
    "close together": partial(grouped, close_together, same_block),
    "anchors": anchored,
    "low rank": low_rank,
    "shared": shared,
    "stacked": stacked,
    "composed": composed,
    "composed twice": lambda: (
        ComposedAffinity(composed()[0], low_rank()[0]),
        low_rank()[1] @ composed()[1],
    ),
}
every = pytest.mark.parametrize("form", FORMS)


@every
def test_rows_are_those_of_the_loops(form: str) -> None:
    made, expected = FORMS[form]()
    assert made.shape == expected.shape
    np.testing.assert_allclose(made.dense().numpy(), expected, atol=1e-12)
    some = torch.tensor([7, 0, PLACES - 1, 7])
    np.testing.assert_allclose(made.rows(some).numpy(), expected[:, :, some], atol=1e-12)


@every
def test_values_are_gathered_and_weights_are_pushed(form: str) -> None:
    made, expected = FORMS[form]()
    heads = made.shape[1]
    value, weights = drawn(20, BATCH, heads, PLACES, 5), drawn(21, BATCH, heads, 3, PLACES)
    np.testing.assert_allclose(
        made.aggregate(value).numpy(), expected @ value.numpy(), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(
        made.push(weights).numpy(), weights.numpy() @ expected, rtol=1e-9, atol=1e-9
    )


@every
def test_one_picture_can_be_picked(form: str) -> None:
    made, expected = FORMS[form]()
    np.testing.assert_allclose(made.select(1).dense().numpy(), expected[1:], atol=1e-12)


@every
def test_what_makes_it_learns(form: str) -> None:
    """Gradients reach what the rows are made of, whichever way they are used."""
    made, _ = FORMS[form]()
    value = drawn(22, BATCH, made.shape[1], PLACES, 2).requires_grad_()
    made.aggregate(value).square().sum().backward()
    assert value.grad is not None
    assert value.grad.abs().max() > 0


def test_plain_forms_push_by_rows() -> None:
    key, query = drawn(30, BATCH, HEADS, PLACES), drawn(31, BATCH, HEADS, PLACES)
    weights = drawn(32, BATCH, HEADS, 2, PLACES)
    for made in (ConcatenationAffinity(query, key), ProductAffinity(tokens(33), tokens(34))):
        torch.testing.assert_close(made.push(weights), weights @ made.dense())


def test_a_shared_row_is_gathered_once() -> None:
    made, _ = shared()
    gathered = made.aggregate(drawn(40, BATCH, HEADS, PLACES, 5))
    assert distinct(gathered).shape == (BATCH, HEADS, 1, 5)
    assert gathered.shape == (BATCH, HEADS, PLACES, 5)
    own = gathered.clone()
    assert distinct(own) is own


def test_heads_with_factors_have_factors() -> None:
    product = ProductAffinity(tokens(50), tokens(51), 0.5)
    one, _ = shared()
    made = StackedAffinity((product, one))
    factors = made.factors()
    again = ProductAffinity(factors.query, factors.key, factors.scale, factors.normaliser)
    torch.testing.assert_close(again.dense(), made.dense())
    with pytest.raises(ValueError, match="alike"):
        StackedAffinity((product, low_rank()[0])).factors()
    with pytest.raises(ValueError, match="with factors"):
        StackedAffinity((criss_cross()[0],)).factors()
    assert low_rank()[0].factors().normaliser is Normaliser.MEAN  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [(5, 6), (4, 7)])
def test_maps_that_are_not_whole_blocks_are_refused(size: tuple[int, int]) -> None:
    for groups_of in (far_apart, close_together):
        with pytest.raises(ValueError, match="whole blocks"):
            groups_of(size, (2, 3))


# The reach of what comes after one another.


def heard(module: nn.Module, x: Tensor) -> dict[str, PairwiseAffinity]:
    """What passed every site, by its name as in ``passes_of``."""
    names = {id(child): path for path, child in module.named_modules()}
    found: dict[str, PairwiseAffinity] = {}

    def listen(block: nn.Module, attention: PairwiseAffinity, *_: object) -> None:
        path = names[id(block)]
        times = sum(each.split("#")[0] == path for each in found)
        found[f"{path}#{times}" if times else path] = attention

    with listening(listen), torch.no_grad():
        module(x)
    return found


REACHING: dict[str, Callable[[], nn.Module]] = {
    "ccnet": lambda: RecurrentCrissCross(16),
    "isa": lambda: InterlacedAttention(16, 6, 8, 16, ((2, 3),)),
}


@pytest.mark.parametrize("name", REACHING)
@pytest.mark.parametrize("size", [(4, 6), (6, 9)])
def test_two_passes_reach_every_place(name: str, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    module = REACHING[name]().eval()
    for parameter in module.parameters():
        if parameter.numel() == 1:
            nn.init.constant_(parameter, 0.5)
    found = heard(module, drawn(60, 1, 16, *size).float())
    ((first, second),) = passes_of(module).values()
    reach = ComposedAffinity(found[first], found[second]).dense()
    torch.testing.assert_close(reach, found[second].dense() @ found[first].dense())
    torch.testing.assert_close(reach.sum(dim=3), torch.ones(reach.shape[:3]))
    places = size[0] * size[1]
    kept = (found[first].dense() > 0).sum(dim=3)
    assert kept.max() < places
    assert (reach > 0).all(), "somebody is not heard of"
    if name == "ccnet":
        assert (kept == size[0] + size[1] - 1).all()


def test_only_modules_that_say_so_have_passes() -> None:
    assert passes_of(mechanisms()["danet"].variants["head"](32)) == {}
    host = nn.Sequential(REACHING["isa"]())
    assert passes_of(host) == {"0.stages.0": ("0.stages.0.long", "0.stages.0.short")}


# Rows that an attention of another kind implies.


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("size", [(4, 6), (7, 5)])
def test_the_implied_rows_of_glore_are_exact_without_its_relu(
    mean: bool, size: tuple[int, int]
) -> None:
    torch.manual_seed(1)
    block = GlobalReasoning(16, 5, mean).eval().double()
    block.between = nn.Identity()  # type: ignore[assignment]
    nn.init.zeros_(block.mix.bias)  # type: ignore[arg-type]
    x = drawn(70, 2, 16, *size)
    with torch.no_grad():
        rows = block.implied_rows(block.attention_of(x)).dense()[:, 0]
        state = block.state(x).flatten(2)
        told = block.transform(state @ rows.transpose(1, 2))
        expected = x + block.norm(block.extend(told.unflatten(2, size)))
        torch.testing.assert_close(block(x), expected)


def test_what_has_no_rows_says_so() -> None:
    block = mechanisms()["eanet"].variants[""](32)
    assert block.implied_rows(torch.ones(1, 4, 7)) is None  # type: ignore[operator]
