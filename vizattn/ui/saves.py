"""What a visitor can take away of a view: a figure, arrays, a summary, a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vizattn.analysis import Analysis
from vizattn.attention import PlaceAffinity
from vizattn.examples import Example
from vizattn.export import safe_name, save_arrays, script
from vizattn.facts import summary
from vizattn.figures import figure
from vizattn.render import Style
from vizattn.ui.uploads import place_for
from vizattn.views import Scale, Selection


def save(
    kind: str,
    analysis: Analysis,
    chosen: Mapping[str, Any],
    language: str,
    example: Example | None = None,
) -> Path:
    """Write a file of what is on show and return its path, which nobody else can guess.

    Args:
        kind: one of ``KINDS``.
        analysis: what is on show.
        chosen: the selection as the browser has it.
        language: of the figure and the summary.
        example: the example that it shows, for a script that finds the picture.

    Raises:
        Refused: if the selection names what is not there.
        ValueError: if there is no such kind, or the selection is not one.
    """
    if kind not in KINDS:
        raise ValueError(f"expected a kind of {list(KINDS)}, received {kind!r}")
    suffix, write = KINDS[kind]
    stem = example.id if example else Path(analysis.picture.name).stem
    path = place_for(f"{safe_name(stem)}-{analysis.network.name}.{suffix}")
    found_at = f"assets/examples/{example.file}" if example else analysis.picture.name
    write(path, analysis, _View(analysis, chosen, language, found_at))
    return path


def selection_of(chosen: Mapping[str, Any], extra: Sequence[str] = ()) -> Selection:
    """Return a browser's selection as the library's; "mean" over the heads is no head.

    Args:
        chosen: the selection as the browser has it.
        extra: names of the chosen site's tokens that are no places; the browser has numbers.

    Raises:
        ValueError: if there is no token of that number.
    """
    head, at, channel = chosen.get("head"), chosen.get("at"), chosen.get("channel")
    token = chosen.get("token")
    if token is not None and not 0 <= int(token) < len(extra):
        raise ValueError(f"expected a token of {len(extra)}, received {token}")
    return Selection(
        site=chosen.get("site"),
        head=None if head in (None, "mean") else int(head),
        at=None if at is None else (float(at[0]), float(at[1])),
        channel=None if channel is None else int(channel),
        token=None if token is None else extra[int(token)],
    )


class _View:
    """How something is selected and drawn, in the library's own terms."""

    def __init__(
        self, analysis: Analysis, chosen: Mapping[str, Any], language: str, found_at: str
    ) -> None:
        usual = Style()
        site = analysis.site(chosen.get("site")) if analysis.sites else None
        extra = site.extra if isinstance(site, PlaceAffinity) else ()
        self.selection = selection_of(chosen, extra)
        self.scale = Scale(chosen.get("scale", Scale.ROW_MAXIMUM.value))
        self.style = Style(
            colormap=chosen.get("colormap", usual.colormap),
            opacity=float(chosen.get("opacity", usual.opacity)),
            smooth=bool(chosen.get("smooth", usual.smooth)),
        )
        self.language = language
        self.found_at = found_at


def _figure(path: Path, analysis: Analysis, view: _View) -> None:
    figure(analysis, view.selection, view.scale, view.style, view.language).save(path)


def _arrays(path: Path, analysis: Analysis, view: _View) -> None:
    save_arrays(analysis, view.selection, path)


def _summary(path: Path, analysis: Analysis, view: _View) -> None:
    facts = summary(analysis, view.selection, view.language)
    path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _script(path: Path, analysis: Analysis, view: _View) -> None:
    code = script(analysis, view.selection, view.found_at, view.scale, view.style, view.language)
    path.write_text(code, encoding="utf-8")


KINDS: dict[str, tuple[str, Callable[[Path, Analysis, _View], None]]] = {
    "figure": ("png", _figure),
    "arrays": ("npz", _arrays),
    "summary": ("json", _summary),
    "script": ("py", _script),
}
"""by name, the file's ending and what writes it"""
