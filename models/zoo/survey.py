"""Ask the libraries about every line of the zoo's table: ``python -m models.zoo.survey``."""

from __future__ import annotations

import json

import torch
from torch import nn

from models.zoo.libraries import LIBRARIES, Facts
from models.zoo.table import FACTS, LINES, Entry, Line

FLOAT = 4
"""bytes of a number in the published files"""


def facts_of(line: Line | Entry, network: nn.Module) -> Facts:
    """Return what a library says of a network and what the network itself shows.

    Args:
        line: which one.
        network: built from it, of any input size.
    """
    return {
        "bytes": sum(
            tensor.numel() * (FLOAT if tensor.is_floating_point() else tensor.element_size())
            for tensor in network.state_dict().values()
        ),
        "parameters": sum(tensor.numel() for tensor in network.parameters()),
        **LIBRARIES[line.source].facts(line),
    }


def takes(network: nn.Module, size: tuple[int, int]) -> bool:
    """Return whether a network answers for an input of (rows, columns)."""
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, *size))
    except (AssertionError, RuntimeError, ValueError):
        return False
    return True


def survey() -> dict[str, Facts]:
    """Return the facts of every line by the entry's name; builds and tries each network."""
    found = {}
    for line in LINES:
        network = LIBRARIES[line.source].build(line, None, None)
        facts = facts_of(line, network)
        rows, columns = facts["size"]
        # Sides that are no multiple of anything: what a picture of any shape comes to.
        facts["fixed"] = not takes(network, (rows + 35, columns + 81))
        found[f"{line.architecture}.{line.tag}"] = facts
        print(f"{line.architecture}.{line.tag}: {json.dumps(facts)}", flush=True)
    return found


if __name__ == "__main__":
    lines = (f'  "{name}": {json.dumps(facts)}' for name, facts in survey().items())
    FACTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
