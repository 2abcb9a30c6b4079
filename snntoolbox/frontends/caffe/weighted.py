"""Handlers of layers with trained weights, and of their forms with few bits that ADaPTION trains."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from snntoolbox.frontends.caffe.call import CaffeCall, per_space
from snntoolbox.frontends.caffe.schema import choice
from snntoolbox.frontends.layer_call import Refusal, per_axis
from snntoolbox.frontends.windows import Window, transposed_convolution
from snntoolbox.frontends.windows import convolution as convolved
from snntoolbox.ir.node import Array, Shape

Weights = Callable[[CaffeCall, Shape, int, bool], tuple[Array, Array | None]]

# -- weights --------------------------------------------------------------------------------------------------------


def _plain(call: CaffeCall, shape: Shape, filters: int, biased: bool) -> tuple[Array, Array | None]:
    """Weight and bias as they are stored."""
    weight, *bias = call.trained(shape, (filters,)) if biased else call.trained(shape)
    return weight, bias[0] if bias else None


def _rounded(call: CaffeCall, shape: Shape, filters: int, biased: bool) -> tuple[Array, Array | None]:
    """Weight and bias as the layer uses them: it keeps what it trains beside what it computes with."""
    told = call.settings("lpfp")
    arrays = call.trained(shape, shape, (filters,), (filters,)) if biased else call.trained(shape, shape)
    weight = fixed_point(arrays[0], told)
    if not biased:
        return weight, None
    return weight, fixed_point(arrays[2], told) if told.round_bias else arrays[2]


def fixed_point(values: Array, told: Any) -> Array:
    """The nearest numbers of ``bd`` bits before the point, the sign's among them, and ``ad`` behind it."""
    step, most = fixed_point_range(told)
    rounded: Array = np.copysign(np.floor(np.abs(values.astype(np.float64)) / step + 0.5), values) * step
    return rounded.clip(-most, most)


def fixed_point_range(told: Any) -> tuple[float, float]:
    """The step between such numbers, and the largest one."""
    if choice(told, "rounding_scheme") != "DETERMINISTIC":
        raise Refusal("rounds at random: rounding_scheme = STOCHASTIC")
    if not (1 <= told.bd <= 31 and 0 <= told.ad <= 30):
        raise Refusal(f"has numbers of {told.bd} bits before the point and {told.ad} behind it")
    step = 2.0**-told.ad
    return step, 2.0 ** (told.bd - 1) - step


# -- layers ---------------------------------------------------------------------------------------------------------


def _convolution(call: CaffeCall, weights: Weights) -> str:
    told, channels = call.settings("convolution"), call.shape()[0]
    place, groups = _window(call, told), told.group
    if groups < 1 or channels % groups or told.num_output % groups or not told.num_output:
        raise Refusal(f"{channels} channels and {told.num_output} filters in {groups} groups")
    shape = (told.num_output, channels // groups, *place.kernel)
    weight, bias = weights(call, shape, told.num_output, told.bias_term)
    return convolved(call, call.source(), weight, bias, place, groups)


def convolution(call: CaffeCall) -> str:
    """Cross-correlation over any number of spatial axes, with padding, stride, dilation and groups."""
    return _convolution(call, _plain)


def rounded_convolution(call: CaffeCall) -> str:
    """The same with weights (and a bias, where it says so) that are rounded to fixed point."""
    return _convolution(call, _rounded)


def deconvolution(call: CaffeCall) -> str:
    """Transposed convolution; what the padding covers is cut off."""
    told, channels = call.settings("convolution"), call.shape()[0]
    place, groups = _window(call, told), told.group
    if groups < 1 or told.num_output % groups or not told.num_output:
        raise Refusal(f"{told.num_output} filters in {groups} groups")
    weight, bias = _plain(call, (channels, told.num_output // groups, *place.kernel), told.num_output, told.bias_term)
    return transposed_convolution(call, call.source(), weight, bias, place, groups=groups)


def _window(call: CaffeCall, told: Any) -> Window:
    """The windows that a convolution moves over the axes behind the channels."""
    if call.axis(told.axis) != 0:
        raise Refusal(f"has its channels along axis {told.axis}, not 1")
    rank = len(call.shape()) - 1
    if rank < 1:
        raise Refusal(f"samples of shape {call.shape()} have no axes of space")
    kernel = per_axis("kernel_size", per_space(told, "kernel", "kernel_size", rank, None), rank, least=1)
    stride = per_axis("stride", per_space(told, "stride", "stride", rank, 1), rank, least=1)
    pad = per_axis("pad", per_space(told, "pad", "pad", rank, 0), rank)
    dilation = per_axis("dilation", list(told.dilation) or 1, rank, least=1)
    return Window(kernel, stride, dilation, tuple((p, p) for p in pad))


def _inner_product(call: CaffeCall, weights: Weights) -> str:
    told, shape = call.settings("inner_product"), call.shape()
    axis = call.axis(told.axis)
    size, filters = math.prod(shape[axis:]), told.num_output
    if not filters:
        raise Refusal("has no num_output")
    stored = (size, filters) if told.transpose else (filters, size)
    weight, bias = weights(call, stored, filters, told.bias_term)
    rows = call.builder.reshape(f"{call.name}_flat", call.source(), (*shape[:axis], size), call.origin)
    weight = weight.T if told.transpose else weight
    return call.builder.dense(call.name, rows, weight, bias, origin=call.origin)


def inner_product(call: CaffeCall) -> str:
    """Fully connected: all axes from ``axis`` on as one, times a matrix."""
    return _inner_product(call, _plain)


def rounded_inner_product(call: CaffeCall) -> str:
    """The same with weights (and a bias, where it says so) that are rounded to fixed point."""
    return _inner_product(call, _rounded)


def batch_norm(call: CaffeCall) -> str:
    """With the moving statistics, which are stored as sums beside what divides them; gains stand in a Scale."""
    told, (channels, *_) = call.settings("batch_norm"), call.shape()
    if told.HasField("use_global_stats") and not told.use_global_stats:
        raise Refusal(
            "normalises by the batch: use_global_stats is false",
            hint="leave use_global_stats out: it follows from the phase",
        )
    mean, variance, factor = call.trained((channels,), (channels,), (1,))
    scale = 1 / float(factor[0]) if factor[0] else 0.0
    if np.any(variance * scale + told.eps <= 0):
        raise Refusal("holds variances below 0, which have no square root", hint="the file is damaged: train it anew")
    return call.builder.batch_norm(
        call.name,
        call.source(),
        mean=mean.astype(np.float64) * scale,
        variance=variance.astype(np.float64) * scale,
        gamma=None,
        beta=None,
        epsilon=told.eps,
        origin=call.origin,
    )
