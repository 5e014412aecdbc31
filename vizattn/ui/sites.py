"""One captured attention as the JSON that the browser's canvas draws it from.

The canvas chooses how to show a site by its "view" alone, never by its kind.
"""

from __future__ import annotations

import math
from functools import singledispatch

from models.affinities.forms import (
    Boxes,
    ComposedForm,
    CrossForm,
    Form,
    GroupedForm,
    ProductForm,
    SparseForm,
)
from models.mechanism import Claim
from vizattn.attention import (
    Activation,
    Captured,
    ChannelAffinity,
    ChannelGate,
    Check,
    Maps,
    ModalityGate,
    PlaceAffinity,
    SpatialGate,
)
from vizattn.features import EdgeGate, FeatureMaps, Table, Weights
from vizattn.labels import (
    check_labels,
    map_labels,
    note_label,
    noun,
    shape_label,
    site_label,
    token_label,
)
from vizattn.texts import LANGUAGES
from vizattn.ui.encoding import Json, Words, floats, grid_numbers, halves, places, spoken


def site(captured: Captured) -> Json:
    """Return a captured attention with its numbers, checks and words.

    Raises:
        ValueError: if the canvas has no view for its class.
    """
    shown = {
        "path": captured.site,
        "title": spoken(lambda language: site_label(language, captured)),
        "kind": captured.kind.value,
        "claim": captured.claim.value,
        "formula": captured.formula,
        "checks": [check_numbers(captured, check) for check in captured.checks],
        "shape": spoken(lambda language: shape_label(language, captured)),
        **contents(captured),
    }
    if captured.note is not None:
        shown["note"] = spoken(lambda language: note_label(language, captured) or "")
    if captured.part_of is not None:
        shown["part_of"] = captured.part_of
    return shown


def check_numbers(captured: Captured, check: Check) -> Json:
    """Return a check as the browser has it, with its words in every language."""
    return {
        "name": check.name,
        "label": spoken(lambda language: check_labels(language, captured, check)[0]),
        "text": spoken(lambda language: check_labels(language, captured, check)[1]),
        # JSON has no infinity, which is what a check of numbers that are none measures.
        "value": check.value if math.isfinite(check.value) else None,
        "limit": check.limit,
        "passed": check.passed,
    }


@singledispatch
def contents(captured: Captured) -> Json:
    """Return a site's view and its numbers.

    Raises:
        ValueError: if the canvas has no view for its class.
    """
    raise ValueError(f"expected a captured kind that the page shows, received {captured!r}")


@contents.register
def _(captured: ChannelGate) -> Json:
    channels = len(captured.values)
    return {
        "view": "channels",
        "gate": {"channels": channels, "values": floats(captured.values)},
        "activation": activation(captured.activation),
    }


@contents.register
def _(captured: SpatialGate) -> Json:
    return {
        "view": "map",
        "map": {"grid": grid_numbers(captured.grid), "values": floats(captured.values)},
    }


@contents.register
def _(captured: ChannelAffinity) -> Json:
    rows = captured.rows.some(range(captured.rows.queries))
    return {
        "view": "matrix",
        "heads": captured.rows.heads,
        "matrix": {"channels": captured.rows.keys, "values": floats(rows)},
        "activation": activation(captured.activation),
    }


@contents.register
def _(captured: PlaceAffinity) -> Json:
    shown: Json = {
        "view": "rows",
        "query_grid": grid_numbers(captured.query_grid),
        "key_grid": grid_numbers(captured.key_grid),
        "heads": captured.rows.heads,
        "affinity": affinity(captured.rows.form()),
        "extra": [_token(name) for name in captured.extra],
        "bands": captured.bands,
    }
    if captured.maps is not None:
        shown |= _maps(captured.maps, Claim.SIGNED)
    return shown


@contents.register
def _(captured: FeatureMaps) -> Json:
    return {"view": "maps", **_maps(captured.maps, captured.claim)}


@contents.register
def _(captured: ModalityGate) -> Json:
    maps = Maps(captured.values, captured.grid, "sense", captured.senses)
    return {"view": "maps", **_maps(maps, captured.claim)}


