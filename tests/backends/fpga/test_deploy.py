"""`snntoolbox deploy`: what is written, checked and reported, and what is refused."""

import json
import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from drawn import network, samples
from waiting import PATIENCE

import snntoolbox as stb
from snntoolbox.backends.fpga.checks import clocks, run_goal
from snntoolbox.errors import UnsupportedError
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main

CI = os.environ.get("CI") == "true"
UNCHECKED = ["--sim-seconds", "0", "--synth-seconds", "0"]
SHORT = ["--set", "simulation.duration=2", "--set", "simulation.num_to_test=20", "--samples", "1"]


def needs(*programs):
    absent = [p for p in programs if not shutil.which(p)]
    return pytest.mark.skipif(bool(absent) and not CI, reason=f"{', '.join(absent)} not installed")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """The demo in the current folder."""
    demo.copy_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def deploy(*more, target="artix7"):
    return main(["deploy", "demo_onnx.ini", "--target", target, "-o", "build", *SHORT, *more])


def report(folder):
    return json.loads((folder / "report.json").read_text())


def outcomes(found):
    return {check["goal"]: check["outcome"] for check in found["checks"]}


@pytest.mark.long
@needs("make", "iverilog", "verilator", "g++")
def test_demo_is_exact_in_both_simulators(workspace, capsys):
    assert deploy("--synth-seconds", "0", "--sim-seconds", "300") == 0
    out = capsys.readouterr().out
    assert "passed  Icarus: every spike and output equal to the integer reference\n" in out
    assert "not checked  synthesis (Yosys): no time was given for it" in out
    found = report(workspace / "build")
    assert outcomes(found) == {
        "lint": "passed",
        "sim": "passed",
        "sim-verilator": "passed",
        "sim-verilator STALLS=3 LOG=stalls": "passed",
        "synth": "not checked",
    }
    assert (found["weight_bits"], found["steps"], len(found["clocks"])) == (8, 2, 1)
    assert found["clocks_estimated"] == pytest.approx(found["clocks"], rel=0.05)
    assert found["microseconds"] == pytest.approx(found["clocks"][0] / 100)
    assert found["samples_per_second"] == pytest.approx(1e8 / found["clocks"][0])
    assert found["energy_estimated"]["joules"] == pytest.approx(0.18e-6 * found["microseconds"])
    assert found["accuracy"]["samples"] == 20
    text = (workspace / "build" / "report.md").read_text()
    assert f"| 0 | {found['clocks'][0]} | {found['clocks_estimated'][0]} |" in text
    assert sorted(p.name for p in (workspace / "build" / "out").iterdir()) == [
        "sim-verilator.log",
        "sim.log",
        "stalls.log",
    ]


@needs("make", "iverilog")
@pytest.mark.parametrize(
    ("name", "queue"),
    [("residual", 4), ("residual", 32), ("poisson", 4), ("two codings", 4), ("constant input deep inside", 1)],
)
def test_other_networks_are_exact_and_counted(name, queue, tmp_path):
    net = network(name)
    x = samples(net)
    made = stb.deploy(net, x, tmp_path / "build", target="generic", duration=8, samples=2, lanes=2,
                      queue=queue, sim_seconds=0, synth_seconds=0)  # fmt: skip
    assert run_goal(made.folder, "sim", (), PATIENCE).passed
    run = stb.simulate(net, x, duration=8, record=stb.Record())
    assert made.report["spikes"] == sum(int(c.sum()) for c in run.counts.values()) / 2
    assert made.report["clocks_estimated"] == pytest.approx(clocks(made.folder, "sim"), rel=0.12)


@needs("make", "yosys", "nextpnr-ice40")
def test_small_network_is_synthesised_and_routed(tmp_path):
    net = network()
    made = stb.deploy(net, samples(net), tmp_path / "build", target="ice40", duration=8, samples=2, sim_seconds=0)
    found = report(tmp_path / "build")
    assert [outcomes(found)[goal] for goal in ("synth", "fits", "route")] == ["passed"] * 3
    assert 100 < found["resources"]["luts"] < 2000
    assert found["routed_mhz"] > 20
    assert f"**{found['routed_mhz']:.1f} MHz**" in (made.folder / "report.md").read_text()


