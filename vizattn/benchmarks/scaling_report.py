"""What was measured of growth as a table, a plot and a file of numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from vizattn.benchmarks.machine import machine
from vizattn.benchmarks.scaling import Scaling
from vizattn.tables import markdown_table

HEADS = ("mechanism", "stated", "multiply-adds", "time", "memory", "largest map")
NUMBERS, TABLE, PLOT = "scaling.json", "scaling.md", "scaling.png"
_SURPRISING = 0.25
"""how far a fitted exponent of multiply-adds is from the stated one before it is said"""
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


def findings(found: Sequence[Scaling]) -> list[str]:
    """Return what the fitted exponents say about the stated ones, a sentence each."""
    said = []
    for each in found:
        fitted = each.fitted("multiply_adds")
        if abs(fitted - each.exponent) > _SURPRISING:
            said.append(
                f"{each.name} states {each.stated}; over these sizes its multiply-adds grow as "
                f"N^{fitted:.2f}."
            )
    quadratic = [each for each in found if each.exponent == 2 and each.fitted("bytes") < 1.5]
    if quadratic:
        names = ", ".join(each.name for each in quadratic)
        said.append(
            "The memory of an N x N matrix is not needed: it grows about linearly here for "
            f"{names}, although their papers relate every place to every other."
        )
    return said


def page(found: Sequence[Scaling]) -> str:
    """Return the report as Markdown."""
    places = [each.places for each in found[0].points]
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    sizes = ", ".join(f"{round(n**0.5)} x {round(n**0.5)}" for n in places)
    said = "\n".join(f"- {sentence}" for sentence in findings(found))
    return (
        "# How the cost grows with the number of places\n\n"
        "Written by `python -m vizattn bench --scaling --out docs`. One block each, as it stands "
        f"in a host, on maps of {sizes} places; exponents are fitted to the three largest. Time "
        "is processor time; memory is the most that was allocated at once beyond input and "
        "weights; multiply-adds are those of convolutions and matrix products.\n\n"
        f"{markdown_table(HEADS, lines(found))}\n\n![Multiply-adds and time over the number of "
        f"places, both axes logarithmic]({PLOT})\n\n{said}\n\nMeasured on: {facts}.\n"
    )


def write(found: Sequence[Scaling], folder: Path) -> list[Path]:
    """Write numbers, page and plot into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in (NUMBERS, TABLE, PLOT)]
    facts = {"machine": machine(), "mechanisms": [each.facts() for each in found]}
    paths[0].write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    paths[1].write_text(page(found), encoding="utf-8")
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
                linewidth=2.2 if each.slug == "plain" else 1,
                color="black" if each.slug == "plain" else None,
                linestyle={2: "-", 1.5: "--"}.get(each.exponent, ":"),
            )
        axis.set(xscale="log", yscale="log", xlabel="places N", ylabel=label)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=7, frameon=False)
    figure.suptitle("solid: O(N²) stated, dashed: O(N √N), dotted: O(N)", fontsize=9)
    figure.savefig(path)
