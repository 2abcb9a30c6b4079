"""Real worker processes, started once for all tests that may share them."""

import pytest

from snntoolbox.backends.workers.cluster import Cluster

# The other processes import this: a new process is told our sys.path.
PIECES = """
import os, signal, time
from pathlib import Path
from snntoolbox.errors import DataError, Unsupported, UnsupportedError

class Counted:
    "Notes in a file each time that it is unpacked, and where."
    def __init__(self, file):
        self.file = file
    def __setstate__(self, members):
        self.__dict__.update(members)
        with open(self.file, "a") as notes:
            notes.write(f"{os.getpid()} ")

def square(shared, n, seconds=0.0):
    time.sleep(seconds)
    return n * n

def pid(shared, n):
    return os.getpid()

def fail(shared, n):
    if n == 1:
        raise {
            "ours": DataError("bad data", layer="conv1", hint="better data"),
            "list": UnsupportedError("the simulator", [Unsupported("pool1", "max pooling"), Unsupported("fc", "bias")]),
            "defect": ZeroDivisionError("by zero"),
        }[shared]
    return n

def die(shared, n):
    "End the whole process at piece 1, as often as there are no files for it yet."
    if n == 1:
        done = len(list(Path(shared["folder"]).iterdir()))
        if done < shared["times"]:
            (Path(shared["folder"]) / str(done)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return n * n
"""


@pytest.fixture(scope="session")
def pieces(tmp_path_factory):
    """The module of what workers do in these tests."""
    folder = tmp_path_factory.mktemp("pieces")
    (folder / "pieces_of_work.py").write_text(PIECES)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        import pieces_of_work

        yield pieces_of_work


@pytest.fixture(scope="session")
def cluster(pieces):
    """Two worker processes."""
    pytest.importorskip("distributed")
    with Cluster(workers=2) as running:
        yield running


@pytest.fixture(scope="session")
def address(pieces):
    """Where two others can be had as a cluster that somebody else has started."""
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    options = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set({"distributed.admin.low-level-log-length": 2, "distributed.worker.daemon": False}),
        distributed.LocalCluster(**options, silence_logs=False) as running,
    ):
        yield running.scheduler_address
