"""The table of handlers: for each operation of a recorded network the function that puts it into the graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from snntoolbox.frontends import functions, maps, windows
from snntoolbox.frontends.functions import SELU, of_source
from snntoolbox.frontends.lasagne.call import Handler, LasagneCall
from snntoolbox.frontends.layer_call import TREAT_ALONE, Activation, Refusal, per_axis
from snntoolbox.frontends.windows import Window
from snntoolbox.ir.nodes import Floor

# -- layers ---------------------------------------------------------------------------------------------------------


def identity(call: LasagneCall) -> str:
    """The input itself."""
    return call.source()


def dense(call: LasagneCall) -> str:
    """Fully connected: all axes behind the leading ones as one."""
    shape, weight = call.shape(), call.constant(1, "weight")
    axis = call.axis(call.settings["leading"])
    rows = (*shape[:axis], math.prod(shape[axis:]))
    flat = call.builder.reshape(f"{call.name}_flat", call.source(), rows, call.origin)
    return call.builder.dense(call.name, flat, weight.T, None, origin=call.origin)


def mix(call: LasagneCall) -> str:
    """Fully connected over the channels of each place."""
    return call.builder.dense(call.name, call.source(), call.constant(1, "weight").T, None, axis=0, origin=call.origin)


def shift(call: LasagneCall) -> str:
    """Plus trained values along some axes."""
    values = call.along(call.constant(1, "bias"), call.settings["axes"])
    return call.builder.affine(call.name, call.source(), None, values, call.origin)


def stretch(call: LasagneCall) -> str:
    """Times trained values along some axes."""
    values = call.along(call.constant(1, "gain"), call.settings["axes"])
    return call.builder.affine(call.name, call.source(), values, None, call.origin)


def prelu(call: LasagneCall) -> str:
    """A rectifier with trained slopes below zero."""
    slopes = call.along(call.constant(1, "slope"), call.settings["axes"])
    return functions.leaky_relu(call, call.source(), slopes)


def conv(call: LasagneCall) -> str:
    """A convolution, its filters turned round where they are flipped."""
    weight, told = call.constant(1, "filter"), call.settings
    kernel = windows.check_kernel(call, call.source(), weight)
    rank = len(kernel)
    stride, dilation = (
        per_axis("stride", told["stride"], rank, least=1),
        per_axis("dilation", told["dilation"], rank, least=1),
    )
    pads = per_axis("pad", told["pads"], rank)
    if told["flip"]:
        weight = np.flip(weight, tuple(range(2, weight.ndim)))
    window = Window(kernel, stride, dilation, tuple((p, p) for p in pads))
    return windows.convolution(call, call.source(), np.ascontiguousarray(weight), None, window, told["groups"])


def pool(call: LasagneCall) -> str:
    """The maximum or mean of each window; padding counts in a mean where its mode says so."""
    told, space = call.settings, call.shape()[1:]
    rank, mode = len(space), told["mode"]
    if mode not in ("max", "average_inc_pad", "average_exc_pad"):
        raise Refusal(f"pools by the mode '{mode}'")
    kernel = per_axis("pool_size", told["kernel"], rank, least=1)
    stride, pads = per_axis("stride", told["stride"], rank, least=1), per_axis("pad", told["pads"], rank)
    if any(p >= k for p, k in zip(pads, kernel, strict=True)):
        raise Refusal(f"pads {pads} for windows of {kernel}: a window must reach the data")
    window = Window(kernel, stride, (1,) * rank, tuple((p, p) for p in pads))
    fitting = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(space, kernel, stride, pads, strict=True))
    ceil = tuple(told["windows"]) != fitting
    if mode == "max":
        return windows.max_pool(call, call.source(), window, ceil=ceil)
    return windows.average_pool(call, call.source(), window, count_padding=mode == "average_inc_pad", ceil=ceil)


def upscale(call: LasagneCall) -> str:
    """Each value repeated along the axes of space."""
    if call.settings["mode"] != "repeat":
        raise Refusal(f"upscales by the mode '{call.settings['mode']}'")
    source = call.source()
    for axis, factor in enumerate(
        per_axis("scale_factor", call.settings["factors"], len(call.shape()) - 1, least=1), 1
    ):
        size = call.shape(source)[axis]
        call.builder.spend(size * factor)
        places = [i for i in range(size) for _ in range(factor)]
        source = call.builder.take(call.name, source, axis, places, call.origin)
    return source


def pad(call: LasagneCall) -> str:
    """A constant around the sample's axes."""
    batch, *widths = call.settings["widths"]
    if any(batch):
        raise Refusal("pads the batch", hint=TREAT_ALONE)
    return maps.padded(call, call.source(), [tuple(w) for w in widths], value=float(call.settings["value"]))


