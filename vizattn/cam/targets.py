"""What a class map or a trial is about: one number that is read from a network's output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_NAMED = ("out", "logits")
"""what torchvision's segmenters and Hugging Face's models call their scores"""


def scores_of(output: object) -> Tensor:
    """Return the tensor of scores in what a network returned: itself, or the named or first one.

    Raises:
        ValueError: if there is no tensor of numbers in it.
    """
    if isinstance(output, Tensor):
        return output.float()
    if isinstance(output, Mapping):
        named = [output[name] for name in _NAMED if name in output]
        return scores_of((*named, *output.values()))
    if isinstance(output, tuple | list) and output:
        return scores_of(next((each for each in output if isinstance(each, Tensor)), output[0]))
    raise ValueError(f"expected a network that returns scores, received {type(output).__name__}")


@dataclass(frozen=True)
class Target:
    """One number of a network's scores.

    Args:
        index: the class, or None for the sum of everything that the network returns.
        places: of scores (class, row, column), at which pixels the class is asked for; None for
            scores without places.
    """

    index: int | None
    places: Bool[Tensor, "row column"] | None = None

    def logit(self, scores: Tensor) -> Float[Tensor, " batch"]:
        """Return the class score of each picture: a logit, the mean over the places."""
        return self._read(scores)

    def probability(self, scores: Tensor) -> Float[Tensor, " batch"]:
        """Return the class probability of each picture, the mean over the places.

        A network without classes has none: then it is what it returns, summed.
        """
        return self._read(scores if self.index is None else scores.softmax(dim=1))

    def _read(self, values: Tensor) -> Float[Tensor, " batch"]:
        if self.index is None:
            return values.flatten(1).sum(dim=1)
        of_class = values[:, self.index]
        if self.places is None:
            return of_class
        return of_class[:, self.places].mean(dim=1)


def target_of(
    scores: Tensor, index: int | None = None, pixel: tuple[int, int] | None = None
) -> Target:
    """Return the target of one picture's scores: a class, by default the predicted one.

    Args:
        scores: (1, class), or (1, class, row, column) of a network that answers for every pixel:
            then the predicted class is the one with the most pixels, and the score is the mean
            over the pixels that the network gives to it (over all where it gives it none).
        index: another class.
        pixel: (row, column): the class of that pixel, or the named class at that pixel.

    Raises:
        ValueError: if there is no such class.
    """
    count = scores.shape[1] if scores.ndim in (2, 4) else 1
    if index is not None and not 0 <= index < max(count, 1):
        raise ValueError(f"expected a class of 0..{count - 1}, received {index}")
    if count == 1:
        return Target(None)
    if scores.ndim == 2:
        return Target(int(scores[0].argmax()) if index is None else index)
    return _target_of_pixels(scores[0].argmax(dim=0), count, index, pixel)


def _target_of_pixels(
    predicted: Tensor, count: int, index: int | None, pixel: tuple[int, int] | None
) -> Target:
    if pixel is not None:
        places = torch.zeros_like(predicted, dtype=torch.bool)
        places[pixel] = True
        return Target(int(predicted[pixel]) if index is None else index, places)
    if index is None:
        index = int(torch.bincount(predicted.flatten(), minlength=count).argmax())
    places = predicted == index
    return Target(index, places if bool(places.any()) else torch.ones_like(places))
