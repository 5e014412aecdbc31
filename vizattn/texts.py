"""Every sentence that a person reads, from one catalogue in English and Chinese."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

CATALOGUE = Path(__file__).resolve().parent / "catalogue"
LANGUAGES = ("en", "zh")
DEFAULT_LANGUAGE = "en"


@cache
def catalogue(language: str) -> dict[str, str]:
    """Return all texts of a language by "area.key"; the areas are the files of its folder.

    Raises:
        ValueError: if the language is not one of ``LANGUAGES``.
    """
    if language not in LANGUAGES:
        raise ValueError(f"expected a language of {LANGUAGES}, received {language!r}")
    texts: dict[str, str] = {}
    for path in sorted((CATALOGUE / language).glob("*.json")):
        entries: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        texts |= {f"{path.stem}.{key}": value for key, value in entries.items()}
    return texts


def texts_of(language: str, area: str) -> dict[str, str]:
    """Return the texts of an area by key without the area.

    Raises:
        ValueError: if the language is unknown.
    """
    start, known = f"{area}.", catalogue(language).items()
    return {key.removeprefix(start): words for key, words in known if key.startswith(start)}


def text(language: str, key: str, /, **values: object) -> str:
    """Return one text with its {placeholders} filled in.

    Raises:
        KeyError: if the catalogue has no such text.
    """
    return catalogue(language)[key].format(**values)


class Refused(ValueError):
    """Something a person gave cannot be used; the message is one sentence that says what to do.

    Args:
        key: the sentence's key in the catalogue, area included.
        values: what its placeholders stand for.
    """

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(text(DEFAULT_LANGUAGE, key, **values))
        self.key = key
        self.values = values

    def sentence(self, language: str) -> str:
        """Return the message in a language."""
        return text(language, self.key, **self.values)
