"""What a recording found as captured kinds: the same that our own networks' attention comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from models.affinity import PairwiseAffinity
from models.mechanism import Claim, Kind
from vizattn.attention import (
    Captured,
    ChannelAffinity,
    Check,
    PlaceAffinity,
    Rows,
)
from vizattn.features import FeatureMaps
from vizattn.foreign.assigned import assigned
from vizattn.foreign.channels import channel_rows
from vizattn.foreign.entries import (
    entries_of,
    flat_entries,
    regular_places,
    several_places,
    shared_places,
)
from vizattn.foreign.events import Attended, Event, Gated, Missed, Sampled
from vizattn.foreign.folded import PlacelessQueries
from vizattn.foreign.folding import fold
from vizattn.foreign.gates import captured_gate, gate_of
from vizattn.foreign.grids import PLACELESS, Laid, laid, suggested
from vizattn.foreign.places import Follower
from vizattn.foreign.sampled import sampled_rows
from vizattn.foreign.scores import Scores
from vizattn.foreign.spread import Places
from vizattn.foreign.tokens import token_names
from vizattn.geometry import Framing, Grid
from vizattn.intake.remarks import Note
from vizattn.measures import CLAIM_LIMIT, deviation, geometry

MOST_HEADS = 512
"""queries without a place are shown as heads: as many of both together at most"""
ByHand = tuple[int, int] | Mapping[str, tuple[int, int]] | None
"""rows and columns of tokens, for all sites or by site"""


class Placeless(Exception):
    """The places of something that was found are not known; the argument is the reason's key."""


@dataclass
class Adapted:
    """Captured kinds with the evidence for where they are, and what could not be captured."""

    sites: list[Captured] = field(default_factory=list)
    evidence: dict[str, Note] = field(default_factory=dict)
    missed: list[Missed] = field(default_factory=list)


