"""How files of reference numbers of class activation maps map onto ours.

The network is not in the file: its feature map and gradients are, and Score-CAM's weights, which
need the network. They are what ours is given; maps, and the weights that follow from them, are
compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.cam import formulas
from models.counting.procedure import Procedure, Recording

GIVEN = r"output\.(logits|.+\.(activations|gradients)|.+\.weights\.scorecam)"
Make = Callable[[Tensor, Tensor], Tensor]

_MAPS: dict[str, Make] = {
    "gradcam": formulas.gradcam,
    "gradcampp": formulas.gradcam_plus_plus,
    "xgradcam": formulas.xgradcam,
    "hirescam": formulas.hirescam,
    "layercam": formulas.layercam,
    "gradcamelementwise": formulas.elementwise,
    "eigencam": lambda activations, gradients: formulas.eigencam(activations),
    "eigengradcam": formulas.eigengradcam,
}
_WEIGHTS: dict[str, Make] = {
    "gradcam": formulas.gradcam_weights,
    "gradcampp": formulas.gradcam_plus_plus_weights,
    "xgradcam": formulas.xgradcam_weights,
}
_ARBITRARY_SIGN = {"eigencam", "eigengradcam"}


@dataclass(frozen=True)
class _Layer:
    """What a file holds of one layer."""

    name: str
    recording: Recording

    def given(self, what: str) -> Tensor:
        return self.recording.input(f"output.{self.name}.{what}")

    def weights(self, method: str) -> Float[Tensor, "batch channel"]:
        return _WEIGHTS[method](self.given("activations"), self.given("gradients"))

    def raw(self, method: str) -> Float[Tensor, "batch row column"]:
        if method == "scorecam":
            return formulas.weighted(self.given("weights.scorecam"), self.given("activations"))
        found = _MAPS[method](self.given("activations"), self.given("gradients"))
        return self._signed(method, found) if method in _ARBITRARY_SIGN else found

    def final(self, method: str) -> Float[Tensor, "batch y x"]:
        rows, columns = self.recording.input("").shape[-2:]
        return formulas.shown(self.raw(method), (rows, columns))

    def _signed(self, method: str, found: Tensor) -> Tensor:
        """Turn each map to the sign that the original happened to get."""
        theirs = self.recording.recorded.get(f"attention.{self.name}.{method}.raw")
        if theirs is not None:
            against = (found * theirs.to(found.dtype)).sum(dim=(1, 2)) < 0
        else:
            theirs = self.recording.recorded[f"attention.{self.name}.{method}"].to(found.dtype)
            off = [
                (formulas.shown(each, (theirs.shape[1], theirs.shape[2])) - theirs).abs()
                for each in (found, -found)
            ]
            against = off[1].sum(dim=(1, 2)) < off[0].sum(dim=(1, 2))
        return torch.where(against[:, None, None], -found, found)


def _as_recorded(recording: Recording) -> dict[str, Tensor]:
    """Return ``attention.<layer>.<method>``, the same ``.raw`` and ``output.<layer>.weights``."""
    found = {}
    for name in recording.wanted:
        kind, _, rest = name.partition(".")
        if kind == "output":
            layer, _, method = rest.rpartition(".weights.")
            if method in _WEIGHTS:
                found[name] = _Layer(layer, recording).weights(method)
            continue
        layer, _, method = rest.removesuffix(".raw").rpartition(".")
        if method in _MAPS or method == "scorecam":
            one = _Layer(layer, recording)
            found[name] = one.raw(method) if rest.endswith(".raw") else one.final(method)
    return found


PROCEDURES = (Procedure("cam", r"CAM", _as_recorded, given=GIVEN),)
