"""One knob turned from value to value: how the count and the trust in each sense follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from models.mechanism import Kind
from vizattn.crowd.analysis import counter, switched_off, trusts_of
from vizattn.crowd.changes import AS_IT_IS, Changes
from vizattn.crowd.pair import Pair
from vizattn.networks import Network
from vizattn.passes import run
from vizattn.truth import captured

KNOBS: Mapping[str, Callable[[Changes, float], Changes]] = {
    "shift_x": lambda changes, value: replace(changes, shift=(value, changes.shift[1])),
    "shift_y": lambda changes, value: replace(changes, shift=(changes.shift[0], value)),
    "light": lambda changes, value: replace(changes, light=value),
    "noise_rgb": lambda changes, value: replace(changes, noise=("rgb", value)),
    "noise_thermal": lambda changes, value: replace(changes, noise=("thermal", value)),
}
"""by name, what sets one of the changes to a value"""


@dataclass(frozen=True)
class Step:
    """What a counter said at one value of a knob.

    Args:
        value: of the knob.
        count: how many people.
        trusts: RGB's mean share at each stage, the rest is thermal's; no number where a stage did
            not weigh the senses.
    """

    value: float
    count: float
    trusts: Float[np.ndarray, " stage"]


@dataclass(frozen=True)
class Sweep:
    """What a counter said at every value of a knob.

    Args:
        knob: a name of ``KNOBS``.
        values: of the knob, in the order in which they were asked.
        counts: how many people at each.
        trusts: RGB's mean share at each value and stage; see ``Step``.
    """

    knob: str
    values: Float[np.ndarray, " value"]
    counts: Float[np.ndarray, " value"]
    trusts: Float[np.ndarray, "value stage"]


def sweep(
    pair: Pair,
    network: Network,
    knob: str,
    values: Sequence[float],
    changes: Changes = AS_IT_IS,
) -> Sweep:
    """Return what a counter says while one knob is turned and everything else stays.

    Args:
        pair: the pictures.
        network: the counter.
        knob: "shift_x" or "shift_y" in pixels of the RGB picture, "light" of 0..2, "noise_rgb" or
            "noise_thermal" in levels of 0..255.
        values: what the knob is set to.
        changes: what else is done to the pair.

    Raises:
        ValueError: if the knob is unknown, a value out of its range, or there are no values.
        Refused: if the pair lacks what the knob moves, or the network does not count.
    """
    done = list(steps(pair, network, knob, values, changes))
    if not done:
        raise ValueError("expected at least one value, received none")
    return Sweep(
        knob,
        np.array([step.value for step in done]),
        np.array([step.count for step in done]),
        np.stack([step.trusts for step in done]),
    )


def steps(
    pair: Pair,
    network: Network,
    knob: str,
    values: Sequence[float],
    changes: Changes = AS_IT_IS,
) -> Iterator[Step]:
    """Yield the steps of a sweep one by one, each as soon as it is known; see ``sweep``."""
    if knob not in KNOBS:
        raise ValueError(f"expected a knob of {list(KNOBS)}, received {knob!r}")
    network = counter(network)
    for value in values:
        yield _step(pair, network, float(value), KNOBS[knob](changes, float(value)))


def _step(pair: Pair, network: Network, value: float, changes: Changes) -> Step:
    framing, rgb, thermal = pair.to_network(network, changes)
    output, firings = run(network.module, rgb, thermal, changed=switched_off(network, changes))
    # Of all that fired only the gates are read: rows would have to be checked, which takes long.
    gates = [each for each in firings if each.block.kind is Kind.MODALITY_GATE]
    trusts = trusts_of([captured(gate, 0, framing) for gate in gates], framing)
    return Step(value, float(output.double().sum()), trusts[:, 0])
