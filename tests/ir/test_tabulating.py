"""Neurons whose count is a table's, against the table written out."""

import numpy as np
import pytest

from snntoolbox.errors import ConversionError, GraphError
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.network import Population, Readout, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Dense, Input
from snntoolbox.ir.result import Record
from snntoolbox.ir.tabulating import Table
from snntoolbox.ir.turns import stepwise

STEPS, SIZE, FIRST = 4, 5, -3
RNG = np.random.default_rng(0)
WEIGHT = RNG.integers(-4, 5, (SIZE, SIZE)) / 2


def looked_up(counts, counting=Counting.ONE, *, threshold=1.5, initial=0.5):
    """A population with this table, which reads constant currents; it fires in the second window."""
    reset = Reset.ZERO if counting is Counting.LEAD else Reset.SUBTRACT
    table = Table(np.asarray(counts), FIRST, counting.total(STEPS), np.ones(len(counts)))
    neuron = IF(window=(STEPS, 2 * STEPS), counting=counting, reset=reset, initial=initial, threshold=threshold,
                table=table)  # fmt: skip
    population = Population(name="p", shape=(SIZE,), neuron=neuron, current="to p", scale=np.ones(1), activation="")
    nodes = [Input(name="x", shape=(SIZE,)), Input(name="p", shape=(SIZE,))]
    nodes.append(Dense(name="to p", inputs=("x",), weight=WEIGHT))
    schedule = Schedule("phased", window=STEPS, steps=2 * STEPS, counting=counting)
    coding = ConstantCurrent(steps=1 if counting is Counting.LEAD else STEPS)
    readout = Readout(name="y", current="p", shape=(SIZE,))
    return SpikingNetwork(Graph(nodes, ["to p", "p"]), {"x": coding}, [population], [readout], schedule=schedule)


@pytest.mark.parametrize("counting", list(Counting))
@pytest.mark.parametrize("rows", [1, SIZE])
def test_what_leaves_is_what_the_table_has_at_the_sum(counting, rows):
    counts = RNG.integers(0, counting.total(STEPS) + 1, (rows, 9))
    network = looked_up(counts, counting)
    x = RNG.integers(-4, 5, (50, SIZE)) / 8
    result = interpret(network, x, steps=2 * STEPS, record=Record(potentials=True))
    given = STEPS if counting is Counting.LEAD else counting.total(STEPS)
    place = np.clip(np.floor((given * x @ WEIGHT.T + 0.5) / 1.5) - FIRST, 0, 8).astype(int)
    expected = counts[np.arange(SIZE) if rows > 1 else 0, place]
    assert place.min() == 0
    assert place.max() == 8
    np.testing.assert_array_equal(result.counts["p"], expected)
    assert stepwise(network) == []
    np.testing.assert_array_equal(result.potentials["p"][-1], 0)  # nothing is left of it


def test_a_saved_network_has_its_tables(tmp_path):
    network = looked_up(RNG.integers(0, STEPS + 1, (SIZE, 7)))
    again = load_network(save(network, tmp_path / "n.npz"))
    x = RNG.normal(size=(9, SIZE))
    one, other = (interpret(n, x, steps=2 * STEPS).counts["p"] for n in (network, again))
    assert one.any()
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("counts", "step", "told"),
    [
        ([[0, 5]], [1.0], "from 0 to 5 leaves the counts from 0 to 4"),
        ([[-1, 2]], [1.0], "from -1 to 2 leaves"),
        ([[0.5, 2]], [1.0], "no rows of whole numbers"),
        ([0, 1], [1.0], "no rows"),
        ([[0, 1]], [0.0], "not above 0"),
        ([[0, 1]], [1.0, 1.0], "steps of shape"),
    ],
)
def test_what_is_no_table(counts, step, told):
    with pytest.raises(ConversionError, match=told):
        IF(table=Table(np.array(counts), 0, STEPS, np.array(step)), window=(0, STEPS))


def test_rows_must_fit_the_channels():
    with pytest.raises(GraphError, match="its table has 3 rows, which do not fit shape"):
        looked_up(np.zeros((3, 2), int))


def test_a_coarser_table_has_the_same_at_the_same_input():
    table = Table(np.arange(40).reshape(2, 20), -5, 40, np.array([0.5, 0.25]))
    coarse = table.coarser(np.array([2.0, 4.0]).reshape(2, 1, 1))
    np.testing.assert_array_equal(coarse.step, [1.0, 1.0])
    x = np.arange(-2, 4).astype(float)  # within both
    fine = table.read(np.stack([x * 2, x * 4])[None])
    np.testing.assert_array_equal(coarse.read(np.stack([x, x])[None]), fine)
    np.testing.assert_array_equal(table.coarser(np.ones(1)).counts, table.counts)
    wide = Table(np.arange(9)[None], -4, 9, np.ones(1)).coarser(np.array([1.0, 2.0]))
    assert wide.counts.shape == (2, 9)  # one row becomes two
    np.testing.assert_array_equal(wide.read(np.array([[[1.0], [1.0]]])).ravel(), [5, 6])
