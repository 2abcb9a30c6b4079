"""The plug-ins shown in the documentation work as packages of their own, found by their entry points."""

import os
import subprocess
import sys
import tomllib

import pytest
from doc_pages import marked


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
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


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
    assert "my_lstm (json-net lstm): this layer is not supported" in run.stderr
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