TARGET_CELLS = {"artix7": "FDRE", "ecp5": "TRELLIS_FF", "generic": r"\$_SDFF\w+"}


@needs("make", "yosys")
@pytest.mark.long
@pytest.mark.parametrize("target", TARGET_CELLS)
def test_small_network_is_synthesised_for(target, tmp_path):
    net = network()
    stb.deploy(net, samples(net), tmp_path / "build", target=target, duration=8, samples=2, sim_seconds=0)
    found = report(tmp_path / "build")
    assert outcomes(found)["synth"] == "passed"
    assert any(re.fullmatch(TARGET_CELLS[target], cell) for cell in found["resources"]["cells"])
    assert found["resources"]["flipflops"] > 50
    assert found["resources"]["luts"] > 100


FILES = {
    "artix7": {"constraints/model.xdc", "synth/build.tcl"},
    "ice40": {"constraints/model.pcf"},
    "ecp5": {"constraints/model.lpf"},
    "generic": set(),
}


@pytest.mark.parametrize("target", FILES)
def test_everything_is_written_and_said_where_nothing_is_installed(target, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    net = network()
    stb.deploy(net, samples(net), tmp_path / "build", target=target, duration=8, samples=2)
    found = report(tmp_path / "build")
    assert set(outcomes(found).values()) == {"not checked"}
    assert "make, verilator not installed" in (tmp_path / "build" / "report.md").read_text()
    assert (found["clocks"], found["resources"]) == (None, None)
    files = {str(p.relative_to(tmp_path / "build")) for p in (tmp_path / "build").rglob("*") if p.is_file()}
    always = {"Makefile", "report.md", "report.json", "network.npz", "synth/synth.ys", "rtl/model.v", "sim/tb.v"}
    assert always | {"sim/input.hex", "sim/output.hex", "sim/population0.spikes.hex"} <= files
    # population0 is driven by the input current alone.
    assert "rtl/population1_port0_weights.mem" in files
    assert {f for f in files if f.startswith(("constraints/", "synth/build"))} == FILES[target]
    goals = (tmp_path / "build" / "Makefile").read_text()
    assert ("\nroute:" in goals) == (target in ("ice40", "ecp5"))


@needs("make", "iverilog")
def test_a_wrong_weight_fails_the_check(tmp_path):
    net = network()
    made = stb.deploy(net, samples(net), tmp_path / "build", target="generic", duration=8, samples=2, sim_seconds=0,
                      synth_seconds=0)  # fmt: skip
    assert run_goal(made.folder, "sim", (), PATIENCE).passed
    memory = next((made.folder / "rtl").glob("*_weights.mem"))
    lines = memory.read_text().splitlines()
    memory.write_text("\n".join([lines[0], *(f"{int(w, 16) ^ 16:x}" for w in lines[1:])]))
    found = run_goal(made.folder, "sim", (), PATIENCE)
    assert found.outcome == "failed"
    assert "FAIL" in found.why


@needs("make", "yosys")
def test_a_check_that_takes_too_long_is_said_to_be_unfinished(tmp_path):
    net = network()
    stb.deploy(net, samples(net), tmp_path / "build", target="artix7", duration=8, sim_seconds=0, synth_seconds=0.2)
    assert outcomes(report(tmp_path / "build"))["synth"] == "not finished"
    assert "not finished in 0.2 s" in (tmp_path / "build" / "report.md").read_text()


@needs("make", "iverilog")
@pytest.mark.parametrize("name", ["poisson", "two codings"])
def test_potentials_saturate_on_request_and_the_loss_is_told(name, tmp_path):
    net = network(name)
    x = samples(net, 20)
    wide = stb.deploy(net, x, tmp_path / "wide", target="generic", duration=40, sim_seconds=0, synth_seconds=0)
    needed = {layer.label: layer.bits for layer in wide.project.design.layers if layer.spikes}
    bits = 11
    made = stb.deploy(net, x, tmp_path / "build", target="generic", duration=40, samples=2, membrane_bits=bits,
                      saturate=True, sim_seconds=0, synth_seconds=0)  # fmt: skip
    assert max(layer.bits for layer in made.project.design.layers if layer.spikes) == bits
    assert run_goal(made.folder, "sim", (), PATIENCE, "STALLS=3").passed
    found = made.report["saturation"]
    assert {layer["label"]: layer["needed"] for layer in found["layers"]} == {
        label: width for label, width in needed.items() if width > bits
    }
    saved = stb.load_network(tmp_path / "build" / "network.npz")
    record = stb.Record(spikes=True, potentials=True)
    before, after = (stb.simulate(n, x, duration=40, record=record) for n in (net, saved))
    assert any((before.spikes[n] != raster).any() for n, raster in after.spikes.items())
    pairs = [(value.reshape(20, -1), after.outputs[n].reshape(20, -1)) for n, value in before.outputs.items()]
    same = [a.argmax(axis=1) == b.argmax(axis=1) for a, b in pairs]
    assert found["agreement"] == np.logical_and.reduce(same).mean()
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(np.concatenate([np.ravel(a - b) for a, b in pairs]) ** 2)))
    assert found["rmse"] > 0
    limited = 0.0
    for layer, met in zip(found["layers"], found["at_limits"], strict=True):
        potentials = after.potentials[layer["name"]][:, :2]
        assert layer["low"] <= potentials.min() <= potentials.max() <= layer["high"]
        ended = np.isin(potentials, (layer["low"], layer["high"]))
        assert met["updates"] == ended.sum() / 2
        assert met["neurons"] == ended.any(axis=0).sum() / 2
        limited += met["updates"]
    assert limited > 0
    assert f"No membrane is wider than {bits} bits" in (tmp_path / "build" / "report.md").read_text()
    with pytest.raises(UnsupportedError, match="potentials that saturate"):
        stb.simulate(saved, x, simulator="nest")


