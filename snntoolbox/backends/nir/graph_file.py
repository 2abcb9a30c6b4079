"""Reads the nodes and edges of a NIR file as they stand in it, checked, with the graphs inside it laid open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.errors import DataError, Unsupported, UnsupportedError
from snntoolbox.ir.hdf5 import Bounds, open_h5
from snntoolbox.ir.node import Array
from snntoolbox.ir.regular_files import check_regular

BOUNDS = Bounds(ratio=1100, most=2 * 2**30, error=DataError, extra="nir")
"""Thresholds are written one for each neuron, mostly all the same: gzip makes a thousandth of that."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    "Input": ("shape",),
    "Output": ("shape",),
    "Affine": ("weight", "bias"),
    "Linear": ("weight",),
    "Scale": ("scale",),
    "Conv1d": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "Conv2d": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "SumPool2d": ("kernel_size", "stride", "padding"),
    "AvgPool2d": ("kernel_size", "stride", "padding"),
    "Flatten": ("start_dim", "end_dim"),
    "Delay": ("delay",),
    "IF": ("r", "v_threshold"),
    "LIF": ("tau", "r", "v_leak", "v_threshold"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"),
}
"""What a node of each kind must have."""

OTHERS: Mapping[str, str] = {
    "CubaLI": "a leaky integrator that does not spike",
    "LI": "a leaky integrator that does not spike",
    "I": "an integrator that does not spike",
    "Threshold": "a threshold without a membrane",
}
"""Kinds that NIR has and networks here have not, in words."""

OPTIONAL = ("v_reset", "w_in")
TEXTS = ("padding",)
"""Values that may be a word."""
MOST_DEEP = 20
PASSES = "passes on"
"""The kind of the inputs and outputs of an inner graph, which only pass on what they get."""


@dataclass(frozen=True, eq=False)
class Record:
    """A node: its kind, its values by name, and what its writer says beside."""

    kind: str
    values: Mapping[str, Any]
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class NirFile:
    """The nodes of a file by name, the edges between them, and the notes of its writer on the whole."""

    nodes: Mapping[str, Record]
    edges: tuple[tuple[str, str], ...]
    notes: Mapping[str, Any]


def read_file(path: Path) -> NirFile:
    """What a NIR file holds; DataError where it is damaged, UnsupportedError for nodes that networks here have not."""
    check_regular(path)
    name = f"'{path.name}'"
    if not path.is_file():
        raise DataError(f"{name} does not exist", hint="the path of a .nir file")
    with open_h5(path, name, BOUNDS) as file:
        if "node" not in file or not hasattr(file["node"], "keys"):
            raise DataError(f"{name} is no NIR file: it has no group 'node'")
        whole = _record(file["node"], name, "")
        if whole.kind != "NIRGraph":
            raise DataError(f"{name} holds a single node of the kind {whole.kind}, no graph")
        opened = _opened(whole, name)
    _check_kinds(opened, name)
    return opened


def _check_kinds(file: NirFile, name: str) -> None:
    """All nodes that are of no kind that is known, and those that lack something, at once."""
    lacking = [
        f"'{node}' ({record.kind}) has no {', '.join(absent)}"
        for node, record in file.nodes.items()
        if (absent := [f for f in FIELDS.get(record.kind, ()) if f not in record.values])
    ]
    if lacking:
        raise DataError(f"{name}: {'; '.join(lacking)}")
    offenders = [
        Unsupported(f"{node} (nir {record.kind})", OTHERS.get(record.kind, "a node of an unknown kind"))
        for node, record in file.nodes.items()
        if record.kind not in FIELDS
    ]
    if offenders:
        raise UnsupportedError(f"the reader of {name}", offenders)


# -- HDF5 -----------------------------------------------------------------------------------------------------------


def _record(group: Any, file: str, place: str, depth: int = 0) -> Record:
    """A group as a node; the nodes of a graph are records too."""
    if depth > MOST_DEEP:
        raise DataError(f"{file}: graphs within graphs, more than {MOST_DEEP} deep")
    where = f"'{place}'" if place else "the graph"
    if not hasattr(group, "keys") or "type" not in group:
        raise DataError(f"{file}: {where} is no node: it has no type")
    kind = _text(group["type"][()]) if not hasattr(group["type"], "keys") else ""
    notes = group.get("metadata", {})
    if kind == "NIRGraph":
        about = _values(notes, file, f"the metadata of {where}", None)
        return Record(kind, _graph_values(group, file, place, depth), about)
    kept = (*FIELDS.get(kind, ()), *OPTIONAL)
    values = _values({k: group[k] for k in kept if k in group}, file, where)
    return Record(kind, values, _values(notes, file, f"the metadata of {where}", None))