@contents.register
def _(captured: EdgeGate) -> Json:
    channels, length = captured.values.shape
    return {
        "view": "edges",
        "edges": {
            "axis": captured.axis,
            "channels": channels,
            "length": length,
            "values": floats(captured.values),
            "grid": grid_numbers(captured.grid),
        },
    }


@contents.register
def _(captured: Table) -> Json:
    rows, columns = captured.values.shape
    table: Json = {
        "rows": rows,
        "columns": columns,
        "values": floats(captured.values),
        "row_axis": _noun(captured.row_axis),
        "column_axis": _noun(captured.column_axis),
        "row_labels": _labels(captured.row_maps),
        "column_labels": _labels(captured.column_maps),
        "signed": bool((captured.values < 0).any()),
    }
    for name, maps in (("row_maps", captured.row_maps), ("column_maps", captured.column_maps)):
        if maps is not None:
            table[name] = _map_numbers(maps)
    return {"view": "table", "table": table}


@contents.register
def _(captured: Weights) -> Json:
    return {
        "view": "bars",
        "bars": {"values": floats(captured.values), "labels": None, "axis": _noun(captured.axis)},
    }


def activation(shown: Activation) -> Json:
    """Return what each channel responds to."""
    return {"grid": grid_numbers(shown.grid), "values": floats(shown.values)}


def _maps(maps: Maps, claim: Claim) -> Json:
    signed = claim is Claim.SIGNED and bool((maps.values < 0).any())
    means = maps.values.reshape(len(maps.values), -1).mean(axis=1)
    named = {
        "name": _noun(maps.name),
        "labels": _labels(maps),
        "signed": signed,
        "heads": maps.heads,
    }
    return {"maps": {**_map_numbers(maps), **named}, "summary": floats(means)}


def _map_numbers(maps: Maps) -> Json:
    return {
        "count": len(maps.values),
        "grid": grid_numbers(maps.grid),
        "values": floats(maps.values),
    }


def _noun(name: str) -> Words:
    return spoken(lambda language: noun(language, name))


def _token(name: str) -> Words:
    return spoken(lambda language: token_label(language, name))


def _labels(maps: Maps | None) -> list[Words] | None:
    if maps is None:
        return None
    found = {language: map_labels(language, maps) for language in LANGUAGES}
    several = [labels for labels in found.values() if labels is not None]
    return [dict(zip(found, words, strict=True)) for words in zip(*several, strict=True)] or None


@singledispatch
def affinity(form: Form) -> Json:
    """Return what the browser computes rows from.

    Factors stay as exact as they are, because a softmax makes much of little; weights are halves.

    Raises:
        ValueError: if the browser has no such form.
    """
    raise ValueError(f"expected a form that the browser knows, received {form!r}")


@affinity.register
def _(form: ComposedForm) -> Json:
    return {"form": "composed", "stages": [affinity(stage) for stage in form.stages]}


@affinity.register
def _(form: SparseForm) -> Json:
    shown: Json = {"form": "sparse", "count": form.weights.shape[2], **halves(form.weights)}
    if form.keys is not None:
        shown["keys"] = places(form.keys)
    return _with_regions(shown, form.regions)


@affinity.register
def _(form: ProductForm) -> Json:
    shown = {
        "form": "product",
        "normaliser": "none" if form.normaliser is None else form.normaliser.value,
        "scale": form.scale,
        **_factors(form),
    }
    return _with_regions(shown, form.regions)


@affinity.register
def _(form: CrossForm) -> Json:
    rows, columns = form.size
    return {"form": "cross", "rows": rows, "columns": columns, **_factors(form)}


@affinity.register
def _(form: GroupedForm) -> Json:
    return {"form": "grouped", "scale": form.scale, "groups": places(form.groups), **_factors(form)}


def _factors(form: ProductForm | CrossForm | GroupedForm) -> Json:
    return {
        "dim": form.query.shape[2],
        "query": floats(form.query),
        "key": floats(form.key),
    }


def _with_regions(shown: Json, boxes: Boxes | None) -> Json:
    return shown if boxes is None else shown | {"regions": _regions(boxes)}


def _regions(boxes: Boxes) -> Json:
    return {"count": len(boxes), "cells": floats(boxes)}
