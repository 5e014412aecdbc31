"""Networks of ten lines whose attention is of kinds that no list has, captured and checked."""

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
from vizattn.features import Table


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def cosine(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
    weights = (torch.einsum("bhid,bhjd->bhij", q, k) / torch.tensor(0.07)).softmax(-1)
    return torch.einsum("bhij,bhjd->bhid", weights, v), weights


def masked_by_addition(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    mask = torch.full((q.shape[2], k.shape[2]), -1e9).triu(1)
    logits = torch.einsum("...i d, ...j d -> ...i j", q, k) + mask
    weights = logits.softmax(dim=-1)
    return torch.einsum("b h i j, b h j d -> b i h d", weights, v).transpose(1, 2), weights


def distances(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = (-(torch.cdist(q, k) ** 2)).softmax(-1)
    return weights @ v, weights


def of_the_three_best(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    logits = q @ k.transpose(-2, -1)
    least = logits.topk(3, dim=-1).values[..., -1:]
    weights = logits.masked_fill(logits < least, float("-inf")).softmax(-1)
    return weights @ v, weights


def mixed_by_convolution(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = nn.Conv2d(HEADS, HEADS, 1)(softmax_rows(q, k))
    return weights @ v, weights


def mixed_by_a_layer(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    layer = nn.Linear(HEADS, HEADS, bias=False)
    nn.init.uniform_(layer.weight)
    weights = layer(softmax_rows(q, k).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return weights @ v, weights


def differential(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = softmax_rows(q, k) - 1.5 * softmax_rows(k, q)
    return weights @ v, weights


def divided_linear(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    q, k = F.relu(q), F.relu(k)
    return q @ (k.transpose(-2, -1) @ v), q @ k.transpose(-2, -1)


ROWS: dict[Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]], Claim] = {
    cosine: Claim.SIMPLEX,
    masked_by_addition: Claim.SIMPLEX,
    distances: Claim.SIMPLEX,
    of_the_three_best: Claim.SIMPLEX,
    mixed_by_convolution: Claim.SIGNED,
    mixed_by_a_layer: Claim.POSITIVE,
    differential: Claim.SIGNED,
    divided_linear: Claim.POSITIVE,
}


@pytest.mark.parametrize("attend", ROWS, ids=lambda attend: attend.__name__)
def test_rows(
    attend: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]], tmp_path: Path
) -> None:
    network = Tokens(attend, extra=1)
    seen = vizattn.capture(network, image())
    captured = only(seen, PlaceAffinity)
    same_rows(captured, network.weights[0])
    assert captured.claim is ROWS[attend]
    assert (captured.shape, len(captured.extra)) == ((HEADS, 17, 17), 1)
    goes_everywhere(seen, tmp_path)


def in_groups(x: Tensor) -> Tensor:
    """Return one hard sigmoid for each two channels."""
    gate = F.hardsigmoid(x.mean((2, 3)).view(1, 3, 2).mean(2))
    return gate.repeat_interleave(2, dim=1)[..., None, None]


def test_gates_of_groups_by_hard_sigmoid(tmp_path: Path) -> None:
    def multiplied(x: Tensor, gate: Tensor) -> Tensor:
        groups = x.view(1, 3, 2, *x.shape[2:]) * gate[:, ::2].unsqueeze(2)
        return groups.flatten(1, 2)

    network = Gated(in_groups, multiplied)
    seen = vizattn.capture(network, image(32, 24))
    captured = only(seen, ChannelGate)
    np.testing.assert_allclose(captured.values, network.weights[0, :, 0, 0], atol=1e-6)
    goes_everywhere(seen, tmp_path)


def test_gates_by_einsum() -> None:
    def multiplied(x: Tensor, gate: Tensor) -> Tensor:
        return torch.einsum("bchw,bc->bchw", x, gate[:, :, 0, 0])

    network = Gated(in_groups, multiplied)
    captured = only(vizattn.capture(network, image()), ChannelGate)
    np.testing.assert_allclose(captured.values, network.weights[0, :, 0, 0], atol=1e-6)


def test_branches_by_einsum() -> None:
    def summed(x: Tensor) -> Tensor:
        branches = torch.stack([x, x.flip(1)], dim=1)
        shares = (9 * branches.mean((3, 4))).softmax(dim=1)
        return torch.einsum("brchw,brc->bchw", branches, shares)

    captured = only(vizattn.capture(Gated(summed, lambda x, made: made), image()), Table)
    assert captured.claim is Claim.SIMPLEX
    assert captured.shape == (2, 6)


@pytest.mark.parametrize("lead", [(1, 1), (1,), ()])
def test_rows_and_columns_that_are_mixed_one_after_the_other(
    lead: tuple[int, ...], tmp_path: Path
) -> None:
    """Bilinear attentional transforms (Chi et al. 2020): P x Q, from means over the picture."""

    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.after = nn.Conv2d(3, 4, 4, 4), nn.Conv2d(4, 4, 1)
            self.down, self.across = nn.Linear(4, 64), nn.Linear(4, 36)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.embed(x))
            means = x.mean((2, 3))
            down = self.down(means).view(*lead, 8, 8).softmax(-1)
            across = self.across(means).view(*lead, 6, 6).softmax(-2)
            self.weights = down, across
            x = F.relu(self.after(down @ x @ across))
            return x * x.mean(dim=1, keepdim=True).sigmoid()

    network = Mixed()
    seen = vizattn.capture(network, image(32, 24))
    rows, columns, gate = seen.sites
    assert isinstance(rows, PlaceAffinity)
    assert isinstance(columns, PlaceAffinity)
    assert isinstance(gate, SpatialGate)
    assert [(each.key_grid.rows, each.key_grid.columns) for each in (rows, columns)] == [
        (8, 1),
        (1, 6),
    ]
    down, across = (each.view(1, *each.shape[-2:]) for each in network.weights)
    same_rows(rows, down)
    same_rows(columns, across.transpose(-2, -1))
    # Nothing says that mixed rows stay in their order: it is said to be assumed.
    assert "not followed" in seen.evidence()[rows.site]
    assert (gate.grid.rows, gate.grid.columns) == (8, 6)
    assert all(site.passed for site in seen.sites)
    goes_everywhere(seen, tmp_path)


def test_learned_queries_are_on_no_grid() -> None:
    """As many queries as would make a grid: they are parameters, and so are nowhere."""

    class Asking(Tokens):
        def __init__(self) -> None:
            super().__init__(lambda q, k, v: (softmax_rows(q, k) @ v, softmax_rows(q, k)))
            self.ask = nn.Parameter(torch.randn(1, 16, 16))

        def forward(self, x: Tensor) -> Tensor:
            tokens: Any = self.embed(x).flatten(2).transpose(1, 2)
            out, self.weights = self.attend(self.ask, tokens, tokens)
            self.attend(out, out, out)
            return out.mean(dim=1)

    seen = vizattn.capture(Asking(), image())
    captured = only(seen, PlaceAffinity)
    assert captured.shape == (16, 1, 16)
    assert len(captured.query_grid) == 1
    assert len(seen.missed()) == 1


def test_queries_that_hear_each_other_are_nowhere() -> None:
    """As in DETR's decoder (Carion et al. 2020), without what is added around attention."""

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Conv2d(3, 16, 8, 8)
            self.ask = nn.Parameter(torch.randn(1, 16, 16))
            self.layers = nn.ModuleList(
                nn.MultiheadAttention(16, 2, batch_first=True) for _ in range(3)
            )

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.embed(x).flatten(2).transpose(1, 2)
            cross, among, again = self.layers
            out, _ = cross(self.ask, tokens, tokens)
            out, _ = among(out, out, out, need_weights=False)
            out, _ = again(out, tokens, tokens)
            return out.mean(dim=1)

    seen = vizattn.capture(Decoder(), image())
    assert [(site.site, site.shape) for site in seen.sites] == [
        ("layers.0", (32, 1, 16)),
        ("layers.2", (32, 1, 16)),
    ]
    assert all(site.passed for site in seen.sites)
    assert ["layers.1" in each for each in seen.missed()] == [True]


def test_weights_that_windows_share() -> None:
    """One table of weights for all windows: every window hears its own places."""

    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.table = nn.Conv2d(3, 4, 4, 4), nn.Linear(4, 16)

        def forward(self, x: Tensor) -> Tensor:
            x = self.embed(x)
            self.weights = self.table(x.mean((2, 3))).view(1, 4, 4).softmax(-1)
            windows = F.unfold(x, 2, stride=2).view(1, 4, 4, 16).permute(0, 3, 2, 1).flatten(0, 1)
            return (self.weights @ windows).mean(dim=(0, 1))

    network = Shared()
    captured = only(vizattn.capture(network, image()), PlaceAffinity)
    assert (captured.shape, captured.key_grid.rows) == ((1, 64, 64), 8)
    weights = network.weights[0].detach()
    rows = captured.rows.some([0, 9])[0].reshape(2, 8, 8)
    np.testing.assert_allclose(rows[0, :2, :2], weights[0].view(2, 2), atol=1e-6)
    np.testing.assert_allclose(rows[1, :2, :2], weights[3].view(2, 2), atol=1e-6)
    assert np.count_nonzero(rows) == 8


def test_queries_that_are_the_largest_of_four(tmp_path: Path) -> None:
    """Pooled by an axis of its own (Ryali et al. 2023): each lies in the middle of its four."""

    class Pooled(Tokens):
        def forward(self, x: Tensor) -> Tensor:
            cells = self.embed(x).unflatten(3, (4, 2)).unflatten(2, (4, 2))
            few = cells.max(dim=5).values.amax(dim=3).flatten(2).transpose(1, 2)
            tokens: Any = cells.flatten(4).flatten(2, 3).flatten(2).transpose(1, 2)
            self.weights = softmax_rows(few, tokens)
            return (self.weights @ tokens).mean(dim=1)

    network = Pooled(cosine, patch=4)
    seen = vizattn.capture(network, image())
    captured = only(seen, PlaceAffinity)
    assert (captured.query_grid.rows, captured.query_grid.cell) == (4, (8.0, 8.0))
    same_rows(captured, network.weights)
    assert "followed from a map of 8 × 8" in seen.evidence()[captured.site]
    goes_everywhere(seen, tmp_path)
