"""The import rule: app.py -> vizattn -> models, and inside vizattn nothing imports upward.

Everything is read from the source with ``ast``; a module is checked from the day it exists.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("models", "vizattn")

ORDER = (
    "vizattn.version",
    "vizattn.texts",
    "vizattn.tables",
    "vizattn.geometry",
    "vizattn.numbers",
    "vizattn.memory",
    "vizattn.intake",
    "vizattn.attention",
    "vizattn.cam.class_map",
    "vizattn.features",
    "vizattn.labels",
    "vizattn.networks",
    "vizattn.passes",
    "vizattn.measures",
    "vizattn.placing",
    "vizattn.readings",
    "vizattn.truth",
    "vizattn.foreign",
    "vizattn.analysis",
    "vizattn.surgery",
    "vizattn.dependence",
    "vizattn.drawables",
    "vizattn.feature_views",
    "vizattn.views",
    "vizattn.statistics",
    "vizattn.words",
    "vizattn.facts",
    "vizattn.typesetting",
    "vizattn.render",
    "vizattn.panels",
    "vizattn.figures",
    "vizattn.comparing",
    "vizattn.export",
    "vizattn.cam",
    "vizattn.trials",
    "vizattn.seen",
    "vizattn.sheets",
    "vizattn.strangers",
    "vizattn.registration",
    "vizattn.crowd",
    "vizattn.examples",
    "vizattn.pairs",
    "vizattn.store",
    "vizattn.ui",
    "vizattn.benchmarks",
    "vizattn.commands",
    "vizattn.__main__",
)
"""lowest first; a name stands for its whole folder. A module imports only what stands before it."""

PICTURES = {
    "models.packs",
    "models.training.crowd_scenes",
    "models.training.scenes.pairs",
    "models.training.scenes.scene",
    "models.training.scenes.view",
}
"""the modules of models/ that read, draw or write pictures"""

FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "misc"}
MOST_LINES = 400
CODE = {".py", ".js", ".css"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    app = ROOT / "app.py"
    return {module_name(path): path for path in sorted([*paths, *([app] if app.is_file() else [])])}


@cache
def imports(name: str) -> frozenset[str]:
    """Return everything that a module imports, ours as module names, inside functions too."""
    path = modules()[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in modules() else base)
    return frozenset(found)


def ours(name: str) -> set[str]:
    return {target for target in imports(name) if target in modules() and target != name}


def imports_of(name: str, *libraries: str) -> set[str]:
    return {target for target in imports(name) if target.split(".")[0] in libraries}


def inside(package: str) -> Iterator[str]:
    return (name for name in modules() if name == package or name.startswith(f"{package}."))


def rank(name: str) -> int | None:
    fits = (
        index for index, entry in enumerate(ORDER) if name == entry or name.startswith(f"{entry}.")
    )
    return next(fits, None)


def test_there_is_something_to_check() -> None:
    assert "models.mechanism" in modules()
    assert "vizattn.texts" in modules()
    assert "models.taps" in imports("models.mechanism")


def test_models_know_nothing_of_pages_and_pictures() -> None:
    for name in inside("models"):
        allowed = {"PIL"} if name in PICTURES else set()
        found = imports_of(name, "vizattn", "app", "gradio", "PIL")
        assert found <= allowed, f"{name} must not import {sorted(found - allowed)}"


def test_the_instrument_does_not_know_the_program() -> None:
    for name in inside("vizattn"):
        assert not imports_of(name, "app", "tests", "assets"), name


def test_every_module_of_the_instrument_has_its_place() -> None:
    for name in inside("vizattn"):
        if name != "vizattn":
            assert rank(name) is not None, (
                f"{name} is not in ORDER: put it after everything it imports and before "
                f"everything that imports it; it imports {sorted(ours(name))}"
            )


def test_nothing_in_the_instrument_imports_upward() -> None:
    for name in inside("vizattn"):
        own = rank(name)
        for target in ours(name):
            other = rank(target)
            if own is not None and other is not None:
                assert other <= own, f"{name} must not import {target}, which stands above it"


def test_the_package_itself_may_only_show_what_is_inside() -> None:
    assert not imports_of("vizattn", "gradio")
    for name in inside("vizattn"):
        assert "vizattn" not in ours(name), f"{name}: import the module, not the package"


def test_no_cycles() -> None:
    graph = {name: ours(name) for name in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' -> '.join(error.args[1])}")


def test_gradio_stays_in_the_page() -> None:
    for name in modules():
        if name != "app" and not name.startswith("vizattn.ui"):
            # Who measures the page is one of its visitors.
            visits = name == "vizattn.benchmarks.uploads"
            forbidden = ("gradio",) if visits else ("gradio", "gradio_client")
            assert not imports_of(name, *forbidden), f"{name} imports Gradio"


def test_the_page_holds_no_mathematics() -> None:
    for name in inside("vizattn.ui"):
        # What is sent to the browser is bytes of arrays, so its modules may know arrays.
        allowed = {"numpy"} if name.split(".")[-1] in {"payload", "encoding"} else set()
        found = {target.split(".")[0] for target in imports_of(name, "torch", "numpy", "scipy")}
        assert found <= allowed, f"{name} imports {sorted(found - allowed)}: move it into the core"


def test_names_say_what_is_inside() -> None:
    for name in modules():
        assert not FORBIDDEN_NAMES & set(name.split(".")), f"{name}: name it after what it does"


def code_files() -> list[Path]:
    folders = [ROOT / folder for folder in (*PACKAGES, "assets")]
    inner = [path for folder in folders for path in folder.rglob("*") if path.suffix in CODE]
    return sorted([*ROOT.glob("*.py"), *inner])


def test_no_file_is_too_long_to_read() -> None:
    for path in code_files():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= MOST_LINES, f"{path.relative_to(ROOT)} has {lines} lines: split it"
