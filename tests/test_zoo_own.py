"""Own weights, for the networks that are registered: read safely, and fitting exactly."""

from __future__ import annotations

import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from models import own, weights
from models.zoo import loading
from models.zoo.table import entries
from tests.networks_for_tests import scene
from vizattn.__main__ import main
from vizattn.analysis import Analysis, Classification, look
from vizattn.networks import Library, UnfitWeights, UnknownNetwork
from vizattn.store import Forgotten, Store
from vizattn.ui.downloads import Download, Downloads
from vizattn.ui.links import Link
from vizattn.ui.settings import Settings
from vizattn.ui.visits import Desk, NotAllowed, NotHere

OWN = "classify-se"
THEIRS = "mobilenetv3_small_100.lamb_in1k"
SEGMENTER = "lraspp_mobilenet_v3_large.COCO_WITH_VOC_LABELS_V1"


def tensors_of(name: str, classes: int | None = None) -> dict[str, Tensor]:
    """Return random weights of a registered network."""
    torch.manual_seed(11)
    if name in entries():
        network = loading.build(entries()[name], classes)
        return (network.network if name == SEGMENTER else network).state_dict()
    host = weights.HOSTS["classify"]
    if classes is not None:
        host = replace(host, classes=own.numbered(classes))
    return weights.build("classify", "se", {"classify": host}).state_dict()


@pytest.fixture(scope="module")
def library() -> Library:
    return Library("cpu")


@pytest.mark.parametrize("name", [OWN, THEIRS, SEGMENTER])
@pytest.mark.parametrize("kind", ["safetensors", "pt", "wrapped", "parallel"])
def test_own_weights_are_used(name: str, kind: str, library: Library, tmp_path: Path) -> None:
    tensors = tensors_of(name)
    path = tmp_path / f"mine.{kind}"
    if kind == "safetensors":
        safetensors.torch.save_file(tensors, path)
    else:
        parallel = {f"module.{key}": value for key, value in tensors.items()}
        saved = {
            "pt": tensors,
            "wrapped": {"epoch": 3, "state_dict": tensors},
            "parallel": parallel,
        }
        torch.save(saved[kind], path)
    network = library.with_weights(name, path)
    loaded = network.module.state_dict()
    inner = "network." if name == SEGMENTER else ""
    assert {f"{inner}{key}" for key in tensors} == loaded.keys()
    assert all(torch.equal(loaded[f"{inner}{key}"], value) for key, value in tensors.items())
    assert network.card.facts["weights"] == path.name
    assert network.card.metric == {}
    assert network.card.foreign is (name != OWN)
    assert not network.module.training


@pytest.mark.parametrize("name", [OWN, THEIRS])
def test_another_number_of_classes_is_seen(name: str, library: Library, tmp_path: Path) -> None:
    path = tmp_path / "seven.safetensors"
    safetensors.torch.save_file(tensors_of(name, 7), path)
    network = library.with_weights(name, path)
    assert network.card.classes == tuple(f"class {index}" for index in range(7))
    found = look(scene(90, 70), network).prediction
    assert isinstance(found, Classification)
    assert len(found.probabilities) == 7


def test_what_does_not_fit_is_named(library: Library, tmp_path: Path) -> None:
    tensors = tensors_of(OWN)
    names = list(tensors)
    for name in names[:5]:
        del tensors[name]
    tensors["surplus.weight"] = torch.zeros(3)
    tensors[names[6]] = torch.zeros(2, 2, 2)
    path = tmp_path / "odd.safetensors"
    safetensors.torch.save_file(tensors, path)
    with pytest.raises(UnfitWeights) as refused:
        library.with_weights(OWN, path)
    said = str(refused.value)
    assert f"missing: 5 ({', '.join(names[:3])}, …)" in said
    assert "unexpected: 1 (surplus.weight)" in said
    assert f"another shape: 1 ({names[6]})" in said
    assert "odd.safetensors" in refused.value.sentence("zh")


