"""Gates of branches, in the ways in which networks write their sums."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from timm.layers.selective_kernel import SelectiveKernel
from timm.layers.split_attn import SplitAttn
from torch import Tensor, nn
from torch.nn import functional as F

import vizattn
from models.mechanism import Claim, Kind
from tests.foreign_networks import Gated, goes_everywhere, image, only
from vizattn.attention import ChannelGate, SpatialGate
from vizattn.features import FeatureMaps, Table


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def several(x: Tensor, count: int = 3) -> tuple[Tensor, Tensor]:
    """Return branches (1, branch, 6, row, column) and what their shares are made from."""
    branches = torch.stack([x.roll(number, dims=1) * (number + 1) for number in range(count)], 1)
    told = branches.amax(dim=(3, 4)) * torch.linspace(-1, 1, count)[:, None]
    return branches, told


def summed(x: Tensor) -> tuple[Tensor, Tensor]:
    branches, told = several(x)
    shares = told.softmax(dim=1)
    return (branches * shares[..., None, None]).sum(dim=1), shares


def kept_axis(x: Tensor) -> tuple[Tensor, Tensor]:
    branches, told = several(x)
    shares = told.softmax(dim=1)
    return torch.sum(shares[..., None, None] * branches, 1, keepdim=True).squeeze(1), shares


def pythons(x: Tensor) -> tuple[Tensor, Tensor]:
    branches, told = several(x)
    shares = told.softmax(dim=1)
    parts = shares.view(1, -1, 1, 1).split(6, dim=1)
    pairs = zip(parts, branches.unbind(1), strict=True)
    return sum(share * branch for share, branch in pairs), shares


def written_into(x: Tensor) -> tuple[Tensor, Tensor]:
    branches, told = several(x)
    shares = told.softmax(dim=1)
    out = branches[:, 0] * shares[:, 0, :, None, None]
    for number in (1, 2):
        out += branches[:, number] * shares[:, number, :, None, None]
    return out, shares


def stacked(x: Tensor) -> tuple[Tensor, Tensor]:
    branches, told = several(x)
    shares = told.softmax(dim=1)
    pairs = zip(branches.unbind(1), shares.unbind(1), strict=True)
    return torch.stack([branch * share[..., None, None] for branch, share in pairs]).sum(0), shares


def what_is_left(x: Tensor) -> tuple[Tensor, Tensor]:
    gate = x.mean(dim=(2, 3)).sigmoid()
    wide = gate[..., None, None]
    return wide * x + (1 - wide) * x.flip(2), torch.stack([gate, 1 - gate], dim=1)


def unshared(x: Tensor) -> tuple[Tensor, Tensor]:
    branches, told = several(x)
    shares = told.sigmoid()
    return (branches * shares[..., None, None]).sum(dim=1), shares


WAYS: dict[Callable[[Tensor], tuple[Tensor, Tensor]], Claim] = {
    summed: Claim.SIMPLEX,
    kept_axis: Claim.SIMPLEX,
    pythons: Claim.SIMPLEX,
    written_into: Claim.SIMPLEX,
    stacked: Claim.SIMPLEX,
    what_is_left: Claim.SIMPLEX,
    unshared: Claim.UNIT,
}


class Branched(nn.Module):
    """A map made of branches, and a convolution after it; the shares stay behind."""

    def __init__(self, way: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.way, self.after = way, nn.Conv2d(6, 5, 3, 2)
        self.embed = nn.Conv2d(3, 6, 4, 4)
        self.shares = self.made = torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        made, self.shares = self.way(F.relu(self.embed(x)))
        self.made = made.clone()
        made = F.relu(self.after(made))
        return (made * made.mean(dim=1, keepdim=True).sigmoid()).mean(dim=(2, 3))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_shares_of_branches(way: Callable[[Tensor], tuple[Tensor, Tensor]], tmp_path: Path) -> None:
    network = Branched(way)
    seen = vizattn.capture(network, image(32, 24))
    branches, after = seen.sites
    assert isinstance(branches, Table)
    assert (branches.kind, branches.claim) == (Kind.BRANCH_GATE, WAYS[way])
    np.testing.assert_allclose(branches.values, network.shares[0].detach(), atol=1e-6)
    assert branches.column_maps is not None
    np.testing.assert_allclose(branches.column_maps.values, network.made[0].detach(), atol=1e-6)
    # What comes after a sum of branches is still a map of the picture.
    assert isinstance(after, SpatialGate)
    assert (after.grid.rows, after.grid.columns) == (3, 2)
    assert all(site.passed for site in seen.sites)
    assert seen.missed() == []
    goes_everywhere(seen, tmp_path)


def test_wrong_shares_have_a_red_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    from vizattn.foreign import branches

    halved = lambda event, of=branches._branch: (of(event)[0] / 2, of(event)[1])  # noqa: E731
    monkeypatch.setattr(branches, "_branch", halved)
    found = vizattn.capture(Branched(pythons), image()).sites[0]
    assert [check.name for check in found.checks if not check.passed] == ["output"]


def pooled_by_weights(x: Tensor) -> Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    weights = tokens.mean(dim=2, keepdim=True).softmax(dim=1)
    return (tokens * weights).sum(dim=1)[..., None, None].expand_as(x)


def squeezed_away(x: Tensor) -> Tensor:
    return (x * x.mean(dim=(2, 3), keepdim=True).sigmoid()).sum(dim=1, keepdim=True)


def twice(x: Tensor) -> Tensor:
    gate = x.mean(dim=(2, 3), keepdim=True).sigmoid()
    return x * gate + x.flip(3) * gate


def blended(x: Tensor) -> Tensor:
    gate = x.mean(dim=1, keepdim=True).sigmoid()
    return x * gate + x.flip(3) * (1 - gate)


OTHERS: dict[Callable[[Tensor], Tensor], tuple[type, ...]] = {
    pooled_by_weights: (FeatureMaps, SpatialGate),
    squeezed_away: (ChannelGate,),
    twice: (ChannelGate,),
    blended: (SpatialGate,),
}


@pytest.mark.parametrize("way", OTHERS, ids=lambda way: way.__name__)
def test_other_sums_are_no_branches(way: Callable[[Tensor], Tensor]) -> None:
    seen = vizattn.capture(Gated(way, lambda x, made: made), image())
    assert seen.sites
    assert all(isinstance(site, OTHERS[way]) for site in seen.sites)
    assert all(site.passed for site in seen.sites)


@pytest.mark.parametrize("radix", [1, 2, 4])
def test_split_attention(radix: int) -> None:
    block = SplitAttn(16, 16, groups=2, radix=radix, norm_layer=nn.BatchNorm2d)
    seen = vizattn.capture(nn.Sequential(nn.Conv2d(3, 16, 4, 4), block), image())
    # Where there is nothing to share, it is a sigmoid gate of channels.
    captured = only(seen, ChannelGate if radix == 1 else Table)
    assert captured.claim is (Claim.UNIT if radix == 1 else Claim.SIMPLEX)
    assert captured.shape == ((16,) if radix == 1 else (radix, 16))
    made = captured.activation if radix == 1 else captured.column_maps
    gate = captured.values[:, None, None] if radix == 1 else 1
    np.testing.assert_allclose(made.values * gate, seen.output[0], atol=1e-5)


def test_selective_kernels() -> None:
    seen = vizattn.capture(SelectiveKernel(3, 8, split_input=False), image())
    captured = only(seen, Table)
    assert captured.shape == (2, 8)
    np.testing.assert_allclose(captured.values.sum(axis=0), 1, atol=1e-6)
