"""An opened model: its inputs and outputs, their batch and the shapes that the file leaves open."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.onnx import OnnxFrontend

FRONTEND = OnnxFrontend()


INPUTS = [
    ([784], "without a batch axis"),
    ([], "without a batch axis"),
    (["N"], "without a batch axis"),
    (["N", 3, "h", "w"], "leaves its sizes open"),
    (None, "leaves its sizes open"),
]


@pytest.mark.parametrize(("dims", "reason"), INPUTS)
def test_inputs_that_are_no_batches(dims, reason):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)
    y = helper.make_empty_tensor_value_info("y")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    with pytest.raises(FrontendError, match=reason):
        FRONTEND.open(helper.make_model(graph))


def test_open_sizes_are_given_by_the_user(build, compare):
    nodes = [("Conv", "x w", "c", {}), ("GlobalAveragePool", "c", "y", {})]
    model = build(nodes, x=(2, 5, 5), weights={"w": (3, 2, 2, 2)})
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_param = "size"
    graph = compare(model, input_shape=(2, 6, 7))
    assert graph.shapes["x"] == (2, 6, 7)
    with pytest.raises(FrontendError, match="does not fit"):
        FRONTEND.open(model, input_shape=(3, 6, 7))


@pytest.mark.parametrize("size", [0, -1])
def test_an_open_batch_written_as_a_number(size, build, compare):
    model = build([("Relu", "x", "y", {})], x=(4,))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = size
    compare(model)


def test_inputs_of_different_fixed_batches(build):
    model = build([("Add", "a b", "y", {})], x={"a": (3,), "b": (3,)}, batch=2)
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_value = 5
    with pytest.raises(FrontendError, match="different sizes"):
        FRONTEND.open(model)


def test_several_inputs_and_outputs(build, compare):
    nodes = [("Gemm", "a w", "h", {}), ("Sub", "h b", "y", {}), ("Relu", "y", "z", {})]
    graph = compare(build(nodes, x={"a": (4,), "b": (3,)}, weights={"w": (4, 3)}, outputs=("z", "y")))
    assert graph.inputs == ("a", "b")
    assert graph.outputs == ("z", "y")


def test_integer_images_are_cast_first(build, compare):
    model = build([("Cast", "x", "f", {"to": 1}), ("Relu", "f", "y", {})], x=(4,), dtype=TensorProto.UINT8)
    compare(model, x=[np.arange(12).reshape(3, 4)])


def test_initializers_among_the_inputs_are_no_inputs(build, compare):
    graph = compare(build([("Gemm", "x w b", "y", {})], x=(4,), weights={"w": (4, 2), "b": (2,)}, opset=8, listed=True))
    assert graph.inputs == ("x",)
