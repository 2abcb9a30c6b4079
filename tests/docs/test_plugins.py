"""The plug-ins shown in the documentation work as packages of their own, found by their entry points."""

import json
import os
import re
import subprocess
import sys
import tomllib

import pytest
from doc_pages import marked
from waiting import PATIENCE

from snntoolbox.workflow import demo

SNNTOOLBOX = ["-m", "snntoolbox"]


def installed(page, module, folder):
    """Put the page's module into a folder as pip would: beside the metadata with the entry points of its pyproject."""
    (code,) = marked(page, f"module {module}")
    (project,) = (tomllib.loads(block) for block in marked(page, f"project {module}"))
    name, version = project["project"]["name"], project["project"]["version"]
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (folder / f"{module}.py").write_text(code)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = project["project"]["entry-points"]
    lines = [f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in points.items()) for group, points in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def python(arguments, packages, folder):
    """The finished process of a Python that sees these packages."""
    path = os.pathsep.join([str(packages), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE)


@pytest.fixture(scope="module")
def json_net(tmp_path_factory):
    """A folder where the JSON frontend is installed and its example has run; the output of that."""
    folder = tmp_path_factory.mktemp("frontend")
    installed("docs/writing_a_frontend.md", "stb_json", folder / "packages")
    (code,) = marked("docs/writing_a_frontend.md", "use stb_json")
    return folder, python(["-c", code], folder / "packages", folder)


def test_frontend_example_runs(json_net):
    _, run = json_net
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) >= 0.9


def test_frontend_is_known_to_the_command_line(json_net):
    folder, _ = json_net
    run = python(["-m", "snntoolbox.workflow.cli", "inspect", "net.json-net"], folder / "packages", folder)
    assert run.returncode == 0, run.stderr
    assert "(json-net)" in run.stdout
    assert "rectifier" in run.stdout


def test_frontend_refuses_all_layers_at_once(json_net):
    folder, _ = json_net
    layers = [{"type": kind, "name": f"my_{kind}"} for kind in ("relu", "swish", "lstm")]
    (folder / "bad.json-net").write_text(str({"input": [2], "layers": layers}).replace("'", '"'))
    run = python(["-m", "snntoolbox.workflow.cli", "inspect", "bad.json-net"], folder / "packages", folder)
    assert run.returncode == 2
    assert "my_swish (json-net swish): this layer is not supported" in run.stderr
    assert "my_lstm (json-net lstm): a recurrent layer with gates is not supported" in run.stderr
    assert "my_relu" not in run.stderr


def test_backend_example_is_equal_to_the_interpreter(tmp_path):
    installed("docs/writing_a_backend.md", "stb_sparse", tmp_path / "packages")
    (code,) = marked("docs/writing_a_backend.md", "use stb_sparse")
    refused = (
        "\nfrom snntoolbox.errors import UnsupportedError"
        "\nleaky = stb.convert(graph, x_norm, neuron=stb.IF(leak=0.9, refractory=1))"
        "\ntry:\n    stb.simulate(leaky, x_test[:1], duration=1, simulator='sparse')"
        "\nexcept UnsupportedError as error:\n    print(sorted({o.reason for o in error.offenders}))\n"
    )
    run = python(["-c", code + refused], tmp_path / "packages", tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["equal", "['leak', 'refractory period']"]


@pytest.fixture(scope="module")
def matrices(tmp_path_factory):
    """A folder where the exporter of matrices is installed and its example has run; the output of that."""
    folder = tmp_path_factory.mktemp("exporter")
    installed("docs/writing_an_exporter.md", "stb_matrices", folder / "packages")
    (code,) = marked("docs/writing_an_exporter.md", "use stb_matrices")
    return folder, python(["-c", code], folder / "packages", folder)


def test_exporter_example_writes(matrices):
    folder, run = matrices
    assert run.returncode == 0, run.stderr
    assert run.stdout == "arrays.npz network.json\n"
    assert '\n    "name": ' in (folder / "out" / "network.json").read_text()


@pytest.mark.long
def test_exporter_is_known_to_the_command_line(matrices):
    """It stands in the table, and runs through `export` with its own option."""
    folder, _ = matrices
    table = python([*SNNTOOLBOX, "capabilities", "--json"], folder / "packages", folder).stdout
    assert json.loads(table)["matrices"]["what it does"] == "writes"
    demo.copy_to(folder / "demo")
    line = [*SNNTOOLBOX, "export", "demo/demo_onnx.ini", "--to", "matrices", "--set", "simulation.num_to_test=20"]
    run = python([*line, "-o", "written", "--option", "indent=0"], folder / "packages", folder)
    assert (run.returncode, run.stdout) == (0, "Written: 2 files in written\n"), run.stderr
    assert '\n"name": ' in (folder / "written" / "network.json").read_text()
    run = python([*line, "-o", "again", "--option", "indent=-1"], folder / "packages", folder)
    assert run.returncode == 2
    assert "an indent of -1 is below 0" in run.stderr
    assert not (folder / "again").exists()
    run = python([*SNNTOOLBOX, "export", "demo/demo_onnx.ini", "--to", "INI", "-o", "x"], folder / "packages", folder)
    assert run.returncode == 2
    assert re.search("exporters are fpga, .*matrices", run.stderr)


CONFORMANCE = "import snntoolbox as stb; print(*sorted({*stb.check_exporter('matrices').values()}))"


def test_exporter_conforms(matrices):
    folder, _ = matrices
    run = python(["-c", CONFORMANCE], folder / "packages", folder)
    assert (run.returncode, run.stdout) == (0, "passed refused\n"), run.stderr


@pytest.mark.long
def test_exporter_that_loses_a_bias_does_not(tmp_path):
    installed("docs/writing_an_exporter.md", "stb_matrices", tmp_path)
    module = tmp_path / "stb_matrices.py"
    kept = "0.0 if target.bias is None else target.bias"
    assert kept in module.read_text()
    module.write_text(module.read_text().replace(kept, "0.0"))
    run = python(["-c", CONFORMANCE], tmp_path, tmp_path)
    assert run.returncode == 1
    assert "what is read back is not what was written: bias of population 'population0' is array(0.)" in run.stderr


@pytest.mark.long
def test_backend_example_conforms(tmp_path):
    installed("docs/writing_a_backend.md", "stb_sparse", tmp_path / "packages")
    code = "import snntoolbox as stb; print(*sorted({*stb.check_backend('sparse').values()}))"
    run = python(["-c", code], tmp_path / "packages", tmp_path)
    assert (run.returncode, run.stdout) == (0, "passed refused\n"), run.stderr
