"""Worker processes: order, bounded memory, errors, workers that are killed, and clusters that cannot be used."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing import resource_tracker

import numpy as np
import pytest
from waiting import PATIENCE

from snntoolbox import __version__
from snntoolbox.backends import simulate as simulating
from snntoolbox.backends.workers import cluster as module
from snntoolbox.backends.workers.cluster import AHEAD, MOST_PER_CORE, TRIES, Cluster, check
from snntoolbox.backends.workers.local import cores
from snntoolbox.conversion.stages import convert
from snntoolbox.errors import BackendError, DataError, UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, ReLU

distributed = pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")


def test_results_come_in_order_whoever_is_first(cluster, pieces):
    given = [(n, 0.2 * (n == 0)) for n in range(12)]
    assert list(cluster.ordered(pieces.square, None, given, name="square")) == [n * n for n in range(12)]


def test_pieces_are_taken_only_as_far_ahead_as_keeps_workers_busy(cluster, pieces):
    taken = []

    def source():
        for n in range(40):
            taken.append(n)
            yield (n,)

    ahead = [len(taken) - done for done, _ in enumerate(cluster.ordered(pieces.square, None, source(), name="square"))]
    assert len(taken) == len(ahead) == 40
    assert max(ahead) <= AHEAD * 2 < 40


def test_what_is_shared_goes_to_each_worker_once(cluster, pieces, tmp_path):
    shared = pieces.Counted(tmp_path / "unpacked")
    pids = set(cluster.ordered(pieces.pid, shared, [(n,) for n in range(20)], name="pid"))
    unpacked = [int(pid) for pid in (tmp_path / "unpacked").read_text().split()]
    assert os.getpid() not in pids
    assert pids <= set(unpacked)
    assert len(unpacked) <= 4  # not with each of the 20 pieces; twice at one worker where two send it at once


ERRORS = {
    "ours": (DataError, "conv1: bad data\n  hint: better data"),
    "list": (UnsupportedError, "the simulator cannot take:\n    pool1: max pooling\n    fc: bias"),
    "defect": (BackendError, "piece failed on a worker: ZeroDivisionError: by zero"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_errors_come_out_as_ours(kind, cluster, pieces):
    expected, text = ERRORS[kind]
    with pytest.raises(expected) as caught:
        list(cluster.ordered(pieces.fail, kind, [(n,) for n in range(8)], name="piece"))
    assert type(caught.value) is expected
    assert str(caught.value) == text
    frames = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not [f for f in frames if os.sep + "distributed" + os.sep in f]
    if kind == "list":
        assert [o.layer for o in caught.value.offenders] == ["pool1", "fc"]


@pytest.mark.parametrize("times", [1, 2])
def test_the_piece_of_a_killed_worker_is_done_again(times, cluster, pieces, tmp_path):
    shared = {"folder": tmp_path, "times": times}
    found = list(cluster.ordered(pieces.die, shared, [(n,) for n in range(10)], name="piece"))
    assert found == [n * n for n in range(10)]
    assert len(list(tmp_path.iterdir())) == times


def test_a_piece_that_ends_every_worker_is_given_up(cluster, pieces, tmp_path):
    shared = {"folder": tmp_path, "times": 100}
    with pytest.raises(BackendError, match=f"{TRIES} worker processes ended while they did piece one") as caught:
        list(cluster.ordered(pieces.die, shared, [(1,)], name="piece one"))
    assert "smaller batch_size" in caught.value.hint
    assert TRIES <= len(list(tmp_path.iterdir())) < 2 * TRIES
    assert list(cluster.ordered(pieces.square, None, [(3,)], name="square")) == [9]


def test_what_all_share_survives_the_only_worker(pieces, tmp_path, caplog):
    """Nobody but the killed one had it: it is sent again."""
    with Cluster(workers=1) as alone:
        shared = {"folder": tmp_path, "times": 1}
        found = list(alone.ordered(pieces.die, shared, [(n,) for n in range(5)], name="piece"))
    assert found == [n * n for n in range(5)]
    assert caplog.messages == ["a worker process has ended: a new one is started, and what it had begun is done again"]


@pytest.mark.long
def test_what_a_restart_of_the_workers_cancels_is_sent_again(pieces):
    """As another user of the scheduler may do."""
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as there,
        distributed.Client(there.scheduler_address, set_as_default=False) as other,
        Cluster(scheduler=there.scheduler_address) as using,
    ):
        results = using.ordered(pieces.square, None, [(n, 0.2) for n in range(8)], name="square")
        first = next(results)
        other.restart()
        assert [first, *results] == [n * n for n in range(8)]


@pytest.mark.long
def test_without_any_worker_it_ends(pieces, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 1.5)
    with distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as there:
        address = there.scheduler_address
        with Cluster(scheduler=address) as using:
            results = using.ordered(pieces.square, None, [(n, 0.3) for n in range(50)], name="square")
            assert next(results) == 0
            there.scale(0)
            with pytest.raises(BackendError, match=r"no workers any more|worker processes ended"):
                list(results)


@pytest.mark.long
def test_without_its_scheduler_it_ends(pieces, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 1.5)
    lost = r"connection to the scheduler.*is lost|could not be sent|no workers any"
    there = distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0")
    with there, Cluster(scheduler=there.scheduler_address) as using:
        results = using.ordered(pieces.square, None, [(n, 0.3) for n in range(50)], name="square")
        assert next(results) == 0
        there.close()
        with pytest.raises(BackendError, match=lost):
            list(results)


# -- clusters that cannot be used -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def empty():
    """A scheduler without workers."""
    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as running:
        yield running.scheduler_address


FOREIGN = {
    "older": (
        "",
        rf"workers need snntoolbox {__version__}, as here; there is\n.*tcp://.*: 0\.0\.1",
    ),
    "missing": ("raise ModuleNotFoundError('nowhere')", r"tcp://.*: no snntoolbox \(nowhere\)"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_workers_without_this_package_are_refused(kind, empty, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FIRST_SECONDS", PATIENCE)
    content, message = FOREIGN[kind]
    (tmp_path / "snntoolbox").mkdir()
    (tmp_path / "snntoolbox" / "__init__.py").write_text(content)
    (tmp_path / "snntoolbox" / "errors.py").touch()
    (tmp_path / "snntoolbox-0.0.1.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: snntoolbox\nVersion: 0.0.1\n"
    (tmp_path / "snntoolbox-0.0.1.dist-info" / "METADATA").write_text(metadata)
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    arguments = [sys.executable, "-m", "distributed.cli.dask_worker", empty, "--no-nanny", "--no-dashboard"]
    worker = subprocess.Popen(
        arguments,
        env={**os.environ, "PYTHONPATH": paths},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with pytest.raises(BackendError, match=message) as caught, Cluster(scheduler=empty):
            pass
        assert "install the same version" in caught.value.hint
    finally:
        worker.kill()
        worker.wait()


def test_a_scheduler_without_workers_is_refused(monkeypatch):
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.5)
    with (
        distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as there,
        pytest.raises(BackendError, match="has no workers"),
        Cluster(scheduler=there.scheduler_address),
    ):
        pass


@pytest.mark.parametrize("where", ["tcp://127.0.0.1:9", "nonsense", "http://127.0.0.1:9"])
def test_no_scheduler_at_the_address(where, monkeypatch):
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)
    with pytest.raises(BackendError, match="no Dask scheduler answers at") as caught, Cluster(scheduler=where):
        pass
    assert "tcp://host:8786" in caught.value.hint


WRONG = {
    "slip of the pen": (MOST_PER_CORE * cores() + 1, "", "too many for"),
    "below": (-1, "", "below 0"), "both": (2, "tcp://host:1", "both"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_asked_for(case):
    workers, scheduler, message = WRONG[case]
    with pytest.raises(BackendError, match=message):
        check(workers, scheduler)


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    check(0, "")
    check(1, "")
    with pytest.raises(BackendError, match=r"several workers need Dask[^$]*\[dask\]"):
        check(2, "")
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(BackendError, match=r"\[dask\]"), Cluster(workers=2):
        pass


# -- nobody else gets in --------------------------------------------------------------------------------------------


def listening(process):
    """The ports that a process and its children listen at."""
    tree = [process, *process.children(recursive=True)]
    return {c.laddr.port for p in tree for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN}


PAGES = ("/status", "/health", "/metrics", "/info/main/workers.html", "/json/counts.json", "/api/v1/")


def test_who_lacks_the_keys_of_the_run_does_not_get_in():
    """Every port of ours wants them, so that no other user of the machine runs code here; pages there are none."""
    before = listening(psutil.Process())
    with Cluster(workers=1) as alone:
        assert alone.address.startswith("tls://127.0.0.1:")
        strangers = distributed.Security.temporary()
        port = alone.address.rpartition(":")[2]
        for address, keys in ((f"tcp://127.0.0.1:{port}", None), (alone.address, strangers)):
            with pytest.raises(OSError), distributed.Client(address, security=keys, timeout=2):
                pass
        ports = listening(psutil.Process()) - before
        assert len(ports) >= 3
        answers = [answer(port, path) for port in ports for path in PAGES]
    assert not [a for a in answers if a.startswith(b"HTTP/1.1 200")]


@pytest.mark.long
def test_a_cluster_with_certificates_takes_who_has_one(pieces, tmp_path):
    """As large_runs.md says, by Dask's own configuration; without it nobody gets in."""
    keys = distributed.Security.temporary()
    names = {"ca": keys.tls_ca_file, "cert": keys.tls_client_cert, "key": keys.tls_client_key}
    for name, text in names.items():
        (tmp_path / name).write_text(text)
    roles, parts = ("client", "worker", "scheduler"), ("cert", "key")
    own = {f"{role}.{part}": str(tmp_path / part) for role in roles for part in parts}
    tls = {"distributed.comm.require-encryption": True, "distributed.comm.tls.ca-file": str(tmp_path / "ca")}
    tls |= {f"distributed.comm.tls.{name}": file for name, file in own.items()}
    dask = pytest.importorskip("dask")
    with dask.config.set(tls), distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, protocol="tls://", security=distributed.Security(), dashboard_address=":0"
    ) as there:  # fmt: skip
        address = there.scheduler_address
        assert address.startswith("tls://")
        with Cluster(scheduler=address) as running:
            assert list(running.ordered(pieces.square, None, [(2,), (3,)], name="square")) == [4, 9]
        bare = dict.fromkeys(tls)
        with dask.config.set(bare), pytest.raises(BackendError, match="wants certificates"):
            Cluster(scheduler=address).__enter__()


