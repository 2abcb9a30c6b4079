"""What a backend lacks is told in the user's names, all at once."""

from dataclasses import replace

import numpy as np
import pytest

from snntoolbox.errors import BackendError, ConversionError, Unsupported, UnsupportedError
from snntoolbox.ir import features as f
from snntoolbox.ir.capabilities import Capabilities, _together
from snntoolbox.ir.encodings import ConstantCurrent, Poisson, SpikeTimes
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Negative, Reset
from snntoolbox.ir.node import Origin
from snntoolbox.ir.nodes import Add, Delay, Input
from snntoolbox.ir.tabulating import Table

EVERYTHING = Capabilities(features=frozenset(f.FEATURES))
PLAIN = Capabilities(features=f.RESETS | {f.CONSTANT_INPUT, f.FLOAT_WEIGHTS})
GATE = MaxGate(kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))


def network(*neurons, encoding=None, recurrent=False, bias=None, pulses=None):
    nodes = [Input(name="x", shape=(1, 4)), *(Input(name=f"p{i}", shape=(1, 4)) for i in range(bool(recurrent)))]
    current = "x"
    if recurrent:
        back = "p0" if recurrent == "at once" else "later"
        nodes += [Delay(name="later", inputs=("p0",), steps=1), Add(name="sum", inputs=("x", back))]
        current = "sum"
    cells = [
        Population(
            name=f"p{i}",
            shape=(1, 2) if isinstance(n, MaxGate) else (1, 4),
            neuron=n,
            current=current,
            bias=bias,
            pulses=pulses or {},
            scale=np.ones((1, 1)),
            activation="",
            origin=Origin("keras", "ReLU", f"layer{i}"),
        )
        for i, n in enumerate(neurons)
    ]
    return SpikingNetwork(Graph(nodes, [current]), {"x": encoding or ConstantCurrent()}, cells, [])


# what: (feature taken away, network that needs it, layer, reason)
NEEDS = {
    "reset": (f.RESET_SUBTRACT, network(IF()), "layer0 (keras ReLU)", "reset 'subtract'"),
    "leak": (f.LEAK, network(IF(leak=0.5)), "layer0 (keras ReLU)", "leak"),
    "refractory": (f.REFRACTORY, network(IF(refractory=1)), "layer0 (keras ReLU)", "refractory period"),
    "gate": (f.MAX_POOLING, network(GATE), "layer0 (keras ReLU)", "max pooling"),
    "constant": (f.CONSTANT_INPUT, network(IF()), "x", "constant-current input"),
    "poisson": (f.POISSON_INPUT, network(encoding=Poisson()), "x", "Poisson input"),
    "spike times": (
        f.GIVEN_SPIKES,
        network(encoding=SpikeTimes()),
        "x",
        "spike-time input",
    ),
    "recurrent": (f.RECURRENT, network(IF(), recurrent=True), "p0", "a recurrent connection"),
    "delay": (f.DELAYS, network(IF(), recurrent=True), "later (Delay)", "a delay of its own"),
    "bias": (f.BIAS, network(IF(), bias=np.full((1, 1), 0.5)), "layer0 (keras ReLU)", "bias"),
    "initial": (f.INITIAL_POTENTIAL, network(IF(initial=0.5)), "layer0 (keras ReLU)", "initial potential"),
    "thresholds": (
        f.THRESHOLDS,
        network(IF(threshold=np.array([[1.0, 1.0, 2.0, 1.0]]))),
        "layer0 (keras ReLU)",
        "thresholds that differ within a layer",
    ),
    "windows": (f.WINDOWS, network(IF(window=(1, 2))), "layer0 (keras ReLU)", "firing windows"),
    "pulses": (
        f.PULSES,
        network(IF(), pulses={2: np.ones((1, 1))}),
        "layer0 (keras ReLU)",
        "pulses of current",
    ),
    "first steps": (f.TIMED_INPUT, network(IF(), encoding=ConstantCurrent(steps=3)), "x", "first steps alone"),
    "levels": (f.SPIKE_VALUES, network(IF(levels=(1.0, 2.0))), "layer0 (keras ReLU)", "spikes that carry values"),
    "signed": (f.SIGNED_SPIKES, network(IF(negative=Negative.MEMORY)), "layer0 (keras ReLU)", "signed spikes"),
    "saturation": (
        f.SATURATION,
        network(IF(saturation=(-1.0, 1.0))),
        "layer0 (keras ReLU)",
        "potentials that saturate",
    ),
    "off the grid": (f.FLOAT_WEIGHTS, network(IF()), "model", "weights that are not on an integer grid"),
}


