"""Weights of others: from the caches, from servers with a bar, damaged, and out of reach."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from models.weights import WeightsError
from models.zoo import fetching, loading
from models.zoo.fetching import Unreachable
from models.zoo.table import Entry, entries
from tests.zoo_for_tests import Served, in_cache, on_hub, server, use_caches
from vizattn.commands.reports.downloads import downloads
from vizattn.networks import Library, NotDownloaded, UnknownNetwork

HUB = "mobilenetv3_small_100.lamb_in1k"
ADDRESS = "mobilenet_v3_small.IMAGENET1K_V1"
CONTENT = bytes(range(256)) * 12_000
"""three megabytes: several pieces"""


def at_address(address: str, content: bytes) -> tuple[Entry, str]:
    """Return an entry whose file a server has, and the file's path there."""
    path = f"/models/net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    return replace(entries()[ADDRESS], origin=address + path), path


def random_weights(entry: Entry) -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return loading.build(entry).state_dict()


def test_a_network_comes_from_the_hubs_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_caches(monkeypatch, tmp_path)
    entry = entries()[HUB]
    tensors = random_weights(entry)
    library = Library("cpu")
    assert not library.here(HUB)
    in_cache(tmp_path / "hub", entry.origin, safetensors.torch.save(tensors))
    assert library.here(HUB)
    network = library.network(HUB)
    assert network is library.network(HUB)
    assert network.card.foreign
    assert not network.module.training
    loaded = network.module.state_dict()
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_a_network_comes_from_pytorchs_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_caches(monkeypatch, tmp_path)
    tensors = random_weights(entries()[ADDRESS])
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    content = buffer.getvalue()
    with server({at_address("", content)[1]: Served(content)}) as address:
        entry, _ = at_address(address, content)
        assert fetching.cached(entry) is None
        network = loading.load(entry)
    path = fetching.cached(entry)
    assert path is not None
    assert path.parent == tmp_path / "torch" / "hub" / "checkpoints"
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert torch.equal(network.state_dict()["classifier.3.bias"], tensors["classifier.3.bias"])
    # The server is gone: what is here is used.
    again = loading.load(entry)
    assert torch.equal(again.state_dict()["classifier.3.bias"], tensors["classifier.3.bias"])


def test_the_bar_hears_of_every_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_caches(monkeypatch, tmp_path)
    heard: list[tuple[int, int]] = []
    with server({at_address("", CONTENT)[1]: Served(CONTENT)}) as address:
        entry, _ = at_address(address, CONTENT)
        path = fetching.fetch(entry, lambda done, total: heard.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert len(heard) > 1
    assert heard == sorted(heard)
    assert heard[-1] == (len(CONTENT), len(CONTENT))


def test_the_hubs_bar_hears_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = entries()[HUB]
    heard: list[tuple[int, int]] = []
    with server(on_hub(entry.origin, CONTENT)) as address:
        use_caches(monkeypatch, tmp_path, address)
        path = fetching.fetch(entry, lambda done, total: heard.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert fetching.cached(entry) == path
    assert heard[-1] == (len(CONTENT), len(CONTENT))


def test_what_arrives_damaged_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_caches(monkeypatch, tmp_path)
    path = at_address("", CONTENT)[1]
    with server({path: Served(CONTENT[::-1])}) as address:
        entry, _ = at_address(address, CONTENT)
        with pytest.raises(WeightsError, match="checksum"):
            fetching.fetch(entry)
    assert fetching.cached(entry) is None


def test_what_the_hub_sends_damaged_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = entries()[HUB]
    etag = hashlib.sha256(b"something else").hexdigest()
    with server(on_hub(entry.origin, CONTENT, etag)) as address:
        use_caches(monkeypatch, tmp_path, address)
        with pytest.raises(WeightsError, match="checksum"):
            fetching.fetch(entry)
    assert fetching.cached(entry) is None


def test_what_lies_damaged_in_a_cache_is_fetched_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = entries()[HUB]
    with server(on_hub(entry.origin, CONTENT)) as address:
        use_caches(monkeypatch, tmp_path, address)
        etag = hashlib.sha256(CONTENT).hexdigest()
        link = in_cache(tmp_path / "hub", entry.origin, CONTENT[:-1], etag)
        assert not fetching.intact(link)
        assert fetching.fetch(entry).read_bytes() == CONTENT


def test_what_ends_early_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_caches(monkeypatch, tmp_path)
    path = at_address("", CONTENT)[1]
    with server({path: Served(CONTENT, length=len(CONTENT) + 1000)}) as address:
        entry, _ = at_address(address, CONTENT)
        with pytest.raises(Unreachable):
            fetching.fetch(entry)
    assert list((tmp_path / "torch" / "hub" / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("name", [HUB, "legacy_seresnet18.in1k"])
def test_without_a_network_there_is_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise OSError("Name or service not known")

    use_caches(monkeypatch, tmp_path)
    monkeypatch.setattr("socket.getaddrinfo", unknown)
    library = Library("cpu")
    with pytest.raises(NotDownloaded, match="connect to the network") as refused:
        library.network(name)
    assert f"{entries()[name].megabytes:.0f} MB" in str(refused.value)
    assert "自带的网络" in refused.value.sentence("zh")
    # The bundled ones still work.
    bundled = next(iter(library.cards()))
    assert library.network(bundled).name == bundled


def test_names_that_are_nearly_right_are_suggested() -> None:
    with pytest.raises(UnknownNetwork, match=r"choose one of .*seresnet50\.a1_in1k"):
        Library("cpu").network("seresnet50.a1")


def test_the_command_line_draws_its_bar_on_the_error_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with downloads("a network") as progress:
        progress(0, 2_000_000)
        progress(2_000_000, 2_000_000)
    said = capsys.readouterr()
    assert said.out == ""
    assert "a network: 100%" in said.err
