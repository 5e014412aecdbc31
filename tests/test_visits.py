"""What visitors ask of the page, its links, its languages and its files, without a server."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.networks_for_tests import scene
from tests.served import networks_at
from vizattn.analysis import Analysis
from vizattn.intake import PictureError
from vizattn.networks import Library, UnknownNetwork
from vizattn.render import COLORMAPS
from vizattn.store import Forgotten, Store
from vizattn.texts import LANGUAGES
from vizattn.ui.links import BadLink, Link, choose_language, read_link
from vizattn.ui.saves import KINDS, save, selection_of
from vizattn.ui.settings import Settings
from vizattn.ui.uploads import NotUploaded, place_for, uploaded
from vizattn.ui.visits import Desk, View
from vizattn.views import Selection, UnknownHead


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    with (
        networks_at(tmp_path_factory.mktemp("networks")),
        pytest.MonkeyPatch.context() as patch,
    ):
        library = Library("cpu")
        for name in library.cards():
            library.network(name)
        cards = library.cards()
        patch.setattr(library, "cards", lambda: cards)
        yield Desk(library, Store[Analysis]())


def arrive(desk: Desk, session: str, language: str = "en", link: Link | None = None) -> View:
    link = link or Link()
    return desk.arrive(session, desk.invite(language, link), link)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "mine.png"
    scene(200, 140).save(path)
    return path


def test_the_first_view_is_an_example_with_a_place(desk: Desk) -> None:
    view = arrive(desk, "ann")
    first = next(iter(desk.examples.values()))
    assert view.visit.example == first.id
    assert view.visit.network == first.network
    assert view.selection["at"] is not None
    assert desk.store.find("ann", str(view.visit.analysis)) is view.analysis


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_example_opens_with_its_own_network_and_site(desk: Desk, language: str) -> None:
    visit = arrive(desk, "ann", language).visit
    for each in desk.examples.values():
        view = desk.open_example("ann", visit, each.id, {"colormap": "magma"})
        assert view.visit.network == each.network
        assert view.selection["site"] in {None, *(site.site for site in view.analysis.sites)}
        assert view.selection["colormap"] == "magma"
        assert view.visit.language == language
        assert view.analysis.framing.contains(tuple(view.selection["at"]))


def test_an_own_picture_keeps_the_network_and_starts_in_its_middle(
    desk: Desk, picture: Path
) -> None:
    visit = arrive(desk, "ann", link=Link(network="classify-se")).visit
    view = desk.open_picture("ann", visit, picture, {"at": [999, 999], "opacity": 0.5})
    assert view.visit.network == "classify-se"
    assert view.visit.example is None
    assert view.selection["at"] == [100, 70]
    assert view.selection["opacity"] == 0.5


def test_another_network_keeps_the_picture_and_the_place(desk: Desk, picture: Path) -> None:
    visit = arrive(desk, "ann").visit
    view = desk.open_picture("ann", visit, picture, {})
    other = desk.change_network("ann", view.visit, "classify-nonlocal", {"at": [12, 34]})
    assert other.analysis.picture.name == "mine.png"
    assert other.analysis.network.name == "classify-nonlocal"
    assert other.selection["at"] == [12, 34]


def test_nobody_sees_another_visitors_picture(desk: Desk, picture: Path) -> None:
    visit = arrive(desk, "ann").visit
    view = desk.open_picture("ann", visit, picture, {})
    with pytest.raises(Forgotten):
        desk.current("bob", view.visit)
    with pytest.raises(Forgotten):
        desk.change_network("bob", view.visit, "classify-se", {})


def test_an_example_that_was_forgotten_opens_again(desk: Desk) -> None:
    view = arrive(desk, "ann")
    desk.store.drop("ann")
    assert desk.current("ann", view.visit).picture.name == view.analysis.picture.name


def test_refusals_reach_the_page(desk: Desk, tmp_path: Path) -> None:
    visit = arrive(desk, "ann").visit
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    with pytest.raises(PictureError):
        desk.open_picture("ann", visit, text, {})
    with pytest.raises(UnknownNetwork):
        desk.change_network("ann", visit, "nothing", {})


def test_only_languages_that_are_spoken_here(desk: Desk) -> None:
    visit = arrive(desk, "ann").visit
    assert desk.speak(visit, "zh").language == "zh"
    assert desk.speak(visit, "fr").language == "en"


# Links


def test_a_link_names_a_view() -> None:
    query = {"example": "a", "network": "b", "site": "context", "head": "1", "at": "240,180.5"}
    link = read_link(query | {"colormap": "magma", "channel": "3", "lang": "zh", "__theme": "dark"})
    assert (link.example, link.network) == ("a", "b")
    assert link.selection == {
        "site": "context",
        "head": 1,
        "at": [240, 180.5],
        "colormap": "magma",
        "channel": 3,
    }
    assert read_link({"token": "0", "face": "maps"}).selection == {"token": 0, "face": "maps"}
    assert read_link({"head": "mean"}).selection == {"head": "mean"}
    assert read_link({}) == Link()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("head", "-1"),
        ("head", "x"),
        ("at", "3"),
        ("at", "1,2,3"),
        ("at", "nan,1"),
        ("at", "1e999,2"),
        ("channel", "1.5"),
        ("token", "-2"),
        ("face", "inside out"),
        ("colormap", "jet"),
    ],
)
def test_a_wrong_value_in_a_link_is_named(name: str, value: str) -> None:
    with pytest.raises(BadLink) as caught:
        read_link({name: value})
    for language in LANGUAGES:
        assert value in caught.value.sentence(language)
    assert caught.value.sentence("en") != caught.value.sentence("zh")


@pytest.mark.parametrize(
    "link",
    [
        Link(example="nothing"),
        Link(network="nothing"),
        Link(network="classify-plain"),
        Link(selection={"site": "nothing"}),
        Link(selection={"at": [1e6, 2]}),
    ],
    ids=["example", "network", "without attention", "site", "place"],
)
def test_a_link_to_what_is_not_here_is_refused(desk: Desk, link: Link) -> None:
    with pytest.raises(BadLink):
        arrive(desk, "ann", link=link)


def test_a_link_opens_its_view(desk: Desk) -> None:
    second = list(desk.examples.values())[1]
    link = Link(second.id, "classify-nonlocal", {"at": [5, 6], "colormap": COLORMAPS[1]})
    view = arrive(desk, "ann", "zh", link)
    assert (view.visit.example, view.visit.network) == (second.id, "classify-nonlocal")
    assert view.selection["at"] == [5, 6]
    assert view.selection["colormap"] == COLORMAPS[1]


@pytest.mark.parametrize(
    ("setting", "query", "accepted", "expected"),
    [
        ("auto", {}, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("auto", {}, "de-DE,de;q=0.9,en;q=0.4,zh;q=0.8", "zh"),
        ("auto", {}, "en-GB,zh;q=0.9", "en"),
        ("auto", {}, "fr", "en"),
        ("auto", {}, "zh;q=broken, en;q=0.1", "en"),
        ("auto", {}, "", "en"),
        ("zh", {}, "en", "zh"),
        ("zh", {"lang": "en"}, "zh", "en"),
        ("auto", {"lang": "xx"}, "zh", "zh"),
    ],
)
def test_the_language_of_a_visitor(
    setting: str, query: dict[str, str], accepted: str, expected: str
) -> None:
    assert choose_language(setting, query, accepted) == expected


@pytest.mark.parametrize("wrong", [{"language": "fr"}, {"queue_size": 0}, {"session_minutes": -1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Settings(**wrong)


# Files


def test_only_files_that_were_sent_are_opened(picture: Path) -> None:
    sent = place_for("mine.png")
    sent.write_bytes(picture.read_bytes())
    assert uploaded(str(sent)) == sent.resolve()
    folder = sent.parent
    climbing = f"{folder}/../../../etc/passwd"
    for path in (picture, folder, folder / "other.png", climbing, "", None, folder.parent):
        with pytest.raises(NotUploaded):
            uploaded(path)


def test_a_selection_of_the_browser_is_the_librarys() -> None:
    chosen = {"site": "context", "head": "mean", "at": [1, 2.5], "channel": None, "opacity": 1}
    assert selection_of(chosen) == Selection("context", None, (1.0, 2.5), None)
    assert selection_of({"head": 2, "channel": 4}) == Selection(None, 2, None, 4)


def test_every_kind_of_file_can_be_taken_away(desk: Desk) -> None:
    view = arrive(desk, "ann")
    example = desk.examples[str(view.visit.example)]
    site = view.analysis.site(None).site
    chosen = view.selection | {"site": site, "head": 0}
    files = {kind: save(kind, view.analysis, chosen, "en", example) for kind in KINDS}
    assert all(path.name == f"{example.id}-{view.visit.network}.{KINDS[kind][0]}"
               for kind, path in files.items())  # fmt: skip
    with Image.open(files["figure"]) as figure:
        assert figure.format == "PNG"
        assert min(figure.size) > 300
    with np.load(files["arrays"]) as arrays:
        row = arrays[f"{site}/row"]
        np.testing.assert_allclose(row, view.analysis.row(tuple(chosen["at"]), site))
    facts = json.loads(files["summary"].read_text("utf-8"))
    assert facts["selection"]["at"] == chosen["at"]
    code = files["script"].read_text("utf-8")
    ast.parse(code)
    assert f"assets/examples/{example.file}" in code


def test_a_file_of_what_is_not_there_is_refused(desk: Desk) -> None:
    view = arrive(desk, "ann")
    with pytest.raises(ValueError, match="kind"):
        save("poster", view.analysis, view.selection, "en")
    with pytest.raises(UnknownHead):
        save("summary", view.analysis, view.selection | {"head": 7}, "en")
