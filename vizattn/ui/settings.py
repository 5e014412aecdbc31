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
        downloads: whether choosing a network that others trained may download its weights.
        allow_weights: whether visitors may use weights of their own.
        max_weights_mb: the largest file of weights that is taken.

    Raises:
        ValueError: if the language is unknown or a number is not positive.
    """

    language: str = AUTO
    session_minutes: float = 30
    max_upload_mb: int = 50
    concurrency: int = 2
    queue_size: int = 64
    downloads: bool = True
    allow_weights: bool = False
    max_weights_mb: int = 500

    @property
    def max_file_mb(self) -> int:
        """Return the largest file of any sort that is taken."""
        return max(self.max_upload_mb, self.max_weights_mb if self.allow_weights else 0)

    def __post_init__(self) -> None:
        if self.language not in (AUTO, *LANGUAGES):
            raise ValueError(f"expected a language of {(AUTO, *LANGUAGES)}, got {self.language!r}")
        sizes = (self.max_upload_mb, self.max_weights_mb)
        numbers = (self.session_minutes, self.concurrency, self.queue_size, *sizes)
        if min(numbers) <= 0:
            raise ValueError(f"expected positive limits, received {numbers}")
