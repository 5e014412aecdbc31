"""What has been heard of a forward pass so far, shared by all that listen to it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import nn
from torch.utils.weak import WeakTensorKeyDictionary

from vizattn.foreign.events import Event, Gated, Missed
from vizattn.foreign.graph import Graph, Node
from vizattn.foreign.keeping import Keeper

_CALLS = ("_call_impl", "_wrapped_call_impl")
"""the frames in which torch calls a module; they hold no tensor that is not alive anyway"""


@dataclass(frozen=True)
class Mark:
    """What made a tensor of weights.

    Args:
        made: name of the operator.
        source: what it made them from.
        most: the largest that a value can be, where its operator says it.
        within: gates of gates that it is made of.
    """

    made: str
    source: Node
    most: float
    within: tuple[Gated, ...] = ()


@dataclass(frozen=True)
class Weighed:
    """A product of a gate and features, or several of them on an axis of their own.

    Args:
        events: the gates.
        mark: what made them.
        axis: of several that are not summed yet, the axis.
        joined: of several that are, what stands for all of them.
    """

    events: tuple[Gated, ...]
    mark: Mark
    axis: int | None = None
    joined: Gated | None = None


class Hearing:
    """What is known in the middle of a forward pass.

    Args:
        network: whose modules events are called after.
        keeper: keeps the tensors of events.
        aloud: lets what runs inside it be heard, too.
    """

    def __init__(
        self,
        network: nn.Module,
        keeper: Keeper,
        aloud: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self.graph = Graph(network.named_parameters())
        self.keeper = keeper
        self.aloud = aloud
        self.events: list[Event] = []
        self.missed: list[Missed] = []
        self.scores = WeakTensorKeyDictionary()
        self.marks = WeakTensorKeyDictionary()
        self.positives = WeakTensorKeyDictionary()
        self.products = WeakTensorKeyDictionary()
        self.outer = WeakTensorKeyDictionary()
        self.plain = WeakTensorKeyDictionary()
        self._paths = {id(module): path for path, module in network.named_modules()}

    def where(self) -> tuple[str, str]:
        """Return path and class of the innermost module of the network that is being called."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_name in _CALLS:
                module = frame.f_locals.get("self")
                path = self._paths.get(id(module))
                if path is not None:
                    return path, type(module).__name__
            frame = frame.f_back
        return "", ""

    def drop(self, events: tuple[Event, ...]) -> None:
        """Forget events that have become parts of another."""
        self.events[:] = [each for each in self.events if all(each is not e for e in events)]

    def miss(self, what: str, reason: str) -> Missed:
        """Note something that looks like attention and is not captured."""
        missed = Missed(self.where()[0], what, reason)
        self.missed.append(missed)
        return missed

    def found(self, missed: Missed) -> None:
        """Take back what was noted as missed, once."""
        self.missed.remove(missed)
