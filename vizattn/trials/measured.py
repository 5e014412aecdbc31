"""The results of a trial: numbers for the map and for its controls, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from vizattn.numbers import number
from vizattn.texts import text

MAP = "map"
REMOVAL = ("deletion", "insertion", "road")
"""the tests that the verdict rests on"""
LOWER_IS_BETTER = {"deletion": True, "insertion": False, "road": True, "drop": True}
UNMOVED = 0.5
"""rank correlation above which a map has not changed although every layer was drawn anew"""
_LIVELY = 0.02
"""change of the probability below which removal tells nothing"""


@dataclass(frozen=True)
class Metric:
    """One test of a map and of its controls.

    Args:
        name: "deletion", "insertion", "road" or "drop".
        scores: by "map" and by control, one number a seed.
        curves: by the same names, the probability along ``fractions`` for each seed.
        fractions: of the cells that were removed, inserted or filled; none for "drop".
    """

    name: str
    scores: Mapping[str, Float[np.ndarray, " seed"]]
    curves: Mapping[str, Float[np.ndarray, "seed n"]] = field(default_factory=dict)
    fractions: Float[np.ndarray, " n"] | None = None

    @property
    def seeds(self) -> int:
        """Return how many seeds were measured."""
        return len(self.scores[MAP])

    @property
    def controls(self) -> tuple[str, ...]:
        """Return the names of the controls."""
        return tuple(name for name in self.scores if name != MAP)

    def wins(self, control: str) -> int:
        """Return in how many seeds the map is better than a control; a tie is no win."""
        sign = -1 if LOWER_IS_BETTER[self.name] else 1
        return int((sign * (self.scores[MAP] - self.scores[control]) > 0).sum())

    @property
    def clear_wins(self) -> int:
        """Return in how many seeds the map is better than every control."""
        sign = -1 if LOWER_IS_BETTER[self.name] else 1
        best = np.max([sign * self.scores[name] for name in self.controls], axis=0)
        return int((sign * self.scores[MAP] > best).sum())

    @property
    def unbeaten(self) -> tuple[str, ...]:
        """Return the controls that the map does not beat in most seeds."""
        return tuple(name for name in self.controls if 2 * self.wins(name) <= self.seeds)


@dataclass(frozen=True)
class Randomisation:
    """How a map changes while layers are drawn anew.

    Args:
        shares: of the layers that were drawn anew, the last layers first.
        correlations: rank correlation with the trained network's map, for each seed.
    """

    shares: Float[np.ndarray, " stage"]
    correlations: Float[np.ndarray, "seed stage"]

    @property
    def final(self) -> float:
        """Return the mean correlation when every layer was drawn anew."""
        return float(self.correlations[:, -1].mean())


@dataclass(frozen=True)
class Trust:
    """What a map is worth, as far as it was measured.

    Args:
        site: which map.
        target: the class that it was held against, by the network's name; None where there is none.
        probability: of that class for the whole picture.
        metrics: the tests by name.
        increase: by "map" and by control, whether keeping only the map raises the probability.
        randomisation: None where the map cannot be made again by another network.
        seeds: how many seeds each test had.
        forwards: how many pictures went through the network for all this.
    """

    site: str
    target: str | None
    probability: float
    metrics: Mapping[str, Metric]
    increase: Mapping[str, bool]
    randomisation: Randomisation | None
    seeds: int
    forwards: int

    @property
    def verdict(self) -> str:
        """Return "supported", "refuted", "mixed", "unmoved" or "undecided"; see ``words``."""
        tests = [self.metrics[name] for name in REMOVAL]
        spans = [np.ptp(np.stack([*each.curves.values()])) for each in tests]
        if max(spans) < _LIVELY:
            return "undecided"
        if self.randomisation is not None and self.randomisation.final > UNMOVED:
            return "unmoved"
        if all(each.clear_wins == each.seeds for each in tests):
            return "supported"
        return "refuted" if all(each.unbeaten for each in tests) else "mixed"

    def words(self, language: str) -> list[str]:
        """Return the verdict in plain words, the conclusion first.

        - supported: by deletion, insertion and ROAD better than every control in every seed;
        - refuted: by each of the three some control is as good in at least half of the seeds;
        - unmoved: with every layer drawn anew the map is still much the same;
        - undecided: whatever is removed hardly changes the probability;
        - mixed: anything else.
        """
        said = {"controls": self._names(self._worst(), language)}
        parts = [text(language, f"trust.verdict.{self.verdict}", **said)]
        parts += [self.line(name, language) for name in self.metrics]
        if self.randomisation is not None:
            parts.append(self._randomised(language))
        counts = {"forwards": self.forwards, "seeds": self.seeds}
        return [*parts, text(language, "trust.verdict.cost", **counts)]

    def line(self, name: str, language: str) -> str:
        """Return what one test found, in a sentence with its numbers."""
        metric = self.metrics[name]
        won = metric.clear_wins
        said = {"won": won, "seeds": metric.seeds, "test": text(language, f"trust.test.{name}")}
        said |= {"numbers": self._numbers(metric, language)}
        if metric.unbeaten:
            beaten = self._names(metric.unbeaten, language)
            return text(language, "trust.line.not_better", controls=beaten, **said)
        key = "trust.line.better" if won == metric.seeds else "trust.line.mostly"
        return text(language, key, **said)

    def _numbers(self, metric: Metric, language: str) -> str:
        parts = [
            text(
                language,
                "trust.line.number",
                name=text(language, f"trust.control.{name}"),
                **_interval(values),
            )
            for name, values in metric.scores.items()
        ]
        return text(language, "trust.line.join").join(parts)

    def _randomised(self, language: str) -> str:
        found = self.randomisation
        if found is None:
            raise ValueError("expected a map that was made again, received one that was not")
        key = "unmoved" if found.final > UNMOVED else "moved"
        final = found.correlations[:, -1]
        return text(language, f"trust.line.randomised_{key}", **_interval(final))

    def _worst(self) -> tuple[str, ...]:
        """Return the controls that are not beaten in any test of removal, or else in some."""
        sets = [set(self.metrics[name].unbeaten) for name in REMOVAL]
        common = set.intersection(*sets) or set.union(*sets)
        return tuple(name for name in self.metrics[REMOVAL[0]].controls if name in common)

    def _names(self, controls: tuple[str, ...], language: str) -> str:
        spoken = [text(language, f"trust.control.{name}") for name in controls]
        first = text(language, "trust.line.join").join(spoken[:-1])
        return text(language, "trust.line.and").join(filter(None, (first, *spoken[-1:])))

    def facts(self) -> dict[str, Any]:
        """Return everything as facts that fit into JSON."""
        found: dict[str, Any] = {
            "site": self.site,
            "class": self.target,
            "probability": self.probability,
            "verdict": self.verdict,
            "words": {language: self.words(language) for language in ("en", "zh")},
            "seeds": self.seeds,
            "forwards": self.forwards,
            "increase": dict(self.increase),
            "tests": {name: _metric_facts(each) for name, each in self.metrics.items()},
            "randomisation": None,
        }
        if self.randomisation is not None:
            found["randomisation"] = {
                "shares": self.randomisation.shares.tolist(),
                "correlations": self.randomisation.correlations.tolist(),
            }
        return found


def _metric_facts(metric: Metric) -> dict[str, Any]:
    return {
        "lower_is_better": LOWER_IS_BETTER[metric.name],
        "scores": {name: values.tolist() for name, values in metric.scores.items()},
        "curves": {name: values.tolist() for name, values in metric.curves.items()},
        "fractions": None if metric.fractions is None else metric.fractions.tolist(),
        "wins": {name: metric.wins(name) for name in metric.controls},
        "clear_wins": metric.clear_wins,
    }


def _interval(values: Float[np.ndarray, " seed"]) -> dict[str, str]:
    low, high, mean = float(values.min()), float(values.max()), float(values.mean())
    return {"mean": number(mean, 2), "low": number(low, 2), "high": number(high, 2)}
