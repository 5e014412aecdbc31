"""How files of reference numbers of the Bayesian loss map onto ours: two authors, two names."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.counting.bayesian import Background, BayesianLoss
from models.counting.procedure import Procedure, Recording


@dataclass(frozen=True)
class _Batch:
    """The call that a reference file holds, but for what its results differ in."""

    recording: Recording
    background: Background

    @property
    def density(self) -> Float[Tensor, "batch 1 row column"]:
        """Return the density maps; the originals flatten them, so only the cells must be enough."""
        given = self.recording.input("density")
        size = self.recording.arguments.get("c_size")
        if size is None:
            return given.reshape(len(given), 1, *given.shape[-2:])
        sides = size if isinstance(size, list) else [size, size]
        rows, columns = (round(side / self.recording.number("stride", 8)) for side in sides)
        return given.reshape(len(given), 1, rows, columns)

    def of_each(self, name: str) -> list[Tensor | None]:
        """Return ``input.<name>.0`` and so on, None where the file leaves one out."""
        pictures = len(self.recording.input("density"))
        return [self.recording.inputs.get(f"{name}.{index}") for index in range(pictures)]

    def results(self, ratio: float | None) -> dict[str, Tensor]:
        """Return everything that a file may hold of one ratio, numbered by picture."""
        number = self.recording.number
        loss = BayesianLoss(number("stride", 8), number("sigma", 8.0), ratio, self.background)
        density, sizes = self.density, self.recording.input("st_sizes").flatten().tolist()
        none = density.new_zeros(0, 2)
        points = [none if each is None else each for each in self.of_each("points")]
        targets = self.of_each("targets")
        cells = (density.shape[2], density.shape[3])
        found = {}
        for index, (at, size, target) in enumerate(zip(points, sizes, targets, strict=True)):
            if len(at):
                found[f"posterior.{index}"] = loss.posterior(at, size, cells)
                found[f"expected_count.{index}"] = loss.expected(density[index, 0], at, size)
            found[f"loss_per_image.{index}"] = loss.of_one(density[index, 0], at, size, target)[
                None
            ]
        losses = [found[f"loss_per_image.{index}"] for index in range(len(points))]
        return found | {"loss": torch.stack(losses).mean(dim=0)}


def _as_recorded(recording: Recording) -> dict[str, Tensor]:
    """Return what is asked for as ``attention.posterior.plus.0`` or ``output.loss.plain``."""
    batch, found = _Batch(recording, Background.RATIO), {}
    of_variant: dict[str, dict[str, Tensor]] = {}
    for name in recording.wanted:
        kind, _, rest = name.partition(".")[2].partition(".")
        variant, _, index = rest.partition(".")
        if variant not in of_variant:
            of_variant[variant] = batch.results(_ratio_of(variant, recording))
        found[name] = of_variant[variant].get(".".join(filter(None, (kind, index))))
    return {name: value for name, value in found.items() if value is not None}


def _ratio_of(variant: str, recording: Recording) -> float | None:
    """Return the ratio of "plain", of "plus", or of "plus_ratio015", which means 0.15."""
    if not variant.startswith("plus"):
        return None
    named = re.search(r"ratio(\d)(\d*)$", variant)
    if named:
        return float(f"{named[1]}.{named[2]}")
    # Where one file has several, it lists them: "1.0 | 0.15".
    listed = re.findall(r"[\d.]+", str(recording.arguments.get("background_ratio", 1.0)))
    return float(listed[0])


def _as_recorded_by_csca(recording: Recording) -> dict[str, Tensor]:
    """Return ``output``, with the background, ``output.no_background`` and their posteriors."""
    batch, found = _Batch(recording, Background.DIFFERENCE), {}
    used = recording.arguments.get("use_background") not in (False, "False")
    ratio = recording.number("background_ratio", 0.15) if used else None
    for which, loss, posteriors in (
        (ratio, "output", "intermediate.posterior"),
        (None, "output.no_background", "intermediate.posterior_nobg"),
    ):
        for name, value in batch.results(which).items():
            kind, _, index = name.partition(".")
            found[{"loss": loss, "posterior": f"{posteriors}.{index}"}.get(kind, name)] = value
    return {name: value for name, value in found.items() if name in recording.wanted}


PROCEDURES = (
    Procedure("bayesian_loss", r"\bPost_Prob\b", _as_recorded),
    Procedure("csca", r"\bPost_Prob\b", _as_recorded_by_csca),
)
