"""The networks that mechanisms plug into: any size, and cells that sit where they should."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import weights
from models.hosts.trunk import Trunk, conv_norm_relu, double, pad_to_aligned
from models.mechanism import Kind, blocks_of, mechanisms
from models.mechanisms.condconv import ExpertConvolution
from models.mechanisms.fca import MultiSpectralAttention
from models.mechanisms.rga import ChannelRelationGate, SpatialRelationGate
from tests.networks_for_tests import small_network
from vizattn.passes import run

SIZES = ((64, 64), (65, 97), (130, 70), (96, 128))
ONE_SIDED = {"apcnet", "carafe", "dgmn", "lrnet", "psanet", "san", "sasa"}
"""what has parameters for single offsets (windows, kernels, relative places), or regions of
unequal sizes, and so no mirror image"""
NETWORKS = [
    (task, slug)
    for task, host in weights.HOSTS.items()
    if task != "count"  # takes two pictures and has tests of its own
    for slug in (None, *(s for s, m in mechanisms().items() if host.plug in m.plugs))
]
on_every_network = pytest.mark.parametrize(("task", "mechanism"), NETWORKS)


def picture(size: tuple[int, int], batch: int = 1) -> Tensor:
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(0))


@on_every_network
@pytest.mark.parametrize("size", SIZES)
def test_any_size_from_64_pixels(task: str, mechanism: str | None, size: tuple[int, int]) -> None:
    network = small_network(task, mechanism).module
    output, firings = run(network, picture(size, batch=2))
    classes = len(weights.HOSTS[task].classes)
    assert output.shape == ((2, classes) if task == "classify" else (2, classes, *size))
    assert torch.isfinite(output).all()
    assert {firing.site.partition("#")[0] for firing in firings} == blocks_of(network).keys()
    for firing in firings:
        stride = firing.block.stride
        assert stride is not None, f"{firing.site} does not know its stride"
        for cells, pixels in zip(firing.given.shape[2:], size, strict=True):
            padded = -(-pixels // 8) * 8
            whole = -(-padded // stride)
            # Some blocks cut their map into parts of one size and fill up the last.
            assert whole <= cells < whole + 8, "cells cover the picture, the last partly outside"


@on_every_network
@pytest.mark.parametrize("shape", [(1, 3, 63, 64), (1, 3, 64, 10), (1, 1, 64, 64), (3, 64, 64)])
def test_smaller_or_other_inputs_are_refused(
    task: str, mechanism: str | None, shape: tuple[int, ...]
) -> None:
    network = small_network(task, mechanism).module
    with pytest.raises((ValueError, TypeError)) as refused:
        network(torch.zeros(shape))
    assert str(shape[-1]) in str(refused.value)


def test_integer_pictures_are_refused() -> None:
    network = small_network("classify", None).module
    with pytest.raises((ValueError, TypeError)):
        network(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("task", "mechanism"),
    [("detect", None), ("classify", "danet"), ("segment", "se"), ("segment", "x")],
)
def test_what_cannot_be_built_is_refused(task: str, mechanism: str | None) -> None:
    with pytest.raises(ValueError, match="expected a"):
        weights.build(task, mechanism)


# Where cells are.


def even(values: Tensor, axis: int) -> None:
    """Make values their own mirror image along an axis, in place."""
    values.copy_((values + values.flip(axis)) / 2)


@torch.no_grad()
def mirror(network: nn.Module, axis: int) -> nn.Module:
    """Make every kernel, and whatever else knows where things are, its own mirror image."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            even(module.weight, axis)
        if isinstance(module, ExpertConvolution):
            even(module.weight.view(-1, *module.shape), axis + 1)
        if isinstance(module, MultiSpectralAttention):
            # Cosines of odd frequencies turn over in a mirror; those of even ones stay.
            even(module.basis, axis - 1)
        if isinstance(module, SpatialRelationGate):
            even(module.relate.weight.view(-1, 2, *module.grid), axis)
        if isinstance(module, ChannelRelationGate):
            for embed in (module.theta, module.phi, module.appearance):
                even(embed[0].weight.view(-1, *module.grid), axis - 1)
    return network


