"""The table of CONTRIBUTING is true: each row by an example that is added from outside, and the files that it touched.

An example is a class or function of this file (or of the test that is named). What must be said about it inside of the
package goes through `touch`, which notes the file; together they are the files that the row names, and no other.
"""

import re
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import house
import numpy as np
import pytest
from own_node import Reversed

import snntoolbox as stb
from snntoolbox.analysis.advice.remedies import Reason, Remedy
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.errors import FrontendError, UnsupportedError
from snntoolbox.frontends.other_formats import OtherFormat
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.features import of_populations
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.nodes import Dense, Input
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.report.html.page import Section

ROOT = house.ROOT.parent
TABLE = (ROOT / "CONTRIBUTING.md").read_text().partition("| new | touch |\n|---|---|\n")[2].partition("\n\n")[0]
ROWS = {row.split("|")[1].strip(): row.split("|")[2] for row in TABLE.splitlines()}

ELSEWHERE = {
    "part of a neuron": "behaviour/test_own_part.py",
    "schedule": "conversion/schedules/test_schedule.py",
    "input coding": "ir/test_encodings.py",
    "configuration key": "behaviour/test_new_key.py",
    "frontend": "behaviour/test_plugins.py",
    "backend": "docs/test_plugins.py",
    "exporter": "docs/test_plugins.py",
}
"""Rows whose example is a test of its own."""


def named(row):
    """The files of the package that a row names."""
    paths = re.findall(r"`((?:ir|engine|frontends|backends|conversion|analysis|workflow)/[\w/]+\.py)`", ROWS[row])
    return {path for path in paths if (house.ROOT / path).is_file()}


@pytest.fixture
def touch(monkeypatch):
    """Put something into a table of a module (at a key, or at the end); the files so far."""

    def add(module, table, value, key=None):
        home = import_module(f"snntoolbox.{module}")
        held = getattr(home, table)
        longer = {**held, key: value} if key is not None else (*held, value)
        for holder in [m for name, m in sys.modules.items() if name.startswith("snntoolbox.")]:
            if getattr(holder, table, None) is held:
                monkeypatch.setattr(holder, table, longer)
        add.files.add(Path(home.__file__).relative_to(house.ROOT).as_posix())

    add.files = set()
    return add


def test_every_path_is_there():
    paths = re.findall(r"`([\w./]+(?:/|\.py))`", TABLE)
    assert len(paths) > 20
    missing = [p for p in paths if not any((base / p).exists() for base in (house.ROOT, ROOT, ROOT / "tests"))]
    assert missing == []


def test_every_row_has_an_example():
    here = {row for name in globals() if name.startswith("test_") for row in getattr(globals()[name], "rows", ())}
    assert here | set(ELSEWHERE) == set(ROWS)
    assert all((ROOT / "tests" / file).is_file() for file in ELSEWHERE.values())


def row(*names):
    """Say which rows a test is for."""

    def mark(test):
        test.rows = names
        return test

    return mark


# -- networks ---------------------------------------------------------------------------------------------------------


@row("layer that is linear", "layer that is not")
def test_a_linear_layer_is_one_class(touch):
    """It runs on every kind of simulator as the synapses that it has; a kernel makes it faster, no more."""
    draft = Draft()
    draft.readout(draft.dense(draft.neurons(draft.node(Reversed, draft.neurons(draft.input(6)))), 3))
    network, x = draft.network(), np.arange(12).reshape(2, 6) / 8
    expected = interpret(network, x, steps=7)
    for simulator in ("INI", "brian2", "nest"):
        found = stb.simulate(network, x, duration=7, simulator=simulator)
        assert all(np.array_equal(found.counts[n], expected.counts[n]) for n in network.populations), simulator
    from snntoolbox.engine.kernels import KERNELS

    assert Reversed not in KERNELS
    touch("engine.kernels", "KERNELS", lambda node, shapes, target: lambda x: x.flip(1), Reversed)
    found = stb.simulate(network, x, duration=7)
    assert all(np.array_equal(found.counts[n], expected.counts[n]) for n in network.populations)
    assert touch.files == named("layer that is linear") == {"engine/kernels.py"}


@row("framework's name for a known layer")
def test_a_name_is_one_handler(touch):
    onnx = pytest.importorskip("onnx")
    from snntoolbox.frontends.onnx.handlers import HANDLERS

    sizes = {"x": [1, 3], "y": [1, 3]}
    x, y = (onnx.helper.make_tensor_value_info(name, 1, size) for name, size in sizes.items())
    graph = onnx.helper.make_graph([onnx.helper.make_node("Sin", ["x"], ["y"])], "net", [x], [y])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(UnsupportedError, match="Sin"):
        stb.load(model, check=False)
    touch("frontends.onnx.handlers", "HANDLERS", HANDLERS["Relu"], "Sin")
    assert stb.load(model, check=False).run(np.array([[-1.0, 0.0, 2.0]])).tolist() == [[0.0, 0.0, 2.0]]
    assert touch.files == {"frontends/onnx/handlers.py"}


WIDE = Feature(
    "wide layers", "more than a hundred neurons", asked_by=of_populations(lambda p: p.size > 100), why_not="too wide"
)


@row("feature of networks")
def test_a_feature_is_one_row(touch, capsys):
    touch("ir.features", "FEATURES", WIDE)
    draft = Draft()
    draft.readout(draft.neurons(draft.input(101)))
    with pytest.raises(UnsupportedError, match="more than a hundred neurons"):
        stb.simulate(draft.network(), np.zeros((1, 101)), duration=2)
    assert main(["capabilities"]) == 0
    assert "wide layers" in capsys.readouterr().out
    assert touch.files == named("feature of networks") == {"ir/features.py"}


