"""Goals of a Makefile: a limited time, and no process that stays behind."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress

import psutil
import pytest
from waiting import until

from snntoolbox.backends.fpga import checks

pytestmark = pytest.mark.skipif(not shutil.which("make") and not os.environ.get("CI"), reason="make is not installed")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Makefile").write_text("forever:\n\tsleep 3600\nprinted:\n\t@echo words; exit 3\n")
    return tmp_path


@pytest.fixture
def started(monkeypatch):
    """The processes that are started; a signal comes as each one is."""
    found = []

    class Started(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            found.append(self.pid)
            if Started.signalled:
                signal.raise_signal(signal.SIGTERM)

    Started.signalled = True
    monkeypatch.setattr(checks.subprocess, "Popen", Started)
    yield found, Started
    try:
        for group in found:
            until(lambda: not living(group))  # noqa: B023
    finally:
        for group in found:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


def living(group):
    """The processes of a group that have not ended."""
    processes = psutil.process_iter(["status"])
    alive = [p.pid for p in processes if p.info["status"] != psutil.STATUS_ZOMBIE]
    return [pid for pid in alive if group_of(pid) == group]


def group_of(pid):
    with suppress(ProcessLookupError):
        return os.getpgid(pid)


class EndedError(BaseException):
    pass


def test_a_signal_as_it_is_started_ends_it(folder, started):
    def end(number, frame):
        raise EndedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(EndedError):
            checks.run_goal(folder, "forever", (), 3600)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(started[0]) == 1


def test_what_takes_longer_is_ended_and_said(folder, started):
    started[1].signalled = False
    found = checks.run_goal(folder, "forever", (), 0.1)
    assert (found.outcome, found.why) == ("not finished", "not finished in 0.1 s")


def test_what_fails_has_its_last_words(folder):
    found = checks.run_goal(folder, "printed", (), 3600)
    assert found.outcome == "failed"
    assert found.why.startswith("words")
