"""What the three orders of CBAM came to, as a page, a plot with error bars and numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from models.tables import markdown_table

NUMBERS, PAGE, PLOT = "cbam_order.json", "cbam_order.md", "cbam_order.png"
_INCHES, _DOTS = (6.4, 3.0), 110


@dataclass(frozen=True)
class Found:
    """What one order came to.

    Args:
        order: its name.
        network: the bundled network of the first seed.
        seeds: what was trained from.
        accuracies: share of right answers of each, in 0..1.
        split: what they were measured on.
        count: pictures there.
    """

    order: str
    network: str
    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    split: str
    count: int

    @property
    def mean(self) -> float:
        """Return the mean accuracy over the seeds."""
        return mean(self.accuracies)

    @property
    def deviation(self) -> float:
        """Return the standard deviation over the seeds."""
        return stdev(self.accuracies)

    def facts(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        return {
            "seeds": list(self.seeds),
            "accuracies": list(self.accuracies),
            "mean": self.mean,
            "deviation": self.deviation,
            "split": self.split,
            "count": self.count,
        }


def gap(one: Found, other: Found) -> tuple[float, float]:
    """Return (mean, standard error) of one order's accuracy less another's, seed by seed.

    The same seed starts alike and draws the same batches, so that its runs are compared in pairs.
    """
    pairs = zip(one.accuracies, other.accuracies, strict=True)
    differences = [mine - theirs for mine, theirs in pairs]
    return mean(differences), stdev(differences) / math.sqrt(len(differences))


def sampling_error(found: Sequence[Found]) -> float:
    """Return the standard error that a share of right answers has on so many pictures."""
    share = mean(each.mean for each in found)
    return math.sqrt(share * (1 - share) / found[0].count)


def finding(found: Sequence[Found]) -> str:
    """Return what can be said of the orders, in sentences."""
    best = max(found, key=lambda each: each.mean)
    (difference, error), *_ = sorted(
        (gap(best, each) for each in found if each is not best), key=lambda pair: pair[0]
    )
    apart = difference > 2 * error
    said = [
        f"The best mean is that of {best.order}, {_points(difference)} points over the next, with "
        f"a standard error of {_points(error)}: "
        + ("more than twice that." if apart else "three seeds do not tell them apart.")
    ]
    said.append(
        f"Apart from the seeds, accuracy on {found[0].count:,} pictures has a standard error of "
        f"{_points(sampling_error(found))} points by itself, which all runs share."
    )
    return " ".join(said)


def page(found: Sequence[Found]) -> str:
    """Return the report as Markdown."""
    first = found[0]
    heads = ("order", "network", *(f"seed {seed}" for seed in first.seeds), "mean", "deviation")
    rows = [
        (
            each.order,
            f"`{each.network}`",
            *(_share(value) for value in (*each.accuracies, each.mean)),
            f"{_points(each.deviation)} points",
        )
        for each in found
    ]
    pairs = [
        (f"{one.order} less {other.order}", *(f"{_points(x)} points" for x in gap(one, other)))
        for one, other in combinations(found, 2)
    ]
    return (
        "# CBAM's order\n\n"
        "Written by `python -m models.training.order_study`. Which gate comes first: the paper "
        "compares channel first, space first and both in parallel, and takes the first. Here the "
        "three are trained alike, by the recipe of all classifiers, from "
        f"{len(first.seeds)} seeds each, and measured on Imagenette {first.split} "
        f"({first.count:,} pictures).\n\n"
        f"{markdown_table(heads, rows)}\n\n"
        f"![Accuracy of every run, with mean and standard deviation of each order]({PLOT})\n\n"
        f"{finding(found)}\n\n"
        "Compared seed by seed, because the same seed starts alike and draws the same batches:\n\n"
        f"{markdown_table(('difference', 'mean', 'standard error'), pairs)}\n\n"
        "The networks of seed 0 are bundled: the page shows them side by side under Compare.\n"
    )


def write(found: Sequence[Found], folder: Path) -> list[Path]:
    """Write numbers, page and plot into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in (NUMBERS, PAGE, PLOT)]
    facts = {each.order: {"network": each.network, **each.facts()} for each in found}
    paths[0].write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    paths[1].write_text(page(found), encoding="utf-8")
    plot(found, paths[2])
    return paths


def plot(found: Sequence[Found], path: Path) -> None:
    """Draw every run, and the mean with one standard deviation to each side, in percent."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DOTS, layout="constrained")
    axis = figure.subplots()
    for row, each in enumerate(found):
        runs = [100 * value for value in each.accuracies]
        axis.errorbar(
            100 * each.mean, row, xerr=100 * each.deviation, fmt="D", color="black", capsize=5
        )
        axis.plot(runs, [row + 0.18] * len(runs), "o", color="tab:blue", markersize=4)
    axis.set(
        yticks=range(len(found)),
        yticklabels=[each.order for each in found],
        ylim=(len(found) - 0.5, -0.5),
        xlabel=f"accuracy on Imagenette {found[0].split}, %",
    )
    axis.grid(axis="x", alpha=0.3)
    figure.suptitle("diamond: mean ± standard deviation over seeds; dots: runs", fontsize=9)
    figure.savefig(path)


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:.2f}"