# -- shapes ---------------------------------------------------------------------------------------------------------


def flatten(call: LasagneCall) -> str:
    """The last axes as one, so that there are so many."""
    axes = int(
        call.settings.get("ndim", call.settings.get("outdim", call.operands[1] if len(call.operands) > 1 else 1))
    )
    shape = call.shape()
    if not 2 <= axes <= len(shape) + 1:
        raise Refusal(f"flattens {len(shape) + 1} axes to {axes}", hint=TREAT_ALONE)
    flat = (*shape[: axes - 2], math.prod(shape[axes - 2 :]))
    return call.builder.reshape(call.name, call.source(), flat, call.origin)


def reshape(call: LasagneCall) -> str:
    """Another shape for each sample; the first axis must stay the batch."""
    told = call.operands[1] if len(call.operands) > 1 else call.settings.get("newshape", ())
    sizes = list(told) if isinstance(told, list | tuple) else [told]
    batch, *rest = [None if n is None else int(n) for n in sizes] or [1]
    size, others = math.prod(call.shape()), -math.prod(n for n in rest if n is not None)
    if -1 in rest and batch is None and others > 0 and not size % others:
        rest = [size // others if n == -1 else n for n in rest]
    known = [n for n in rest if n is not None and n > 0]
    if batch not in (None, -1) or len(known) < len(rest) or math.prod(known) != size:
        raise Refusal(f"its shape {sizes} mixes the batch with other axes", hint=TREAT_ALONE)
    return call.builder.reshape(call.name, call.source(), known, call.origin)


def dimshuffle(call: LasagneCall) -> str:
    """The axes in another order, behind the batch, and new ones of length one."""
    pattern = call.operands[1:]
    order = list(pattern[0] if len(pattern) == 1 and isinstance(pattern[0], list | tuple) else pattern)
    shape, kept = call.shape(), [p for p in order[1:] if p != "x"]
    left = [a for a in range(1, len(shape) + 1) if a not in kept]
    if not order or order[0] != 0 or any(shape[a - 1] != 1 for a in left) or any(not 0 < p <= len(shape) for p in kept):
        raise Refusal(f"its pattern {order} moves the batch or loses an axis", hint=TREAT_ALONE)
    moved = call.builder.permute(call.name, call.source(), [a - 1 for a in (*kept, *left)], call.origin)
    sizes = [1 if p == "x" else shape[p - 1] for p in order[1:]]
    return call.builder.reshape(f"{call.name}_shape", moved, sizes, call.origin)


def concatenate(call: LasagneCall) -> str:
    """All inputs behind one another."""
    parts = call.operands[0]
    axis = call.settings.get("axis", call.operands[1] if len(call.operands) > 1 else 0)
    if not isinstance(parts, list | tuple) or not all(isinstance(p, Activation) for p in parts):
        raise Refusal("joins constants")
    names = [p.name for p in parts]
    return call.builder.concat(call.name, names, call.axis(axis, names[0]), call.origin)


def getitem(call: LasagneCall) -> str:
    """Parts of the sample's axes, or places of them."""
    key = call.settings["key"]
    parts, source, shape = list(key) if isinstance(key, tuple) else [key], call.source(), call.shape()
    if any(p is None for p in parts):
        raise Refusal("makes a new axis in an index", hint="use a ReshapeLayer or dimshuffle")
    if not parts or parts[0] != slice(None) or len(parts) > len(shape) + 1:
        raise Refusal("picks from the batch", hint=TREAT_ALONE)
    left = list(shape)
    for axis, part in enumerate(parts[1:]):
        if not isinstance(part, int | slice):
            raise Refusal("picks by something else than numbers and slices")
        if isinstance(part, int) and not -shape[axis] <= part < shape[axis]:
            raise Refusal(f"picks place {part} of {shape[axis]}")
        places = [part % shape[axis]] if isinstance(part, int) else list(range(shape[axis])[part])
        source = call.builder.take(call.name, source, axis, places, call.origin)
        left[axis] = 0 if isinstance(part, int) else len(places)
    return call.builder.reshape(f"{call.name}_shape", source, [n for n in left if n], call.origin)


# -- reductions and arithmetic --------------------------------------------------------------------------------------


def _over(function: Callable[..., str]) -> Handler:
    """A reduction over axes of the sample."""

    def handler(call: LasagneCall) -> str:
        axis = call.settings.get("axis", call.operands[1] if len(call.operands) > 1 else None)
        return function(call, call.source(), call.axes(axis), keepdims=bool(call.settings.get("keepdims", False)))

    handler.__doc__ = f"The {function.__name__.removesuffix('_over').replace('total', 'sum')} over axes of the sample."
    return handler


def dot(call: LasagneCall) -> str:
    """A product with a constant matrix."""
    return maps.matrix_product(call, call.operand(0), call.operand(1))


def _sum(factors: tuple[float, float]) -> Handler:
    def handler(call: LasagneCall) -> str:
        return maps.weighted_sum(call, [call.operand(0), call.operand(1)], factors)

    handler.__doc__ = "x + y." if factors[1] > 0 else "x - y."
    return handler


def multiply(call: LasagneCall) -> str:
    """x * c; of two activations, what is a known function of one."""
    return maps.product(call, call.operand(0), call.operand(1))


def divide(call: LasagneCall) -> str:
    """x / c."""
    return maps.quotient(call, call.operand(0), call.operand(1))


def negate(call: LasagneCall) -> str:
    """-x."""
    return maps.negative(call, call.source())


def _extreme(sign: float) -> Handler:
    def handler(call: LasagneCall) -> str:
        return functions.extreme(call, [call.operand(0), call.operand(1)], sign)

    handler.__doc__ = "The larger of two." if sign > 0 else "The smaller of two."
    return handler


# -- functions ------------------------------------------------------------------------------------------------------


def relu(call: LasagneCall) -> str:
    """``max(x, 0)``, with a slope below zero where one is set."""
    if len(call.operands) + len(call.settings) < 2:
        return functions.relu(call, call.source())
    slope: Any = call.settings["alpha"] if "alpha" in call.settings else call.number(1, "slope")
    return functions.leaky_relu(call, call.source(), float(slope))


def elu(call: LasagneCall) -> str:
    """``x`` above zero, ``alpha * (exp(x) - 1)`` below."""
    return functions.elu(call, call.source(), call.number(1, "alpha") if len(call.operands) > 1 else 1.0)


def scaled_elu(call: LasagneCall) -> str:
    """SELU."""
    told = call.settings
    if not np.allclose((told["alpha"], told["scale"]), SELU):
        return functions.scaled_elu(call, call.source(), told["alpha"], told["scale"])
    return functions.scaled_elu(call, call.source(), *SELU)


def hard_sigmoid(call: LasagneCall) -> str:
    """``min(max(x / 5 + 1 / 2, 0), 1)``."""
    return functions.hard_sigmoid(call, call.source(), 0.2, 0.5)


def clip(call: LasagneCall) -> str:
    """``min(max(x, low), high)``."""
    return functions.clipped(call, call.source(), call.number(1, "bound"), call.number(2, "bound"))


def rounded(call: LasagneCall) -> str:
    """The nearest whole number: behind a bound a quantised rectifier, of one level where the activation is binary."""
    half = call.builder.affine(f"{call.name}_half", call.source(), None, np.full((), 0.5), call.origin)
    return call.builder.add(Floor(name=call.name, inputs=(half,), origin=call.origin))


def softmax(call: LasagneCall) -> str:
    """Softmax over the classes."""
    return functions.softmax(call, call.source())


HANDLERS: dict[str, Handler] = {
    "layer": identity,
    "dense": dense,
    "mix": mix,
    "shift": shift,
    "stretch": stretch,
    "prelu": prelu,
    "conv": conv,
    "pool": pool,
    "upscale": upscale,
    "pad": pad,
    "flatten": flatten,
    "reshape": reshape,
    "dimshuffle": dimshuffle,
    "concatenate": concatenate,
    "getitem": getitem,
    "mean": _over(maps.mean),
    "sum": _over(maps.total),
    "max": _over(windows.max_over),
    "dot": dot,
    "add": _sum((1.0, 1.0)),
    "sub": _sum((1.0, -1.0)),
    "mul": multiply,
    "true_div": divide,
    "neg": negate,
    "maximum": _extreme(1.0),
    "minimum": _extreme(-1.0),
    "relu": relu,
    "sigmoid": of_source("sigmoid"),
    "hard_sigmoid": hard_sigmoid,
    "tanh": of_source("tanh"),
    "softplus": of_source("softplus"),
    "elu": elu,
    "scaled_elu": scaled_elu,
    "softmax": softmax,
    "abs_": of_source("abs"),
    "floor": of_source("floor"),
    "clip": clip,
    "round": rounded,
    "round3": rounded,
    "iround": rounded,
    "cast": identity,
    "astype": identity,
}
