"""What a file computes without its input is worked out: weights, constants and the arithmetic of shapes."""

import time
import tracemalloc

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from snntoolbox.errors import SNNToolboxError, UnsupportedError
from snntoolbox.frontends.onnx import OnnxFrontend
from snntoolbox.frontends.onnx.evaluated import SIZES, Question

RNG = np.random.default_rng(4)


def ints(*values):
    return np.array(values, np.int64)


NETS = {
    "constant expanded to the batch": (
        [("Shape", "x", "s", {}), ("Expand", "c s", "cc", {}), ("Add", "x cc", "y", {})], (4,), {"c": (1, 4)}),
    "size of the sample": (
        [("Shape", "x", "s", {"start": 1}), ("Concat", "m s", "t", {"axis": 0}), ("Expand", "c t", "cc", {}),
         ("Mul", "x cc", "y", {})], (3, 4), {"c": (1, 1, 4), "m": ints(1)}),
    "resize by computed sizes": (
        [("Shape", "x", "s", {"end": 2}), ("Concat", "s hw", "t", {"axis": 0}), ("Resize", "x   t", "y", {})],
        (2, 3, 4), {"hw": ints(6, 8)}),
    "weights worked out by the file": (
        [("Transpose", "w", "wt", {"perm": [1, 0]}), ("Mul", "wt two", "w2", {}), ("MatMul", "x w2", "y", {})],
        (5,), {"w": (3, 5), "two": np.float32(2)}),
    "constant of shape": (
        [("ConstantOfShape", "n", "ones", {}), ("Add", "x ones", "y", {})], (4,), {"n": ints(1, 4)}),
    "unused refused node": (
        [("Sigmoid", "x", "unused", {}), ("Relu", "x", "y", {})], (4,), {}),
}  # fmt: skip


@pytest.mark.parametrize("batch", ["N", 1, 4])
@pytest.mark.parametrize("net", NETS)
def test_folding(net, batch, build, compare):
    nodes, x, weights = NETS[net]
    compare(build(nodes, x=x, weights=weights, opset=15, batch=batch))


CONSTANTS = [{"value_float": 1.5}, {"value_floats": [1.0, 2.0, 3.0]}, {"value_int": 3}, {"value_ints": [1, 2, 3]}]


@pytest.mark.parametrize("attribute", CONSTANTS)
def test_constant_nodes(attribute, build, compare):
    nodes = [("Constant", "", "i", attribute), ("Cast", "i", "c", {"to": 1}), ("Add", "x c", "y", {})]
    compare(build(nodes, x=(3,), opset=13))


def test_constant_nodes_with_tensors(build, compare):
    dense = numpy_helper.from_array(np.float32([1, 2, 3]), "c")
    values, indices = numpy_helper.from_array(np.float32([5]), "v"), numpy_helper.from_array(ints(1), "i")
    sparse = helper.make_sparse_tensor(values, indices, [3])
    nodes = [("Constant", "", "a", {"value": dense}), ("Constant", "", "b", {"sparse_value": sparse}),
             ("Mul", "x a", "z", {}), ("Add", "z b", "y", {})]  # fmt: skip
    compare(build(nodes, x=(3,), opset=13))


@pytest.mark.parametrize("opset", [13, 19, 21])
@pytest.mark.parametrize("per_channel", [False, True])
def test_weights_of_eight_bits_are_what_they_stand_for(opset, per_channel, build, compare):
    count = (4,) if per_channel else ()
    weights = {
        "q": RNG.integers(-127, 128, (4, 5)).astype(np.int8),
        "s": RNG.uniform(0.01, 0.02, count).astype(np.float32),
        "z": RNG.integers(-3, 4, count).astype(np.int8),
        "b": (4,),
    }
    axis = {"axis": 0} if per_channel else {}
    nodes = [("DequantizeLinear", "q s z", "w", axis), ("Gemm", "x w b", "g", {"transB": 1}), ("Relu", "g", "y", {})]
    compare(build(nodes, x=(5,), weights=weights, opset=opset))


# -- what is not worked out ------------------------------------------------------------------------------------------

