"""A phased network equals its quantised analogue network, count by count, whatever its graph."""

from dataclasses import replace

import numpy as np
import pytest

from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.backends.window_pulses import WindowPulses
from snntoolbox.conversion.lowering.max_pool_tree import MaxPoolTree
from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.conversion.schedules.quantized_reference import (
    check_quantized,
    quantized_counts,
    quantized_graph,
    quantized_reference,
)
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.engine.quantized import QuantizedRun
from snntoolbox.errors import ConversionError, DataError, GraphError, UnsupportedError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent, Poisson, SpikeTimes
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import constant_currents, interpret
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Negative, Reset
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.result import Record
from snntoolbox.ir.timing import run_steps, timing
from snntoolbox.ir.turns import bound

ALL = Record(spikes=True, potentials=True)


def one(*trains, threshold=1.0, initial=0.0, bias=None):
    """One neuron for each current of `trains`, behind an input that is presented for the whole window."""
    count = len(trains)
    nodes = [Input(name=n, shape=(count,)) for n in ("x", "n")]
    cell = Population(
        name="n", shape=(count,), neuron=IF(threshold=threshold, initial=initial), current="x", bias=bias,
        scale=np.ones(1), activation="n",
    )  # fmt: skip
    readout = Readout(name="o", current="n", shape=(count,))
    return SpikingNetwork(Graph(nodes, ["x", "n"]), {"x": ConstantCurrent()}, [cell], [readout])


def test_counts_are_clipped_floors():
    """By hand: T = 4, V0 = 1/2; sums of four currents of 0.375, 0.1, 3, -1 and the bias of 0.125 in each step."""
    x = np.array([[0.375, 0.125, 3.0, -1.0]])
    net = FireInTurn(4)(one(*x[0], initial=0.5, bias=np.array([0.125])))
    result = interpret(net, x, steps=8, record=ALL)
    # floor(4 * 0.5 + 0.5) = 2, floor(4 * 0.25 + 0.5) = 1, clipped to 4, clipped to 0
    assert result.counts["n"].tolist() == [[2, 1, 4, 0]]
    assert result.spikes["n"][:4].sum() == 0, "nobody fires while it integrates"
    assert result.output.tolist() == [[0.5, 0.25, 1.0, 0.0]]
    assert net.schedule.steps == 8


def chain(net):
    a = net.relu(net.conv("x", 4))
    net.dense(net.flat(net.relu(net.conv(a, 3, stride=2))), 5)


def residual(net):
    a = net.relu(net.conv("x", 3))
    b = net.sum(net.conv(net.relu(net.conv(a, 3)), 3), a, coefficients=(1.0, -0.5))
    net.dense(net.flat(net.relu(b)), 5)


def joined(net):
    """Branches of three depths and the input itself meet."""
    a = net.relu(net.conv("x", 3))
    b = net.relu(net.conv(net.relu(net.conv(a, 2)), 2))
    net.dense(net.flat(net.relu(net.conv(net.concat(a, b, "x"), 3))), 5)


def max_pooled(net):
    net.dense(net.flat(net.relu(net.conv(net.pool(net.relu(net.conv("x", 3))), 2))), 5)


def averaged(net):
    net.dense(net.flat(net.relu(net.conv(net.average(net.relu(net.conv("x", 3))), 2))), 5)


NETS = {f.__name__: f for f in (chain, residual, joined, max_pooled, averaged)}


