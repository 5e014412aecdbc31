"""Training and evaluation, on packs of a dozen pictures: they run, resume and say what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from models import evaluate, weights
from models.mechanism import blocks_of
from models.packs import CAMVID_CLASSES, PackError, read_classification, read_segmentation
from models.training import __main__ as training
from models.training.augment import crop, crop_masks, random_boxes
from models.training.loop import Run, crop_at, freeze, rate_at
from models.training.recipes import RECIPES, Crop, Recipe
from tests.networks_for_tests import write_networks
from tests.packs_for_tests import classification_pack, segmentation_pack

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    classification_pack(folder / "cls_imagenette128")
    segmentation_pack(folder / "seg_camvid")
    return folder


def shrunken(name: str, epochs: int = 2) -> Recipe:
    recipe = RECIPES[name]
    crops = (Crop(epochs, 64, 64, recipe.crops[-1].scale),)
    return replace(recipe, crops=crops, cycles=((epochs, 1.0),), batch=4, average=0.5)


@pytest.fixture(scope="module")
def trunks(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the weights that the others start from."""
    folder = tmp_path_factory.mktemp("trunks")
    for name in ("trunk-classifier", "trunk-segmenter"):
        training.train(shrunken(name, 1), data, folder / "runs", folder)
    return folder


def copied(folder: Path, target: Path) -> Path:
    target.mkdir()
    for path in folder.glob("trunk-*"):
        (target / path.name).write_bytes(path.read_bytes())
    return target


# Training.


@pytest.mark.parametrize("name", ["classify-plain", "classify-cbam", "segment-danet"])
def test_a_run_makes_weights_and_a_card(
    name: str, data: Path, trunks: Path, tmp_path: Path
) -> None:
    folder = copied(trunks, tmp_path / "weights")
    recipe = shrunken(name, 1)
    path = training.train(recipe, data, tmp_path / "runs", folder)
    network, card = weights.load(name, folder)
    assert path == folder / f"{name}.safetensors"
    assert card.name == name
    assert card.shares == recipe.start
    assert card.metric["count"] == (6 if recipe.task == "classify" else 2)
    assert card.facts["trained_parameters"] < card.facts["parameters"]
    assert card.facts["recipe"]["batch"] == 4
    own, lent = load_file(path), load_file(folder / f"{recipe.start}.safetensors")
    assert own.keys() < network.state_dict().keys()
    frozen = [key for key in lent if key in network.state_dict() and key not in own]
    assert frozen, "what is shared is stored once"
    trained = [key for key in own if key in lent and own[key].shape == lent[key].shape]
    assert any(not torch.equal(own[key], lent[key]) for key in trained)
    again = evaluate.measure(
        network,
        card.task,
        card.preprocessing,
        data / card.facts["data"]["pack"],
        card.metric["split"],
    )
    assert {"split": card.metric["split"], **again} == card.metric


def test_the_plain_host_stands_on_the_card(data: Path, trunks: Path, tmp_path: Path) -> None:
    folder = copied(trunks, tmp_path / "weights")
    for name in ("classify-plain", "classify-se"):
        training.train(shrunken(name, 1), data, tmp_path / "runs", folder)
    plain = weights.read_card("classify-plain", folder)
    beside = weights.read_card("classify-se", folder).facts["plain"]
    assert beside["metric"] == plain.metric
    assert plain.facts["plain"] is None


