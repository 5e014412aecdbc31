"""The recipes: what is trained, on what, from where and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from models.mechanism import mechanisms


@dataclass(frozen=True)
class Crop:
    """What is cut at random from the pictures for some epochs.

    Args:
        epochs: how long.
        rows: height that a crop is resized to.
        columns: width that a crop is resized to.
        scale: smallest and largest share of a picture's area that a crop has.
        batch: how many make a batch; by default as many as the recipe says.
        crisp: share of the crops that are cut out pixel by pixel, neither scaled nor moved by a
            part of a pixel (for networks that are no counters: whole pictures, for crops of their
            size): whatever is resampled is softer than what a camera gives.
    """

    epochs: int
    rows: int
    columns: int
    scale: tuple[float, float]
    batch: int | None = None
    crisp: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a training run.

    ``crops`` says what is cut from the pictures, in order. ``cycles`` lists (epochs, share of
    ``peak_rate``): in each the rate warms up and falls to nothing along a cosine.
    ``start`` names the weights to start from; tensors that match in name and shape are taken.
    ``frozen`` is a pattern of names (of parameters outside attention) that stay as they started:
    with ``train_norms`` only convolutions, else batch norms and their statistics too.
    """

    name: str
    task: str
    mechanism: str | None
    batch: int
    crops: tuple[Crop, ...]
    cycles: tuple[tuple[int, float], ...]
    peak_rate: float
    weight_decay: float
    ratio: tuple[float, float]
    balance: float = 0.0
    """power of (median share / share) that a class weighs in the loss; 0 is no weighting"""
    optimiser: str = "adamw"
    start: str | None = None
    frozen: str | None = None
    train_norms: bool = True
    attention_rate: float = 1.0
    """what the rate is multiplied by for attention, which starts untrained in a trained network"""
    average: float = 0.998
    """decay of the moving average of the weights that is kept in the end"""
    seed: int = 0
    # The name says the form too: what runs of before there were forms wrote stays theirs.
    form: str | None = field(default=None, repr=False)
    """which of the mechanism's other forms; by default its own"""
    senses: tuple[tuple[str, float], ...] = ()
    """which share of the batches of a counter shows "rgb", "thermal" or "both" """
    steps: int = 0
    """batches in an epoch of a counter"""
    misaligned: float = 0.0
    """largest shift, in pixels of the crop, between the senses of a training pair"""
    density_weight: float = 0.0
    """of the squared differences from a spread-out map, beside the Bayesian loss of a counter"""
    body_weight: float = 0.0
    """of the same squared differences in place of the Bayesian loss where people are few"""
    count_weight: float = 0.0
    """of how far the sum of a picture's map is from its people, beside what places them"""
    bodies_counted: bool = False
    """count bodies likewise: with still norms, that silences the head on streets for good"""
    each_by_its_people: bool = False
    """weigh a counter's loss by the people of each picture and not of the whole batch"""
    twins: bool = False
    """start the thermal stream from the RGB stream"""
    still_norms: bool = False
    """keep the statistics of all batch norms as they started, while their scales are trained"""
    plain: str | None = None
    """the plain host under the same recipe, shown beside it on the card"""

    def __post_init__(self) -> None:
        if self.epochs != sum(crop.epochs for crop in self.crops):
            raise ValueError(f"{self.name}: expected crops for all {self.epochs} epochs")

    @property
    def epochs(self) -> int:
        """Return the length of the run."""
        return sum(epochs for epochs, _ in self.cycles)


# Shares of a picture's area that a crop may have: for objects of any size, for frames at any
# distance, and (last) around the size at which the networks are used.
_PART, _ZOOM, _NATIVE = (0.3, 1.0), (0.25, 1.3), (0.6, 1.3)

_CLASSIFIER = Recipe(
    name="trunk-classifier",
    task="classify",
    mechanism=None,
    batch=64,
    crops=(
        Crop(20, 96, 96, _PART),
        Crop(16, 112, 112, _PART),
        Crop(8, 128, 128, _PART),
        Crop(12, 112, 112, _PART),
        Crop(12, 128, 128, _PART),
    ),
    cycles=((44, 1.0), (24, 0.6)),
    peak_rate=0.1,
    weight_decay=5e-4,
    ratio=(0.75, 1.333),
    optimiser="sgd",
)
_SEGMENTER = Recipe(
    name="trunk-segmenter",
    task="segment",
    mechanism=None,
    batch=8,
    crops=(Crop(45, 288, 384, _ZOOM), Crop(15, 360, 480, _ZOOM), Crop(12, 360, 480, _NATIVE)),
    cycles=((60, 1.0), (12, 0.5)),
    peak_rate=2e-3,
    weight_decay=0.02,
    ratio=(0.85, 1.18),
    balance=0.5,
    start="trunk-classifier",
    average=0.996,
)

