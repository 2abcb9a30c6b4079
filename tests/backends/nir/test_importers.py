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


SEVERAL = {"reset": "subtract", "levels": (1.0, 2.0, 3.0, 4.0), "saturation": (-1.0, 1000.0)}


def test_sinabs_gives_our_spikes(tmp_path):
    """Of neurons that fire several times in a step, as its own do, and fall no lower than they."""
    needed("sinabs")
    needed("nirtorch")
    from sinabs.nir import from_nir

    net, x = network(**SEVERAL)
    exported = stb.export(net, "nir", tmp_path / "out", x, duration=STEPS, importer="sinabs")
    assert [check.outcome for check in exported.checks] == ["passed", "passed"]
    module, seen = from_nir(nir.read(exported.folder / FILE), batch_size=len(x)), []
    for inner in module.modules():
        if type(inner).__name__ == "IAFSqueeze":
            inner.register_forward_hook(lambda inner, given, out: seen.append(out.detach().numpy()))
    with torch.no_grad():
        module(torch.tensor(np.repeat(x, STEPS, axis=0)).float())
    ours = interpret(net, x, steps=STEPS, record=stb.Record(spikes=True)).spikes
    theirs = [np.moveaxis(train.reshape(len(x), STEPS, -1), 1, 0) for train in seen]
    assert max(s.max() for s in ours.values()) > 1
    assert any((r.potentials[n] <= -1).any() for r in [rasters_with_potentials(net, x)] for n in ours)
    assert [int((a != b).sum()) for a, b in zip(theirs, ours.values(), strict=True)] == [0, 0]
    again = stb.load_network(exported.folder / FILE)
    assert [int((rasters(again, x).spikes[n] != s).sum()) for n, s in rasters(net, x).spikes.items()] == [0, 0]
    assert [p.neuron.levels for p in again.populations.values()] == 2 * [(1.0, 2.0, 3.0, 4.0)]


def rasters_with_potentials(net, x):
    return interpret(net, x, steps=STEPS, record=stb.Record(spikes=True, potentials=True))


def test_fewer_levels_than_are_reached_are_no_success(tmp_path):
    net, x = network(**{**SEVERAL, "levels": (1.0, 2.0)})
    strong = net.with_neurons(threshold=0.125, saturation=(-0.125, 1000.0))
    exported = stb.export(strong, "nir", tmp_path / "out", x, duration=STEPS, importer="sinabs")
    assert [check.outcome for check in exported.checks] == ["passed", "failed"]
    assert "of the cells are equal: more levels" in exported.checks[1].why
    (_, unmeasured) = stb.export(strong, "nir", tmp_path / "other", importer="sinabs").checks
    assert (unmeasured.outcome, unmeasured.why) == ("not checked", "there are no samples to check it by")


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
    "norse, several spikes": ("norse", None, {**SEVERAL, "saturation": None}, "several spikes in a step"),
    "norse, currents that last": ("norse", None, {"synaptic": (0.8, 0.8)}, "synaptic currents"),
    "sinabs, one spike": ("sinabs", None, {"reset": "subtract"}, "one spike in a step at most"),
    "sinabs, other values": ("sinabs", None, {**SEVERAL, "levels": (1.0, 3.0)}, "spikes of other values than 1, 2, 3"),
    "sinabs, no limit": ("sinabs", None, {**SEVERAL, "saturation": None}, "may fall below minus the threshold"),
    "sinabs, another limit": ("sinabs", None, {**SEVERAL, "saturation": (-0.5, 9.0)}, "end above minus the threshold"),
    "sinabs, a low end": ("sinabs", None, {**SEVERAL, "saturation": (-1.0, 4.0)}, "end where spikes are counted"),
    "sinabs, reset to zero": ("sinabs", None, {}, "a reset to a potential"),
}
ALSO = {
    "a leak": "leak = False",
    "synaptic currents": "tau_syn_E = 0.01 and tau_syn_I = 0.01",
    "thresholds that differ": "weight_bits = 0",
    "several spikes in a step": "levels = [1]",
    "a reset to a potential": "reset = subtract",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_importer_cannot_give_is_refused(case, tmp_path):
    name, bits, neuron, told = REFUSED[case]
    net, _ = network(bits, **neuron)
    with pytest.raises(UnsupportedError, match=told) as error:
        stb.export(net, "nir", tmp_path / "out", importer=name)
    assert "initial_potential = 0" in error.value.hint
    assert ALSO.get(told, "") in error.value.hint
    assert ("--to sinabs" in error.value.hint) == (name == "sinabs")
    assert not any((tmp_path / "out").glob("*"))


def test_an_importer_that_is_none(tmp_path):
    with pytest.raises(BackendError, match="no importer 'nengo' is known"):
        stb.export(network()[0], "nir", tmp_path / "out", importer="nengo")
