"""Layers that sum products of counts, in Icarus and Verilator against the interpreter, and their widths."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.backends.fpga.estimate import estimated_clocks, loads
from snntoolbox.backends.fpga.memories import memories
from snntoolbox.backends.fpga.saturation import saturated
from snntoolbox.backends.verilog.backend import VerilogBackend
from snntoolbox.backends.verilog.design import Choices, designed
from snntoolbox.backends.verilog.simulation import largest_currents
from snntoolbox.backends.verilog.widths import growths, latched_growths, potential_range
from snntoolbox.errors import BackendError, UnsupportedError
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Grid, Schedule
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Add, Dense, Permute, Reshape
from snntoolbox.ir.result import Record
from snntoolbox.ir.tabulating import Table

pytestmark = pytest.mark.skipif(
    not shutil.which("iverilog") and not os.environ.get("CI"), reason="iverilog is not installed"
)


def summing(sums, counting=Counting.ONE, looks=False, seed=3, saturation=None, turned=False, empty=False):
    """Factors of both signs, each of one or of several populations, and sums of their products."""
    window, levels = (3, 7) if counting is Counting.DIGIT else (4, 4)
    draft, random = Draft(), np.random.default_rng(seed)
    kind = "radix" if counting is Counting.DIGIT else "phased"
    draft.schedule = Schedule(kind, window, 5 * window, counting=counting)
    x = draft.input(6, coding=ConstantCurrent(steps=window))

    def neuron(turn, **fields):
        return IF(window=(window * turn, window * turn + window), counting=counting, **fields)

    def whole(source, *shape):
        weight = random.integers(-9, 10, (int(np.prod(shape)), draft.shapes[source][0])).astype(float)
        return draft.node(Reshape, draft.node(Dense, source, weight=weight), shape=shape)

    def signed(source, *shape):
        ways = [draft.neurons(whole(source, *shape), neuron(turn, threshold=5.0), bias=0.0) for _ in range(2)]
        return draft.node(Add, *ways, coefficients=(1.0, -1.0))

    turn, (came, counted) = 2, sums.factors
    early = draft.neurons(whole(x, 6), neuron(1, threshold=4.0), bias=0.0)
    if turned:  # what comes by a permutation
        factor = draft.node(Permute, signed(early, *came[::-1]), axes=(1, 0))
    else:
        factor = signed(early, *came)
    turn = 1
    other = whole(early, *counted) if empty else draft.node(Add, signed(x, *counted), whole(early, *counted))
    heights = random.integers(1, 40, (sums.shape[0], 1)).astype(float)
    table = Table(random.integers(0, levels + 1, (sums.shape[0], 9)), -4, levels, np.ones(sums.shape[0]))
    product = neuron(
        3, threshold=heights, initial=random.integers(-40, 40, sums.shape).astype(float), latched=True,
        contraction=sums, table=table if looks else None, saturation=saturation,
    )  # fmt: skip
    found = draft.neurons(factor, product, latched=other)
    draft.readout(draft.neurons(draft.flat(found), neuron(4, threshold=2.0), bias=0.0))
    net = draft.network()
    readouts = [r.__class__(name=r.name, current=r.current, shape=r.shape) for r in net.readouts]
    return net.replaced(readouts=readouts, grid=Grid(5, 4000, 4000))


def inputs(net, samples=3):
    return np.random.default_rng(2).integers(-3, 4, (samples, 6)).astype(float)


def assert_same(net, simulator="icarus", **options):
    """Every spike of every layer and sample."""
    x, steps = inputs(net), net.schedule.steps
    expected = interpret(net, x, steps=steps, record=Record(spikes=True))
    with VerilogBackend().build(net, verilog_simulator=simulator, **options) as executable:
        found = executable.run(x, steps=steps, record=Record(spikes=True))
    for name, raster in expected.spikes.items():
        np.testing.assert_array_equal(found.spikes[name], raster, err_msg=name)
    np.testing.assert_array_equal(found.output, expected.output)
    return expected


CASES = {
    "queries and keys": (Contraction(stack=2, rows=3, columns=4, terms=2), {}),
    "rows of the first": (Contraction(stack=3, rows=2, columns=3, terms=4, first=True), {"turned": True}),
    "a table": (Contraction(stack=2, rows=2, columns=3, terms=3), {"looks": True}),
    "one of each": (Contraction(stack=1, rows=1, columns=1, terms=1), {}),
    "one factor early": (Contraction(stack=1, rows=4, columns=2, terms=3, first=True), {"empty": True}),
}


@pytest.mark.parametrize("counting", [Counting.ONE, Counting.DIGIT])
@pytest.mark.parametrize("case", CASES)
def test_sums_of_products_in_icarus(case, counting):
    sums, fields = CASES[case]
    assert_same(summing(sums, counting, **fields), stalls=2, lanes=2, queue=1)


def test_the_sums_spike_and_differ():
    """So that the tests above compare something."""
    net = summing(CASES["a table"][0], looks=True)
    counts = interpret(net, inputs(net), steps=20, record=Record(spikes=True)).spikes["population5"].sum(axis=0)
    assert len(np.unique(counts)) > 3


def drawn(data):
    sums = Contraction(
        **{n: data.draw(st.integers(1, 4)) for n in ("stack", "rows", "columns", "terms")},
        first=data.draw(st.booleans()),
    )  # fmt: skip
    names = ("looks", "turned", "empty")
    counting = data.draw(st.sampled_from([Counting.ONE, Counting.DIGIT]))
    return summing(sums, counting, seed=data.draw(st.integers(0, 99)), **{n: data.draw(st.booleans()) for n in names})


@pytest.mark.long
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.data())
def test_random_sums_in_icarus(data):
    options = {"lanes": data.draw(st.sampled_from([1, 2, 4])), "queue": data.draw(st.sampled_from([1, 4]))}
    assert_same(drawn(data), stalls=data.draw(st.sampled_from([0, 3])), **options)


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("verilator") and not os.environ.get("CI"), reason="verilator is not installed")
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.data())
def test_random_sums_in_verilator(data):
    assert_same(drawn(data), "verilator", stalls=3)


def test_widths_hold_the_sums_over_all_terms():
    """Every sum lies within what is told, and the bound is that of factors at their limits."""
    net = summing(Contraction(stack=2, rows=3, columns=2, terms=4), seed=8)
    population = net.populations["population5"]
    grown, counted = growths(net)[population.name], latched_growths(net)[population.name]
    low, high = potential_range(population.neuron, population.shape, grown, 4, counted)
    random, sums = np.random.default_rng(1), population.neuron.contraction
    largest, least = -np.inf, np.inf
    for _ in range(300):
        came, other = (4 * np.where(random.random(len(g.up)) < 0.5, -g.down, g.up) for g in (grown, counted))
        values = population.neuron.initial + sums.of(came, other)
        largest, least = max(largest, values.max()), min(least, values.min())
    assert low <= least < low / 2
    assert high / 2 < largest <= high


def test_memories_and_clocks_are_those_of_both_factors():
    sums = Contraction(stack=2, rows=3, columns=4, terms=2)
    net, x = summing(sums, looks=True), None
    x = (inputs(net),)
    host = HostInput(net, x, 20, 0)
    design = designed(net, Choices(steps=20, currents=largest_currents(net, host)))
    (layer,) = (layer for layer in design.layers if layer.product is not None)
    sizes = {m.name.split(": ")[1]: m.words for m in memories(design, {}) if m.name.startswith(layer.module)}
    assert sizes == {"potentials": 24, "rows of a sum of products": 12, "columns of a sum of products": 16}
    assert layer.opening_clocks == 2 * min(layer.product.own, layer.product.other) + 3 + layer.table.clocks - 1
    trains = {**host.trains, **interpret(net, *x, steps=20, record=Record(spikes=True)).spikes}
    most = estimated_clocks(design, trains, loads(design, trains), 20, 3)
    with VerilogBackend().build(net, verilog_simulator="icarus") as executable:
        executable.run(*x, steps=20)
        assert all(0.5 * told < clocks <= 1.1 * told for clocks, told in zip(executable.clocks, most, strict=True))


def test_sums_of_products_that_saturate_are_refused():
    sums = Contraction(stack=1, rows=2, columns=2, terms=2)
    with pytest.raises(UnsupportedError, match="products of counts that saturate"):
        VerilogBackend().build(summing(sums, saturation=(-4000.0, 4000.0)))
    net = summing(sums)
    with pytest.raises(BackendError, match=r"population5 .*: \d+ bits, and products of counts cannot saturate"):
        saturated(net, largest_currents(net, HostInput(net, (inputs(net),), 20, 0)), 20, 9)
