"""SpiNNaker as a simulator: on a stand-in of sPyNNaker with a board, in the model of its cells, and what is missing."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn import network, samples

import snntoolbox as stb
from snntoolbox.analysis.conformance.cases import cases
from snntoolbox.analysis.conformance.checks import ConformanceError, check
from snntoolbox.backends.registry import backend_named
from snntoolbox.backends.spinnaker import board, simulation
from snntoolbox.backends.spinnaker.spinnaker_network import Network
from snntoolbox.errors import BackendError, DiedError, UnsupportedError
from snntoolbox.workflow.cli import main

SPINNAKER = backend_named("pynn.spiNNaker")
CASES = {case.name: case for case in cases()}
TAKEN = [name for name, case in CASES.items() if not SPINNAKER.capabilities.missing(case.build())]
MACHINE = "[Machine]\nmachineName = 192.168.240.253\nversion = 5\n"
PLACED = {"cores": {"clock": 1, "population0": 2}, "chips": 2, "routing entries": 7, "synapses that differ": 0}

STAND_IN = """
from snntoolbox.backends.spinnaker import chip

class Sim(chip.Chip):
    def run(self, milliseconds):
        super().run(milliseconds)
        if LOST:  # the spikes of the last cells
            self.populations[-1].fired.clear()

sim = Sim()

def __getattr__(name):
    return getattr(sim, name)
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home whose settings of sPyNNaker name a board."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / ".spynnaker.cfg").write_text(MACHINE)
    return tmp_path


@pytest.fixture
def stand_in(home):
    """Makes an interpreter whose sPyNNaker has a board: one that gives what the chip's arithmetic gives, or less."""

    def make(virtual=False, lost=False):
        there = home / f"there-{virtual}-{lost}"
        for name, text in {
            "pyNN/__init__.py": "",
            "pyNN/spiNNaker.py": f"LOST = {lost}\n{STAND_IN}",
            "spynnaker/__init__.py": "",
            "spinn_utilities/__init__.py": "",
            "spinn_utilities/config_holder.py": f"""import os\n\ndef get_config_bool(*names):
    return {virtual} or os.path.exists("spynnaker.cfg")\n""",
        }.items():
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            (there / name).write_text(text)
        python, ours = there / "python", Path(stb.__file__).parents[1]
        python.write_text(f'#!/bin/sh\nPYTHONPATH={there}:{ours} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        return str(python)

    return make


def drawn():
    return CASES["integer grid: two codings, reset zero"].build()


def run(net, x, steps=8, **options):
    record = stb.Record(spikes=True)
    return stb.simulate(net, x, duration=steps * net.dt, record=record, simulator="pynn.spiNNaker", **options)


# -- the model of its cells ------------------------------------------------------------------------------------------


def test_what_it_takes_is_more_than_a_case_or_two():
    assert {CASES[name].check for name in TAKEN} == {"identical", "batched", "repeated", "recorded"}
    assert len(TAKEN) > 6


@pytest.mark.parametrize("case", TAKEN)
def test_the_model_of_its_cells_conforms(case):
    assert check(SPINNAKER, CASES[case], board="arithmetic") == "passed"


@pytest.mark.parametrize("broken", ["cells", "script", "shape"])
def test_conformance_notices_what_is_wrong(broken, monkeypatch):
    case = CASES["integer grid: residual, reset zero"]
    if broken == "cells":
        monkeypatch.setattr("snntoolbox.backends.spinnaker.chip.SUMS", 100)
    elif broken == "script":
        load = Network.__init__

        def other(self, path):
            load(self, path)
            for name in self.arrays:
                if name.startswith("threshold of"):
                    self.arrays[name] = self.arrays[name] + 1

        monkeypatch.setattr(Network, "__init__", other)
    else:
        honest = simulation.tried

        def backwards(*given):
            spikes, wrong = honest(*given)
            return {name: train[::-1] for name, train in spikes.items()}, wrong

        monkeypatch.setattr(simulation, "tried", backwards)
    with pytest.raises(ConformanceError, match="residual, reset zero: "):
        check(SPINNAKER, case, board="arithmetic")


def test_what_no_cell_has_is_refused_with_the_one_setting_that_converts_without():
    net = network()
    with pytest.raises(UnsupportedError, match=r"reset 'subtract'(.|\n)*\[cell\] reset = zero") as refused:
        run(net, samples(net), board="arithmetic")
    assert "initial" not in refused.value.hint
    with pytest.raises(UnsupportedError, match=r"reset 'subtract'"):  # before anything is looked for
        run(net, samples(net))


def test_what_no_core_has_room_for_is_refused_before_a_sample_runs():
    net = drawn()
    large = net.with_neurons(threshold=2.0**31)
    with pytest.raises(UnsupportedError, match=r"a threshold of 2,147,483,648, and"):
        SPINNAKER.build(large, board="arithmetic")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"board": "spin5"}, "there is no board 'spin5'(.|\n)*real, virtual, arithmetic"),
        ({"board": "arithmetic", "number_of_neurons_per_core": 0}, "number_of_neurons_per_core = 0 is below 1"),
    ],
)
def test_options_that_cannot_be_are_refused(options, told):
    with pytest.raises(BackendError, match=told):
        SPINNAKER.build(drawn(), **options)


