"""What every mechanism and every variant of it has to hold, whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from models.affinity import DenseAffinity, PairwiseAffinity
from models.mechanism import (
    AttentionBlock,
    Claim,
    Kind,
    auxiliary_of,
    blocks_of,
    mechanisms,
)
from models.taps import taps_of
from vizattn.memory import peak_bytes

CHANNELS = 32
SIZES = ((6, 9), (13, 8))
AFFINITIES = {
    Kind.PLACE_AFFINITY,
    Kind.CHANNEL_AFFINITY,
    Kind.CHANNEL_PLACE_AFFINITY,
    Kind.TOKEN_AFFINITY,
}
VARIANTS = [(slug, name) for slug, each in mechanisms().items() for name in each.variants]
AFFINE = [
    (slug, name)
    for slug, name in VARIANTS
    if any(
        block.kind in AFFINITIES
        for block in blocks_of(mechanisms()[slug].variants[name](CHANNELS)).values()
    )
]
RESIZING = {("csca", "stage"), ("carafe", ""), ("carafe", "group2")}
"""variants that pool or enlarge: what they return has other places than what they take"""
FIRINGS = {("ccnet", "r2"): 2}
"""variants that apply one block to its own result, and how often; others do so once"""
BLIND = {
    "lrnet": ("geometry.score.bias",),
    "san": ("position.bias", "weigh.5.bias"),
    "sgr": ("compatibility",),
    # All regions are above the ReLU, or none is, by what they are here.
    "ocrnet": ("object.3.0.bias",),
    "gcnet": ("mask.bias",),
    "dnl": ("mask.bias", "query.bias", "key.bias"),
    "a2net": ("give.bias",),
    "isa": ("key.1.bias", "key.4.bias"),
    "eanet": ("project_in.bias", "widen.bias", "memory_keys.bias"),
}
"""parameters that add one number to all that is compared, or that a mean takes away again"""
every = pytest.mark.parametrize(("slug", "variant"), VARIANTS)
affine = pytest.mark.parametrize(("slug", "variant"), AFFINE)
at_both_sizes = pytest.mark.parametrize("size", SIZES)
Inputs = tuple[Tensor, ...]


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


def given(slug: str, variant: str, size: tuple[int, int], seed: int = 1, batch: int = 2) -> Inputs:
    """Return what a variant takes, of about a size: sides are those its mechanism can take."""
    mechanism = mechanisms()[slug]
    rows, columns = (-(-side // mechanism.multiple) * mechanism.multiple for side in size)
    generator = torch.Generator().manual_seed(seed)
    shapes_of = mechanism.inputs.get(variant, lambda *shape: [shape])
    shapes = shapes_of(batch, CHANNELS, rows, columns)
    return tuple(torch.randn(*shape, generator=generator) for shape in shapes)


def outputs(result: Tensor | tuple[Tensor, ...] | list[Tensor]) -> Inputs:
    return (result,) if isinstance(result, Tensor) else tuple(result)


@dataclass(frozen=True)
class Fired:
    """What a block took, let through its tap and returned."""

    block: AttentionBlock
    inputs: Inputs
    attention: Any
    returned: Tensor


@contextmanager
def fired(module: nn.Module) -> Iterator[dict[str, list[Fired]]]:
    """Give every firing by the block's path."""
    found: dict[str, list[Fired]] = {}
    seen: dict[str, Any] = {}
    handles = []
    for path, block in blocks_of(module).items():
        found[path] = []
        handles.append(
            block.attention.register_forward_hook(lambda _m, _a, out, p=path: seen.update({p: out}))
        )
        handles.append(
            block.register_forward_hook(
                lambda b, a, out, p=path: found[p].append(Fired(b, a, seen.pop(p), out))
            )
        )
    yield found
    for handle in handles:
        handle.remove()


def attention_of(module: nn.Module, inputs: Inputs) -> list[Fired]:
    with fired(module) as found, torch.no_grad():
        module(*inputs)
    return [firing for firings in found.values() for firing in firings]


