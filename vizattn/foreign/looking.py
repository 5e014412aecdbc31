"""One picture through a stranger's network: its answer, its attention, and what was missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vizattn.attention import Captured
from vizattn.foreign.events import Missed
from vizattn.foreign.keeping import MEMORY_LIMIT
from vizattn.foreign.recording import record
from vizattn.foreign.sites import Adaptor, ByHand
from vizattn.geometry import Framing
from vizattn.intake.remarks import Note
from vizattn.texts import DEFAULT_LANGUAGE, Refused, text


class NothingFound(Refused):
    """A network was run and nothing in it is attention that can be shown.

    Args:
        name: of the network.
        missed: what looks like attention and was not captured.
    """

    def __init__(self, name: str, missed: Sequence[Missed]) -> None:
        self.missed = tuple(missed)
        if not missed:
            super().__init__("foreign.nothing", name=name)
            return
        first = self.missed[0]
        said = {"name": name, "count": len(missed), "path": first.path or "-", "what": first.what}
        super().__init__("foreign.nothing_but_missed", **said, reason=reason(first))

    def sentence(self, language: str) -> str:
        values = self.values
        if self.missed:
            values = {**values, "reason": reason(self.missed[0], language)}
        return text(language, self.key, **values)


def reason(missed: Missed, language: str = DEFAULT_LANGUAGE) -> str:
    """Return why something was not captured, in words."""
    return text(language, f"foreign.reason.{missed.reason}")


@dataclass(frozen=True)
class Look:
    """What a network did with one picture.

    Args:
        output: what it returned.
        sites: every captured attention, in the order in which it was used.
        evidence: by site, how it is known where its cells are.
        missed: what looks like attention and was not captured, and why.
    """

    output: Any
    sites: tuple[Captured, ...]
    evidence: Mapping[str, Note]
    missed: tuple[Missed, ...]

    def required(self, name: str) -> Look:
        """Return the look itself; raises NothingFound where nothing was captured."""
        if self.sites:
            return self
        raise NothingFound(name, self.missed)


def look_at(
    network: nn.Module,
    inputs: Sequence[Any] | Tensor,
    framing: Framing,
    named: Mapping[str, Any] | None = None,
    grid: ByHand = None,
    limit: int = MEMORY_LIMIT,
    changed: AbstractContextManager[None] | None = None,
) -> Look:
    """Run any network on one picture and capture its attention, checked.

    Nothing is attached to the network; it is locked and in evaluation mode meanwhile.

    Args:
        network: any module.
        inputs: what it is given, in order: batches of one picture.
        framing: where the picture is in the network's input.
        named: what it is given by name.
        grid: rows and columns of its tokens, for all sites or by site, where a person knows.
        limit: bytes that are kept in memory; what is more goes to a temporary file.
        changed: changes the network meanwhile; see ``vizattn.passes.recording``.
    """
    given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    recording = record(network, given, named, limit, changed)
    adapted = Adaptor(framing, grid).adapt(recording.events)
    missed = tuple(dict.fromkeys((*recording.missed, *adapted.missed)))
    return Look(recording.output, tuple(adapted.sites), adapted.evidence, missed)
