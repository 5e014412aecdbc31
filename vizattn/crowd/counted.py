"""The library's front door to counting: pictures in, and what was counted shows itself."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from vizattn.attention import Captured
from vizattn.crowd.analysis import DEFAULT_NETWORK, CrowdAnalysis, look_pair
from vizattn.crowd.areas import Polygon
from vizattn.crowd.changes import AS_IT_IS, Changes
from vizattn.crowd.export import save_all, save_arrays, save_regions, summary
from vizattn.crowd.figure import figure
from vizattn.crowd.maps import density_overlay, site_overlay
from vizattn.crowd.peaks import Peak
from vizattn.crowd.sentences import count_sentence, site_sentence
from vizattn.figures import Figure
from vizattn.geometry import Point, Size
from vizattn.networks import Network
from vizattn.registration import Registration
from vizattn.render import DEFAULT_STYLE, Style
from vizattn.seen import site_row
from vizattn.texts import DEFAULT_LANGUAGE
from vizattn.views import Scale


class Counted:
    """How many people one network counted in one pair, and all that can be made of it.

    Wherever they can be given, ``at`` is a place (x, y) in pixels of the frame (the RGB picture, or
    the thermal one where that is alone) and ``site`` the path of an attention (``sites`` has them;
    its end is enough: "stages.2.fuse.gate").

    Args:
        analysis: the numbers behind everything.
    """

    def __init__(self, analysis: CrowdAnalysis) -> None:
        self.analysis = analysis

    @property
    def count(self) -> float:
        """Return how many people there are."""
        return self.analysis.count

    @property
    def senses(self) -> tuple[str, ...]:
        """Return which senses were used, of "rgb" and "thermal"."""
        return self.analysis.senses

    @property
    def points(self) -> str:
        """Return what a person is counted by: "heads" or "bodies"."""
        return self.analysis.points

    @property
    def sites(self) -> tuple[Captured, ...]:
        """Return every captured attention, in the order in which the network used it."""
        return self.analysis.sites

    def count_in(self, polygon: Polygon) -> float:
        """Return how many people a polygon of places holds; see ``CrowdAnalysis.count_in``."""
        return self.analysis.count_in(polygon)

    def regions(self, rows: int = 4, columns: int = 4) -> Float[np.ndarray, "row column"]:
        """Return how many people each part of the frame holds; they add up to all."""
        return self.analysis.regions(rows, columns)

    def peaks(self, limit: int | None = None) -> list[Peak]:
        """Return where the density is highest, at most one place a person, highest first."""
        return self.analysis.peaks(limit)

    def density(self, size: Size | None = None) -> Float[np.ndarray, "y x"]:
        """Return people in each pixel of the frame, or of (width, height); the sum is the count."""
        return self.analysis.density_at(size or self.analysis.framing.original)

    def trusts(self) -> Float[np.ndarray, "stage sense"]:
        """Return each stage's mean share of RGB and of thermal; see ``CrowdAnalysis.trusts``."""
        return self.analysis.trusts()

    def row(self, at: Point, site: str | None = None) -> Float[np.ndarray, "head row column"]:
        """Return the row of a place of one sense over the other sense's cells.

        All cells of one token have its weight; over tokens the row sums to 1.

        Raises:
            Refused: if the place is not on the frame, or the site is unknown or has no rows.
        """
        return self.analysis.row(at, site)

    def figure(
        self,
        at: Point | None = None,
        site: str | None = None,
        scale: Scale = Scale.ROW_MAXIMUM,
        style: Style = DEFAULT_STYLE,
        language: str = DEFAULT_LANGUAGE,
    ) -> Figure:
        """Return a figure that shows itself in a notebook; see ``vizattn.crowd.figure.figure``."""
        return figure(self.analysis, at, site, scale, style, language)

    def overlay(
        self,
        at: Point | None = None,
        site: str | None = None,
        scale: Scale = Scale.ROW_MAXIMUM,
        style: Style = DEFAULT_STYLE,
    ) -> Image.Image:
        """Return the frame with the density or, where a site or place is given, with that map.

        Raises:
            Refused: if there is no such site, or the place is not on the frame.
        """
        if site is None and at is None:
            return density_overlay(self.analysis, style)
        return site_overlay(self.analysis, self.analysis.site(site), at, scale, style)

    def sentence(
        self,
        at: Point | None = None,
        site: str | None = None,
        language: str = DEFAULT_LANGUAGE,
    ) -> str:
        """Return the count, or what there is to see at a site or place, in words."""
        if site is None and at is None:
            return count_sentence(self.analysis, language)
        return site_sentence(self.analysis, self.analysis.site(site), at, language)

    def summary(self, at: Point | None = None, language: str = DEFAULT_LANGUAGE) -> dict[str, Any]:
        """Return everything that was found, as facts that fit into JSON."""
        return summary(self.analysis, at, language=language)

    def save_arrays(self, path: str | Path, at: Point | None = None) -> Path:
        """Write the raw arrays as NPZ; see ``vizattn.crowd.export.save_arrays``."""
        return save_arrays(self.analysis, path, at)

    def save_regions(self, path: str | Path, rows: int = 4, columns: int = 4) -> Path:
        """Write people in each part of the frame as CSV."""
        return save_regions(self.analysis, path, rows, columns)

    def save(
        self,
        folder: str | Path,
        at: Point | None = None,
        site: str | None = None,
        scale: Scale = Scale.ROW_MAXIMUM,
        style: Style = DEFAULT_STYLE,
        language: str = DEFAULT_LANGUAGE,
    ) -> list[Path]:
        """Write figure, overlays, arrays, regions, summary and script to a folder.

        Returns:
            The paths of everything that was written.

        Raises:
            Refused: if there is no such site, or the place is not on the frame.
        """
        return save_all(self.analysis, folder, at, site, scale, style, language)

    def __repr__(self) -> str:
        analysis = self.analysis
        names = f"{analysis.pair.name!r}, {analysis.network.name!r}"
        return f"Counted({names}: {self.count:.1f} people by {self.points})"

    def _repr_png_(self) -> bytes:
        return self.figure().to_png()

    def _repr_html_(self) -> str:
        encoded = base64.b64encode(self._repr_png_()).decode("ascii")
        shown = f'<img alt="" src="data:image/png;base64,{encoded}" style="max-width:100%">'
        rows = "".join(site_row(each) for each in self.sites)
        return f"<p>{escape(repr(self))}</p>{shown}<table>{rows}</table>"


def count(
    rgb: Any = None,
    thermal: Any = None,
    model: str | Network = DEFAULT_NETWORK,
    registration: Registration | str | None = None,
    changes: Changes = AS_IT_IS,
) -> Counted:
    """Count the people in an RGB picture, a thermal one, or both of one scene.

    Args:
        rgb: path, bytes, file, PIL image or array (see ``read_picture``); none without RGB.
        thermal: the same for a thermal picture (see ``read_thermal``); none without thermal.
        model: name of a bundled counter, or a loaded one.
        registration: where places of the RGB picture are in the thermal one; "auto" looks for it,
            and without any both pictures cover the same view.
        changes: what is done to the pictures first.

    Raises:
        Refused: with one clear sentence, if a picture or the network cannot be used.
    """
    return Counted(look_pair(rgb, thermal, model, registration, changes))
