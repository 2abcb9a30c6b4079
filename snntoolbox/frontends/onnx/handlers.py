"""The table of handlers: for each operator of ONNX the function that puts it into the graph."""

from __future__ import annotations

from snntoolbox.frontends.functions import of_source
from snntoolbox.frontends.onnx import (
    activations,
    arithmetic,
    attending,
    layer_norms,
    moving,
    pooling,
    quantised,
    recurrent,
    reducing,
    resizing,
    shaping,
    weighted,
)
from snntoolbox.frontends.onnx.call import Handler

HANDLERS: dict[str, Handler] = {
    "Abs": of_source("abs"),
    "Add": arithmetic.add,
    "Attention": attending.scaled_attention,
    "AveragePool": pooling.average_pool,
    "BatchNormalization": weighted.batch_normalization,
    "Cast": shaping.cast,
    "CastLike": shaping.cast_like,
    "Celu": activations.celu,
    "Clip": activations.clip,
    "Concat": moving.concat,
    "Conv": weighted.conv,
    "ConvTranspose": weighted.conv_transpose,
    "DequantizeLinear": quantised.dequantize,
    "DepthToSpace": shaping.depth_to_space,
    "Div": arithmetic.divide,
    "Dropout": shaping.dropout,
    "DynamicQuantizeLinear": quantised.by_sample,
    "Einsum": attending.einsum,
    "Elu": activations.elu,
    "Erf": of_source("erf"),
    "Exp": of_source("exp"),
    "Expand": moving.expand,
    "Flatten": shaping.flatten,
    "Floor": of_source("floor"),
    "Gather": moving.gather,
    "Gelu": activations.gelu,
    "Gemm": weighted.gemm,
    "GlobalAveragePool": pooling.global_average_pool,
    "GlobalMaxPool": pooling.global_max_pool,
    "GroupNormalization": layer_norms.group_normalization,
    "HardSigmoid": activations.hard_sigmoid,
    "HardSwish": of_source("hard_swish"),
    "Identity": shaping.identity,
    "InstanceNormalization": layer_norms.instance_normalization,
    "LayerNormalization": layer_norms.layer_normalization,
    "LeakyRelu": activations.leaky_relu,
    "LogSoftmax": activations.log_softmax,
    "MatMul": arithmetic.matmul,
    "Max": activations.maximum,
    "MaxPool": pooling.max_pool,
    "Mean": arithmetic.mean,
    "Min": activations.minimum,
    "Mish": of_source("mish"),
    "Mul": arithmetic.multiply,
    "Neg": arithmetic.negate,
    "Pow": attending.power,
    "PRelu": activations.prelu,
    "Pad": moving.pad,
    "QLinearConv": quantised.conv,
    "QLinearMatMul": quantised.matmul,
    "QuantizeLinear": quantised.quantize,
    "RMSNormalization": layer_norms.rms_normalization,
    "Reciprocal": layer_norms.reciprocal,
    "ReduceMax": reducing.reduce_max,
    "ReduceMean": reducing.reduce_mean,
    "ReduceSum": reducing.reduce_sum,
    **dict.fromkeys(("RNN", "LSTM", "GRU"), recurrent.recurrent),
    "Relu": of_source("relu"),
    "Reshape": shaping.reshape,
    "Resize": resizing.resize,
    "Selu": activations.selu,
    "Sigmoid": of_source("sigmoid"),
    "Slice": moving.slice_,
    "Softmax": activations.softmax,
    "Softplus": of_source("softplus"),
    "SpaceToDepth": shaping.space_to_depth,
    "Split": moving.split,
    "Sqrt": layer_norms.square_root,
    "Squeeze": shaping.squeeze,
    "Sub": arithmetic.subtract,
    "Sum": arithmetic.total,
    "Swish": activations.swish,
    "Tanh": of_source("tanh"),
    "ThresholdedRelu": activations.thresholded_relu,
    "Tile": moving.tile,
    "Transpose": shaping.transpose,
    "Unsqueeze": shaping.unsqueeze,
    "Upsample": resizing.upsample,
    "Where": attending.where,
}

ANY_BATCH_AXIS = frozenset(
    {
        *("RNN", "LSTM", "GRU"),
        *("Identity", "Cast", "CastLike", "Dropout", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Gather"),
        *("Slice", "Concat", "Split", "Add", "Sub", "Sum", "Mean", "Mul", "Div", "Neg", "MatMul", "Relu", "Clip"),
        *("LeakyRelu", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "ReduceMean"),
        "ReduceSum",
    }
)
"""Operators that take data whose first axis is not the batch: sequences with their steps in front."""

BROADCASTING = frozenset({"Add", "Sub", "Mul", "Div", "Sum", "Mean"})
"""Operators whose inputs may be of different ranks."""

STEPS_FIRST = frozenset({"RNN", "GRU", "LSTM"})
"""Operators whose results have the batch elsewhere than in front."""
