"""Values that become binary digits on the chip: every spike equal to the reference, under stalls."""

import os
import shutil
import subprocess

import numpy as np
import pytest
from waiting import PATIENCE

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.backends.verilog.axi_text import axi_module
from snntoolbox.backends.verilog.backend import VerilogBackend
from snntoolbox.backends.verilog.clocks import fixed_clocks, scan_clocks
from snntoolbox.backends.verilog.design import Choices, designed
from snntoolbox.backends.verilog.hardware import hardware, write
from snntoolbox.backends.verilog.simulation import largest_currents
from snntoolbox.backends.verilog.streams import input_words
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Schedule
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Add
from snntoolbox.ir.result import Record

CI = os.environ.get("CI", "false") not in ("", "false", "0")


def needs(*programs):
    absent = [p for p in programs if shutil.which(p) is None]
    return pytest.mark.skipif(bool(absent) and not CI, reason=f"{', '.join(absent)} not installed")


def network(bits, *inputs):
    """A radix network of two layers that reads inputs (shape, whether signed; None for a constant current)."""
    draft = Draft()
    draft.schedule = Schedule("radix", window=bits, steps=3 * bits, counting=Counting.DIGIT)
    read = []
    for shape, signed in inputs:
        coding = ConstantCurrent(steps=bits) if signed is None else BinaryDigits(window=bits, signed=signed)
        read.append(draft.dense(draft.flat(draft.input(*shape, coding=coding)), 8))
    current = draft.node(Add, *read) if len(read) > 1 else read[0]
    for first in (bits, 2 * bits):
        current = draft.dense(
            draft.neurons(current, IF(initial=0.5, window=(first, first + bits), counting=Counting.DIGIT), bias=0.0), 8
        )
    draft.readout(current)
    return Quantize(6)(draft.network())


def samples(net):
    """Random ones, zeros, the largest, and one value alone."""
    random, x = np.random.default_rng(0), []
    for name, coding in net.encodings.items():
        signed = getattr(coding, "signed", True)
        drawn = random.uniform(-1 if signed else 0, 1, (5, *net.wiring.shapes[name]))
        drawn[1], drawn[2], drawn[3] = 0, 1, drawn[3] * (random.random(drawn[3].shape) < 0.3)
        drawn[4] = 0
        drawn[4].reshape(-1)[-1] = 1
        x.append(drawn)
    return x


CASES = {
    "a vector": (4, ((10,), True)),
    "without signs": (4, ((10,), False)),
    "as many values as a power of two": (4, ((16,), False)),
    "an image": (3, ((2, 3, 5), False)),
    "one digit": (1, ((6,), False)),
    "one signed digit": (1, ((6,), True)),
    "eight digits": (8, ((6,), True)),
    "one value": (4, ((1,), False)),
    "several, with and without signs": (3, ((2, 3), False), ((7,), True), ((4,), False)),
    "behind a current": (3, ((5,), None), ((2, 3), False)),
}


@needs("iverilog")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("lanes", [1, 4])
def test_every_spike_is_that_of_the_reference(case, lanes):
    bits, *inputs = CASES[case]
    net = network(bits, *inputs)
    x = samples(net)
    expected = interpret(net, *x, steps=3 * bits, record=Record(spikes=True))
    with VerilogBackend().build(net, verilog_simulator="icarus", lanes=lanes, queue=1, stalls=3) as built:
        got = built.run(*x, steps=3 * bits, record=Record(spikes=True))
    for name, spikes in expected.spikes.items():
        assert spikes.any()
        np.testing.assert_array_equal(got.spikes[name], spikes)
    for name, values in expected.outputs.items():
        np.testing.assert_array_equal(got.outputs[name], values)


