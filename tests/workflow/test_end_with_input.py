"""A command ends with whoever started it, and cleans up as after Ctrl-C."""

import os
import signal
import subprocess
import sys
import time

import pytest

from snntoolbox.workflow import demo

WAITS = """
import sys, time
from snntoolbox.workflow import end_with_input as module
module.PATIENCE_SECONDS = 3.0 if {stuck} else 600.0
module.end_with_input()
try:
    print("begun", flush=True)  # Ctrl-C may come as soon as it is read
    time.sleep(600)
except KeyboardInterrupt:
    print("cleaned up", flush=True)
    time.sleep({stuck})
"""


@pytest.mark.parametrize(("stuck", "code"), [(0, 0), (600, -signal.SIGKILL)])
def test_the_end_of_standard_input_is_ctrl_c_and_then_the_end(stuck, code):
    words = [sys.executable, "-c", WAITS.format(stuck=stuck)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "start_new_session": True}
    with subprocess.Popen(words, **pipes) as process:
        process.stdin.write(b"what is said there is of no interest")
        process.stdin.flush()
        assert process.stdout.readline() == b"begun\n"
        assert process.poll() is None
        process.stdin.close()
        assert process.stdout.read() == b"cleaned up\n"
        assert process.wait() == code


@pytest.mark.long
def test_a_run_ends_so_and_leaves_nothing(tmp_path):
    config, lines = demo.copy_to(tmp_path), tmp_path / "lines"
    slow = ["--set=simulation.engine=reference", "--set=simulation.duration=4000", "--quiet"]
    words = [sys.executable, "-m", "snntoolbox", str(config), *slow, f"--progress={lines}", "--end-with-input"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not lines.exists() or "convert" not in lines.read_text():
            assert process.poll() is None
            time.sleep(0.05)
        process.stdin.close()
        assert "interrupted" in process.stderr.read()
        assert process.wait() == 2
    assert os.listdir(tmp_path / "log") == []
