"""SANA-FE: the spikes of the network on a chip's model, what they cost there, and what the chip has no room for."""

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from drawn import network, samples
from dyadic import demo_digits, lenet

import snntoolbox as stb
from snntoolbox.backends.sanafe.architecture import Architecture, Core, read_architecture
from snntoolbox.backends.sanafe.placement import Limits, Placement, check_axons, placed
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.errors import BackendError, TooLargeError, UnsupportedError
from snntoolbox.ir import relays
from snntoolbox.ir.flat import Connection, FlatNetwork, flattened
from snntoolbox.ir.relays import with_relays

TOTAL, SYNAPSE = "total energy (J)", "synapse energy (J)"
LOIHI = Path(find_spec("sanafe").origin).parent / "examples" / "loihi.yaml"


def run(net, x, steps=8, simulator="sanafe", **options):
    record = stb.Record(spikes=True)
    return stb.simulate(net, x, duration=steps * net.dt, simulator=simulator, record=record, **options)


def differing(first, second):
    return {n: int((first.spikes[n] != s).sum()) for n, s in second.spikes.items()}


# -- spikes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drawn", [demo_digits, pytest.param(lenet, marks=pytest.mark.long)])
@pytest.mark.one_in(2)
def test_no_cell_differs_from_ours(drawn):
    net, x = drawn()
    net = Quantize(8)(net)
    ours, theirs = run(net, x[:2], 12, "INI"), run(net, x[:2], 12)
    assert sum(int(s.sum()) for s in ours.spikes.values()) > 1000
    assert differing(theirs, ours) == dict.fromkeys(net.populations, 0)
    assert np.allclose(theirs.output, ours.output)


@pytest.mark.parametrize("name", ["perceptron", "residual", "every neuron differs", "skip over layers"])
@pytest.mark.one_in(4)
def test_truenorth_gives_them_too(name):
    net = network(name)
    ours, theirs = run(net, samples(net), 8, "INI"), run(net, samples(net), architecture="truenorth")
    assert sum(int(s.sum()) for s in ours.spikes.values()) > 0
    assert differing(theirs, ours) == dict.fromkeys(net.populations, 0)
    assert theirs.hardware == {}, "its file has no energies and no times: 0 would be a claim"


def test_potentials_that_loihis_model_cannot_hold_are_refused():
    net = network(bits=16)
    with pytest.raises(BackendError, match=r"potentials may reach .* holds 33,554,432"):
        run(net, samples(net), 4096)


# -- what it costs --------------------------------------------------------------------------------------------------


def test_energy_and_time_are_those_of_each_sample():
    net = network()
    x = samples(net)
    both, second = run(net, x), run(net, [a[1:] for a in x])
    assert all(values.shape == (2,) for values in both.hardware.values())
    assert {n: v[1] for n, v in both.hardware.items()} == pytest.approx({n: v[0] for n, v in second.hardware.items()})
    parts = [both.hardware[f"{part} energy (J)"] for part in ("synapse", "dendrite", "soma", "network")]
    assert np.allclose(sum(parts), both.hardware[TOTAL])
    assert (both.hardware["time (s)"] > 0).all()
    assert (run(net, x, 16).hardware[TOTAL] > both.hardware[TOTAL]).all()


def test_an_architecture_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(LOIHI.read_text().replace("energy_process_spike: 35.5e-12", "energy_process_spike: 71.0e-12"))
    net = network()
    mine, usual = (run(net, samples(net), architecture=a).hardware for a in (str(path), "loihi"))
    assert (usual[SYNAPSE] > 0).all()
    assert np.allclose(mine[SYNAPSE], 2 * usual[SYNAPSE])


def test_a_comparison_tells_what_it_costs():
    net = network()
    comparison = stb.compare(net, samples(net), simulators=["INI", "sanafe"], duration=8)
    assert comparison.equal
    assert comparison.side("INI").hardware == {}
    assert comparison.side("sanafe").hardware[TOTAL] == pytest.approx(run(net, samples(net)).hardware[TOTAL].mean())


# -- room on the chip -----------------------------------------------------------------------------------------------


def chip(cores, neurons=4, inputs=0):
    names = tuple(f"in{i}" for i in range(inputs))
    core = Core(neurons=neurons, model="truenorth", soma="s", synapse="w", dendrite="d", inputs=names)
    return Architecture(name="chip", path=LOIHI, cores=(core,) * cores)


def flat(name="perceptron"):
    return with_relays(flattened(network(name)))


