"""README is true of the code: its numbers are the cards', its examples run, its links exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

from models.report import filled
from models.weights import cards
from tests.networks_for_tests import scene
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


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(\w+/[\w./-]+)`", README))))
def test_every_named_file_exists(named: str) -> None:
    assert (ROOT / named).exists()


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


def test_the_example_with_any_network_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As printed, with a cache that holds untrained weights where a download would go."""
    code = next(c for c in re.findall(r"```python\n(.*?)```", README, re.S) if "capture(" in c)
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.manual_seed(0)
    address = torchvision.models.Swin_T_Weights.DEFAULT.url
    torch.save(torchvision.models.swin_t().state_dict(), cache / address.rpartition("/")[2])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    scene(480, 360).save("photo.jpg")
    names: dict[str, Any] = {}
    exec(code, names)
    sites = names["seen"].sites
    assert len(sites) >= 12, "a block of windows each"
    assert all(site.passed for site in sites)
    assert names["row"].ndim == 3
    assert (tmp_path / "row.png").read_bytes().startswith(b"\x89PNG")
    assert "True" in capsys.readouterr().out
