"""What users' files do with Lasagne and Theano beside building layers: layers and functions of their own, training."""

import sys

import numpy as np
import pytest
from lasagne_files import random, write

import snntoolbox as stb
from snntoolbox.errors import SNNToolboxError
from snntoolbox.frontends.lasagne import LasagneFrontend

FRONTEND = LasagneFrontend()

FEW_BITS = """
from collections import OrderedDict
import numpy as np
import theano
import theano.tensor as T
import lasagne
from theano.sandbox.rng_mrg import MRG_RandomStreams as RandomStreams
from theano.scalar.basic import UnaryScalarOp, same_out_nocomplex
from theano.tensor.elemwise import Elemwise


class Through(UnaryScalarOp):
    def c_code(self, node, name, x, z, sub):
        return "z = round(x);"

    def grad(self, inputs, gout):
        return gout


round3 = Elemwise(Through(same_out_nocomplex, name="round3"))


def half(x):
    return T.clip((x + 1.) / 2., 0, 1)


def binary_tanh_unit(x):
    return 2. * round3(half(x)) - 1.


def binary_sigmoid_unit(x):
    return round3(half(x))


def few(W, H, kind, deterministic, stochastic, stream):
    if kind is None or (deterministic and stochastic):
        return W
    if kind == "ternary":
        return H * T.round(T.clip(W / H, -1, 1))
    return T.cast(T.switch(T.round(half(W / H)), H, -H), theano.config.floatX)


def of_few_bits(base):
    class Few(base):
        def __init__(self, incoming, *args, kind="binary", stochastic=False, H=1., **kwargs):
            self.kind, self.stochastic, self.H = kind, stochastic, np.float32(H)
            self.stream = RandomStreams(lasagne.random.get_rng().randint(1, 2147462579))
            super().__init__(incoming, *args, W=lasagne.init.Uniform((-self.H, self.H)), **kwargs)
            self.params[self.W] = {kind}

        def get_output_for(self, input, deterministic=False, **kwargs):
            kept = self.W
            self.W = few(kept, self.H, self.kind, deterministic, self.stochastic, self.stream)
            value = super().get_output_for(input, **kwargs)
            self.W = kept
            return value

    return Few


DenseLayer = of_few_bits(lasagne.layers.DenseLayer)
Conv2DLayer = of_few_bits(lasagne.layers.Conv2DLayer)
"""


def signs(w):
    return np.where(w > 0, 1.0, -1.0)


def step(x):
    return np.where(x >= 0, 1.0, -1.0)


@pytest.fixture
def few_bits(tmp_path):
    (tmp_path / "few_bits.py").write_text(FEW_BITS)
    return tmp_path


def test_binary_layers_of_a_file_beside(few_bits):
    body = """
net = few_bits.DenseLayer(net, 20, nonlinearity=None, H=0.5)
net = BatchNormLayer(net, epsilon=1e-4, alpha=.1)
net = NonlinearityLayer(net, nonlinearity=few_bits.binary_tanh_unit)
net = few_bits.DenseLayer(net, 4, nonlinearity=lasagne.nonlinearities.identity)
"""
    w, b, beta, gamma, mean, inverse = random(8, 20), *(random(20, seed=i) for i in range(5))
    v, c = random(20, 4), random(4)
    gamma, inverse = np.abs(gamma) + 0.5, np.abs(inverse) + 0.5
    path = write(few_bits, body, [w, b, beta, gamma, mean, inverse, v, c], shape=(None, 8), top="import few_bits\n")
    graph = stb.load(path, frontend="lasagne")
    x = random(50, 8, scale=1)
    hidden = step((x @ (0.5 * signs(w)) + b - mean) * inverse * gamma + beta)
    assert np.allclose(graph.run(x.astype(float)), hidden @ signs(v) + c, atol=1e-5)
    assert any(getattr(n, "levels", None) == 1 for n in graph.nodes.values())  # one spike says it exactly
    snn = stb.convert(graph, x, duration=8)
    assert snn.populations


