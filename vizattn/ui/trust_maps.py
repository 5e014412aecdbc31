"""Class maps as the browser's canvas has them: a view of their own, with words of their own."""

from __future__ import annotations

from vizattn.analysis import Analysis
from vizattn.cam.class_map import ClassMap
from vizattn.cam.drawn import fixed_end, said, scale_label
from vizattn.ui.encoding import Json, floats, grid_numbers, spoken
from vizattn.ui.sites import contents
from vizattn.views import Scale
from vizattn.words import join


@contents.register
def _(captured: ClassMap) -> Json:
    return {
        "view": "class_map",
        "map": {"grid": grid_numbers(captured.grid), "values": floats(captured.values)},
        "fixed": fixed_end(captured),
        "legend": {scale.value: spoken(scale_label(captured, scale).text) for scale in Scale},
        "said": spoken(lambda language: join(language, said(captured, language))),
    }


def selection_of(analysis: Analysis, drawn: Json) -> Json:
    """Return a selection that shows the newest class map and leaves the rest as it is."""
    return drawn | {"site": analysis.sites[-1].site, "head": 0, "channel": None}
