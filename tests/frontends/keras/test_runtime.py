"""Keras is imported when it is needed, on a backend that is there."""

import os
import subprocess
import sys

import pytest

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.keras import KerasFrontend
from snntoolbox.frontends.keras.runtime import import_keras, use_backend


@pytest.mark.parametrize(("backend", "text"), [("tensorflow", "tensorflow"), ("nonsense", "nonsense")])
def test_backend_that_is_not_there(backend, text):
    pytest.importorskip("torch")
    code = (
        "import os, sys; os.environ['KERAS_BACKEND'] = sys.argv[1]; sys.modules['tensorflow'] = None\n"
        "from snntoolbox.frontends.keras.runtime import import_keras\n"
        "from snntoolbox.errors import FrontendError\n"
        "try: import_keras()\n"
        "except FrontendError as e: print(e)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, backend], capture_output=True, text=True, check=True)
    assert text in done.stdout
    assert "KERAS_BACKEND=torch" in done.stdout


@pytest.mark.long
def test_torch_is_chosen_where_nobody_chose():
    code = (
        "import os; os.environ.pop('KERAS_BACKEND', None)\n"
        "from snntoolbox.frontends.keras.runtime import import_keras\n"
        "assert import_keras().backend.backend() == 'torch' and 'KERAS_BACKEND' not in os.environ"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_keras_tells_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(FrontendError, match=r"pip install snntoolbox\[keras\]"):
        KerasFrontend().predict(None)


def test_a_backend_is_chosen_before_keras_is_imported(monkeypatch):
    """Afterwards it stays; one that is not there is told."""
    running = import_keras().backend.backend()
    assert use_backend(running) == ""
    assert f"Keras runs on {running} in this process already" in use_backend("other")
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "before")
    assert "nosuch is not installed" in use_backend("nosuch")
    assert os.environ["KERAS_BACKEND"] == "before"
    assert use_backend("torch") == ""
    assert os.environ["KERAS_BACKEND"] == "torch"