class Stopped(Exception):
    """Somebody stops a run."""


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    data: Path, trunks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = shrunken("classify-se", 3)
    whole, parts = (copied(trunks, tmp_path / name) for name in ("whole", "parts"))
    training.train(recipe, data, tmp_path / "runs of whole", whole)
    epoch = Run._epoch

    def stop_after_the_second(run: Run, *arguments: Any) -> None:
        if run.epoch == 2:
            raise Stopped
        epoch(run, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "_epoch", stop_after_the_second)
        with pytest.raises(Stopped):
            training.train(recipe, data, tmp_path / "runs", parts)
    assert not (parts / "classify-se.safetensors").exists()
    torch.manual_seed(123)
    training.train(recipe, data, tmp_path / "runs", parts)
    ours, theirs = (load_file(folder / "classify-se.safetensors") for folder in (parts, whole))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_run_on_kept_features_ends_where_one_on_pictures_does(
    data: Path, trunks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = shrunken("segment-danet", 2)
    kept, seen = (copied(trunks, tmp_path / name) for name in ("kept", "seen"))
    training.train(recipe, data, tmp_path / "runs of kept", kept)
    assert list((tmp_path / "runs of kept").glob("features-*/epoch-01/*.safetensors"))
    monkeypatch.setattr(training, "kept", lambda task, *others: task)
    training.train(recipe, data, tmp_path / "runs of seen", seen)
    assert not list((tmp_path / "runs of seen").glob("features-*"))
    ours, theirs = (load_file(folder / "segment-danet.safetensors") for folder in (kept, seen))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_run_learns(data: Path, tmp_path: Path) -> None:
    recipe = replace(shrunken("trunk-classifier", 8), peak_rate=0.02)
    training.train(recipe, data, tmp_path / "runs", tmp_path)
    assert weights.read_card("trunk-classifier", tmp_path).metric["accuracy"] > 0.6


def test_a_checkpoint_of_another_recipe_is_refused(
    data: Path, trunks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    folder = copied(trunks, tmp_path / "weights")
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(folder))
    monkeypatch.setitem(RECIPES, "classify-se", shrunken("classify-se", 1))
    arguments = ["classify-se", "--data", str(data), "--runs", str(tmp_path / "runs")]
    threads = ["--threads", str(torch.get_num_threads())]
    assert training.main([*arguments, *threads]) == 0
    assert "classify-se.safetensors" in capsys.readouterr().out
    monkeypatch.setitem(RECIPES, "classify-se", replace(RECIPES["classify-se"], batch=6))
    assert training.main([*arguments, *threads]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "remove it" in said


def test_training_without_packs_is_refused(
    trunks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(trunks))
    threads = ["--threads", str(torch.get_num_threads())]
    assert training.main(["classify-se", "--data", str(tmp_path), *threads]) == 2
    assert "index.csv" in capsys.readouterr().err


def test_the_rate_rises_and_falls_in_every_cycle() -> None:
    recipe = replace(shrunken("classify-se", 10), cycles=((6, 1.0), (4, 0.5)))
    rates = np.array([rate_at(recipe, epoch) for epoch in np.linspace(0, 9.999, 2001)])
    assert rates[0] == 0
    assert rates.max() == pytest.approx(1, abs=0.02)
    second = rates[1201:]
    assert second[0] < 0.05
    assert second.max() == pytest.approx(0.5, abs=0.02)
    assert rates[-1] < 1e-3
    assert (rates >= 0).all()


def test_crops_come_in_order_and_fill_the_run() -> None:
    recipe = RECIPES["trunk-segmenter"]
    found = [crop_at(recipe, epoch) for epoch in range(recipe.epochs)]
    assert [found.count(crop) for crop in recipe.crops] == [crop.epochs for crop in recipe.crops]
    with pytest.raises(ValueError, match="expected crops"):
        replace(recipe, cycles=((1, 1.0),))


def test_a_share_of_the_crops_is_as_sharp_as_the_picture() -> None:
    pictures = torch.randint(0, 256, (64, 3, 36, 48), dtype=torch.uint8)
    masks = pictures[:, 0] % 12
    generator = torch.Generator().manual_seed(0)
    theta = random_boxes(64, (0.6, 1.3), (0.85, 1.18), generator, crisp=0.5)
    cut, answers = crop(pictures, theta, 36, 48), crop_masks(masks, theta, 36, 48, 255)
    flipped = theta[:, 0, 0] < 0
    whole = torch.where(flipped.view(-1, 1, 1, 1), pictures.flip(3), pictures).float()
    crisp = (cut - whole).abs().amax(dim=(1, 2, 3)) < 0.05
    assert 20 < int(crisp.sum()) < 44
    assert {bool(each) for each in flipped[crisp]} == {True, False}
    mirrored = torch.where(flipped.view(-1, 1, 1), masks.flip(2), masks)
    assert torch.equal(answers[crisp], mirrored[crisp].long())
    plain = random_boxes(64, (0.6, 1.3), (0.85, 1.18), generator)
    assert not (plain[:, 0, 0].abs() == 1).any()


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.frozen])
def test_attention_is_trained_and_what_is_shared_is_not(name: str) -> None:
    recipe = RECIPES[name]
    network = weights.build(recipe.task, recipe.mechanism, form=recipe.form)
    still = freeze(network, recipe)
    attention = [p for block in blocks_of(network).values() for p in block.parameters()]
    assert all(parameter.requires_grad for parameter in attention)
    first = next(iter(network.trunk.stem.parameters()))
    assert not first.requires_grad
    assert bool(still) is not recipe.train_norms


