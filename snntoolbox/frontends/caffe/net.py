"""A Caffe net as it runs in its test phase: its inputs, and its layers in order with their weights."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.caffe.files import Blob, CaffeFiles
from snntoolbox.frontends.caffe.schema import choice
from snntoolbox.ir.node import Shape

log = logging.getLogger(__name__)

INPUTS = ("Input", "Data", "ImageData", "HDF5Data", "MemoryData", "DummyData", "WindowData")
MEASURES = ("Accuracy", "HDF5Output")
"""Layers that say or keep something of the values, and make none that a network is for."""

LOSSES = {
    "SoftmaxWithLoss": "Softmax",
    "SigmoidCrossEntropyLoss": "Sigmoid",
    **dict.fromkeys(("EuclideanLoss", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss"), ""),
    "ContrastiveLoss": "",
}
"""Losses, which read the net's output and its labels, and the function that they put behind that output."""

_OTHER_STAGE = "a layer of another phase or stage makes it: take the net for deployment, or name the stage, as in "
_OTHER_STAGE += "`state { stage: 'deploy' }`"

_OLD_KINDS = {
    **{"ABSVAL": "AbsVal", "ACCURACY": "Accuracy", "ARGMAX": "ArgMax", "BNLL": "BNLL", "CONCAT": "Concat"},
    **{"CONTRASTIVE_LOSS": "ContrastiveLoss", "CONVOLUTION": "Convolution", "DATA": "Data", "DROPOUT": "Dropout"},
    **{"DECONVOLUTION": "Deconvolution", "DUMMY_DATA": "DummyData", "EUCLIDEAN_LOSS": "EuclideanLoss", "EXP": "Exp"},
    **{"ELTWISE": "Eltwise", "FLATTEN": "Flatten", "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output"},
    **{"HINGE_LOSS": "HingeLoss", "IM2COL": "Im2col", "IMAGE_DATA": "ImageData", "INFOGAIN_LOSS": "InfogainLoss"},
    **{"INNER_PRODUCT": "InnerProduct", "LRN": "LRN", "MEMORY_DATA": "MemoryData", "MVN": "MVN", "POWER": "Power"},
    **{"MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss", "POOLING": "Pooling", "RELU": "ReLU", "SLICE": "Slice"},
    **{"SIGMOID": "Sigmoid", "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss", "SILENCE": "Silence"},
    **{"SOFTMAX": "Softmax", "SOFTMAX_LOSS": "SoftmaxWithLoss", "SPLIT": "Split", "TANH": "TanH"},
    **{"WINDOW_DATA": "WindowData", "THRESHOLD": "Threshold", "NONE": "None"},
}
"""The numbers by which layers of the first version are called -> their later names."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: what it reads and makes by name, its message, and its weights; `shared` names these, if any does."""

    name: str
    kind: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    message: Any
    blobs: tuple[Blob, ...] = ()
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Net:
    """A net of the test phase; `inputs` have the shape of a sample, `batch` is the one that the text names.

    A layer may write over what it reads: a name means what was last written before a layer.
    """

    name: str
    inputs: Mapping[str, Shape]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    batch: int | None = None
    oddity: str | None = None


def net_of(files: CaffeFiles, input_shape: Shape | None = None) -> Net:
    """The net of two files; FrontendError where its wiring, its inputs or its text cannot be used."""
    listed = list(_listed(files.net))
    layers = [layer for layer in listed if _runs(layer.message, files.net.state)]
    if not layers:
        raise FrontendError(f"'{files.name}.prototxt' names no layers: it is no net, but a solver perhaps")
    declared = dict(_declared(files.net, layers))
    working = _working([layer for layer in layers if layer.kind not in INPUTS])
    outputs = _wired(working, set(declared), {top for layer in listed for top in layer.tops})
    read = {name for layer in working for name in layer.bottoms}
    inputs = {name: _shape(name, shape, input_shape) for name, shape in declared.items() if name in read}
    if input_shape is not None and len(inputs) > 1:
        raise FrontendError(f"the net has {len(inputs)} inputs, and input_shape is for one")
    if not inputs or not outputs:
        raise FrontendError(f"'{files.name}.prototxt' is no net for deployment: no layer works on data")
    batches = {shape[0] for shape in declared.values() if shape}
    batch = batches.pop() if len(batches) == 1 else None
    layers = [layer for layer in working if layer.kind != "Silence"]
    return Net(files.name, inputs, _with_weights(layers, files.blobs), outputs, batch, files.oddity)