def affinities_of(module: nn.Module, inputs: Inputs) -> list[Any]:
    firings = attention_of(module, inputs)
    return [firing.attention for firing in firings if firing.block.kind in AFFINITIES]


# What a module does.


@every
@at_both_sizes
def test_forward_and_backward(slug: str, variant: str, size: tuple[int, int]) -> None:
    module, inputs = built(slug, variant), given(slug, variant, size)
    for x in inputs:
        x.requires_grad_()
    with fired(module) as found:
        results = outputs(module(*inputs))
    places = {x.shape[2:] for x in inputs if x.ndim == 4}
    for result in results:
        assert result.shape[0] == inputs[0].shape[0]
        if result.ndim == 4 and (slug, variant) not in RESIZING:
            assert result.shape[2:] in places
        assert torch.isfinite(result).all()
    weight = torch.Generator().manual_seed(2)
    sum((r * torch.randn(r.shape, generator=weight)).sum() for r in results).backward()
    for x in inputs:
        assert x.grad is not None
        assert torch.isfinite(x.grad).all()
        assert x.grad.abs().max() > 0
    # Adding one number to all logits of a row changes nothing after softmax.
    claims = [f.block.claim for firings in found.values() for f in firings]
    claims += [auxiliary.claim for auxiliary in auxiliary_of(module).values()]
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        blind = BLIND.get(slug, ())
        if not name.endswith(blind) and not (
            Claim.SIMPLEX in claims and name.endswith(("key.bias", "phi.bias", "psi.bias"))
        ):
            assert parameter.grad.abs().max() > 1e-7, f"{name} gets no gradient"


@every
def test_gradients_are_those_of_the_function(slug: str, variant: str) -> None:
    module = built(slug, variant).double()
    inputs = given(slug, variant, (3, 4), batch=1)
    scaled = tuple((x.double() * 0.3).requires_grad_() for x in inputs)
    assert torch.autograd.gradcheck(lambda *x: outputs(module(*x)), scaled, fast_mode=True)


@every
def test_training_mode_works_and_starts_harmless(slug: str, variant: str) -> None:
    torch.manual_seed(0)
    module = mechanisms()[slug].variants[variant](CHANNELS).train()
    # Some have nothing to train, but what stands before them has.
    inputs = tuple(x.requires_grad_() for x in given(slug, variant, (6, 9)))
    results = outputs(module(*inputs))
    assert all(torch.isfinite(result).all() for result in results)
    sum(result.sum() for result in results).backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in module.parameters())


@every
@at_both_sizes
def test_every_item_of_a_batch_is_its_own(slug: str, variant: str, size: tuple[int, int]) -> None:
    module, inputs = built(slug, variant), given(slug, variant, size, batch=3)
    with torch.no_grad():
        together = outputs(module(*inputs))
        alone = [outputs(module(*(x[item : item + 1] for x in inputs))) for item in range(3)]
    for index, result in enumerate(together):
        torch.testing.assert_close(result, torch.cat([one[index] for one in alone]))


# What passes its taps.


@every
def test_every_tap_is_declared_and_fires_once(slug: str, variant: str) -> None:
    module = built(slug, variant)
    blocks, taps = blocks_of(module), taps_of(module)
    assert blocks
    of_blocks = {f"{path}.attention".removeprefix(".") for path in blocks}
    assert taps.keys() == of_blocks | auxiliary_of(module).keys()
    counts = dict.fromkeys(taps, 0)

    def count(path: str) -> Any:
        def hook(*_: Any) -> None:
            counts[path] += 1

        return hook

    for path, tap in taps.items():
        tap.register_forward_hook(count(path))
    module(*given(slug, variant, SIZES[0]))
    assert set(counts.values()) == {FIRINGS.get((slug, variant), 1)}, counts


FREE = -1
"""any length will do"""


def shape_of_assignment(block: AttentionBlock, x: Tensor) -> tuple[int, ...]:
    # Maps, or tokens where they come without rows and columns.
    places = prod(x.shape[2:]) if x.ndim == 4 else x.shape[1]
    heads = (block.heads,) if hasattr(block, "heads") else ()
    return x.shape[0], *heads, places, FREE


