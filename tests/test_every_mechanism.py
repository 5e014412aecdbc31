"""Every variant of every mechanism through the whole engine: captured, checked, sent, drawn, kept.

The host is a stem that makes what the variant takes from a small picture, so that one cell of its
map is one pixel of the model's input.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from models.affinities.forms import (
    ComposedForm,
    CrossForm,
    Form,
    GroupedForm,
    ProductForm,
    SparseForm,
)
from models.affinity import Normaliser
from models.mechanism import Kind, blocks_of, mechanisms
from models.structure import structure_of
from models.weights import Card
from tests.rows_of_forms import row
from tests.test_mechanisms import CHANNELS, VARIANTS, built
from vizattn.analysis import Analysis, Classification
from vizattn.attention import Captured, PlaceAffinity
from vizattn.export import save_all, save_arrays
from vizattn.facts import summary
from vizattn.features import FeatureMaps
from vizattn.geometry import Framing, lift
from vizattn.intake import read_picture
from vizattn.labels import shape_label, site_label
from vizattn.networks import Network
from vizattn.passes import run
from vizattn.readings import READERS
from vizattn.seen import NoOverlay, Seen
from vizattn.texts import LANGUAGES
from vizattn.truth import sites_of
from vizattn.ui.payload import payload
from vizattn.views import Bars, Scale, Selection, UnknownChannel, UnknownToken, resolve, view
from vizattn.words import sentence

SIZES = ((12, 10), (9, 13))
ENLARGED = 4
"""original pixels along each side of a model pixel"""
LIMIT = 1e-3
"""of the largest weight of a row: what the browser computes may be off by"""
every = pytest.mark.parametrize(("slug", "variant"), VARIANTS)


class Host(nn.Module):
    """A stem that makes all inputs of a variant from one picture, and the variant."""

    def __init__(self, slug: str, variant: str) -> None:
        super().__init__()
        self.subject = built(slug, variant)
        self._slug, self._variant = slug, variant

    def forward(self, image: Tensor) -> Any:
        shapes_of = mechanisms()[self._slug].inputs.get(self._variant, lambda *shape: [shape])
        rows, columns = image.shape[2:]
        generator = torch.Generator().manual_seed(2)
        shapes = shapes_of(len(image), CHANNELS, rows, columns)
        return self.subject(*(_made(image, shape, generator) for shape in shapes))


def _made(image: Tensor, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return something of a shape that depends on what is at each place of the picture."""
    channels = shape[1] if len(shape) != 3 else shape[2]
    kernel = torch.randn(channels, 3, 3, 3, generator=generator)
    mixed = F.conv2d(image, kernel, padding=1)
    if len(shape) == 4:
        return F.adaptive_avg_pool2d(mixed, shape[2:])
    return mixed.mean(dim=(2, 3)) if len(shape) == 2 else mixed.flatten(2).transpose(1, 2)


