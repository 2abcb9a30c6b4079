"""Layers that are held at their start: which, for how long, and what the rest makes of it."""

import json

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.spiking.clamp import Clamp
from snntoolbox.errors import ConfigError, ConversionError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.result import Record
from snntoolbox.workflow.choices import recipe_of
from snntoolbox.workflow.config.load import load_config

ALL = Record(spikes=True, potentials=True)


def graph():
    random = np.random.default_rng(0)
    nodes = [
        Input(name="x", shape=(6,)),
        Dense(name="first", inputs=("x",), weight=random.normal(size=(20, 6)), bias=random.normal(size=20)),
        ReLU(name="one", inputs=("first",)),
        Dense(name="second", inputs=("one",), weight=random.normal(size=(10, 20)) / 5),
        ReLU(name="two", inputs=("second",)),
        Dense(name="last", inputs=("two",), weight=random.normal(size=(3, 10))),
    ]
    return Graph(nodes, ["last"]), random.random((100, 6))


@pytest.mark.parametrize("layers", [{"two": 5}, {"1": 5}])
def test_a_layer_is_held_and_then_goes_on_from_its_start(layers):
    original, x = graph()
    free = stb.convert(original, x, T=20)
    held = Clamp(layers)(free)
    expected, found = (interpret(n, x, steps=20, record=ALL) for n in (free, held))
    start = np.broadcast_to(free.populations["two"].neuron.initial, found.potentials["two"][0].shape)
    assert not found.spikes["two"][:5].any()
    assert np.array_equal(found.potentials["two"][:5], [start] * 5)
    assert found.spikes["two"][5:].any()
    assert np.array_equal(found.spikes["one"], expected.spikes["one"])
    alone = interpret(free, x, steps=1, record=ALL).potentials["two"]
    assert not np.array_equal(alone, [start])


def test_the_leak_does_not_move_what_is_held():
    original, x = graph()
    held = Clamp({"one": 6})(stb.convert(original, x, T=20, neuron=IF(leak=0.5, initial=0.5)))
    potentials = interpret(held, x, steps=6, record=ALL).potentials["one"]
    assert np.all(potentials == held.populations["one"].neuron.initial)


@pytest.mark.parametrize("chunk", [0, 3])
def test_the_built_in_simulator_holds_them_too(chunk):
    original, x = graph()
    network = stb.convert(original, x, T=20, clamps=(("0", 4), ("two", 7)), threshold_rule="max", normalize=False)
    expected = interpret(network, x, steps=20, record=ALL)
    with backend_named("INI").build(network, chunk=chunk, dtype="float64") as simulation:
        found = simulation.run(x, steps=20, record=ALL)
    assert all(np.array_equal(found.spikes[name], spikes) for name, spikes in expected.spikes.items())
    assert not found.spikes["one"][:4].any()
    assert found.spikes["one"][4:].any()
    assert not found.spikes["two"][:7].any()


def test_a_read_out_is_fitted_to_what_is_left():
    original, x = graph()
    late = stb.convert(original, x, T=64, clamps=(("one", 16), ("two", 16)))
    assert late.readouts[0].start == 16
    error = np.abs(late.run(x).output - original.run(x)).mean() / np.abs(original.run(x)).mean()
    assert error < 0.1


def test_unknown_layers_and_schedules_are_refused():
    original, x = graph()
    with pytest.raises(ConversionError, match="no layer three, 7 can be clamped"):
        stb.convert(original, x, T=8, clamps=(("three", 4), ("7", 1), ("0", 2)))
    with pytest.raises(ConversionError, match="no layer three can be clamped"):  # before thresholds are chosen
        lower(original, stb.Recipe(clamps=(("three", 4), ("0", 2))))
    with pytest.raises(ConversionError, match="clamps are for layers that fire all the time"):
        stb.convert(original, x, T=8, clamps=(("one", 4),), schedule="phased")


@pytest.mark.parametrize("clamps", [(("0", 3), ("one", 4)), (("one", 3), ("0", 3)), (("0", 3), ("00", 0))])
def test_a_layer_that_is_named_twice_is_refused(clamps):
    with pytest.raises(ConversionError, match=r"layers are clamped twice: \w+ is one, \w+ is one"):
        stb.convert(graph()[0], T=8, clamps=clamps, normalize=False, threshold_rule="max")


def settings(folder, text, dt=1, more=()):
    (folder / "clamp.json").write_text(text)
    config = "[paths]\nfilename_ann = net\nfilename_clamp_indices = clamp.json\n"
    (folder / "config.ini").write_text(f"{config}[simulation]\nduration = 8\ndt = {dt}\n")
    return load_config(folder / "config.ini", more)


def test_a_film_is_as_long_as_its_samples(tmp_path):
    for samples, ms in ((2, 16), (-1, 1000)):
        given = settings(tmp_path, f'{{"0": {ms}}}', more=[f"simulation.reset_between_nth_sample={samples}"])
        assert recipe_of(given, 1.0, (0.0, 1.0)).clamps == (("0", ms),)


def test_a_file_says_which_and_for_how_many_ms(tmp_path):
    recipe = recipe_of(settings(tmp_path, json.dumps({"0": 3, "relu": 1.5}), dt=0.5), 1.0, (0.0, 1.0))
    assert recipe.clamps == (("0", 6), ("relu", 3))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1, 2]", "cannot be read"),
        ("{", "cannot be read"),
        ('{"0": -1}', "no number of steps"),
        ('{"0": 1.5}', "no number of steps"),
        ('{"0": true}', "no number of steps"),
        ('{"0": "3"}', "no number of steps"),
        ('{"1": 8, "0": 1000}', "layer 0 for 1000 ms, longer than the run of 8 ms"),
        ('{"0": 1, "0": 2}', "names 0 twice"),
    ],
)
def test_another_file_is_refused(tmp_path, text, told):
    with pytest.raises(ConfigError, match=told):
        recipe_of(settings(tmp_path, text), 1.0, (0.0, 1.0))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    given = settings(tmp_path, "{}")
    (tmp_path / "clamp.json").unlink()
    with pytest.raises(ConfigError, match="does not exist"):
        recipe_of(given, 1.0, (0.0, 1.0))