@pytest.mark.parametrize(("kind", "function"), [("binary", signs), ("ternary", lambda w: np.round(np.clip(w, -1, 1)))])
def test_weights_of_few_bits(kind, function, few_bits):
    body = f"net = few_bits.Conv2DLayer(net, 3, 3, kind='{kind}', nonlinearity=few_bits.binary_sigmoid_unit)"
    weight, bias = random(3, 2, 3, 3), random(3)
    model = FRONTEND.open(write(few_bits, body, [weight, bias], top="import few_bits\n"))
    graph, x = FRONTEND.parse(model), random(4, 2, 6, 6)
    turned = function(weight)[:, :, ::-1, ::-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    sums = np.einsum("nchwij,fcij->nfhw", windows, turned) + bias[:, None, None]
    wanted = np.floor(np.clip((sums + 1) / 2, 0, 1) + 0.5)
    assert np.allclose(graph.run(x.astype(float)), wanted)
    assert np.allclose(FRONTEND.predict(model, x)[0], wanted)


TRAINING = """
x, t = T.tensor4('x'), T.matrix('t')
net.input_var = x
net = batch_norm(Conv2DLayer(net, 3, 3, W=lasagne.init.GlorotUniform('relu')))
net = DenseLayer(dropout(net, p=.5), 4, nonlinearity=lasagne.nonlinearities.softmax)
train, test = get_output(net), get_output(net, deterministic=True)
loss = T.mean(lasagne.objectives.categorical_crossentropy(train, t)) + 1e-4 * \
    lasagne.regularization.regularize_network_params(net, lasagne.regularization.l2)
error = T.mean(T.neq(T.argmax(test, axis=1), T.argmax(t, axis=1)), dtype=theano.config.floatX)
grads = theano.grad(loss, wrt=get_all_params(net, trainable=True))
rate = theano.shared(0.1, name='rate')
updates = lasagne.updates.adam(loss_or_grads=loss, params=get_all_params(net, trainable=True), learning_rate=rate)
updates = OrderedDict(lasagne.updates.apply_momentum(updates, momentum=0.9))
for param in get_all_params(net, trainable=True):
    updates[param] = T.clip(param + 2 * (updates[param] - param), -1, 1)
step = theano.function([x, t], loss, updates=updates)
check = theano.function([x, t], [loss, error], allow_input_downcast=True)
assert count_params(net) == 3 * 2 * 9 + 4 * 3 + 48 * 4 + 4
"""


def test_what_trains_stands_in_the_way_of_nobody(made):
    parameters = [random(3, 2, 3, 3), *(random(3, seed=i) for i in range(4)), random(48, 4), random(4)]
    made(TRAINING, parameters, top="from collections import OrderedDict\n")


def test_all_names_of_a_module_can_be_taken(made):
    top = "from lasagne.nonlinearities import *\nfrom lasagne.init import *\n"
    body = "net = DenseLayer(net, 4, W=GlorotUniform(), nonlinearity=leaky_rectify)"
    graph, _, _ = made(body, [random(72, 4), random(4, seed=1)], top=top)
    assert len(graph.outputs) == 1


@pytest.mark.parametrize(
    "ends", ["net", "[net]", "(net, None, None)", "{'model': net}", "{'network': net, 'val_fn': None}"]
)
def test_whatever_build_network_returns(ends, tmp_path):
    path = write(tmp_path, "net = NonlinearityLayer(net)", [])
    path.write_text(path.read_text().replace("{'model': net, 'val_fn': None}", ends))
    assert len(FRONTEND.open(path).outputs) == 1


def test_several_inputs_and_outputs(made):
    body = """
other = InputLayer((None, 2, 6, 6), name='other')
both = ConcatLayer([net, other])
net = [NonlinearityLayer(both, name='a'), GlobalPoolLayer(other, name='b')]
"""
    graph, xs, (first, second) = made(body)
    assert graph.inputs[1] == "other"
    assert np.allclose(first, np.maximum(np.concatenate(xs, 1), 0))
    assert np.allclose(second, xs[1].mean((2, 3)))


def test_shared_weights(made):
    weight, bias = random(5, 5), random(5)
    body = "one = DenseLayer(net, 5)\nnet = DenseLayer(one, 5, W=one.W.T, b=one.b)"
    _, [x], [y] = made(body, [weight, bias], shape=(None, 5))
    assert np.allclose(y, np.maximum(np.maximum(x @ weight + bias, 0) @ weight.T + bias, 0), atol=1e-5)


def test_nothing_is_left_behind(few_bits):
    before, path = set(sys.modules), list(sys.path)
    FRONTEND.open(write(few_bits, "net = NonlinearityLayer(net)", [], top="import few_bits\n"))
    assert sys.path == path
    left = {n for n in set(sys.modules) - before if not n.startswith("_snntoolbox_model")}
    assert not {n for n in left if n.partition(".")[0] in ("theano", "lasagne", "few_bits")}


CODE = {
    "no function": ("x = 1", "defines no function build_network"),
    "syntax": ("def build_network(:", "failed: SyntaxError"),
    "raises": ("def build_network():\n    raise KeyError('a')", "KeyError: 'a'"),
    "exits": ("import sys\nsys.exit(3)", r"calls exit\(3\)"),
    "nothing": ("def build_network():\n    return None", "returns no layer"),
    "calls Theano": (
        "import theano\ndef build_network():\n    return theano.function([], [])(1)", "functions of it cannot be called"
    ),
    "neurons": (
        "from lasagne.layers import *\ndef build_network():\n    return DenseLayer(InputLayer((None, 4)), 10**12)",
        "parameter of the shape",
    ),
    "input": ("from lasagne.layers import *\ndef build_network():\n"
              "    return NonlinearityLayer(InputLayer((None, 10**12)))",
              "would have the shape"),
    "open": ("from lasagne.layers import *\ndef build_network():\n    return FlattenLayer(InputLayer((None, 1, None)))",
             "leaves its sizes open"),
    "cycle": ("from lasagne.layers import *\ndef build_network():\n    a = NonlinearityLayer(InputLayer((None, 4)))\n"
              "    b = NonlinearityLayer(a)\n    a.input_layer = b\n    return b", "no input, or reads its own output"),
}  # fmt: skip


@pytest.mark.parametrize("case", CODE)
def test_code_that_cannot_be_used(case, tmp_path):
    text, message = CODE[case]
    path = write(tmp_path, "", [])
    path.write_text(text)
    with pytest.raises(SNNToolboxError, match=message):
        FRONTEND.parse(FRONTEND.open(path))
