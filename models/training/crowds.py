"""Training pictures for counters: crops of crowds, one sense or both, with their points."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from models.counting.bayesian import BayesianLoss
from models.counting.measure import Shown, counting_errors, mean_predictor
from models.hosts.crowd import DENSITY_STRIDE, CrowdCounter, without_norms
from models.packs import CrowdEntry, read_counting
from models.preprocessing import MEAN, Preprocessing, thermal_input, thermal_levels
from models.training.augment import jitter
from models.training.crowd_scenes import write_pack
from models.training.recipes import Crop, Recipe

HEADS, BODIES = "crowd_points", ("rgbt_msrs", "rgbt_roadscene")
RENDERED = "rgbt_rendered"
SCENES = 320
"""how many scenes of our own are rendered, an eighth of which is not trained on"""
HEAD_SIGMA, BODY_SIGMA = 6.0, 8.0
"""pixels around a point that are surely its own: a head is smaller than a body"""
_BACKGROUND = 0.15
_SOMEBODY = 0.5
"""share of the crops that are put around somebody"""
CONDITIONS: dict[str, Shown] = {
    "rgb": Shown(thermal=False),
    "thermal": Shown(rgb=False),
    "both": Shown(),
    "both, 8 px apart": Shown(shift=8),
    "both, 16 px apart": Shown(shift=16),
    "both, 32 px apart": Shown(shift=32),
}
"""what a card reports for each pack"""

Points = Float[Tensor, "n 2"]


@dataclass(frozen=True)
class Scene:
    """One picture of a pack in memory.

    Args:
        rgb: its pixels.
        thermal: levels of 0..255 of its thermal picture, or none.
        points: (x, y) of its people in pixels.
        sigma: pixels around a point that are surely its own.
    """

    rgb: UInt8[Tensor, "3 row column"]
    thermal: UInt8[Tensor, "1 row column"] | None
    points: Points
    sigma: float


@dataclass(frozen=True)
class Cuts:
    """A batch: crops of 0..255 of one sense or both."""

    rgb: Float[Tensor, "batch 3 row column"] | None
    thermal: Float[Tensor, "batch 1 row column"] | None


@dataclass(frozen=True)
class Marks:
    """The people of a batch."""

    points: list[Float[Tensor, "_ 2"]]
    sizes: list[float]
    """shorter side of each whole picture in pixels of its crop"""
    sigma: list[float]


class CountTask:
    """Crowd photographs with head points, and RGB-T pairs with body points.

    Args:
        folder: folder of the packs.
        runs: folder of the checkpoints, where our own scenes are kept once they are rendered.
    """

    pack = HEADS
    facts: ClassVar[dict[str, Any]] = {
        "points": {"rgb": "heads", "thermal": "bodies", "both": "bodies"}
    }

    def __init__(self, folder: Path, runs: Path) -> None:
        self.folder = folder
        self.heads = _load(read_counting(folder / HEADS, "train"), HEAD_SIGMA, HEADS)
        self.pairs: list[Scene] = []
        for pack in (*(folder / name for name in BODIES), _rendered(runs / RENDERED)):
            self.pairs += _load(read_counting(pack, "train"), BODY_SIGMA, pack.name)

    @property
    def train(self) -> Sequence[Scene]:
        """Return every picture that is trained on."""
        return [*self.heads, *self.pairs]

    def steps(self, recipe: Recipe) -> int:
        """Return the batches of an epoch."""
        return recipe.steps

    def batches(
        self, recipe: Recipe, cut: Crop, generator: torch.Generator
    ) -> Iterator[tuple[Cuts, Marks]]:
        """Yield batches of one kind each: RGB alone, thermal alone, or both."""
        kinds = [kind for kind, _ in recipe.senses]
        shares = torch.tensor([share for _, share in recipe.senses])
        for _ in range(recipe.steps):
            kind = kinds[int(torch.multinomial(shares, 1, generator=generator))]
            scenes = self._choose(kind, cut.batch or recipe.batch, generator)
            yield _cut(scenes, kind, recipe, cut, generator)

    def _choose(self, kind: str, count: int, generator: torch.Generator) -> list[Scene]:
        # Heads are dense and say much; of five RGB pictures one is a street.
        street = round(count / 5) if kind == "rgb" else count
        chosen = _some(self.pairs, street, generator)
        return chosen + _some(self.heads, count - street, generator)

    def answer(self, network: nn.Module, preprocessing: Preprocessing, images: Cuts) -> Tensor:
        """Return the density maps."""
        rgb = thermal = None
        if images.rgb is not None:
            rgb = preprocessing.normalise(images.rgb).to(memory_format=torch.channels_last)
        if images.thermal is not None:
            thermal = thermal_input(images.thermal / 255)
            thermal = thermal.contiguous(memory_format=torch.channels_last)
        density: Tensor = network(rgb, thermal)
        return density

    def loss(self, recipe: Recipe, scores: Tensor, targets: Marks) -> Tensor:
        """Return the Bayesian loss, over the root of how many people there are.

        A recipe may add squared differences from a map where every point is spread out, or take
        them alone for bodies: it says less truly what a person is, and sooner where people are.

        Streets and crowds differ a hundredfold in people; the root, of a batch or of each picture,
        lets both speak.
        """
        losses = [
            self._loss_of_one(recipe, *one)
            for one in zip(scores[:, 0], targets.points, targets.sizes, targets.sigma, strict=True)
        ]
        people = torch.tensor([float(len(points)) for points in targets.points])
        if not recipe.each_by_its_people:
            people = people.mean().expand(len(people))
        return (torch.stack(losses) / (1 + people).sqrt()).mean()

    def _loss_of_one(
        self, recipe: Recipe, density: Tensor, points: Tensor, size: float, sigma: float
    ) -> Tensor:
        wrong = (density - spread(points, sigma, density.shape)).square().sum()
        people = density.new_tensor(float(len(points)))
        miscounted = recipe.count_weight * F.smooth_l1_loss(density.sum(), people)
        if sigma == BODY_SIGMA and recipe.body_weight:
            # Streets are nearly empty: absolute errors there are smallest for an empty map.
            return recipe.body_weight * wrong + recipe.bodies_counted * miscounted
        loss = BayesianLoss(DENSITY_STRIDE, sigma, _BACKGROUND).of_one(density, points, size)
        return loss + recipe.density_weight * wrong + miscounted

    def finished(self, network: nn.Module) -> nn.Module:
        """Return the counter with its batch norms folded away: the authors' architecture."""
        return without_norms(network) if isinstance(network, CrowdCounter) else network

    def measured(self, network: nn.Module, preprocessing: Preprocessing) -> dict[str, Any]:
        """Return the errors on the crowds of the val split and, by condition, on every pack."""
        tables = {name: self._table(network, preprocessing, name) for name in (HEADS, *BODIES)}
        return {"split": "val", **tables[HEADS]["rgb"], "conditions": tables}

    def _val(self, name: str) -> list[CrowdEntry]:
        return read_counting(self.folder / name, "val")

    def _table(self, network: nn.Module, preprocessing: Preprocessing, name: str) -> dict[str, Any]:
        entries = self._val(name)
        rows = {
            condition: counting_errors(network, preprocessing, entries, shown)
            for condition, shown in CONDITIONS.items()
            if entries[0].thermal is not None or shown == Shown(thermal=False)
        }
        train = read_counting(self.folder / name, "train")
        return rows | {"mean_predictor": mean_predictor(train, entries)}


