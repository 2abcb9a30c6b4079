"""The Verilog of small networks, clock by clock in Icarus and Verilator, against the reference interpreter."""

import os
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from snntoolbox.analysis.conformance.cases import OFF_GRID, cases, max_pool_tree
from snntoolbox.analysis.conformance.checks import check
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import MAPS, NETWORKS
from snntoolbox.backends.verilog import tools
from snntoolbox.backends.verilog.axi_text import axi_module
from snntoolbox.backends.verilog.backend import VerilogBackend
from snntoolbox.backends.verilog.bench import BENCH, INPUT, OUTPUT, bench, hex_words
from snntoolbox.backends.verilog.clocks import scan_clocks, spike_clocks
from snntoolbox.backends.verilog.design import Choices, designed
from snntoolbox.backends.verilog.hardware import hardware, write
from snntoolbox.backends.verilog.names import Names
from snntoolbox.backends.verilog.simulation import largest_currents
from snntoolbox.backends.verilog.streams import input_words, output_words, spike_words
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.errors import BackendError, UnsupportedError
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Grid
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Dense, Take
from snntoolbox.ir.result import Record

CI = os.environ.get("CI") == "true"


def needs(*programs):
    absent = [p for p in programs if not shutil.which(p)]
    return pytest.mark.skipif(bool(absent) and not CI, reason=f"{', '.join(absent)} not installed")


STEPS, SAMPLES = 10, 2
DRAWN = {**{n: d for n, d in NETWORKS.items() if n not in OFF_GRID}, **{f"map: {n}": d for n, (_, d) in MAPS.items()}}


@cache
def network(name, bits=8, reset=Reset.SUBTRACT):
    draft = Draft(neuron=IF(reset=reset))
    DRAWN[name](draft)
    return Quantize(bits)(draft.network())


CAPABILITIES = VerilogBackend.capabilities
# What the hardware has not (spikes with signs, windows, pulses) is refused, which the conformance suite tests.
DRAWN = {name: draw for name, draw in DRAWN.items() if not CAPABILITIES.missing(network(name))}


def inputs(net, samples=SAMPLES):
    random = np.random.default_rng(2)
    return tuple(random.integers(-16, 17, (samples, *net.wiring.shapes[n])) / 16 for n in net.encodings)


def design_for(net, x, steps=STEPS, **choices):
    host = HostInput(net, x, steps, 0)
    return designed(net, Choices(steps=steps, currents=largest_currents(net, host), **choices)), host


def checked_files(folder, net, x, steps=STEPS, **choices):
    """Everything that a self-checking test bench needs, expected values from the interpreter."""
    design, host = design_for(net, x, steps, **choices)
    expected = interpret(net, *x, steps=steps, record=Record(spikes=True))
    sums = {}
    for readout in net.readouts:
        counted = readout.counted(steps, net.window)
        sums[readout.name] = np.rint(expected.outputs[readout.name] / readout.scale * counted)
    texts = {**hardware(design), BENCH: bench(design), INPUT: hex_words(input_words(design, host))}
    texts[OUTPUT] = hex_words(output_words(design, sums))
    for layer in design.layers:
        if layer.spikes:
            texts[f"{layer.module}.spikes.hex"] = hex_words(spike_words(layer, expected.spikes[layer.name]))
    write(folder, texts)
    return design, expected


def sources(folder, bench_too=True):
    return [p.name for p in folder.glob("*.v") if bench_too or p.name != BENCH]


def run(folder, simulator, *arguments):
    command = tools.compiled(simulator, folder, sources(folder))
    return tools.simulated(command, folder, [f"+samples={SAMPLES}", *arguments], lambda done: None)


CHOICES = {
    "one lane": {},
    "two lanes, queues of one word": {"lanes": 2, "queue": 1},
    "four lanes, queues of two words": {"lanes": 4, "queue": 2},
}
CASES = [
    *((name, "two lanes, queues of one word") for name in DRAWN),
    *(
        (name, "one lane")
        for name in ("perceptron", "residual", "concat", "two codings", "poisson", "skip over layers")
    ),
    *((name, "four lanes, queues of two words") for name in ("residual", "constant input deep inside", "even kernels")),
]
"""Queues of one word under stalls are where a deadlock would be."""


