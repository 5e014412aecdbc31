"""Attention as people write it by hand, in networks of ten lines: found by what it computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import vizattn
from models.mechanism import Claim
from tests.foreign_networks import (
    HEADS,
    Gated,
    Tokens,
    goes_everywhere,
    image,
    only,
    same_rows,
    softmax_rows,
)
from vizattn.attention import ChannelGate, PlaceAffinity, SpatialGate
from vizattn.features import FeatureMaps
from vizattn.foreign.looking import NothingFound


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def pooled(x: Tensor) -> Tensor:
    return x.mean((2, 3), keepdim=True)


def mixed(x: Tensor, out: int = 6) -> Tensor:
    """Return a layer's result, of the same layer each time."""
    kernels = torch.linspace(-1, 1, 6 * out).sin().view(out, 6, 1, 1)
    return F.conv2d(x, kernels)


def share(logits: Tensor, axes: tuple[int, ...]) -> Tensor:
    grown = (logits - logits.amax(axes, keepdim=True)).exp()
    return grown / grown.sum(axes, keepdim=True)


GATES: dict[str, tuple[Callable[[Tensor], Tensor], type, Claim]] = {
    "1 / (1 + exp(-x))": (lambda x: 1 / (1 + torch.exp(-mixed(x))), FeatureMaps, Claim.UNIT),
    "exp(x) / (1 + exp(x))": (
        lambda x: mixed(x).exp() / (1 + mixed(x).exp()),
        FeatureMaps,
        Claim.UNIT,
    ),
    "(tanh(x / 2) + 1) / 2": (lambda x: 0.5 * ((mixed(x) / 2).tanh() + 1), FeatureMaps, Claim.UNIT),
    "exp(x) / sum": (lambda x: share(mixed(x, 1), (2, 3)), SpatialGate, Claim.SIMPLEX),
    "exp(logsigmoid(x))": (lambda x: F.logsigmoid(pooled(x)).exp(), ChannelGate, Claim.UNIT),
    "expit": (lambda x: torch.special.expit(pooled(x)), ChannelGate, Claim.UNIT),
    "softplus": (lambda x: F.softplus(9 * pooled(x)), ChannelGate, Claim.POSITIVE),
    "softplus at places": (lambda x: F.softplus(mixed(x)), FeatureMaps, Claim.POSITIVE),
    "relu": (lambda x: F.relu(9 * mixed(x, 1)), SpatialGate, Claim.POSITIVE),
    "elu": (lambda x: F.elu(pooled(x)) + 1, ChannelGate, Claim.POSITIVE),
    "bell": (lambda x: torch.exp(-(mixed(x, 1) ** 2)), SpatialGate, Claim.UNIT),
}


@pytest.mark.parametrize("name", GATES)
def test_gates_by_hand(name: str) -> None:
    make, kind, claim = GATES[name]
    network = Gated(make)
    captured = only(vizattn.capture(network, image()), kind)
    assert captured.claim is claim
    values = captured.maps.values if kind is FeatureMaps else captured.values
    found = values[:, None, None] if kind is ChannelGate else values
    wanted = np.broadcast_to(network.weights[0].numpy(), (6, 8, 8))
    np.testing.assert_allclose(np.broadcast_to(found, (6, 8, 8)), wanted, atol=1e-6)


def unit(x: Tensor) -> Tensor:
    return F.glu(mixed(x, 12), dim=1)


def halves(x: Tensor) -> Tensor:
    features, gate = mixed(x, 12).chunk(2, dim=1)
    return features * gate.sigmoid()


def divided(x: Tensor) -> Tensor:
    both = mixed(x, 12)
    return both[:, :6] / (1 + torch.exp(-both[:, 6:]))


@pytest.mark.parametrize("way", [unit, halves, divided], ids=lambda way: way.__name__)
def test_gated_linear_units(way: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    """Dauphin et al. 2017, eq. 1; what comes after them is still a map of the picture."""

    def network(x: Tensor) -> Tensor:
        made = way(x)
        return made * pooled(mixed(made)).sigmoid()

    stranger = Gated(network, lambda x, made: made)
    seen = vizattn.capture(stranger, image(32, 24))
    first, second = seen.sites
    assert isinstance(first, FeatureMaps)
    assert isinstance(second, ChannelGate)
    wanted = mixed(stranger.features, 12)[0, 6:].sigmoid().detach()
    np.testing.assert_allclose(first.maps.values, wanted, atol=1e-6)
    assert all(site.passed for site in seen.sites)
    goes_everywhere(seen, tmp_path)


FEATURES: tuple[Callable[[Tensor], Tensor], ...] = (torch.tanh, F.relu6, torch.sigmoid, F.softplus)


@pytest.mark.parametrize("activation", FEATURES, ids=lambda each: each.__name__)
def test_features_that_are_made_as_gates_are(activation: Callable[[Tensor], Tensor]) -> None:
    network = Gated(lambda x: pooled(x).sigmoid(), lambda x, gate: activation(x) * gate)
    captured = only(vizattn.capture(network, image()), ChannelGate)
    np.testing.assert_allclose(captured.values, network.weights[0, :, 0, 0], atol=1e-6)


def test_a_gate_of_a_gate_is_one_gate() -> None:
    def made(x: Tensor) -> Tensor:
        return mixed(x).sigmoid() * mixed(x, 1).sigmoid()

    network = Gated(made)
    captured = only(vizattn.capture(network, image()), FeatureMaps)
    np.testing.assert_allclose(captured.maps.values, network.weights[0].detach(), atol=1e-6)


NO_GATES: dict[str, Callable[[Tensor], Tensor]] = {
    "swish": lambda x: x / (1 + torch.exp(-x)),
    "swish, then a product": lambda x: x / (1 + torch.exp(-x)) * mixed(x),
    "mish": lambda x: x * F.softplus(x).tanh(),
    "gated by swish": lambda x: F.silu(mixed(x)) * x,
    "bilinear": lambda x: F.relu(mixed(x)) * x,
    "normalised": lambda x: (x - pooled(x)) * torch.rsqrt(x.var((2, 3), keepdim=True) + 1e-5),
    "root mean square": lambda x: x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-5),
    "unit length": lambda x: x * (1 / x.norm(dim=1, keepdim=True).clamp(min=1e-4)),
    "response": lambda x: x * (pooled(x.abs()) / pooled(x.abs()).mean(1, keepdim=True)),
    "scaled": lambda x: x * torch.linspace(0, 1, 6).exp().view(6, 1, 1),
}