# -- layers ---------------------------------------------------------------------------------------------------------


def _listed(net: Any) -> Iterator[Layer]:
    """All layers of either version."""
    if net.layer and net.layers:
        raise FrontendError("the net has layers of two versions, `layer` and `layers`", hint="write all as `layer`")
    if any(layer.HasField("layer") for layer in net.layers):
        hint = "upgrade it with Caffe's upgrade_net_proto_text and upgrade_net_proto_binary"
        raise FrontendError("the net is written in the oldest form, with `layers { layer { ... } }`", hint=hint)
    for i, layer in enumerate((*net.layer, *net.layers)):
        old = bool(net.layers)
        kind = _OLD_KINDS[choice(layer, "type")] if old else layer.type
        shared = tuple(layer.param) if old else tuple(p.name for p in layer.param)
        name = layer.name or f"layer{i + 1}"
        yield Layer(name, kind, tuple(layer.bottom), tuple(layer.top), layer, (), shared)


def _runs(layer: Any, state: Any) -> bool:
    """Whether a layer belongs to the test phase, by its rules."""
    if layer.include and layer.exclude:
        raise FrontendError(f"the layer '{layer.name}' has rules of both kinds, include and exclude")
    if layer.include:
        return any(_met(rule, state) for rule in layer.include)
    return not any(_met(rule, state) for rule in layer.exclude)


def _met(rule: Any, state: Any) -> bool:
    """Whether the test phase, with the level and the stages that the net names, meets a rule."""
    if rule.HasField("phase") and choice(rule, "phase") != "TEST":
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        return False
    return set(rule.stage) <= set(state.stage) and not set(rule.not_stage) & set(state.stage)


def _working(layers: Sequence[Layer]) -> list[Layer]:
    """The layers that make values: measures are left out, and of a loss what it does to the net's output is kept."""
    classified = {b for layer in layers if layer.kind in LOSSES.values() for b in layer.bottoms}
    working = []
    for layer in layers:
        if layer.kind in MEASURES:
            continue
        if layer.kind not in LOSSES:
            working.append(layer)
        elif LOSSES[layer.kind] and layer.bottoms[:1] and layer.bottoms[0] not in classified:
            tops = layer.tops[1:2] or layer.tops[:1] or (layer.name,)
            working.append(replace(layer, kind=LOSSES[layer.kind], bottoms=layer.bottoms[:1], tops=tops))
    return working


def _wired(layers: Sequence[Layer], given: set[str], anywhere: set[str]) -> tuple[str, ...]:
    """The names that no layer reads after they were written; FrontendError where one is read before, or made twice."""
    made: dict[str, bool] = dict.fromkeys(given, True)  # whether somebody has read it
    later = {top for layer in layers for top in layer.tops}
    for layer in layers:
        for bottom in layer.bottoms:
            if bottom not in made:
                why = "only itself or a later layer makes" if bottom in later else "no layer of the test phase makes"
                hint = _OTHER_STAGE if bottom in anywhere - later else None
                raise FrontendError(f"the layer '{layer.name}' reads '{bottom}', which {why}", hint=hint)
            made[bottom] = True
        for i, top in enumerate(layer.tops):
            if top in made and layer.bottoms[i : i + 1] != (top,):
                raise FrontendError(f"'{top}' is made twice, the second time by '{layer.name}'")
            made.pop(top, None)  # behind all others, as it is written now
            made[top] = False
    return tuple(name for name, read in made.items() if not read)


