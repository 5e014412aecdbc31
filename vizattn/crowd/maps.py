"""What a crowd analysis has to draw: the density, a gate or a row, each with its own scale."""

from __future__ import annotations

from functools import singledispatch

from PIL import Image, ImageDraw

from vizattn.attention import Captured, ModalityGate, PlaceAffinity
from vizattn.crowd.analysis import CrowdAnalysis, asked_sense, stage_of
from vizattn.crowd.peaks import Peak
from vizattn.geometry import Box, Point, Size
from vizattn.intake import Picture
from vizattn.numbers import number, percent
from vizattn.render import DEFAULT_STYLE, Style, overlay, scaled_box
from vizattn.views import FIXED_UNIFORM, Heat, Label, Scale

_RING = 3.2
"""radius of a peak's ring in parts of the pen"""


def density_heat(analysis: CrowdAnalysis) -> Heat:
    """Return the density, from 0 to its highest cell."""
    high = float(analysis.density.max())
    points = Label(f"crowd_engine.points.{analysis.points}")
    said = {"count": number(analysis.count), "points": points}
    return Heat(
        values=analysis.density,
        grid=analysis.grid,
        low=0.0,
        high=high if high > 0 else 1.0,
        signed=False,
        marker=None,
        title=Label("crowd_engine.density", said),
        scale_label=Label("crowd_engine.density_scale", {"high": number(high)}),
    )


def centre(analysis: CrowdAnalysis) -> Point:
    """Return the middle of the frame: the place whose rows are shown where none was chosen."""
    width, height = analysis.framing.original
    return width / 2, height / 2


def site_heat(
    analysis: CrowdAnalysis,
    captured: Captured,
    at: Point | None = None,
    scale: Scale = Scale.ROW_MAXIMUM,
) -> Heat:
    """Return what there is to draw of one captured attention.

    Args:
        analysis: what was seen.
        captured: one of its sites.
        at: the place (x, y) in pixels of the frame that is asked; its centre by default.
        scale: which numbers the colours of a row stand for.

    Raises:
        OutsidePicture: if the place is not on the frame.
        ValueError: if nothing here draws attention of its kind.
    """
    place = centre(analysis) if at is None else analysis.check_point((float(at[0]), float(at[1])))
    return _heat(captured, analysis, place, scale)


@singledispatch
def _heat(captured: Captured, analysis: CrowdAnalysis, at: Point, scale: Scale) -> Heat:
    raise ValueError(f"expected a gate or a row between senses, received {captured!r}")


@_heat.register
def _(captured: ModalityGate, analysis: CrowdAnalysis, at: Point, scale: Scale) -> Heat:
    mean = analysis.trusts()[stage_number(captured) - 1]
    shares = {"rgb": percent(mean[0]), "thermal": percent(mean[1])}
    return Heat(
        # Both shares sum to 1, so their difference says both: -1 is all RGB, 1 all thermal.
        values=captured.values[1] - captured.values[0],
        grid=captured.grid,
        low=-1.0,
        high=1.0,
        signed=True,
        marker=None,
        title=Label("crowd_engine.gate", {"stage": stage_number(captured), **shares}),
        scale_label=Label("crowd_engine.gate_scale"),
    )


@_heat.register
def _(captured: PlaceAffinity, analysis: CrowdAnalysis, at: Point, scale: Scale) -> Heat:
    values = analysis.row(at, captured.site).mean(axis=0)
    tokens = captured.rows.keys
    uniform = 1 / tokens
    even = Label("crowd_engine.uniform", {"count": tokens, "value": number(uniform, 2)})
    high = float(values.max())
    bar = Label("canvas.bar.row", {"value": number(high)})
    if scale is Scale.FIXED:
        high = min(1.0, FIXED_UNIFORM * uniform)
        bar = Label("canvas.bar.fixed_uniform", {"times": FIXED_UNIFORM, "value": number(high)})
    cell = captured.query_grid.cell_at(analysis.framing.to_model(at))
    place = {"x": f"{at[0]:g}", "y": f"{at[1]:g}", "stage": stage_number(captured)}
    return Heat(
        values=values,
        grid=captured.key_grid,
        low=0.0,
        high=high or 1.0,
        signed=False,
        marker=analysis.framing.box_to_original(captured.query_grid.box(cell)),
        title=Label(f"crowd_engine.row.{asked_sense(captured.site)}", place),
        scale_label=Label("figure.scale_and_uniform", {"scale": bar, "uniform": even}),
        uniform=uniform,
    )


