"""The smallest network asks for all that the network of a recipe does: walked over every field and every part."""

from dataclasses import fields, replace

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.checking import all_capabilities
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.smallest_network import check_planned, check_unopened, smallest_network
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir import features as f
from snntoolbox.ir.adaptive import RateThreshold, SubtractSent, ThresholdSpikes
from snntoolbox.ir.encodings import SpikeTimes
from snntoolbox.ir.features import FEATURES, features
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Input, Multiply, ReLU
from snntoolbox.ir.payloads import ResidueSpikes

T = 4


def neuron(**parts):
    return {"neuron": IF(**{"initial": 0.5, **parts})}


NOTHING = [{}]
"""Of a choice that changes weights and thresholds alone, or a graph of rectifiers."""
FIELDS = {
    **dict.fromkeys(("normalize", "threshold_rule", "percentile", "percentile_fall", "per_channel"), NOTHING),
    **dict.fromkeys(("headroom", "max2avg_pool", "avgpool_neurons", "softmax_to_relu", "approximate"), NOTHING),
    **dict.fromkeys(("grid_threshold", "binarize_weights", "correction_samples", "readout_correction"), NOTHING),
    **dict.fromkeys(("input_range", "batch_size", "readout_seed", "dt", "allowed_loss", "most_neurons"), NOTHING),
    "products": NOTHING,
    "max_pool": [{"max_pool": kind} for kind in ("gate", "fir_max", "exp_max", "avg_max", "wta")],
    "bias": [{"bias": "neuron"}],
    "readout": [{"readout": kind} for kind in ("spikes", "softmax")],
    "neuron": [],
    "encoding": [
        *({"encoding": coding} for coding in (stb.Poisson(), stb.Latency(window=T), SpikeTimes())),
        {"encoding": stb.BinaryDigits(), "schedule": "radix"},
    ],
    "delay": [{"delay": 2}],
    "weight_bits": [{"weight_bits": 8}, {"weight_bits": 8, "schedule": "phased"}],
    "bias_relaxation": [{"bias_relaxation": True}],
    "layer_correction": [{"layer_correction": "steps"}],
    "clamps": [{"clamps": (("0", 2),)}],
    "bits": [{"bits": {"*": T - 1}, "schedule": "radix"}],
    "neurons_per_value": [{"neurons_per_value": n, "schedule": "radix"} for n in (2, "auto")],
    "schedule": [{"schedule": name} for name in ("phased", "radix", "first-spike", "differential")],
}
NEURON = {
    **dict.fromkeys(("threshold", "window", "counting", "ends"), ()),  # no choices of a recipe
    "reset": [neuron(reset=kind) for kind in ("zero", "modulo")],
    "reset_potential": [neuron(reset="zero", reset_potential=-1.0)],
    "initial": [neuron(initial=0.25)],
    "leak": [neuron(leak=0.9)],
    "synaptic": [neuron(synaptic=(0.5, 0.5)), neuron(synaptic=(0.5, 0.25))],
    "refractory": [neuron(refractory=1)],
    "levels": [neuron(levels=(1.0, 2.0))],
    "negative": [neuron(negative="memory")],
    **dict.fromkeys(("latched", "contraction", "table"), ()),  # of products and functions that a model has
    "saturation": [neuron(saturation=(-1.0, 2.0))],
    "special": [
        neuron(special=(ResidueSpikes(),)),
        neuron(special=(RateThreshold(0.2, 0.1, 2), ThresholdSpikes(), SubtractSent())),
    ],
}
CASES = [case for rows in (FIELDS, NEURON) for cases in rows.values() for case in cases if case]
OF_MODELS = {f.BIAS, f.THRESHOLDS, f.INITIAL_POTENTIAL, f.BRANCHES, f.LINEAR_MAPS, f.SUMMED_READOUT, f.COUNTED_READOUT}
"""What follows from weights and data, and what every simulator has."""
NOT_CHOSEN = {f.OWN_PARTS, f.SIGNED_INPUT, f.BATCHES, f.RECORDED_SPIKES, f.RECORDED_POTENTIALS, f.QUICK_LOOPS}
SEQUENCES = {f.SEQUENCES, f.RECURRING}
"""Those of schedule = recurrent, whose models have no max pools: see the test of its own."""


@pytest.fixture(scope="module")
def graph(new_net):
    net = new_net(1, 4, 4, seed=3)
    hidden = net.relu(net.conv("x", 2))
    net.dense(net.flat(net.pool(hidden)), 3)
    return net.graph()


X = np.random.default_rng(2).random((20, 1, 4, 4)).round(2)


def asked(network):
    return {row.feature for row in features(network)}


def test_every_field_is_walked():
    assert FIELDS.keys() == {field.name for field in fields(Recipe)}
    assert NEURON.keys() == {field.name for field in fields(IF)}


