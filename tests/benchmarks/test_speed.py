"""The speed benchmark: it runs on the device it is told, waits for it, and its forward passes are of one network."""

import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def speed():
    sys.path.insert(0, str(BENCHMARKS))
    import speed

    sys.path.remove(str(BENCHMARKS))
    return speed


@pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"))],
)
def test_table_of_a_device(device, speed, monkeypatch, capsys):
    given = ["--nets", "mlp", "--steps", "3", "--batch", "2", "--seconds", "0", "--device", device]
    monkeypatch.setattr(sys, "argv", ["speed.py", *given])
    threads = torch.get_num_threads()
    speed.main()
    torch.set_num_threads(threads)
    printed = capsys.readouterr()
    name, spikes, ann, *cells = [c.strip() for c in printed.out.splitlines()[-1].strip("|").split("|")]
    assert (name, len(cells)) == ("mlp", 3)
    assert float(spikes.rstrip("%")) > 0
    assert "eager" in ann
    assert all("(" in cell for cell in cells)
    assert ("scan" in printed.err) == (device == "cuda")


def test_whole_runs_of_networks_with_windows(speed, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["speed.py", "--nets", "mlp", "--windows", "--batch", "2", "--seconds", "0"])
    threads = torch.get_num_threads()
    speed.main()
    torch.set_num_threads(threads)
    printed = capsys.readouterr()
    rows = [line.split("|")[1].strip() for line in printed.out.splitlines()[-4:]]
    assert rows == ["mlp, radix 4", "mlp, radix 6", "mlp, first-spike 32", "mlp, phased 32"]
    assert printed.err.count("counts+dense") >= len(rows)


def test_work_is_waited_for(speed, monkeypatch):
    monkeypatch.setattr(speed, "TURN", 0)
    done = []
    speed.timed({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, 0, 2, lambda: done.append("wait"))
    assert done == ["a", "wait"] * 2 + ["b", "wait"] * 2 + ["a", "wait", "b", "wait"] * 2


@pytest.mark.parametrize("net", ["mlp", "cnn"])
def test_passes_in_half_precision_are_the_network(net, speed):
    case = speed.drawn(net, 3, 1, 0.6)
    wanted = case.model(case.x)
    for run in speed.gpu_passes(case.model, case.x).values():
        torch.testing.assert_close(run().float(), wanted, rtol=0.01, atol=0.01)
    assert case.model(case.x).dtype == torch.float32