@pytest.mark.parametrize(("without", "net", "layer", "reason"), NEEDS.values(), ids=NEEDS)
def test_what_is_missing_is_named(without, net, layer, reason):
    EVERYTHING.check("all", net)
    (offender,) = EVERYTHING.without(without).missing(net)
    assert layer in offender.layer
    assert reason in offender.reason


# what: (feature, what it is held beside, a network that has both, one that has not, the reason)
BESIDE = {
    "leak": (
        f.LEAK,
        f.RESET_ZERO,
        network(IF(leak=0.5, reset=Reset.ZERO)),
        network(IF(leak=0.5)),
        "leak with reset 'subtract'",
    ),
    "refractory": (
        f.REFRACTORY,
        f.RESET_SUBTRACT,
        network(IF(refractory=1)),
        network(IF(refractory=1, reset=Reset.ZERO)),
        "refractory period with reset 'zero'",
    ),
    "not one of several": (
        f.LEAK,
        f.BIAS,
        network(IF(leak=0.5), bias=np.full((1, 1), 0.5)),
        network(IF(leak=0.5)),
        "leak without bias",
    ),
}


@pytest.mark.parametrize(("feature", "other", "held", "refused", "reason"), BESIDE.values(), ids=BESIDE)
def test_a_feature_may_be_held_beside_another_alone(feature, other, held, refused, reason):
    some = EVERYTHING.without(feature)
    some = replace(some, features=some.features | {feature.beside(other)})
    assert some.missing(held) == []
    (offender,) = some.missing(refused)
    assert offender == Unsupported("layer0 (keras ReLU)", reason)


def test_layers_of_one_name_do_not_lend_each_other_what_they_have():
    """One resets to zero, the other leaks: a leak held beside that reset alone is missing."""
    net = network(IF(reset=Reset.ZERO), IF(leak=0.5))
    cells = [replace(p, origin=Origin("keras", "ReLU", "both")) for p in net.populations.values()]
    some = replace(EVERYTHING, features=EVERYTHING.without(f.LEAK).features | {f.LEAK.beside(f.RESET_ZERO)})
    assert [o.reason for o in some.missing(net.replaced(populations=cells))] == ["leak with reset 'subtract'"]


def test_a_loop_without_a_delay_is_refused_by_all():
    with pytest.raises(UnsupportedError, match=r"p0.*: a loop without a delay(.|\n)*Delay of at least one step"):
        EVERYTHING.check("all", network(IF(), recurrent="at once"))


def test_a_table_without_a_window_is_refused_by_all():
    """It would never be read: neurons would fire as if they had none."""
    table = Table(np.array([[0, 1]]), 0, 1, np.ones(1))
    net = network(IF(table=table))
    with pytest.raises(UnsupportedError, match=r"layer0 .*: a table of counts without a window(.|\n)*a `window`"):
        EVERYTHING.check("all", net)
    with pytest.raises(ConversionError, match="read when a window opens"):
        interpret(net, np.zeros((1, 1, 4)), steps=1)
    EVERYTHING.check("all", network(IF(table=table, window=(0, 1)), IF()))


def test_a_backend_may_refuse_what_nobody_else_tells_apart():
    odd = f.Feature("an odd number of thresholds", asked_by=f.of_neurons(lambda n: n.threshold == 3.0))
    some = replace(EVERYTHING, refuses=(odd,))
    assert some.missing(network(IF(threshold=2.0))) == []
    assert [o.reason for o in some.missing(network(IF(threshold=3.0)))] == ["an odd number of thresholds"]


