"""A radix network sends the binary digits of its quantised activations; what it is, and what it refuses."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.errors import ConversionError, GraphError, UnsupportedError
from snntoolbox.ir import features as f
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population, Readout, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF, Negative, Reset
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.result import Record


def one(weight, threshold, initial, bits):
    """A layer of neurons behind an input of whole currents, in windows of `bits` digits, and its spikes summed."""
    nodes = [
        Input(name="x", shape=(weight.shape[1],)),
        Dense(name="d", inputs=("x",), weight=weight),
        Input(name="n", shape=(len(weight),)),
    ]
    cells = Population(
        name="n", shape=(len(weight),), neuron=IF(threshold=threshold, initial=initial), current="d",
        scale=np.ones(1), activation="n",
    )  # fmt: skip
    readout = Readout(name="o", current="n", shape=(len(weight),))
    rate = SpikingNetwork(Graph(nodes, ["d", "n"]), {"x": ConstantCurrent()}, [cells], [readout])
    return FireInTurn(bits, Counting.DIGIT)(rate)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8])
def test_a_leak_of_two_gives_the_same_spikes(bits):
    """V <- 2 V + W z while it receives, V <- 2 V while it sends, a spike at 2^B q: written out for one layer."""
    random = np.random.default_rng(bits)
    weight, q = random.integers(-8, 9, size=(7, 5)).astype(float), random.integers(3, 40, size=7) * 2.0
    x = random.integers(-2, 7, size=(9, 5)).astype(float)
    net = one(weight, q, q / 2, bits)
    result = interpret(net, x, steps=net.schedule.steps, record=Record(spikes=True))
    v, sent = np.zeros((9, 7)), []
    for _ in range(bits):
        v = 2 * v + x @ weight.T
    v += q / 2
    for _ in range(bits):
        v = 2 * v
        sent.append(v >= 2**bits * q)
        v -= 2**bits * q * sent[-1]
    np.testing.assert_array_equal(result.spikes["n"][bits:], sent)
    assert not result.spikes["n"][:bits].any()
    levels = 2**bits - 1
    wanted = np.clip(np.floor((levels * (x @ weight.T) + q / 2) / q), 0, levels)
    np.testing.assert_array_equal(result.counts["n"], wanted)
    np.testing.assert_array_equal(result.output, wanted / levels)
    np.testing.assert_array_equal(result.events["n"], np.sum(sent, axis=0))
    assert wanted.max() == levels, "some are clipped above"
    assert 0 < (wanted == 0).mean() < 1, "and some below"


def graph(bounded=None, levels=None):
    random = np.random.default_rng(3)
    return Graph(
        [
            Input(name="x", shape=(8,)),
            Dense(name="d", inputs=("x",), weight=random.normal(size=(12, 8)), bias=random.normal(size=12)),
            ReLU(name="r", inputs=("d",), max_value=bounded, levels=levels),
            Dense(name="e", inputs=("r",), weight=random.normal(size=(9, 12)), bias=random.normal(size=9)),
            ReLU(name="s", inputs=("e",), max_value=bounded, levels=levels),
            Dense(name="y", inputs=("s",), weight=random.normal(size=(4, 9))),
            Dense(name="u", inputs=("r",), weight=random.normal(size=(2, 12))),
        ],
        ["y", "u"],
    ), random.normal(size=(80, 8))


@pytest.mark.parametrize("weight_bits", [0, 8])
@pytest.mark.parametrize("given", [{}, {"bounded": 1.5}, {"bounded": 2.0, "levels": 7}], ids=["free", "bound", "qcfs"])
def test_more_digits_come_nearer(given, weight_bits):
    """Signed inputs, biases, bounds, two read-outs: twice as fine with each step, down to what the grid loses."""
    net, x = graph(**given)
    wanted, errors = net.values(x, keep=["y", "u"]), []
    for bits in (2, 4, 8):
        snn = stb.convert(net, x, schedule="radix", duration=bits, weight_bits=weight_bits)
        result = stb.simulate(snn, x)
        assert result.steps == 3 * bits
        errors.append(max(np.sqrt(np.mean((result.outputs[n] - wanted[n]) ** 2)) / wanted[n].std() for n in wanted))
    if given.get("levels"):
        exact = stb.convert(net, x, schedule="radix", duration=3, weight_bits=0, threshold_rule="max")
        np.testing.assert_allclose(stb.simulate(exact, x).outputs["y"], wanted["y"], atol=1e-4)
    else:
        assert errors[1] < 0.5 * errors[0]
        assert errors[2] < (0.4 if weight_bits else 0.12) * errors[1]


REFUSED = {
    "poisson": ({"encoding": Poisson()}, "radix needs constant-current or binary-digit input"),
    "leak": ({"neuron": IF(leak=0.9)}, "radix needs neurons without leak"),
    "reset": ({"neuron": IF(reset=Reset.ZERO)}, "radix needs neurons with reset = subtract"),
    "refractory": ({"neuron": IF(refractory=1)}, "radix needs neurons without a refractory"),
    "signed": ({"neuron": IF(negative=Negative.MEMORY)}, "radix needs plain spikes"),
    "correction": ({"layer_correction": "bias"}, "bias does not go with schedule = radix"),
    "no duration": ({"duration": None}, "radix needs the number of steps(.|\n)*schedule='radix', duration=6"),
    "digits": ({"duration": 17}, "17 are too many(.|\n)*duration = 6"),
    "usual duration": ({"duration": 64}, "64 are too many"),
}


@pytest.mark.parametrize(("choices", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_go_with_it_is_refused(choices, message):
    net, x = graph()
    with pytest.raises(ConversionError, match=message):
        stb.convert(net, x, **{"schedule": "radix", "duration": 4, **choices})


@pytest.mark.parametrize("name", ["nest", "pynn.nest"])
def test_a_simulator_without_digits_says_so(name):
    net, x = graph()
    snn = stb.convert(net, x, schedule="radix", duration=4, weight_bits=8)
    told = r"(.|\n)*".join(["steps that are binary digits", "hint: simulator = .*INI.*brian2"])
    with pytest.raises(UnsupportedError, match=told):
        stb.simulate(snn, x[:1], simulator=name)
    assert "leak above 1" in backend_named("nest").capabilities.reasons[f.DIGITS]


def test_it_is_asserted_at_conversion(monkeypatch):
    from snntoolbox.conversion.schedules import quantized_reference

    net, x = graph()
    sums = quantized_reference._sums
    monkeypatch.setattr(quantized_reference, "_sums", lambda *given: {n: s + 1 for n, s in sums(*given).items()})
    with pytest.raises(GraphError, match="a radix network differs from its quantised one"):
        stb.convert(net, x, schedule="radix", duration=4)


def test_a_saved_network_knows_it(tmp_path):
    net, x = graph()
    snn = stb.convert(net, x, schedule="radix", duration=5)
    again = stb.load_network(stb.save(snn, tmp_path / "snn"))
    assert again.schedule == snn.schedule
    np.testing.assert_array_equal(stb.simulate(again, x[:5]).output, stb.simulate(snn, x[:5]).output)
    assert "radix, 15 steps, sums divided by 31" in snn.summary()
    assert "a window of 5 binary digits of its own" in snn.summary()
    with pytest.raises(ConversionError, match="windows of 5 ms, not 8"):
        stb.simulate(snn, x[:1], duration=8)


def test_digits_are_those_of_the_whole_network():
    """A neuron whose digits are none of the network's steps would count otherwise than what reads it."""
    snn = Convert()(graph()[0], {"r": np.ones(1), "s": np.ones(1)})
    alone = list(FireInTurn(3, Counting.DIGIT)(snn).populations.values())
    with pytest.raises(GraphError, match="by 'digit' in a network that counts by 'one'"):
        snn.replaced(populations=alone)
    with pytest.raises(GraphError, match="in a network with windows of 4 steps"):
        snn.replaced(populations=alone, schedule=Schedule("radix", window=4, steps=12, counting=Counting.DIGIT))
    for wrong in ({"window": None}, {"window": (2, 5)}, {"window": (3, 6), "leak": 0.5}, {"window": (17, 34)}):
        with pytest.raises(ConversionError, match="digits"):
            IF(counting=Counting.DIGIT, **wrong)
