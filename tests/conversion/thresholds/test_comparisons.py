"""Max pooling by comparisons where layers fire in turn: exact, on the scale of what is compared."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.scales import choose_scales
from snntoolbox.conversion.thresholds.comparisons import Comparisons
from snntoolbox.conversion.thresholds.mmse import MMSEThresholds
from snntoolbox.conversion.thresholds.sample_weights import SampleWeights
from snntoolbox.engine.histograms import ChannelHistogram
from snntoolbox.engine.quantized import QuantizedRun
from snntoolbox.ir.nodes import ReLU


def plain(net):
    return net.pool(net.relu(net.conv("x", 4), name="first"))


def overlapping(net):
    return net.pool(net.relu(net.conv("x", 4), name="first"), kernel=3, pad=1)


def one_behind_the_other(net):
    return net.pool(net.pool(net.relu(net.conv("x", 4), name="first")))


def of_branches(net):
    branches = net.relu(net.conv("x", 3), name="first"), net.relu(net.conv("x", 2), name="second")
    return net.pool(net.concat(*branches))


def bounded(net):
    return net.pool(net.relu(net.conv("x", 4), name="first", max_value=0.3))


SHAPES = [plain, overlapping, one_behind_the_other, of_branches, bounded]


def images(n):
    return np.random.default_rng(0).random((n, 2, 8, 8), dtype=np.float32)


def made(new_net, shape):
    net = new_net(2, 8, 8)
    net.dense(net.flat(shape(net)), 3)
    return net.graph()


@pytest.mark.parametrize("correction", ["search", "none"])
@pytest.mark.parametrize("schedule", ["phased", "radix", "first-spike"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_maximum_of_counts_is_what_is_read(new_net, shape, schedule, correction):
    graph, x = made(new_net, shape), images(40)
    choices = {"schedule": schedule, "layer_correction": correction, "readout_correction": 0}
    snn = stb.convert(graph, x, duration=3, **choices)
    run, levels = QuantizedRun(snn), snn.window
    counts, values = run.counts([x]), {"x": x.astype(np.float64)}
    for name, node in graph.nodes.items():
        if isinstance(node, ReLU):
            values[name] = counts[name] * snn.populations[name].scale / levels
        elif name != "x":
            values[name] = node.apply(*(values[i] for i in node.inputs))
    np.testing.assert_allclose(run.outputs([x])[0], values[graph.outputs[0]], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rule", ["mmse", "percentile", "weights"])
@pytest.mark.parametrize("shape", SHAPES)
def test_comparing_rectifiers_have_the_scale_of_what_they_compare(new_net, shape, rule):
    graph, x = made(new_net, shape), images(40)
    for schedule, same in (("phased", True), ("rate", False)):
        recipe = Recipe(schedule=schedule, threshold_rule=rule)
        lowered = lower(graph, recipe)
        scales = choose_scales(lowered, [x], recipe, duration=4)
        assert set(scales) == {n for n, node in lowered.nodes.items() if isinstance(node, ReLU)}
        found = Comparisons.of(lowered)
        assert len(found.sources) == len(scales) - len([n for n in graph.nodes.values() if isinstance(n, ReLU)]) > 0
        equal = [np.array_equal(scales[n], np.concatenate([np.broadcast_to(
            scales[s], (lowered.shapes[s][0], 1, 1)) for s in of])) for n, of in found.sources.items()]  # fmt: skip
        assert all(equal) == same or rule == "weights"


def test_what_is_read_through_a_pool_alone_has_the_scale_of_the_maxima(new_net):
    net = new_net(2, 8, 8)
    only, both = net.relu(net.conv("x", 4), name="only"), net.relu(net.conv("x", 4), name="both")
    net.dense(net.flat(net.sum(net.pool(only), net.pool(both), net.average(both))), 3)
    lowered = lower(net.graph(), Recipe())
    found = Comparisons.of(lowered)
    assert set(found.read) == {"only"}
    x = images(40)
    values = lowered.values(*[x], keep=[found.read["only"], "only"])
    place, own = (values[n] for n in (found.read["only"], "only"))
    maxima = np.maximum.reduce([own[..., i::2, j::2] for i in (0, 1) for j in (0, 1)])
    np.testing.assert_allclose(place, maxima, atol=1e-6)
    rule, histogram = MMSEThresholds(3, alike=True), ChannelHistogram(4, weighted=True)
    histogram.update(place, SampleWeights()(place))
    np.testing.assert_allclose(rule(lowered, [x])["only"].ravel(), rule.choose(histogram), rtol=1e-6)


def test_a_difference_of_two_layers_is_no_comparison(new_net):
    net = new_net(2, 8, 8)
    a, b = net.relu(net.conv("x", 4)), net.relu(net.conv("x", 4))
    net.sum(b, net.relu(net.sum(a, b, coefficients=(1.0, -1.0))))
    assert not Comparisons.of(net.graph()).sources
