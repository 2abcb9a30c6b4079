"""What is Brian2's alone: its options, batches in parts, compiled code. All else is in the conformance suite."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from snntoolbox.analysis.conformance.cases import cases
from snntoolbox.analysis.conformance.checks import check
from snntoolbox.backends.brian2 import backend as module
from snntoolbox.backends.brian2.backend import Brian2Backend
from snntoolbox.backends.isolated import end_idle
from snntoolbox.errors import BackendError
from snntoolbox.ir import capabilities
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.result import Record

CASES = {case.name: case for case in cases()}
BUILT = CASES["network: two codings"].build()
absent = not Brian2Backend.capabilities.installed() and os.environ.get("CI") != "true"
installed = pytest.mark.skipif(absent, reason="needs brian2")  # in CI a missing one fails


@pytest.fixture(autouse=True, scope="module")
def _no_process_is_left():
    yield
    end_idle()


REFUSED = [
    ({"codegen": "fortran"}, "no codegen 'fortran'"),
    ({"synapses": 0}, "at least one synapse"),
    ({"speed": 3}, "no option speed"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_option_is_refused(options, message):
    with pytest.raises(BackendError, match=f"{message}(.|\n)*hint"):
        Brian2Backend().build(BUILT, **options)


def test_a_missing_simulator_is_told_with_its_extra(monkeypatch):
    monkeypatch.setattr(capabilities, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"'brian2' is not installed(.|\n)*pip install 'snntoolbox\[brian2\]'"):
        Brian2Backend().build(BUILT)


def test_a_network_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(module, "COST", module.Cost(neuron_bytes=1, synapse_bytes=1, seconds=1.0, most_synapses=5))
    with pytest.raises(BackendError, match=r"too large(.|\n)*force"):
        Brian2Backend().build(BUILT)


@installed
@pytest.mark.parametrize("samples", [0, 1, 5])
def test_a_batch_runs_in_parts(samples):
    """With room for two samples; a Poisson train follows from the sample's number whatever the part."""
    random = np.random.default_rng(4)
    x = [random.integers(-16, 17, size=(samples, *BUILT.wiring.shapes[n])) / 16 for n in BUILT.encodings]
    synapses, told = 2 * (2 * 6 * 7 + 7 * 7 + 2 * 6 * 7), []
    with Brian2Backend().build(BUILT, synapses=synapses) as simulation:
        found = simulation.run(*x, steps=9, record=Record(spikes=True), first_sample=5, progress=told.append)
    expected = interpret(BUILT, *x, steps=9, record=Record(spikes=True), first_sample=5)
    for field in ("spikes", "counts", "outputs_per_step"):
        for name, value in getattr(expected, field).items():
            np.testing.assert_array_equal(getattr(found, field)[name], value, err_msg=f"{field} of {name}")
    assert told == sorted(told)
    assert not samples or told[-1] == 9


@installed
@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.parametrize("case", ["network: poisson"])
def test_compiled_code_conforms(case):
    """Compiling takes most of a minute where it has not been done before."""
    pytest.importorskip("Cython")
    assert check(Brian2Backend(), CASES[case], codegen="cython") == "passed"


def test_importing_the_backend_imports_no_simulator():
    code = "import sys, snntoolbox.backends.brian2.backend; sys.exit('brian2' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
