"""Recordings in .mat files: the spike trains of ST-MNIST, or events as vectors x, y, time and polarity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array
from snntoolbox.workflow.data.events.recording import BROKEN, Recording

_NAMES = {"x": ("x",), "y": ("y",), "t": ("t", "ts"), "on": ("p", "pol", "polarity", "on")}
_TACTILE = "spiketrain"
_TAXELS = (10, 10)
_KNOWN = "it must hold spiketrain, or x, y, t or ts, p or pol, also as the fields of one structure"


def read_mat(path: Path) -> Recording:
    """The events in a .mat file of MATLAB 4 to 7.2; DataError where it is none, or holds none."""
    try:
        held = loadmat(path, squeeze_me=True, struct_as_record=True)
    except MemoryError:
        raise
    except Exception as error:  # scipy raises whatever its parts do on bytes that are not theirs
        hint = "save it with save -v7; 7.3 is HDF5" if isinstance(error, NotImplementedError) else BROKEN
        raise DataError(f"{path} is no .mat file that can be read ({error})", hint=hint) from None
    if _TACTILE in held:
        return _tactile(path, np.asarray(held[_TACTILE]))
    vectors = next(filter(None, (_vectors(part) for part in (held, *_structures(held)))), None)
    if vectors is None:
        names = ", ".join(name for name in held if not name.startswith("_"))
        raise DataError(f"{path} holds {names or 'nothing'}, and no events", hint=_KNOWN)
    return _from_vectors(path, vectors)


def _structures(held: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The MATLAB structures in a file, as dictionaries."""
    found = (v for v in held.values() if isinstance(v, np.ndarray) and v.dtype.names and v.size == 1)
    return [{name: v[name].item() for name in v.dtype.names or ()} for v in found]


def _vectors(held: Mapping[str, Any]) -> dict[str, Array] | None:
    chosen = {k: next((n for n in names if n in held), "") for k, names in _NAMES.items()}
    return {k: np.atleast_1d(held[n]) for k, n in chosen.items()} if all(chosen.values()) else None


def _from_vectors(path: Path, vectors: Mapping[str, Array]) -> Recording:
    """Polarities 0 and 1, or -1 and 1; or 1 and 2, where all is counted from 1 as MATLAB does."""
    if any(v.ndim != 1 or v.dtype.kind not in "buif" or not np.isfinite(v).all() for v in vectors.values()):
        raise DataError(f"{path}: x, y, time and polarity are not vectors of numbers", hint=_KNOWN)
    if len({len(v) for v in vectors.values()}) > 1:
        raise DataError(f"{path}: x, y, time and polarity are not equally long", hint=BROKEN)
    if any((v != np.round(v)).any() for v in vectors.values()):
        raise DataError(f"{path}: x, y, time or polarity are no whole numbers", hint="times must be in µs")
    polarity = vectors["on"].astype(np.int64)
    if not np.isin(polarity, (-1, 0, 1, 2)).all():
        raise DataError(f"{path}: polarities are neither 0 and 1, nor -1 and 1, nor 1 and 2", hint=BROKEN)
    first = int(2 in polarity)
    return Recording.of(vectors["t"], vectors["x"] - first, vectors["y"] - first, polarity > first)


def _tactile(path: Path, trains: Array) -> Recording:
    """ST-MNIST (H. H. See et al. 2020): a row of -1, 0, 1 for each of 10 x 10 sensors, the last row seconds."""
    sensors = _TAXELS[0] * _TAXELS[1]
    if trains.ndim != 2 or len(trains) != sensors + 1 or trains.dtype.kind not in "if":
        told = f"{_TACTILE} has shape {trains.shape}, not ({sensors + 1}, times)"
        raise DataError(f"{path}: {told}", hint="ST-MNIST has 100 rows of -1, 0, 1 and one of seconds")
    if not np.isfinite(trains).all() or not np.isin(trains[:sensors], (-1, 0, 1)).all():
        raise DataError(f"{path}: {_TACTILE} holds other values than -1, 0 and 1", hint=BROKEN)
    times, sensor = np.nonzero(trains[:sensors].T)
    microseconds = np.round(trains[sensors] * 1e6).astype(np.int64)[times]
    return Recording.of(
        microseconds, sensor % _TAXELS[0], sensor // _TAXELS[0], trains[sensor, times] > 0, _TAXELS
    )
