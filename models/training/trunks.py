"""Networks that only training knows: where a counter's streams learn to see, and then to count."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.hosts.crowd import CrowdCounter, PlainAddition
from models.hosts.vgg import WIDTHS
from models.mechanism import Plug
from models.packs import IMAGENETTE_CLASSES
from models.preprocessing import Preprocessing
from models.weights import HOSTS, Host


class StreamClassifier(nn.Module):
    """Return class scores from one stream of a counter: where its convolutions learn to see first.

    The names of its tensors are those of the counter's RGB stream, which starts from them.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int, plug: Plug | None = None) -> None:
        super().__init__()
        counter = CrowdCounter(norm=True)
        streams = (nn.ModuleDict({"rgb": stage.get_submodule("rgb")}) for stage in counter.stages)
        self.network = nn.ModuleDict({"stages": nn.ModuleList(streams)})
        self.classify = nn.Linear(int(WIDTHS[-1] * counter.ratio), classes)

    def forward(self, x: Float[Tensor, "batch 3 row column"]) -> Float[Tensor, "batch class"]:
        """Return one score a class."""
        stages: nn.Module = self.network["stages"]
        for stage in stages.children():
            x = stage["rgb"](x)  # type: ignore[index]
        scores: Tensor = self.classify(x.mean(dim=(2, 3)))
        return scores


class _Wakened(torch.autograd.Function):
    """ReLU, through which a tenth of the gradient reaches what is silent."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        (gradient,) = gradients
        return torch.where(x > 0, gradient, 0.1 * gradient)


class WakenedReLU(nn.ReLU):
    """A ReLU that answers as any other and, in training, can wake up again.

    In streets nearly every cell is empty. A head that has once been pushed below zero there
    would get no gradient from the few people in it.
    """

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _Wakened.apply(x) if self.training else x.relu()
        return y


def _counter(classes: int, plug: Plug | None = None) -> CrowdCounter:
    counter = CrowdCounter(fusion=plug.build if plug is not None else PlainAddition, norm=True)
    head = counter.network.head
    for index, layer in enumerate(head):
        if isinstance(layer, nn.ReLU):
            head[index] = WakenedReLU()
    return counter


TRAINED_AS: dict[str, Host] = HOSTS | {
    "stream": Host(
        "stream", StreamClassifier, IMAGENETTE_CLASSES, Preprocessing((128, 128), fit="short")
    ),
    "senses": Host("counter", _counter, HOSTS["count"].classes, HOSTS["count"].preprocessing),
    "count": Host("counter", _counter, HOSTS["count"].classes, HOSTS["count"].preprocessing),
}
"""by task, what is built for training: a counter has batch norms, and a head that can wake up
again, until it is stored"""
