"""What a forward pass costs, on networks whose multiply-adds are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.cost import cost, multiply_adds
from models.training import __main__ as command
from models.weights import weights_folder


class Fused(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)


def test_convolutions_are_counted() -> None:
    layer = nn.Conv2d(3, 8, kernel_size=3, padding=1)
    assert multiply_adds(layer, torch.zeros(1, 3, 16, 20)) == 3 * 8 * 9 * 16 * 20


def test_fused_attention_counts_as_its_two_products() -> None:
    assert multiply_adds(Fused(), torch.zeros(1, 2, 50, 8)) == 2 * (2 * 50 * 50 * 8)


def test_a_network_stands_beside_the_plain_one() -> None:
    plain = nn.Conv2d(3, 4, kernel_size=1)
    network = nn.Sequential(nn.Conv2d(3, 4, kernel_size=1), nn.Conv2d(4, 4, kernel_size=1))
    found = cost(network, plain, (32, 40))
    assert found["size"] == (32, 40)
    assert found["plain_multiply_adds"] == 3 * 4 * 32 * 40
    assert found["multiply_adds"] == (3 * 4 + 4 * 4) * 32 * 40
    assert found["milliseconds"] > 0
    assert found["plain_milliseconds"] > 0


def test_a_card_is_told_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("trunk-segmenter", "segment-plain", "segment-danet"):
        for path in weights_folder().glob(f"{name}.*"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "segment-danet.json"
    before = json.loads(path.read_text())
    monkeypatch.setenv("VIZATTN_WEIGHTS", str(tmp_path))
    assert command.main(["--cost", "segment-danet"]) == 0
    after = json.loads(path.read_text())
    assert after["cost"]["multiply_adds"] > after["cost"]["plain_multiply_adds"]
    assert {**before, "cost": None} == {**after, "cost": None}
