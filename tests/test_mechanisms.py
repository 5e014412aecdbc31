"""What every mechanism and every variant of it has to hold, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from models.affinity import DenseAffinity, PairwiseAffinity
from models.mechanism import AttentionBlock, Claim, Kind, blocks_of, mechanisms
from models.taps import taps_of
from vizattn.benchmarks.capturing import peak_bytes

CHANNELS = 32
SIZES = ((6, 9), (13, 8))
GATES = {Kind.CHANNEL_GATE, Kind.SPATIAL_GATE}
VARIANTS = [(slug, name) for slug, each in mechanisms().items() for name in each.variants]
AFFINE = [
    (slug, name)
    for slug, name in VARIANTS
    if any(
        block.kind not in GATES
        for block in blocks_of(mechanisms()[slug].variants[name](CHANNELS)).values()
    )
]
every = pytest.mark.parametrize(("slug", "variant"), VARIANTS)
affine = pytest.mark.parametrize(("slug", "variant"), AFFINE)
at_both_sizes = pytest.mark.parametrize("size", SIZES)


def built(slug: str, variant: str, seed: int = 0) -> nn.Module:
    """Return a variant in evaluation mode in which nothing is zero any more."""
    torch.manual_seed(seed)
    module = mechanisms()[slug].variants[variant](CHANNELS)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.unique().numel() == 1:
                parameter.uniform_(0.3, 0.9)
        for name, buffer in module.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.2, 0.8)
    return module.eval()


def given(size: tuple[int, int], seed: int = 1, batch: int = 2) -> Tensor:
    return torch.randn(batch, CHANNELS, *size, generator=torch.Generator().manual_seed(seed))


def outputs(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (result,) if isinstance(result, Tensor) else result


@contextmanager
def fired(
    module: nn.Module,
) -> Iterator[dict[str, list[tuple[AttentionBlock, Tensor, Any, Tensor]]]]:
    """Give (block, its input, its attention, its output) of every firing, by the block's path."""
    found: dict[str, list[tuple[AttentionBlock, Tensor, Any, Tensor]]] = {}
    seen: dict[str, Any] = {}
    handles = []
    for path, block in blocks_of(module).items():
        found[path] = []
        handles.append(
            block.attention.register_forward_hook(lambda _m, _a, out, p=path: seen.update({p: out}))
        )
        handles.append(
            block.register_forward_hook(
                lambda b, a, out, p=path: found[p].append((b, a[0], seen.pop(p), out))
            )
        )
    yield found
    for handle in handles:
        handle.remove()


def attention_of(module: nn.Module, x: Tensor) -> list[tuple[AttentionBlock, Tensor, Any, Tensor]]:
    with fired(module) as found, torch.no_grad():
        module(x)
    return [firing for firings in found.values() for firing in firings]


# What a module does.


@every
@at_both_sizes
def test_forward_and_backward(slug: str, variant: str, size: tuple[int, int]) -> None:
    module, x = built(slug, variant), given(size).requires_grad_()
    with fired(module) as found:
        results = outputs(module(x))
    for result in results:
        assert result.shape[0] == x.shape[0]
        assert result.shape[2:] == x.shape[2:]
        assert torch.isfinite(result).all()
    weight = torch.Generator().manual_seed(2)
    sum((r * torch.randn(r.shape, generator=weight)).sum() for r in results).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().max() > 0
    # Adding one number to all logits of a row changes nothing after softmax.
    simplex = any(f[0].claim is Claim.SIMPLEX for firings in found.values() for f in firings)
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if not (simplex and name.endswith(("key.bias", "phi.bias"))):
            assert parameter.grad.abs().max() > 1e-7, f"{name} gets no gradient"


@every
def test_gradients_are_those_of_the_function(slug: str, variant: str) -> None:
    module = built(slug, variant).double()
    x = (given((3, 4), batch=1).double() * 0.3).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: outputs(module(y)), (x,), fast_mode=True)


@every
def test_training_mode_works_and_starts_harmless(slug: str, variant: str) -> None:
    torch.manual_seed(0)
    module = mechanisms()[slug].variants[variant](CHANNELS).train()
    results = outputs(module(given((6, 9))))
    assert all(torch.isfinite(result).all() for result in results)