def test_a_run_says_that_nothing_ran_on_the_chip(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(stb.demo.copy_to(tmp_path).parent)
    monkeypatch.setattr(board, "mapped", lambda *given: PLACED)
    monkeypatch.setattr(board, "SPYNNAKER", FOUND)
    words = ["simulation.simulator=spiNNaker", "spinnaker.board=virtual", "cell.reset=zero", "conversion.weight_bits=8"]
    words += ["simulation.duration=4", "simulation.num_to_test=2", "normalization.num_samples=20"]
    assert main(["demo_onnx.ini", *(part for word in words for part in ("--set", word))]) == 0
    report = json.loads((tmp_path / "log" / "demo_onnx" / "report.json").read_text())
    assert report["simulator"] == "pynn.spiNNaker"
    assert report["hardware_per_sample"]["cores"] == 3
    assert report["hardware_per_sample"]["entries of the fullest router"] == 7
    (told,) = (text for text in report["warnings"] if "SpiNNaker" in text)
    assert "nothing ran on SpiNNaker" in told
    assert "model of its cells; sPyNNaker places the network on a board that is not there" in told
    assert re.search(r"cores +3\n", capsys.readouterr().out)


class FOUND:
    """An interpreter that is right."""

    usual = "python"
    found = staticmethod(lambda python: python)


def test_a_place_with_other_weights_is_an_error(monkeypatch):
    monkeypatch.setattr(board, "SPYNNAKER", FOUND)
    monkeypatch.setattr(board, "mapped", lambda *given: {**PLACED, "synapses that differ": 3})
    net = drawn()
    with pytest.raises(BackendError, match="other weights or delays at 3 synapses"):
        run(net, samples(net), board="virtual")


# -- a board -----------------------------------------------------------------------------------------------------------


def test_what_comes_back_from_a_board_is_the_result(stand_in):
    python = stand_in()
    for case in ("batched", "recorded"):
        name = next(name for name in TAKEN if CASES[name].check == case)
        assert check(SPINNAKER, CASES[name], python=python) == "passed"


def test_spikes_that_a_board_loses_are_lost_in_the_result_and_told(stand_in, caplog):
    net, python = drawn(), stand_in(lost=True)
    x = samples(net)
    found, meant = run(net, x, python=python), run(net, x, board="arithmetic")
    *others, last = net.populations
    assert meant.counts[last].any()
    assert not found.counts[last].any()
    assert all(np.array_equal(found.spikes[name], meant.spikes[name]) for name in others)
    told = [record.getMessage() for record in caplog.records if "on the board differ" in record.getMessage()]
    assert len(told) == 1
    assert f"{net.populations[last].label}: {int(meant.counts[last].sum()):,}" in told[0]
    options = {"pynn.spiNNaker": {"python": python}}
    compared = stb.compare(net, x, simulators=("INI", "pynn.spiNNaker"), duration=8, options=options)
    assert [layer for layer, count in compared.sides[1].differing.items() if count] == [last]


def test_a_board_that_turns_out_to_be_virtual_is_an_error(stand_in):
    net = drawn()
    with pytest.raises(BackendError, match=r"'pynn.spiNNaker' failed: RuntimeError: the board is virtual"):
        run(net, samples(net), python=stand_in(virtual=True))


def test_settings_of_its_library_in_this_folder_hold_there(stand_in, tmp_path, monkeypatch):
    (tmp_path / "spynnaker.cfg").write_text(MACHINE)
    monkeypatch.chdir(tmp_path)
    net = drawn()
    with pytest.raises(BackendError, match="RuntimeError: the board is virtual"):
        run(net, samples(net), python=stand_in())


def test_a_process_that_dies_is_told(home):
    python, net = home / "python", drawn()
    python.write_text("""#!/bin/sh\nif [ "$1" = -c ]; then echo '[[3, 11], {"spynnaker": "7"}]'; exit; fi\nexit 3\n""")
    python.chmod(0o755)
    with pytest.raises(DiedError, match=r"'pynn.spiNNaker' ended \(exit code 3\)"):
        run(net, samples(net), python=str(python))


def test_potentials_that_are_cut_never_take_a_board(stand_in, monkeypatch):
    monkeypatch.setattr("snntoolbox.backends.spinnaker.chip.SUMS", 100)
    monkeypatch.setattr(simulation, "answer_of", None)
    net = drawn()
    with pytest.raises(UnsupportedError, match="spikes differ: potentials fall below the lowest"):
        run(net, samples(net), python=stand_in())


# -- what is missing -------------------------------------------------------------------------------------------------


def test_all_that_is_missing_is_told_at_once_before_the_conversion(home, tmp_path, monkeypatch, capsys):
    (home / ".spynnaker.cfg").unlink()
    monkeypatch.chdir(stb.demo.copy_to(tmp_path / "demo").parent)
    wanted = ["simulation.simulator=spiNNaker", "cell.reset=zero", "conversion.weight_bits=8"]
    wanted += ["spinnaker.python=/nowhere/python"]
    assert main(["demo_onnx.ini", *(word for one in wanted for word in ("--set", one))]) == 2
    said = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert "there is no interpreter '/nowhere/python'; and no board is named: there is no ~/.spynnaker.cfg" in said
    for way in ("pip install sPyNNaker", "machine_name = ADDRESS", "board = arithmetic", "export CONFIG --to pynn.spi"):
        assert way in said
    assert not [*tmp_path.rglob("report.json")]


def test_each_board_needs_what_it_needs(home, stand_in):
    python = stand_in()
    assert board.interpreter_for("arithmetic", "/nowhere") == ""
    assert board.interpreter_for("real", python) == python
    (home / ".spynnaker.cfg").unlink()
    assert board.interpreter_for("virtual", python) == python
    with pytest.raises(BackendError, match=r"^no board is named: there is no ~/.spynnaker.cfg\n"):
        board.interpreter_for("real", python)
    with pytest.raises(BackendError, match=r"^'pynn.spiNNaker': there is no interpreter '/nowhere'\n"):
        board.interpreter_for("virtual", "/nowhere")


# -- sPyNNaker ---------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_its_library_places_a_run_with_so_many_neurons_on_a_core(spinnaker_python):
    net = drawn()
    x = samples(net)
    options = {"board": "virtual", "python": spinnaker_python, "number_of_neurons_per_core": 3}
    found, meant = run(net, x, **options), stb.simulate(net, x, duration=8)
    assert np.array_equal(found.output, meant.output)
    for name, population in net.populations.items():
        assert set(found.hardware[f"cores of {name}"]) == {-(-population.size // 3)}
    assert found.hardware["entries of the fullest router"].min() > 0


@pytest.mark.long
def test_its_library_answers(spinnaker_python, home, monkeypatch):
    """As far as it goes without a board: its settings are read, and they name none that runs."""
    (home / ".spynnaker.cfg").write_text(board.BOARD)
    net = drawn()
    with pytest.raises(BackendError, match=r"^the board of ~/.spynnaker.cfg is virtual"):
        run(net, samples(net), python=spinnaker_python)
    monkeypatch.setattr(board, "missing", lambda: "")
    with pytest.raises(BackendError, match=r"'pynn.spiNNaker' failed: RuntimeError: the board is virtual"):
        run(net, samples(net), python=spinnaker_python)
