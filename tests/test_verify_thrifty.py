"""``verify`` on files of twelve mechanisms with other sizes and arguments, made by plain numpy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from models.mechanism import Claim
from models.mechanisms.cgnl import CompactNonLocal
from models.mechanisms.emanet import MOMENTUM, ExpectationMaximisationUnit
from models.reference import replay
from tests import originals_thrifty as originals
from tests.originals import Original
from tests.replays import check_all_compared, check_refused
from vizattn.__main__ import main

ODD, TALL, WIDE, ONE_ROW = (7, 5), (11, 3), (5, 9), (1, 7)
BOTH = ("channel_mul", "channel_add")

FILES: dict[str, Callable[[], Original]] = {
    "ccnet": partial(originals.criss_cross, 1, ODD, 8),
    "ccnet one row": partial(originals.criss_cross, 2, ONE_ROW, 16),
    "ccnet one column": partial(originals.criss_cross, 3, (6, 1), 9),
    "ccnet three passes": partial(originals.criss_cross, 4, WIDE, 16, 3),
    "emanet default": partial(originals.emau, 5, ODD, 6, 4),
    "emanet one step": partial(originals.emau, 6, TALL, 8, 3, 1),
    "emanet five steps": partial(originals.emau, 7, (3, 4), 5, 16, 5),
    "ann pyramid": partial(originals.apnb, 8, ODD, 10, 6, 4, 3),
    "ann two attentions": partial(originals.apnb, 9, (9, 12), 6, 8, 2, 5, 2, (2, 4)),
    "ann one grid": partial(originals.apnb, 10, TALL, 4, 4, 2, 2, 1, (2,)),
    "ann fusion": partial(originals.afnb, 11, ODD, ODD, (5, 8, 6), 4, 3),
    "ann fusion of two sizes": partial(originals.afnb, 12, (4, 5), (8, 11), (6, 7, 9), 2, 4),
    "gcnet": partial(originals.context_block, 13, ODD, 12, 0.5),
    "gcnet mean": partial(originals.context_block, 14, TALL, 8, 0.25, "avg"),
    "gcnet both": partial(originals.context_block, 15, WIDE, 10, 0.35, "att", BOTH),
    "gcnet scale": partial(originals.context_block, 16, ONE_ROW, 6, 1 / 3, "att", BOTH[:1]),
    "a2net": partial(originals.double_attention, 17, ODD, 10, 5, 3, True),
    "a2net no reconstruction": partial(originals.double_attention, 18, TALL, 6, 7, 2, False),
    "a2net the other code": partial(originals.double_attention, 19, WIDE, 8, 4, 9, None),
    "glore": partial(originals.glore_unit, 20, ODD, 10, 3, False),
    "glore mean": partial(originals.glore_unit, 21, TALL, 7, 6, True),
    "dnl": partial(originals.disentangled, 22, ODD, 10, 4, temperature=0.05),
    "dnl projected": partial(originals.disentangled, 23, TALL, 8, 6, use_out=True),
    "dnl pooled": partial(originals.disentangled, 24, WIDE, 8, 3, downsample=True, out_bn=True),
    "dnl pairwise alone": partial(
        originals.disentangled, 25, ODD, 6, 5, with_gc=False, use_out=True, out_bn=True
    ),
    "dnl not whitened": partial(originals.disentangled, 26, ODD, 6, 5, whiten_type=[]),
    "eanet default": partial(originals.external, 27, ODD, 6),
    "eanet slots": partial(originals.external, 28, TALL, 9, 5),
    "eanet heads": partial(originals.external_heads, 29, 15, 24),
    "eanet three heads": partial(originals.external_heads, 30, 6, 12, 3),
    "cgnl": partial(originals.compact, 31, ODD, 12, 6, 3, True),
    "cgnl one group": partial(originals.compact, 32, TALL, 8, 4, 1, False),
    "cgnl exponential": partial(originals.compact, 33, WIDE, 8, 8, 4, True, 2),
    "cgnl exponential of order 0": partial(originals.compact, 34, ODD, 6, 4, 2, False, 0),
    "latentgnn": partial(originals.latent, 35, ODD, 12, (4, 7), 3, "asymmetric"),
    "latentgnn graph": partial(originals.latent, 36, TALL, 8, (5,), 2, "asymmetric", True),
    "latentgnn symmetric": partial(originals.latent, 37, WIDE, 8, (3, 4, 2), 1, "symmetric"),
    "apcnet": partial(originals.adaptive_context, 38, ODD, 2, True, 10, 6),
    "apcnet one region": partial(originals.adaptive_context, 39, TALL, 1, False, 6, 8),
    "apcnet finer than the map": partial(originals.adaptive_context, 40, WIDE, 6, True, 5, 4, 1e-3),
    "isa": partial(originals.interlaced, 41, (6, 8), 10, (4, 6, 8), ((3, 2),)),
    "isa padded": partial(originals.interlaced, 42, ODD, 6, (8, 5, 7), ((4, 3),)),
    "isa one block": partial(originals.interlaced, 43, (7, 6), 6, (7, 4, 6), ((8, 8),)),
    "isa two blocks": partial(originals.interlaced, 44, (6, 7), 8, (4, 4, 6), ((2, 2), (3, 4))),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_sizes_and_arguments_pass(name: str, tmp_path: Path) -> None:
    path = FILES[name]().write(tmp_path)
    check_all_compared(path)
    assert main(["verify", str(path), "--dtype", "float32"]) == 0


@pytest.mark.parametrize("name", FILES)
def test_files_with_another_parameter_fail(name: str, tmp_path: Path) -> None:
    file = FILES[name]()
    # The last: with one block, nothing that ISA compares first has anything to be compared with.
    changed = [key for key in file.tensors if key.endswith("weight")][-1]
    # Both names of weights that two layers share.
    same = [key for key, value in file.tensors.items() if value is file.tensors[changed]]
    for key in same:
        file.tensors[key] = file.tensors[key] * 1.5 + 0.1
    assert not replay(file.write(tmp_path)).passed


REFUSED: dict[str, tuple[str, dict[str, object]]] = {
    "ccnet narrow": ("ccnet", {"in_dim": 7}),
    "emanet bases": ("emanet default", {"c": 6, "k": 0}),
    "ann sizes": ("ann pyramid", {"args": [10, 6, 4, 3, 0.1, [2], "batchnorm"]}),
    "ann norm": ("ann pyramid", {"args": [10, 6, 4, 3, 0.1, [1], "instancenorm"]}),
    "ann none": ("ann pyramid", {"args": [10, 6, 4, 3, 0.1, [], "batchnorm"]}),
    "gcnet pooling": ("gcnet", {"inplanes": 12, "ratio": 0.5, "pooling_type": "max"}),
    "gcnet ratio": ("gcnet", {"inplanes": 12, "ratio": 0.01}),
    "gcnet fusion": ("gcnet", {"inplanes": 12, "ratio": 0.5, "fusion_types": []}),
    "a2net clips": ("a2net the other code", {"in_channels": 8, "c_m": 4, "c_n": 9, "k": 2}),
    "glore nodes": ("glore", {"num_in": 10, "num_mid": 0}),
    "dnl whitening": ("dnl", {"inplanes": 10, "planes": 4, "whiten_type": ["spatial"]}),
    "dnl norm": ("dnl", {"inplanes": 10, "planes": 4, "use_gn": True}),
    "dnl temperature": ("dnl", {"inplanes": 10, "planes": 4, "temperature": 0}),
    "eanet slots": ("eanet slots", {"c": 9, "k": 0}),
    "eanet heads": ("eanet heads", {"dim": 24, "num_heads": 5}),
    "cgnl groups": ("cgnl", {"inplanes": 12, "planes": 6, "groups": 4}),
    "latentgnn mode": (
        "latentgnn",
        {
            "in_channels": 12,
            "latent_dims": [4],
            "channel_stride": 3,
            "num_kernels": 1,
            "mode": "other",
        },
    ),
    "latentgnn kernels": (
        "latentgnn",
        {"in_channels": 12, "latent_dims": [4], "channel_stride": 3, "num_kernels": 2},
    ),
    "apcnet norm": ("apcnet", {"args": [2, True, 10, 6, None, {"type": "GN"}, {"type": "ReLU"}]}),
    "apcnet regions": (
        "apcnet",
        {"args": [0, True, 10, 6, None, {"type": "BN"}, {"type": "ReLU"}]},
    ),
    "isa norm": ("isa", {"args": [10, 4, 6, 8, [[3, 2]], 0.1, "other"]}),
    "isa blocks": ("isa", {"args": [10, 4, 6, 8, [], 0.1, "torchbn"]}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_that_nobody_can_build_are_refused(name: str, tmp_path: Path) -> None:
    made, kwargs = REFUSED[name]
    file = FILES[made]()
    file.kwargs = kwargs
    check_refused(file, tmp_path)


def test_the_bases_of_emanet_move_in_training_alone() -> None:
    torch.manual_seed(0)
    unit = ExpectationMaximisationUnit(8, count=3)
    x, start = torch.randn(2, 8, 5, 6), unit.reconstruct.bases.clone()
    unit.eval()(x)
    assert torch.equal(unit.reconstruct.bases, start)
    with torch.no_grad():
        found = unit.reconstruct.bases_of(unit.project_in(x))
    unit.train()(x).sum().backward()
    expected = MOMENTUM * start + (1 - MOMENTUM) * found.mean(dim=0, keepdim=True)
    torch.testing.assert_close(unit.reconstruct.bases, expected)
    assert unit.project_in.weight.grad is not None
    assert unit.project_in.weight.grad.abs().max() > 0


def test_a_sum_of_powers_claims_what_it_keeps() -> None:
    """An even last power is positive like the exponential; an odd one need not be."""
    claims = [CompactNonLocal(8, 8, 2, order=order).claim for order in (None, 0, 1, 2, 3)]
    assert claims == [Claim.SIGNED, Claim.POSITIVE, Claim.SIGNED, Claim.POSITIVE, Claim.SIGNED]
