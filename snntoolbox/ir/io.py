"""Exact saving and loading of graphs and spiking networks: one ``.npz`` of arrays with their structure as JSON."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp

from snntoolbox.errors import ArgumentError, DataError, SNNToolboxError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.data_range import DataRange
from snntoolbox.ir.draws import SoftmaxDraws
from snntoolbox.ir.encodings import ConstantCurrent, Poisson, SpikeTimes, StepByStep
from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.network import Grid, Population, Readout, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Negative, Reset
from snntoolbox.ir.node import Array, Origin
from snntoolbox.ir.nodes import NODE_TYPES
from snntoolbox.ir.part import Part
from snntoolbox.ir.part_names import UnknownPartError, part_name, part_named
from snntoolbox.ir.regular_files import check_regular
from snntoolbox.ir.writing import replacing

T = TypeVar("T")
_OF_OTHERS = frozenset(
    (*(".h5", ".hdf5", ".json", ".keras", ".nir", ".npy", ".onnx", ".pb", ".pkl"),
     *(".pt", ".pt2", ".pth", ".tflite", ".v", ".zip"))
)  # fmt: skip
"""Endings of files that hold something else."""

FORMAT = 1
_STRUCTURE = "structure"
_PART = "part"
_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (
    *(ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError, MemoryError),
    *(EOFError, OSError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error, tokenize.TokenError),
    *(SyntaxError, SNNToolboxError),
)
"""What reading a damaged file can raise in zipfile, numpy, json, scipy and in the checks of nodes and networks."""
_PARTS = (
    *(Origin, Head, DataRange, SoftmaxDraws, Population, Readout, Grid, Schedule, IF, MaxGate),
    *(ConstantCurrent, Poisson, SpikeTimes, StepByStep, Latency, BinaryDigits, Contraction),
)
_ENUMS: dict[str, type] = {"reset": Reset, "negative": Negative, "counting": Counting, "estimate": Estimate}
_TYPES: dict[str, type] = {**NODE_TYPES, **{t.__name__: t for t in _PARTS}}


@checked
def save(item: Graph | SpikingNetwork, path: str | Path) -> Path:
    """Write a graph or network; the file appears whole or not at all. Returns the path, which ends in ``.npz``.

    OutputError where the folder is missing or cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() in _OF_OTHERS:
        hint = f"{path.with_suffix('.npz').name}; snntoolbox.export writes a network in other forms"
        raise ArgumentError(f"save writes its own form, .npz, and '{path.name}' has the ending of another", hint=hint)
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    arrays: dict[str, Array] = {}
    structure = {"format": FORMAT, **(_graph(item, arrays) if isinstance(item, Graph) else _network(item, arrays))}
    text = json.dumps(structure).encode()
    with replacing(path) as file:
        np.savez_compressed(file, allow_pickle=False, **{_STRUCTURE: np.frombuffer(text, np.uint8)}, **arrays)
    return path


@checked
def load_graph(path: str | Path) -> Graph:
    """The graph in a file written by `save`; DataError where it is not one."""
    structure, arrays = _read(Path(path), "graph")
    return _decoding(path, lambda: _graph_of(structure, arrays))


@checked
def load_network(path: str | Path) -> SpikingNetwork:
    """The spiking network in a file written by `save`; DataError where it is not one."""
    structure, arrays = _read(Path(path), "network")

    def decode() -> SpikingNetwork:
        return SpikingNetwork(
            _graph_of(structure["wiring"], arrays),
            _decoded(structure["encodings"], arrays),
            _decoded(structure["populations"], arrays),
            _decoded(structure["readouts"], arrays),
            dt=structure["dt"],
            grid=_decoded(structure["grid"], arrays),
            schedule=_decoded(structure.get("schedule"), arrays),
            notes=tuple(str(note) for note in structure.get("notes", ())),
            duration=structure.get("duration"),
            corrected=int(structure.get("corrected", 0)),
            calibrated=_decoded(structure.get("calibrated"), arrays),
        )

    return _decoding(path, decode)


def _graph(graph: Graph, arrays: dict[str, Array]) -> dict[str, Any]:
    nodes = [_encoded(node, arrays) for node in graph.nodes.values()]
    heads = [_encoded(head, arrays) for head in graph.heads]
    return {"kind": "graph", "name": graph.name, "outputs": list(graph.outputs), "heads": heads, "nodes": nodes}


def _network(network: SpikingNetwork, arrays: dict[str, Array]) -> dict[str, Any]:
    return {
        "kind": "network",
        "wiring": _graph(network.wiring, arrays),
        "encodings": _by_name(network.encodings, arrays),
        "populations": [_encoded(p, arrays) for p in network.populations.values()],
        "readouts": [_encoded(r, arrays) for r in network.readouts],
        "dt": network.dt,
        "grid": _encoded(network.grid, arrays),
        "schedule": _encoded(network.schedule, arrays),
        "notes": list(network.notes),
        "duration": None if network.duration is None else float(network.duration),
        "corrected": network.corrected,
        "calibrated": _by_name(network.calibrated, arrays),
    }


