"""The graph that a conversion begins with, from whatever a user has: a graph, a model, a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from snntoolbox.conversion.load import load
from snntoolbox.errors import ArgumentError, FrontendError
from snntoolbox.frontends.registry import frontend_for
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Shape
from snntoolbox.ir.samples import arrays_of


def graph_of(model: Any, data: Any, input_shape: Any) -> Graph:
    """The graph itself, or that of a model or file; a live model that says no shape of samples has that of the data."""
    if isinstance(model, Graph):
        return model
    if isinstance(model, SpikingNetwork):
        raise ArgumentError("convert: this network is converted already", hint="simulate(network, x) runs it")
    says = input_shape is not None or isinstance(model, str | Path) or getattr(model, "input_shape", None) is not None
    return load(model, input_shape=input_shape) if says or data is None else _shaped_by(model, data)


def _shaped_by(model: Any, data: Any) -> Graph:
    """The graph of a model that takes such samples: DataError for what are none, FrontendError where it cannot."""
    frontend_for(model)  # else it is none that could take any
    shapes = [array.shape for array in arrays_of(data)]
    own = [shape[1:] for shape in shapes]
    if not own:
        return load(model)
    if not all(own):  # one sample alone, a list of them, or labels beside the samples
        return load(model, input_shape=own[0] if own[0] else _said(shapes[:1]))
    try:
        return load(model, input_shape=_said(own))
    except FrontendError as error:
        for others in _others(shapes):
            try:
                return load(model, input_shape=_said(others))  # then it is the data that are refused, with a hint
            except FrontendError:
                continue
        hint = "; ".join(text for text in (_hint(own), error.hint) if text)
        raise FrontendError(f"{error.message}; {_told(own)}", layer=error.layer, hint=hint) from error


def _others(shapes: Sequence[Shape]) -> Iterator[Sequence[Shape]]:
    """What a model may take instead where it does not take the samples that arrays of these shapes hold."""
    if len(shapes) > 1:
        return
    (shape,) = shapes
    if len(shape) > 2:
        yield [(shape[-1], *shape[1:-1])]
        yield [(*shape[2:], shape[1])]
        yield [(1, *shape[1:])]  # its channel left out
    yield [shape]  # of one sample alone


def _said(shapes: Sequence[Shape]) -> Any:
    return tuple(shapes[0]) if len(shapes) == 1 else [tuple(shape) for shape in shapes]


def _told(shapes: Sequence[Shape]) -> str:
    if len(shapes) == 1:
        return f"it was given samples of shape {shapes[0]}, as the calibration data have"
    return f"it was given {len(shapes)} inputs, one for each array of the calibration data"


def _hint(shapes: Sequence[Shape]) -> str:
    if len(shapes) > 1 and len(set(shapes)) == 1:
        return "stack the samples of one input: np.stack(samples)"
    return "give samples as the model takes them, or say the shape of one, without the batch: input_shape=(...)"
