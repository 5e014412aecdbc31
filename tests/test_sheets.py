"""Contact sheets: what is chosen of each network, and what is drawn of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.mechanism import Kind
from tests.networks_for_tests import bundling, scene, write_networks
from vizattn.__main__ import main
from vizattn.analysis import look
from vizattn.attention import ChannelGate
from vizattn.intake import read_picture
from vizattn.networks import Library
from vizattn.sheets.lines import Subject, contrast, lines, most_telling, sheet_networks
from vizattn.views import resolve

NETWORKS = (("classify", "cbam"), ("classify", None), ("segment", "danet"), ("segment", "isa"))
SIZES = ((120, 90), (90, 120))
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module", autouse=True)
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with bundling(write_networks(tmp_path_factory.mktemp("weights"), *NETWORKS)) as folder:
        yield folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{index}.png" for index in range(len(SIZES))]
    for path, size in zip(paths, SIZES, strict=True):
        scene(*size).save(path)
    return paths


def test_the_most_telling_attention_is_chosen(photos: list[Path]) -> None:
    library = Library("cpu")
    looks = {
        name: look(photos[0], library.network(name))
        for name in ("classify-cbam", "segment-danet", "segment-isa")
    }
    assert most_telling(looks["segment-danet"]) == ["context.position"]
    (together,) = most_telling(looks["segment-isa"])
    assert together.endswith("#composed"), "what several passes come to"
    cbam = looks["classify-cbam"]
    (site,) = most_telling(cbam)
    gates = [each for each in cbam.sites if each.kind is Kind.SPATIAL_GATE]
    assert contrast(cbam.site(site)) == max(map(contrast, gates))


def test_every_kind_is_shown_once_in_its_order(photos: list[Path]) -> None:
    library = Library("cpu")
    analysis = look(photos[0], library.network("classify-cbam"))
    chosen = most_telling(analysis, kinds=True)
    assert {analysis.site(site).kind for site in chosen} == {
        Kind.CHANNEL_GATE,
        Kind.SPATIAL_GATE,
    }
    order = [each.site for each in analysis.sites]
    assert sorted(chosen, key=order.index) == chosen


def test_all_networks_look_at_all_pictures_at_the_pointer(photos: list[Path]) -> None:
    library = Library("cpu")
    cards = sheet_networks(library)
    assert [card.name for card in cards] == ["classify-cbam", "segment-danet", "segment-isa"]
    subjects = [Subject(read_picture(path), (30.0, 40.0)) for path in photos]
    for line in lines(library, cards, subjects, kinds=True):
        assert len({each.site for each in line.selections}) == 1
        for each, chosen, size in zip(line.looks, line.selections, SIZES, strict=True):
            assert each.network.name == line.card.name
            assert each.picture.original_size == size
            assert chosen.at == (30.0, 40.0)
            captured = each.site(chosen.site)
            if isinstance(captured, ChannelGate):
                responses = np.abs(captured.activation.values)
                let_through = captured.values[:, None, None] * responses
                assert resolve(each, chosen).channel == let_through.max(axis=(1, 2)).argmax()


def test_pages_are_written_and_hold_every_line(
    photos: list[Path], tmp_path: Path, capsys: Captured
) -> None:
    more = [str(path) for path in photos]
    assert main(["sheet", *more, "--out", str(tmp_path / "all.png"), "--at", "0.3,0.4"]) == 0
    (page,) = capsys.readouterr().out.splitlines()
    assert page == str(tmp_path / "all-01.png")
    with Image.open(page) as image:
        three = np.asarray(image.convert("RGB"))
    one = ["--model", "segment-danet", "--out", str(tmp_path / "one.png")]
    assert main(["sheet", *more, *one, "--kinds", "--language", "zh"]) == 0
    with Image.open(tmp_path / "one-01.png") as image:
        two = np.asarray(image.convert("RGB"))
    assert three.shape[1] == two.shape[1]
    assert three.shape[0] > two.shape[0]
    # Each line has its words on white; between them the picture and its map.
    for pixels in (three, two):
        assert 0.2 < (pixels == 255).all(axis=2).mean() < 0.7
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500


def test_what_cannot_be_shown_is_refused(
    photos: list[Path], tmp_path: Path, capsys: Captured
) -> None:
    out = ["--out", str(tmp_path / "sheet.png")]
    for more, said in (
        (["--model", "classify-x"], "classify-x"),
        (["--model", "classify-plain"], "no attention"),
        (["--at", "0.5"], "X,Y"),
        (["--at", "2,0.5"], "120 × 90"),
    ):
        assert main(["sheet", str(photos[0]), *out, *more]) == 2
        refused = capsys.readouterr()
        assert refused.out == ""
        assert said in refused.err
    assert main(["sheet", str(tmp_path / "absent.png"), *out]) == 2
    assert not list(tmp_path.iterdir())