@cache
def analysis_of(slug: str, variant: str, size: tuple[int, int]) -> Analysis:
    multiple = mechanisms()[slug].multiple
    rows, columns = (-(-side // multiple) * multiple for side in size)
    pixels = np.random.default_rng(0).integers(0, 255, (rows, columns, 3), dtype=np.uint8)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 128 - 1
    host = Host(slug, variant)
    _, firings = run(host, image)
    original = (columns * ENLARGED, rows * ENLARGED)
    framing = Framing(original, (columns, rows), (0, 0), (columns, rows))
    picture = read_picture(Image.fromarray(pixels).resize(original))
    network = Network(slug, host, _card(slug), torch.device("cpu"))
    sites = sites_of(host, firings, 0, framing)
    return Analysis(network, picture, framing, Classification(("any",), np.ones(1)), sites)


def _card(slug: str) -> Card:
    metric = {"accuracy": 1.0, "count": 1}
    return Card(slug, "classify", slug, None, "", metric, {"classes": ["any"]})


def numbers(text: str, kind: str = "<f4") -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=kind)


def form_of(sent: dict[str, Any], heads: int, queries: int) -> Form:
    """Return the form that a browser reads from what it is sent."""
    if sent["form"] == "composed":
        stages = tuple(form_of(stage, heads, queries) for stage in sent["stages"])
        return ComposedForm(stages)
    areas = sent.get("regions")
    boxes = None if areas is None else numbers(areas["cells"]).reshape(areas["count"], 4)
    if sent["form"] == "sparse":
        keys = keys_of(sent["keys"]).reshape(-1, queries, sent["count"]) if "keys" in sent else None
        weights = numbers(sent["halves"], "<f2").reshape(heads, queries, -1).astype(np.float32)
        return SparseForm(keys, weights * numbers(sent["factors"]).reshape(heads, -1, 1), boxes)
    query, key = (numbers(sent[side]).reshape(heads, -1, sent["dim"]) for side in ("query", "key"))
    if sent["form"] == "cross":
        return CrossForm(query, key, (sent["rows"], sent["columns"]))
    if sent["form"] == "grouped":
        return GroupedForm(query, key, sent["scale"], keys_of(sent["groups"]))
    named = None if sent["normaliser"] == "none" else Normaliser(sent["normaliser"])
    return ProductForm(query, key, sent["scale"], named, boxes)


def keys_of(sent: dict[str, Any]) -> np.ndarray:
    """Return numbers of keys, -1 for none."""
    if sent["bytes"] == 4:
        return numbers(sent["values"], "<i4")
    short = numbers(sent["values"], "<u2").astype(np.int32)
    return np.where(short == 2**16 - 1, -1, short)


def check_rows(captured: PlaceAffinity, sent: dict[str, Any]) -> None:
    """Rows from what the browser is sent are the captured rows, over tokens."""
    rows, grid = captured.rows, captured.key_grid
    form = form_of(sent["affinity"], sent["heads"], rows.queries)
    some = sorted({0, rows.queries // 3, rows.queries - 1})
    together = rows.some(some)
    for index, query in enumerate(some):
        alone = rows.row(query)
        np.testing.assert_allclose(together[:, index], alone, rtol=1e-4, atol=1e-7)
        found = row(form, query, rows.keys, (grid.rows, grid.columns))
        assert np.abs(found - alone).max() <= LIMIT * np.abs(alone).max()


def check_places(captured: PlaceAffinity, framing: Framing) -> None:
    """One lit cell lights exactly its own box of the original."""
    for grid in {captured.query_grid, captured.key_grid}:
        cell = grid.cell_at(framing.to_model((framing.original[0] / 2, framing.original[1] / 2)))
        lit = np.zeros((grid.rows, grid.columns))
        lit.flat[cell] = 1
        left, top, right, bottom = framing.box_to_original(grid.box(cell))
        x, y = (np.arange(side) + 0.5 for side in framing.original)
        inside = np.outer((y >= top) & (y < bottom), (x >= left) & (x < right))
        np.testing.assert_array_equal(lift(lit, grid, framing) > 0, inside)


@pytest.mark.parametrize("size", SIZES, ids=str)
@every
def test_everything_is_captured_true_and_sent(
    slug: str, variant: str, size: tuple[int, int]
) -> None:
    analysis = analysis_of(slug, variant, size)
    assert analysis.sites
    failed = {
        each.site: [check for check in each.checks if not check.passed] for each in analysis.sites
    }
    assert not any(failed.values()), failed
    sent = payload(analysis, {})["sites"]
    json.dumps(sent, allow_nan=False)
    for captured, shown in zip(analysis.sites, sent, strict=True):
        assert shown["path"] == captured.site
        if isinstance(captured, PlaceAffinity):
            check_rows(captured, shown)
            check_places(captured, analysis.framing)


@every
def test_every_tap_is_a_site_behind_its_block(slug: str, variant: str) -> None:
    analysis = analysis_of(slug, variant, SIZES[0])
    sites = [each.site for each in analysis.sites]
    module = analysis.network.module
    declared = structure_of(module)
    assert set(declared.taps) | set(blocks_of(module)) <= set(sites)
    owners = {each.site: each.part_of for each in analysis.sites if each.part_of is not None}
    for site, owner in owners.items():
        assert sites.index(owner) < sites.index(site)
        steps = sites[sites.index(owner) + 1 : sites.index(site)]
        assert all(owners.get(step) == owner for step in steps), "nothing in between"
    several = {site.partition("#")[0] for site in sites if site.endswith(("#composed", "#rollout"))}
    assert several == set(declared.passes)


@every
def test_everything_has_drawables_and_words(slug: str, variant: str) -> None:
    analysis = analysis_of(slug, variant, SIZES[0])
    for captured in analysis.sites:
        chosen = resolve(analysis, Selection(captured.site))
        for scale in Scale:
            for drawn in view(analysis, chosen, scale):
                assert drawn.low < drawn.high
                assert np.isfinite(drawn.values).all()
                assert all(drawn.title.text(language) for language in LANGUAGES)
        for language in LANGUAGES:
            assert site_label(language, captured) and shape_label(language, captured)
            assert sentence(analysis, chosen, language)


def one_of_each() -> list[tuple[str, str, str]]:
    """Return a variant and a site for every pair of a captured class and a kind."""
    found: dict[tuple[type[Captured], Kind], tuple[str, str, str]] = {}
    for slug, variant in VARIANTS:
        for each in analysis_of(slug, variant, SIZES[0]).sites:
            found.setdefault((type(each), each.kind), (slug, variant, each.site))
    return list(found.values())


def test_every_kind_is_met() -> None:
    met = {
        each.kind
        for slug, variant in VARIANTS
        for each in analysis_of(slug, variant, SIZES[0]).sites
    }
    assert met == set(READERS)


def test_every_kind_is_drawn_and_kept(tmp_path: Path) -> None:
    for number, (slug, variant, site) in enumerate(one_of_each()):
        analysis = analysis_of(slug, variant, SIZES[0])
        folder = tmp_path / str(number)
        paths = save_all(analysis, folder, Selection(site))
        assert all(path.stat().st_size for path in paths)
        with np.load(folder / "attention.npz") as arrays:
            assert {f"{each.site}" for each in analysis.sites} <= {
                name.rpartition("/")[0] for name in arrays.files
            }


def test_facts_say_what_belongs_to_what() -> None:
    facts = summary(analysis_of("rga", "", SIZES[0]))["sites"]
    by_site = {each["site"]: each for each in facts}
    assert by_site["subject.spatial.outgoing"]["part_of"] == "subject.spatial"
    assert by_site["subject.spatial"]["part_of"] is None
    eanet = summary(analysis_of("eanet", "", SIZES[0]))["sites"]
    assert "no row" in eanet[0]["note"]


def test_the_row_of_a_class_token(tmp_path: Path) -> None:
    analysis = analysis_of("vit", "", SIZES[0])
    captured = analysis.sites[0]
    assert isinstance(captured, PlaceAffinity)
    assert captured.extra == ("class_token",)
    chosen = Selection(captured.site, head=1, token="class_token")
    heat = view(analysis, chosen)[0]
    exact = captured.rows.row(0)
    np.testing.assert_array_equal(heat.values.ravel(), exact[1, 1:])
    assert "class token" in sentence(analysis, chosen)
    path = save_arrays(analysis, chosen, tmp_path / "rows.npz")
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays[f"{captured.site}/row_tokens"], exact[:, :1])
    with pytest.raises(UnknownToken, match="choose one of class_token"):
        resolve(analysis, Selection(captured.site, token="register"))
    with pytest.raises(UnknownToken, match="are places"):
        resolve(analysis_of("danet", "position", SIZES[0]), Selection(token="class_token"))


def test_a_map_a_row_or_an_item_can_be_chosen() -> None:
    analysis = analysis_of("strip_pooling", "", SIZES[0])
    assert "mean of 32 channels" in sentence(analysis)
    heat, bars = view(analysis, Selection(channel=3))
    captured = analysis.sites[0]
    assert isinstance(captured, FeatureMaps)
    np.testing.assert_array_equal(heat.values, captured.maps.values[3])
    assert isinstance(bars, Bars)
    assert bars.chosen == 3
    with pytest.raises(UnknownChannel, match="channel 99"):
        resolve(analysis, Selection(channel=99))


def test_the_first_site_shown_is_no_step() -> None:
    assert analysis_of("rga", "", SIZES[0]).site().part_of is None


def test_what_is_nowhere_has_no_overlay() -> None:
    seen = Seen(analysis_of("condconv", "", SIZES[0]))
    with pytest.raises(NoOverlay, match="no place in the picture"):
        seen.overlay()
    assert seen.figure().to_png()


def test_padding_and_shrinking_keep_places() -> None:
    """Cells lie where the layers before put them, not where a map of that size would."""
    isa = analysis_of("isa", "", (9, 13)).sites[0]
    assert isinstance(isa, PlaceAffinity)
    assert (isa.query_grid.rows, isa.query_grid.columns) == (10, 15)
    for x, y in ((0.5, 0.5), (7.5, 4.5), (12.5, 8.5)):
        row, column = divmod(isa.query_grid.cell_at((x, y)), 15)
        assert (row, column) == (int(y), int(x) + 1), "1 column of padding to the left"
    shrunk = analysis_of("psanet", "plain", (9, 13)).sites[0]
    assert isinstance(shrunk, PlaceAffinity)
    grid = shrunk.query_grid
    assert (grid.rows, grid.columns) == (5, 7)
    assert grid.centre(0) == pytest.approx((0.5, 0.5))
    assert grid.centre(len(grid) - 1) == pytest.approx((12.5, 8.5))


def test_a_rollout_is_the_product_over_its_layers() -> None:
    analysis = analysis_of("vit", "map", SIZES[0])
    *layers, rolled = (each for each in analysis.sites if isinstance(each, PlaceAffinity))
    assert rolled.site == "subject#rollout"
    together = np.eye(rolled.rows.keys)
    for layer in layers:
        mean = layer.rows.some(range(layer.rows.queries)).mean(axis=0)
        together = (mean + np.eye(len(mean))) / 2 @ together
    found = rolled.rows.some(range(rolled.rows.queries))[0]
    np.testing.assert_allclose(found, together, atol=1e-6)


def test_two_passes_reach_what_one_does_not() -> None:
    analysis = analysis_of("ccnet", "r2", SIZES[0])
    first, second, both = (
        analysis[f"subject{end}"] for end in (".attend", ".attend#2", "#composed")
    )
    dense = [each.rows.some(range(120))[0] for each in (first, second, both)]  # type: ignore[attr-defined]
    np.testing.assert_allclose(dense[2], dense[1] @ dense[0], atol=1e-6)
    assert (dense[0] == 0).any() and (dense[2] > 0).all()
