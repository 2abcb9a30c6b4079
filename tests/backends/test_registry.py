"""Names to what runs networks and to what writes them."""

import subprocess
import sys

import pytest

from snntoolbox.backends.protocol import Exporter
from snntoolbox.backends.registry import backend_named, backend_names, exporter_named, exporter_names
from snntoolbox.errors import BackendError


def test_ours_are_known():
    assert {"INI", "verilog"} <= {*backend_names()}
    assert "fpga" in exporter_names()
    assert [exporter_named(name).name for name in exporter_names()] == exporter_names()
    assert all(isinstance(exporter_named(name), Exporter) for name in exporter_names())


def test_what_writes_cannot_be_asked_to_run():
    with pytest.raises(BackendError, match=r"'fpga' writes networks and cannot run them\n.*export --to fpga.*INI"):
        backend_named("fpga")


def test_what_runs_cannot_be_asked_to_write():
    with pytest.raises(BackendError, match=r"'INI' runs networks and cannot write them\n.*simulator = INI.*fpga"):
        exporter_named("INI")


def test_unknown_names_list_the_known():
    with pytest.raises(BackendError, match=r"no exporter named 'loihi'\n.*known: fpga"):
        exporter_named("loihi")


@pytest.mark.parametrize(
    ("call", "absent"),
    [("exporter_names()", "snntoolbox.backends.fpga"), ("exporter_named('fpga')", "snntoolbox.backends.fpga.write")],
)
def test_names_and_capabilities_load_nothing_heavy(call, absent):
    code = f"import sys\nfrom snntoolbox.backends.registry import *\n{call}\nprint({absent!r} in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
