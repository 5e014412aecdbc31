"""The panel "Trust": what its listeners answer, and what the browser makes of it."""

from __future__ import annotations

import itertools
import json
import threading
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from tests.networks_for_tests import scene, small_network
from tests.served import visiting
from vizattn.analysis import Analysis, look
from vizattn.attention import PlaceAffinity
from vizattn.store import Store
from vizattn.texts import LANGUAGES
from vizattn.trials.trying import Effort, trust
from vizattn.ui import trust as panel
from vizattn.ui.mounting import ASSETS, bundle
from vizattn.ui.visits import Visit
from vizattn.ui.waiting import Stopped, stepwise

REQUEST: Any = SimpleNamespace(session_hash="somebody")


class Desk:
    """As much of the page's desk as the panel needs: one analysis, kept for one visitor."""

    def __init__(self, analysis: Analysis) -> None:
        self.store: Store[Analysis] = Store()
        self.name = self.store.keep("somebody", analysis)

    def current(self, session: str, visit: Visit) -> Analysis:
        return self.store.find(session, self.name)


@pytest.fixture(scope="module")
def segmented() -> Analysis:
    return look(scene(128, 96), small_network("segment", "nonlocal"))


@pytest.fixture
def desk(segmented: Analysis) -> Desk:
    return Desk(segmented)


