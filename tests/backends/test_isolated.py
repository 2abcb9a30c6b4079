"""A simulator in its own process: results come back, and whatever happens there becomes an error here."""

import multiprocessing
import os
import signal
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from waiting import PATIENCE, until
from watching import Seen

from snntoolbox.backends import isolated
from snntoolbox.backends.isolated import Isolated
from snntoolbox.backends.retold import Retold
from snntoolbox.errors import BackendError, DataError, Unsupported, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Input
from snntoolbox.ir.progress import bar, watched

# The other process imports this; it finds it by the folder in PYTHONPATH.
SIMULATOR = """
import os, sys
from snntoolbox.errors import DataError, SNNToolboxError, Unsupported, UnsupportedError
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.progress import bar, counted
builds = 0
class Fake:
    def __init__(self, network, fault=None, at=None):
        global builds
        builds += 1
        self.network, self.fault = network, fault
        if at == "build":
            self.fail()
        self.at = at
        if fault == "bars":
            with bar("building", 4) as advance:
                advance(1)
                for _ in counted("within", [1, 2]):
                    advance(1.5)
    def fail(self):
        print("last words of the simulator", flush=True)
        if self.fault == "exit":
            os._exit(3)
        if self.fault == "abort":
            os.abort()
        if self.fault == "ours":
            raise DataError("bad data", layer="x", hint="better data")
        if self.fault == "refusal":
            raise UnsupportedError("fake", [Unsupported("x", "too round")])
        if self.fault == "own":
            raise type("OnlyHere", (SNNToolboxError,), {})("no class of the caller's", layer="x")
        if self.fault == "damaged":
            import no_such_part_of_the_simulator
        if self.fault == "defect":
            raise ZeroDivisionError("by zero")
    def run(self, *x, steps, record=None, first_sample=0, progress=None):
        if self.at == "run":
            self.fail()
        if progress:
            for step in range(1, steps + 1):
                progress(step)
        result = interpret(self.network, *x, steps=steps, record=record, first_sample=first_sample)
        result.counts["pid"], result.counts["builds"] = os.getpid(), builds
        return result
    def __enter__(self):
        return self
    def __exit__(self, *error):
        if self.at == "close":
            self.fail()
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    (tmp_path / "fake_simulator.py").write_text(SIMULATOR)
    monkeypatch.syspath_prepend(tmp_path)  # a new process is told our sys.path
    nodes = [Input(name="x", shape=(2,)), Input(name="n", shape=(2,))]
    cell = Population(name="n", shape=(2,), neuron=IF(), current="x", scale=np.ones(1), activation="n")
    readout = Readout(name="o", current="n", shape=(2,))
    network = SpikingNetwork(Graph(nodes, ["x", "n"]), {"x": ConstantCurrent()}, [cell], [readout])

    def build(keep=True, **options):
        return Isolated("fake_simulator:Fake", network, options, name="fake", group=str(tmp_path), keep=keep)

    build.network = network
    yield build
    isolated.end_idle()


X = np.array([[0.5, 0.25]])


def test_results_and_progress_come_back(start):
    told = []
    with start() as simulation:
        found = simulation.run(X, steps=4, progress=told.append)
    expected = interpret(start.network, X, steps=4)
    np.testing.assert_array_equal(found.output, expected.output)
    np.testing.assert_array_equal(found.counts["n"], expected.counts["n"])
    assert found.counts["pid"] != os.getpid()
    assert told == [1, 2, 3, 4]


def test_how_far_work_is_there_is_told_here(start):
    seen = Seen()
    with watched(seen), start(fault="bars"):
        pass
    assert seen.names == ["building", "within"]
    assert seen.whole("building")
    assert seen.whole("within")


def test_bars_of_a_process_that_dies_end(start):
    seen = Seen()
    with watched(seen), pytest.raises(BackendError), bar("here", 1), start(fault="abort", at="run") as simulation:
        simulation.run(X, steps=1)
    assert seen.told == [("begin", "here", 1)]
    retold = Retold()
    with watched(seen), retold:
        retold(0, "begin", "there", 3)
    assert seen.told[1:] == [("begin", "there", 3), ("end", "there")]


def test_a_process_serves_one_network_after_the_other(start):
    pids = []
    for builds in (1, 2):
        with start() as simulation:
            counts = simulation.run(X, steps=1).counts
            pids.append(counts["pid"])
            assert counts["builds"] == builds
    with start() as one, start() as other:
        assert one.run(X, steps=1).counts["pid"] == pids[0] == pids[1]
        assert other.run(X, steps=1).counts["pid"] != pids[0]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("keep", [True, False])
def test_a_process_ends_unless_it_is_kept(start, keep):
    with start(keep=keep) as simulation:
        pid = simulation.run(X, steps=1).counts["pid"]
    assert alive(pid) == keep
    isolated.end_idle()
    assert not alive(pid)


DEATHS = {"exit": "exit code 3", "abort": "signal SIGABRT"}


@pytest.mark.parametrize("at", ["build", "run"])
@pytest.mark.parametrize("fault", DEATHS)
@pytest.mark.one_in(3)
def test_a_death_is_an_error_with_the_last_words(start, fault, at):
    with pytest.raises(BackendError, match=rf"'fake' ended \({DEATHS[fault]}\)\n    \| last words") as caught:  # noqa: SIM117
        with start(fault=fault, at=at) as simulation:
            simulation.run(X, steps=1)
    assert "memory" in caught.value.hint
    with start() as simulation:
        assert simulation.run(X, steps=1).counts["builds"] == 1


@pytest.mark.parametrize("at", ["build", "run"])
@pytest.mark.one_in(2)
def test_errors_keep_their_kind(start, at):
    with pytest.raises(DataError, match="x: bad data") as caught:  # noqa: SIM117
        with start(fault="ours", at=at) as simulation:
            simulation.run(X, steps=1)
    assert caught.value.hint == "better data"
    with pytest.raises(UnsupportedError) as refusal:  # noqa: SIM117
        with start(fault="refusal", at=at) as simulation:
            simulation.run(X, steps=1)
    assert refusal.value.offenders == (Unsupported("x", "too round"),)
    with pytest.raises(BackendError, match="x: no class of the caller's") as other:  # noqa: SIM117
        with start(fault="own", at=at) as simulation:
            simulation.run(X, steps=1)
    assert type(other.value) is BackendError
    with pytest.raises(BackendError, match="'fake' failed: ZeroDivisionError: by zero") as caught:  # noqa: SIM117
        with start(fault="defect", at=at) as simulation:
            simulation.run(X, steps=1)
    assert "fake_simulator.py" in caught.value.__notes__[0]


def test_a_damaged_installation_says_what_to_do(start):
    """What is found but cannot be imported passes the check of what is installed."""
    told = "'fake' cannot be imported: No module named 'no_such_part_of_the_simulator'"
    with pytest.raises(BackendError, match=told) as caught:
        start(fault="damaged", at="build")
    assert "snntoolbox capabilities" in caught.value.hint


def test_a_failure_while_closing_spoils_no_result(start):
    with start(fault="exit", at="close") as simulation:
        assert simulation.run(X, steps=4).counts["n"].sum() == 3


def test_killed_from_outside(start):
    with start() as simulation:
        os.kill(simulation.run(X, steps=1).counts["pid"], signal.SIGKILL)
        with pytest.raises(BackendError, match="SIGKILL"):
            simulation.run(X, steps=1)
        with pytest.raises(BackendError, match="closed"):
            simulation.run(X, steps=1)


SCRIPT = """
import sys
print("once")
sys.path.insert(0, sys.argv[1])
import numpy as np
from snntoolbox.backends.isolated import Isolated
from snntoolbox.backends.retold import Retold
from snntoolbox.ir.io import load_network
network = load_network(sys.argv[1] + "/net.npz")
with Isolated("fake_simulator:Fake", network, {}, name="fake") as simulation:
    print(simulation.run(np.ones((1, 2)), steps=1).counts["pid"])
