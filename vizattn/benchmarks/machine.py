"""On what it was measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def machine(browser: str | None = None) -> dict[str, str | int]:
    """Return the processor, its cores and the versions of what was measured.

    Args:
        browser: the browser's version; left out where there was none.
    """
    facts: dict[str, str | int] = {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    return facts | ({"browser": f"Chromium {browser}"} if browser else {})


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
