"""Runs an opened ONNX model as it is: by onnxruntime, or by ONNX' own reference evaluator."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.onnx.model import OnnxModel
from snntoolbox.frontends.whole_numbers import check_whole, whole_numbers
from snntoolbox.ir.node import Array

log = logging.getLogger(__name__)

CHUNK = 128  # samples at once where the batch is free; bounds the memory of large sets
UNFAITHFUL = ("DoubleQDQPairsRemover",)
"""Rewrites of onnxruntime that give another function: two grids in a row become one that is neither."""

Run = Callable[[dict[str, Array]], list[Array]]


def predict(model: OnnxModel, x: tuple[Array, ...]) -> tuple[Array, ...]:
    """The outputs for a batch of each input; a batch that the file fixes is filled up and cut again."""
    if len(x) != len(model.inputs):
        raise FrontendError(f"the model takes {len(model.inputs)} inputs, got {len(x)}")
    feeds = {}
    for spec, array in zip(model.inputs, x, strict=True):
        array = np.asarray(array)
        if array.shape[1:] != spec.shape:
            raise FrontendError(f"expects samples of shape {spec.shape}, got {array.shape[1:]}", layer=spec.name)
        check_whole(array, whole_numbers(spec.dtype), f"{spec.name} (onnx Input)")
        feeds[spec.name] = array.astype(spec.dtype)
    count = len(next(iter(feeds.values())))
    if any(len(a) != count for a in feeds.values()):
        raise FrontendError("the inputs have different numbers of samples")
    if not model.runner:
        model.runner.append(_runner(model))
    return _in_batches(model, feeds, count)


def _in_batches(model: OnnxModel, feeds: dict[str, Array], count: int) -> tuple[Array, ...]:
    """All samples in batches of the size that the file fixes, else of up to `CHUNK`, else one by one."""
    if model.batch is not None:
        return _stepwise(model, feeds, count, model.batch, fill=True)
    try:
        return _stepwise(model, feeds, count, CHUNK, fill=False)
    except FrontendError:
        # Some files declare a free batch and then reshape to one sample.
        return _stepwise(model, feeds, count, 1, fill=True)


def _stepwise(model: OnnxModel, feeds: dict[str, Array], count: int, step: int, *, fill: bool) -> tuple[Array, ...]:
    parts = []
    for start in range(0, max(count, 1), step):
        batch = {name: a[start : start + step] for name, a in feeds.items()}
        size = min(step, count - start)
        rows = step if fill else size
        padded = {name: _filled(a, rows) for name, a in batch.items()}
        outputs = model.runner[0](padded)
        for name, output in zip(model.outputs, outputs, strict=True):
            if output.ndim < 1 or len(output) != rows:
                raise FrontendError(f"output '{name}' of shape {output.shape} has no batch axis of {rows}")
        parts.append([o[:size] for o in outputs])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _filled(array: Array, size: int) -> Array:
    """The array with zeros behind it up to `size` samples."""
    missing = max(size - len(array), 0)
    return np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)]) if missing else array


def _runner(model: OnnxModel) -> Run:
    """A function from feeds to outputs, by onnxruntime where it is installed and knows the model's opset."""
    proto = _without_idle(model.proto)
    # Unless told otherwise it tells its makers about runs, and leaves a file of that among the temporary ones.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError:
        return _reference_runner(proto)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Without VNNI it multiplies bytes in pairs whose sums saturate at 16 bits, unless asked for precision.
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        session = onnxruntime.InferenceSession(
            proto.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=[*UNFAITHFUL],
        )
    except Exception as error:  # onnxruntime's own kinds, which have no common base but this
        log.info("onnxruntime cannot load the model, the ONNX reference evaluator runs it: %s", error)
        return _reference_runner(proto)
    return lambda feeds: _guarded(session.run, feeds)


def _without_idle(proto: Any) -> Any:
    """A copy with only those nodes that the outputs depend on: of the others nobody knows what they take."""
    nodes = proto.graph.node
    makers = {output: i for i, node in enumerate(nodes) for output in node.output if output}
    todo = [output.name for output in proto.graph.output]
    needed: set[int] = set()
    while todo:
        i = makers.get(todo.pop())
        if i is not None and i not in needed:
            needed.add(i)
            todo.extend(nodes[i].input)
    copy = type(proto)()
    copy.CopyFrom(proto)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes[i] for i in sorted(needed))
    return copy


def _reference_runner(proto: Any) -> Run:
    """The same by the ONNX reference evaluator: slow, but it is always there and knows every opset."""
    from onnx.reference import ReferenceEvaluator

    try:
        evaluator = ReferenceEvaluator(proto)
    except Exception as error:  # of many kinds, see above
        raise FrontendError(
            f"neither onnxruntime nor the ONNX reference evaluator can load the model: {error}",
            hint="pip install --upgrade snntoolbox[onnx]",
        ) from error
    return lambda feeds: _guarded(evaluator.run, feeds)


def _guarded(run: Any, feeds: dict[str, Array]) -> list[Array]:
    try:
        return [np.asarray(output) for output in run(None, feeds)]
    except Exception as error:  # of many kinds, see above
        raise FrontendError(f"the model cannot be run: {error}") from error
