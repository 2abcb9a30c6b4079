"""Keras layers and small models, in the combinations that matter, with random weights."""

import keras
import keras_recurrent
import numpy as np
from keras import layers as L  # noqa: N812
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from snntoolbox.training.keras import QCFS

CF = {"data_format": "channels_first"}
S = {"padding": "same"}


def randomise(model, seed=0):
    """Random weights, batch statistics included, so that nothing is hidden by an initial 0 or 1."""
    rng = np.random.default_rng(seed)
    for w in model.weights:
        value = rng.normal(0, 0.5, w.shape)
        w.assign(np.abs(value) + 0.3 if "variance" in w.name else value)
    for layer in model.layers:
        if isinstance(layer, QCFS):
            layer.threshold.assign(np.abs(keras.ops.convert_to_numpy(layer.threshold)) + 0.3)
        if isinstance(layer, L.Normalization):
            layer.finalize_state()  # it computes with a copy of its statistics
    return model


def seq(shape, *parts):
    return keras.Sequential([keras.Input(shape), *parts])


ACTIVATIONS = (
    *("sigmoid", "tanh", "gelu", "silu", "swish", "mish", "elu", "selu", "softplus", "hard_silu", "hard_swish"),
    *("hard_sigmoid", "hard_tanh", "relu6", "leaky_relu"),
)

