"""Handlers of layers that join several blobs, or scale and shift one by trained values."""

from __future__ import annotations

from snntoolbox.frontends import functions, maps
from snntoolbox.frontends.caffe.call import CaffeCall
from snntoolbox.frontends.caffe.schema import choice
from snntoolbox.frontends.layer_call import Activation, Refusal


def eltwise(call: CaffeCall) -> str:
    """The sum of all inputs, each times its coefficient, the largest of them, or their product."""
    told = call.settings("eltwise")
    operation, coefficients = choice(told, "operation"), list(told.coeff)
    if len(call.sources) < 2 or len({call.shape(s) for s in call.sources}) > 1:
        shapes = ", ".join(str(call.shape(s)) for s in call.sources)
        raise Refusal(f"joins inputs of the shapes {shapes}: two or more of one shape are expected")
    if coefficients and (operation != "SUM" or len(coefficients) != len(call.sources)):
        raise Refusal(f"has {len(coefficients)} coefficients for a {operation} of {len(call.sources)} inputs")
    operands = [Activation(source) for source in call.sources]
    if operation == "MAX":
        return functions.extreme(call, operands, 1.0)
    if operation == "SUM":
        return maps.weighted_sum(call, operands, coefficients or [1.0] * len(operands))
    return maps.product(call, *operands) if len(operands) == 2 else maps.multiplied(call, operands)


def concat(call: CaffeCall) -> str:
    """All inputs behind one another along an axis."""
    axis = call.old_or_new_axis(call.settings("concat"), "concat_dim")
    return call.builder.concat(call.name, call.sources, axis, call.origin)


def scale(call: CaffeCall) -> str:
    """Times trained values for some of the axes, by default a value for each channel; with a bias where one is set."""
    told = call.settings("scale")
    if len(call.sources) > 1:
        raise Refusal("multiplies two blobs along some axes", hint="let an Eltwise layer multiply two of one shape")
    first, last = call.span(told.axis, told.num_axes)
    shape = call.shape()[first:last]
    gain, *bias = call.trained(shape, shape) if told.bias_term else call.trained(shape)
    shift = call.along(bias[0], last) if bias else None
    return call.builder.affine(call.name, call.source(), call.along(gain, last), shift, call.origin)


def bias(call: CaffeCall) -> str:
    """Plus trained values for some of the axes, by default a value for each channel."""
    told = call.settings("bias")
    if len(call.sources) > 1:
        raise Refusal("adds an activation along some axes", hint="let an Eltwise layer add two of one shape")
    first, last = call.span(told.axis, told.num_axes)
    (shift,) = call.trained(call.shape()[first:last])
    return call.builder.affine(call.name, call.source(), None, call.along(shift, last), call.origin)
