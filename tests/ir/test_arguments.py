"""Arguments of another type are refused by name, with what to give instead; none ends as a Python error inside."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.errors import ArgumentError
from snntoolbox.ir.arguments import checked, misfit
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Dense, Input, ReLU

# value, annotation, what it is not
MISFITS = [
    (2, int, ""),
    (np.int64(2), int, ""),
    (2.0, int, "whole number"),
    (True, int, "whole number"),
    (True, float, "number"),
    (2, float, ""),
    (np.float32(2), float, ""),
    ("2", float, "number"),
    (None, float, "number"),
    (None, float | None, ""),
    ("2", float | None, "number"),
    (1, bool, "True or False"),
    (np.True_, bool, ""),
    ("a", str, ""),
    (b"a", str, "text"),
    ("8", Sequence[int], "row of whole numbers"),
    ([8, 16], Sequence[int], ""),
    ([8, "16"], Sequence[int], "row of whole numbers"),
    (np.array([8]), Sequence[int], ""),
    (5, tuple[float, float], "row of numbers"),
    ((0, 1), tuple[float, float], ""),
    ("0.5", float | Array, "number or array"),
    (None, float | Array, "number or array"),
    (np.ones(2), float | Array, ""),
    ([0.5], float | Array, ""),
    ("spikes", stb.Record | None, "Record"),
    (stb.Record(), stb.Record | None, ""),
]


@pytest.mark.parametrize(("value", "annotation", "text"), MISFITS)
def test_what_a_value_is_not(value, annotation, text):
    assert misfit(value, annotation) == text


def test_all_that_is_wrong_is_named_at_once_with_what_to_give():
    @checked
    def run(x: Array, *, steps: int, name: str = "INI", **options: object) -> tuple[object, ...]:
        return x, steps, name, options

    assert run([1], steps=2, more="x") == ([1], 2, "INI", {"more": "x"})
    with pytest.raises(ArgumentError) as error:
        run([1], steps=2.5, name=3)
    assert error.value.message == "run: steps = 2.5 is no whole number; name = 3 is no text"
    assert error.value.hint == "steps: a whole number; name: a text, 'INI' by default"


@pytest.fixture(scope="module")
def small():
    nodes = [Input(name="x", shape=(3,)), Dense(name="d", inputs=("x",), weight=np.ones((2, 3)))]
    graph = Graph([*nodes, ReLU(name="r", inputs=("d",)), Dense(name="o", inputs=("r",), weight=np.eye(2))], ["o"])
    x = np.random.default_rng(0).random((40, 3))
    return graph, x, stb.convert(graph, x, duration=4)


CALLS = {
    "batch_size": lambda g, x, n: stb.simulate(n, x, batch_size=2.5),
    "workers": lambda g, x, n: stb.simulate(n, x, workers=2.5),
    "chunk": lambda g, x, n: stb.simulate(n, x, chunk=2.5),
    "engine": lambda g, x, n: stb.simulate(n, x, engine=5),
    "record": lambda g, x, n: stb.simulate(n, x, record="spikes"),
    "spikes": lambda g, x, n: stb.Record(spikes="r"),
    "early_exit": lambda g, x, n: stb.simulate(n, x, early_exit="0.9", calibration_data=x),
    "network": lambda g, x, n: stb.simulate(g, x),
    "budget": lambda g, x, n: stb.tune(g, x, budget="5"),
    "steps": lambda g, x, n: stb.tune(g, x, steps=8),
    "graph": lambda g, x, n: stb.tune(n, x),
    "initial": lambda g, x, n: stb.IF(initial="0.5"),
    "leak": lambda g, x, n: stb.IF(leak="0.5"),
    "levels": lambda g, x, n: stb.IF(levels=1),
    "refractory": lambda g, x, n: stb.IF(refractory=1.5),
    "amplitude": lambda g, x, n: stb.Poisson(amplitude="1"),
    "duration": lambda g, x, n: stb.convert(g, x, duration="8"),
    "recipe": lambda g, x, n: stb.convert(g, x, recipe={"dt": 1}),
    "percentile": lambda g, x, n: stb.convert(g, x, percentile="99"),
    "input_range": lambda g, x, n: stb.convert(g, x, input_range=1),
    "simulators": lambda g, x, n: stb.compare(n, x, simulators="INI"),
    "seconds": lambda g, x, n: stb.diagnose(g, x, seconds="5"),
    "values": lambda g, x, n: stb.sweep("config.ini", "simulation.duration", 8),
    "config": lambda g, x, n: stb.sweep(5),
    "target": lambda g, x, n: stb.deploy(n, x, "folder", target=5),
    "lanes": lambda g, x, n: stb.deploy(n, x, "folder", target="generic", lanes="2"),
    "choices": lambda g, x, n: stb.deploy(n, x, "folder", target="generic", choices=2),
    "levels ": lambda g, x, n: stb.quantized_graph(g, {"r": np.ones(1)}, 2.5),
    "path": lambda g, x, n: stb.load_network(5),
    "frontend": lambda g, x, n: stb.load("model.onnx", frontend=3),
}


@pytest.mark.parametrize("name", CALLS)
def test_public_functions_refuse_by_name(small, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(stb.SNNToolboxError, match=rf"\b{name.strip()}\b") as error:
        CALLS[name](*small)
    assert error.value.hint


def test_every_public_function_is_checked():
    functions = {name: f for name in stb.__all__ if inspect.isfunction(f := getattr(stb, name))}
    assert {name for name, function in functions.items() if not hasattr(function, "__wrapped__")} == set()
