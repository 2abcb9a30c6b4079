"""Models, folders and terminals with names that bite: a run ends in results, and nobody obeys the names."""

import json
import os
import re
import subprocess
import sys
import unicodedata

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.config.load import load_config

NAMES = [
    *("\x1b[31mred", "a\u202eb", "a\nsnntoolbox: all is well\nb", "$x_{$", "$\\frac{1}{0}$", "../../up", "con"),
    *("_hidden", "[red]x[/]", "n" * 400, "A", "a", "</td><script>", "caf\u00e9"),
]
DATA = np.random.default_rng(0)


def save_model(folder, names):
    """A chain of dense layers with rectifiers of these names."""
    nodes, weights, last = [], [], "x"
    for i, name in enumerate(names):
        weights.append(numpy_helper.from_array(DATA.normal(size=(6, 6)).astype("f4") / 2, f"w{i}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"], name=f"{name} m"))
        nodes.append(helper.make_node("Relu", [f"m{i}"], [f"r{i}"], name=name))
        last = f"r{i}"
    weights.append(numpy_helper.from_array(DATA.normal(size=(6, 3)).astype("f4"), "w"))
    nodes.append(helper.make_node("MatMul", [last, "w"], ["y"], name="out"))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, size]) for n, size in (("x", 6), ("y", 3))]
    graph = helper.make_graph(nodes, names[0], ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "m.onnx")
    x = DATA.uniform(size=(8, 6)).astype("f4")
    for name, values in {"x_test": x, "x_norm": x, "y_test": DATA.integers(0, 3, 8)}.items():
        np.savez(folder / f"{name}.npz", values)
    (folder / "c.ini").write_text("[paths]\nfilename_ann = m.onnx\n[simulation]\nduration = 4\nnum_to_test = 8\n")


def plain(text):
    return [c for c in set(text) if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c != "\n"] == []


def test_names_in_a_model(tmp_path, capsys):
    save_model(tmp_path, NAMES)
    keys = ["output.plot_vars={'spiketrains'}", "output.log_vars=all", "output.diagnosis=True", "output.verbose=2"]
    assert main([str(tmp_path / "c.ini"), *(word for key in keys for word in ("--set", key))]) == 0
    told = capsys.readouterr()
    assert plain(told.out)
    assert plain(told.err)
    assert not re.search("^snntoolbox: all is well", told.out + told.err, re.MULTILINE)
    assert "could not be drawn" not in told.err
    results = next((tmp_path / "log").iterdir())
    plots = [path.parent.name for path in results.rglob("spiketrains.png")]
    assert len({name.casefold() for name in plots}) == len(NAMES)
    assert len(json.loads((results / "report.json").read_text("utf-8"))["neurons_per_layer"]) == len(NAMES)
    with np.load(results / "log_vars" / "0.npz") as logged:
        assert len([name for name in logged.files if name.startswith("spiketrains/")]) == len(NAMES)


REFUSED = {
    "inspect": ["inspect", "{}"],
    "init": ["init", "{}"],
    "run": ["{}"],
    "tune": ["tune", "{}"],
    "export": ["export", "c.ini", "--to", "{}", "-o", "x"],
    "set": ["run", "c.ini", "--set", "{}=1"],
}


@pytest.mark.parametrize("command", REFUSED)
def test_names_on_the_command_line(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.ini").write_text("[paths]\nfilename_ann = m.onnx\n")
    for name in NAMES:
        assert main([part.format(name.replace("/", "|")) for part in REFUSED[command]]) == 2
        told = capsys.readouterr()
        assert plain(told.err)
        assert len(re.findall("^snntoolbox: ", told.err, re.MULTILINE)) == 1
        assert "Traceback" not in told.err


def test_names_of_folders(tmp_path, capsys):
    """A line of the screen is a line of ours."""
    folder = tmp_path / "a\nsnntoolbox: all is well \x1b[31m"
    demo.copy_to(folder)
    short = [word for key in ("num_to_test=4", "duration=2") for word in ("--set", f"simulation.{key}")]
    again = [*short, "--set", "output.overwrite=False"]
    calls = {("demo_onnx.ini", *short): 0, ("demo_onnx.ini", *again): 2}
    calls |= {("inspect", "digits_cnn.onnx"): 0, ("init", "digits_cnn.onnx"): 0}
    for call, code in calls.items():
        words = [str(folder / word) if word.endswith(("ini", "onnx")) else word for word in call]
        assert main(words) == code
        told = capsys.readouterr()
        assert "all is well" in told.out + told.err
        assert not re.search("^snntoolbox: all", told.out + told.err, re.MULTILINE)
        assert plain(told.out + told.err)


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take UTF-8 alone")
def test_a_folder_whose_name_is_no_utf_8(tmp_path, capsys):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    demo.copy_to(folder)
    short = [word for key in ("num_to_test=4", "duration=2") for word in ("--set", f"simulation.{key}")]
    assert main([str(folder / "demo_onnx.ini"), *short]) == 0
    assert "caf\\udce9" in capsys.readouterr().out
    results = folder / "log" / "demo_onnx"
    assert load_config(results / "config.ini").paths.path_wd == folder
    assert json.loads((results / "report.json").read_text("utf-8"))["model"] == str(folder / "digits_cnn.onnx")
    assert main(["init", str(folder / "digits_cnn.onnx"), "-o", str(tmp_path / "a.ini")]) == 0
    assert load_config(tmp_path / "a.ini").paths.path_wd == folder


@pytest.mark.long
def test_a_terminal_that_knows_ascii_alone(tmp_path):
    demo.copy_to(tmp_path)
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    for call in (["demo_onnx.ini", "--set", "simulation.num_to_test=4", "--set", "output.plot_vars={'spiketrains'}"],
                 ["demo", "--folder", "other"], ["inspect", "digits_cnn.onnx"], ["capabilities"]):  # fmt: skip
        command = [sys.executable, "-m", "snntoolbox.workflow.cli", *call]
        done = subprocess.run(command, capture_output=True, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        assert done.stdout.isascii()
        assert b"Traceback" not in done.stderr
