"""Every exact pass keeps the function and does its work, on the catalogue and on random graphs."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snntoolbox.conversion.exact import EXACT
from snntoolbox.conversion.exact.cancel_permutes import CancelPermutes
from snntoolbox.conversion.exact.drop_identities import DropIdentities
from snntoolbox.conversion.exact.fold_scales import FoldScales
from snntoolbox.conversion.exact.rectify_before_pooling import RectifyBeforePooling
from snntoolbox.conversion.load import simplify
from snntoolbox.conversion.lowering.max_pool_tree import MaxPoolTree
from snntoolbox.conversion.lowering.spiking_pools import SpikingAveragePools
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import AveragePool, Conv, MaxPool, Permute, ReLU, Reshape, Scale

PASSES = {
    "drop identities": DropIdentities(),
    "cancel permutes": CancelPermutes(),
    "fold scales": FoldScales(),
    "rectify before pooling": RectifyBeforePooling(),
    "max pool tree": MaxPoolTree(),
    "spiking average pools": SpikingAveragePools(),
    "simplify": simplify,
    "backwards": lambda graph: [graph := p(graph) for p in reversed(EXACT)][-1],
    "fold, then permutes": lambda graph: CancelPermutes()(FoldScales()(graph)),
}


def kinds(graph):
    return Counter(n.kind for n in graph.nodes.values())


@pytest.mark.parametrize("name", PASSES)
def test_the_function_is_kept(catalogued, name, assert_same_function):
    graph = catalogued[0]()
    assert_same_function(PASSES[name](graph), graph)


def test_a_second_time_changes_nothing_more(catalogued, assert_same_function):
    graph = catalogued[0]()
    once = simplify(graph)
    assert kinds(simplify(once)) == kinds(once)
    assert_same_function(simplify(once), graph)


def test_what_is_left(catalogued):
    build, expected = catalogued
    left = kinds(simplify(build()))
    assert {kind: left[kind] for kind in expected} == expected


def test_passes_do_not_change_their_input(catalogued):
    graph = catalogued[0]()
    x = [np.random.default_rng(1).normal(size=(2, *graph.shapes[i])) for i in graph.inputs]
    before, names = graph.run(*x), list(graph.nodes)
    for rewrite in PASSES.values():
        rewrite(graph)
    np.testing.assert_array_equal(graph.run(*x), before)
    assert list(graph.nodes) == names


def test_no_permutation_is_left_between_convolutions(catalogued):
    graph = simplify(catalogued[0]())
    windows = (Conv, MaxPool, AveragePool)
    for node in graph.nodes.values():
        if isinstance(node, Permute):
            source = graph.nodes[node.inputs[0]]
            between = isinstance(source, windows) and any(
                isinstance(graph.nodes[c], windows) for c in graph.consumers[node.name]
            )
            assert not between


BEHIND_AN_INPUT = {
    "alone": lambda net: net.relu("x"),
    "bounded": lambda net: net.relu("x", max_value=np.full((1, 1, 3), 0.7)),
    "scaled": lambda net: net.relu(net.norm("x", axis=-1)),
    "twice": lambda net: net.relu(net.norm(net.relu("x"), axis=-1)),
    "read by others": lambda net: net.relu("x"),
}


@pytest.mark.parametrize("case", BEHIND_AN_INPUT)
def test_a_rectifier_on_a_channels_last_input_has_its_channels_first(case, new_net, assert_same_function):
    """Thresholds are per channel along the first axis: of samples (5, 4, 3) there were five, one per row."""
    net = new_net(5, 4, 3)
    rectified = BEHIND_AN_INPUT[case](net)
    found = net.conv(net.first(rectified), 4)
    if case == "read by others":
        net.concat(net.flat(found), net.flat(rectified), net.flat("x"))
    graph = net.graph()
    once = simplify(graph)
    assert_same_function(once, graph)
    assert {once.shapes[n.name] for n in once.nodes.values() if isinstance(n, ReLU)} == {(3, 5, 4)}
    assert kinds(once)["Permute"] == 1


def test_inputs_that_are_permuted_in_two_ways_stay(new_net, assert_same_function):
    net = new_net(5, 4, 3)
    rectified = net.relu("x")
    net.concat(net.flat(net.permute(rectified, 2, 0, 1)), net.flat(net.permute(rectified, 1, 0, 2)))
    assert_same_function(CancelPermutes()(net.graph()), net.graph())
    assert {CancelPermutes()(net.graph()).shapes[rectified]} == {(5, 4, 3)}


# -- single steps of the passes -------------------------------------------------------------------------------------


def test_biases_on_permutations_and_reshapes_are_kept(new_net, assert_same_function):
    """As `FoldScales` may leave them, for instance in a graph that was saved and is simplified again."""
    net = new_net(3, 4, 5)
    a = net.add(Permute, "x", axes=(2, 0, 1), bias=net.random.normal(size=(5, 3, 1)))
    b = net.add(Reshape, net.permute(a, 1, 2, 0), shape=(60,), bias=net.random.normal(size=(60,)))
    net.dense(net.relu(b), 4)
    graph = net.graph()
    for rewrite in PASSES.values():
        assert_same_function(rewrite(graph), graph)


def test_zero_padding_joins_the_convolution(new_net, assert_same_function):
    net = new_net(2, 5, 5)
    net.conv(net.pad("x", (0, 0), (1, 2), (0, 1)), 3)
    graph = DropIdentities()(net.graph())
    assert kinds(graph) == {"Input": 1, "Conv": 1}
    assert_same_function(graph, net.graph())


@pytest.mark.parametrize("more", [{"bias": np.ones((1, 1, 1))}, {}], ids=["another constant", "channels"])
def test_other_padding_does_not(new_net, more, assert_same_function):
    net = new_net(2, 5, 5)
    net.conv(net.pad("x", (0, 0) if more else (1, 0), (1, 2), (0, 1), **more), 3)
    graph = DropIdentities()(net.graph())
    assert kinds(graph)["Pad"] == 1
    assert_same_function(graph, net.graph())


def test_norm_at_the_rim_is_a_bias_that_varies_in_space(new_net):
    net = new_net(2, 5, 5)
    net.conv(net.norm("x"), 3)
    (conv,) = [n for n in FoldScales()(net.graph()).nodes.values() if isinstance(n, Conv)]
    assert conv.bias.shape == (3, 5, 5)
    net = new_net(2, 5, 5)
    net.conv(net.norm("x"), 3, pad=0)
    (conv,) = [n for n in FoldScales()(net.graph()).nodes.values() if isinstance(n, Conv)]
    assert conv.bias.shape == (3, 1, 1)


def test_rectifiers_move_in_front_of_all_pooling_in_a_row(new_net, assert_same_function):
    net = new_net(2, 9, 9)
    net.relu(net.pool(net.pool(net.conv("x", 3)), kernel=3, stride=1, pad=1), max_value=0.5)
    graph = RectifyBeforePooling()(net.graph())
    assert [n.kind for n in graph.nodes.values()] == ["Input", "Conv", "ReLU", "MaxPool", "MaxPool"]
    assert_same_function(graph, net.graph())


def test_rectifiers_stay_where_the_maximum_is_read_by_others(new_net, assert_same_function):
    net = new_net(2, 6, 6)
    pooled = net.pool(net.conv("x", 3))
    graph = net.graph(net.sum(net.relu(pooled), pooled), pooled)
    assert kinds(RectifyBeforePooling()(graph)) == kinds(graph)
    assert_same_function(RectifyBeforePooling()(graph), graph)


def test_average_pools_of_rectified_values_get_neurons(new_net):
    net = new_net(2, 8, 8)
    a = net.relu(net.conv("x", 3))
    joined = net.concat(net.average(a), net.pool(a))
    net.mean(net.average(joined))
    net.average(net.conv("x", 3))
    graph = net.graph(net.nodes[-3].name, net.nodes[-1].name)
    rectified = SpikingAveragePools()(graph)
    assert kinds(rectified)["ReLU"] == 1 + 3, "those of values of any sign stay maps"
    names = [list(SpikingAveragePools()(graph).nodes) for _ in range(3)]
    assert names[0] == names[1] == names[2]


# -- max pooling as a tree ------------------------------------------------------------------------------------------

# (space, kernel, stride, padding, dilation)
GEOMETRIES = [
    ((6,), (2,), (2,), ((0, 0),), (1,)),
    ((7,), (3,), (2,), ((1, 1),), (1,)),
    ((7,), (3,), (2,), ((0, 2),), (1,)),
    ((9,), (5,), (1,), ((2, 2),), (2,)),
    ((5,), (1,), (2,), ((0, 0),), (1,)),
    ((5,), (5,), (1,), ((0, 0),), (1,)),
    ((4,), (7,), (3,), ((3, 3),), (1,)),
    ((6,), (2,), (3,), ((1, 0),), (4,)),
    ((6, 5), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    ((6, 5), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    ((6, 5), (3, 1), (1, 2), ((0, 1), (0, 0)), (2, 1)),
    ((6, 5), (6, 5), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    ((5, 6), (2, 3), (1, 1), ((1, 0), (0, 2)), (1, 2)),
    ((4, 5, 3), (2, 2, 2), (2, 1, 1), ((0, 0), (1, 0), (0, 1)), (1, 1, 1)),
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_max_pooling_is_a_tree_of_rectifiers(new_net, geometry, assert_same_function):
    space, kernel, stride, padding, dilation = geometry
    net = new_net(2, *space)
    net.add(MaxPool, "x", kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    tree = MaxPoolTree()(net.graph())
    assert not kinds(tree)["MaxPool"]
    assert_same_function(tree, net.graph(), samples=20)
    depth = 0
    for axis in kernel:
        depth += int(np.ceil(np.log2(axis)))
    assert longest_chain(tree) <= depth, "as many rectifiers in a row as a balanced tree has levels"


def test_pools_in_a_row_become_trees(new_net, assert_same_function):
    net = new_net(2, 9, 9)
    net.pool(net.pool(net.pool("x"), kernel=3, stride=1, pad=1))
    assert_same_function(MaxPoolTree()(net.graph()), net.graph(), samples=20)


def longest_chain(graph):
    depth = {}
    for name, node in graph.nodes.items():
        depth[name] = max((depth[i] for i in node.inputs), default=0) + isinstance(node, ReLU)
    return depth[graph.outputs[0]]


def test_a_window_of_padding_alone_is_refused_by_name(new_net):
    net = new_net(1, 4)
    net.add(MaxPool, "x", kernel=(2,), stride=(2,), padding=((2, 0),), dilation=(1,), name="odd_pool")
    with pytest.raises(Exception, match=r"odd_pool.*padding alone"):
        MaxPoolTree()(net.graph())


# -- random graphs --------------------------------------------------------------------------------------------------

STEPS = {
    "conv": lambda net, s: net.conv(s, 3) if len(net.shapes[s]) > 1 else net.dense(s, 4),
    "dense": lambda net, s: net.dense(s, 3, axis=int(net.random.integers(len(net.shapes[s])))),
    "norm": lambda net, s: net.norm(
        s, axis=int(net.random.integers(len(net.shapes[s]))), low=float(net.random.choice([-1, 0.5]))
    ),
    "relu": lambda net, s: net.relu(s, max_value=None if net.random.random() < 0.7 else 1.0),
    "permute": lambda net, s: net.permute(s, *map(int, net.random.permutation(len(net.shapes[s])))),
    "flat": lambda net, s: net.flat(s),
    "split": lambda net, s: net.reshape(s, *reversed(net.shapes[s])),
    "pool": lambda net, s: net.pool(s, kernel=2, stride=1, pad=1) if len(net.shapes[s]) > 1 else s,
    "average": lambda net, s: net.average(s, kernel=2, stride=1, pad=1) if len(net.shapes[s]) > 1 else s,
    "double": lambda net, s: net.sum(s, s, coefficients=(0.5, 1.0)),
    "join": lambda net, s: net.concat(s, net.norm(s), axis=len(net.shapes[s]) - 1),
    "residual": lambda net, s: net.sum(s, net.norm(s)),
    "mean": lambda net, s: net.mean(s, 0, keepdims=True) if len(net.shapes[s]) > 1 else s,
    "take": lambda net, s: net.take(s, 0, *range(net.shapes[s][0])[::-1]),
    "pad": lambda net, s: net.pad(s, *[(1, 0)] * len(net.shapes[s])) if np.prod(net.shapes[s]) < 200 else s,
}


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 3)), min_size=2, max_size=12),
    seed=st.integers(0, 1000),
    extra=st.booleans(),
)
def test_random_graphs_keep_their_function(new_net, assert_same_function, steps, seed, extra):
    net = new_net(3, 4, 2, seed=seed)
    made = ["x"]
    for step, back in steps:
        made.append(STEPS[step](net, made[max(0, len(made) - 1 - back)]))
    graph = net.graph(*dict.fromkeys([made[-1], *([made[len(made) // 2]] if extra else [])])).edited()
    assert isinstance(graph, Graph)
    for rewrite in PASSES.values():
        assert_same_function(rewrite(graph), graph)
    assert not [
        n for n in simplify(graph).nodes.values() if isinstance(n, Scale) and np.all(n.gain == 1) and n.bias is None
    ]


def test_scales_in_front_of_a_join_fold_together(new_net, assert_same_function):
    """Each alone cannot pass the join; one part needs none."""
    net = new_net(2, 5, 5)
    parts = [net.norm(net.relu(net.conv("x", 3)), low=-1) for _ in range(2)]
    joined = net.concat(parts[0], "x", parts[1], parts[0])
    a = net.relu(net.conv(joined, 4))
    b = net.dense(net.flat(net.average(joined, kernel=3, stride=1, pad=1)), 3)
    graph = net.graph(a, b)
    folded = FoldScales()(graph)
    assert kinds(folded)["Scale"] == 0
    assert_same_function(folded, graph)


def test_scales_that_others_read_stay_in_front_of_a_join(new_net, assert_same_function):
    net = new_net(2, 5, 5)
    a = net.norm(net.relu(net.conv("x", 3)))
    graph = net.graph(net.conv(net.concat(a, "x"), 4), a)
    assert kinds(FoldScales()(graph))["Scale"] == 1
    assert_same_function(FoldScales()(graph), graph)


def test_folds_of_single_precision_do_not_round(new_net):
    """Products of float32 weights and float32 constants are kept in float64, however many there are."""
    net, random = new_net(3, 5, 5), np.random.default_rng(0)
    source = "x"
    for _ in range(20):
        gain = random.uniform(0.9, 1.1, (3, 1, 1)).astype(np.float32)
        source = net.add(Scale, net.add(Scale, net.conv(source, 3), gain=gain), gain=gain[::-1])
    graph = net.graph()
    single = [replace(n, weight=n.weight.astype(np.float32)) for n in graph.nodes.values() if isinstance(n, Conv)]
    graph, x = graph.edited(single), random.uniform(size=(2, 3, 5, 5))
    before, after = graph.run(x), FoldScales()(graph).run(x)
    assert np.abs(before - after).max() < 1e-12 * np.abs(before).max()
