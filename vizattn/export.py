"""What can be taken away: overlays, raw arrays, a summary, and the script that makes them again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import singledispatch
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from vizattn.analysis import Analysis, Classification
from vizattn.attention import (
    Captured,
    ChannelAffinity,
    ChannelGate,
    Maps,
    ModalityGate,
    PlaceAffinity,
    SpatialGate,
)
from vizattn.cam.class_map import Asked
from vizattn.facts import site_selection, summary
from vizattn.feature_views import of_senses
from vizattn.features import EdgeGate, FeatureMaps, Table, Weights
from vizattn.figures import figure
from vizattn.foreign.scripting import script_for
from vizattn.foreign.stranger import Stranger
from vizattn.geometry import Grid
from vizattn.labels import site_label
from vizattn.render import DEFAULT_STYLE, Style, overlay
from vizattn.texts import DEFAULT_LANGUAGE
from vizattn.version import VERSION
from vizattn.views import Heat, Scale, Selection, resolve, view

__all__ = [
    "grid_array",
    "overlays",
    "safe_name",
    "save_all",
    "save_arrays",
    "save_overlay",
    "script",
    "summary",
]

ARRAYS, SUMMARY, SCRIPT, FIGURE = "attention.npz", "summary.json", "reproduce.py", "figure.png"


def save_all(
    analysis: Analysis,
    folder: str | Path,
    selection: Selection | None = None,
    scale: Scale = Scale.ROW_MAXIMUM,
    style: Style = DEFAULT_STYLE,
    language: str = DEFAULT_LANGUAGE,
) -> list[Path]:
    """Write the figure, an overlay for every site, the arrays, the summary and the script.

    Args:
        analysis: what was seen.
        folder: where to write; it is made where it is missing.
        selection: what the figure shows, and the place whose rows are written.
        scale: which numbers the colours stand for.
        style: how heat is drawn.
        language: of the figure and the summary.

    Returns:
        The paths of everything that was written.

    Raises:
        Refused: if the selection names a site, head, channel or place that is not there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = resolve(analysis, selection)
    facts = json.dumps(summary(analysis, selection, language), indent=2, ensure_ascii=False)
    (folder / SUMMARY).write_text(facts + "\n", encoding="utf-8")
    code = script(analysis, chosen, analysis.picture.name, scale, style, language)
    (folder / SCRIPT).write_text(code, encoding="utf-8")
    return [
        figure(analysis, chosen, scale, style, language).save(folder / FIGURE),
        *overlays(analysis, chosen, folder, scale, style),
        save_arrays(analysis, chosen, folder / ARRAYS),
        folder / SUMMARY,
        folder / SCRIPT,
    ]


def overlays(
    analysis: Analysis,
    selection: Selection | None,
    folder: str | Path,
    scale: Scale = Scale.ROW_MAXIMUM,
    style: Style = DEFAULT_STYLE,
) -> list[Path]:
    """Write one overlay for every site, a PNG at the size of the original that says its scale.

    A row is that of the selected place, of the picture's centre where none is selected; a channel
    gate shows the activation of its strongest channel. Tables and named weights have no overlay.

    Raises:
        Refused: if the selection names a site, head, channel or place that is not there.
    """
    chosen = resolve(analysis, selection)
    paths: list[Path] = []
    for captured in analysis.sites:
        selected = site_selection(analysis, captured, chosen)
        shown = view(analysis, selected, scale)
        heat = next((each for each in shown if isinstance(each, Heat)), None)
        if heat is None:  # a table, or weights of things that are nowhere in the picture
            continue
        path = Path(folder) / f"{safe_name(captured.site)}.png"
        image = overlay(heat, analysis.picture, analysis.framing, style)
        save_overlay(image, heat, path, site_label(DEFAULT_LANGUAGE, captured))
        paths.append(path)
    return paths


