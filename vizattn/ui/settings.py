"""What whoever starts the page decides."""

from __future__ import annotations

from dataclasses import dataclass

from vizattn.texts import LANGUAGES

AUTO = "auto"
"""the language of a visitor's browser"""
VISITORS = 64
"""how many sessions are kept; a page that was idle for longest starts afresh"""


@dataclass(frozen=True)
class Settings:
    """How the page behaves.

    Args:
        language: "en", "zh", or "auto": what each visitor's browser prefers.
        session_minutes: how long a picture is kept after its visitor last used it.
        max_upload_mb: the largest file that is taken.
        concurrency: how many pictures are worked on at a time.
        queue_size: how many requests may wait; further ones are turned away.

    Raises:
        ValueError: if the language is unknown or a number is not positive.
    """

    language: str = AUTO
    session_minutes: float = 30
    max_upload_mb: int = 50
    concurrency: int = 2
    queue_size: int = 64

    def __post_init__(self) -> None:
        if self.language not in (AUTO, *LANGUAGES):
            raise ValueError(f"expected a language of {(AUTO, *LANGUAGES)}, got {self.language!r}")
        numbers = (self.session_minutes, self.max_upload_mb, self.concurrency, self.queue_size)
        if min(numbers) <= 0:
            raise ValueError(f"expected positive limits, received {numbers}")
