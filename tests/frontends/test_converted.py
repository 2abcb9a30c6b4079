"""Models by way of a converter in another interpreter, where what the original gives is computed too."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from needed import needed

import snntoolbox as stb
from snntoolbox.errors import FrontendError, GraphError, SNNToolboxError
from snntoolbox.frontends import converted
from snntoolbox.frontends.registry import frontend_for
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.inputs import open_inputs

needed("onnx")

TENSORFLOW = """
import numpy as np
WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3) / 8 - 0.5
class Interpreter:
    def __init__(self, model_path):
        how = open(model_path, "rb").read()
        self.batch, self.kind, self.counts = 4, np.int8 if b"bytes" in how else np.float32, b"counts" in how
    def allocate_tensors(self): pass
    def get_input_details(self):
        more = [{"name": "step", "dtype": np.int32, "shape": [], "index": 2}] * self.counts
        return [{"name": "in:0", "dtype": self.kind, "shape": [self.batch, 4], "index": 0}, *more]
    def get_output_details(self): return [{"name": "out", "dtype": np.float32, "index": 1}]
    def set_tensor(self, index, array):
        assert array.shape == (self.batch, 4) and array.dtype == self.kind
        self.x = array.astype(np.float32)
    def invoke(self): pass
    def get_tensor(self, index): return np.maximum(self.x @ WEIGHT, 0)
class lite: Interpreter = Interpreter
"""
TF2ONNX = """
import os, sys, tempfile
import numpy as np
import tensorflow as tf
from onnx import helper, numpy_helper, save
def main():
    assert sys.argv[1] == "--tflite" and sys.argv[3] == "--output"
    how = open(sys.argv[2], "rb").read()[8:].decode()
    open(os.path.join(tempfile.gettempdir(), "left behind"), "w").close()
    if how == "unknown": raise ValueError("op WHATEVER is not supported")
    if how == "crash": sys.stderr.write("lost\\n"); os.abort()
    weight = tf.WEIGHT + (0.01 if how == "wrong" else 0)
    kind, first = (3, [helper.make_node("Cast", ["in:0"], ["f"], to=1)]) if how == "bytes" else (1, [])
    nodes = [*first, helper.make_node("MatMul", ["f" if first else "in:0", "w"], ["s"])]
    nodes += [helper.make_node("Relu", ["s"], ["out"])]
    of = lambda name, size, kind: helper.make_tensor_value_info(name, kind, ["batch", size])
    ends = [of("in:0", 4, kind)], [of("out", 3, 1)]
    graph = helper.make_graph(nodes, "g", *ends, [numpy_helper.from_array(weight, "w")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), sys.argv[4])
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Makes an interpreter with stand-ins for TensorFlow and tf2onnx."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()

    def make(version="1.17.0"):
        site = tmp_path / "site"
        files = {"tensorflow/__init__.py": TENSORFLOW, "tf2onnx/__init__.py": "", "tf2onnx/convert.py": TF2ONNX}
        for name, text in files.items():
            path = site / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        about = site / f"tf2onnx-{version}.dist-info" / "METADATA"
        about.parent.mkdir()
        about.write_text(f"Metadata-Version: 2.1\nName: tf2onnx\nVersion: {version}\n")
        python = tmp_path / "python"
        python.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        return str(python)

    yield make
    assert os.listdir(tmp_path / "temporary") == []


def lite(folder, how="right"):
    path = folder / "net.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + how.encode())
    return path


def test_a_model_is_converted_there_and_compared_with_what_the_original_gives(environment, tmp_path, caplog):
    path, python = lite(tmp_path), environment()
    graph = stb.load(path, converter=python)
    x = np.random.default_rng(0).random((10, 4))
    weight = np.arange(12).reshape(4, 3) / 8 - 0.5
    assert np.allclose(graph.values(x)[graph.outputs[0]], np.maximum(x @ weight, 0))
    told = [r.getMessage() for r in caplog.records]
    assert f"'{path}' is code, and is run by TensorFlow and tf2onnx to convert it and to compare" in told
    assert f"'{python}' is a program, and is run for TensorFlow and tf2onnx" in told


