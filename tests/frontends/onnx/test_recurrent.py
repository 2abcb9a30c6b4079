"""The operator RNN of ONNX, as exporters write it, against its own output."""

import itertools

import numpy as np
import pytest

from snntoolbox.errors import UnsupportedError
from snntoolbox.frontends.onnx import OnnxFrontend

SEQUENCE, UNITS = (4, 2), 3
TURN = {"perm": [1, 0, 2]}


def weights(ways, bias=True, state=None):
    both = {"w": (ways, UNITS, 2), "r": (ways, UNITS, UNITS), "b": (ways, 2 * UNITS)}
    kept = both if bias else {"w": both["w"], "r": both["r"]}
    return kept if state is None else {**kept, "h": state}


def rnn(direction="forward", names=("Relu",), inputs="t w r b", **attributes):
    ways = 2 if direction == "bidirectional" else 1
    activations = {} if names is None else {"activations": list(names) * ways}
    return ("RNN", inputs, "s e", {"hidden_size": UNITS, "direction": direction, **activations, **attributes})


FIRST = ("Transpose", "x", "t", TURN)
READ = {
    "last": [("Squeeze", "e zero", "y", {})],
    "last_row": [("Gather", "e first", "y", {"axis": 0})],
    "all": [("Squeeze", "s one", "q", {}), ("Transpose", "q", "y", TURN)],
    "all_joined": [
        ("Transpose", "s", "p", {"perm": [0, 2, 1, 3]}),
        ("Reshape", "p keep", "q", {}),
        ("Transpose", "q", "y", TURN),
    ],
    "sum": [("Squeeze", "s one", "q", {}), ("ReduceSum", "q zero", "y", {"keepdims": 0})],
    "mean": [("Squeeze", "s one", "q", {}), ("ReduceMean", "q", "y", {"keepdims": 0, "axes": [0]})],
    "end": [("Squeeze", "s one", "q", {}), ("Slice", "q first_one five zero", "c", {}), ("Squeeze", "c zero", "y", {})],
    "part": [("Split", "s", "c d", {"axis": 0}), ("Concat", "d c", "q", {"axis": 0}), ("Gather", "q first", "g", {}),
             ("Squeeze", "g zero", "y", {})],
}  # fmt: skip
INTEGERS = {
    "zero": [0], "one": [1], "first_one": [3], "five": [5], "keep": [0, 0, -1], "state": [1, -1, UNITS],
}  # fmt: skip


def model(build, layer, read, stored, **options):
    nodes = [FIRST, layer, *read]
    names = {name for _, inputs, _, _ in nodes for name in inputs.split()}
    constants = {n: np.array(v, np.int64) for n, v in INTEGERS.items() if n in names}
    constants |= {"first": np.array(0, np.int64)} if "first" in names else {}
    return build(nodes, x=options.pop("x", SEQUENCE), weights={**stored, **constants}, opset=14, **options)


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize(("direction", "bias"), [*itertools.product(("forward", "reverse"), (True, False))])
def test_layer(read, direction, bias, build, compare):
    layer = rnn(direction, inputs="t w r b" if bias else "t w r")
    compare(model(build, layer, READ[read], weights(1, bias)))


@pytest.mark.parametrize("read", ["all_joined", "last_row"])
def test_both_directions(read, build, compare):
    compare(model(build, rnn("bidirectional"), READ[read], weights(2)))


@pytest.mark.parametrize("batch", [1, 3])
def test_constant_state(batch, build, compare):
    state = np.repeat(np.linspace(-1, 1, 2 * UNITS, dtype=np.float32).reshape(2, 1, UNITS), batch, 1)
    layer = rnn("bidirectional", inputs="t w r b  h")
    compare(model(build, layer, READ["all_joined"], weights(2, state=state), batch=batch))


