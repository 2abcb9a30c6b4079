"""Raised scales keep the function of the rates, and reach every reader, gates included."""

import numpy as np
import pytest

from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.spiking.raise_scales import raise_scales
from snntoolbox.conversion.thresholds.thresholds import PercentileThresholds
from snntoolbox.ir.interpreter import interpret


def residual(net):
    a = net.relu(net.conv("x", 3))
    b = net.relu(net.sum(net.conv(a, 3), a, coefficients=(1.0, -0.5)))
    net.dense(net.flat(net.concat(b, a)), 4)


def read_out_at_once(net):
    """The read-out reads the spikes themselves."""
    net.relu(net.conv("x", 3))


def gated(net):
    a = net.relu(net.conv("x", 3))
    net.dense(net.flat(net.concat(net.pool(a), net.average(a))), 4)


@pytest.mark.parametrize("build", [residual, read_out_at_once, gated])
@pytest.mark.long
def test_the_outputs_stay(new_net, build):
    net = new_net(2, 4, 4)
    build(net)
    graph, x = net.graph(), np.random.default_rng(0).random((5, 2, 4, 4))
    network = Convert()(graph, PercentileThresholds(100)(graph, [x]))
    first = next(iter(network.populations))
    gain = np.array([1.0, 2.0, 5.0]).reshape(3, 1, 1)
    raised = raise_scales(network, {first: gain})
    np.testing.assert_allclose(raised.populations[first].scale, network.populations[first].scale * gain)
    before, after = (interpret(n, x, steps=3000) for n in (network, raised))
    np.testing.assert_allclose(after.output, before.output, atol=0.02 * np.abs(before.output).max())
    counts = [n.counts[first].sum((0, 2, 3)) for n in (before, after)]
    np.testing.assert_allclose(counts[0], counts[1] * gain.ravel(), rtol=0.02)
    assert np.count_nonzero(counts[1][1:]) > 0


def test_both_of_two_populations_in_a_row(new_net):
    net = new_net(2, 4, 4)
    residual(net)
    graph, x = net.graph(), np.random.default_rng(0).random((5, 2, 4, 4))
    network = Convert()(graph, PercentileThresholds(100)(graph, [x]))
    raised = raise_scales(network, {name: np.full((3, 1, 1), 3.0) for name in network.populations})
    np.testing.assert_allclose(
        interpret(raised, x, steps=3000).output, graph.run(x), atol=0.02 * np.abs(graph.run(x)).max()
    )
