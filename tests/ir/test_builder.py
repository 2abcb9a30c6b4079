"""The builder: names, refusals, and the geometry that frameworks share."""

import itertools

import numpy as np
import pytest
import torch

from snntoolbox.errors import GraphError, UnsupportedError
from snntoolbox.ir.builder import MOST_MADE, GraphBuilder, ceil_overhang, same_padding
from snntoolbox.ir.nodes import Add, AveragePool, MaxPool, ReLU
from snntoolbox.ir.nodes.windows import window_output


@pytest.fixture
def builder():
    b = GraphBuilder("keras")
    b.input("x", (4, 5, 3))
    return b


def run(builder, output, x):
    return builder.finish([output], "net").run(x)


X = np.random.default_rng(1).normal(size=(2, 4, 5, 3))


def test_names_are_made_unique_and_free_of_slashes(builder):
    names = [builder.add(ReLU(name=n, inputs=("x",))) for n in ("relu", "relu", "relu", "/block/relu/", "")]
    assert names == ["relu", "relu_2", "relu_3", "block.relu", "node"]
    assert builder.shape("relu_2") == (4, 5, 3)


def test_nodes_that_do_not_fit_are_refused_at_once(builder):
    with pytest.raises(GraphError, match="cannot add"):
        builder.add(Add(name="sum", inputs=("x", builder.input("y", (2,)))))
    with pytest.raises(GraphError, match="rank"):
        builder.add(Add(name="sum", inputs=("x",), bias=np.ones(3)))


def test_all_refusals_are_told_together(builder):
    stand_in = builder.refuse(builder.origin("LSTM", "memory"), "recurrent layers", (7,))
    assert builder.shape(stand_in) == (7,)
    builder.add(ReLU(name="behind", inputs=(stand_in,)))
    assert builder.refuse(builder.origin("Lambda", "code"), "code") is None
    with pytest.raises(UnsupportedError) as caught:
        builder.finish(["behind"], "net")
    assert [(o.layer, o.reason) for o in caught.value.offenders] == [
        ("memory (keras LSTM)", "recurrent layers"),
        ("code (keras Lambda)", "code"),
    ]
    assert "the keras frontend cannot take:\n    memory" in str(caught.value)


