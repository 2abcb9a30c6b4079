"""What a backend lacks is told in the user's names, all at once."""

from dataclasses import replace

import numpy as np
import pytest

from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Reset
from snntoolbox.ir.node import Origin
from snntoolbox.ir.nodes import Add, Input

EVERYTHING = Capabilities(
    resets=frozenset(Reset),
    leak=True,
    refractory=True,
    max_gate=True,
    encodings=frozenset({ConstantCurrent, Poisson}),
    recurrent=True,
)
GATE = MaxGate(kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))


def network(*neurons, encoding=None, recurrent=False):
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
    "recurrent": ({"recurrent": False}, network(IF(), recurrent=True), "p0", "recurrent"),
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
