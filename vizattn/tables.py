"""Plain tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under their heads, each column as wide as the longest cell in it.

    Raises:
        ValueError: if a row has another number of cells than there are heads.
    """
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = (heads, ["-" * width for width in widths], *rows)
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