@every
@at_both_sizes
def test_every_item_of_a_batch_is_its_own(slug: str, variant: str, size: tuple[int, int]) -> None:
    module, x = built(slug, variant), given(size, batch=3)
    with torch.no_grad():
        together = outputs(module(x))
        alone = [outputs(module(x[item : item + 1])) for item in range(3)]
    for index, result in enumerate(together):
        torch.testing.assert_close(result, torch.cat([one[index] for one in alone]))


# What passes its taps.


@every
def test_every_tap_is_that_of_a_block_and_fires_once(slug: str, variant: str) -> None:
    module = built(slug, variant)
    blocks, taps = blocks_of(module), taps_of(module)
    assert blocks
    assert taps.keys() == {f"{path}.attention".removeprefix(".") for path in blocks}
    counts = dict.fromkeys(taps, 0)

    def count(path: str) -> Any:
        def hook(*_: Any) -> None:
            counts[path] += 1

        return hook

    for path, tap in taps.items():
        tap.register_forward_hook(count(path))
    module(given(SIZES[0]))
    assert set(counts.values()) == {1}, counts


@every
@at_both_sizes
def test_attention_has_the_shape_of_its_kind(
    slug: str, variant: str, size: tuple[int, int]
) -> None:
    for block, x, attention, result in attention_of(built(slug, variant), given(size)):
        rows, columns = x.shape[2:]
        cells = block.key_cells()
        shapes = {
            Kind.CHANNEL_GATE: (2, x.shape[1]),
            Kind.SPATIAL_GATE: (2, 1, rows, columns),
            Kind.PLACE_AFFINITY: (2, 1, rows * columns, (rows // cells) * (columns // cells)),
            Kind.CHANNEL_AFFINITY: (2, 1, x.shape[1], x.shape[1]),
        }
        assert isinstance(attention, Tensor if block.kind in GATES else PairwiseAffinity)
        assert tuple(attention.shape) == shapes[block.kind]
        assert result.shape == x.shape


@every
@at_both_sizes
def test_attention_keeps_its_claim(slug: str, variant: str, size: tuple[int, int]) -> None:
    for block, _, attention, _ in attention_of(built(slug, variant), given(size)):
        values = (attention if block.kind in GATES else attention.dense()).double().numpy()
        assert np.isfinite(values).all()
        assert values.std() > 0, "an attention that is the same everywhere tests nothing"
        if block.claim is Claim.UNIT:
            assert 0 <= values.min() <= values.max() <= 1
        if block.claim in (Claim.SIMPLEX, Claim.POSITIVE):
            assert values.min() >= 0
        if block.claim is Claim.SIMPLEX:
            np.testing.assert_allclose(values.sum(axis=-1), 1, atol=1e-5)
        if block.claim is Claim.SIGNED:
            assert values.min() < 0 < values.max()


def dense_from_factors(attention: PairwiseAffinity) -> np.ndarray:
    """The whole matrix, from the factors alone and with nothing of ours."""
    factors = attention.factors()  # type: ignore[attr-defined]
    query, key = factors.query.double().numpy(), factors.key.double().numpy()
    logits = factors.scale * np.einsum("bhid,bhjd->bhij", query, key)
    if factors.normaliser.value == "softmax":
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)
    kept = np.maximum(logits, 0) if factors.normaliser.value == "relu_mean" else logits
    return kept / logits.shape[-1]


@affine
@at_both_sizes
def test_rows_are_those_of_the_matrix(slug: str, variant: str, size: tuple[int, int]) -> None:
    for _, _, attention, _ in attention_of(built(slug, variant), given(size)):
        dense = attention.dense()
        some = torch.tensor([5, 0, dense.shape[2] - 1, 5])
        torch.testing.assert_close(attention.rows(some), dense[:, :, some])
        assert torch.equal(attention.select(1).dense(), dense[1:])
        if not isinstance(attention, DenseAffinity):
            expected = dense_from_factors(attention)
            np.testing.assert_allclose(dense.numpy(), expected, atol=1e-6, rtol=1e-4)


@affine
@at_both_sizes
@pytest.mark.parametrize("width", [3, 40])
def test_aggregating_is_the_matrix_times_the_values(
    slug: str, variant: str, size: tuple[int, int], width: int
) -> None:
    for _, _, attention, _ in attention_of(built(slug, variant), given(size)):
        value = torch.randn(*attention.shape[:2], attention.shape[3], width)
        expected = attention.dense().double() @ value.double()
        for way in (attention, attention.by_rows()):
            torch.testing.assert_close(
                way.aggregate(value).double(), expected, atol=1e-4, rtol=1e-4
            )


# Memory.


class Largest(TorchDispatchMode):
    """Remembers the number of elements of the largest tensor that any operator returns."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.numel = max(self.numel, leaf.numel())
        return result


@every
@pytest.mark.parametrize("gradient", [False, True])
def test_no_matrix_of_places_is_ever_built(slug: str, variant: str, gradient: bool) -> None:
    module, x = built(slug, variant), given((48, 48), batch=1)
    pairs = (48 * 48) ** 2

    def work() -> object:
        with torch.set_grad_enabled(gradient):
            results = outputs(module(x.requires_grad_(gradient)))
            if gradient:
                sum(result.sum() for result in results).backward()
        return results

    with Largest() as largest:
        work()
    assert 0 < largest.numel < pairs / 8
    # What kernels allocate for themselves is not returned by any operator, but counted here.
    assert peak_bytes(work) < 4 * pairs


def test_the_matrix_would_be_noticed() -> None:
    """The two measures above see a matrix where there is one."""
    x = torch.randn(1, 1, 48 * 48, 8)

    def work() -> Tensor:
        return (x @ x.transpose(-2, -1)).softmax(dim=-1) @ x

    with Largest() as largest:
        work()
    assert largest.numel == (48 * 48) ** 2
    assert peak_bytes(work) >= 4 * (48 * 48) ** 2


# Surgery: what a hook on the tap returns is what the block uses.


class MeanOfValues(PairwiseAffinity):
    """The affinity of a query that listens to all keys alike, without any matrix."""

    def __init__(self, like: PairwiseAffinity) -> None:
        self.like = like

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.like.shape

    def aggregate(self, value: Tensor) -> Tensor:
        return value.mean(dim=2, keepdim=True).expand(-1, -1, self.shape[2], -1)

    def rows(self, queries: Tensor) -> Tensor:
        batch, head, _, key = self.shape
        return torch.full((batch, head, len(queries), key), 1 / key)

    def select(self, item: int) -> PairwiseAffinity:
        return MeanOfValues(self.like.select(item))


def with_hooks(module: nn.Module, x: Tensor, change: Any) -> list[Any]:
    """Run with every tap's attention changed; return the firings."""
    handles = [
        block.attention.register_forward_hook(lambda _m, _a, attention: change(attention))
        for block in blocks_of(module).values()
    ]
    try:
        return attention_of(module, x)
    finally:
        for handle in handles:
            handle.remove()


@every
def test_returning_the_same_attention_changes_nothing(slug: str, variant: str) -> None:
    module, x = built(slug, variant), given(SIZES[1])
    with torch.no_grad():
        before = outputs(module(x))
        handles = [
            block.attention.register_forward_hook(lambda _m, _a, attention: attention)
            for block in blocks_of(module).values()
        ]
        after = outputs(module(x))
        for handle in handles:
            handle.remove()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@every
def test_open_and_closed_gates_and_even_rows(slug: str, variant: str) -> None:
    module, x = built(slug, variant), given(SIZES[0])

    def opened(attention: Any) -> Any:
        if isinstance(attention, Tensor):
            return torch.ones_like(attention)
        return DenseAffinity(torch.full(attention.shape, 1 / attention.shape[3]))

    def closed(attention: Any) -> Any:
        if isinstance(attention, Tensor):
            return torch.zeros_like(attention)
        return MeanOfValues(attention)

    whole, nothing = with_hooks(module, x, opened), with_hooks(module, x, closed)
    for (block, own, _, result), (_, other, _, changed) in zip(whole, nothing, strict=True):
        if block.kind in GATES:
            assert torch.equal(result, own)
            assert not changed.any()
        else:
            torch.testing.assert_close(result, changed, atol=1e-5, rtol=1e-4)
            assert not torch.allclose(result, other), "even rows still add something"


@affine
def test_other_rows_give_other_outputs(slug: str, variant: str) -> None:
    module, x = built(slug, variant), given(SIZES[0])
    plain = attention_of(module, x)
    shuffled = with_hooks(module, x, lambda a: DenseAffinity(a.dense().flip(2)))
    for (_, _, _, before), (_, _, _, after) in zip(plain, shuffled, strict=True):
        assert (before - after).abs().max() > 1e-4
