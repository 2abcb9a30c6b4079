"""NIR files as libraries write them: read, they give the spikes that the library itself gives, cell by cell."""


import nir
import numpy as np
import pytest
import torch
from needed import needed

import snntoolbox as stb
from snntoolbox.ir.interpreter import interpret

STEPS = 50
X = (np.random.default_rng(0).random((3, STEPS, 4)) < 0.4).astype(np.int8)


def dense(inputs, outputs):
    """A layer of dyadic weights, whose sums are exact."""
    layer = torch.nn.Linear(inputs, outputs)
    generator = torch.Generator().manual_seed(inputs)
    with torch.no_grad():
        for tensor in (layer.weight, layer.bias):
            tensor.copy_(torch.randint(-12, 32, tensor.shape, generator=generator) / 32)
    return layer


def differing(path, theirs, **rules):
    """Cells of each layer in which the network that is read and the library differ."""
    net = stb.load_network(path, **rules)
    ran = interpret(net, X, steps=STEPS, record=stb.Record(spikes=True)).spikes
    ours = [ran[name] for name in net.order if name in ran]
    assert all(0.03 < train.mean() < 0.97 for train in ours)
    return [int((a != np.array(b)).sum()) for a, b in zip(ours, theirs, strict=True)]


def test_spikingjelly(tmp_path):
    needed("spikingjelly")
    from spikingjelly.activation_based import functional, nir_exchange
    from spikingjelly.activation_based.neuron import IFNode, LIFNode

    model = torch.nn.Sequential(dense(4, 6), LIFNode(tau=2.0, v_reset=0.0), dense(6, 5), IFNode(v_reset=0.0))
    nir.write(tmp_path / "net.nir", nir_exchange.export_to_nir(model, torch.ones(1, 4), dt=1.0))
    functional.reset_net(model)
    theirs = [[], []]
    with torch.no_grad():
        for step in range(STEPS):
            first = model[1](model[0](torch.tensor(X[:, step]).float()))
            theirs[0].append(first.numpy())
            theirs[1].append(model[3](model[2](first)).numpy())
    assert differing(tmp_path / "net.nir", theirs, dt=1.0, comparison=">=") == [0, 0]


def test_sinabs(tmp_path):
    needed("sinabs")
    from sinabs.activation import MembraneSubtract, SingleSpike
    from sinabs.layers import IAFSqueeze
    from sinabs.nir import to_nir

    settings = {"spike_fn": SingleSpike, "reset_fn": MembraneSubtract(), "min_v_mem": None, "batch_size": len(X)}
    model = torch.nn.Sequential(dense(4, 6), IAFSqueeze(**settings), dense(6, 5), IAFSqueeze(**settings))
    nir.write(tmp_path / "net.nir", to_nir(model, torch.ones(len(X), 4)))
    with torch.no_grad():
        for layer in (model[1], model[3]):
            layer.reset_states()
        first = model[1](model[0](torch.tensor(X.reshape(-1, 4)).float()))
        trains = first, model[3](model[2](first))
        theirs = [t.numpy().reshape(len(X), STEPS, -1).swapaxes(0, 1) for t in trains]
    assert differing(tmp_path / "net.nir", theirs, comparison=">=", reset="subtract") == [0, 0]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:PyTree type")
def test_norse(tmp_path):
    needed("norse")
    import norse.torch as norse

    def leaky(size, threshold):
        values = {"tau_mem_inv": 250.0, "v_leak": 0.0, "v_th": threshold, "v_reset": 0.0}
        return norse.LIFBoxCell(p=norse.LIFBoxParameters(**{k: torch.full((size,), v) for k, v in values.items()}))

    model = norse.SequentialState(dense(4, 6), leaky(6, 0.125), dense(6, 5), leaky(5, 0.25))
    nir.write(tmp_path / "net.nir", norse.to_nir(model, torch.ones(4)))
    theirs, states = [[], []], [None, None]
    with torch.no_grad():
        for step in range(STEPS):
            first, states[0] = model[1](model[0](torch.tensor(X[:, step]).float()), states[0])
            theirs[0].append(first.numpy())
            second, states[1] = model[3](model[2](first), states[1])
            theirs[1].append(second.numpy())
    # Norse 1.1 writes dt / tau_mem_inv for tau, with its own dt of 1e-3.
    assert differing(tmp_path / "net.nir", theirs, dt=1e-6) == [0, 0]
