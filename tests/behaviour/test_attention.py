"""Attention of several heads under a causal mask: the same in all frameworks, engines and simulators."""

import numpy as np
import pytest
from needed import needed

import snntoolbox as stb
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.result import Record

pytestmark = pytest.mark.long

TOKENS, FEATURES, HEADS, STEPS = 4, 4, 2, 4
RNG = np.random.default_rng(5)
PROJECTIONS = [(RNG.normal(size=(FEATURES, FEATURES)) * 0.7, RNG.normal(size=FEATURES) * 0.3) for _ in range(4)]
PROJECTIONS = [(w.astype("float32"), b.astype("float32")) for w, b in PROJECTIONS]
X = RNG.normal(size=(60, TOKENS, FEATURES)).astype("float32")


def from_torch():
    needed("torch")
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = torch.nn.MultiheadAttention(FEATURES, HEADS, batch_first=True)
            self.register_buffer("mask", torch.full((TOKENS, TOKENS), -torch.inf).triu(1))
            weights, biases = (torch.tensor(np.concatenate(a)) for a in zip(*PROJECTIONS[:3], strict=True))
            state = {"in_proj_weight": weights, "in_proj_bias": biases}
            state |= dict(zip(("out_proj.weight", "out_proj.bias"), map(torch.tensor, PROJECTIONS[3]), strict=True))
            self.attend.load_state_dict(state)

        def forward(self, x):
            return self.attend(x, x, x, attn_mask=self.mask, is_causal=True)[0]

    return stb.load(Net().eval(), input_shape=(TOKENS, FEATURES))


def from_keras():
    needed("keras")
    import keras

    x = keras.Input((TOKENS, FEATURES))
    model = keras.Model(x, keras.layers.MultiHeadAttention(HEADS, FEATURES // HEADS)(x, x, use_causal_mask=True))
    values = []
    for place, (weight, bias) in enumerate(PROJECTIONS):
        wide = (FEATURES, HEADS, -1) if place < 3 else (HEADS, -1, FEATURES)
        values += [weight.T.reshape(wide), bias.reshape(wide[1:] if place < 3 else -1)]
    model.set_weights(values)
    return stb.load(model)


def from_onnx():
    needed("onnx")
    from onnx import TensorProto, helper, numpy_helper

    nodes, tensors = [], []
    for name, source, (weight, bias) in zip("qkvy", "xxxs", PROJECTIONS, strict=True):
        tensors += [numpy_helper.from_array(np.ascontiguousarray(weight.T), f"{name}w")]
        tensors += [numpy_helper.from_array(bias, f"{name}b")]
        both = [helper.make_node("MatMul", [source, f"{name}w"], [f"{name}0"])]
        both += [helper.make_node("Add", [f"{name}0", f"{name}b"], [name])]
        attend = {"q_num_heads": HEADS, "kv_num_heads": HEADS, "is_causal": 1}
        nodes += [helper.make_node("Attention", ["q", "k", "v"], ["s"], **attend)] * (name == "y") + both
    shape = [None, TOKENS, FEATURES]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "xy"]
    graph = helper.make_graph(nodes, "attention", ends[:1], ends[1:], tensors)
    return stb.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11))


def converted(graph, steps=STEPS, **choices):
    return stb.convert(graph, X[:40], schedule="radix", T=steps, readout_correction=0, **choices)


def test_the_same_in_all_frameworks():
    sums, outputs = {}, {}
    for name, graph in {"torch": from_torch(), "keras": from_keras(), "onnx": from_onnx()}.items():
        network = converted(graph, 6, weight_bits=10)
        result = stb.simulate(network, X[40:44], T=6)
        expected = graph.run(X[40:44])
        assert np.sqrt(np.mean((result.output - expected) ** 2)) < 0.1 * expected.std()
        sums[name] = sorted(int(count.sum()) for count in result.counts.values())
        outputs[name] = result.output
    assert sums["torch"] == sums["keras"] == sums["onnx"]
    assert sum(count > 0 for count in sums["torch"]) > 5
    for output in outputs.values():
        np.testing.assert_allclose(output, outputs["torch"], atol=1e-5 * np.abs(outputs["torch"]).max())


@pytest.fixture(scope="module")
def network():
    return converted(from_torch(), weight_bits=8)


def test_later_tokens_change_nothing_of_earlier_ones(network):
    x = X[:6].copy()
    x[:, 2:] = X[6:12, 2:]
    before, after = (stb.simulate(network, values, T=STEPS).output for values in (X[:6], x))
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert np.all(np.any(before[:, 2:] != after[:, 2:], axis=(1, 2)))