def stage_number(captured: Captured) -> int:
    """Return a site's stage as people count, from 1; raises ValueError for a site of no stage."""
    place = stage_of(captured.site)
    if place is None:
        raise ValueError(f"expected a site inside a stage, received {captured.site}")
    return place[0] + 1


def ground_of(analysis: CrowdAnalysis, captured: Captured | None = None) -> Picture:
    """Return what a map is drawn on: rows on the sense that they lie over, all else on RGB."""
    sense = asked_sense(captured.site) if captured is not None else None
    return analysis.pair.ground(sense or "rgb")


def same_token(analysis: CrowdAnalysis, captured: Captured, at: Point | None) -> list[Box]:
    """Return the other cells, in pixels of the frame, that ask with the same token as a place.

    A re-assembled token is asked with by one cell in each band, so what is shown for the place is
    shown for them all.
    """
    if not isinstance(captured, PlaceAffinity):
        return []
    place = centre(analysis) if at is None else at
    own = captured.query_grid.cell_at(analysis.framing.to_model(place))
    grid = captured.query_grid
    others = range(captured.token_of(own), len(grid), captured.rows.queries)
    boxes = (analysis.framing.box_to_original(grid.box(cell)) for cell in others if cell != own)
    return [box for box in boxes if analysis.framing.contains(box[:2])]


def density_overlay(
    analysis: CrowdAnalysis, style: Style = DEFAULT_STYLE, size: Size | None = None
) -> Image.Image:
    """Return the frame with the density and a ring at each peak, at its own or another size."""
    heat = density_heat(analysis)
    image = overlay(heat, ground_of(analysis), analysis.framing, style, size)
    draw_peaks(image, analysis.peaks(), analysis.framing.original)
    return image


def site_overlay(
    analysis: CrowdAnalysis,
    captured: Captured,
    at: Point | None = None,
    scale: Scale = Scale.ROW_MAXIMUM,
    style: Style = DEFAULT_STYLE,
    size: Size | None = None,
) -> Image.Image:
    """Return a sense's picture with a gate or a row; every cell of the asking token is outlined."""
    heat = site_heat(analysis, captured, at, scale)
    image = overlay(heat, ground_of(analysis, captured), analysis.framing, style, size)
    draw_boxes(
        image,
        [
            scaled_box(box, analysis.framing, (image.width, image.height))
            for box in same_token(analysis, captured, at)
        ],
    )
    return image


def draw_peaks(image: Image.Image, peaks: list[Peak], original: Size) -> None:
    """Draw a small ring at each peak, light on dark: legible on any ground."""
    pen = _pen(image)
    draw = ImageDraw.Draw(image)
    across, down = image.width / original[0], image.height / original[1]
    for peak in peaks:
        x, y = peak.x * across, peak.y * down
        for radius, colour in ((_RING * pen + pen, "black"), (_RING * pen, "white")):
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, outline=colour, width=pen)


def draw_boxes(image: Image.Image, boxes: list[Box]) -> None:
    """Draw thin outlines, light on dark."""
    pen = _pen(image)
    draw = ImageDraw.Draw(image)
    for left, top, right, bottom in boxes:
        inner = [round(value) for value in (left, top, max(right, left + 3), max(bottom, top + 3))]
        outer = [inner[0] - pen, inner[1] - pen, inner[2] + pen, inner[3] + pen]
        draw.rectangle(outer, outline="black", width=pen)
        draw.rectangle(inner, outline="white", width=pen)


def _pen(image: Image.Image) -> int:
    return max(1, round(max(image.size) / 900))


def stage_label(captured: Captured) -> Label:
    """Return where a site is: its stage, and who asks whom there."""
    place = stage_of(captured.site)
    name = place[1] if place else "gate"
    return Label(f"crowd_engine.site.{name}", {"stage": stage_number(captured)})
