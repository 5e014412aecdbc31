"""What somebody's preprocessing does to places is measured, not assumed."""

from __future__ import annotations

import pytest
from torchvision import transforms

from vizattn.foreign.preparing import measured

COLOURS = transforms.Normalize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4])


def test_a_cut_in_the_middle() -> None:
    steps = [transforms.Resize(64), transforms.CenterCrop(56), transforms.ToTensor(), COLOURS]
    found = measured(transforms.Compose(steps), (320, 240))
    assert found is not None
    box, size, offset = found
    # 240 lines become 64, of which 56 are kept: 210 of them; columns likewise.
    wanted = (55, 15, 265, 225)
    assert all(abs(one - other) <= 2 for one, other in zip(box, wanted, strict=True))
    assert (size, offset) == ((56, 56), (0, 0))


def test_a_stretched_picture_between_bars() -> None:
    steps = [transforms.Resize((32, 48)), transforms.Pad((8, 4)), transforms.ToTensor()]
    found = measured(transforms.Compose(steps), (200, 150))
    assert found == ((0, 0, 200, 150), (48, 32), (8, 4))


@pytest.mark.parametrize(
    "step", [transforms.RandomHorizontalFlip(1.0), transforms.RandomRotation((30, 30))]
)
def test_what_is_no_cut_is_not_taken_for_one(step: object) -> None:
    steps = [transforms.Resize((48, 48)), step, transforms.ToTensor()]
    assert measured(transforms.Compose(steps), (100, 100)) is None