# lowering: (what the builder does, the same in numpy)
LOWERINGS = {
    "permute": (lambda b: b.permute("p", "x", (2, 0, 1)), lambda x: x.transpose(0, 3, 1, 2)),
    "channels first": (lambda b: b.channels_first("p", "x"), lambda x: x.transpose(0, 3, 1, 2)),
    "channels last": (lambda b: b.channels_last("p", "x"), lambda x: x.transpose(0, 2, 3, 1)),
    "reshape": (lambda b: b.reshape("r", "x", (2, 30)), lambda x: x.reshape(2, 2, 30)),
    "affine": (lambda b: b.affine("a", "x", np.array([1.0, 2, 3]), np.ones((5, 1))), lambda x: x * [1, 2, 3] + 1),
    "affine, bias only": (lambda b: b.affine("a", "x", None, np.float64(3)), lambda x: x + 3),
    "affine, with a batch axis": (lambda b: b.affine("a", "x", np.full((1, 1, 1, 1), 2.0), None), lambda x: 2 * x),
    "dense": (lambda b: b.dense("d", "x", np.eye(2, 3), np.array([1.0, 2])), lambda x: x[..., :2] + [1, 2]),
    "dense, first": (
        lambda b: b.dense("d", "x", np.eye(2, 4), np.array([1.0, 2]), axis=0),
        lambda x: x[:, :2] + np.array([1.0, 2])[:, None, None],
    ),
    "concat": (lambda b: b.concat("c", ["x", "x"], -1), lambda x: np.concatenate([x, x], axis=3)),
    "pad": (lambda b: b.pad("p", "x", [(0, 1), (2, 0), (0, 0)]), lambda x: np.pad(x, [(0, 0), (0, 1), (2, 0), (0, 0)])),
    "pad with a value": (
        lambda b: b.pad("p", "x", [(0, 1), (2, 0), (0, 0)], value=-1.5),
        lambda x: np.pad(x, [(0, 0), (0, 1), (2, 0), (0, 0)], constant_values=-1.5),
    ),
    "crop": (lambda b: b.pad("p", "x", [(-1, -2), (0, 0), (0, -1)]), lambda x: x[:, 1:2, :, :2]),
    "crop and pad": (
        lambda b: b.pad("p", "x", [(-1, 2), (0, 0), (0, 0)]),
        lambda x: np.pad(x[:, 1:], [(0, 0), (0, 2), (0, 0), (0, 0)]),
    ),
    "take": (lambda b: b.take("t", "x", -1, [2, 0]), lambda x: x[..., [2, 0]]),
    "slice": (lambda b: b.slice("s", "x", 1, 1, None, 2), lambda x: x[:, :, 1::2]),
    "slice backwards": (lambda b: b.slice("s", "x", 0, None, None, -1), lambda x: x[:, ::-1]),
    "global average": (lambda b: b.global_average("g", "x", False), lambda x: x.mean((2, 3))),
    "global average, kept": (lambda b: b.global_average("g", "x", True), lambda x: x.mean((2, 3), keepdims=True)),
    "global max": (lambda b: b.global_max("g", "x", False), lambda x: x.max((2, 3))),
    "global max, kept": (lambda b: b.global_max("g", "x", True), lambda x: x.max((2, 3), keepdims=True)),
}
LOWERINGS |= {
    f"pad, {mode}": (
        lambda b, mode=mode: b.pad("p", "x", [(0, 0), (2, 1), (1, 2)], mode=mode),
        lambda x, mode=mode: np.pad(x, [(0, 0), (0, 0), (2, 1), (1, 2)], mode=mode),
    )
    for mode in ("reflect", "edge", "wrap", "symmetric")
}


@pytest.mark.parametrize(("lower", "expected"), LOWERINGS.values(), ids=LOWERINGS)
def test_lowerings_are_what_numpy_does(builder, lower, expected):
    np.testing.assert_allclose(run(builder, lower(builder), X), expected(X), rtol=0, atol=1e-12)


IDENTITIES = {
    "permute": lambda b: b.permute("p", "x", (0, 1, 2)),
    "reshape": lambda b: b.reshape("p", "x", (4, 5, 3)),
    "pad": lambda b: b.pad("p", "x", [(0, 0)] * 3),
    "take": lambda b: b.take("p", "x", 1, range(5)),
    "slice": lambda b: b.slice("p", "x", -1, 0, None),
}


@pytest.mark.parametrize("lower", IDENTITIES.values(), ids=IDENTITIES)
def test_nothing_is_added_for_nothing(builder, lower):
    assert lower(builder) == "x"


def test_what_is_added_says_where_it_comes_from(builder):
    origin = builder.origin("Flatten", "flat")
    first = builder.channels_first("p", "x", origin)
    last = builder.channels_last("q", first, origin)
    graph = builder.finish([last], "net")
    assert graph.nodes[first].origin is graph.nodes[last].origin is origin


def test_a_constant_that_widens_the_sample_is_refused(builder):
    with pytest.raises(GraphError, match="does not fit"):
        builder.affine("a", "x", np.ones((2, 4, 5, 3)), None)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_batch_norm_is_that_of_torch(builder, axis):
    n, random = X.shape[1:][axis], np.random.default_rng(2)
    parts = {k: random.uniform(0.5, 2, n) for k in ("mean", "variance", "gamma", "beta")}
    name = builder.batch_norm("bn", "x", epsilon=1e-3, axis=axis, **parts)
    moved = torch.tensor(np.moveaxis(X, X.shape.index(n), 1))
    tensors = [torch.tensor(parts[k]) for k in ("mean", "variance", "gamma", "beta")]
    expected = torch.nn.functional.batch_norm(moved, *tensors, eps=1e-3).numpy()
    np.testing.assert_allclose(run(builder, name, X), np.moveaxis(expected, 1, X.shape.index(n)), atol=1e-12)


