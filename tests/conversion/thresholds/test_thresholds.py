"""Thresholds: percentiles against numpy, bounds against random input."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp

from snntoolbox.conversion.thresholds.rules import RuleSettings, rule_for
from snntoolbox.conversion.thresholds.thresholds import ModelBasedThresholds, PercentileThresholds
from snntoolbox.engine import histograms
from snntoolbox.engine.fast import jit
from snntoolbox.engine.histograms import ChannelHistogram
from snntoolbox.errors import ConversionError, DataError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import LinearNode
from snntoolbox.ir.nodes import Input, ReLU, Scale, Sparse, Tabulated


@pytest.fixture
def graph(new_net):
    """Two rectifiers, the first with a channel that never fires and channels of very different scale."""
    net = new_net(2, 5, 5)
    conv = net.conv("x", 4)
    a = net.relu(net.add(Scale, conv, gain=np.array([1.0, 300.0, 1e-3, 1.0]).reshape(4, 1, 1)), name="first")
    b = net.sum(a, a, coefficients=(1.0, 0.0), bias=np.array([0, 0, 0, -1e6]).reshape(4, 1, 1))
    net.dense(net.mean(net.relu(b, name="second")), 3)
    return net.graph()


def samples(n, seed=0):
    return np.random.default_rng(seed).random((n, 2, 5, 5))


def positive(values, channel=None):
    values = values if channel is None else values[:, channel]
    return values[values > 0]


@pytest.mark.parametrize("percent", [50, 90, 99.9, 100])
@pytest.mark.parametrize("per_channel", [True, False])
def test_percentiles_are_those_of_numpy(graph, percent, per_channel):
    x = samples(300)
    values = graph.values(x, keep=["first"])["first"]
    scale = PercentileThresholds(percent, per_channel)(graph, [x])["first"]
    assert scale.shape == ((4, 1, 1) if per_channel else (1, 1, 1))
    for channel in range(4) if per_channel else [None]:
        part = positive(values, channel)
        # Twice the range (bins double) over 2048 bins, and what two neighbouring samples leave open.
        order = np.sort(part)
        place = int(percent / 100 * (len(order) - 1))
        gap = np.diff(order[max(place - 1, 0) : place + 3]).max(initial=0)
        tolerance = 2 * order[-1] / 2048 + gap if percent < 100 else 1e-6 * order[-1]
        found = scale.ravel()[channel or 0]
        assert abs(found - np.percentile(part, percent)) <= tolerance


def test_dead_channels_get_their_layers_scale(graph):
    x = samples(50)
    thresholds = PercentileThresholds(99)(graph, [x])["second"].ravel()
    pooled = PercentileThresholds(99, per_channel=False)(graph, [x])["second"].ravel()[0]
    assert thresholds[3] == pooled
    assert len(set(thresholds)) == 4


def test_dead_layers_get_one(new_net):
    net = new_net(3)
    net.relu(net.add(Scale, "x", gain=np.full(1, -1.0)), name="dead")
    for rule in (PercentileThresholds(), PercentileThresholds(per_channel=False)):
        assert (rule(net.graph(), [np.ones((4, 3))])["dead"] == 1).all()
    assert (ModelBasedThresholds()(net.graph())["dead"] == 1).all()


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batches_do_not_matter(graph, batch_size):
    x = samples(50)
    whole = PercentileThresholds(99.0, batch_size=50)(graph, [x])
    parts = PercentileThresholds(99.0, batch_size=batch_size)(graph, [x])
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-3)


def test_progress_counts_samples(graph):
    done = []
    PercentileThresholds(batch_size=20)(graph, [samples(50)], done.append)
    assert done == [20, 20, 10]


def test_an_upper_bound_bounds_the_scale(new_net):
    net = new_net(3)
    net.relu(net.add(Scale, "x", gain=np.array([1.0, 100.0, 0.01])), max_value=6.0, name="six")
    net.relu("six", max_value=np.array([0.5, 9.0, 9.0]), name="each")
    net.relu("six", max_value=6.0, levels=4, name="levels")
    for scales in (PercentileThresholds()(net.graph(), [np.ones((4, 3))]), ModelBasedThresholds()(net.graph())):
        np.testing.assert_allclose(scales["six"], [1.0, 6.0, 0.01], rtol=1e-3)
        np.testing.assert_allclose(scales["each"], [0.5, 6.0, 0.01], rtol=1e-3)
        np.testing.assert_allclose(scales["levels"], [6.0, 6.0, 6.0], err_msg="trained, and not chosen again")


@pytest.mark.parametrize("x", [[], [np.zeros((0, 2, 5, 5))]], ids=["no arrays", "no samples"])
def test_empty_data_are_refused(graph, x):
    with pytest.raises(DataError, match="calibration set is empty"):
        PercentileThresholds()(graph, x)


def test_overflow_names_the_layer(new_net):
    net = new_net(2)
    net.relu(net.add(Scale, "x", gain=np.full(1, 1e38)), name="large")
    with np.errstate(over="ignore"), pytest.raises(ConversionError, match=r"large .*overflow"):
        PercentileThresholds()(net.graph(), [np.full((3, 2), 1e5)])


# -- the histogram --------------------------------------------------------------------------------------------------


def test_memory_does_not_grow():
    histogram = ChannelHistogram(3, bins=64)
    random = np.random.default_rng(0)
    for scale in (1e-6, 1.0, 1e6, 3.0):
        for _ in range(5):
            histogram.update(random.exponential(scale, size=(100, 3, 2)))
    assert histogram.counts.shape == (3, 64)
    assert histogram.counts.sum(dim=1).tolist() == [4000] * 3
    assert histogram.seen == 4000


def test_widening_keeps_earlier_counts():
    small, large = np.linspace(0.01, 1, 100)[:, None], np.linspace(10, 1000, 100)[:, None]
    one, two = ChannelHistogram(1), ChannelHistogram(1)
    one.update(np.concatenate([small, large]))
    two.update(small)
    two.update(large)
    assert one.counts.tolist() == two.counts.tolist()
    assert two.percentile(100).tolist() == [1000.0]


def test_channels_of_all_sizes_are_pooled():
    random = np.random.default_rng(0)
    values = random.exponential(size=(2000, 4)) * [1e-4, 1.0, 7.0, 0.0]
    histogram = ChannelHistogram(4)
    histogram.update(values)
    for percent in (10, 50, 99):
        wanted = np.percentile(positive(values), percent)
        assert abs(histogram.pooled().percentile(percent)[0] - wanted) <= 2 * values.max() / 2048 + 0.02 * wanted
    assert ChannelHistogram(2).pooled().percentile(99).tolist() == [0]
    assert ChannelHistogram(2).percentile(99).tolist() == [0, 0]


@pytest.mark.skipif(not jit.installed(), reason="needs numba")
@pytest.mark.parametrize("shape", [(3,), (3, 5, 4), (1500,), (2, 1, 1)])
@pytest.mark.parametrize("weighted", [False, True])
def test_compiled_counts_are_the_same(shape, weighted, monkeypatch):
    random = np.random.default_rng(0)
    if len(shape) == 3:  # as by several threads
        apart = lambda loop, units, *given: [loop(*given, i, i + 1) for i in range(units)]  # noqa: E731
        monkeypatch.setattr(histograms, "in_parallel", apart)
    plain, fused = (ChannelHistogram(shape[0], 64, weighted, fused) for fused in (False, True))
    for scale in (1e-3, 1.0, 40.0):
        values = (random.normal(size=(7, *shape)) * scale).astype(np.float32)
        values.flat[::5] = 2.0 * scale  # an end of a bin, or of the range
        weights = random.random(7) if weighted else None
        assert plain.update(values, weights)
        assert fused.update(np.moveaxis(np.ascontiguousarray(np.moveaxis(values, 1, -1)), -1, 1), weights)
    assert np.array_equal(plain.counts, fused.counts)
    assert plain.counts.sum() > 0
    for name in ("upper", "maximum", "seen"):
        assert np.array_equal(getattr(plain, name), getattr(fused, name))


@pytest.mark.parametrize("wrong", [np.inf, np.nan])
def test_what_is_not_finite_is_told_and_not_counted(wrong):
    histogram = ChannelHistogram(2)
    assert not histogram.update(np.array([[1.0, 2.0], [wrong, 3.0]]))
    assert histogram.counts.sum() == 0
    assert histogram.seen == 0


# -- from the weights alone -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Differences(LinearNode):
    """A third party's linear node: each value less the next one."""

    def output_shape(self, *shapes):
        return self.one(shapes)

    def linear(self, *values):
        return values[0] - np.roll(values[0], -1, axis=1)

    def synapses(self, *shapes):
        n = shapes[0][0]
        return (sp.csr_array(np.eye(n) - np.roll(np.eye(n), 1, axis=1)),)


