"""Errors split into their causes: nets in which one alone acts, random nets in which all do, and what is refused."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snntoolbox.analysis.diagnosis import observer as observing
from snntoolbox.analysis.diagnosis import terms
from snntoolbox.analysis.diagnosis.observer import MeanCurrents, Observer, made_comparable
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.stages import convert
from snntoolbox.errors import ConversionError, DataError, GraphError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.draws import SoftmaxDraws
from snntoolbox.ir.encodings import Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Add, AveragePool, Conv, Dense, Input, ReLU, Reshape
from snntoolbox.ir.payloads import ResidueSpikes
from snntoolbox.ir.result import Record


def chain(*weights, bias=None):
    """x -> Dense -> ReLU -> ... -> Dense, rectifiers named r1, r2, ...; `bias` of the first."""
    nodes, source = [Input(name="x", shape=(np.shape(weights[0])[1],))], "x"
    for i, weight in enumerate(weights, 1):
        fields = {"bias": np.asarray(bias, float)} if bias is not None and i == 1 else {}
        nodes.append(Dense(name=f"d{i}", inputs=(source,), weight=np.array(weight, float), **fields))
        source = f"d{i}"
        if i < len(weights):
            nodes.append(ReLU(name=f"r{i}", inputs=(source,)))
            source = f"r{i}"
    return Graph(nodes, [source])


def observed(graph, x, steps, scales=1.0, **neuron):
    """The network with these scales, run on x by the interpreter, and what is found."""
    wanted = {n.name: np.full((1,), float(scales)) for n in graph.nodes.values() if isinstance(n, ReLU)}
    network = Convert(neuron=IF(**neuron))(graph, wanted)
    observer = Observer(network, graph)
    observer.add([np.asarray(x, float)], interpret(network, np.asarray(x, float), steps=steps))
    return observer.diagnosis()


def layer(found, name):
    return next(found_layer for found_layer in found.layers if found_layer.name == name)


ONE = [[1.0]]
# graph, sample, steps, scale, start potential, layer, the one term that is not zero, its value in the user's units
CASES = {
    "clipping": (chain(ONE, ONE), [1.5], 8, 1.0, 0.0, "r1", terms.CLIPPING, -0.5),
    "clipping at another scale": (chain(ONE, ONE), [5.0], 8, 4.0, 0.5, "r1", terms.CLIPPING, -1.0),
    "quantisation down": (chain(ONE, ONE), [0.3], 4, 1.0, 0.0, "r1", terms.QUANTISATION, -0.05),
    "quantisation up": (chain(ONE, ONE), [0.7], 4, 2.0, 0.5, "r1", terms.QUANTISATION, -0.2),
    # r1 rounds 0.3 to 1/4; times 10/3 that is 0.83 instead of 1, so r2 fires three times of four
    "propagated": (chain(ONE, [[10 / 3]], ONE), [0.3], 4, 1.0, 0.5, "r2", terms.PROPAGATED, -0.25),
    # rates 1/2 and 1/4 are exact; 1/2 - 2 * 1/4 = 0, but the first spike comes before the one that takes it back
    "unevenness": (chain([[0.5], [0.25]], [[1, -2]], ONE), [1.0], 4, 1.0, 0.5, "r2", terms.UNEVENNESS, 0.25),
}


@pytest.mark.parametrize("case", CASES)
def test_one_cause_alone(case):
    graph, x, steps, scale, start, name, term, value = CASES[case]
    found = layer(observed(graph, [x], steps, scale, initial=start), name)
    unit = found.unit or scale
    sizes = {t: size.mean * unit for t, size in found.terms.items()}
    assert sizes == pytest.approx({t: value if t == term else 0.0 for t in sizes}, abs=1e-12)
    assert found.total.mean * unit == pytest.approx(value)
    assert found.total.rms * unit == pytest.approx(abs(value))


def test_random_input_is_a_cause_of_its_own():
    graph, x = chain(ONE, ONE), np.array([[0.5], [0.25], [0.75], [0.125]])
    network = Convert(encoding=Poisson(amplitude=1.0, seed=3))(graph, {"r1": np.ones(1)})
    result = interpret(network, x, steps=8, first_sample=5)
    observer = Observer(network, graph)
    observer.add([x], result, first_sample=5)
    found = layer(observer.diagnosis(), "r1")
    mean = MeanCurrents(network).trains([x], 8, 5)["x"] / 8
    assert {t for t, size in found.terms.items() if size.rms} == {terms.SAMPLING}
    assert found.terms[terms.SAMPLING].mean * found.unit == pytest.approx(np.mean(mean - x))
    assert np.mean(mean != x)


@pytest.mark.parametrize(
    ("coding", "schedule"),
    [
        (Latency(window=4), None),
        (Latency(), FireInTurn(4)),
        (Latency(), FireInTurn(4, Counting.LEAD)),
        (BinaryDigits(), FireInTurn(3, Counting.DIGIT)),
        (Poisson(seed=3), FireInTurn(4)),
    ],
    ids=["latency at rates", "latency in a window", "latency by its time", "digits", "random in a window"],
)
def test_spikes_for_a_value_are_a_cause_of_their_own(coding, schedule):
    """What they say is a value near to the sample's: what lies between is no error of the layers."""
    graph, x = chain([[0.7]], ONE), np.linspace(0.02, 0.97, 23)[:, None]
    network = Convert(encoding=coding, neuron=IF(initial=0.5))(graph, {"r1": np.ones(1)})
    network = network if schedule is None else schedule(network)
    observer = Observer(network, graph)
    result = interpret(network, x, steps=network.schedule.steps if schedule else 8)
    observer.add([x], result)
    found = layer(observer.diagnosis(), "r1")
    said = MeanCurrents(network).trains([x], result.steps, 0)["x"] * coding.amplitude / result.span
    assert found.terms[terms.SAMPLING].rms > 0
    if schedule is not None:  # each drive has its one count
        assert found.terms[terms.UNEVENNESS].rms == 0
    if not isinstance(coding, Poisson):  # a level from the values, at most half a level
        levels = 4 if isinstance(coding, Latency) else 7
        np.testing.assert_allclose(said, np.floor(levels * x + 0.5) / levels)


