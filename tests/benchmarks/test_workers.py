"""The benchmark of workers: it runs pairs, and tells what starts from what goes on."""

import sys
from itertools import count
from pathlib import Path

import pytest
import torch
from needed import needed

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def workers():
    needed("psutil")
    sys.path.insert(0, str(BENCHMARKS))
    import workers

    sys.path.remove(str(BENCHMARKS))
    return workers


def test_ratio_and_bound(workers):
    one, many = workers.Pace(0.5, 100.0, 200.0), workers.Pace(4.0, 150.0, 180.0)
    cells, ratio, bound = workers.row(one, many, 2)
    assert (ratio, bound) == (1.5, 1.8)
    assert cells == ["0.5", "100", "200", "4.0", "150", "180", "1.50", "1.80"]


def test_too_few_batches_are_refused(workers):
    network, x = workers.network_and_samples("small", 2, 2)
    with pytest.raises(SystemExit, match="more than 30 batches"):
        workers.pace(network, x, 2, 0)


def test_what_takes_no_time_that_is_counted_is_refused(workers, monkeypatch):
    monkeypatch.setattr(workers, "EDGE", 1)
    monkeypatch.setattr(workers, "used", lambda: 1.0)
    network, x = workers.network_and_samples("mlp", 4, 2)
    with pytest.raises(SystemExit, match="more batches"):
        workers.pace(network, x, 2, 0)


@pytest.mark.long
def test_it_measures_pairs(workers, monkeypatch, capsys):
    needed("distributed")
    monkeypatch.setattr(workers, "EDGE", 1)
    used, ticks = workers.used, count()
    monkeypatch.setattr(workers, "used", lambda: used() + 0.01 * next(ticks))  # results may come all at one time
    threads = torch.get_num_threads()
    workers.main(["--nets", "small", "--pairs", "2", "--batches", "8", "--steps", "100"])
    torch.set_num_threads(threads)
    lines = capsys.readouterr().out.splitlines()
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines[2:4]]
    assert [row[0] for row in rows] == ["small", "small"]
    assert all(float(cell) > 0 for row in rows for cell in row[2:])  # the start of what is loaded already rounds to 0
    assert lines[-1].startswith("Medians: small: ratio ")