def test_a_model_of_integers_is_compared_on_integers(environment, tmp_path):
    path, python = lite(tmp_path, "bytes"), environment()
    stb.load(path, converter=python)
    frontend = frontend_for(path, python)
    model = frontend.open(path)
    assert frontend.limits(model) == ((-128, 127),)
    whole = np.array([[-128.0, 5, 7, 127]])
    assert np.array_equal(frontend.predict(model, whole)[0], frontend.parse(model).run(whole))
    with pytest.raises(FrontendError, match=r"takes whole numbers from -128 to 127.* from 0\.25\b.*\n.*zero point"):
        frontend.predict(model, np.full((2, 4), 0.25))
    with pytest.raises(FrontendError, match="takes whole numbers"):
        frontend.predict(model, np.full((2, 4), 128.0))
    del model


JAX = """
import numpy as np
class ShapeDtypeStruct:
    def __init__(self, shape, dtype): self.shape = shape
def eval_shape(model, *told): return model(*(np.zeros(t.shape) for t in told))
def jit(model): return model
class tree_util: tree_leaves = staticmethod(lambda found: [found[key] for key in sorted(found)])
"""
JAX2ONNX = """
from onnx import helper, save
def to_onnx(model, shapes, return_mode, output_path):
    assert isinstance(model(__import__("numpy").zeros((1, 4))), tuple)
    nodes = [helper.make_node("Neg", ["in"], ["a"]), helper.make_node("Relu", ["in"], ["b"])]
    of = lambda name: helper.make_tensor_value_info(name, 1, ["batch", 4])
    graph = helper.make_graph(nodes, "g", [of("in")], [of("a"), of("b")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), output_path)
"""


def test_a_function_of_jax_may_give_a_dict(environment, tmp_path):
    """Its values come in the order of its keys, as JAX has them."""
    path, python = tmp_path / "net.py", environment()
    for name, text in {"jax": JAX, "jax2onnx": JAX2ONNX}.items():
        (tmp_path / "site" / name).mkdir()
        (tmp_path / "site" / name / "__init__.py").write_text(text)
    path.write_text("import jax\nimport numpy as np\ninput_shape = (4,)\n")
    with path.open("a") as file:
        file.write("def model(x): return {'b': np.maximum(x, 0), 'a': -x}\n")
    graph = stb.load(path, converter=python)
    x = np.array([[1.0, -2.0, 3.0, -4.0]])
    assert np.array_equal([graph.values(x)[o][0] for o in graph.outputs], [-x[0], np.maximum(x[0], 0)])


@pytest.mark.parametrize("shape", ["4", "('a',)", "[(4,), 4]", "None"])
def test_a_shape_that_is_none_is_told(shape, environment, tmp_path):
    path, python = tmp_path / "net.py", environment()
    for name, text in {"jax": JAX, "jax2onnx": JAX2ONNX}.items():
        (tmp_path / "site" / name).mkdir()
        (tmp_path / "site" / name / "__init__.py").write_text(text)
    path.write_text(f"import jax\ndef model(x): return x\ninput_shape = {shape}\n")
    with pytest.raises(FrontendError, match="is no shape of a sample, such as"):
        stb.load(path, converter=python)


@pytest.mark.parametrize(
    ("how", "error", "told"),
    [
        ("counts", FrontendError, r"a batch of one size for all its inputs, and this one has for 'in:0' 4, 'step' any"),
        ("unknown", FrontendError, r"tflite' cannot be converted: .* say ValueError: op WHATEVER is not supported"),
        ("crash", FrontendError, r"net\.tflite' cannot be converted: .* ended \(signal SIGABRT\)\n    \| lost"),
        ("wrong", GraphError, r"differs from the original by .*\n.*tf2onnx may have made another function"),
    ],
)
def test_what_goes_wrong_there_is_told_and_nothing_is_left(how, error, told, environment, tmp_path):
    with pytest.raises(error, match=told):
        stb.load(lite(tmp_path, how), converter=environment())


def test_what_does_not_answer_is_ended(environment, tmp_path, monkeypatch):
    monkeypatch.setattr(converted, "SECONDS", 0.001)
    with pytest.raises(FrontendError, match=r"cannot be converted: .* took over 0 s"):
        stb.load(lite(tmp_path), converter=environment())


