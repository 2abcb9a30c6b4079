"""What README.md tells people to type works, and is what CI does."""

import re
import shlex

import pytest
from doc_pages import ROOT, blocks, marked, text_of

from snntoolbox import __version__
from snntoolbox.frontends.registry import frontend_named
from snntoolbox.workflow import commands

COMMANDS = [line for block in blocks("README.md", "sh") for line in block.splitlines() if line]


def test_python_example_runs(capsys):
    (code,) = marked("README.md", "example")
    exec(compile(code, "README.md", "exec"), {})
    assert float(capsys.readouterr().out) >= 0.95


@pytest.fixture(scope="module")
def install_commands():
    """The two commands for a fresh machine, split at &&."""
    found = [line.split(" && ") for line in COMMANDS if line.startswith("python3 -m venv")]
    assert len(found) == 2
    return found


def test_demo_command(install_commands):
    venv, install, demo = install_commands[0]
    assert venv == "python3 -m venv .venv"
    assert shlex.split(install)[:4] == [".venv/bin/pip", "install", "-c", "constraints.txt"]
    assert demo == ".venv/bin/snntoolbox demo"


def test_test_command_is_the_one_of_ci(install_commands):
    venv, install, tests = install_commands[1]
    ci = text_of(".ci/run").strip().splitlines()
    assert venv == "python3 -m venv .venv"
    assert tests == f".venv/bin/{ci[-1].strip()}"
    arguments = shlex.split(install)[2:]
    assert [line for line in ci if "pip install" in line and shlex.split(line)[-len(arguments) :] == arguments]


def test_index_shows_the_same_demo_command(install_commands):
    assert " && ".join(install_commands[0]) in text_of("docs/index.md")


def test_extras_exist():
    known = set(re.findall(r"^(\w+) =$", text_of("setup.cfg").partition("[options.extras_require]")[2], re.MULTILINE))
    named = {n for p in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")] for n in _extras(p.read_text("utf-8"))}
    assert named
    assert named <= known


def _extras(text):
    return [n for group in re.findall(r"(?:\"\.|snntoolbox)\[([\w,]+)\]", text) for n in group.split(",")]


@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith("snntoolbox ")])
def test_commands_are_known_to_the_command_line(line):
    first, *rest = shlex.split(line, comments=True)[1:]
    arguments = [first, *rest] if first in commands.COMMANDS else ["run", first, *rest]
    commands.parser().parse_args(arguments)


@pytest.mark.parametrize("name", ["keras", "pytorch", "onnx"])
def test_file_endings_are_listed(name):
    rows = [line for line in text_of("README.md").splitlines() if line.lower().startswith(f"| {name}")]
    (row,) = [line for line in rows if "`." in line]
    assert not [suffix for suffix in frontend_named(name).suffixes if f"{suffix}`" not in row]


def test_one_version_everywhere():
    for name, line in {
        "setup.cfg": f"version = {__version__}",
        "CITATION.cff": f"version: {__version__}",
        "CHANGELOG.md": __version__,
    }.items():
        assert line in text_of(name), name


def test_picture_is_small():
    assert (ROOT / "docs" / "images" / "demo.png").stat().st_size < 150_000
