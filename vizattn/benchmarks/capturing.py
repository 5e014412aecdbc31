"""What capturing costs beside a plain forward pass: time and peak memory, checks apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn
from torch.profiler import kineto_available

from models import weights
from vizattn.benchmarks.measure import Measure, alternate, ratio, skipped
from vizattn.geometry import Framing
from vizattn.memory import peak_bytes
from vizattn.passes import run
from vizattn.truth import captured

TIME_TARGET = 1.05
MEMORY_TARGET = 1.10


@dataclass(frozen=True)
class Case:
    """A network, the size of its input, and in how many rounds it is run."""

    task: str
    mechanism: str
    rows: int
    columns: int
    rounds: int

    @property
    def name(self) -> str:
        """Return the network and its input in a few characters."""
        return f"{self.task}-{self.mechanism} {self.columns} x {self.rows}"


CASES = (Case("segment", "nonlocal", 360, 480, 30), Case("classify", "se", 128, 128, 200))
QUICK = (Case("segment", "nonlocal", 96, 128, 2), Case("classify", "se", 64, 64, 2))


def measures(quick: bool = False) -> Iterator[Measure]:
    """Yield time and memory of capturing, and the time of the checks, for every case.

    What the weights are does not matter here, so the networks are untrained.
    """
    for case in QUICK if quick else CASES:
        torch.manual_seed(0)
        network = weights.build(case.task, case.mechanism).eval()
        images = torch.randn(1, 3, case.rows, case.columns)
        yield from _times(case, network, images)
        yield _memory(case, network, images)


def _times(case: Case, network: nn.Module, images: Tensor) -> Iterator[Measure]:
    size = (case.columns, case.rows)
    framing = Framing(size, size, (0, 0), size)

    def checked() -> object:
        _, firings = run(network, images)
        return [captured(firing, 0, framing) for firing in firings]

    taken = alternate(
        {
            "plain": lambda: _plain(network, images),
            "capture": lambda: run(network, images),
            "checked": checked,
        },
        case.rounds,
    )
    wall = {name: [spent.wall for spent in each] for name, each in taken.items()}
    cpu = {name: [spent.cpu for spent in each] for name, each in taken.items()}
    for what, spent in (("time", wall), ("CPU time", cpu)):
        yield Measure(
            f"capture / plain, {what}, {case.name}",
            ratio(spent["capture"], spent["plain"]),
            "x",
            TIME_TARGET,
            f"plain forward {1000 * median(spent['plain']):.1f} ms, {case.rounds} rounds by turns",
        )
    yield Measure(
        f"capture and checks / plain, time, {case.name}",
        ratio(wall["checked"], wall["plain"]),
        "x",
        note="every row computed once more and f applied again",
    )


def _memory(case: Case, network: nn.Module, images: Tensor) -> Measure:
    name = f"capture / plain, peak memory, {case.name}"
    if not kineto_available():
        return skipped(name, "x", MEMORY_TARGET, "this torch was built without its profiler")
    # As torch.cuda.max_memory_allocated counts: with the weights and the input.
    held = images.nbytes + sum(tensor.nbytes for tensor in network.state_dict().values())
    plain = held + peak_bytes(lambda: _plain(network, images))
    capture = held + peak_bytes(lambda: run(network, images))
    note = f"{plain / 1e6:.1f} MB and {capture / 1e6:.1f} MB: weights, input and all allocations"
    return Measure(name, capture / plain, "x", MEMORY_TARGET, note)


def _plain(network: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        output: Tensor = network(images)
    return output
