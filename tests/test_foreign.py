"""Any network: each pattern by a network of a few lines, held against the weights that it used."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

import vizattn
from models.mechanism import Claim
from tests.foreign_networks import (
    DIM,
    HEADS,
    Gated,
    Tokens,
    Windows,
    dense,
    fused,
    image,
    only,
    same_rows,
    softmax_rows,
)
from vizattn.attention import ChannelAffinity, ChannelGate, PlaceAffinity, SpatialGate
from vizattn.features import EdgeGate, FeatureMaps
from vizattn.foreign.looking import NothingFound


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield


# Attention in every way that it is written.


def fused_scaled(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    return F.scaled_dot_product_attention(q, k, v, scale=0.3), (
        0.3 * q @ k.transpose(-2, -1)
    ).softmax(-1)


def fused_causal(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    later = torch.ones(q.shape[2], k.shape[2]).triu(1).bool()
    bias = torch.zeros(later.shape).masked_fill(later, float("-inf"))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True), softmax_rows(q, k, bias)


def fused_masked(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    allowed = torch.rand(1, 1, q.shape[2], k.shape[2]) > 0.3
    allowed[..., 0] = True
    bias = torch.zeros(allowed.shape).masked_fill(~allowed, float("-inf"))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed), softmax_rows(q, k, bias)


def fused_biased(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    bias = torch.randn(q.shape[1], q.shape[2], k.shape[2])
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias), softmax_rows(q, k, bias)


def fused_grouped(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    k, v = k[:, :1], v[:, :1]
    out = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    return out, softmax_rows(q, k.expand_as(q))


def explicit(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = F.dropout(softmax_rows(q, k), 0.5, training=False)
    return weights @ v, weights


def einsum(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    logits = torch.einsum("bhid,bhjd->bhji", q, k)
    weights = logits.softmax(dim=2).transpose(2, 3)
    return torch.einsum("bhij,bhjd->bhid", weights, v), weights


def logarithms(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    logits = q @ k.transpose(-2, -1)
    weights = (logits - logits.logsumexp(-1, keepdim=True)).exp()
    return weights @ v, weights


def in_place(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    logits = q @ k.transpose(-2, -1)
    logits *= 0.2
    logits.add_(torch.randn(q.shape[2], k.shape[2]))
    logits.masked_fill_(torch.rand(logits.shape) > 0.9, -1e4)
    weights = logits.softmax(-1)
    out = weights @ v
    q.zero_()
    return out, weights


def added_product(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    q, k, v = (each.flatten(0, 1) for each in (q, k, v))
    bias = torch.randn(1, q.shape[1], k.shape[1]).expand(len(q), -1, -1)
    weights = torch.baddbmm(bias, q, k.transpose(1, 2), beta=0.5, alpha=0.7).softmax(-1)
    return torch.bmm(weights, v)[None], weights[None]


def values_first(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = softmax_rows(q, k)
    return (v.transpose(-2, -1) @ weights.transpose(-2, -1)).transpose(-2, -1), weights


def temperature_and_clamp(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
    scale = torch.rand(q.shape[1], 1, 1).exp().clamp(max=2)
    weights = ((q @ k.transpose(-2, -1)) * scale).softmax(dim=-1)
    return weights @ v, weights


def mixed_heads(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    mix = torch.randn(HEADS, HEADS)
    logits = torch.einsum("hg,bhij->bgij", mix, q @ k.transpose(-2, -1))
    weights = logits.softmax(-1)
    return weights @ v, weights


ATTENDS = (
    fused,
    fused_scaled,
    fused_causal,
    fused_masked,
    fused_biased,
    fused_grouped,
    explicit,
    einsum,
    logarithms,
    in_place,
    added_product,
    values_first,
    temperature_and_clamp,
    mixed_heads,
)


@pytest.mark.parametrize("attend", ATTENDS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("extra", [0, 3])
def test_rows_are_those_that_the_network_used(attend: Any, extra: int) -> None:
    network = Tokens(attend, extra)
    captured = only(vizattn.capture(network, image()), PlaceAffinity)
    same_rows(captured, network.weights[0])
    assert captured.claim is Claim.SIMPLEX
    assert len(captured.extra) == extra
    assert (captured.query_grid.rows, captured.key_grid.columns) == (4, 4)


def test_no_matrix_is_kept() -> None:
    kept = vizattn.capture(Tokens(explicit, patch=1), image(24, 24), memory=10**9)
    gc.collect()
    tokens = 24 * 24
    network = only(kept, PlaceAffinity)
    assert network.rows.factors() is None or network.rows.factors().query.shape[2] == tokens
    whole = [
        each
        for each in gc.get_objects()
        if type(each) is Tensor and each.numel() >= tokens * tokens and "weights" not in vars(each)
    ]
    assert len(whole) <= 1, "only the network's own, which it keeps itself"


# Kinds that no list has.


def sigmoid_rows(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = (q @ k.transpose(-2, -1) - 2).sigmoid() / 4
    return weights @ v, weights


def squared_relu(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = (q @ k.transpose(-2, -1)).relu().square() / k.shape[2]
    return weights @ v, weights


def plain_product(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = q @ k.transpose(-2, -1) / k.shape[2]
    return weights @ v, weights


def linear(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    q, k = F.elu(q) + 1, F.elu(k) + 1
    return q @ (k.transpose(-2, -1) @ v), q @ k.transpose(-2, -1)


@pytest.mark.parametrize(
    ("attend", "claim"),
    [
        (sigmoid_rows, Claim.POSITIVE),
        (squared_relu, Claim.POSITIVE),
        (plain_product, Claim.SIGNED),
        (linear, Claim.POSITIVE),
    ],
)
def test_attention_of_other_kinds(attend: Any, claim: Claim) -> None:
    network = Tokens(attend, extra=1)
    captured = only(vizattn.capture(network, image()), PlaceAffinity)
    same_rows(captured, network.weights[0])
    assert captured.claim is claim


def test_channels_that_ask_channels() -> None:
    class Channels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Conv2d(3, 6, 4, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.embed(x)
            flat = x.flatten(2)
            self.weights = (flat @ flat.transpose(1, 2)).softmax(-1)
            return x + (self.weights @ flat).view_as(x)

    network = Channels()
    captured = only(vizattn.capture(network, image()), ChannelAffinity)
    same_rows(captured, network.weights)
    assert captured.activation.values.shape == (6, 8, 8)


def test_one_query_for_the_whole_picture() -> None:
    class Pool(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Conv2d(3, DIM, 8, 8)
            self.ask = nn.Parameter(torch.randn(1, 2, DIM))

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.embed(x).flatten(2).transpose(1, 2)
            self.weights = softmax_rows(self.ask, tokens)
            return (self.weights @ tokens).flatten(1)

    network = Pool()
    captured = only(vizattn.capture(network, image()), PlaceAffinity)
    assert len(captured.query_grid) == 1
    np.testing.assert_allclose(
        captured.row_of(0).reshape(2, -1), network.weights[0].detach(), atol=1e-6
    )


# Windows.


@settings(max_examples=8, deadline=None)
@given(window=st.sampled_from([2, 4]), shifted=st.booleans(), wide=st.booleans())
def test_windows_go_back_to_where_they_came_from(window: int, shifted: bool, wide: bool) -> None:
    rows, columns = (8, 12) if wide else (8, 8)
    network = Windows(window, window // 2 if shifted else 0, rows, columns)
    captured = only(vizattn.capture(network, image(4 * rows, 4 * columns)), PlaceAffinity)
    assert (captured.key_grid.rows, captured.key_grid.columns) == (rows, columns)
    same_rows(captured, network.placed(rows, columns))


def test_patches_that_are_merged() -> None:
    class Merged(Tokens):
        def forward(self, x: Tensor) -> Tensor:
            fine = self.embed(x).permute(0, 2, 3, 1)
            joined = [fine[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
            tokens = F.linear(torch.cat(joined, dim=-1), torch.randn(DIM, 4 * DIM)).flatten(1, 2)
            parts = self.qkv(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
            out, self.weights = self.attend(*parts.unbind(0))
            return self.head(out.transpose(1, 2).flatten(2).mean(dim=1))

    captured = only(vizattn.capture(Merged(explicit, patch=4), image()), PlaceAffinity)
    assert (captured.query_grid.rows, captured.query_grid.cell) == (4, (8.0, 8.0))


# Gates.


def pooled(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3), keepdim=True)


GATES: dict[str, tuple[Callable[[Tensor], Tensor], type, Claim]] = {
    "squeeze": (lambda x: pooled(x).sigmoid(), ChannelGate, Claim.UNIT),
    "stretched": (lambda x: pooled(x).sigmoid().expand_as(x), ChannelGate, Claim.UNIT),
    "hard": (lambda x: F.hardsigmoid(pooled(x)), ChannelGate, Claim.UNIT),
    "by hand": (lambda x: F.relu6(pooled(x) + 3) / 6, ChannelGate, Claim.UNIT),
    "tanh": (lambda x: 1 + (9 * pooled(x)).tanh(), ChannelGate, Claim.POSITIVE),
    "place": (lambda x: x.mean(dim=1, keepdim=True).sigmoid(), SpatialGate, Claim.UNIT),
    "place, softmax": (
        lambda x: x.mean(1).flatten(1).softmax(-1).view(1, 1, 8, 8),
        SpatialGate,
        Claim.SIMPLEX,
    ),
    "coarse": (
        lambda x: F.interpolate(F.avg_pool2d(x, 2).sigmoid(), scale_factor=2.0),
        FeatureMaps,
        Claim.UNIT,
    ),
    "both": (lambda x: (pooled(x) + x.mean(1, keepdim=True)).sigmoid(), FeatureMaps, Claim.UNIT),
    "rows": (lambda x: x.mean(3, keepdim=True).sigmoid(), EdgeGate, Claim.UNIT),
    "columns": (lambda x: x.mean(2, keepdim=True).sigmoid(), EdgeGate, Claim.UNIT),
}


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("written", [False, True], ids=["apart", "in place"])
def test_gates(name: str, written: bool) -> None:
    make, kind, claim = GATES[name]
    network = Gated(make, Tensor.mul_ if written else torch.mul)
    captured = only(vizattn.capture(network, image()), kind)
    assert captured.claim is claim
    values = captured.maps.values if kind is FeatureMaps else captured.values
    wanted = np.broadcast_to(network.weights[0].numpy(), (6, 8, 8))
    found = values[:, None, None] if kind is ChannelGate else values
    if kind is EdgeGate:
        found = values[:, :, None] if captured.axis == "height" else values[:, None, :]
    np.testing.assert_allclose(np.broadcast_to(found, (6, 8, 8)), wanted, atol=1e-6)
    if kind is ChannelGate:
        np.testing.assert_allclose(captured.activation.values, network.features[0], atol=1e-6)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "swish": lambda x: x * x.sigmoid(),
    "scaled": lambda x: x * (1.7 * x).sigmoid(),
    "gelu": lambda x: 0.5 * x * (1 + (0.8 * (x + 0.04 * x**3)).tanh()),
    "hard swish": lambda x: x * F.relu6(x + 3) / 6,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_functions_are_no_gates(name: str) -> None:
    network = Gated(ACTIVATIONS[name], lambda x, made: made)
    with pytest.raises(NothingFound, match="nothing in it is attention"):
        vizattn.capture(network, image())


# Inputs, precision, where networks come from.


def test_several_inputs_and_names() -> None:
    class Two(Tokens):
        def forward(self, other: Tensor, x: Tensor) -> Tensor:  # type: ignore[override]
            return super().forward(x * other.mean())

    network = Two(fused)
    x = image()
    for given_as in ((torch.ones(4), x), {"x": x, "other": torch.ones(4)}):
        same_rows(only(vizattn.capture(network, given_as), PlaceAffinity), network.weights[0])


@pytest.mark.parametrize("attend", [fused, fused_grouped, explicit], ids=lambda e: e.__name__)
def test_half_precision(attend: Any) -> None:
    network = Tokens(attend, extra=1).bfloat16()
    captured = only(vizattn.capture(network, image().bfloat16()), PlaceAffinity)
    same_rows(captured, network.weights[0], 0.02)


def test_traced_and_compiled_networks() -> None:
    network = Tokens(lambda q, k, v: (softmax_rows(q, k) @ v, q))
    x = image()
    with torch.no_grad():
        traced = torch.jit.trace(network.eval(), x, check_trace=False)
    compiled = torch.compile(network, backend="eager")
    wanted = dense(only(vizattn.capture(network, x), PlaceAffinity))
    for other in (traced, compiled):
        found = dense(only(vizattn.capture(other, x), PlaceAffinity))
        np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("attend", [fused, fused_biased, mixed_heads], ids=lambda e: e.__name__)
def test_what_lies_in_a_file_is_the_same(attend: Any) -> None:
    network = Tokens(attend, patch=2)
    captured = only(vizattn.capture(network, image(), memory=0), PlaceAffinity)
    same_rows(captured, network.weights[0])


def test_a_grid_set_by_hand() -> None:
    class Hidden(Tokens):
        def forward(self, x: Tensor) -> Tensor:
            tokens = torch.sort(self.embed(x).flatten(2).transpose(1, 2), dim=1).values
            parts = self.qkv(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
            out, self.weights = self.attend(*parts.unbind(0))
            return self.head(out.transpose(1, 2).flatten(2).mean(dim=1))

    network, x = Hidden(fused), image()
    guessed = vizattn.capture(network, x)
    assert only(guessed, PlaceAffinity).key_grid.columns == 4
    (said,) = guessed.evidence().values()
    assert "not followed" in said
    set_by_hand = vizattn.capture(network, x, grid=(2, 8))
    assert only(set_by_hand, PlaceAffinity).key_grid.columns == 8


# What is not captured is said.


def test_operators_of_others_are_named() -> None:
    @torch.library.custom_op("vizattn_tests::attend", mutates_args=())
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v)

    network = Tokens(lambda q, k, v: (attend(q, k, v), q))
    with pytest.raises(NothingFound) as refused:
        vizattn.capture(network, image())
    assert "vizattn_tests::attend" in str(refused.value)
    assert "vizattn_tests::attend" in refused.value.sentence("zh")
    seen = vizattn.capture(network, image(), required=False)
    assert not seen.sites
    assert len(seen.missed()) == 1


def test_wrong_rows_have_a_red_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    from vizattn.foreign import attending

    monkeypatch.setattr(attending, "_softmax", lambda logits: (logits * 1.1).softmax(-1))
    seen = vizattn.capture(Tokens(fused), image())
    (captured,) = seen.sites
    failed = [check.name for check in captured.checks if not check.passed]
    assert failed == ["output"]


@pytest.mark.parametrize("where", ["_product", "_attended"])
def test_what_fails_while_it_listens_does_not_stop_the_network(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vizattn.foreign import attending, sites

    def broken(*given: Any) -> Any:
        raise TypeError("broken")

    if where == "_product":
        monkeypatch.setitem(attending.HEARD, "matmul", broken)
    else:
        monkeypatch.setattr(sites.Adaptor, where, broken)

    class Both(Tokens):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x * pooled(x).sigmoid())

    network, x = Both(explicit), image()
    with torch.no_grad():
        answer = network.eval()(x)
    seen = vizattn.capture(network, x)
    torch.testing.assert_close(seen.output, answer)
    assert [type(site) for site in seen.sites] == [ChannelGate]
    assert "does not expect" in seen.missed()[0]


# Nothing is left behind.


def modes() -> tuple[int, int]:
    from torch.overrides import _get_current_function_mode_stack
    from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

    return len(_get_current_function_mode_stack()), len(_get_current_dispatch_mode_stack())


@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_as_it_was(fails: bool) -> None:
    def attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if fails:
            raise RuntimeError("broken")
        return fused(q, k, v)

    network = Tokens(attend).train()
    network.head.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with suppress(RuntimeError):
        vizattn.capture(network, image())
    assert modes() == (0, 0)
    assert not torch.is_inference_mode_enabled()
    assert network.training
    assert network.embed.training
    assert not network.head.training
    for module in network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    network.attend = fused
    only(vizattn.capture(network, image()), PlaceAffinity)


def test_threads_hear_only_themselves() -> None:
    networks = [Tokens(fused), Tokens(explicit, extra=2)]
    pictures = [image(), image()]
    alone = [dense(vizattn.capture(n, x).sites[0]) for n, x in zip(networks, pictures, strict=True)]
    wrong: list[str] = []

    def work(index: int) -> None:
        which = index % 2
        seen = vizattn.capture(networks[which], pictures[which])
        if len(seen.sites) != 1 or not np.allclose(dense(seen.sites[0]), alone[which], atol=1e-6):
            wrong.append(str(seen))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
