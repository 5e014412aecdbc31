"""The whole page in a real browser, as a visitor meets it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from gradio_client import Client, handle_file

from tests.contrast import CONTRAST
from tests.networks_for_tests import scene
from tests.served import PATIENCE, enter, page_at
from vizattn.analysis import Analysis, look
from vizattn.examples import examples
from vizattn.store import Store
from vizattn.texts import text
from vizattn.ui import endpoints
from vizattn.ui.saves import KINDS

pytestmark = pytest.mark.browser

INSTRUMENT = "document.querySelector('.va-mount')?.parentElement?.vizattn"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
Open = Callable[..., Any]


class Clock:
    """A clock that can be put forward."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def store(clock: Clock) -> Store[Analysis]:
    return Store(clock=clock)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, store: Store[Analysis]) -> Iterator[str]:
    with page_at(tmp_path_factory.mktemp("networks"), store, max_upload_mb=1) as address:
        yield address


class Door:
    """Opens the page; what it asks of other hosts and its own problems are kept."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser, self.address = browser, address
        self.host = urlsplit(address).netloc
        self.problems: list[str] = []

    def enter(self, query: str = "", **options: Any) -> Any:
        page = enter(self.browser, problems=self.problems, **options)
        page.on("console", lambda said: self._hear(said.type, said.text))
        page.on("request", lambda request: self._follow(request.url))
        page.goto(self.address + query)
        settled(page)
        return page

    def _hear(self, kind: str, words: str) -> None:
        if kind == "error":
            self.problems.append(words)

    def _follow(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != self.host:
            self.problems.append(url)


@pytest.fixture(scope="module")
def door(browser: Any, address: str) -> Door:
    return Door(browser, address)


@pytest.fixture
def visit(door: Door) -> Iterator[Open]:
    """Open pages of one's own; a problem in any of them fails the test."""
    pages = []

    def enter(query: str = "", **options: Any) -> Any:
        pages.append(door.enter(query, **options))
        return pages[-1]

    yield enter
    for page in pages:
        page.context.close()
    assert door.problems == []


@pytest.fixture(scope="module")
def open_page(door: Door) -> Any:
    return door.enter()


@pytest.fixture
def page(open_page: Any, door: Door) -> Iterator[Any]:
    """Return a page that several tests use, at its first view."""
    open_page.mouse.move(0, 0)
    if query_of(open_page).get("lang") == "zh":
        after(open_page, lambda: open_page.click(".vp-header button[lang=en]"))
    after(open_page, lambda: open_page.locator(".vp-examples button").first.click())
    yield open_page
    assert door.problems == []


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "mine.png"
    scene(200, 140).save(path)
    return path


def settled(page: Any) -> None:
    """Wait until something is on show and the address says what."""
    page.wait_for_function(f"() => {INSTRUMENT}?.payload && location.search.includes('network=')")


def pick(page: Any, network: str) -> None:
    """Choose a network in the picker."""
    page.click(".vp-pick")
    page.click(f'.vp-option[data-network="{network}"]')


def shown(page: Any) -> dict[str, Any]:
    """Return what the instrument shows: its analysis, its picture's size, and its selection."""
    return page.evaluate(
        f"""() => {{
          const {{ payload, state }} = {INSTRUMENT};
          return {{ id: payload.id, network: payload.network.name, alt: payload.picture.alt,
            size: [payload.picture.width, payload.picture.height], site: state.site,
            at: state.pin, colormap: state.colormap }};
        }}"""
    )


def after(page: Any, act: Callable[[], object]) -> dict[str, Any]:
    """Do something that opens another analysis, and return what is shown then."""
    page.evaluate(f"() => {{ const {{ payload }} = {INSTRUMENT}; payload.old = true; }}")
    act()
    page.wait_for_function(f"() => !{INSTRUMENT}.payload.old")
    page.wait_for_timeout(100)
    return shown(page)


def row(page: Any) -> list[float]:
    return page.evaluate(f"() => {INSTRUMENT}.row()")


def place(page: Any, across: float, down: float) -> tuple[float, float]:
    """Return where on the screen a share of the picture is."""
    box = page.locator(".va-frame").bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def send(page: Any, path: Path) -> None:
    page.set_input_files(".vp-drop input[type=file]", path)


