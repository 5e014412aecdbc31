"""Putting a map on trial, step by step, so that whoever waits sees how far it is and can stop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from vizattn.analysis import Analysis, Segmentation, look, prepare
from vizattn.cam.class_map import ClassMap
from vizattn.cam.layers import scores_with
from vizattn.cam.making import again
from vizattn.cam.targets import Target, target_of
from vizattn.geometry import Grid
from vizattn.texts import Refused
from vizattn.trials.cells import cell_pixels, ranking
from vizattn.trials.controls import CONTROLS
from vizattn.trials.measured import MAP, Metric, Randomisation, Trust
from vizattn.trials.randomising import cascade
from vizattn.trials.ranks import rank_correlation
from vizattn.trials.removal import (
    ROAD_FRACTIONS,
    Bench,
    area,
    deletion,
    insertion,
    kept,
    road,
)
from vizattn.views import Heat, Selection, resolve, view

SEEDS, STEPS, STAGES = 5, 10, 4
"""seeds of every test; points of a curve of deletion or insertion; stages of the randomisation"""
_MOST_RANDOM_SEEDS = 3
_LIGHT = (0.299, 0.587, 0.114)

Values = Float[np.ndarray, "row column"]
Steps = Generator[tuple[int, int], None, Trust]
"""gives (pictures done, pictures in all) after each part; returns the result"""


class NoMap(Refused):
    """There is no map over the picture to put on trial."""


@dataclass(frozen=True)
class Effort:
    """How much is spent on a trial.

    Args:
        seeds: repetitions of every test.
        steps: points of each curve of deletion and insertion.
        stages: of the randomisation; 0 leaves it out.
    """

    seeds: int = SEEDS
    steps: int = STEPS
    stages: int = STAGES

    def __post_init__(self) -> None:
        if min(self.seeds, self.steps) < 1 or self.stages < 0:
            raise ValueError(f"expected at least one seed and step, received {self}")

    @property
    def random_seeds(self) -> int:
        """Return how many seeds the randomisation has."""
        return min(self.seeds, _MOST_RANDOM_SEEDS)

    @property
    def forwards(self) -> int:
        """Return about how many pictures go through the network."""
        removed = self.seeds * (len(CONTROLS) + 1) * (2 * self.steps + len(ROAD_FRACTIONS) + 1)
        return 1 + removed + self.random_seeds * self.stages


USUAL = Effort()


@dataclass(frozen=True)
class Subject:
    """A map that can be put on trial.

    Args:
        site: what it is called.
        values: one number a cell.
        grid: where the cells are.
        again: makes the same map in another network of the same shape; None where that cannot be.
    """

    site: str
    values: Values
    grid: Grid
    again: Callable[[nn.Module], Values] | None = None


def trust(
    analysis: Analysis,
    site: str | None = None,
    at: tuple[float, float] | None = None,
    head: int | None = None,
    channel: int | None = None,
    effort: Effort = USUAL,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Trust:
    """Put one map of an analysis on trial, against controls that know nothing of the network.

    Any site with a map over the picture will do: the row of a place, a gate, a class map. The class
    is the one that a class map is about; for the row of a place of a segmentation the class at that
    place; else the predicted one.

    Args:
        analysis: what was seen (``Seen.analysis``).
        site: which map; see ``Looked.site`` for the default.
        at: the place of a row, in pixels of the upright original.
        head: which head; the mean by default.
        channel: which channel; the strongest by default.
        effort: how much is spent.
        progress: hears how many pictures went through the network, of about how many; what it
            raises ends the trial.

    Raises:
        Refused: if there is no such site, head, channel or place, or it has no map.
    """
    steps = try_map(analysis, Selection(site, head, at, channel), effort)
    while True:
        try:
            progress(*next(steps))
        except StopIteration as stop:
            found: Trust = stop.value
            return found


def try_map(analysis: Analysis, selection: Selection, effort: Effort = USUAL) -> Steps:
    """Put a selected map on trial step by step; see ``trust``.

    Raises:
        Refused: if the selection names what is not there, or it has no map over the picture.
    """
    chosen = resolve(analysis, selection)
    subject = subject_of(analysis, chosen)
    x = prepare(analysis.network, [analysis.picture], [analysis.framing])
    scores = scores_with(analysis.network.module, x)
    target = _target(analysis, chosen, scores)
    bench = Bench(analysis.network.module, x, target, cell_pixels(subject.grid, analysis.framing))
    name = _class_name(analysis, target)
    trial = _Trial(bench, subject, effort, _light(analysis))
    return trial.run(name)


def subject_of(analysis: Analysis, selection: Selection) -> Subject:
    """Return the map of a resolved selection; raises NoMap where it has none."""
    if not analysis.sites:
        raise NoMap("trust.no_map")
    found = _heat(analysis, selection)
    if found is None:
        raise NoMap("trust.no_map")
    captured = analysis.site(selection.site)

    def remade(network: nn.Module) -> Values:
        if isinstance(captured, ClassMap):
            x = prepare(analysis.network, [analysis.picture], [analysis.framing])
            target = _target(analysis, selection, scores_with(network, x))
            return again(network, x, captured, target).float().cpu().numpy()
        other = look(analysis.picture, replace(analysis.network, module=network))
        heat = _heat(other, selection)
        return np.zeros_like(found.values) if heat is None else heat.values

    return Subject(str(selection.site), found.values, found.grid, remade)


def _heat(analysis: Analysis, selection: Selection) -> Heat | None:
    shown = view(analysis, selection)
    return next((each for each in shown if isinstance(each, Heat)), None)


def _target(analysis: Analysis, selection: Selection, scores: torch.Tensor) -> Target:
    captured = analysis.site(selection.site)
    if isinstance(captured, ClassMap):
        return target_of(scores, captured.index)
    if selection.at is None or not isinstance(analysis.prediction, Segmentation):
        return target_of(scores)
    x, y = analysis.framing.to_model(selection.at)
    width, height = analysis.framing.input
    rows, columns = scores.shape[2:]
    row, column = int(y * rows / height), int(x * columns / width)
    return target_of(scores, pixel=(min(row, rows - 1), min(column, columns - 1)))


def _class_name(analysis: Analysis, target: Target) -> str | None:
    classes = analysis.network.card.classes
    if target.index is None:
        return None
    return classes[target.index] if target.index < len(classes) else str(target.index)


def _light(analysis: Analysis) -> Float[np.ndarray, "y x"]:
    pixels = np.asarray(analysis.framing.apply(analysis.picture.rgb), dtype=np.float64)
    return pixels @ np.array(_LIGHT)


class _Trial:
    """One map and its controls on the way through all tests."""

    def __init__(
        self, bench: Bench, subject: Subject, effort: Effort, light: Float[np.ndarray, "y x"]
    ) -> None:
        self.bench = bench
        self.subject = subject
        self.effort = effort
        self.light = light
        self.fractions = np.arange(effort.steps + 1) / effort.steps
        self.names = (MAP, *CONTROLS)

    def run(self, target: str | None) -> Steps:
        """Run every test; see ``Steps``."""
        probability = float(self.bench.probabilities(self.bench.x)[0])
        yield self._done()
        curves: dict[tuple[str, str], list[np.ndarray]] = {}
        left: dict[str, list[float]] = {name: [] for name in self.names}
        for seed in range(self.effort.seeds):
            for name, values in self._maps(seed).items():
                random = np.random.default_rng([seed, 0])
                ranked = ranking(values, self.bench.cells, random)
                for test, curve in self._curves(ranked, probability, seed).items():
                    curves.setdefault((test, name), []).append(curve)
                left[name].append(kept(self.bench, values))
                yield self._done()
        randomisation = yield from self._randomisation()
        return Trust(
            self.subject.site,
            target,
            probability,
            self._metrics(curves, left, probability),
            {name: float(np.mean(values)) > probability for name, values in left.items()},
            randomisation,
            self.effort.seeds,
            self.bench.asked,
        )

    def _done(self) -> tuple[int, int]:
        return self.bench.asked, max(self.bench.asked, self.effort.forwards)

    def _maps(self, seed: int) -> dict[str, Values]:
        grid, cells = self.subject.grid, self.bench.cells
        controls = {name: make(grid, cells, self.light, seed) for name, make in CONTROLS.items()}
        return {MAP: self.subject.values, **controls}

    def _curves(
        self, ranked: Int[np.ndarray, " cell"], probability: float, seed: int
    ) -> Mapping[str, np.ndarray]:
        """Return the curves of the tests of removal; the whole picture is asked only once."""
        bench, fractions = self.bench, self.fractions
        whole = np.array([probability])
        gone = deletion(bench, ranked, fractions[1:], seed)
        come = insertion(bench, ranked, fractions[:-1], seed)
        return {
            "deletion": np.concatenate([whole, gone]),
            "insertion": np.concatenate([come, whole]),
            "road": road(bench, ranked, np.array(ROAD_FRACTIONS), seed),
        }

    def _metrics(
        self,
        curves: Mapping[tuple[str, str], list[np.ndarray]],
        left: Mapping[str, list[float]],
        probability: float,
    ) -> dict[str, Metric]:
        found = {}
        for test in ("deletion", "insertion", "road"):
            own = {name: np.stack(curves[test, name]) for name in self.names}
            at = np.array(ROAD_FRACTIONS) if test == "road" else self.fractions
            scores = {
                name: np.array([each.mean() if test == "road" else area(each, at) for each in many])
                for name, many in own.items()
            }
            found[test] = Metric(test, scores, own, at)
        drops = {
            name: np.maximum(probability - np.array(values), 0) / max(probability, 1e-12)
            for name, values in left.items()
        }
        return found | {"drop": Metric("drop", drops)}

    def _randomisation(self) -> Generator[tuple[int, int], None, Randomisation | None]:
        effort, remade = self.effort, self.subject.again
        if remade is None or effort.stages == 0:
            return None
        shares: list[float] = []
        rows = []
        for seed in range(effort.random_seeds):
            row, shares = [], []
            stages = cascade(self.bench.network, self.bench.x, effort.stages, seed)
            for share, network in stages:
                row.append(rank_correlation(self.subject.values, remade(network)))
                shares.append(share)
                self.bench.asked += 1
                yield self._done()
            rows.append(row)
        return Randomisation(np.array(shares), np.array(rows))
