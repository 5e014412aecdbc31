"""The page, in the browser's language, and the library say the same sentence of the same site."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from models.affinity import Normaliser, ProductAffinity
from models.mechanism import Claim
from tests.conftest import ROOT
from tests.test_every_mechanism import SIZES, analysis_of, one_of_each
from tests.test_views import analysis, rows, signed, with_affinity
from vizattn.analysis import Analysis
from vizattn.attention import PlaceAffinity
from vizattn.texts import LANGUAGES, catalogue, text
from vizattn.ui.payload import payload
from vizattn.views import Selection, heads_of, place_row, resolve
from vizattn.words import sentence

PROGRAM = """
import { openSite } from "%(folder)s/sites/index.js";
import { speaker } from "%(folder)s/format.js";
import { inLanguage } from "%(folder)s/spoken.js";
import { firstState } from "%(folder)s/state.js";
import { readFileSync } from "node:fs";
const { texts, language, cases } = JSON.parse(readFileSync(0, "utf-8"));
const said = cases.map(({ payload, selection, token }) => {
  const own = inLanguage({ ...payload, selection }, language);
  const state = { ...firstState(own), token };
  const [site] = own.sites;
  const scene = { framing: own.framing, picture: own.picture, segmentation: null };
  const shown = openSite(site, scene, site.view);
  const map = site.view === "rows" ? Array.from(shown.drawn(state)) : null;
  return { sentence: shown.sentence(state, speaker(texts)), map };
});
console.log(JSON.stringify(said));
"""
MORE = (
    ("ann", "apnb", "subject.gather.0"),
    ("psanet", "", "subject.attend.distribute"),
    ("ccnet", "r2", "subject#composed"),
    ("dgmn", "", "subject.levels.0"),
    ("isa", "", "subject.stages.0.short"),
    ("ocnet", "pyramid_oc", "subject.stages.2"),
    ("dnl", "", "subject"),
    ("hamnet", "vq", "subject.rebuild"),
    ("sgr", "", "subject.vote"),
    ("gcnet", "", "subject"),
    ("sasa", "", "subject"),
    ("bam", "", "subject.spatial_logit"),
    ("sca_cnn", "", "subject.channel"),
    ("sca_cnn", "", "subject.spatial"),
    ("fca", "", "subject.frequency"),
    ("rga", "", "subject.channel.outgoing"),
)
"""affinities of forms that the first site of a kind does not have"""
LIMIT = 1e-3
"""of the largest weight: what the browser's row may be off by"""


@dataclass(frozen=True)
class Case:
    """One site, and what is selected of it."""

    seen: Analysis
    selection: Selection

    def sent(self) -> dict[str, Any]:
        """Return what the page is given, and what is chosen there."""
        chosen = self.selection
        captured = self.seen[str(chosen.site)]
        alone = replace(self.seen, sites=(captured,))
        head = "mean" if heads_of(captured) > 1 and chosen.head is None else chosen.head or 0
        selection = {"site": chosen.site, "head": head, "at": chosen.at, "channel": chosen.channel}
        token = None
        if chosen.token is not None and isinstance(captured, PlaceAffinity):
            token = captured.extra.index(chosen.token)
        return {"payload": payload(alone, {}), "selection": selection, "token": token}


def losing_weight() -> Analysis:
    """Return rows that sum to less than 1, as where a network surrounds its map with zeros."""
    factors = rows().sites[0].rows.factors()
    query, key = factors.query.abs(), factors.key.abs()
    largest = float((query @ key.mT).mean(dim=-1).max())
    scale = 0.9 / largest
    return with_affinity(ProductAffinity(query, key, scale, Normaliser.MEAN), Claim.SIMPLEX)


def cases() -> list[Case]:
    """Return a site of every kind and of every form of rows, asked at a place and not."""
    found = [
        Case(seen, Selection("context", at=at))
        for seen in (rows(), signed(), losing_weight())
        for at in ((9, 9), (150, 100), (290, 20), (100, 190))
    ]
    danet = analysis("segment", "danet")
    found += [Case(danet, Selection("context.channel", channel=channel)) for channel in (0, 40)]
    for slug, variant, site in (*one_of_each(), *MORE):
        seen = analysis_of(slug, variant, SIZES[0])
        captured = seen[site]
        found.append(Case(seen, Selection(site, at=(11.0, 30.0))))
        if not isinstance(captured, PlaceAffinity):
            found += [Case(seen, Selection(site)), Case(seen, Selection(site, channel=1))]
        elif captured.extra:
            found.append(Case(seen, Selection(site, head=1, token=captured.extra[0])))
    return found


def said_by_the_page(asked: list[Case], language: str) -> list[dict[str, Any]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js to run the page's words without a browser")
    area = "canvas."
    texts = {
        key.removeprefix(area): value
        for key, value in catalogue(language).items()
        if key.startswith(area)
    }
    given = {"texts": texts, "language": language, "cases": [case.sent() for case in asked]}
    done = subprocess.run(
        [node, "--input-type=module", "-e", PROGRAM % {"folder": ROOT / "assets" / "canvas"}],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_the_same(language: str) -> None:
    asked = cases()
    said = said_by_the_page(asked, language)
    ours = [sentence(case.seen, case.selection, language) for case in asked]
    theirs = [each["sentence"] for each in said]
    different = {
        f"{case.seen.network.name} {case.selection}": pair
        for case, pair in zip(asked, zip(theirs, ours, strict=True), strict=True)
        if pair[0] != pair[1]
    }
    assert different == {}
    beyond = text(language, "canvas.sentence.outside", share="|").partition("|")[2]
    assert any(beyond in each["sentence"] for each in said), "rows that lose weight say so"


def test_the_page_draws_the_same_rows() -> None:
    asked = [
        case for case in cases() if isinstance(case.seen[str(case.selection.site)], PlaceAffinity)
    ]
    for case, said in zip(asked, said_by_the_page(asked, "en"), strict=True):
        chosen = resolve(case.seen, case.selection)
        captured = case.seen[str(chosen.site)]
        assert isinstance(captured, PlaceAffinity)
        exact = place_row(captured, case.seen, chosen).ravel()
        off = np.abs(np.array(said["map"]) - exact).max()
        assert off <= LIMIT * np.abs(exact).max(), (case.seen.network.name, chosen.site)