def test_what_cannot_be_compared_says_why_and_what_to_set():
    network = Convert()(chain(ONE, ONE), {"r1": np.ones(1)})
    heads = [replace(r, head=Head(kind="classes"), draws=SoftmaxDraws(0)) for r in network.readouts]
    with pytest.raises(ConversionError, match="draws spikes") as caught:
        Observer(network.replaced(readouts=heads), chain(ONE, ONE))
    assert caught.value.hint == "[conversion] readout = linear"
    graded = Convert(neuron=IF(special=(ResidueSpikes(),)))(chain(ONE, ONE), {"r1": np.ones(1)})
    assert made_comparable(graded) == "[cell] payloads = False"
    assert made_comparable(network) == ""


@pytest.mark.parametrize("term", ["clipping", "quantisation", "propagated", "unevenness"])
def test_a_wrong_term_is_noticed(term, monkeypatch):
    graph, x, steps, scale, start, *_ = CASES["quantisation down" if term == "quantisation" else term]
    right = getattr(terms, term)
    monkeypatch.setattr(terms, term, lambda found: right(found) * 1.001)
    with pytest.raises(GraphError, match=r"leave .* over"):
        observed(graph, [x], steps, scale, initial=start)


def test_values_that_are_no_numbers_are_noticed():
    with pytest.raises(GraphError):
        terms.check_sum({"a": np.array([np.nan])}, np.array([0.0]), 1.0, "layer")


# -- random nets ----------------------------------------------------------------------------------------------------


