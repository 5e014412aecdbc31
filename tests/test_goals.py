"""What mechanisms are for: every one has goals, which have names, and by which it is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from models.goals import Goal
from models.mechanism import mechanisms
from tests.served import visiting
from vizattn.__main__ import main
from vizattn.analysis import TASKS
from vizattn.networks import Library
from vizattn.texts import LANGUAGES, text
from vizattn.ui.offers import groups
from vizattn.ui.parts import script


@pytest.mark.parametrize("slug", mechanisms())
def test_every_mechanism_has_goals_in_the_surveys_order(slug: str) -> None:
    goals, order = mechanisms()[slug].goals, list(Goal)
    assert goals, f"{slug} is for nothing"
    assert list(goals) == sorted(set(goals), key=order.index)


def test_the_surveys_seven_are_numbered() -> None:
    numerals = [goal.numeral for goal in Goal]
    assert numerals[:7] == ["I", "II", "III", "IV", "V", "VI", "VII"]
    assert set(numerals[7:]) == {""}


def test_families_have_their_own_goals() -> None:
    own = {
        "channel": {Goal.CHANNELS, Goal.WHOLE},
        "channel and spatial": {Goal.REGIONS, Goal.CHANNELS, Goal.LONG_RANGE},
        "branch": {Goal.BRANCHES, Goal.WINDOW, Goal.KERNELS},
    }
    for slug, each in mechanisms().items():
        assert set(each.goals) & own.get(each.family, set(Goal)), slug


@pytest.mark.parametrize("goal", Goal)
def test_goals_are_said_alike_in_docs_and_on_the_page(goal: Goal) -> None:
    assert text("en", f"goals.{goal.value}") == goal.sentence
    assert len({text(language, f"goals.{goal.value}") for language in LANGUAGES}) == len(LANGUAGES)


def test_goals_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    listed = {
        each["slug"]: each["goals"] for each in json.loads(capsys.readouterr().out)["mechanisms"]
    }
    assert listed == {s: [goal.value for goal in m.goals] for s, m in mechanisms().items()}
    assert listed["ccnet"] == ["saving", "long_range"]


def offered(language: str) -> list[dict[str, Any]]:
    library = Library("cpu")
    cards = {n: card for n, card in library.cards().items() if card.mechanism}
    explored = {name: card for name, card in cards.items() if card.task in TASKS}
    return groups(language, explored, library)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_network_is_offered_with_its_mechanisms_goals(language: str) -> None:
    found = [each for group in offered(language) for each in group["networks"]]
    assert found
    for each in found:
        goals = mechanisms()[each["mechanism"]].goals
        assert len(each["goals"]) == len(goals)
        assert all(
            str(goal.numeral) in said for goal, said in zip(goals, each["goals"], strict=True)
        )


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """An empty page with the picker's scripts."""
    with visiting(browser) as page:
        for name in ("shared", "picker"):
            page.add_script_tag(content=script(f"{name}.js"))
        yield page


PICKER = """(groups) => {
  const words = { search: "search", network: "network", choose: "choose", no_match: "none" };
  const task = groups[0].networks[0].task;
  const one = window.vizattn.picker({ groups, chosen: groups[0].networks[0].name, task,
    tasks: {}, words, choose: () => {} });
  document.body.replaceChildren(one.root);
  one.open();
}"""


@pytest.mark.browser
@pytest.mark.parametrize(
    ("language", "typed", "goal"),
    [
        ("en", "long-range dependencies", Goal.LONG_RANGE),
        ("en", "goal II:", Goal.SAVING),
        ("en", "channels that matter", Goal.CHANNELS),
        ("zh", "长程依赖", Goal.LONG_RANGE),
        ("zh", "重要的通道", Goal.CHANNELS),
    ],
)
def test_the_picker_finds_by_goal(page: Any, language: str, typed: str, goal: Goal) -> None:
    shown = offered(language)
    page.evaluate(PICKER, shown)
    page.fill(".vp-search", typed)
    found = set(
        page.locator(".vp-option").evaluate_all("all => all.map((one) => one.dataset.network)")
    )
    every = [each for group in shown for each in group["networks"]]
    assert found == {e["name"] for e in every if goal in mechanisms()[e["mechanism"]].goals}
    assert text(language, f"goals.{goal.value}") in page.locator(".vp-option").first.inner_text()
    page.fill(".vp-search", "no such goal")
    assert page.locator(".vp-option").count() == 0
