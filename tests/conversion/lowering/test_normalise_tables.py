"""Normalisation by a sample's own values as tables and products of counts."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.diagnosis.observer import Observer
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.normalise_tables import NormaliseTables
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.quantized_reference import quantized_reference
from snntoolbox.conversion.spiking.tables import table_errors, tabulated
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.nodes import Add, Dense, Input, Mean, Multiply, Normalise, ReLU, Reshape, Scale, Tabulated
from snntoolbox.ir.result import Record

RNG = np.random.default_rng(0)
OVER = [((3, 4), (1,)), ((3, 4), (0,)), ((2, 3, 4), (2,)), ((2, 3, 4), (0, 2)), ((4,), (0,)), ((2, 3), (0, 1))]


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("shape", "axes"), OVER)
def test_the_same_function(shape, axes, centred):
    norm = Normalise(name="n", inputs=("x",), axes=axes, epsilon=0.1, centred=centred)
    size = int(np.prod(shape))
    flat = Reshape(name="f", inputs=("n",), shape=(size,))
    last = Dense(name="y", inputs=("f",), weight=RNG.normal(size=(2, size)))
    graph = Graph([Input(name="x", shape=shape), norm, flat, last], ["y"])
    written = NormaliseTables()(graph)
    assert not any(isinstance(n, Normalise) for n in written.nodes.values())
    x = RNG.normal(size=(30, *shape)) * np.geomspace(0.01, 10, 30).reshape(-1, *[1] * len(shape))
    np.testing.assert_allclose(written.run(x), graph.run(x), atol=1e-10)
    np.testing.assert_allclose(lower(graph, Recipe(schedule="radix")).run(x), graph.run(x), atol=1e-10)


def blocks(centred=True, tokens=3, width=8, seed=0, epsilon=1e-5):
    """Two blocks with residuals, normalised before their maps, as in a transformer without attention."""
    random = np.random.default_rng(seed)

    def mapped(name, source, size, of=width):
        weight = random.normal(size=(size, of)) / np.sqrt(of)
        return Dense(name=name, inputs=(source,), weight=weight, bias=random.normal(size=(1, size)) / 3)

    def normalised(name, source):
        gain = random.uniform(0.5, 2, (1, width))
        yield Normalise(name=f"{name}0", inputs=(source,), axes=(1,), epsilon=epsilon, centred=centred)
        yield Scale(name=name, inputs=(f"{name}0",), gain=gain, bias=random.normal(size=(1, width)) / 3)

    nodes = [Input(name="x", shape=(tokens, 5)), mapped("r0", "x", width, 5)]
    for k in range(2):
        nodes += [*normalised(f"n{k}", f"r{k}"), mapped(f"h{k}", f"n{k}", 2 * width)]
        nodes += [ReLU(name=f"a{k}", inputs=(f"h{k}",)), mapped(f"o{k}", f"a{k}", width, 2 * width)]
        nodes += [Add(name=f"r{k + 1}", inputs=(f"r{k}", f"o{k}"))]
    nodes += [*normalised("z", "r2"), Mean(name="m", inputs=("z",), axes=(0,))]
    nodes += [Dense(name="y", inputs=("m",), weight=random.normal(size=(3, width)))]
    return Graph(nodes, ["y"]), random.normal(size=(120, tokens, 5))


@pytest.mark.parametrize(
    ("schedule", "steps", "bits", "centred"),
    [
        ("radix", 3, 8, True),
        pytest.param("phased", 6, 6, False, marks=pytest.mark.long),
        pytest.param("first-spike", 5, 9, True, marks=pytest.mark.long),
    ],
)
def test_networks_have_the_same_spikes_by_every_engine(schedule, steps, bits, centred):
    graph, x = blocks(centred, tokens=2, width=4)
    network = stb.convert(graph, x, schedule=schedule, T=steps, weight_bits=bits)
    expected = interpret(network, x[:2], steps=network.schedule.steps, record=Record(spikes=True))
    for engine in ("counts", "dense"):
        result = stb.simulate(network, x[:2], T=steps, record=Record(spikes=True), engine=engine)
        for name, spikes in expected.spikes.items():
            np.testing.assert_array_equal(result.spikes[name], spikes, err_msg=f"{engine}: {name}")


@pytest.mark.long
def test_brian2_has_the_same_spikes():
    pytest.importorskip("brian2")
    graph, x = blocks(tokens=1, width=4)
    network = stb.convert(graph, x, schedule="radix", T=3, weight_bits=8)
    expected = interpret(network, x[:1], steps=network.schedule.steps, record=Record(spikes=True))
    result = stb.simulate(network, x[:1], T=3, simulator="brian2", record=Record(spikes=True))
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(result.spikes[name], spikes, err_msg=name)


LONG = [pytest.param(*case, marks=pytest.mark.long) for case in ((False, 0.5), (True, 0.0))]


@pytest.mark.parametrize(("centred", "epsilon"), [(True, 1e-5), *LONG])
def test_errors_fall_with_digits_and_equal_the_reference(centred, epsilon):
    graph, x = blocks(centred, epsilon=epsilon)
    expected, errors = graph.run(x[:40]), []
    for steps in (4, 6, 8):
        network = stb.convert(graph, x, schedule="radix", T=steps, readout_correction=0, layer_correction="none")
        result = stb.simulate(network, x[:40], T=steps)
        scales = {p.activation: p.scale for p in network.populations.values()}
        values = quantized_reference(network.original, scales, 2**steps - 1, [x[:40]])
        np.testing.assert_allclose(result.outputs["y"], values["y"], atol=1e-4)
        errors.append(np.sqrt(np.mean((result.outputs["y"] - expected) ** 2)) / expected.std())
    assert errors[0] < 0.2
    assert errors[1] < errors[0] * 0.6
    assert errors[2] < errors[1] * 0.6


def test_what_is_multiplied_is_not_rounded_and_one_neuron_carries_all_constants():
    graph, x = blocks()
    lowered = lower(graph, Recipe(schedule="radix"))
    products = [n for n in lowered.nodes.values() if isinstance(n, Multiply)]
    assert len(products) == 6  # of either sign, three times
    network = stb.convert(graph, x, schedule="radix", T=4)
    always = [p for p in network.populations.values() if p.size == 1]
    assert [float(p.scale.item()) for p in always] == [1.0]
    counts = stb.simulate(network, x[:5], T=4).counts[always[0].name]
    np.testing.assert_array_equal(counts, 15)
    sent = [n for n in network.populations if n.startswith(("r0.", "n00."))]
    assert len([n for n in sent if n.endswith(("up", "down"))]) == 5  # r0 and n00 by two each, a product's lower half


def test_the_terms_of_every_layer_make_its_error_and_tables_tell_theirs():
    graph, x = blocks()
    network = stb.convert(graph, x, schedule="radix", T=5)
    observer = Observer(network, network.original)
    observer.add([x[:10]], stb.simulate(network, x[:10], T=5))
    assert not any(layer.undefined for layer in observer.diagnosis().layers)
    told = table_errors(network, network.original)
    assert len(told) == 3 * (2 + 4)
    for name, error in told.items():
        assert error < 1.2 * np.max(network.populations[name].scale) / 31, name


def test_rows_that_are_almost_empty_leave_the_scale_to_the_others():
    norm = Normalise(name="n", inputs=("x",), axes=(1,), epsilon=1e-5)
    last = Mean(name="y", inputs=("n",), axes=(0,))
    graph = Graph([Input(name="x", shape=(3, 8)), norm, last], ["y"])
    x = RNG.normal(size=(60, 3, 8))
    x[::2, 0] = 0.7  # its factor would be 1 / sqrt(epsilon), 316
    network = stb.convert(graph, x, schedule="radix", T=6)
    assert network.populations["n.inverse.1"].scale.max() < 4
    expected = graph.run(x)
    output = stb.simulate(network, x, T=6).outputs["y"]
    assert np.sqrt(np.mean((output - expected) ** 2)) < 0.1 * expected.std()


def test_it_is_refused_by_name_with_the_way_out():
    graph, x = blocks()
    told = r"n00 \(Normalise\): normalisation .* schedule = phased, radix or first-spike makes"
    with pytest.raises(UnsupportedError, match=told):
        stb.convert(graph, x, duration=16)
    with pytest.raises(ConversionError, match="no bound that follows from weights") as caught:
        stb.convert(graph, schedule="radix", T=6)
    assert caught.value.hint == "give calibration data"


def test_tables_of_their_own_size():
    lowered = lower(blocks()[0], Recipe(schedule="radix"))
    of_own_size = [n.function for n in lowered.nodes.values() if isinstance(n, Tabulated) and n.of_own_size]
    assert sorted(of_own_size) == ["inverse_root"] * 3 + ["square"] * 3


def test_several_tables_of_one_function_are_as_fine_as_more_levels():
    scale, x = np.array([2.0]), np.linspace(-1.2, 1.2, 4001)
    parts = []
    for k in range(4):
        node = Tabulated(name="t", inputs=("x",), function="square", neurons=4)
        table = tabulated(node, scale, 15, shift=node.shifts[k])
        parts.append(table.counts[0][table.place(np.floor(x / table.step + 0.5))] * (scale / 15))
    errors = [np.sqrt(np.mean((values - x * x) ** 2)) for values in (parts[1], np.mean(parts, axis=0))]
    assert errors[1] < 0.5 * errors[0]
