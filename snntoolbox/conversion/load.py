"""From a model to a checked graph."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from snntoolbox.conversion.effort import check_effort
from snntoolbox.conversion.exact import EXACT
from snntoolbox.conversion.spiking.invariants import check_same_function
from snntoolbox.errors import FrontendError, GraphError, NoReferenceError
from snntoolbox.frontends.protocol import Doubtful, Frontend
from snntoolbox.frontends.registry import beginning_at, frontend_for, frontend_named
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.node import Array

log = logging.getLogger(__name__)

TOLERANCE = 1e-5
"""Largest difference allowed between a parsed graph and its framework, as a share of the output's scale."""


@checked
def load(
    model: Any,
    *,
    frontend: str | None = None,
    input_shape: Any = None,
    converter: str = "",
    input_tensor: str = "",
    constant_inputs: Mapping[str, Any] | None = None,
    head: str | Head | Mapping[str, str | Head] | None = None,
    check: bool = True,
) -> Graph:
    """The graph of a trained model: a file or live object of a known framework, in its simplest exact form.

    `frontend` is told by the file's ending or the object's type unless given; `input_shape` (without batch) is
    needed for a PyTorch module that does not say it: a tuple of shapes for several inputs, or example inputs (an array
    or a tuple of arrays, with batch). `converter` is a Python that has what makes ONNX of files that are not read
    here (SavedModel, TensorFlow Lite, functions of JAX). An ONNX model begins at its `input_tensor`, where it has one:
    what lies in front, such as a table of embeddings, stays outside; of `constant_inputs` each is a number, or an
    array with batch, for all samples. `head` says what the first output means where the model does not (classes,
    logits, values, or a `Head`), or for each output by its name: see `Head`. With `check` the graph's output is
    compared with the framework's own on random input. Errors: FrontendError, UnsupportedError (all layers at once),
    GraphError.
    """
    reader = frontend_named(frontend) if frontend else frontend_for(model, converter)
    reader = beginning_at(reader, input_tensor, constant_inputs or {})
    with bounded():
        opened = reader.open(model, input_shape=input_shape)
        graph = simplify(reader.parse(opened), check=check)
        if check:
            try:
                check_on_random_input(graph, reader, opened)
            except NoReferenceError as error:
                log.warning("%s: parsing was checked for shapes and weights only", error.message)
    if head is None:
        return graph
    return graph.with_heads(head if isinstance(head, Mapping) else {graph.outputs[0]: head})


@contextmanager
def bounded() -> Iterator[None]:
    """FrontendError where a model ends the program, or is nested or large beyond what this machine can hold."""
    try:
        yield
    except SystemExit as end:
        raise FrontendError(f"code of the model ends the program: it calls exit({end.code!r})") from end
    except RecursionError as error:
        raise FrontendError("the model is nested too deeply to be read") from error
    except MemoryError as error:
        raise FrontendError("the model needs more memory than there is") from error


def simplify(graph: Graph, check: bool = False) -> Graph:
    """The same function with permutations cancelled, batch normalisation folded and identities dropped.

    With `check` it is seen to be the same on a random sample after every pass. FrontendError where the network is
    larger than any that can be meant.
    """
    check_effort(graph)
    for rewrite in EXACT:
        before, graph = graph, rewrite(graph)
        if check:
            check_same_function(before, graph, type(rewrite).__name__)
    return graph


def whereabouts(before: Graph, after: Graph) -> dict[str, str]:
    """For each node of a graph with an origin its label, and the node of a simpler form that has taken it in.

    That is the node itself, else the next one behind it that is left, else the last one before it.
    """
    left: dict[str, str] = {}
    for name in reversed([*before.nodes]):
        behind = (left[c] for c in before.consumers.get(name, ()) if c in left)
        if (there := name if name in after.nodes else next(behind, None)) is not None:
            left[name] = there
    for name, node in before.nodes.items():
        there = next((left[i] for i in node.inputs if i in left), None)
        if name not in left and there is not None:
            left[name] = there
    labels = {name: str(node.origin) for name, node in before.nodes.items() if node.origin is not None}
    return {f"{label}{'' if n in after.nodes else ', folded'}": left[n] for n, label in labels.items() if n in left}


