"""An RGB picture and a thermal one of the same scene, on one frame, as a network is given them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from models.preprocessing import thermal_input
from vizattn.crowd.changes import AS_IT_IS, LEVELS, SENSES, Changes, RGBLevels, ThermalLevels
from vizattn.geometry import Framing, Size
from vizattn.intake import WORKING_PIXELS, Note, Picture, read_picture
from vizattn.intake.thermal import Thermal, notes_on_rgb, read_thermal, swapped
from vizattn.networks import Network
from vizattn.numbers import number
from vizattn.registration import Registration, Suggestion, suggest, warp
from vizattn.texts import Refused

UNKNOWN = LEVELS / 2
"""the level of what the thermal picture does not show: what networks are trained with there"""
REGISTERED = "crowd_engine.registered"
Input = Float[Tensor, "1 3 row column"]


class NoPair(Refused):
    """There is nothing to count in, or no second sense where one is needed."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Both pictures of a scene, or one of them.

    The frame, in whose pixels all places are given, is the RGB picture; with a thermal picture
    alone it is that one.

    Args:
        rgb: the upright RGB picture, or none.
        thermal: the thermal picture, or none.
        registration: where places of the RGB picture are in the thermal one; none with one sense.
        notes: what a person should know about the two together.

    Raises:
        NoPair: if both are missing.
        ValueError: if there are both and no registration.
    """

    rgb: Picture | None
    thermal: Thermal | None
    registration: Registration | None = None
    notes: tuple[Note, ...] = ()
    _levels: dict[Any, np.ndarray] = field(default_factory=dict, init=False, repr=False)
    """levels that do not depend on any change, kept for the next one"""

    def __post_init__(self) -> None:
        if self.rgb is None and self.thermal is None:
            raise NoPair("crowd_engine.no_picture")
        if self.rgb is not None and self.thermal is not None and self.registration is None:
            raise ValueError("expected a registration for two pictures, received none")

    @property
    def size(self) -> Size:
        """Return the frame's (width, height)."""
        if self.rgb is not None:
            return self.rgb.original_size
        return self._own_thermal().original_size

    @property
    def senses(self) -> tuple[str, ...]:
        """Return which senses there are, of "rgb" and "thermal"."""
        there = (self.rgb is not None, self.thermal is not None)
        return tuple(sense for sense, is_there in zip(SENSES, there, strict=True) if is_there)

    @property
    def name(self) -> str:
        """Return what the pair goes by: the name of each of its files."""
        names = [each.name for each in (self.rgb, self.thermal) if each is not None]
        return " + ".join(names)

    @property
    def all_notes(self) -> tuple[Note, ...]:
        """Return what there is to know about each picture, then about both together."""
        each = (note for one in (self.rgb, self.thermal) if one is not None for note in one.notes)
        return (*each, *self.notes)

    @property
    def laid(self) -> Registration:
        """Return where places of the frame are in the thermal picture.

        Raises:
            NoPair: if there is no thermal picture.
        """
        return self.registration or Registration.fitted(
            self.size, self._own_thermal().original_size
        )

    def registered(self, registration: Registration) -> Pair:
        """Return the same pictures laid on each other in another way."""
        # What was said of the place that was found no longer holds.
        notes = tuple(note for note in self.notes if note.key != REGISTERED)
        other = replace(self, registration=registration, notes=notes)
        other._levels.update(self._levels)
        return other

    def ground(self, sense: str) -> Picture:
        """Return a picture in the frame to draw maps on: the sense's own, grey if thermal.

        Where the pair lacks that sense, the other one is returned.
        """
        rgb = self.rgb
        if rgb is not None and (sense == "rgb" or self.thermal is None):
            return rgb
        size = rgb.size if rgb is not None else self._own_thermal().values.shape[::-1]
        values, inside = self._warped((size[0], size[1]), (0.0, 0.0))
        grey = np.where(inside, values, 0).round().astype(np.uint8)
        thermal = self._own_thermal()
        image = Image.fromarray(grey).convert("RGB")
        return Picture(image, self.size, thermal.name, thermal.notes)

    def to_network(
        self, network: Network, changes: Changes = AS_IT_IS
    ) -> tuple[Framing, Input | None, Input | None]:
        """Return where the frame is in the network's input, and each sense's input or None.

        Args:
            network: what will count.
            changes: what is done to the pair first.

        Raises:
            NoPair: if the changes move the thermal picture and one of the two is missing.
        """
        if any(changes.shift) and len(self.senses) < len(SENSES):
            raise NoPair("crowd_engine.needs_both")
        framing = network.framing(self.size)
        levels = self.given(framing, changes)
        rgb = thermal = None
        if "rgb" in levels:
            rgb = _quick(network.preprocessing.normalise(_tensor(levels["rgb"], network)))
        if "thermal" in levels:
            pixels = _tensor(levels["thermal"][:, :, None], network)
            thermal = _quick(thermal_input(pixels / LEVELS))
        return framing, rgb, thermal

    def given(self, framing: Framing, changes: Changes = AS_IT_IS) -> dict[str, np.ndarray]:
        """Return the levels of 0..255 that a network is given of each sense, after the changes.

        RGB is (row, column, 3), thermal (row, column), both at the size of the framing's input.
        """
        levels: dict[str, np.ndarray] = {}
        if self.rgb is not None:
            levels["rgb"] = changes.rgb(self._rgb_levels(self.rgb, framing))
        if self.thermal is not None:
            values, inside = self._warped(framing.scaled, changes.shift)
            levels["thermal"] = np.where(inside, changes.thermal(values), np.float32(UNKNOWN))
        return levels

    def _rgb_levels(self, rgb: Picture, framing: Framing) -> RGBLevels:
        key = ("rgb", framing.input)
        if key not in self._levels:
            self._levels[key] = np.asarray(framing.apply(rgb.rgb), dtype=np.float32)
        return self._levels[key]

    def _warped(self, size: Size, shift: tuple[float, float]) -> tuple[ThermalLevels, np.ndarray]:
        """Return thermal levels of 0..255 on the frame at a size, and where there are any."""
        registration = self.laid
        moved = replace(
            registration,
            dx=registration.dx - shift[0] * registration.scale_x,
            dy=registration.dy - shift[1] * registration.scale_y,
        )
        whole = self._own_thermal().original_size
        return warp(self._thermal_levels(), moved, self.size, size, whole)

    def _thermal_levels(self) -> np.ndarray:
        if "thermal" not in self._levels:
            # By the range of the whole picture, so that moving it does not change its levels.
            self._levels["thermal"] = self._own_thermal().levels()
        return self._levels["thermal"]

    def _own_thermal(self) -> Thermal:
        if self.thermal is None:
            raise NoPair("crowd_engine.no_thermal")
        return self.thermal


