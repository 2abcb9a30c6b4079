"""The house as rules: which rooms there are, who stands on whom, that nothing runs in a circle, and how files are."""

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import chain

import house
import networkx as nx
import pytest

_VECTORS = ("compiled", "events_spread", "neurons", "neurons_tree", "products_fixed", "products_tile")
INTRINSICS = tuple(f"engine/fast/{part}_intrinsics.py" for part in _VECTORS)
# Where each framework may be imported; TYPE_CHECKING blocks do not count.
FRAMEWORKS = {
    # Keras computes on torch where that is its backend: its frontend switches gradients off.
    "torch": (
        *("engine/", "backends/inisim/simulation.py", "backends/inisim/batch.py", "backends/inisim/counted.py"),
        *(f"backends/inisim/{name}.py" for name in ("by_counts", "readings", "wired")),
        *("frontends/pytorch/", "frontends/keras/frontend.py", "training/pytorch/"),
        *("backends/modules/state.py", "backends/modules/replay.py"),
        *("frontends/caffe/predicting.py", "frontends/lasagne/predicting.py"),
    ),
    "jinja2": ("backends/templates.py",),
    "numba": ("engine/fast/jit.py", *INTRINSICS),
    "llvmlite": INTRINSICS,
    "triton": ("engine/fast/neurons_scan_kernel.py",),
    "keras": ("frontends/keras/", "training/keras.py"),
    **dict.fromkeys(("tensorflow", "tf2onnx"), ("frontends/converters/tensorflow_models.py",)),
    **dict.fromkeys(("jax", "jax2onnx"), ("frontends/converters/jax_functions.py",)),
    "h5py": ("ir/hdf5.py",),
    "lava": ("backends/lava/lava_network.py",),
    "sanafe": ("backends/sanafe/simulation.py",),
    "yaml": ("backends/sanafe/architecture.py",),
    "nir": ("backends/nir/library.py",),
    "onnx": ("frontends/onnx/", "frontends/converters/tensorflow_models.py"),
    "onnxruntime": ("frontends/onnx/",),
    "brian2": ("backends/brian2/simulation.py", "backends/pynn/on_brian2.py"),
    "nest": ("backends/nest/kernel.py",),
    "neuron": ("backends/pynn/on_neuron.py",),
    "pyNN": (
        *(f"backends/pynn/{name}.py" for name in ("engine", "on_nest", "on_neuron", "on_brian2")),
        "backends/spinnaker/spinnaker_network.py",
    ),
    **dict.fromkeys(("spynnaker", "spinn_utilities"), ("backends/spinnaker/spinnaker_network.py",)),
    "dask": ("backends/workers/local.py",),
    "distributed": ("backends/workers/local.py",),
    "matplotlib": ("ir/drawing/canvas.py",),
    "xarray": ("ir/as_xarray.py",),
    "neo": ("ir/as_neo.py",),
    "quantities": ("ir/as_neo.py",),
    "PIL": ("workflow/data/images.py",),
    "faery": ("workflow/data/events/faery_files.py",),
    "rich": ("workflow/report/progress_bars.py",),
    **dict.fromkeys(("nicegui", "fastapi", "starlette", "uvicorn"), ("workflow/gui/library.py",)),
}

PRINTING = ("workflow/cli.py", "workflow/commands/")
"""Where text goes out."""

SHARED = {("pynn", "nest"), ("pynn", "brian2"), ("fpga", "verilog")}
"""Backends that stand on another: PyNN on NEST has NEST's cells, an FPGA project is that of the Verilog."""

MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 50


@cache
def trees():
    """Every file of the package, parsed."""
    return {p.relative_to(house.ROOT).as_posix(): ast.parse(p.read_text()) for p in house.ROOT.rglob("*.py")}


@cache
def graph():
    return house.graph()


def type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def walk(tree):
    """All nodes but those under ``if TYPE_CHECKING``."""
    waiting = [tree]
    while waiting:
        found = [child for child in ast.iter_child_nodes(waiting.pop()) if not type_checking(child)]
        yield from found
        waiting += found


def packages(tree):
    """The packages that a file imports when it runs, wherever in it; also by ``import_module`` of a literal."""
    for node in walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and house.called(node) == "import_module":
            named = node.args[0]
            yield from [named.value.split(".")[0]] if isinstance(named, ast.Constant) else []


def functions(tree):
    return (n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))


# -- rooms ----------------------------------------------------------------------------------------------------------


def test_only_these_rooms():
    assert {house.room(m) for m in graph()} == set(chain.from_iterable(house.FLOORS))
    assert len(house.entries()) <= 14
    assert house.floors(graph()) <= 8


def test_no_import_runs_up():
    assert house.upwards(graph()) == []


def test_no_circles():
    assert house.circles(graph()) == []


@pytest.mark.parametrize("family", ["frontends", "backends"])
def test_siblings_do_not_know_each_other(family):
    """What several of a family share lies beside their folders, as a module of its own."""
    owners = {p.name for p in (house.ROOT / family).iterdir() if p.is_dir()} - {"workers", "__pycache__"}
    pairs = ((a.split("."), b.split(".")) for a, b in graph().edges)
    inside = ((a[2], b[2]) for a, b in pairs if a[1:2] == b[1:2] == [family] and len(a) > 2 and len(b) > 2)
    inside = [*inside]
    assert {(a, b) for a, b in inside if a in owners and b in owners and a != b} <= SHARED
    assert [(a, b) for a, b in inside if a not in owners | {"workers"} and b in owners] == [], "by way of a shared file"


