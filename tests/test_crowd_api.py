"""The call /count, as a program makes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from PIL import Image

from tests import served
from tests.crowd_for_tests import SIZE, THERMAL_SIZE, network, rgb_picture, thermal_picture
from tests.networks_for_tests import small_network, write_network
from vizattn.crowd.analysis import look_pair

NAME = "count-csca"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("networks")
    for each in (network(), small_network("segment", "nonlocal")):
        write_network(each, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIZATTN_WEIGHTS", str(folder))
        patch.setattr(served, "bundled_networks_are_there", lambda: True)
        with served.page_at(folder) as address:
            yield Client(address, verbose=False)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    rgb_picture().save(folder / "street.png")
    thermal_picture().save(folder / "heat.png")
    return {"rgb": folder / "street.png", "thermal": folder / "heat.png"}


def test_a_pair_is_counted(client: Client, files: dict[str, Path]) -> None:
    sent = {name: handle_file(path) for name, path in files.items()}
    facts, drawn = client.predict(**sent, network=NAME, api_name="/count")
    seen = look_pair(files["rgb"], files["thermal"], network())
    assert facts["count"] == pytest.approx(seen.count, rel=1e-2), "weights are stored as float16"
    assert facts["senses"] == ["rgb", "thermal"]
    assert facts["points"] == "bodies"
    assert sum(map(sum, facts["regions"])) == pytest.approx(facts["count"], abs=1e-4)
    assert len(facts["sites"]) == 15
    assert all(site["passed"] for site in facts["sites"])
    with Image.open(drawn) as image:
        assert (image.format, image.size) == ("PNG", SIZE)


@pytest.mark.parametrize(("sense", "size"), [("rgb", SIZE), ("thermal", THERMAL_SIZE)])
def test_one_sense_is_enough(
    client: Client, files: dict[str, Path], sense: str, size: tuple[int, int]
) -> None:
    sent = {sense: handle_file(files[sense])}
    facts, drawn = client.predict(**sent, network=NAME, api_name="/count")
    assert facts["senses"] == [sense]
    assert facts["trusts"] == [None] * 5
    with Image.open(drawn) as image:
        assert image.size == size


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"network": "nothing"}, "no network nothing"),
        ({"network": "segment-nonlocal"}, "does not count"),
        ({"rgb": None}, "Neither"),
    ],
    ids=str,
)
def test_what_cannot_be_counted_is_one_sentence(
    client: Client, files: dict[str, Path], changed: dict[str, str], sentence: str
) -> None:
    arguments = {"rgb": handle_file(files["rgb"]), "network": NAME} | changed
    with pytest.raises(Exception, match=sentence) as caught:
        client.predict(**arguments, api_name="/count")
    assert "\n" not in str(caught.value).strip()
    assert "Traceback" not in str(caught.value)


def test_a_counter_is_not_analysed_like_other_networks(
    client: Client, files: dict[str, Path]
) -> None:
    with pytest.raises(Exception, match="/count"):
        client.predict(image=handle_file(files["rgb"]), network=NAME, api_name="/analyze")
