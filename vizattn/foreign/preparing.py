"""From whatever is given for a picture to what a stranger's network takes, and where it lies in it.

Where a function prepares pictures, what it does to places is measured: four test pictures of the
same size go through it, black, white and two ramps. What differs between black and white is the
picture, the rest bars; the ramps say which column and row of the original each pixel came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from vizattn.foreign.graph import tensors_of
from vizattn.geometry import Framing, Size
from vizattn.intake import Note, Picture, read_picture
from vizattn.texts import Refused

_STRAIGHT = 0.01
"""parts of the picture by which a measured place may be off the line that places lie on"""
TENSOR = "tensor"
"""the name of the picture where the network's own input was given"""


@dataclass(frozen=True)
class Prepared:
    """A picture and what a network is given for it.

    Args:
        picture: what is shown.
        framing: where it is in the network's input.
        inputs: what the network is given, in order.
        named: what it is given by name.
    """

    picture: Picture
    framing: Framing
    inputs: tuple[Any, ...]
    named: Mapping[str, Any] = field(default_factory=dict)


def from_tensors(given: Any) -> Prepared:
    """Return what is ready for a network; its first map of 1 or 3 channels is the picture.

    Args:
        given: a tensor (3, row, column) or (1, 3, row, column), several in a tuple or list, or a
            mapping by name. Every one is a batch of one picture.

    Raises:
        Refused: if there is no such map, or it is a batch of several pictures.
    """
    named = {key: _batched(each) for key, each in given.items()} if _is_named(given) else {}
    several = given if isinstance(given, (list, tuple)) else [given]
    inputs = () if named else tuple(_batched(each) for each in several)
    maps = [each for each in tensors_of((inputs, named)) if each.dim() == 4]
    shown = next((each for each in maps if each.shape[1] in (1, 3)), None)
    if shown is None:
        raise Refused("foreign.no_picture")
    if any(each.shape[0] != 1 for each in maps):
        raise Refused("foreign.one_picture", count=max(each.shape[0] for each in maps))
    size = (shown.shape[3], shown.shape[2])
    picture = Picture(_as_image(shown[0]), size, TENSOR, (Note("foreign.note.tensor"),))
    return Prepared(picture, Framing(size, size, (0, 0), size), inputs, named)


def _is_named(given: Any) -> bool:
    return isinstance(given, Mapping)


def _batched(each: Any) -> Any:
    if isinstance(each, Tensor) and each.dim() == 3 and each.shape[0] in (1, 3):
        return each[None]
    return each


def _as_image(values: Float[Tensor, "channel row column"]) -> Image.Image:
    """Return a map as a picture from its least to its greatest number."""
    low, high = (each.item() for each in torch.aminmax(values.float()))
    levels = (values.float() - low) / (high - low or 1.0) * 255
    pixels = levels.round().byte().expand(3, -1, -1).permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(np.ascontiguousarray(pixels))


def from_function(
    source: Any, prepare: Callable[[Image.Image], Any], device: torch.device
) -> Prepared:
    """Return what somebody's function makes of a picture, with its geometry measured.

    Where the function keeps only a part of the picture, that part is what is shown. Where it does
    more than cut, scale and pad, what the network is given is shown itself.

    Args:
        source: path, bytes, file, PIL image or array.
        prepare: from a PIL image to a tensor, or to a mapping with one, as processors make.
        device: where the network is.
    """
    picture = source if isinstance(source, Picture) else read_picture(source)
    inputs, named = _given(prepare(picture.rgb), device)
    shown = _map_of((inputs, named))
    found = measured(prepare, picture.rgb.size)
    if found is None:
        seen = from_tensors(shown)
        kept = replace(seen.picture, name=picture.name, notes=(Note("foreign.note.own_geometry"),))
        return Prepared(kept, seen.framing, inputs, named)
    box, placed, offset = found
    size = (shown.shape[3], shown.shape[2])
    kept, original = _cut(picture, box)
    return Prepared(kept, Framing(original, placed, offset, size), inputs, named)


def _given(made: Any, device: torch.device) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(made, Mapping):
        moved = {key: _batched(value) for key, value in made.items()}
        return (), {k: v.to(device) if isinstance(v, Tensor) else v for k, v in moved.items()}
    several = made if isinstance(made, (list, tuple)) else [made]
    return tuple(_batched(each).to(device) for each in several), {}


