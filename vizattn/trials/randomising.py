"""Networks whose layers are drawn anew, from the answer down to the picture."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vizattn.passes import lock_of, recording


def cascade(
    network: nn.Module, x: Float[Tensor, "1 3 row column"], stages: int, seed: int
) -> Iterator[tuple[float, nn.Module]]:
    """Give copies of a network with more and more layers drawn anew, the last layers first.

    Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, arXiv:1810.03292, section 3.1,
    "cascading randomization". A layer is initialised as it was before training; parameters of
    modules that cannot do that are drawn from a normal distribution as wide as they are.

    Args:
        network: stays as it is.
        x: a picture: layers are ordered by when they fire.
        stages: in how many steps.
        seed: of the new weights.

    Yields:
        The share of the layers that are drawn anew, and the network, the same object each time.
    """
    with lock_of(network):
        changed = copy.deepcopy(network)
    order = _firing_order(changed, x)
    order.reverse()
    for stage in range(stages):
        first, end = (len(order) * each // stages for each in (stage, stage + 1))
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(1000 * seed + stage)
            for module in order[first:end]:
                _draw(module)
        yield end / len(order), changed


def _firing_order(network: nn.Module, x: Tensor) -> list[nn.Module]:
    """Return the modules with parameters of their own by when they fire first; then the others."""
    fired: dict[nn.Module, None] = {}
    with_own = [
        module
        for module in network.modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    handles = [
        module.register_forward_pre_hook(lambda module, _: fired.setdefault(module))
        for module in with_own
    ]
    try:
        with recording(network), torch.no_grad():
            network(x)
    finally:
        for handle in handles:
            handle.remove()
    silent = [module for module in with_own if module not in fired]
    return [*silent, *fired]


def _draw(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
    if reset is not None:
        reset()
        return
    for parameter in module.parameters(recurse=False):
        wide = parameter.std() if parameter.numel() > 1 else parameter.abs()
        parameter.normal_().mul_(wide.clamp(min=1e-3))
