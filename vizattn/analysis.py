"""A picture and a network in, everything that can be seen out: the library's front door."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from models.weights import Card
from vizattn.attention import Captured, PlaceAffinity
from vizattn.foreign.events import Missed
from vizattn.foreign.keeping import MEMORY_LIMIT
from vizattn.foreign.looking import look_at
from vizattn.foreign.preparing import Prepared
from vizattn.foreign.recording import answer
from vizattn.foreign.sites import ByHand
from vizattn.foreign.stranger import Stranger
from vizattn.geometry import Framing, Point
from vizattn.intake import Note, Picture, read_picture
from vizattn.networks import Library, Network
from vizattn.passes import run
from vizattn.texts import Refused
from vizattn.truth import sites_of


class UnknownSite(Refused):
    """The network has no attention of that name."""


class OutsidePicture(Refused):
    """A place is not on the picture, or the attention has no row for places."""


class OtherTask(Refused):
    """A network does something that cannot be answered in the way that was asked for."""


@dataclass(frozen=True)
class Classification:
    """The probability of every class; a network of features has no classes and so none."""

    classes: tuple[str, ...]
    probabilities: Float[np.ndarray, " class"]

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """Return the most probable classes, highest first."""
        order = np.argsort(-self.probabilities)[:count]
        return [(self.classes[index], float(self.probabilities[index])) for index in order]


@dataclass(frozen=True)
class Segmentation:
    """The most probable class of every model pixel, and how probable it is."""

    classes: tuple[str, ...]
    mask: UInt8[np.ndarray, "row column"]
    probability: Float[np.ndarray, "row column"]

    def shares(self) -> dict[str, float]:
        """Return the share of the picture that each class covers, largest first."""
        counts = np.bincount(self.mask.ravel(), minlength=len(self.classes)) / self.mask.size
        order = np.argsort(-counts)
        return {self.classes[index]: float(counts[index]) for index in order if counts[index] > 0}

    def at(self, point: Point) -> tuple[str, float]:
        """Return the class and its probability at a point of the model's input."""
        rows, columns = self.mask.shape
        column = min(max(int(point[0]), 0), columns - 1)
        row = min(max(int(point[1]), 0), rows - 1)
        return self.classes[self.mask[row, column]], float(self.probability[row, column])


class Looked:
    """What can be asked of every captured attention of one look, whatever was looked at."""

    network: Network
    framing: Framing
    sites: tuple[Captured, ...]

    def __getitem__(self, site: str) -> Captured:
        """Return one captured attention by its site; raises UnknownSite."""
        for each in self.sites:
            if each.site == site:
                return each
        known = ", ".join(each.site for each in self.sites) or "-"
        raise UnknownSite("errors.unknown_site", site=site, known=known)

    def site(self, name: str | None = None) -> Captured:
        """Return a captured attention: the named one, else the first with rows over places, else
        the last; raises UnknownSite where there is none.
        """
        if name is not None:
            return self[name]
        if not self.sites:
            raise UnknownSite("errors.no_attention", name=self.network.name)
        own = [each for each in self.sites if each.part_of is None]
        with_rows = [each for each in own if isinstance(each, PlaceAffinity)]
        return with_rows[0] if with_rows else own[-1]

    def check_point(self, at: Point) -> Point:
        """Return a place of the original; raises OutsidePicture if it is not on the picture."""
        if not self.framing.contains(at):
            width, height = self.framing.original
            raise OutsidePicture(
                "errors.outside_picture", x=f"{at[0]:g}", y=f"{at[1]:g}", width=width, height=height
            )
        return at

    def query_at(self, at: Point, site: str | None = None) -> int:
        """Return the index of the query cell that holds a place of the original.

        Raises:
            OutsidePicture: if the place is not on the picture, or the site has no rows for places.
            UnknownSite: if there is no such site.
        """
        grid = self._with_rows(site).query_grid
        return grid.cell_at(self.framing.to_model(self.check_point(at)))

    def row(self, at: Point, site: str | None = None) -> Float[np.ndarray, "head row column"]:
        """Return the exact attention row of a place, one map over the keys' cells for each head.

        Args:
            at: (x, y) in pixels of the upright original.
            site: which attention; the first that has rows by default.

        Raises:
            OutsidePicture: if the place is not on the picture, or the site has no rows for places.
            UnknownSite: if there is no such site.
        """
        chosen = self._with_rows(site)
        return chosen.row_of(self.query_at(at, site))

    def _with_rows(self, site: str | None) -> PlaceAffinity:
        chosen = self.site(site)
        if not isinstance(chosen, PlaceAffinity):
            raise OutsidePicture("errors.no_position_row", site=chosen.site)
        return chosen


