"""The captured kind of class activation maps, and the layer that one was made at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vizattn.attention import Captured
from vizattn.geometry import Grid
from vizattn.texts import catalogue, text

PREFIX = "cam."
"""what the site of a class map begins with, before the method"""


@dataclass(frozen=True)
class Asked:
    """Which class map is wanted.

    Args:
        method: one of ``vizattn.cam.methods.METHODS``.
        target: index of a class; the predicted one by default.
        layer: dotted path of a layer; found by default.
    """

    method: str
    target: int | None = None
    layer: str | None = None

    @property
    def site(self) -> str:
        """Return the site under which the map stands: what was chosen is in its name."""
        chosen = "" if self.target is None else f":{self.target}"
        return f"{PREFIX}{self.method}{chosen}{'' if self.layer is None else f'@{self.layer}'}"

    @property
    def call(self) -> str:
        """Return what asks the library for it, in Python."""
        return f"cam({self.method!r}, {self.target!r}, {self.layer!r})"

    @classmethod
    def read(cls, site: str) -> Asked | None:
        """Return what a site asks for, or None where it is no class map's."""
        if not site.startswith(PREFIX):
            return None
        rest, _, layer = site.removeprefix(PREFIX).partition("@")
        method, _, target = rest.partition(":")
        if target and not target.isdecimal():
            return None
        return cls(method, int(target) if target else None, layer or None)


@dataclass(frozen=True)
class Layer:
    """The layer whose feature map a class map is over, and why it is that one.

    Args:
        path: dotted path of the module, with "#n" where it fired n - 1 times before.
        channels: how many channels its feature map has.
        rows: cells from top to bottom.
        columns: cells from left to right.
        prefix: tokens that are no places, before the others; 0 for a map.
        given: somebody named it; else it was found.
        fired: how many feature maps the network made, when it was found.
        later: how many of them came later: they lead to the score by no weights any more, or the
            score does not depend on their places.
    """

    path: str
    channels: int
    rows: int
    columns: int
    prefix: int = 0
    given: bool = False
    fired: int = 0
    later: int = 0

    def evidence(self, language: str) -> str:
        """Return why it is this layer, in one sentence."""
        said = {"path": self.path, "channels": self.channels, "rows": self.rows}
        said |= {"columns": self.columns, "fired": self.fired, "later": self.later}
        parts = [text(language, f"trust.layer.{'given' if self.given else 'found'}", **said)]
        if self.prefix:
            parts.append(text(language, "trust.layer.tokens", prefix=self.prefix, **said))
        return text(language, "canvas.sentence.join").join(parts)


@dataclass(frozen=True)
class ClassMap(Captured):
    """How much each place of a layer speaks for a class, by one of the methods.

    Args:
        values: one number a cell, not negative, in the method's own unit.
        raw: the same before the ReLU: what is negative speaks against the class.
        grid: where the cells are.
        method: the method's name in ``vizattn.cam.methods``.
        title: what the method is called.
        target: the class by the network's own name; None where the method knows of none.
        index: the class by its number; None for the network's whole answer. A method that knows of
            no class is held against the predicted one.
        layer: where the map was made.
        score: the class score (a logit) that it is about.
        remainder: the score with nothing at the layer, where the score is known to be that plus
            the sum of ``raw``; None where this does not hold.
    """

    values: Float[np.ndarray, "row column"]
    raw: Float[np.ndarray, "row column"]
    grid: Grid
    method: str
    title: str
    target: str | None
    index: int | None
    layer: Layer
    score: float
    remainder: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (row, column)."""
        return self.values.shape


def name_of_class(language: str, name: str) -> str:
    """Return what a class is called in a language; a stranger's class keeps its name."""
    return catalogue(language).get(f"mechanisms.class.{name}", name)


def class_map_label(language: str, captured: ClassMap) -> str:
    """Return the title of a class map: the method, and the class where it knows one."""
    if captured.target is None:
        return captured.title
    target = name_of_class(language, captured.target)
    return text(language, "trust.cam.title", method=captured.title, target=target)
