"""Samples on worker processes: the same results as in one process, whatever the split and whoever is lost."""

import json
import os
import signal

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.workers import batches
from snntoolbox.backends.workers.batches import SECONDS, Bundles, Job, release, run_batch, run_bundle
from snntoolbox.backends.workers.cluster import AHEAD
from snntoolbox.errors import BackendError, DataError
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main

psutil = pytest.importorskip("psutil")


@pytest.fixture(scope="module")
def graph():
    return stb.load(demo.folder() / demo.MODELS["onnx"], check=False)


@pytest.fixture(scope="module")
def samples():
    return {name: np.load(demo.folder() / f"{name}.npz")["arr_0"] for name in ("x_norm", "x_test", "y_test")}


CODINGS = {
    "constant": {},
    "poisson": {"encoding": stb.Poisson(seed=3)},
    "grid": {"weight_bits": 6},
}


def same(one, other):
    """Whether two results are equal, bit for bit."""
    parts = ("counts", "outputs", "outputs_per_step", "spikes", "potentials")
    pairs = [(getattr(one, part), getattr(other, part)) for part in parts]
    return one.samples == other.samples and all(
        a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a) for a, b in pairs
    )


@pytest.mark.long
@pytest.mark.parametrize("coding", CODINGS)
def test_the_same_on_workers(coding, graph, samples, address):
    snn = stb.convert(graph, samples["x_norm"][:50], **CODINGS[coding])
    record = stb.Record(spikes=True, potentials=frozenset({"relu4"}))
    given = {"x": samples["x_test"][:33], "duration": 12, "batch_size": 4, "record": record}
    done = []
    here = stb.simulate(snn, **given)
    there = stb.simulate(snn, **given, scheduler=address, progress=done.append)
    assert same(here, there)
    assert done == [4] * 8 + [1]


def test_on_the_grid_batches_make_no_difference(graph, samples, address):
    snn = stb.convert(graph, samples["x_norm"][:50], weight_bits=6, encoding=stb.Poisson(seed=1))
    given = {"x": samples["x_test"][:20], "duration": 8}
    assert same(stb.simulate(snn, **given, batch_size=20), stb.simulate(snn, **given, batch_size=3, scheduler=address))


@pytest.mark.long
def test_workers_of_its_own_one_of_them_killed(graph, samples):
    """The batch of a process that is killed in the middle is run again."""
    snn = stb.convert(graph, samples["x_norm"][:50])
    given = {"x": samples["x_test"][:200], "duration": 32, "batch_size": 10}
    killed = []

    def kill_one(done):
        running = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
        busy = [p for p in running if "multiprocessing.spawn" in " ".join(p.cmdline())]
        if not killed:
            killed.append(max(busy, key=lambda p: p.create_time()).pid)
            os.kill(killed[0], signal.SIGKILL)

    there = stb.simulate(snn, **given, workers=2, progress=kill_one)
    assert killed
    assert same(stb.simulate(snn, **given), there)


def test_errors_of_the_simulator_name_the_layer(graph, samples, address):
    snn = stb.convert(graph, samples["x_norm"][:50])
    with pytest.raises(BackendError, match="has no option nonsense"):
        stb.simulate(snn, samples["x_test"][:4], scheduler=address, nonsense=1)
    snn = stb.convert(graph, samples["x_norm"][:50], encoding=stb.Poisson(amplitude=0.5))
    with pytest.raises(DataError, match="cannot present values") as caught:
        stb.simulate(snn, samples["x_test"][:4], scheduler=address)
    assert caught.value.layer


def job(graph, **changes):
    return Job(network=stb.convert(graph), simulator="INI", steps=2, **changes)


def bundles(graph, samples, count, size, workers=1):
    """Those of a job with so many samples, in so many batches of this size."""
    x = samples["x_test"][:1].repeat(size, axis=0)
    return Bundles(job(graph, samples=count * size), ((n * size, [x]) for n in range(count)), lambda: workers)


