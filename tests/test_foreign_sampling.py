"""Sampling: deformable convolutions, affine grids, flows, and attention to a few points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import DeformConv2d

import vizattn
from models.mechanism import Claim
from tests.foreign_networks import SIDE, dense, goes_everywhere, image, only
from vizattn.attention import PlaceAffinity, SpatialGate
from vizattn.features import FeatureMaps
from vizattn.foreign.looking import NothingFound


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Deformed(nn.Module):
    """A deformable convolution of a map of 8 x 6 cells, with or without weights of points."""

    def __init__(self, groups: int, masked: bool, stride: int = 1) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 4, 4, 4)
        self.where = nn.Conv2d(4, 18 * groups, 3, stride, padding=1)
        self.how = nn.Conv2d(4, 9 * groups, 3, stride, padding=1) if masked else None
        self.deform = DeformConv2d(4, 5, 3, stride, padding=1)
        self.found = torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        mask = None if self.how is None else self.how(x).sigmoid()
        self.found = self.deform(x, self.where(x), mask)
        self.map = x
        return self.found.mean((2, 3))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
def test_deformable_convolution(groups: int, masked: bool, stride: int, tmp_path: Path) -> None:
    network = Deformed(groups, masked, stride)
    seen = vizattn.capture(network, image(32, 24))
    captured = only(seen, PlaceAffinity)
    assert captured.formula.startswith("Σ")
    assert captured.claim is Claim.POSITIVE
    queries = (8 // stride) * (6 // stride)
    assert captured.shape == (groups, queries, 48)
    assert captured.query_grid.cell == (4 * stride, 4 * stride)
    if not masked:
        # Points inside the map share out a weight of 1 each: 9 of them at most.
        totals = dense(captured).sum(axis=2)
        assert totals.max() == pytest.approx(9, abs=1e-4)
    goes_everywhere(seen, tmp_path)


def test_points_are_those_of_the_kernel() -> None:
    """A convolution of ones sums over what the rows say: the same numbers."""
    network = Deformed(1, masked=True)
    nn.init.ones_(network.deform.weight)
    nn.init.zeros_(network.deform.bias)
    captured = only(vizattn.capture(network, image(32, 24)), PlaceAffinity)
    values = network.map.detach()[0].sum(0).flatten().numpy()
    found = dense(captured)[0] @ values
    np.testing.assert_allclose(found, network.found.detach()[0, 0].flatten(), atol=1e-4)


class Transformed(nn.Module):
    """A spatial transformer, a layer after it and a gate there."""

    def __init__(self, theta: Callable[[Tensor], list[Tensor]], beyond: str, corners: bool) -> None:
        super().__init__()
        self.theta, self.beyond, self.corners = theta, beyond, corners
        self.after = nn.Conv2d(3, 4, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        one = x.mean() * 0 + 1
        theta = torch.stack(self.theta(one)).view(1, 2, 3)
        grid = F.affine_grid(theta, [1, 3, 8, 10], align_corners=self.corners)
        x = F.grid_sample(x, grid, padding_mode=self.beyond, align_corners=self.corners)
        self.found = x
        x = self.after(x)
        return x * x.mean(dim=1, keepdim=True).sigmoid()


def turned(one: Tensor) -> list[Tensor]:
    return [1.3 * one.cos(), -one.sin(), one * 0.1, one.sin(), one.cos(), one * 0]


def cropped(one: Tensor) -> list[Tensor]:
    return [one / 2, one * 0, one / 2, one * 0, one / 2, -one / 4]


@pytest.mark.parametrize("beyond", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("corners", [False, True])
def test_affine_grids(beyond: str, corners: bool) -> None:
    network = Transformed(turned, beyond, corners)
    x = image()
    seen = vizattn.capture(network, x)
    captured = only(seen, PlaceAffinity)
    assert (captured.query_grid.rows, captured.query_grid.columns) == (8, 10)
    assert captured.rows.keys == SIDE * SIDE
    found = dense(captured)[0] @ x[0].flatten(1).T.numpy()
    np.testing.assert_allclose(found, network.found.detach()[0].flatten(1).T, atol=1e-5)
    assert "laid over the whole picture" in seen.evidence()[captured.site]
    # A turned map lies on no grid of the picture: what comes after it is said to be missed.
    (missed,) = seen.missed()
    assert "sigmoid" in missed


def test_what_comes_after_a_crop_lies_in_it(tmp_path: Path) -> None:
    seen = vizattn.capture(Transformed(cropped, "zeros", corners=False), image())
    sampled, gate = seen.sites
    assert isinstance(sampled, PlaceAffinity)
    assert isinstance(gate, SpatialGate)
    # The crop is 16 x 16 pixels from (16, 4) on; 4 x 5 cells share it.
    assert gate.grid.origin == pytest.approx((16, 4), abs=1e-3)
    assert gate.grid.cell == pytest.approx((16 / 5, 16 / 4), abs=1e-3)
    assert all(site.passed for site in seen.sites)
    goes_everywhere(seen, tmp_path)


class Flowing(nn.Module):
    """A map moved by a flow that is computed from it, group by group."""

    def __init__(self, groups: int, mode: str = "bilinear") -> None:
        super().__init__()
        self.embed, self.flow = nn.Conv2d(3, 4, 4, 4), nn.Conv2d(4, 2 * groups, 1)
        self.after = nn.Conv2d(4, 4, 3, padding=1)
        self.groups, self.mode = groups, mode

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        rows, columns = x.shape[2:]
        base = F.affine_grid(torch.eye(2, 3)[None], [1, 1, rows, columns], align_corners=False)
        flow = self.flow(x).view(self.groups, 2, rows, columns).permute(0, 2, 3, 1)
        parts = x.view(self.groups, -1, rows, columns)
        moved = F.grid_sample(parts, base + flow, self.mode, align_corners=False)
        self.found = moved
        self.map = parts
        x = self.after(moved.reshape(1, -1, rows, columns))
        return x * x.mean(dim=1, keepdim=True).sigmoid()


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_flows(groups: int, mode: str) -> None:
    network = Flowing(groups, mode)
    seen = vizattn.capture(network, image(32, 24))
    moved, gate = seen.sites
    assert isinstance(moved, PlaceAffinity)
    assert isinstance(gate, SpatialGate)
    assert moved.shape == (groups, 48, 48)
    assert moved.query_grid == moved.key_grid == gate.grid
    values = network.map.detach().flatten(2).transpose(1, 2).numpy()
    found = (dense(moved) @ values).transpose(0, 2, 1)
    np.testing.assert_allclose(found, network.found.detach().flatten(2), atol=1e-5)
    assert all(site.passed for site in seen.sites)
    assert seen.missed() == []


class Pointing(nn.Module):
    """Deformable attention (Zhu et al. 2021, eq. 2): tokens look at 3 points in each of 2 heads."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 8, 8)
        self.offsets, self.weights = nn.Linear(8, 2 * 3 * 2), nn.Linear(8, 2 * 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        rows, columns = x.shape[2:]
        tokens = x.flatten(2).transpose(1, 2)
        y, x_ = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        centre = (torch.stack([x_, y], dim=-1).flatten(0, 1) + 0.5) / torch.tensor([columns, rows])
        where = centre[:, None, None] + 0.2 * self.offsets(tokens).view(-1, 2, 3, 2)
        grids = 2 * where.transpose(0, 1) - 1
        self.values = tokens.view(-1, 2, 4).permute(1, 2, 0).reshape(2, 4, rows, columns)
        found = F.grid_sample(self.values, grids, align_corners=False)
        weights = self.weights(tokens).view(-1, 2, 3).softmax(-1).transpose(0, 1)[:, None]
        self.shares = weights
        self.out = (found * weights).sum(-1)
        return self.out.mean(dim=2).flatten()[None]


def test_attention_to_a_few_points(tmp_path: Path) -> None:
    network = Pointing()
    seen = vizattn.capture(network, image(32, 24))
    points, shares = seen.sites
    assert isinstance(points, PlaceAffinity)
    assert points.shape == (2, 12, 12)
    assert (points.query_grid.rows, points.query_grid.columns) == (4, 3)
    assert isinstance(shares, FeatureMaps)
    wanted = network.shares.detach()[:, 0].transpose(1, 2).reshape(6, 4, 3)
    np.testing.assert_allclose(
        shares.maps.values.reshape(2, -1, 3, 4, 3)[:, 0], wanted.view(2, 3, 4, 3)
    )
    assert all(site.passed for site in seen.sites)
    goes_everywhere(seen, tmp_path)


def in_cubes(x: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(x, grid, "bicubic", align_corners=False)


def in_a_volume(x: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(x[:, :, None], F.pad(grid, (0, 1))[:, None], align_corners=False)


@pytest.mark.parametrize(("sample", "said"), [(in_cubes, "bicubic"), (in_a_volume, "volume")])
def test_other_samplings_are_named(sample: Any, said: str) -> None:
    class Sampling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            flow = x[:, :2].permute(0, 2, 3, 1).tanh()
            found: Tensor = sample(x, flow)
            return found

    with pytest.raises(NothingFound, match=said):
        vizattn.capture(Sampling(), image())


def test_wrong_points_have_a_red_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    from vizattn.foreign import sampling

    exact = sampling.grid_points
    monkeypatch.setattr(sampling, "grid_points", lambda *given: exact(*given) + 0.3)
    sampled = vizattn.capture(Flowing(1), image()).sites[0]
    assert [check.name for check in sampled.checks if not check.passed] == ["output"]
