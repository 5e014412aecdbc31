"""Train CBAM in its three orders from three seeds, and write what came of it into docs/.

``python -m models.training.order_study`` goes on where it was stopped: runs that are finished are
kept. Networks of seed 0 are bundled; those of other seeds stay in the folder of the checkpoints.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from models.training.__main__ import train
from models.training.order_report import Found, write
from models.training.recipes import RECIPES, Recipe
from models.weights import Card, WeightsError, read_card, weights_folder

ORDERS = {
    "channel first": "classify-cbam",
    "space first": "classify-cbam-space-first",
    "in parallel": "classify-cbam-parallel",
}
"""the bundled network of each order"""
SEEDS = (0, 1, 2)
KEPT = "cbam-order"
"""where, in the folder of the checkpoints, networks of other seeds are"""
DOCS = Path(__file__).resolve().parents[2] / "docs"


def recipes() -> Iterator[Recipe]:
    """Yield what is trained: by seed, every order. The same seed draws the same batches."""
    for seed in SEEDS:
        for name in ORDERS.values():
            yield RECIPES[name] if seed == SEEDS[0] else _of_seed(RECIPES[name], seed)


def _of_seed(recipe: Recipe, seed: int) -> Recipe:
    return replace(recipe, name=f"{recipe.name}-seed-{seed}", seed=seed, plain=None)


def finished(recipe: Recipe, folder: Path) -> Card | None:
    """Return the card of a run of this very recipe, or None where it has to be trained."""
    try:
        card = read_card(recipe.name, folder)
    except WeightsError:
        return None
    made_by = card.facts["recipe"]
    wanted = json.loads(json.dumps(asdict(recipe)))
    # What a recipe has learnt to say since is, where a card lacks it, what it was all along.
    defaults = {name: wanted[name] for name in wanted.keys() - made_by.keys()}
    return card if made_by | defaults == wanted else None


def study(data: Path, runs: Path, folder: Path, out: Path) -> list[Path]:
    """Train what is not finished, then write the report and, on the cards, what all seeds gave.

    Args:
        data: folder of the packs.
        runs: folder of the checkpoints and of the networks of other seeds.
        folder: folder of the bundled weights.
        out: where the report goes.

    Returns:
        The paths of the report.
    """
    kept = runs / KEPT
    kept.mkdir(parents=True, exist_ok=True)
    cards = {}
    for recipe in recipes():
        target = folder if recipe.name in RECIPES else kept
        if finished(recipe, target) is None:
            _lend(recipe, folder, target)
            print(train(recipe, data, runs, target), flush=True)
        cards[recipe.name] = read_card(recipe.name, target)
    found = [_found(order, name, cards) for order, name in ORDERS.items()]
    for each in found:
        _tell(each, folder)
    return write(found, out)


def _lend(recipe: Recipe, folder: Path, target: Path) -> None:
    """Put the weights that a run starts from where it looks for them."""
    for suffix in (".json", ".safetensors") if target != folder else ():
        shutil.copy(folder / f"{recipe.start}{suffix}", target)


def _found(order: str, name: str, cards: dict[str, Card]) -> Found:
    own = [cards[name], *(cards[_of_seed(RECIPES[name], seed).name] for seed in SEEDS[1:])]
    metrics = [card.metric for card in own]
    accuracies = tuple(metric["accuracy"] for metric in metrics)
    return Found(order, name, SEEDS, accuracies, metrics[0]["split"], metrics[0]["count"])


def _tell(found: Found, folder: Path) -> None:
    """Write on a bundled network's card what its recipe gave from every seed."""
    path = folder / f"{found.network}.json"
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    facts["seeds"] = found.facts()
    path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0, or 2 with one sentence where something does not fit."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.order_study", description=__doc__
    )
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of the packs"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the checkpoints")
    parser.add_argument("--out", type=Path, default=DOCS, help="where the report goes")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        for path in study(options.data, options.runs, weights_folder(), options.out):
            print(path)
    except (ValueError, OSError) as error:
        print(f"order_study: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
