"""How cost grows: exponents of known powers, and every mechanism that states one is measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.mechanism import mechanisms
from vizattn.__main__ import main
from vizattn.benchmarks import scaling, scaling_report
from vizattn.benchmarks.scaling import Point, Scaling, exponent
from vizattn.texts import LANGUAGES


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 2.0])
def test_the_exponent_of_a_power_is_that_power(power: float) -> None:
    sizes = [256, 1024, 4096]
    assert exponent(sizes, [3 * size**power for size in sizes]) == pytest.approx(power, abs=1e-9)


@pytest.mark.parametrize("sizes", [[4], [0, 4], [-1, 4]])
def test_no_exponent_of_nothing(sizes: list[float]) -> None:
    with pytest.raises(ValueError, match="expected two or more positive numbers"):
        exponent(sizes, sizes)


def test_everything_that_states_a_growth_and_has_a_place_in_a_host_is_measured() -> None:
    stated = {slug for slug, each in mechanisms().items() if each.growth and each.plugs}
    assert scaling.measured().keys() == stated
    assert len(stated) >= 24
    for mechanism, _ in scaling.measured().values():
        assert mechanism.growth is not None
        assert mechanism.growth.exponent in (1.0, 1.5, 2.0)
        assert mechanism.growth.formula.startswith("O(N")


@pytest.fixture(scope="module")
def some() -> list[Scaling]:
    return list(scaling.scalings(quick=True, only=("nonlocal", "gcnet", "emanet")))


def test_multiply_adds_grow_as_they_must(some: list[Scaling]) -> None:
    by_slug = {each.slug: each for each in some}
    assert by_slug.keys() == {"plain", "nonlocal", "gcnet", "emanet"}
    assert by_slug["plain"].fitted("multiply_adds") == pytest.approx(1, abs=1e-6)
    assert by_slug["emanet"].fitted("multiply_adds") < 1.1
    assert by_slug["nonlocal"].fitted("multiply_adds") > 1.5
    assert by_slug["nonlocal"].fitted("bytes") < 1.5, "no N x N matrix"
    for each in some:
        assert all(point.seconds > 0 and point.bytes > 0 for point in each.points)


def made(slug: str, power: float, stated: float, milliseconds: float = 1) -> Scaling:
    points = tuple(
        Point(n, 1e-3 * milliseconds * (n / 100) ** power, 10 * n, int(n**power))
        for n in (100, 400, 1600)
    )
    return Scaling(slug, slug.title(), f"O(N^{stated}, as it were)", stated, points)


def test_what_differs_from_the_paper_is_said() -> None:
    (said,) = scaling_report.findings([made("gcnet", 1.0, 1.0), made("ccnet", 1.9, 1.5)])
    assert said == (
        "Over these sizes the multiply-adds grow otherwise than stated: CCNet criss-cross "
        "attention (stated O(N^1.5), measured N to the power of 1.90)."
    )


def test_thrifty_blocks_that_are_slower_are_named() -> None:
    found = [made("nonlocal", 2, 2), made("ccnet", 1.5, 1.5, 3), made("gcnet", 1, 1, 0.5)]
    _, small, large = scaling_report.findings(found)
    assert small == (
        "On 10 × 10 places, 1 of 2 blocks that state less than O(N²) take longer than Non-local "
        "block: CCNet criss-cross attention."
    )
    assert large.startswith("On 40 × 40 places, all 2 blocks that state less than O(N²) are faster")
    for sentence in scaling_report.findings(found, "zh"):
        assert "位置" in sentence


def test_the_report_is_written(some: list[Scaling], tmp_path: Path) -> None:
    paths = scaling_report.write(some, tmp_path / "docs")
    assert [path.name for path in paths] == ["scaling.json", "scaling.md", "scaling.png"]
    facts = json.loads(paths[0].read_text())
    stored = facts["mechanisms"]
    assert [each["slug"] for each in stored] == [each.slug for each in some]
    assert facts["findings"] == {one: scaling_report.findings(some, one) for one in LANGUAGES}
    text = paths[1].read_text(encoding="utf-8")
    assert all(f"| {each.name} |" in text for each in some)
    assert paths[2].read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_a_line_for_each(
    some: list[Scaling], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scaling, "scalings", lambda quick: iter(some))
    assert main(["bench", "--scaling", "--quick"]) == 0
    printed = capsys.readouterr().out
    assert all(each.name in printed for each in some)
    assert main(["bench", "--scaling", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(some)
