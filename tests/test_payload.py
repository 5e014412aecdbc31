"""What the browser is sent: the analysis's own numbers, under names in the page's language."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.packs import CAMVID_CLASSES
from tests.networks_for_tests import scene, small_network
from vizattn.analysis import Analysis, Classification, Segmentation, look
from vizattn.attention import ChannelAffinity, ChannelGate, Check, PlaceAffinity, SpatialGate
from vizattn.labels import site_label
from vizattn.texts import LANGUAGES
from vizattn.ui.payload import CLASS_COLOURS, LONGEST_SHOWN, payload

NETWORKS = [
    ("classify", "se"),
    ("classify", "cbam"),
    ("classify", "nonlocal"),
    ("segment", "nonlocal"),
    ("segment", "danet"),
]
SELECTION = {"site": None, "head": 0, "at": [3.0, 4.0], "colormap": "magma"}


@cache
def analysis_of(task: str, mechanism: str) -> Analysis:
    return look(scene(150, 110), small_network(task, mechanism))


@pytest.fixture(params=NETWORKS, ids="-".join)
def seen(request: pytest.FixtureRequest) -> Analysis:
    return analysis_of(*request.param)


def floats(encoded: str, *shape: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(encoded), "<f4").reshape(shape)


def picture(sent: dict[str, Any]) -> Image.Image:
    head, _, data = sent["picture"]["url"].partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_it_is_json_that_a_browser_can_read(seen: Analysis) -> None:
    text = json.dumps(payload(seen, SELECTION), allow_nan=False)
    assert json.loads(text)["version"] == 1


def test_it_names_what_was_looked_at(seen: Analysis) -> None:
    sent = payload(seen, SELECTION)
    assert sent["id"] == seen.id
    assert sent["network"]["name"] == seen.network.name
    assert sent["selection"] == SELECTION
    assert [site["path"] for site in sent["sites"]] == [each.site for each in seen.sites]


def test_rows_from_the_sent_factors_are_the_rows() -> None:
    for task, mechanism in (("classify", "nonlocal"), ("segment", "danet")):
        seen = analysis_of(task, mechanism)
        captured = next(each for each in seen.sites if isinstance(each, PlaceAffinity))
        sent = next(site for site in payload(seen, {})["sites"] if site["path"] == captured.site)
        factors = sent["affinity"]
        queries, keys = (
            sent[name]["rows"] * sent[name]["columns"] for name in ("query_grid", "key_grid")
        )
        query = floats(factors["query"], sent["heads"], queries, factors["dim"])
        key = floats(factors["key"], sent["heads"], keys, factors["dim"])
        logits = factors["scale"] * np.einsum("hd,hkd->hk", query[:, 7], key)
        assert factors["normaliser"] == "softmax"
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(weights, captured.rows.row(7), rtol=1e-4, atol=1e-7)


def test_gates_and_matrices_are_sent_as_they_are() -> None:
    kinds = set()
    for network in NETWORKS:
        seen = analysis_of(*network)
        for captured, sent in zip(seen.sites, payload(seen, {})["sites"], strict=True):
            if isinstance(captured, ChannelGate):
                gate = floats(sent["gate"]["values"], sent["gate"]["channels"])
                np.testing.assert_array_equal(gate, captured.values)
                activation = captured.activation
                maps = floats(sent["activation"]["values"], *activation.values.shape)
                np.testing.assert_array_equal(maps, activation.values)
                assert sent["activation"]["grid"]["rows"] == activation.grid.rows
            elif isinstance(captured, SpatialGate):
                values = floats(sent["map"]["values"], *captured.values.shape)
                np.testing.assert_array_equal(values, captured.values)
                assert sent["map"]["grid"]["cell"] == list(captured.grid.cell)
            elif isinstance(captured, ChannelAffinity):
                channels = sent["matrix"]["channels"]
                matrix = floats(sent["matrix"]["values"], channels, channels)
                np.testing.assert_array_equal(matrix[3], captured.rows.row(3)[0])
            kinds.add(type(captured))
    assert kinds == {ChannelGate, SpatialGate, PlaceAffinity, ChannelAffinity}


def test_the_framing_takes_places_where_the_analysis_does(seen: Analysis) -> None:
    framing = payload(seen, {})["framing"]
    mapped = [
        value * scale + offset
        for value, scale, offset in zip(
            (33.0, 71.0), framing["scale"], framing["offset"], strict=True
        )
    ]
    np.testing.assert_allclose(mapped, seen.framing.to_model((33.0, 71.0)))


def test_the_answer_is_sent() -> None:
    seen = analysis_of("classify", "se")
    assert isinstance(seen.prediction, Classification)
    sent = payload(seen, {})["prediction"]
    assert [(one["class"], one["probability"]) for one in sent["top"]] == seen.prediction.top()

    seen = analysis_of("segment", "danet")
    assert isinstance(seen.prediction, Segmentation)
    sent = payload(seen, {})["prediction"]
    mask = np.frombuffer(base64.b64decode(sent["mask"]), np.uint8)
    np.testing.assert_array_equal(mask.reshape(sent["rows"], sent["columns"]), seen.prediction.mask)
    confidence = np.frombuffer(base64.b64decode(sent["confidence"]), np.uint8) / 255
    np.testing.assert_allclose(
        confidence, seen.prediction.probability.ravel(), atol=0.5 / 255 + 1e-6
    )
    assert sum(sent["share"]) == pytest.approx(1)
    assert len(sent["classes"]) == len(sent["colours"]) == len(sent["share"])


def spoken_in(sent: Any, path: str = "") -> dict[str, dict[str, str]]:
    """Return every text of a payload, in all its languages, by where it is."""
    if isinstance(sent, dict) and sent.keys() == set(LANGUAGES):
        return {path: sent}
    entries = sent.items() if isinstance(sent, dict) else ()
    entries = enumerate(sent) if isinstance(sent, list) else entries
    found = {}
    for key, value in entries:
        found |= spoken_in(value, f"{path}/{key}")
    return found


def test_every_word_is_sent_in_every_language(seen: Analysis) -> None:
    found = spoken_in(payload(seen, {}))
    wanted = ["/network/title", "/picture/alt"]
    for number, site in enumerate(seen.sites):
        wanted += [f"/sites/{number}/{part}" for part in ("title", "shape")]
        for check in range(len(site.checks)):
            wanted += [f"/sites/{number}/checks/{check}/{part}" for part in ("label", "text")]
    assert set(wanted) < set(found)
    answers = [path for path in found if path.startswith("/prediction/")]
    assert len(answers) in (5, len(CAMVID_CLASSES))
    for path in found:
        words = [found[path][language] for language in LANGUAGES]
        assert all(words), path
        assert len(set(words)) == len(LANGUAGES), path


def test_a_small_picture_is_sent_as_it_is() -> None:
    sent = payload(analysis_of("classify", "se"), {})
    shown = picture(sent)
    assert shown.size == (150, 110) == (sent["picture"]["width"], sent["picture"]["height"])
    assert np.array_equal(np.asarray(shown), np.asarray(scene(150, 110)))


@pytest.mark.parametrize("size", [(1500, 500), (480, 1400)])
def test_a_large_picture_keeps_its_shape(size: tuple[int, int]) -> None:
    sent = payload(look(scene(*size), small_network("classify", "se")), {})["picture"]
    assert (sent["width"], sent["height"]) == size
    assert max(sent["shown_width"], sent["shown_height"]) == LONGEST_SHOWN
    assert sent["shown_width"] / sent["shown_height"] == pytest.approx(size[0] / size[1], rel=0.01)


def test_sites_are_named_by_where_they_are() -> None:
    seen = analysis_of("classify", "cbam")
    first = seen.sites[0]
    assert site_label("en", first) == "Stage 1, block 1 · channel gate"
    assert site_label("zh", first) == "第 1 阶段第 1 块 · 通道门控"
    assert site_label("en", replace(first, site=f"{first.site}#2")).startswith(
        "Stage 1, block 1, pass 2"
    )
    assert site_label("en", replace(first, site="neck.4")) == "neck.4 · channel gate"


def test_a_failed_check_without_a_number_is_still_json() -> None:
    seen = analysis_of("segment", "nonlocal")
    broken = replace(seen.sites[0], checks=(Check("output", float("inf"), 1e-3),))
    sent = payload(replace(seen, sites=(broken,)), {})
    check = json.loads(json.dumps(sent, allow_nan=False))["sites"][0]["checks"][0]
    assert check["value"] is None
    assert check["passed"] is False


def test_class_colours_are_told_apart() -> None:
    assert len(CLASS_COLOURS) == len(CAMVID_CLASSES)
    colours = [np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)], float) for c in CLASS_COLOURS]
    nearest = min(float(np.linalg.norm(a - b)) for a, b in combinations(colours, 2))
    assert nearest > 50