class Adaptor:
    """Turns events into captured kinds.

    Args:
        framing: where the picture is in the model's input.
        grid: the grid of tokens where a person sets it.
    """

    def __init__(self, framing: Framing, grid: ByHand = None) -> None:
        self._framing = framing
        self._by_hand = grid
        self._follower = Follower()
        self._counts: dict[str, int] = {}

    def adapt(self, events: Sequence[Event]) -> Adapted:
        """Return every event as a captured kind, or the reason why it is none."""
        adapted = Adapted()
        for event in events:
            try:
                site = self._name(event)
                captured, note = self._one(event, site)
            except Exception as reason:  # one that is not understood does not hide the others
                key = str(reason) if isinstance(reason, Placeless) else "not_understood"
                missed = Missed(event.path, event.recipe, key)
                if missed not in adapted.missed:
                    adapted.missed.append(missed)
                continue
            self._counts[event.path] = self._counts.get(event.path, 0) + 1
            adapted.sites.append(captured)
            adapted.evidence[site] = note
        return adapted

    def _name(self, event: Event) -> str:
        count = self._counts.get(event.path, 0) + 1
        # What the network does outside all of its parts goes by the network's own class.
        path = event.path or event.module
        return path if count == 1 else f"{path}#{count}"

    def _one(self, event: Event, site: str) -> tuple[Captured, Note]:
        if isinstance(event, Gated):
            return self._gate(event, site)
        if isinstance(event, Sampled):
            return self._sampled(event, site)
        return self._attended(event, site)

    def _common(
        self, event: Event, site: str, kind: Kind, claim: Claim, worst: float, grids: Sequence[Grid]
    ) -> dict[str, Any]:
        return {
            "site": site,
            "block": event.module,
            "kind": kind,
            "claim": claim,
            "formula": event.recipe,
            "checks": (
                Check("claim", worst, max(CLAIM_LIMIT, event.rough / 10)),
                Check("output", event.worst, event.rough),
                geometry(self._framing, tuple(grids)),
            ),
        }

    # Rows of weights.

    def _attended(self, event: Attended, site: str) -> tuple[Captured, Note]:
        claim = _row_claim(event)
        worst = event.told.deviation(claim)
        query, key = event.query, 1 - event.query
        asked, heard = self._alike(event, *(self._known(event, s, site) for s in (query, key)))
        asked, heard = (
            each if each is not None else self._guessed(event, side)
            for each, side in ((asked, query), (heard, key))
        )
        if heard is None and asked is None:
            found = self._channels(event, site, claim, worst)
            if found is None:
                raise Placeless("no_places")
            return found
        if heard is None:
            return self._assigned(event, site, claim, worst, asked)
        rows, laid_query, laid_key, extra = self._folded(event, asked, heard)
        made_of = self._made_of(asked, laid_query, extra)
        query_grid = laid_query.grid if laid_query else _one_cell(self._framing)
        grids = (query_grid, laid_key.grid)
        captured = PlaceAffinity(
            **self._common(event, site, Kind.PLACE_AFFINITY, claim, worst, grids),
            rows=Rows(rows),
            query_grid=query_grid,
            key_grid=laid_key.grid,
            extra=token_names(made_of),
        )
        return captured, self._evidence(event, heard, laid_key, made_of)

    def _known(self, event: Attended, side: int, site: str) -> Places | None:
        """Return the places of one side's tokens, (entry, token), or None where it has none."""
        stage = event.weights.stage
        count = stage.shape[stage.axes[side]]
        by_hand = self._set_by_hand(count, site)
        if by_hand is not None:
            return entries_of(by_hand, stage)
        found = self._traced(event, side)
        return found if found is not None and several_places(found) else None

    def _unfollowed(self, event: Attended, side: int) -> bool:
        """Return whether a side's tokens come of the picture in a way that is not known."""
        known = event.sides[side]
        if known is None or not known.node.active or self._inner(event, side):
            return False
        return self._follower.places(known.node) is None

    def _alike(
        self, event: Attended, asked: Places | None, heard: Places | None
    ) -> tuple[Places | None, Places | None]:
        """Return the places of both sides; tokens that stay as many are taken to stay in place."""
        stage = event.weights.stage
        if (asked is None) == (heard is None) or len({stage.shape[a] for a in stage.axes}) > 1:
            return asked, heard
        unknown = event.query if asked is None else 1 - event.query
        known = heard if asked is None else asked
        if known is None or not self._unfollowed(event, unknown):
            return asked, heard
        rows, columns = known.origin
        known = replace(known, origin=(-abs(rows), -abs(columns)))
        return known, known

    def _guessed(self, event: Attended, side: int) -> Places | None:
        """Return the places that the number of tokens suggests, where they were not followed."""
        stage = event.weights.stage
        count = stage.shape[stage.axes[side]]
        guess = suggested(count, self._framing.input)
        if guess is None or count <= 8 or not self._unfollowed(event, side):
            return None
        places = regular_places(guess.rows, guess.columns, guess.extra)
        return entries_of(places, stage)

    def _inner(self, event: Attended, side: int) -> bool:
        """Return whether what varies inside a factor is the picture: its tokens are channels."""
        known = event.sides[side]
        if known is None:
            return False
        return self._follower.varies(known.node, known.view, -1 if known.axis == -2 else -2)

    def _set_by_hand(self, count: int, site: str) -> Places | None:
        grid = self._by_hand
        chosen = grid.get(site) if isinstance(grid, Mapping) else grid
        if chosen is None or not 0 <= count - chosen[0] * chosen[1] <= 33:
            return None
        return regular_places(chosen[0], chosen[1], count - chosen[0] * chosen[1])

    def _traced(self, event: Attended, side: int) -> Places | None:
        known = event.sides[side]
        if known is None:
            return None
        if not self._follower.spread(known.node, known.view, known.axis):
            return None
        found = self._follower.tokens(known.node, known.view, known.axis)
        if found is None:
            return None
        stage = event.weights.stage
        if isinstance(event.weights, Scores):
            scores = event.weights
            first = scores.steps[0].before if scores.steps else scores.stage
            shape = list(first.shape)
            shape[first.axes[1 - side]] = 1
            if known.axis != (-2, -1)[side]:
                found = found.each(lambda each: each.transpose(-2, -1))
            found = found.each(lambda each: scores.moved(each.expand(shape), side))
            return found.each(lambda each: flat_entries(each, stage.axes[side]))
        if known.axis == -1:
            found = found.each(lambda each: each.transpose(-2, -1))
        lead = [n for axis, n in enumerate(stage.shape) if axis not in stage.axes]
        return shared_places(found.each(lambda each: each.squeeze(-1)), lead)

    def _folded(
        self, event: Attended, asked: Places | None, heard: Places
    ) -> tuple[PairwiseAffinity, Laid | None, Laid, int]:
        """Return rows over cells: heads are entries that hear the same places."""
        size = self._framing.input
        keys = laid(heard.y, heard.x, size)
        queries = laid(asked.y, asked.x, size) if asked is not None else None
        if keys is None or (asked is not None and queries is None):
            raise Placeless("no_grid")
        if queries is None:
            return self._nobody(event, keys), None, keys, 0
        groups: dict[bytes, list[int]] = {}
        for entry in range(len(keys.cells)):
            pattern = keys.cells[entry].numpy().tobytes() + queries.cells[entry].numpy().tobytes()
            groups.setdefault(pattern, []).append(entry)
        members = list(groups.values())
        if len({len(each) for each in members}) != 1:
            raise Placeless("uneven_heads")
        entries = torch.tensor(members)
        first = entries[:, 0]
        without = [int((each.cells[first[0]] == PLACELESS).sum()) for each in (queries, keys)]
        extra = without[0] if len(members) == 1 and without[0] == without[1] else 0
        rows = fold(event, entries, queries, keys, extra)
        return rows, queries, keys, extra

    def _nobody(self, event: Attended, keys: Laid) -> PairwiseAffinity:
        """Return rows of queries that have no place: every query of every head is a head."""
        stage = event.weights.stage
        count = stage.shape[stage.axes[event.query]]
        if count * len(keys.cells) > MOST_HEADS:
            raise Placeless("queries_nowhere")
        return PlacelessQueries(event.weights, event.query, keys.cells, len(keys.grid))

    def _made_of(
        self, asked: Places | None, queries: Laid | None, extra: int
    ) -> list[tuple[str, ...]]:
        """Return of each token without a place the parameters that it comes from."""
        if asked is None or queries is None or not extra:
            return []
        which = asked.x[0][queries.cells[0] == PLACELESS]
        constants = self._follower.constants
        return [constants[-int(each) - 1] if each < 0 else () for each in which]

    def _evidence(
        self, event: Attended, heard: Places, keys: Laid, made_of: Sequence[tuple[str, ...]]
    ) -> Note:
        rows, columns = heard.origin
        said = {
            "tokens": event.weights.stage.shape[event.weights.stage.axes[1 - event.query]],
            "rows": keys.grid.rows,
            "columns": keys.grid.columns,
            "map_rows": rows,
            "map_columns": columns,
            "extra": len(made_of),
            "windows": len(keys.cells),
        }
        if rows < 0:
            return Note("foreign.evidence.assumed", said)
        names = dict.fromkeys(name for each in made_of for name in each)
        if names:
            return Note("foreign.evidence.named", {**said, "parameters": ", ".join(names)})
        windowed = len({each.numpy().tobytes() for each in keys.cells}) > 1
        followed = "traced" if said["extra"] else "traced_all"
        return Note(f"foreign.evidence.{'windows' if windowed else followed}", said)

    def _channels(
        self, event: Attended, site: str, claim: Claim, worst: float
    ) -> tuple[Captured, Note] | None:
        """Return rows over channels, where it is channels that ask and are heard."""
        found = channel_rows(event, self._follower, self._framing.input)
        if found is None:
            return None
        grid = found.activation.grid
        captured = ChannelAffinity(
            **self._common(event, site, Kind.CHANNEL_AFFINITY, claim, worst, (grid,)),
            rows=Rows(found.rows),
            activation=found.activation,
        )
        said = {"channels": captured.rows.keys, "rows": grid.rows, "columns": grid.columns}
        return captured, Note("foreign.evidence.channels", said)

    def _assigned(
        self, event: Attended, site: str, claim: Claim, worst: float, asked: Places | None
    ) -> tuple[Captured, Note]:
        """Return rows of places over a few things that are nowhere, as these are known to be."""
        found = None
        if asked is not None and not self._unfollowed(event, 1 - event.query):
            found = assigned(event, asked, self._framing.input)
        if found is None:
            raise Placeless("keys_nowhere")
        captured = FeatureMaps(
            **self._common(event, site, Kind.ASSIGNMENT, claim, worst, (found.grid,)), maps=found
        )
        said = {"slots": len(found.values) // found.heads, "heads": found.heads}
        said |= {"rows": found.grid.rows, "columns": found.grid.columns}
        return captured, Note("foreign.evidence.slots", said)

    # Gates.

    def _gate(self, event: Gated, site: str) -> tuple[Captured, Note]:
        known = (self._follower.places(each) for each in (event.node, event.own))
        each_way = (gate_of(event, places, self._framing.input) for places in known)
        found = next((each for each in each_way if each is not None), None)
        if found is None:
            raise Placeless("gate_nowhere")
        worst = deviation(found.values, found.claim, found.shared)
        common = self._common(event, site, found.kind, found.claim, worst, (found.grid,))
        said = {"rows": found.grid.rows, "columns": found.grid.columns, "made": event.made}
        if event.branches:
            said["branches"] = len(found.values)
        evidence = f"foreign.evidence.{'branches' if event.branches else 'gate'}"
        return captured_gate(found, common), Note(evidence, said)

    def _sampled(self, event: Sampled, site: str) -> tuple[Captured, Note]:
        found = sampled_rows(event, self._follower, self._framing.input)
        if found is None:
            raise Placeless("no_grid")
        weights = event.weights.tensor
        claim = Claim.POSITIVE if bool((weights >= 0).all()) else Claim.SIGNED
        grids = (found.queries, found.keys)
        worst = deviation(weights, claim)
        captured = PlaceAffinity(
            **self._common(event, site, Kind.PLACE_AFFINITY, claim, worst, grids),
            rows=Rows(found.rows),
            query_grid=found.queries,
            key_grid=found.keys,
        )
        rows, columns = event.size
        said = {"points": found.points, "rows": rows, "columns": columns}
        evidence = f"foreign.evidence.{'spread' if found.spread else 'sampled'}"
        return captured, Note(evidence, said)


def _row_claim(event: Attended) -> Claim:
    """Return what rows promise: by what made them, else by what they are seen to be."""
    for claim in (Claim.SIMPLEX, Claim.POSITIVE):
        if event.told.deviation(claim) <= max(CLAIM_LIMIT, event.rough / 10):
            return claim
    return Claim.SIGNED


def _one_cell(framing: Framing) -> Grid:
    width, height = framing.input
    return Grid(1, 1, (float(width), float(height)))
