"""A bar on the error output while weights are downloaded; nothing where nobody looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from models.zoo.fetching import Progress


@contextmanager
def downloads(name: str) -> Iterator[Progress]:
    """Yield what draws a bar when it is told how many bytes of how many are here."""
    bar: tqdm[None] | None = None

    def progress(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            # None: only where the error output is a terminal.
            bar = tqdm(total=total, unit="B", unit_scale=True, desc=name, disable=None)
        bar.update(done - bar.n)

    try:
        yield progress
    finally:
        if bar is not None:
            bar.close()