def check_on_random_input(graph: Graph, frontend: Frontend, model: Any, samples: int = 2) -> float:
    """Compare graph and framework on seeded random input in [0, 1); returns the largest difference."""
    generator = np.random.default_rng(0)
    samples = max(samples, 16) if graph.jumps else samples
    x = [generator.random((samples, *graph.shapes[i]), dtype=np.float32) for i in graph.inputs]
    values = graph.values(*(a.astype(np.float64) for a in x))
    rounded = graph.values(*x) if graph.jumps else {}
    outputs, likely = ([v[o] for o in graph.outputs if o in v] for v in (values, rounded))
    return compare_outputs(outputs, frontend.predict(model, *x), likely, doubt_of(frontend))


DEFECT = "this is a defect of snntoolbox: please report the model; nothing was converted"


def doubt_of(frontend: Frontend | None) -> str:
    """What to think where a graph differs from the original that a frontend has."""
    return frontend.doubt if isinstance(frontend, Doubtful) else DEFECT


def compare_outputs(
    outputs: Sequence[Array], originals: Sequence[Array], rounded: Sequence[Array] = (), doubt: str = DEFECT
) -> float:
    """The largest difference as a share of each output's scale (its largest absolute value); GraphError above 1e-5.

    GraphError also where the original itself gives what is no finite number.

    In a quantised network (`Graph.jumps`) a rounding error of float32 can change a value by a whole level. There
    `rounded` is what the graph gives in float32, and it is enough that the better quarter of the samples differs by
    at most 1e-5, or by four times what that rounding changes in three of four; that difference is returned.
    """
    comparison = Comparison(doubt)
    comparison.add(outputs, originals, rounded)
    return comparison.difference()


class Comparison:
    """The outputs of a parsed model against the original's, batch by batch; see `compare_outputs`.

    Of the samples it keeps nothing, but where there are rounded outputs how far each one is apart.
    """

    def __init__(self, doubt: str = DEFECT) -> None:
        self.doubt = doubt
        self._scales: list[float] = []
        self._largest: list[float] = []
        self._apart: list[list[Array]] = []
        self._by_rounding: list[list[Array]] = []

    def add(self, outputs: Sequence[Array], originals: Sequence[Array], rounded: Sequence[Array] = ()) -> None:
        """Take in a batch; GraphError where outputs cannot be compared."""
        if len(outputs) != len(originals):
            raise GraphError(f"the parsed model has {len(outputs)} outputs, the original {len(originals)}")
        for kept, empty in ((self._scales, 0.0), (self._largest, 0.0)):
            kept.extend([empty] * (len(outputs) - len(kept)))
        for i, (ours, theirs) in enumerate(zip(outputs, originals, strict=True)):
            if ours.size != theirs.size:
                raise GraphError(f"the parsed model's output has shape {ours.shape}, the original's {theirs.shape}")
            if not np.all(np.isfinite(theirs)):
                raise GraphError(
                    "the original model gives NaN or infinite outputs for these samples",
                    hint="sums of such data are beyond its float32's range: scale the data down, as it was trained",
                )
            apart = _distances(ours, theirs)
            self._scales[i] = max(self._scales[i], float(np.abs(theirs).max(initial=0.0)))
            self._largest[i] = float(np.maximum(self._largest[i], apart.max(initial=0.0)))  # keeps NaN
            if rounded:
                self._keep(i, apart, _distances(ours, rounded[i]))

    def _keep(self, output: int, apart: Array, by_rounding: Array) -> None:
        for kept, values in ((self._apart, apart), (self._by_rounding, by_rounding)):
            if output == len(kept):
                kept.append([])
            kept[output].append(values)

    def difference(self) -> float:
        """The largest of all batches so far; GraphError where it is too large."""
        worst = 0.0
        for i, largest in enumerate(self._largest):
            scale = self._scales[i] or 1.0
            difference, allowed = largest / scale, TOLERANCE
            if self._apart and difference > TOLERANCE:
                apart, by_rounding = (np.concatenate(kept[i]) for kept in (self._apart, self._by_rounding))
                difference = float(np.quantile(apart, 0.25)) / scale
                allowed = max(TOLERANCE, 4 * float(np.quantile(by_rounding, 0.75)) / scale)
            if not difference <= allowed:  # NaN is no agreement
                raise GraphError(
                    f"the parsed model differs from the original by {difference:.2g} of the output's scale",
                    hint=self.doubt,
                )
            worst = max(worst, difference)
        return worst


def _distances(ours: Array, theirs: Array) -> Array:
    """The largest difference of two outputs, for each sample."""
    return np.asarray(np.abs(ours.reshape(theirs.shape) - theirs).reshape(len(theirs), -1).max(axis=1))
