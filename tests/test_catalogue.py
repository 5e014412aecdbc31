"""The catalogue: both languages complete, alike, and holding every text that the code asks for."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from models.mechanism import Claim, Kind, mechanisms
from models.weights import HOSTS
from vizattn.texts import CATALOGUE, LANGUAGES, catalogue, text

ROOT = CATALOGUE.parent.parent
AREAS = sorted(path.stem for path in (CATALOGUE / "en").glob("*.json"))
SAME_IN_BOTH = {"mechanisms.metric.miou"}
"""texts that may lack Chinese characters, because they are names"""
FILE_ENDINGS = (".py", ".js", ".css", ".json", ".png", ".npz")


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_every_language_has_the_same_areas() -> None:
    for language in LANGUAGES:
        assert sorted(path.stem for path in (CATALOGUE / language).glob("*.json")) == AREAS
    assert {"errors", "explore", "mechanisms", "canvas"} <= set(AREAS)


def test_every_language_has_the_same_keys() -> None:
    first, *others = (set(catalogue(language)) for language in LANGUAGES)
    for other in others:
        assert first == other


def test_no_text_is_empty() -> None:
    for language in LANGUAGES:
        empty = [
            key
            for key, words in catalogue(language).items()
            if not words.strip() and key != "canvas.sentence.join" and not key.endswith("join")
        ]
        assert empty == []


def test_translations_have_the_same_placeholders() -> None:
    english, chinese = catalogue("en"), catalogue("zh")
    different = {key for key in english if placeholders(english[key]) != placeholders(chinese[key])}
    assert different == set()


def test_chinese_texts_are_chinese() -> None:
    """What has words in English has Chinese characters in Chinese; formulas may not."""
    latin = [
        key
        for key, words in catalogue("zh").items()
        if not re.search(r"[\u4e00-\u9fff]", words)
        and re.search(r"[a-z]{3}", re.sub(r"\{\w+\}", "", catalogue("en")[key]))
        and key not in SAME_IN_BOTH
    ]
    assert latin == []


def test_english_texts_have_no_chinese() -> None:
    mixed = [key for key, words in catalogue("en").items() if re.search(r"[\u4e00-\u9fff]", words)]
    assert mixed == []


def sources() -> list[Path]:
    python = [ROOT / "app.py", *(ROOT / "vizattn").rglob("*.py")]
    return [path for path in python if path.is_file()]


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_every_text_that_the_code_names_is_there(path: Path) -> None:
    known = catalogue("en")
    named = re.findall(rf'"((?:{"|".join(AREAS)})\.[a-z_.0-9]+)"', path.read_text("utf-8"))
    # The package names its own modules alike: "crowd.changes" is vizattn/crowd/changes.py.
    modules = {key for key in named if (ROOT / "vizattn" / f"{key.replace('.', '/')}.py").is_file()}
    missing = {key for key in named if not key.endswith(FILE_ENDINGS)} - known.keys() - modules
    assert missing == set()


@pytest.mark.parametrize("name", ["header", "choices"])
def test_every_text_that_the_pages_scripts_name_is_there(name: str) -> None:
    script = (ROOT / "assets" / "page" / f"{name}.js").read_text("utf-8")
    dotted = re.findall(r'texts\["([a-z_.]+)"\]', script)
    plain = re.findall(r"texts\.([a-z_]+)", script)
    assert dotted or plain
    missing = {key for key in {*dotted, *plain} if f"explore.{key}" not in catalogue("en")}
    assert missing == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_is_declared_has_a_name(language: str) -> None:
    known = catalogue(language)
    forms = {
        f"{slug}.{form.replace('-', '_')}"
        for slug, mechanism in mechanisms().items()
        for of_host in mechanism.forms.values()
        for form in of_host
    }
    assert "cbam.space_first" in forms
    studied = {slug for slug, mechanism in mechanisms().items() if mechanism.forms}
    named = forms | mechanisms().keys()
    wanted = {f"mechanisms.{what}.{slug}" for slug in named for what in ("name", "line")}
    wanted |= {f"mechanisms.forms.{slug}" for slug in studied}
    wanted |= {
        f"mechanisms.family.{re.sub('[^a-z]+', '_', mechanism.family.lower())}"
        for mechanism in mechanisms().values()
    }
    wanted |= {f"mechanisms.class.{name}" for host in HOSTS.values() for name in host.classes}
    wanted |= {f"mechanisms.kind.{kind.value}" for kind in Kind}
    wanted |= {f"mechanisms.check.claim.{claim.value}" for claim in Claim}
    wanted |= {f"explore.task.{task}" for task in HOSTS}
    assert wanted - known.keys() == set()


def test_a_text_is_filled_in() -> None:
    assert text("en", "explore.without", value="87 %") == "87 % without attention"
    assert "87 %" in text("zh", "explore.without", value="87 %")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a language"):
        catalogue("fr")
