"""CubaLIF of NIR files: I += dt / tau_syn (w_in S - I), then V += dt / tau_mem (v_leak - V + r I), spike for spike."""

from itertools import pairwise

import nir
import numpy as np
import pytest
import torch
from dyadic import dyadic, rounded
from needed import needed

import snntoolbox as stb
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.errors import DataError, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.nodes import Add

RNG = np.random.default_rng(2)
X = (RNG.random((3, 60, 4)) < 0.4).astype(np.int8)
SIZE = 5
RECURRENT = RNG.normal(0, 0.8, (SIZE, SIZE))


def values(**changed):
    usual = {"tau_syn": 4.0, "tau_mem": 8.0, "r": 3.0, "v_leak": 0.0, "v_threshold": 0.5, "v_reset": 0.0, "w_in": 2.0}
    return {k: np.full(SIZE, v) for k, v in {**usual, **changed}.items()}


def written(path, neuron, bias=0.0, recurrent=False):
    weight = np.random.default_rng(3).normal(0.3, 0.7, (SIZE, 4))
    nodes = {
        "input": nir.Input(np.array([4])),
        "a": nir.Affine(weight, np.full(SIZE, bias)),
        "n": nir.CubaLIF(**neuron),
        "output": nir.Output(np.array([SIZE])),
    }
    edges = list(pairwise(nodes))
    if recurrent:
        nodes["w"] = nir.Linear(RECURRENT)
        edges += [("n", "w"), ("w", "n")]
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    return weight


def expected(weight, p, bias=0.0, recurrent=False):
    """The equations, step by step, with a step of 1."""
    current = potential = fired = np.zeros((len(X), SIZE))
    train = []
    for step in range(X.shape[1]):
        arriving = X[:, step] @ weight.T + bias + (fired @ RECURRENT.T if recurrent else 0.0)
        current = current + (p["w_in"] * arriving - current) / p["tau_syn"]
        potential = potential + (p["v_leak"] - potential + p["r"] * current) / p["tau_mem"]
        fired = (potential >= p["v_threshold"]).astype(float)
        potential = np.where(fired, p["v_reset"], potential)
        train.append(fired)
    return np.array(train)


CASES = {
    "plain": ({}, 0.0, False),
    "a loop": ({}, 0.0, True),
    "a bias": ({}, 0.2, False),
    "a leak to elsewhere, a reset": ({"v_leak": 0.3, "v_reset": -0.25}, 0.1, True),
    "at once": ({"tau_syn": 1.0}, 0.2, True),
}


@pytest.mark.parametrize("case", CASES)
def test_spike_for_spike(case, tmp_path):
    changed, bias, recurrent = CASES[case]
    path, p = tmp_path / "net.nir", values(**changed)
    weight = written(path, p, bias, recurrent)
    net = stb.load_network(path, dt=1.0, comparison=">=")
    wanted = expected(weight, p, bias, recurrent)
    assert 0.05 < wanted.mean() < 0.95
    ran = interpret(net, X, steps=60, record=stb.Record(spikes=True))
    assert int((ran.spikes["n"] != wanted).sum()) == 0
    built_in = stb.simulate(net, X, duration=60, record=stb.Record(spikes=True))
    assert int((built_in.spikes["n"] != wanted).sum()) == 0


def test_the_synaptic_network_of_snntorch(tmp_path):
    needed("snntorch")
    needed("nirtorch")  # which snntorch does not ask for, and needs
    import snntorch
    from snntorch.export_nir import export_to_nir

    torch.manual_seed(0)
    alpha, beta, one = torch.full((SIZE,), 0.75), torch.full((SIZE,), 0.875), torch.ones(SIZE)
    neuron = snntorch.Synaptic(alpha, beta, threshold=one, init_hidden=True, reset_mechanism="zero", reset_delay=False)
    model = torch.nn.Sequential(torch.nn.Linear(4, SIZE), neuron)
    with torch.no_grad():
        model[0].weight.copy_(torch.round(model[0].weight.abs() * 32) / 32)
        model[0].bias.copy_(torch.round(model[0].bias * 32) / 32)
        nir.write(tmp_path / "net.nir", export_to_nir(model, torch.ones(4)))
        neuron.init_hidden, state, theirs = False, neuron.init_synaptic(), []
        for step in range(X.shape[1]):
            fired, *state = neuron(model[0](torch.tensor(X[:, step]).float()), *state)
            theirs.append(fired.numpy())
    net = stb.load_network(tmp_path / "net.nir", dt=1e-4)
    (name,) = net.populations
    ran = interpret(net, X, steps=60, record=stb.Record(spikes=True)).spikes[name]
    assert 0.05 < ran.mean() < 0.95
    assert int((ran != np.array(theirs)).sum()) == 0


