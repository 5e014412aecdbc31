"""What was measured of growth as a table, a plot and a file of numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models import measured
from vizattn.benchmarks.machine import machine
from vizattn.benchmarks.scaling import FITTED, PLAIN, WIDTH, Scaling
from vizattn.texts import DEFAULT_LANGUAGE, LANGUAGES, text

HEADS = ("mechanism", "stated", "multiply-adds", "time", "memory", "largest map")
NUMBERS, TABLE, PLOT = measured.COSTS, "scaling.md", "scaling.png"
_SURPRISING = 0.25
"""how far a fitted exponent of multiply-adds is from the stated one before it is said"""
_DEAR = "nonlocal"
"""what the thrifty ones are measured against: the block that they were made to be cheaper than"""
_INCHES, _DOTS = (9.0, 5.5), 110


def lines(found: Sequence[Scaling]) -> list[tuple[str, ...]]:
    """Return a line for each mechanism: stated growth, fitted exponents, the largest map's cost."""
    return [
        (
            each.name,
            each.stated,
            *(f"N^{each.fitted(what):.2f}" for what in ("multiply_adds", "seconds", "bytes")),
            _largest(each),
        )
        for each in found
    ]


def _largest(each: Scaling) -> str:
    last = each.points[-1]
    return (
        f"{last.multiply_adds / 1e9:.2f} G, {1000 * last.seconds:.0f} ms, {last.bytes / 1e6:.0f} MB"
    )


def findings(found: Sequence[Scaling], language: str = DEFAULT_LANGUAGE) -> list[str]:
    """Return what the numbers say about what is stated, a sentence each."""
    return [*_other_growth(found, language), *_thin(found, language), *_slower(found, language)]


def _other_growth(found: Sequence[Scaling], language: str) -> Iterator[str]:
    """Yield whose multiply-adds do not grow as stated."""
    others = [
        text(
            language,
            "costs.finding.growth_of",
            name=_name(each, language),
            stated=each.formula,
            fitted=f"{each.fitted('multiply_adds'):.2f}",
        )
        for each in found
        if abs(each.fitted("multiply_adds") - each.exponent) > _SURPRISING
    ]
    if others:
        names = text(language, "costs.join").join(others)
        yield text(language, "costs.finding.growth", names=names)


def _thin(found: Sequence[Scaling], language: str) -> Iterator[str]:
    """Yield whose memory grows about linearly where an N x N matrix is stated."""
    thin = [each for each in found if each.exponent == 2 and each.fitted("bytes") < 1.5]
    if thin:
        yield text(language, "costs.finding.memory", names=_names(thin, language))


def _slower(found: Sequence[Scaling], language: str) -> Iterator[str]:
    """Yield which of those that state less than the non-local block take longer, at both ends."""
    dear = next((each for each in found if each.slug == _DEAR), None)
    if dear is None:
        return
    thrifty = [each for each in found if each.exponent < dear.exponent]
    for index in (0, -1):
        limit = dear.points[index].seconds
        slower = [each for each in thrifty if each.points[index].seconds > limit]
        values = {
            "side": round(dear.points[index].places ** 0.5),
            "of": len(thrifty),
            "dear": _name(dear, language),
        }
        if slower:
            values |= {"count": len(slower), "names": _names(slower, language)}
            yield text(language, "costs.finding.slower", **values)
        else:
            yield text(language, "costs.finding.faster", **values)


def _names(found: Sequence[Scaling], language: str) -> str:
    return text(language, "costs.join").join(_name(each, language) for each in found)


def _name(each: Scaling, language: str) -> str:
    key = "costs.plain" if each.slug == PLAIN else f"mechanisms.name.{each.slug}"
    return text(language, key)


def facts(found: Sequence[Scaling]) -> dict[str, Any]:
    """Return what was measured and what it says, ready for JSON and ``measured.body``."""
    return {
        "title": "What it costs",
        "lead": _lead(found),
        "findings": {language: findings(found, language) for language in LANGUAGES},
        "plot": {
            "file": PLOT,
            "shows": "Multiply-adds and time over the number of places, both axes logarithmic",
        },
        "table": {"heads": HEADS, "lines": lines(found)},
        "machine": machine(),
        "width": WIDTH,
        "fitted_to": FITTED,
        "mechanisms": [each.facts() for each in found],
    }


def _lead(found: Sequence[Scaling]) -> str:
    sides = ", ".join(f"{round(point.places**0.5)}²" for point in found[0].points)
    return (
        f"One untrained block each, as it stands in a host, on maps of {sides} places and {WIDTH} "
        f"channels, beside what its paper states: written by `python -m vizattn bench --scaling "
        f"--out docs`. Powers of N are fitted to the {FITTED} largest maps. Time is processor "
        "time; memory is the most that was allocated at once beyond input and weights; "
        "multiply-adds are those of convolutions and matrix products. The page has the same "
        'numbers, to be pointed at and sorted, in its tab "Cost".'
    )


def write(found: Sequence[Scaling], folder: Path) -> list[Path]:
    """Write numbers, page and plot into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in (NUMBERS, TABLE, PLOT)]
    report = facts(found)
    encoded = json.dumps(report, indent=1, ensure_ascii=False)
    paths[0].write_text(encoded + "\n", encoding="utf-8")
    paths[1].write_text(f"# {report['title']}\n\n{measured.body(report)}\n", encoding="utf-8")
    plot(found, paths[2])
    return paths


def plot(found: Sequence[Scaling], path: Path) -> None:
    """Draw multiply-adds and time over N on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DOTS, layout="constrained")
    axes = figure.subplots(1, 2)
    panels = (("multiply_adds", 1e9, "multiply-adds, thousand millions"),
              ("seconds", 1e-3, "milliseconds"))  # fmt: skip
    for axis, (what, unit, label) in zip(axes, panels, strict=True):
        for each in found:
            axis.plot(
                [point.places for point in each.points],
                [getattr(point, what) / unit for point in each.points],
                label=each.name,
                linewidth=2.2 if each.slug == PLAIN else 1,
                color="black" if each.slug == PLAIN else None,
                linestyle={2: "-", 1.5: "--"}.get(each.exponent, ":"),
            )
        axis.set(xscale="log", yscale="log", xlabel="places N", ylabel=label)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=7, frameon=False)
    figure.suptitle("solid: O(N²) stated, dashed: O(N √N), dotted: O(N)", fontsize=9)
    figure.savefig(path, bbox_inches="tight")
