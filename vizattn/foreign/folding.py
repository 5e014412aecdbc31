"""Which token of which window is which cell of the picture."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from models.affinity import PairwiseAffinity
from vizattn.foreign.events import Attended
from vizattn.foreign.folded import FoldedAffinity, PlainAffinity, plain_scale
from vizattn.foreign.grids import PLACELESS, Laid
from vizattn.foreign.scores import LEFT, Scores


def fold(
    event: Attended, entries: Int[Tensor, "group head"], queries: Laid, keys: Laid, extra: int
) -> PairwiseAffinity:
    """Return rows over extra tokens and cells.

    Args:
        event: what was found.
        entries: (group, head), see ``FoldedAffinity``.
        queries: where each entry's queries are.
        keys: where each entry's keys are.
        extra: tokens without a place that are queries and keys both; there is one group then.
    """
    first = entries[:, 0]
    asking, hearing = queries.cells[first], keys.cells[first]
    count = len(queries.grid) + extra
    asked = torch.full((count, 2), -1)
    group, index = (asking >= 0).nonzero(as_tuple=True)
    asked[asking[group, index] + extra] = torch.stack([group, index], dim=1)
    total = len(keys.grid) + extra
    heard = torch.where(hearing >= 0, hearing + extra, total)
    if extra:
        asked[:extra, 0] = 0
        asked[:extra, 1] = (asking[0] == PLACELESS).nonzero()[:, 0]
        heard[0, hearing[0] == PLACELESS] = torch.arange(extra)
    whole: dict[str, Any] = {
        "weights": event.weights,
        "query": event.query,
        "entries": entries,
        "asked": asked,
        "heard": heard,
        "keys": total,
    }
    plain = (
        isinstance(event.weights, Scores)
        and event.query == LEFT
        and len(entries) == 1
        and heard.shape[1] == total
        and bool((asked[:, 0] == 0).all())
        and plain_scale(event.weights) is not None
    )
    return PlainAffinity(**whole) if plain else FoldedAffinity(**whole)