# Evaluation.


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    return write_networks(folder, ("classify", "se"), ("segment", "nonlocal"))


@pytest.fixture
def evaluated(bundled: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(bundled))
    return lambda *arguments: evaluate.main([str(argument) for argument in arguments])


def test_accuracy_as_json(data: Path, evaluated: Callable[..., int], capsys: Captured) -> None:
    assert evaluated("classify-se", data / "cls_imagenette128", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["accuracy", "count"]
    assert found["count"] == 18
    assert 0 <= found["accuracy"] <= 1
    assert evaluated("classify-se", data / "cls_imagenette128", "--split", "val") == 0
    assert "count: 6" in capsys.readouterr().out


def test_miou_as_json(data: Path, evaluated: Callable[..., int], capsys: Captured) -> None:
    assert evaluated("segment-nonlocal", data / "seg_camvid", "--json", "--split", "test") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["miou", "iou", "count"]
    assert found["count"] == 2
    assert list(found["iou"]) == [name for name in CAMVID_CLASSES if name != "unlabelled"]
    known = [value for value in found["iou"].values() if value is not None]
    assert found["miou"] == pytest.approx(sum(known) / len(known))


def test_perfect_answers_are_measured_as_such(data: Path) -> None:
    class Knows(torch.nn.Module):
        """Reads the class off the colour, as the packs are painted."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores = torch.zeros(x.shape[0], 10)
            for index, label in enumerate((0, 4, 9)):
                scores[:, label] = x[:, index].mean()
            return scores

    preprocessing = weights.HOSTS["classify"].preprocessing
    pack = data / "cls_imagenette128"
    assert evaluate.measure(Knows(), "classify", preprocessing, pack)["accuracy"] == 1


def broken(pack: Path, how: str) -> None:
    index = pack / "index.csv"
    image = next(pack.rglob("*.jpg"))
    mask = next(pack.rglob("*.png"), None)
    if how == "no index":
        index.unlink()
    elif how == "other columns":
        index.write_text("a,b\n1,2\n")
    elif how == "empty index":
        index.write_text("")
    elif how == "unknown class":
        index.write_text(index.read_text().replace("tench", "salmon"))
    elif how == "picture missing":
        image.unlink()
    elif how == "picture no picture":
        image.write_text("no picture")
    elif how == "picture too small":
        Image.new("RGB", (20, 20)).save(image)
    elif mask is not None and how == "mask of another size":
        Image.new("L", (64, 64)).save(mask)
    elif mask is not None and how == "mask with unknown classes":
        Image.new("L", (128, 96), 200).save(mask)
    elif how == "masks without labels":
        for path in pack.rglob("*.png"):
            Image.new("L", (128, 96), 11).save(path)


@pytest.mark.parametrize(
    "how",
    ["no index", "other columns", "empty index", "unknown class", "picture missing",
     "picture no picture", "picture too small"],
)  # fmt: skip
def test_a_broken_pack_is_refused_in_one_sentence(
    how: str, evaluated: Callable[..., int], tmp_path: Path, capsys: Captured
) -> None:
    pack = classification_pack(tmp_path, train=3, val=3)
    broken(pack, how)
    assert evaluated("classify-se", pack, "--json") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    "how", ["mask of another size", "mask with unknown classes", "masks without labels"]
)
def test_a_broken_mask_is_refused_in_one_sentence(
    how: str, evaluated: Callable[..., int], tmp_path: Path, capsys: Captured
) -> None:
    pack = segmentation_pack(tmp_path / "pack", train=1, test=1)
    broken(pack, how)
    assert evaluated("segment-nonlocal", pack) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1


def test_unknown_networks_splits_and_tasks_are_refused(
    data: Path, evaluated: Callable[..., int], capsys: Captured
) -> None:
    pack = data / "cls_imagenette128"
    assert evaluated("classify-x", pack) == 2
    assert "classify-x" in capsys.readouterr().err
    assert evaluated("classify-se", pack, "--split", "test") == 2
    assert "'train', 'val'" in capsys.readouterr().err
    assert evaluated("segment-nonlocal", pack) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_entries_of_the_wrong_task_are_refused(data: Path) -> None:
    with pytest.raises(PackError, match="columns"):
        read_classification(data / "seg_camvid")
    (entry, *_) = read_classification(data / "cls_imagenette128", "val")
    with pytest.raises(PackError, match="expected a mask"):
        entry.classes()
    assert read_segmentation(data / "seg_camvid", "test")[0].classes().shape == (96, 128)
