"""Compiles plain loops with Numba where it is installed, with the vector forms of their inner parts."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from snntoolbox.errors import BackendError

Loop = Callable[..., None]

PATIENCE = 2.0
"""Seconds of work on the general path from which on a run is worth loading compiled loops for."""

AT_HAND = 20
"""How many times less work is worth it where Numba has been imported."""


@cache
def installed() -> bool:
    """Whether Numba can be imported; it is not imported for that."""
    return find_spec("numba") is not None


def pays(seconds: float) -> bool:
    """Whether compiled loops are worth it for work of so many seconds on the general path: more so once Numba is here.
    """
    return installed() and seconds >= (PATIENCE / AT_HAND if "numba" in sys.modules else PATIENCE)


@cache
def compiled(loop: Loop) -> Loop:
    """The loop as machine code, kept on disk between runs where there is a place for it.

    Strict floating point: the same roundings in the same order as written, whatever the machine.
    """
    if not installed():
        raise BackendError("Numba is not installed", hint="pip install 'snntoolbox[fast]', or engine = dense")
    import numba

    for forms in ("compiled", "neurons", "neurons_tree", "products_tile", "products_fixed", "events_spread"):
        importlib.import_module(f"snntoolbox.engine.fast.{forms}_intrinsics")
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        place = numba.njit(cache=True, **options)(loop).stats.cache_path
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(**options)(loop)  # type: ignore[no-any-return]
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(Path(place) / sources())
    try:
        return numba.njit(cache=True, **options)(loop)  # type: ignore[no-any-return]
    finally:
        numba.config.CACHE_DIR = before


@cache
def sources() -> str:
    """A digest of all files that loops are made of, which machine code is kept under.

    Numba compares that of the loop alone: after a change in another, as of an update, the old code would run on.
    """
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def in_parallel(loop: Loop, units: int, *arguments: Any) -> None:
    """``loop(*arguments, first, last)`` over all units of work, split evenly over as many threads as torch uses."""
    threads = min(torch.get_num_threads(), units)
    if threads < 2:
        loop(*arguments, 0, units)
        return
    ends = [units * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(loop, *arguments, *ends[i : i + 2]) for i in range(1, threads)]
        loop(*arguments, 0, ends[1])
        for other in others:
            other.result()
