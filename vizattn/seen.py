"""The library's front door: a picture and a network in, and what was seen shows itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from vizattn import analysis as analyses
from vizattn.analysis import Analysis, Classification, Segmentation
from vizattn.attention import Captured
from vizattn.cam.making import with_class_map
from vizattn.cam.methods import Progress
from vizattn.export import save_all, save_arrays, summary
from vizattn.figures import Figure, figure
from vizattn.foreign.sites import ByHand
from vizattn.geometry import Point
from vizattn.labels import site_label
from vizattn.networks import Network
from vizattn.render import DEFAULT_STYLE, Style, overlay
from vizattn.surgery.difference import Difference
from vizattn.surgery.operating import Changes, operate
from vizattn.texts import DEFAULT_LANGUAGE, Refused
from vizattn.trials.measured import Trust
from vizattn.trials.trying import USUAL, Effort, trust
from vizattn.views import Heat, Scale, Selection, view
from vizattn.words import sentence


class NoOverlay(Refused):
    """What a site weighs is nowhere in the picture."""


class Seen:
    """What one network did with one picture, and all that can be made of it.

    Wherever they can be given, ``site`` is the path of an attention (``sites`` has them), ``head``
    one of its heads (the mean by default), ``at`` a place (x, y) in pixels of the upright original
    and ``channel`` one of its channels, maps or items. ``token`` is a token that is no place
    ("class_token"), whose row is shown instead of a place's.

    Args:
        analysis: the numbers behind everything.
    """

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis

    @property
    def sites(self) -> tuple[Captured, ...]:
        """Return every captured attention, in the order in which the network used it."""
        return self.analysis.sites

    @property
    def prediction(self) -> Classification | Segmentation:
        """Return what the network answered."""
        return self.analysis.prediction

    def row(self, at: Point, site: str | None = None) -> Float[np.ndarray, "head row column"]:
        """Return the exact attention row of a place over the network's cells.

        Raises:
            Refused: if the place is not on the picture, or the site is unknown or has no rows.
        """
        return self.analysis.row(at, site)

    def figure(
        self,
        at: Point | None = None,
        site: str | None = None,
        head: int | None = None,
        channel: int | None = None,
        scale: Scale = Scale.ROW_MAXIMUM,
        style: Style = DEFAULT_STYLE,
        language: str = DEFAULT_LANGUAGE,
        token: str | None = None,
    ) -> Figure:
        """Return a figure that shows itself in a notebook; see ``vizattn.figures.figure``."""
        return figure(
            self.analysis, Selection(site, head, at, channel, token), scale, style, language
        )

    def overlay(
        self,
        at: Point | None = None,
        site: str | None = None,
        head: int | None = None,
        channel: int | None = None,
        scale: Scale = Scale.ROW_MAXIMUM,
        style: Style = DEFAULT_STYLE,
        token: str | None = None,
    ) -> Image.Image:
        """Return the picture with the map over it, at the size of the original.

        Raises:
            Refused: if the selection names a site, head, channel or place that is not there, or
                what it names is nowhere in the picture.
        """
        drawables = view(self.analysis, Selection(site, head, at, channel, token), scale)
        heat = next((each for each in drawables if isinstance(each, Heat)), None)
        if heat is None:
            raise NoOverlay("kinds.no_overlay", site=self.analysis.site(site).site)
        return overlay(heat, self.analysis.picture, self.analysis.framing, style)

    def sentence(
        self,
        at: Point | None = None,
        site: str | None = None,
        head: int | None = None,
        channel: int | None = None,
        language: str = DEFAULT_LANGUAGE,
        token: str | None = None,
    ) -> str:
        """Return what there is to see, in words."""
        return sentence(self.analysis, Selection(site, head, at, channel, token), language)

    def summary(self, at: Point | None = None, language: str = DEFAULT_LANGUAGE) -> dict[str, Any]:
        """Return everything that was found, as facts that fit into JSON."""
        return summary(self.analysis, Selection(at=at), language)

    def save_arrays(self, path: str | Path, at: Point | None = None) -> Path:
        """Write the raw arrays of every site as NPZ; see ``vizattn.export.save_arrays``."""
        return save_arrays(self.analysis, Selection(at=at), path)

    def save(
        self,
        folder: str | Path,
        at: Point | None = None,
        site: str | None = None,
        head: int | None = None,
        channel: int | None = None,
        scale: Scale = Scale.ROW_MAXIMUM,
        style: Style = DEFAULT_STYLE,
        language: str = DEFAULT_LANGUAGE,
        token: str | None = None,
    ) -> list[Path]:
        """Write the figure, an overlay for every site, arrays, summary and script to a folder.

        Returns:
            The paths of everything that was written.

        Raises:
            Refused: if the selection names a site, head, channel or place that is not there.
        """
        selection = Selection(site, head, at, channel, token)
        return save_all(self.analysis, folder, selection, scale, style, language)

    def with_changes(self, changes: Changes) -> Seen:
        """Return the same look with other attention in the place of the network's own.

        Args:
            changes: by site, an operation of ``vizattn.surgery.operations`` or its name: "off",
                "uniform", "shuffle", "top:5", "local:3" or "no-self".

        Raises:
            Refused: if there is no such site or operation, or an attention has no room for it.
        """
        return Seen(operate(self.analysis.network, self.analysis.picture, changes))

    def difference(self, after: Seen) -> Difference:
        """Return what changed from this look to another of the same network and picture.

        Raises:
            ValueError: if it is a look of another network, or at a picture of another size.
        """
        return Difference(self.analysis, after.analysis)

    def cam(
        self,
        method: str = "gradcam",
        target: int | str | None = None,
        layer: str | None = None,
        progress: Progress = lambda done, total: None,
    ) -> Seen:
        """Return the same look with one site more, the last: a class activation map.

        Everything else takes its site, "cam.<method>", like any other; see
        ``vizattn.cam.making.with_class_map``.
        """
        return Seen(with_class_map(self.analysis, method, target, layer, progress))

    def trust(
        self,
        site: str | None = None,
        at: Point | None = None,
        head: int | None = None,
        channel: int | None = None,
        effort: Effort = USUAL,
        progress: Progress = lambda done, total: None,
    ) -> Trust:
        """Return what a map is worth, measured against controls; see ``vizattn.trust``."""
        return trust(self.analysis, site, at, head, channel, effort, progress)

    def __repr__(self) -> str:
        sites = ", ".join(each.site for each in self.sites)
        return f"Seen({self.analysis.picture.name!r}, {self.analysis.network.name!r}: {sites})"

    def _repr_html_(self) -> str:
        rows = "".join(site_row(each) for each in self.sites)
        shown = ""
        if self.sites:
            encoded = base64.b64encode(self.figure().to_png()).decode("ascii")
            shown = f'<img alt="" src="data:image/png;base64,{encoded}" style="max-width:100%">'
        return f"<p>{escape(repr(self))}</p>{shown}<table>{rows}</table>"


def site_row(captured: Captured) -> str:
    """Return a line of a table in HTML: where, what, its equation and its checks."""
    checks = " ".join(f"{'✓' if each.passed else '✗'} {each.name}" for each in captured.checks)
    title = site_label(DEFAULT_LANGUAGE, captured)
    cells = (captured.site, title, captured.formula, checks)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def look(source: Any, model: str | Network, grid: ByHand = None) -> Seen:
    """Run a network on a picture and return its attention, checked.

    Args:
        source: path, bytes, file, PIL image or array (see ``read_picture``).
        model: name of a bundled network, or a loaded one.
        grid: of a stranger's network, rows and columns of its tokens, for all sites or by site,
            where a person knows.

    Raises:
        Refused: with one clear sentence, if the picture or the network cannot be used.
    """
    return Seen(analyses.look(source, model, grid=grid))


def look_all(sources: Sequence[Any], model: str | Network) -> list[Seen]:
    """Run a network on several pictures, those of one shape in one batch; see ``look``."""
    return [Seen(each) for each in analyses.look_all(sources, model)]
