"""Layers that hold others: which these are, where a file keeps their weights, and what these are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

GROUPED = ("GroupedQueryAttention", "GroupQueryAttention")
"""One class by its own name, under which its weights lie, and by that which files have for it."""

SEVERAL_HEADS = ("MultiHeadAttention", *GROUPED)

CELLS: Mapping[str, int] = {"SimpleRNNCell": 1, "LSTMCell": 4, "GRUCell": 3}
"""The cells of recurrent layers, and how many gates' weights stand side by side in each."""

RECURRENT: Mapping[str, str] = {"SimpleRNN": "SimpleRNNCell", "LSTM": "LSTMCell", "GRU": "GRUCell"}
"""Recurrent layers, and what cell each has."""

INSIDE = ("layer", "backward_layer", "cell")
"""Where a config holds that of another layer or cell."""

MOST_PARTS = 4096
"""What a split may be in; a file can ask for any number."""

V = TypeVar("V")


@dataclass(frozen=True)
class Part:
    """What has weights of its own within a layer: its place below the layer's, its kind and its config."""

    place: str
    kind: str
    config: Mapping[str, Any]


def parts(kind: str, config: Mapping[str, Any]) -> tuple[Part, ...]:
    """The parts of a layer in the order of its weights: the layer itself, or those inside."""
    return tuple(_parts("", kind, config))


def _parts(place: str, kind: str, config: Mapping[str, Any]) -> Iterator[Part]:
    if kind in RECURRENT:
        yield Part(f"{place}/cell", RECURRENT[kind], config)
    elif kind == "RNN":
        yield from _inner(f"{place}/cell", config.get("cell"))
    elif kind == "StackedRNNCells":
        used: dict[str, int] = {}
        for cell in config.get("cells") or ():
            stem = snake(inner(cell)[0])
            number = used[stem] = used.get(stem, -1) + 1
            yield from _inner(f"{place}/cells/{stem}" + (f"_{number}" if number else ""), cell)
    elif kind == "Bidirectional":
        yield from _inner(f"{place}/forward_layer", config.get("layer"))
        yield from _inner(f"{place}/backward_layer", config.get("backward_layer") or config.get("layer"))
    elif kind in SEVERAL_HEADS:
        biased = {"bias_axes": config.get("use_bias", True) or None}
        for name in ("query", "key", "value", "output"):
            own = f"_{name}_dense" if kind in GROUPED else f"{name}_dense"
            yield Part(f"{place}/{own}", "EinsumDense", biased)
    elif kind == "TimeDistributed":
        yield from _inner(f"{place}/layer", config.get("layer"))
    else:
        yield Part(place, kind, config)


def _inner(place: str, entry: Any) -> Iterator[Part]:
    kind, config = inner(entry)
    yield from _parts(place, kind, config)


def inner(entry: Any) -> tuple[str, Mapping[str, Any]]:
    """The kind and config of a layer or cell within another's config; a class of a user's goes by its full name."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("config"), Mapping):
        return "an unknown layer", {}
    module, kind = str(entry.get("module") or "keras"), str(entry.get("class_name"))
    return (kind if module.split(".")[0] == "keras" else f"{module}.{kind}"), entry["config"]


def snake(kind: str) -> str:
    """A class's name as Keras writes it in paths: 'BatchNormalization' is 'batch_normalization'."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind.rpartition(">")[2]))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def numbered(name: str, number: int) -> str:
    """What a weight is called whose layer has as many of that name before it."""
    return f"{number}/{name}" if number else name


def told_apart(weights: Iterable[tuple[str, V]]) -> dict[str, V]:
    """Weights by name, those of a name after the first with their number in front."""
    counted: dict[str, int] = {}
    named = {}
    for name, value in weights:
        number = counted[name] = counted.get(name, -1) + 1
        named[numbered(name, number)] = value
    return named


def results(kind: str, config: Mapping[str, Any]) -> int:
    """How many tensors a layer gives: a recurrent one beside its output, if asked to, the last state of each cell.

    Both directions give an output each where nothing merges them, a split gives its parts, and moments are two.
    """
    if kind == "keras.ops.Moments":
        return 2
    if kind == "keras.ops.Split":
        cuts = config.get("indices_or_sections")
        return min(cuts, MOST_PARTS) if isinstance(cuts, int) else len(cuts or ()) + 1
    outputs = 2 if kind == "Bidirectional" and config.get("merge_mode", "concat") is None else 1
    held = inner(config.get("layer"))[1] if kind == "Bidirectional" else config
    recurrent = kind in (*RECURRENT, "RNN", "Bidirectional") and held.get("return_state")
    return outputs + (sum(2 if p.kind == "LSTMCell" else 1 for p in parts(kind, config)) if recurrent else 0)