def built(new_net, name, *, dyadic, seed=5):
    """A graph without max pooling and its scales; with `dyadic` all sums are exact in binary."""
    net = new_net(3, 4, 4, seed=seed)
    NETS[name](net)
    graph = MaxPoolTree()(net.graph())
    if dyadic:
        changed = []
        for node in graph.nodes.values():
            weight, bias = getattr(node, "weight", None), getattr(node, "bias", None)
            if weight is not None:
                bias = None if bias is None else np.rint(bias * 16) / 16
                changed.append(type(node)(**{**vars(node), "weight": np.rint(weight * 16) / 16, "bias": bias}))
        graph = graph.edited(changed)
    random = np.random.default_rng(seed)
    scales = {}
    for n, node in graph.nodes.items():
        if isinstance(node, ReLU):
            shape = (graph.shapes[n][0], *[1] * (len(graph.shapes[n]) - 1))
            scales[n] = 2.0 ** random.integers(-1, 2, size=shape) if dyadic else random.uniform(0.3, 1.5, size=shape)
    x = random.integers(-16, 17, size=(6, 3, 4, 4)) / 16
    return graph, scales, x


@pytest.mark.parametrize("initial", [0.5, 0.0, 0.25])
@pytest.mark.parametrize("steps", [1, 4, 8])
@pytest.mark.parametrize("name", NETS)
def test_it_equals_the_quantised_network(new_net, name, steps, initial):
    """Every count and every output, exactly: the reference knows nothing of spikes."""
    graph, scales, x = built(new_net, name, dyadic=True)
    net = FireInTurn(steps)(Convert(neuron=IF(initial=initial))(graph, scales))
    assert net.schedule.steps == (1 + max(net.depths[p] for p in net.populations)) * steps
    wanted = quantized_reference(graph, scales, steps, [x], start=initial)
    result = interpret(net, x, steps=net.schedule.steps)
    assert any(c.any() for c in result.counts.values())
    for name_, population in net.populations.items():
        levels = wanted[population.activation] * steps / population.scale
        np.testing.assert_array_equal(result.counts[name_], levels, err_msg=name_)
        np.testing.assert_array_equal(result.rates(name_) * population.scale, wanted[population.activation])
    np.testing.assert_allclose(result.output, wanted[graph.outputs[0]], rtol=0, atol=1e-12)
    run = QuantizedRun(net)
    for name_, counts in run.counts([x]).items():
        np.testing.assert_array_equal(counts, result.counts[name_], err_msg=name_)
    np.testing.assert_allclose(run.outputs([x])[0], result.output, rtol=0, atol=1e-12)
    if initial == 0.5:
        ours = quantized_graph(graph, scales, steps).run(x)
        np.testing.assert_allclose(ours, wanted[graph.outputs[0]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NETS)
def test_the_order_of_spikes_counts_for_nothing(new_net, name):
    """Spikes of a window in any other order give the same counts behind it: windows do not overlap those they read."""
    graph, scales, _ = built(new_net, name, dyadic=True)
    net = FireInTurn(4)(Convert()(graph, scales))
    for projection in net.projections:
        if projection.target in net.populations and projection.source in net.populations:
            source, target = (net.populations[n].neuron.window for n in (projection.source, projection.target))
            assert source[1] <= target[0]


TURNS = [FireInTurn(8), *(FireInTurn(bits, Counting.DIGIT) for bits in (1, 2, 5, 8))]


def text(turns):
    return f"{turns.name} {turns.window}"


@pytest.mark.parametrize("turns", TURNS, ids=text)
@pytest.mark.parametrize("name", NETS)
def test_on_the_grid_simulator_and_reference_agree_exactly(new_net, name, turns):
    graph, scales, x = built(new_net, name, dyadic=False)
    before = Quantize(8)(Convert()(graph, scales))
    net = turns(before)
    steps, expected = net.schedule.steps, quantized_counts(before, [x], turns.levels)
    with InisimBackend().build(net) as executable:
        found = executable.run(x, steps=steps, record=ALL)
    told = interpret(net, x, steps=steps, record=ALL)
    for name_, counts in expected.items():
        np.testing.assert_array_equal(found.counts[name_], counts)
        np.testing.assert_array_equal(told.counts[name_], counts)
        np.testing.assert_array_equal(found.spikes[name_], told.spikes[name_])
        np.testing.assert_array_equal(found.events[name_], told.spikes[name_].sum(axis=0))
        np.testing.assert_array_equal(found.potentials[name_], told.potentials[name_])
    for readout, values in found.outputs_per_step.items():
        np.testing.assert_allclose(values, told.outputs_per_step[readout], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.output, told.output, rtol=0, atol=1e-12)
    largest = max(np.abs(v).max() for v in told.potentials.values())
    assert largest <= bound(net, steps, max(np.abs(c).max() for c in constant_currents(net, x).values()))
    assert net.grid.start == max(np.abs(p.neuron.initial).max() for p in net.populations.values())


@pytest.mark.parametrize("turns", TURNS, ids=text)
@pytest.mark.parametrize("name", NETS)
def test_with_any_weights_it_is_the_quantised_network(new_net, name, turns):
    """No sum of these ties with a level, so rounding changes no count; every rectifier is at its own scale."""
    graph, scales, x = built(new_net, name, dyadic=False)
    net = turns(Convert()(graph, scales))
    wanted = quantized_reference(graph, scales, turns.levels, [x])
    result = interpret(net, x, steps=net.schedule.steps)
    for name_, population in net.populations.items():
        rates = result.rates(name_) * population.scale
        np.testing.assert_allclose(rates, wanted[population.activation], rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.output, wanted[graph.outputs[0]], rtol=0, atol=1e-9)
    for name_, counts in QuantizedRun(net).counts([x]).items():
        np.testing.assert_array_equal(counts, result.counts[name_], err_msg=name_)
    ours = quantized_graph(graph, scales, turns.levels).run(x)
    np.testing.assert_allclose(ours, wanted[graph.outputs[0]], rtol=0, atol=1e-9)


@pytest.mark.parametrize("chunk", [0, 1, 3, 4, 7, 99])
@pytest.mark.parametrize("record", [ALL, Record(outputs_per_step=False), Record()], ids=["all", "counts", "outputs"])
@pytest.mark.parametrize("name", ["joined", "averaged"])
def test_chunks_in_which_layers_wait_are_skipped_without_a_change(new_net, name, record, chunk):
    graph, scales, x = built(new_net, name, dyadic=True)
    net = FireInTurn(4)(Convert()(graph, scales))
    pulses = {step: np.full((1, 1, 1), current) for step, current in {1: 0.75, 9: -0.25, 17: 0.5}.items()}
    net = net.replaced(populations=[replace(p, pulses=pulses) for p in net.populations.values()])
    steps = net.schedule.steps
    expected = interpret(net, x, steps=steps, record=record)
    with InisimBackend().build(net, chunk=chunk) as executable:
        found = executable.run(x, steps=steps, record=record)
    for field in ("counts", "spikes", "potentials", "outputs", "outputs_per_step"):
        assert getattr(found, field).keys() == getattr(expected, field).keys()
        for name_, value in getattr(expected, field).items():
            np.testing.assert_array_equal(getattr(found, field)[name_], value, err_msg=f"{field} of {name_}")


@pytest.mark.parametrize("name", NETS)
def test_windows_become_pulses_without_a_change(new_net, name):
    graph, scales, x = built(new_net, name, dyadic=False)
    net = FireInTurn(4)(Quantize(8)(Convert()(graph, scales)))
    pulsed = WindowPulses(largest=1.0)(net)
    assert all(p.neuron.window is None and p.pulses for p in pulsed.populations.values())
    steps = net.schedule.steps
    expected, found = interpret(net, x, steps=steps, record=ALL), interpret(pulsed, x, steps=steps, record=ALL)
    for name_ in net.populations:
        np.testing.assert_array_equal(found.spikes[name_], expected.spikes[name_])
        window = slice(*net.populations[name_].neuron.window)
        np.testing.assert_array_equal(found.potentials[name_][window], expected.potentials[name_][window])
    np.testing.assert_array_equal(found.output, expected.output)
    assert max(np.abs(v).max() for v in found.potentials.values()) <= pulsed.grid.bound(steps, 0)


def test_pulses_need_the_grid_and_a_known_length(new_net):
    graph, scales, _ = built(new_net, "chain", dyadic=False)
    net = Convert()(graph, scales)
    with pytest.raises(ConversionError, match="integer grid"):
        WindowPulses(1.0)(FireInTurn(4)(net))
    with pytest.raises(ConversionError, match="fixed length"):
        WindowPulses(1.0)(Quantize(8)(net))


# name: (steps from one sample to the next with one membrane, with two), in windows
INTERVALS = {"chain": (2, 1), "residual": (3, 2), "joined": (5, 4)}


@pytest.mark.parametrize(("name", "expected"), INTERVALS.items())
def test_latency_and_throughput(new_net, name, expected):
    """Between neighbours 2 T and T; what reads a layer far behind it is busy from there on."""
    graph, scales, _ = built(new_net, name, dyadic=True)
    net = FireInTurn(4)(Convert()(graph, scales))
    one, two = (4 * windows for windows in expected)
    assert (net.schedule.interval, net.schedule.interval_two) == (one, two)
    depth = max(net.depths[p] for p in net.populations)
    told = timing(net, 4)
    assert told == {"latency_steps": 4 * (depth + 1), "throughput": {"one_membrane": 1 / one, "two_membranes": 1 / two}}


def test_a_run_takes_the_steps_it_needs(new_net):
    graph, scales, _ = built(new_net, "chain", dyadic=True)
    rate = Convert()(graph, scales)
    net = FireInTurn(4)(rate)
    assert run_steps(net, None) == run_steps(net, 4) == 12
    with pytest.raises(ConversionError, match="windows of 4 ms, not 12"):
        run_steps(net, 12)
    assert (run_steps(rate, None), run_steps(rate, 12)) == (64, 12)


REFUSED = {
    "leak": (IF(leak=0.5), "leak"),
    "reset": (IF(reset=Reset.ZERO), "reset 'zero'"),
    "refractory": (IF(refractory=1), "refractory"),
    "signed": (IF(negative=Negative.MEMORY), "values or signs"),
    "window": (IF(window=(0, 1)), "window of its own"),
}


@pytest.mark.parametrize(("neuron", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_wait_is_refused(new_net, neuron, reason):
    graph, scales, _ = built(new_net, "chain", dyadic=True)
    with pytest.raises(UnsupportedError, match=reason) as caught:
        FireInTurn(4)(Convert(neuron=neuron)(graph, scales))
    assert len(caught.value.offenders) == 2, "every layer is named"


def test_gates_and_trains_are_refused_with_the_way_out(new_net):
    net = new_net(3, 4, 4)
    max_pooled(net)
    graph = net.graph()
    scales = {n: np.ones((1, 1, 1)) for n, node in graph.nodes.items() if isinstance(node, ReLU)}
    gated = Convert()(graph, scales)
    assert any(isinstance(p.neuron, MaxGate) for p in gated.populations.values())
    with pytest.raises(UnsupportedError, match=r"gate(.|\n)*relu_tree"):
        FireInTurn(4)(gated)
    with pytest.raises(UnsupportedError, match="times of its own"):
        FireInTurn(4)(gated.replaced(encodings={"x": SpikeTimes()}))


def test_a_poisson_input_spikes_in_its_window_alone(new_net):
    graph, scales, x = built(new_net, "chain", dyadic=True)
    net = FireInTurn(4)(Convert(encoding=Poisson(seed=1))(graph, scales))
    assert net.encodings["x"].steps == 4
    assert interpret(net, x, steps=12).counts


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("counting", [Counting.ONE, Counting.LEAD])
@pytest.mark.parametrize("dyadic", [False, True])
def test_latency_input_says_its_values_in_the_first_window(new_net, name, counting, dyadic):
    """Counts are those of the network on the values that the input's spikes stand for; none of its samples differs."""
    graph, scales, x = built(new_net, name, dyadic=dyadic)
    largest = 2.0 ** np.ceil(np.log2(np.abs(x).max()))
    before = Convert(encoding=Latency(amplitude=float(largest)))(graph, scales)
    net = FireInTurn(8, counting)(before)
    (coding,) = net.encodings.values()
    assert (coding.window, coding.steps, coding.lasting) == (8, 8, counting is Counting.ONE)
    assert check_quantized(net, before, [x], InisimBackend()) == 0
    stated = coding.counted(x) * coding.amplitude / 8
    steady = FireInTurn(8, counting)(Convert()(graph, scales))
    found, expected = (interpret(n, a, steps=net.schedule.steps) for n, a in ((net, x), (steady, stated)))
    for population, counts in expected.counts.items():
        assert np.mean(counts != found.counts[population]) <= (0 if dyadic else 0.005)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("dyadic", [False, True])
def test_binary_digits_say_their_values_in_the_first_window(new_net, name, dyadic):
    """Counts are those of the network on the values that the digits stand for; none of its samples differs."""
    graph, scales, x = built(new_net, name, dyadic=dyadic)
    largest = 2.0 ** np.ceil(np.log2(np.abs(x).max()))
    before = Convert(encoding=BinaryDigits(amplitude=float(largest)))(graph, scales)
    net = FireInTurn(4, Counting.DIGIT)(before)
    (coding,) = net.encodings.values()
    assert (coding.window, coding.steps) == (4, 4)
    assert check_quantized(net, before, [x], InisimBackend()) == 0
    stated = coding.counted(x) * coding.amplitude / 15
    steady = FireInTurn(4, Counting.DIGIT)(Convert()(graph, scales))
    found, expected = (interpret(n, a, steps=net.schedule.steps) for n, a in ((net, x), (steady, stated)))
    for population, counts in expected.counts.items():
        # On whole numbers there are ties, which as values of fifteenths fall to either side.
        assert dyadic or np.mean(counts != found.counts[population]) <= 0.005


def test_a_network_that_is_not_its_reference_is_a_defect(new_net):
    graph, scales, x = built(new_net, "chain", dyadic=False)
    before = Convert()(graph, scales)
    assert check_quantized(FireInTurn(4)(before), before, [x], InisimBackend()) == 0
    other = before.with_neurons(initial=0.0)
    with pytest.raises(GraphError, match="defect"):
        check_quantized(FireInTurn(4)(before), other, [x], InisimBackend())
    assert check_quantized(before, before, [x], InisimBackend()) is None


def test_what_is_too_large_to_be_compared_is_said(new_net, monkeypatch, caplog):
    graph, scales, x = built(new_net, "chain", dyadic=False)
    before = Convert()(graph, scales)
    monkeypatch.setattr("snntoolbox.conversion.schedules.quantized_reference.MOST_VALUES", 10)
    assert check_quantized(FireInTurn(4)(before), before, [x], InisimBackend()) is None
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "too large to be compared with its quantised network" in record.getMessage()


def test_the_reference_by_hand():
    """s = 2, T = 4: steps of a half, rounded; above 2 all saturate."""
    graph = Graph(
        [
            Input(name="x", shape=(1,)),
            Dense(name="d", inputs=("x",), weight=np.array([[1.0]]), bias=np.array([0.25])),
            ReLU(name="r", inputs=("d",)),
        ],
        ["r"],
    )
    x = np.array([[-1.0], [0.0], [0.5], [0.875], [7.0]])
    found = quantized_reference(graph, {"r": np.array([2.0])}, 4, [x])["r"]
    assert found.ravel().tolist() == [0, 0.5, 1.0, 1.0, 2.0]
    floored = quantized_reference(graph, {"r": np.array([2.0])}, 4, [x], start=0.0)["r"]
    assert floored.ravel().tolist() == [0, 0, 0.5, 1.0, 2.0]


def test_rectifiers_without_a_scale_are_named():
    nodes = [Input(name="x", shape=(2,)), ReLU(name="r", inputs=("x",))]
    with pytest.raises(DataError, match="there is no scale for r"):
        quantized_graph(Graph(nodes, ["r"]), {}, 4)
