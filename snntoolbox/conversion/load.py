"""From a model to a checked graph."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from snntoolbox.conversion.compare_outputs import check_on_random_input
from snntoolbox.conversion.effort import check_effort
from snntoolbox.conversion.exact import EXACT
from snntoolbox.conversion.spiking.invariants import check_same_function
from snntoolbox.errors import FrontendError, NoReferenceError
from snntoolbox.frontends.registry import beginning_at, frontend_for, frontend_named
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head

log = logging.getLogger(__name__)


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
