"""Write README's tables from cards and measurements: ``python -m models.report [README.md]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from models import measured, survey
from models.tables import markdown_table
from models.weights import Card, cards, weights_folder

Errors = dict[str, Any]

SHOWN = {
    "rgb": "RGB alone",
    "thermal": "thermal alone",
    "both": "both",
    "both, 8 px apart": "both, 8 px apart",
    "both, 16 px apart": "both, 16 px apart",
    "both, 32 px apart": "both, 32 px apart",
}
"""the conditions of a counter's card, as README says them"""
_BLOCK = "<!-- {edge}: {name} -->"


def networks() -> str:
    """Return the table of every network with a share of right answers."""
    rows = []
    for name, card in cards().items():
        metric = card.metric.get("accuracy", card.metric.get("miou"))
        if metric is not None:
            rows.append(
                (
                    f"`{name}`",
                    card.facts["mechanism_name"] or "none",
                    f"{100 * metric:.1f} %",
                    f"{card.facts['parameters']:,}",
                    _megabytes(name),
                )
            )
    heads = ("network", "mechanism", "on pictures that training did not see", "parameters", "file")
    return markdown_table(heads, rows)


def counters() -> str:
    """Return the tables of every counter: by pack, what it was shown and how far it was off."""
    found = {name: card for name, card in cards().items() if "conditions" in card.metric}
    if not found:
        return ""
    sizes = markdown_table(
        ("network", "what joins the senses", "parameters", "file"),
        [
            (
                f"`{name}`",
                card.facts["mechanism_name"] or "their plain mean",
                f"{card.facts['parameters']:,}",
                _megabytes(name),
            )
            for name, card in found.items()
        ],
    )
    packs = next(iter(found.values())).metric["conditions"]
    return "\n\n".join(["### Counting people", sizes, *(_of_pack(p, found) for p in packs)])


def _of_pack(pack: str, found: dict[str, Card]) -> str:
    first = next(iter(found.values())).metric["conditions"][pack]
    rows: list[tuple[str, ...]] = []
    for source, _, _ in _sources(first):
        for condition in first:
            for name in found if condition in SHOWN else list(found)[:1]:
                errors = _errors(found[name].metric["conditions"][pack][condition], source)
                if errors is None:
                    continue
                who = f"`{name}`" if condition in SHOWN else "always the training mean"
                rows.append((source, SHOWN.get(condition, "nothing"), who, *_numbers(errors)))
    heads = ("source", "shown", "network", "MAE", "RMSE", "GAME 1", "GAME 2", "GAME 3")
    parts = ", ".join(
        f"{source or 'all'}: {pictures} pictures, {people:.1f} people each"
        for source, pictures, people in _sources(first)
    )
    table = markdown_table(heads, [(row[0] or "all", *row[1:]) for row in rows])
    return f"`{pack}` (val; {parts})\n\n{table}"


def _sources(conditions: dict[str, Errors]) -> list[tuple[str, int, float]]:
    """Return (source, pictures, mean people); one entry where there is only one source."""
    errors = next(iter(conditions.values()))
    by_source = errors["by_source"]
    if len(by_source) == 1:
        return [("", errors["count"], errors["people"])]
    return [(name, each["count"], each["people"]) for name, each in by_source.items()]


def _errors(errors: Errors, source: str) -> Errors | None:
    return errors if not source else errors.get("by_source", {}).get(source)


def _numbers(errors: Errors) -> tuple[str, ...]:
    return tuple(f"{value:.2f}" for value in (errors["mae"], errors["rmse"], *errors["game"][1:]))


def _megabytes(name: str) -> str:
    return f"{(weights_folder() / f'{name}.safetensors').stat().st_size / 1e6:.1f} MB"


def every_mechanism() -> str:
    """Return the table of every mechanism, as replayed and trained."""
    return survey.table(survey.verified(), page=f"docs/{survey.PAGE}")


def costs() -> str:
    """Return how the cost of mechanisms grows with the number of places."""
    return measured.section(measured.COSTS)


def dependence() -> str:
    """Return how much rows depend on the place that asks."""
    return measured.section(measured.DEPENDENCE)


BLOCKS = {
    "networks": networks,
    "counters": counters,
    "mechanisms": every_mechanism,
    "costs": costs,
    "dependence": dependence,
}
"""what is written between the marks of each name"""


def filled(text: str) -> str:
    """Return a text with everything between marks written anew.

    Raises:
        ValueError: if a mark is missing.
    """
    for name, make in BLOCKS.items():
        begin, end = (_BLOCK.format(edge=edge, name=name) for edge in ("begin", "end"))
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"expected the marks {begin} and {end}")
        made = make()
        inner = f"\n\n{made}\n\n" if made else "\n"
        text = f"{before}{begin}{inner}{end}{after}"
    return text


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0, or 2 with one sentence where something does not fit."""
    parser = argparse.ArgumentParser(prog="python -m models.report", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=Path("README.md"))
    options = parser.parse_args(arguments)
    try:
        text = options.file.read_text(encoding="utf-8")
        options.file.write_text(filled(text), encoding="utf-8")
    except (ValueError, OSError) as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
