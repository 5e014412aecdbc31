"""README is true of the code: its numbers are the cards', its examples run, its links exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.report import filled
from models.weights import cards
from vizattn.__main__ import commands

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_cards() -> None:
    assert filled(README) == README


def test_a_table_that_differs_from_the_cards_is_noticed() -> None:
    parameters = f"{next(iter(cards().values())).facts['parameters']:,}"
    assert filled(README.replace(parameters, "1")) == README
    with pytest.raises(ValueError, match="begin: networks"):
        filled("no marks")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_linked_file_exists(target: str) -> None:
    assert target.startswith("https://") or (ROOT / target).is_file()


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m vizattn (\w+)", README))))
def test_every_command_exists(command: str) -> None:
    assert command in {module.NAME for module in commands()}


def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    code = next(c for c in re.findall(r"```python\n(.*?)```", README, re.S) if "look(" in c)
    names: dict[str, object] = {}
    monkeypatch.chdir(ROOT)
    exec(code, names)
    row = names["row"]
    assert row.shape == (1, 45, 60)  # type: ignore[attr-defined]
    assert row.sum() == pytest.approx(1, abs=1e-4)  # type: ignore[attr-defined]
    assert names["figure"]._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
