"""What can be taken away of a count: figure, overlays, arrays, a table, a summary, a script."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from functools import singledispatch
from io import StringIO
from pathlib import Path

import numpy as np

from vizattn.attention import Captured, ModalityGate, PlaceAffinity
from vizattn.crowd.analysis import CrowdAnalysis
from vizattn.crowd.facts import summary
from vizattn.crowd.figure import figure
from vizattn.crowd.maps import (
    centre,
    density_heat,
    density_overlay,
    site_heat,
    site_overlay,
)
from vizattn.export import ARRAYS, FIGURE, SCRIPT, SUMMARY, grid_array, safe_name, save_overlay
from vizattn.geometry import Point
from vizattn.render import DEFAULT_STYLE, Style
from vizattn.texts import DEFAULT_LANGUAGE
from vizattn.version import VERSION
from vizattn.views import Scale

__all__ = [
    "REGIONS",
    "overlays",
    "regions_csv",
    "save_all",
    "save_arrays",
    "save_regions",
    "script",
    "summary",
]

REGIONS, DENSITY = "regions.csv", "density.png"
COLUMNS = ("row", "column", "left", "top", "right", "bottom", "count", "share")
_DIGITS = 6


def save_all(
    analysis: CrowdAnalysis,
    folder: str | Path,
    at: Point | None = None,
    site: str | None = None,
    scale: Scale = Scale.ROW_MAXIMUM,
    style: Style = DEFAULT_STYLE,
    language: str = DEFAULT_LANGUAGE,
) -> list[Path]:
    """Write the figure, the density, a map for every site, arrays, regions, summary and script.

    Args:
        analysis: what was seen.
        folder: where to write; it is made where it is missing.
        at: the place (x, y) in pixels of the frame whose rows are written; its centre by default.
        site: what the figure shows beside the density.
        scale: which numbers the colours of rows stand for.
        style: how heat is drawn.
        language: of the figure and the summary.

    Returns:
        The paths of everything that was written.

    Raises:
        Refused: if there is no such site, or the place is not on the frame.
    """
    folder = Path(folder)
    facts = json.dumps(summary(analysis, at, site, language), indent=2, ensure_ascii=False)
    drawn = figure(analysis, at, site, scale, style, language)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY).write_text(facts + "\n", encoding="utf-8")
    (folder / SCRIPT).write_text(script(analysis, at, site, language=language), encoding="utf-8")
    return [
        drawn.save(folder / FIGURE),
        *overlays(analysis, folder, at, scale, style),
        save_arrays(analysis, folder / ARRAYS, at),
        save_regions(analysis, folder / REGIONS),
        folder / SUMMARY,
        folder / SCRIPT,
    ]


def overlays(
    analysis: CrowdAnalysis,
    folder: str | Path,
    at: Point | None = None,
    scale: Scale = Scale.ROW_MAXIMUM,
    style: Style = DEFAULT_STYLE,
) -> list[Path]:
    """Write the density and every site over its picture, PNGs at the size of the frame that say
    what their colours mean.

    Raises:
        OutsidePicture: if the place is not on the frame.
    """
    paths = [Path(folder) / DENSITY]
    save_overlay(density_overlay(analysis, style), density_heat(analysis), paths[0])
    for captured in analysis.sites:
        path = Path(folder) / f"{safe_name(captured.site)}.png"
        image = site_overlay(analysis, captured, at, scale, style)
        save_overlay(image, site_heat(analysis, captured, at, scale), path)
        paths.append(path)
    return paths


def save_arrays(analysis: CrowdAnalysis, path: str | Path, at: Point | None = None) -> Path:
    """Write the raw arrays as NPZ and return its path.

    ``density`` holds people in each cell and ``grid`` where these are (rows, columns, cell width,
    cell height, origin x, origin y in model pixels), ``peaks`` (x, y, share of all people) in
    pixels of the frame, ``regions`` people in 4 x 4 parts, ``trusts`` (stage, sense: RGB, thermal).
    ``framing`` holds (width, height) of the frame, the scaled picture, (x, y) of its offset, and
    the input; ``at`` the place in pixels of the frame. Sites are "<site>/<what>": ``values``
    (sense, row, column) of a gate, ``row`` (head, row, column) of the place with its ``token``,
    and ``grid``; a row's ``bands`` cells of one token all have the token's weight.

    Raises:
        OutsidePicture: if the place is not on the frame.
    """
    place = centre(analysis) if at is None else analysis.check_point((float(at[0]), float(at[1])))
    framing = analysis.framing
    peaks = [(peak.x, peak.y, peak.share) for peak in analysis.peaks()]
    arrays = {
        "density": analysis.density,
        "grid": grid_array(analysis.grid),
        "peaks": np.array(peaks, dtype=np.float64).reshape(-1, 3),
        "regions": analysis.regions(),
        "trusts": analysis.trusts(),
        "framing": np.array((framing.original, framing.scaled, framing.offset, framing.input)),
        "at": np.array(place),
    }
    for captured in analysis.sites:
        named = _arrays(captured, analysis, place)
        arrays |= {f"{captured.site}/{name}": array for name, array in named.items()}
    path = Path(path)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return path


@singledispatch
def _arrays(captured: Captured, analysis: CrowdAnalysis, at: Point) -> dict[str, np.ndarray]:
    raise ValueError(f"expected a gate or a row between senses, received {captured!r}")


@_arrays.register
def _(captured: ModalityGate, analysis: CrowdAnalysis, at: Point) -> dict[str, np.ndarray]:
    return {"values": captured.values, "grid": grid_array(captured.grid)}


@_arrays.register
def _(captured: PlaceAffinity, analysis: CrowdAnalysis, at: Point) -> dict[str, np.ndarray]:
    cell = analysis.query_at(at, captured.site)
    return {
        "row": captured.row_of(cell),
        "token": np.array(captured.token_of(cell)),
        "bands": np.array(captured.bands),
        "grid": grid_array(captured.key_grid),
    }


def save_regions(
    analysis: CrowdAnalysis, path: str | Path, rows: int = 4, columns: int = 4
) -> Path:
    """Write the table of regions as CSV and return its path; see ``regions_csv``."""
    path = Path(path)
    path.write_text(regions_csv(analysis, rows, columns), encoding="utf-8", newline="")
    return path


def regions_csv(analysis: CrowdAnalysis, rows: int = 4, columns: int = 4) -> str:
    """Return people in each part of the frame as CSV: a line for each part, row by row.

    Rows and columns are counted from 1; borders are pixels of the frame; counts add up to all.

    Raises:
        ValueError: if there are no parts.
    """
    written = StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows(_parts(analysis, rows, columns))
    return written.getvalue()


def _parts(analysis: CrowdAnalysis, rows: int, columns: int) -> Iterator[tuple[object, ...]]:
    counts = analysis.regions(rows, columns)
    total = analysis.count or 1.0
    width, height = analysis.framing.original
    for row in range(rows):
        for column in range(columns):
            borders = (
                column * width / columns,
                row * height / rows,
                (column + 1) * width / columns,
                (row + 1) * height / rows,
            )
            people = float(counts[row, column])
            numbers = (round(value, _DIGITS) for value in (*borders, people, people / total))
            yield row + 1, column + 1, *numbers


def script(
    analysis: CrowdAnalysis,
    at: Point | None = None,
    site: str | None = None,
    rgb_name: str | None = None,
    thermal_name: str | None = None,
    language: str = DEFAULT_LANGUAGE,
) -> str:
    """Return a short Python script that makes the figure, the arrays and the table again.

    Args:
        analysis: what was seen; its network has to be a bundled one.
        at: the place whose row the figure shows.
        site: the attention that the figure shows.
        rgb_name: where the script finds the RGB picture; its own name by default.
        thermal_name: where the script finds the thermal picture; its own name by default.
        language: of the figure.
    """
    pair = analysis.pair
    named = [
        None if picture is None else name or picture.name
        for picture, name in ((pair.rgb, rgb_name), (pair.thermal, thermal_name))
    ]
    both = pair.rgb is not None and pair.thermal is not None
    place = None if at is None else (float(at[0]), float(at[1]))
    laid = f"vizattn.{pair.laid!r}" if both else "None"
    given = f"{named[0]!r}, {named[1]!r}, {analysis.network.name!r}"
    return f'''"""Count people once more; written by vizattn {VERSION}."""

import vizattn

registration = {laid}
changes = vizattn.{analysis.changes!r}
counted = vizattn.count({given}, registration, changes)
counted.figure({place!r}, {site!r}, language={language!r}).save({FIGURE!r})
counted.save_arrays({ARRAYS!r}, {place!r})
counted.save_regions({REGIONS!r})
print(counted.count)
'''
