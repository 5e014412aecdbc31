"""The generated pages: every mechanism is in the table, with numbers that were measured."""

from __future__ import annotations

import json

import pytest
import torch

from models import survey
from models.mechanism import mechanisms
from models.reference import replay
from models.weights import cards


def test_the_page_is_what_is_written_now() -> None:
    written = (survey.DOCS / survey.PAGE).read_text(encoding="utf-8")
    assert written == survey.page(survey.verified()), "run python -m models.survey"


def test_every_reference_file_was_replayed() -> None:
    files = {path.name for path in survey.REFERENCE.glob("*.safetensors")}
    measured = survey.verified()
    assert measured.keys() == files, "run python -m models.survey --verify"
    assert all(each.passed for each in measured.values())


@pytest.mark.parametrize("name", ["se.safetensors", "ccnet.safetensors", "triplet.safetensors"])
def test_a_stored_error_is_the_error(name: str) -> None:
    result = replay(survey.REFERENCE / name, torch.float64)
    error = max(each.error for each in result.comparisons)
    # Sums are rounded otherwise on other processors.
    assert survey.verified()[name].error == pytest.approx(error, rel=0.5, abs=1e-7)


def test_every_mechanism_and_every_trained_network_has_a_line() -> None:
    lines = survey.table(survey.verified()).splitlines()
    assert len({len(line.split(" | ")) for line in lines if not line.startswith("|--")}) == 1
    for slug, mechanism in mechanisms().items():
        assert any(line.startswith(f"| [{mechanism.name}](#{slug}) |") for line in lines)
    for name, card in cards().items():
        assert any(f"| `{name}` |" in line for line in lines) == bool(card.mechanism)


def test_what_was_not_replayed_says_so() -> None:
    line = next(line for line in survey.table({}).splitlines() if "(#se)" in line)
    assert " | channel gate | channels, whole | - | - | " in line


def test_the_file_of_errors_is_numbers() -> None:
    stored = json.loads((survey.DOCS / survey.VERIFIED).read_text())
    assert all(0 <= each["error"] < 1e-3 for each in stored.values())
