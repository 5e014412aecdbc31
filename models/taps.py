"""Tap: an identity module where attention passes, so that a hook can read or replace it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import Tensor, nn

Listener = Callable[[nn.Module, Any, tuple[Tensor, ...], Tensor], None]
"""hears of a pass: the block, the attention as it was applied, the block's inputs, its output"""
TapListener = Callable[[nn.Module, Any], None]
"""hears of what passes a tap: the tap, and what came out of it"""
_LISTENERS: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())
_TAP_LISTENERS: ContextVar[tuple[TapListener, ...]] = ContextVar("tap_listeners", default=())


class Tap(nn.Module):
    """Return the attention that it is given, unchanged.

    A tap stands between what makes attention (g) and what applies it (f). A forward hook on
    the tap reads the value; a hook that returns another value replaces it. The value is a
    tensor for a gate and an object of ``models.affinity`` for pairwise attention, whose
    N x N matrix is never built. What comes out, after all hooks, is told to whoever listens.
    """

    def __call__(self, attention: Any) -> Any:
        passed = super().__call__(attention)
        for listener in _TAP_LISTENERS.get():
            listener(self, passed)
        return passed

    def forward(self, attention: Any) -> Any:
        return attention


def taps_of(module: nn.Module) -> dict[str, Tap]:
    """Return every tap inside a module by its dotted path."""
    return {path: child for path, child in module.named_modules() if isinstance(child, Tap)}


@contextmanager
def listening(listener: Listener, at_taps: TapListener | None = None) -> Iterator[None]:
    """Tell a listener of every attention block that this thread runs meanwhile.

    Nothing is attached to any module, so that nothing can stay behind, other threads are not
    heard, and a pass takes hardly longer: hooks on every tap and block cost five times as much.

    Args:
        listener: hears of blocks, when they return.
        at_taps: hears of every tap, also of those inside a block, before the block returns.
    """
    token = _LISTENERS.set((*_LISTENERS.get(), listener))
    heard = _TAP_LISTENERS.get() if at_taps is None else (*_TAP_LISTENERS.get(), at_taps)
    at_token = _TAP_LISTENERS.set(heard)
    try:
        yield
    finally:
        _TAP_LISTENERS.reset(at_token)
        _LISTENERS.reset(token)


def tell(block: nn.Module, attention: Any, x: tuple[Tensor, ...], y: Tensor) -> None:
    """Tell those who listen of one pass through a block."""
    for listener in _LISTENERS.get():
        listener(block, attention, x, y)
