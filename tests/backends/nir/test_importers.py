"""A file that was written for an importer: that library itself gives the network's spikes, cell by cell."""


import nir
import numpy as np
import pytest
import torch
from dyadic import dyadic, rasters, rounded
from needed import needed

import snntoolbox as stb
from snntoolbox.backends.nir.exporter import FILE
from snntoolbox.errors import BackendError, UnsupportedError
from snntoolbox.ir.interpreter import interpret

STEPS = 30


def network(bits=None, **neuron):
    """Two layers that reset to zero; with floating-point weights that add up exactly, or on an integer grid."""
    torch.manual_seed(1)
    layers = [torch.nn.Linear(12, 10), torch.nn.ReLU(), torch.nn.Linear(10, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3)]
    x = rounded(np.random.default_rng(0).random((4, 12)), 16)
    graph = stb.load(torch.nn.Sequential(*layers), input_shape=(12,))
    chosen = stb.IF(**{"reset": "zero", "initial": 0.0, **neuron})
    net = stb.convert(graph, x, duration=STEPS, neuron=chosen, **({"weight_bits": bits} if bits else {}))
    return (net if bits else dyadic(net)), x


def trains(module, kind, x):
    """The spikes of each layer of neurons of a library's graph, run step by step with its state kept."""
    seen, state = {}, None
    for inner in module.modules():
        if type(inner).__name__ == kind:
            inner.register_forward_hook(
                lambda inner, given, out: seen.setdefault(id(inner), []).append(
                    (out[0] if isinstance(out, tuple) else out).detach().numpy()
                )
            )
    with torch.no_grad():
        for _ in range(STEPS):
            _, state = module(torch.tensor(x).float(), state)
    return [np.array(train) for train in seen.values()]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:PyTree type")
@pytest.mark.parametrize("bits", [None, 8])
def test_norse_gives_our_spikes(bits, tmp_path):
    needed("norse")
    import norse.torch

    net, x = network(bits)
    exported = stb.export(net, "nir", tmp_path / "out", x, duration=STEPS, importer="norse")
    theirs = trains(norse.torch.from_nir(nir.read(exported.folder / FILE)), "IAFCell", x)
    ours = interpret(net, x, steps=STEPS, record=stb.Record(spikes=True)).spikes
    assert sum(int(s.sum()) for s in ours.values()) > 400
    assert [int((a != b).sum()) for a, b in zip(theirs, ours.values(), strict=True)] == [0, 0]
    assert exported.report["importers"]["norse"]["cells that agree"] == 1


def test_spikingjelly_gives_our_spikes(tmp_path):
    needed("spikingjelly")
    from spikingjelly.activation_based import nir_exchange

    net, x = network()
    exported = stb.export(net, "nir", tmp_path / "out", x, duration=STEPS, importer="spikingjelly")
    theirs = trains(nir_exchange.import_from_nir(nir.read(exported.folder / FILE), dt=1.0), "_NIRStatefulModule", x)
    ours = interpret(net, x, steps=STEPS, record=stb.Record(spikes=True)).spikes
    assert [int((a != b).sum()) for a, b in zip(theirs, ours.values(), strict=True)] == [0, 0]
    assert exported.report["importers"]["spikingjelly"]["cells that agree"] == 1


@pytest.mark.parametrize("bits", [None, 8])
def test_what_is_read_has_our_own_thresholds(bits, tmp_path):
    net, x = network(bits)
    exported = stb.export(net, "nir", tmp_path / "out", importer="norse")
    again = stb.load_network(exported.folder / FILE)
    ours, theirs = rasters(net, x), rasters(again, x)
    assert [int((theirs.spikes[n] != s).sum()) for n, s in ours.spikes.items()] == [0, 0]
    assert all(np.all(again.populations[n].neuron.threshold == p.neuron.threshold) for n, p in net.populations.items())
    assert again.grid == net.grid


REFUSED = {
    "norse, subtraction": ("norse", None, {"reset": "subtract"}, "reset by subtraction"),
    "norse, half a threshold": ("norse", None, {"initial": 0.5}, "a start potential other than 0"),
    "norse, a leak": ("norse", None, {"leak": 0.9}, "a leak"),
    "spikingjelly, several thresholds": ("spikingjelly", 8, {}, "thresholds that differ"),
    "sinabs": ("sinabs", None, {}, "several spikes a step"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_importer_cannot_give_is_refused(case, tmp_path):
    name, bits, neuron, told = REFUSED[case]
    net, _ = network(bits, **neuron)
    with pytest.raises(UnsupportedError, match=told) as error:
        stb.export(net, "nir", tmp_path / "out", importer=name)
    assert ("--to sinabs" if name == "sinabs" else "initial_potential = 0") in error.value.hint
    assert not any((tmp_path / "out").glob("*"))


def test_an_importer_that_is_none(tmp_path):
    with pytest.raises(BackendError, match="no importer 'nengo' is known"):
        stb.export(network()[0], "nir", tmp_path / "out", importer="nengo")
