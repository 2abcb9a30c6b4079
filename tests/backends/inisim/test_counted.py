"""One pass for all steps has the interpreter's spikes, potentials, counts and read-outs, whatever is recorded."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from drawn import samples

from snntoolbox.analysis.conformance.cases import max_pool_tree
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import NETWORKS
from snntoolbox.backends.inisim import simulation
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.engine.fast import jit
from snntoolbox.errors import BackendError, UnsupportedError
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent, SpikeTimes
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Schedule
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Add, Concat, Take
from snntoolbox.ir.parts import FiringWindow, Leak, RecurringWindow
from snntoolbox.ir.result import Record

NUMBA = pytest.mark.skipif(not jit.installed(), reason="needs numba")
EVERYTHING = Record(spikes=True, potentials=True)


def drawing(draft):
    """Depthwise, grouped and strided convolutions, average pools, signed joins, read-outs of early and late layers."""
    image = draft.input(4, 6, 6)
    first = draft.neurons(draft.conv(image, 4))
    deep = draft.neurons(draft.conv(first, 8, groups=4))
    joined = draft.node(Add, draft.average(deep), draft.conv(image, 8, stride=2), coefficients=(-0.5, 1.0))
    third = draft.neurons(draft.conv(draft.neurons(joined), 6, groups=2))
    both = draft.node(Concat, third, draft.average(first))
    last = draft.neurons(draft.dense(draft.flat(both), 9, scale=1.0))
    draft.readout(draft.dense(last, 5))
    draft.readout(draft.flat(draft.average(third)))
    draft.readout(draft.flat(image))


def halves(draft):
    """Max pooling of neighbours: taps, differences, and their sums in front of a convolution."""
    first = draft.neurons(draft.conv(draft.input(2, 4, 6), 16))
    left, right = (draft.node(Take, first, axis=2, indices=(i, i + 2, i + 4)) for i in (0, 1))
    larger = draft.neurons(draft.node(Add, left, right, coefficients=(1.0, -0.5)))
    second = draft.neurons(draft.conv(draft.node(Add, right, larger), 8))
    draft.readout(draft.dense(draft.flat(second), 4))


def drawn(name):
    draft = Draft(neuron=IF(initial=0.5))
    {**NETWORKS, "all": drawing, "halves": halves}[name](draft)
    return draft.network()


def compare(found, expected):
    """Everything; potentials are kept in float32, outputs summed in another order."""
    for kind in ("counts", "fired", "spikes"):
        wanted = getattr(expected, kind)
        assert getattr(found, kind).keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_array_equal(getattr(found, kind)[name], value, err_msg=f"{kind} of {name}")
    for name, value in expected.potentials.items():
        np.testing.assert_array_equal(found.potentials[name], value.astype(np.float32), err_msg=name)
    for kind in ("outputs", "outputs_per_step"):
        for name, value in getattr(expected, kind).items():
            np.testing.assert_allclose(getattr(found, kind)[name], value, rtol=0, atol=1e-12, err_msg=name)


def run(net, x, steps, record=EVERYTHING, **options):
    with InisimBackend().build(net, device="cpu", **options) as built:
        found = built.run(*x, steps=steps, record=record)
    assert all("counts" in ways for ways in found.engine_paths.values())
    return found


TURNS = (FireInTurn(3), FireInTurn(6, Counting.DIGIT), FireInTurn(4, Counting.LEAD))


def check(turns, bits, names, monkeypatch):
    monkeypatch.setitem(simulation.CHUNK_BYTES, "cpu", 2**10)
    for name in names:
        net = drawn(name)
        net = turns(Quantize(bits)(net) if bits else net)
        x = samples(net, 3)
        expected = interpret(net, *x, steps=net.schedule.steps + 2, record=EVERYTHING)
        assert turns.window == 1 or any(count.any() for count in expected.counts.values()), name
        bare = replace(expected, spikes={}, potentials={}, outputs_per_step={})
        for compiled in (False, *([True] if jit.installed() else [])):
            monkeypatch.setattr(jit, "PATIENCE", 0 if compiled else float("inf"))
            compare(run(net, x, net.schedule.steps + 2), expected)
            record = Record(outputs_per_step=False)
            lean = run(net, x, net.schedule.steps, record, engine="counts", dtype="float64")
            assert not lean.outputs_per_step
            compare(lean, bare)


@pytest.mark.parametrize("bits", [0, 8])
@pytest.mark.parametrize("turns", TURNS, ids=str)
def test_it_equals_the_interpreter(turns, bits, monkeypatch):
    check(turns, bits, ("all", "constant input deep inside"), monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("bits", [0, 4, 8, 12, 16])
@pytest.mark.parametrize("turns", [*TURNS, FireInTurn(1), FireInTurn(1, Counting.DIGIT)], ids=str)
def test_it_equals_the_interpreter_on_every_net(turns, bits, monkeypatch):
    names = ("odd pools", "residual", "concat", "skip over layers", "late tie", "bias only", "even kernels")
    check(turns, bits, names, monkeypatch)


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=NUMBA)])
@pytest.mark.parametrize("turns", [FireInTurn(8), FireInTurn(4, Counting.DIGIT), FireInTurn(8, Counting.LEAD)], ids=str)
def test_trees_of_max_pooling_and_thresholds_of_their_own(turns, compiled, monkeypatch):
    monkeypatch.setattr(jit, "PATIENCE", 0 if compiled else float("inf"))
    apart = drawn("all")
    draw = np.random.default_rng(1)
    heights = {n: draw.integers(1, 5, p.shape) / 2 for n, p in apart.populations.items()}
    higher = [replace(p, neuron=replace(p.neuron, threshold=heights[n])) for n, p in apart.populations.items()]
    apart = apart.replaced(populations=higher)
    for net in (max_pool_tree(), Quantize(6)(max_pool_tree()), apart):
        net = turns(net)
        x = samples(net, 4)
        compare(run(net, x, net.schedule.steps), interpret(net, *x, steps=net.schedule.steps, record=EVERYTHING))


def test_spikes_as_input_and_windows_that_stand_anywhere():
    """Drawn spikes in a window; spikes that a read-out alone reads; windows that begin at no multiple."""
    draft = Draft(neuron=IF(initial=0.5))
    draft.schedule = Schedule("phased", window=4, steps=12)
    image, times = draft.input(5, coding=ConstantCurrent(steps=3)), draft.trains(5)
    first = draft.neurons(draft.dense(image, 7, scale=1.0), IF(initial=0.25, window=(3, 7)), bias=0.0)
    second = draft.neurons(draft.dense(first, 4, scale=1.0), IF(window=(8, 12)), bias=0.0)
    draft.readout(draft.node(Add, draft.dense(second, 3), draft.dense(times, 3)))
    net = draft.network()
    assert any(isinstance(e, SpikeTimes) for e in net.encodings.values())
    x = [samples(net, 3)[0], np.random.default_rng(0).integers(-1, 2, (3, 10, 5))]
    compare(run(net, x, 14), interpret(net, *x, steps=14, record=EVERYTHING))
    poisson = FireInTurn(5)(drawn("two codings"))
    x = samples(poisson, 3)
    steps = poisson.schedule.steps
    compare(run(poisson, x, steps), interpret(poisson, *x, steps=steps, record=EVERYTHING))


def test_bytes_are_multiplied_on_the_grid_where_counts_fit():
    for turns, way in ((FireInTurn(6, Counting.DIGIT), "int8"), (FireInTurn(9, Counting.DIGIT), "dense")):
        net = turns(Quantize(8)(drawn("residual")))
        found = run(net, samples(net), net.schedule.steps)
        second = list(net.populations)[1]
        assert found.engine_paths[second] == {"counts", way}


@NUMBA
@pytest.mark.parametrize(("name", "ways"), [("residual", [{"int8"}]), ("halves", [{"int8"}])])
def test_counts_of_several_layers_are_joined_where_they_meet(name, ways, monkeypatch):
    """Without a map of its own for each: a product of all channels side by side, and counts times gains."""
    monkeypatch.setattr(jit, "PATIENCE", 0)
    net = FireInTurn(6, Counting.DIGIT)(Quantize(8)(drawn(name)))
    x = samples(net, 5)
    with InisimBackend().build(net, device="cpu") as built:
        found = built.run(*x, steps=net.schedule.steps, record=EVERYTHING)
        joined = built.by_counts.paths(True).joined
    compare(found, interpret(net, *x, steps=net.schedule.steps, record=EVERYTHING))
    assert all(found.counts[n].any() for n in joined)
    assert sorted(map(sorted, (found.engine_paths[n] - {"counts"} for n in joined))) == sorted(map(sorted, ways))


WRONG = {
    "rates": (lambda net: drawn("residual"), "a network without windows"),
    "bias": (lambda net: _changed(net, bias=np.full(1, 0.25)), "a bias in every step"),
    "pulses": (lambda net: _changed(net, pulses={1: np.ones(1)}), "pulses of current"),
    "leak": (lambda net: net.with_neurons(leak=0.5), "leak"),
    "refractory": (lambda net: net.with_neurons(refractory=1), "refractory period"),
    "limits": (lambda net: net.with_neurons(saturation=(-2.0, 2.0)), "potentials that saturate"),
    "reset": (lambda net: net.with_neurons(reset="zero"), "reset 'zero'"),
    "values": (lambda net: net.with_neurons(levels=(1.0, 2.0)), "spikes that carry values"),
    "currents": (lambda net: net.with_neurons(synaptic=(0.5, 0.5)), "synaptic currents that last"),
    "window of its own": (lambda net: _special(net, FiringWindow(8, 12)), "firing windows"),
    "recurring": (lambda net: _special(net, RecurringWindow(8, 4, 8, 0.5)), "windows that recur"),
    "part": (lambda net: net.with_neurons(special=(Leak(0.5),)), "leak"),
    "early": (lambda net: net.with_neurons(window=(4, 8)), "when its window is open"),
    "length": (lambda net: net.with_neurons(window=(400, 402)), "a window of 2 steps"),
    "no window": (lambda net: net.with_neurons(window=None), "fires all the time"),
    "input": (lambda net: net.replaced(encodings={n: ConstantCurrent() for n in net.encodings}), "may get input from"),
}


def _special(net, part):
    return net.with_neurons(window=None, special=(part,))


def _changed(net, **fields):
    first, *others = net.populations.values()
    return net.replaced(populations=[replace(first, **fields), *others])


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_follow_from_sums_is_refused_by_name_and_runs_step_by_step(name):
    change, reason = WRONG[name]
    net = change(FireInTurn(4)(drawn("residual")))
    with pytest.raises(UnsupportedError, match=f"engine = counts cannot take(.|\n)*{reason}(.|\n)*engine = auto"):
        InisimBackend().build(net, engine="counts")
    x = samples(net)
    expected = interpret(net, *x, steps=16)
    found = InisimBackend().build(net, device="cpu").run(*x, steps=16)
    assert not any("counts" in ways for ways in found.engine_paths.values())
    for population, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population], counts)


def test_a_run_that_ends_within_a_window_goes_step_by_step():
    net = FireInTurn(4)(drawn("residual"))
    x, steps = samples(net), net.schedule.steps - 1
    with pytest.raises(BackendError, match=f"{steps} steps end before the last(.|\n)*{steps + 1} steps at least"):
        InisimBackend().build(net, engine="counts").run(*x, steps=steps)
    expected = interpret(net, *x, steps=steps, record=EVERYTHING)
    compare(InisimBackend().build(net, device="cpu").run(*x, steps=steps, record=EVERYTHING), expected)


def test_free_weights_differ_by_ties_alone():
    draft = Draft(exact=False, neuron=IF(initial=0.5))
    drawing(draft)
    net = FireInTurn(6, Counting.DIGIT)(draft.network())
    x = [np.random.default_rng(3).normal(size=(20, *net.wiring.shapes[n])) for n in net.encodings]
    expected, found = interpret(net, *x, steps=net.schedule.steps), run(net, x, net.schedule.steps, dtype="float64")
    unlike = sum(int((found.counts[n] != c).sum()) for n, c in expected.counts.items())
    assert unlike <= 1e-4 * 20 * net.neurons


def test_counts_are_widened_when_they_are_asked_for():
    net = FireInTurn(6, Counting.DIGIT)(Quantize(8)(drawn("residual")))
    x = samples(net)
    expected, found = interpret(net, *x, steps=net.schedule.steps), run(net, x, net.schedule.steps)
    assert {small.dtype for small in found.counts.small.values()} == {np.dtype(np.uint8)}
    again = pickle.loads(pickle.dumps(found))
    for name in net.populations:
        assert again.counts[name].dtype == np.int32
        np.testing.assert_array_equal(again.counts[name] * 9, expected.counts[name] * 9)
        np.testing.assert_array_equal(again.fired[name], expected.fired[name])


def test_sums_beyond_float32_are_exact():
    """Weights and levels so large that only float64 holds the sums; some layers of the network are below."""
    draft = Draft(neuron=IF(initial=0.5))
    image = draft.input(300)
    cells = draft.neurons(draft.dense(image, 200))
    deep = draft.neurons(draft.dense(cells, 40, scale=2.0))
    draft.readout(draft.dense(draft.neurons(deep), 4))
    net = FireInTurn(12, Counting.DIGIT)(Quantize(8)(draft.network()))
    x = samples(net, 3)
    with InisimBackend().build(net, device="cpu") as built:
        wide = {name: built.by_counts.wide(p.current) for name, p in net.populations.items()}
        compare(built.run(*x, steps=net.schedule.steps), interpret(net, *x, steps=net.schedule.steps))
    assert set(wide.values()) == {True, False}


def test_bounds_are_the_largest_amounts():
    """What positive and negative weights make of all counts is reached, and nothing is larger."""
    draft = Draft(neuron=IF(initial=0.5))
    cells = draft.neurons(draft.dense(draft.input(6), 5))
    other = draft.neurons(draft.dense(cells, 5))
    draft.readout(draft.dense(draft.node(Add, cells, other, coefficients=(1.0, -0.5)), 3))
    net = FireInTurn(3, Counting.DIGIT)(Quantize(8)(draft.network()))
    with InisimBackend().build(net, device="cpu") as built:
        bounds = built.by_counts.bounds
    patterns = 7.0 * np.array(list(np.ndindex(*10 * (2,))))
    given = dict(zip(net.populations, np.split(patterns, 2, axis=1), strict=True))
    given |= {name: np.zeros((len(patterns), 6)) for name in net.encodings}
    inputs = [given[name] for name in net.wiring.inputs]
    for name, values in net.wiring.values(*inputs, keep=list(net.wiring.nodes)).items():
        assert np.abs(values).max() == bounds[name]