@pytest.fixture
def tab(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> panel._Trust:
    monkeypatch.setitem(panel.EFFORTS, "quick", Effort(1, 2, 1))
    return panel._Trust(SimpleNamespace(desk=desk))  # type: ignore[arg-type]


def event(**data: Any) -> gr.EventData:
    return gr.EventData(None, data)


def test_the_offer_names_every_class_in_every_language(tab: panel._Trust) -> None:
    offer = tab.renew(Visit("zh"), REQUEST)["offer"]
    assert {"en": "building", "zh": "建筑"} in offer["classes"] and len(offer["classes"]) == 12


def test_a_class_map_is_put_on_show_and_kept(tab: panel._Trust, desk: Desk) -> None:
    question = {"turn": 3, "method": "layercam", "target": 2, "selection": {"at": [40, 50]}}
    *_, (shown, message) = tab.make_map(Visit("en"), event(**question), REQUEST)
    assert message["turn"] == 3 and message["made"] == "cam.layercam:2"
    with open(shown["payload"]["path"], encoding="utf-8") as file:
        payload = json.load(file)
    assert payload["selection"] == {"at": [40, 50], "site": "cam.layercam:2", "head": 0} | {
        "channel": None
    }
    assert payload["sites"][-1]["view"] == "class_map"
    assert desk.current("somebody", Visit()).sites[-1].site == "cam.layercam:2"


def test_progress_is_told_and_the_result_has_both_languages(tab: panel._Trust) -> None:
    place = {"selection": {"at": [40, 50], "head": "mean"}, "effort": "quick", "turn": 1}
    messages = list(tab.put_on_trial(Visit("en"), event(**place), REQUEST))
    assert all(each["turn"] == 1 for each in messages)
    assert messages[0]["progress"][0] >= 1
    result = messages[-1]["result"]
    assert set(result["words"]) == set(result["about"]) == set(LANGUAGES)
    assert "(40, 50)" in result["about"]["en"]
    json.dumps(messages, allow_nan=False)


def test_what_is_refused_is_said_and_ends_the_waiting(
    tab: panel._Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(panel, "warn", said.append)
    question = {"turn": 5, "method": "gradcam", "layer": "nowhere"}
    (answer,) = tab.make_map(Visit("en"), event(**question), REQUEST)
    assert answer[1]["stopped"] and "nowhere" in said[0]
    (answer,) = tab.put_on_trial(Visit("zh"), event(turn=6, selection={"site": "nowhere"}), REQUEST)
    assert answer["stopped"] and len(said) == 2


def test_a_trial_is_stopped(tab: panel._Trust) -> None:
    tab.stop(event(turn=7), REQUEST)
    messages = list(tab.put_on_trial(Visit("en"), event(turn=7, selection={}), REQUEST))
    assert messages[-1]["stopped"] and "result" not in messages[-1]
    later = list(tab.put_on_trial(Visit("en"), event(turn=8, selection={}), REQUEST))
    assert "result" in later[-1]


def test_work_in_steps_ends_when_nobody_waits_any_more() -> None:
    ended = threading.Event()

    def work(progress) -> None:
        try:
            for done in itertools.count():
                progress(done, 10**6)
        finally:
            ended.set()

    steps = stepwise(work, lambda: False)
    assert next(steps)[1] == 10**6
    steps.close()
    assert ended.wait(10)


def test_work_in_steps_returns_and_raises_what_the_work_does() -> None:
    def failing(progress) -> None:
        raise ZeroDivisionError

    steps = stepwise(lambda progress: 5, lambda: False)
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == 5
    with pytest.raises(ZeroDivisionError):
        next(stepwise(failing, lambda: False))
    with pytest.raises(Stopped):
        next(stepwise(lambda progress: progress(1, 2), lambda: True))


_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>%s</style><style>%s</style></head><body><main id="place"></main><script>
const trust = (() => { %s })();
window.sent = [];
window.panel = trust.mount(document.getElementById("place"), {
  texts: %s, language: "en", methods: [["gradcam", "Grad-CAM"], ["layercam", "LayerCAM"]],
  current: () => ({ site: "context", at: [3, 4] }), made: (site) => { window.made = site; },
  send: (name, question) => window.sent.push([name, question]),
});
</script></body></html>"""


@pytest.mark.browser
def test_the_panel_in_a_browser(browser: Any, segmented: Analysis) -> None:
    texts = {one: panel.SCRIPT.texts(one) for one in LANGUAGES}
    styles = [(ASSETS / name).read_text("utf-8") for name in ("canvas.css", "trust/trust.css")]
    found = trust(segmented, at=(40, 50), effort=Effort(2, 3, 2))
    assert isinstance(segmented.site(), PlaceAffinity)
    result = found.facts() | {"about": {one: f"a row ({one})" for one in LANGUAGES}}
    offer = {"id": "one", "sites": [], "classes": [{"en": "tree", "zh": "树"}]}
    with visiting(browser, viewport={"width": 390, "height": 844}) as page:
        page.set_content(_PAGE % (*styles, bundle(panel.SCRIPT.entry), json.dumps(texts)))
        receive = "message => window.panel.receive(message)"
        assert page.locator(".vt .vt-primary").is_disabled()
        page.evaluate(receive, {"offer": offer})
        page.locator(".vt select").nth(0).select_option("layercam")
        page.locator(".vt select").nth(1).select_option("0")
        page.get_by_role("button", name="Show", exact=True).click()
        name, question = page.evaluate("window.sent.at(-1)")
        assert (name, question["method"], question["target"]) == ("cam", "layercam", 0)
        page.evaluate(receive, {"turn": 1, "made": "cam.layercam:0"})
        assert page.evaluate("window.made") == "cam.layercam:0"

        page.get_by_role("button", name="Test this map").click()
        name, question = page.evaluate("window.sent.at(-1)")
        assert name == "ask" and question["selection"]["at"] == [3, 4]
        page.evaluate(receive, {"turn": 2, "progress": [5, 20]})
        assert page.locator(".vt progress").get_attribute("max") == "20"
        assert "5 of 20" in page.locator(".vt-waiting").inner_text()
        page.evaluate(receive, {"turn": 2, "result": result})
        assert page.locator(".vt-waiting").is_hidden()
        assert page.locator(".vt-verdict").inner_text() == result["words"]["en"][0]
        assert page.locator(".vt-plot").count() == 4
        assert page.locator(".vt-plot .vt-line-map").count() == 4
        assert page.locator(".vt-lines li").count() == len(result["words"]["en"]) - 1
        # A curve is where its numbers are: the deletion of the whole map, at the left edge.
        points = page.locator(".vt-plot .vt-line-map").nth(0).get_attribute("points") or ""
        heights = [float(point.split(",")[1]) for point in points.split()]
        curve = found.metrics["deletion"].curves["map"].mean(axis=0)
        order = sorted(range(len(curve)), key=lambda index: -curve[index])
        assert [heights[index] for index in order] == sorted(heights)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

        page.evaluate("window.panel.setLanguage('zh')")
        assert page.locator(".vt-verdict").inner_text() == result["words"]["zh"][0]
        page.evaluate(receive, {"offer": {**offer, "id": "another"}})
        assert page.locator(".vt-result").is_hidden()
        page.get_by_role("button", name="检验这张图").click()
        page.get_by_role("button", name="停止").click()
        assert page.evaluate("window.sent.at(-1)") == ["stop", {"turn": 3}]
        page.evaluate(receive, {"turn": 3, "result": result})
        assert page.locator(".vt-result").is_hidden()
        assert page.problems == []