@needs("verilator")
@pytest.mark.parametrize("case", CASES)
def test_lint_is_clean(case, tmp_path):
    bits, *inputs = CASES[case]
    net = network(bits, *inputs)
    host = HostInput(net, tuple(samples(net)), 3 * bits, 0)
    design = designed(net, Choices(steps=3 * bits, currents=largest_currents(net, host)))
    write(tmp_path, hardware(design))
    command = ["verilator", "--lint-only", "-Wall", "--language", "1364-2001", "--top-module", axi_module(design)]
    sources = [p.name for p in tmp_path.glob("*.v")]
    done = subprocess.run([*command, *sources], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_host_sends_one_word_for_each_value():
    net = network(4, ((10,), True))
    x = samples(net)
    host = HostInput(net, tuple(x), 12, 0)
    design = designed(net, Choices(steps=12, currents={}))
    levels = np.rint(np.concatenate(x[0]) * 15)
    np.testing.assert_array_equal(input_words(design, host), np.abs(levels) + 16 * (levels < 0))


def test_membranes_without_signed_input_are_narrower():
    wide, narrow = (designed(network(4, ((10,), s)), Choices(steps=12, currents={})) for s in (True, False))
    assert narrow.layers[0].bits < wide.layers[0].bits


def test_digits_beside_drawn_spikes_are_refused_by_name():
    draft = Draft()
    draft.schedule = Schedule("radix", window=3, steps=6, counting=Counting.DIGIT)
    digits, drawn = (draft.input(4, coding=c) for c in (BinaryDigits(window=3), Poisson(steps=3)))
    current = draft.node(Add, draft.dense(digits, 4), draft.dense(drawn, 4))
    draft.readout(draft.neurons(current, IF(initial=0.5, window=(3, 6), counting=Counting.DIGIT), bias=0.0))
    missing = VerilogBackend.capabilities.missing(Quantize(6)(draft.network()))
    assert any("binary digits beside input spikes" in str(m) for m in missing)


@needs("iverilog")
@pytest.mark.parametrize("lanes", [1, 4])
def test_a_layer_that_only_spikes_reach_is_scanned_in_its_window_alone(lanes):
    """So the clocks of a sample without input are those of loading it, of its windows, and a few for each step."""
    bits, steps = 4, 12
    net = network(bits, ((10,), False))
    with VerilogBackend().build(net, verilog_simulator="icarus", lanes=lanes) as built:
        built.run(np.zeros((1, 10)), steps=steps)
        (measured,) = built.clocks
        design = built.design
    first, second, readout = design.layers
    assert (first.silent, second.silent, readout.silent) == (True, True, False)
    assert [fixed_clocks(layer, steps) for layer in (first, second)] == [5 * 12 + 7 * 2, 4 * 12 + 8 * 2]
    assert measured <= design.loaded + readout.neurons + 1 + 5 * 12 + 4 * 12 + 8 * steps
    assert measured < design.loaded + steps * scan_clocks(first)


@needs("iverilog")
@pytest.mark.parametrize("limits", [None, (-300.0, 400.0)], ids=str)
def test_phases_are_those_of_the_reference_where_each_step_clips(limits):
    """Potentials that saturate do so in every step, so all of them are scanned."""
    draft = Draft()
    draft.schedule = Schedule("phased", window=4, steps=12)
    current = draft.dense(draft.input(8, coding=ConstantCurrent(steps=4)), 8)
    for first in (4, 8):
        current = draft.dense(draft.neurons(current, IF(initial=0.5, window=(first, first + 4)), bias=0.0), 8)
    draft.readout(current)
    net = Quantize(6)(draft.network())
    if limits:
        net = net.with_neurons(saturation=limits)
    x = np.random.default_rng(1).uniform(-1, 1, (6, 8))
    expected = interpret(net, x, steps=12, record=Record(spikes=True))
    with VerilogBackend().build(net, verilog_simulator="icarus", lanes=2, stalls=2) as built:
        got = built.run(x, steps=12, record=Record(spikes=True))
        assert [layer.silent for layer in built.design.layers if layer.spikes] == [False, limits is None]
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(got.spikes[name], spikes)
    free = interpret(net.with_neurons(saturation=None), x, steps=12, record=Record(spikes=True))
    clipped = any((free.spikes[n] != spikes).any() for n, spikes in expected.spikes.items())
    assert clipped == bool(limits)


@needs("yosys")
@pytest.mark.parametrize("lanes", [1, 4])
def test_there_is_no_multiplier(lanes, tmp_path):
    """Not one that a synthesis for another chip would put into LUTs either."""
    design = designed(network(4, ((2, 3, 5), True)), Choices(steps=12, currents={}, lanes=lanes))
    write(tmp_path, hardware(design))
    script = f"read_verilog *.v; hierarchy -top {design.module}; proc; flatten; opt; select -assert-none t:$mul"
    done = subprocess.run(
        ["yosys", "-q", "-p", script], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout[-500:]