@row("pass")
def test_a_pass_is_one_entry_in_its_order(touch):
    def doubled(graph):
        """Not exact: the check of `load` must notice."""
        nodes = [replace(n, weight=2 * n.weight) for n in graph.nodes.values() if isinstance(n, Dense)]
        return graph.edited(nodes)

    model = demo.folder() / "digits_cnn.onnx"
    before = stb.load(model).run(np.ones((1, 8, 8), np.float32))
    touch("conversion.exact", "EXACT", doubled)
    after = stb.load(model, check=False).run(np.ones((1, 8, 8), np.float32))
    assert not np.allclose(after, before)
    assert touch.files == {"conversion/exact/__init__.py"}


# -- settings and reports ---------------------------------------------------------------------------------------------


@row("command")
def test_a_command_is_a_file_and_a_line(touch, monkeypatch, capsys):
    def add_options(parser):
        parser.add_argument("word")

    def execute(options):
        print(options.word.upper())  # noqa: T201
        return 3

    monkeypatch.setitem(
        sys.modules, "snntoolbox.workflow.commands.shout", SimpleNamespace(add_options=add_options, execute=execute)
    )
    touch("workflow.commands", "COMMANDS", "say it louder", "shout")
    assert main(["shout", "hello"]) == 3
    assert capsys.readouterr().out == "HELLO\n"
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "say it louder" in capsys.readouterr().out
    assert touch.files == {"workflow/commands/__init__.py"}


class Silent:
    """Which share of the samples gave no spike at all."""

    def __init__(self):
        self.samples, self.silent = 0, 0

    def add(self, batch):
        spikes = sum(n.reshape(len(n), -1).sum(axis=1) for n in batch.result.counts.values())
        self.samples, self.silent = self.samples + len(spikes), self.silent + int((spikes == 0).sum())

    def report(self):
        return {"silent": self.silent / self.samples}


@row("part of a report")
def test_a_part_of_a_report_is_one_collector(tmp_path, monkeypatch):
    from snntoolbox.workflow import simulation
    from snntoolbox.workflow.stories.run import run

    usual = simulation._collectors
    collectors = lambda *a: replace(c := usual(*a), others=(*c.others, Silent()))  # noqa: E731
    monkeypatch.setattr(simulation, "_collectors", collectors)
    short = ["simulation.num_to_test=4", "simulation.duration=4"]
    assert run(load_config(demo.copy_to(tmp_path), short)).report["silent"] == 0.0


@row("section of a page")
def test_a_section_of_a_page_is_one_entry(touch, tmp_path):
    table = (("layer", "letters"), [("<relu>", 6)], "Names")
    values = {"charts": [], "sentences": [], "tables": [table]}
    touch("workflow.report.html.run_page", "SECTIONS", lambda facts: [Section("charts", "Lengths", values)])
    assert touch.files == named("section of a page")
    short = ("--set", "simulation.num_to_test=4", "--set", "simulation.duration=4")
    assert main([str(demo.copy_to(tmp_path)), *short]) == 0
    page = (tmp_path / "log" / "demo_onnx" / "report.html").read_text("utf-8")
    assert page.index("Lengths</h2>") < page.index("&lt;relu&gt;</th><td>6</td>")


@row("format that becomes another first")
def test_a_format_that_is_not_read_is_one_entry(touch, tmp_path):
    other = OtherFormat(name="a drawing", why="which is none", line="trace PATH model.onnx", endings=(".svg",))
    touch("frontends.other_formats", "OTHERS", other)
    (tmp_path / "net.svg").write_text("<svg/>")
    with pytest.raises(FrontendError, match=r"net.svg' is a drawing, which is none\n.*trace .*net.svg model.onnx"):
        stb.load(tmp_path / "net.svg")
    assert touch.files == named("format that becomes another first") == {"frontends/other_formats.py"}


@row("advice on a setting")
def test_advice_is_one_entry(touch):
    remedy = Remedy(
        when=lambda situation: Reason("it is Saturday", rank=2.0),
        changes=lambda situation: {"per_channel": not situation.recipe.per_channel},
    )
    touch("analysis.advice.remedies", "REMEDIES", remedy)
    x = np.load(demo.folder() / "x_norm.npz")["arr_0"][:60]
    diagnosis = stb.diagnose(stb.load(demo.folder() / "digits_cnn.onnx"), x, duration=4, seconds=2)
    assert "it is Saturday" in [advice.reason for advice in diagnosis.advice]
    assert touch.files == named("advice on a setting") == {"analysis/advice/remedies.py"}


@row("setting that `tune` searches")
def test_an_axis_is_one_value(touch):
    from snntoolbox.analysis.tuning.space import axes

    touch("analysis.tuning.space", "AXES", {"8": {"weight_bits": 8}, "0": {"weight_bits": 0}}, "grid")
    assert set(axes()["grid"]) == {"8", "0"}
    assert touch.files == named("setting that `tune` searches") == {"analysis/tuning/space.py"}


def test_graphs_of_the_examples_are_real():
    """A graph with the node of this file keeps its meaning through the exact passes."""
    nodes = [Input(name="x", shape=(4,)), Reversed(name="r", inputs=("x",)),
             Dense(name="d", inputs=("r",), weight=np.arange(8.0).reshape(2, 4))]  # fmt: skip
    graph, x = Graph(nodes, ["d"]), np.arange(8.0).reshape(2, 4)
    simple = graph
    for rewrite in import_module("snntoolbox.conversion.exact").EXACT:
        simple = rewrite(simple)
    np.testing.assert_allclose(simple.run(x), graph.run(x))
