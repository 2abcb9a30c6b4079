"""Saved files: exact there and back, and nothing but our own errors from anything else."""

import contextlib
import io
import json
import pickle
import zipfile
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node_catalogue import CASES, graph_of

from snntoolbox.errors import ArgumentError, DataError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.io import load_graph, load_network, save
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.network import Grid, Population, Readout, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Negative, Reset
from snntoolbox.ir.node import Origin
from snntoolbox.ir.nodes import (
    NODE_TYPES,
    Add,
    AveragePool,
    Concat,
    Conv,
    Delay,
    Dense,
    Elementwise,
    Floor,
    Input,
    MatrixProduct,
    MaxPool,
    Mean,
    Multiply,
    Normalise,
    Pad,
    Permute,
    ReLU,
    Reshape,
    RootMeanSquare,
    Scale,
    Softmax,
    Sparse,
    Tabulated,
    Take,
)
from snntoolbox.ir.writing import OutputError


def draw(*shape):
    return np.random.default_rng(shape).normal(size=shape)


def every_node():
    """A graph with every type of node, arrays of several types, and numbers that decimals could spoil."""
    matrix = sp.csr_array(np.where(draw(4, 12) > 0, draw(4, 12), 0))
    two = {"stride": (1, 2), "padding": ((1, 0), (0, 1))}
    nodes = [
        Input(name="x", shape=(6, 5, 2), origin=Origin("keras", "InputLayer", "bild")),
        Permute(name="p", inputs=("x",), axes=(2, 0, 1)),
        Conv(
            name="c",
            inputs=("p",),
            weight=draw(3, 2, 2, 2).astype(np.float32),
            dilation=(2, 1),
            bias=draw(3, 1, 1),
            **two,
        ),
        ReLU(name="r", inputs=("c",), max_value=0.1 + 0.2),
        MaxPool(name="m", inputs=("r",), kernel=(2, 2), dilation=(1, 1), **two),
        AveragePool(name="a", inputs=("r",), kernel=(2, 2), count_padding=True, overhang=(0, 0), **two),
        Scale(name="s", inputs=("a",), gain=draw(3, 1, 1), bias=np.full((1, 1, 1), 1e-300)),
        Add(name="sum", inputs=("m", "s", "m"), coefficients=(1 / 3, -1.0, 2.0)),
        Delay(name="later", inputs=("sum",), steps=3),
        Pad(name="pad", inputs=("later",), pads=((0, 0), (0, 1), (2, 0))),
        Take(name="t", inputs=("pad",), axis=2, indices=(0, 3, 1)),
        Concat(name="j", inputs=("t", "pad"), axis=2),
        Mean(name="mean", inputs=("j",), axes=(1,), keepdims=True, summed=True),
        Reshape(name="flat", inputs=("mean",), shape=(3, -1)),
    ]
    graph = Graph(nodes[:-1], ["mean"])
    size = graph.size("mean")
    nodes[-1] = Reshape(name="flat", inputs=("mean",), shape=(size,))
    nodes += [
        Dense(name="d", inputs=("flat",), weight=draw(12, size), bias=draw(12).astype(np.float32)),
        Sparse(name="sparse", inputs=("d",), matrix=matrix, shape_in=(12,), shape_out=(4,)),
        ReLU(name="levels", inputs=("sparse",), max_value=np.abs(draw(4)), levels=8),
        Floor(name="floor", inputs=("levels",)),
        Elementwise(name="smooth", inputs=("floor",), function="gelu"),
        Tabulated(name="table", inputs=("smooth",), function="tanh", sign=-1),
        Multiply(name="product", inputs=("table", "floor")),
        Normalise(name="norm", inputs=("product",), axes=(0,), epsilon=1e-5, centred=False),
        RootMeanSquare(name="root", inputs=("norm",), axes=(0,), epsilon=0.1, inverse=True),
        Take(name="roots", inputs=("root",), axis=0, indices=(0,) * 4),
        Multiply(name="whole", inputs=("norm", "roots"), whole=True),
        Reshape(name="row", inputs=("whole",), shape=(1, 4)),
        MatrixProduct(name="gram", inputs=("row", "row"), contraction=Contraction(1, 1, 1, 4)),
        Softmax(name="soft", inputs=("whole",), log=True),
    ]
    return Graph(nodes, ["soft", "s", "gram"], name="ö/é net")