def residual_net(random):
    """A convolutional net with a branch, a sum and pooling."""

    def conv(name, source, filters, channels):
        fields = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
        weight = random.normal(size=(filters, channels, 3, 3)) / 3 / np.sqrt(channels)
        return Conv(name=name, inputs=(source,), weight=weight, bias=random.normal(size=(filters, 1, 1)) / 5, **fields)

    nodes = [
        Input(name="x", shape=(1, 4, 4)),
        conv("c1", "x", 3, 1),
        ReLU(name="r1", inputs=("c1",)),
        conv("c2", "r1", 3, 3),
        Add(name="sum", inputs=("c2", "r1"), coefficients=(1.0, 1.0)),
        ReLU(name="r2", inputs=("sum",), max_value=1.0),
        AveragePool(name="pool", inputs=("r2",), kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0))),
        Reshape(name="flat", inputs=("pool",), shape=(12,)),
        Dense(name="out", inputs=("flat",), weight=random.normal(size=(3, 12)) / 3, bias=random.normal(size=3)),
    ]
    return Graph(nodes, ["out"])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 20),
    choices=st.fixed_dictionaries(
        {
            "percentile": st.sampled_from([60.0, 99.9, 100.0]),
            "per_channel": st.booleans(),
            "weight_bits": st.sampled_from([0, 0, 8]),
            "neuron": st.sampled_from([IF(), IF(initial=0.5), IF(initial=-0.3)]),
            "readout": st.sampled_from(["linear", "spikes"]),
            "encoding": st.sampled_from([Recipe().encoding, Poisson(amplitude=2.0, seed=1)]),
        }
    ),
)
def test_terms_add_up_on_random_nets(seed, steps, choices):
    random = np.random.default_rng(seed)
    graph, x = residual_net(random), random.random((6, 1, 4, 4))
    network = convert(graph, x, duration=max(steps, 8), recipe=Recipe(readout_correction=3, **choices))
    observer = Observer(network, lower(graph, Recipe(**choices)))
    result = interpret(network, x, steps=steps, record=Record(potentials=True))
    observer.add([x], result)  # checks the sum of every layer
    found = observer.diagnosis()
    for part in (*found.layers, *found.readouts):
        assert sum(size.mean for size in part.terms.values()) == pytest.approx(part.total.mean, abs=1e-6)
        assert part.total.rms <= sum(size.rms for size in part.terms.values()) + 1e-6
    drives_follow_from_potentials(network, x, result)


def drives_follow_from_potentials(network, x, result):
    """What integration without loss got is what it has fired and kept: T I = V[T] - V[0] + theta n."""
    means = MeanCurrents(network)
    currents = means.of([x], result.counts, means.trains([x], result.steps, 0), result.steps)
    for name, population in network.populations.items():
        neuron, bias = population.neuron, 0.0 if population.bias is None else population.bias
        kept = result.potentials[name][-1] - neuron.initial + neuron.threshold * result.counts[name]
        given_in_all = result.steps * (currents[name] + bias)
        np.testing.assert_allclose(given_in_all, kept, atol=1e-6 * float(np.max(neuron.threshold)))


@pytest.mark.parametrize("turns", [FireInTurn(8), FireInTurn(3, Counting.DIGIT), FireInTurn(8, Counting.LEAD)], ids=str)
def test_layers_with_windows_have_no_unevenness(turns):
    """They fire behind all of their input. A bias that was moved to the start still belongs to the drive."""
    random = np.random.default_rng(4)
    graph, x = residual_net(random), random.random((9, 1, 4, 4))
    network = turns(convert(graph, x, percentile=80.0))
    observer = Observer(network, graph)
    observer.add([x], interpret(network, x, steps=network.schedule.steps))
    found = observer.diagnosis()
    assert found.steps == turns.levels
    assert f"9 samples, {turns.levels} levels" in str(found)
    for part in found.layers:
        assert part.rms(terms.UNEVENNESS) == pytest.approx(0, abs=1e-9)
        assert part.rms(terms.CLIPPING) > 0
        assert part.rms(terms.QUANTISATION) > 0
    assert layer(found, "r1").rms(terms.PROPAGATED) == pytest.approx(0, abs=1e-9)
    assert layer(found, "r2").rms(terms.PROPAGATED) > 0
    assert found.readouts[0].rms(terms.CORRECTION) == pytest.approx(0, abs=1e-9)


# -- many samples ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [2**24, 1])
def test_batches_and_slices_change_nothing(limit, monkeypatch):
    monkeypatch.setattr(observing, "SLICE_VALUES", limit)
    random = np.random.default_rng(0)
    graph, x = residual_net(random), random.random((7, 1, 4, 4))
    network = convert(graph, x, encoding=Poisson(amplitude=1.0))
    whole, parts = Observer(network, graph), Observer(network, graph)
    whole.add([x], interpret(network, x, steps=9))
    for first in (0, 3):
        part = x[first : first + 3 if first == 0 else None]
        parts.add([part], interpret(network, part, steps=9, first_sample=first))
    assert parts.diagnosis().samples == 7
    for one, other in zip(whole.diagnosis().layers, parts.diagnosis().layers, strict=True):
        assert (one.dead, one.full, one.clipped, one.saturated) == (
            other.dead,
            other.full,
            other.clipped,
            other.saturated,
        )
        for term, size in one.terms.items():
            assert other.terms[term].rms == pytest.approx(size.rms)
            assert other.terms[term].mean == pytest.approx(size.mean, abs=1e-12)


