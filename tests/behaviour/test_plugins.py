"""Frontends and backends of others: an installed package with an entry point is all it takes."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from snntoolbox import plugins
from snntoolbox.backends.registry import BACKENDS, backend_named
from snntoolbox.errors import BackendError, FrontendError, SNNToolboxError
from snntoolbox.frontends.registry import FRONTENDS, frontend_for, frontend_named, frontend_names
from snntoolbox.plugins import entries, names

DUMMY = '''
"""Reads a text file with a matrix: one dense layer and a rectifier."""

from pathlib import Path

import numpy as np

from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.nodes import ReLU


class DummyFrontend:
    name = "dummy"
    suffixes = (".dummy",)

    def accepts(self, model):
        return isinstance(model, np.matrix)

    def open(self, source, *, input_shape=None):
        return np.loadtxt(source) if isinstance(source, (str, Path)) else np.asarray(source)

    def parse(self, model):
        builder = GraphBuilder("dummy")
        x = builder.input("x", (model.shape[1],))
        y = builder.dense("dense", x, model, None)
        return builder.finish([builder.add(ReLU(name="relu", inputs=(y,)))], "dummy")

    def predict(self, model, *x):
        return (np.maximum(x[0] @ model.T, 0),)
'''


def install(folder, package, code, points):
    """What pip leaves behind: a package and its entry points."""
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text(code)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)


def run(folder, code):
    """Python in a fresh process that sees the folder's packages."""
    start = f"import sys; sys.path.insert(0, {str(folder)!r})\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


LOAD = """
import numpy as np
import snntoolbox as stb
from snntoolbox.frontends.registry import frontend_names
graph = stb.load("model.dummy")
print("dummy" in frontend_names(), graph.run(np.array([[1.0, 1.0]])).tolist())
print(stb.load(np.matrix([[2.0]])).name)
"""


@pytest.mark.long
def test_a_package_of_others_adds_a_frontend(tmp_path):
    install(tmp_path, "dummy_frontend", DUMMY, "[snntoolbox.frontends]\ndummy = dummy_frontend:DummyFrontend\n")
    np.savetxt(tmp_path / "model.dummy", [[1.0, 2.0], [-3.0, 1.0]])
    assert run(tmp_path, LOAD).split("\n")[:2] == ["True [[3.0, 0.0]]", "dummy"]


BROKEN = """
from snntoolbox.errors import SNNToolboxError
from snntoolbox.frontends.registry import frontend_named
try:
    frontend_named("broken")
except SNNToolboxError as error:
    print(error)
"""


def test_a_package_that_does_not_import_is_named(tmp_path):
    install(tmp_path, "broken", "import nothing_of_this_name", "[snntoolbox.frontends]\nbroken = broken:Frontend\n")
    text = run(tmp_path, BROKEN)
    assert "the frontend 'broken' (broken:Frontend) cannot be loaded: No module named 'nothing_of_this_name'" in text


def test_one_that_does_not_import_does_not_stop_the_others(tmp_path):
    entry_points = "[snntoolbox.frontends]\nbroken = broken:Frontend\n[snntoolbox.backends]\nworse = broken:Backend\n"
    install(tmp_path, "broken", "import nothing_of_this_name", entry_points)
    code = (
        "import snntoolbox as stb; from snntoolbox.workflow.cli import main\n"
        "print(len(stb.load(stb.demo.folder() / 'digits_cnn.onnx')), main(['capabilities']))\n"
    )
    text = run(tmp_path, code)
    assert text.splitlines()[-1].endswith(" 0")
    assert "brian2" in text


@pytest.fixture
def installed(monkeypatch):
    """A function that sets the entry points of a group."""
    entries.cache_clear()

    def install(*pairs, group=FRONTENDS):
        points = [EntryPoint(name, value, group) for name, value in pairs]
        monkeypatch.setattr(plugins, "entry_points", lambda group: [p for p in points if p.group == group])
        entries.cache_clear()

    yield install
    entries.cache_clear()


def test_two_of_one_name_are_an_error(installed):
    installed(("keras", "one:Frontend"), ("keras", "two:Frontend"))
    with pytest.raises(SNNToolboxError, match=r"two plugins .* are named 'keras': one:Frontend and two:Frontend"):
        frontend_names()


def test_the_same_one_twice_is_one(installed):
    installed(("b", "one:Frontend"), ("a", "two:Frontend"), ("b", "one:Frontend"))
    assert frontend_names() == ["a", "b"]


def test_unknown_names_list_the_known():
    with pytest.raises(FrontendError) as caught:
        frontend_named("theano")
    assert caught.value.hint.startswith("known: caffe, keras, lasagne, onnx, pytorch")
    with pytest.raises(BackendError) as caught:
        backend_named("brian")
    assert "INI" in caught.value.hint


def test_with_none_installed_none_are_known(installed):
    installed()
    with pytest.raises(BackendError, match="none"):
        backend_named("INI")


def test_names_give_objects():
    for group, find in ((FRONTENDS, frontend_named), (BACKENDS, backend_named)):
        assert [find(n).name for n in names(group)] == names(group)
    assert {"caffe", "keras", "lasagne", "onnx", "pytorch"} <= {*frontend_names()}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *[("a/model.onnx", "onnx"), ("model.KERAS", "keras"), ("model.h5", "keras"), ("m.pt2", "pytorch")],
        *[("m.prototxt", "caffe"), ("m.caffemodel", "caffe")],
    ],
)
def test_files_are_told_by_their_ending(path, name):
    assert frontend_for(path).name == name


def test_files_and_objects_of_nobody_are_refused():
    with pytest.raises(FrontendError, match=r"no frontend takes 'model\.xyz'") as caught:
        frontend_for("model.xyz")
    assert ".onnx" in caught.value.hint
    with pytest.raises(FrontendError, match=r"an object of type builtins\.dict"):
        frontend_for({})


def test_what_two_take_must_be_named(monkeypatch):
    class Greedy:
        name, suffixes = "greedy", (".onnx",)

    found = {"onnx": frontend_named("onnx"), "greedy": Greedy()}
    monkeypatch.setattr(plugins, "names", lambda group: list(found))
    monkeypatch.setattr(plugins, "load", lambda group, name, *rest: found[name])
    with pytest.raises(FrontendError, match=r"onnx and greedy both take 'model\.onnx'"):
        frontend_for("model.onnx")


def test_a_folder_is_told_from_a_saved_model(tmp_path):
    with pytest.raises(FrontendError, match=r"is a folder, not a model\n.*name a model file in it"):
        frontend_for(tmp_path)
