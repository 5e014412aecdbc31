"""The script that goes with a look at somebody's own module, run with the module brought along."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import vizattn
from models.preprocessing import Preprocessing
from tests.conftest import ROOT
from tests.foreign_networks import Tokens, fused
from tests.networks_for_tests import scene

BROUGHT = """
import torch
from tests.foreign_networks import Tokens, fused

torch.manual_seed(0)
model = Tokens(fused, 1)
"""


def run(folder: Path, *brought: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "reproduce.py", *brought],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_script_asks_for_the_module_and_makes_the_same_arrays(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Tokens(fused, 1)
    name = 'it\'s a "photo".png'
    scene(64, 48).save(tmp_path / name)
    seen = vizattn.capture(
        network, tmp_path / name, Preprocessing((32, 32), "letterbox"), ("a", "b'", "c", "d", "e")
    )
    selection = vizattn.Selection(at=(20, 30), head=1)
    code = vizattn.script(seen.analysis, selection, name)
    (tmp_path / "reproduce.py").write_text(code, encoding="utf-8")
    (tmp_path / "mine.py").write_text(BROUGHT, encoding="utf-8")
    assert "of the class Tokens" in ast.get_docstring(ast.parse(code))
    made = run(tmp_path, "mine:model")
    assert made.returncode == 0, made.stderr
    vizattn.save_arrays(seen.analysis, selection, tmp_path / "wanted.npz")
    with np.load(tmp_path / "attention.npz") as again, np.load(tmp_path / "wanted.npz") as wanted:
        assert set(again) == set(wanted)
        for each in wanted:
            np.testing.assert_allclose(again[each], wanted[each], atol=1e-6)
    with Image.open(tmp_path / "figure.png") as figure:
        assert figure.width > 100


def test_without_the_module_it_says_what_is_needed(tmp_path: Path) -> None:
    def prepare(picture: Image.Image) -> torch.Tensor:
        pixels = np.asarray(picture.resize((32, 32)), dtype=np.float32)
        return torch.from_numpy(pixels).permute(2, 0, 1) / 255

    network = Tokens(fused)
    seen = vizattn.capture(network, scene(64, 48), prepare)
    code = vizattn.script(seen.analysis, None, "photo.png")
    (tmp_path / "reproduce.py").write_text(code, encoding="utf-8")
    refused = run(tmp_path)
    assert refused.returncode != 0
    assert "PACKAGE.MODULE:model PACKAGE.MODULE:preprocess" in refused.stderr
    ready = vizattn.capture(network, torch.rand(3, 32, 32))
    code = vizattn.script(ready.analysis, None, ready.analysis.picture.name)
    assert "reproduce(model, image)" in code
