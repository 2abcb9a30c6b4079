"""Finds the files of a Lasagne model, and reads its parameters in order."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np

from snntoolbox.errors import FrontendError
from snntoolbox.ir.hdf5 import Bounds, brief, open_h5
from snntoolbox.ir.node import Array
from snntoolbox.ir.regular_files import check_regular

ENDINGS = (".npz", ".h5", ".hdf5")
_MOST = 2**33  # bytes of all parameters
_RATIO = 100  # trained weights hardly compress
_PICKLE = (
    "a pickle can run any code: write its arrays with numpy, on a machine that trusts it: "
    "numpy.savez('NAME.npz', *pickle.load(open('NAME.pkl', 'rb'), encoding='latin1')['param values'])"
)


def located(path: Path) -> tuple[Path, Path]:
    """The code and the parameters that a path means: one of them, or their name without ending; FrontendError."""
    if path.is_dir():
        raise FrontendError(f"'{path}' is a folder", hint="give NAME.py in it")
    check_regular(path, FrontendError)
    known = path.suffix.lower() in (".py", *ENDINGS)
    stem = path.name.removesuffix(path.suffix) if known else path.name
    code = path.with_name(f"{stem}.py")
    if not code.is_file():
        raise FrontendError(f"there is no '{code.name}' in '{path.parent}'", hint="it defines build_network()")
    given = [path] if path.suffix.lower() in ENDINGS else []
    beside = [*given, *(path.with_name(stem + ending) for ending in ENDINGS)]
    file = next((f for f in beside if f.is_file()), None)
    if file is None:
        pickled = path.with_name(f"{stem}.pkl").is_file()
        names = " or ".join(f"'{stem}{e}'" for e in ENDINGS[:2])
        hint = _PICKLE.replace("NAME", stem) if pickled else "save lasagne.layers.get_all_param_values(network) there"
        raise FrontendError(f"there is no {names} with the parameters beside '{code}'", hint=hint)
    return code, file


def read_parameters(path: Path) -> list[Array]:
    """The arrays of a file in the order of their names; FrontendError where it is damaged or no such file."""
    check_regular(path, FrontendError)
    if path.suffix.lower() == ".npz":
        arrays = _from_npz(path)
    else:
        with open_h5(path, f"'{path}'", Bounds(extra="keras")) as file:
            for name, item in file.items():
                if not hasattr(item, "dtype") or item.dtype.kind not in "fiub":
                    raise FrontendError(f"'{path}' holds '{name}', which is no array of numbers")
            arrays = {str(name): np.asarray(item[()]) for name, item in file.items()}
    return [arrays[name] for name in sorted(arrays, key=_place)]


def _place(name: str) -> list[Any]:
    """Where a name stands: its numbers count, so that arr_10 comes behind arr_9."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _from_npz(path: Path) -> dict[str, Array]:
    """The arrays of an .npz by name; each must hold as many bytes as its head says."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            unpacked = sum(e.file_size for e in entries)
            if unpacked > min(_MOST, _RATIO * path.stat().st_size):
                raise FrontendError(f"'{path}' claims {unpacked:,} bytes and does not hold them")
            return {e.filename.removesuffix(".npy"): _array(archive.read(e), e.filename, path) for e in entries}
    except FrontendError:
        raise
    except Exception as error:  # a damaged archive or head is told by many kinds of errors
        raise FrontendError(f"'{path}' is no .npz file, or is damaged: {brief(error)}") from error


def _array(content: bytes, name: str, path: Path) -> Array:
    """The array in one entry."""
    file, form = BytesIO(content), cast(Any, np.lib.format)
    version = form.read_magic(file)
    read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
    shape, _, kind = read(file)
    count = 1
    for n in shape:
        count *= n
    if kind.kind not in "fiub":
        raise FrontendError(f"'{path}' holds '{name}', which is no array of numbers")
    if count * kind.itemsize != len(content) - file.tell():
        raise FrontendError(f"'{path}' declares {count:,} values for '{name}' and does not hold them")
    file.seek(0)
    array: Array = form.read_array(file, allow_pickle=False)
    return array
