"""The page's own components: HTML that a script in assets/page fills from one JSON text each."""

from __future__ import annotations

import base64
import itertools
import json
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from vizattn.texts import LANGUAGES, text, texts_of
from vizattn.ui.links import Link
from vizattn.ui.offers import groups
from vizattn.ui.saves import KINDS
from vizattn.ui.settings import Settings
from vizattn.ui.visits import Desk, Visit

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "page"
LANGUAGE_NAMES = {"en": "EN", "zh": "中文"}
_HELP = ("point", "click", "gates", "scale", "checks", "limits", "private")
_THUMBNAIL = (168, 126)
_SERIAL = itertools.count(1)


def script(name: str) -> str:
    """Return one script of the page."""
    return (ASSETS / name).read_text(encoding="utf-8")


def part(tag: str, name: str, **options: Any) -> gr.HTML:
    """Return a component that ``assets/page/<name>.js`` fills.

    Its template is constant, so what the script builds stays; the script gets each new value.
    """
    return gr.HTML(
        None,
        html_template=f'<{tag} class="vp-{name}"></{tag}>',
        js_on_load=script(f"{name}.js"),
        apply_default_css=False,
        elem_id=f"vp-{name}",
        **options,
    )


def header_value(language: str, desk: Desk, settings: Settings) -> str:
    """Return what the head of the page shows in a language."""
    minutes = f"{settings.session_minutes:g}"
    return _value(
        language,
        network=desk.invite(language, Link()).network,
        languages=[[code, LANGUAGE_NAMES[code]] for code in LANGUAGES],
        help=[text(language, f"explore.help.{name}", minutes=minutes) for name in _HELP],
    )


def choices_value(desk: Desk, visit: Visit, settings: Settings) -> str:
    """Return what the column of choices shows for a visit."""
    language = visit.language
    known = desk.offered()
    tasks = dict.fromkeys(card.task for card in known.values())
    return _value(
        language,
        task=known[visit.network].task,
        network=visit.network,
        example=visit.example,
        analysis=visit.analysis,
        limit=settings.max_upload_mb,
        tasks=[
            {
                "name": task,
                "title": text(language, f"explore.task.{task}"),
                "hint": text(language, f"explore.task.{task}.hint"),
            }
            for task in tasks
        ],
        families=groups(language, known, desk.library),
        zoo=texts_of(language, "zoo"),
        weights=visit.weights and visit.weights.file,
        weights_limit=settings.max_weights_mb if settings.allow_weights else None,
        examples=[
            {
                "id": each.id,
                "title": each.title[language],
                "note": each.note[language],
                "network": each.network,
                "thumbnail": thumbnail(each.path),
            }
            for each in desk.examples.values()
        ],
        saves=[[kind, suffix.upper()] for kind, (suffix, _) in KINDS.items()],
    )


def _value(language: str, **contents: Any) -> str:
    # The serial number makes equal values differ: a refused choice has to be drawn back.
    texts = texts_of(language, "explore")
    serial = next(_SERIAL)
    value = {"serial": serial, "language": language, "texts": texts} | contents
    if "limit" in contents:
        texts["too_heavy"] = text(language, "explore.too_heavy", limit=contents["limit"])
    return json.dumps(value, ensure_ascii=False)


@cache
def thumbnail(path: Path) -> str:
    """Return a small copy of a picture's file as an address that holds it."""
    with Image.open(path) as image:
        return small_copy(image)


def small_copy(image: Image.Image) -> str:
    """Return a small copy of a picture as an address that holds it."""
    small = image.convert("RGB")
    small.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS)
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
