"""Files that come from a browser and files that go to it, all in Gradio's folder for them."""

from __future__ import annotations

import secrets
from pathlib import Path

from gradio.utils import get_upload_folder

from vizattn.texts import Refused


class NotUploaded(Refused):
    """A path is not that of a file that a visitor sent."""


def uploaded(path: object) -> Path:
    """Return the path of a file that a browser says it has sent.

    Raises:
        NotUploaded: if it is anywhere but in the folder of uploads, or not there any more.
    """
    folder = Path(get_upload_folder()).resolve()
    given = Path(str(path)).resolve()
    if folder not in given.parents or not given.is_file():
        raise NotUploaded("explore.not_uploaded")
    return given


def place_for(name: str) -> Path:
    """Return where to write a file of that name; its folder cannot be guessed."""
    folder = Path(get_upload_folder()) / secrets.token_hex(20)
    folder.mkdir(parents=True)
    return folder / name