def network(**more):
    nodes = [
        *(Input(name="x", shape=(3,)), Input(name="y", shape=(3,)), Input(name="a", shape=(1, 3))),
        Input(name="g", shape=(1, 1)),
        Add(name="sum", inputs=("x", "y")),
        Reshape(name="r", inputs=("sum",), shape=(1, 3)),
        Reshape(name="flat", inputs=("g",), shape=(1,)),
    ]
    neuron = IF(threshold=np.abs(draw(1, 3)), reset=Reset.MODULO, initial=0.5, leak=0.9, refractory=2)
    gate = MaxGate(kernel=(3,), stride=(1,), padding=((0, 0),), dilation=(1,))
    populations = [
        Population(
            name="a", shape=(1, 3), neuron=neuron, current="r", bias=draw(1, 1), scale=draw(1, 1), activation="relu",
            bound=draw(1, 1),
            origin=Origin("onnx", "Relu", "/r"),
        ),
        Population(name="g", shape=(1, 1), neuron=gate, current="a", scale=np.ones((1, 1)), activation="max"),
    ]  # fmt: skip
    return SpikingNetwork(
        Graph(nodes, ["r", "a", "flat"], name="small"),
        {"x": ConstantCurrent(), "y": Poisson(amplitude=1 / 3, seed=2**40)},
        populations,
        [Readout(name="o", current="flat", shape=(1,), bias=draw(1), scale=0.1)],
        **more,
    )


def scheduled():
    """Fields that the schedules and the graded neurons use."""
    base = network(schedule=Schedule("phased", window=4, steps=12, interval=8, interval_two=4))
    neuron = IF(initial=draw(1, 3), window=(4, 8), levels=(1.0, 1 / 3), negative=Negative.MEMORY)
    cells = [
        replace(p, neuron=neuron, pulses={0: draw(1, 3), 11: draw(1, 1)}) if p.name == "a" else p
        for p in base.populations.values()
    ]
    late = Latency(amplitude=1 / 3, window=4, lasting=False, steps=4)
    coded = {"x": ConstantCurrent(steps=4, largest=0.1), "y": late}
    return base.replaced(populations=cells, encodings=coded)


def in_digits():
    """Inputs by their binary digits, with and without signs."""
    digits = {"x": BinaryDigits(amplitude=1 / 3, window=4), "y": BinaryDigits(window=4, signed=False)}
    return network().replaced(encodings=digits)


@pytest.mark.parametrize("name", ["a.nir", "a.onnx", "a.H5", "a.b.pt"])
def test_endings_of_other_forms_are_refused(name, tmp_path):
    graph = Graph([Input(name="x", shape=(2,))], ["x"])
    with pytest.raises(ArgumentError, match="ending of another"):
        save(graph, tmp_path / name)
    assert not list(tmp_path.iterdir())
    assert save(graph, tmp_path / "a.v2").name == "a.v2.npz"


@pytest.mark.parametrize("drawn", [scheduled, in_digits])
def test_schedules_and_graded_neurons_come_back_exactly(drawn, tmp_path):
    net = drawn()
    again = load_network(save(net, tmp_path / "net"))
    for name, population in net.populations.items():
        assert_same(again.populations[name], population)
    assert_same(again.encodings["x"], net.encodings["x"])
    assert_same(again.encodings["y"], net.encodings["y"])
    assert_same(again.schedule, net.schedule)
    assert_same(pickle.loads(pickle.dumps(net)).schedule, net.schedule)