def safe_name(site: str) -> str:
    """Return a site as a file's name without an ending: letters, digits, dots and hyphens."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", site).strip(".-") or "attention"


def save_overlay(image: Image.Image, heat: Heat, path: Path, site: str | None = None) -> None:
    """Write a picture whose file says what its colours mean: the pixels alone do not.

    Args:
        image: the picture.
        heat: what is drawn on it.
        path: where to write.
        site: what the site is called, if it is of one.
    """
    title = heat.title.text(DEFAULT_LANGUAGE)
    said = PngInfo()
    said.add_itxt("Title", f"{site} · {title}" if site else title)
    said.add_itxt("Description", heat.scale_label.text(DEFAULT_LANGUAGE))
    said.add_itxt("Software", f"vizattn {VERSION}")
    image.save(path, pnginfo=said)


def save_arrays(analysis: Analysis, selection: Selection | None, path: str | Path) -> Path:
    """Write the raw arrays of every site as NPZ and return its path.

    Names are "<site>/<what>": ``values`` (gate: (channel) or (row, column); rows' or columns' gate:
    (channel, length); table: (row, column); named weights: (item)), ``maps`` (map, row, column),
    ``row`` (the selected place's row: (head, row, column)) with its ``query``, ``row_tokens``
    (head, token: what the row gives to tokens that are no places), ``rows`` (channel affinity:
    (head, query, key)), ``activation`` (channel, row, column), and ``grid`` (rows, columns, cell
    width, cell height, origin x, origin y in model pixels). ``framing`` holds (width, height) of
    the original, the scaled picture, (x, y) of its offset, and the input; ``at`` the place in
    original pixels.

    Raises:
        Refused: if the selection names a site, head, channel or place that is not there.
    """
    chosen = resolve(analysis, selection)
    framing = analysis.framing
    sides = (framing.original, framing.scaled, framing.offset, framing.input)
    arrays: dict[str, np.ndarray] = {"framing": np.array(sides)}
    for captured in analysis.sites:
        selected = site_selection(analysis, captured, chosen)
        if selected.at is not None:
            arrays["at"] = np.array(selected.at)
        named = _arrays(captured, analysis, selected)
        arrays |= {f"{captured.site}/{name}": array for name, array in named.items()}
    arrays |= _prediction_arrays(analysis)
    path = Path(path)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return path


def _prediction_arrays(analysis: Analysis) -> dict[str, np.ndarray]:
    prediction = analysis.prediction
    if isinstance(prediction, Classification):
        return {"prediction/probabilities": prediction.probabilities}
    return {"prediction/mask": prediction.mask, "prediction/probability": prediction.probability}


@singledispatch
def _arrays(captured: Captured, analysis: Analysis, selected: Selection) -> dict[str, np.ndarray]:
    raise ValueError(f"expected a captured kind that has arrays, received {captured!r}")


@_arrays.register
def _(captured: PlaceAffinity, analysis: Analysis, selected: Selection) -> dict[str, np.ndarray]:
    cell = analysis.query_at(selected.at or (0.0, 0.0), captured.site)
    token = captured.token_of(cell)
    if selected.token is not None:
        token = captured.extra.index(selected.token)
    row = captured.rows.row(token)
    arrays = {
        "row": captured.over_cells(row),
        "query": np.array(cell if selected.token is None else token),
        "query_grid": grid_array(captured.query_grid),
        "grid": grid_array(captured.key_grid),
    }
    if captured.extra:
        arrays["row_tokens"] = row[:, : len(captured.extra)]
    return arrays if captured.maps is None else arrays | _map_arrays(captured.maps, "maps_grid")


def _map_arrays(maps: Maps, grid: str = "grid") -> dict[str, np.ndarray]:
    return {"maps": maps.values, grid: grid_array(maps.grid)}


@_arrays.register
def _(captured: FeatureMaps, analysis: Analysis, selected: Selection) -> dict[str, np.ndarray]:
    return _map_arrays(captured.maps)


@_arrays.register
def _(captured: ModalityGate, analysis: Analysis, selected: Selection) -> dict[str, np.ndarray]:
    return _map_arrays(of_senses(captured))


@_arrays.register
def _(captured: EdgeGate, analysis: Analysis, selected: Selection) -> dict[str, np.ndarray]:
    return {"values": captured.values, "grid": grid_array(captured.grid)}


@_arrays.register(Table)
@_arrays.register(Weights)
def _(captured: Table | Weights, analysis: Analysis, selected: Selection) -> dict[str, np.ndarray]:
    return {"values": captured.values}


@_arrays.register
def _(captured: SpatialGate, analysis: Analysis, selected: Selection) -> dict[str, np.ndarray]:
    return {"values": captured.values, "grid": grid_array(captured.grid)}


@_arrays.register
def _(captured: ChannelGate, analysis: Analysis, selected: Selection) -> dict[str, np.ndarray]:
    activation = captured.activation
    return {
        "values": captured.values,
        "activation": activation.values,
        "grid": grid_array(activation.grid),
    }


@_arrays.register
def _(captured: ChannelAffinity, analysis: Analysis, selected: Selection) -> dict[str, np.ndarray]:
    activation = captured.activation
    return {
        "rows": captured.rows.some(range(captured.rows.queries)),
        "activation": activation.values,
        "grid": grid_array(activation.grid),
    }


def grid_array(grid: Grid) -> np.ndarray:
    """Return (rows, columns, cell width, cell height, origin x, origin y) of a grid."""
    return np.array([grid.rows, grid.columns, *grid.cell, *grid.origin], dtype=np.float64)


def script(
    analysis: Analysis,
    selection: Selection | None,
    file_name: str,
    scale: Scale = Scale.ROW_MAXIMUM,
    style: Style = DEFAULT_STYLE,
    language: str = DEFAULT_LANGUAGE,
) -> str:
    """Return a short Python script that makes the figure and the arrays again.

    Args:
        analysis: what was seen; who brought the network has to bring it to the script, too.
        selection: what the figure shows.
        file_name: where the script finds the picture.
        scale: which numbers the colours stand for.
        style: how heat is drawn.
        language: of the figure.

    Raises:
        Refused: if the selection names a site, head, channel or place that is not there.
    """
    made = _drawn_again(analysis, selection, scale, style, language)
    by_hand = _grid_again(analysis)
    if isinstance(analysis.network, Stranger):
        return script_for(analysis.network, file_name, made, by_hand)
    return f'''"""Make the figure and the arrays of one look again; written by vizattn {VERSION}."""

import vizattn

seen = vizattn.look({file_name!r}, {analysis.network.name!r}{by_hand}){made}'''


def _grid_again(analysis: Analysis) -> str:
    """Return the argument that sets the grid of tokens that a person has set; "" without one."""
    grid = analysis.grid
    if not grid:
        return ""
    return f", grid={dict(grid) if isinstance(grid, Mapping) else tuple(grid)!r}"


def _drawn_again(
    analysis: Analysis, selection: Selection | None, scale: Scale, style: Style, language: str
) -> str:
    """Return the part of a script that draws and writes what ``seen`` holds."""
    chosen = resolve(analysis, selection)
    selected = f"site={chosen.site!r}, head={chosen.head!r}, at={chosen.at!r}"
    asked = [Asked.read(each.site) for each in analysis.sites]
    maps = "".join(f".{each.call}" for each in asked if each is not None)
    if chosen.token is not None:
        selected += f", token={chosen.token!r}"
    drawn = f"{style.colormap!r}, opacity={style.opacity!r}, smooth={style.smooth!r}"
    return f"""{maps}
selection = vizattn.Selection({selected}, channel={chosen.channel!r})
style = vizattn.Style({drawn})
scale = vizattn.Scale.{scale.name}
vizattn.figure(seen.analysis, selection, scale, style, {language!r}).save({FIGURE!r})
vizattn.save_arrays(seen.analysis, selection, {ARRAYS!r})
"""
