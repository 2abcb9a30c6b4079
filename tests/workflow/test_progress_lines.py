"""A program that starts a command is told what happens, line by line, and nobody else is."""

import json

import pytest

from snntoolbox.ir.progress import bar
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.journal import Journal, watching
from snntoolbox.workflow.progress_lines import is_told, tell, told_progress, told_to


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_happens_is_told(tmp_path):
    path, journal = tmp_path / "lines", Journal()
    with told_to(path):
        with journal.timed("convert"), watching(0), bar("Counting\n", 3) as advance:
            advance(1)
            advance(1)
            advance(1)
        journal.warn("look out")
    told = lines(path)
    assert [line.pop("left") >= 0 for line in told if line["what"] == "advance"] == [True, True]
    assert told == [
        {"what": "stage", "name": "convert"},
        {"what": "begin", "name": "Counting\n", "total": 3},
        {"what": "advance", "name": "Counting\n", "done": 1},
        {"what": "advance", "name": "Counting\n", "done": 3},
        {"what": "end", "name": "Counting\n", "done": 3},
        {"what": "warning", "message": "look out"},
    ]


def test_work_that_fails_is_not_told_as_done(tmp_path):
    def fail():
        with told_progress("x", 4) as advance:
            advance(1)
            raise KeyError

    with told_to(tmp_path / "lines"), pytest.raises(KeyError):
        fail()
    assert lines(tmp_path / "lines")[-1] == {"what": "end", "name": "x", "done": 1}


def test_nobody_is_told_unless_asked(tmp_path):
    with told_to(None), told_progress("x", 1) as advance:
        advance(1)
        tell("stage", name="x")
        assert not is_told()


def test_who_reads_may_be_gone(tmp_path):
    with told_to(tmp_path / "lines"):
        from snntoolbox.workflow import progress_lines

        progress_lines._LINES.get().close()
        tell("stage", name="x")


def test_a_run_tells_how_its_accuracy_grows(tmp_path, capsys):
    config = demo.copy_to(tmp_path)
    short = ["simulation.num_to_test=20", "simulation.duration=4", "simulation.batch_size=20", "output.verbose=0"]
    words = [word for key in short for word in ("--set", key)]
    assert main([str(config), *words, "--quiet", f"--progress={tmp_path / 'lines'}"]) == 0
    told = lines(tmp_path / "lines")
    assert {"what": "begin", "name": "Simulating on INI", "total": 20} in told
    (accuracy,) = [line for line in told if line["what"] == "accuracy"]
    report = json.loads((tmp_path / "log" / "demo_onnx" / "report.json").read_text())
    assert accuracy["per_step"] == pytest.approx(report["snn_accuracy_per_step"], abs=1e-5)
    assert (accuracy["of"], accuracy["samples"]) == ("accuracy", 20)
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_written_is_told(tmp_path, capsys):
    assert main(["capabilities", f"--progress={tmp_path / 'no' / 'file'}"]) == 2
    assert "cannot write" in capsys.readouterr().err
