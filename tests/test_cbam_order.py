"""CBAM's three orders: what each computes, how they are trained from seeds, what is reported."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from models import weights
from models.mechanisms.cbam import CBAM, Order
from models.training import __main__ as training
from models.training import order_study
from models.training.order_report import Found, finding, gap, page
from models.training.recipes import RECIPES
from tests.packs_for_tests import classification_pack
from tests.test_mechanisms import built, given
from tests.test_training import shrunken
from vizattn.labels import network_label
from vizattn.texts import LANGUAGES

Captured = pytest.CaptureFixture[str]
NETWORKS = tuple(order_study.ORDERS.values())


def channel_gate(module: CBAM, x: Tensor) -> Tensor:
    """Equation 2, by hand."""
    gate = module.channel_gate
    both = [gate.expand(gate.reduce(pool).relu()) for pool in (x.mean((2, 3)), x.amax((2, 3)))]
    return (both[0] + both[1]).sigmoid()[:, :, None, None]


def spatial_gate(module: CBAM, x: Tensor) -> Tensor:
    """Equation 3, by hand."""
    gate = module.spatial_gate
    assert gate is not None
    return gate.norm(gate.conv(torch.stack([x.amax(1), x.mean(1)], dim=1))).sigmoid()


@pytest.mark.parametrize("variant", ["", "space_first", "parallel"])
def test_an_order_computes_what_it_says(variant: str) -> None:
    module, (x,) = built("cbam", variant), given("cbam", variant, (6, 9))
    assert isinstance(module, CBAM)
    with torch.no_grad():
        if variant == "space_first":
            placed = spatial_gate(module, x) * x
            expected = channel_gate(module, placed) * placed
        else:
            scaled = channel_gate(module, x) * x
            seen = x if variant == "parallel" else scaled
            expected = spatial_gate(module, seen) * scaled
        torch.testing.assert_close(module(x), expected)


def test_orders_have_the_same_parameters_and_start_alike() -> None:
    found = []
    for order in Order:
        torch.manual_seed(3)
        found.append(CBAM(32, 4, order=order).state_dict())
    for other in found[1:]:
        assert all(torch.equal(found[0][key], other[key]) for key in found[0])
        assert found[0].keys() == other.keys()


@pytest.mark.parametrize("form", [None, "space-first", "parallel"])
def test_a_form_is_plugged_in(form: str | None) -> None:
    network = weights.build("classify", "cbam", form=form)
    orders = {each.order for each in network.modules() if isinstance(each, CBAM)}
    assert orders == {Order(form or "channel-first")}


def test_a_form_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"of \['parallel', 'space-first'\], received 'sideways'"):
        weights.build("classify", "cbam", form="sideways")
    with pytest.raises(ValueError, match="received 'parallel'"):
        weights.build("classify", "se", form="parallel")


# The study.


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    classification_pack(folder / "cls_imagenette128", train=6, val=6)
    return folder


@pytest.fixture(scope="module")
def trunk(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trunk")
    training.train(shrunken("trunk-classifier", 1), data, folder / "runs", folder)
    return folder


class Study:
    """The study with small recipes, in a folder of its own; counts the runs that it starts."""

    def __init__(self, data: Path, trunk: Path, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.data, self.folder, self.out = data, folder / "weights", folder / "docs"
        self.runs = folder / "runs"
        self.folder.mkdir()
        for path in trunk.glob("trunk-classifier.*"):
            (self.folder / path.name).write_bytes(path.read_bytes())
        self.trained: list[str] = []
        patch.setenv("VIZATTN_WEIGHTS", str(self.folder))
        for name in NETWORKS:
            patch.setitem(RECIPES, name, shrunken(name, 1))
        patch.setattr(order_study, "SEEDS", (0, 1))
        patch.setattr(order_study, "train", self._train)

    def _train(self, recipe: Any, *arguments: Any) -> Path:
        self.trained.append(recipe.name)
        return training.train(recipe, *arguments)

    def __call__(self) -> int:
        self.trained.clear()
        options = {"--data": self.data, "--runs": self.runs, "--out": self.out,
                   "--threads": torch.get_num_threads()}  # fmt: skip
        return order_study.main([str(part) for option in options.items() for part in option])


def test_the_study_trains_what_is_missing_and_reports(
    data: Path, trunk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    study = Study(data, trunk, tmp_path, monkeypatch)
    assert study() == 0
    assert study.trained[:3] == list(NETWORKS), "the bundled ones first"
    assert len(study.trained) == 6
    assert {path.name for path in study.out.iterdir()} == {
        "cbam_order.json", "cbam_order.md", "cbam_order.png",
    }  # fmt: skip
    facts = json.loads((study.out / "cbam_order.json").read_text())
    for order, name in order_study.ORDERS.items():
        network, card = weights.load(name, study.folder)
        assert facts[order]["network"] == name
        assert facts[order]["accuracies"][0] == card.metric["accuracy"]
        assert card.facts["seeds"]["accuracies"] == facts[order]["accuracies"]
        assert card.shares == "trunk-classifier"
        orders = {each.order for each in network.modules() if isinstance(each, CBAM)}
        assert orders == {Order(card.form or "channel-first")}
        for language in LANGUAGES:
            assert network_label(language, card).title
        of_other_seed = weights.read_card(f"{name}-seed-1", study.runs / order_study.KEPT)
        assert of_other_seed.metric["accuracy"] == facts[order]["accuracies"][1]
        own = load_file(study.folder / f"{name}.safetensors")
        other = load_file(study.runs / order_study.KEPT / f"{name}-seed-1.safetensors")
        assert not torch.equal(own["classify.weight"], other["classify.weight"])
    written = (study.out / "cbam_order.md").read_text()

    # Only what is missing is done again: a run that was lost, and one of another recipe.
    (study.folder / "classify-cbam-parallel.json").unlink()
    changed = replace(RECIPES["classify-cbam-space-first"], balance=0.1)
    monkeypatch.setitem(RECIPES, changed.name, changed)
    (study.runs / f"{changed.name}.pt").unlink()
    for seed in order_study.SEEDS[1:]:
        (study.runs / f"{changed.name}-seed-{seed}.pt").unlink()
    assert study() == 0
    assert study.trained == [
        "classify-cbam-space-first",
        "classify-cbam-parallel",
        "classify-cbam-space-first-seed-1",
    ]
    assert (study.out / "cbam_order.md").read_text() == written
    assert study() == 0
    assert study.trained == []


def test_the_study_without_pictures_is_refused(
    trunk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    study = Study(tmp_path / "absent", trunk, tmp_path, monkeypatch)
    assert study() == 2
    assert len(capsys.readouterr().err.splitlines()[-1:]) == 1
    assert not study.out.exists()


# The report.


def found(order: str, *accuracies: float) -> Found:
    return Found(order, f"classify-{order}", (0, 1, 2), accuracies, "val", 1000)


def test_differences_are_taken_seed_by_seed() -> None:
    one, other = found("a", 0.90, 0.80, 0.70), found("b", 0.89, 0.79, 0.66)
    difference, error = gap(one, other)
    assert difference == pytest.approx(0.02)
    assert error == pytest.approx(math.sqrt(3e-4) / math.sqrt(3))
    assert one.deviation == pytest.approx(0.1)


def test_the_report_says_no_more_than_was_found() -> None:
    clear = [found("a", 0.90, 0.91, 0.90), found("b", 0.80, 0.81, 0.805)]
    assert "more than twice that" in finding(clear)
    close = [found("a", 0.90, 0.88, 0.89), found("b", 0.88, 0.90, 0.888)]
    assert "do not tell them apart" in finding(close)
    text = page(close)
    assert "| a | `classify-a` | 90.0 % | 88.0 % | 89.0 % | 89.0 % | 1.00 points |" in text
    assert "| a less b | 0.07 points |" in text