def test_batches_must_be_of_one_length():
    graph, x = chain(ONE, ONE), np.ones((1, 1))
    network = Convert()(graph, {"r1": np.ones(1)})
    observer = Observer(network, graph)
    with pytest.raises(DataError, match="no samples"):
        observer.diagnosis()
    observer.add([x], interpret(network, x, steps=4))
    with pytest.raises(DataError, match="5 steps follows one of 4"):
        observer.add([x], interpret(network, x, steps=5))


# -- channels -------------------------------------------------------------------------------------------------------


def test_dead_silent_and_full_channels():
    """Of four channels one fires, one is too weak for a spike, one is negative, one saturates."""
    graph = chain([[0.5], [0.01], [-1.0], [3.0]], [[1.0] * 4])
    found = layer(observed(graph, [[1.0], [0.5]], 8), "r1")
    assert (found.channels, found.dead, found.silent, found.full) == (4, 1, 1, 1)
    assert found.clipped == pytest.approx(2 / 6)
    assert found.saturated == pytest.approx(2 / 8)


def test_a_layer_of_zeros_has_sizes():
    found = layer(observed(chain([[-1.0]], ONE), [[1.0]], 4), "r1")
    assert found.unit == 0
    assert found.total.rms == 0


# -- where the split is not defined ---------------------------------------------------------------------------------

NEURONS = {
    "reset": {"reset": Reset.ZERO},
    "modulo": {"reset": Reset.MODULO},
    "leak": {"leak": 0.9},
    "refractory": {"refractory": 2},
}


@pytest.mark.parametrize("case", NEURONS)
def test_other_neurons_have_a_total_and_a_reason(case):
    found = layer(observed(chain(ONE, ONE), [[0.9]], 8, **NEURONS[case]), "r1")
    assert found.terms == {}
    assert found.undefined.startswith(next(iter(NEURONS[case])))
    assert found.total.rms > 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Graded(IF):
    """A neuron with a field that the diagnosis has never heard of."""

    value: float = 1.0


@pytest.mark.parametrize(("value", "split"), [(1.0, True), (2.0, False)])
def test_unknown_fields_hide_what_is_behind(value, split):
    graph, x = chain(ONE, ONE, ONE), np.array([[0.9]])
    network = Convert(neuron=Graded(value=value))(graph, {"r1": np.ones(1), "r2": np.ones(1)})
    populations = [*network.populations.values()]
    plain = type(populations[1])(**{**populations[1].__dict__, "neuron": IF()})
    network = network.replaced(populations=[populations[0], plain])
    observer = Observer(network, graph)
    observer.add([x], interpret(network, x, steps=8))
    found = observer.diagnosis()
    assert [bool(part.terms) for part in (*found.layers, *found.readouts)] == [split, split, True]
    assert split or [part.undefined for part in found.layers] == ["value = 2.0", "spikes of r1 differ in value"]


def test_other_input_codings_are_refused():
    graph = chain(ONE, ONE)
    network = Convert()(graph, {"r1": np.ones(1)})
    foreign = network.replaced(encodings={"x": object()})
    with pytest.raises(ConversionError, match="coded as object"):
        Observer(foreign, graph)


# -- read-outs ------------------------------------------------------------------------------------------------------


def test_what_a_correction_leaves_of_the_error_of_a_readout():
    random = np.random.default_rng(2)
    graph, x = residual_net(random), random.random((20, 1, 4, 4))
    sizes = {}
    for correction in (0, 20):
        network = convert(graph, x, duration=8, readout_correction=correction)
        observer = Observer(network, graph)
        observer.add([x], interpret(network, x, steps=8))
        (sizes[correction],) = observer.diagnosis().readouts
    assert sizes[0].rms(terms.CORRECTION) == pytest.approx(0, abs=1e-12)
    assert sizes[0].rms(terms.WINDOW) == pytest.approx(0, abs=1e-12)
    assert sizes[0].total.rms == pytest.approx(sizes[0].rms(terms.PROPAGATED))
    assert sizes[20].rms(terms.CORRECTION) > 0
    assert sizes[20].rms(terms.PROPAGATED) == pytest.approx(sizes[0].rms(terms.PROPAGATED))
    assert sizes[20].total.rms < sizes[0].total.rms
