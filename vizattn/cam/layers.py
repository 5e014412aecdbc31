"""What fires in a network and what the class score depends on: where a class map can be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vizattn.cam.class_map import Layer
from vizattn.cam.layouts import Layout, layout_of
from vizattn.cam.targets import Target, scores_of, target_of
from vizattn.passes import recording
from vizattn.texts import Refused

_LATEST = 48
"""feature maps that are kept while a layer is looked for, the latest ones"""
_NAMED = 6
"""layers that a refusal names"""


class NoLayer(Refused):
    """A network has no layer of that name, or none that a class map can be made at."""


@dataclass(frozen=True)
class FeatureMap:
    """What one layer returned, with the gradient of the class score.

    Args:
        layer: where it was.
        layout: where its places and channels are.
        output: what the layer returned.
        gradient: of the class score (a logit) with respect to it.
    """

    layer: Layer
    layout: Layout
    output: Tensor
    gradient: Tensor

    @property
    def activations(self) -> Float[Tensor, "1 channel row column"]:
        """Return the feature map over places."""
        return self.layout.as_map(self.output)

    @property
    def gradients(self) -> Float[Tensor, "1 channel row column"]:
        """Return the gradient over places."""
        return self.layout.as_map(self.gradient)


@dataclass(frozen=True)
class Observed:
    """One pass of a picture through a network, and back."""

    features: FeatureMap
    target: Target
    scores: Tensor

    @property
    def score(self) -> float:
        """Return the class score, a logit."""
        return float(self.target.logit(self.scores)[0])


@dataclass
class _Fired:
    path: str
    output: Tensor
    layout: Layout
    led_on: bool = False
    """a layer with weights fired later"""


class _Watch:
    """Hears of every module of a network that returns a feature map."""

    def __init__(self, network: nn.Module, input: tuple[int, int]) -> None:
        self.network = network
        self.input = input
        self.fired: list[_Fired] = []
        self._counts: dict[str, int] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hear meanwhile; nothing stays attached, also when the network raises."""
        handles = []
        try:
            for path, module in self.network.named_modules():
                if not path:
                    continue
                if any(True for _ in module.parameters(recurse=False)):
                    handles.append(module.register_forward_pre_hook(self._weights))
                handles.append(module.register_forward_hook(self._returned(path)))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _weights(self, module: nn.Module, arguments: Any) -> None:
        for each in self.fired:
            each.led_on = True

    def _returned(self, path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, arguments: Any, returned: Any) -> None:
            count = self._counts[path] = self._counts.get(path, 0) + 1
            output = _tensor(returned)
            if output is None or not output.is_floating_point():
                return
            layout = layout_of(tuple(output.shape), self.input)
            if layout is None:
                return
            name = path if count == 1 else f"{path}#{count}"
            same = next((each for each in self.fired if each.output is output), None)
            if same is None:
                self.fired.append(_Fired(name, output, layout))
            elif same.path.startswith(f"{path}."):
                # A container returns what its last layer returned: the outermost name stays.
                same.path = name

        return hook


def _tensor(returned: Any) -> Tensor | None:
    first = returned[0] if isinstance(returned, tuple | list) and returned else returned
    return first if isinstance(first, Tensor) else None


def observe(
    network: nn.Module,
    x: Float[Tensor, "1 3 row column"],
    target: Callable[[Tensor], Target] = target_of,
    layer: str | None = None,
) -> Observed:
    """Run a picture through a network and the class score back to a layer.

    The layer that is found is the deepest with places such that weights still follow, and the
    score's gradient reaches its places. Parameters and their gradients are left alone.

    Args:
        network: any network in evaluation mode.
        x: a batch of one.
        target: from the network's scores, what the class score is.
        layer: dotted path of a layer, "#n" for its n-th firing; found by default.

    Raises:
        NoLayer: if there is no such layer, or none that serves.
    """
    watch = _Watch(network, (x.shape[3], x.shape[2]))
    given = x.detach().clone().requires_grad_()
    with torch.enable_grad(), recording(network, watch.watching()):
        scores = scores_of(network(given))
        chosen = target(scores.detach())
        features = _features(watch, chosen.logit(scores).sum(), layer)
    return Observed(features, chosen, scores.detach())


def _features(watch: _Watch, score: Tensor, named: str | None) -> FeatureMap:
    """Return the named layer's feature map, or the deepest that serves, with its gradient."""
    fired = [each for each in watch.fired if each.output.requires_grad]
    if named is not None:
        fired = [each for each in fired if named in (each.path, each.path.partition("#")[0])]
        if not fired:
            raise _no_layer("trust.layer.unknown", watch, layer=named)
        fired = fired[-1:]
    else:
        # Where all that follows has no modules of its own, what led on cannot be known.
        fired = ([each for each in fired if each.led_on] or fired)[-_LATEST:]
    if not fired or not score.requires_grad:
        raise _no_layer("trust.layer.none", watch)
    gradients = torch.autograd.grad(score, [each.output for each in fired], allow_unused=True)
    for each, gradient in zip(reversed(fired), reversed(gradients), strict=True):
        if gradient is not None and bool(each.layout.as_map(gradient).abs().max() > 0):
            found = _layer(each, watch)
            layer = replace(found, given=named is not None)
            return FeatureMap(layer, each.layout, each.output.detach(), gradient.detach())
    raise _no_layer("trust.layer.independent" if named else "trust.layer.none", watch, layer=named)


def _layer(fired: _Fired, watch: _Watch) -> Layer:
    layout = fired.layout
    order = [each.path for each in watch.fired]
    return Layer(
        fired.path,
        fired.output.shape[layout.channel_axis],
        layout.rows,
        layout.columns,
        layout.prefix,
        fired=len(order),
        later=len(order) - 1 - order.index(fired.path),
    )


def _no_layer(key: str, watch: _Watch, **said: object) -> NoLayer:
    known = ", ".join(each.path for each in watch.fired[-_NAMED:]) or "-"
    return NoLayer(key, known=known, **{name: value for name, value in said.items() if value})


@contextmanager
def replacing(
    network: nn.Module, layer: Layer, change: Callable[[Tensor], Tensor]
) -> Iterator[None]:
    """Let a layer return something else meanwhile; enter it under the network's lock.

    Args:
        network: the network.
        layer: whose output is replaced, in the pass that its path names.
        change: from what it would return to what it returns.
    """
    path, _, number = layer.path.partition("#")
    wanted, count = int(number or 1), 0

    def hook(module: nn.Module, arguments: Any, returned: Any) -> Any:
        nonlocal count
        count += 1
        if count != wanted:
            return None
        if isinstance(returned, tuple | list):
            return type(returned)((change(returned[0]), *returned[1:]))
        return change(returned)

    handle = network.get_submodule(path).register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def scores_with(
    network: nn.Module,
    x: Float[Tensor, "batch 3 row column"],
    layer: Layer | None = None,
    change: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Return a network's scores for a batch, with a layer's output changed where one is named."""
    changed = None if layer is None or change is None else replacing(network, layer, change)
    with recording(network, changed), torch.no_grad():
        return scores_of(network(x))
