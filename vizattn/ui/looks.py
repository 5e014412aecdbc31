"""Looks as the page takes them: never an empty page, once for everybody, with grids set by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from vizattn.analysis import Analysis, look
from vizattn.cam.class_map import ClassMap
from vizattn.cam.making import with_class_map
from vizattn.networks import Network
from vizattn.texts import Refused

Grids = Mapping[str, tuple[int, int]]
"""rows and columns of tokens by site"""
_MOST_SITES, _MOST_CELLS = 512, 1_000_000


class BadGrid(Refused):
    """A grid that somebody set cannot be read, or the tokens do not fill it."""


class Once:
    """Keeps the newest answers; whoever asks for one that is being made waits for that.

    Args:
        make: makes an answer from what was asked.
        most: how many are kept.
    """

    def __init__(self, make: Callable[..., Analysis], most: int) -> None:
        self._make = make
        self._most = most
        self._made: dict[tuple[str, ...], Future[Analysis]] = {}
        self._lock = threading.Lock()

    def __call__(self, *asked: str) -> Analysis:
        """Return the answer; raises what making it raised, and then forgets it."""
        with self._lock:
            known = self._made.pop(asked, None)
            future = known or Future()
            self._made[asked] = future
            while len(self._made) > self._most:
                self._made.pop(next(iter(self._made)))
        if known is None:
            self._answer(asked, future)
        return future.result()

    def _answer(self, asked: tuple[str, ...], future: Future[Analysis]) -> None:
        try:
            future.set_result(self._make(*asked))
        except BaseException as error:
            with self._lock:
                if self._made.get(asked) is future:
                    del self._made[asked]
            future.set_exception(error)


def look_for(source: Any, network: Network, grids: Grids | None = None) -> Analysis:
    """Look at a picture; where nothing is attention, a class map stands in its place.

    Raises:
        Refused: if the picture or the network cannot be used, or not even a class map can be made.
    """
    analysis = look(source, network, grid=grids)
    return analysis if analysis.sites else with_class_map(analysis)


def look_again(
    before: Analysis, network: Network, grids: Grids, asked: object
) -> tuple[Analysis, Grids]:
    """Look at the same picture with other grids of tokens; class maps stay as they are.

    Args:
        before: what is on show.
        network: the network that was looked with.
        grids: what was set until now.
        asked: {"sites": [...], "rows": int, "columns": int}, the numbers None for "as found".

    Returns:
        the analysis, and all grids that are set in it.

    Raises:
        BadGrid: if that cannot be read, or no site's tokens fill such a grid.
    """
    sites, grid = _read(asked, network)
    kept = {site: each for site, each in grids.items() if site not in sites}
    wanted = kept if grid is None else kept | dict.fromkeys(sites, grid)
    analysis = look_for(before.picture, network, wanted)
    if grid is not None and not any(_is_set(analysis, site, grid) for site in sites):
        rows, columns = grid
        raise BadGrid("explore.grid_does_not_fit", rows=rows, columns=columns, cells=rows * columns)
    maps = [each for each in before.sites if isinstance(each, ClassMap)]
    own = [each for each in analysis.sites if each.site not in {made.site for made in maps}]
    return replace(analysis, sites=(*own, *maps)), wanted


def _is_set(analysis: Analysis, site: str, grid: tuple[int, int]) -> bool:
    said = analysis.evidence.get(site)
    return said is not None and (said.values.get("rows"), said.values.get("columns")) == grid


def _read(asked: object, network: Network) -> tuple[list[str], tuple[int, int] | None]:
    if not isinstance(asked, Mapping) or not isinstance(asked.get("sites"), list):
        raise BadGrid("explore.grid_unread")
    # What the network does outside all of its parts goes by the network's own class.
    sites = [str(site) or type(network.module).__name__ for site in asked["sites"][:_MOST_SITES]]
    rows, columns = asked.get("rows"), asked.get("columns")
    if rows is None and columns is None:
        return sites, None
    if not (isinstance(rows, int) and isinstance(columns, int) and min(rows, columns) > 0):
        raise BadGrid("explore.grid_unread")
    if rows * columns > _MOST_CELLS:
        raise BadGrid("explore.grid_unread")
    return sites, (rows, columns)