@needs("iverilog")
@pytest.mark.parametrize(("name", "choices"), CASES)
@pytest.mark.one_in(2)
def test_bench_passes_in_icarus_under_random_stalls(name, choices, tmp_path):
    net = network(name)
    checked_files(tmp_path, net, inputs(net), **CHOICES[choices])
    stalls = 0 if choices == "one lane" else 3
    assert len(run(tmp_path, "icarus", f"+stalls={stalls}", "+seed=7")) == SAMPLES


@needs("verilator")
@pytest.mark.long
@pytest.mark.parametrize("name", ["residual", "two codings"])
def test_bench_passes_in_verilator(name, tmp_path):
    net = network(name)
    checked_files(tmp_path, net, inputs(net), lanes=2)
    assert len(run(tmp_path, "verilator", "+stalls=2")) == SAMPLES


CONFORMING = {case.name: case for case in cases() if case.name.startswith("integer grid")}
IN_VERILATOR = (
    *("concat", "skip over layers", "residual, 16 bits", "residual, reset zero", "tables of digits"),
    *("products of digits", "sums of products of digits"),
)
"""One of each kind: all 24 take over three minutes of compiling C++. tests/test_conformance.py has them in Icarus."""


@needs("verilator")
@pytest.mark.long
@pytest.mark.parametrize("name", [*IN_VERILATOR, "residual, potentials that saturate"])
def test_conforms_in_verilator(name):
    case = CONFORMING[f"integer grid: {name}"]
    assert check(VerilogBackend(), case, verilog_simulator="verilator") == "passed"


@needs("verilator")
@pytest.mark.long
def test_demo_in_verilator():
    """Convolutions, max pooling by a tree, average pooling and dense layers."""
    import snntoolbox as stb
    from snntoolbox.workflow import demo

    x_test, x_norm = (np.load(demo.folder() / name)["arr_0"] for name in ("x_test.npz", "x_norm.npz"))
    graph = stb.load(demo.folder() / "digits_cnn.onnx")
    net = stb.convert(graph, calibration_data=x_norm, weight_bits=8, duration=16)
    assert_same(net, (x_test[:2],), steps=16, verilog_simulator="verilator")


@needs("iverilog")
def test_bench_notices_a_wrong_weight(tmp_path):
    net = network("perceptron")
    design, _ = checked_files(tmp_path, net, inputs(net))
    file = tmp_path / f"{design.layers[1].module}_port0_weights.hex"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *(f"{int(w, 16) ^ 16:x}" for w in lines[1:])]))
    with pytest.raises(BackendError, match=r"spikes.hex: .* instead of (.|\n)*FAIL: \d+ words differ"):
        run(tmp_path, "icarus")


def impatient(folder):
    """Let the test bench take a network for stuck earlier."""
    file = folder / BENCH
    file.write_text(file.read_text().replace("1048576", "5000"))


# What is put for what in which source -> what the test bench must say.
BROKEN = {
    "no tlast": ("model_axis.v", ".out_last(m_axis_tlast)", ".out_last()", "output.hex: Z[0-9a-f]+ instead of"),
    "no tuser": ("model_axis.v", ".out_class(m_axis_tuser)", ".out_class()", "output.hex: .* instead of"),
    "no sign in front": ("model_axis.v", r"\{\d+\{word\[\d+\]\}\}", "{PAD}", "output.hex: 0.* instead of"),
    "in_data from other bits": ("model_axis.v", r"s_axis_tdata\[\d+:0\]", "s_axis_tdata[IN:1]", "hex: .* instead of"),
    "not held for tready": ("snn_sums.v", "else if (sum_ready) shown", "else shown", "changes before it is taken"),
}