def _by_name(items: Mapping[str, Any], arrays: dict[str, Array]) -> dict[str, Any]:
    return {"type": "dict", "items": {name: _encoded(item, arrays) for name, item in items.items()}}


def _encoded(value: Any, arrays: dict[str, Array]) -> Any:
    """JSON for a value; arrays go into `arrays` and leave their key."""
    if isinstance(value, np.ndarray):
        key = f"a{len(arrays)}"
        arrays[key] = value
        return {"type": "array", "key": key}
    if isinstance(value, sp.csr_array):
        parts = [_encoded(np.asarray(a), arrays) for a in (value.data, value.indices, value.indptr)]
        return {"type": "sparse", "parts": parts, "shape": list(value.shape)}
    if dataclasses.is_dataclass(value):
        fields = {f.name: _encoded(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
        if isinstance(value, Part):
            return {"type": _PART, "class": part_name(type(value)), "fields": fields}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {"type": "steps", "items": [[int(k), _encoded(v, arrays)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return [_encoded(v, arrays) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _graph_of(structure: dict[str, Any], arrays: dict[str, Array]) -> Graph:
    nodes = [_decoded(node, arrays) for node in structure["nodes"]]
    heads = _decoded(structure.get("heads", []), arrays)
    return Graph(nodes, structure["outputs"], name=structure["name"], heads=heads)


def _decoded(value: Any, arrays: dict[str, Array]) -> Any:
    if isinstance(value, list):
        return tuple(_decoded(v, arrays) for v in value)
    if not isinstance(value, dict):
        return value
    kind = value["type"]
    if kind == "array":
        return arrays[value["key"]]
    if kind == "sparse":
        matrix = sp.csr_array(tuple(_decoded(value["parts"], arrays)), shape=tuple(value["shape"]))
        matrix.check_format(full_check=True)  # an index outside would be read from anywhere in memory
        return matrix
    if kind == "dict":
        return {k: _decoded(v, arrays) for k, v in value["items"].items()}
    if kind == "steps":
        return {int(k): _decoded(v, arrays) for k, v in value["items"]}
    if kind == _PART:
        return part_named(value["class"])(**{k: _decoded(v, arrays) for k, v in value["fields"].items()})
    fields = {k: _decoded(v, arrays) for k, v in value.items() if k != "type"}
    for name, enum in _ENUMS.items():
        if name in fields:
            fields[name] = enum(fields[name])
    return _TYPES[kind](**fields)


def _read(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """The structure and the arrays of a file."""
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {info.filename.removesuffix(".npy"): _array(archive, info) for info in archive.infolist()}
        structure = json.loads(arrays.pop(_STRUCTURE).tobytes())
    except FileNotFoundError:
        raise DataError(f"'{path}' does not exist", hint=f"run once with the step that writes the {kind}") from None
    except _DAMAGE as error:
        hint = f"it must be a {kind} that snntoolbox saved"
        raise DataError(f"'{path}' cannot be read: {error}", hint=hint) from None
    if not isinstance(structure, dict):
        raise DataError(f"'{path}' is no saved {kind}")
    if structure.get("format") != FORMAT or structure.get("kind") != kind:
        found = f"format {structure.get('format')}, {structure.get('kind')}"
        raise DataError(f"'{path}' is no saved {kind} of format {FORMAT} ({found})")
    return structure, arrays


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    """One array of numbers; its declared size is checked before anything of that size is allocated.

    A deflated file holds at most a thousandfold of its size, which bounds what a damaged one can make us allocate;
    other compressions have no such bound and are not ours.
    """
    if info.compress_type not in _COMPRESSION or info.file_size > 1100 * (info.compress_size + 100):
        raise ValueError(f"array '{info.filename}' is damaged")
    data = io.BytesIO(archive.read(info))
    form: Any = np.lib.format  # its functions have no types
    header = form.read_array_header_1_0 if form.read_magic(data) == (1, 0) else form.read_array_header_2_0
    shape, _, dtype = header(data)
    if dtype.kind not in "biuf" or math.prod(shape) * dtype.itemsize > info.file_size:
        raise ValueError(f"array '{info.filename}' is damaged")
    data.seek(0)
    return np.asarray(form.read_array(data, allow_pickle=False))


def _decoding(path: str | Path, decode: Callable[[], T]) -> T:
    try:
        return decode()
    except UnknownPartError as error:
        raise DataError(f"'{path}' holds {error.message}", hint=error.hint) from None
    except _DAMAGE as error:
        raise DataError(f"'{path}' is damaged: {error}", hint="write it again") from None
