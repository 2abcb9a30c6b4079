"""Only operations that lowering knows are run, whatever a file asks for: the others would read and write anywhere."""

import io
import json
import operator
import zipfile

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch_nets import FRONTEND

from snntoolbox.errors import FrontendError, SNNToolboxError, UnsupportedError
from snntoolbox.frontends.pytorch.handlers import HANDLERS
from snntoolbox.frontends.pytorch.handlers.quantised import DECOMPOSED
from snntoolbox.frontends.pytorch.operators import FOLDED, is_known, unknown_nodes, without_idle
from snntoolbox.frontends.pytorch.sizes import value_shapes

ATEN = torch.ops.aten


class Recording(TorchDispatchMode):
    """Notes what runs on tensors that have data."""

    def __init__(self):
        super().__init__()
        self.ran = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        leaves = tree_leaves((args, kwargs or {}))
        real = any(isinstance(v, torch.Tensor) and not isinstance(v, FakeTensor) and not v.is_meta for v in leaves)
        stored = str(func) == "aten.as_strided.default" and 10**12 not in leaves  # a weight, as it was stored
        if (real and not stored) or not any(isinstance(v, torch.Tensor) for v in leaves):
            self.ran.add(str(func))
        return func(*args, **(kwargs or {}))


class Net(nn.Module):
    """Something that reads the input, then an operation that is to be exchanged in the file; `on` chooses its data."""

    def __init__(self, on):
        super().__init__()
        self.first, self.on = nn.Linear(4, 10), on
        self.register_buffer("constant", torch.ones(2, 10))

    def forward(self, x):
        a = torch.relu(self.first(x))
        return a.view(2, 10) * 2 if self.on == "data" else a * self.constant.view(2, 10)


def exchanged(path, module, change, shape=(2, 4)):
    """The module's program in a file, after `change` of its JSON."""
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(module.eval(), (torch.zeros(*shape),)), buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("models/model.json"):
                program = json.loads(content)
                change(program, program["graph_module"]["graph"]["nodes"])
                content = json.dumps(program).encode()
            new.writestr(name, content)
    return path


def ints(name, *values):
    return {"name": name, "arg": {"as_ints": list(values)}, "kind": 1}


def number(name, value, kind="as_int"):
    return {"name": name, "arg": {kind: value}, "kind": 1}


WILD = [ints("size", 2, 10), ints("stride", 10**12, 1)]
FOREIGN = {
    "_reshape_alias.default": WILD,
    "as_strided.default": WILD,
    "as_strided_.default": WILD,
    "as_strided_copy.default": WILD,
    "resize_.default": [ints("size", 10**10)],
    "_unsafe_index.Tensor": [],
    "_resize_output_.default": [ints("size", 10**10)],
    "set_.default": [],
    "empty_like.default": [],
    "_nnpack_available.default": [],
    "_convert_indices_from_coo_to_csr.default": [number("size", 10**6)],
    "_embedding_bag_forward_only.default": [],
    "_fft_c2c.default": [ints("dim", 0), number("normalization", 0), number("forward", True, "as_bool")],
    "bincount.default": [],
    "unfold.default": [number("dimension", 0), number("size", 1), number("step", 1)],
    "view.dtype": [number("dtype", 13, "as_scalar_type")],
    "relu.out": [],
}


@pytest.mark.parametrize("on", ["data", "constants"])
@pytest.mark.parametrize("target", FOREIGN)
def test_a_foreign_operation_is_refused_and_not_tried(tmp_path, target, on):
    def change(program, nodes):
        node = next(n for n in nodes if "aten.view" in n["target"])
        node["target"] = f"torch.ops.aten.{target}"
        node["inputs"] = [node["inputs"][0], *FOREIGN[target]]

    path = exchanged(tmp_path / "net.pt2", Net(on), change)
    with Recording() as recording, pytest.raises(SNNToolboxError):
        FRONTEND.parse(FRONTEND.open(path))
    assert f"aten.{target}" not in recording.ran


def test_what_is_foreign_is_listed_with_all_else(tmp_path):
    class Two(nn.Module):
        def forward(self, x):
            return torch.erfinv(torch.cumsum(x, 1)).cosh()

    path = exchanged(tmp_path / "net.pt2", Two(), lambda program, nodes: None)
    with pytest.raises(UnsupportedError) as error:
        FRONTEND.parse(FRONTEND.open(path))
    assert [o.layer.split()[-1].rstrip(")") for o in error.value.offenders] == ["cumsum", "erfinv", "cosh"]


def test_an_idle_write_is_refused_too(tmp_path):
    """Nothing reads what it returns, but it is run with the others."""

    class Idle(nn.Module):
        def forward(self, x):
            a = x * 3
            a.clamp_(0, 1)
            return torch.relu(x)

    def change(program, nodes):
        node = next(n for n in nodes if "clamp_" in n["target"])
        node["target"], node["inputs"] = "torch.ops.aten.as_strided_.default", [node["inputs"][0], *WILD]

    path = exchanged(tmp_path / "net.pt2", Idle(), change)
    with Recording() as recording, pytest.raises(SNNToolboxError):
        FRONTEND.parse(FRONTEND.open(path))
    assert "aten.as_strided_.default" not in recording.ran