@needs("iverilog")
@pytest.mark.parametrize("case", BROKEN)
def test_bench_notices_what_is_wrong_at_the_ports(case, tmp_path):
    net = network("perceptron")
    design, _ = checked_files(tmp_path, net, inputs(net), lanes=2)
    name, old, new, told = BROKEN[case]
    file, bits = tmp_path / name, design.input_bits
    taken = 8 * -(-design.output_bits // 8)
    new = new.replace("PAD", f"{taken - design.output_bits}'d0").replace("IN", str(bits))
    assert bits % 8, "there must be bits above the word"
    before = file.read_text()
    changed = re.sub(old if "\\" in old else re.escape(old), new, before)
    assert changed != before
    file.write_text(changed)
    impatient(tmp_path)
    with pytest.raises(BackendError, match=rf"(?s){told}.*FAIL"):
        run(tmp_path, "icarus", "+stalls=3")


@needs("iverilog")
def test_bench_notices_a_stuck_layer(tmp_path):
    net = network("residual")
    checked_files(tmp_path, net, inputs(net))
    file = tmp_path / "snn_arbiter.v"
    file.write_text(file.read_text().replace("grant <= wanted & (~wanted + 1'b1)", "grant <= {PORTS{1'b0}}"))
    impatient(tmp_path)
    with pytest.raises(BackendError, match="stuck after 0 samples"):
        run(tmp_path, "icarus")


@needs("iverilog")
def test_bench_ends_where_a_signal_is_unknown(tmp_path):
    """Counts that never begin at 0: what is unknown is no handshake."""
    net = network("products of counts")
    checked_files(tmp_path, net, inputs(net), steps=net.schedule.steps)
    file = tmp_path / "snn_neurons.v"
    cleared = ".scan_write(go & updating & complete & (waking | last))"
    assert cleared in file.read_text()
    file.write_text(file.read_text().replace(cleared, ".scan_write(1'b0)"))
    impatient(tmp_path)
    with pytest.raises(BackendError, match="stuck after 0 samples"):
        run(tmp_path, "icarus")


@needs("verilator")
@pytest.mark.parametrize(("name", "choices"), [*CASES, ("residual", "saturating"), ("residual", "non-square pools")])
@pytest.mark.one_in(3)
def test_lint_is_clean(name, choices, tmp_path):
    net = {"saturating": saturating, "non-square pools": pooling}.get(choices, network)(name)
    design, _ = design_for(net, inputs(net), **CHOICES.get(choices, {}))
    write(tmp_path, hardware(design))
    lint(tmp_path, design)


def lint(folder, design):
    for language in ("1364-2001", "1800-2017"):  # SystemVerilog has more words that are no names
        command = ["verilator", "--lint-only", "-Wall", "--language", language, "--top-module", axi_module(design)]
        command += sources(folder, bench_too=False)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@needs("iverilog")
@pytest.mark.parametrize("bits", [2, 4, 8, 16])
@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.ZERO])
def test_backend_gives_the_reference(bits, reset):
    net = network("residual", bits, reset)
    x = inputs(net)
    assert_same(net, x, verilog_simulator="icarus", stalls=2)


def assert_same(net, x, steps=STEPS, **options):
    expected = interpret(net, *x, steps=steps, record=Record(spikes=True))
    with VerilogBackend().build(net, **options) as executable:
        found = executable.run(*x, steps=steps, record=Record(spikes=True))
    for name, raster in expected.spikes.items():
        np.testing.assert_array_equal(found.spikes[name], raster)
    for name, value in expected.outputs.items():
        np.testing.assert_array_equal(found.outputs[name], value)


@needs("iverilog")
@pytest.mark.parametrize("start", [3, 5, 6])
def test_a_read_out_that_forgets(start):
    """Ten steps forget three or five of them, but not six."""
    net = network("perceptron")
    net = net.replaced(readouts=[replace(r, start=start) for r in net.readouts])
    assert_same(net, inputs(net), verilog_simulator="icarus")