def test_a_core_is_as_full_as_it_may_be():
    whole = flat()
    sizes = {name: cells.size for name, cells in whole.cells.items()}
    placement = placed(whole, chip(20), Limits())
    assert {n: np.bincount(c)[np.bincount(c) > 0].tolist() for n, c in placement.cores.items()} == {
        n: [4] * (size // 4) + ([size % 4] if size % 4 else []) for n, size in sizes.items()
    }
    assert placement.used == sum(-(-size // 4) for size in sizes.values())
    second = list(whole.cells)[1]
    synapses = np.bincount(next(c for c in whole.connections if c.target == second).post)
    fewer = placed(whole, chip(20), Limits(synapses=int(synapses.max()))).cores[second]
    loads = np.bincount(fewer - fewer.min(), weights=synapses)
    assert loads.max() <= synapses.max()
    assert len(loads) > 1 + int(placement.cores[second].max() - placement.cores[second].min())


def test_what_does_not_fit_is_told_by_layer():
    whole = flat()
    labels = [cells.label for cells in whole.cells.values()]
    with pytest.raises(TooLargeError, match=r"needs \d+ cores, chip has 1: ") as error:
        placed(whole, chip(1), Limits())
    assert all(re.search(rf"{re.escape(label)} \d", error.value.message) for label in labels)
    with pytest.raises(UnsupportedError, match="a neuron with") as error:
        placed(whole, chip(20), Limits(synapses=1))
    assert [o.layer for o in error.value.offenders] == labels[1:]
    with pytest.raises(UnsupportedError, match="axons that lead to it, a core has 2"):
        placed(whole, chip(20), Limits(axons=2))


def test_axons_out_of_a_core_are_counted_too():
    """Six neurons on one core, which each reach six cores of one neuron."""
    pre, post = (index.ravel() for index in np.indices((6, 6)))
    wide = Connection(source="a", target="b", pre=pre, post=post, weight=np.ones(36), delay=1)
    cells = {n: relays._relay(n, 6, 1) for n in ("a", "b")}
    whole = FlatNetwork(inputs={}, cells=cells, connections=(wide,))
    placement = Placement(cores={"a": np.zeros(6, int), "b": np.arange(1, 7)})
    with pytest.raises(UnsupportedError, match="a: 36 axons out of one core, it has 35"):
        check_axons(whole, placement, chip(7, neurons=6), Limits(axons=35), {})
    check_axons(whole, placement, chip(7, neurons=6), Limits(axons=36), {})


def test_limits_are_options_and_refused_before_the_run():
    net = network()
    with pytest.raises(UnsupportedError, match="a core of loihi_chip"):
        run(net, samples(net), synapses_per_core=1)
    assert run(net, samples(net), synapses_per_core=0, axons_per_core=0).steps == 8
    with pytest.raises(BackendError, match="axons_per_core = -1 is below 0"):
        run(net, samples(net), axons_per_core=-1)
    with pytest.raises(BackendError, match="has no timing 'slow'"):
        run(net, samples(net), timing="slow")


def test_input_spikes_need_units_that_play_them():
    net = network("poisson")
    with pytest.raises(UnsupportedError, match="input9: no units that play input spikes"):
        run(net, [np.abs(a) for a in samples(net)], architecture="truenorth")


BAD = {
    "nothing": ("", "lacks something"),
    "no YAML": ("a: [", "cannot be read"),
    "code": ("!!python/object/apply:os.system ['true']", "cannot be read"),
    "no cores": ("architecture: {name: x, tile: [{name: t}]}", "lacks something"),
    "too many": ("architecture: {name: x, tile: [{name: 't[0..99999999999]', core: []}]}", "stands for more than"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_architecture_files_are_refused(fault, tmp_path):
    text, told = BAD[fault]
    path = tmp_path / "chip.yaml"
    path.write_text(text)
    with pytest.raises(BackendError, match=told):
        read_architecture(str(path))


def test_an_architecture_without_neurons_that_are_known(tmp_path):
    path = tmp_path / "chip.yaml"
    path.write_text(LOIHI.read_text().replace("model: leaky_integrate_fire", "model: hodgkin_huxley"))
    with pytest.raises(BackendError, match="have no neurons that are known here"):
        read_architecture(str(path))
    with pytest.raises(BackendError, match="there is no architecture 'loihi3'"):
        read_architecture("loihi3")


def test_the_cores_of_the_chips_that_come_with_it():
    loihi, truenorth = read_architecture("loihi"), read_architecture("truenorth")
    assert (len(loihi.cores), loihi.cores[0].neurons, len(loihi.cores[0].inputs)) == (128, 1024, 1024)
    assert (len(truenorth.cores), truenorth.cores[0].neurons, len(truenorth.cores[0].inputs)) == (4096, 256, 0)
