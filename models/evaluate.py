"""Measure a bundled network on a picture pack: ``python -m models.evaluate NAME FOLDER``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.counting.measure import counting_errors
from models.packs import (
    CAMVID_CLASSES,
    UNLABELLED,
    Entry,
    PackError,
    read_classification,
    read_counting,
    read_segmentation,
)
from models.preprocessing import Preprocessing
from models.weights import load


def accuracy(
    network: nn.Module, preprocessing: Preprocessing, entries: list[Entry]
) -> dict[str, Any]:
    """Return {"accuracy", "count"}: the share of pictures whose highest score is their class."""
    correct = 0
    for entry in _progress(entries):
        scores = _scores(network, preprocessing, entry)
        correct += int(scores.argmax(dim=1).item() == entry.label)
    return {"accuracy": correct / len(entries), "count": len(entries)}


def mean_iou(
    network: nn.Module, preprocessing: Preprocessing, entries: list[Entry]
) -> dict[str, Any]:
    """Return {"miou", "iou" by class, "count"} over the labelled classes.

    Pixels of all pictures are counted together; unlabelled pixels are left out. A class that
    neither the masks nor the answers contain has no IoU (null) and is left out of the mean.
    """
    classes = len(CAMVID_CLASSES)
    confusion = torch.zeros(classes, classes, dtype=torch.long)
    for entry in _progress(entries):
        answer = _scores(network, preprocessing, entry).argmax(dim=1)[0]
        truth = entry.classes().long()
        if truth.shape != answer.shape:
            raise PackError(f"{entry.image.name}: picture and mask differ in size")
        if truth.max() >= classes:
            raise PackError(f"{entry.image.name}: expected classes of 0..{classes - 1} in its mask")
        labelled = truth != UNLABELLED
        pairs = truth[labelled] * classes + answer[labelled]
        confusion += torch.bincount(pairs, minlength=classes**2).view(classes, classes)
    hits = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - hits
    iou = {
        name: (hits[index] / union[index]).item() if union[index] else None
        for index, name in enumerate(CAMVID_CLASSES)
        if index != UNLABELLED
    }
    known = [value for value in iou.values() if value is not None]
    if not known:
        raise PackError("expected masks with at least one labelled pixel, found none")
    return {"miou": sum(known) / len(known), "iou": iou, "count": len(entries)}


READERS: dict[str, Callable[..., list[Any]]] = {
    "classify": read_classification,
    "segment": read_segmentation,
    "count": read_counting,
}
MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    "classify": accuracy,
    "segment": mean_iou,
    "count": counting_errors,
}


def measure(
    network: nn.Module,
    task: str,
    preprocessing: Preprocessing,
    folder: Path | str,
    split: str | None = None,
) -> dict[str, Any]:
    """Return a network's metric over every entry of a pack, or of one split."""
    entries = READERS[task](folder, split)
    return MEASURES[task](network.eval(), preprocessing, entries)


def _scores(network: nn.Module, preprocessing: Preprocessing, entry: Entry) -> Tensor:
    with torch.inference_mode():
        return network(preprocessing.normalise(entry.pixels().unsqueeze(0)))


def _progress(entries: list[Entry]) -> Any:
    return tqdm(entries, desc="measuring", leave=False, disable=not sys.stderr.isatty())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0, or 2 with one sentence where something does not fit."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluate", description=__doc__)
    parser.add_argument("name", help="a bundled network, for example classify-se")
    parser.add_argument("folder", type=Path, help="a pack with an index.csv or annotations.json")
    parser.add_argument("--split", help="only this split of the pack (default: every entry)")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    options = parser.parse_args(arguments)
    try:
        network, card = load(options.name)
        result = measure(network, card.task, card.preprocessing, options.folder, options.split)
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key}: {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
