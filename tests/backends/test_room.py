"""What a run keeps is estimated before it, and refused where no room is for it."""

import resource
import subprocess
import sys

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends import room
from snntoolbox.backends.room import bytes_per_step, check_room, machine_room
from snntoolbox.errors import TooLargeError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.result import Record
from snntoolbox.workflow.cli import main

RNG = np.random.default_rng(0)
X = RNG.random((20, 4)).astype(np.float32)


def graph():
    nodes = [
        Input(name="x", shape=(4,)),
        Dense(name="h", inputs=("x",), weight=RNG.normal(size=(5, 4))),
        ReLU(name="r", inputs=("h",)),
        Dense(name="y", inputs=("r",), weight=RNG.normal(size=(3, 5))),
    ]
    return Graph(nodes, ["y"])


@pytest.mark.parametrize(
    ("record", "expected"),
    [(None, 24), (Record(), 24), (Record(outputs_per_step=False), 0), (Record(spikes=True), 29),
     (Record(potentials=True, outputs_per_step=False), 20), (Record(spikes=frozenset({"other"})), 24)],
)  # fmt: skip
def test_bytes_per_step_are_those_of_the_result(record, expected):
    network = stb.convert(graph(), X)
    assert bytes_per_step(network, record) == expected
    if record is None or not record.spikes:
        result = stb.simulate(network, X[:1], duration=4, record=record)
        kept = [*result.outputs_per_step.values(), *result.spikes.values(), *result.potentials.values()]
        assert sum(array.nbytes for array in kept) == 4 * expected


def test_what_has_no_room_is_refused_with_the_estimate(monkeypatch):
    monkeypatch.setattr(room, "machine_room", lambda: 1000)
    check_room(10, 10, 10)
    with pytest.raises(TooLargeError, match=r"11 steps for 10 samples takes about 1.1 KiB.*room for 1000 bytes"):
        check_room(11, 10, 10)


def test_the_room_is_no_more_than_is_allowed():
    code = "import resource, snntoolbox.backends.room as r; limit = 2**33; "
    code += "resource.setrlimit(resource.RLIMIT_AS, (limit, limit)); print(r.machine_room() == limit)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    assert 2**20 < machine_room() <= 2**60
    assert resource.getrlimit(resource.RLIMIT_AS)


TOO_LONG = {
    "simulate": lambda net: stb.simulate(net, X, duration=1e12),
    "simulate, with spikes alone": lambda net: stb.simulate(
        net, X, duration=1e12, record=Record(spikes=True, outputs_per_step=False)
    ),
    "convert": lambda net: stb.convert(graph(), X, duration=1e12),
    "a tiny time step": lambda net: stb.convert(graph(), X, duration=1.0, dt=1e-12),
}


@pytest.mark.parametrize("name", TOO_LONG)
def test_a_run_that_no_machine_can_keep_is_refused(name):
    with pytest.raises(TooLargeError, match="steps for"):
        TOO_LONG[name](stb.convert(graph(), X))


def test_a_long_run_that_keeps_nothing_per_step_is_not(monkeypatch):
    network = stb.convert(graph(), X)
    monkeypatch.setattr(room, "machine_room", lambda: 100)
    assert stb.simulate(network, X, duration=64, record=Record(outputs_per_step=False)).steps == 64


@pytest.mark.parametrize("setting", ["simulation.duration=1000000000000", "simulation.dt=1e-30"])
def test_on_the_command_line_it_is_refused_before_the_work(setting, tmp_path, capsys, monkeypatch):
    from snntoolbox import demo

    demo.copy_to(tmp_path)

    def worked(*arguments, **options):
        raise AssertionError("the model was evaluated")

    monkeypatch.setattr("snntoolbox.workflow.preparation.evaluated", worked)
    assert main(["run", str(tmp_path / "demo_onnx.ini"), "--set", setting]) == 2
    assert "this machine has room for" in capsys.readouterr().err
    assert not (tmp_path / "log").exists() or not list((tmp_path / "log").iterdir())
