"""The sizes that single layers are meant to have, counts of cells, and the memories of a design."""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest
from drawn import network, samples

from snntoolbox.backends.fpga.build import Build
from snntoolbox.backends.fpga.cells import cells_of, resources
from snntoolbox.backends.fpga.memories import Memory, blocks_of, memories
from snntoolbox.backends.fpga.project import project
from snntoolbox.backends.fpga.targets import TARGETS

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def rtl_size():
    spec = importlib.util.spec_from_file_location("rtl_size", BENCHMARKS / "rtl_size.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("yosys") and os.environ.get("CI") != "true", reason="yosys not installed")
@pytest.mark.parametrize("size", [(16, 10), (64, 64)])
def test_a_layer_is_as_small_as_it_should_be(size, rtl_size):
    luts, halves = rtl_size.GOALS[size]
    found = rtl_size.taken(TARGETS["artix7"], *size)
    assert 0 < found.luts < luts
    assert found.blocks <= halves
    assert found.dsps == 0


# cells -> LUTs, LUTs that are memory, flip-flops, block RAMs, DSPs
COUNTS = [
    ({"LUT2": 3, "LUT6": 4, "INV": 2, "RAM32M": 2, "RAM64X1D": 1, "CARRY4": 9, "MUXF7": 5}, (19, 10, 0, 0, 0)),
    ({"FDRE": 3, "FDSE": 4, "RAMB18E1": 1, "RAMB36E1": 2, "DSP48E1": 3, "BUFG": 1}, (0, 0, 7, 5, 3)),
    ({"SB_LUT4": 5, "SB_CARRY": 7, "SB_DFFESR": 2, "SB_DFF": 1, "SB_RAM40_4K": 2}, (5, 0, 3, 2, 0)),
    ({"LUT4": 5, "CCU2C": 3, "TRELLIS_FF": 2, "TRELLIS_DPR16X4": 1, "DP16KD": 4, "PFUMX": 1}, (17, 6, 2, 4, 0)),
    ({"$_SDFFE_PP0P_": 4, "$_DFF_P_": 2, "$lut": 7, "$mem_v2": 3}, (7, 0, 6, 0, 0)),
]


@pytest.mark.parametrize(("cells", "wanted"), COUNTS)
def test_cells_are_counted(cells, wanted):
    found = resources(cells)
    assert (found.luts, found.lut_ram, found.flipflops, found.blocks, found.dsps) == wanted


def test_cells_are_read_from_what_yosys_says():
    text = 'some words\n{"modules": {}, "design": {"num_cells": 3, "num_cells_by_type": {"LUT2": 3}}}\n'
    assert cells_of(text) == {"LUT2": 3}


@pytest.mark.parametrize(("words", "bits", "blocks"), [(500, 4, 0), (512, 8, 1), (2048, 16, 8), (10_000, 18, 44)])
def test_blocks_are_a_lower_bound(words, bits, blocks):
    assert blocks_of(Memory("m", words, bits), TARGETS["ice40"]) == blocks


def test_memories_of_a_design():
    """Perceptron: 6 inputs as a current, layers of 9 and 7, a read-out of 4."""
    net = network()
    target = TARGETS["artix7"]
    made = project(net, samples(net), 8, Build(target=target, device=target.device(), clock_mhz=100))
    found = {m.name: m for m in memories(made.design, made.texts)}
    weights = sum(m.words for m in found.values() if m.weights)
    assert weights == 9 * 7 + 7 * 4
    layers = {layer.module: layer for layer in made.design.layers}
    assert found["population1: potentials"] == Memory("population1: potentials", 7, layers["population1"].bits)
    currents = found["population0: input currents"]
    assert (currents.words, currents.bits) == (9, layers["population0"].current_bits)
    assert made.fit.bits == sum(m.size for m in found.values())