def shape_of_places(block: AttentionBlock, x: Tensor) -> tuple[int, ...]:
    batch, _, rows, columns = x.shape
    keys = prod(block.key_grid(rows, columns))
    return batch, FREE, rows * columns // block.bands(), keys // block.bands()


def shape_of_axes(block: AttentionBlock, x: Tensor) -> tuple[int, ...]:
    sizes = dict(zip(("channel", "row", "column"), x.shape[1:], strict=True))
    return x.shape[0], *(sizes[axis] for axis in block.axes)


SHAPES: dict[Kind, Callable[[AttentionBlock, Tensor], tuple[int, ...]]] = {
    Kind.CHANNEL_GATE: lambda _, x: (x.shape[0], x.shape[1]),
    Kind.SPATIAL_GATE: lambda _, x: (x.shape[0], 1, *x.shape[2:]),
    Kind.FEATURE_GATE: lambda _, x: (x.shape[0], x.shape[1], *x.shape[2:]),
    Kind.HEIGHT_GATE: lambda _, x: (x.shape[0], x.shape[1], x.shape[2]),
    Kind.WIDTH_GATE: lambda _, x: (x.shape[0], x.shape[1], x.shape[3]),
    Kind.ROTATED_GATE: shape_of_axes,
    Kind.MODALITY_GATE: lambda _, x: (x.shape[0], 2, *x.shape[2:]),
    Kind.BRANCH_GATE: lambda _, x: (x.shape[0], FREE, FREE),
    Kind.EXPERT_GATE: lambda _, x: (x.shape[0], FREE),
    Kind.ASSIGNMENT: shape_of_assignment,
    Kind.GATHERING: lambda _, x: (x.shape[0], FREE, prod(x.shape[2:])),
    Kind.DESCRIPTORS: lambda _, x: (x.shape[0], FREE, FREE),
    Kind.NODE_AFFINITY: lambda _, x: (x.shape[0], FREE, FREE),
    Kind.CHANNEL_PLACE_AFFINITY: lambda _, x: (x.shape[0], FREE, FREE, FREE),
    Kind.CONTEXT: lambda _, x: (x.shape[0], FREE, *x.shape[2:]),
    Kind.COVARIANCE: lambda _, x: (x.shape[0], FREE, FREE),
    Kind.PRESENCE: lambda _, x: (x.shape[0], FREE),
    Kind.PLACE_AFFINITY: shape_of_places,
    Kind.TOKEN_AFFINITY: lambda _, x: (x.shape[0], FREE, x.shape[1], x.shape[1]),
    Kind.CHANNEL_AFFINITY: lambda _, x: (x.shape[0], 1, x.shape[1], x.shape[1]),
}
ONE_FOR_ALL_CHANNELS = {Kind.FEATURE_GATE, Kind.HEIGHT_GATE, Kind.WIDTH_GATE}


def test_every_kind_has_a_shape() -> None:
    # A class map is made beside a network's blocks, from its gradients; no block has one.
    assert SHAPES.keys() == set(Kind) - {Kind.CLASS_MAP}


@every
@at_both_sizes
def test_attention_has_the_shape_of_its_kind(
    slug: str, variant: str, size: tuple[int, int]
) -> None:
    for firing in attention_of(built(slug, variant), given(slug, variant, size)):
        block, x = firing.block, firing.inputs[0]
        expected = list(SHAPES[block.kind](block, x))
        received = list(firing.attention.shape)
        if block.kind in ONE_FOR_ALL_CHANNELS and received[1] == 1:
            expected[1] = 1
        for axis, length in enumerate(expected):
            expected[axis] = received[axis] if length == FREE else length
        assert received == expected
        affinity = block.kind in AFFINITIES
        assert isinstance(firing.attention, PairwiseAffinity if affinity else Tensor)
        if block.kind.scales:
            assert firing.returned.shape == x.shape
        if affinity:
            # What is gathered has the places of the first and the channels of some input.
            assert firing.returned.shape[2:] == x.shape[2:]
            assert firing.returned.shape[1] in {each.shape[1] for each in firing.inputs}


