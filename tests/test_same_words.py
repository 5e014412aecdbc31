"""The page, in the browser's language, and the library say the same sentence of the same map."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.test_views import analysis, rows, signed
from vizattn.geometry import Framing, Grid
from vizattn.texts import LANGUAGES, catalogue
from vizattn.views import Selection, view
from vizattn.words import sentence

PROGRAM = """
import {
  placeSentence, spatialSentence, gateSentence, channelRowSentence,
} from "%(folder)s/words.js";
import { speaker } from "%(folder)s/format.js";
import { extent } from "%(folder)s/statistics.js";
import { readFileSync } from "node:fs";
const SAY = {
  place: (map, values, centres, say) =>
    placeSentence(values, centres, map.place, map.picture, map.signed, say),
  spatial: (map, values, centres, say) => spatialSentence(values, extent(values), centres, say),
  gate: (map, values, centres, say) => gateSentence(values, say),
  channel: (map, values, centres, say) => channelRowSentence(values, map.query, say),
};
const { texts, maps } = JSON.parse(readFileSync(0, "utf-8"));
const said = maps.map((map) => SAY[map.kind](
  map, Float32Array.from(map.values), (index) => map.centres[index], speaker(texts)));
console.log(JSON.stringify(said));
"""
PLACES = ((9, 9), (150, 100), (290, 20), (100, 190))


def centres(grid: Grid, framing: Framing) -> list[list[float]]:
    points = (framing.to_original(grid.centre(index)) for index in range(len(grid)))
    return [(np.array(point) / framing.original).tolist() for point in points]


def cases(language: str) -> list[tuple[dict[str, Any], str]]:
    """Return maps of every kind as the page has them, with our sentence of each."""
    found: list[tuple[dict[str, Any], str]] = []
    for seen in (rows(), signed()):
        width, height = seen.framing.original
        grid = seen.sites[0].query_grid
        for at in PLACES:
            (heat,) = view(seen, Selection(at=at))
            cell = grid.centre(seen.query_at(at))
            known = {
                "kind": "place",
                "values": heat.values.ravel().tolist(),
                "centres": centres(heat.grid, seen.framing),
                "place": seen.framing.to_original(cell),
                "picture": {"width": width, "height": height},
                "signed": heat.signed,
            }
            found.append((known, sentence(seen, Selection(at=at), language)))
    cbam = analysis("classify", "cbam")
    gate, spatial = cbam.sites[:2]
    bars = {"kind": "gate", "values": gate.values.tolist()}
    found.append((bars, sentence(cbam, Selection(gate.site), language)))
    places = centres(spatial.grid, cbam.framing)
    drawn = {"kind": "spatial", "values": spatial.values.ravel().tolist(), "centres": places}
    found.append((drawn, sentence(cbam, Selection(spatial.site), language)))
    danet = analysis("segment", "danet")
    for channel in (0, 40):
        row = danet["context.channel"].rows.row(channel)[0]
        said = sentence(danet, Selection("context.channel", channel=channel), language)
        found.append(({"kind": "channel", "values": row.tolist(), "query": channel}, said))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_the_same(language: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js to run the page's words without a browser")
    maps, ours = zip(*cases(language), strict=True)
    area = "canvas."
    texts = {
        key.removeprefix(area): value
        for key, value in catalogue(language).items()
        if key.startswith(area)
    }
    done = subprocess.run(
        [node, "--input-type=module", "-e", PROGRAM % {"folder": ROOT / "assets" / "canvas"}],
        input=json.dumps({"texts": texts, "maps": maps}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(done.stdout) == list(ours)
