"""Tap: an identity module where attention passes, so that a hook can read or replace it."""

from __future__ import annotations

from typing import Any

from torch import nn


class Tap(nn.Module):
    """Return the attention that it is given, unchanged.

    A tap stands between what makes attention (g) and what applies it (f). A forward hook on
    the tap reads the value; a hook that returns another value replaces it. The value is a
    tensor for a gate and an object of ``models.affinity`` for pairwise attention, whose
    N x N matrix is never built.
    """

    def forward(self, attention: Any) -> Any:
        return attention


def taps_of(module: nn.Module) -> dict[str, Tap]:
    """Return every tap inside a module by its dotted path."""
    return {path: child for path, child in module.named_modules() if isinstance(child, Tap)}
