"""Rows from their forms in plain NumPy, as another program computes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.affinities.forms import ComposedForm, CrossForm, Form, GroupedForm, ProductForm
from models.affinity import Normaliser

Rows = NDArray[np.float64]


def keys_of(form: Form) -> int:
    """Return how many keys a form's rows have, or -1 where it does not say."""
    if isinstance(form, ComposedForm):
        return keys_of(form.stages[-1])
    if isinstance(form, ProductForm | CrossForm | GroupedForm):
        return form.key.shape[1]
    return -1 if form.regions is None else len(form.regions)


def row(form: Form, query: int, keys: int, shape: tuple[int, int]) -> Rows:
    """Return one row of every head over the cells of the keys' map.

    Args:
        form: the form.
        query: which query.
        keys: how many keys there are, where the form does not say.
        shape: rows and columns of the keys' map.
    """
    if isinstance(form, ComposedForm):
        found = _plain(form.stages[0], query, keys)
        for stage in form.stages[1:]:
            carried = np.zeros_like(found)
            for each in range(found.shape[1]):
                carried += found[:, each : each + 1] * _plain(stage, each, keys)
            found = carried
        return found
    found = _plain(form, query, keys)
    if isinstance(form, CrossForm | GroupedForm) or form.regions is None:
        return found
    placed = np.zeros((len(found), *shape))
    for key, (left, top, right, bottom) in enumerate(form.regions.astype(int)):
        area = (right - left) * (bottom - top)
        placed[:, top:bottom, left:right] += found[:, key, None, None] / area
    return placed.reshape(len(found), -1)


def _plain(form: Form, query: int, keys: int) -> Rows:
    assert not isinstance(form, ComposedForm)
    if isinstance(form, ProductForm):
        asked, told = form.query[:, query].astype(np.float64), form.key.astype(np.float64)
        return _normalised(form.scale * np.einsum("hd,hkd->hk", asked, told), form.normaliser)
    if isinstance(form, CrossForm | GroupedForm):
        return _among(form, query)
    if form.keys is None:
        return form.weights[:, query].astype(np.float64)
    count = keys if form.regions is None else len(form.regions)
    heads = form.weights.shape[0]
    found = np.zeros((heads, count + 1))
    for head in range(heads):
        listed = form.keys[head if len(form.keys) > 1 else 0, query]
        np.add.at(found[head], listed, form.weights[head, query])
    # An index of -1 is the last one: what is given to no key lies there.
    return found[:, :count]


def _among(form: CrossForm | GroupedForm, query: int) -> Rows:
    places = np.arange(form.key.shape[1])
    if isinstance(form, GroupedForm):
        scale, heard = form.scale, form.groups == form.groups[query]
    else:
        columns = form.size[1]
        scale, heard = 1.0, places // columns == query // columns
        heard |= places % columns == query % columns
    asked, told = form.query[:, query].astype(np.float64), form.key.astype(np.float64)
    logits = scale * np.einsum("hd,hkd->hk", asked, told)
    return _normalised(np.where(heard, logits, -np.inf), Normaliser.SOFTMAX)


def _normalised(logits: Rows, normaliser: Normaliser | None) -> Rows:
    if normaliser is Normaliser.SOFTMAX:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: Rows = powers / powers.sum(axis=1, keepdims=True)
        return shares
    if normaliser is None:
        return logits
    kept = np.maximum(logits, 0) if normaliser is Normaliser.RELU_MEAN else logits
    return kept / logits.shape[1]
