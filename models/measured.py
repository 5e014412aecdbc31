"""Reports of docs/ that were measured with ``python -m vizattn``, as Markdown.

Each is a file of numbers that also holds what is said about them: "title", "lead", "table" (heads
and lines), "plot" (a file beside it, and what it shows), "findings" by language and "machine".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.tables import markdown_table

DOCS = Path(__file__).resolve().parents[1] / "docs"
COSTS, DEPENDENCE = "scaling.json", "dependence.json"
Json = dict[str, Any]


def read(name: str) -> Json | None:
    """Return a report's numbers by its file's name; None where it was not measured yet."""
    path = DOCS / name
    if not path.is_file():
        return None
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return found


def body(report: Json, folder: str = "") -> str:
    """Return what a report says, without its title.

    Args:
        report: what ``read`` returns.
        folder: where its plot is, from where this is read; ends in "/".
    """
    heads, lines = report["table"]["heads"], report["table"]["lines"]
    plot = report["plot"]
    where = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    parts = [
        report["lead"],
        "\n".join(f"- {sentence}" for sentence in report["findings"]["en"]),
        f"![{plot['shows']}]({folder}{plot['file']})",
        markdown_table(heads, lines),
        f"Measured on: {where}.",
    ]
    return "\n\n".join(part for part in parts if part)


def section(name: str) -> str:
    """Return a report as a section of README, or nothing where it was not measured yet."""
    report = read(name)
    return "" if report is None else f"## {report['title']}\n\n{body(report, 'docs/')}"
