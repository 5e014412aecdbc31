"""What is said to a person about a picture: notes on what was done, and why one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vizattn.texts import Refused, text


@dataclass(frozen=True)
class Note:
    """Something that was done to a picture and that a person should know.

    Args:
        key: the sentence's key in the catalogue, area included.
        values: what its placeholders stand for.
    """

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def sentence(self, language: str) -> str:
        """Return the note in a language."""
        return text(language, self.key, **self.values)


class PictureError(Refused):
    """A picture that cannot be used; the message is one sentence that says what to do."""
