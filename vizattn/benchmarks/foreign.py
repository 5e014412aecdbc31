"""What capturing a stranger's transformer costs, beside timm's own tool for the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import kineto_available

from vizattn.benchmarks.measure import Measure, alternate, ratio, skipped
from vizattn.foreign.recording import Recording, record
from vizattn.memory import peak_bytes

TIME_TARGET = 1.10
MEMORY_TARGET = 1.15


@dataclass(frozen=True)
class Case:
    """A network of timm's, the side of its input in pixels, and in how many rounds it is run."""

    model: str
    side: int
    rounds: int

    @property
    def name(self) -> str:
        """Return the network and its input in a few characters."""
        return f"{self.model} {self.side} x {self.side}"


CASE = Case("vit_small_patch16_224", 1024, 5)
QUICK = Case("vit_tiny_patch16_224", 224, 2)


def measures(quick: bool = False) -> Iterator[Measure]:
    """Yield time and peak memory of capturing every row of every head, ours and timm's.

    All sides run the same network with random weights; the plain one uses the fused operator.
    """
    case = QUICK if quick else CASE
    try:
        import timm
        from timm.utils.attention_extract import AttentionExtract
    except ImportError:
        yield skipped(f"foreign capture, {case.name}", "x", TIME_TARGET, "timm is not installed")
        return
    torch.manual_seed(0)
    network = timm.create_model(case.model, img_size=case.side).eval()
    images = torch.randn(1, 3, case.side, case.side)
    explicit: Any = timm.create_model(case.model, img_size=case.side).eval()
    explicit.load_state_dict(network.state_dict())
    for block in explicit.blocks:
        # timm's tool finds nothing while the fused operator is in use.
        block.attn.fused_attn = False
    extract = AttentionExtract(explicit, method="hook")
    runs = {
        "plain": lambda: _plain(network, images),
        "capture": lambda: record(network, (images,)),
        "timm": lambda: _extracted(extract, images),
    }
    yield from _times(case, runs)
    yield from _memory(case, runs, network, images)
    yield _row(case, record(network, (images,)))


def _times(case: Case, runs: dict[str, Callable[[], Any]]) -> Iterator[Measure]:
    taken = alternate(runs, case.rounds)
    plain = [each.cpu for each in taken["plain"]]
    note = f"plain fused forward {median(plain):.2f} s of CPU, {case.rounds} rounds by turns"
    for name, who in (("capture", "foreign capture"), ("timm", "timm's AttentionExtract")):
        spent = [each.cpu for each in taken[name]]
        target = TIME_TARGET if name == "capture" and case is CASE else None
        yield Measure(
            f"{who} / plain, CPU time, {case.name}", ratio(spent, plain), "x", target, note
        )


def _memory(
    case: Case, runs: dict[str, Callable[[], Any]], network: nn.Module, images: Tensor
) -> Iterator[Measure]:
    if not kineto_available():
        reason = "this torch was built without its profiler"
        name = f"foreign capture / plain, peak memory, {case.name}"
        yield skipped(name, "x", MEMORY_TARGET, reason)
        return
    # As torch.cuda.max_memory_allocated counts: with the weights and the input.
    held = images.nbytes + sum(tensor.nbytes for tensor in network.state_dict().values())
    peaks = {name: held + peak_bytes(work) for name, work in runs.items()}
    for name, who in (("capture", "foreign capture"), ("timm", "timm's AttentionExtract")):
        note = (
            f"{peaks['plain'] / 1e6:.0f} MB and {peaks[name] / 1e6:.0f} MB: weights, input and all "
            "allocations; what a capture keeps lies in a file"
        )
        target = MEMORY_TARGET if name == "capture" and case is CASE else None
        value = peaks[name] / peaks["plain"]
        yield Measure(f"{who} / plain, peak memory, {case.name}", value, "x", target, note)


def _row(case: Case, recording: Recording) -> Measure:
    """Return how long one row of all heads of the last layer takes afterwards."""
    last: Any = recording.events[-1]
    index = torch.tensor([1])
    taken = alternate({"row": lambda: last.weights.cut(last.query, index)}, 20)
    spent = median(each.wall for each in taken["row"])
    layers = len(recording.events)
    return Measure(
        f"one row of every head after a foreign capture, {case.name}",
        1000 * spent,
        "ms",
        note=f"any of {layers} layers, from the file",
    )


def _plain(network: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        output: Tensor = network(images)
    return output


def _extracted(extract: Any, images: Tensor) -> Any:
    with torch.inference_mode():
        return extract(images)