@pytest.mark.parametrize("duration", [8, 16])
def test_report_and_header_say_what_the_sums_stand_for(duration, tmp_path):
    net = network("residual")
    net = net.replaced(readouts=[replace(r, start=5, scale=0.25) for r in net.readouts])
    x = samples(net, 1)
    made = stb.deploy(net, x, tmp_path / "build", target="generic", duration=duration, sim_seconds=0, synth_seconds=0)
    said = r"out9: a sum times 0.25 / \(steps - 5\), from 10 steps on, stands for the original output"
    assert re.search(said, (made.folder / "report.md").read_text())
    assert re.search(said, (made.folder / "rtl" / "model.v").read_text())
    words = [int(word, 16) for word in (made.folder / "sim" / "output.hex").read_text().split()]
    bits = 8 * -(-made.project.design.output_bits // 8)
    sums = np.array([w - (w >> (bits - 1) << bits) for w in words[:-1]])
    output = stb.simulate(net, x, duration=duration).output[0]
    np.testing.assert_allclose(sums * 0.25 / (duration - 5 if duration >= 10 else duration), output)
    assert words[-1] == (3 << bits) + output.argmax()


def test_deeper_queues_are_told(tmp_path):
    net = network("residual")
    x = samples(net)
    made = stb.deploy(net, x, tmp_path / "build", target="generic", duration=8, queue=16, sim_seconds=0,
                      synth_seconds=0)  # fmt: skip
    assert made.report["queue"] == 16
    text = (made.folder / "rtl" / f"{made.project.design.layers[1].module}_port0.v").read_text()
    assert ".LOG2_DEPTH(4)" in text
    assert "has a queue of 16 words." in (made.folder / "report.md").read_text()


# what is asked for -> what the message must say
BAD = {
    "bits out of range": (["--set", "conversion.weight_bits=17"], "weight_bits"),
    "a leak": (["--set", "cell.leak=True", "--set", "cell.tau_m=20"], "needs neurons without leak"),
    "unknown target": (["--target", "virtex"], "there is no target 'virtex'\n  hint: there are artix7, ice40"),
    "unknown device": (["--device", "hx8k"], "no device 'hx8k'\n  hint: it has xc7a35t, xc7a100t"),
    "lanes": (["--lanes", "3"], "power of two"),
    "power": (["--watts", "-1"], "a power of -1.0 W is not from 0"),
    "no samples": (["--samples", "0"], "--samples 1 or more"),
    "no time": (["--sim-seconds", "nan"], "cannot take nan and"),
    "no clock": (["--clock-mhz", "-1"], "a clock of -1.0 MHz"),
    "no room for a step": (["--membrane-bits", "9", "--saturate"], "no room for what one step can add:\n    relu1"),
    "saturation of any width": (["--saturate"], "need a width\n  hint: --membrane-bits 16"),
    "queues": (["--queue", "5"], "cannot have 5 words in a queue\n  hint: use a power of two up to 1024"),
    "narrow membranes": (["--membrane-bits", "12"], "potentials of 12 bits are too narrow for 2 steps"),
    "too large": (["--target", "ice40"], "too large for ice40 hx8k"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(case, workspace, capsys):
    arguments, message = BAD[case]
    assert deploy(*UNCHECKED, *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (workspace / "build").exists()


@pytest.mark.long
def test_a_network_that_is_too_large_is_told_what_helps_and_can_be_forced(workspace, capsys):
    assert deploy(*UNCHECKED, target="ice40") == 2
    said = capsys.readouterr().err
    assert re.search(r"take at least \d+ block RAMs of 4096 bits, the device has 32", said)
    assert "relu4_port0_weights.mem: 8192 words of 8 bits, 16 block RAMs" in said
    assert "hint: --target artix7 holds it; --force" in said
    assert deploy(*UNCHECKED, "--force", target="ice40") == 0
    assert (workspace / "build" / "report.md").exists()


def test_narrower_weights_or_a_larger_device_are_named_where_they_fit(tmp_path):
    from snntoolbox.backends.fpga.memories import Memory, remedies
    from snntoolbox.backends.fpga.targets import TARGETS

    found = [Memory("weights", 300_000, 8, weights=True), Memory("potentials", 1000, 20)]
    target = TARGETS["artix7"]
    said = remedies(found, target, target.devices[0], 8, 2)
    assert said == [
        "[conversion] weight_bits = 6 fits",
        "--device xc7a100t holds it",
        "fewer --lanes need narrower memories",
        "--force writes it all the same",
    ]


@pytest.mark.long
def test_a_folder_with_files_is_never_overwritten_unasked(workspace, capsys):
    (workspace / "build").mkdir()
    assert deploy(*UNCHECKED) == 0
    before = (workspace / "build" / "report.json").read_text()
    assert deploy(*UNCHECKED, "--samples", "2") == 2
    assert "'build' is not empty" in capsys.readouterr().err
    assert (workspace / "build" / "report.json").read_text() == before
    assert deploy(*UNCHECKED, "--samples", "2", "--force") == 0
    assert len(report(workspace / "build")["clocks_estimated"]) == 2


def test_foreign_files_are_not_replaced_even_if_forced(workspace, capsys):
    (workspace / "build").mkdir()
    (workspace / "build" / "thesis.tex").write_text("years of work")
    assert deploy(*UNCHECKED, "--force") == 2
    assert "is not replaced" in capsys.readouterr().err
    assert [p.name for p in (workspace / "build").iterdir()] == ["thesis.tex"]


def test_every_unsupported_part_is_named(tmp_path):
    net = network(bits=0)
    neurons = [replace(p, neuron=replace(p.neuron, refractory=2)) for p in net.populations.values()]
    net = net.replaced(populations=neurons)
    with pytest.raises(UnsupportedError) as refused:
        stb.deploy(net, samples(net), tmp_path / "build", target="generic", duration=8)
    assert len(refused.value.offenders) >= len(neurons)
    assert not (tmp_path / "build").exists()
