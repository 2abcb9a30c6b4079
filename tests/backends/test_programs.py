"""Programs are looked at while they run, and nothing that they print is lost."""

import subprocess
import sys

import pytest

from snntoolbox.backends import programs
from snntoolbox.backends.programs import printed

SLOW = "import sys, time\nfor i in range(4): print(i, flush=True); time.sleep(0.2)\nsys.exit(3)"


def started(code):
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_a_program_is_looked_at_until_it_ends(monkeypatch):
    monkeypatch.setattr(programs, "_LOOK_SECONDS", 0.05)
    looks = []
    with started(SLOW) as process:
        assert printed(process, lambda: looks.append(process.poll())) == "0\n1\n2\n3\n"
    assert looks
    assert set(looks) == {None}
    assert process.returncode == 3


def test_one_that_takes_too_long_is_told_of():
    with started("import time; time.sleep(600)") as process:
        with pytest.raises(subprocess.TimeoutExpired):
            printed(process, lambda: None, 0.2)
        assert process.poll() is None
        process.kill()