def test_what_is_left_out_has_no_neurons(network):
    sizes = [p.size for name, p in network.populations.items() if name.endswith((".exp", ".inverse.1"))]
    assert sizes == [HEADS * TOKENS * (TOKENS + 1) // 2, HEADS * TOKENS]


LENGTHS = RNG.integers(1, TOKENS + 1, len(X))
THERE = (np.arange(TOKENS) < LENGTHS[:, None]).astype("float32")


@pytest.fixture(scope="module")
def padded():
    """Attention under a mask that is an input, as BERT has it."""
    needed("torch")
    import torch

    class Net(torch.nn.Module):
        def forward(self, x, mask):
            query, key, value = (x @ torch.tensor(w.T) + torch.tensor(b) for w, b in PROJECTIONS[:3])
            scores = query @ key.transpose(1, 2) / FEATURES**0.5 + (1 - mask[:, None]) * torch.finfo(x.dtype).min
            return torch.softmax(scores, -1) @ value

    graph = stb.load(Net().eval(), input_shape=[(TOKENS, FEATURES), (TOKENS,)])
    choices = {"schedule": "radix", "T": STEPS, "readout_correction": 0, "weight_bits": 8}
    return stb.convert(graph, [X[:40], THERE[:40]], **choices)


def test_padding_changes_nothing_of_what_is_there(padded):
    there = THERE[:20, :, None] > 0
    outputs = [
        stb.simulate(padded, [np.where(there, X[:20], other), THERE[:20]], T=STEPS).output
        for other in (X[:20], X[20:40], np.zeros_like(X[:20]))
    ]
    for output in outputs[1:]:
        np.testing.assert_array_equal(output[THERE[:20] > 0], outputs[0][THERE[:20] > 0])
    assert np.ptp(outputs[0]) > 0


def test_a_given_mask_is_the_same_by_every_engine_and_on_brian2(padded):
    needed("brian2")
    first = int(np.flatnonzero(LENGTHS == 2)[0])
    inputs = [a[first : first + 1] for a in (X, THERE)]
    expected = interpret(padded, *inputs, steps=padded.schedule.steps, record=Record(spikes=True)).spikes
    assert sum(int(spikes.sum()) for spikes in expected.values()) > 50
    for choice in ({"engine": "counts"}, {"engine": "dense"}, {"simulator": "brian2"}):
        found = stb.simulate(padded, inputs, T=STEPS, record=Record(spikes=True), **choice).spikes
        for name, spikes in expected.items():
            np.testing.assert_array_equal(found[name], spikes, err_msg=f"{choice}: {name}")


def test_the_same_spikes_by_every_engine_and_on_brian2(network):
    needed("brian2")
    expected = interpret(network, X[:1], steps=network.schedule.steps, record=Record(spikes=True)).spikes
    assert sum(int(spikes.sum()) for spikes in expected.values()) > 100
    for choice in ({"engine": "counts"}, {"engine": "dense"}, {"simulator": "brian2"}):
        found = stb.simulate(network, X[:1], T=STEPS, record=Record(spikes=True), **choice).spikes
        for name, spikes in expected.items():
            np.testing.assert_array_equal(found[name], spikes, err_msg=f"{choice}: {name}")


@pytest.mark.parametrize("first", [False, True])
def test_a_layer_of_a_transformer(first):
    """Its attention, normalisations and GELU by counts alone: as the quantised reference, and near the original."""
    needed("torch")
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            settings = {"batch_first": True, "norm_first": first, "activation": "gelu"}
            self.layer, self.last = torch.nn.TransformerEncoderLayer(8, 2, 12, **settings), torch.nn.Linear(8, 3)
            self.register_buffer("mask", torch.nn.Transformer.generate_square_subsequent_mask(TOKENS))

        def forward(self, x):
            return self.last(self.layer(x, src_mask=self.mask, is_causal=True).mean(1))

    graph, x = stb.load(Net().eval(), input_shape=(TOKENS, 8)), RNG.normal(size=(60, TOKENS, 8)).astype("float32")
    network = stb.convert(graph, x[:50], schedule="radix", T=6)
    result, expected = stb.simulate(network, x[50:], T=6, dtype="float64"), graph.run(x[50:])
    assert np.sqrt(np.mean((result.output - expected) ** 2)) < 0.1 * expected.std()
    exact = stb.simulate(network, x[50:51], T=6, engine="reference")
    for name, counts in exact.counts.items():
        np.testing.assert_array_equal(result.counts[name][:1], counts, err_msg=name)
