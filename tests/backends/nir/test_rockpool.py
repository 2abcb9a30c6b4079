"""Files of Rockpool: written by Rockpool 3.1 itself, with the spikes that its modules gave for the same input.

In each are LinearTorch and neurons, twice, with dt = 1e-3, tau_mem = 0.02 and thresholds of 1: LIFTorch with
tau_syn = 0.01 behind a layer with biases, and LIFNeuronTorch. ``spikes.npz`` has the input `x` and the spikes of both.
"""

from pathlib import Path

import nir
import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.errors import ArgumentError, DataError
from snntoolbox.ir.interpreter import interpret

FILES = Path(__file__).with_name("rockpool")
STEPS = 60


@pytest.mark.parametrize("name", ["syn_bias", "plain"])
def test_its_neurons_fire_as_they_do_there(name, caplog):
    net = stb.load_network(FILES / f"{name}.nir", dt=1e-3, library="rockpool")
    assert "fires up to 31 times in a step" in caplog.text
    with np.load(FILES / "spikes.npz") as file:
        x, theirs = file["x"], [file[f"{name}_{layer}"] for layer in range(2)]
    assert [train.max() > 2 for train in theirs] == [True, True]
    for ran in (
        interpret(net, x, steps=STEPS, record=stb.Record(spikes=True)),
        stb.simulate(net, x, duration=STEPS * net.dt, record=stb.Record(spikes=True)),
    ):
        assert [int((a != b).sum()) for a, b in zip(ran.spikes.values(), theirs, strict=True)] == [0, 0]


def test_without_its_name_its_file_is_refused_with_how_to_read_it():
    with pytest.raises(DataError, match=r"0_LinearTorch.*values of shape \(1, 4\)(.|\n)*library='rockpool'"):
        stb.load_network(FILES / "syn_bias.nir", dt=1e-3)


@pytest.mark.parametrize("changed", [{"levels": (1.0,)}, {"reset": "zero", "levels": (1.0,)}, {"leak": 0.95}])
def test_other_neurons_do_not_fire_so(changed):
    net = stb.load_network(FILES / "syn_bias.nir", dt=1e-3, library="rockpool").with_neurons(**changed)
    with np.load(FILES / "spikes.npz") as file:
        x, theirs = file["x"], file["syn_bias_0"]
    ours = interpret(net, x, steps=STEPS, record=stb.Record(spikes=True)).spikes["1_LIFTorch"]
    assert (ours != theirs).any()


WRONG = {
    "another dt": ({"dt": 2e-3}, DataError, "has r = 19.0246, and Rockpool writes 9.04837 for steps of 0.002"),
    "no dt": ({"dt": None}, ArgumentError, "needs the length of its steps"),
    "a reset": ({"reset": "zero"}, ArgumentError, "a reset and a comparison of its own"),
    "another library": ({"library": "lava"}, ArgumentError, "'lava' is none of rockpool(.|\n)*NIR's equations"),
    "a misspelt library": ({"library": "Rockpol"}, ArgumentError, "did you mean rockpool?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_told_wrong_is_refused(case):
    changed, error, told = WRONG[case]
    with pytest.raises(error, match=told):
        stb.load_network(FILES / "plain.nir", **{"dt": 1e-3, "library": "rockpool", **changed})


def test_a_neuron_that_it_has_not_is_refused_by_node(tmp_path):
    one = np.ones(2)
    nodes = {"input": nir.Input(np.array([2])), "n": nir.IF(one, one), "output": nir.Output(np.array([2]))}
    nir.write(tmp_path / "if.nir", nir.NIRGraph(nodes, [("input", "n"), ("n", "output")], type_check=False))
    with pytest.raises(DataError, match=r"'n' \(nir IF\) is no neuron of Rockpool"):
        stb.load_network(tmp_path / "if.nir", dt=1e-3, library="rockpool")
    stb.save(stb.load_network(FILES / "plain.nir", dt=1e-3, library="rockpool"), tmp_path / "net.npz")
    with pytest.raises(ArgumentError, match="library is for NIR files"):
        stb.load_network(tmp_path / "net.npz", library="rockpool")
