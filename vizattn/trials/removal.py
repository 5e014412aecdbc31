"""What the network says of a picture while the places that a map ranks are taken away.

Every score is the probability of the class that the trial is about (see
``vizattn.cam.targets.Target.probability``). Removal goes by whole cells of the map.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from vizattn.cam.layers import scores_with
from vizattn.cam.targets import Target
from vizattn.trials.cells import OUTSIDE, chosen_pixels
from vizattn.trials.imputing import imputed

ROAD_FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
_PIXELS_AT_ONCE = 1_000_000
_BLUR = 1 / 12
"""standard deviation of the blur in parts of the shorter side: no shape of a subject is left"""


@dataclass
class Bench:
    """A network, a picture and a question, and how often the network was asked.

    Args:
        network: the network.
        x: the picture as the network gets it, a batch of one.
        target: what it is asked.
        cells: for each pixel its cell, -1 outside the picture.
        asked: pictures that went through the network so far.
    """

    network: nn.Module
    x: Float[Tensor, "1 3 row column"]
    target: Target
    cells: Int[np.ndarray, "y x"]
    asked: int = field(default=0)

    def probabilities(self, batch: Float[Tensor, "n 3 row column"]) -> Float[np.ndarray, " n"]:
        """Return the class probability of each picture, a few at a time."""
        size = max(1, _PIXELS_AT_ONCE // (batch.shape[2] * batch.shape[3]))
        found = [
            self.target.probability(scores_with(self.network, part)).double().cpu().numpy()
            for part in batch.split(size)
        ]
        self.asked += len(batch)
        return np.concatenate(found)

    def inside(self) -> Bool[Tensor, "row column"]:
        """Return which pixels are of the picture."""
        return torch.from_numpy(self.cells != OUTSIDE).to(self.x.device)

    def covered(
        self, ranked: Int[np.ndarray, " cell"], fractions: Float[np.ndarray, " n"]
    ) -> Bool[Tensor, "n row column"]:
        """Return the pixels of the first cells of a ranking, for each fraction."""
        pixels = chosen_pixels(ranked, self.cells, fractions)
        return torch.from_numpy(pixels).to(self.x.device)


Curve = Float[np.ndarray, " n"]


def deletion(
    bench: Bench, ranked: Int[np.ndarray, " cell"], fractions: Float[np.ndarray, " n"], seed: int
) -> Curve:
    """Return the probability after the first cells of a ranking were painted over, per fraction.

    They get one colour of the blurred picture, another one for each seed. The faster the
    probability falls the better the ranking. Petsiuk et al., RISE, BMVC 2018, arXiv:1806.07421,
    section 4.1.
    """
    blurred = blur(bench.x)
    y, x = np.nonzero(bench.cells != OUTSIDE)
    drawn = int(np.random.default_rng([seed, 2]).integers(len(y)))
    colour = blurred[:, :, int(y[drawn]), int(x[drawn])][:, :, None, None]
    covered = bench.covered(ranked, fractions)[:, None]
    return bench.probabilities(torch.where(covered, colour, bench.x))


def insertion(
    bench: Bench, ranked: Int[np.ndarray, " cell"], fractions: Float[np.ndarray, " n"], seed: int
) -> Curve:
    """Return the probability when only the first cells of a ranking are sharp, per fraction.

    The rest of the picture is blurred. The faster the probability rises the better the ranking.
    Petsiuk et al., RISE, BMVC 2018, arXiv:1806.07421, section 4.1.
    """
    covered = bench.covered(ranked, fractions)[:, None]
    ground = torch.where(bench.inside(), blur(bench.x), bench.x)
    return bench.probabilities(torch.where(covered, bench.x, ground))


def road(
    bench: Bench, ranked: Int[np.ndarray, " cell"], fractions: Float[np.ndarray, " n"], seed: int
) -> Curve:
    """Return the probability after the first cells were filled from around, per fraction.

    Most relevant first: the lower the better the ranking. Rong et al., ROAD, ICML 2022,
    arXiv:2202.00449; each seed draws other noise.
    """
    generator = torch.Generator().manual_seed(seed)
    return bench.probabilities(imputed(bench.x, bench.covered(ranked, fractions), generator))


def kept(bench: Bench, values: Float[np.ndarray, "row column"]) -> float:
    """Return the probability of the picture times the map, stretched to 0..1.

    In the network's normalised units: what the map leaves out gets the mean colour. Chattopadhay
    et al., Grad-CAM++, WACV 2018, arXiv:1710.11063, section 4.1, where the average drop is
    max(0, y - o) / y over pictures and the increase the share of pictures with o > y.
    """
    low, high = float(values.min()), float(values.max())
    share = (values - low) / (high - low) if high > low else np.ones_like(values)
    mask = np.where(bench.cells == OUTSIDE, 1.0, share.ravel()[bench.cells])
    picture = bench.x * torch.from_numpy(mask).to(bench.x)
    return float(bench.probabilities(picture)[0])


def blur(x: Float[Tensor, "1 channel row column"]) -> Float[Tensor, "1 channel row column"]:
    """Return a picture in which no shape is left: a wide Gaussian, mirrored at the edges."""
    deviation = _BLUR * min(x.shape[2:])
    reach = min(int(3 * deviation + 0.5), min(x.shape[2:]) - 1)
    offsets = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (offsets / max(deviation, 1e-6)) ** 2)
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, -1)
    padded = F.pad(x, (reach,) * 4, mode="reflect")
    across = F.conv2d(padded, kernel[:, :, None], groups=x.shape[1])
    return F.conv2d(across, kernel[..., None], groups=x.shape[1])


def area(curve: Curve, fractions: Float[np.ndarray, " n"]) -> float:
    """Return the area under a curve over the fractions, by trapezoids, as a mean height."""
    widths = np.diff(fractions)
    heights = (curve[1:] + curve[:-1]) / 2
    return float((widths * heights).sum() / widths.sum())
