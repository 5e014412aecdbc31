"""How much rows depend on who asks: against all pairs counted out, and known extremes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.affinities.shared import SharedRowAffinity
from models.affinity import DenseAffinity, Factors, Normaliser, PairwiseAffinity, ProductAffinity
from models.mechanism import Claim, Kind
from tests.networks_for_tests import bundling, scene, small_network, write_networks
from vizattn.__main__ import main
from vizattn.analysis import Analysis, look
from vizattn.attention import PlaceAffinity, Rows
from vizattn.benchmarks import dependence_report
from vizattn.dependence import dependence, dependences, variances
from vizattn.geometry import Grid

SIZE = (150, 110)
NETWORKS = (("classify", "se"), ("segment", "nonlocal"), ("segment", "danet"))


@cache
def seen(task: str, mechanism: str) -> Analysis:
    return look(scene(*SIZE), small_network(task, mechanism))


def place(affinity: PairwiseAffinity, **more: tuple[str, ...]) -> PlaceAffinity:
    grid = Grid(1, affinity.shape[2], (1.0, 1.0))
    of = ("site", "Block", Kind.PLACE_AFFINITY, Claim.SIMPLEX, "y", ())
    return PlaceAffinity(*of, rows=Rows(affinity), query_grid=grid, key_grid=grid, **more)


def counted(rows: np.ndarray) -> list[float]:
    """The mean of 1 - cos over all pairs, one pair at a time."""
    means = []
    for head in rows.astype(np.float64):
        pairs = [
            1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            for i, a in enumerate(head)
            for j, b in enumerate(head)
            if i != j
        ]
        means.append(float(np.mean(pairs)))
    return means


@pytest.mark.parametrize("mechanism", ["nonlocal", "danet"])
def test_the_distance_is_that_of_all_pairs(mechanism: str) -> None:
    analysis = seen("segment", mechanism)
    (found, *_) = dependences(analysis)
    captured = analysis[found.site]
    assert isinstance(captured, PlaceAffinity)
    rows = captured.rows.some(range(captured.rows.queries))
    np.testing.assert_allclose(found.distances, counted(rows), atol=1e-6)
    assert found.distance > 1e-4


def test_extremes_are_known() -> None:
    shared = dependence(place(SharedRowAffinity(torch.randn(1, 2, 9), 9)))
    assert shared.distances == pytest.approx([0, 0], abs=1e-12)
    assert shared.pairwise is not None
    assert shared.pairwise.tolist() == [0, 0]
    apart = dependence(place(DenseAffinity(torch.eye(7)[None, None])))
    assert apart.distances.tolist() == [1]
    assert apart.pairwise is None
    opposite = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])[None, None]
    assert dependence(place(DenseAffinity(opposite))).distance == pytest.approx(2)


def test_the_reach_is_the_share_of_weights_that_are_not_0() -> None:
    window = torch.eye(8) + torch.eye(8).roll(1, 0)
    found = dependence(place(DenseAffinity(window[None, None])))
    assert found.reach == pytest.approx(2 / 8)
    assert dependence(place(SharedRowAffinity(torch.randn(1, 2, 9), 9))).reach == 1


def test_tokens_that_are_no_places_do_not_ask() -> None:
    weights = torch.eye(4).roll(1, 0)[None, None].clone()
    weights[0, 0, 0] = torch.tensor([0.0, 0.0, 0.0, 9.0])
    weights[0, 0, 1:] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    assert dependence(place(DenseAffinity(weights), extra=("class_token",))).distance == 0
    assert dependence(place(DenseAffinity(weights))).distance == pytest.approx(0.5)


def test_both_parts_add_up_to_the_logits_variance() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(1, 2, 11, 5) + 0.7, torch.randn(1, 2, 8, 5) - 0.3
    pairwise, unary = variances(Factors(query, key, 0.5, Normaliser.SOFTMAX))
    for head in range(2):
        q, k = query[0, head].double().numpy(), key[0, head].double().numpy()
        logits = 0.5 * q @ k.T
        # What is the same for a whole row is lost in its softmax.
        logits -= logits.mean(axis=1, keepdims=True)
        assert pairwise[head] + unary[head] == pytest.approx(logits.var())
        alone = 0.5 * (q - q.mean(0)) @ (k - k.mean(0)).T
        assert pairwise[head] == pytest.approx(alone.var())
        assert unary[head] == pytest.approx((0.5 * q.mean(0) @ (k - k.mean(0)).T).var())
        assert pairwise[head] > 0.01
        assert unary[head] > 0.01


def test_whitened_queries_have_no_unary_part() -> None:
    torch.manual_seed(0)
    query = torch.randn(1, 1, 20, 4)
    query = query - query.mean(dim=2, keepdim=True)
    found = dependence(place(ProductAffinity(query, torch.randn(1, 1, 20, 4))))
    assert found.pairwise_share == pytest.approx(1, abs=1e-9)


def test_other_normalisers_have_no_such_split() -> None:
    query, key = torch.randn(1, 1, 6, 3), torch.randn(1, 1, 6, 3)
    affinity = ProductAffinity(query, key, normaliser=Normaliser.MEAN)
    assert dependence(place(affinity)).pairwise_share is None


# The command line.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    weights = write_networks(tmp_path_factory.mktemp("weights"), *NETWORKS)
    pictures = tmp_path_factory.mktemp("pictures")
    for seed in range(2):
        scene(*SIZE, seed=seed).save(pictures / f"{seed}.png")
    (pictures / "notes.txt").write_text("no picture")
    with bundling(weights):
        yield pictures


def test_a_folder_is_averaged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ("--model", "segment-nonlocal", "--model", "segment-danet")
    assert main(["dependence", str(folder), *both, "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert [fact["network"] for fact in found] == ["segment-nonlocal", "segment-danet"]
    assert "notes.txt" in said.err
    alone = []
    for seed in range(2):
        args = ["dependence", str(folder / f"{seed}.png"), "--model", "segment-nonlocal", "--json"]
        assert main(args) == 0
        (fact,) = json.loads(capsys.readouterr().out)
        alone.append(fact["distance"]["mean"])
        assert fact["distance"]["deviation"] == 0
    first = found[0]["distance"]
    assert found[0]["pictures"] == 2
    assert first["mean"] == pytest.approx(np.mean(alone))
    assert first["deviation"] == pytest.approx(np.std(alone))
    assert [first["least"], first["most"]] == sorted(alone)
    assert 0 < found[0]["pairwise_share"]["mean"] < 1
    assert main(["dependence", str(folder), *both, "--markdown"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 4
    assert f"{first['mean']:.3f}" in table[2]


@pytest.mark.parametrize(
    ("place_of", "model", "says"),
    [
        ("", "classify-se", "no attention with a row for each place"),
        ("notes.txt", "segment-danet", "notes.txt"),
        ("nowhere", "segment-danet", "nowhere"),
        ("", "segment-other", "segment-other"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    folder: Path, place_of: str, model: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dependence", str(folder / place_of), "--model", model]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert "Traceback" not in said.err


def test_by_default_every_network_with_rows_is_measured(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dependence", str(folder / "0.png"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {fact["network"] for fact in found} == {"segment-nonlocal", "segment-danet"}
    for fact in found:
        assert fact["mechanism"] == fact["network"].partition("-")[2]
        assert fact["reach"] == 1
        assert fact["distance"]["mean"] == pytest.approx(
            np.mean([head["distance"] for head in fact["heads"]])
        )


def test_some_pictures_of_a_split(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "images").mkdir()
    for seed in range(4):
        Image.open(folder / "0.png").save(tmp_path / "images" / f"{seed}.jpg")
    rows = [("train", 0), ("test", 1), ("test", 2), ("test", 3)]
    lines = "\n".join(f"{split},{name}" for split, name in rows)
    (tmp_path / "index.csv").write_text(f"split,name\n{lines}\n")
    command = ["dependence", str(tmp_path), "--model", "segment-danet", "--json"]
    assert main([*command, "--split", "test", "--count", "2"]) == 0
    (fact,) = json.loads(capsys.readouterr().out)
    assert fact["pictures"] == 2
    assert main([*command, "--split", "night"]) == 2
    assert 'no pack of pictures with a split "night"' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--count", "0"])


def site(network: str, mean: float, reach: float, *shares: float | None) -> dict[str, Any]:
    share = None if shares[0] is None else {"mean": float(np.mean(shares)), "deviation": 0.0}
    return {
        "network": network,
        "mechanism": network,
        "site": "context",
        "pictures": 3,
        "reach": reach,
        "distance": {"mean": mean, "deviation": 0.0, "least": mean, "most": mean},
        "pairwise_share": share,
        "heads": [{"distance": mean, "pairwise_share": one} for one in shares],
    }


def test_the_report_says_who_has_rows_of_their_own(tmp_path: Path) -> None:
    found = [
        site("own", 0.6, 1, 0.9),
        site("same", 0.05, 1, 0.1),
        site("shared", 0.0, 1, 0.0),
        site("window", 0.99, 0.04, None),
        site("parts", 0.2, 1, 1.0, 0.0),
    ]
    pictures = {"folder": "pack", "split": "test", "all": 9}
    paths = dependence_report.write(found, pictures, tmp_path / "docs")
    assert paths[2].read_bytes().startswith(b"\x89PNG")
    report = json.loads(paths[0].read_text())
    shared, same, own, less, more, near = report["findings"]["en"]
    assert shared == "One row for all places, as they were built: `shared` (context)."
    assert same.endswith(": `same` (context) 0.05.")
    assert own.endswith(": `own` (context) 0.60.")
    assert less.endswith(": `shared` (context) 0%, `same` (context) 10%.")
    assert more.endswith(": `parts` (context) 50%, `own` (context) 90%.")
    assert near.startswith("Rows of `window` (context) 0.99 reach less than half")
    page = paths[1].read_text(encoding="utf-8")
    assert "--split test --count 3 --out docs" in page
    table = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert len({len(cells) for cells in table}) == 1
    assert [cells[0].strip("|` ") for cells in table[1:]] == [
        *("shared", "same", "parts", "", "", "own", "window")
    ]
    assert [cells[-1] for cells in table if cells[1].startswith("head")] == ["100% |", "0% |"]


def test_an_empty_folder_has_nothing_to_measure(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dependence", str(tmp_path), "--model", "segment-danet"]) == 2
    assert "no picture in this folder" in capsys.readouterr().err
