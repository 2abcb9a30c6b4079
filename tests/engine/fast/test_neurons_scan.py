"""The GPU's kernel of plain neurons by its twin on the CPU, Triton's interpreter: the spikes of the loop in torch."""

import logging
import os
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch

from snntoolbox.analysis.conformance.cases import cases
from snntoolbox.analysis.conformance.checks import check
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.engine import neurons
from snntoolbox.engine.fast import neurons_scan
from snntoolbox.engine.neurons import add_pulse, copied
from snntoolbox.engine.tensors import Target
from snntoolbox.ir.features import RECORDED_POTENTIALS
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.result import Record

TRITON = pytest.mark.skipif(find_spec("triton") is None and not os.environ.get("CI"), reason="needs triton")
CPU = torch.device("cpu")
SPIKES = Record(spikes=True)


def scan_kernel():
    return import_module("snntoolbox.engine.fast.neurons_scan_kernel")


def forget():
    neurons_scan.works.cache_clear()
    neurons_scan._refuse.cache_clear()
    if find_spec("triton"):
        scan_kernel().kernel.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _tried_here():
    """What is known about the kernel holds within this module."""
    forget()
    yield
    forget()


@pytest.fixture
def interpreted(monkeypatch):
    """The kernel also where tensors lie on the CPU."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr(neurons_scan, "DEVICES", {"cpu", "cuda"})


@pytest.fixture
def untried():
    """Nothing is known yet about the kernel, nor afterwards."""
    forget()
    yield
    forget()


RANDOM = np.random.default_rng(5)
NEURONS = {
    "subtract": IF(threshold=0.7, initial=0.3),
    "subtract, own thresholds": lambda n: IF(threshold=RANDOM.uniform(0.3, 1.5, n), initial=RANDOM.random(n)),
    "to zero": IF(reset=Reset.ZERO),
    "to a value": IF(reset=Reset.ZERO, reset_potential=-0.1, threshold=0.9),
}
SHAPES = {"one": (1,), "row": (77,), "line": (3, 11), "plane": (5, 4, 6), "point": (1, 1, 1), "space": (2, 3, 2, 5)}
DRIVES = ("none", "shared", "broadcast", "per sample")


def population(neuron, shape, drive):
    made = neuron(shape) if callable(neuron) else neuron
    per_channel = (shape[0], *[1] * (len(shape) - 1))
    bias = {"shared": RANDOM.normal(0.1, 0.2, shape), "broadcast": RANDOM.normal(0.1, 0.2, per_channel)}.get(drive)
    given = {"name": "p", "current": "c", "activation": "a", "scale": np.ones(1)}
    return Population(shape=shape, neuron=made, bias=bias, **given)


def both(*arguments):
    """The same neurons with the kernel and without."""
    fused = neurons_scan.start(*arguments)
    assert isinstance(fused, neurons_scan.Scan)
    return fused, neurons.start(*arguments)


def advanced(states, batch, shape, dtype, calls, current=True):
    """All states carried over the same calls; they must not differ in anything."""
    fused, loop = states
    total = fused.counts.clone()
    for steps in calls:
        given = torch.from_numpy(RANDOM.normal(0.2, 0.5, (steps * batch, *shape))).to(dtype) if current else None
        spikes, wanted = (state.advance(given, steps, None) for state in (fused, loop))
        assert spikes.dtype == wanted.dtype
        assert torch.equal(spikes, wanted)
        total += wanted.reshape(steps, batch, *shape).sum(0).int()
    assert torch.equal(fused.potential, loop.potential)
    assert torch.equal(fused.counts, total)
    return total


@TRITON
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("drive", DRIVES)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("neuron", NEURONS.values(), ids=NEURONS)
@pytest.mark.one_in(5)
def test_kernel_is_the_loop(neuron, shape, drive, dtype, interpreted):
    target = Target(CPU, dtype)
    constant = torch.from_numpy(RANDOM.normal(0.1, 0.3, (3, *shape))).to(dtype) if drive == "per sample" else None
    states = both(population(neuron, shape, drive), 3, constant, target)
    advanced(states, 3, shape, dtype, (4, 1, 3))
    advanced(states, 3, shape, dtype, (2,), current=False)
    assert states[0].taken == {"scan"}


@TRITON
@pytest.mark.parametrize("size", [511, 512, 513, 1024])
def test_blocks_end_where_neurons_do(size, interpreted):
    states = both(population(IF(), (size,), "shared"), 1, None, Target(CPU))
    assert advanced(states, 1, (size,), torch.float32, (8,)).sum() > 0
    states = both(population(IF(), (size // 2,), "none"), 2, None, Target(CPU))
    advanced(states, 2, (size // 2,), torch.float32, (8,))


@TRITON
@pytest.mark.parametrize("batch", [0, 1])
def test_few_samples(batch, interpreted):
    states = both(population(IF(), (5, 4, 3), "broadcast"), batch, torch.rand(batch, 5, 4, 3), Target(CPU))
    advanced(states, batch, (5, 4, 3), torch.float32, (3,))


@TRITON
def test_input_that_ends_is_not_given_longer(interpreted):
    """Before, across and behind the last step that a constant input is presented in."""
    constant = torch.rand(2, 9)
    states = both(population(IF(), (9,), "shared"), 2, constant, Target(CPU), 5)
    advanced(states, 2, (9,), torch.float32, (3, 4, 3), current=False)
    assert states[0].taken == {"scan", "dense"}


@TRITON
def test_pulses_traces_and_copies(interpreted):
    shape = (2, 3, 4)
    fused, loop = both(population(IF(), shape, "shared"), 2, None, Target(CPU))
    advanced((fused, loop), 2, shape, torch.float32, (3,))
    twins = copied(fused), copied(loop)
    before = fused.potential.clone(), fused.counts.clone()
    advanced(twins, 2, shape, torch.float32, (2,))
    assert torch.equal(fused.potential, before[0])
    assert torch.equal(fused.counts, before[1])
    traces = torch.empty(2, 3, 2, *shape)
    current = torch.rand(6, *shape)
    spikes = [s.advance(current, 3, t) for s, t in zip((fused, loop), traces, strict=True)]
    assert torch.equal(*spikes)
    assert torch.equal(*traces)
    assert torch.equal(fused.counts, before[1] + spikes[0].view(3, 2, *shape).sum(0).int())
    for state in (fused, loop):
        add_pulse(state, state.step + 1, np.ones(shape))
    assert torch.equal(fused.advance(None, 3, None), loop.advance(None, 3, None))
    assert fused.taken == {"scan", "dense"}


@pytest.mark.parametrize(
    ("neuron", "dtype"),
    [
        (IF(leak=0.9), torch.float32),
        (IF(reset=Reset.MODULO), torch.float32),
        (IF(refractory=1), torch.float32),
        (IF(), torch.float16),
    ],
)
def test_other_neurons_take_the_loop(neuron, dtype, monkeypatch):
    monkeypatch.setattr(neurons_scan, "DEVICES", {"cpu"})
    monkeypatch.setattr(neurons_scan, "works", lambda device, dtype: True)
    found = neurons_scan.start(population(neuron, (3,), "none"), 1, None, Target(CPU, dtype))
    assert type(found) is neurons.IntegrateAndFire


def test_a_cpu_has_loops_of_its_own(monkeypatch):
    monkeypatch.setattr(neurons_scan, "works", lambda device, dtype: pytest.fail("not asked"))
    assert not isinstance(neurons_scan.start(population(IF(), (3,), "none"), 1, None, Target(CPU)), neurons_scan.Scan)


# -- the whole simulator --------------------------------------------------------------------------------------------


class WithoutPotentials(InisimBackend):
    """INI where only spikes are recorded: potentials would be followed step by step."""

    capabilities = InisimBackend.capabilities.without(RECORDED_POTENTIALS)


CASES = {case.name: case for case in cases()}


@TRITON
@pytest.mark.parametrize("name", CASES)
@pytest.mark.one_in(3)
def test_scan_conforms(name, interpreted):
    assert check(WithoutPotentials(), CASES[name], device="cpu", engine="dense") == "passed"


@TRITON
@pytest.mark.parametrize(("record", "way"), [(SPIKES, "scan"), (Record(potentials=True), "dense")])
def test_result_tells_the_way(record, way, interpreted):
    case = CASES["network: even kernels"]
    network = case.build()
    found = InisimBackend().build(network, device="cpu", engine="dense", chunk=7).run(
        *case.inputs(network), steps=case.steps, record=record
    )
    assert set(found.engine_paths.values()) == {frozenset({way})}


# -- the trial on the device ----------------------------------------------------------------------------------------


@TRITON
def test_the_kernel_works_here(interpreted):
    assert neurons_scan.works(CPU, torch.float32)
    assert neurons_scan.works(CPU, torch.float64)


ADDED = "v += tl.load(incoming, mask=there)"
WRONG = {
    "comparison": [("v >= theta", "v > theta")],
    "order of sums": [(ADDED, f"{ADDED} + steady"), ("v += steady", "v += 0.0 if GIVEN else steady")],
    "currents": [("incoming += total", "incoming += 0")],
    "reset": [("v - theta, v", "v, v")],
    "value of the reset": [("after if ZERO", "0.0 if ZERO")],
    "count": [("tl.where(fired, 1, 0)", "1")],
    "thresholds": [("i % thresholds", "i % 1")],
    "end": [("i < total", "i < total - 1")],
    "small numbers": [("v += steady", "v += steady; v = tl.where(tl.abs(v) < 1e-38, 0.0, v)")],
    "compiler": [("tl.store(potential + i", "tl.stored(potential + i")],
}


def changed(changes, folder):
    """The module of the kernel with other lines."""
    text = Path(scan_kernel().__file__).read_text()
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / "changed_kernel.py").write_text(text)
    spec = spec_from_file_location("changed_kernel", folder / "changed_kernel.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@TRITON
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_kernel_is_not_used(name, interpreted, untried, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr("snntoolbox.engine.fast.neurons_scan_kernel", changed(WRONG[name], tmp_path))
    assert not neurons_scan.works(CPU, torch.float32)
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "step by step in torch" in line
    assert ("AttributeError" in line) == (name == "compiler")
    runs_in_torch()


@TRITON
def test_a_kernel_that_fails_later_is_left_alone(interpreted, untried, monkeypatch, caplog):
    def refuse(*args, **kwargs):
        raise RuntimeError("too many registers")

    assert neurons_scan.works(CPU, torch.float32)
    monkeypatch.setattr(scan_kernel(), "advance", refuse)
    runs_in_torch()
    assert "too many registers" in caplog.text


def test_without_triton_the_loop_runs(untried, monkeypatch, caplog):
    monkeypatch.setattr(neurons_scan, "DEVICES", {"cpu"})
    monkeypatch.setattr(neurons_scan, "find_spec", lambda name: None)
    with caplog.at_level(logging.INFO, "snntoolbox"):
        runs_in_torch()
    assert "Triton is not installed" in caplog.text


def runs_in_torch():
    """A network on the general path, equal to the interpreter, and saying so."""
    case = CASES["network: even kernels"]
    network = case.build()
    x = case.inputs(network)
    found = InisimBackend().build(network, device="cpu", engine="dense").run(*x, steps=case.steps, record=SPIKES)
    wanted = interpret(network, *x, steps=case.steps, record=SPIKES)
    assert all(np.array_equal(found.spikes[n], wanted.spikes[n]) for n in network.populations)
    assert all(np.array_equal(found.counts[n], wanted.counts[n]) for n in network.populations)
    assert set(found.engine_paths.values()) == {frozenset({"dense"})}


# -- what the compiler makes of it ----------------------------------------------------------------------------------


@TRITON
@pytest.mark.parametrize("dtype", ["fp32", "fp64"])
@pytest.mark.parametrize(("given", "zero"), [(True, False), (False, True)])
def test_gpu_code_rounds_as_written(given, zero, dtype, untried, monkeypatch, tmp_path):
    """Compiling needs no GPU: every sum of its own, no fused product, nothing flushed to zero."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    import triton
    from triton.backends.compiler import GPUTarget

    kernel = scan_kernel().kernel()
    chosen = {"GIVEN": given, "ZERO": zero, "BLOCK": scan_kernel().BLOCK}
    types = dict.fromkeys(("counts",), "*i32") | dict.fromkeys(("total", "drives", "thresholds", "steps"), "i32")
    types |= dict.fromkeys(chosen, "constexpr")
    signature = {name: types.get(name, f"*{dtype}") for name in kernel.arg_names}
    source = triton.compiler.ASTSource(kernel, signature, constexprs=chosen)
    code = triton.compile(source, target=GPUTarget("cuda", 80, 32)).asm["ptx"]
    lines = [line.split()[0] for line in code.splitlines() if line.startswith("\t") and line.split()]
    used = {op for op in lines if op.startswith(("add.", "sub.", "mul.", "fma.", "mad.")) and ".f" in op}
    width = dtype.removeprefix("fp")
    assert used == ({f"add.f{width}"} if zero else {f"add.f{width}", f"sub.f{width}"})
    assert f"setp.ge.f{width}" in {op for op in code.split() if op.startswith("setp.ge")}
    assert "ftz" not in code
