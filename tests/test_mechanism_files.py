"""What the file of every mechanism has to declare and to teach."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from typing import Any

import pytest

import models.mechanisms as folder
from models.mechanism import AttentionBlock, Mechanism, mechanisms

NAMED = "column conv cos Cov excite gather head hourglass interp max mean MLP pool ReLU resize row"
FUNCTIONS = {*NAMED.split(" "), "rows", "softmax", "std", "tanh", "avg", "Wps"}
"""what a formula may name: it stands on the Chinese page as it is, so it has no sentence in it"""
HEADINGS = ("Idea", "Equation", "Reading the map", "Limits")


def modules() -> list[Any]:
    names = [info.name for info in pkgutil.iter_modules(folder.__path__)]
    return [importlib.import_module(f"{folder.__name__}.{name}") for name in names]


def test_files_are_found_by_scanning_and_declare_one_mechanism_each() -> None:
    declared = [
        value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, Mechanism)
    ]
    assert len(declared) == len(modules()) == len(mechanisms())
    for module in modules():
        assert module.MECHANISM is mechanisms()[module.MECHANISM.slug]
        assert module.__name__.rpartition(".")[2].rstrip("_") == module.MECHANISM.slug


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.MECHANISM.slug)
def test_the_file_teaches_its_mechanism(module: Any) -> None:
    lines = (module.__doc__ or "").splitlines()
    assert [line for line in lines if line in HEADINGS] == list(HEADINGS)
    for name, value in vars(module).items():
        if inspect.isclass(value) and value.__module__ == module.__name__ and name[0] != "_":
            assert value.__dict__.get("__doc__"), f"{name} has no docstring"
            if issubclass(value, AttentionBlock):
                assert "=" in value.formula, f"{name} has no formula"
                words = set(re.findall(r"[A-Za-z]{3,}", value.formula)) - FUNCTIONS
                assert not words, f"{name}: a Chinese page has no translation of {sorted(words)}"


@pytest.mark.parametrize("slug", mechanisms())
def test_the_declaration_is_complete(slug: str) -> None:
    mechanism = mechanisms()[slug]
    paper = mechanism.paper
    assert mechanism.name
    assert mechanism.family
    assert all((paper.title, paper.authors, paper.venue))
    assert paper.url == (f"https://arxiv.org/abs/{paper.arxiv}" if paper.arxiv else None)
    assert mechanism.variants
    assert mechanism.references
    assert any(reference.attention for reference in mechanism.references.values())
    for reference in mechanism.references.values():
        assert set(reference.positional) <= set(inspect.signature(reference.build).parameters)
