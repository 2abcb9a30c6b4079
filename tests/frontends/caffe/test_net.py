"""The net of the test phase: which layers run, what is written over, inputs and outputs, both versions of layers."""

import numpy as np
import pytest
from caffe_files import data, layer, random, write

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.caffe import CaffeFrontend

FRONTEND = CaffeFrontend()
DENSE = "inner_product_param { num_output: 4 }"
WEIGHTS = {"ip": [random(4, 6), random(4, seed=1)]}


def opened(folder, text, weights=WEIGHTS, **options):
    return FRONTEND.open(write(folder, text, weights), **options)


def test_layers_written_over_mean_what_stands_before(made):
    """What reads a blob before it is overwritten gets the old values, what reads it later the new ones."""
    text = data(1, 6) + layer("Power", "data", "a", "power_param { shift: -1 }") + layer("AbsVal", "a", "before")
    text += layer("ReLU", "a", "a", name="r") + layer("Eltwise", "before a", "y")
    _, [x], [y] = made(text)
    assert np.allclose(y, np.abs(x - 1) + np.maximum(x - 1, 0))


PHASES = {
    "": True,
    "include { phase: TEST }": True,
    "include { phase: TRAIN }": False,
    "exclude { phase: TRAIN }": True,
    "exclude { phase: TEST }": False,
    "include { phase: TRAIN } include { phase: TEST }": True,
    "exclude { phase: TRAIN } exclude { phase: TEST }": False,
    "include { min_level: 1 }": False,
    "include { max_level: 0 }": True,
    'include { stage: "deploy" }': True,
    'include { phase: TEST stage: "deploy" not_stage: "other" }': True,
    'include { stage: "deploy" stage: "other" }': False,
    'exclude { not_stage: "other" }': False,
    'include { phase: TRAIN stage: "deploy" }': False,
    "phase: TRAIN": True,  # of the layer itself, which is no rule
}


@pytest.mark.parametrize("rules", PHASES)
def test_rules_of_phases(rules, made):
    text = 'state { phase: TRAIN stage: "deploy" }' + data(1, 6) + layer("AbsVal", "data", "y", rules, name="abs")
    text += layer("Power", "data", "z", "power_param { scale: 3 }")
    graph, _, outputs = made(text)
    assert len(outputs) == 1 + PHASES[rules]
    assert ("abs" in graph.nodes) == PHASES[rules]


def test_rules_of_both_kinds(tmp_path):
    with pytest.raises(FrontendError, match="both kinds"):
        opened(tmp_path, data(1, 6) + layer("ReLU", "data", "y", "include { phase: TEST } exclude { phase: TRAIN }"))


TRAINING = (
    'layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TRAIN } '
    "transform_param { scale: 0.5 } data_param { batch_size: 64 backend: LMDB } }"
    'layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TEST } '
    "transform_param { scale: 0.5 mean_value: 3 } data_param { batch_size: 100 backend: LMDB } }"
) + layer("InnerProduct", "data", "ip", DENSE)


def test_a_net_for_training(tmp_path, caplog):
    text = TRAINING + layer("Accuracy", "ip label", "accuracy", "include { phase: TEST }")
    text += layer("SoftmaxWithLoss", "ip label", "loss")
    net = opened(tmp_path, text, input_shape=(6,))
    assert "scales its data" in caplog.text
    assert net.inputs == {"data": (6,)}
    graph = FRONTEND.parse(net)
    x = random(3, 6)
    scores = x @ WEIGHTS["ip"][0].T + WEIGHTS["ip"][1]
    wanted = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    assert np.allclose(graph.run(x), wanted, atol=1e-6)
    assert np.allclose(FRONTEND.predict(net, x)[0], wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        (layer("EuclideanLoss", "ip label", "loss"), ["ip"]),
        (layer("SigmoidCrossEntropyLoss", "ip label", "loss"), ["loss"]),
        (layer("Softmax", "ip", "prob") + layer("SoftmaxWithLoss", "ip label", "loss"), ["prob"]),
        (layer("Accuracy", "ip label", "accuracy"), ["ip"]),
        (layer("AbsVal", "ip", "a") + layer("ReLU", "ip", "r") + layer("Silence", "a", "", name="s"), ["r"]),
        (layer("SoftmaxWithLoss", "ip label", "prob loss"), ["loss"]),
    ],
)
def test_outputs(more, ends, tmp_path):
    net = opened(tmp_path, data(1, 6) + data(1, top="label") + layer("InnerProduct", "data", "ip", DENSE) + more)
    assert list(net.outputs) == ends
    assert list(net.inputs) == ["data"]


def test_open_sizes_need_a_shape(tmp_path):
    with pytest.raises(FrontendError, match=r"(?s)data \(caffe Input\).*leaves its sizes open.*input_shape"):
        opened(tmp_path, TRAINING)


INPUTS = {
    'input: "data" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4 ': (2, 3, 4),
    'input: "data" input_shape { dim: 1 dim: 2 dim: 3 }': (2, 3),
    data(10, 24): (24,),
    'layer { name: "m" type: "MemoryData" top: "data" top: "label" memory_data_param '
    "{ batch_size: 1 channels: 2 height: 3 width: 4 } }": (2, 3, 4),
    'layer { name: "m" type: "DummyData" top: "data" dummy_data_param { shape { dim: 1 dim: 24 } } }': (24,),
    'layer { name: "m" type: "DummyData" top: "data" dummy_data_param { num: 1 channels: 6 height: 2 width: 2 } }': (
        6,
        2,
        2,
    ),
}


