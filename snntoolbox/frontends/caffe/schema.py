"""The messages of Caffe's files, as far as they are read: names, numbers and types of their fields."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]

_ENUMS = {
    "Phase": "TRAIN 0 TEST 1",
    "ShareMode": "STRICT 0 PERMISSIVE 1",
    "VarianceNorm": "FAN_IN 0 FAN_OUT 1 AVERAGE 2",
    "Engine": "DEFAULT 0 CAFFE 1 CUDNN 2",
    "Database": "LEVELDB 0 LMDB 1",
    "Eltwise": "PROD 0 SUM 1 MAX 2",
    "NormRegion": "ACROSS_CHANNELS 0 WITHIN_CHANNEL 1",
    "Normalization": "FULL 0 VALID 1 BATCH_SIZE 2 NONE 3",
    "Pool": "MAX 0 AVE 1 STOCHASTIC 2",
    "Round": "CEIL 0 FLOOR 1",
    "Reduction": "SUM 1 ASUM 2 SUMSQ 3 MEAN 4",
    "Norm": "L1 1 L2 2",
    "Rounding": "DETERMINISTIC 0 STOCHASTIC 1",
    "LayerType": "NONE 0 ABSVAL 35 ACCURACY 1 ARGMAX 30 BNLL 2 CONCAT 3 CONTRASTIVE_LOSS 37 CONVOLUTION 4 DATA 5 "
    "DECONVOLUTION 39 DROPOUT 6 DUMMY_DATA 32 EUCLIDEAN_LOSS 7 ELTWISE 25 EXP 38 FLATTEN 8 HDF5_DATA 9 HDF5_OUTPUT 10 "
    "HINGE_LOSS 28 IM2COL 11 IMAGE_DATA 12 INFOGAIN_LOSS 13 INNER_PRODUCT 14 LRN 15 MEMORY_DATA 29 "
    "MULTINOMIAL_LOGISTIC_LOSS 16 MVN 34 POOLING 17 POWER 26 RELU 18 SIGMOID 19 SIGMOID_CROSS_ENTROPY_LOSS 27 "
    "SILENCE 36 SOFTMAX 20 SOFTMAX_LOSS 21 SPLIT 22 SLICE 33 TANH 23 WINDOW_DATA 24 THRESHOLD 31",
}

_WEIGHTS = {
    "BlobShape": "1 int64* dim",
    "BlobProto": "7 BlobShape shape, 5 float* data, 8 double* double_data, 1 int32 num, 2 int32 channels, "
    "3 int32 height, 4 int32 width",
    "StoredLayer": "1 string name, 2 string type, 7 BlobProto* blobs",
    "StoredV1Layer": "4 string name, 5 LayerType type, 6 BlobProto* blobs",
    "StoredNet": "1 string name, 2 StoredV1Layer* layers, 100 StoredLayer* layer",
}
"""What a file of weights is asked for: what else it says of its layers stands in the text."""

_RULES = {
    "NetState": "1 Phase phase=TEST, 2 int32 level, 3 string* stage",
    "NetStateRule": "1 Phase phase, 2 int32 min_level, 3 int32 max_level, 4 string* stage, 5 string* not_stage",
    "ParamSpec": "1 string name, 2 ShareMode share_mode, 3 float lr_mult, 4 float decay_mult",
    "FillerParameter": "1 string type, 2 float value, 3 float min, 4 float max, 5 float mean, 6 float std, "
    "7 int32 sparse, 8 VarianceNorm variance_norm",
    "TransformationParameter": "1 float scale=1, 2 bool mirror, 3 uint32 crop_size, 4 string mean_file, "
    "5 float* mean_value, 6 bool force_color, 7 bool force_gray",
    "LossParameter": "1 int32 ignore_label, 3 Normalization normalization, 2 bool normalize",
}

_PARAMETERS = {
    "accuracy": "1 uint32 top_k, 2 int32 axis, 3 int32 ignore_label",
    "argmax": "1 bool out_max_val, 2 uint32 top_k, 3 int32 axis",
    "batch_norm": "1 bool use_global_stats, 2 float moving_average_fraction, 3 float eps=1e-5",
    "bias": "1 int32 axis=1, 2 int32 num_axes=1, 3 FillerParameter filler",
    "clip": "1 float min, 2 float max",
    "concat": "2 int32 axis=1, 1 uint32 concat_dim=1",
    "contrastive_loss": "1 float margin, 2 bool legacy_version",
    "convolution": "1 uint32 num_output, 2 bool bias_term=true, 3 uint32* pad, 4 uint32* kernel_size, "
    "6 uint32* stride, 18 uint32* dilation, 9 uint32 pad_h, 10 uint32 pad_w, 11 uint32 kernel_h, 12 uint32 kernel_w, "
    "13 uint32 stride_h, 14 uint32 stride_w, 5 uint32 group=1, "
    "7 FillerParameter weight_filler, 8 FillerParameter bias_filler, "
    "15 Engine engine, 16 int32 axis=1, 17 bool force_nd_im2col",
    "crop": "1 int32 axis=2, 2 uint32* offset",
    "data": "1 string source, 4 uint32 batch_size, 7 uint32 rand_skip, 8 Database backend, 2 float scale=1, "
    "3 string mean_file, 5 uint32 crop_size, 6 bool mirror, 9 bool force_encoded_color, 10 uint32 prefetch",
    "dropout": "1 float dropout_ratio",
    "dummy_data": "1 FillerParameter* data_filler, 6 BlobShape* shape, 2 uint32* num, 3 uint32* channels, "
    "4 uint32* height, 5 uint32* width",
    "eltwise": "1 Eltwise operation=SUM, 2 float* coeff, 3 bool stable_prod_grad",
    "elu": "1 float alpha=1",
    "embed": "1 uint32 num_output, 2 uint32 input_dim, 3 bool bias_term, 4 FillerParameter weight_filler, "
    "5 FillerParameter bias_filler",
    "exp": "1 float base=-1, 2 float scale=1, 3 float shift",
    "flatten": "1 int32 axis=1, 2 int32 end_axis=-1",
    "hdf5_data": "1 string source, 2 uint32 batch_size, 3 bool shuffle",
    "hdf5_output": "1 string file_name",
    "hinge_loss": "1 Norm norm",
    "image_data": "1 string source, 4 uint32 batch_size, 7 uint32 rand_skip, 8 bool shuffle, 9 uint32 new_height, "
    "10 uint32 new_width, 11 bool is_color, 2 float scale=1, 3 string mean_file, 5 uint32 crop_size, 6 bool mirror, "
    "12 string root_folder",
    "infogain_loss": "1 string source, 2 int32 axis",
    "inner_product": "1 uint32 num_output, 2 bool bias_term=true, 3 FillerParameter weight_filler, "
    "4 FillerParameter bias_filler, 5 int32 axis=1, 6 bool transpose",
    "input": "1 BlobShape* shape",
    "log": "1 float base=-1, 2 float scale=1, 3 float shift",
    # of ADaPTION, a Caffe of low precision; numbers count in binary files alone, which are asked for weights
    "lpfp": "1 int32 bd, 2 int32 ad, 3 bool round_bias, 4 Rounding rounding_scheme",
    "lrn": "1 uint32 local_size, 2 float alpha, 3 float beta, 4 NormRegion norm_region, 5 float k, 6 Engine engine",
    "memory_data": "1 uint32 batch_size, 2 uint32 channels, 3 uint32 height, 4 uint32 width",
    "mvn": "1 bool normalize_variance, 2 bool across_channels, 3 float eps",
    "parameter": "1 BlobShape shape",
    "pooling": "1 Pool pool=MAX, 4 uint32 pad, 9 uint32 pad_h, 10 uint32 pad_w, 2 uint32 kernel_size, "
    "5 uint32 kernel_h, 6 uint32 kernel_w, 3 uint32 stride=1, 7 uint32 stride_h, 8 uint32 stride_w, 11 Engine engine, "
    "12 bool global_pooling, 13 Round round_mode=CEIL",
    "power": "1 float power=1, 2 float scale=1, 3 float shift",
    "prelu": "1 FillerParameter filler, 2 bool channel_shared",
    "python": "1 string module, 2 string layer, 3 string param_str, 4 bool share_in_parallel",
    "recurrent": "1 uint32 num_output, 2 FillerParameter weight_filler, 3 FillerParameter bias_filler, "
    "4 bool debug_info, 5 bool expose_hidden",
    "reduction": "1 Reduction operation=SUM, 2 int32 axis, 3 float coeff=1",
    "relu": "1 float negative_slope, 2 Engine engine",
    "reshape": "1 BlobShape shape, 2 int32 axis, 3 int32 num_axes=-1",
    "scale": "1 int32 axis=1, 2 int32 num_axes=1, 3 FillerParameter filler, 4 bool bias_term, "
    "5 FillerParameter bias_filler",
    "sigmoid": "1 Engine engine",
    "slice": "3 int32 axis=1, 2 uint32* slice_point, 1 uint32 slice_dim=1",
    "softmax": "1 Engine engine, 2 int32 axis=1",
    "spp": "1 uint32 pyramid_height, 2 Pool pool, 6 Engine engine",
    "swish": "1 float beta=1",
    "tanh": "1 Engine engine",
    "threshold": "1 float threshold",
    "tile": "1 int32 axis=1, 2 int32 tiles",
    "window_data": "1 string source, 2 float scale, 3 string mean_file, 4 uint32 batch_size, 5 uint32 crop_size, "
    "6 bool mirror, 7 float fg_threshold, 8 float bg_threshold, 9 float fg_fraction, 10 uint32 context_pad, "
    "11 string crop_mode, 12 bool cache_images, 13 string root_folder",
}
"""The settings of each kind of layer, in the field ``KIND_param`` of a layer."""

# field ``KIND_param`` -> its number in a layer, and in a layer of the first version
_NUMBERS = {
    **{"accuracy": (102, 27), "argmax": (103, 23), "batch_norm": (139, 0), "bias": (141, 0), "clip": (148, 0)},
    **{
        "concat": (104, 9),
        "contrastive_loss": (105, 40),
        "convolution": (106, 10),
        "crop": (144, 0),
        "data": (107, 11),
    },
    **{"dropout": (108, 12), "dummy_data": (109, 26), "eltwise": (110, 24), "elu": (140, 0), "embed": (137, 0)},
    **{
        "exp": (111, 41),
        "flatten": (135, 0),
        "hdf5_data": (112, 13),
        "hdf5_output": (113, 14),
        "hinge_loss": (114, 29),
    },
    **{"image_data": (115, 15), "infogain_loss": (116, 16), "inner_product": (117, 17), "input": (143, 0)},
    **{"log": (134, 0), "lpfp": (1147, 0), "lrn": (118, 18), "memory_data": (119, 22), "mvn": (120, 34)},
    **{"parameter": (145, 0), "pooling": (121, 19), "power": (122, 21), "prelu": (131, 0), "python": (130, 0)},
    **{"recurrent": (146, 0), "reduction": (136, 0), "relu": (123, 30), "reshape": (133, 0), "scale": (142, 0)},
    **{"sigmoid": (124, 38), "slice": (126, 31), "softmax": (125, 39), "spp": (132, 0), "swish": (147, 0)},
    **{"tanh": (127, 37), "threshold": (128, 25), "tile": (138, 0), "window_data": (129, 20)},
}

_LAYERS = {
    "LayerParameter": "1 string name, 2 string type, 3 string* bottom, 4 string* top, 10 Phase phase, "
    "5 float* loss_weight, 6 ParamSpec* param, 7 BlobProto* blobs, 11 bool* propagate_down, 8 NetStateRule* include, "
    "9 NetStateRule* exclude, 100 TransformationParameter transform_param, 101 LossParameter loss_param",
    "V1LayerParameter": "2 string* bottom, 3 string* top, 4 string name, 32 NetStateRule* include, "
    "33 NetStateRule* exclude, 5 LayerType type, 6 BlobProto* blobs, 1001 string* param, "
    "1002 ShareMode* blob_share_mode, 7 float* blobs_lr, 8 float* weight_decay, 35 float* loss_weight, "
    "36 TransformationParameter transform_param, 42 LossParameter loss_param, 1 V0LayerParameter layer",
    "V0LayerParameter": "1 string name, 2 string type",
    "NetParameter": "1 string name, 3 string* input, 8 BlobShape* input_shape, 4 int32* input_dim, "
    "5 bool force_backward, 6 NetState state, 7 bool debug_info, 100 LayerParameter* layer, 2 V1LayerParameter* layers",
}

_SCALARS = ("int32", "int64", "uint32", "float", "double", "bool", "string")


def parameter(kind: str) -> str:
    """The name of the message with the settings of a kind of layer."""
    return f"{kind.title().replace('_', '')}Parameter"


def _messages() -> dict[str, str]:
    """Every message -> its fields."""
    layers = dict(_LAYERS)
    for kind, numbers in _NUMBERS.items():
        for layer, number in zip(("LayerParameter", "V1LayerParameter"), numbers, strict=True):
            if number:
                layers[layer] += f", {number} {parameter(kind)} {kind}_param"
    return {**_WEIGHTS, **_RULES, **{parameter(k): fields for k, fields in _PARAMETERS.items()}, **layers}


def _add_field(message: Any, told: str) -> None:
    """One field as the tables tell it: number, type (with a star where it is a list), name, default."""
    number, kind, name = told.strip().split(" ")
    name, _, default = name.partition("=")
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
    kind = kind.removesuffix("*")
    if default:
        field.default_value = default
    if kind in _SCALARS:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
    elif kind in _ENUMS:  # values of several enums have one name: each has a scope of its own
        field.type, field.type_name = field.TYPE_ENUM, f".caffe.{kind}Values.{kind}"
    else:
        field.type, field.type_name = field.TYPE_MESSAGE, f".caffe.{kind}"


@cache
def _pool() -> Any:
    """All messages, in a pool of their own: an installed Caffe registers the same names in the common one."""
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    for name, told in _ENUMS.items():
        enum = file.message_type.add(name=f"{name}Values").enum_type.add(name=name)
        words = told.split()
        for value, number in zip(words[::2], words[1::2], strict=True):
            enum.value.add(name=value, number=int(number))
    for name, fields in _messages().items():
        message = file.message_type.add(name=name)
        for told in fields.split(","):
            _add_field(message, told)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def new_message(name: str) -> Any:
    """An empty message."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"caffe.{name}"))()


def choice(message: Any, field: str) -> str:
    """The name of an enum's value."""
    described = message.DESCRIPTOR.fields_by_name[field]
    return str(described.enum_type.values_by_number[getattr(message, field)].name)
