"""What holds for every test: Keras runs on torch, log levels are as they were, one case in n stands for the others."""

import fcntl
import gc
import logging
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from needed import needed
from waiting import PATIENCE

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports Keras
# Every process, of those that run tests and of those that tests start, would compile the same files anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is collected and imported stays to the end: no garbage collector need look through it again and again."""
    gc.disable()
    found = yield
    gc.enable()
    gc.freeze()
    return found


@pytest.fixture(autouse=True)
def log_levels():
    """A run of the command line sets what is logged: the next test must not depend on it."""
    loggers = [logging.getLogger(), logging.getLogger("snntoolbox")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="module")
def process_clock():
    """Budgets of trials count seconds of this process: they hold as many beside other work, or if all stood still."""
    from snntoolbox.analysis import trials
    from snntoolbox.analysis.tuning import search, short_trials

    with pytest.MonkeyPatch.context() as patch:
        for module in (trials, search, short_trials):
            patch.setattr(module, "time", SimpleNamespace(perf_counter=time.process_time))
        yield


LAVA = ("lava-nc==0.10.0", "numpy==1.26.4", "scipy==1.15.3", "networkx==2.8.7", "asteval==0.9.33")
"""What Lava needs to run."""

SPINNAKER = "sPyNNaker==1!7.4.1"
CONVERTERS = ("tensorflow-cpu==2.21.0", "tf2onnx==1.17.0", "jax==0.10.2", "jax2onnx==0.17.1")


@pytest.fixture(scope="session")
def lava_python(tmp_path_factory):
    """A Python 3.10 with Lava, in an environment that is made once for all processes; LAVA_PYTHON names another one.

    Skips where the machine has no Python 3.10.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    python = next((str(p) for p in sorted(pyenv.glob("versions/3.10.*/bin/python"))), shutil.which("python3.10"))
    if python is None and "LAVA_PYTHON" not in os.environ:
        pytest.skip("there is no Python 3.10 here, which Lava needs")
    return environment("lava", python, tmp_path_factory, "--no-deps", *LAVA)


@pytest.fixture(scope="session")
def spinnaker_python(tmp_path_factory):
    """A Python with sPyNNaker, in an environment that is made once; SPINNAKER_PYTHON names another one."""
    return installed("spinnaker", tmp_path_factory, SPINNAKER)


@pytest.fixture(scope="session")
def converters_python(tmp_path_factory):
    """A Python with TensorFlow, JAX and what makes ONNX of theirs, made once; CONVERTERS_PYTHON names another one."""
    return installed("converters", tmp_path_factory, *CONVERTERS)


def installed(name, tmp_path_factory, *packages):
    """The Python of an environment beside ours; skips where it cannot be made, but not in CI."""
    try:
        return environment(name, sys.executable, tmp_path_factory, *packages)
    except subprocess.CalledProcessError:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{', '.join(packages)} cannot be installed here")


def environment(name, python, tmp_path_factory, *packages):
    """The Python of an environment with these packages, or the one that a variable names."""
    if there := os.environ.get(f"{name.upper()}_PYTHON"):
        return there
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            subprocess.run([python, "-m", "venv", folder], check=True)
            pip = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--no-compile", *packages], check=True)
            (folder / "made").touch()
    return str(folder / "bin" / "python")


@pytest.fixture(scope="module")
def browser():
    """The Chromium of this machine; skips where it or Playwright is missing, but not in CI."""
    needed("playwright")
    if not (chromium := shutil.which("chromium")) and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed")
    from playwright import sync_api as playwright

    with playwright.sync_playwright() as running:
        options = {"executable_path": chromium, "args": ["--no-sandbox"], "timeout": 1000 * PATIENCE}
        opened = running.chromium.launch(**options)
        yield opened
        opened.close()


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Marks `long` what `one_in(n)` leaves for the long run: all but the first of each n cases of a test."""
    cases = Counter()
    for item in items:
        if mark := item.get_closest_marker("one_in"):
            test = item.nodeid.partition("[")[0]
            if cases[test] % mark.args[0]:
                item.add_marker(pytest.mark.long)
            cases[test] += 1