@needs("iverilog")
def test_extreme_inputs_do_not_overflow():
    net = network("perceptron")
    for value in (-400.0, 400.0):
        x = tuple(np.full((1, *net.wiring.shapes[n]), value) for n in net.encodings)
        assert_same(net, x, steps=60, verilog_simulator="icarus")


@needs("iverilog")
def test_hardware_is_built_again_only_for_more_steps_or_current():
    net = network("perceptron")
    x = inputs(net)
    with VerilogBackend().build(net, verilog_simulator="icarus") as executable:
        executable.run(*x, steps=8)
        first = executable.design
        executable.run(*(a / 2 for a in x), steps=4)
        assert executable.design is first
        executable.run(*x, steps=9)
        assert executable.design is not first
    with pytest.raises(BackendError, match="closed"):
        executable.run(*x, steps=1)


@needs("iverilog")
def test_clocks_follow_from_the_spikes():
    """A layer alone: the clocks of a sample are those of its currents, spikes and scans, and a few at the ends."""
    net = network("poisson")
    x = inputs(net)
    expected = interpret(net, *x, steps=STEPS, record=Record(spikes=True))
    design, host = design_for(net, x)
    with VerilogBackend().build(net, verilog_simulator="icarus") as executable:
        executable.run(*x, steps=STEPS)
        measured = np.array(executable.clocks)
    trains = {**host.trains, **expected.spikes}
    busy = [
        sum(
            np.abs(trains[p.source]).astype(np.int64).reshape(STEPS, SAMPLES, -1) @ spike_clocks(p).ravel()
            for p in layer.ports
        )
        for layer in design.layers
    ]
    least = max(
        (b.sum(axis=0) + STEPS * scan_clocks(layer)).max() for b, layer in zip(busy, design.layers, strict=True)
    )
    most = sum(b.sum(axis=0) + STEPS * (scan_clocks(layer) + 2) for b, layer in zip(busy, design.layers, strict=True))
    assert measured.max() >= least
    assert np.all(measured <= most)


@needs("iverilog")
@pytest.mark.parametrize("limits", [(-200.0, 150.0), (-40.0, 60.0), (-1e6, 1e6)], ids=str)
def test_potentials_saturate_as_in_the_reference(limits):
    """Limits that change spikes, limits below the thresholds, and limits that no potential reaches."""
    net = network("residual")
    kept = net.with_neurons(saturation=limits)
    x = inputs(net)
    wide, narrow = (interpret(n, *x, steps=STEPS, record=Record(spikes=True)) for n in (net, kept))
    changed = any((wide.spikes[name] != raster).any() for name, raster in narrow.spikes.items())
    assert changed == (limits[1] < 1e6)
    assert_same(kept, x, verilog_simulator="icarus", stalls=2)
    bits = [sum(layer.bits for layer in design_for(n, x)[0].layers) for n in (kept, net)]
    assert bits[0] < bits[1] if changed else bits[0] == bits[1]


def saturating(name):
    return network(name).with_neurons(saturation=(-200.0, 150.0))


def pooling(name):
    """Max pooling by a tree, with windows of 3 x 2."""
    return Quantize(8)(max_pool_tree())


REFUSED = {
    "potentials that saturate at fractions": lambda net: net.with_neurons(saturation=(-200.5, 300.0)),
    "weights that are not on an integer grid": lambda net: replace_grid(net),
    "reset 'modulo'": lambda net: net.with_neurons(reset=Reset.MODULO),
    "leak": lambda net: net.with_neurons(leak=0.5),
    "refractory period": lambda net: net.with_neurons(refractory=1),
    "a reset potential other than 0": lambda net: net.with_neurons(reset=Reset.ZERO, reset_potential=1.0),
}


def replace_grid(net):
    draft = Draft()
    DRAWN["perceptron"](draft)
    return draft.network()


