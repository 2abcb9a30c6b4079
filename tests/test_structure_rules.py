"""The architecture as rules on imports: who may import whom, and where each framework may appear."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import snntoolbox

ROOT = Path(snntoolbox.__file__).parent
FILES = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*.py"))

# Each part may import the parts named here (and itself); a part that is missing may import nothing of ours.
BASE = {"errors", "ir"}
PROTOCOLS = {"frontends.protocol", "backends.protocol"}
EVERYTHING_BELOW = {*BASE, *PROTOCOLS, "engine", "passes", "report", "data", "config", "plugins", "building", "workers"}
TOLD_WHY = {"diagnosis", "advice"}
MAY_IMPORT = {
    "errors": set(),
    "ir": {"errors"},
    "engine": BASE,
    "config": {"errors"},
    "data": {"errors"},
    # A file may hold our own layer.
    "frontends": {*BASE, "engine", "training"},
    "training": {"errors"},
    "passes": {*BASE, "engine"},
    "backends": {*BASE, "engine"},
    "diagnosis": {*BASE, "engine"},
    "report": {*BASE, "diagnosis"},
    "plugins": {*BASE, *PROTOCOLS},
    "building": {*BASE, *PROTOCOLS, "plugins", "backends.estimates"},
    "workers": {*BASE, *PROTOCOLS, "plugins"},
    "conformance": {*BASE, *PROTOCOLS, "passes", "plugins"},
    "schedules": {*BASE, "passes", "backends.protocol"},
    "early_exit": BASE,
    "conversion": {*EVERYTHING_BELOW, "schedules", "early_exit"} - {"config"},
    "comparison": {*EVERYTHING_BELOW, "conversion", "schedules"},
    "recording": {*EVERYTHING_BELOW, "diagnosis"},
    "trials": {*EVERYTHING_BELOW, "diagnosis", "conversion", "schedules", "early_exit"},
    "advice": {*EVERYTHING_BELOW, "diagnosis", "conversion", "trials"},
    "tuning": {*EVERYTHING_BELOW, "conversion", "schedules", "trials"},
    "models": {*EVERYTHING_BELOW, "conversion", "config"},
    "inputs": {*EVERYTHING_BELOW, "conversion", "config", "models"},
    "inspection": {*EVERYTHING_BELOW, "conversion", "models", "recipes", "schedules"},
    "recipes": {*EVERYTHING_BELOW, "conversion", "config"},
    "preparing": {*EVERYTHING_BELOW, "conversion", "inputs", "recipes", "schedules"},
    "comparing": {*EVERYTHING_BELOW, "conversion", "models", "preparing", "comparison"},
    "deployment": {*EVERYTHING_BELOW, "backends.verilog", "conversion", "schedules", "models", "comparing"},
    "tuned": {*EVERYTHING_BELOW, "models", "inputs", "recipes", "tuning"},
    "pipeline": {*EVERYTHING_BELOW, "conversion", "recording", "models", "inputs", "preparing", "demo", *TOLD_WHY}
    | {"schedules", "early_exit"},
    "demo": {*EVERYTHING_BELOW, "conversion", "pipeline"},
    "sweeps": {*EVERYTHING_BELOW, "pipeline"},
    "command_line": BASE,
    "cli": {*EVERYTHING_BELOW, "command_line", "conversion", "recording", "models", "pipeline", "demo", "sweeps"}
    | {"comparing", "comparison", "inspection", "deployment", "tuned"},
    # The face of the package names what it imports lazily.
    "__init__": {*BASE, "conversion", "comparison", "advice", "passes.quantized_reference", "sweeps", "deployment"}
    | {"tuning"},
}

# Where each framework may be imported; TYPE_CHECKING blocks do not count.
FRAMEWORKS = {
    # Keras computes on torch where that is its backend: its frontend switches gradients off.
    "torch": (
        *("engine/", "backends/inisim/simulation.py", "backends/inisim/batch.py"),
        *("frontends/pytorch/", "frontends/keras/frontend.py", "training/pytorch/"),
    ),
    "numba": ("engine/fast/jit.py", "engine/fast/intrinsics.py", "engine/fast/tile_intrinsics.py"),
    "llvmlite": ("engine/fast/intrinsics.py", "engine/fast/tile_intrinsics.py"),
    "triton": ("engine/fast/scan_kernel.py",),
    "keras": ("frontends/keras/", "training/keras.py", "training/keras_replacing.py"),
    "tensorflow": (),
    "jax": (),
    "h5py": ("frontends/keras/",),
    "onnx": ("frontends/onnx/",),
    "onnxruntime": ("frontends/onnx/",),
    "brian2": ("backends/brian2/simulation.py", "backends/pynn/on_brian2.py"),
    "nest": ("backends/nest/kernel.py",),
    "neuron": ("backends/pynn/on_neuron.py",),
    "pyNN": tuple(f"backends/pynn/{name}.py" for name in ("engine", "on_nest", "on_neuron", "on_brian2")),
    "dask": ("workers/local.py",),
    "distributed": ("workers/local.py",),
    "matplotlib": ("report/canvas.py",),
    "PIL": ("data/images.py",),
    "rich": ("report/terminal.py", "comparison/table.py", "cli.py"),
}


def parsed(file):
    return ast.parse((ROOT / file).read_text(), file)


def type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def walk(tree, *, types=True):
    """All nodes; without `types` those under ``if TYPE_CHECKING`` are left out."""
    for child in ast.iter_child_nodes(tree):
        if types or not type_checking(child):
            yield child
            yield from walk(child, types=types)


def imports(file, *, types=True):
    """The full names of the modules that a file imports, wherever in it; also by ``import_module`` of a literal."""
    package = ["snntoolbox", *Path(file).with_suffix("").parts]
    for node in walk(parsed(file), types=types):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: -node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            first = node.args[0]
            if isinstance(first, ast.Constant):
                yield first.value


def part(file):
    return Path(file).with_suffix("").parts[0]


def allowed(module, permitted):
    inner = module.removeprefix("snntoolbox.")
    return any(inner == name or inner.startswith(f"{name}.") for name in permitted)


def test_every_part_has_its_place():
    assert {part(f) for f in FILES} - set(MAY_IMPORT) == set(), "add the new part to MAY_IMPORT"


@pytest.mark.parametrize("file", FILES)
def test_parts_import_only_what_lies_below_them(file):
    ours = {m for m in imports(file) if m.startswith("snntoolbox.") and m != "snntoolbox.__version__"}
    permitted = {part(file), *MAY_IMPORT[part(file)]}
    wrong = {m for m in ours if not allowed(m, permitted)}
    if file == "ir/network.py":
        # `SpikingNetwork.run`, for the reader's convenience: the one call upwards.
        wrong -= {"snntoolbox.conversion"}
    assert wrong == set()


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith(("frontends/", "backends/"))])
def test_frontends_and_backends_do_not_know_their_siblings(file):
    """Only ``frontends/<own>`` and ``frontends/protocol``."""
    family, own, *_ = [*Path(file).with_suffix("").parts, ""]
    for module in imports(file):
        if module.startswith(f"snntoolbox.{family}."):
            # What several of one family share lies beside their folders, as a module of its own.
            shared = f"{family}/{module.split('.')[2]}.py" in FILES
            # PyNN on NEST uses the very cells that the NEST backend uses.
            assert module.split(".")[2] == own or shared or (own, module.split(".")[2]) == ("pynn", "nest")


@pytest.mark.parametrize("file", FILES)
def test_frameworks_stay_in_their_modules(file):
    found = {m.split(".")[0] for m in imports(file, types=False)}
    for framework in found & set(FRAMEWORKS):
        assert file.startswith(FRAMEWORKS[framework] or "nowhere"), f"{framework} does not belong here"


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_printed_or_evaluated(file):
    calls = [ast.unparse(n.func) for n in walk(parsed(file)) if isinstance(n, ast.Call)]
    banned = {"eval", "exec", "compile", "__import__", "os.system", "pickle.load", "pickle.loads"}
    if part(file) != "cli":
        banned |= {"print", "sys.exit"} if file != "config/__main__.py" else set()
    assert banned & set(calls) == set()


@pytest.mark.parametrize("file", FILES)
def test_modules_open_with_a_sentence(file):
    doc = ast.get_docstring(parsed(file))
    assert doc
    assert doc.splitlines()[0].endswith((".", ":", "?"))


HEAVY = ("torch", "keras", "tensorflow", "onnx", "onnxruntime", "matplotlib", "scipy", "PIL", "h5py")


@pytest.mark.parametrize("module", ["snntoolbox", "snntoolbox.cli", "snntoolbox.config"])
def test_imports_are_light(module):
    code = f"import sys, {module}; print(*[m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_the_rules_see_imports():
    """The test tests itself: known imports are found, and type-only ones told apart."""
    assert "torch" in set(imports("engine/executor.py"))
    assert "PIL.Image" in set(imports("data/images.py"))
    assert "snntoolbox.ir.node.Array" in set(imports("ir/graph.py"))
    assert any(m.startswith("matplotlib") for m in imports("report/plots.py"))
    assert not any(m.startswith("matplotlib") for m in imports("report/plots.py", types=False))
    assert not allowed("snntoolbox.frontends.onnx", {"frontends.protocol", "front"})
