"""Lava: the spikes of the network in an interpreter of its own, which is looked at before it is used."""

import re
import sys

import numpy as np
import pytest
from drawn import network, samples

import snntoolbox as stb
from snntoolbox.analysis.conformance.cases import cases
from snntoolbox.analysis.conformance.checks import check
from snntoolbox.backends.lava.backend import LavaBackend
from snntoolbox.backends.lava.exporter import LavaExporter, _run
from snntoolbox.backends.lava.weights import UNIT, _eight_bits
from snntoolbox.backends.registry import backend_named
from snntoolbox.errors import BackendError, DiedError, UnsupportedError
from snntoolbox.ir.flat import Connection
from snntoolbox.workflow.cli import main

LAVA = LavaBackend()
CASES = {case.name: case for case in cases()}
TAKEN = [name for name, case in CASES.items() if not LAVA.capabilities.missing(case.build())]


def run(net, x, steps=8, **options):
    record = stb.Record(spikes=True)
    return stb.simulate(net, x, duration=steps * net.dt, record=record, **options)


@pytest.fixture
def interpreter(tmp_path):
    """Makes an interpreter that says it has Lava, and then does what it is told."""

    def make(then, answer='[[3, 10], {"lava": "0.10"}]'):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\nif [ \"$1\" = -c ]; then echo '{answer}'; exit; fi\n{then}\n")
        path.chmod(0o755)
        return str(path)

    return make


# -- without Lava ---------------------------------------------------------------------------------------------------


def test_what_it_lacks_is_refused_by_name_before_any_interpreter_is_asked_for():
    refused = [name for name in CASES if name not in TAKEN]
    assert len(refused) > 30
    assert {check(LAVA, CASES[name], python="/nowhere") for name in refused} == {"refused"}
    with pytest.raises(UnsupportedError, match=r"weights that are not on an integer grid(.|\n)*weight_bits = 8"):
        run(network(bits=0), samples(network()), simulator="lava")


def test_an_interpreter_that_cannot_be_used_is_refused_with_how_to_make_one(interpreter):
    net = network()
    for python, told in {
        "/nowhere/python": "there is no interpreter '/nowhere/python'",
        sys.executable: rf"\(Python 3.{sys.version_info.minor}\) has no module lava",
        "/bin/false": r"is no Python interpreter, or a broken one \(exit code 1\)",
    }.items():
        with pytest.raises(BackendError, match=rf"{told}\n.*-m venv ~/lava.*uv venv.*\[lava\] python") as error:
            run(net, samples(net), simulator="lava", python=python)
        assert not isinstance(error.value, DiedError)
    assert backend_named("lava").capabilities.installed() in (False, True)


def test_that_the_program_of_a_configuration_is_run_is_told_once(interpreter, caplog):
    net, python = network(), interpreter("exit 3")
    for _ in range(2):
        with pytest.raises(BackendError):
            run(net, samples(net), simulator="lava", python=python)
    assert [r.getMessage() for r in caplog.records] == [f"'{python}' is a program, and is run for Lava"]


def test_the_command_line_refuses_it_before_the_conversion(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(stb.demo.copy_to(tmp_path).parent)
    wanted = ["simulation.simulator=lava", "conversion.weight_bits=8", "lava.python=/nowhere/python"]
    assert main(["demo_onnx.ini", *(word for one in wanted for word in ("--set", one))]) == 2
    assert "there is no interpreter '/nowhere/python'" in capsys.readouterr().err
    assert not [*tmp_path.rglob("report.json")]


def test_a_process_that_dies_is_told_with_its_last_words(interpreter):
    net = network()
    with pytest.raises(DiedError, match=r"ended \(exit code 3\)\n    \| no room left\n"):
        run(net, samples(net), simulator="lava", python=interpreter("echo no room left >&2; exit 3"))


def test_what_fails_there_is_an_error_here(interpreter):
    net = network()
    python = interpreter("""read folder; echo '{"error": "ValueError: too much"}'; cat > /dev/null""")
    with pytest.raises(BackendError, match="'lava' failed: ValueError: too much"):
        run(net, samples(net), simulator="lava", python=python)


def test_potentials_beyond_32_bits_are_refused(interpreter):
    net = network(bits=16)
    with pytest.raises(BackendError, match=r"potentials may reach .* hold 1,073,741,823"):
        run(net, samples(net), 2**22, simulator="lava", python=interpreter("exit 1"))


def test_weights_of_any_size_are_sums_of_weights_that_lava_takes():
    weight = np.array([0, 1, -1, 127, -128, 128, -129, 300, 32767, -32768, 2**40 + 5])
    index = np.arange(len(weight))
    total = np.zeros(len(weight), np.int64)
    whole = Connection(source="a", target="b", pre=index, post=index, weight=weight.astype(float), delay=1)
    for exponent, chosen, part in _eight_bits(whole):
        assert part.min() >= -256
        assert part.max() <= 254
        assert not (part % 2).any()
        total[chosen] += part << exponent
    assert total.tolist() == (UNIT * weight).tolist()
    small = Connection(source="a", target="b", pre=index[:5], post=index[:5], weight=weight[:5].astype(float), delay=1)
    assert [exponent for exponent, _, _ in _eight_bits(small)] == [0]


def test_an_export_without_lava_says_how_to_check_it(tmp_path):
    net = network()
    exported = stb.export(net, "lava", tmp_path / "out", samples(net), duration=8, python="/nowhere/python")
    assert exported.files == ("network.npz", "network.py", "samples.npz", "weights.npz")
    (unchecked,) = exported.checks
    assert unchecked.outcome == "not checked"
    assert "there is no interpreter '/nowhere/python'; --option python=" in unchecked.why
    assert exported.report["fits the 24 bits of Loihi 2"] is True
    x, again = samples(net), LavaExporter().read(tmp_path / "out")
    ours, theirs = (stb.simulate(n, x, duration=8) for n in (net, again))
    assert np.array_equal(ours.output, theirs.output)
    with pytest.raises(BackendError, match="check_samples = -1 is below 0"):
        stb.export(net, "lava", tmp_path / "other", samples(net), check_samples=-1)


# -- in Lava --------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("case", TAKEN[1::6])
def test_lava_conforms(case, lava_python):
    assert check(LAVA, CASES[case], python=lava_python) == "passed"


@pytest.mark.long
def test_the_demo_is_equal_on_the_command_line(lava_python, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(stb.demo.copy_to(tmp_path).parent)
    settings = ["conversion.weight_bits=8", "simulation.duration=8", "simulation.num_to_test=2"]
    sets = [word for one in [*settings, f"lava.python={lava_python}"] for word in ("--set", one)]
    assert main(["compare", "demo_onnx.ini", "--simulators", "INI,lava", *sets]) == 0
    assert "equal" in capsys.readouterr().out.lower()


@pytest.mark.long
def test_the_script_gives_the_spikes_by_itself_and_notices_others(lava_python, tmp_path):
    net = network()
    x = samples(net)
    exported = stb.export(net, "lava", tmp_path / "out", x, duration=8, check_samples=1, python=lava_python)
    assert [check.outcome for check in exported.checks] == ["passed"]
    script = tmp_path / "out" / "network.py"
    text = script.read_text()
    assert "self.threshold * fired" in text
    script.write_text(text.replace("self.threshold * fired", "self.v * fired"))
    wrong = _run(tmp_path / "out", lava_python)
    assert wrong.outcome == "failed"
    assert re.match("[1-9][0-9]* of [0-9]+ cells differ, and the outputs", wrong.why)