TEXT = helper.make_tensor("text", TensorProto.STRING, [1], [b"a" * 40])
ONES = {"value": helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])}
BODY = helper.make_graph([], "body", [], [])
NOT_LISTED = {
    "regular expression": [("RegexFullMatch", "text", "k", {"pattern": "(a+)+b"})],
    "text to numbers": [("Cast", "text", "k", {"to": 1})],
    "numbers to text": [("Cast", "c", "k", {"to": 8})],
    "split text": [("StringSplit", "text", "k n", {})],
    "normalise text": [("StringNormalizer", "text", "k", {})],
    "n-grams": [("TfIdfVectorizer", "n", "k", {"mode": "TF", "min_gram_length": 1, "max_gram_length": 1,
                 "max_skip_count": 0, "ngram_counts": [0], "ngram_indexes": [0], "pool_int64s": [1]})],
    "pooling": [("MaxPool", "image", "k", {"kernel_shape": [1, 1]})],
    "convolution": [("Conv", "image image", "k", {})],
    "resize": [("Resize", "image   n", "k", {})],
    "einsum": [("Einsum", "c", "k", {"equation": "i->ii"})],
    "unique": [("Unique", "c", "k", {})],
    "non-zero": [("NonZero", "c", "k", {})],
    "loop": [("Loop", "m  c", "k", {"body": BODY})],
    "scan": [("Scan", "c", "k", {"body": BODY, "num_scan_inputs": 1})],
    "choice": [("If", "m", "k", {"then_branch": BODY, "else_branch": BODY})],
    "sequence": [("SequenceConstruct", "c", "q", {}), ("ConcatFromSequence", "q", "k", {"axis": 0})],
    "audio": [("HannWindow", "m", "k", {})],
    "mel": [("MelWeightMatrix", "m m m c c", "k", {})],
    "fourier": [("DFT", "image", "k", {})],
    "determinant": [("Det", "image", "k", {})],
    "grid": [("AffineGrid", "image n", "k", {})],
    "random": [("Bernoulli", "c", "k", {})],
}  # fmt: skip
HUGE = {
    "ones": [("ConstantOfShape", "n", "k", ONES)],
    "range": [("Range", "zero m one", "k", {})],
    "range of steps": [("Range", "zero one step", "k", {})],
    "tile": [("Tile", "c n1", "k", {})],
    "expand": [("Expand", "c n", "k", {})],
    "pad": [("Pad", "c p", "k", {})],
    "pad an axis": [("Pad", "c p  a", "k", {})],
    "one hot": [("OneHot", "a m two", "k", {})],
    "outer": [("Unsqueeze", "long a1", "u", {}), ("Add", "long u", "k", {})],
    "where": [("Unsqueeze", "long a1", "u", {}), ("Where", "yes long u", "k", {})],
    "product": [("Unsqueeze", "long a1", "u", {}), ("Unsqueeze", "long a", "v", {}), ("MatMul", "u v", "k", {})],
    "gemm": [("Unsqueeze", "long a1", "u", {}), ("Gemm", "u u", "k", {"transB": 1})],
    "gather": [("Unsqueeze", "long a", "u", {}), ("Gather", "u zeros", "k", {"axis": 0})],
    "gather slices": [("Unsqueeze", "long a", "u", {}), ("Unsqueeze", "zeros a1", "z", {}),
                      ("GatherND", "u z", "k", {})],
    "blocks": [("DequantizeLinear", "q long1 q0", "k", {"block_size": 2**40, "axis": 0})],
    "doubled": [(f, f"c{i or ''} c{i or ''}", f"c{i + 1}", {"axis": 0}) for i, f in enumerate(["Concat"] * 40)]
               + [("Identity", "c40", "k", {})],
    "work": [("Unsqueeze", "long a1", "u0", {}),
             *(("Concat", " ".join([f"u{i}"] * 9), f"u{i + 1}", {"axis": 1}) for i in range(2)),
             *(("MatMul", "wide u2", f"k{i}", {}) for i in range(40)),
             ("Sum", " ".join(f"k{i}" for i in range(40)), "k", {})],
}  # fmt: skip
MANY = 100_000
CONSTANTS_AT_HAND = {
    "c": np.ones(3, np.float32), "n": ints(10**6, 10**6), "n1": ints(10**12), "p": ints(0, 10**11), "a": ints(0),
    "m": np.array(10**11), "zero": np.array(0), "one": np.array(1), "two": np.ones(2, np.int64), "a1": ints(1),
    "long": np.ones(MANY, np.float32), "zeros": np.zeros(MANY, np.int64), "yes": np.array(True),
    "image": np.ones((1, 1, 4, 4), np.float32), "q": np.ones(3, np.int8), "q0": np.zeros(MANY, np.int8),
    "long1": np.ones(MANY, np.float32), "wide": np.ones((10, MANY), np.float32),
}  # fmt: skip


