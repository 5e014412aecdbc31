"""What is saved is what is on show: also of a token that is no place, and of a grid set by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import vizattn
from models.preprocessing import Preprocessing
from tests.foreign_networks import DIM, Tokens, fused
from tests.networks_for_tests import scene
from vizattn.networks import Network
from vizattn.ui import saves
from vizattn.views import Selection, view

PICTURE = "photo.png"
Write = Callable[..., Path]


class Named(Tokens):
    """A class token, two registers, and a token that nothing is known of."""

    def __init__(self) -> None:
        super().__init__(fused, 1)
        self.cls_token = nn.Parameter(torch.randn(1, 1, DIM))
        self.register_tokens = nn.Parameter(torch.randn(1, 2, DIM))
        self.unknown = self.more

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token, self.register_tokens, self.unknown, tokens], dim=1)
        parts = self.qkv(tokens).unflatten(2, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        return self.head(self.attend(*parts.unbind(0))[0].transpose(1, 2).flatten(2).mean(dim=1))


NAMES = ("class_token", "register-1", "register-2", "extra-1")
WORDS = ("class token", "register 1", "register 2", "extra token 1")


def looked(module: nn.Module, grid: Any = None) -> vizattn.SeenStranger:
    return vizattn.capture(module, PICTURE, Preprocessing((32, 32), "letterbox"), grid=grid)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Save as the page does, into the folder that is the current one."""
    torch.manual_seed(0)
    scene(64, 48).save(tmp_path / PICTURE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(saves, "place_for", lambda name: tmp_path / f"saved-{name}")

    def written(kind: str, seen: vizattn.SeenStranger, **chosen: Any) -> Path:
        chosen = {"site": seen.sites[0].site, "head": 1, "at": [40.0, 10.0], **chosen}
        return saves.save(kind, seen.analysis, chosen, "en")

    return written


def made_again(script: Path, module: nn.Module) -> dict[str, np.ndarray]:
    """Run a script with its module and return the arrays that it wrote."""
    names: dict[str, Any] = {"__name__": "reproduce"}
    exec(compile(script.read_text(encoding="utf-8"), script, "exec"), names)
    names["reproduce"](module)
    return arrays_of(Path("attention.npz"))


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return dict(arrays)


def same_arrays(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, atol=1e-6)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


@pytest.mark.parametrize("token", range(4), ids=NAMES)
def test_the_row_of_a_token(token: int, write: Write) -> None:
    seen = looked(Named())
    (site,) = seen.sites
    assert site.extra == NAMES
    arrays = arrays_of(write("arrays", seen, token=token))
    row = site.row_of_extra(NAMES[token])
    np.testing.assert_array_equal(arrays[f"{site.site}/row"], row)
    assert not np.allclose(row, site.row_of(seen.analysis.query_at((40, 10))))
    selection = Selection(site.site, 1, (40, 10), token=NAMES[token])
    (heat,) = view(seen.analysis, selection)
    assert heat.title.text("en").endswith(WORDS[token])
    assert "{" not in heat.title.text("zh")
    assert f'"token": "{NAMES[token]}"' in write("summary", seen, token=token).read_text()


def test_the_figure_and_the_script_of_a_token(write: Write) -> None:
    module = Named()
    seen = looked(module)
    arrays = arrays_of(write("arrays", seen, token=2))
    figure = pixels(write("figure", seen, token=2))
    same_arrays(made_again(write("script", seen, token=2), module), arrays)
    np.testing.assert_array_equal(pixels(Path("figure.png")), figure)


def test_a_grid_set_by_hand(write: Write) -> None:
    module = Tokens(fused)
    found = looked(module)
    site = found.sites[0].site
    seen = looked(module, {site: (2, 8)})
    arrays = arrays_of(write("arrays", seen))
    assert arrays[f"{site}/row"].shape == (2, 2, 8)
    same_arrays(made_again(write("script", seen), module), arrays)
    assert "grid=" not in write("script", found).read_text()


def test_a_grid_set_by_hand_for_a_network_by_name(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pretrained networks are looked at by their names; these have the grid, too."""
    module = Tokens(fused)
    seen = looked(module, (2, 8))
    network = seen.analysis.network
    plain = Network("vit", module, network.card, network.device)
    code = vizattn.script(replace(seen.analysis, network=plain), None, PICTURE)
    monkeypatch.setattr(vizattn, "look", lambda source, model, grid: looked(module, grid))
    exec(compile(code, "reproduce.py", "exec"), {})
    same_arrays(arrays_of(Path("attention.npz")), arrays_of(write("arrays", seen, at=None)))


@pytest.mark.parametrize("token", [4, -1])
def test_a_token_that_is_not_there(token: int, write: Write) -> None:
    seen = looked(Named())
    with pytest.raises(ValueError, match="expected a token of 4"):
        write("figure", seen, token=token)