def _graph_values(group: Any, file: str, place: str, depth: int) -> dict[str, Any]:
    if "nodes" not in group or "edges" not in group:
        raise DataError(f"{file}: {place or 'the graph'} has no nodes or no edges")
    inside = f"{place}." if place else ""
    nodes = {key: _record(node, file, f"{inside}{key}", depth + 1) for key, node in group["nodes"].items()}
    edges = np.asarray(group["edges"][()])
    if edges.size and (edges.ndim != 2 or edges.shape[1] != 2):
        raise DataError(f"{file}: the edges of {place or 'the graph'} are no pairs of names")
    pairs = [(_text(a), _text(b)) for a, b in edges.reshape(-1, 2)]
    if twice := [pair for pair, count in Counter(pairs).items() if count > 1]:
        told = " to ".join(f"'{end}'" for end in twice[0])
        raise DataError(f"{file}: the edge from {told} stands there twice", hint="leave one out, or scale the weights")
    return {"nodes": nodes, "edges": pairs}


def _values(group: Any, file: str, where: str, texts: tuple[str, ...] | None = TEXTS) -> dict[str, Any]:
    """The arrays of a group, and those of `texts` that are one (None: any); DataError names what is neither."""
    values: dict[str, Any] = {}
    for key, item in group.items():
        value = None if hasattr(item, "keys") else item[()]
        if isinstance(value, bytes | str) and (texts is None or key in texts):
            values[key] = _text(value)
        elif value is not None and np.asarray(value).dtype.kind in "fiub":
            values[key] = _numbers(np.asarray(value), f"{file}: '{key}' of {where}")
        else:
            raise DataError(f"{file}: '{key}' of {where} holds no numbers")
    return values


def _numbers(value: Array, what: str) -> Array:
    if value.dtype.kind in "iu" or value.dtype.kind == "b":
        return value.astype(np.int64)
    if not np.all(np.isfinite(value)):
        raise DataError(f"{what} holds NaN or infinite values")
    return value.astype(np.float64)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


# -- graphs within graphs -------------------------------------------------------------------------------------------


def _opened(graph: Record, file: str) -> NirFile:
    """The graph with the nodes of those inside it as its own, called GRAPH.NODE."""
    nodes: dict[str, Record] = {}
    edges: list[tuple[str, str]] = []
    _lay_open(graph, "", nodes, edges, file)
    for name in [n for n, record in nodes.items() if record.kind == PASSES]:
        del nodes[name]
        sources = [a for a, b in edges if b == name]
        targets = [b for a, b in edges if a == name]
        edges = [(a, b) for a, b in edges if name not in (a, b)]
        edges += [(a, b) for a in sources for b in targets]
    return NirFile(nodes, tuple(edges), graph.notes)


def _lay_open(graph: Record, prefix: str, nodes: dict[str, Record], edges: list[tuple[str, str]], file: str) -> None:
    inner: Mapping[str, Record] = graph.values["nodes"]
    for name, record in inner.items():
        if record.kind == "NIRGraph":
            _lay_open(record, f"{prefix}{name}.", nodes, edges, file)
        else:
            passes = prefix and record.kind in ("Input", "Output")
            nodes[prefix + name] = replace(record, kind=PASSES) if passes else record
    for source, target in graph.values["edges"]:
        for end in (source, target):
            if end not in inner:
                raise DataError(f"{file}: an edge from '{source}' to '{target}', and there is no node '{end}'")
        edges.append((_port(inner, prefix, source, "Output", file), _port(inner, prefix, target, "Input", file)))


def _port(inner: Mapping[str, Record], prefix: str, name: str, kind: str, file: str) -> str:
    """The node that an edge really ends at: of an inner graph its only input or output."""
    if inner[name].kind != "NIRGraph":
        return prefix + name
    ports = [key for key, record in inner[name].values["nodes"].items() if record.kind == kind]
    if len(ports) != 1:
        raise DataError(f"{file}: the graph '{prefix}{name}' has {len(ports)} nodes of the kind {kind}, not one")
    return f"{prefix}{name}.{ports[0]}"