def answer(port, path):
    """The beginning of what a port says to plain HTTP."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return connection.recv(64)
    return b""


def test_without_keys_nothing_is_started(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(BackendError, match="cryptography") as caught, Cluster(workers=2):
        pass
    assert "[dask]" in caught.value.hint


@pytest.mark.parametrize("batch_size", [20, 7])
def test_no_more_workers_than_batches(batch_size, monkeypatch):
    asked = []
    monkeypatch.setattr(simulating, "run_batches", lambda job, batches, **how: asked.append(how["workers"]) or [])
    weight = np.ones((2, 3))
    nodes = [Input(name="x", shape=(3,)), Dense(name="y", inputs=("x",), weight=weight), ReLU(name="r", inputs=("y",))]
    network = convert(Graph(nodes, ["r"]), np.ones((4, 3)))
    list(simulating.simulate_batches(network, np.ones((20, 3)), 4, "INI", batch_size, workers=10**6))
    assert asked == ([3] if batch_size == 7 else [])


# -- nothing is left behind -----------------------------------------------------------------------------------------

# No `if __name__ == "__main__"`: a worker must not run the script again.
SCRIPT = """
import os, sys
open(sys.argv[1] + "/started", "a").write("x")
from snntoolbox.backends.workers.cluster import Cluster
import pieces_of_work
with Cluster(workers=2) as cluster:
    for n in cluster.ordered(pieces_of_work.square, None, ((n, 0.1) for n in range(10**6)), name="square"):
        print(n, flush=True)