FOUND_BY_NAME = {
    *("engine/fast/jit.py", "workflow/commands/__init__.py"),  # of their own folders
    *("backends/pynn/simulation.py", "backends/isolated.py", "backends/workers/local.py"),
}
"""Files that import what they are told by name, which no rule sees."""


def test_few_import_what_no_rule_sees():
    def unseen(tree):
        calls = (n for n in walk(tree) if isinstance(n, ast.Call) and house.called(n) == "import_module")
        return any(not (c.args and isinstance(c.args[0], ast.Constant)) for c in calls)

    assert {file for file, tree in trees().items() if unseen(tree)} == FOUND_BY_NAME


def test_the_rules_see_what_breaks_them():
    """The tests test themselves: imports in functions and for types are found, and circles and arrows that run up."""
    edges = set(graph().edges)
    assert ("snntoolbox.ir.graph", "snntoolbox.ir.node") in edges
    assert ("snntoolbox.backends.verilog.backend", "snntoolbox.backends.verilog.simulation") in edges, "in a function"
    assert ("snntoolbox.frontends.keras.runtime", "snntoolbox.training.keras") in edges, "by import_module"
    assert ("snntoolbox.__init__", "snntoolbox.conversion.load") in edges, "relative, in the stub"
    wrong = nx.DiGraph(graph())
    wrong.add_edge("snntoolbox.ir.network", "snntoolbox.conversion.stages")
    assert house.upwards(wrong) == [("snntoolbox.ir.network", "snntoolbox.conversion.stages")]
    assert len(house.circles(wrong)) == 1
    assert "matplotlib" not in set(packages(trees()["ir/drawing/plots.py"])), "for types alone"
    assert "PIL" in set(packages(trees()["workflow/data/images.py"]))


# -- files ----------------------------------------------------------------------------------------------------------


def test_frameworks_stay_in_their_modules():
    wrong = [
        (file, package)
        for file, tree in trees().items()
        for package in set(packages(tree)) & FRAMEWORKS.keys()
        if not file.startswith(FRAMEWORKS[package] or "nowhere")
    ]
    assert wrong == []


def test_nothing_is_printed_or_evaluated():
    banned = {"eval", "exec", "compile", "__import__", "os.system", "pickle.load", "pickle.loads"}
    out = {"print", "sys.exit"}
    wrong = [
        (file, call)
        for file, tree in trees().items()
        for call in {ast.unparse(n.func) for n in walk(tree) if isinstance(n, ast.Call)}
        & (banned | (set() if file.startswith(PRINTING) or file in ("__main__.py", "bin/run.py") else out))
    ]
    assert wrong == []


def test_modules_open_with_a_sentence():
    first = {file: (ast.get_docstring(tree) or "\n").splitlines()[0] for file, tree in trees().items()}
    assert [file for file, line in first.items() if not line.endswith((".", ":", "?"))] == []


def test_files_and_functions_are_short():
    lines = {file: len((house.ROOT / file).read_text().splitlines()) for file in trees()}
    assert {f: n for f, n in lines.items() if n > MOST_LINES} == {}
    long = {
        f"{file}: {f.name}": f.end_lineno - f.lineno + 1
        for file, tree in trees().items()
        for f in functions(tree)
        if f.end_lineno - f.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    }
    assert long == {}


def test_no_two_files_of_one_name_in_a_folder_and_its_parent():
    names = Counter()
    for path in house.ROOT.rglob("*.py"):
        if path.stem not in ("__init__", "__main__"):
            names[path.parent, path.stem] += 1
    assert [str(f / n) for f, n in names if (f.parent, n) in names] == []


HEAVY = ("torch", "keras", "tensorflow", "onnx", "onnxruntime", "matplotlib", "scipy", "PIL", "h5py")


@pytest.mark.parametrize("module", ["snntoolbox", "snntoolbox.workflow.cli", "snntoolbox.workflow.config.load"])
def test_imports_are_light(module):
    code = f"import sys, {module}; print(*[m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


# -- stages ---------------------------------------------------------------------------------------------------------


def attributes_set(function):
    """The names of ``self.name`` that a method sets."""
    nodes = (n for n in ast.walk(function) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
    return {n.attr for n in nodes if isinstance(n.value, ast.Name) and n.value.id == "self"}


def test_stages_are_functions():
    """In workflow no attribute is born outside a constructor, and no class stands on another of workflow."""
    classes = [
        (file, node)
        for file, tree in trees().items()
        if file.startswith("workflow/")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    ours, late, heirs = {node.name for _, node in classes}, [], []
    for file, node in classes:
        methods = {f.name: attributes_set(f) for f in functions(node)}
        born = methods.pop("__init__", set()) | {s.target.id for s in node.body if isinstance(s, ast.AnnAssign)}
        late += [(file, node.name, name) for names in methods.values() for name in sorted(names - born)]
        heirs += [(file, node.name, base.id) for base in node.bases if isinstance(base, ast.Name) and base.id in ours]
    assert late == []
    assert heirs == []
