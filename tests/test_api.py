"""The interface for programs, called as a program would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio.utils import get_upload_folder
from gradio_client import Client, handle_file
from PIL import Image

from models.weights import cards
from tests.networks_for_tests import scene
from tests.served import page_at
from vizattn.analysis import look
from vizattn.networks import Library

NETWORK = "segment-nonlocal"
SIZE = (240, 160)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with page_at(tmp_path_factory.mktemp("networks")) as address:
        yield address


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, verbose=False)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "mine.png"
    scene(*SIZE).save(path)
    return path


def attend(client: Client, **arguments: Any) -> tuple[dict[str, Any], str]:
    facts, overlay = client.predict(**arguments, api_name="/attend")
    return facts, overlay


def test_only_four_calls_are_offered_and_they_say_what_they_do(client: Client) -> None:
    offered = client.view_api(print_info=False, return_format="dict")
    assert offered["unnamed_endpoints"] == {}
    assert set(offered["named_endpoints"]) == {"/analyze", "/attend", "/count", "/trust"}
    for call in offered["named_endpoints"].values():
        assert len(call["description"]) > 40
    parameters = offered["named_endpoints"]["/attend"]["parameters"]
    assert [each["parameter_name"] for each in parameters] == [
        "image",
        "network",
        "site",
        "head",
        "x",
        "y",
        "analysis",
    ]
    assert all(each["parameter_has_default"] for each in parameters)


def test_a_picture_is_analysed(client: Client, picture: Path) -> None:
    facts = client.predict(image=handle_file(picture), network=NETWORK, api_name="/analyze")
    assert facts["picture"]["name"] == "mine.png"
    assert facts["picture"]["size"] == list(SIZE)
    assert facts["network"]["name"] == NETWORK
    assert facts["passed"] is True
    assert facts["sites"][0]["kind"] == "place_affinity"


def test_the_row_is_the_librarys_row(client: Client, picture: Path) -> None:
    facts, overlay = attend(client, image=handle_file(picture), network=NETWORK, x=60, y=40)
    seen = look(picture, Library("cpu").network(NETWORK))
    row = seen.row((60, 40))[0]
    np.testing.assert_allclose(facts["row"], row, rtol=1e-5, atol=1e-8)
    assert facts["query"] == seen.query_at((60, 40))
    assert facts["grid"]["rows"], facts["grid"]["columns"] == row.shape
    assert facts["sum"] == pytest.approx(1, abs=1e-4)
    assert facts["maximum"] == pytest.approx(float(row.max()), rel=1e-5)
    with Image.open(overlay) as image:
        assert (image.format, image.size) == ("PNG", SIZE)


def test_the_middle_is_asked_where_no_place_is_given(client: Client, picture: Path) -> None:
    facts, _ = attend(client, image=handle_file(picture), network=NETWORK)
    assert facts["at"] == [SIZE[0] / 2, SIZE[1] / 2]


def test_an_answer_can_be_asked_again_by_its_id(client: Client, picture: Path) -> None:
    facts = client.predict(image=handle_file(picture), network=NETWORK, api_name="/analyze")
    row, _ = attend(client, analysis=facts["id"], x=60, y=40, head=0, site="context")
    assert row["id"] == facts["id"]
    assert row["network"] == NETWORK


def test_nobody_else_can_ask_by_that_id(address: str, client: Client, picture: Path) -> None:
    facts = client.predict(image=handle_file(picture), network=NETWORK, api_name="/analyze")
    stranger = Client(address, verbose=False)
    with pytest.raises(Exception, match="no longer kept"):
        attend(stranger, analysis=facts["id"])
    assert attend(client, analysis=facts["id"])[0]["id"] == facts["id"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"network": "nothing"}, "no network nothing: choose one of"),
        ({"x": 9999, "y": 1}, "outside the picture"),
        ({"site": "nothing"}, "nothing"),
        ({"head": 5}, "5"),
        ({"network": "classify-se"}, "row"),
        ({"image": None}, "Neither a picture nor the id"),
        ({"analysis": "guessed"}, "no longer kept"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_answered_is_one_sentence(
    client: Client, picture: Path, changed: dict[str, Any], sentence: str
) -> None:
    arguments = {"image": handle_file(picture), "network": NETWORK} | changed
    with pytest.raises(Exception, match=sentence) as caught:
        attend(client, **arguments)
    assert "\n" not in str(caught.value).strip()
    assert "Traceback" not in str(caught.value)


def test_a_file_that_is_no_picture_is_refused(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("this is not a picture")
    with pytest.raises(Exception, match=r"notes\.png is not a picture"):
        client.predict(image=handle_file(path), network=NETWORK, api_name="/analyze")


@pytest.mark.parametrize("dressed", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_a_file_of_the_server_cannot_be_read(
    address: str, picture: Path, dressed: dict[str, Any]
) -> None:
    """A path that was never uploaded is refused, whatever it is dressed as."""
    call = f"{address}gradio_api/call/analyze"
    data = {"data": [{"path": str(picture), **dressed}, NETWORK]}
    event = httpx.post(call, json=data).json()["event_id"]
    answer = httpx.get(f"{call}/{event}", timeout=60).text
    assert "event: error" in answer
    assert "mine.png" not in answer


def test_only_what_was_sent_and_what_is_fetched_is_written(client: Client, tmp_path: Path) -> None:
    folder = Path(get_upload_folder())
    before = set(folder.rglob("*"))
    names = []
    for index in range(3):
        path = tmp_path / f"picture-{index}.png"
        scene(80, 80, seed=100 + index).save(path)
        client.predict(image=handle_file(path), network="classify-se", api_name="/analyze")
        names.append(path.name)
    assert sorted(path.name for path in set(folder.rglob("*")) - before if path.is_file()) == names


def test_there_are_networks_to_ask(address: str) -> None:
    assert {card.task for card in cards().values()} >= {"classify", "segment"}