REFUSED = {
    "synapses that differ": ({"tau_syn": np.arange(2.0, 7.0)}, {}, DataError, "time constants of synapses that differ"),
    "membranes that differ": ({"tau_mem": np.arange(2.0, 7.0)}, {}, DataError, "has time constants that differ"),
    "synapses faster than a step": ({"tau_syn": 0.5}, {}, DataError, "of synapses of 0.5, shorter than a step of 1"),
    "no step": ({}, {"dt": None}, DataError, "nothing says how long a step is"),
    "currents as data": ({}, {"encoding": ConstantCurrent()}, UnsupportedError, "CubaLIF.: data that are constant"),
    "a bias that takes too long": ({"tau_syn": 1e6}, {}, DataError, "has a bias that needs"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case, tmp_path):
    changed, told, error, message = REFUSED[case]
    written(tmp_path / "net.nir", {**values(), **{k: np.broadcast_to(v, SIZE) * 1.0 for k, v in changed.items()}}, 0.1)
    with pytest.raises(error, match=message):
        stb.load_network(tmp_path / "net.nir", **{"dt": 1.0, **told})


# -- written here -----------------------------------------------------------------------------------------------------


def converted(leak=1.0, synaptic=(0.75, 0.75), encoding=None):
    """Two layers with biases and synaptic currents, with weights that add up exactly."""
    torch.manual_seed(1)
    layers = [torch.nn.Linear(12, 10), torch.nn.ReLU(), torch.nn.Linear(10, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3)]
    x = rounded(np.random.default_rng(0).random((4, 12)), 16)
    graph = stb.load(torch.nn.Sequential(*layers), input_shape=(12,))
    neuron = stb.IF(reset="zero", initial=0.0, leak=leak, synaptic=synaptic)
    net = stb.convert(graph, x, duration=40, neuron=neuron, encoding=encoding or stb.Poisson(seed=3), readout="linear")
    return dyadic(net), x


def by_equation(graph, given):
    """The spikes of each CubaLIF of a graph in a row, with a step of 1, as its equations say."""
    state, trains = {}, {name: [] for name, node in graph.nodes.items() if isinstance(node, nir.CubaLIF)}
    order = ["input"] if "input" in graph.nodes else [n for n, v in graph.nodes.items() if isinstance(v, nir.Input)]
    reads = dict(graph.edges)
    while reads.get(order[-1]):
        order.append(reads[order[-1]])
    for step in given:
        value = step
        for name in order[1:-1]:
            node = graph.nodes[name]
            if not isinstance(node, nir.CubaLIF):
                value = value @ node.weight.T + getattr(node, "bias", 0.0)
                continue
            current, potential = state.get(name, (np.zeros(value.shape), np.zeros(value.shape)))
            current = current + (node.w_in * value - current) / node.tau_syn
            potential = potential + (node.v_leak - potential + node.r * current) / node.tau_mem
            value = (potential >= node.v_threshold).astype(float)
            state[name] = current, np.where(value, node.v_reset, potential)
            trains[name].append(value)
    return [np.array(train) for train in trains.values()]


@pytest.mark.parametrize("leak", [1.0, 0.875])
def test_a_network_of_ours_by_the_equations_of_its_file(leak, tmp_path):
    net, x = converted(leak)
    exported = stb.export(net, "nir", tmp_path / "out", x, duration=40)
    assert {row["not measured"] for row in exported.report["importers"].values()} == {"synaptic currents"}
    assert "None was measured" in (tmp_path / "out" / "report.md").read_text()
    path = exported.folder / "network.nir"
    graph = nir.read(path)
    kinds = [type(node).__name__ for node in graph.nodes.values()]
    assert kinds.count("CubaLIF") == 2
    ours = interpret(net, x, steps=40, record=stb.Record(spikes=True)).spikes
    assert all(0.02 < spikes.mean() < 0.98 for spikes in ours.values())
    assert any(p.bias is not None and np.any(p.bias) for p in net.populations.values())
    (given,) = HostInput(net, (x,), 40, 0).trains.values()
    theirs = by_equation(graph, given)
    assert [int((a != b).sum()) for a, b in zip(theirs, ours.values(), strict=True)] == [0, 0]
    again = stb.load_network(path)
    assert [p.neuron.synaptic for p in again.populations.values()] == 2 * [(0.75, 0.75)]
    ran = interpret(again, x, steps=40, record=stb.Record(spikes=True)).spikes
    assert all(np.array_equal(ran[name], spikes) for name, spikes in ours.items())


def test_constant_data_that_no_spike_joins_need_no_synapses(tmp_path):
    net, x = converted(encoding=ConstantCurrent())
    exported = stb.export(net, "nir", tmp_path / "out", x, duration=40)
    kinds = [type(node).__name__ for node in nir.read(exported.folder / "network.nir").nodes.values()]
    assert (kinds.count("IF"), kinds.count("CubaLIF")) == (1, 1)
    again = stb.load_network(exported.folder / "network.nir")
    ours, theirs = (interpret(n, x, steps=40, record=stb.Record(spikes=True)).spikes for n in (net, again))
    assert all(np.array_equal(theirs[name], spikes) for name, spikes in ours.items())


def test_what_nir_cannot_say_of_currents_is_refused(tmp_path):
    with pytest.raises(UnsupportedError, match=r"currents that last differently(.|\n)*tau_syn_E = 5 and tau_syn_I = 5"):
        stb.export(converted(synaptic=(0.75, 0.5))[0], "nir", tmp_path / "out")
    with pytest.raises(UnsupportedError, match="synaptic currents"):
        stb.export(converted()[0], "nir", tmp_path / "out", importer="norse")
    draft = Draft(neuron=stb.IF(synaptic=(0.5, 0.5)))
    both = [draft.input(6), draft.poisson(6)]
    draft.readout(draft.dense(draft.neurons(draft.node(Add, *both)), 2))
    with pytest.raises(UnsupportedError, match=r"beside spikes whose currents last(.|\n)*poisson_input = True"):
        stb.export(draft.network(), "nir", tmp_path / "out")