def test_everything_missing_is_told_at_once():
    net = network(IF(leak=0.5, refractory=2), GATE, encoding=Poisson())
    with pytest.raises(UnsupportedError, match="backend 'nothing' cannot take") as caught:
        Capabilities().check("nothing", net)
    assert {o.layer: o.reason for o in caught.value.offenders if "layer" not in o.layer} == {
        "x": "Poisson input",
        "model": "weights that are not on an integer grid",
    }
    assert len(caught.value.offenders) == 6


def test_what_does_not_differ_needs_nothing():
    """Equal thresholds in an array, a bias and a start of zero are no features; nor is a leak with its reset."""
    plain = Capabilities(
        features=frozenset({f.RESET_ZERO, f.CONSTANT_INPUT, f.FLOAT_WEIGHTS, f.LEAK.beside(f.RESET_ZERO)})
    )
    neuron = IF(threshold=np.full((1, 4), 2.0), initial=np.zeros((1, 4)), leak=0.5, reset=Reset.ZERO)
    assert plain.missing(network(neuron, bias=np.zeros((1, 1)))) == []


HINTS = {
    "who can": (network(IF(leak=0.5)), {"first": Capabilities(), "able": EVERYTHING}, "simulator = able can run"),
    "not itself": (network(IF(initial=0.5)), {"tested": EVERYTHING}, "snntoolbox capabilities"),
    "setting": (network(GATE), {}, "maxpool_type = relu_tree"),
    "either": (network(IF(), encoding=Poisson()), {"able": EVERYTHING}, "able can run .*, or .*poisson_input = False"),
}


@pytest.mark.parametrize(("net", "others", "hint"), HINTS.values(), ids=HINTS)
def test_hint_says_what_to_do(net, others, hint):
    with pytest.raises(UnsupportedError, match=hint):
        PLAIN.check("tested", net, others)


def test_hint_names_each_setting_once_and_only_what_helps():
    net = network(IF(window=(0, 1)), encoding=ConstantCurrent(steps=1))
    for tested, on_grid in ((PLAIN, 0), (replace(PLAIN, features=PLAIN.features | {f.PULSES}), 1)):
        with pytest.raises(UnsupportedError) as caught:
            tested.check("tested", net)
        assert caught.value.hint.count("schedule = rate") == 1
        assert caught.value.hint.count("weight_bits = 8") == on_grid


def test_a_setting_with_more_stands_for_the_setting():
    rate = "[conversion] schedule = rate"
    assert _together([[rate], [f"{rate}, with approximate"], ["another model"]]) == (
        f"{rate}, with approximate, and another model"
    )
    assert _together([[rate], ["b"], [f"{rate}s"]]) == f"{rate}, and b, and {rate}s"


def test_settings_that_help_only_together_are_joined_by_and():
    net = network(IF(window=(0, 1), leak=0.9))
    with pytest.raises(UnsupportedError) as caught:
        PLAIN.check("tested", net)
    told = caught.value.hint.partition(", and ")
    assert {words.partition("] ")[2] for words in (told[0], told[2])} == {"schedule = rate", "leak = False"}


def test_one_layer_of_two_populations_is_named_once():
    twice = replace(network(IF(window=(0, 1))).populations["p0"], name="p1")
    net = network(IF(window=(0, 1)))
    populations = [*net.populations.values(), twice]
    both = SpikingNetwork(Graph(net.wiring.nodes.values(), net.wiring.outputs), net.encodings, populations, [])
    with pytest.raises(UnsupportedError) as caught:
        EVERYTHING.without(f.WINDOWS).check("tested", both)
    assert len(caught.value.offenders) == 1
    assert str(caught.value).count("firing windows") == 1


def test_installed_is_told_without_importing(tmp_path, monkeypatch):
    (tmp_path / "poisoned_simulator.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    here = Capabilities(modules=("numpy", "poisoned_simulator.inside"), extra="sim")
    assert here.installed()
    here.require("sim")
    absent = replace(here, modules=("numpy", "no_such_simulator"))
    assert not absent.installed()
    with pytest.raises(BackendError, match=r"no module no_such_simulator(.|\n)*pip install 'snntoolbox\[sim\]'"):
        absent.require("sim")
    with pytest.raises(BackendError, match="hint: install no_such_simulator"):
        replace(absent, extra="").require("sim")
