"""Listens to every operator of one forward pass and follows what becomes of attention.

Under ``inference_mode`` a dispatch mode hears operators as they were written (``matmul``,
``einsum``, ``scaled_dot_product_attention``), those of scripted modules and of other people's
compiled extensions too. The mode belongs to this thread; nothing is attached to the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

from vizattn.foreign import attending, branches, gating, native, sampling, summing
from vizattn.foreign.graph import address, tensors_of
from vizattn.foreign.hearing import Hearing
from vizattn.foreign.keeping import Keeper
from vizattn.foreign.marks import marked, positive
from vizattn.foreign.operators import operator
from vizattn.foreign.scores import Scores
from vizattn.foreign.steps import followed

_LIBRARIES = {"aten", "prim", "prims", "torchvision", "profiler", "inductor", "quantized"}


class Tracker(TorchDispatchMode):
    """What happens in one forward pass of a network; read ``heard`` after it.

    Args:
        network: whose modules events are called after.
        keeper: keeps the tensors of events.
    """

    supports_higher_order_operators = True

    def __init__(self, network: nn.Module, keeper: Keeper) -> None:
        super().__init__()
        self.heard = Hearing(network, keeper, lambda: self)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler, which takes seconds, to leave this class out."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, HigherOrderOperator):
            return self._higher(func, args, kwargs)
        about = operator(func)
        prepared = None
        if about.name in gating.PRODUCTS:
            prepared = self._safely(about.name, gating.prepare, self.heard, about, args)
        for position in about.written:
            if position < len(args) and isinstance(args[position], Tensor):
                self.heard.keeper.before_writing(args[position])
        if about.name == "item" and not isinstance(args[0], Tensor):
            # Scripted code asks numbers for their number; the mode has unpacked them already.
            return args[0]
        compute, result = native.COMPUTED.get(about.name), None
        if compute is not None:
            result = self._safely(about.name, compute, self.heard, func, args, kwargs)
        if result is None:
            result = func(*args, **kwargs)
        call = (func, args, kwargs)
        if not self._safely(about.name, self._hear, about.name, call, result, prepared):
            self._safely(about.name, self.heard.graph.record, *call, result)
        return result

    def _safely(self, name: str, listen: Callable[..., Any], *given: Any) -> Any:
        """Return what listening found; where it fails the network goes on, and that is said."""
        try:
            return listen(*given)
        except Exception:
            self.heard.miss(name, "not_understood")
            return None

    def _higher(self, func: HigherOrderOperator, args: Any, kwargs: Any) -> Any:
        """Run an operator that is given functions, as ``flex_attention`` is, as it is written."""
        written = func.py_kernels.get(torch._C.DispatchKey.CompositeExplicitAutograd)
        if written is None:
            self.heard.miss(func.name(), "custom_operator")
            return func(*args, **kwargs)
        with self:
            return written(*args, **kwargs)

    def _hear(self, name: str, call: Any, result: Any, prepared: Any) -> bool:
        """Note what an operator did; returns True."""
        func, args, kwargs = call
        about = operator(func)
        if about.library not in _LIBRARIES and tensors_of(result):
            self.heard.miss(f"{about.library}::{about.name}", "custom_operator")
        handled, weighed, mark = False, None, None
        if name in attending.HEARD:
            handled = attending.HEARD[name](self.heard, call, result)
        elif name in sampling.HEARD:
            sampling.HEARD[name](self.heard, call, result)
        elif prepared is not None:
            handled = True
            weighed, mark = gating.hear(self.heard, call, result, prepared)
        elif name == "mul":
            summing.remember(self.heard, call, result)
        elif name == "sum":
            handled = summing.summed(self.heard, call, result)
        scores = None if handled else self._followed(call, result)
        mark = mark if handled else marked(self.heard, call, result)
        growing = None if handled else positive(self.heard, call, result)
        self.heard.graph.record(func, args, kwargs, result)
        if name in branches.HEARD and not handled:
            weighed = branches.HEARD[name](self.heard, call, result)
        for position in about.written:
            self._forget(args[position] if position < len(args) else None)
        if weighed is not None:
            self.heard.products[result] = weighed
        for each in tensors_of(result):
            if scores and each in scores:
                self.heard.scores[each] = scores[each]
            if mark is not None:
                self.heard.marks[each] = mark
            if growing is not None:
                self.heard.positives[each] = growing
        return True

    def _forget(self, target: Any) -> None:
        """Stop following what shares memory with a tensor that was written into."""
        if not isinstance(target, Tensor):
            return
        where = address(target)
        heard = self.heard
        for known in (heard.scores, heard.marks, heard.positives, heard.products, heard.outer):
            for each in [each for each in known if address(each) == where]:
                del known[each]

    def _followed(self, call: Any, result: Any) -> dict[Tensor, Scores] | None:
        """Return the scores of what an operator makes of a tensor of scores."""
        if not len(self.heard.scores):
            return None
        for itself in tensors_of(call[1:]):
            scores = self.heard.scores.get(itself)
            if scores is None:
                continue
            several = isinstance(result, (list, tuple))
            found = {}
            for index, each in enumerate(tensors_of(result)):
                part = index if several else None
                after = followed(scores, itself, call, each, part, self.heard.keeper)
                if after is not None and after.stage.shape == tuple(each.shape):
                    found[each] = after
            return found
        return None
