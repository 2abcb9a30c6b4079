"""Quantised rectifiers are recognised however they are written out, and nothing else is taken for one."""

import numpy as np
import pytest

from snntoolbox.conversion.exact import EXACT
from snntoolbox.conversion.exact.cancel_permutes import CancelPermutes
from snntoolbox.conversion.exact.drop_identities import DropIdentities
from snntoolbox.conversion.exact.read_quantizers import ReadQuantizers
from snntoolbox.conversion.exact.rectify_before_pooling import RectifyBeforePooling
from snntoolbox.ir.nodes import Conv, Dense, Floor, MaxPool, ReLU, Scale

BOUND = np.array([0.7, 1.3, 2.1])


def scaled(net, source, gain=1.0, bias=0.0):
    full = np.broadcast_to(np.asarray(gain, np.float64), np.shape(gain) or (1,))
    return net.add(Scale, source, gain=full, bias=np.full(1, bias) if bias else None)


def bounded_behind(net, x, bound=0.7, levels=4):
    """``bound / L * clip(floor(x L / bound + 1/2), 0, L)``."""
    counts = net.relu(net.add(Floor, scaled(net, x, levels / bound, 0.5)), max_value=float(levels))
    return scaled(net, counts, bound / levels)


def bounded_before(net, x, bound=0.7, levels=4):
    """``floor(clip(x / bound, 0, 1) * L + 1/2) / L * bound``, one factor after the other."""
    share = net.relu(scaled(net, x, 1 / bound), max_value=1.0)
    counts = net.add(Floor, scaled(net, scaled(net, share, levels), 1.0, 0.5))
    return scaled(net, scaled(net, counts, 1 / levels), bound)


def written(new_net, write, **more):
    net = new_net(3)
    net.dense(write(net, net.dense("x", 3), **more), 2)
    return net.graph()


@pytest.mark.parametrize("bound", [0.7, BOUND], ids=["one bound", "bounds"])
@pytest.mark.parametrize("write", [bounded_behind, bounded_before])
def test_it_becomes_one_rectifier_with_levels(new_net, write, bound, assert_same_function):
    graph = written(new_net, write, bound=bound)
    found = DropIdentities()(ReadQuantizers()(graph))
    assert [n.kind for n in found.nodes.values()] == ["Input", "Dense", "ReLU", "Dense"]
    (relu,) = (n for n in found.nodes.values() if isinstance(n, ReLU))
    assert relu.levels == 4
    np.testing.assert_allclose(relu.max_value, bound, rtol=1e-6)
    assert_same_function(found, graph)


def test_other_shifts_and_factors_go_into_the_weights(new_net, assert_same_function):
    """``3 * floor(clip(x, 0, 2) * 2.4 + 0.3)``: levels at 0, 3, .. 15 with jumps somewhere else."""
    net = new_net(3)
    inside = net.relu(net.dense("x", 3), max_value=2.0)
    net.dense(scaled(net, net.add(Floor, scaled(net, inside, 2.4, 0.3)), 3.0), 2)
    found = net.graph()
    for rewrite in EXACT:
        found = rewrite(found)
    assert [n.kind for n in found.nodes.values()] == ["Input", "Dense", "ReLU", "Dense"]
    (relu,) = (n for n in found.nodes.values() if isinstance(n, ReLU))
    assert (relu.levels, relu.max_value) == (5, 15.0)
    assert_same_function(found, net.graph())


def test_constants_of_float32_are_the_same(new_net):
    graph = written(new_net, bounded_behind, bound=float(np.float32(0.7)) * (1 + 1e-7), levels=6)
    assert [n.kind for n in ReadQuantizers()(graph).nodes.values()] == ["Input", "Dense", "ReLU", "Dense"]


OTHERS = {
    "no bound": lambda net, x: net.add(Floor, net.relu(x)),
    "a bound between levels": lambda net, x: net.relu(net.add(Floor, x), max_value=2.5),
    "a bound below one level": lambda net, x: net.add(Floor, net.relu(x, max_value=0.9)),
    "a shift of a level": lambda net, x: net.add(Floor, scaled(net, net.relu(x, max_value=3.0), 1.0, 1.0)),
    "turned": lambda net, x: net.add(Floor, scaled(net, net.relu(x, max_value=3.0), -1.0, 0.5)),
    "different numbers of levels": lambda net, x: net.add(
        Floor, scaled(net, net.relu(x, max_value=3.0), np.array([1.0, 2.0, 3.0]), 0.5)
    ),
}