def assert_same(a, b):
    """The same types and the same values to the bit."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes()
    elif isinstance(a, sp.csr_array):
        assert a.shape == b.shape
        for part in ("data", "indices", "indptr"):
            assert_same(getattr(a, part), getattr(b, part))
    elif is_dataclass(a):
        for field in fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    else:
        assert a == b


def assert_same_graph(a, b):
    assert (a.name, a.inputs, a.outputs, list(a.nodes)) == (b.name, b.inputs, b.outputs, list(b.nodes))
    for name in a.nodes:
        assert_same(a.nodes[name], b.nodes[name])


def test_every_node_comes_back_exactly(tmp_path):
    graph = every_node()
    assert {type(n) for n in graph.nodes.values()} == set(NODE_TYPES.values())
    found = load_graph(save(graph, tmp_path / "graph.npz"))
    assert_same_graph(graph, found)
    x = draw(2, 6, 5, 2)
    assert found.run(x).tobytes() == graph.run(x).tobytes()


@pytest.mark.parametrize("case", [c for c in CASES if c != "input"])
def test_each_case_comes_back_exactly(tmp_path, case):
    graph = graph_of(*CASES[case][:2])
    assert_same_graph(graph, load_graph(save(graph, tmp_path / "graph.npz")))


@pytest.mark.parametrize("more", [{}, {"dt": 0.1, "grid": Grid(weight_bits=8, start=3, growth=2**40)}])
def test_a_network_comes_back_exactly(tmp_path, more):
    net = network(**more)
    found = load_network(save(net, tmp_path / "net"))
    assert_same_graph(net.wiring, found.wiring)
    for part in ("populations", "encodings"):
        assert list(getattr(net, part)) == list(getattr(found, part))
        assert_same(tuple(getattr(net, part).values()), tuple(getattr(found, part).values()))
    assert_same((net.readouts, net.dt, net.grid), (found.readouts, found.dt, found.grid))


def test_the_ending_is_added_and_nothing_else_left(tmp_path):
    assert save(network(), tmp_path / "a.b").name == "a.b.npz"
    assert save(network(), tmp_path / "a.b").name == "a.b.npz"
    assert [p.name for p in tmp_path.iterdir()] == ["a.b.npz"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = save(network(), tmp_path / "net.npz")
    before = path.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OutputError, match="no space"):
        save(network(dt=0.5), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# -- files that are not ours ----------------------------------------------------------------------------------------

LOADERS = {"graph": load_graph, "network": load_network}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    return {"graph": save(every_node(), folder / "graph"), "network": save(network(), folder / "network")}


@pytest.mark.parametrize(("kind", "other"), [("graph", "network"), ("network", "graph")])
def test_the_other_kind_is_refused(files, kind, other):
    with pytest.raises(DataError, match=f"no saved {kind}"):
        LOADERS[kind](files[other])


def foreign(path, content):
    path.write_bytes(content)
    return path


def zipped(members, compression=zipfile.ZIP_DEFLATED):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def array(values, **header):
    data = io.BytesIO()
    values = np.asarray(values)
    if header:
        described = {"descr": values.dtype.str, "fortran_order": False, "shape": values.shape, **header}
        np.lib.format.write_array_header_1_0(data, described)
        data.write(values.tobytes())
    else:
        np.save(data, values, allow_pickle=True)
    return data.getvalue()


def structured(structure):
    return array(np.frombuffer(json.dumps(structure).encode(), np.uint8))


FOREIGN = {
    "empty": b"",
    "text": b"hello",
    "npy": array(np.arange(3)),
    "no structure": zipped({"a0.npy": array(np.arange(3))}),
    "not an array": zipped({"structure.npy": b"PK nothing"}),
    "not json": zipped({"structure.npy": array(np.arange(3, dtype=np.uint8))}),
    "a list": zipped({"structure.npy": structured([1, 2])}),
    "a number": zipped({"structure.npy": structured(3)}),
    "another format": zipped({"structure.npy": structured({"format": 99, "kind": "graph"})}),
    "no nodes": zipped({"structure.npy": structured({"format": 1, "kind": "graph", "outputs": []})}),
    "a pickle": zipped({"structure.npy": array(np.array([print], dtype=object))}),
    "100 GB": zipped({"structure.npy": array(np.zeros(8), shape=(10**11,))}),
    "negative": zipped({"structure.npy": array(np.zeros(8), shape=(-1,))}),
    "huge header": zipped({"structure.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f"}),
    "odd header": zipped({"structure.npy": b"\x93NUMPY\x01\x00\x06\x00{'a':("}),
    "no size": zipped({"structure.npy": array(np.zeros(8, "V0"), shape=(10**15,))}),
    "another compression": zipped({"structure.npy": array(np.zeros(10**6))}, zipfile.ZIP_BZIP2),
    "deep": zipped({"structure.npy": array(np.frombuffer(b"[" * 10**5, np.uint8))}),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("kind", LOADERS)
def test_foreign_files_are_refused(tmp_path, kind, name):
    path = foreign(tmp_path / "file.npz", FOREIGN[name])
    with pytest.raises(DataError, match=r"file\.npz"):
        LOADERS[kind](path)


def test_a_missing_folder_is_an_error_of_ours(tmp_path, files):
    graph = load_graph(files["graph"])
    with pytest.raises(DataError, match=r"cannot write '.*nowhere.g\.npz': its folder does not exist"):
        save(graph, tmp_path / "nowhere" / "g")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write"):
        save(graph, tmp_path / "file" / "g")


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load_graph(tmp_path / "nothing.npz")
    with pytest.raises(DataError, match="cannot be read"):
        load_graph(tmp_path)


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_an_array_that_claims_100_gigabytes_is_refused(files, tmp_path):
    parts = members(files["graph"])
    parts["a0.npy"] = array(np.zeros(4), shape=(10**5, 125_000))
    path = foreign(tmp_path / "big.npz", zipped(parts))
    with pytest.raises(DataError, match=r"'a0\.npy' is damaged"):
        load_graph(path)


def test_indices_outside_a_sparse_matrix_are_refused(files, tmp_path):
    """They would be read from anywhere in memory."""
    parts = members(files["graph"])
    nodes = json.loads(np.load(io.BytesIO(parts["structure.npy"])).tobytes())["nodes"]
    node = next(n for n in nodes if n["name"] == "sparse")
    key = node["matrix"]["parts"][1]["key"] + ".npy"
    indices = np.load(io.BytesIO(parts[key]))
    parts[key] = array(np.full_like(indices, 10**6))
    with pytest.raises(DataError, match="damaged"):
        load_graph(foreign(tmp_path / "far.npz", zipped(parts)))


def only_our_errors(kind, path):
    with contextlib.suppress(DataError):
        LOADERS[kind](path)


FUZZ = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@FUZZ
@given(kind=st.sampled_from(sorted(LOADERS)), data=st.data())
def test_flipped_bytes_give_our_errors_only(files, tmp_path, kind, data):
    content = bytearray(files[kind].read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] ^= data.draw(st.integers(1, 255))
    only_our_errors(kind, foreign(tmp_path / "flipped.npz", bytes(content)))


@FUZZ
@given(kind=st.sampled_from(sorted(LOADERS)), data=st.data())
def test_flipped_bytes_inside_the_archive_give_our_errors_only(files, tmp_path, kind, data):
    """With check sums that are right, damage gets through to numpy, JSON, nodes and networks."""
    parts = {name: bytearray(content) for name, content in members(files[kind]).items()}
    for _ in range(data.draw(st.integers(1, 3))):
        content = parts[data.draw(st.sampled_from(["structure.npy", *sorted(parts)]))]
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    only_our_errors(kind, foreign(tmp_path / "inside.npz", zipped({n: bytes(c) for n, c in parts.items()})))


@pytest.mark.parametrize("kind", LOADERS)
def test_truncated_files_are_refused(files, tmp_path, kind):
    content = files[kind].read_bytes()
    for size in np.linspace(0, len(content) - 1, 25).astype(int):
        with pytest.raises(DataError):
            LOADERS[kind](foreign(tmp_path / "short.npz", content[:size]))


def places(value, path=()):
    """The paths of all values inside a JSON structure."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


WRONG = [
    None,
    -1,
    0,
    10**12,
    0.5,
    "x",
    [],
    {},
    [[1, 2]],
    {"type": "array", "key": "a0"},
    {"type": "nothing"},
    [10**9] * 3,
]


@pytest.mark.parametrize("kind", LOADERS)
def test_any_value_of_the_structure_may_be_wrong(files, tmp_path, kind):
    """One value after the other replaced: it loads or is refused, without much memory."""
    parts = members(files[kind])
    text = np.load(io.BytesIO(parts["structure.npy"])).tobytes()
    random = np.random.default_rng(0)
    paths = [p for p in places(json.loads(text)) if p]
    for number in random.choice(len(paths), 150):
        structure = inner = json.loads(text)
        *way, last = paths[number]
        for key in way:
            inner = inner[key]
        inner[last] = WRONG[random.integers(len(WRONG))]
        wrong = zipped({**parts, "structure.npy": structured(structure)})
        only_our_errors(kind, foreign(tmp_path / "wrong.npz", wrong))
