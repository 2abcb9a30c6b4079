"""The benchmark of depth: its networks have the size that is asked for, and each goes all the way."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def depth():
    sys.path.insert(0, str(BENCHMARKS))
    import depth

    sys.path.remove(str(BENCHMARKS))
    return depth


@pytest.mark.parametrize("name", ["chain", "norm", "residual", "sum", "concat"])
def test_networks_go_all_the_way(depth, name):
    model = depth.NETS[name](4)
    assert sum(node.op_type in ("MatMul", "Conv") for node in model.graph.node) == 4 + 1
    assert len(depth.stages(model)) == len(depth.STAGES)


def test_the_table(depth, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["depth.py", "--sizes", "2", "--nets", "chain"])
    depth.main()
    assert "| chain | 2 |" in capsys.readouterr().out


@pytest.mark.long
def test_real_architectures_have_their_layers(depth):
    import deep_networks

    weighted = [p for p in deep_networks.densenet_bc_100().parameters() if p.ndim > 1]
    assert len(weighted) == 100