def query_of(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_the_first_view_shows_an_example_with_a_row(visit: Open) -> None:
    page = visit()
    first = examples()[0]
    here = shown(page)
    assert here["network"] == first.network
    assert here["at"] is not None
    assert sum(row(page)) == pytest.approx(1, abs=1e-3)
    assert page.locator(".vp-lead").inner_text() == first.note["en"]
    assert query_of(page)["example"] == first.id
    assert page.locator("footer:visible").count() == 0


def test_pointing_and_pinning_need_no_server(page: Any) -> None:
    page.keyboard.press("Escape")
    page.mouse.move(*place(page, 0.2, 0.3))
    page.wait_for_timeout(500)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator(".va-frame").focus()
    page.keyboard.press("Escape")
    rows = []
    for across, down in ((0.2, 0.3), (0.5, 0.8), (0.9, 0.2)):
        page.mouse.move(*place(page, across, down))
        page.wait_for_timeout(100)
        rows.append(row(page))
    page.mouse.click(*place(page, 0.25, 0.5))
    page.wait_for_function("() => !location.search.includes('at=655')")
    page.wait_for_timeout(400)
    assert asked == []
    assert len({tuple(each) for each in rows}) == 3
    width, height = shown(page)["size"]
    x, y = map(float, query_of(page)["at"].split(","))
    assert x == pytest.approx(0.25 * width, abs=3)
    assert y == pytest.approx(0.5 * height, abs=3)


SPOKEN = (
    ".vp-name p, .vp-help-button, .vp-choices h2, .vp-drop p, .vp-choices .vp-segments button, "
    ".vp-saves span, .vp-copy, .vp-about p:first-child, .vp-lead, .va-facts h3, .va-verdict, "
    ".va-controls label > span, .va-controls legend, .va-said, .va-legend li, .va-check-text, "
    ".va-numbers dt, .va-bar-label, .va-readout"
)


def test_the_language_changes_every_word(page: Any) -> None:
    before = shown(page)
    read = f"() => [...document.querySelectorAll('{SPOKEN}')].map((one) => one.innerText.trim())"
    english = [words for words in page.evaluate(read) if words]
    assert len(english) > 30
    assert not any(CHINESE.search(words) for words in english)
    page.click(".vp-header button[lang=zh]")
    page.wait_for_function("() => document.documentElement.lang === 'zh-CN'")
    page.wait_for_function(f"() => /[\\u4e00-\\u9fff]/.test({INSTRUMENT}.payload.sites[0].title)")
    page.wait_for_timeout(500)
    chinese = [words for words in page.evaluate(read) if words]
    assert len(chinese) == len(english)
    assert [words for words in chinese if not CHINESE.search(words)] == []
    assert CHINESE.search(page.title())
    page.click(".vp-pick")
    options = page.locator(".vp-option, .vp-networks h3").all_inner_texts()
    page.keyboard.press("Escape")
    assert options
    assert all(CHINESE.search(words) for words in options)
    assert shown(page)["at"] == before["at"]
    assert query_of(page)["lang"] == "zh"


def test_the_language_changes_even_of_what_is_no_longer_kept(
    visit: Open, mine: Path, clock: Clock, store: Store[Analysis]
) -> None:
    page = visit()
    after(page, lambda: send(page, mine))
    before = row(page)
    clock.ahead += 3600
    assert len(store) == 0
    page.click(".vp-header button[lang=zh]")
    page.wait_for_function(f"() => /[\\u4e00-\\u9fff]/.test({INSTRUMENT}.payload.sites[0].title)")
    page.wait_for_timeout(300)
    for part in (".va-facts .va-strong", ".va-check-name", ".va-legend li", ".vp-now"):
        assert CHINESE.search(page.locator(part).first.text_content()), part
    assert row(page) == before
    assert page.locator(".toast-wrap").inner_text() == ""


def test_a_browser_that_prefers_chinese_gets_it(visit: Open) -> None:
    page = visit(locale="zh-CN")
    assert CHINESE.search(page.locator(".vp-lead").inner_text())


def test_an_example_opens_with_its_own_network(page: Any) -> None:
    last = examples()[-1]
    here = after(page, lambda: page.locator(".vp-examples button").last.click())
    assert here["network"] == last.network
    page.wait_for_function(f"() => location.search.includes('example={last.id}')")
    assert (
        page.locator(".vp-examples [aria-pressed=true]").get_attribute("title") == last.title["en"]
    )


def test_of_quick_clicks_the_last_one_counts(page: Any) -> None:
    last = examples()[3]
    page.evaluate(
        """() => [1, 2, 3].forEach((index) => setTimeout(
          () => document.querySelectorAll(".vp-examples button")[index].click(), 60 * index))"""
    )
    page.wait_for_function(f"() => location.search.includes('example={last.id}')")
    page.wait_for_timeout(500)
    assert shown(page)["network"] == last.network


def test_an_own_picture_keeps_the_network_and_a_network_keeps_the_picture(
    page: Any, mine: Path
) -> None:
    network = shown(page)["network"]
    here = after(page, lambda: send(page, mine))
    assert (here["network"], here["size"], here["at"]) == (network, [200, 140], [100, 70])
    assert "mine.png" in here["alt"]
    page.wait_for_function("() => !location.search.includes('example=')")
    page.mouse.click(*place(page, 0.25, 0.25))
    there = after(page, lambda: pick(page, "segment-danet"))
    assert there["size"] == [200, 140]
    assert there["at"] == pytest.approx([50, 35], abs=2)
    other = after(page, lambda: page.click(".vp-choices .vp-segments button >> nth=0"))
    assert other["network"].startswith("classify-")


def test_a_dropped_picture_is_opened(page: Any, mine: Path) -> None:
    drop = """(bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
      for (const name of ["dragenter", "dragover", "drop"]) {
        document.querySelector(".vp-lead").dispatchEvent(
          new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));
      }
    }"""
    here = after(page, lambda: page.evaluate(drop, list(mine.read_bytes())))
    assert "dropped.png" in here["alt"]


def test_a_bad_file_is_one_sentence_and_loses_nothing(page: Any, tmp_path: Path) -> None:
    before, pixels = shown(page), row(page)
    bad = tmp_path / "<b>notes<b>.png"
    bad.write_text("not a picture")
    send(page, bad)
    toast = page.locator(".toast-wrap")
    toast.get_by_text("is not a picture").wait_for()
    assert "<b>" in toast.inner_text() or "notes" in toast.inner_text()
    assert page.locator(".toast-wrap b").count() == 0
    page.wait_for_timeout(300)
    assert shown(page) == before
    assert row(page) == pixels
    assert page.locator(".va-busy.va-on").count() == 0


def test_the_button_that_closes_a_message_is_named_in_the_language(
    visit: Open, tmp_path: Path
) -> None:
    page = visit("?lang=zh")
    for language, name in (("zh", "关闭"), ("en", "Close")):
        page.click(f".vp-header button[lang={language}]")
        page.wait_for_function(f"() => document.documentElement.lang.startsWith('{language}')")
        bad = tmp_path / "bad.png"
        bad.write_text("not a picture")
        send(page, bad)
        page.locator(f".toast-close[aria-label={name}]").wait_for()
    assert page.locator(".toast-close:not([aria-label=Close])").count() == 0


def test_who_comes_while_too_many_wait_is_told_so_and_can_try_again(
    browser: Any, tmp_path: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let = threading.Event()

    def look_when_let(*given: Any) -> Analysis:
        assert let.wait(PATIENCE)
        return look(*given)

    monkeypatch.setattr(endpoints, "look", look_when_let)
    with page_at(tmp_path, concurrency=1, queue_size=1) as address:
        door = Door(browser, address)
        page = door.enter("?lang=zh")
        before, other = shown(page), "segment-danet"
        program = Client(address, verbose=False)
        asked: dict[str, Any] = {"image": handle_file(mine), "network": other}
        jobs = [program.submit(**asked, api_name="/analyze") for _ in range(2)]
        while httpx.get(f"{address}gradio_api/queue/status").json()["queue_size"] < 1:
            time.sleep(0.05)
        pick(page, other)
        page.locator(".toast-wrap").get_by_text(text("zh", "errors.busy")).wait_for()
        page.wait_for_timeout(400)
        assert page.locator(".va-busy.va-on").count() == 0
        assert page.locator(".vp-pick").get_attribute("data-network") == before["network"]
        assert shown(page) == before
        let.set()
        assert [job.result()["network"]["name"] for job in jobs] == [other, other]
        again = after(page, lambda: pick(page, other))
        assert again["network"] == other
        page.context.close()
    assert [each for each in door.problems if "429" not in each] == []


def test_a_file_that_is_too_large_is_not_even_sent(page: Any, tmp_path: Path) -> None:
    heavy = tmp_path / "heavy.png"
    heavy.write_bytes(bytes(1024 * 1024 + 1))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    send(page, heavy)
    page.get_by_text("larger than 1 MB").wait_for()
    assert not any("upload" in url for url in asked)


def test_a_link_opens_the_same_view(visit: Open) -> None:
    page = visit()
    after(page, lambda: pick(page, "segment-danet"))
    page.mouse.click(*place(page, 0.3, 0.7))
    page.locator(".va-menu-colormap select").select_option("magma")
    page.wait_for_function("() => location.search.includes('magma')")
    here = shown(page)
    again = shown(visit("?" + urlsplit(page.url).query))
    for part in ("network", "site", "size", "colormap"):
        assert again[part] == here[part]
    assert again["at"] == pytest.approx(here["at"], abs=0.1)


def test_a_wrong_link_says_so_and_opens_the_first_view(visit: Open) -> None:
    page = visit("?example=%3Cimg%20src=x%3E")
    page.get_by_text("This link asks for something that is not here").wait_for()
    assert page.locator(".toast-wrap img").count() == 0
    assert query_of(page)["example"] == examples()[0].id


def test_every_kind_of_file_is_delivered(page: Any, tmp_path: Path) -> None:
    for kind, (suffix, _) in KINDS.items():
        with page.expect_download() as download:
            page.click(f"[data-save={kind}]")
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.suffix == f".{suffix}"
        assert path.name.startswith(examples()[0].id)
        assert path.stat().st_size > 200


def test_two_visitors_do_not_see_each_others_pictures(visit: Open, mine: Path) -> None:
    ann, bob = visit(), visit()
    own = after(ann, lambda: send(ann, mine))
    stolen = f"() => {INSTRUMENT}.payload.id"
    assert own["id"] != bob.evaluate(stolen)
    other = after(bob, lambda: pick(bob, "segment-danet"))
    assert "mine.png" not in other["alt"]
    ann.click(".vp-header button[lang=zh]")
    ann.wait_for_function("() => document.documentElement.lang === 'zh-CN'")
    assert "mine.png" in shown(ann)["alt"]


def test_who_leaves_is_forgotten(visit: Open, store: Store[Analysis], mine: Path) -> None:
    other = visit()
    before = len(store)
    page = visit()
    after(page, lambda: send(page, mine))
    assert len(store) == before + 2
    page.context.close()
    for _ in range(200):
        if len(store) == before:
            break
        other.wait_for_timeout(100)
    assert len(store) == before


def test_a_telephone_has_the_picture_first_and_never_scrolls_sideways(visit: Open) -> None:
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    wide = "() => document.documentElement.scrollWidth"
    assert page.evaluate(wide) == 390
    assert page.locator(".vp-drop").is_visible() is False
    tops = [page.locator(name).bounding_box()["y"] for name in (".va-frame", ".va-facts")]
    assert tops[0] < 400 < tops[1]
    page.click(".vp-choices summary")
    assert page.locator(".vp-drop").is_visible()
    assert page.evaluate(wide) == 390
    for button in page.locator(".vp-choices button:visible").all():
        assert button.bounding_box()["height"] >= 24


READ = (
    ".vp-header h1, .vp-header p, .vp-header button, .vp-choices h2, .vp-choices p, "
    ".vp-choices button, .vp-choices small, .vp-choices strong, .vp-lead, "
    ".va-facts h3, .va-facts p, .va-facts dt, .va-facts dd, .va-facts li, .va-verdict, "
    ".va-controls button, .va-controls span, .va-controls legend, .va-readout, .va-bar-words"
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_word_can_be_read(visit: Open, theme: str) -> None:
    page = visit(color_scheme=theme)
    assert page.evaluate("() => document.body.classList.contains('dark')") is (theme == "dark")
    ratios = page.evaluate(CONTRAST, READ)
    assert len(ratios) > 40
    assert [each for each in ratios if each[1] < 4.5] == []


def test_a_chosen_theme_is_remembered(visit: Open) -> None:
    page = visit()
    page.get_by_label("Light or dark").click()
    assert page.evaluate("() => document.body.classList.contains('dark')")
    page.reload()
    settled(page)
    assert page.evaluate("() => document.body.classList.contains('dark')")


def test_help_opens_and_closes(page: Any) -> None:
    page.click(".vp-help-button")
    assert page.get_by_role("dialog").is_visible()
    assert page.evaluate("() => location.origin") in page.locator(".vp-help pre").inner_text()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0


def test_a_room_can_read_it_at_one_key(page: Any) -> None:
    page.keyboard.press("p")
    sizes = page.evaluate(
        f"""() => [...document.querySelectorAll('{READ}')].filter((one) => one.checkVisibility()
          && one.innerText?.trim()).map((one) => parseFloat(getComputedStyle(one).fontSize))"""
    )
    page.keyboard.press("p")
    assert min(sizes) >= 18
