"""Scripts that answer in another interpreter: answers, what fails there, and processes that end or do not answer."""

import os
import sys
import time

import pytest

from snntoolbox.ir.other_python.process import EndedError, FailedError, OtherProcess

SCRIPT = """
import beside, os, sys, time
def answer(request):
    print("noise", flush=True)  # with or without PYTHONUNBUFFERED
    if request == "fail": raise ValueError("no such thing")
    if request == "exit": sys.exit("done here")
    if request == "end": sys.stderr.write("no room left\\n"); os._exit(3)
    if request == "sleep": time.sleep(60)
    return [request, beside.MORE, os.environ.get("MORE"), os.environ.get("PYTHONPATH"), "snntoolbox" in sys.modules]
"""


@pytest.fixture
def process(tmp_path):
    (tmp_path / "beside.py").write_text("MORE = 5")
    (tmp_path / "script.py").write_text(SCRIPT)
    process = OtherProcess(sys.executable, tmp_path / "script.py", {"MORE": "more"})
    yield process
    process.end()
    assert not process.alive
    assert not os.path.exists(process.log.name)


def test_it_answers_and_is_told_nothing_of_us(process):
    for request in ({"a": [1, 2]}, "x"):
        assert process.ask(request) == [request, 5, "more", None, False]


@pytest.mark.parametrize(
    ("request_", "error", "told"),
    [
        ("fail", FailedError, "^ValueError: no such thing$"),
        ("exit", FailedError, "^SystemExit: done here$"),
        ("end", EndedError, r"^\(exit code 3\)\n    \| noise\n    \| noise\n    \| no room left$"),
        ("sleep", TimeoutError, "no answer in 0 s"),
    ],
)
def test_what_goes_wrong_ends_it(process, request_, error, told):
    process.ask("warm")
    begun = time.monotonic()
    with pytest.raises(error, match=told):
        process.ask(request_, 0.3 if request_ == "sleep" else 60)
    assert time.monotonic() - begun < 30
    assert not process.alive
    with pytest.raises(EndedError, match="after an error before"):
        process.ask("again")


def test_a_script_that_lacks_a_library_says_so(process, tmp_path):
    (tmp_path / "beside.py").unlink()
    with pytest.raises(FailedError, match="ModuleNotFoundError: No module named 'beside'"):
        process.ask("x")
