"""``verify`` on files of ten more mechanisms, other sizes and arguments, made by plain numpy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from models.mechanisms.rga import RelationAwareAttention, SpatialRelationGate
from models.mechanisms.sknet import selective_kernel
from models.reference import replay
from tests import originals_choices as choices
from tests import originals_features as features
from tests.originals import Original
from tests.replays import check_all_compared, check_refused

ODD, TALL, WIDE, ONE_ROW = (7, 5), (12, 3), (5, 9), (1, 9)
UP = "dict(mode='bilinear', align_corners=True)"

FILES: dict[str, Callable[[], Original]] = {
    "genet theta": partial(
        features.gather_excite, 1, ODD, 6, extra_params=True, extent=2, use_mlp=False
    ),
    "genet theta to one place": partial(
        features.gather_excite, 2, (4, 3), 5, extra_params=True, extent=8, use_mlp=False
    ),
    "genet theta-plus": partial(
        features.gather_excite, 3, WIDE, 20, 10, extra_params=True, extent=4, rd_ratio=0.5
    ),
    "genet defaults": partial(features.gather_excite, 4, TALL, 40, 3),
    "genet windows": partial(features.gather_excite, 5, WIDE, 4, extent=2, use_mlp=False),
    "genet windows and maxima": partial(
        features.gather_excite, 6, ODD, 8, 4, extent=4, add_maxpool=True, rd_channels=4
    ),
    "genet means and maxima": partial(
        features.gather_excite, 7, ODD, 8, 5, add_maxpool=True, rd_ratio=0.6, rd_divisor=5
    ),
    "genet global theta": partial(
        features.gather_excite, 8, (6, 8), 3, extra_params=True, feat_size=5, use_mlp=False
    ),
    "genet block global": partial(
        features.ge_block, 9, 6, (16, 16), 1, spatial=6, extent=0, extra_params=True, mlp=True
    ),
    "genet block extent 4": partial(
        features.ge_block, 10, 9, (5, 7), 2, spatial=5, extent=4, extra_params=True, mlp=False
    ),
    "genet block extent 8": partial(
        features.ge_block, 11, 8, (4, 4), 1, spatial=8, extent=8, extra_params=True, mlp=False
    ),
    "genet block means": partial(
        features.ge_block, 12, 10, (6, 32), 2, spatial=5, extent=2, extra_params=False, mlp=True
    ),
    "genet block mean": partial(
        features.ge_block, 13, 5, (4, 4), 1, spatial=5, extent=0, extra_params=False, mlp=False
    ),
    "residual attention 1": partial(features.attention_module, 114, (9, 14), 8, 1),
    "residual attention 2": partial(features.attention_module, 15, ODD, 12, 2),
    "residual attention 3": partial(features.attention_module, 16, TALL, 4, 3),
    "scnet": partial(features.sc_conv, 17, ODD, 5, 3),
    "scnet stride": partial(features.sc_conv, 18, WIDE, 4, 2, 2, 1, 2),
    "scnet dilated": partial(features.sc_conv, 19, TALL, 6, 1, 1, 2, 3),
    "scnet bottleneck": partial(features.sc_bottleneck, 20, (9, 6), 4, 2),
    "scnet bottleneck groups": partial(
        features.sc_bottleneck, 21, (6, 9), 4, 4, cardinality=2, dilation=2
    ),
    "scnet bottleneck means": partial(
        features.sc_bottleneck, 22, (5, 5), 3, 3, bottleneck_width=64, avd=True, is_first=True
    ),
    "strip pooling": partial(features.sp_block, 23, ODD, 5),
    "strip pooling one row": partial(features.sp_block, 24, ONE_ROW, 3),
    "mixed pooling": partial(features.mixed_pooling, 25, ODD, 12, [4, 2], UP, True),
    "mixed pooling edges": partial(
        features.mixed_pooling, 26, WIDE, 8, [20, 12], {"mode": "bilinear"}, False
    ),
    "triplet": partial(features.triplet, 27, ODD, 9, False),
    "triplet no spatial": partial(features.triplet, 28, ONE_ROW, 4, True),
    "sca": partial(choices.sca, 29, ODD, 6, 4, 3),
    "sca one place": partial(choices.sca, 30, (1, 1), 5, 2, 7),
    "rga": partial(choices.rga, 31, ODD, 9, (3, 5, 2)),
    "rga default ratios": partial(choices.rga, 32, (8, 7), 56, None),
    "rga spatial": partial(
        choices.rga, 133, WIDE, 4, (4, 9, 3), use_spatial=True, use_channel=False
    ),
    "rga channel": partial(choices.rga, 34, TALL, 12, (3, 4, 1), use_spatial=False),
    "sknet defaults": partial(choices.selective_kernel, 35, ODD, 16, 8),
    "sknet kernels": partial(
        choices.selective_kernel, 36, WIDE, 6, 8, kernel_size=[3, 5, 7], keep_3x3=False, groups=2
    ),
    "sknet stride": partial(
        choices.selective_kernel, 37, ODD, 6, 3, out_channels=4, stride=2, split_input=False,
        rd_ratio=0.7, rd_divisor=3,
    ),
    "sknet dilated": partial(
        choices.selective_kernel, 38, WIDE, 4, 5, kernel_size=3, dilation=2, rd_channels=5
    ),
    "sknet rounds up": partial(
        choices.selective_kernel, 39, ODD, 22, 24, rd_ratio=1.0, split_input=False
    ),
    "sknet biases": partial(choices.sk_conv, 40, ODD, 6, 3, M=3, G=2, r=2, L=2),
    "sknet biases stride": partial(choices.sk_conv, 41, WIDE, 4, 32, M=2, G=1, r=2, stride=3),
    "condconv": partial(choices.cond_conv, 42, ODD, 6, 4),
    "condconv groups": partial(
        choices.cond_conv, 43, WIDE, 6, 9, groups=3, kernel_size=5, stride=2, num_experts=2
    ),
    "condconv same": partial(
        choices.cond_conv, 44, (6, 9), 3, 5, padding="same", stride=2, bias=True
    ),
    "condconv valid": partial(
        choices.cond_conv, 45, (9, 6), 3, 2, padding="valid", dilation=2, num_experts=3
    ),
    "condconv padded": partial(choices.cond_conv, 46, ODD, 2, 2, padding=2, bias=True),
    "condconv block": partial(choices.cond_residual, 47, ODD, 6, 6, 8, 2, exp_ratio=1.0),
    "condconv block wide": partial(
        choices.cond_residual, 48, WIDE, 6, 9, 24, 3, exp_ratio=3.5, stride=2, dw_kernel_size=5
    ),
    "condconv block no skip": partial(
        choices.cond_residual, 49, ODD, 8, 8, 16, 1, exp_ratio=2, noskip=True
    ),
    "attention gate": partial(choices.grid_gate, 50, ODD, 6, (5, (3, 2)), 3),
    "attention gate softplus": partial(
        choices.grid_gate, 51, WIDE, 4, (3, (4, 4)), 2, mode="concatenation_debug",
        inter_channels=2, sub_sample_factor=3,
    ),
    "attention gate softmax": partial(
        choices.grid_gate, 52, TALL, 1, (2, (5, 1)), 1, mode="concatenation_residual",
        sub_sample_factor=[3, 1],
    ),
    "attention gate simple": partial(choices.simple_gate, 53, ODD, 5, 4, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_sizes_and_arguments_pass(name: str, tmp_path: Path) -> None:
    path = FILES[name]().write(tmp_path)
    check_all_compared(path)
    assert replay(path, torch.float32).passed


@pytest.mark.parametrize("name", FILES)
def test_files_with_another_parameter_fail(name: str, tmp_path: Path) -> None:
    file = FILES[name]()
    learnt = [key for key in file.tensors if key.startswith("param.") and "conv4" not in key]
    if not learnt:
        # Nothing is learnt here, but the input counts.
        learnt = ["input"]
    for key in learnt:
        if "num_batches" not in key:
            file.tensors[key] = file.tensors[key] * 1.2 + 0.1
    assert not replay(file.write(tmp_path)).passed


REFUSED: dict[str, tuple[str, dict[str, object]]] = {
    "genet gate": ("genet defaults", {"gate_layer": "hard_sigmoid"}),
    "genet odd extent": ("genet windows", {"extent": 3}),
    "genet global without a size": ("genet global theta", {"feat_size": None}),
    "residual attention channels": ("residual attention 2", {"out_channels": 8}),
    "scnet channels": ("scnet", {"planes": 10}),
    "scnet norm": ("scnet", {"norm_layer": "nn.GroupNorm"}),
    "scnet shortcut": ("scnet bottleneck", {"inplanes": 8}),
    "strip pooling channels": ("strip pooling", {"outplanes": 10}),
    "strip pooling stretching": ("mixed pooling", {"up_kwargs": {"scale": 2}}),
    "rga neither": ("rga", {"use_spatial": False, "use_channel": False}),
    "rga ratio": ("rga", {"cha_ratio": 16}),
    "rga size": ("rga spatial", {"in_spatial": 44}),
    "sknet split": ("sknet kernels", {"kernel_size": [3, 5, 7, 9]}),
    "sknet one branch": ("sknet biases", {"M": 1}),
    "condconv padding": ("condconv", {"padding": "reflect"}),
    "condconv block experts": ("condconv block", {"num_experts": 0}),
    "attention gate mode": ("attention gate", {"mode": "addition"}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_that_nobody_can_build_are_refused(name: str, tmp_path: Path) -> None:
    of, changes = REFUSED[name]
    file = FILES[of]()
    file.kwargs |= changes
    check_refused(file, tmp_path)


def test_a_relation_that_was_made_for_a_grid_takes_maps_of_any_size() -> None:
    """On a map of the grid's own size the other ends are the places themselves, not means."""
    torch.manual_seed(0)
    exact = RelationAwareAttention(8, 20, down_ratio=1, spatial_ratio=4, channel_ratio=2).eval()
    any_size = RelationAwareAttention(8, (4, 5), down_ratio=1, spatial_ratio=4, channel_ratio=2)
    any_size.load_state_dict(exact.state_dict())
    x = torch.randn(2, 8, 4, 5)
    with torch.no_grad():
        torch.testing.assert_close(any_size.eval()(x), exact(x), atol=0, rtol=0)
        # A map whose every 2 x 2 cells are alike has the same means, and so the same gates.
        doubled = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        torch.testing.assert_close(any_size(doubled)[:, :, ::2, 1::2], exact(x))
        with pytest.raises(ValueError, match="expected maps of 20 places"):
            exact(doubled)


def test_relations_are_what_the_gate_is_made_from() -> None:
    torch.manual_seed(0)
    gate = SpatialRelationGate(6, (3, 4), inner=3, related=5, down_ratio=2).eval()
    x = torch.randn(1, 6, 3, 4)
    held: list[object] = []
    handles = [
        tap.register_forward_hook(lambda _m, _a, relation: held.append(relation.dense()[0, 0]))
        for tap in (gate.outgoing, gate.incoming)
    ]
    with torch.no_grad():
        before = gate.attention_of(x)
        for handle in handles:
            handle.remove()
        gate.outgoing.register_forward_hook(lambda _m, _a, relation: relation.by_rows())
        torch.testing.assert_close(gate.attention_of(x), before)
        gate.incoming.register_forward_hook(
            lambda _m, _a, relation: type(relation)(relation.query.flip(2), relation.key)
        )
        assert (gate.attention_of(x) - before).abs().max() > 1e-4
    outgoing, incoming = held
    assert isinstance(outgoing, torch.Tensor)
    assert isinstance(incoming, torch.Tensor)
    torch.testing.assert_close(outgoing, incoming.T)


def test_branches_know_how_far_they_see() -> None:
    assert selective_kernel(8, 4).select.windows == (3, 5)
