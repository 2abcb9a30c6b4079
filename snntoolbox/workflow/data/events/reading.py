"""The reader of each kind of recording, by the ending of its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from snntoolbox.errors import DataError
from snntoolbox.ir.regular_files import check_regular
from snntoolbox.workflow.data.events.addresses import read_dat, read_nmnist
from snntoolbox.workflow.data.events.aedat import read_aedat, version_of
from snntoolbox.workflow.data.events.faery_files import read_aedat4, read_raw
from snntoolbox.workflow.data.events.matlab import read_mat
from snntoolbox.workflow.data.events.recording import Recording, check_recording

_BEGINNING = 16
"""So many bytes tell the version of an AEDAT."""


def _any_aedat(path: Path) -> Recording:
    """AEDAT of any version: people name version 4 .aedat too."""
    with path.open("rb") as file:
        version = version_of(file.read(_BEGINNING))
    return read_aedat4(path) if version == 4 else read_aedat(path)


READERS: Mapping[str, Callable[[Path], Recording]] = {
    ".aedat": _any_aedat,
    ".aedat4": _any_aedat,
    ".bin": read_nmnist,
    ".bs2": read_nmnist,
    ".dat": read_dat,
    ".mat": read_mat,
    ".raw": read_raw,
}
"""Ending of a file -> what reads it."""


def read_recording(path: Path, chip: tuple[int, int] | None = None) -> Recording:
    """The recording in a file, checked against a chip of this size, else that which the file names; DataError."""
    check_regular(path)
    try:
        recording = READERS[path.suffix.lower()](path)
    except MemoryError:
        told = f"{path} is too large for the memory, or damaged"
        raise DataError(told, hint="cut it into shorter recordings") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", hint="check that it is there") from None
    check_recording(recording, path, chip or recording.chip)
    return recording