@dataclass(frozen=True)
class Analysis(Looked):
    """What one network did with one picture.

    Args:
        network: the network.
        picture: the upright picture.
        framing: where the picture is in the network's input.
        prediction: what the network answered.
        sites: every captured attention, in the order in which the network used it.
        evidence: of a stranger's network, by site, how it is known where its cells are.
        missed: of a stranger's network, what looks like attention and was not captured.
        grid: of a stranger's network, the grid of tokens that a person has set.
        id: an unguessable name.
    """

    network: Network
    picture: Picture
    framing: Framing
    prediction: Classification | Segmentation
    sites: tuple[Captured, ...]
    evidence: Mapping[str, Note] = field(default_factory=dict)
    missed: tuple[Missed, ...] = ()
    grid: ByHand = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@cache
def default_library() -> Library:
    """Return the library that ``look`` uses: every bundled network, on CUDA where there is one."""
    return Library()


def look(
    source: Any,
    model: str | Network,
    changed: AbstractContextManager[None] | None = None,
    grid: ByHand = None,
) -> Analysis:
    """Run a network on a picture and return its attention, checked.

    Args:
        source: path, bytes, file, PIL image or array (see ``read_picture``).
        model: name of a bundled network, or a loaded one.
        changed: changes the network meanwhile; see ``vizattn.passes.recording``.
        grid: of a stranger's network, rows and columns of its tokens, for all sites or by site,
            where a person knows.

    Raises:
        Refused: with one clear sentence, if the picture or the network cannot be used.
    """
    return _look([source], model, changed, grid)[0]


def look_all(sources: Sequence[Any], model: str | Network) -> list[Analysis]:
    """Run a network on several pictures, those of one shape in one batch; see ``look``."""
    return _look(sources, model)


def _look(
    sources: Sequence[Any],
    model: str | Network,
    changed: AbstractContextManager[None] | None = None,
    grid: ByHand = None,
) -> list[Analysis]:
    network = default_library().network(model) if isinstance(model, str) else model
    if network.card.task not in TASKS:
        raise OtherTask("crowd_engine.use_count", name=network.name)
    pictures = [s if isinstance(s, Picture) else read_picture(s) for s in sources]
    framings = [network.framing(picture.original_size) for picture in pictures]
    results: dict[int, Analysis] = {}
    for size in dict.fromkeys(framing.input for framing in framings):
        batch = [index for index, framing in enumerate(framings) if framing.input == size]
        chosen = [pictures[i] for i in batch], [framings[i] for i in batch]
        analyses = _analyse(network, *chosen, changed, grid)
        results |= dict(zip(batch, analyses, strict=True))
    return [results[index] for index in range(len(pictures))]


def prepare(
    network: Network, pictures: Sequence[Picture], framings: Sequence[Framing]
) -> Float[Tensor, "batch 3 row column"]:
    """Return the batch that a network is given for pictures of one model size."""
    resample = network.preprocessing.interpolation
    arrays = [np.asarray(f.apply(p.rgb, resample)) for p, f in zip(pictures, framings, strict=True)]
    pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
    return network.preprocessing.normalise(pixels.to(network.device))


