"""List the bundled networks with what they reach, those that others trained, and the mechanisms.

Others' weights are downloaded when a network is first used; the list says how large they are.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from models.mechanism import Mechanism, mechanisms
from models.weights import Card
from models.zoo.loading import Pretrained
from vizattn.networks import Library
from vizattn.tables import table

NAME = "list"
HELP = "list the networks, bundled and pretrained, and the mechanisms"
LONGEST_NAME = 44
"""characters of a mechanism's name in the table"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")


def run(options: argparse.Namespace) -> int:
    """Print all lists; returns 0."""
    library = Library("cpu")
    models = [_network(card) for card in library.cards().values()]
    zoo = [_pretrained(library, card) for card in library.pretrained().values()]
    if options.json:
        known = [_mechanism(each) for each in mechanisms().values()]
        everything = {"models": models, "pretrained": zoo, "mechanisms": known}
        print(json.dumps(everything, indent=2, ensure_ascii=False))
        return 0
    print(
        table(
            ("network", "task", "mechanism", "metric", "weights"),
            [
                (
                    each["name"],
                    each["task"],
                    each["mechanism"] or "none",
                    "{value:.4f} {name} on {count} {split}".format(**each["metric"]),
                    f"{each['weights']['bytes'] / 1e6:.1f} MB",
                )
                for each in models
            ],
        )
    )
    print()
    print(
        table(
            ("pretrained", "task", "size", "weights", "licence"),
            [(each["name"], each["task"], *_size(each), each["licence"]) for each in zoo],
        )
    )
    print()
    print(
        table(
            ("mechanism", "name", "family", "variants"),
            [
                (slug, _short(each.name), each.family, str(len(each.variants)))
                for slug, each in mechanisms().items()
            ],
        )
    )
    return 0


def _short(name: str) -> str:
    """Return a name that leaves room for its line's other columns; JSON has it whole."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"


def _size(pretrained: dict[str, Any]) -> tuple[str, str]:
    here = "downloaded" if pretrained["downloaded"] else "to download"
    return f"{pretrained['bytes'] / 1e6:.0f} MB", here


def _pretrained(library: Library, card: Pretrained) -> dict[str, Any]:
    entry = card.entry
    return {
        "name": card.name,
        "title": entry.title,
        "task": entry.task,
        "family": entry.group.family,
        "paper": entry.group.paper.title,
        "year": entry.group.paper.year,
        "source": entry.source,
        "origin": entry.origin,
        "licence": entry.licence,
        "bytes": entry.bytes,
        "parameters": entry.parameters,
        "size": list(entry.size),
        "downloaded": library.here(card.name),
    }


def _network(card: Card) -> dict[str, Any]:
    mechanism = mechanisms().get(card.mechanism or "")
    return {
        "name": card.name,
        "task": card.task,
        "mechanism": card.mechanism,
        "form": card.form,
        "family": mechanism.family if mechanism else None,
        "weights": {
            "file": f"{card.name}.safetensors",
            "bytes": card.facts["bytes"],
            # The tensors that several networks have in common are stored once.
            "shares": f"{card.shares}.safetensors" if card.shares else None,
        },
        "metric": _metric(card),
    }


def _metric(card: Card) -> dict[str, Any]:
    # A card names its metric by its key: the one number between the split and the count.
    name, value = next((k, v) for k, v in card.metric.items() if isinstance(v, float))
    return {
        "name": name,
        "value": value,
        "split": card.metric["split"],
        "count": card.metric["count"],
    }


def _mechanism(mechanism: Mechanism) -> dict[str, Any]:
    return {
        "slug": mechanism.slug,
        "name": mechanism.name,
        "family": mechanism.family,
        "goals": [goal.value for goal in mechanism.goals],
        "variants": list(mechanism.variants),
    }
