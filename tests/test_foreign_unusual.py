"""Networks of ten lines whose attention is of kinds that no list has, captured and checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
from vizattn.attention import ChannelGate, PlaceAffinity
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
