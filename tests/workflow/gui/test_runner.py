"""One command at a time runs in a process of its own; it is followed, stopped, and its death is told."""

import os
import signal
import sys

import psutil
import pytest
from waiting import until

from snntoolbox.errors import SNNToolboxError
from snntoolbox.workflow.gui import runner as module
from snntoolbox.workflow.gui.runner import Runner, read_by

TELLS = 'for last; do :; done; file=${last#--progress=}; echo \'{"what": "stage", "name": "simulate"}\' >> "$file"; '


@pytest.fixture
def start(tmp_path):
    running = []

    def started(script, *arguments, first=""):
        runner = Runner(tmp_path, program=("sh", "-c", first + TELLS + script))
        runner.start("run", arguments)
        running.append(runner)
        return runner

    yield started
    for runner in running:
        runner.close(0.1)


def ended(runner):
    until(runner.poll)
    return runner.ended


def until_told(runner):
    until(lambda: runner.poll() or runner.told.stage)


def test_it_is_followed_to_its_end(start):
    runner = start("pwd; echo words >&2; exit 3")
    assert (runner.command, runner.pid > 0) == ("run", True)
    end = ended(runner)
    assert runner.told.stage == "simulate"
    assert (end.code, end.was_stopped, runner.command) == (3, False, "")
    assert end.output.splitlines()[1] == "words"
    assert end.words.startswith("run ended with exit code 3")


def test_json_is_kept_apart(start):
    runner = start("echo '{\"a\": 1}'; echo words >&2", "--json")
    assert ended(runner).output == "words"
    assert read_by(runner.data) == {"a": 1}
    assert read_by(b"[]") == read_by(b"no") == {}


def test_there_is_one_at_a_time(start):
    runner = start("sleep 60")
    with pytest.raises(SNNToolboxError, match="one at a time"):
        runner.start("tune", ())


def test_it_is_stopped_as_by_ctrl_c(start):
    runner = start("while :; do sleep 0.05; done", first="trap 'echo kept; exit 2' INT; ")
    until_told(runner)
    runner.stop()
    assert runner.is_stopping
    end = ended(runner)
    assert (end.code, end.output) == (2, "kept")
    assert end.words.startswith("run was stopped")


def test_who_does_not_stop_is_killed_with_what_it_started(start, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    runner = start("trap '' INT; sleep 60 & echo $!; while :; do sleep 0.05; done")
    until_told(runner)
    child = int(until(runner.output))
    runner.stop()
    assert ended(runner).code == -signal.SIGKILL
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_its_death_is_told(start):
    runner = start("echo last words; kill -SEGV $$")
    assert "killed by SIGSEGV" in ended(runner).words
    assert runner.ended.output == "last words"


def test_it_ends_with_the_page(start):
    runner = start("trap '' INT; while :; do sleep 0.05; done")
    pid = runner.pid
    runner.close(0.1)
    assert runner.command == ""
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_notices_that_whoever_started_it_is_gone(tmp_path):
    waits = "import sys; print(sys.argv[2], flush=True); sys.stdin.buffer.read(); print('gone', flush=True)"
    runner = Runner(tmp_path, program=(sys.executable, "-c", waits))
    runner.start("run", ())
    until(lambda: "--end-with-input" in runner.output())
    assert not runner.poll()
    runner._running.process.stdin.close()
    until(lambda: "gone" in runner.output())
    runner.close()


def test_files_of_the_folder_are_no_modules():
    assert "-P" in module.PROGRAM


def test_a_folder_that_is_gone_is_told(tmp_path):
    runner = Runner(tmp_path / "gone", program=("sh", "-c", ""))
    with pytest.raises(SNNToolboxError, match="run cannot be started"):
        runner.start("run", ())
    assert runner.command == ""