def everything(net):
    a = net.relu(net.conv("x", 4))
    b = net.relu(net.norm(net.concat(net.average(a, pad=1), net.pool(a, pad=1)), low=-1))
    c = net.sum(b, net.pad(net.take(b, 0, 0, 1, 2, 3), (4, 0), (0, 0), (0, 0)), coefficients=(1.0, -2.0))
    d = net.flat(net.permute(net.relu(c), 1, 2, 0))
    net.relu(net.mean(net.relu(net.dense(net.reshape(d, net.shapes[d][0] // 8, 8), 5)), 0))
    matrix = sp.csr_array(np.random.default_rng(0).normal(size=(4, 5)))
    e = net.add(Sparse, net.nodes[-1].name, matrix=matrix, shape_in=(5,), shape_out=(4,))
    net.relu(net.add(Differences, net.relu(e), bias=np.full(4, 0.1)))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.2, 3.0)])
@pytest.mark.parametrize("per_channel", [True, False])
def test_bounds_hold_for_random_input(new_net, low, high, per_channel):
    net = new_net(2, 5, 5)
    everything(net)
    graph = net.graph()
    scales = ModelBasedThresholds(low, high, per_channel)(graph)
    assert set(scales) == {n.name for n in graph.nodes.values() if isinstance(n, ReLU)}
    random = np.random.default_rng(0)
    x = np.concatenate([random.uniform(low, high, (60, 2, 5, 5)), random.choice([low, high], (60, 2, 5, 5))])
    for name, values in graph.values(x, keep=scales).items():
        assert scales[name].ndim == values.ndim - 1
        assert (values <= scales[name] * (1 + 1e-12)).all(), name


def test_the_bound_of_one_layer_is_reached(new_net):
    net = new_net(4)
    dense = net.dense("x", 3)
    name = net.relu(dense)
    graph = net.graph()
    weight, bias = graph.nodes[dense].weight, graph.nodes[dense].bias
    expected = np.maximum(weight.clip(min=0).sum(1) + bias, 0)
    found = ModelBasedThresholds()(graph)[name]
    np.testing.assert_allclose(found[expected > 0], expected[expected > 0])


def test_squares_have_the_bound_of_what_they_are_of():
    graph = Graph([Input(name="x", shape=(3,)), Tabulated(name="t", inputs=("x",), function="square")], ["t"])
    np.testing.assert_allclose(ModelBasedThresholds(-3.0, 2.0)(graph)["t"], 9.0)


def test_what_has_no_bound_is_named(new_net):
    net = new_net(4)
    net.relu(net.softmax("x"))
    with pytest.raises(ConversionError, match=r"Softmax.*no model-based bound"):
        ModelBasedThresholds()(net.graph())


def test_the_percentile_falls_with_each_layer(new_net):
    """From the first layer on, along the longest path, and not beyond 0."""
    net = new_net(2, 5, 5)
    first = net.relu(net.conv("x", 4), name="first")
    second = net.relu(net.conv(first, 4), name="second")
    net.relu(net.sum(first, second), name="third")
    graph, x = net.graph(), samples(200)
    fallen = PercentileThresholds(90, fall=5)(graph, [x])
    for depth, name in enumerate(("first", "second", "third"), start=1):
        np.testing.assert_array_equal(fallen[name], PercentileThresholds(90 - 5 * depth)(graph, [x])[name])
    lowest = PercentileThresholds(90, fall=80)(graph, [x])["second"]
    np.testing.assert_array_equal(lowest, PercentileThresholds(0)(graph, [x])["second"])


def test_a_percentile_that_falls_is_meant():
    assert rule_for("auto", RuleSettings(steps=8, percentile_fall=0.02)) == PercentileThresholds(99.9, fall=0.02)


@pytest.mark.parametrize("weighted", [False, True])
def test_histograms_of_parts_join_to_that_of_all(weighted):
    """Whatever range each has: bins of powers of two merge exactly."""
    random = np.random.default_rng(0)
    values = random.exponential(np.array([0.01, 1.0, 90.0, 0.0])[None, :, None], (40, 4, 7)).astype(np.float32)
    values[::2, 0] *= 300
    weights = random.integers(1, 5, 40).astype(float) if weighted else None
    whole, one, other = (ChannelHistogram(4, weighted=weighted) for _ in range(3))
    for histogram, part in ((whole, slice(None)), (one, slice(0, None, 2)), (other, slice(1, None, 2))):
        assert histogram.update(values[part], None if weights is None else weights[part])
    joined = one.joined(other)
    np.testing.assert_array_equal(joined.counts.numpy(), whole.counts.numpy())
    np.testing.assert_array_equal(joined.upper.numpy(), whole.upper.numpy())
    np.testing.assert_array_equal(joined.maximum.numpy(), whole.maximum.numpy())
    assert joined.seen == whole.seen
