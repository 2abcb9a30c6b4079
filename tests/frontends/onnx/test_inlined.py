"""Functions in a file are put in place where that leaves it of a size that its own allows."""

import time

import numpy as np
import pytest
from onnx import helper

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.onnx import OnnxFrontend

SETS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
FRONTEND = OnnxFrontend()


def function(name, *calls):
    """A function of the domain 'own' that applies others, or operators, one behind the other."""
    nodes = []
    for i, call in enumerate(calls):
        ends = ["i" if i == 0 else f"t{i}"], ["o" if i == len(calls) - 1 else f"t{i + 1}"]
        nodes.append(helper.make_node(call, *ends, domain="" if call[0].isupper() else "own"))
    return helper.make_function("own", name, ["i"], ["o"], nodes, SETS)


def calling(build, name, functions):
    model = build([("Relu", "x", "r", {}), (name, "r", "y", {})], x=(4,), opset=17)
    model.graph.node[1].domain = "own"
    model.functions.extend(functions)
    model.opset_import.append(SETS[1])
    return model


def test_functions_of_functions(build, compare):
    functions = [function("f", "Relu", "Neg"), function("g", "f", "f"), function("h", "g", "Relu", "f")]
    assert len(compare(calling(build, "h", functions)).nodes) > 4


def doubling(levels, times=2):
    return [function("f0", "Relu"), *(function(f"f{i}", *[f"f{i - 1}"] * times) for i in range(1, levels))]


TOO_MANY = {
    "double": (doubling(40), "f39", "so often"),
    "nine times": (doubling(12, 9), "f11", "so often"),
    "in a circle": ([function("f", "g"), function("g", "f")], "f", "in a circle"),
    "itself": ([function("f", "f")], "f", "in a circle"),
    "deep": (doubling(90, 1), "f89", "deep"),
    "deeper": (doubling(3000, 1), "f2999", "deep"),
}


@pytest.mark.parametrize("how", TOO_MANY)
def test_functions_that_grow_without_end(how, build):
    functions, name, message = TOO_MANY[how]
    model, start = calling(build, name, functions), time.process_time()
    with pytest.raises(FrontendError, match=message):
        FRONTEND.open(model)
    assert time.process_time() - start < 5


def test_a_weight_within_a_function_counts_each_time(build):
    """1 MB in a function that is called 81 times."""
    big = helper.make_node("Constant", [], ["c"], value_floats=np.zeros(2**18, np.float32).tolist())
    nodes = [big, helper.make_node("ReduceMax", ["c"], ["m"]), helper.make_node("Add", ["i", "m"], ["o"])]
    functions = [helper.make_function("own", "f0", ["i"], ["o"], nodes, SETS), *doubling(3, 9)[1:]]
    with pytest.raises(FrontendError, match="so often"):
        FRONTEND.open(calling(build, "f2", functions))
