"""Every network of the zoo with random weights: its attention is captured and found to be true."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from models.zoo import loading
from models.zoo.survey import facts_of
from models.zoo.table import FACTS, FEATURES, SEGMENT, Entry, entries
from tests.networks_for_tests import scene
from vizattn.analysis import Analysis, Classification, Segmentation, UnknownSite, look
from vizattn.networks import Network

SMALL = 64
"""pixels of a side that nearly all of them can be built for"""
LARGE = {"bat", "halo"}
"""kinds whose blocks of places do not fit into less than their own size"""
ONE_SIZE = {"maxvit_t.IMAGENET1K_V1"}
"""names of those that are not built for other sizes"""


def side_of(entry: Entry) -> int | None:
    """Return the side of the small input that a network is built for, None for its own."""
    return None if entry.kind in LARGE or entry.name in ONE_SIZE else SMALL


def look_small(entry: Entry) -> Analysis:
    """Look at a picture with a network of random weights, as small as it can be built."""
    torch.manual_seed(0)
    side = side_of(entry)
    build = side if entry.fixed else None
    module = loading.build(entry, size=None if build is None else (build, build)).eval()
    side = side or entry.size[0]
    small = replace(entry, size=(side, side), resized=side)
    card = replace(loading.pretrained()[entry.name], entry=small)
    return look(scene(128, 96), Network(entry.name, module, card, torch.device("cpu")))


@pytest.mark.parametrize("entry", entries().values(), ids=lambda entry: entry.name)
def test_attention_is_captured_and_true(entry: Entry) -> None:
    seen = look_small(entry)
    if not entry.group.attends:
        assert seen.sites == ()
        with pytest.raises(UnknownSite, match="no attention to show"):
            seen.site()
        return
    assert seen.sites
    wrong = {
        (site.site, check.name): check.value
        for site in seen.sites
        for check in site.checks
        if not check.passed
    }
    assert wrong == {}
    assert all(site.checks for site in seen.sites)
    assert seen.missed == ()
    # Every token that is no place is known by name.
    extra = {name for site in seen.sites for name in getattr(site, "extra", ())}
    assert not [name for name in extra if name.startswith("extra")]
    # The picture is wider than it is high, and the input need not be.
    width, height = seen.framing.scaled
    assert width / height == pytest.approx(128 / 96, rel=0.05)
    check_prediction(entry, seen)


def check_prediction(entry: Entry, seen: Analysis) -> None:
    found = seen.prediction
    if entry.task == SEGMENT:
        assert isinstance(found, Segmentation)
        assert found.mask.shape == seen.framing.input[::-1]
        return
    assert isinstance(found, Classification)
    assert len(found.probabilities) == (0 if entry.task == FEATURES else 1000)
    assert found.probabilities.sum() == pytest.approx(0 if entry.task == FEATURES else 1, abs=1e-4)


@pytest.mark.parametrize("entry", entries().values(), ids=lambda entry: entry.name)
def test_counts_are_the_networks(entry: Entry) -> None:
    kept = json.loads(FACTS.read_text(encoding="utf-8"))[entry.name]
    found = facts_of(entry, loading.build(entry))
    assert found["parameters"] == kept["parameters"]
    assert found["bytes"] == kept["bytes"]
