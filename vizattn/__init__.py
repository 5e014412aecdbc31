"""See where a vision model looks, exactly, and check that the picture is true.

import vizattn
seen = vizattn.look("photo.jpg", "segment-nonlocal")
row, figure = seen.row(at=(240, 180)), seen.figure(at=(240, 180))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vizattn.analysis import Analysis as Analysis
    from vizattn.analysis import Classification as Classification
    from vizattn.analysis import Segmentation as Segmentation
    from vizattn.comparing import Pane as Pane
    from vizattn.comparing import comparison as comparison
    from vizattn.comparing import comparison_facts as comparison_facts
    from vizattn.crowd.changes import Changes as Changes
    from vizattn.crowd.counted import Counted as Counted
    from vizattn.crowd.counted import count as count
    from vizattn.export import overlays as overlays
    from vizattn.export import save_all as save_all
    from vizattn.export import save_arrays as save_arrays
    from vizattn.export import script as script
    from vizattn.facts import summary as summary
    from vizattn.figures import Figure as Figure
    from vizattn.figures import figure as figure
    from vizattn.intake import Picture as Picture
    from vizattn.intake import PictureError as PictureError
    from vizattn.intake import read_picture as read_picture
    from vizattn.networks import Library as Library
    from vizattn.networks import Network as Network
    from vizattn.registration import Registration as Registration
    from vizattn.render import Style as Style
    from vizattn.render import overlay as overlay
    from vizattn.seen import Seen as Seen
    from vizattn.seen import look as look
    from vizattn.seen import look_all as look_all
    from vizattn.strangers import SeenStranger as SeenStranger
    from vizattn.strangers import capture as capture
    from vizattn.texts import Refused as Refused
    from vizattn.trials.trying import Effort as Effort
    from vizattn.trials.trying import trust as trust
    from vizattn.ui.stranger import explore as explore
    from vizattn.version import VERSION as __version__
    from vizattn.views import Scale as Scale
    from vizattn.views import Selection as Selection
    from vizattn.views import view as view
    from vizattn.words import row_numbers as row_numbers
    from vizattn.words import sentence as sentence

_HOMES = {
    "crowd.changes": ("Changes",),
    "crowd.counted": ("Counted", "count"),
    "registration": ("Registration",),
    "comparing": ("Pane", "comparison", "comparison_facts"),
    "analysis": ("Analysis", "Classification", "Segmentation"),
    "export": ("overlays", "save_all", "save_arrays", "script"),
    "facts": ("summary",),
    "figures": ("Figure", "figure"),
    "intake": ("Picture", "PictureError", "read_picture"),
    "networks": ("Library", "Network"),
    "render": ("Style", "overlay"),
    "seen": ("Seen", "look", "look_all"),
    "strangers": ("SeenStranger", "capture"),
    "texts": ("Refused",),
    "ui.stranger": ("explore",),
    "trials.trying": ("Effort", "trust"),
    "views": ("Scale", "Selection", "view"),
    "words": ("row_numbers", "sentence"),
}
"""by module, what it gives to this package; loaded when first asked for, since torch is slow"""
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*sorted(_HOME_OF), "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("vizattn.version").VERSION
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
