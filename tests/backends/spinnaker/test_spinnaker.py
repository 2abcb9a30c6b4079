"""SpiNNaker: scripts for sPyNNaker, tried in the arithmetic of its cells and placed on a board that is not there."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from drawn import network, samples

import snntoolbox as stb
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import NETWORKS
from snntoolbox.backends.spinnaker import exporter, spinnaker_network
from snntoolbox.backends.spinnaker.board import BOARD
from snntoolbox.backends.spinnaker.chip import Chip
from snntoolbox.backends.spinnaker.exporter import SpinnakerExporter
from snntoolbox.backends.spinnaker.spinnaker_network import SUMS, UNIT, Network
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.errors import BackendError, UnsupportedError
from snntoolbox.ir.grid import Grid

SPINNAKER = SpinnakerExporter()
ZERO = stb.IF(reset=stb.Reset.ZERO)
PAUSING = stb.IF(reset=stb.Reset.ZERO, refractory=2, initial=0.25)
TAKEN = (
    *("perceptron", "convolution with stride 2", "even kernels", "odd pools", "residual", "concat", "skip over layers"),
    *("constant input deep inside", "poisson", "two codings", "bias only", "latency input"),
)
HERE = {"duration": 10}


@pytest.fixture(autouse=True)
def _no_board_unless_asked_for(monkeypatch):
    monkeypatch.setattr(exporter, "SPYNNAKER", replace(exporter.SPYNNAKER, usual="/nowhere/python"))


def drawn(name="perceptron", neuron=ZERO, bits=8):
    draft = Draft(neuron=neuron)
    NETWORKS[name](draft)
    return Quantize(bits)(draft.network()) if bits else draft.network()


def one_neuron(weights, neuron, trains):
    """A neuron with a synapse from each of some trains (sources, steps), on the grid."""
    draft = Draft(neuron=neuron)
    source = draft.input(len(weights), coding=stb.SpikeTimes())
    node = draft.node(stb.ir.nodes.Dense, source, weight=np.array([weights], float))
    out = draft.neurons(node, bias=0.0)
    draft.readout(draft.dense(out, 2))
    return draft.network().replaced(grid=Grid(16, 2**20, 2**20)), [np.array(trains).T[None]]


# -- the script, on cells with the chip's numbers --------------------------------------------------------------------


@pytest.mark.one_in(4)
@pytest.mark.parametrize("neuron", [ZERO, PAUSING], ids=["zero", "pausing"])
@pytest.mark.parametrize("name", TAKEN)
def test_the_script_gives_the_spikes_of_the_network(name, neuron, tmp_path):
    net = drawn(name, neuron)
    x = samples(net)
    assert any(c.any() for c in stb.simulate(net, x, duration=10).counts.values())
    exported = stb.export(net, SPINNAKER, tmp_path / "out", x, **HERE)
    tried, placed = exported.checks
    assert tried.passed, tried.why
    assert placed.outcome == "not checked"
    assert "there is no interpreter '/nowhere/python'; pip install sPyNNaker" in placed.why
    assert exported.files == ("network.npz", "network.py", "samples.npz", "weights.npz")
    assert all(lowest < -SUMS // 2 for lowest in exported.report["lowest potentials"].values())
    again = SPINNAKER.read(tmp_path / "out")
    ours, theirs = (stb.simulate(n, x, duration=10) for n in (net, again))
    assert np.array_equal(ours.output, theirs.output)


@pytest.mark.parametrize("broken", ["lift", "delay", "weight", "onset", "bias to readout"])
def test_the_trial_finds_what_is_wrong(broken, tmp_path, monkeypatch):
    """What the script does otherwise than the network is no success."""
    net, load = drawn("skip over layers"), Network.__init__

    def other(self, path):
        load(self, path)
        for name in self.arrays:
            if name.startswith(broken) and name[-1] != "t":
                self.arrays[name] = self.arrays[name] - 1
        for layer in [*self.layers.values()][1:]:
            layer["onset"] += broken == "onset"
        self.onsets = [*self.onsets, self.onsets[-1] + 1]
        for synapse in self.synapses:
            synapse["delay"] += broken == "delay"
        for readout in self.readouts:
            self.arrays[f"bias to {readout}"] = self.arrays[f"bias to {readout}"] + (broken == "bias to readout")

    monkeypatch.setattr(Network, "__init__", other)
    if broken == "bias to readout":
        exported = stb.export(net, SPINNAKER, tmp_path / "out", samples(net), **HERE)
        assert (exported.checks[0].outcome, exported.checks[0].why) == ("failed", "the outputs out9, out8 differ")
        return
    with pytest.raises(UnsupportedError, match="spikes differ"):
        stb.export(net, SPINNAKER, tmp_path / "out", samples(net), **HERE)


def test_a_potential_that_a_cell_cuts_is_refused_by_layer(tmp_path):
    """-30000 is below what 16 bits can lift beside 59000, so 29000 later suffices for a spike that is none."""
    trains = np.zeros((2, 10), int)
    trains[0, 0] = trains[1, 3] = 1
    net, x = one_neuron([-30000, 29000], replace(ZERO, threshold=20000.0), trains)
    with pytest.raises(UnsupportedError, match=r"spikes differ: potentials fall below the lowest(.|\n)*weight_bits"):
        stb.export(net, SPINNAKER, tmp_path / "out", x, **HERE)
    assert not (tmp_path / "out").exists()


def test_sums_that_16_bits_cannot_hold_are_refused_by_layer(tmp_path):
    net, x = one_neuron([70000, 1], replace(ZERO, threshold=20000.0), np.eye(2, 10, dtype=int))
    with pytest.raises(UnsupportedError, match=r"population0.*: a neuron may receive 70,001 in a step, and 65,535"):
        stb.export(net, SPINNAKER, tmp_path / "out", x, **HERE)


def test_potentials_that_saturate_are_the_cells_own(tmp_path):
    """Nothing has to be lifted, and the lowest potential is that of the network."""
    low = replace(ZERO, threshold=20.0, saturation=(-30.0, 100.0))
    trains = np.eye(3, 10, dtype=int)
    net, x = one_neuron([-50, 25, 26], low, trains)
    exported = stb.export(net, SPINNAKER, tmp_path / "out", x, **HERE)
    assert exported.checks[0].passed
    assert exported.report["lowest potentials"] == {"population0": -30}


@pytest.mark.parametrize(
    ("fields", "told", "way"),
    [
        ({"saturation": (-70000.0, 100.0)}, "potentials down to -70,000", "a `saturation` that begins nearer"),
        ({"saturation": (-30.0, 10.0)}, "below the threshold", "a `saturation` that ends at the threshold"),
        ({"initial": -70000.0}, "an initial potential of -70,000", "fewer weight_bits, or v_init = 0"),
        ({"reset_potential": 70000.0}, "an initial potential of 0", "initial potentials nearer to the reset"),
        ({"threshold": 3e9}, "a threshold of 3,000,000,000", "fewer weight_bits"),
    ],
)
def test_what_a_core_cannot_hold_is_refused_with_what_mends_it(fields, told, way, tmp_path):
    """Fewer bits make weights, thresholds and start potentials smaller, and no limits or resets."""
    neuron = replace(ZERO, **{"threshold": 20.0, **fields})
    net, x = one_neuron([-50, 25, 26], neuron, np.eye(3, 10, dtype=int))
    with pytest.raises(UnsupportedError, match=told) as caught:
        stb.export(net, SPINNAKER, tmp_path / "out", x, **HERE)
    assert caught.value.hint.startswith(way)
    assert ("weight_bits" in caught.value.hint) == ("weight_bits" in way)


def test_an_interpreter_that_is_named_has_to_be_right(tmp_path):
    """The usual one may lack sPyNNaker, and then the place is not checked."""
    net = drawn()
    for wrong, told in (("/nowhere/mine", "there is no interpreter"), ("/bin/ls", "is no Python interpreter")):
        with pytest.raises(BackendError, match=told):
            stb.export(net, SPINNAKER, tmp_path / "out", samples(net), python=wrong, **HERE)
        assert not (tmp_path / "out").exists()


def test_what_no_cell_has_is_refused_with_the_setting_that_mends_it(tmp_path):
    with pytest.raises(UnsupportedError, match=r"reset 'subtract'(.|\n)*\[cell\] reset = zero"):
        stb.export(network(), SPINNAKER, tmp_path / "out", samples(network()))
    net = drawn(bits=0)
    with pytest.raises(UnsupportedError, match=r"integer grid(.|\n)*weight_bits = 8"):
        stb.export(net, SPINNAKER, tmp_path / "out", samples(net))
    for option, least in {"check_samples": 0, "number_of_neurons_per_core": 1}.items():
        with pytest.raises(BackendError, match=f"{option} = -1 is below {least}"):
            stb.export(drawn(), SPINNAKER, tmp_path / "out", **{option: -1})


def test_without_samples_room_is_left_for_a_spike_in_each_step(tmp_path):
    net = drawn()
    exported = stb.export(net, SPINNAKER, tmp_path / "out")
    assert [(c.outcome, c.why) for c in exported.checks] == 2 * [("not checked", "there are no samples to check it by")]
    first, *_ = net.populations.values()
    lowest = exported.report["lowest potentials"][first.name]
    assert lowest >= -SUMS + np.max(first.neuron.threshold)
    assert exported.files == ("network.npz", "network.py", "weights.npz")


# -- the cells ---------------------------------------------------------------------------------------------------------


def test_cells_do_what_those_of_the_chip_do():
    """By hand: 16-bit sums, no potential below the reset, a spike at the threshold, steps without input."""
    sim = Chip()
    sim.setup(timestep=1.0)
    source = sim.Population(3, sim.SpikeSourceArray(spike_times=[[0.0, 2.0], [1.0], [4.0, 5.0, 6.0, 7.0]]), label="s")
    expected = {"max_expected_summed_weight": [0.99, 0.99]}
    cells = sim.extra_models.IFTruncDelta(
        tau_m=1.0, cm=1.0, v_thresh=np.array([7 * UNIT]), v_reset=np.array([-3 * UNIT]), tau_refrac=2.0, i_offset=0.0
    )
    initial = {"v": np.zeros(1)}
    cell = sim.Population(1, cells, label="a", initial_values=initial, additional_parameters=expected)
    cell.record("spikes")
    for receptor, rows in (("excitatory", [[0, 0, 6, 1], [2, 0, 10, 1]]), ("inhibitory", [[1, 0, 100, 1]])):
        made = np.array(rows, float) * [1, 1, UNIT, 1]
        sim.Projection(source, cell, sim.FromListConnector(made), sim.StaticSynapse(), receptor_type=receptor)
    sim.run(10)
    # 6, then -3 (not -94), then 3; 13 fires at 5 and sets -3; 6 and 7 bring nothing; 8 brings 10: 7 fires.
    assert cell.get_data("spikes").segments[0].spiketrains[0].tolist() == [5.0, 8.0]


# -- sPyNNaker ---------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_sPyNNaker_places_the_network_with_its_own_weights(spinnaker_python, tmp_path, monkeypatch):  # noqa: N802
    net = drawn("skip over layers", PAUSING)
    where = {**HERE, "python": spinnaker_python}
    exported = stb.export(net, SPINNAKER, tmp_path / "out", samples(net), **where)
    assert [check.outcome for check in exported.checks] == ["passed", "passed"]
    told = exported.report
    assert {"clock", "witness", *net.populations} <= set(told["cores"])
    assert (told["chips of the board"], told["synapses that differ"]) == (48, 0)
    assert told["routing entries"] > 0
    # Weights that sPyNNaker keeps in fewer bits are found by what its tables hold.
    code = tmp_path / "out" / "network.py"
    code.write_text(code.read_text().replace("BELOW_ONE = 0.99", "BELOW_ONE = 5.0"))
    assert exporter.mapped(code, tmp_path / "out" / "samples.npz", spinnaker_python)["synapses that differ"] > 0
    code.write_text("raise SystemExit('no room on this board')")
    with pytest.raises(BackendError, match="cannot place the network: no room on this board"):
        exporter.mapped(code, tmp_path / "out" / "samples.npz", spinnaker_python)


@pytest.mark.long
def test_a_virtual_board_runs_nothing_and_says_so(spinnaker_python, tmp_path):
    net = drawn()
    stb.export(net, SPINNAKER, tmp_path / "out", samples(net), **HERE)
    (tmp_path / ".spynnaker.cfg").write_text(BOARD)
    surroundings = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    command = [spinnaker_python, tmp_path / "out" / "network.py", tmp_path / "out" / "samples.npz"]
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "the board is virtual, on which nothing runs" in done.stdout


def test_the_script_needs_nothing_of_this_package():
    text = spinnaker_network.__file__
    code = f"import runpy, sys; sys.path[:] = [p for p in sys.path if 'snntoolbox' not in p]; runpy.run_path({text!r})"
    told = f"{code}; print('snntoolbox' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