"""


@pytest.mark.parametrize("standard_input", [True, False])
def test_a_script_needs_no_guard(start, tmp_path, standard_input):
    """Neither a script without ``if __name__ == '__main__'`` nor one on standard input is run again; no file stays."""
    from snntoolbox.ir.io import save

    save(start.network, tmp_path / "net.npz")
    (tmp_path / "script.py").write_text(SCRIPT)
    program = "-" if standard_input else str(tmp_path / "script.py")
    given = SCRIPT if standard_input else None
    command = [sys.executable, program, str(tmp_path)]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    how = {"env": environment, "capture_output": True, "text": True, "timeout": PATIENCE}
    done = subprocess.run(command, input=given, check=True, **how)
    once, pid = done.stdout.split()
    assert once == "once"
    assert os.listdir(tmp_path / "tmp") == []
    until(lambda: not alive(int(pid)))


KILLED = """
import os, signal, sys, threading
sys.path.insert(0, sys.argv[1])
import numpy as np
from snntoolbox.backends.isolated import Isolated
from snntoolbox.backends.retold import Retold
from snntoolbox.ir.io import load_network
simulation = Isolated("fake_simulator:Fake", load_network(sys.argv[1] + "/net.npz"), {"at": "never"}, name="fake")
print(simulation.run(np.ones((1, 2)), steps=1).counts["pid"], flush=True)
simulation.run(np.ones((1, 2)), steps=10**9, progress=lambda step: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_it_ends_with_a_caller_that_is_killed_in_the_middle_of_a_run(start, tmp_path):
    from snntoolbox.ir.io import save

    slow = SIMULATOR.replace("progress(step)", "progress(step); __import__('time').sleep(3600)")
    (tmp_path / "fake_simulator.py").write_text(slow)
    save(start.network, tmp_path / "net.npz")
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == -signal.SIGKILL
    until(lambda: not alive(int(done.stdout)))
    assert os.listdir(tmp_path / "tmp") == []


def test_a_process_that_may_start_none_says_so(start, monkeypatch):
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    with pytest.raises(BackendError, match=r"'fake' needs a process of its own[^$]*DAEMON=False"):
        start()


def test_a_class_that_the_process_lacks_is_named(monkeypatch):
    module = ModuleType("only_here")
    exec("class Mine: pass", vars(module))
    monkeypatch.setitem(sys.modules, "only_here", module)
    with pytest.raises(BackendError, match=r"lacks a part of the network: No module named 'only_here'") as caught:
        Isolated("nothing:nobody", module.Mine(), name="x")
    assert "a module that can be imported" in caught.value.hint
