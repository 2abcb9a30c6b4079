"""A flat network, simulated by a few lines of numpy on the clock of a target with latency, is the interpreter's."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from snntoolbox.analysis.conformance.cases import cases
from snntoolbox.errors import BackendError, DataError, UnsupportedError
from snntoolbox.ir.dynamics import start
from snntoolbox.ir.flat import flattened
from snntoolbox.ir.host import HostInput, assembled, checked_batch, raster
from snntoolbox.ir.interpreter import beside, interpret
from snntoolbox.ir.result import Record

NO = ("network: gate", "network: quick loop")
"""Gates stand beside the cells of a flat network, and there are no quick loops in one."""
CASES = {c.name: c for c in cases() if c.name.startswith("network: ") and not c.name.startswith(NO)}
ALL = Record(spikes=True, potentials=True)


def stepped(network, x, steps, record):
    """All samples side by side; what each source did is kept, and read `delay` steps later."""
    host = HostInput(network, x, steps, 7)
    flat = flattened(network).replicated(host.samples)
    clock = steps + flat.lead
    fired = {n: np.zeros((clock, size)) for n, size in flat.inputs.items()}
    fired |= {n: np.zeros((clock, c.size)) for n, c in flat.cells.items()}
    for name in flat.inputs:
        k, sources = host.source_spikes(name)
        fired[name][k, sources] = 1
    alone = {n: replace(network.populations[n], bias=None, pulses={}) for n in flat.cells}
    neurons = {n: start(population, host.samples) for n, population in alone.items()}
    trace = {n: np.zeros((clock, c.size)) for n, c in flat.cells.items()}
    for now in range(clock):
        constant = {n: host.drive[n].ravel().copy() for n in flat.cells}
        for name, parts in host.timed.items():
            for part in parts:
                if part.first <= now - flat.cells[name].onset < part.last:
                    constant[name] += part.current.ravel()
        sizes = {n: [host.samples * c.factor_size(k) for k in (False, True)] for n, c in flat.cells.items()}
        arriving = {n: [np.zeros(size) for size in both] for n, both in sizes.items()}
        for c in flat.connections:
            if now >= c.delay:
                brought = c.weight * fired[c.source][now - c.delay][c.pre]
                np.add.at(arriving[c.target][int(c.inhibitory or c.latched)], c.post, brought)
        for name, cells in flat.cells.items():
            if now >= cells.onset:
                shape = (host.samples, *cells.shape)
                shapes = [(host.samples, *s) for s in alone[name].current_shapes]
                excited, second = (part.reshape(s) for part, s in zip(arriving[name], shapes * 2, strict=False))
                whole = excited if alone[name].latched else excited + second
                given = beside(alone[name], [whole, second]) if len(alone[name].currents) == 2 else excited
                values = neurons[name].step(given, constant[name].reshape(shape), now - cells.onset)
                fired[name][now] = values.ravel()
            trace[name][now] = neurons[name].potential.ravel()
    spikes, potentials = {}, {}
    for name, cells in flat.cells.items():
        shape = (steps, host.samples, *cells.shape)
        own, indices = np.nonzero(fired[name])
        values = fired[name][own, indices] if cells.neuron.graded else None
        spikes[name] = raster(own - cells.onset, indices, shape, values)
        potentials[name] = trace[name][cells.onset : cells.onset + steps].reshape(shape)
    return assembled(network, host, spikes, potentials, record)


@pytest.mark.parametrize("record", [ALL, Record(outputs_per_step=False)], ids=["all", "counts"])
@pytest.mark.parametrize("case", CASES)
def test_shifted_back_it_is_the_same(case, record):
    network = CASES[case].build()
    x = CASES[case].inputs(network)
    found = stepped(network, x, 12, record)
    expected = interpret(network, *x, steps=12, record=record, first_sample=7)
    for field in ("counts", "outputs", "outputs_per_step", "spikes", "potentials"):
        ours, theirs = getattr(found, field), getattr(expected, field)
        assert set(ours) == set(theirs), field
        for name, value in theirs.items():
            np.testing.assert_array_equal(ours[name], value, err_msg=f"{field} of {name}")


def test_numbers_of_one_sample_and_of_several():
    network = CASES["network: two codings"].build()
    flat = flattened(network)
    assert flat.lead == 2
    assert {n: c.onset for n, c in flat.cells.items()} == {"population0": 1, "population1": 2}
    assert flat.inputs == {"input8": 12}
    assert {(c.source, c.target): c.delay for c in flat.connections} == {
        ("input8", "population0"): 1,
        ("population0", "population1"): 1,
        ("input8", "population1"): 2,
    }
    three = flat.replicated(3)
    assert (three.neurons, three.synapses) == (3 * flat.neurons, 3 * flat.synapses)
    assert three.inputs == {"input8": 36}
    assert all((c.pre // 12 == c.post // 7).all() for c in three.connections if c.source == "input8")


def test_a_gate_is_refused():
    network = next(c for c in cases() if c.name == "network: gate").build()
    with pytest.raises(UnsupportedError, match=r"population1 .*: no integrate-and-fire"):
        flattened(network)


def test_a_quick_loop_is_refused():
    network = next(c for c in cases() if c.name == "network: quick loop").build()
    with pytest.raises(UnsupportedError, match=r"population0 -> population1: fewer steps|population1 -> population0: "):
        flattened(network)


def test_spikes_that_come_by_ways_of_several_delays_have_connections_of_their_own():
    flat = flattened(CASES["network: delays in a chain"].build())
    found = [(c.source, c.target, c.lag, c.delay) for c in flat.connections]
    assert found == [
        ("population0", "population1", 2, 2 + 1 - 1),
        ("population0", "population2", 0, 1),
        ("population0", "population2", 5, 5 + 2 - 1),
        ("population1", "population2", 0, 1),
    ]


BATCHES = [
    ([(2, 5), (2, 6)], 0, BackendError, "0 time steps"),
    ([(2, 5)], 5, DataError, r"2 inputs \(input9, input8\), got 1"),
    ([(2, 5), (3, 6)], 5, DataError, r"input8: .*\(2, 6\), got \(3, 6\)"),
]


@pytest.mark.parametrize(("shapes", "steps", "kind", "message"), BATCHES)
def test_a_batch_is_checked(shapes, steps, kind, message):
    network = CASES["network: two codings"].build()
    with pytest.raises(kind, match=message):
        checked_batch(network, tuple(np.zeros(s) for s in shapes), steps)


@pytest.mark.parametrize("case", ["network: integer grid", "network: two codings"])
def test_a_network_can_be_pickled(case):
    network = CASES[case].build()
    x = CASES[case].inputs(network)
    assert network.order
    copy = pickle.loads(pickle.dumps(network))
    assert (copy.grid, copy.dt, copy.name) == (network.grid, network.dt, network.name)
    np.testing.assert_array_equal(interpret(copy, *x, steps=5).output, interpret(network, *x, steps=5).output)
