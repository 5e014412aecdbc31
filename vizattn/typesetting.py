"""Fonts and line breaks of figures, without matplotlib's global settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from vizattn.texts import DEFAULT_LANGUAGE

LATIN = "DejaVu Sans"
"""comes with matplotlib"""
CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "Microsoft YaHei",
    "SimHei",
    "SimSun",
    "Noto Sans CJK JP",
    "Noto Serif CJK SC",
    "Droid Sans Fallback",
    "Arial Unicode MS",
)
"""fonts that have simplified Chinese, best first"""
_MEASURED_DPI = 160
_IDEOGRAPH = "\u2e80-\u9fff\uff00-\uffef"
_CLOSING = "，。；：、）％"
# What must stay on one line: an ideograph with the punctuation that closes it, or a word.
_UNITS = re.compile(rf"[{_IDEOGRAPH}][{_CLOSING}]*|[^\s{_IDEOGRAPH}]+[{_CLOSING}]*\s*|\s+")


@dataclass(frozen=True)
class Typeface:
    """The fonts of one language.

    Args:
        language: what the texts are in; English where no installed font has Chinese characters.
        families: names of fonts; each character is taken from the first that has it.
    """

    language: str
    families: tuple[str, ...]

    def font(self, points: float, bold: bool = False) -> Any:
        """Return matplotlib's description of the font in one size."""
        from matplotlib.font_manager import FontProperties

        weight = "bold" if bold else "normal"
        return FontProperties(family=list(self.families), size=points, weight=weight)

    def wrapped(self, sentence: str, points: float, inches: float) -> list[str]:
        """Return a sentence as lines that are no wider than so many inches, if words allow."""
        font = self.font(points)
        lines = [""]
        for unit in _UNITS.findall(sentence):
            longer = lines[-1] + unit
            if lines[-1].strip() and _width(longer.rstrip(), font) > inches:
                lines.append(unit.lstrip())
            else:
                lines[-1] = longer
        return [line.rstrip() for line in lines]


@cache
def typeface(language: str) -> Typeface:
    """Return the fonts for a language."""
    found = next((name for name in CHINESE if name in installed_fonts()), None)
    if found is None:
        return Typeface(DEFAULT_LANGUAGE, (LATIN,))
    # Either way both: formulas need letters that few Chinese fonts have, and a file's name may be
    # Chinese in an English figure.
    pair = (LATIN, found) if language == DEFAULT_LANGUAGE else (found, LATIN)
    return Typeface(language, pair)


def installed_fonts() -> frozenset[str]:
    """Return the names of all fonts that matplotlib finds."""
    from matplotlib.font_manager import fontManager

    return frozenset(font.name for font in fontManager.ttflist)


def _width(line: str, font: Any) -> float:
    """Return how many inches wide a line is."""
    from matplotlib.backends.backend_agg import RendererAgg

    renderer = RendererAgg(1, 1, _MEASURED_DPI)
    width: float = renderer.get_text_width_height_descent(line, font, ismath=False)[0]
    return width / _MEASURED_DPI
