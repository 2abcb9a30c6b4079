"""The table of handlers: for each type of layer of Caffe the function that puts it into the graph."""

from __future__ import annotations

from snntoolbox.frontends.caffe import activations, joining, pooling, shaping, weighted
from snntoolbox.frontends.caffe.call import Handler
from snntoolbox.frontends.functions import of_source

HANDLERS: dict[str, Handler] = {
    "AbsVal": of_source("abs"),
    "BNLL": of_source("softplus"),
    "BatchNorm": weighted.batch_norm,
    "Bias": joining.bias,
    "Clip": activations.clip,
    "Concat": joining.concat,
    "Convolution": weighted.convolution,
    "Crop": shaping.crop,
    "Deconvolution": weighted.deconvolution,
    "Dropout": shaping.identity,
    "ELU": activations.elu,
    "Eltwise": joining.eltwise,
    "Flatten": shaping.flatten,
    "InnerProduct": weighted.inner_product,
    "LPAct": activations.fixed_point,
    "LPConvolution": weighted.rounded_convolution,
    "LPInnerProduct": weighted.rounded_inner_product,
    "PReLU": activations.prelu,
    "Pooling": pooling.pooling,
    "Power": activations.power,
    "ReLU": activations.relu,
    "Reduction": shaping.reduction,
    "Reshape": shaping.reshape,
    "Scale": joining.scale,
    "Sigmoid": of_source("sigmoid"),
    "Slice": shaping.slices,
    "Softmax": activations.softmax,
    "Split": shaping.split,
    "Swish": activations.swish,
    "TanH": of_source("tanh"),
    "Threshold": activations.threshold,
    "Tile": shaping.tile,
}

KEEPS_SHAPE = frozenset(("LRN", "MVN", "Exp", "Log", "Threshold", "Power", "BatchNorm", "Scale", "Bias", "PReLU"))
"""Layers whose output has the shape of their input: where one is refused, what follows can still be examined."""
