"""How much rows depend on who asks, over a folder of pictures: a table, a plot and numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models import measured
from vizattn.benchmarks.machine import machine

Fact = dict[str, Any]
"""what ``python -m vizattn dependence`` measures of one site"""
HEADS = (
    "network", "site", "row distance", "least", "most", "places that a row reaches",
    "pairwise part of the logits",
)  # fmt: skip
NUMBERS = measured.DEPENDENCE
PAGE, PLOT = (NUMBERS.replace(".json", ending) for ending in (".md", ".png"))
SAME, OWN = 0.1, 0.3
"""mean distances up to which rows are called nearly the same, and from which places' own"""
_ROUNDING = 1e-6
WHOLE = 0.5
"""share of the places from which on a row is said to reach the picture"""
_APART = 2
"""heads up to which each has a line of its own: blocks whose heads are different parts"""
_INCHES, _DOTS = (9.0, 0.28), 110


def lines(found: Sequence[Fact]) -> list[tuple[str, ...]]:
    """Return a line for each site, those whose rows are most alike first, and each part of few."""
    return [line for fact in _sorted(found) for line in _lines(fact)]


def _sorted(found: Sequence[Fact]) -> list[Fact]:
    return sorted(found, key=lambda fact: (fact["distance"]["mean"], fact["network"]))


def _lines(fact: Fact) -> Iterator[tuple[str, ...]]:
    distance, share = fact["distance"], fact["pairwise_share"]
    yield (
        f"`{fact['network']}`",
        fact["site"],
        f"{distance['mean']:.3f} ± {distance['deviation']:.3f}",
        f"{distance['least']:.3f}",
        f"{distance['most']:.3f}",
        f"{fact['reach']:.0%}",
        "-" if share is None else f"{share['mean']:.0%} ± {share['deviation']:.0%}",
    )
    if 1 < len(fact["heads"]) <= _APART:
        for index, head in enumerate(fact["heads"]):
            of_logits = head["pairwise_share"]
            part = "-" if of_logits is None else f"{of_logits:.0%}"
            yield ("", f"head {index + 1}", f"{head['distance']:.3f}", "", "", "", part)


def findings(found: Sequence[Fact]) -> list[str]:
    """Return what the numbers say about whether places have rows of their own."""
    far = [fact for fact in _sorted(found) if fact["reach"] >= WHOLE]
    near = [fact for fact in _sorted(found) if fact["reach"] < WHOLE]
    return [
        *_of_whole(far),
        *_of_logits(far),
        *(
            [
                f"Rows of {_names(near)} reach less than half of the places (windows, crosses, "
                "samples, pieces), so they differ by where they lie, whatever the picture shows."
            ]
            if near
            else []
        ),
    ]


def _of_whole(far: Sequence[Fact]) -> Iterator[str]:
    """Yield what rows that reach most of the picture do."""
    shared = [fact for fact in far if fact["distance"]["most"] <= _ROUNDING]
    same = [fact for fact in far if fact["distance"]["mean"] <= SAME and fact not in shared]
    own = [fact for fact in far if fact["distance"]["mean"] >= OWN]
    if shared:
        yield f"One row for all places, as they were built: {', '.join(map(_name, shared))}."
    if same:
        yield (
            f"Nearly the same row whoever asks (mean distance up to {SAME}), as GCNet says of the "
            f"non-local family: {_names(same)}."
        )
    if own:
        yield (
            f"A row of its own for every place (mean distance from {OWN}), as the non-local "
            f"family means it: {_names(own)}."
        )


def _of_logits(far: Sequence[Fact]) -> Iterator[str]:
    """Yield where the smaller part of the logits asks back, and where the larger part does."""
    known = [fact for fact in far if fact["pairwise_share"] is not None]
    for few, said in ((True, "less"), (False, "more")):
        some = [f for f in known if (f["pairwise_share"]["mean"] < 0.5) == few]
        if some:
            shares = ", ".join(f"{_name(f)} {f['pairwise_share']['mean']:.0%}" for f in some)
            yield f"Logits of which {said} than half is pairwise (DNL's split): {shares}."


