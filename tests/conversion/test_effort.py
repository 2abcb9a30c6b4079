"""Networks that no machine computes are refused by their sizes alone."""

import time

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from snntoolbox.conversion.effort import check_effort
from snntoolbox.conversion.load import simplify
from snntoolbox.errors import FrontendError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import AveragePool, Conv, Dense, Input, MaxPool, ReLU
from snntoolbox.workflow.cli import main


def chain(shape, *nodes):
    """A graph of nodes, each behind the one before it."""
    before, placed = "x", [Input(name="x", shape=shape)]
    for i, make in enumerate(nodes):
        placed.append(make(name=f"n{i}", inputs=(before,)))
        before = f"n{i}"
    return Graph(placed, [before])


def conv(size):
    weight = np.broadcast_to(np.float32(1), (1, 1, size, size))
    settings = {"stride": (1, 1), "dilation": (1, 1), "padding": ((size // 2, size // 2),) * 2}
    return lambda **where: Conv(weight=weight, **settings, **where)


def pool(kind, size):
    settings = {"kernel": (size, size), "stride": (1, 1), "padding": ((0, 0), (0, 0))}
    settings |= {"dilation": (1, 1)} if kind is MaxPool else {}
    return lambda **where: kind(**settings, **where)


TOO_MUCH = {
    "values": ((2**14, 2**14), [lambda **where: ReLU(**where)] * 3, "values per sample.*largest"),
    "convolution": ((1, 2**13, 2**13), [conv(2049)], "multiplications per sample.*n0"),
    "average": ((1, 2**13, 2**13), [pool(AveragePool, 2**12)], "multiplications per sample.*n0"),
    "maximum": ((1, 2**13, 2**13), [pool(MaxPool, 2**12)], "multiplications per sample.*n0"),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_much_is_refused_at_once(name):
    shape, nodes, message = TOO_MUCH[name]
    graph, start = chain(shape, *nodes), time.process_time()
    with pytest.raises(FrontendError, match=f"(?s){message}"):
        check_effort(graph)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("command", ["inspect", "run"])
def test_the_command_line_refuses_it_too(command, tmp_path, capsys):
    """A weight that the file makes of ones, over a picture that it makes of one value: 900 bytes."""
    ones = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    nodes = [
        helper.make_node("Expand", ["x", "large"], ["e"]),
        helper.make_node("ConstantOfShape", ["kernel"], ["w"], value=ones),
        helper.make_node("Conv", ["e", "w"], ["c"], pads=[256] * 4),
        helper.make_node("GlobalAveragePool", ["c"], ["g"]),
        helper.make_node("Flatten", ["g"], ["y"]),
    ]
    shapes = {"large": (1, 16, 1024, 1024), "kernel": (16, 16, 100, 100)}
    sizes = [numpy_helper.from_array(np.array(shape), name) for name, shape in shapes.items()]
    x, y = (helper.make_tensor_value_info(n, 1, ["N", 16, *s]) for n, s in (("x", [1, 1]), ("y", [])))
    graph = helper.make_graph(nodes, "net", [x], [y], sizes)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    np.savez(tmp_path / "x_test.npz", np.zeros((4, 16, 1, 1), np.float32))
    (tmp_path / "c.ini").write_text("[paths]\nfilename_ann = m.onnx\n[simulation]\nduration = 4\n")
    start = time.process_time()
    assert main([command, str(tmp_path / ("m.onnx" if command == "inspect" else "c.ini"))]) == 2
    assert "multiplications per sample" in capsys.readouterr().err
    assert time.process_time() - start < 10


def test_a_real_size_is_taken():
    weight = np.broadcast_to(np.float32(1), (4096, 25088))
    check_effort(chain((25088,), lambda **where: Dense(weight=weight, **where)))  # the largest layer of VGG-16
    check_effort(simplify(chain((1, 2048, 2048), conv(3))))