def test_the_interpreter_is_checked_first(environment, tmp_path):
    path, old = lite(tmp_path), environment("1.9.3")
    for python, told in {
        sys.executable: r"has no module tensorflow and no module tf2onnx",
        "/nowhere/python": "a model of TensorFlow: there is no interpreter '/nowhere/python'",
        old: r"has tf2onnx 1\.9\.3; tf2onnx 1\.16 is needed",
    }.items():
        with pytest.raises(FrontendError, match=rf"{told}\n.*-m venv ~/tf.*uv venv.*\[input\] converter_python"):
            stb.load(path, converter=python)
    with pytest.raises(FrontendError, match=r"python -m tf2onnx.*or have it done.*-m venv ~/tf.*converter="):
        stb.load(path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A configuration, data and a model of TensorFlow Lite."""
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).random((10, 4))
    for name, array in {"x_test": x, "x_norm": x, "y_test": np.arange(10) % 3}.items():
        np.savez(tmp_path / f"{name}.npz", array)
    lite(tmp_path)
    settings = {"path_wd": str(tmp_path), "filename_ann": "net"}
    rest = "[simulation]\nduration = 8\nnum_to_test = 10\n[output]\noverwrite = True\n"
    Path("config.ini").write_text("[paths]\n" + "".join(f"{k} = {v}\n" for k, v in settings.items()) + rest)


def test_a_run_by_a_configuration(environment, project, capsys):
    python = environment()
    assert main(["config.ini"]) == 2
    assert "or have it done" in " ".join(capsys.readouterr().err.split())
    assert main(["config.ini", "--set", f"input.converter_python={python}"]) == 0
    (report,) = Path().rglob("report.json")
    accuracy = json.loads(report.read_text())
    assert accuracy["ann_accuracy"] == accuracy["parsed_accuracy"]


def test_data_that_a_model_of_integers_cannot_take_are_refused(environment, project, tmp_path, capsys):
    """Also where the original is not asked: scaled data would be nearly 0 in it."""
    lite(tmp_path, "bytes")
    wanted = ["--set", f"input.converter_python={environment()}", "--set", "tools.evaluate_ann=False"]
    assert main(["config.ini", *wanted]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "x_test: the model takes whole numbers from -128 to 127" in said
    whole = np.random.default_rng(0).integers(-128, 128, (10, 4))
    for name in ("x_test", "x_norm"):
        np.savez(tmp_path / f"{name}.npz", whole)
    assert main(["config.ini", *wanted]) == 0


def test_commands_for_models_take_the_key(environment, project, capsys):
    wanted = ["--set", f"input.converter_python={environment()}"]
    assert main(["inspect", "net.tflite", *wanted]) == 0
    assert "net.tflite (tensorflow)" in (said := capsys.readouterr().out)
    assert "Equal to the original on random input" in said
    assert main(["init", "net.tflite", "-o", "made.ini", *wanted]) == 0
    made = Path("made.ini").read_text()
    assert f"\nconverter_python = {wanted[1].partition('=')[2]}\n" in made
    assert "model_lib = auto" in made


def test_the_key_says_where_it_has_no_effect(tmp_path):
    config = stb.demo.copy_to(tmp_path)
    settings, told = load_config(config, ["input.converter_python=/nowhere/python", "tools.evaluate_ann=False"]), []
    open_inputs(settings, told.append)
    assert told == ["input.converter_python has no effect: digits_cnn.onnx is read as it is"]


def test_a_function_of_jax_is_told_apart_from_other_code(tmp_path):
    path = tmp_path / "net.py"
    path.write_text("import jax\ninput_shape = (2,)\nmodel = jax.nn.relu\n")
    with pytest.raises(FrontendError, match=r"a function of JAX.*\n.*jax2onnx.*or have it done"):
        stb.load(path)


def test_what_no_converter_takes_is_refused_as_ever(tmp_path):
    for name, content in (("a.pb", b"\n\x05"), ("f.mlirbc", b"ML\xefR"), ("a.jaxexport", b"<\0\0\0")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SNNToolboxError):
            stb.load(tmp_path / name, converter="/nowhere/python")
