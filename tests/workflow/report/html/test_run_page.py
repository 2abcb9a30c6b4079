"""The page of a run: sections for what there is, valid and within its bounds, all foreign text escaped."""

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pages import whole

from snntoolbox.workflow.cli import main

DATA = np.random.default_rng(0)
HOSTILE = [
    *("<script>alert(1)</script>", '" onload="alert(1)', "a\u202eb</svg>"),
    *("</title><img src=x>", "&lt;'{{ 1 + 1 }}"),
]


def save_model(folder, names, classes=3, x=None, y=None):
    nodes, weights, last = [], [], "x"
    for i, name in enumerate(names):
        weights.append(numpy_helper.from_array(DATA.normal(size=(6, 6)).astype("f4") / 2, f"w{i}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"], name=f"{name} m"))
        nodes.append(helper.make_node("Relu", [f"m{i}"], [f"r{i}"], name=name))
        last = f"r{i}"
    weights.append(numpy_helper.from_array(DATA.normal(size=(6, classes)).astype("f4"), "w"))
    nodes.append(helper.make_node("MatMul", [last, "w"], ["y"], name="out"))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, size]) for n, size in (("x", 6), ("y", classes))]
    graph = helper.make_graph(nodes, names[0], ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "m.onnx")
    x = DATA.uniform(size=(8, 6)).astype("f4")
    data = {"x_test": x, "x_norm": x} | ({} if y is None else {"y_test": y})
    for name, values in data.items():
        np.savez(folder / f"{name}.npz", values)
    (folder / "c.ini").write_text("[paths]\nfilename_ann = m.onnx\n[simulation]\nduration = 6\n")


def run(folder, *keys):
    assert main([str(folder / "c.ini"), *(word for key in keys for word in ("--set", key))]) == 0
    return (next((folder / "log").iterdir()) / "report.html").read_text("utf-8")


def test_foreign_text_is_text(tmp_path):
    save_model(tmp_path, HOSTILE, y=DATA.integers(0, 3, 8))
    text = run(tmp_path, "simulation.top_k=2")
    reader = whole(text)
    assert reader.tags.count("script") == 1
    assert [a for a in reader.attributes if a[1].startswith("on")] == []
    assert all(v.startswith(("#", "data:")) for _, n, v in reader.attributes if n in ("src", "href"))
    shown = "".join(reader.texts)
    for name in HOSTILE:
        assert name.replace("\u202e", "\\u202e") in shown
    assert "\u202e" not in text


@pytest.mark.parametrize(
    "case",
    [
        ("classes", 3, DATA.integers(0, 3, 8), ()),
        ("many classes", 40, DATA.integers(0, 40, 8), ()),
        ("no labels", 3, None, ()),
        ("targets", 3, DATA.normal(size=(8, 3)), ()),
        ("no simulation", 3, DATA.integers(0, 3, 8), ("tools.simulate=False",)),
        ("no original", 3, DATA.integers(0, 3, 8), ("tools.evaluate_ann=False",)),
        ("grid", 3, DATA.integers(0, 3, 8), ("conversion.weight_bits=8",)),
        ("phased", 3, DATA.integers(0, 3, 8), ("conversion.schedule=phased",)),
        ("poisson", 3, DATA.integers(0, 3, 8), ("input.poisson_input=True",)),
        ("early exit", 3, DATA.integers(0, 3, 8), ("simulation.early_exit=0.9",)),
    ],
    ids=lambda case: case[0],
)
def test_sections_of_what_there_is(case, tmp_path):
    name, classes, y, keys = case
    save_model(tmp_path, ["one", "two"], classes, y=y)
    reader = whole(run(tmp_path, *keys))
    shown = "".join(reader.texts)
    simulated, labels = name != "no simulation", y is not None and y.ndim == 1
    assert ("Accuracy over time" in shown) == (simulated and (y is None or labels))
    assert ("Confusion matrix" in shown) == (simulated and labels)
    assert ("The network" in shown) == simulated
    assert ("Membrane potentials" in shown) == simulated
    assert ("Operations of the first sample" in shown) == simulated
    assert ("95 % sure" in shown) == labels
    assert "snntoolbox run" in shown
    assert "numpy" in shown


def test_settings_that_differ_are_named(tmp_path):
    save_model(tmp_path, ["one"], y=DATA.integers(0, 3, 8))
    shown = "".join(whole(run(tmp_path, "cell.v_thresh=2.0")).texts)
    table = shown[shown.index("Settings that differ") : shown.index("All settings")]
    assert "cell.v_thresh" in table
    assert "simulation.duration" in table
    assert "simulation.batch_size" not in table


def test_layers_say_what_was_folded_into_them(tmp_path):
    from snntoolbox.workflow import demo

    demo.copy_to(tmp_path)
    keys = ("simulation.num_to_test=20", "simulation.duration=8")
    assert main([str(tmp_path / "demo_onnx.ini"), *(w for k in keys for w in ("--set", k))]) == 0
    shown = "".join(whole((tmp_path / "log" / "demo_onnx" / "report.html").read_text("utf-8")).texts)
    assert re.search(r"conv1 \(onnx Conv\); norm1 \(onnx BatchNormalization\), folded; relu1 \(onnx Relu\)", shown)


def test_a_page_without_room_is_a_warning(tmp_path, monkeypatch, caplog):
    from snntoolbox.ir.writing import OutputError
    from snntoolbox.workflow.report.html import page

    def full(path, text):
        raise OutputError("no space is left on the disk")

    monkeypatch.setattr(page, "write_text", full)
    save_model(tmp_path, ["one"], y=DATA.integers(0, 3, 8))
    assert main([str(tmp_path / "c.ini")]) == 0
    folder = next((tmp_path / "log").iterdir())
    assert not (folder / "report.html").exists()
    assert "no page to look at: no space" in (folder / "report.json").read_text()


def test_the_size_is_bounded(tmp_path):
    save_model(tmp_path, [f"layer {i}" for i in range(120)], y=DATA.integers(0, 3, 8))
    reader = whole(run(tmp_path, "simulation.duration=200"))
    shown = "".join(reader.texts)
    assert "80 others are in the table alone" in shown