@pytest.mark.parametrize("write", OTHERS.values(), ids=OTHERS)
def test_another_floor_stays(new_net, write):
    graph = written(new_net, write)
    assert [n.kind for n in ReadQuantizers()(graph).nodes.values()] == [n.kind for n in graph.nodes.values()]


def test_a_value_that_others_read_stays(new_net, assert_same_function):
    """The bounded counts are an output, so the factor behind them is no part of the rectifier."""
    net = new_net(3)
    counts = net.relu(net.add(Floor, scaled(net, net.dense("x", 3), 4.0, 0.5)), max_value=4.0)
    graph = net.graph(net.dense(scaled(net, counts, 0.25), 2), counts)
    found = ReadQuantizers()(graph)
    (relu,) = (n for n in found.nodes.values() if isinstance(n, ReLU))
    assert (relu.levels, relu.max_value) == (4, 4.0)
    assert_same_function(found, graph)


# -- other passes -------------------------------------------------------------------------------------------------

LEVELS = {"max_value": 1.5, "levels": 3}
# rectifiers in a row, the inner one first, and how many are left
NESTED = {
    "levels behind a plain one": ({}, LEVELS, 1),
    "levels behind a wider bound": ({"max_value": 2.0}, LEVELS, 1),
    "levels behind a narrow bound": ({"max_value": 1.0}, LEVELS, 2),
    "levels before a plain one": (LEVELS, {}, 1),
    "levels before a wider bound": (LEVELS, {"max_value": 1.5}, 1),
    "levels before a narrow bound": (LEVELS, {"max_value": 1.0}, 2),
    "levels twice": (LEVELS, {"max_value": 1.5, "levels": 4}, 2),
    "bounds": ({"max_value": BOUND}, {"max_value": 1.0}, 1),
}


@pytest.mark.parametrize(("inner", "outer", "left"), NESTED.values(), ids=NESTED)
def test_rectifiers_in_a_row_are_one_where_that_is_exact(new_net, inner, outer, left, assert_same_function):
    net = new_net(3)
    net.relu(net.relu(scaled(net, "x", 2.0), **inner), **outer)
    found = DropIdentities()(net.graph())
    assert sum(isinstance(n, ReLU) for n in found.nodes.values()) == left
    assert_same_function(found, net.graph(), samples=200)


@pytest.mark.parametrize("shape", [(4, 1, 1), (4, 3, 3)], ids=["per channel", "per value"])
def test_a_bound_per_channel_passes_max_pooling(new_net, shape, assert_same_function):
    net = new_net(2, 6, 6)
    bound = net.random.uniform(0.2, 1, size=shape)
    net.relu(net.pool(net.conv("x", 4)), max_value=bound, levels=4)
    found = RectifyBeforePooling()(net.graph())
    order = [ReLU, MaxPool] if shape[1] == 1 else [MaxPool, ReLU]
    assert [type(n) for n in found.nodes.values()][1:] == [Conv, *order]
    assert_same_function(found, net.graph())


def test_bounds_follow_their_axes(new_net, assert_same_function):
    net = new_net(3, 4, 5)
    a = net.relu(net.last(net.conv("x", 2)), max_value=net.random.uniform(0.2, 1, size=(4, 5, 2)), levels=7)
    b = net.relu(net.flat(a), max_value=net.random.uniform(0.1, 0.5, size=40))
    net.dense(b, 6)
    found = CancelPermutes()(net.graph())
    assert not [n for n in found.nodes.values() if n.kind == "Permute"]
    assert [type(n) for n in found.nodes.values()][-1] is Dense
    assert_same_function(found, net.graph())


def test_one_right_behind_another(new_net, assert_same_function):
    """The second reads what stands for the first."""
    net = new_net(3)
    first = net.relu(net.add(Floor, scaled(net, net.dense("x", 3), 5.0, 0.5)), max_value=4.0)
    net.dense(net.relu(net.add(Floor, first), max_value=2.0), 2)
    graph = net.graph()
    assert_same_function(ReadQuantizers()(graph), graph)
