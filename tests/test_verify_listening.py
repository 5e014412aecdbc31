"""``verify`` on files of windows, masks, regions, patterns, nodes and tokens, made by numpy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from models.affinities.rollout import RolloutAffinity
from models.mechanism import blocks_of
from models.mechanisms import beyond_grids, hamnet, ocrnet, sgr
from models.mechanisms.vit import VisionTransformer
from models.reference import replay
from tests import originals_listening as listening
from tests import originals_regions as regions
from tests.originals import Original
from tests.replays import check_all_compared, check_refused
from tests.test_mechanisms import attention_of, built, given

ODD, TALL, WIDE = (7, 5), (6, 3), (4, 9)

FILES: dict[str, Callable[[], Original]] = {
    "lrnet": partial(listening.lrnet, 1, ODD, 12, 5, 3, False),
    "lrnet by row": partial(listening.lrnet, 2, TALL, 8, 3, 2, True),
    "san pairwise": partial(listening.san, 3, ODD, 0, 6, 3, 8, 4),
    "san pairwise far": partial(listening.san, 34, ODD, 0, 5, 4, 6, 2, 3, 2),
    "san patchwise": partial(listening.san, 5, WIDE, 1, 6, 2, 8, 2, 5),
    "sasa": partial(listening.sasa, 6, ODD, 5, 8, 5, True),
    "sasa no bias": partial(listening.sasa, 7, WIDE, 6, 4, 3, False),
    "sasa channels": partial(listening.sasa_channels, 8, TALL, 5, 6, 3),
    "carafe 3": partial(listening.carafe, 9, TALL, 6, 3, 3, 2, 4),
    "carafe one channel a group": partial(listening.carafe, 10, (3, 4), 4, 2, 5, 4, 3),
    "psanet": partial(listening.psanet, 11, ODD, 6, 4, 2, (13, 9)),
    "psanet small": partial(listening.psanet, 12, WIDE, 5, 3, 1, (3, 5)),
    "psanet plain": partial(listening.psanet, 13, TALL, 5, 3, 2, (5, 3), False, None),
    "psanet compact": partial(listening.psanet, 14, TALL, 5, 3, 2, TALL, True, 2.0, True),
    "psanet compact plain": partial(listening.psanet, 15, TALL, 4, 2, 0, TALL, False, 1.0, True),
    "dgmn none": partial(listening.dgmn_still, 16, ODD, 6, 3, [1, 2, 3, 1]),
    "dgmn": partial(listening.dgmn_walking, 17, (4, 5), 4, 2, [1, 2, 1, 3]),
    "beyond grids": partial(listening.graph_unit, 18, ODD, 6, 3, 5),
    "hamnet nmf": partial(regions.hamburger, 19, ODD, 6, "NMF", 8, 3, 2),
    "hamnet nmf 2": partial(regions.hamburger, 20, ODD, 6, "NMF", 5, 3, 1, 2, 2),
    "hamnet vq": partial(regions.hamburger, 21, WIDE, 5, "VQ", 8, 4, 2, 4),
    "hamnet cd": partial(regions.hamburger, 22, ODD, 5, "CD", 6, 3, beta=0.3),
    "hamnet vq of channels": partial(regions.hamburger, 23, TALL, 5, "VQ", 12, 3, 2, spatial=False),
    "ocrnet": partial(regions.ocr, 24, ODD, 6, 4, 7, 3, False),
    "ocrnet bias": partial(regions.ocr, 25, TALL, 5, 3, 4, 6, True),
    "ocnet base": partial(regions.base_oc, 26, ODD, 6, 5, 4, 3),
    "ocnet pyramid": partial(regions.pyramid_oc, 27, ODD, 6, 4, [1, 3, 5]),
    "ocnet pyramid of one": partial(regions.pyramid_oc, 28, WIDE, 4, 6, [2]),
    "sgr": partial(regions.symbolic, 29, ODD, 6, 5, 4, 3),
    "vit": partial(regions.vit, 30, (6, 9), 3, 12, 2, 3, True, False),
    "vit gap": partial(regions.vit, 31, (8, 4), 2, 8, 4, 2, False, True),
    "vit mean beside a token": partial(regions.vit, 32, (4, 4), 2, 8, 1, 4, True, True),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_sizes_and_arguments_pass(name: str, tmp_path: Path) -> None:
    path = FILES[name]().write(tmp_path)
    check_all_compared(path)


@pytest.mark.parametrize("name", FILES)
def test_files_with_another_parameter_fail(name: str, tmp_path: Path) -> None:
    file = FILES[name]()
    changed = next(key for key in file.tensors if key.startswith("param.") and "norm" not in key)
    file.tensors[changed] = file.tensors[changed] * 1.5 + 0.1
    assert not replay(file.write(tmp_path)).passed


REFUSED: dict[str, tuple[str, dict[str, object]]] = {
    "lrnet stride": ("lrnet", {"channels": 12, "k": 5, "stride": 2, "padding": 2, "m": 3}),
    "san type": (
        "san pairwise",
        {"sa_type": 2, "in_planes": 6, "rel_planes": 3, "out_planes": 8, "share_planes": 4},
    ),
    "sasa even": (
        "sasa no bias",
        {"in_channels": 6, "out_channels": 4, "kernel_size": 4, "padding": 2},
    ),
    "psanet type": ("psanet", {"in_channels": 6, "mid_channels": 4, "psa_type": 3}),
    "dgmn deform": ("dgmn none", {"channels": 6, "group": 3, "deform": "deform"}),
    "hamnet way": ("hamnet vq", {"in_c": 5, "HAM_TYPE": "NMF", "MD_S": 2, "MD_R": 4}),
    "ocrnet scale": (
        "ocrnet",
        {"cls_num": 3, "in_channels": 6, "key_channels": 4, "out_channels": 7, "scale": 2},
    ),
    "vit pool": ("vit", {"img_size": [6, 9], "patch_size": 3, "global_pool": "map"}),
    "vit patch": ("vit", {"img_size": [6, 9], "patch_size": 4}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_that_nobody_can_build_are_refused(name: str, tmp_path: Path) -> None:
    like, kwargs = REFUSED[name]
    file = FILES[like]()
    file.kwargs = kwargs
    check_refused(file, tmp_path)


@pytest.mark.parametrize("variant", ["vq", "cd"])
@pytest.mark.parametrize("size", [(6, 9), (13, 8)])
def test_the_implied_rows_of_hamburger_rebuild_the_places(
    variant: str, size: tuple[int, int]
) -> None:
    module = built("hamnet", variant)
    assert isinstance(module, hamnet.Hamburger)
    (firing,) = attention_of(module, given("hamnet", variant, size))
    low, _, before = firing.inputs
    matrix = low.flatten(2).unflatten(1, (module.heads, -1))
    rows = hamnet.implied_rows(module.way, firing.attention, before, matrix)
    rebuilt = rows.by_rows().aggregate(matrix.transpose(2, 3)).transpose(2, 3)
    expected = firing.returned.flatten(2).unflatten(1, (module.heads, -1))
    torch.testing.assert_close(rebuilt, expected, atol=1e-4, rtol=1e-4)


def test_parts_that_only_grow_and_shrink_have_no_rows() -> None:
    module = built("hamnet", "nmf")
    assert isinstance(module, hamnet.Hamburger)
    (firing,) = attention_of(module, given("hamnet", "nmf", (6, 9)))
    matrix = firing.inputs[0].flatten(2).unsqueeze(1)
    with pytest.raises(ValueError, match="expected bases that are sums"):
        hamnet.implied_rows(module.way, firing.attention, firing.inputs[2], matrix)


@pytest.mark.parametrize("size", [(6, 9), (13, 8)])
def test_the_implied_rows_of_regions_gather_what_regions_hold(size: tuple[int, int]) -> None:
    gather, relate = attention_of(built("ocrnet", ""), given("ocrnet", "", size))
    rows = ocrnet.implied_rows(gather.attention, relate.attention)
    x = gather.inputs[0].flatten(2).transpose(1, 2).unsqueeze(1)
    expected = relate.attention @ gather.returned.transpose(1, 2)
    torch.testing.assert_close(rows.by_rows().aggregate(x)[:, 0], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rows.dense().sum(3), torch.ones(rows.shape[:3]))


@pytest.mark.parametrize("size", [(6, 9), (13, 8)])
def test_the_implied_rows_of_graphs_go_through_nodes(size: tuple[int, int]) -> None:
    (firing,) = attention_of(built("beyond_grids", ""), given("beyond_grids", "", size))
    graph = torch.eye(firing.attention.shape[2]).expand(2, -1, -1)
    rows = beyond_grids.implied_rows(firing.attention, graph).dense()[:, 0]
    torch.testing.assert_close(rows.sum(2), torch.ones(rows.shape[:2]))
    (vote,) = attention_of(built("sgr", ""), given("sgr", "", size))
    even = sgr.implied_rows(vote.attention, torch.eye(vote.attention.shape[2])).dense()
    places = size[0] * size[1]
    torch.testing.assert_close(
        even, torch.full((2, 1, places, places), 1 / vote.attention.shape[2])
    )


def test_the_rollout_is_the_product_of_all_layers() -> None:
    module = built("vit", "")
    assert isinstance(module, VisionTransformer)
    firings = attention_of(module, given("vit", "", (6, 9)))
    assert len(firings) == len(blocks_of(module)) == 2
    layers = [each.attention for each in firings]
    expected = torch.eye(55).double()
    for affinity in layers:
        expected = (affinity.dense().double().mean(1) + torch.eye(55)) / 2 @ expected
    some = torch.tensor([0, 54, 7])
    torch.testing.assert_close(
        RolloutAffinity(tuple(layers)).rows(some)[:, 0].double(),
        expected[:, some],
        atol=1e-5,
        rtol=1e-4,
    )


def test_positions_are_resized_to_another_grid() -> None:
    torch.manual_seed(0)
    network = VisionTransformer((8, 8), 2, 3, 4, 8, 1, 2, 12).eval()
    scores, features = network(torch.randn(2, 3, 6, 12))
    assert scores.shape == (2, 4)
    assert features.shape == (2, 1 + 18, 8)
    with pytest.raises(ValueError, match="multiple of 2"):
        network(torch.randn(1, 3, 7, 8))


@pytest.mark.parametrize("variant", ["nmf", "vq", "cd"])
def test_the_steps_of_hamburger_lead_to_its_bases(variant: str) -> None:
    module = built("hamnet", variant)
    assert isinstance(module, hamnet.Hamburger)
    passed: list[torch.Tensor] = []
    handles = [
        step.responsibilities.register_forward_hook(lambda _, __, value: passed.append(value))
        for step in module.rebuild.steps
    ]
    (firing,) = attention_of(module, given("hamnet", variant, (6, 9)))
    for handle in handles:
        handle.remove()
    x, bases, last = firing.inputs
    matrix = x.flatten(2).unflatten(1, (module.heads, -1))
    assert len(passed) == len(module.rebuild.steps) == 3
    assert not torch.allclose(passed[0], passed[-1], atol=1e-3), "a step changes something"
    if module.way.linear:
        assert all(torch.allclose(each.sum(dim=-1), torch.ones(())) for each in passed)
        found = matrix @ (passed[-1] / (1e-6 + passed[-1].sum(dim=-2, keepdim=True)))
        lengths = found.norm(dim=-2, keepdim=True)
        found = found / lengths if variant == "cd" else found
        torch.testing.assert_close(found.flatten(1, 2), bases, atol=1e-5, rtol=1e-4)
    else:
        assert (passed[-1] >= 0).all()
        torch.testing.assert_close(passed[-1], last)
