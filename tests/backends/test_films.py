"""Films: frames that keep the potentials of those before, on each simulator that can present them."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.films import Films
from snntoolbox.errors import DataError, UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Conv, Dense, Input, ReLU, Reshape

RANDOM = np.random.default_rng(0)
ALL = stb.Record(spikes=True, potentials=True)
STEPS = 6


def conv():
    """Two layers behind an image."""
    return Graph(
        [
            Input(name="x", shape=(1, 4, 4)),
            Conv(
                name="c", inputs=("x",), weight=RANDOM.normal(size=(3, 1, 3, 3)), bias=np.full((3, 1, 1), 0.125),
                stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1),
            ),
            ReLU(name="first", inputs=("c",)),
            Reshape(name="flat", inputs=("first",), shape=(48,)),
            Dense(name="d", inputs=("flat",), weight=RANDOM.normal(size=(4, 48)) / 4),
            ReLU(name="second", inputs=("d",)),
            Dense(name="o", inputs=("second",), weight=RANDOM.normal(size=(3, 4))),
        ],
        ["o"],
    )  # fmt: skip


GRAPH = conv()
X = RANDOM.random((7, 1, 4, 4)).astype(np.float32)
NETWORKS = {
    "constant": {},
    "Poisson": {"encoding": stb.Poisson(seed=3)},
    "grid": {"encoding": stb.Poisson(seed=3), "weight_bits": 8},
    "constant on the grid": {"weight_bits": 8},
    "levels": {"neuron": IF(initial=0.5, levels=(1.0, 0.5))},
    "leak": {"neuron": IF(initial=0.5, leak=0.875)},
}


def network(name):
    return stb.convert(GRAPH, X, threshold_rule="max", **NETWORKS[name])


def run(snn, x=X, **options):
    return stb.simulate(snn, x, duration=STEPS, record=ALL, **options)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_frame_begins_where_the_last_one_ended(name):
    """By hand: each film as one run of the interpreter's neurons, from the potentials that the frame before left."""
    snn = network(name)
    film = run(snn, reset_every=3)
    numbered = isinstance(snn.encodings["x"], stb.Poisson)  # a train depends on the sample's number: the first alone
    for frame in range(1 if numbered else len(X)):
        kept = frame % 3 > 0
        started = [_starting(p, film.potentials[n][-1, frame - 1]) if kept else p for n, p in snn.populations.items()]
        alone = run(snn.replaced(populations=started, duration=None), X[frame : frame + 1])
        for layer in snn.populations:
            np.testing.assert_array_equal(film.spikes[layer][:, frame], alone.spikes[layer][:, 0])
            np.testing.assert_allclose(film.counts[layer][frame], alone.counts[layer][0])
        np.testing.assert_allclose(film.outputs_per_step["o"][:, frame], alone.outputs_per_step["o"][:, 0], atol=1e-5)


def _starting(population, potential):
    return replace(population, neuron=replace(population.neuron, initial=np.asarray(potential, np.float64)))


@pytest.mark.parametrize("name", NETWORKS)
def test_frames_that_are_alike_are_one_long_run(name):
    """Constant input alone: Poisson trains of samples differ."""
    snn = network(name)
    if isinstance(snn.encodings["x"], stb.Poisson):
        snn = snn.replaced(encodings={"x": stb.Poisson(seed=3, amplitude=1e9)})  # no spike at all: biases drive
    film = run(snn, np.repeat(X[:1], 4, axis=0), reset_every=0)
    long = stb.simulate(snn, X[:1], duration=4 * STEPS, record=ALL)
    for layer, train in long.spikes.items():
        apart = train[:, 0].reshape(4, STEPS, *train.shape[2:]).swapaxes(0, 1)
        np.testing.assert_array_equal(film.spikes[layer], apart)
    np.testing.assert_allclose(film.output.mean(axis=0), long.output[0], atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_trains_are_those_of_the_samples(name):
    """The first frame of each film is as it is alone, and later ones have the same input."""
    snn = network(name)
    film, alone = run(snn, reset_every=3), run(snn)
    for layer in snn.populations:
        np.testing.assert_array_equal(film.spikes[layer][:, ::3], alone.spikes[layer][:, ::3])
    assert any(not np.array_equal(film.spikes[n][:, 1], alone.spikes[n][:, 1]) for n in snn.populations)
    films = Films(3, STEPS)
    assert films.samples(snn, [X])[0].shape[0] == 3
    whole = run(snn, reset_every=3, batch_size=3)
    for layer in snn.populations:
        np.testing.assert_array_equal(film.spikes[layer], whole.spikes[layer])


@pytest.mark.parametrize("name", ["constant", "grid", "constant on the grid"])
@pytest.mark.parametrize("simulator", ["brian2", "nest"])
def test_other_simulators_run_the_same_films(name, simulator):
    if find_spec(simulator) is None:
        pytest.skip(f"{simulator} is not installed")
    snn = network(name)
    if simulator == "nest" and "constant" in name:
        with pytest.raises(UnsupportedError, match="sequences presented step by step"):
            run(snn, reset_every=2, simulator=simulator)
        return
    ours, theirs = run(snn, reset_every=2), run(snn, reset_every=2, simulator=simulator)
    for layer in snn.populations:
        np.testing.assert_array_equal(ours.spikes[layer], theirs.spikes[layer])


def test_currents_bound_potentials_on_the_grid():
    """So that an engine knows in which type its sums are exact: a film has all currents of its frames behind it."""
    snn, films = network("constant on the grid"), Films(3, STEPS)
    long = films.network(snn, [X])
    first = next(iter(snn.populations))
    largest = np.abs(films.samples(snn, [X])[-1]).max()
    assert long.grid.growth == snn.grid.growth + largest > snn.grid.growth
    assert films.samples(snn, [X])[0].any() is np.False_
    assert long.wiring.nodes[long.populations[first].current].inputs[0] == snn.populations[first].current


def test_what_has_no_films():
    pulsed = stb.convert(GRAPH, X, T=STEPS, bias_relaxation=True)
    phased = stb.convert(GRAPH, X, T=STEPS, schedule="phased")
    for snn, words in ((pulsed, "pulses of current"), (phased, "schedule = phased")):
        with pytest.raises(UnsupportedError, match=words):
            stb.simulate(snn, X, reset_every=2)
    with pytest.raises(DataError, match="is no number of samples"):
        run(network("constant"), reset_every=-1)
    with pytest.raises(DataError, match="early exit"):
        run(network("constant"), reset_every=2, early_exit=0.9)
