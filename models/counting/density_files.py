"""How files of reference numbers of density maps map onto ours."""

from __future__ import annotations

import re

from torch import Tensor

from models.counting.density import (
    adaptive_density,
    adaptive_sigmas,
    dot_map,
    fixed_density,
    neighbour_distances,
    points_of,
)
from models.counting.procedure import Procedure, Recording

_MAP = re.compile(r"output\.(dot_map|adaptive|fixed_.*)")
_FIXED = re.compile(r"output\.fixed_sigma(?P<sigma>\d+([.p_]\d+)?)(?P<lost>_constant)?")


def _as_recorded(recording: Recording) -> dict[str, Tensor]:
    """Return what the file asks for; the width of a fixed map is in its name."""
    dots = dot_map(recording.input(""), _size_of(recording))
    found = {}
    for name in recording.wanted:
        fixed = _FIXED.fullmatch(name)
        if fixed:
            sigma = float(re.sub("[p_]", ".", fixed["sigma"]))
            found[name] = fixed_density(dots, sigma, mirrored=not fixed["lost"])
        elif name in _RESULTS:
            found[name] = _RESULTS[name](dots)
    return found


_RESULTS = {
    "output.dot_map": lambda dots: dots,
    "output.adaptive": adaptive_density,
    "output.nonzero_points_xy": points_of,
    "output.knn_distances": lambda dots: neighbour_distances(points_of(dots)),
    "output.sigma": adaptive_sigmas,
}


def _size_of(recording: Recording) -> tuple[int, int]:
    """Return the canvas, which only the maps themselves tell."""
    sizes = {shape for name, shape in recording.wanted.items() if _MAP.fullmatch(name)}
    if len(sizes) != 1 or len(size := sizes.pop()) != 2:
        raise ValueError(f"expected maps of one size, received {sorted(recording.wanted)}")
    return size[0], size[1]


PROCEDURES = (Procedure("density", r"\bgaussian_filter", _as_recorded),)
