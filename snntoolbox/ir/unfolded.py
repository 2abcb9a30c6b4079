"""Arrays of a result that are kept small, and made as large as they are to be when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from snntoolbox.ir.node import Array

_SHORT = (np.uint8, np.uint16)


class Unfolded(Mapping[str, Array]):
    """Arrays that are made of `small` ones when they are first asked for: most runs ask for few, and all take room."""

    def __init__(self, small: Mapping[str, Array], make: Mapping[str, Callable[[Array], Array]]) -> None:
        self.small, self.make = dict(small), make
        self.made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self.made:
            self.made[name] = self.make[name](self.small[name])
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.small)

    def __len__(self) -> int:
        return len(self.small)


def folded(arrays: Mapping[str, Array]) -> Mapping[str, Array]:
    """The same, with whole numbers in one byte or two where they fit; what is unfolded has their types and values."""
    if isinstance(arrays, Unfolded):
        return arrays
    small = {name: _short(array) for name, array in arrays.items()}
    return Unfolded(small, {name: partial(np.asarray, dtype=array.dtype) for name, array in arrays.items()})


def _short(array: Array) -> Array:
    """An array in the least of `_SHORT` that holds it, else as it is."""
    if array.dtype.kind not in "iu" or not array.size:
        return array
    low, high = array.min(), array.max()
    kept = (t for t in _SHORT if low >= 0 and high <= np.iinfo(t).max and np.dtype(t).itemsize < array.itemsize)
    return array.astype(next(kept, array.dtype), copy=False)
