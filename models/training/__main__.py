"""Train a bundled network and write its weights and card: ``python -m models.training NAME``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from models import weights
from models.training.cards import rewrite_cost, write_card
from models.training.kept import kept
from models.training.loop import Run
from models.training.recipes import RECIPES, Recipe
from models.training.tasks import TASKS
from models.training.trunks import TRAINED_AS


def train(recipe: Recipe, data: Path, runs: Path, folder: Path) -> Path:
    """Train a recipe, or go on with it, and write NAME.safetensors and NAME.json.

    Args:
        recipe: what to do.
        data: folder of the packs.
        runs: folder of the checkpoints.
        folder: where weights and card go.

    Returns:
        The path of the weights.
    """
    torch.manual_seed(recipe.seed)
    host = TRAINED_AS[recipe.task]
    network = weights.build(recipe.task, recipe.mechanism, TRAINED_AS, recipe.form)
    if recipe.start is not None:
        start_from(network, recipe.start, folder)
    if recipe.twins:
        start_twins(network)
    task = kept(TASKS[recipe.task](data, runs), network, recipe, host.preprocessing, runs, folder)
    run = Run(recipe, network, runs / f"{recipe.name}.pt")
    trained = task.finished(run.train(task, host.preprocessing))
    lends = recipe.start if recipe.frozen else None
    shares = weights.read_tensors(lends, folder) if lends else None
    path = folder / f"{recipe.name}.safetensors"
    checksum, size = weights.save(trained, path, shares)
    # What is measured is what is stored: rounded to float16.
    trained.load_state_dict(
        {
            k: v.float() if v.is_floating_point() else v
            for k, v in weights.as_stored(trained).items()
        }
    )
    metric = task.measured(trained, host.preprocessing)
    write_card(path.with_suffix(".json"), recipe, run, trained, task, metric, lends, checksum, size)
    return path


def start_from(network: torch.nn.Module, name: str, folder: Path) -> None:
    """Take every tensor of other weights that matches in name and shape.

    Raises:
        WeightsError: if there are no such weights yet; it says how they are made.
    """
    own = network.state_dict()
    try:
        stored = weights.read_tensors(name, folder)
    except weights.WeightsError as error:
        raise weights.WeightsError(f"{error}; it comes from: models.training {name}") from error
    taken = {
        k: v.to(own[k].dtype) for k, v in stored.items() if k in own and own[k].shape == v.shape
    }
    network.load_state_dict(own | taken)


def start_twins(network: torch.nn.Module) -> None:
    """Start every tensor of the thermal stream from the RGB stream's."""
    own = network.state_dict()
    twins = {key: own[key.replace(".thermal.", ".rgb.")] for key in own if ".thermal." in key}
    network.load_state_dict(own | twins)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0, or 2 with one sentence where something does not fit."""
    parser = argparse.ArgumentParser(prog="python -m models.training", description=__doc__)
    parser.add_argument("names", nargs="+", choices=sorted(RECIPES), metavar="NAME",
                        help=f"recipes, in order: {', '.join(RECIPES)}")  # fmt: skip
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of the packs"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the checkpoints")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--cost", action="store_true", help="do not train: measure what stored networks cost"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        for name in options.names:
            if options.cost:
                print(rewrite_cost(name, weights.weights_folder()))
            else:
                print(train(RECIPES[name], options.data, options.runs, weights.weights_folder()))
    except (ValueError, OSError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