class Runs:
    """Something that would run code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (print, ("this must not be printed",))


@pytest.mark.parametrize(
    "content",
    [
        {"weight": torch.zeros(2), "code": Runs()},
        nn.Linear(2, 2),
        {"epoch": 3},
        [torch.zeros(2)],
    ],
    ids=["code", "module", "no tensors", "list"],
)
def test_more_than_tensors_is_refused(
    content: Any, library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.pt"
    torch.save(content, path)
    with pytest.raises(UnfitWeights, match="cannot be read as weights"):
        library.with_weights(OWN, path)
    assert "must not be printed" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"no weights", bytes(8) + b"{", b"\x80\x02."])
def test_damaged_files_are_refused(content: bytes, library: Library, tmp_path: Path) -> None:
    path = tmp_path / "broken.pt"
    path.write_bytes(content)
    with pytest.raises(UnfitWeights, match=r"broken\.pt cannot be read as weights"):
        library.with_weights(OWN, path)


def test_a_number_that_is_none_is_refused(library: Library, tmp_path: Path) -> None:
    tensors = tensors_of(OWN)
    name = next(key for key, value in tensors.items() if value.is_floating_point())
    tensors[name] = torch.full_like(tensors[name], float("nan"))
    path = tmp_path / "nan.safetensors"
    safetensors.torch.save_file(tensors, path)
    with pytest.raises(UnfitWeights, match="finite"):
        library.with_weights(OWN, path)


def test_what_unpacks_to_too_much_is_refused(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data/0", bytes(4_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(UnfitWeights, match="more than 1 MB"):
        library.with_weights(OWN, path, 1_000_000)


def test_a_network_that_is_not_registered_has_none(library: Library, tmp_path: Path) -> None:
    with pytest.raises(UnknownNetwork):
        library.with_weights("nobody", tmp_path / "x.pt")


def test_the_command_line_takes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, picture = tmp_path / "mine.safetensors", tmp_path / "picture.png"
    safetensors.torch.save_file(tensors_of(OWN), path)
    scene(80, 60).save(picture)
    asked = ["show", str(picture), "--model", OWN, "--weights", str(path)]
    assert main([*asked, "--out", str(tmp_path / "out")]) == 0
    assert f"{OWN} with mine.safetensors on" in capsys.readouterr().out
    path.write_bytes(b"no weights")
    assert main([*asked, "--out", str(tmp_path / "other")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot be read as weights" in said
    assert not (tmp_path / "other").exists()


def desk(library: Library, **settings: Any) -> Desk:
    return Desk(library, Store[Analysis](), Settings(**settings))


def test_a_visitor_uses_weights_where_that_is_allowed(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    safetensors.torch.save_file(tensors_of(OWN), path)
    ours = desk(library, allow_weights=True)
    first = ours.arrive("alice", ours.invite("en", Link(network=OWN)), Link())
    view = ours.use_weights("alice", first.visit, path, first.selection)
    assert view.visit.weights is not None
    assert view.visit.weights.file == "mine.safetensors"
    before, after = (each.analysis.prediction for each in (first, view))
    assert isinstance(before, Classification) and isinstance(after, Classification)
    assert before.top() != after.top()
    # They stay for the next picture, are nobody else's, and go with another network.
    picture = tmp_path / "picture.png"
    scene(80, 60).save(picture)
    second = ours.open_picture("alice", view.visit, picture, {})
    assert second.analysis.network is view.analysis.network
    with pytest.raises(Forgotten):
        ours.open_picture("mallory", view.visit, picture, {})
    third = ours.change_network("alice", second.visit, OWN, {})
    assert third.visit.weights is None
    assert third.analysis.network is library.network(OWN)


def test_otherwise_weights_are_refused(library: Library, tmp_path: Path) -> None:
    ours = desk(library)
    first = ours.arrive("alice", ours.invite("en", Link(network=OWN)), Link())
    with pytest.raises(NotAllowed, match="not allowed"):
        ours.use_weights("alice", first.visit, tmp_path / "x.pt", {})


def test_a_look_downloads_nothing(library: Library) -> None:
    ours = desk(library)
    assert THEIRS in ours.offered()
    assert THEIRS not in ours.networks()
    with pytest.raises(NotHere, match="choose this network on the page"):
        ours.network(THEIRS)
    shut = desk(library, downloads=False)
    assert THEIRS not in shut.offered()
    with pytest.raises(NotAllowed, match="downloads nothing"):
        shut.check_download(THEIRS)


class Slow(Library):
    """Hands out its file only when it is told to; counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self.asked = 0
        self.failing: Exception | None = None
        self.go = threading.Event()

    def fetch(self, name: str, progress: Any = None) -> None:
        self.asked += 1
        progress(30, 100)
        self.go.wait(30)
        if self.failing is not None:
            raise self.failing


def test_a_download_is_shared_and_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vizattn.ui.downloads.EVERY", 0.01)
    slow = Slow()
    downloads = Downloads(slow)
    first, second = downloads.follow(THEIRS), downloads.follow(THEIRS)
    seen: Download = next(first)
    assert next(second) is seen
    while not seen.total:
        next(first)
    assert (seen.done, seen.total) == (30, 100)
    slow.go.set()
    assert all(each is seen for each in first)
    assert all(each is seen for each in second)
    assert slow.asked == 1


def test_a_download_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vizattn.ui.downloads.EVERY", 0.01)
    slow = Slow()
    slow.failing = UnfitWeights("zoo.own_off")
    slow.go.set()
    with pytest.raises(UnfitWeights):
        list(Downloads(slow).follow(THEIRS))