SINGLE = {
    **keras_recurrent.SINGLE,
    "dense": ((7,), lambda: L.Dense(5)),
    "dense_relu": ((7,), lambda: L.Dense(5, activation="relu")),
    "dense_relu6": ((7,), lambda: L.Dense(5, activation="relu6")),
    "dense_softmax": ((7,), lambda: L.Dense(5, activation="softmax")),
    "dense_log_softmax": ((7,), lambda: L.Dense(5, activation="log_softmax")),
    "dense_activation_layer": ((7,), lambda: L.Dense(5, activation=L.ReLU(max_value=0.5))),
    "dense_activation_function": ((7,), lambda: L.Dense(5, activation=keras.activations.relu)),
    "dense_glu": ((7,), lambda: L.Dense(6, activation="glu")),
    "einsum_dense": ((3, 4), lambda: L.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d", activation="relu")),
    "einsum_dense_heads": ((3, 4), lambda: L.EinsumDense("abc,cde->abde", (None, 2, 5), bias_axes="de")),
    "einsum_dense_of_each": ((3, 4), lambda: L.EinsumDense("abc,bcd->abd", (3, 5), bias_axes="bd")),
    "einsum_dense_dots": ((2, 3, 4), lambda: L.EinsumDense("...x,xy->...y", 5)),
    "dense_no_bias": ((7,), lambda: L.Dense(5, use_bias=False)),
    "dense_rank2": ((4, 7), lambda: L.Dense(5, activation="softmax")),
    "dense_rank3": ((3, 4, 7), lambda: L.Dense(5)),
    **{
        f"conv2d_{pad}_k{k}_s{s}_n{n}": (
            (n, n + 1, 3),
            lambda pad=pad, k=k, s=s: L.Conv2D(4, k, strides=s, padding=pad),
        )
        for pad in ("valid", "same")
        for k in (1, 2, 3, 4)
        for s in (1, 2, 3)
        for n in (7, 8)
    },
    "conv2d_oblong": ((9, 8, 2), lambda: L.Conv2D(4, (2, 5), strides=(2, 1), activation="relu", **S)),
    "conv2d_dilation": ((9, 8, 2), lambda: L.Conv2D(4, 3, dilation_rate=2)),
    "conv2d_dilation_same": ((9, 8, 2), lambda: L.Conv2D(4, (2, 3), dilation_rate=(3, 2), **S)),
    "conv2d_groups": ((6, 6, 4), lambda: L.Conv2D(6, 3, groups=2)),
    "conv2d_no_bias": ((6, 6, 4), lambda: L.Conv2D(6, 3, use_bias=False)),
    "conv2d_softmax": ((6, 6, 4), lambda: L.Conv2D(3, 3, activation="softmax")),
    "conv2d_first": ((3, 7, 8), lambda: L.Conv2D(4, 3, strides=2, activation="relu", **S, **CF)),
    "conv2d_first_groups": ((4, 7, 8), lambda: L.Conv2D(4, 3, groups=2, **CF)),
    "conv1d": ((9, 3), lambda: L.Conv1D(4, 3, strides=2)),
    "conv1d_same_even": ((9, 3), lambda: L.Conv1D(4, 4, strides=2, **S)),
    "conv1d_causal": ((9, 3), lambda: L.Conv1D(4, 3, padding="causal")),
    "conv1d_causal_dilated": ((9, 3), lambda: L.Conv1D(4, 3, padding="causal", dilation_rate=2)),
    "conv1d_causal_strided": ((9, 3), lambda: L.Conv1D(4, 2, padding="causal", strides=2)),
    "conv1d_first_causal": ((3, 9), lambda: L.Conv1D(4, 3, padding="causal", **CF)),
    "conv3d": ((5, 6, 7, 2), lambda: L.Conv3D(3, (2, 3, 2), strides=(1, 2, 2), **S)),
    "conv3d_first": ((2, 5, 6, 7), lambda: L.Conv3D(3, 2, **CF)),
    "depthwise2d": ((7, 8, 3), lambda: L.DepthwiseConv2D(3, depth_multiplier=2, activation="relu")),
    "depthwise2d_same": ((7, 8, 3), lambda: L.DepthwiseConv2D(4, strides=2, **S)),
    "depthwise2d_dilated": ((9, 9, 3), lambda: L.DepthwiseConv2D(2, dilation_rate=2, **S)),
    "depthwise2d_first": ((3, 7, 8), lambda: L.DepthwiseConv2D(3, depth_multiplier=2, **CF)),
    "depthwise1d": ((9, 3), lambda: L.DepthwiseConv1D(3, strides=2, depth_multiplier=2, **S)),
    "separable2d": ((7, 8, 3), lambda: L.SeparableConv2D(5, 3, strides=2, activation="relu", **S)),
    "separable2d_multiplier": ((7, 8, 3), lambda: L.SeparableConv2D(5, 2, depth_multiplier=3, use_bias=False)),
    "separable2d_dilated": ((9, 9, 3), lambda: L.SeparableConv2D(5, 3, dilation_rate=2, **S)),
    "separable2d_first": ((3, 7, 8), lambda: L.SeparableConv2D(5, 3, depth_multiplier=2, **S, **CF)),
    "separable1d": ((9, 3), lambda: L.SeparableConv1D(5, 3, strides=2, depth_multiplier=2)),
    **{
        f"{kind.__name__}_{pad}_p{p}_s{s}_n{n}": (
            (n, n, 2),
            lambda kind=kind, pad=pad, p=p, s=s: kind(p, strides=s, padding=pad),
        )
        for kind in (L.AveragePooling2D, L.MaxPooling2D)
        for pad in ("valid", "same")
        for p, s in ((2, None), (3, 2), (3, 1), (2, 3), (4, 2))
        for n in (7, 8)
    },
    "average_uneven_on_one_axis": ((7, 8, 2), lambda: L.AveragePooling2D((3, 2), strides=(2, 2), **S)),
    "average_first": ((2, 7, 8), lambda: L.AveragePooling2D(3, strides=2, **S, **CF)),
    "maximum_first": ((2, 7, 8), lambda: L.MaxPooling2D((2, 3), **CF)),
    "average1d": ((9, 3), lambda: L.AveragePooling1D(2, **S)),
    "average1d_first": ((3, 9), lambda: L.AveragePooling1D(3, strides=1, **S, **CF)),
    "maximum1d": ((9, 3), lambda: L.MaxPooling1D(2, **S)),
    "average3d": ((5, 6, 7, 2), lambda: L.AveragePooling3D((2, 3, 2), **S)),
    "maximum3d": ((5, 6, 7, 2), lambda: L.MaxPooling3D(2)),
    **{
        f"{kind.__name__}_{'keep' if keep else 'drop'}": (shape, lambda kind=kind, keep=keep: kind(keepdims=keep))
        for kind, shape in (
            (L.GlobalAveragePooling1D, (5, 3)),
            (L.GlobalAveragePooling2D, (5, 4, 3)),
            (L.GlobalAveragePooling3D, (2, 5, 4, 3)),
            (L.GlobalMaxPooling1D, (5, 3)),
            (L.GlobalMaxPooling2D, (5, 4, 3)),
            (L.GlobalMaxPooling3D, (2, 5, 4, 3)),
        )
        for keep in (False, True)
    },
    "global_average_first": ((3, 5, 4), lambda: L.GlobalAveragePooling2D(**CF)),
    "global_maximum_first": ((3, 5, 4), lambda: L.GlobalMaxPooling2D(keepdims=True, **CF)),
    "batch_norm": ((5, 4, 3), lambda: L.BatchNormalization()),
    "batch_norm_axis1": ((5, 4, 3), lambda: L.BatchNormalization(axis=1)),
    "batch_norm_axis_minus2": ((5, 4, 3), lambda: L.BatchNormalization(axis=-2, epsilon=0.1)),
    "batch_norm_no_scale": ((6,), lambda: L.BatchNormalization(scale=False)),
    "batch_norm_no_center": ((6,), lambda: L.BatchNormalization(center=False)),
    "batch_norm_bare": ((6,), lambda: L.BatchNormalization(scale=False, center=False)),
    "layer_norm": ((4, 6), lambda: L.LayerNormalization()),
    "layer_norm_axes": ((3, 4, 6), lambda: L.LayerNormalization(axis=[1, 3], epsilon=0.1)),
    "layer_norm_bare": ((6,), lambda: L.LayerNormalization(scale=False, center=False)),
    "rms_norm": ((4, 6), lambda: L.RMSNormalization()),
    "group_norm": ((3, 4, 6), lambda: L.GroupNormalization(2)),
    "group_norm_of_instances": ((3, 4, 6), lambda: L.GroupNormalization(-1, axis=1, center=False)),
    "flatten": ((2, 3, 4), lambda: L.Flatten()),
    "flatten_first": ((2, 3, 4), lambda: L.Flatten(**CF)),
    "flatten_first_rank1": ((5,), lambda: L.Flatten(**CF)),
    "reshape": ((2, 3, 4), lambda: L.Reshape((4, 6))),
    "reshape_rest": ((2, 3, 4), lambda: L.Reshape((-1, 2, 2))),
    "permute": ((2, 3, 4), lambda: L.Permute((3, 1, 2))),
    "repeat_vector": ((4,), lambda: L.RepeatVector(3)),
    "zero_padding1d": ((4, 2), lambda: L.ZeroPadding1D((1, 2))),
    "zero_padding2d": ((4, 5, 2), lambda: L.ZeroPadding2D(((1, 2), (0, 3)))),
    "zero_padding2d_pair": ((4, 5, 2), lambda: L.ZeroPadding2D((1, 2))),
    "zero_padding2d_first": ((2, 4, 5), lambda: L.ZeroPadding2D(((1, 2), (0, 3)), **CF)),
    "zero_padding3d": ((3, 4, 5, 2), lambda: L.ZeroPadding3D(1)),
    "cropping1d": ((6, 2), lambda: L.Cropping1D((1, 2))),
    "cropping2d": ((6, 7, 2), lambda: L.Cropping2D(((1, 2), (0, 3)))),
    "cropping2d_first": ((2, 6, 7), lambda: L.Cropping2D(((1, 0), (2, 0)), **CF)),
    "cropping3d": ((4, 6, 7, 2), lambda: L.Cropping3D(1)),
    "upsampling1d": ((3, 2), lambda: L.UpSampling1D(3)),
    "upsampling2d": ((3, 4, 2), lambda: L.UpSampling2D((2, 3))),
    "upsampling2d_first": ((2, 3, 4), lambda: L.UpSampling2D((2, 3), **CF)),
    "upsampling2d_bilinear": ((3, 4, 2), lambda: L.UpSampling2D((2, 3), interpolation="bilinear")),
    "upsampling2d_bilinear_one": ((1, 4, 2), lambda: L.UpSampling2D((4, 1), interpolation="bilinear")),
    "upsampling2d_bilinear_first": ((2, 3, 4), lambda: L.UpSampling2D(2, interpolation="bilinear", **CF)),
    "upsampling3d": ((2, 3, 4, 2), lambda: L.UpSampling3D((1, 2, 3))),
    "relu": ((6,), lambda: L.ReLU()),
    "relu_max": ((6,), lambda: L.ReLU(max_value=0.7)),
    "qcfs": ((6,), lambda: QCFS(4)),
    "qcfs_per_channel": ((4, 4, 6), lambda: QCFS(4, per_channel=True)),
    "activation_relu": ((6,), lambda: L.Activation("relu")),
    "activation_layer": ((6,), lambda: L.Activation(L.Softmax())),
    "activation_softmax": ((4, 6), lambda: L.Activation("softmax")),
    "softmax_axis": ((4, 6), lambda: L.Softmax(axis=1)),
    **{f"activation_{name}": ((6,), lambda name=name: L.Activation(name)) for name in ACTIVATIONS},
    "dense_gelu": ((7,), lambda: L.Dense(5, activation="gelu")),
    "dense_hard_sigmoid": ((7,), lambda: L.Dense(5, activation="hard_sigmoid")),
    "dense_leaky_layer": ((7,), lambda: L.Dense(5, activation=L.LeakyReLU(negative_slope=0.1))),
    "dense_elu_layer": ((7,), lambda: L.Dense(5, activation=L.ELU(alpha=0.5))),
    "relu_slope": ((6,), lambda: L.ReLU(negative_slope=0.2)),
    "relu_slope_max": ((6,), lambda: L.ReLU(max_value=0.7, negative_slope=0.2)),
    "leaky": ((6,), lambda: L.LeakyReLU()),
    "leaky_slope": ((4, 6), lambda: L.LeakyReLU(negative_slope=0.05)),
    "elu": ((6,), lambda: L.ELU()),
    "elu_alpha": ((6,), lambda: L.ELU(alpha=0.3)),
    "prelu": ((4, 5, 3), lambda: L.PReLU()),
    "prelu_shared": ((4, 5, 3), lambda: L.PReLU(shared_axes=[1, 2])),
    "prelu_shared_first": ((3, 4, 5), lambda: L.PReLU(shared_axes=[2, 3])),
    **{
        f"transposed2d_{pad}_k{k}_s{s}": (
            (4, 5, 2),
            lambda pad=pad, k=k, s=s: L.Conv2DTranspose(3, k, strides=s, padding=pad),
        )
        for pad in ("valid", "same")
        for k in (1, 2, 3, 4, 5)
        for s in (1, 2, 3)
    },
    **{
        f"transposed2d_{pad}_k{k}_s{s}_o{o}": (
            (4, 5, 2),
            lambda pad=pad, k=k, s=s, o=o: L.Conv2DTranspose(3, k, strides=s, padding=pad, output_padding=o),
        )
        for pad in ("valid", "same")
        for k in (2, 3)
        for s, o in ((2, 0), (2, 1), (3, 2))
    },
    "transposed2d_oblong": ((4, 5, 2), lambda: L.Conv2DTranspose(3, (2, 3), strides=(3, 1), activation="relu", **S)),
    "transposed2d_dilated": ((4, 5, 2), lambda: L.Conv2DTranspose(3, 3, dilation_rate=2)),
    "transposed2d_dilated_same": ((4, 5, 2), lambda: L.Conv2DTranspose(3, (2, 3), dilation_rate=(2, 3), **S)),
    "transposed2d_no_bias": ((4, 5, 2), lambda: L.Conv2DTranspose(3, 3, use_bias=False)),
    "transposed2d_first": ((2, 4, 5), lambda: L.Conv2DTranspose(3, 3, strides=2, **S, **CF)),
    "transposed1d": ((5, 2), lambda: L.Conv1DTranspose(3, 3, strides=2, **S)),
    "transposed3d": ((2, 3, 3, 2), lambda: L.Conv3DTranspose(3, 2, strides=2)),
    **{
        f"{kind.__name__}_{'_'.join(map(str, size))}": (
            (*(7, 6, 2)[: len(size)], 2),
            lambda kind=kind, size=size: kind(size if len(size) > 1 else size[0]),
        )
        for kind, size in (
            (L.AdaptiveAveragePooling1D, (3,)),
            (L.AdaptiveAveragePooling2D, (3, 3)),
            (L.AdaptiveAveragePooling2D, (7, 2)),
            (L.AdaptiveAveragePooling2D, (1, 1)),
            (L.AdaptiveAveragePooling3D, (2, 3, 1)),
            (L.AdaptiveMaxPooling1D, (3,)),
            (L.AdaptiveMaxPooling2D, (3, 4)),
            (L.AdaptiveMaxPooling3D, (2, 3, 1)),
        )
    },
    "adaptive_average_first": ((2, 7, 6), lambda: L.AdaptiveAveragePooling2D((2, 4), **CF)),
    "rescaling": ((4, 4, 3), lambda: L.Rescaling(1 / 127.5, offset=-1)),
    "rescaling_channels": ((4, 4, 3), lambda: L.Rescaling([0.5, 1.0, 2.0], offset=[1.0, 2.0, 3.0])),
    "normalization": ((4, 4, 3), lambda: L.Normalization(mean=[1.0, 2.0, 3.0], variance=[0.5, 1.0, 2.0])),
    "layer_scale": ((4, 4, 3), lambda: LayerScale(0.5, 3)),
    "nothing_stochastic_depth": ((4, 3), lambda: StochasticDepth(0.5)),
    "normalization_scalar": ((4, 4, 3), lambda: L.Normalization(axis=None, mean=0.5, variance=0.0)),
    "normalization_axes": ((4, 3), lambda: L.Normalization(axis=(2, 1))),
    "normalization_inverse": ((5,), lambda: L.Normalization(invert=True)),
    **{
        f"nothing_{part.__class__.__name__}": (shape, lambda part=part: part)
        for shape, part in (
            ((5,), L.Dropout(0.5)),
            ((5,), L.AlphaDropout(0.5)),
            ((5,), L.GaussianDropout(0.5)),
            ((5,), L.GaussianNoise(0.5)),
            ((5,), L.ActivityRegularization(l1=1.0)),
            ((5,), L.Identity()),
            ((5,), L.Activation("linear")),
            ((6, 3), L.SpatialDropout1D(0.5)),
            ((6, 6, 3), L.SpatialDropout2D(0.5)),
            ((4, 4, 4, 3), L.SpatialDropout3D(0.5)),
            ((6, 6, 3), L.RandomFlip()),
            ((6, 6, 3), L.RandomRotation(0.2)),
            ((6, 6, 3), L.RandomTranslation(0.2, 0.2)),
            ((6, 6, 3), L.RandomZoom(0.2)),
            ((6, 6, 3), L.RandomContrast(0.2)),
            ((6, 6, 3), L.RandomBrightness(0.2)),
        )
    },
}


def functional(*shapes):
    def wrap(build):
        inputs = [keras.Input(s, name=f"in{i}") for i, s in enumerate(shapes)]
        return keras.Model(inputs if len(inputs) > 1 else inputs[0], build(*inputs))

    return wrap


def _residual(x):
    y = L.Conv2D(3, 3, use_bias=False, **S)(x)
    y = L.ReLU()(L.BatchNormalization()(y))
    y = L.BatchNormalization()(L.Conv2D(3, 3, **S)(y))
    return L.Dense(4, activation="softmax")(L.Flatten()(L.Activation("relu")(L.Add()([x, y]))))


def _dense_block(x):
    for _ in range(3):
        y = L.Conv2D(2, 3, **S)(L.Activation("relu")(L.BatchNormalization()(x)))
        x = L.Concatenate()([x, y])
    return L.GlobalAveragePooling2D()(L.ReLU()(L.BatchNormalization()(x)))


def shared(x, y):
    conv = L.Conv2D(4, 3, activation="relu", name="conv")
    return L.Dense(2)(L.Flatten()(L.Subtract()([conv(x), conv(y)])))


def nested(x):
    inner = keras.Sequential([keras.Input((6, 6, 3)), L.Conv2D(4, 3, activation="relu", name="conv")], name="inner")
    a, b = keras.Input((4, 4, 4)), keras.Input((4, 4, 4))
    join = keras.Model([a, b], [L.Add()([a, b]), L.Average()([a, b])], name="join")
    y = L.Conv2D(4, 3, name="conv")(x)
    return L.Concatenate()(join([inner(x), y]))


def _nested_twice(x, y):
    inner = keras.Sequential([keras.Input((5,)), L.Dense(4, activation="relu"), L.Dense(5)], name="inner")
    return L.Add()([inner(inner(x)), inner(y)])


def _two_outputs(x, y):
    h = L.Dense(6, activation="relu")(L.Concatenate()([x, y]))
    return [L.Dense(3, activation="softmax", name="kind")(h), L.Dense(1, name="size")(h), h]


def _arithmetic(x, y):
    z = (x + y) - 2.0 * x / np.full(4, 3.0, "float32") + 1.0
    z = 3.0 - keras.ops.relu(-z)
    return keras.ops.concatenate([z - y, keras.ops.multiply(y, np.float32([[1, 2, 3, 4]]))], axis=-1)


def _bounds(x, y):
    z = keras.ops.maximum(x, np.float32([0.1, -0.2, 0.3, 0.0])) + keras.ops.minimum(x, 0.2) - keras.ops.minimum(x, y)
    z = z + keras.ops.maximum(y, x) + keras.ops.abs(y) + keras.ops.absolute(x)
    return [z + keras.ops.clip(x, -0.5, 0.25), L.Maximum()([x, y, z]), L.Minimum()([x, y, z])]


def _picked(x):
    y = keras.ops.expand_dims(x[:, 1:, ::2], -1)
    y = keras.ops.squeeze(y, -1) + x[:, :2, 1::2]
    return [y, x[:, 0], x[:, :, -1, 0]]


def _curves(x):
    o = keras.ops
    parts = [o.sigmoid(x), o.tanh(x), o.gelu(x), o.gelu(x, approximate=False), o.silu(x), o.elu(x), o.elu(x, alpha=0.5)]
    parts += [o.selu(x), o.softplus(x), o.hard_silu(x), o.hard_sigmoid(x), o.hard_tanh(x), o.leaky_relu(x), o.relu(x)]
    return o.concatenate([*parts, x * o.sigmoid(x), L.Multiply()([x, L.Activation("hard_sigmoid")(x)])], axis=1)


def _normalised(x):
    o = keras.ops
    c = x - o.mean(x, axis=-1, keepdims=True)
    mean = o.mean(o.square(c), axis=-1, keepdims=True)
    y = c / o.sqrt(mean + 1e-3), o.rsqrt(o.mean(x**2, axis=[1, 2], keepdims=True) + 0.5) * x
    return [*y, o.power(x, 2.0)]


def _operations(x):
    y = keras.ops.transpose(keras.ops.reshape(x, (-1, 6, 4)), (0, 2, 1))
    y = keras.ops.clip(y, 0, 1.5) + keras.ops.maximum(y, 0) + keras.ops.relu6(y)
    return keras.ops.softmax(keras.ops.mean(y, axis=2)), keras.ops.mean(y, axis=[1], keepdims=True)


def _squeeze_excite(x):
    z = L.DepthwiseConv2D(3, activation="relu")(x)
    gate = L.GlobalAveragePooling2D(keepdims=True)(z)
    gate = L.Conv2D(3, 1, activation="hard_sigmoid")(L.Conv2D(2, 1, activation="relu")(gate))
    return L.Conv2D(2, 1)(z * gate)


def _attending(x, y):
    """Attention of every kind: across, causal, under a mask, with a size of its own for what it gives."""
    mask, o = np.tri(3, dtype=bool), keras.ops
    parts = [L.MultiHeadAttention(2, 3)(x, y), L.MultiHeadAttention(1, 3, value_dim=2)(query=x, value=y, key=y)]
    parts += [L.MultiHeadAttention(2, 3, use_bias=False, dropout=0.2)(x, x, use_causal_mask=True)]
    parts += [L.MultiHeadAttention(2, 3)(x, x, attention_mask=mask[None])]
    parts += [L.GroupQueryAttention(3, 4, 2)(x, y), L.GroupQueryAttention(2, 4, 1)(x, x, use_causal_mask=True)]
    parts += [L.Attention()([x, y]), L.Attention(use_scale=True)([x, y, y], use_causal_mask=True)]
    seen = np.array([[True, False, True]])
    parts += [L.Attention()([x, x], mask=[None, seen]), L.MultiHeadAttention(2, 3)(x, x, key_mask=seen)]
    wide = L.MultiHeadAttention(2, 2, output_shape=(2, 4))(x, x)
    parts += [o.reshape(o.dot_product_attention(wide, wide, wide, is_causal=True), (-1, 6, 4))]
    parts += [o.reshape(o.dot_product_attention(wide, wide, wide, mask=mask, scale=0.3), (-1, 6, 4))]
    parts += [o.reshape(o.dot_product_attention(wide, wide, wide, bias=np.float32(mask)), (-1, 6, 4))]
    given = o.matmul(o.transpose(wide, (0, 2, 1, 3)), o.transpose(wide, (0, 2, 3, 1)))
    parts += [o.reshape(o.dot_product_attention(wide, wide, wide, bias=given), (-1, 6, 4))]
    return L.Concatenate(axis=1)(parts)


def _masked(x):
    seen, o = np.tri(3, dtype=bool), keras.ops
    below = np.where(seen, 0, -np.inf).astype("float32")
    parts = [o.softmax(o.where(seen, x, -1e9)), o.softmax(x + below), o.where(seen, x, x * 2), o.where(seen, 0.5, x)]
    return o.concatenate(parts, axis=1)


def _products(x, y):
    """Along axes, of a value with itself, of halves."""
    o = keras.ops
    parts = [L.Dot(axes=2)([x, y]), L.Dot(axes=(-1, 2))([y, x]), L.Dot(axes=(1, 1))([o.sum(x, axis=1), y[:, 0]])]
    parts += [o.square(x) + x**2 + o.power(x, 3), o.glu(x), o.sum(x * x, axis=(1, 2))]
    return [L.Flatten()(part) for part in parts]


def _moved(x):
    """Values rolled, turned, taken apart and repeated along axes of the sample."""
    o = keras.ops
    first, second = o.split(o.roll(o.flip(x, axis=2), (1, -1), axis=(1, 2)), [2], axis=1)
    z = o.stack([o.swapaxes(first, 1, 2), o.moveaxis(first, 2, 1)], axis=2)
    return [z, o.take(o.tile(second, (1, 2, 1)), [[1, 0], [-1, 0]], axis=1), o.repeat(first, 2, axis=1)]


def _by_own_values(x):
    """Normalisation by operations, with what models write out."""
    o, gains = keras.ops, np.linspace(1, 2, 4, dtype="float32")
    off = x - o.mean(x, axis=-1, keepdims=True)
    parts = [o.layer_normalization(x, gains, gains - 3, epsilon=1e-3), o.rms_normalization(x, gains, axis=-1)]
    parts += [o.normalize(x, axis=1), L.UnitNormalization()(x), x / o.norm(x, axis=-1, keepdims=True)]
    parts += [off / o.sqrt(o.var(x, axis=-1, keepdims=True) + 1e-3), off / o.std(x, axis=-1, keepdims=True)]
    mean, variance = o.moments(x, axes=[-1], keepdims=True)
    parts += [(x - mean) / o.sqrt(variance + 1e-3)]
    exp = o.exp(x - o.max(x, axis=-1, keepdims=True))
    return L.Concatenate()([*parts, exp / o.sum(exp, axis=-1, keepdims=True), o.erf(x)])


COMBINED = {
    "moved": (((3, 4),), _moved),
    "softmax_masked": (((3, 4),), lambda x: L.Softmax()(x, mask=np.array([[[True, False, True, True]]]))),
    "by_own_values": (((3, 4),), _by_own_values),
    "attending": (((3, 4), (5, 4)), _attending),
    "masked": (((3, 3),), _masked),
    "products": (((3, 4), (2, 4)), _products),
    **keras_recurrent.COMBINED,
    "residual": (((6, 6, 3),), _residual),
    "dense_block": (((5, 5, 3),), _dense_block),
    "shared_layer": (((6, 6, 3), (6, 6, 3)), shared),
    "nested": (((6, 6, 3),), nested),
    "nested_twice": (((5,), (5,)), _nested_twice),
    "two_outputs": (((4,), (3,)), _two_outputs),
    "add_of_one_twice": (((4,),), lambda x: L.Add()([x, x])),
    "scaled_sum": (((4, 3), (4, 3)), lambda *x: CustomScaleLayer(0.17)(list(x))),
    "multiply": (((4, 3), (4, 3)), lambda *x: L.Multiply()(list(x))),
    "multiply_three": (((4,), (4,), (4,)), lambda *x: L.Multiply()(list(x))),
    "matrices": (((4, 3), (3, 5)), lambda *x: keras.ops.matmul(*x)),
    "matrix": (((4, 3),), lambda x: keras.ops.matmul(x, np.ones((3, 2), np.float32))),
    "squeeze_excite": (((6, 6, 3),), _squeeze_excite),
    "add_three": (((4,), (4,), (4,)), lambda *x: L.Add()(list(x))),
    "average_three": (((4,), (4,), (4,)), lambda *x: L.Average()(list(x))),
    "concat_four_axis1": (((2, 3), (4, 3), (1, 3), (2, 3)), lambda *x: L.Concatenate(axis=1)(list(x))),
    "concat_rows_minus2": (((2, 3, 2), (2, 5, 2)), lambda *x: L.Concatenate(axis=-2)(list(x))),
    "add_broadcast": (((4, 4, 3), (1, 1, 3)), lambda *x: L.Add()(list(x))),
    "training_is_overridden": (((4,),), lambda x: L.Dense(2)(L.Dropout(0.5)(x, training=True))),
    "output_is_input": (((4,),), lambda x: [x, L.Dense(2)(x)]),
    "arithmetic": (((4,), (4,)), _arithmetic),
    "operations": (((3, 4, 2),), _operations),
    "bounds": (((4,), (4,)), _bounds),
    "normalised": (((3, 4),), _normalised),
    "picked": (((3, 4, 2),), _picked),
    "curves": (((5,),), _curves),
    "maximum_broadcast": (((4, 4, 3), (1, 1, 3)), lambda *x: L.Maximum()(list(x))),
    "inputs_in_other_order": (((4,), (3,)), lambda x, y: [L.Dense(2)(y), L.Dense(2)(x)]),
    "pool_then_norm": (((6, 6, 2),), lambda x: L.ReLU()(L.BatchNormalization()(L.MaxPooling2D()(x)))),
    "first_whole_net": (
        ((2, 7, 7),),
        lambda x: L.Dense(3)(
            L.Flatten(**CF)(L.AveragePooling2D(2, **CF)(L.BatchNormalization(axis=1)(L.Conv2D(4, 3, **CF)(x))))
        ),
    ),
}