def _with_weights(layers: Sequence[Layer], blobs: Mapping[str, Sequence[Blob]]) -> tuple[Layer, ...]:
    """The layers with their blobs; those that are shared by name are stored with one of the layers at least."""
    owners: dict[str, Blob] = {}
    for layer in layers:
        for name, blob in zip(layer.shared, blobs.get(layer.name, ()), strict=False):
            if name:
                owners.setdefault(name, blob)
    return tuple(replace(layer, blobs=_blobs(layer, blobs.get(layer.name, ()), owners)) for layer in layers)


def _blobs(layer: Layer, own: Sequence[Blob], owners: Mapping[str, Blob]) -> tuple[Blob, ...]:
    """The blobs of one layer, shared ones as their owner has them."""
    named = [owners.get(name) if name else None for name in layer.shared]
    count = max(len(own), len(named)) if all(b is not None for b in named[len(own) :]) else len(own)
    pairs = ((named[i] if i < len(named) else None, own[i] if i < len(own) else None) for i in range(count))
    return tuple(blob for first, second in pairs if (blob := first or second) is not None)


# -- inputs ---------------------------------------------------------------------------------------------------------


def _declared(net: Any, layers: Sequence[Layer]) -> Iterator[tuple[str, Shape | None]]:
    """Every input by name with its shape, the batch in front; None for one that the text leaves open."""
    dims = list(net.input_dim)
    for i, name in enumerate(net.input):
        listed = net.input_shape[i].dim if i < len(net.input_shape) else dims[4 * i : 4 * i + 4]
        yield name, tuple(listed) or None
    for layer in layers:
        if layer.kind not in INPUTS:
            continue
        if layer.bottoms:
            raise FrontendError(f"the net is damaged: the data layer '{layer.name}' reads {', '.join(layer.bottoms)}")
        shapes = _shapes_of(layer)
        _tell_of_transformation(layer)
        if layer.message.dummy_data_param.data_filler:
            log.warning("Caffe fills the data layer '%s' by itself: here it is an input like any other", layer.name)
        for i, top in enumerate(layer.tops):
            yield top, (shapes[0] if len(shapes) == 1 else shapes[i] if i < len(shapes) else None)


def _shapes_of(layer: Layer) -> list[Shape]:
    """The shapes that a data layer names, for all that it makes or for each."""
    message = layer.message
    if layer.kind == "Input":
        return [tuple(shape.dim) for shape in message.input_param.shape]
    if layer.kind == "MemoryData":
        told = message.memory_data_param
        return [(told.batch_size, told.channels, told.height, told.width)]
    if layer.kind == "DummyData":
        told = message.dummy_data_param
        sizes = (told.num, told.channels, told.height, told.width)
        return [tuple(s.dim) for s in told.shape] or [tuple(s) for s in zip(*sizes, strict=False)]
    return []


def _tell_of_transformation(layer: Layer) -> None:
    """Say that a data layer changes the data of its source, which data from elsewhere must be like."""
    told = layer.message.transform_param
    if told.scale != 1 or told.mean_value or told.mean_file:
        log.warning(
            "the data layer '%s' scales its data or takes a mean off: give data to which this has been done", layer.name
        )


def _shape(name: str, declared: Shape | None, given: Shape | None) -> Shape:
    """The shape of a sample of an input; FrontendError where it is open, or does not fit the one given."""
    layer = f"{name} (caffe Input)"
    if declared is None and given is None:
        hint = "give the shape of a sample: input_shape = (channels, height, width), or the .prototxt for deployment"
        raise FrontendError("the file leaves its sizes open: they are those of a database", layer=layer, hint=hint)
    if declared is not None and given is not None and tuple(given) != declared[1:]:
        raise FrontendError(f"input_shape {tuple(given)} does not fit the file's {declared[1:]}", layer=layer)
    shape = tuple(given or ()) if declared is None else declared[1:]
    if not shape or min(shape) < 1 or (declared is not None and declared[0] < 1):
        raise FrontendError(f"its shape {declared or shape} is none of a batch of samples", layer=layer)
    return shape
