"""One function writes all files: nothing is written in place, whatever a command makes."""

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import ROOT

from snntoolbox.ir.scratch import PREFIX
from snntoolbox.ir.writing import HIDDEN
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main

pytestmark = pytest.mark.usefixtures("process_clock")

WRITERS = {
    *("write_text", "write_bytes", "touch", "savefig", "save", "savez", "savez_compressed", "savetxt", "tofile"),
    *("dump", "copyfile", "copy", "copy2", "copytree", "move", "mkstemp", "NamedTemporaryFile"),
}
"""What writes into a file whose path, or which itself, it is given."""

MODULES = {"np", "torch", "onnx", "json", "pickle", "shutil", "os", "tempfile", "h5py", "figure"}
"""Where names such as `save` and `copy` are those."""

OTHERS = {
    "ir/writing.py": "the one function",
    "ir/scratch.py": "the owner of a folder that nobody else sees",
    "ir/files.py": "a probe in such a folder",
    "workflow/streams.py": "nowhere: /dev/null",
    "workflow/progress_lines.py": "lines that a program reads while they come",
    "workflow/gui/runner.py": "what a process prints: files in a folder that nobody else sees",
    "workflow/gui/folder.py": "nothing: a lock on the folder",
    "workflow/commands/gui.py": "a temporary file for the browser, with a name of its own",
    "backends/isolated.py": "what another process prints: a temporary file without a name of its own",
    "backends/pynn/mechanism.py": "a lock",
    "ir/other_python/process.py": "what another process prints: a temporary file without a name of its own",
    "frontends/converted.py": "samples for another process, in a folder that nobody else sees",
    **dict.fromkeys(
        ("frontends/converters/tensorflow_models.py", "frontends/converters/jax_functions.py"),
        "the answer in a folder that its caller owns, in an interpreter without this package",
    ),
    **dict.fromkeys(
        ("backends/lava/worker.py", "backends/spinnaker/worker.py"),
        "the answer in a folder that its caller owns, in an interpreter without this package",
    ),
    "backends/modules/state.py": "nowhere: bytes in memory",
    "backends/sanafe/simulation.py": "a temporary file for SANA-FE to read",
    "workflow/data/events/faery_files.py": "nowhere: /dev/null",
}
"""Who else opens a file to write into it, and why nothing can be lost."""


def writing_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Calls that write into a file, unless it is the one of a `with replacing(...) as file`."""
    safe = {"clean"}  # bytes in memory
    for node in ast.walk(tree):
        if isinstance(node, ast.withitem) and node.optional_vars and "replacing(" in ast.unparse(node.context_expr):
            safe.add(ast.unparse(node.optional_vars))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and writes(node):
            arguments = [ast.unparse(argument) for argument in node.args]
            if not any(word in safe or word.startswith("io.BytesIO") for word in arguments):
                yield node.lineno, ast.unparse(node.func)


def writes(call: ast.Call) -> bool:
    """Whether a call opens a file for writing, or writes one."""
    *before, name = ast.unparse(call.func).rsplit(".", maxsplit=2)
    if name == "open":
        words = [a.value for a in (*call.args, *(k.value for k in call.keywords)) if isinstance(a, ast.Constant)]
        return before == ["os"] or any(set(str(word)) & set("wax+") for word in words if len(str(word)) < 5)
    if name in ("write_text", "write_bytes") and not before:
        return False  # ours
    plain = name in ("write_text", "write_bytes", "touch", "savefig", "tofile", "NamedTemporaryFile", "mkstemp")
    return name in WRITERS and (plain or bool(before and before[-1] in MODULES))


def test_nobody_else_writes():
    found = {}
    for path in ROOT.rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        if calls := list(writing_calls(ast.parse(path.read_text("utf-8")))):
            found[name] = calls
    assert found.keys() == OTHERS.keys(), found


BREAKS = {
    "path.write_text(text)": True,
    "write_text(path, text)": False,
    "open(path, 'w')": True,
    "open(path)": False,
    "path.open('ab')": True,
    "path.open(mode='r+')": True,
    "np.savez(path, a=1)": True,
    "save(network, path)": False,
    "figure.savefig(path)": True,
    "with replacing(path) as file:\n    np.savez(file, a=1)": False,
    "with replacing(path) as file:\n    np.savez(path, a=1)": True,
    "shutil.copyfile(a, b)": True,
    "array.copy()": False,
    "os.open(path, 1)": True,
}


@pytest.mark.parametrize("code", BREAKS)
def test_the_rule_sees_what_breaks_it(code):
    assert bool(list(writing_calls(ast.parse(code)))) == BREAKS[code]


# -- as it happens --------------------------------------------------------------------------------------------------

watched: list[tuple[Path, list[str]]] = []
"""The folder that is watched now, and what has been opened there for writing; empty while nothing is."""


def watch(event: str, arguments: tuple) -> None:
    if event == "open" and watched and isinstance(arguments[0], str):
        path, mode, flags = arguments
        folder, opened = watched[0]
        writing = set(mode or "") & set("wax+") or (mode is None and flags & (os.O_WRONLY | os.O_RDWR))
        path = os.path.abspath(path)
        if writing and path.startswith(str(folder)):
            opened.append(os.path.relpath(path, folder))


sys.addaudithook(watch)  # one cannot be taken away again

SHORT = ["--set", "simulation.num_to_test=4", "--set", "simulation.duration=2", "--set", "tools.evaluate_ann=False"]
ALL = ["--set", "output.plot_vars={'error_t', 'spiketrains'}", "--set", "output.log_vars=all"]
COMMANDS = {
    "run": ["demo_onnx.ini", *SHORT, *ALL],
    "init": ["init", "digits_cnn.onnx", "-o", "mine.ini", "--force"],
    "compare": ["compare", "demo_onnx.ini", "--simulators", "INI,verilog", *SHORT],
    "tune": ["tune", "demo_onnx.ini", "--steps", "2", "--budget", "1", "-o", "mine.ini", "--force"],
    "export": ["export", "demo_onnx.ini", "--to", "fpga", "--option", "target=generic", "--option", "sim_seconds=0.1",
               "--option", "synth_seconds=0.1", "-o", "out", *SHORT],
    "demo": ["demo", "--folder", "other"],
    "sweep": ["demo_onnx.ini", *SHORT, "--set", "parameter_sweep.param_name=simulation.duration",
              "--set", "parameter_sweep.param_values=[1, 2]"],
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.one_in(3)
def test_no_command_opens_a_file_in_its_place(name, tmp_path, monkeypatch):
    demo.copy_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.ini").write_text("mine")
    watched.append((tmp_path, []))
    try:
        code = main(COMMANDS[name])
    finally:
        _, opened = watched.pop()
    assert code in (0, 1, 2)  # 2 where a simulator to compare with is not installed
    assert any("partial" in path for path in opened)
    hidden = (HIDDEN, PREFIX)
    assert [path for path in opened if not any(part.startswith(hidden) for part in Path(path).parts)] == []
    assert not list(tmp_path.rglob(f"{HIDDEN}*"))