def test_batch_norm_without_gamma_and_beta(builder):
    name = builder.batch_norm("bn", "x", mean=np.ones(4), variance=np.full(4, 3.0), gamma=None, beta=None, epsilon=1.0)
    np.testing.assert_allclose(run(builder, name, X), (X - 1) / 2, atol=1e-12)


# -- geometry -------------------------------------------------------------------------------------------------------

SAME = list(itertools.product((1, 5, 6, 11), (1, 2, 3, 5), (1, 2, 3), (1, 2)))


@pytest.mark.parametrize(("n", "kernel", "stride", "dilation"), SAME)
def test_same_padding_gives_as_many_windows_as_strides(n, kernel, stride, dilation):
    for odd_before in (False, True):
        pads = same_padding((n,), (kernel,), (stride,), (dilation,), odd_before=odd_before)
        assert window_output((n,), (kernel,), (stride,), pads, (dilation,)) == (-(-n // stride),)
        lo, hi = pads[0]
        assert (lo - hi if odd_before else hi - lo) in (0, 1)
        # No zero more than the last window needs.
        last = (-(-n // stride) - 1) * stride + dilation * (kernel - 1) + 1
        assert lo + hi == max(last - n, 0)


CEIL = [c for c in itertools.product((4, 5, 7, 8), (1, 2, 3, 4), (1, 2, 3, 5), (0, 1, 2)) if c[3] <= c[1] // 2]


@pytest.mark.parametrize(("n", "kernel", "stride", "pad"), CEIL)
def test_ceil_mode_is_that_of_torch(n, kernel, stride, pad):
    x = np.random.default_rng(n).normal(size=(2, 3, n))
    tensor, pads = torch.tensor(x), ((pad, pad),)
    (over,) = ceil_overhang((n,), (kernel,), (stride,), pads, (1,))
    for counts in (False, True):
        expected = torch.nn.functional.avg_pool1d(tensor, kernel, stride, pad, ceil_mode=True, count_include_pad=counts)
        node = AveragePool(
            name="p", kernel=(kernel,), stride=(stride,), padding=pads, count_padding=counts, overhang=(over,)
        )
        np.testing.assert_allclose(node.apply(x), expected.numpy(), rtol=0, atol=1e-12)
    for dilation in (1, 2):
        if n + 2 * pad < dilation * (kernel - 1) + 1:
            continue
        expected = torch.nn.functional.max_pool1d(tensor, kernel, stride, pad, dilation, ceil_mode=True).numpy()
        (over,) = ceil_overhang((n,), (kernel,), (stride,), pads, (dilation,))
        node = MaxPool(name="p", kernel=(kernel,), stride=(stride,), padding=((pad, pad + over),), dilation=(dilation,))
        np.testing.assert_array_equal(node.apply(x), expected)


def test_matrices_made_for_layers_are_bounded_together():
    builder = GraphBuilder("test")
    for _ in range(4):
        builder.spend(MOST_MADE // 4)
    with pytest.raises(GraphError, match="would hold more"):
        builder.spend(1)


@pytest.mark.parametrize("name", ["mean", "variance", "gamma", "beta"])
@pytest.mark.parametrize("shape", [(1,), (2,), (4,), (3, 1), ()])
def test_batch_norm_needs_one_value_for_each_channel(name, shape):
    builder = GraphBuilder("test")
    source = builder.input("x", (3, 5, 5))
    values = {"mean": np.ones(3), "variance": np.ones(3), "gamma": np.ones(3), "beta": np.ones(3)}
    builder.batch_norm("bn", source, **values, epsilon=1e-5)
    with pytest.raises(GraphError, match="do not fit"):
        builder.batch_norm("bn", source, **(values | {name: np.ones(shape)}), epsilon=1e-5)
