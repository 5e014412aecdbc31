"""Tokens that are no places are called after the parameters that they come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import vizattn
from tests.foreign_networks import DIM, HEADS, Tokens, fused, goes_everywhere, image, softmax_rows
from vizattn.attention import PlaceAffinity
from vizattn.foreign.tokens import token_names
from vizattn.labels import token_label


class Named(Tokens):
    """Tokens with a class token and registers, put before the places in some way."""

    def __init__(self, join: Callable[[Named, Tensor], Tensor]) -> None:
        super().__init__(fused)
        self.cls_token, self.dist_token = (nn.Parameter(torch.randn(1, 1, DIM)) for _ in "ab")
        self.reg_token = nn.Parameter(torch.randn(1, 3, DIM))
        self.register_token = nn.Parameter(torch.randn(DIM))
        self.position = nn.Parameter(torch.randn(1, 17, DIM))
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.join(self, self.embed(x).flatten(2).transpose(1, 2))
        for _ in range(2):
            parts = self.qkv(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
            out, self.weights = self.attend(*parts.unbind(0))
            tokens = tokens + out.transpose(1, 2).flatten(2)
        return self.head(tokens[:, 0])


def both(network: Named, places: Tensor) -> Tensor:
    first = network.cls_token.expand(len(places), -1, -1)
    return torch.cat([first, network.reg_token.repeat(len(places), 1, 1), places], dim=1)


def positions_first(network: Named, places: Tensor) -> Tensor:
    first = network.position[:, :1] + network.cls_token
    return torch.cat([first, places + network.position[:, 1:]], dim=1)


def registers_between(network: Named, places: Tensor) -> Tensor:
    tokens = torch.cat([network.cls_token, network.dist_token, places], dim=1)
    tokens = torch.cat([tokens, tokens[:, :1]], dim=1)[:, :-1]
    more = network.register_token[None, None].expand(1, 2, -1)
    return torch.cat([tokens[:, :2], more, tokens[:, 2:]], dim=1)


def at_the_end(network: Named, places: Tensor) -> Tensor:
    return torch.cat([places, network.reg_token, network.cls_token], dim=1)


def unnamed(network: Named, places: Tensor) -> Tensor:
    return torch.cat([network.position[:, :2], places.mean(dim=1, keepdim=True), places], dim=1)


WAYS = {
    both: ("class_token", "register-1", "register-2", "register-3"),
    positions_first: ("class_token",),
    registers_between: ("class_token", "distillation_token", "register-1", "register-2"),
    at_the_end: ("register-1", "register-2", "register-3", "class_token"),
    unnamed: ("extra-1", "extra-2", "extra-3"),
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_names_of_tokens(way: Callable[[Named, Tensor], Tensor], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Named(way)
    seen = vizattn.capture(network, image())
    assert [site.extra for site in seen.sites] == [WAYS[way]] * 2
    assert all(site.passed for site in seen.sites)
    row = softmax_row_of_the_first(network, seen)
    torch.testing.assert_close(row, network.weights[0, :, -1 if way is at_the_end else 0])
    goes_everywhere(seen, tmp_path)


def softmax_row_of_the_first(network: Named, seen: vizattn.SeenStranger) -> Tensor:
    """Return the row of the class token, or of the first token, in the network's own order."""
    last = seen.sites[1]
    assert isinstance(last, PlaceAffinity)
    index = last.extra.index("class_token") if "class_token" in last.extra else 0
    row = torch.from_numpy(last.rows.row(index))
    count = len(last.extra)
    return torch.cat([row[:, count:], row[:, :count]], 1) if network.join is at_the_end else row


def test_a_class_token_that_asks_alone() -> None:
    class Asking(Tokens):
        def __init__(self) -> None:
            super().__init__(fused)
            self.cls_token = nn.Parameter(torch.randn(1, 1, DIM))

        def forward(self, x: Tensor) -> Tensor:
            places, first = self.embed(x).flatten(2).transpose(1, 2), self.cls_token
            for _ in range(2):
                tokens = torch.cat([first, places], dim=1)
                q, k, v = (
                    part.unflatten(2, (HEADS, -1)).transpose(1, 2)
                    for part in self.qkv(tokens).chunk(3, dim=2)
                )
                self.weights = softmax_rows(q[:, :, :1], k)
                first = first + (self.weights @ v).transpose(1, 2).flatten(2)
            tokens = torch.cat([first, places], dim=1)
            parts = self.qkv(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
            return self.head(fused(*parts.unbind(0))[0].transpose(1, 2).flatten(2)[:, 0])

    seen = vizattn.capture(Asking(), image())
    assert [site.shape for site in seen.sites] == [(2, 1, 16), (2, 1, 16), (2, 17, 17)]
    assert seen.sites[2].extra == ("class_token",)
    assert "cls_token" in list(seen.evidence().values())[2]


def test_what_names_do_not_say() -> None:
    # A parameter of two class tokens, as that of a distilled PiT, does not say which is which.
    assert token_names([("cls_token",), ("cls_token",), ("a.registers",)]) == (
        "extra-1",
        "extra-2",
        "register-1",
    )
    assert token_names([(), ("position", "net.class_embedding")]) == ("extra-1", "class_token")
    said = [token_label("en", each) for each in token_names([("reg_token",), ("dist_token",), ()])]
    assert said == ["register 1", "distillation token", "extra token 1"]