def keeps_claim(kind: Kind, claim: Claim, attention: Any) -> None:
    values = (attention.dense() if kind in AFFINITIES else attention).double().numpy()
    assert np.isfinite(values).all()
    assert values.std() > 0, "an attention that is the same everywhere tests nothing"
    if claim is Claim.UNIT:
        assert 0 <= values.min() <= values.max() <= 1
    if claim in (Claim.SIMPLEX, Claim.POSITIVE):
        assert values.min() >= 0
    if claim is Claim.SIMPLEX:
        np.testing.assert_allclose(values.sum(axis=kind.simplex_axes), 1, atol=1e-5)


@every
@at_both_sizes
def test_attention_keeps_its_claim(slug: str, variant: str, size: tuple[int, int]) -> None:
    for firing in attention_of(built(slug, variant), given(slug, variant, size)):
        block, attention = firing.block, firing.attention
        keeps_claim(block.kind, block.claim, attention)
        if block.claim is Claim.SIGNED:
            values = attention.dense() if block.kind in AFFINITIES else attention
            assert values.min() < 0 < values.max()


AUXILIARY = [
    (slug, variant, path)
    for slug, variant in VARIANTS
    for path in auxiliary_of(mechanisms()[slug].variants[variant](CHANNELS))
]


@pytest.mark.parametrize(("slug", "variant", "path"), AUXILIARY)
@at_both_sizes
def test_what_passes_an_auxiliary_tap_is_as_declared_and_is_used(
    slug: str, variant: str, path: str, size: tuple[int, int]
) -> None:
    module, inputs = built(slug, variant), given(slug, variant, size)
    declared, tap = auxiliary_of(module)[path], taps_of(module)[path]
    seen: list[Any] = []
    keep = tap.register_forward_hook(lambda _m, _a, value: seen.append(value))
    with torch.no_grad():
        before = outputs(module(*inputs))
        keep.remove()
        (value,) = seen
        assert value.shape[0] == inputs[0].shape[0]
        if declared.kind not in AFFINITIES:
            # A tensor of the block's own input's axes; its places may be coarser than they are.
            assert value.ndim == len(SHAPES[declared.kind](next_block(module, path), inputs[0]))
        keeps_claim(declared.kind, declared.claim, value)
        tap.register_forward_hook(lambda _m, _a, value: changed(value))
        after = outputs(module(*inputs))
    assert any((a - b).abs().max() > 1e-6 for a, b in zip(before, after, strict=True))


def next_block(module: nn.Module, path: str) -> AttentionBlock:
    """Return the block that a tap is inside of, or the first of the module."""
    blocks = blocks_of(module)
    return blocks.get(path.rpartition(".")[0], next(iter(blocks.values())))


def changed(attention: Any) -> Any:
    """Return another attention of the same shape and kind."""
    if isinstance(attention, Tensor):
        return attention * 0.5 + 0.3
    # Keys too, because a row that all queries share would otherwise stay as it is.
    return DenseAffinity(attention.dense().flip((2, 3)))


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
    for attention in affinities_of(built(slug, variant), given(slug, variant, size)):
        dense = attention.dense()
        some = torch.tensor([5, 0, dense.shape[2] - 1, 5])
        torch.testing.assert_close(attention.rows(some), dense[:, :, some])
        assert torch.equal(attention.select(1).dense(), dense[1:])
        # Some others are held against plain sums in tests/test_affinities.py.
        if hasattr(attention, "factors"):
            expected = dense_from_factors(attention)
            np.testing.assert_allclose(dense.numpy(), expected, atol=1e-6, rtol=1e-4)