def with_constant(nodes, build):
    """x + max(k), where k is what the nodes make of constants."""
    rest = [("ReduceMax", "k", "r", {"keepdims": 0}), ("Add", "x r", "y", {})]
    read = {name for _, inputs, _, _ in nodes for name in inputs.split()}
    weights = {k: w for k, w in CONSTANTS_AT_HAND.items() if k in read}
    if "step" in read:
        weights |= {"zero": np.array(0.0), "one": np.array(1.0), "step": np.array(1e-300)}
    model = build(rest, x=(4,), weights=weights | {"k": np.ones(1, np.float32)}, opset=21)
    made = [helper.make_node(kind, i.split(" ") if i else [], o.split(), **more) for kind, i, o, more in nodes]
    rest = list(model.graph.node)
    del model.graph.node[:], model.graph.initializer[-1]
    model.graph.node.extend([*made, *rest])
    model.graph.initializer.extend([TEXT] if "text" in read else [])
    return model


@pytest.mark.parametrize("how", [*NOT_LISTED, *HUGE])
def test_what_takes_long_or_much_is_refused_before_it_is_tried(how, build, monkeypatch):
    """The nodes themselves are refused: none of them is evaluated, and nothing of their size is made."""
    evaluated = []
    run = ReferenceEvaluator.run
    monkeypatch.setattr(ReferenceEvaluator, "run", lambda s, *a: evaluated.append(s.proto_.graph.node[0]) or run(s, *a))
    nodes = {**NOT_LISTED, **HUGE}[how]
    model, start = with_constant(nodes, build), time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(SNNToolboxError):
            OnnxFrontend().parse(OnnxFrontend().open(model))
        assert tracemalloc.get_traced_memory()[1] < 2**29
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 10
    assert not any("k" in node.output for node in evaluated)


def test_many_sparse_tensors_are_refused(build):
    """Each says to be as large as one alone may be."""
    values, indices = numpy_helper.from_array(np.float32([5]), "v"), numpy_helper.from_array(ints(1), "i")
    sparse = helper.make_sparse_tensor(values, indices, [2**22])
    nodes = [("Constant", "", f"s{i}", {"sparse_value": sparse}) for i in range(9)]
    nodes += [("Max", " ".join(f"s{i}" for i in range(9)), "k", {})]
    with pytest.raises(UnsupportedError, match="too large"):
        OnnxFrontend().parse(OnnxFrontend().open(with_constant(nodes, build)))


def test_sizes_are_never_less_than_what_is_made(build):
    """The sizes that are told beforehand bound those that come, for every operator of the list."""
    image, rows = np.ones((2, 3, 4), np.float32), np.ones((3, 5), np.float32)
    plain = {
        "Cast": ([image], {"to": 1}), "CastLike": ([image, rows], {}), "Reshape": ([image, ints(4, -1)], {}),
        "Unsqueeze": ([image, ints(0)], {}), "Squeeze": ([image[:1], ints(0)], {}), "Trilu": ([image], {}),
        "Slice": ([image, ints(0), ints(1)], {}), "CumSum": ([image, np.array(0)], {}), "EyeLike": ([rows], {}),
        "Where": ([image > 0, image, image[:1]], {}), "Not": ([image > 0], {}), "Split": ([image], {"num_outputs": 1}),
        "DequantizeLinear": ([ints(1, 2).astype(np.int8), np.float32(1)], {}),
        "QuantizeLinear": ([image, np.float32(1)], {}), "Gather": ([image, ints(0, 1, 1)], {"axis": 1}),
        "Expand": ([image, ints(5, 2, 3, 4)], {}), "Tile": ([image, ints(2, 1, 3)], {}),
        "ConstantOfShape": ([ints(4, 5)], {}), "Range": ([np.array(0), np.array(7), np.array(2)], {}),
        "Pad": ([image, ints(1, 0, 1, 0, 2, 3)], {}), "OneHot": ([ints(0, 1), np.array(6), np.float32([0, 1])], {}),
        "MatMul": ([image, np.ones((4, 6), np.float32)], {}), "Gemm": ([rows, rows], {"transA": 1}),
        "ScatterND": ([image, ints(0).reshape(1, 1), image[:1]], {}),
        "GatherND": ([image, ints(0, 1).reshape(2, 1)], {}),
        "Concat": ([image, image], {"axis": 0}), "Transpose": ([image], {}), "ArgMax": ([image], {}),
    }  # fmt: skip
    for kind, rule in SIZES.items():
        inputs, attributes = plain.get(kind, ([image > 0] * 2 if kind in ("And", "Or", "Xor") else [image] * 2, {}))
        one = kind not in plain and rule.__name__ not in ("_together", "_concat")
        inputs = inputs[:1] if one else inputs
        node = helper.make_node(kind, [f"i{i}" for i in range(len(inputs))], ["y"], **attributes)
        (result,) = ReferenceEvaluator(node).run(None, dict(zip(node.input, inputs, strict=True)))
        assert np.size(result) <= rule(Question(inputs, attributes, 1)), kind