@pytest.mark.parametrize(
    ("task", "mechanism"), [(task, slug) for task, slug in NETWORKS if slug not in ONE_SIDED]
)
@pytest.mark.parametrize("axis", [2, 3])
def test_a_mirrored_picture_has_mirrored_maps(task: str, mechanism: str | None, axis: int) -> None:
    """Half a cell of misalignment anywhere would show.

    The sides are multiples of four cells of the last stride: some gates are made for 4 x 4 cells.
    """
    network = mirror(small_network(task, mechanism).module, axis)
    x = picture((128, 256))
    output, firings = run(network, x)
    mirrored, others = run(network, x.flip(axis))
    if task == "segment":
        mirrored = mirrored.flip(axis)
    torch.testing.assert_close(mirrored, output, atol=1e-3, rtol=1e-3)
    for one, other in zip(firings, others, strict=True):
        torch.testing.assert_close(other.given.flip(axis), one.given, atol=1e-3, rtol=1e-3)
        if one.block.kind in (Kind.SPATIAL_GATE, Kind.FEATURE_GATE):
            torch.testing.assert_close(
                other.attention.flip(axis), one.attention, atol=1e-3, rtol=1e-3
            )


def test_a_shifted_picture_has_shifted_maps() -> None:
    torch.manual_seed(0)
    trunk = Trunk().eval()
    x = torch.zeros(1, 3, 320, 384)
    x[:, :, 128:160, 128:192] = torch.randn(1, 3, 32, 64)
    with torch.no_grad():
        before, after = trunk(x), trunk(x.roll((32, 64), (2, 3)))
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        stride = 4 * 2**index
        shifted = one.roll((32 // stride, 64 // stride), (2, 3))
        inner = slice(2, -2)
        torch.testing.assert_close(other[..., inner, inner], shifted[..., inner, inner])


@pytest.mark.parametrize("stage", range(4))
@pytest.mark.parametrize("place", [2, 3])
def test_the_response_to_a_cell_of_pixels_is_centred_on_it(stage: int, place: int) -> None:
    """With kernels of one sign and symmetric, the centre of mass stays where the light was."""
    torch.manual_seed(0)
    trunk = Trunk().eval()
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
    stride = 4 * 2**stage
    x = torch.zeros(1, 3, 512, 512)
    first = place * 32 * 2
    x[:, :, first : first + stride, first + stride : first + 2 * stride] = 1
    with torch.no_grad():
        response = trunk(x)[stage][0].sum(0)
        nothing = trunk(torch.zeros_like(x))[stage][0].sum(0)
    mass = (response - nothing).double()
    centres = (torch.arange(512 // stride).double() + 0.5) * stride
    row = (mass.sum(1) * centres).sum() / mass.sum()
    column = (mass.sum(0) * centres).sum() / mass.sum()
    assert row.item() == pytest.approx(first + stride / 2, abs=0.01)
    assert column.item() == pytest.approx(first + 1.5 * stride, abs=0.01)


def test_padding_repeats_the_edge_and_keeps_places() -> None:
    x = picture((65, 97))
    padded = pad_to_aligned(x)
    assert padded.shape[2:] == (72, 104)
    assert torch.equal(padded[:, :, :65, :97], x)
    assert torch.equal(padded[:, :, 71, :97], x[:, :, 64])
    aligned = picture((64, 96))
    assert pad_to_aligned(aligned) is aligned


def test_doubling_keeps_centres_and_crops() -> None:
    ramp = (torch.arange(6).float() + 0.5).view(1, 1, 1, 6).expand(1, 1, 5, 6)
    doubled = double(ramp, like=torch.zeros(1, 1, 9, 11))
    assert doubled.shape[2:] == (9, 11)
    expected = (torch.arange(11).float() + 0.5) / 2
    torch.testing.assert_close(doubled[0, 0, 4, 1:], expected[1:])


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (4, 2), (1, 1)])
def test_kernels_are_centred(kernel: int, stride: int) -> None:
    layers: Any = conv_norm_relu(1, 1, kernel, stride).eval()
    nn.init.ones_(layers[0].weight)
    x = torch.zeros(1, 1, 32, 32)
    x[..., 16 : 16 + stride, 16 : 16 + stride] = 1
    response = layers(x)[0, 0]
    assert torch.equal(response, response.T)
    centres = (torch.arange(32 // stride).float() + 0.5) * stride
    centre = (response.sum(0) * centres).sum() / response.sum()
    assert centre.item() == pytest.approx(16 + stride / 2)
