"""Keys and the fields of a recipe: every field has its key, and both ways lead to the same."""

import math
from dataclasses import fields

import numpy as np
import pytest

from snntoolbox.conversion.changes import changed
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.errors import ConversionError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.neurons import IF, Negative, Reset
from snntoolbox.ir.nodes import Input, ReLU
from snntoolbox.ir.result import Record
from snntoolbox.workflow.choices import OF_A_RUN, as_key, notation_of, recipe_keys, recipe_of
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.schema import keys
from snntoolbox.workflow.config.values import show


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "config.ini").write_text("[paths]\nfilename_ann = model.onnx\n")
    return lambda *changes: load_config(tmp_path / "config.ini", changes)


def plain(recipe):
    """The fields of a recipe and of its neuron, which compare by identity."""
    neuron = {field.name: getattr(recipe.neuron, field.name) for field in fields(recipe.neuron)}
    return {**vars(recipe), "neuron": neuron}


def test_the_defaults_are_those_of_a_recipe(settings):
    assert plain(recipe_of(settings(), 1.0, (0.0, 1.0))) == plain(Recipe())


def test_keys_name_fields_and_fields_have_keys():
    known = {f.name for f in fields(Recipe)} | {f"neuron.{f.name}" for f in fields(IF)}
    assert recipe_keys().keys() <= known
    only_in_python = {"input_range", "batch_size"}
    assert {f.name for f in fields(Recipe)} - recipe_keys().keys() == only_in_python | {"neuron"}
    assert set(OF_A_RUN.values()) <= keys().keys()


CHOSEN = {
    "cell.reset=zero": ("neuron.reset", Reset.ZERO),
    "cell.spikes=signed": ("neuron.negative", Negative.MEMORY),
    "cell.levels=[2, 1]": ("neuron.levels", (2.0, 1.0)),
    "cell.tau_refrac=3": ("neuron.refractory", 2),
    "normalization.headroom=0.8": ("headroom", 0.8),
    "conversion.initial_potential=0.25": ("neuron.initial", 0.25),
    "conversion.threshold_scope=layer": ("per_channel", False),
    "conversion.maxpool_type=fir_max": ("max_pool", "fir_max"),
    "conversion.approximate=gelu": ("approximate", frozenset({"gelu"})),
    "normalization.percentile=99": ("percentile", 99.0),
    "tools.normalize=False": ("normalize", False),
    "simulation.dt=0.5": ("dt", 0.5),
    "cell.delay=3": ("delay", 2),
    "cell.v_limits=[-1, 2]": ("neuron.saturation", (-1.0, 2.0)),
    "cell.tau_syn_E=5": ("neuron.synaptic", (math.exp(-1 / 5), 0.0)),
}


@pytest.mark.parametrize("key", CHOSEN)
def test_a_key_reaches_its_field_alone(key, settings):
    recipe = recipe_of(settings(key), 1.0, (0.0, 1.0))
    assert plain(recipe) == plain(changed(Recipe(), dict([CHOSEN[key]])))
    assert plain(recipe) != plain(Recipe())


def test_fields_that_follow_from_several_keys(settings):
    recipe = recipe_of(settings("cell.leak=True", "cell.tau_m=20", "simulation.dt=0.5"), 1.0, (0.0, 1.0))
    assert recipe.neuron.leak == math.exp(-0.5 / 20)
    recipe = recipe_of(settings("cell.reset=zero", "cell.v_thresh=2", "cell.v_reset=-1"), 1.0, (0.0, 1.0))
    assert recipe.neuron.reset_potential == -0.5
    recipe = recipe_of(settings("cell.tau_refrac=3", "simulation.dt=0.5"), 1.0, (0.0, 1.0))
    assert recipe.neuron.refractory == 5
    below = settings("cell.reset=zero", "cell.v_rest=-65", "cell.v_thresh=-55", "cell.v_reset=-70")
    recipe = recipe_of(below, 1.0, (0.0, 1.0))
    assert recipe.neuron.reset_potential == -0.5
    recipe = recipe_of(settings("cell.v_rest=-65", "cell.v_thresh=-55", "cell.v_limits=[-70, -45]"), 1.0, (0.0, 1.0))
    assert recipe.neuron.saturation == (-0.5, 2.0)
    assert recipe_of(settings("cell.delay=2", "simulation.dt=0.5"), 1.0, (0.0, 1.0)).delay == 3
    recipe = recipe_of(settings("cell.tau_syn_e=5", "cell.tau_syn_I=2", "simulation.dt=0.5"), 1.0, (0.0, 1.0))
    assert recipe.neuron.synaptic == (math.exp(-0.1), math.exp(-0.25))
    recipe = recipe_of(settings("cell.tau_syn_E=0.01", "cell.tau_syn_I=0", "simulation.dt=0.01"), 1.0, (0.0, 1.0))
    assert recipe.neuron.synaptic == (0.0, 0.0)