@pytest.mark.parametrize("name", NO_GATES)
def test_activations_and_norms_are_no_gates(name: str) -> None:
    with pytest.raises(NothingFound, match="nothing in it is attention"):
        vizattn.capture(Gated(NO_GATES[name], lambda x, made: made), image())


def weighed_sum(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = softmax_rows(q, k)
    return (weights[..., None] * v[:, :, None]).sum(-2), weights


def summed_twice(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = ((q[:, :, :, None] * k[:, :, None]).sum(-1) / 3).softmax(-1)
    return (v[:, :, None] * weights.unsqueeze(-1)).sum(dim=3), weights


def three_factors(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    q, k = F.elu(q) + 1, F.elu(k) + 1
    return torch.einsum("bhnd,bhmd,bhme->bhne", q, k, v), q @ k.transpose(-2, -1)


def linear(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Katharopoulos et al. 2020, eq. 5, as its authors write it."""
    q, k, v = (each.transpose(1, 2) for each in (F.elu(q) + 1, F.elu(k) + 1, v))
    total = 1 / (torch.einsum("nlhd,nhd->nlh", q, k.sum(dim=1)) + 1e-6)
    state = torch.einsum("nshd,nshm->nhmd", k, v)
    out = torch.einsum("nlhd,nhmd,nlh->nlhm", q, state, total)
    weights = torch.einsum("nlhd,nshd,nlh->nhls", q, k, total)
    return out.transpose(1, 2), weights


def shares_by_hand(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    grown = torch.exp(q @ k.transpose(-2, -1) / 4)
    return (grown @ v) / grown.sum(-1, keepdim=True), grown


ROWS: dict[Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]], Claim] = {
    weighed_sum: Claim.SIMPLEX,
    summed_twice: Claim.SIMPLEX,
    three_factors: Claim.POSITIVE,
    linear: Claim.SIMPLEX,
    shares_by_hand: Claim.POSITIVE,
}


@pytest.mark.parametrize("attend", ROWS, ids=lambda attend: attend.__name__)
def test_rows_by_hand(
    attend: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]], tmp_path: Path
) -> None:
    network = Tokens(attend, extra=1)
    seen = vizattn.capture(network, image())
    captured = only(seen, PlaceAffinity)
    same_rows(captured, network.weights[0])
    assert captured.claim is ROWS[attend]
    assert (captured.shape, len(captured.extra)) == ((HEADS, 17, 17), 1)
    goes_everywhere(seen, tmp_path)


@pytest.mark.parametrize("attend", [weighed_sum, summed_twice, linear], ids=lambda a: a.__name__)
def test_what_was_summed_by_hand_is_where_it_asked(attend: Any) -> None:
    class Twice(Tokens):
        def forward(self, x: Tensor) -> Tensor:
            tokens = self.embed(x).flatten(2).transpose(1, 2)
            for _ in range(2):
                parts = self.qkv(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
                tokens = self.attend(*parts.unbind(0))[0].transpose(1, 2).flatten(2)
            return tokens.mean(dim=1)

    seen = vizattn.capture(Twice(attend), image())
    assert [site.shape for site in seen.sites] == [(HEADS, 16, 16)] * 2
    assert all(site.passed for site in seen.sites)
    assert all("followed from a map of 4 × 4" in said for said in seen.evidence().values())


# What is not captured is said.


def largest(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = softmax_rows(q, k)
    return (v[:, :, None] * weights[..., None]).amax(3), weights


def test_weights_that_are_not_summed_are_missed() -> None:
    with pytest.raises(NothingFound, match="not summed right after"):
        vizattn.capture(Tokens(largest), image())


def test_gates_of_a_vector_are_missed() -> None:
    class Vector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.layer = nn.Conv2d(3, 6, 4, 4), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            x = self.embed(x).mean((2, 3))
            return x * self.layer(x).sigmoid()

    with pytest.raises(NothingFound, match="one vector of the whole picture"):
        vizattn.capture(Vector(), image())


def test_gates_of_neighbourhoods_that_overlap_are_missed() -> None:
    def made(x: Tensor) -> Tensor:
        around = F.unfold(x, 3, padding=1).view(1, 6, 9, 64)
        return (around * around.mean(1, keepdim=True).softmax(2)).sum(2)

    with pytest.raises(NothingFound, match="each of them once"):
        vizattn.capture(Gated(made, lambda x, out: out.unflatten(2, (8, 8))), image())