def test_a_state_of_the_size_of_the_batch(build, compare):
    sized = [
        ("Shape", "x", "n", {"end": 1}),
        ("Concat", "one n three", "z", {"axis": 0}),
        ("Expand", "half z", "h", {}),
    ]
    nodes = [FIRST, *sized, rnn(inputs="t w r b  h"), *READ["last"]]
    constants = {"one": np.array([1]), "three": np.array([UNITS]), "zero": np.array([0])}
    stored = {**weights(1), **constants, "half": np.full((1, 1, 1), 0.5, np.float32)}
    compare(build(nodes, x=SEQUENCE, weights=stored, opset=15))


def test_given_state(build, compare):
    layer, inputs = rnn(inputs="t w r b  u"), {"x": SEQUENCE, "h": (UNITS,)}
    nodes = [FIRST, ("Unsqueeze", "h zero", "u", {}), layer, *READ["last"]]
    compare(build(nodes, x=inputs, weights={**weights(1), "zero": np.array([0])}, opset=14))


FUNCTIONS = {
    "default": (None, {}),
    "tanh": (("Tanh",), {}),
    "sigmoid": (("Sigmoid",), {}),
    "leaky": (("LeakyRelu",), {"activation_alpha": [0.3]}),
    "elu": (("Elu",), {"activation_alpha": [0.7]}),
    "hard": (("HardSigmoid",), {"activation_alpha": [0.4], "activation_beta": [0.6]}),
    "softplus": (("Softplus",), {}),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_activation(function, build, compare):
    names, settings = FUNCTIONS[function]
    compare(model(build, rnn(names=names, **settings), READ["all"], weights(1)))


def test_two_layers_and_a_head(build, compare):
    second = ("RNN", "q v r", "s2 e2", {"hidden_size": UNITS, "activations": ["Relu"]})
    nodes = [
        FIRST,
        rnn(),
        ("Squeeze", "s one", "q", {}),
        second,
        ("Squeeze", "e2 zero", "z", {}),
        ("Gemm", "z g", "y", {}),
    ]
    stored = {**weights(1), "v": (1, UNITS, UNITS), "g": (UNITS, 5), "one": np.array([1]), "zero": np.array([0])}
    graph = compare(build(nodes, x=SEQUENCE, weights=stored, opset=14))
    assert sum(n.kind == "ReLU" for n in graph.nodes.values()) == 8


def test_lengths_that_are_those_of_the_data_are_no_mask(build, compare):
    lengths = {"n": np.full(3, SEQUENCE[0], np.int32)}
    compare(model(build, rnn(inputs="t w r b n"), READ["last"], {**weights(1), **lengths}, batch=3))


REFUSED = {
    "lengths": ({"inputs": "t w r b n"}, {"n": np.array([4, 2, 1], np.int32)}, "mask over the steps"),
    "clip": ({"clip": 1.0}, {}, "clip"),
    "affine": ({"names": ("Affine",)}, {}, "activation 'Affine'"),
    "not_turned": ({"inputs": "x w r b"}, {}, "where the batch is"),
    "sideways": ({"direction": "sideways"}, {}, "direction = 'sideways'"),
    "weights": ({}, {"r": (1, UNITS, 2)}, "do not fit"),
    "bias": ({}, {"b": (1, 4)}, "do not fit"),
    "directions": ({}, {"w": (2, UNITS, 2)}, "are not those of 1 directions"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case, build):
    settings, changed, reason = REFUSED[case]
    frontend = OnnxFrontend()
    with pytest.raises(UnsupportedError, match=reason) as caught:
        frontend.parse(frontend.open(model(build, rnn(**settings), READ["last"], {**weights(1), **changed}, batch=3)))
    assert [o.layer.split()[0] for o in caught.value.offenders] == ["RNN_1"]


def gated(op, inputs="t w r b", outputs="s e", direction="forward", **attributes):
    """A layer with gates between two that turn the sequence, and its weights by name."""
    gates, ways = 4 if op == "LSTM" else 3, 2 if direction == "bidirectional" else 1
    state = np.repeat(np.linspace(-1, 1, ways * UNITS, dtype=np.float32).reshape(ways, 1, UNITS), 3, 1)
    stored = {
        "w": (ways, gates * UNITS, 2),
        "r": (ways, gates * UNITS, UNITS),
        "b": (ways, 2 * gates * UNITS),
        "h": state,
        "c": state[..., ::-1],
        "peeps": np.zeros((ways, 3 * UNITS), np.float32),
        "lengths": np.full(3, SEQUENCE[0], np.int32),
    }
    layer = (op, inputs, outputs, {"hidden_size": UNITS, "direction": direction, **attributes})
    return layer, {n: v for n, v in stored.items() if n in inputs.split(" ")}


SMOOTH = {"activations": ["HardSigmoid", "Softplus"], "activation_alpha": [0.3], "activation_beta": [0.4]}
GATED = {
    "lstm": ("LSTM", {}),
    "lstm_both": ("LSTM", {"direction": "bidirectional", "inputs": "t w r b  h c"}),
    "lstm_back": ("LSTM", {"direction": "reverse", "inputs": "t w r"}),
    "lstm_functions": ("LSTM", {"activations": ["HardSigmoid", "Relu", "Tanh"]}),
    "lstm_no_peepholes": ("LSTM", {"inputs": "t w r b lengths h c peeps"}),
    "gru": ("GRU", {}),
    "gru_after": ("GRU", {"linear_before_reset": 1, "direction": "bidirectional", "inputs": "t w r b  h"}),
    "gru_after_without_bias": ("GRU", {"linear_before_reset": 1, "inputs": "t w r"}),
    "gru_functions": ("GRU", {**SMOOTH, "direction": "reverse"}),
}


@pytest.mark.parametrize("case", GATED)
def test_gates(case, build, compare):
    op, settings = GATED[case]
    layer, stored = gated(op, **settings)
    compare(model(build, layer, READ["all_joined"], stored, batch=3))


def test_the_cell_state_that_an_lstm_ends_with(build, compare):
    layer, stored = gated("LSTM", outputs="s e c", direction="bidirectional")
    nodes = [("Add", "e c", "a", {}), ("Transpose", "a", "q", TURN), ("Flatten", "q", "y", {})]
    compare(model(build, layer, nodes, stored, batch=3))


GATED_REFUSED = {
    "peepholes": ("LSTM", {"inputs": "t w r b    peeps"}, {"peeps": (1, 3 * UNITS)}, "peepholes"),
    "coupled": ("LSTM", {"input_forget": 1}, {}, "couples its input and forget gates"),
    "clip": ("GRU", {"clip": 1.0}, {}, "clip"),
    "weights": ("LSTM", {}, {"w": (1, 7, 2)}, "are not those of 4 gates"),
    "more_weights": ("GRU", {}, {"r": (1, 4 * UNITS, UNITS)}, "do not fit steps"),
    "functions": ("GRU", {"activations": ["Sigmoid"]}, {}, "1 activations for 1 directions of 2"),
    "affine": ("LSTM", {"activations": ["Affine", "Tanh", "Tanh"]}, {}, "activation 'Affine'"),
    "lengths": ("LSTM", {"inputs": "t w r b lengths"}, {"lengths": np.array([4, 2, 1], np.int32)}, "mask over"),
}


@pytest.mark.parametrize("case", GATED_REFUSED)
def test_gates_that_are_refused(case, build):
    op, settings, changed, reason = GATED_REFUSED[case]
    (layer, stored), frontend = gated(op, **settings), OnnxFrontend()
    with pytest.raises(UnsupportedError, match=reason) as caught:
        frontend.parse(frontend.open(model(build, layer, READ["last"], {**stored, **changed}, batch=3)))
    assert [o.layer.split()[0] for o in caught.value.offenders] == [f"{op}_1"]


def test_the_end_of_a_sequence_returned_with_its_steps_in_front(build):
    frontend = OnnxFrontend()
    with pytest.raises(UnsupportedError, match=r"Transpose_0.*moves the batch axis"):
        frontend.parse(frontend.open(build([FIRST, ("Relu", "t", "y", {})], x=SEQUENCE)))