def _names(found: Sequence[Fact]) -> str:
    return ", ".join(f"{_name(fact)} {fact['distance']['mean']:.2f}" for fact in found)


def _name(fact: Fact) -> str:
    return f"`{fact['network']}` ({fact['site']})"


def facts(found: Sequence[Fact], pictures: Fact) -> dict[str, Any]:
    """Return what was measured and what it says, ready for JSON and ``measured.body``.

    Args:
        found: of every site.
        pictures: "folder", "split" (or None) and "all", how many pictures there were.
    """
    return {
        "title": "Does every pixel get its own row?",
        "lead": _lead(found, pictures),
        "findings": {"en": findings(found)},
        "plot": {
            "file": PLOT,
            "shows": "Row distance and pairwise part of the logits of every site",
        },
        "table": {"heads": HEADS, "lines": lines(found)},
        "machine": machine(),
        "pictures": pictures,
        "sites": list(found),
    }


def _lead(found: Sequence[Fact], pictures: Fact) -> str:
    count = max((fact["pictures"] for fact in found), default=0)
    split = f" ({pictures['split']})" if pictures["split"] else ""
    option = f" --split {pictures['split']}" if pictures["split"] else ""
    some = f" --count {count}" if count < pictures["all"] else ""
    return (
        "The mean cosine distance between the rows of different places: 0 where all listen to the "
        "same, 1 where rows have nothing in common (Cao et al., GCNet). Of products of queries and "
        "keys also the share of the logits' variance that differs from place to place, which Yin "
        "et al. (DNL, eq. 4) call pairwise; the rest is unary, the same for everybody. Where a "
        f"block has two heads, each is a part with a line of its own. Means over {count} of "
        f"{pictures['all']} pictures of `{pictures['folder']}`{split}, spread evenly, written by "
        f"`python -m vizattn dependence {pictures['folder']}{option}{some} --out docs`."
    )


def write(found: Sequence[Fact], pictures: Fact, folder: Path) -> list[Path]:
    """Write numbers, page and plot into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in (NUMBERS, PAGE, PLOT)]
    report = facts(found, pictures)
    encoded = json.dumps(report, indent=1, ensure_ascii=False)
    paths[0].write_text(encoded + "\n", encoding="utf-8")
    paths[1].write_text(f"# {report['title']}\n\n{measured.body(report)}\n", encoding="utf-8")
    plot(found, paths[2])
    return paths


def plot(found: Sequence[Fact], path: Path) -> None:
    """Draw mean, least and largest distance of every site, and its pairwise share beside it."""
    from matplotlib.figure import Figure

    shown = _sorted(found)[::-1]
    height = 1.2 + _INCHES[1] * len(shown)
    figure = Figure(figsize=(_INCHES[0], height), dpi=_DOTS, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    at = range(len(shown))
    names = [f"{fact['network']}  {fact['site']}" for fact in shown]
    for place, fact in zip(at, shown, strict=True):
        distance, share = fact["distance"], fact["pairwise_share"]
        colour = "#0b6bcb" if fact["reach"] >= WHOLE else "#9b9ba5"
        left.plot([distance["least"], distance["most"]], [place, place], color=colour, linewidth=2)
        left.plot(distance["mean"], place, "o", color=colour, markersize=5)
        if share is None:
            right.text(0.02, place, "-", color=colour, va="center")
        else:
            right.barh(place, share["mean"], height=0.6, color=colour)
    left.set_yticks(list(at), names, fontsize=7)
    left.set(xlabel="row distance: mean, least and most of the pictures", xlim=(0, None))
    left.set_ylim(-0.7, len(shown) - 0.3)
    right.set(xlabel="pairwise part of the logits", xlim=(0, 1))
    for axis in (left, right):
        axis.grid(axis="x", linewidth=0.5, alpha=0.5)
    figure.suptitle("blue: rows reach half of the places or more, grey: fewer", fontsize=9)
    figure.savefig(path)