def _map_of(tree: Any) -> Tensor:
    found = next((each for each in tensors_of(tree) if each.dim() == 4), None)
    if found is None:
        raise Refused("foreign.no_map")
    return found


Measured = tuple[tuple[int, int, int, int], Size, Size]
"""the part of the picture that is kept (left, top, right, bottom), its size in the input, its
top left corner there"""


def measured(prepare: Callable[[Image.Image], Any], size: Size) -> Measured | None:
    """Return which part of a picture a function keeps and where it puts it; None if it is unclear.

    Args:
        prepare: the function.
        size: (width, height) of the picture.
    """
    width, height = size
    ramp = [
        np.broadcast_to(line, (height, width))
        for line in (
            ((np.arange(width) + 0.5) / width * 255)[None, :],
            ((np.arange(height) + 0.5) / height * 255)[:, None],
        )
    ]
    grey = [np.zeros((height, width)), np.full((height, width), 255.0), *ramp]
    black, white, across, down = (_greyed(prepare, each) for each in grey)
    if not black.shape == white.shape == across.shape == down.shape:
        return None
    span = white - black
    inside = span.abs() > 0.05 * span.abs().max()
    rows, columns = inside.any(dim=1).nonzero()[:, 0], inside.any(dim=0).nonzero()[:, 0]
    if not len(rows) or not len(columns):
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    part = (slice(int(top), int(bottom)), slice(int(left), int(right)))
    share = torch.where(inside, span, torch.ones_like(span))
    along, upright = (
        _line(((each - black) / share)[part], axis) for each, axis in ((across, 0), (down, 1))
    )
    if along is None or upright is None:
        return None
    (x0, x1), (y0, y1) = along, upright
    box = (round(x0 * width), round(y0 * height), round(x1 * width), round(y1 * height))
    kept = (max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3]))
    if kept[2] - kept[0] < 2 or kept[3] - kept[1] < 2:
        return None
    return kept, (int(right - left), int(bottom - top)), (int(left), int(top))


def _greyed(prepare: Callable[[Image.Image], Any], levels: np.ndarray) -> Tensor:
    """Return the mean over channels of what becomes of a grey picture."""
    pixels = np.repeat(np.rint(levels).astype(np.uint8)[..., None], 3, axis=2)
    inputs, named = _given(prepare(Image.fromarray(pixels)), torch.device("cpu"))
    return _map_of((inputs, named))[0].double().mean(dim=0)


def _line(part: Tensor, axis: int) -> tuple[float, float] | None:
    """Return where in the original, 0..1, a part of the input begins and ends along an axis."""
    values = part.mean(dim=axis)
    count = len(values)
    if count < 4 or float((part - values.unsqueeze(axis)).abs().max()) > _STRAIGHT:
        return None
    # At its edges a resized picture repeats its last pixels.
    edge = max(1, count // 16)
    index = torch.arange(count, dtype=torch.double)[edge:-edge] + 0.5
    known = values[edge:-edge]
    centre = index.mean()
    slope = ((index - centre) * (known - known.mean())).sum() / ((index - centre) ** 2).sum()
    fitted = known.mean() + slope * (index - centre)
    if float((fitted - known).abs().max()) > _STRAIGHT or slope <= 0:
        return None
    start = float(known.mean() - slope * centre)
    return start, start + float(slope) * count


def _cut(picture: Picture, box: tuple[int, int, int, int]) -> tuple[Picture, Size]:
    """Return the part of a picture that is kept, and its size in pixels of the original."""
    if box == (0, 0, *picture.rgb.size):
        return picture, picture.original_size
    scale = [o / r for o, r in zip(picture.original_size, picture.rgb.size, strict=True)]
    left, top, right, bottom = box
    size = (round((right - left) * scale[0]), round((bottom - top) * scale[1]))
    said = {"width": size[0], "height": size[1], "x": round(left * scale[0])}
    note = Note("foreign.note.cut", {**said, "y": round(top * scale[1])})
    cut = Picture(picture.rgb.crop(box), size, picture.name, (*picture.notes, note))
    return cut, size


def is_ready(image: Any) -> bool:
    """Return whether something is what a network takes, and no picture yet."""
    parts: Sequence[Any] = [image]
    if isinstance(image, Mapping):
        parts = list(image.values())
    elif isinstance(image, (list, tuple)):
        parts = image
    return any(isinstance(each, Tensor) for each in parts)
