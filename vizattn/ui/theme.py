"""How the page looks: the theme, the style sheet, and what every part of the page shares."""

from __future__ import annotations

from typing import Any

import gradio as gr

from vizattn.ui.parts import ASSETS, script

SANS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Noto Sans CJK SC",
    "sans-serif",
)
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
"""Fonts that machines have: nothing is fetched from anywhere."""


def theme() -> gr.themes.Base:
    """Return Gradio's plainest theme in the page's greys, with one accent colour."""
    base = gr.themes.Base(
        primary_hue="blue", neutral_hue="zinc", font=list(SANS), font_mono=list(MONO)
    )
    return base.set(
        body_background_fill="#ffffff",
        body_background_fill_dark="#111113",
        body_text_color="#18181b",
        body_text_color_dark="#ededf0",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
    )


def look() -> dict[str, Any]:
    """Return what ``gr.Blocks.launch`` needs for the page to look as it should."""
    style = (ASSETS.parent / "page.css").read_text(encoding="utf-8")
    # Gradio rewrites what it is given as css and breaks selectors such as :is(a, b); it leaves what
    # stands in the head alone.
    scripts = "".join(f"<script>{script(name)}</script>" for name in ("shared.js", "picker.js"))
    return {
        "theme": theme(),
        "head": f"<style>{style}</style>{scripts}",
        "footer_links": [],
    }