def test_batches_are_handed_out_together_where_they_take_little_time(graph, samples):
    given = bundles(graph, samples, 60, 2)
    found = iter(given)
    assert [len(next(found)[0]) for _ in range(2)] == [1, 1]
    given.took(SECONDS / 8)
    given.took(SECONDS / 2)  # busy with something else
    sizes = [len(bundle) for (bundle,) in found]
    assert sizes[:2] == [8, 8]
    assert sizes[-1] == 1  # the last ones go to whoever is free
    assert sum(sizes) == 58
    assert all(size <= max(1, (58 - sum(sizes[:n])) // AHEAD) for n, size in enumerate(sizes))


def test_bundles_keep_their_order_and_share(graph, samples):
    given = bundles(graph, samples, 40, 3, workers=4)
    firsts = []
    for (bundle,) in given:
        assert len(bundle) <= max(1, (40 - len(firsts)) // (4 * AHEAD))
        firsts += [first for first, _ in bundle]
        given.took(1e-9)
    assert firsts == list(range(0, 120, 3))


def test_slow_and_large_batches_go_alone(graph, samples, monkeypatch):
    slow = bundles(graph, samples, 20, 2)
    for (bundle,) in slow:
        assert len(bundle) == 1
        slow.took(10 * SECONDS)
    monkeypatch.setattr(batches, "LIMIT", 1)
    large = bundles(graph, samples, 20, 2)
    for (bundle,) in large:
        assert len(bundle) == 1
        large.took(1e-9)


def test_a_bundle_has_the_results_of_its_batches_in_order(graph, samples):
    given, x = job(graph), samples["x_test"][:6]
    results, seconds = run_bundle(given, [(0, [x[:4]]), (4, [x[4:]])])
    release(given.token)
    assert [r.samples for r in results] == [4, 2]
    assert seconds > 0
    here = stb.simulate(given.network, x, duration=2, batch_size=4)
    assert all(np.array_equal(np.concatenate([r.counts[k] for r in results]), v) for k, v in here.counts.items())


def test_a_worker_of_another_version_runs_nothing(graph, samples):
    with pytest.raises(BackendError, match=r"a worker has snntoolbox .*, the run 0\.0\.1"):
        run_batch(job(graph, version="0.0.1"), 0, [samples["x_test"][:1]])


def test_defects_name_the_samples(graph, monkeypatch):
    monkeypatch.setattr(batches, "_executable", lambda job: None)
    with pytest.raises(BackendError, match="simulator 'INI' failed on samples 8 to 9: AttributeError"):
        run_batch(job(graph), 8, [np.zeros((2, 8, 8))])


def test_what_was_built_is_kept_until_the_job_ends(graph, samples):
    x, first, second = [samples["x_test"][:1]], job(graph), job(graph)
    run_batch(first, 0, x)
    built = batches._built[first.token]
    run_batch(first, 1, x)
    assert batches._built == {first.token: built}
    run_batch(second, 0, x)
    assert set(batches._built) == {second.token}
    release(first.token)
    assert set(batches._built) == {second.token}
    release(second.token)
    assert batches._built == {}
    run_batch(first, 2, x)  # was under way when its job ended
    assert batches._built == {}


@pytest.mark.long
def test_simulators_with_processes_of_their_own(graph, samples):
    pytest.importorskip("brian2")
    snn = stb.convert(graph, samples["x_norm"][:50], weight_bits=4)
    given = {"x": samples["x_test"][:4], "duration": 4, "batch_size": 2}
    assert same(stb.simulate(snn, **given), stb.simulate(snn, **given, simulator="brian2", workers=2))


def report(folder, *sets):
    """The results of the demo's run, apart from what tells how it was done."""
    assert main([str(folder / "demo_onnx.ini"), *(part for text in sets for part in ("--set", text))]) == 0
    found = json.loads((folder / "log" / "demo_onnx" / "report.json").read_text())
    with np.load(folder / "log" / "demo_onnx" / "log_vars" / "2.npz") as logged:
        return {k: v for k, v in found.items() if k != "seconds"}, dict(logged)


@pytest.mark.long
def test_runs_by_configuration(tmp_path, address, capsys):
    demo.copy_to(tmp_path)
    short = ("num_to_test=45", "batch_size=16", "duration=8")
    sets = [*(f"simulation.{text}" for text in short), "output.log_vars={'all'}", "conversion.weight_bits=8"]
    here, logged = report(tmp_path, *sets)
    there, logged_there = report(tmp_path, *sets, f"simulation.scheduler={address}")
    assert here == there
    assert logged.keys() == logged_there.keys()
    assert all(np.array_equal(logged[k], logged_there[k]) for k in logged)
    assert main([str(tmp_path / "demo_onnx.ini"), "--set", "simulation.scheduler=tcp://127.0.0.1:9x"]) == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:9x" in capsys.readouterr().err
