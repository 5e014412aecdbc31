"""Render our own example pictures: ``python assets/examples/render.py [NAME ...]``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scenes.cassette import cassette_player
from scenes.church import church
from scenes.golf import golf_ball
from scenes.parachute import parachute
from scenes.street import avenue, crossing

SCENES: dict[str, Callable[[], np.ndarray]] = {
    "avenue": avenue,
    "crossing": crossing,
    "golf-ball": golf_ball,
    "parachute": parachute,
    "church": church,
    "cassette-player": cassette_player,
}
"""by the name of the file"""


def main() -> None:
    """Render the scenes that are asked for, or all; each takes up to a minute or two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENES)}; default: all"
    )
    parser.add_argument(
        "--to", type=Path, default=Path(__file__).resolve().parent, metavar="FOLDER"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(SCENES))
    if unknown:
        parser.error(f"expected names of {', '.join(SCENES)}, received {', '.join(unknown)}")
    for name in options.names or SCENES:
        path = options.to / f"{name}.jpg"
        Image.fromarray(SCENES[name]()).save(path, quality=90, optimize=True)
        print(path)


if __name__ == "__main__":
    main()
