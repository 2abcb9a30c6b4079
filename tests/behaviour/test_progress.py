"""Long work tells how far it is, wherever it is done, up to its end."""

import json
import os
import shutil

import numpy as np
import pytest
from needed import needed
from watching import Seen

import snntoolbox as stb
from snntoolbox.conversion.corrections.choose import CANDIDATES
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.progress import watched
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(600, 6)).astype(np.float32)
SHORT = [f"--set={key}" for key in ("simulation.num_to_test=20", "simulation.duration=4", "output.verbose=0")]


def graph():
    nodes = [Input(name="x", shape=(6,))]
    for name in ("a", "b"):
        weight = RNG.normal(size=(6, 6)).astype(np.float32)
        nodes += [
            Dense(name=f"{name}_sum", inputs=(nodes[-1].name,), weight=weight, bias=np.zeros(6, np.float32)),
            ReLU(name=name, inputs=(f"{name}_sum",)),
        ]
    return Graph(nodes, ["b"])


def test_a_conversion_tells_of_thresholds_and_corrections():
    seen = Seen()
    with watched(seen):
        stb.convert(graph(), X, T=8)
    assert {*seen.names} >= {"Choosing thresholds", "Trying corrections"}
    corrected = [name for name in seen.names if name.startswith("Correcting layers: ")]
    assert corrected == [*dict.fromkeys(corrected)], "each says what tells it from the others"
    assert [name.split()[2] for name in corrected[:3]] == [f"{layers}," for _, layers in CANDIDATES]
    assert corrected[3] != corrected[0], "the last one has more samples"
    assert all(seen.whole(name) for name in seen.names if name != "Building on INI")


@pytest.mark.parametrize(
    ("simulator", "own"),
    [
        ("INI", ()),
        pytest.param("brian2", ("Listing synapses", "Making synapses"), marks=pytest.mark.long),
        pytest.param("nest", ("Listing synapses", "Making synapses"), marks=pytest.mark.long),
        pytest.param("pynn.neuron", ("Listing synapses", "Making synapses"), marks=pytest.mark.long),
        pytest.param("sanafe", ("Listing synapses", "Placing neurons", "Making synapses"), marks=pytest.mark.long),
        pytest.param("verilog", ("Compiling with icarus",), marks=pytest.mark.long),
    ],
)
def test_a_simulator_tells_of_its_building_and_its_run(simulator, own):
    module = {"pynn.neuron": "pyNN", "INI": "torch"}.get(simulator, simulator)
    if simulator == "verilog" and not shutil.which("iverilog") and not os.environ.get("CI"):
        pytest.skip("iverilog is not installed")
    elif simulator != "verilog":
        needed(module)
    seen = Seen()
    network = stb.convert(graph(), X, T=8, layer_correction="none", weight_bits=8)
    with watched(seen):
        stb.simulate(network, X[:10], T=8, simulator=simulator, batch_size=4)
    assert {*seen.names} >= {f"Building on {simulator}", f"Simulating on {simulator}", *own}
    assert seen.whole(f"Simulating on {simulator}")
    steps = [said for said in seen.told if said[0] == f"Simulating on {simulator}"]
    assert simulator == "verilog" or len(steps) > 3, "steps within a batch are told"


LONG = {
    ("tune", "--budget=3"): ["Tuning (seconds, at most)", "As time allows, on"],
    ("diagnose", "--seconds=1"): ["Simulating on INI", "Trying settings"],
    ("compare", "--simulators=INI,brian2"): ["Comparing", "Building on brian2"],
    ("deploy", "--target=generic", "--output=out", "--samples=1", "--set=conversion.weight_bits=4"): [
        "Checks of the project", "Checking the sources", "Simulating with Icarus", "Compiling with Verilator",
        "Synthesis with Yosys",
    ],
}  # fmt: skip
SWEEP = ("run", "--set=parameter_sweep.param_values=[2, 3]", "--set=parameter_sweep.param_name=simulation.duration")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        *(pytest.param(command, told, marks=pytest.mark.long, id=command[0]) for command, told in LONG.items()),
        pytest.param(SWEEP, ["Sweeping", "Simulating on INI"], marks=pytest.mark.long, id="sweep"),
    ],
)
def test_commands_tell_what_they_do(command, told, tmp_path, monkeypatch):
    demo.copy_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    name, *words = command
    assert main([name, "demo_onnx.ini", *words, *SHORT, "--quiet", "--progress=lines"]) == 0
    lines = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    begun, ended = ([line["name"] for line in lines if line["what"] == what] for what in ("begin", "end"))
    assert all(any(name.startswith(words) for name in begun) for words in told)
    assert sorted(begun) == sorted(ended)
