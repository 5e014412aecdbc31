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
from models.mechanism import Claim, Kind
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
from vizattn.attention import ChannelAffinity, ChannelGate, PlaceAffinity, SpatialGate
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
    "relu6(x + 3) / 6": (lambda x: F.relu6(mixed(x) + 3) / 6, FeatureMaps, Claim.UNIT),
    "a sixth": (lambda x: 0.1667 * (mixed(x) + 3).clamp(0, 6), FeatureMaps, Claim.UNIT),
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
    "bilinear, cut off": lambda x: F.relu6(mixed(x)) * x,
    "normalised": lambda x: (x - pooled(x)) * torch.rsqrt(x.var((2, 3), keepdim=True) + 1e-5),
    "root mean square": lambda x: x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-5),
    "unit length": lambda x: x * (1 / x.norm(dim=1, keepdim=True).clamp(min=1e-4)),
    "response": lambda x: x * (pooled(x.abs()) / pooled(x.abs()).mean(1, keepdim=True)),
    "raised": lambda x: (x**2) ** torch.linspace(1, 2, 6).view(6, 1, 1) + x.float_power(2.5) * 0,
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


def neighbourhoods(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Every place hears the nine around it: as many windows as places, each with one query."""
    k, v = (
        F.unfold(each.transpose(2, 3).reshape(1, -1, 4, 4), 3, padding=1)
        .view(1, HEADS, -1, 9, 16)
        .permute(0, 1, 4, 3, 2)
        for each in (k, v)
    )
    weights = (q[:, :, :, None] @ k.transpose(3, 4)).softmax(-1)
    return (weights @ v).squeeze(3), weights


def test_neighbourhoods_by_hand(tmp_path: Path) -> None:
    network = Tokens(neighbourhoods)
    seen = vizattn.capture(network, image())
    captured = only(seen, PlaceAffinity)
    assert captured.shape == (HEADS, 16, 16)
    wanted = network.weights[0, :, 5, 0].detach().numpy().reshape(HEADS, 3, 3)
    rows = captured.row_of(5)
    np.testing.assert_allclose(rows[:, :3, :3], wanted, atol=1e-6)
    assert np.count_nonzero(rows) == HEADS * 9
    goes_everywhere(seen, tmp_path)


def across(x: Tensor, turned: bool, heads: int) -> tuple[Tensor, Tensor]:
    """Cross-covariance attention (El-Nouby et al. 2021, eq. 2), with channels first or last."""
    parts = mixed(x, 18).unflatten(1, (3, heads, -1)).flatten(4).unbind(1)
    q, k, v = (each.flatten(3) for each in parts)
    q, k = (F.normalize(each, dim=-1) for each in (q, k))
    weights = (9 * q @ k.transpose(-2, -1)).softmax(-1)
    if turned:
        out = (v.transpose(-2, -1) @ weights.transpose(-2, -1)).transpose(-2, -1)
    else:
        out = weights @ v
    return out.reshape(x.shape), weights


@pytest.mark.parametrize("turned", [False, True], ids=["channels first", "places first"])
@pytest.mark.parametrize("heads", [1, 2])
def test_channels_ask_channels_of_their_head(turned: bool, heads: int, tmp_path: Path) -> None:
    kept = []

    def way(x: Tensor) -> Tensor:
        out, weights = across(x, turned, heads)
        kept.append((x, weights))
        return out

    seen = vizattn.capture(Gated(way, lambda x, made: made), image(32, 24))
    captured = only(seen, ChannelAffinity)
    ((x, weights),) = kept
    wanted = torch.block_diag(*weights[0]).numpy()
    np.testing.assert_allclose(captured.rows.some(range(6))[0], wanted, atol=1e-6)
    assert captured.claim is Claim.SIMPLEX
    np.testing.assert_allclose(captured.activation.values, mixed(x, 18)[0, 12:], atol=1e-6)
    goes_everywhere(seen, tmp_path)


class Units(nn.Module):
    """Places that take shares of seven learnt units; these are nowhere in the picture."""

    def __init__(self, way: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.embed, self.way = nn.Conv2d(3, 6, 4, 4), way
        self.keys, self.values = nn.Linear(6, 7, bias=False), nn.Linear(7, 6)
        self.weights = torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        return self.way(self, self.embed(x).flatten(2).transpose(1, 2)).mean(dim=1)


def external(network: Units, tokens: Tensor) -> Tensor:
    """External attention (Guo et al. 2021, eq. 5 and 6): shares of places, then of units."""
    shares = network.keys(tokens).softmax(dim=1)
    network.weights = shares / shares.sum(dim=2, keepdim=True)
    return network.values(network.weights)


def convolved(network: Units, tokens: Tensor) -> Tensor:
    keys, values = network.keys.weight[..., None], network.values.weight[..., None]
    shares = F.conv1d(tokens.transpose(1, 2), keys).softmax(dim=1)
    network.weights = shares.transpose(1, 2)
    return F.conv1d(shares, values, network.values.bias).transpose(1, 2)


def multiplied(network: Units, tokens: Tensor) -> Tensor:
    network.weights = (tokens @ network.keys.weight.T).softmax(dim=-1)
    return network.weights @ network.values.weight.T


def summed_up(network: Units, tokens: Tensor) -> Tensor:
    """The units are sums over the picture themselves (Chen et al. 2018, double attention)."""
    units = network.keys(tokens).softmax(dim=1).transpose(1, 2) @ tokens
    network.weights = (tokens @ units.mT).softmax(dim=-1)
    return network.weights @ units


@pytest.mark.parametrize(
    "way", [external, convolved, multiplied, summed_up], ids=lambda way: way.__name__
)
def test_shares_of_units_that_are_nowhere(
    way: Callable[[Units, Tensor], Tensor], tmp_path: Path
) -> None:
    network = Units(way)
    seen = vizattn.capture(network, image(32, 24))
    *gathered, captured = seen.sites
    assert isinstance(captured, FeatureMaps)
    assert (captured.kind, captured.claim) == (Kind.ASSIGNMENT, Claim.SIMPLEX)
    assert (captured.shape, captured.maps.name) == ((7, 8, 6), "slot")
    wanted = network.weights[0].detach().T.reshape(7, 8, 6)
    np.testing.assert_allclose(captured.maps.values, wanted, atol=1e-6)
    assert [site.shape for site in gathered] == ([(7, 1, 48)] if way is summed_up else [])
    assert all(site.passed for site in seen.sites)
    goes_everywhere(seen, tmp_path)


def simple(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return q.sigmoid() * (k.softmax(dim=1) * v).sum(dim=1, keepdim=True)


def full(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    bias = torch.linspace(-1, 1, 16 * 16).sin().view(16, 16).exp()
    return q.sigmoid() * (bias @ (k.exp() * v)) / (bias @ k.exp())


@pytest.mark.parametrize("way", [simple, full], ids=lambda way: way.__name__)
def test_attention_free_transformers(way: Callable[..., Tensor], tmp_path: Path) -> None:
    """Zhai et al. 2021, eq. 3 and 2: what was summed over places is gated at each place."""
    kept = []

    def attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = (each.transpose(1, 2).flatten(2) for each in (q, k, v))
        kept.append(q.sigmoid())
        return way(q, k, v).unflatten(2, (HEADS, -1)).transpose(1, 2), q

    seen = vizattn.capture(Tokens(attend), image())
    gate = seen.sites[-1]
    assert isinstance(gate, FeatureMaps)
    assert (gate.kind, gate.claim) == (Kind.FEATURE_GATE, Claim.UNIT)
    np.testing.assert_allclose(gate.maps.values, kept[0][0].T.reshape(-1, 4, 4), atol=1e-6)
    assert all(site.passed for site in seen.sites)
    assert seen.missed() == []
    goes_everywhere(seen, tmp_path)


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
