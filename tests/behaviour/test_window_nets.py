"""Windows, embeddings and softmax in pieces as spikes: every count that of the quantised reference."""

import numpy as np
import pytest
from needed import needed

import snntoolbox as stb
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.result import Record

pytestmark = pytest.mark.long

SHAPES = {"Swin": (1, 8, 8), "Bert": (4, 8), "Text": (4, 6)}
SAMPLES = 40


@pytest.fixture(scope="module", params=SHAPES)
def case(request):
    """A graph, and samples of it; those of Bert are rows of its tables."""
    needed("torch")
    import torch
    import window_nets

    net, random = window_nets.made(getattr(window_nets, request.param)), np.random.default_rng(0)
    if request.param == "Bert":
        with torch.no_grad():
            x = net.embedded(torch.from_numpy(random.integers(0, 11, (SAMPLES, 4)))).numpy()
        net = window_nets.Behind(net)
    else:
        x = random.normal(size=(SAMPLES, *SHAPES[request.param])).astype("float32")
    return request.param, stb.load(net, input_shape=SHAPES[request.param]), x


def test_counts_are_those_of_the_quantised_network(case):
    _, graph, x = case
    network = stb.convert(graph, x[:30], schedule="radix", T=6, readout_correction=0)
    result, expected = stb.simulate(network, x[30:], T=6), graph.run(x[30:])
    assert np.sqrt(np.mean((result.output - expected) ** 2)) < 0.15 * expected.std()
    exact = stb.simulate(network, x[30:31], T=6, engine="reference")
    assert sum(int(c.sum()) for c in exact.counts.values()) > 100
    for name, counts in exact.counts.items():
        np.testing.assert_array_equal(result.counts[name][:1], counts, err_msg=name)


def test_the_smallest_has_the_same_spikes_on_brian2(case):
    name, graph, x = case
    if name != "Text":
        pytest.skip("one is enough")
    needed("brian2")
    network = stb.convert(graph, x[:30], schedule="radix", T=3, readout_correction=0, weight_bits=8)
    expected = interpret(network, x[:1], steps=network.schedule.steps, record=Record(spikes=True)).spikes
    assert sum(int(spikes.sum()) for spikes in expected.values()) > 50
    found = stb.simulate(network, x[:1], T=3, record=Record(spikes=True), simulator="brian2").spikes
    for population, spikes in expected.items():
        np.testing.assert_array_equal(found[population], spikes, err_msg=population)
