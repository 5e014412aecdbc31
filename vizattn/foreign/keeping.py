"""Tensors that outlive the forward pass, in memory while they are small and else in a file."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from vizattn.foreign.graph import address

MEMORY_LIMIT = 8_000_000
"""bytes that one capture keeps in memory; what is more goes to a file that nobody else sees"""
_PLAIN = 4096
"""bytes up to which a tensor stays in memory whatever the limit"""
_PIECE = 1 << 20
"""bytes that are brought into order at a time: few enough to stay in a cache meanwhile"""
_WHOLE_NUMBERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Kept:
    """A tensor as it is now: also when the network writes into its memory later.

    While the network runs it is the network's own tensor; ``Keeper.settle`` makes it independent.
    """

    __slots__ = ("__weakref__", "_stored", "dtype", "shape")

    def __init__(self, tensor: Tensor) -> None:
        self._stored: Tensor | _Filed = tensor
        self.shape = tuple(tensor.shape)
        self.dtype = tensor.dtype

    @property
    def tensor(self) -> Tensor:
        """Return the tensor; from the file, its pages are read when they are used."""
        return self._stored if isinstance(self._stored, Tensor) else self._stored.read()

    @property
    def filed(self) -> bool:
        """Return whether it lies in the file."""
        return not isinstance(self._stored, Tensor)


class _Filed:
    """Where a tensor lies in the file."""

    __slots__ = ("_dtype", "_file", "_offset", "_shape")

    def __init__(self, file: IO[bytes], offset: int, tensor: Tensor) -> None:
        self._file = file
        self._offset = offset
        self._shape = tuple(tensor.shape)
        self._dtype = tensor.dtype

    def read(self) -> Tensor:
        count = int(np.prod(self._shape)) * self._dtype.itemsize
        pages = np.memmap(self._file, np.uint8, "c", self._offset, (count,))
        return torch.from_numpy(pages).view(self._dtype).view(self._shape)


class Keeper:
    """Keeps tensors for one capture.

    Args:
        limit: bytes that stay in memory.
    """

    def __init__(self, limit: int = MEMORY_LIMIT) -> None:
        self._limit = limit
        self._held = 0
        self._file: IO[bytes] | None = None
        self._end = 0
        self._loose: dict[int, weakref.WeakSet[Kept]] = {}
        self._settled = WeakTensorKeyDictionary()
        self._lock = threading.Lock()

    def keep(self, tensor: Tensor) -> Kept:
        """Return a tensor kept as it is now; it costs nothing until it is written into."""
        kept = Kept(tensor)
        self._loose.setdefault(address(tensor), weakref.WeakSet()).add(kept)
        return kept

    def before_writing(self, target: Tensor) -> None:
        """Copy what is kept and shares memory with a tensor that is about to be written into."""
        where = address(target)
        for kept in self._loose.pop(where, ()):
            if not kept.filed:
                kept._stored = kept.tensor.clone()
        for each in [each for each in self._settled if address(each) == where]:
            del self._settled[each]

    def settle(self, kept: Kept) -> Kept:
        """Return what is kept, now independent of the network: copied, or written to the file."""
        if kept.filed:
            return kept
        tensor = kept.tensor
        loose = self._loose.get(address(tensor))
        if loose is not None:
            loose.discard(kept)
        # Layers share masks: what is still the same tensor is kept once.
        done: Kept | None = self._settled.get(tensor)
        if done is not None:
            return done
        # Stretched axes are one number wide in memory, and stay so.
        small = tensor[tuple(slice(0, 1) if s == 0 else slice(None) for s in tensor.stride())]
        size = small.numel() * small.element_size()
        if size > _PLAIN and self._held + size > self._limit:
            done = _stretched(self._to_file(small), kept)
        else:
            self._held += size
            done = Kept(small.clone().expand(kept.shape))
        self._settled[tensor] = done
        return done

    def _to_file(self, tensor: Tensor) -> Kept:
        with self._lock:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="vizattn-")  # noqa: SIM115
            plain = tensor.detach().cpu()
            filed = Kept(plain)
            filed._stored = _Filed(self._file, self._end, plain)
            self._file.seek(self._end)
            for piece in _pieces(_as_array(plain)):
                self._file.write(piece.data)
            self._file.flush()
            # Every tensor begins where the memory of all kinds of numbers may begin.
            self._end += -(-plain.nbytes // 64) * 64
        return filed


def _as_array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """Return an array of whole numbers of a tensor's own bytes: NumPy has not all of its types."""
    settled = tensor.resolve_conj().resolve_neg()
    if settled.element_size() not in _WHOLE_NUMBERS:
        settled = torch.view_as_real(settled)
    array: np.ndarray[Any, Any] = settled.view(_WHOLE_NUMBERS[settled.element_size()]).numpy()
    return array


def _pieces(array: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    """Yield an array in order, in pieces that lie in one block of memory each."""
    if array.flags.c_contiguous:
        yield array
    elif array.nbytes <= _PIECE or array.ndim == 1:
        yield np.ascontiguousarray(array)
    elif len(array) == 1:
        yield from _pieces(array[0])
    else:
        rows = max(1, _PIECE * len(array) // array.nbytes)
        for start in range(0, len(array), rows):
            yield from _pieces(array[start : start + rows])


def _stretched(filed: Kept, like: Kept) -> Kept:
    """Return what lies in the file with its stretched axes: views of a file are not copied."""
    return filed if filed.shape == like.shape else Kept(filed.tensor.expand(like.shape))
