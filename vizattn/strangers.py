"""Any network and a picture in, what was seen out: ``capture(model, image)``."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from torch import nn

from models.preprocessing import Preprocessing
from vizattn.analysis import Analysis, analyse_stranger
from vizattn.foreign.keeping import MEMORY_LIMIT
from vizattn.foreign.looking import NothingFound, reason
from vizattn.foreign.preparing import from_tensors, is_ready
from vizattn.foreign.sites import ByHand
from vizattn.foreign.stranger import Prepare, stranger
from vizattn.intake import read_picture
from vizattn.seen import Seen
from vizattn.texts import DEFAULT_LANGUAGE


class SeenStranger(Seen):
    """What a stranger's network did with one picture; see ``Seen``.

    Args:
        analysis: the numbers behind everything.
        output: what the network returned.
    """

    def __init__(self, analysis: Analysis, output: Any) -> None:
        super().__init__(analysis)
        self.output = output

    def evidence(self, language: str = DEFAULT_LANGUAGE) -> dict[str, str]:
        """Return by site how it is known where its cells are on the picture."""
        return {site: note.sentence(language) for site, note in self.analysis.evidence.items()}

    def missed(self, language: str = DEFAULT_LANGUAGE) -> list[str]:
        """Return what looks like attention and was not captured: where, what and why."""
        return [
            f"{each.path or '-'}: {each.what}: {reason(each, language)}"
            for each in self.analysis.missed
        ]

    def _repr_html_(self) -> str:
        told = [*dict.fromkeys(self.evidence().values()), *self.missed()]
        return super()._repr_html_() + "".join(f"<p>{escape(line)}</p>" for line in told)


def capture(
    model: nn.Module,
    image: Any,
    preprocess: Preprocessing | Prepare | None = None,
    classes: Sequence[str] | None = None,
    grid: ByHand = None,
    memory: int = MEMORY_LIMIT,
    required: bool = True,
) -> SeenStranger:
    """Run any network on a picture and return its attention, checked; no code of it is changed.

    Attention is found by what the network computes: fused and explicit attention in any layout,
    gates that multiply a map, sampling. It is asked for as that of our own networks: ``row``,
    ``figure``, ``save``...

    Args:
        model: any module; it runs in evaluation mode, locked, and is as it was afterwards.
        image: path, bytes, file, PIL image or array; or what the model takes: a tensor (3, row,
            column) or (1, 3, row, column), a tuple of inputs, or a mapping by name.
        preprocess: what must happen to a picture; see ``vizattn.foreign.stranger.stranger``.
        classes: names in the order of the scores; numbers by default.
        grid: rows and columns of the tokens, for all sites or by site, where a person knows.
        memory: bytes of queries, keys and maps that stay in memory; what is more goes to a
            temporary file that is gone with the result.
        required: whether it is an error if no attention was found.

    Raises:
        Refused: with one clear sentence, if the picture cannot be used or nothing was found.
    """
    network = stranger(model, preprocess, classes)
    given = from_tensors(image) if is_ready(image) else network.prepared(read_picture(image))
    analysis, output = analyse_stranger(network, given, grid, memory)
    if required and not analysis.sites:
        raise NothingFound(network.name, analysis.missed)
    return SeenStranger(analysis, output)