def _analyse(
    network: Network,
    pictures: Sequence[Picture],
    framings: Sequence[Framing],
    changed: AbstractContextManager[None] | None,
    grid: ByHand,
) -> list[Analysis]:
    if network.card.foreign:
        pairs = zip(pictures, framings, strict=True)
        return [_analyse_foreign(network, *pair, changed, grid) for pair in pairs]
    output, firings = run(network.module, prepare(network, pictures, framings), changed=changed)
    read = _PREDICTIONS[network.card.task]
    return [
        Analysis(
            network,
            picture,
            framing,
            read(output[item].float(), network.card.classes),
            sites_of(network.module, firings, item, framing),
        )
        for item, (picture, framing) in enumerate(zip(pictures, framings, strict=True))
    ]


def _analyse_foreign(
    network: Network,
    picture: Picture,
    framing: Framing,
    changed: AbstractContextManager[None] | None,
    grid: ByHand,
) -> Analysis:
    if isinstance(network, Stranger):
        given = network.prepared(picture)
    else:
        given = Prepared(picture, framing, (prepare(network, [picture], [framing]),))
    return analyse_stranger(network, given, grid, changed=changed)[0]


def analyse_stranger(
    network: Network,
    given: Prepared,
    grid: ByHand = None,
    memory: int = MEMORY_LIMIT,
    changed: AbstractContextManager[None] | None = None,
) -> tuple[Analysis, Any]:
    """Run a stranger's network; return what was captured, possibly nothing, and what it returned.

    Args:
        network: the network.
        given: the picture and what the network is given for it.
        grid: rows and columns of its tokens, for all sites or by site, where a person knows.
        memory: bytes that are kept in memory; what is more goes to a temporary file.
        changed: see ``look``.
    """
    found = look_at(network.module, given.inputs, given.framing, given.named, grid, memory, changed)
    analysis = Analysis(
        network,
        given.picture,
        given.framing,
        prediction_of(found.output, network.card, given.framing),
        found.sites,
        found.evidence,
        found.missed,
        grid,
    )
    return analysis, found.output


def prediction_of(output: Any, card: Card, framing: Framing) -> Classification | Segmentation:
    """Return what a stranger's network answered to one picture, where that can be read.

    Args:
        output: what it returned: scores of classes, or of classes at places, also inside a
            tuple, a mapping or a list.
        card: its task and class names; numbers are used where there are none.
        framing: where the picture is in the network's input.
    """
    scores = answer(output)
    task = _TASKS.get(scores.dim()) if scores is not None else None
    if scores is None or task is None or card.task == "features":
        return _features(torch.zeros(0), ())
    count = scores.shape[1]
    classes = card.classes if len(card.classes) == count else tuple(map(str, range(count)))
    scores = scores.float()
    width, height = framing.input
    if task == "segment" and scores.shape[2:] != (height, width):
        scores = F.interpolate(scores, (height, width), mode="bilinear", align_corners=False)
    return _PREDICTIONS[task](scores[0], classes)


def _classification(scores: Tensor, classes: tuple[str, ...]) -> Classification:
    return Classification(classes, scores.softmax(dim=0).cpu().numpy())


def _features(scores: Tensor, classes: tuple[str, ...]) -> Classification:
    return Classification((), np.zeros(0, dtype=np.float32))


def _segmentation(scores: Tensor, classes: tuple[str, ...]) -> Segmentation:
    probability, mask = scores.softmax(dim=0).max(dim=0)
    return Segmentation(classes, mask.byte().cpu().numpy(), probability.cpu().numpy())


_PREDICTIONS: dict[str, Callable[[Tensor, tuple[str, ...]], Classification | Segmentation]] = {
    "classify": _classification,
    "segment": _segmentation,
    "features": _features,
}
_TASKS = {2: "classify", 4: "segment"}
"""by how many axes scores have"""
TASKS = tuple(_PREDICTIONS)
"""what networks must do for ``look``; a network that counts people is asked with ``count``"""
