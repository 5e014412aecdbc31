"""Write the card of a training run: what was done, on what, and what it measured."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.cost import cost
from models.mechanism import mechanisms
from models.training.loop import Run
from models.training.recipes import RECIPES, Recipe
from models.training.tasks import Task
from models.training.trunks import TRAINED_AS
from models.weights import WeightsError, load, read_card

_IMAGENETTE = {
    "name": "Imagenette selection of ImageNet, 128 px (pack cls_imagenette128)",
    "terms": "ImageNet terms: non-commercial research and teaching",
}
_CROWDS = {
    "name": "Crowd photographs of ShanghaiTech A, B and UCF_CC_50 with head points (pack "
    "crowd_points); MSRS and RoadScene RGB-T pairs with points of body centres (packs rgbt_msrs, "
    "reviewed entries, and rgbt_roadscene, annotated entries); RGB-T scenes that we render",
    "terms": "research use only: cite Zhang et al. 2016 and Idrees et al. 2013, Tang et al. 2022; "
    "FLIR ADAS terms for RoadScene; the rendered scenes are CC0",
    "points": "heads in crowd photographs, body centres in RGB-T pairs",
}
DATA: dict[str, dict[str, str]] = {
    "classify": _IMAGENETTE,
    "stream": _IMAGENETTE,
    "senses": _CROWDS,
    "count": _CROWDS,
    "segment": {
        "name": "CamVid with 12-class masks, 480 x 360 (pack seg_camvid)",
        "terms": "CC BY-NC 4.0 repository; CamVid for research, cite Brostow et al. 2009",
    },
}


def write_card(
    path: Path,
    recipe: Recipe,
    run: Run,
    network: nn.Module,
    task: Task,
    metric: dict[str, Any],
    shares: str | None,
    sha256: str,
    size: int,
) -> None:
    """Write what one run did and measured as JSON."""
    host = TRAINED_AS[recipe.task]
    mechanism = mechanisms()[recipe.mechanism].name if recipe.mechanism else None
    if recipe.form:
        mechanism = f"{mechanism}, {recipe.form.replace('-', ' ')}"
    card = {
        "name": recipe.name,
        "task": recipe.task,
        "mechanism": recipe.mechanism,
        "mechanism_name": mechanism,
        "form": recipe.form,
        "shares": shares,
        "sha256": sha256,
        "bytes": size,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "trained_parameters": sum(p.numel() for p in run.network.parameters() if p.requires_grad),
        "metric": metric,
        "plain": _plain(recipe, path.parent),
        "cost": _cost(recipe, network, path.parent),
        "data": DATA[recipe.task]
        | {"pack": task.pack, "train": len(task.train), metric["split"]: metric["count"]},
        "classes": list(host.classes),
        "preprocessing": asdict(host.preprocessing),
        **task.facts,
        "recipe": asdict(recipe),
        "command": f"python -m models.training {recipe.name}",
        "minutes": round(run.seconds / 60, 1),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
    }
    path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")


def _plain(recipe: Recipe, folder: Path) -> dict[str, Any] | None:
    # The plain host is trained first; its own card has nothing to stand beside.
    if recipe.plain is None or recipe.plain == recipe.name:
        return None
    try:
        plain = read_card(recipe.plain, folder)
    except WeightsError:
        return None
    return {"name": plain.name, "metric": plain.metric, "parameters": plain.facts["parameters"]}


def _cost(recipe: Recipe, network: nn.Module, folder: Path) -> dict[str, Any] | None:
    # Counters take pictures of two senses: the page measures them on the visitor's own pair.
    if recipe.plain is None or recipe.task == "count":
        return None
    try:
        plain, _ = load(recipe.plain, folder)
    except WeightsError:
        return None
    return cost(network, plain, TRAINED_AS[recipe.task].preprocessing.size)


def rewrite_cost(name: str, folder: Path) -> Path:
    """Measure what a stored network costs on this machine, and write that on its card.

    Raises:
        WeightsError: if the network, its card or the plain host cannot be read.
    """
    network, card = load(name, folder)
    path = folder / f"{name}.json"
    facts = card.facts | {"cost": _cost(RECIPES[name], network, folder)}
    path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    return path
