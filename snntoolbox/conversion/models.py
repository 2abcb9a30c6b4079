"""The graph that a conversion begins with, from whatever a user has: a graph, a model, a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snntoolbox.conversion.load import load
from snntoolbox.errors import ArgumentError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork


def graph_of(model: Any, data: Any, input_shape: Any) -> Graph:
    """The graph itself, or that of a model or file; a live model that says no shape of samples has that of the data."""
    if isinstance(model, Graph):
        return model
    if isinstance(model, SpikingNetwork):
        raise ArgumentError("convert: this network is converted already", hint="simulate(network, x) runs it")
    unsaid = input_shape is None and not isinstance(model, str | Path) and getattr(model, "input_shape", None) is None
    return load(model, input_shape=_shape_of(data) if unsaid else input_shape)


def _shape_of(data: Any) -> Any:
    """The shape of a sample of each input that arrays have; None where they tell none."""
    shapes = [tuple(shape[1:]) for shape in (getattr(a, "shape", ()) for a in _arrays(data)) if len(shape) > 1]
    if not shapes:
        return None
    return shapes[0] if len(shapes) == 1 else shapes


def _arrays(data: Any) -> list[Any]:
    if data is None:
        return []
    return [data] if hasattr(data, "shape") else list(data) if isinstance(data, (list, tuple)) else []
