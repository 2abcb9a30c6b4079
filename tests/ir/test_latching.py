"""Neurons whose spikes add counts, against the product of the counts written out."""

import numpy as np
import pytest

from snntoolbox.errors import ConversionError, GraphError
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population, Readout, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input
from snntoolbox.ir.operations import fan_out
from snntoolbox.ir.turns import stepwise

STEPS, SIZE = 4, 5


def gated(counting=Counting.ONE, *, late=3, current="a", bias=None, seed=0):
    """Two layers that fire in turns 1 and 2 (a, b), and their product in turn `late`, with weights of both signs."""
    random = np.random.default_rng(seed)

    def dense(name, source):
        return Dense(name=name, inputs=(source,), weight=random.integers(-2, 3, size=(SIZE, SIZE)).astype(float))

    def population(name, turn, current, **fields):
        window = (STEPS * turn, STEPS * (turn + 1))
        neuron = IF(window=window, counting=counting, initial=0.5, **fields)
        return Population(name=name, shape=(SIZE,), neuron=neuron, current=current, scale=np.ones(1), activation="")

    nodes = [Input(name=n, shape=(SIZE,)) for n in ("x", "a", "b", "p")]
    nodes += [dense("to a", "x"), dense("to b", "a"), dense("of b", "b"), dense("of a", current), dense("out", "p")]
    product = population("p", late, "of b", latched=True, threshold=3.0)
    product = Population(**{**vars(product), "latched": "of a", "bias": bias})
    populations = [population("a", 1, "to a"), population("b", 2, "to b", threshold=2.0), product]
    ends = [*(end for p in populations for end in p.currents), "out"]
    schedule = Schedule("phased", window=STEPS, steps=STEPS * (late + 1), counting=counting)
    encodings = {"x": ConstantCurrent(steps=STEPS)}
    return SpikingNetwork(Graph(nodes, ends), encodings, populations, [Readout(name="y", current="out", shape=(SIZE,))],
                          schedule=schedule)  # fmt: skip


@pytest.mark.parametrize("counting", [Counting.ONE, Counting.DIGIT])
@pytest.mark.parametrize("seed", range(4))
def test_a_window_adds_the_product_of_both_counts(counting, seed):
    network = gated(counting, seed=seed)
    total = counting.total(STEPS)
    x = np.random.default_rng(seed).integers(0, 4, size=(6, SIZE)) / 4
    counts = interpret(network, x, steps=STEPS * 4).counts
    assert counts["a"].any()
    assert counts["b"].any()
    weights = {n: network.wiring.nodes[n].weight for n in ("of a", "of b")}
    product = (counts["b"] @ weights["of b"].T) * (counts["a"] @ weights["of a"].T)
    np.testing.assert_array_equal(counts["p"], np.clip(np.floor((product + 0.5) / 3), 0, total))
    assert stepwise(network) == []


def test_what_is_counted_while_the_other_fires_is_no_product():
    network = gated(current="b")
    assert [o.reason for o in stepwise(network)] == ["may count b when what it multiplies has begun"]
    counts = interpret(network, np.ones((1, SIZE)), steps=STEPS * 4)
    assert counts.steps == STEPS * 4  # it has a meaning, though: what was counted before each step


def test_spikes_alone_are_multiplied():
    with pytest.raises(GraphError, match="the constant current of x has no spikes"):
        gated(current="x")
    with pytest.raises(GraphError, match="a bias has no spikes"):
        gated(bias=np.ones(SIZE))
    network = gated()
    plain = [Population(**{**vars(p), "latched": None}) for p in network.populations.values()]
    with pytest.raises(GraphError, match="go together"):
        network.replaced(populations=plain)
    with pytest.raises(ConversionError, match="no synaptic currents that last"):
        IF(latched=True, synaptic=(0.5, 0.5))


def test_both_factors_are_sources():
    network = gated()
    assert network.fed_by("p") == {"a", "b"}
    assert network.depths["p"] == 3
    assert {(p.source, p.latched) for p in network.projections if p.target == "p"} == {("a", True), ("b", False)}
    assert fan_out(network)["a"].tolist() == [2 * SIZE] * SIZE  # of b, and of the product
