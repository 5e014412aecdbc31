"""What every test starts from: quiet libraries, checked shapes, and where outside things are."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# Tests run in several processes at once; each has a folder of its own for what Gradio writes.
UPLOADS = tempfile.mkdtemp(prefix="vizattn-tests-")
atexit.register(shutil.rmtree, UPLOADS, ignore_errors=True)

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ |= {
    "GRADIO_TEMP_DIR": UPLOADS,
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
}

# Before anything imports the networks: every annotated shape is then checked at every call.
import jaxtyping  # noqa: E402

import tests.shapes  # noqa: E402, F401  (the hook itself imports only the package)

jaxtyping.install_import_hook(["models"], "tests.shapes.check")

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of reference files and picture packs beside the checkout, or skip."""
    folder = Path(os.environ.get("VIZATTN_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("no folder shared/ beside the checkout")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium, or skip."""
    named = os.environ.get("VIZATTN_CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else CHROMIUM_NAMES)), None)
    if found is None:
        pytest.skip("no Chromium: install Debian's package chromium, or set VIZATTN_CHROMIUM")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """Run a browser for the tests of a file, or skip."""
    from tests.served import running  # it imports the whole page

    with running(chromium) as browser:
        yield browser
