"""Reports that were measured: README and the pages in docs/ say what their numbers say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models import measured, report
from models.measured import COSTS, DEPENDENCE, DOCS

PAGES = {COSTS: "scaling.md", DEPENDENCE: "dependence.md"}


def some() -> dict[str, Any]:
    return {
        "title": "What it weighs",
        "lead": "Measured.",
        "findings": {"en": ["The first is heavy.", "The second is not."]},
        "plot": {"file": "weights.png", "shows": "Weights"},
        "table": {"heads": ["what", "weight"], "lines": [["first", "9 kg"], ["second", "1 kg"]]},
        "machine": {"scale": "kitchen"},
    }


def test_a_report_is_a_section_of_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "DOCS", tmp_path)
    (tmp_path / COSTS).write_text(json.dumps(some()))
    assert measured.section(COSTS).split("\n\n") == [
        "## What it weighs",
        "Measured.",
        "- The first is heavy.\n- The second is not.",
        "![Weights](docs/weights.png)",
        "| what | weight |\n|---|---|\n| first | 9 kg |\n| second | 1 kg |",
        "Measured on: scale kitchen.",
    ]


def test_what_was_not_measured_is_not_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "DOCS", tmp_path)
    assert measured.read(COSTS) is None
    assert report.costs() == report.dependence() == ""


@pytest.mark.parametrize("name", PAGES)
def test_the_page_says_what_the_numbers_say(name: str) -> None:
    found = measured.read(name)
    if found is None:
        pytest.skip(f"docs/{name} was not measured yet")
    page = (DOCS / PAGES[name]).read_text(encoding="utf-8")
    assert page == f"# {found['title']}\n\n{measured.body(found)}\n"
    assert (DOCS / found["plot"]["file"]).read_bytes().startswith(b"\x89PNG")
