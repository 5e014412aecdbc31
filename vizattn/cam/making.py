"""From an analysis to its class maps: one more site, drawn, described and exported like others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from models.cam import formulas
from models.mechanism import Claim, Kind
from vizattn.analysis import Analysis, prepare
from vizattn.cam import checks
from vizattn.cam import drawn as drawn
from vizattn.cam.class_map import Asked, ClassMap, name_of_class
from vizattn.cam.layers import NoLayer, observe
from vizattn.cam.layouts import grid_of
from vizattn.cam.methods import Progress, method_of
from vizattn.cam.targets import Target, target_of
from vizattn.texts import LANGUAGES, Refused


class UnknownClass(Refused):
    """The network knows no class of that name or number."""


def with_class_map(
    analysis: Analysis,
    method: str = "gradcam",
    target: int | str | None = None,
    layer: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Analysis:
    """Return the same analysis with one site more, the last: a class activation map.

    Its site is "cam.<method>", with ":<class>" and "@<layer>" where these were given. The network
    runs once forward and back, a few more times for the checks, and for Score-CAM and Ablation-CAM
    once for every channel of the layer.

    Args:
        analysis: the picture and the network.
        method: one of ``vizattn.cam.methods.METHODS``.
        target: name or index of a class; the predicted one by default.
        layer: dotted path of a layer; the deepest that serves by default.
        progress: hears how many passes are done of how many; what it raises ends the work.

    Raises:
        Refused: if there is no such method, class or layer, or the network has none that serves.
    """
    method_of(method)
    asked = Asked(method, None if target is None else class_index(analysis, target), layer)
    made = class_map(analysis, asked, progress)
    others = tuple(each for each in analysis.sites if each.site != made.site)
    return replace(analysis, sites=(*others, made))


def with_named_map(analysis: Analysis, site: str | None) -> Analysis:
    """Return an analysis with the class map that a site names; as it is where it names none.

    Raises:
        Refused: if the map cannot be made.
    """
    asked = Asked.read(site or "")
    if asked is None or site in {each.site for each in analysis.sites}:
        return analysis
    return with_class_map(analysis, asked.method, asked.target, asked.layer)


def class_map(
    analysis: Analysis, asked: Asked, progress: Progress = lambda done, total: None
) -> ClassMap:
    """Return one class map of an analysis; see ``with_class_map``."""
    method, network = method_of(asked.method), analysis.network.module
    x = prepare(analysis.network, [analysis.picture], [analysis.framing])
    seen = observe(network, x, chooser(asked.target), asked.layer)
    raw = method.make(network, x, seen, progress)
    found, remainder = checks.measured(network, x, seen, method, raw)
    grid = grid_of(seen.features.layout, analysis.framing.input)
    values = formulas.positive(raw)
    return ClassMap(
        site=asked.site,
        block=type(network.get_submodule(seen.features.layer.path.partition("#")[0])).__name__,
        kind=Kind.CLASS_MAP,
        claim=Claim.POSITIVE,
        formula=f"{method.formula};  M = relu(L)",
        checks=(checks.finite(raw), *found, checks.geometry(analysis.framing, grid)),
        values=values[0].float().cpu().numpy(),
        raw=raw[0].float().cpu().numpy(),
        grid=grid,
        method=asked.method,
        title=method.title,
        target=_target_name(analysis, seen.target) if method.of_class else None,
        index=seen.target.index,
        layer=seen.features.layer,
        score=seen.score,
        remainder=remainder,
    )


def again(
    network: torch.nn.Module, x: Float[Tensor, "1 3 row column"], made: ClassMap, target: Target
) -> Float[Tensor, "row column"]:
    """Return the map of the same method, class and layer in another network of the same shape.

    Where its score does not depend on the layer at all, no place speaks for the class: zeros.
    """
    method = method_of(made.method)
    try:
        seen = observe(network, x, lambda scores: target, made.layer.path)
    except NoLayer:
        return x.new_zeros(made.values.shape)
    return formulas.positive(method.make(network, x, seen, lambda done, total: None))[0]


def chooser(target: int | None) -> Callable[[Tensor], Target]:
    """Return what chooses the target from scores: a class, or the predicted one."""
    return lambda scores: target_of(scores, target)


def class_index(analysis: Analysis, named: int | str) -> int:
    """Return the index of a class that is named in any language, or numbered.

    Raises:
        UnknownClass: if the network knows no such class.
    """
    classes = analysis.network.card.classes
    for index, name in enumerate(classes):
        spoken = {name_of_class(language, name).casefold() for language in LANGUAGES}
        if str(named).casefold() in {name.casefold(), str(index), *spoken}:
            return index
    raise UnknownClass("trust.cam.unknown_class", target=named, known=", ".join(classes))


def _target_name(analysis: Analysis, target: Target) -> str | None:
    classes = analysis.network.card.classes
    if target.index is None or target.index >= len(classes):
        return None if target.index is None else str(target.index)
    return classes[target.index]