@pytest.mark.parametrize("text", INPUTS)
def test_inputs(text, tmp_path):
    assert opened(tmp_path, text + layer("Flatten", "data", "y")).inputs == {"data": INPUTS[text]}
    assert opened(tmp_path, text + layer("ReLU", "data", "y"), input_shape=INPUTS[text]).inputs == {
        "data": INPUTS[text]
    }
    with pytest.raises(FrontendError, match="does not fit the file"):
        opened(tmp_path, text + layer("ReLU", "data", "y"), input_shape=(9, 9))


def test_several_inputs(made):
    text = data(1, 6, top="a") + data(1, 6, top="b") + layer("Eltwise", "a b", "y")
    _, [a, b], [y] = made(text)
    assert np.allclose(y, a + b)
    both = 'layer { name: "i" type: "Input" top: "a" top: "b" input_param { shape { dim: 1 dim: 6 } } }'
    _, [a, b], [y] = made(both + layer("Eltwise", "a b", "y", "eltwise_param { coeff: 1 coeff: -1 }"))
    assert np.allclose(y, a - b)


def test_shared_weights_stand_with_one_of_the_layers(made):
    named = 'param { name: "w" } param { name: "b" }'
    text = data(1, 6) + layer("InnerProduct", "data", "p", f"{named} inner_product_param {{ num_output: 6 }}")
    text += layer("InnerProduct", "p", "q", f"{named} inner_product_param {{ num_output: 6 }}")
    weight, bias = random(6, 6), random(6, seed=1)
    _, [x], [y] = made(text, {"p": [weight, bias]})
    assert np.allclose(y, (x @ weight.T + bias) @ weight.T + bias, atol=1e-5)


# -- the first version ----------------------------------------------------------------------------------------------

OLD = """
name: "old" input: "data" input_dim: 10 input_dim: 2 input_dim: 6 input_dim: 6
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2 weight_decay: 1
         convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "gaussian" std: 0.01 } } }
layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
layers { name: "pool" type: POOLING bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layers { name: "flat" type: FLATTEN bottom: "pool" top: "flat" }
layers { name: "drop" type: DROPOUT bottom: "flat" top: "flat" dropout_param { dropout_ratio: 0.5 } }
layers { name: "ip" type: INNER_PRODUCT bottom: "flat" top: "ip" inner_product_param { num_output: 4 } }
layers { name: "acc" type: ACCURACY bottom: "ip" bottom: "label" top: "acc" include { phase: TRAIN } }
layers { name: "prob" type: SOFTMAX bottom: "ip" top: "prob" }
"""


def test_layers_of_the_first_version_are_the_same_net(made):
    weights = {"conv": [random(3, 2, 3, 3), random(3)], "ip": [random(4, 12), random(4)]}
    _, _, [old] = made(OLD, weights, kind="layers", old=True)
    text = data(10, 2, 6, 6) + layer(
        "Convolution", "data", "conv", "convolution_param { num_output: 3 kernel_size: 3 }"
    )
    text += layer("ReLU", "conv", "conv") + layer(
        "Pooling", "conv", "pool", "pooling_param { pool: AVE kernel_size: 3 stride: 2 }"
    )
    text += layer("InnerProduct", "pool", "ip", DENSE) + layer("Softmax", "ip", "prob")
    _, _, [new] = made(text, weights)
    assert np.array_equal(old, new)


def test_two_versions_in_one_net_and_the_oldest(tmp_path):
    with pytest.raises(FrontendError, match="two versions"):
        opened(tmp_path, data(1, 6) + 'layers { name: "r" type: RELU bottom: "data" top: "r" }')
    with pytest.raises(FrontendError, match=r"(?s)oldest form.*upgrade_net_proto"):
        opened(tmp_path, 'layers { layer { name: "conv1" type: "conv" kernelsize: 3 } bottom: "data" top: "c" }')


# -- damage ---------------------------------------------------------------------------------------------------------

DAMAGED = {
    "cycle": (layer("ReLU", "b", "a") + layer("ReLU", "a", "b"), "reads 'b', which only itself or a later layer makes"),
    "itself": (layer("ReLU", "a", "a"), "reads 'a', which only itself"),
    "nothing": (layer("ReLU", "nix", "a"), "reads 'nix', which no layer of the test phase makes"),
    "twice": (layer("ReLU", "data", "a") + layer("AbsVal", "data", "a", name="z"), "'a' is made twice.*'z'"),
    "other place": (layer("Eltwise", "data a", "a"), "reads 'a'"),
    "label": (layer("ReLU", "label", "a"), "reads 'label'"),
    "stage": (
        layer("ReLU", "data", "a", 'include { phase: TEST stage: "s" }') + layer("AbsVal", "a", "b"),
        "(?s)reads 'a', which no layer of the test phase makes.*name the stage",
    ),
    "no layers": ("", "no net for deployment"),
    "data that reads": ('layer { name: "d" type: "Data" bottom: "data" top: "e" }', "data layer 'd' reads data"),
    "no batch": (data(top="e") + layer("ReLU", "e", "f"), "none of a batch of samples"),
    "no sample": (data(3, top="e") + layer("ReLU", "e", "f"), "none of a batch of samples"),
    "empty": (data(1, 0, top="e") + layer("ReLU", "e", "f"), "none of a batch of samples"),
    "negative": (data(1, -4, top="e") + layer("ReLU", "e", "f"), "none of a batch of samples"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_wiring(case, tmp_path):
    more, message = DAMAGED[case]
    with pytest.raises(FrontendError, match=message):
        opened(tmp_path, data(1, 6) + more)