"""


@pytest.fixture
def running(pieces, tmp_path):
    """A script in the middle of its work, in a process group of its own as on a terminal, and its processes."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "tmp").mkdir()
    paths = os.pathsep.join([os.path.dirname(pieces.__file__), *filter(None, sys.path)])
    script = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever runs the tests in the background of a shell has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert [script.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "4\n"]
    assert (tmp_path / "started").read_text() == "x"
    yield script, psutil.Process(script.pid).children(recursive=True)
    script.kill()
    script.communicate()


@pytest.mark.one_in(2)
def test_an_interrupt_ends_everything(running, tmp_path):
    script, others = running
    assert len(others) >= 2
    os.killpg(script.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    _, said = script.communicate(timeout=PATIENCE)
    assert script.returncode in (1, 130, -signal.SIGINT)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert said.count("Traceback") == 1, said  # ours alone: workers never saw it
    _, alive = psutil.wait_procs(others, timeout=PATIENCE)
    assert alive == []
    assert os.listdir(tmp_path / "tmp") == []


@pytest.mark.long
def test_workers_end_with_a_process_that_is_killed(running):
    script, others = running
    script.kill()
    _, alive = psutil.wait_procs(others, timeout=PATIENCE)
    assert alive == []


def test_a_cluster_ends_with_its_block(caplog):
    resource_tracker.ensure_running()  # Python's own, there until Python ends
    before = set(psutil.Process().children(recursive=True))
    with Cluster(workers=2):
        during = set(psutil.Process().children(recursive=True)) - before
    assert len(during) >= 2
    assert caplog.records == []  # nor does Dask talk to our user
    assert psutil.wait_procs(list(during), timeout=PATIENCE)[1] == []


def test_dask_never_starts_a_loop_itself(monkeypatch):
    """It would wait ten seconds for one, and a busy machine may need longer: so it has no say in it."""
    monkeypatch.setattr("distributed.utils._CollectErrorThread", lambda **options: pytest.fail("Dask starts a loop"))
    before = set(threading.enumerate())
    with Cluster(workers=1) as cluster:
        assert len(cluster) == 1
    assert [t for t in set(threading.enumerate()) - before if t.name.startswith("snntoolbox")] == []


def test_workers_are_asked_for_once_a_second(monkeypatch):
    asked = []
    monkeypatch.setattr(Cluster, "__len__", lambda self: asked.append(1) or 3)
    one = Cluster(workers=3)
    assert [one.lately() for _ in range(5)] == [3] * 5
    assert len(asked) == 1
    monkeypatch.setattr(module.time, "monotonic", lambda: one._looked + 2)
    assert one.lately() == 3
    assert len(asked) == 2


SETTINGS = """
before = dict(os.environ)
with Cluster(workers=1) as cluster:
    os.environ["OURS"] = "stays"
    trim, = cluster.ordered(os.getenv, "MALLOC_TRIM_THRESHOLD_", [("none",)], name="memory")
    watch, = cluster.ordered(dask.config.get, "distributed.worker.profile.enabled", [()], name="profiles")
assert (trim, watch) == ("none", False), "workers that give memory back all the time, or are watched"
assert os.environ.pop("OURS") == "stays" and dict(os.environ) == before, "other variables"
assert dask.config.get("distributed.comm"), "lost"
assert dask.config.get("distributed.worker.daemon")
"""


def test_settings_are_taken_back():
    """Those of workers are theirs alone, both of Dask and of the environment, which a next run reads."""
    code = "import os, dask\nfrom snntoolbox.backends.workers.cluster import Cluster\n"
    guarded = f"{code}if __name__ == '__main__':\n    exec({SETTINGS!r})"
    unset = {n: value for n, value in os.environ.items() if n not in ("OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")}
    done = subprocess.run([sys.executable, "-c", guarded], capture_output=True, text=True, env=unset)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("moment", ["starting", "connecting", "checking"])
def test_a_signal_while_workers_start_waits_and_ends_them(moment, monkeypatch):
    """Dask is not stopped half way: it is up, and then it is closed."""
    log = []

    def step(name):
        @contextlib.contextmanager
        def context(*arguments):
            if name == moment:
                signal.raise_signal(signal.SIGINT)
            log.append(name)
            try:
                yield name
            finally:
                log.append(f"no longer {name}")

        return context

    def checked(self, seconds):
        with step("checking")():
            pass

    monkeypatch.setattr(module, "local_workers", step("starting"))
    monkeypatch.setattr(module, "_connected", step("connecting"))
    monkeypatch.setattr(Cluster, "_check_versions", checked)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), Cluster(2):
            pytest.fail("the work began")
    finally:
        signal.signal(signal.SIGINT, before)
    assert log[:4] == ["starting", "connecting", "checking", "no longer checking"]
    assert log[4:] == ["no longer connecting", "no longer starting"]
