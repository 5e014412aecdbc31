"""The zoo's table against the libraries that build its networks, and their preprocessing."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from models.zoo.groups import GROUPS
from models.zoo.libraries import LIBRARIES
from models.zoo.loading import pretrained
from models.zoo.table import FACTS, FEATURES, LINES, SEGMENT, TIMM, Entry, entries
from vizattn.analysis import prepare
from vizattn.intake import read_picture
from vizattn.networks import Network
from vizattn.texts import LANGUAGES, catalogue

LEAST = 40
WANTED = {"se", "eca", "gc", "sk", "split", "bat", "halo", "bot", "swin", "maxvit", "coatnet"}
WANTED |= {"vit", "deit", "dinov2", "registers", "dinov3", "convnext", "efficientnet"}
WANTED |= {"mobilenet", "regnet", "lraspp", "deeplab"}
SQUARE = 331
"""pixels of a side: more than any native side but the largest"""


def test_there_are_enough_of_every_kind() -> None:
    found = entries().values()
    assert len({entry.architecture for entry in found}) >= LEAST
    assert {entry.kind for entry in found} >= WANTED
    assert {entry.kind for entry in found} == set(GROUPS)
    assert len({line.title for line in LINES}) == len(LINES)


@pytest.mark.parametrize("entry", entries().values(), ids=lambda entry: entry.name)
def test_facts_are_the_libraries(entry: Entry) -> None:
    kept = json.loads(FACTS.read_text(encoding="utf-8"))[entry.name]
    said = LIBRARIES[entry.source].facts(entry)
    assert {name: kept[name] for name in said} == said
    assert {"bytes", "parameters", "fixed"} <= kept.keys()


def test_classes_are_the_libraries() -> None:
    for card in pretrained().values():
        count = 0 if card.task == FEATURES else 21 if card.task == SEGMENT else 1000
        assert len(set(card.classes)) == count


def test_a_library_that_takes_one_size_is_given_it() -> None:
    import timm

    for entry in entries().values():
        if entry.source == TIMM and timm.get_pretrained_cfg(entry.name).fixed_input_size:
            assert entry.fixed, entry.name
        assert entry.preprocessing.fit == ("letterbox" if entry.fixed else "short")


def test_everything_has_words() -> None:
    for language in LANGUAGES:
        known = catalogue(language)
        families = {group.family.replace("-", "_") for group in GROUPS.values()}
        assert {f"zoo.family.{name}" for name in families} <= known.keys()
        assert {f"zoo.line.{kind}" for kind in GROUPS} <= known.keys()


def picture() -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((SQUARE, SQUARE), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    "name", ["seresnet50.a1_in1k", "resnest14d.gluon_in1k", "maxvit_rmlp_pico_rw_256.sw_in1k"]
)
def test_pixels_are_timms(name: str) -> None:
    import timm
    from timm.data import create_transform, resolve_data_config

    card = pretrained()[name]
    config = resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    if card.entry.fixed:
        # We keep the rim that would be cut off.
        config["crop_pct"] = 1.0
    compare(card.name, create_transform(**config)(picture()))


@pytest.mark.parametrize("name", ["regnet_y_400mf.IMAGENET1K_V2", "swin_t.IMAGENET1K_V1"])
def test_pixels_are_torchvisions(name: str) -> None:
    from torchvision.models import get_model_weights

    entry = entries()[name]
    wanted = get_model_weights(entry.architecture)[entry.tag].transforms()
    compare(name, wanted(picture()))


def compare(name: str, theirs: torch.Tensor) -> None:
    card = pretrained()[name]
    network = Network(name, torch.nn.Identity(), card, torch.device("cpu"))
    whole = picture()
    framing = network.framing(whole.size)
    ours = prepare(network, [read_picture(whole)], [framing])[0]
    side = theirs.shape[-1]
    start = round((ours.shape[-1] - side) / 2)
    middle = ours[:, start : start + side, start : start + side]
    torch.testing.assert_close(middle, theirs, atol=1e-5, rtol=0)