def test_idle_operations_are_left_out():
    class Idle(nn.Module):
        def forward(self, x):
            torch.cosh(x)
            y = x * 2
            y.clamp_(0, 1)
            return y

    program = torch.export.export(Idle(), (torch.zeros(2, 4),))
    program.graph.call_function(ATEN.cosh.default, (next(iter(program.graph.nodes)),))
    without_idle(program.graph)
    assert {n.target for n in program.graph.nodes if n.op == "call_function"} == {ATEN.mul.Tensor, ATEN.clamp_.default}
    assert not list(unknown_nodes(program.graph))


# -- known operations with arguments for which torch reads behind the end --------------------------------------------


@pytest.mark.parametrize("name", ["mean", "variance", "gain", "shift"])
@pytest.mark.parametrize("size", [1, 9, 11])
def test_statistics_of_another_number_of_channels(name, size):
    class Normalised(nn.Module):
        def __init__(self):
            super().__init__()
            for key in ("gain", "shift", "mean", "variance"):
                self.register_buffer(key, torch.ones(10))

        def forward(self, x):
            values = self.gain, self.shift, self.mean, self.variance
            return ATEN._native_batch_norm_legit_no_training(x, *values, 0.1, 1e-5)[0]

    program = torch.export.export(Normalised(), (torch.zeros(2, 10),))
    program.state_dict[name] = torch.ones(size)
    with Recording() as recording, pytest.raises(UnsupportedError, match="do not fit"):
        FRONTEND.parse(program)
    assert not any("batch_norm" in ran for ran in recording.ran)


@pytest.mark.parametrize(("gains", "dim"), [((1,), 0), ((3, 1), 1), ((1, 7), 0), ((4,), 9), ((2,), -1)])
def test_gains_that_do_not_fit_a_normalised_weight(gains, dim):
    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.v, self.g = nn.Parameter(torch.ones(5, 4)), nn.Parameter(torch.ones(5, 1))

        def forward(self, x):
            return x @ torch._weight_norm(self.v, self.g, 0).T

    program = torch.export.export(Weighted(), (torch.zeros(2, 4),))
    node = next(n for n in program.graph.nodes if n.target is ATEN._weight_norm.default)
    node.args = (*node.args[:2], dim)
    program.state_dict["g"] = nn.Parameter(torch.ones(gains))
    with Recording() as recording, pytest.raises(UnsupportedError, match="do not fit"):
        FRONTEND.parse(program)
    assert "aten._weight_norm.default" not in recording.ran


# -- constants that are computed -------------------------------------------------------------------------------------

LARGE = {
    "arange.start": (0, 10**12),
    "linspace.default": (0, 1, 10**12),
    "eye.default": (10**6,),
    "full.default": ([10**6, 10**6], 1.0),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_constant_of_any_size_is_not_made(name):
    class Plus(nn.Module):
        def forward(self, x):
            return x + torch.ones(4)

    program = torch.export.export(Plus(), (torch.zeros(2, 4),))
    node = next(n for n in program.graph.nodes if n.target is ATEN.ones.default)
    node.target, node.args = operator.attrgetter(name)(ATEN), LARGE[name]
    with pytest.raises(UnsupportedError, match="too large"):
        FRONTEND.parse(program)


@pytest.mark.parametrize("operation", ["repeat", "outer", "cat"])
def test_constants_that_grow_are_stopped(operation):
    grow = {
        "repeat": lambda c: c.repeat(64),
        "outer": lambda c: torch.outer(c, c).flatten(),
        "cat": lambda c: torch.cat([c] * 50),
    }[operation]

    class Growing(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("c", torch.ones(40))

        def forward(self, x):
            c = self.c
            for _ in range(3 if operation == "outer" else 6):
                c = grow(c)
            return x + c[:4]

    with torch.device("meta"):
        module = Growing()
    program = torch.export.export(module, (torch.zeros(2, 4, device="meta"),))
    for store in (program.state_dict, program.constants):
        store.update({k: torch.ones(v.shape) for k, v in store.items()})
    with pytest.raises(UnsupportedError, match="too large"):
        FRONTEND.parse(program)


def test_the_list_names_operations_that_torch_has():
    assert all(hasattr(ATEN, name) or name.startswith(DECOMPOSED) for name in FOLDED)


def test_what_lowering_handles_is_known():
    names = [n for n in HANDLERS if hasattr(ATEN, n)]
    overloads = {n: [getattr(getattr(ATEN, n), o) for o in getattr(ATEN, n).overloads()] for n in names}
    assert all(any(map(is_known, o)) for o in overloads.values())
    assert not any(is_known(o) for group in overloads.values() for o in group if "out" in o._overloadname.split("_"))


def test_a_size_beyond_all_numbers():
    """A chain of products of the batch size with itself has as many digits as it wants."""
    program = torch.export.export(Net("data"), (torch.zeros(2, 4),))
    node = next(n for n in program.graph.nodes if n.op == "call_function")
    with program.graph.inserting_before(node):
        size = program.graph.call_function(operator.add, (2**40, 2))
        for _ in range(3):
            size = program.graph.call_function(operator.mul, (size, size))
    program.graph_module.recompile()
    with pytest.raises(FrontendError, match="a size that cannot be"):
        value_shapes(program, 2, [(4,)], [torch.float32])
