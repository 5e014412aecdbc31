"""Weight files: the bundled ones are what their cards say, and damaged ones are refused."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models import weights
from models.mechanism import mechanisms
from models.packs import UNLABELLED, read_classification, read_segmentation
from models.training.recipes import RECIPES
from models.weights import Card, WeightsError, load, read_card
from tests.networks_for_tests import small_network, write_network

BUNDLED = Path(__file__).resolve().parent.parent / "assets" / "weights"
# A mechanism has recipes from the day it is written, and weights from the day it is trained.
NETWORKS = [
    name
    for name in RECIPES
    if not name.startswith("trunk-") and (BUNDLED / f"{name}.json").is_file()
]
KEYS = {
    "name", "task", "mechanism", "mechanism_name", "shares", "sha256", "bytes", "parameters",
    "trained_parameters", "metric", "plain", "data", "classes", "preprocessing", "recipe",
    "command", "minutes", "machine",
}  # fmt: skip
MOST_BYTES = 80_000_000
CLOSE = 0.002
bundled = pytest.mark.parametrize("name", NETWORKS)


@cache
def card(name: str) -> Card:
    return read_card(name, BUNDLED)


@cache
def network(name: str) -> nn.Module:
    return load(name, BUNDLED)[0]


# What is bundled.


def test_everything_that_is_bundled_has_a_recipe() -> None:
    assert set(weights.cards(BUNDLED)) == set(NETWORKS)
    stems = {path.stem for path in BUNDLED.glob("*.safetensors")}
    assert stems == {path.stem for path in BUNDLED.glob("*.json")}


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < MOST_BYTES


@bundled
def test_the_card_says_how_the_weights_came_to_be(name: str) -> None:
    facts = card(name).facts
    assert facts.keys() >= KEYS
    assert facts["name"] == name == facts["recipe"]["name"]
    assert facts["command"] == f"python -m models.training {name}"
    assert isinstance(facts["recipe"]["seed"], int)
    assert facts["data"]["terms"]
    assert facts["data"]["train"] > 0
    assert facts["data"][facts["metric"]["split"]] == facts["metric"]["count"] > 0
    assert facts["parameters"] == sum(p.numel() for p in network(name).parameters())
    assert list(card(name).classes) == list(weights.HOSTS[facts["task"]].classes)


@bundled
def test_the_file_is_the_one_on_its_card(name: str) -> None:
    for stem in filter(None, (name, card(name).shares)):
        content = (BUNDLED / f"{stem}.safetensors").read_bytes()
        assert hashlib.sha256(content).hexdigest() == card(stem).sha256
        assert len(content) == card(stem).facts["bytes"]


@bundled
def test_the_network_loads_strictly(name: str) -> None:
    module = network(name)
    assert not module.training
    own = load_file(BUNDLED / f"{name}.safetensors")
    shared = card(name).shares
    lent = load_file(BUNDLED / f"{shared}.safetensors") if shared else {}
    for key, tensor in module.state_dict().items():
        stored = own.get(key, lent.get(key))
        assert stored is not None, f"{key} comes from nowhere"
        assert torch.equal(tensor, stored.to(tensor.dtype))
    assert own.keys() <= module.state_dict().keys()


@bundled
def test_attention_stands_beside_the_plain_host(name: str) -> None:
    mechanism, plain = card(name).mechanism, card(name).facts["plain"]
    if mechanism is None:
        assert plain is None
        return
    assert mechanism in mechanisms()
    assert plain["name"] == RECIPES[name].plain
    theirs = card(plain["name"])
    assert plain["metric"] == theirs.metric
    assert plain["parameters"] == theirs.facts["parameters"]
    same = ("split", "count")
    assert [plain["metric"][key] for key in same] == [card(name).metric[key] for key in same]


# All of them take minutes: VIZATTN_EVERY_CARD=1 measures every one, else these stand for them.
SOME = {
    *("classify-plain", "classify-se", "classify-cbam", "classify-nonlocal", "classify-sknet"),
    *("segment-plain", "segment-nonlocal", "segment-danet", "segment-isa"),
}
MEASURED_AGAIN = [name for name in NETWORKS if name in SOME or os.environ.get("VIZATTN_EVERY_CARD")]


@pytest.mark.parametrize("name", [name for name in MEASURED_AGAIN if name.startswith("classify")])
def test_the_accuracy_on_the_card_can_be_measured_again(name: str, shared: Path) -> None:
    facts = card(name).metric
    entries = read_classification(shared / "data" / "cls_imagenette128", facts["split"])
    assert len(entries) == facts["count"]
    right = 0
    for start in range(0, len(entries), 50):
        some = entries[start : start + 50]
        x = card(name).preprocessing.normalise(torch.stack([entry.pixels() for entry in some]))
        with torch.inference_mode():
            answers = network(name)(x).argmax(dim=1).tolist()
        right += sum(a == entry.label for a, entry in zip(answers, some, strict=True))
    assert right / len(entries) == pytest.approx(facts["accuracy"], abs=CLOSE)


@pytest.mark.parametrize("name", [name for name in MEASURED_AGAIN if name.startswith("segment")])
def test_the_iou_on_the_card_can_be_measured_again(name: str, shared: Path) -> None:
    facts = card(name).metric
    entries = read_segmentation(shared / "data" / "seg_camvid", facts["split"])
    assert len(entries) == facts["count"]
    classes = card(name).classes
    both, either = np.zeros(len(classes)), np.zeros(len(classes))
    for entry in entries:
        x = card(name).preprocessing.normalise(entry.pixels()[None])
        with torch.inference_mode():
            answer = network(name)(x).argmax(dim=1)[0].numpy()
        truth = entry.classes().numpy()
        counted = truth != UNLABELLED
        for index in range(len(classes)):
            ours, theirs = (answer == index) & counted, (truth == index) & counted
            both[index] += (ours & theirs).sum()
            either[index] += (ours | theirs).sum()
    iou = {
        name: both[index] / either[index]
        for index, name in enumerate(classes)
        if index != UNLABELLED and either[index]
    }
    assert np.mean(list(iou.values())) == pytest.approx(facts["miou"], abs=CLOSE)
    for label, value in iou.items():
        assert value == pytest.approx(facts["iou"][label], abs=2 * CLOSE)


# What is refused.


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    write_network(small_network("classify", "se"), tmp_path)
    yield tmp_path


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    """Change the tensors of a file and put its new checksum on the card."""
    path = folder / "classify-se.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    facts = json.loads(path.with_suffix(".json").read_text())
    facts["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(facts))


def changed(key: str, value: Tensor | None) -> Callable[[Path], None]:
    """Return a damage that puts another tensor in a place, or none."""

    def change(tensors: dict[str, Tensor]) -> None:
        if value is None:
            del tensors[key]
        else:
            tensors[key] = value

    return lambda folder: rewrite(folder, change)


def flip_a_byte(folder: Path) -> None:
    path = folder / "classify-se.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(folder: Path) -> None:
    path = folder / "classify-se.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def no_safetensors(folder: Path) -> None:
    path = folder / "classify-se.safetensors"
    path.write_text("numbers, honestly")
    facts = json.loads(path.with_suffix(".json").read_text())
    facts["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(facts))


def on_card(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "classify-se.json"
        facts = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({k: v for k, v in facts.items() if v is not ...}, default=str))

    return change


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "one bit": (flip_a_byte, "checksum"),
    "cut": (cut, "checksum"),
    "no weights": (lambda f: (f / "classify-se.safetensors").unlink(), "classify-se.safetensors"),
    "no card": (lambda f: (f / "classify-se.json").unlink(), "classify-se"),
    "card no JSON": (lambda f: (f / "classify-se.json").write_text("{"), "classify-se.json"),
    "card a list": (lambda f: (f / "classify-se.json").write_text("[]"), "classify-se.json"),
    "card without checksum": (on_card(sha256=...), "sha256"),
    "card without preprocessing": (on_card(preprocessing=...), "preprocessing"),
    "card with another fit": (on_card(preprocessing={"size": [64, 64], "fit": "x"}), "card"),
    "card without classes": (on_card(classes=[]), "class"),
    "text instead of tensors": (no_safetensors, "cannot be read"),
    "tensor missing": (changed("classify.bias", None), "classify.bias"),
    "tensor too many": (changed("more", torch.ones(2)), "more"),
    "other shape": (changed("classify.bias", torch.ones(11)), "(11,)"),
    "not a number": (changed("classify.bias", torch.full((10,), torch.nan)), "finite"),
    "infinite": (changed("classify.bias", torch.full((10,), torch.inf)), "finite"),
    "another mechanism": (on_card(mechanism="cbam"), "missing tensors"),
    "unknown mechanism": (on_card(mechanism="attention"), "mechanism"),
    "unknown task": (on_card(task="detect"), "task"),
    "shares what is not there": (on_card(shares="trunk-absent"), "trunk-absent"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_refused_in_one_sentence(name: str, folder: Path) -> None:
    damage, said = DAMAGE[name]
    load("classify-se", folder)
    damage(folder)
    with pytest.raises(WeightsError) as refused:
        load("classify-se", folder)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_was_saved_is_loaded(folder: Path) -> None:
    ours = small_network("classify", "se").module
    theirs, found = load("classify-se", folder)
    assert found.task == "classify"
    for key, value in ours.state_dict().items():
        rounded = value.half().to(value.dtype) if value.is_floating_point() else value
        assert torch.equal(theirs.state_dict()[key], rounded)


def test_numbers_too_large_for_float16_are_kept(tmp_path: Path) -> None:
    network = small_network("classify", None)
    norm = network.module.trunk.reduce[0][1][1]
    norm.running_var.fill_(1e5)
    write_network(network, tmp_path)
    stored = weights.read_tensors("classify-plain", tmp_path)
    large = [key for key, value in stored.items() if value.dtype == torch.float32]
    assert large == ["trunk.reduce.0.1.1.running_var"]
    theirs, _ = load("classify-plain", tmp_path)
    assert (theirs.state_dict()[large[0]] == 1e5).all()


def test_shared_tensors_are_stored_once(tmp_path: Path) -> None:
    plain, other = small_network("classify", None), small_network("classify", None, seed=1)
    write_network(plain, tmp_path)
    lent = weights.read_tensors("classify-plain", tmp_path)
    state = plain.module.state_dict()
    state["classify.bias"] = other.module.state_dict()["classify.bias"] + 1
    plain.module.load_state_dict(state)
    weights.save(plain.module, tmp_path / "own.safetensors", shares=lent)
    assert load_file(tmp_path / "own.safetensors").keys() == {"classify.bias"}


def test_cards_leave_trunks_out(folder: Path) -> None:
    card = (folder / "classify-se.json").read_text()
    (folder / "trunk-classifier.json").write_text(card)
    assert list(weights.cards(folder)) == ["classify-se"]
