"""Torch's own modules, their fast path, and the nested tensors that it makes of padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import vizattn
from tests.foreign_networks import DIM, HEADS, dense, image, only, same_rows
from vizattn.attention import PlaceAffinity
from vizattn.foreign.looking import NothingFound


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Torchs(nn.Module):
    def __init__(self, inner: nn.Module, call: Callable[..., Any]) -> None:
        super().__init__()
        self.embed, self.inner, self.call = nn.Conv2d(3, DIM, 8, 8), inner, call

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        out: Tensor = self.call(self.inner, tokens)
        return out.mean(dim=1)


def attention(inner: Any, tokens: Tensor, **options: Any) -> Tensor:
    return tokens + inner(tokens, tokens, tokens, **options)[0]


def layer(inner: Any, tokens: Tensor) -> Tensor:
    out: Tensor = inner(tokens)
    return out


def padded(inner: Any, tokens: Tensor) -> Tensor:
    return inner(tokens, src_key_padding_mask=last_two(tokens))  # type: ignore[no-any-return]


def last_two(tokens: Tensor) -> Tensor:
    mask = torch.zeros(tokens.shape[:2], dtype=torch.bool)
    mask[:, -2:] = True
    return mask


def mha() -> nn.MultiheadAttention:
    return nn.MultiheadAttention(DIM, HEADS, batch_first=True)


def encoder(first: bool = False) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(DIM, HEADS, 32, batch_first=True, norm_first=first)


TORCHS = {
    "weights": (mha, attention),
    "without": (mha, lambda inner, tokens: attention(inner, tokens, need_weights=False)),
    "layer": (encoder, layer),
    "normed first": (lambda: encoder(True), layer),
    "stacked": (lambda: nn.TransformerEncoder(encoder(), 1), layer),
}


@pytest.mark.parametrize("name", TORCHS)
def test_torchs_own_attention(name: str) -> None:
    make, call = TORCHS[name]
    network = Torchs(make(), call).eval()
    x = image()
    seen = vizattn.capture(network, x)
    captured = only(seen, PlaceAffinity)
    inner = next(each for each in network.modules() if isinstance(each, nn.MultiheadAttention))
    with torch.no_grad():
        tokens = network.embed(x).flatten(2).transpose(1, 2)
        if name == "normed first":
            tokens = network.inner.norm1(tokens)
        _, wanted = inner(tokens, tokens, tokens, average_attn_weights=False)
        answer = network(x)
    same_rows(captured, wanted[0])
    torch.testing.assert_close(seen.output, answer, atol=1e-5, rtol=1e-5)


def test_the_operator_of_the_fast_path_itself() -> None:
    attention = mha().eval()

    def call(inner: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
        out: Tensor = torch._native_multi_head_attention(
            tokens, tokens, tokens, DIM, HEADS, inner.in_proj_weight, inner.in_proj_bias,
            inner.out_proj.weight, inner.out_proj.bias, need_weights=False,
        )[0]  # fmt: skip
        return tokens + out

    network = Torchs(attention, call).eval()
    captured = only(vizattn.capture(network, image()), PlaceAffinity)
    assert captured.rows.heads == HEADS


@contextmanager
def slowly() -> Iterator[None]:
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


class Padded(nn.Module):
    """Two layers that know which tokens are padding, and one that does not."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.embed, self.after = nn.Conv2d(3, DIM, 8, 8), encoder()
        self.inner = nn.TransformerEncoder(encoder(first), 2, nn.LayerNorm(DIM))
        self.inner.use_nested_tensor = True

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        out: Tensor = self.after(padded(self.inner, tokens))
        return out.mean(dim=1)


@pytest.mark.parametrize("first", [False, True], ids=["normed after", "normed first"])
def test_nested_tensors(first: bool) -> None:
    network = Padded(first).eval()
    x = image()
    seen = vizattn.capture(network, x)
    assert [site.site for site in seen.sites] == ["inner.layers.0", "inner.layers.1", "after"]
    assert seen.missed() == []
    assert all(site.passed for site in seen.sites)
    with torch.no_grad():
        torch.testing.assert_close(seen.output, network(x))
    with slowly():
        wanted = vizattn.capture(network, x)
    for fast, slow in zip(seen.sites, wanted.sites, strict=True):
        assert isinstance(fast, PlaceAffinity)
        assert (fast.extra, fast.shape, fast.key_grid) == ((), slow.shape, slow.key_grid)
    for fast, slow in zip(seen.sites[:2], wanted.sites[:2], strict=True):
        # Without nested tensors padding asks, too, but nobody hears it.
        assert not dense(fast)[:, :, -2:].any()
        np.testing.assert_allclose(dense(fast)[:, :-2], dense(slow)[:, :-2], atol=1e-5)


def test_nested_tensors_of_several_pictures_are_named_and_how_to_do_without() -> None:
    def halves(inner: Any, tokens: Tensor) -> Tensor:
        pair = tokens.view(2, 8, DIM)
        out: Tensor = inner(pair, src_key_padding_mask=last_two(pair))
        return out

    network = Torchs(nn.TransformerEncoder(encoder(), 2), halves).eval()
    x = image()
    with pytest.raises(NothingFound, match="set_fastpath_enabled"):
        vizattn.capture(network, x)
    seen = vizattn.capture(network, x, required=False)
    assert [said.partition(":")[0] for said in seen.missed()] == [
        "inner.layers.0",
        "inner.layers.1",
    ]
    with torch.no_grad():
        torch.testing.assert_close(seen.output, network(x))
    with slowly():
        assert len(vizattn.capture(network, x).sites) == 2


def test_flexible_attention() -> None:
    """It is given functions, for what is added to its scores and for what may be heard."""
    from torch.nn.attention import flex_attention as flexible

    bias = torch.randn(HEADS, 31)

    def added(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return score + bias[head, query - key + 15]

    def near(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query - key).abs() < 6

    def call(inner: nn.Linear, tokens: Tensor) -> Tensor:
        q, k, v = inner(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        mask = flexible.create_block_mask(near, None, None, 16, 16, device="cpu")
        out: Any = flexible.flex_attention(q, k, v, added, mask)
        return out.transpose(1, 2).flatten(2)

    network = Torchs(nn.Linear(DIM, 3 * DIM), call)
    x = image()
    captured = only(vizattn.capture(network, x), PlaceAffinity)
    with torch.no_grad():
        parts = network.inner(network.embed(x).flatten(2).transpose(1, 2))
        q, k, _ = parts.unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        place = torch.arange(16)
        apart = place[:, None] - place
        logits = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5 + bias[:, apart + 15]
        wanted = logits.masked_fill(apart.abs() >= 6, float("-inf")).softmax(-1)
    same_rows(captured, wanted[0])