class SensesTask(CountTask):
    """The same pictures, one sense at a time; what is trained is where counters start from."""

    def finished(self, network: nn.Module) -> nn.Module:
        """Return the counter as it is, with its batch norms: it will be trained on."""
        return network

    def measured(self, network: nn.Module, preprocessing: Preprocessing) -> dict[str, Any]:
        """Return the errors of the RGB stream alone on the crowds of the val split."""
        shown = Shown(thermal=False)
        return {"split": "val", **counting_errors(network, preprocessing, self._val(HEADS), shown)}


def spread(
    points: Float[Tensor, "_ 2"], sigma: float, cells: Sequence[int]
) -> Float[Tensor, "row column"]:
    """Return a density map on which every point is a Gaussian whose sum over the map is 1.

    Args:
        points: (x, y) in pixels.
        sigma: standard deviation in pixels.
        cells: rows and columns of the map.
    """
    down, across = (
        torch.exp(
            -(((torch.arange(count) + 0.5) * DENSITY_STRIDE - at[:, None]) ** 2) / (2 * sigma**2)
        )
        for count, at in zip(cells, (points[:, 1], points[:, 0]), strict=True)
    )
    down, across = (each / each.sum(dim=1, keepdim=True) for each in (down, across))
    return torch.einsum("nr,nc->rc", down, across)


def _load(entries: list[CrowdEntry], sigma: float, what: str) -> list[Scene]:
    bar = tqdm(entries, desc=f"reading {what}", leave=False)
    return [Scene(entry.pixels(), _levels(entry), entry.points, sigma) for entry in bar]


def _rendered(folder: Path) -> Path:
    """Return a pack of our own scenes, rendered the first time."""
    if not (folder / "annotations.json").is_file():
        write_pack(folder, SCENES, seed=0)
    return folder


def _levels(entry: CrowdEntry) -> UInt8[Tensor, "1 row column"] | None:
    if entry.thermal is None:
        return None
    return (thermal_levels(entry.thermal_pixels()[None].float())[0] * 255).round().byte()


def _some(scenes: list[Scene], count: int, generator: torch.Generator) -> list[Scene]:
    index = torch.randint(len(scenes), (count,), generator=generator)
    return [scenes[i] for i in index.tolist()]


