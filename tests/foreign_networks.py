"""Strangers' networks in a few lines each: every one leaves the weights that it used behind.

And what all of them are held to: passed checks, and being drawn, sent and written like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import vizattn
from vizattn.attention import PlaceAffinity
from vizattn.ui.payload import payload

SIDE = 32
DIM, HEADS = 16, 2

Attend = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""from q, k, v (batch, head, token, dim) to (the output, the weights that it comes of)"""


class Tokens(nn.Module):
    """Patches of 8 pixels as tokens, some tokens before them, and one attention."""

    def __init__(self, attend: Attend, extra: int = 0, patch: int = 8) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, DIM, patch, patch)
        self.more = nn.Parameter(torch.randn(1, extra, DIM))
        self.qkv = nn.Linear(DIM, 3 * DIM)
        self.head = nn.Linear(DIM, 5)
        self.attend = attend
        self.weights = torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.more.expand(len(x), -1, -1), tokens], dim=1)
        parts = self.qkv(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        out, self.weights = self.attend(*parts.unbind(0))
        tokens = tokens + out.transpose(1, 2).flatten(2)
        return self.head(tokens.mean(dim=1))


def softmax_rows(q: Tensor, k: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5 + bias).softmax(dim=-1)


def fused(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    return F.scaled_dot_product_attention(q, k, v), softmax_rows(q, k)


class Windows(nn.Module):
    """Attention inside shifted windows of a map, with a mask for what the shift joins (Swin)."""

    def __init__(self, window: int, shift: int, rows: int, columns: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, DIM, 4, 4)
        self.qkv = nn.Linear(DIM, 3 * DIM)
        self.window, self.shift = window, shift
        area = window * window
        self.bias = nn.Parameter(torch.randn(HEADS, area, area))
        zone = torch.arange(rows * columns).view(1, rows, columns, 1) * 0
        zone[:, rows - window : rows - shift] += 1
        zone[:, rows - shift :] += 2
        zone[:, :, columns - window : columns - shift] += 10
        zone[:, :, columns - shift :] += 20
        parts = self.cut(zone).squeeze(-1)
        apart = parts[:, None] != parts[:, :, None]
        self.register_buffer("mask", apart.float() * -100.0)
        self.weights = torch.zeros(0)

    def cut(self, x: Tensor) -> Tensor:
        batch, rows, columns, dim = x.shape
        w = self.window
        x = x.view(batch, rows // w, w, columns // w, w, dim).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(-1, w * w, dim)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).permute(0, 2, 3, 1)
        _, rows, columns, _ = x.shape
        moved = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        cut = self.cut(moved)
        q, k, v = self.qkv(cut).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        logits = q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1) + self.bias
        count = len(self.mask)
        logits = logits.view(-1, count, *logits.shape[1:]) + self.mask[None, :, None]
        weights = logits.flatten(0, 1).softmax(dim=-1)
        self.weights = weights
        out = (weights @ v).transpose(1, 2).flatten(2)
        w = self.window
        out = out.view(-1, rows // w, columns // w, w, w, DIM).permute(0, 1, 3, 2, 4, 5)
        out = torch.roll(out.reshape(1, rows, columns, DIM), (self.shift, self.shift), (1, 2))
        return (x + out).mean(dim=(1, 2))

    def placed(self, rows: int, columns: int) -> Tensor:
        """Return (head, place, place) from the windows' weights, place by place."""
        index = torch.arange(rows * columns).view(1, rows, columns, 1)
        places = self.cut(torch.roll(index, (-self.shift, -self.shift), (1, 2))).squeeze(-1)
        whole = torch.zeros(HEADS, rows * columns, rows * columns)
        for window, members in enumerate(places):
            for head in range(HEADS):
                whole[head][members[:, None], members] = self.weights[window, head]
        return whole


class Gated(nn.Module):
    """A map of 8 x 8 cells times what a function makes of it."""

    def __init__(self, gate: Callable[[Tensor], Tensor], multiply: Any = torch.mul) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 6, 4, 4)
        self.gate = gate
        self.multiply = multiply
        self.features = self.weights = torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.embed(x))
        self.features = x.clone()
        gate = self.gate(x)
        self.weights = gate.clone()
        return self.multiply(x, gate).mean(dim=(2, 3))


def image(rows: int = SIDE, columns: int = SIDE) -> Tensor:
    return torch.randn(1, 3, rows, columns)


def dense(captured: Any) -> np.ndarray:
    return captured.rows.some(range(captured.rows.queries))


def same_rows(captured: PlaceAffinity, weights: Tensor, tolerance: float = 1e-5) -> None:
    wanted = weights.detach().float().numpy()
    np.testing.assert_allclose(dense(captured), wanted, atol=tolerance)


def only(seen: vizattn.SeenStranger, kind: type) -> Any:
    assert len(seen.sites) == 1, seen
    assert "not_understood" not in {each.reason for each in seen.analysis.missed}
    (found,) = seen.sites
    assert isinstance(found, kind), found
    assert found.passed, found.checks
    assert {check.name for check in found.checks} == {"claim", "output", "geometry"}
    return found


def goes_everywhere(seen: vizattn.SeenStranger, folder: Path) -> None:
    """Send to the page, draw and write all that was captured, as is done with our own networks."""
    sent = payload(seen.analysis, {})["sites"]
    assert [each["path"] for each in sent] == [each.site for each in seen.sites]
    for captured in seen.sites:
        assert vizattn.view(seen.analysis, vizattn.Selection(captured.site))
        assert captured.site in seen.evidence()
    assert len(vizattn.overlays(seen.analysis, None, folder)) == len(seen.sites)
    written = vizattn.save_arrays(seen.analysis, None, folder / "attention.npz")
    with np.load(written) as arrays:
        for captured in seen.sites:
            assert any(name.startswith(f"{captured.site}/") for name in arrays)
    assert len(vizattn.summary(seen.analysis)["sites"]) == len(seen.sites)
