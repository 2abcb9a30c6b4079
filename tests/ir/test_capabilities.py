"""What a backend lacks is told in the user's names, all at once."""

from dataclasses import replace

import numpy as np
import pytest

from snntoolbox.errors import BackendError, UnsupportedError
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.encodings import ConstantCurrent, Poisson, SpikeTimes
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Negative, Reset
from snntoolbox.ir.node import Origin
from snntoolbox.ir.nodes import Add, Input

EVERYTHING = Capabilities(
    resets=frozenset(Reset),
    leak=True,
    refractory=True,
    max_gate=True,
    encodings=frozenset({ConstantCurrent, Poisson, SpikeTimes}),
    recurrent=True,
    bias=True,
    initial=True,
    thresholds=True,
    windows=True,
    pulses=True,
    timed_input=True,
    levels=True,
    signed=True,
)
GATE = MaxGate(kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))


def network(*neurons, encoding=None, recurrent=False, bias=None, pulses=None):
    nodes = [Input(name="x", shape=(1, 4)), *(Input(name=f"p{i}", shape=(1, 4)) for i in range(recurrent))]
    current = "x"
    if recurrent:
        nodes.append(Add(name="sum", inputs=("x", "p0")))
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


# what: (field taken away, network that needs it, layer, reason)
NEEDS = {
    "reset": ({"resets": frozenset({Reset.ZERO})}, network(IF()), "layer0 (keras ReLU)", "reset 'subtract'"),
    "leak": ({"leak": False}, network(IF(leak=0.5)), "layer0 (keras ReLU)", "leak"),
    "refractory": ({"refractory": False}, network(IF(refractory=1)), "layer0 (keras ReLU)", "refractory period"),
    "gate": ({"max_gate": False}, network(GATE), "layer0 (keras ReLU)", "max pooling"),
    "constant": ({"encodings": frozenset({Poisson})}, network(IF()), "x", "constant-current input"),
    "poisson": ({"encodings": frozenset({ConstantCurrent})}, network(encoding=Poisson()), "x", "Poisson input"),
    "spike times": (
        {"encodings": frozenset({ConstantCurrent, Poisson})},
        network(encoding=SpikeTimes()),
        "x",
        "spike-time input",
    ),
    "recurrent": ({"recurrent": False}, network(IF(), recurrent=True), "p0", "recurrent"),
    "bias": ({"bias": False}, network(IF(), bias=np.full((1, 1), 0.5)), "layer0 (keras ReLU)", "bias"),
    "initial": ({"initial": False}, network(IF(initial=0.5)), "layer0 (keras ReLU)", "initial potential"),
    "thresholds": (
        {"thresholds": False},
        network(IF(threshold=np.array([[1.0, 1.0, 2.0, 1.0]]))),
        "layer0 (keras ReLU)",
        "thresholds that differ within a layer",
    ),
    "windows": ({"windows": False}, network(IF(window=(1, 2))), "layer0 (keras ReLU)", "firing windows"),
    "pulses": (
        {"pulses": False},
        network(IF(), pulses={2: np.ones((1, 1))}),
        "layer0 (keras ReLU)",
        "pulses of current",
    ),
    "first steps": ({"timed_input": False}, network(IF(), encoding=ConstantCurrent(steps=3)), "x", "first steps alone"),
    "levels": ({"levels": False}, network(IF(levels=(1.0, 2.0))), "layer0 (keras ReLU)", "spikes that carry values"),
    "signed": ({"signed": False}, network(IF(negative=Negative.MEMORY)), "layer0 (keras ReLU)", "signed spikes"),
    "leak with this reset": (
        {"leak": frozenset({Reset.ZERO})},
        network(IF(leak=0.5)),
        "layer0 (keras ReLU)",
        "leak with reset 'subtract'",
    ),
    "refractory with this reset": (
        {"refractory": frozenset({Reset.SUBTRACT})},
        network(IF(refractory=1, reset=Reset.ZERO)),
        "layer0 (keras ReLU)",
        "refractory period with reset 'zero'",
    ),
}


@pytest.mark.parametrize(("without", "net", "layer", "reason"), NEEDS.values(), ids=NEEDS)
def test_what_is_missing_is_named(without, net, layer, reason):
    EVERYTHING.check("all", net)
    (offender,) = replace(EVERYTHING, **without).missing(net)
    assert layer in offender.layer
    assert reason in offender.reason


def test_everything_missing_is_told_at_once():
    net = network(IF(leak=0.5, refractory=2), GATE, encoding=Poisson())
    with pytest.raises(UnsupportedError, match="backend 'nothing' cannot take") as caught:
        Capabilities().check("nothing", net)
    assert len(caught.value.offenders) == 5


def test_what_does_not_differ_needs_nothing():
    """Equal thresholds in an array, a bias and a start of zero are no features; nor is a leak with its reset."""
    plain = Capabilities(
        resets=frozenset({Reset.ZERO}), encodings=frozenset({ConstantCurrent}), leak=frozenset({Reset.ZERO})
    )
    neuron = IF(threshold=np.full((1, 4), 2.0), initial=np.zeros((1, 4)), leak=0.5, reset=Reset.ZERO)
    assert plain.missing(network(neuron, bias=np.zeros((1, 1)))) == []


HINTS = {
    "who can": (network(IF(leak=0.5)), {"first": Capabilities(), "able": EVERYTHING}, "simulator = able can run"),
    "not itself": (network(IF(leak=0.5)), {"tested": EVERYTHING}, "snntoolbox capabilities"),
    "setting": (network(GATE), {}, "maxpool_type = relu_tree"),
    "either": (network(IF(), encoding=Poisson()), {"able": EVERYTHING}, "able can run .*, or .*poisson_input = False"),
}


@pytest.mark.parametrize(("net", "others", "hint"), HINTS.values(), ids=HINTS)
def test_hint_says_what_to_do(net, others, hint):
    with pytest.raises(UnsupportedError, match=hint):
        Capabilities(resets=frozenset(Reset), encodings=frozenset({ConstantCurrent})).check("tested", net, others)


def test_hint_names_each_setting_once_and_only_what_helps():
    net = network(IF(window=(0, 1)), encoding=ConstantCurrent(steps=1))
    plain = Capabilities(resets=frozenset(Reset), encodings=frozenset({ConstantCurrent}))
    for tested, on_grid in ((plain, 0), (replace(plain, pulses=True), 1)):
        with pytest.raises(UnsupportedError) as caught:
            tested.check("tested", net)
        assert caught.value.hint.count("schedule = rate") == 1
        assert caught.value.hint.count("weight_bits = 8") == on_grid


def test_one_layer_of_two_populations_is_named_once():
    twice = replace(network(IF(window=(0, 1))).populations["p0"], name="p1")
    net = network(IF(window=(0, 1)))
    populations = [*net.populations.values(), twice]
    both = SpikingNetwork(Graph(net.wiring.nodes.values(), net.wiring.outputs), net.encodings, populations, [])
    with pytest.raises(UnsupportedError) as caught:
        replace(EVERYTHING, windows=False).check("tested", both)
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