def _tensor(
    levels: Float[np.ndarray, "row column channel"], network: Network
) -> Float[Tensor, "1 channel row column"]:
    return torch.from_numpy(np.ascontiguousarray(levels)).permute(2, 0, 1)[None].to(network.device)


def _quick(image: Input) -> Input:
    # The layout in which convolutions and pooling are quickest; what they compute is the same.
    return image.contiguous(memory_format=torch.channels_last)


def read_pair(
    rgb: Any = None,
    thermal: Any = None,
    registration: Registration | str | None = None,
    working_pixels: int = WORKING_PIXELS,
) -> Pair:
    """Return a pair from what pictures can be read from, with notes on how they fit together.

    Args:
        rgb: path, bytes, file, PIL image, array or ``Picture``; none where there is no RGB picture.
        thermal: the same for a thermal picture, or ``Thermal``.
        registration: where places of the RGB picture are in the thermal one; "auto" looks for it,
            and where it finds none, as without any, both pictures cover the same view.
        working_pixels: larger pictures are reduced to this.

    Raises:
        NoPair: if both are missing.
        PictureError: if one cannot be used; the sentence says why.
        ValueError: if the registration is a word other than "auto".
    """
    if isinstance(registration, str) and registration != "auto":
        raise ValueError(f"expected a registration or 'auto', received {registration!r}")
    seen, felt = rgb, thermal
    if rgb is not None and not isinstance(rgb, Picture):
        seen = read_picture(rgb, working_pixels=working_pixels)
    if thermal is not None and not isinstance(thermal, Thermal):
        felt = read_thermal(thermal, working_pixels=working_pixels)
    if seen is None or felt is None:
        return Pair(seen, felt, notes=_remarks(seen, felt))
    if isinstance(registration, Registration):
        return Pair(seen, felt, registration, _remarks(seen, felt))
    found = suggest(seen, felt)
    view = Registration.fitted(seen.original_size, felt.original_size)
    laid = found.registration if registration == "auto" and found.confident else view
    return Pair(seen, felt, laid, (*_laid_as(found, laid, view), *_remarks(seen, felt)))


def _laid_as(found: Suggestion, laid: Registration, view: Registration) -> list[Note]:
    """Return what to say of how two pictures lie on each other."""
    if found.different_scenes:
        return [Note("crowd_engine.different")]
    if laid == view:
        return []
    agreement = {"before": found.agreement_before, "after": found.agreement_after}
    said = {name: number(value, 2) for name, value in agreement.items()}
    return [Note(REGISTERED, said)]


def _remarks(rgb: Picture | None, thermal: Thermal | None) -> tuple[Note, ...]:
    """Return what is odd about pictures: taken for each other, or RGB without natural colours."""
    if rgb is None:
        return ()
    if thermal is not None and swapped(rgb, thermal):
        return (Note("crowd_engine.swapped", {"rgb": rgb.name, "thermal": thermal.name}),)
    return notes_on_rgb(rgb)