# The convolutions before the last stage are shared and stay; the last stage, all batch norms, the
# attention and the linear layer are trained for each mechanism.
_SHARED_CLASSIFIER = r"^trunk\.(stem|reduce\.[01]|stages\.[012])\."
# Everything before the context module is shared and stays.
_SHARED_SEGMENTER = r"^(trunk|lateral8|lateral16|lateral32|join)\."


def _classifier(mechanism: str | None) -> Recipe:
    return replace(
        _CLASSIFIER,
        name=f"classify-{mechanism or 'plain'}",
        mechanism=mechanism,
        crops=(Crop(6, 128, 128, _PART),),
        cycles=((6, 1.0),),
        peak_rate=5e-4,
        attention_rate=8.0,
        average=0.995,
        weight_decay=0.02,
        optimiser="adamw",
        start=_CLASSIFIER.name,
        frozen=_SHARED_CLASSIFIER,
        plain="classify-plain",
    )


def _segmenter(mechanism: str | None) -> Recipe:
    return replace(
        _SEGMENTER,
        name=f"segment-{mechanism or 'plain'}",
        mechanism=mechanism,
        crops=(Crop(6, 360, 480, _NATIVE),),
        cycles=((6, 1.0),),
        attention_rate=4.0,
        # Weights that help the trunk to see rare classes make the answer call them too often.
        balance=0.2,
        peak_rate=1.5e-3,
        start=_SEGMENTER.name,
        frozen=_SHARED_SEGMENTER,
        train_norms=False,
        average=0.99,
        plain="segment-plain",
    )


# A counter learns to see from photographs, to count with either sense alone, then with both. What
# has seen crops alone, with an edge near every place, counts a seventh too many in a whole picture.
_WHOLE = Crop(12, 384, 512, (0.75, 1.25), batch=4)
_STREAM = replace(
    _CLASSIFIER,
    name="trunk-stream",
    task="stream",
    crops=(Crop(12, 112, 112, _PART), Crop(2, 128, 128, _PART)),
    cycles=((14, 1.0),),
    peak_rate=0.05,
)
_SENSES = Recipe(
    name="trunk-senses",
    task="senses",
    mechanism=None,
    batch=16,
    crops=(Crop(30, 192, 192, (0.7, 1.6)), _WHOLE),
    cycles=((30, 1.0), (12, 0.6)),
    peak_rate=1e-3,
    weight_decay=1e-3,
    ratio=(1.0, 1.0),
    start=_STREAM.name,
    twins=True,
    senses=(("rgb", 0.8), ("thermal", 0.2)),
    steps=100,
    average=0.998,
    density_weight=1.0,
    body_weight=25.0,
    each_by_its_people=True,
)

# What places everybody well counts too many in crowds and too few where heads are tiny.
_COUNTS = replace(
    _SENSES,
    name="trunk-counts",
    crops=(replace(_WHOLE, epochs=24),),
    cycles=((24, 1.0),),
    peak_rate=6e-4,
    start=_SENSES.name,
    twins=False,
    count_weight=0.5,
    bodies_counted=True,
)


def _counter(mechanism: str | None) -> Recipe:
    return replace(
        _COUNTS,
        name=f"{mechanism or 'sum'}-small",
        task="count",
        mechanism=mechanism,
        batch=8,
        crops=(replace(_WHOLE, epochs=8),),
        cycles=((8, 1.0),),
        # Low: what counts well with one sense already should go on to.
        peak_rate=1e-4,
        attention_rate=4.0,
        count_weight=0.25,
        bodies_counted=False,
        average=0.995,
        start=_COUNTS.name,
        senses=(("both", 0.28), ("rgb", 0.54), ("thermal", 0.18)),
        misaligned=8.0,
        # Streets and crowds, with one sense or both, differ in their statistics: what batches of
        # one kind train is a network that nobody runs.
        still_norms=True,
        plain="sum-small",
    )


def _plugged(host: str, recipe: Callable[[str | None], Recipe]) -> Iterator[Recipe]:
    """Yield the recipe of the plain host, then of every mechanism that plugs into it, by year."""
    yield recipe(None)
    plugged = [each for each in mechanisms().values() if host in each.plugs]
    for each in sorted(plugged, key=lambda each: (each.paper.year, each.slug)):
        yield recipe(each.slug)


def _forms(host: str, recipe: Callable[[str | None], Recipe]) -> Iterator[Recipe]:
    """Yield the recipes of the other forms that are trained in a host, as their mechanisms are."""
    for each in mechanisms().values():
        for form in each.forms.get(host, ()):
            own = recipe(each.slug)
            yield replace(own, name=f"{own.name}-{form}", form=form)


_ALL = (
    _CLASSIFIER,
    *_plugged("classifier", _classifier),
    *_forms("classifier", _classifier),
    _SEGMENTER,
    *_plugged("segmenter", _segmenter),
    _STREAM,
    _SENSES,
    _COUNTS,
    *_plugged("counter", _counter),
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
"""every recipe by the name of the weights that it makes, in the order in which they are trained"""