def _cut(
    scenes: list[Scene], kind: str, recipe: Recipe, cut: Crop, generator: torch.Generator
) -> tuple[Cuts, Marks]:
    rgb, thermal, points, sizes = [], [], [], []
    for scene in scenes:
        window = _window(scene, cut, generator)
        sizes.append(min(scene.rgb.shape[1:]) * window.zoom)
        points.append(window.points(scene.points))
        if kind != "thermal":
            rgb.append(window.pixels(scene.rgb, [255 * value for value in MEAN]))
        if kind != "rgb" and scene.thermal is not None:
            shift = (torch.rand(2, generator=generator) * 2 - 1) * recipe.misaligned
            shift = shift.round() if window.crisp else shift
            thermal.append(window.pixels(scene.thermal, [127.5], shift.tolist()))
    cuts = Cuts(
        _darkened(jitter(torch.stack(rgb), 0.3, generator), kind, generator) if rgb else None,
        _unsettled(torch.stack(thermal), generator) if thermal else None,
    )
    return cuts, Marks(points, sizes, [scene.sigma for scene in scenes])


@dataclass(frozen=True)
class _Window:
    """Where a crop is: ``left`` and ``top`` in pixels of the picture, zoomed, perhaps mirrored.

    A ``crisp`` one is cut out along the edges of pixels.
    """

    left: float
    top: float
    zoom: float
    mirrored: bool
    rows: int
    columns: int
    crisp: bool = False

    def pixels(
        self, picture: Tensor, ground: Sequence[float], shift: Sequence[float] = (0.0, 0.0)
    ) -> Float[Tensor, "channel row column"]:
        """Return the crop, bilinear, ``ground`` outside; ``shift`` is in pixels of the crop."""
        height, width = picture.shape[1:]
        x = (torch.arange(self.columns) + 0.5 + shift[0]) / self.zoom + self.left
        y = (torch.arange(self.rows) + 0.5 + shift[1]) / self.zoom + self.top
        if self.mirrored:
            x = x.flip(0)
        across, down = x * 2 / width - 1, y * 2 / height - 1
        grid = torch.stack(torch.meshgrid(down, across, indexing="ij")[::-1], dim=-1)[None]
        level = torch.tensor(ground).view(-1, 1, 1)
        centred = (picture.float() - level)[None]
        return F.grid_sample(centred, grid, align_corners=False)[0] + level

    def points(self, points: Points) -> Float[Tensor, "inside 2"]:
        """Return the points inside, in pixels of the crop."""
        placed = (points - torch.tensor([self.left, self.top])) * self.zoom
        if self.mirrored:
            placed = torch.stack([self.columns - placed[:, 0], placed[:, 1]], dim=1)
        limit = torch.tensor([self.columns, self.rows])
        return placed[((placed >= 0) & (placed < limit)).all(dim=1)]


def _window(scene: Scene, cut: Crop, generator: torch.Generator) -> _Window:
    def uniform(low: float, high: float) -> float:
        return float(torch.rand((), generator=generator)) * (high - low) + low

    height, width = scene.rgb.shape[1:]
    zoom = math.exp(uniform(*map(math.log, cut.scale)))
    crisp = cut.crisp > 0 and uniform(0, 1) < cut.crisp
    if crisp:
        zoom = 1.0
    extents = cut.columns / zoom, cut.rows / zoom
    room = [
        (min(0.0, s - e), max(0.0, s - e)) for s, e in zip((width, height), extents, strict=True)
    ]
    if len(scene.points) and uniform(0, 1) < _SOMEBODY:
        # A street is mostly empty: half of its crops have somebody for certain.
        person = scene.points[int(uniform(0, len(scene.points) - 1e-3))].tolist()
        room = [
            (min(max(low, at - extent), high), max(min(high, at), low))
            for (low, high), at, extent in zip(room, person, extents, strict=True)
        ]
    left, top = (uniform(low, high) for low, high in room)
    if crisp:
        left, top = round(left), round(top)
    return _Window(left, top, zoom, uniform(0, 1) < 0.5, cut.rows, cut.columns, crisp)


def _darkened(images: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """Return the pictures, a few grey and, beside a thermal picture, a few as dark as night."""
    count = len(images)
    grey = images.mean(dim=1, keepdim=True).expand_as(images)
    some = torch.rand(count, 1, 1, 1, generator=generator)
    images = torch.where(some < 0.1, grey, images)
    if kind != "both":
        return images
    night = torch.rand(count, 1, 1, 1, generator=generator)
    return torch.where(some > 0.75, images * (0.02 + 0.4 * night), images)


def _unsettled(levels: Tensor, generator: torch.Generator) -> Tensor:
    """Return thermal levels with another gain and offset and some noise."""
    count = len(levels)
    gain = 0.7 + 0.6 * torch.rand(count, 1, 1, 1, generator=generator)
    offset = 50 * (torch.rand(count, 1, 1, 1, generator=generator) - 0.5)
    noise = 6 * torch.rand(count, 1, 1, 1, generator=generator)
    spread = torch.randn(levels.shape, generator=generator) * noise
    return ((levels - 127.5) * gain + 127.5 + offset + spread).clamp(0, 255)
