"""Every mechanism in one table, and its text: ``python -m models.survey`` writes docs/.

``--verify`` replays the reference files first and keeps the largest differences.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models.goals import Goal
from models.mechanism import Mechanism, auxiliary_of, blocks_of, mechanisms
from models.reference import Replay, replay
from models.tables import markdown_table
from models.weights import Card, cards

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "tests" / "reference"
DOCS = ROOT / "docs"
VERIFIED = "verified.json"
PAGE = "mechanisms.md"
_CHANNELS = 32
"""of the blocks that are built to see what they hold"""
HEADS = (
    "mechanism", "paper", "what it weighs", "goals", "reference files", "largest error",
    "trained as", "on unseen pictures", "beside plain", "parameters more", "multiply-adds", "time",
)  # fmt: skip
_OF_MECHANISM = HEADS.index("trained as")
"""columns that say what a mechanism is, whatever network has it"""


@dataclass(frozen=True)
class Verified:
    """What replaying one file of reference numbers measured.

    Args:
        slug: the mechanism that answered.
        error: the largest absolute difference of an output or an attention.
        passed: whether every difference was within the tolerance.
    """

    slug: str
    error: float
    passed: bool


def verified(folder: Path = DOCS) -> dict[str, Verified]:
    """Return what was measured by file name; nothing where it was not yet written."""
    path = folder / VERIFIED
    if not path.is_file():
        return {}
    return {name: Verified(**each) for name, each in json.loads(path.read_text()).items()}


def verify(files: Path = REFERENCE) -> dict[str, Verified]:
    """Replay every reference file, in float32 where float64 rounds large sums otherwise."""
    found = {}
    for path in sorted(files.glob("*.safetensors")):
        result = replay(path, torch.float64)
        if not result.passed:
            result = replay(path, torch.float32)
        found[path.name] = Verified(result.slug.partition("__")[0], _largest(result), result.passed)
    return found


def _largest(result: Replay) -> float:
    errors = [each.error for each in result.comparisons]
    return math.nan if any(map(math.isnan, errors)) else max(errors)


def table(measured: dict[str, Verified], page: str = "") -> str:
    """Return the table of every mechanism, a line for each network that has it.

    Args:
        measured: what replaying the reference files measured, by file name.
        page: address of the page that has a chapter for each; by default the same page.
    """
    trained: dict[str, list[Card]] = {}
    for card in cards().values():
        if card.mechanism:
            trained.setdefault(card.mechanism, []).append(card)
    rows: list[tuple[str, ...]] = []
    for each in sorted(mechanisms().values(), key=lambda each: (each.family, each.paper.year)):
        first = _of_mechanism(each, measured, page)
        shown: list[Card | None] = [*trained.get(each.slug, ())] or [None]
        for network in shown:
            rows.append((*first, *_of_card(network)))
            first = ("",) * len(first)
    return markdown_table(HEADS, rows)


def _of_mechanism(
    mechanism: Mechanism, measured: dict[str, Verified], page: str
) -> tuple[str, ...]:
    paper = mechanism.paper
    where = f"{paper.venue} {paper.year}"
    files = [each for each in measured.values() if each.slug == mechanism.slug]
    passed = sum(each.passed for each in files)
    error = f"{max(each.error for each in files):.0e}" if files else "-"
    return (
        f"[{mechanism.name}]({page}#{mechanism.slug})",
        f"[{where}]({paper.url})" if paper.url else where,
        ", ".join(kinds(mechanism)),
        ", ".join(goal.numeral or goal.value for goal in mechanism.goals),
        f"{passed} of {len(files)}" if files else "-",
        error,
    )


def kinds(mechanism: Mechanism) -> list[str]:
    """Return what the taps of a mechanism hold, over all of its variants, in plain words."""
    found: dict[str, None] = {}
    for build in mechanism.variants.values():
        module = build(_CHANNELS)
        for block in blocks_of(module).values():
            found[block.kind.value] = None
        for auxiliary in auxiliary_of(module).values():
            found[auxiliary.kind.value] = None
    return [name.replace("_", " ") for name in found]


def _of_card(card: Card | None) -> tuple[str, ...]:
    if card is None:
        return ("-",) * (len(HEADS) - _OF_MECHANISM)
    metric, plain = card.metric, card.facts["plain"]
    key = next((key for key in ("accuracy", "miou") if key in metric), None)
    if key is None:
        return (f"`{card.name}`", f"MAE {metric['mae']:.1f}", "-", "-", "-", "-")
    more: tuple[str, ...] = ("-", "-")
    if plain is not None:
        points = 100 * (metric[key] - plain["metric"][key])
        more = f"{points:+.1f} points", f"{card.facts['parameters'] - plain['parameters']:,}"
    return f"`{card.name}`", f"{100 * metric[key]:.1f} %", *more, *_cost(card.facts.get("cost"))


def _cost(cost: dict[str, Any] | None) -> tuple[str, str]:
    if not cost:
        return "-", "-"
    adds = cost["multiply_adds"] / cost["plain_multiply_adds"]
    return f"x {adds:.2f}", f"x {cost['milliseconds'] / cost['plain_milliseconds']:.2f}"


def page(measured: dict[str, Verified]) -> str:
    """Return the page of every mechanism: the table, then what each file teaches."""
    parts = [
        "# Every mechanism",
        "Written by `python -m models.survey`; the table's numbers come from the cards and from "
        "replaying the reference files (`--verify`). Errors are the largest absolute differences "
        "of outputs and attentions from the authors' code; accuracy (Imagenette val) and mIoU "
        "(CamVid test) stand beside the plain host under the same recipe; multiply-adds and time "
        "are those of the whole network over the plain host's, measured by turns.",
        _goals(),
        table(measured),
    ]
    for each in sorted(mechanisms().values(), key=lambda each: (each.family, each.paper.year)):
        parts.append(_chapter(each))
    return "\n\n".join(parts) + "\n"


def _chapter(mechanism: Mechanism) -> str:
    paper = mechanism.paper
    source = f"{paper.authors}: {paper.title}. {paper.venue} {paper.year}."
    goals = "; ".join(_goal(goal) for goal in mechanism.goals)
    text = sys.modules[_module(mechanism)].__doc__ or ""
    link = f" {paper.url}" if paper.url else ""
    anchor = f'<a id="{mechanism.slug}"></a>'
    taught = f"```text\n{text.strip()}\n```"
    parts = (anchor, f"## {mechanism.name}", f"{source}{link}", f"Goals: {goals}.", taught)
    return "\n\n".join(parts)


def _goals() -> str:
    """Return what the goals in the table mean: those without a number by their names there."""
    said = "\n".join(f"- {goal.numeral or goal.value}: {goal.sentence}" for goal in Goal)
    return (
        "Goals are those of the survey (Guo et al., [Attention mechanisms in computer vision: A "
        "survey](https://arxiv.org/abs/2111.07624), 2022), in our words; which of them a mechanism "
        f"has is judged from its paper.\n\n{said}"
    )


def _goal(goal: Goal) -> str:
    return f"{goal.numeral}, {goal.sentence}" if goal.numeral else goal.sentence


def _module(mechanism: Mechanism) -> str:
    prefix = "models.mechanisms."
    return next(
        name
        for name, module in sys.modules.items()
        if name.startswith(prefix) and getattr(module, "MECHANISM", None) is mechanism
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0, or 1 where a reference file is not reproduced."""
    parser = argparse.ArgumentParser(prog="python -m models.survey", description=__doc__)
    parser.add_argument("--verify", action="store_true", help="replay the reference files first")
    options = parser.parse_args(arguments)
    DOCS.mkdir(exist_ok=True)
    if options.verify:
        found = {name: vars(each) for name, each in verify().items()}
        (DOCS / VERIFIED).write_text(json.dumps(found, indent=1) + "\n")
    measured = verified()
    (DOCS / PAGE).write_text(page(measured), encoding="utf-8")
    print(DOCS / PAGE)
    return 0 if all(each.passed for each in measured.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