@pytest.mark.parametrize(("tau", "dt", "gap"), [(0, 1, 1), (1, 1, 1), (2, 1, 2), (3, 1, 3), (1, 0.5, 2), (4, 2, 2)])
def test_a_refractory_period_is_the_shortest_time_between_spikes(tau, dt, gap, settings):
    """A neuron that is driven far above its threshold fires again after so many steps."""
    recipe = recipe_of(settings(f"cell.tau_refrac={tau}", f"simulation.dt={dt}"), 1.0, (0.0, 1.0))
    graph = Graph([Input(name="x", shape=(1,)), ReLU(name="r", inputs=("x",))], ["r"])
    network = Convert(neuron=recipe.neuron, dt=recipe.dt)(graph, {"r": np.ones(1)})
    trains = interpret(network, np.array([[5.0]]), steps=12, record=Record(spikes=True)).spikes["r"]
    assert np.flatnonzero(trains).tolist() == list(range(0, 12, gap))


def test_the_data_scale_poisson_input(settings):
    trains = settings("input.poisson_input=True", "input.input_rate=500", "simulation.seed=3")
    recipe = recipe_of(trains, 4.0, (-1.0, 4.0))
    assert recipe.encoding == Poisson(amplitude=8.0, seed=3)
    assert recipe.input_range == (-1.0, 4.0)
    assert recipe_of(trains, 0.0, (0.0, 1.0)).encoding.amplitude == 2.0


def test_the_data_scale_latency_input(settings):
    chosen = recipe_of(settings("input.latency_input=True", "input.latency_steps=4"), 3.0, (-1.0, 3.0))
    assert chosen.encoding == Latency(amplitude=3.0, window=4)
    assert str(as_key("encoding", chosen.encoding)) == "[input] latency_input = True"


@pytest.mark.parametrize(("least", "signed"), [(-1.0, True), (0.0, False)])
def test_the_data_scale_binary_digits_and_say_whether_they_have_signs(settings, least, signed):
    chosen = recipe_of(settings("input.digit_input=True", "conversion.schedule=radix"), 3.0, (least, 3.0))
    assert chosen.encoding == BinaryDigits(amplitude=3.0, signed=signed)
    assert str(as_key("encoding", chosen.encoding)) == "[input] digit_input = True"


def test_a_correction_that_the_schedule_has_not_is_refused(settings):
    with pytest.raises(ConversionError, match="steps"):
        recipe_of(settings("conversion.schedule=phased", "conversion.layer_correction=steps"), 1.0, (0.0, 1.0))


WRITTEN = {
    "[tools] normalize = True": ("normalize", True),
    "[cell] spikes = signed": ("neuron.negative", Negative.MEMORY),
    "[cell] leak = False": ("neuron.leak", 1.0),
    "[cell] tau_refrac = 0": ("neuron.refractory", 0),
    "[cell] reset = subtract": ("neuron.reset", Reset.SUBTRACT),
    "[input] poisson_input = False": ("encoding", ConstantCurrent()),
    "[conversion] threshold_scope = layer": ("per_channel", False),
    "[conversion] maxpool_type = relu_tree": ("max_pool", "relu_tree"),
    "[simulation] duration = 64": ("duration", 64.0),
    "[simulation] early_exit = 0.99": ("early_exit", 0.99),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_a_field_as_its_key(text, settings):
    name, value = WRITTEN[text]
    setting = as_key(name, value)
    assert str(setting) == text
    if name not in OF_A_RUN:
        other = ["cell.leak=True", "input.poisson_input=True", "tools.normalize=False"]
        other += ["cell.tau_refrac=2"] if name != "neuron.negative" else []  # they do not go together
        recipe = recipe_of(settings(*other, f"{setting.path}={show(setting.value)}"), 1.0, (0.0, 1.0))
        assert plain(recipe) == plain(changed(recipe, {name: value}))


@pytest.mark.parametrize(
    ("code", "duration", "schedule"),
    [
        ("temporal_mean_rate", "[simulation] duration = 8", "[conversion] schedule = rate"),
        ("ttfs", "[simulation] duration = 8", "[conversion] spike_code = temporal_mean_rate"),
        ("temporal_pattern", "[conversion] num_bits = 8", "[conversion] spike_code = temporal_mean_rate"),
    ],
)
def test_advice_is_written_as_a_code_has_it(code, duration, schedule):
    """So that what is advised is not refused, and has an effect."""
    notation = notation_of(load_config({"paths": {"filename_ann": "net"}, "conversion": {"spike_code": code}}))
    assert (str(notation("duration", 8)), str(notation("schedule", "rate"))) == (duration, schedule)
    assert str(notation("threshold_rule", "mmse")) == "[conversion] threshold_rule = mmse"


@pytest.mark.parametrize("key", ["poisson_input", "latency_input", "digit_input"])
def test_a_current_is_written_by_the_key_that_chose_spikes(key, settings):
    more = ["conversion.schedule=radix"] if key == "digit_input" else []
    notation = notation_of(settings(f"input.{key}=True", "simulation.duration=16", *more))
    assert str(notation("encoding", ConstantCurrent())) == f"[input] {key} = False"
