"""Replay numbers from the papers' original code through our modules and print the differences.

Exit code: 0 where every file passes, 1 where one fails, 2 where one cannot be read or has nothing
here that answers to it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import torch

from models.reference import TOLERANCE, ReferenceFileError, Replay, replay

NAME = "verify"
HELP = "replay reference numbers and print the largest differences"
BUNDLED = Path(__file__).resolve().parents[2] / "tests" / "reference"
DTYPES = {"float64": torch.float64, "float32": torch.float32}
FAILED, UNREADABLE = 1, 2
Replayed = tuple[Path, str, Replay]
"""the file, the precision that was used and the comparisons"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="files of reference numbers (default: those of tests/reference)",
    )
    parser.add_argument(
        "--dtype",
        choices=sorted(DTYPES),
        help="our precision (default: float64, then float32 for what differs, since the originals "
        "ran in float32 and large sums round differently)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")


def run(options: argparse.Namespace) -> int:
    """Replay every file and print the table; returns the exit code."""
    files: list[Path] = options.files or sorted(BUNDLED.glob("*.safetensors"))
    if not files:
        print(f"vizattn verify: no reference files in {BUNDLED}", file=sys.stderr)
        return UNREADABLE
    replays: list[Replayed] = []
    refused: dict[Path, str] = {}
    for path in files:
        try:
            replays.append((path, *replay_as(path, options.dtype)))
        except ReferenceFileError as error:
            refused[path] = str(error)
            print(f"vizattn verify: {error}", file=sys.stderr)
    if options.json:
        print(json.dumps(_report(replays, refused), indent=2))
    else:
        _print_table(replays)
    if refused:
        return UNREADABLE
    return 0 if all(each.passed for _, _, each in replays) else FAILED


def replay_as(path: Path, dtype: str | None) -> tuple[str, Replay]:
    """Return the precision that was used and the replay; None tries both (see ``--dtype``)."""
    first = replay(path, DTYPES[dtype or "float64"])
    if dtype is None and not first.passed:
        second = replay(path, torch.float32)
        if second.passed:
            return "float32", second
    return dtype or "float64", first


def errors(replayed: Replay) -> dict[str, float]:
    """Return the largest absolute error of the outputs together and of each attention."""
    found: dict[str, float] = {}
    for each in replayed.comparisons:
        name = "output" if each.name.startswith("output") else each.name
        # What is not a number must stay visible: max() would drop it.
        worst = [each.error, found.get(name, 0.0)]
        found[name] = math.nan if any(map(math.isnan, worst)) else max(worst)
    return dict(sorted(found.items(), key=lambda pair: pair[0] != "output"))


def _print_table(replays: list[Replayed]) -> None:
    width = max((len(path.name) for path, _, _ in replays), default=0)
    for path, dtype, each in replays:
        numbers = "  ".join(f"{name} {error:.1e}" for name, error in errors(each).items())
        print(f"{'PASS' if each.passed else 'FAIL'}  {path.name:{width}}  {dtype}  {numbers}")
    passed = sum(each.passed for _, _, each in replays)
    print(
        f"{passed} of {len(replays)} files within {TOLERANCE:g} (absolute, plus relative); "
        "numbers are the largest absolute errors"
    )


def _report(replays: list[Replayed], refused: dict[Path, str]) -> dict[str, Any]:
    return {
        "tolerance": TOLERANCE,
        "files": [
            {
                "file": str(path),
                "slug": each.slug,
                "dtype": dtype,
                "passed": each.passed,
                "errors": {k: v if math.isfinite(v) else None for k, v in errors(each).items()},
            }
            for path, dtype, each in replays
        ],
        "refused": [{"file": str(path), "reason": reason} for path, reason in refused.items()],
    }
