"""Class activation maps: the layer that is found, the checks, places, and what is exported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import vizattn
from tests.networks_for_tests import scene, small_network
from vizattn.analysis import look
from vizattn.cam.class_map import Asked, ClassMap
from vizattn.cam.layers import NoLayer, observe
from vizattn.cam.layouts import grid_of, layout_of
from vizattn.cam.making import UnknownClass, class_index, with_class_map, with_named_map
from vizattn.cam.methods import METHODS, UnknownMethod
from vizattn.cam.targets import scores_of, target_of
from vizattn.drawables import Heat, Scale, Selection
from vizattn.views import view
from vizattn.words import sentence


@pytest.fixture(scope="module")
def classified():
    return look(scene(90, 70), small_network("classify", "se"))


@pytest.fixture(scope="module")
def segmented():
    return look(scene(128, 96), small_network("segment", "nonlocal"))


class Head(nn.Module):
    """A convolution whose map a linear layer reads, after a mean: all that follows is affine."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 4, stride=4)
        self.last = nn.Conv2d(6, 5, 2, stride=2)
        self.classify = nn.Linear(5, 3)

    def forward(self, x):
        return self.classify(self.last(self.first(x).relu()).relu().mean(dim=(2, 3)))


class Tokens(nn.Module):
    """Patches and a class token; only the class token is read."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 8, stride=8)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0) for _ in range(2)
        )
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        patches = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), patches], dim=1)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x)[:, 0])


def picture(rows: int = 32, columns: int = 48) -> torch.Tensor:
    return torch.randn(1, 3, rows, columns, generator=torch.Generator().manual_seed(3))


def seeded(make):
    torch.manual_seed(0)
    return make().eval()


def test_the_layer_is_the_deepest_map_with_weights_to_come(classified, segmented) -> None:
    layer = observe(seeded(Head), picture()).features.layer
    assert (layer.path, layer.channels, layer.rows, layer.columns) == ("last", 5, 4, 6)
    for analysis, path in ((classified, "trunk.stages.3"), (segmented, "decode")):
        found = with_class_map(analysis).sites[-1].layer
        assert found.path == path and not found.given
        assert path in found.evidence("en") and path in found.evidence("zh")


def test_the_layer_of_tokens_is_where_the_class_token_still_listens_to_places() -> None:
    seen = observe(seeded(Tokens), picture())
    layer = seen.features.layer
    # The last layer's output and norm reach the score by the class token alone.
    assert layer.path.startswith("layers.0") and layer.prefix == 1
    assert (layer.rows, layer.columns, layer.channels) == (4, 6, 8)
    assert seen.features.activations.shape == (1, 8, 4, 6)
    assert "token" in layer.evidence("en")


def test_a_layer_can_be_named_and_an_unknown_one_is_refused() -> None:
    network = seeded(Head)
    named = observe(network, picture(), layer="first").features.layer
    assert named.given and (named.rows, named.columns) == (8, 12)
    with pytest.raises(NoLayer, match="first, last"):
        observe(network, picture(), layer="middle")


def test_a_network_without_maps_is_refused() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 48, 4)).eval()
    with pytest.raises(NoLayer, match="no layer"):
        observe(flat, picture())


def test_nothing_stays_on_the_network_and_its_gradients_are_its_own() -> None:
    network = seeded(Head)
    network.classify.weight.grad = torch.ones_like(network.classify.weight)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    observe(network, picture())
    with pytest.raises(NoLayer):
        observe(network, picture(), layer="nowhere")
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
    assert bool((network.classify.weight.grad == 1).all()) and network.first.weight.grad is None
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("method", METHODS)
def test_every_method_makes_a_map_that_passes_its_checks(classified, method: str) -> None:
    made = with_class_map(classified, method).sites[-1]
    assert isinstance(made, ClassMap) and made.site == f"cam.{method}"
    assert made.passed, [each for each in made.checks if not each.passed]
    assert (
        made.values.shape == (made.grid.rows, made.grid.columns) == (2, 3) or made.values.size > 5
    )
    assert np.array_equal(made.values, np.maximum(made.raw, 0))
    assert (made.target is not None) == METHODS[method].of_class


def test_the_sum_of_a_map_is_the_score_where_the_rest_is_affine(classified) -> None:
    for method in ("gradcam", "hirescam", "xgradcam"):
        made = with_class_map(classified, method, target=4).sites[-1]
        assert made.remainder is not None
        assert made.raw.sum() + made.remainder == pytest.approx(made.score, abs=1e-3)
        assert "completeness" in {each.name for each in made.checks}
    made = with_class_map(classified, "layercam").sites[-1]
    assert made.remainder is None and "completeness" not in {each.name for each in made.checks}


def test_nothing_is_claimed_where_the_rest_is_not_affine(classified) -> None:
    made = with_class_map(classified, "hirescam", layer="trunk.stages.1").sites[-1]
    assert made.remainder is None and made.layer.given
    assert {each.name for each in made.checks} == {"claim", "replayed", "gradient", "geometry"}


def test_a_wrong_gradient_is_noticed() -> None:
    from vizattn.cam import checks

    network, x = seeded(Head), picture()
    seen = observe(network, x)
    wrong = replace(seen, features=replace(seen.features, gradient=seen.features.gradient * 1.2))
    method = METHODS["hirescam"]
    for observed, passed in ((seen, True), (wrong, False)):
        raw = method.make(network, x, observed, lambda done, total: None)
        found, _ = checks.measured(network, x, observed, method, raw)
        assert all(each.passed for each in found) == passed


def test_methods_that_ask_the_network_are_those_of_the_package() -> None:
    """On a layer as fine as the picture, since the package enlarges maps between other points."""
    grad_cam = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 3),
    ).eval()
    x = picture(8, 12)
    seen = observe(network, x, lambda scores: target_of(scores, 1), "1")
    for name, theirs in (("scorecam", "ScoreCAM"), ("ablationcam", "AblationCAM")):
        told: list[tuple[int, int]] = []
        ours = METHODS[name].make(network, x, seen, lambda *step, told=told: told.append(step))
        assert told[0] == (0, 6) and told[-1] == (6, 6)
        with getattr(grad_cam, theirs)(network, [network[1]]) as maker:
            activations = seen.features.activations.numpy()
            weights = maker.get_cam_weights(
                x, network[1], [ClassifierOutputTarget(1)], activations, None
            )
        expected = (weights[:, :, None, None] * activations).sum(axis=1)
        np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_work_that_takes_long_can_be_stopped(classified) -> None:
    class Enough(Exception):
        pass

    def progress(done: int, total: int) -> None:
        if done:
            raise Enough

    with pytest.raises(Enough):
        with_class_map(classified, "scorecam", progress=progress)
    module = classified.network.module
    assert not any(each._forward_hooks for each in module.modules())


def test_the_map_lies_on_the_picture_where_the_layer_saw_it(classified) -> None:
    """One bright cell of the picture, read by a network that sees nothing else."""
    network = seeded(Head)
    with torch.no_grad():
        network.first.weight.fill_(1)
        network.first.bias.zero_()
        network.last.weight.fill_(1)
        network.last.bias.zero_()
        network.classify.weight.fill_(1)
    x = torch.zeros(1, 3, 32, 48)
    x[:, :, 8:16, 24:32] = 1
    seen = observe(network, x)
    raw = METHODS["gradcam"].make(network, x, seen, lambda done, total: None)[0]
    grid = grid_of(seen.features.layout, (48, 32))
    lit = [int(index) for index in torch.nonzero(raw.flatten())]
    assert [grid.box(index) for index in lit] == [(24, 8, 32, 16)]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 64, 8, 12), (1, 8, 12, 0)),
        ((1, 8, 12, 64), (3, 8, 12, 0)),
        ((1, 96, 64), (2, 8, 12, 0)),
        ((1, 97, 64), (2, 8, 12, 1)),
        ((1, 101, 64), (2, 8, 12, 5)),
        ((1, 64, 1, 1), None),
        ((1, 64), None),
        ((1, 64, 12, 8), None),
    ],
)
def test_layouts(shape: tuple[int, ...], expected: tuple[int, ...] | None) -> None:
    found = layout_of(shape, (192, 128))
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert (found.channel_axis, found.rows, found.columns, found.prefix) == expected
        assert found.as_map(torch.zeros(shape)).shape == (1, 64, 8, 12)


def test_a_stride_that_explains_both_sides_is_the_cell() -> None:
    layout = layout_of((1, 4, 4, 6), (171, 128))
    assert layout is not None and grid_of(layout, (171, 128)).cell == (32, 32)
    odd = layout_of((1, 4, 13, 13), (224, 224))
    assert odd is not None and grid_of(odd, (224, 224)).cell == (224 / 13, 224 / 13)


def test_scores_are_found_in_what_networks_return() -> None:
    scores = torch.rand(1, 4)
    for output in (scores, {"aux": scores * 2, "out": scores}, (scores, None), [scores]):
        assert torch.equal(scores_of(output), scores)
    with pytest.raises(ValueError, match="returns scores"):
        scores_of("nothing")


def test_targets_of_pixels() -> None:
    scores = torch.zeros(1, 3, 2, 4)
    scores[0, 2, :, :3] = 1
    scores[0, 1, :, 3] = 2
    most = target_of(scores)
    assert most.index == 2 and float(most.logit(scores)) == 1
    at = target_of(scores, pixel=(1, 3))
    assert at.index == 1 and float(at.logit(scores)) == 2
    nowhere = target_of(scores, 0)
    assert nowhere.places is not None and bool(nowhere.places.all())
    with pytest.raises(ValueError, match="class of"):
        target_of(scores, 3)


def test_a_map_is_one_site_more_drawn_said_and_exported(classified, tmp_path: Path) -> None:
    analysis = with_class_map(classified, "gradcam", "church")
    made = analysis.sites[-1]
    assert made.site == "cam.gradcam:4" and made.target == "church"
    assert [each.site for each in analysis.sites[:-1]] == [each.site for each in classified.sites]
    selection = Selection(made.site)
    (own,) = view(analysis, selection)
    (fixed,) = view(analysis, selection, Scale.FIXED)
    assert isinstance(own, Heat) and own.high == pytest.approx(float(made.values.max()) or 1.0)
    assert fixed.high == pytest.approx(min(20, made.values.size) * float(made.values.mean()) or 1.0)
    assert "church" in sentence(analysis, selection) and "教堂" in sentence(
        analysis, selection, "zh"
    )
    seen = vizattn.Seen(classified).cam("gradcam", "church")
    files = seen.save(tmp_path, site=made.site)
    assert {"figure.png", "cam.gradcam-4.png"} <= {path.name for path in files}
    arrays = np.load(tmp_path / "attention.npz")
    np.testing.assert_array_equal(arrays["cam.gradcam:4/raw"], made.raw)
    facts = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert facts["sites"][-1]["kind"] == "class_map" and facts["passed"]
    assert ".cam('gradcam', 4, None)" in (tmp_path / "reproduce.py").read_text("utf-8")


def test_a_site_names_its_map(classified) -> None:
    for asked in (
        Asked("gradcam"),
        Asked("scorecam", 3),
        Asked("gradcam++", None, "trunk.stages.2"),
    ):
        assert Asked.read(asked.site) == asked
    assert Asked.read("trunk.stages.0.0.gate") is None and Asked.read("cam.gradcam:x") is None
    made = with_named_map(classified, "cam.layercam:2@trunk.stages.2")
    assert made.sites[-1].site == "cam.layercam:2@trunk.stages.2"
    assert made.sites[-1].layer.path == "trunk.stages.2"
    assert with_named_map(made, made.sites[-1].site) is made
    assert with_named_map(classified, None) is classified


def test_what_is_not_there_is_refused(classified) -> None:
    assert class_index(classified, "教堂") == class_index(classified, "4") == 4
    with pytest.raises(UnknownClass, match="no class dragon"):
        with_class_map(classified, target="dragon")
    with pytest.raises(UnknownMethod, match="Choose one of gradcam"):
        with_class_map(classified, "campfire")


def test_the_page_has_a_view_for_class_maps(segmented) -> None:
    from vizattn.ui import trust_maps as trust_maps
    from vizattn.ui.sites import site

    made = with_class_map(segmented, "hirescam").sites[-1]
    shown = site(made)
    assert shown["view"] == "class_map" and shown["map"]["grid"]["rows"] == made.grid.rows
    assert set(shown["legend"]) == {"row", "fixed"} and set(shown["said"]) == {"en", "zh"}
    json.dumps(shown, allow_nan=False)