@pytest.mark.parametrize("choices", CASES, ids=range(len(CASES)))
def test_it_asks_for_what_the_network_does(graph, choices):
    recipe = Recipe(**choices)
    x = np.zeros((20, T, 1, 4, 4)) if isinstance(recipe.encoding, SpikeTimes) else X
    network = stb.convert(graph, X if x is X else None, recipe=recipe, T=T)
    smallest = smallest_network(recipe, T, pools=True, samples=True)
    assert asked(network) - OF_MODELS <= asked(smallest) - OF_MODELS


def test_together_they_ask_for_all_that_there_is():
    found = set().union(*(asked(smallest_network(Recipe(**case), T, pools=True, samples=True)) for case in CASES))
    found |= asked(smallest_network(Recipe(schedule="phased"), T, products=True))
    found |= asked(smallest_network(Recipe(schedule="phased"), T, sums=True))
    found |= asked(smallest_network(Recipe(schedule="phased"), T, tables=True))
    left = {feature for feature in FEATURES if not feature.by_form} - found - OF_MODELS - NOT_CHOSEN
    assert left == SEQUENCES


def test_what_only_some_models_have_is_asked_for_with_them_alone():
    products, sums = Latched.features
    for choices, words in (
        ({"max_pool": "fir_max"}, f.MAX_POOLING),
        ({"layer_correction": "steps"}, f.PULSES),
        ({"schedule": "phased"}, products),
        ({"schedule": "radix"}, products),
    ):
        recipe = Recipe(**choices)
        assert words not in asked(smallest_network(recipe, T))
        assert words in asked(smallest_network(recipe, T, pools=True, products=True, samples=True))
    for kind in ("summed", "single"):
        found = asked(smallest_network(Recipe(schedule="radix", products=kind), T, sums=True))
        assert products in found
        assert (sums in found) == (kind == "summed")


def test_all_is_named_at_once_where_something_is_refused():
    """A simulator without max pooling takes a model without; where it lacks more both are named."""

    def check(network):
        backend_named("nest").capabilities.check("nest", network)

    check_unopened(check, Recipe(max_pool="fir_max"), T)
    with pytest.raises(UnsupportedError) as caught:
        check_unopened(check, replace(Recipe(max_pool="fir_max"), clamps=(("0", 2),)), T)
    assert [o.reason for o in caught.value.offenders] == [
        "potentials held for the first steps",
        "max pooling by a gate on spike counts",
    ]


@pytest.mark.parametrize("schedule", ["phased", "radix"])
def test_a_product_comes_in_turn(schedule):
    """Hardware multiplies what has been counted before, which the smallest network has too."""
    whole = smallest_network(Recipe(schedule=schedule, weight_bits=8), T, products=True, tables=True)
    assert not backend_named("verilog").capabilities.missing(whole)


def test_a_way_out_holds_for_models_with_products_and_tables_too():
    """Of the simulators that take windows some have neither, which an unopened model may need."""

    def check(network):
        backend_named("nest").capabilities.check("nest", network, all_capabilities())

    with pytest.raises(UnsupportedError) as caught:
        check_unopened(check, Recipe(schedule="phased"), T)
    assert "simulator = INI or brian2 or pynn.brian2 or pynn.neuron can run all of these, or" in caught.value.hint
    assert caught.value.hint.endswith("between layers: simulator = INI or brian2 can run all of these")
    with pytest.raises(UnsupportedError) as caught:
        check_unopened(check, Recipe(schedule="differential"), T)
    assert "between layers" not in caught.value.hint


def test_layers_of_a_model_are_named_that_need_what_is_refused():
    """Beside what the recipe alone asks for; each layer of a kind."""
    nodes = [Input(name="x", shape=(3,)), ReLU(name="a", inputs=("x",)), ReLU(name="b", inputs=("x",))]
    nodes += [Multiply(name=f"gate{i}", inputs=("a", "b")) for i in (1, 2)]
    graph = Graph(nodes, ["gate1", "gate2"])

    def check(network):
        backend_named("nest").capabilities.check("nest", network)

    with pytest.raises(UnsupportedError) as caught:
        check_planned(check, Recipe(schedule="radix"), T, graph)
    found = [(o.layer, o.reason) for o in caught.value.offenders]
    products = [row for row in found if "product of counts" in row[1]]
    assert products == [(f"gate{i} (Multiply)", products[0][1]) for i in (1, 2)]
    assert ("the neurons", "steps that are binary digits (radix windows)") in found
    assert len(found) == 3
    assert caught.value.message.startswith("backend 'nest' cannot take:")
    assert "schedule = rate" in caught.value.hint
    check_planned(lambda network: None, Recipe(schedule="radix"), T, graph)  # what can be taken is