@pytest.mark.parametrize(("reason", "change"), REFUSED.items(), ids=REFUSED)
def test_refuses_by_name(reason, change):
    with pytest.raises(UnsupportedError) as caught:
        VerilogBackend().build(change(network("perceptron")))
    assert {o.reason for o in caught.value.offenders} == {reason}
    if reason.startswith("weights"):
        assert "weight_bits = 8" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"verilog_simulator": "vcs"}, "cannot run in 'vcs'.*icarus, verilator"),
        ({"lanes": 3}, "3 lanes.*power of two"),
        ({"queue": 3}, "3 words in a queue.*power of two up to 1024"),
        ({"queue": 0}, "0 words in a queue"),
        ({"stalls": 8}, "stalls = 8"),
        ({"lane": 1}, "no option lane"),
    ],
)
def test_refuses_options(options, told):
    with pytest.raises(BackendError, match=f"(?s){told}"):
        VerilogBackend().build(network("perceptron"), **options)


def test_says_what_to_install(monkeypatch):
    monkeypatch.setattr("snntoolbox.ir.capabilities.which", lambda program: None)
    assert not VerilogBackend.capabilities.installed()
    with pytest.raises(BackendError, match=r"(?s)needs iverilog or verilator.*apt-get install iverilog"):
        VerilogBackend().build(network("perceptron"))


def test_refuses_too_many_steps_for_the_membranes():
    net = network("residual")
    x = inputs(net)
    design, _ = design_for(net, x, steps=10)
    widest = max(layer.bits for layer in design.layers)
    design_for(net, x, steps=10, membrane_bits=widest)
    with pytest.raises(BackendError, match=rf"{widest} bits are too narrow for 1000 steps:\n    .*population\d .*bits"):
        design_for(net, x, steps=1000, membrane_bits=widest)


def test_refuses_sums_that_are_not_exact():
    """As of a class that a mask of minus infinity leaves out in front of the last softmax, which is dropped."""
    net = network("residual")
    (readout,) = net.readouts
    for least, refused in ((-(2.0**40), False), (-1e30, True)):
        masked = net.replaced(readouts=[replace(readout, bias=np.full(readout.shape, least))])
        if refused:
            with pytest.raises(BackendError, match=rf"(?s)sums of .* {readout.name}: \d+ bits.*mask of -1000"):
                design_for(masked, inputs(masked))
        else:
            design_for(masked, inputs(masked))


def test_names_are_those_of_the_layers_made_valid():
    names = Names()
    given = ["conv1", "Conv1", "module", "12", "a b/c", "snn_fifo", "före", "", "tb"]
    assert [names.module(n) for n in given] == [
        "conv1", "Conv1_2", "layer_module", "layer_12", "a_b_c", "layer_snn_fifo", "f_re", "layer", "layer_tb",
    ]  # fmt: skip


def test_a_convolution_keeps_one_kernel():
    net = network("residual")
    design, _ = design_for(net, inputs(net))
    sizes = [port.weights.size for layer in design.layers[1:3] for port in layer.ports]
    assert sizes == [4 * 4 * 3 * 2, 1, 4 * 4 * 3 * 2]


def test_library_is_packaged():
    from snntoolbox.backends.verilog.hardware import LIBRARY, library

    folder = Path(tools.__file__).parent / "rtl"
    assert {p.stem for p in folder.glob("*.v")} == set(LIBRARY)
    assert all("module snn_" in text for text in library().values())


@needs("verilator", "iverilog")
def test_one_place_that_reaches_several(tmp_path):
    """An axis of one coordinate with a table of entries, as the sum of a softmax has to the values of its row."""
    draft = Draft(neuron=IF(threshold=2.0))
    one = draft.neurons(draft.node(Dense, draft.input(1, 4), weight=np.array([[3.0, -2.0, 4.0, 1.0]])), bias=1.0)
    wide = draft.node(Take, one, axis=1, indices=(0,) * 5)
    draft.readout(draft.neurons(wide, bias=0.0))
    net = draft.network()
    net = net.replaced(readouts=[replace(r, bias=None, scale=1.0) for r in net.readouts], grid=Grid(8, 10, 20))
    design, _ = checked_files(tmp_path, net, inputs(net))
    lint(tmp_path, design)
    assert len(run(tmp_path, "icarus")) == SAMPLES