@affine
@at_both_sizes
@pytest.mark.parametrize("width", [3, 40])
def test_aggregating_is_the_matrix_times_the_values(
    slug: str, variant: str, size: tuple[int, int], width: int
) -> None:
    for attention in affinities_of(built(slug, variant), given(slug, variant, size)):
        value = torch.randn(*attention.shape[:2], attention.shape[3], width)
        expected = attention.dense().double() @ value.double()
        for way in (attention, attention.by_rows()):
            torch.testing.assert_close(
                way.aggregate(value).double(), expected, atol=1e-4, rtol=1e-4
            )


@affine
@at_both_sizes
def test_the_rows_give_the_blocks_own_output(
    slug: str, variant: str, size: tuple[int, int]
) -> None:
    for firing in attention_of(built(slug, variant), given(slug, variant, size)):
        if firing.block.kind in AFFINITIES:
            shown = DenseAffinity(firing.attention.dense())
            with torch.no_grad():
                again = firing.block.apply_attention(shown, *firing.inputs)
            torch.testing.assert_close(again, firing.returned, atol=1e-4, rtol=1e-4)


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
    module, inputs = built(slug, variant), given(slug, variant, (48, 48), batch=1)
    pairs = (48 * 48) ** 2

    def work() -> object:
        with torch.set_grad_enabled(gradient):
            results = outputs(module(*(x.requires_grad_(gradient) for x in inputs)))
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


def with_hooks(module: nn.Module, inputs: Inputs, change: Any) -> list[Fired]:
    """Run with every block's attention changed; return the firings."""
    handles = [
        block.attention.register_forward_hook(
            lambda _m, _a, attention, b=block: change(b, attention)
        )
        for block in blocks_of(module).values()
    ]
    try:
        return attention_of(module, inputs)
    finally:
        for handle in handles:
            handle.remove()


@every
def test_returning_the_same_attention_changes_nothing(slug: str, variant: str) -> None:
    module, inputs = built(slug, variant), given(slug, variant, SIZES[1])
    with torch.no_grad():
        before = outputs(module(*inputs))
        handles = [
            tap.register_forward_hook(lambda _m, _a, a: a) for tap in taps_of(module).values()
        ]
        after = outputs(module(*inputs))
        for handle in handles:
            handle.remove()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@every
def test_open_and_closed_gates_and_even_rows(slug: str, variant: str) -> None:
    module, inputs = built(slug, variant), given(slug, variant, SIZES[0])

    def opened(block: AttentionBlock, attention: Any) -> Any:
        if block.kind in AFFINITIES:
            return DenseAffinity(torch.full(attention.shape, 1 / attention.shape[3]))
        return torch.full_like(attention, 1.0 if block.identity is None else block.identity)

    def closed(block: AttentionBlock, attention: Any) -> Any:
        if block.kind in AFFINITIES:
            return MeanOfValues(attention)
        return torch.zeros_like(attention) if block.identity else torch.ones_like(attention)

    whole, nothing = (with_hooks(module, inputs, change) for change in (opened, closed))
    for one, other in zip(whole, nothing, strict=True):
        block = one.block
        if block.kind in AFFINITIES:
            torch.testing.assert_close(one.returned, other.returned, atol=1e-5, rtol=1e-4)
            like = [each for each in other.inputs if each.shape == one.returned.shape]
            assert not any(torch.allclose(one.returned, each) for each in like), (
                "even rows still add something"
            )
        elif block.kind.scales and block.identity is not None:
            assert torch.equal(one.returned, one.inputs[0])
            # Where 1 lets x pass, 0 silences it; where 0 does, the gate adds to x.
            silent = torch.zeros_like(other.inputs[0])
            beyond = silent if block.identity else 2 * other.inputs[0]
            torch.testing.assert_close(other.returned, beyond)


@every
def test_another_attention_gives_another_output(slug: str, variant: str) -> None:
    module, inputs = built(slug, variant), given(slug, variant, SIZES[0])
    plain = attention_of(module, inputs)
    other = with_hooks(module, inputs, lambda _, attention: changed(attention))
    for before, after in zip(plain, other, strict=True):
        assert (before.returned - after.returned).abs().max() > 1e-4
