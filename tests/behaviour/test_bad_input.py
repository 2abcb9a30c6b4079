"""Whatever is wrong with the input: a message, exit code 2, no traceback, earlier results byte for byte as before."""

import errno
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from waiting import PATIENCE, until

from snntoolbox.backends.inisim.simulation import Simulation
from snntoolbox.ir.drawing import canvas
from snntoolbox.ir.files import MARKER
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.stories import run as story

SHORT = ["simulation.num_to_test=30", "simulation.batch_size=20", "simulation.duration=4"]
SHORT += ["conversion.layer_correction=none"]
CONFIG = "demo_onnx.ini"


@pytest.fixture
def workspace(tmp_path):
    """The demo with results of an earlier run."""
    folder = tmp_path / "work"
    demo.copy_to(folder)
    earlier = folder / "log" / "demo_onnx"
    (earlier / "plots").mkdir(parents=True)
    (earlier / MARKER).touch()
    (earlier / "report.json").write_text("the earlier report")
    (earlier / "plots" / "error_t.png").write_bytes(bytes(range(256)))
    return folder


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def arguments(config: Path, overrides: list[str]) -> list[str]:
    return [str(config), *(part for item in [*SHORT, *overrides] for part in ("--set", item))]


def refusal(workspace: Path, overrides: list[str], capsys, config: str = CONFIG) -> str:
    """The message of a run that must be refused and leave nothing behind."""
    earlier = files_in(workspace / "log")
    capsys.readouterr()
    assert main(arguments(workspace / config, overrides)) == 2
    assert files_in(workspace / "log") == earlier
    assert os.listdir(workspace / "log") == ["demo_onnx"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


def save(name: str, array: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: np.savez(folder / f"{name}.npz", array)


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    """Replace the data file `name` by what `change` makes of its array."""

    def apply(folder: Path) -> None:
        array = np.load(folder / f"{name}.npz")["arr_0"]
        np.savez(folder / f"{name}.npz", change(array))

    return apply


def with_value(array: np.ndarray, value: float) -> np.ndarray:
    array = array.copy()
    array[7, ...] = value
    return array


def model_file(framework: str, content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Replace the model of the demo by bytes that follow from its own, under a name of its own."""

    def apply(folder: Path) -> None:
        source = demo.folder() / demo.MODELS[framework]
        (folder / f"bad{source.suffix}").write_bytes(content(source.read_bytes()))

    return apply


def write(name: str, content: bytes | str) -> Callable[[Path], None]:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data) and None


def twins(folder: Path) -> None:
    for framework in ("keras", "pytorch"):
        shutil.copy(demo.folder() / demo.MODELS[framework], folder)


def unknown_layers(folder: Path) -> None:
    """Two operators that nobody converts, in the middle of a net."""
    names = ["x", "a", "b", "c", "y"]
    kinds = ["Relu", "Hardmax", "Relu", "Det"]
    nodes = [
        helper.make_node(kind, [i], [o], name=f"layer_{o}") for kind, i, o in zip(kinds, names, names[1:], strict=False)
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [None, 8, 8]), ("y", [None]))]
    graph = helper.make_graph(nodes, "odd", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "odd.onnx")


def damage_saved_networks(folder: Path) -> None:
    for name in ("digits_cnn_parsed.npz", "digits_cnn_INI.npz"):
        (folder / name).write_bytes(b"PK\x03\x04" + bytes(200))


@dataclass(frozen=True)
class Case:
    """What is changed in the folder, which keys are set, and what the message says (a regular expression)."""

    message: str
    keys: list[str] = field(default_factory=list)
    change: Callable[[Path], None] = lambda folder: None


def ann(name: str) -> list[str]:
    return [f"paths.filename_ann={name}"]


FRAMEWORKS = {"onnx": "bad.onnx", "keras": "bad.keras", "pytorch": "bad.pt2"}
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "all but ten bytes": lambda data: data[:-10],
    "noise": lambda data: np.random.default_rng(0).bytes(500),
    "pickle": lambda data: pickle.dumps({"weights": [1.0]}),
    "text": lambda data: b"this is no model\n",
}
MODELS = {
    f"{framework} {name}": Case(re.escape(file), ann(file), model_file(framework, damage))
    for framework, file in FRAMEWORKS.items()
    for name, damage in DAMAGE.items()
}

NOTHING = [f"tools.{stage}=False" for stage in ("evaluate_ann", "parse", "convert", "simulate")]

CASES = {
    # models
    "missing file": Case(r"looked for digits_cn\.onnx; there is digits_cnn\.onnx", ann("digits_cn.onnx")),
    "missing model": Case(r"there is no model 'nix' in .*looked for [^;]*nix\.keras[^;]*$", ann("nix")),
    "missing model with suffix": Case(r"there is no model 'nix\.onnx'", ann("nix.onnx")),
    "model is a folder": Case(r"is a folder", ann("log")),
    "model name is the folder": Case(r"is a folder", ann(".")),
    "model is the data": Case(r"model_lib = auto does not read 'x_test\.npz'.*\.onnx", ann("x_test.npz")),
    "wrong model_lib": Case(
        r"model_lib = keras does not read 'digits_cnn\.onnx'.*\.keras", ["input.model_lib=keras"]
    ),
    "several models": Case(r"several models are called 'digits_cnn'.*ending", ann("digits_cnn"), twins),
    "unknown layers": Case(r"layer_b.*Hardmax.*layer_y.*Det", ann("odd.onnx"), unknown_layers),
    # data
    "channels last": Case(r"x_test have shape \(8, 8, 1\).*x\.reshape", [], changed("x_test", lambda x: x[..., None])),
    "other size": Case(r"x_test have shape \(8, 7\)", [], changed("x_test", lambda x: x[..., :7])),
    "one sample": Case(r"1 samples, but .*y_test\.npz holds 500", [], changed("x_test", lambda x: x[0])),
    "calibration of other size": Case(r"x_norm have shape", [], changed("x_norm", lambda x: x[..., :7])),
    "NaN": Case(r"x_test.*NaN or infinite.*in sample 7", [], changed("x_test", lambda x: with_value(x, np.nan))),
    "infinite": Case(r"x_norm.*NaN or infinite", [], changed("x_norm", lambda x: with_value(x, -np.inf))),
    "NaN label": Case(r"y_test.*NaN", [], changed("y_test", lambda y: with_value(y.astype(float), np.nan))),
    "huge": Case(r"original model gives NaN or infinite outputs.*\n.*scale the data down", [],
                 changed("x_test", lambda x: (x / x.max() * 1e38).astype("f4"))),
    "silent calibration": Case(r"calibration data are all zero", [], changed("x_norm", np.zeros_like)),
    "true and false": Case(r"labels are True and False, .* 10 classes", [], changed("y_test", lambda y: y > 4)),
    "label too large": Case(r"labels reach 10, but the model has 10 classes", [], changed("y_test", lambda y: y + 1)),
    "negative label": Case(r"label -1", [], changed("y_test", lambda y: y.astype(int) - 1)),
    "too many labels": Case(r"500 samples, but .* 501 labels", [], changed("y_test", lambda y: np.append(y, 0))),
    "targets of other size": Case(r"3 values per sample, the model has 10", [], save("y_test", np.full((500, 3), 0.5))),
    "single targets": Case(r"1 values per sample, the model has 10", [], save("y_test", np.full(500, 0.5))),
    "words": Case(r"x_test.*values", [], save("x_test", np.full((500, 8, 8), "a"))),
    "objects": Case(r"x_test.*Python objects", [], lambda f: np.savez(f / "x_test", np.array([{}, 1], object))),
    "complex": Case(r"x_test.*complex", [], changed("x_test", lambda x: x[:500] + 1j)),
    "no samples": Case(r"x_norm.* no samples", [], changed("x_norm", lambda x: x[:0])),
    "no data": Case(r"no x_test\.npz or x_test\.npy", [], lambda f: (f / "x_test.npz").unlink()),
    "truncated data": Case(r"x_test\.npz is damaged", [], write("x_test.npz", b"PK\x03\x04" + bytes(300))),
    "empty data": Case(r"y_test\.npz is empty", [], write("y_test.npz", b"")),
    "sample that is not there": Case(r"sample 500 is asked for", ["simulation.sample_idxs_to_test=[3, 500]"]),
    "missing data folder": Case(r"data folder .*nowhere does not exist", ["paths.dataset_path=nowhere"]),
    "data folder is a file": Case(r"is not a folder", ["paths.dataset_path=x_test.npz"]),
    "no image folders": Case(r"demo_onnx|log.* no images", ["input.dataset_format=png", "paths.dataset_path=log"]),
    # settings
    "typo": Case(r"simulation\.duraton.*did you mean duration\?", ["simulation.duraton=3"]),
    "unknown section": Case(r"\[simulatoin\].*did you mean simulation\?", ["simulatoin.duration=3"]),
    "no form": Case(r"--set duration: must be section.key=value", ["duration"]),
    "no number": Case(r"simulation\.duration = long: must be an integer", ["simulation.duration=long"]),
    "code": Case(r"sample_idxs_to_test", ["simulation.sample_idxs_to_test=__import__('os').getpid()"]),
    "no time": Case(r"duration = 0: must be at least 1", ["simulation.duration=0"]),
    "negative batch": Case(r"batch_size = -5: must be", ["simulation.batch_size=-5"]),
    "long step": Case(r"dt = 9\.0: must be at most simulation\.duration", ["simulation.dt=9"]),
    "odd step": Case(r"4 ms is no whole number of steps of 0\.3 ms", ["simulation.dt=0.3"]),
    "odd refractory period": Case(r"tau_refrac = 0\.5: must be a whole number", ["cell.tau_refrac=0.5"]),
    "spikes too fast": Case(r"input_rate = 2000", ["input.poisson_input=True", "input.input_rate=2000"]),
    "two other codings": Case(
        r"digit_input = True: input.latency_input is another", ["input.digit_input=True", "input.latency_input=True"]
    ),
    "two codings": Case(r"poisson_input is another coding", ["input.poisson_input=True", "input.latency_input=True"]),
    "part of a window": Case(
        r"latency_steps = 3: must divide the 4 steps", ["input.latency_input=True", "input.latency_steps=3"]
    ),
    "top k": Case(r"top_k = 11, the model has 10", ["simulation.top_k=11"]),
    "loihi": Case(r"loihi.*use simulator = sanafe", ["simulation.simulator=loihi"]),
    "other simulator": Case(r"simulator = Brain", ["simulation.simulator=Brain"]),
    "plot properties": Case(r"plotproperties.*fnt", ["output.plot_vars=error_t", "output.plotproperties={'fnt': 1}"]),
    "plot property": Case(r"plotproperties", ["output.plot_vars=error_t", "output.plotproperties={'font.size': 'q'}"]),
    "nothing to do": Case(r"nothing to do", NOTHING),
    # folders
    "missing working folder": Case(r"working folder '.*nowhere' does not exist", ["paths.path_wd=nowhere"]),
    "working folder is a file": Case(r"is no folder", ["paths.path_wd=x_test.npz"]),
    "no earlier network": Case(r"no saved network 'digits_cnn_INI\.npz'", ["tools.convert=False"]),
    "no parsed network": Case(r"no saved network 'digits_cnn_parsed\.npz'", ["tools.parse=False"]),
    "damaged parsed network": Case(r"_parsed\.npz' cannot be read", ["tools.parse=False"], damage_saved_networks),
    "damaged network": Case(r"_INI\.npz' cannot be read", ["tools.convert=False"], damage_saved_networks),
    "results are there": Case(r"exists already", ["output.overwrite=False"]),
    "results are a file": Case(
        r"is a file, not a folder", ["paths.log_dir_of_current_run=here"], write("here", "a file")
    ),
    "results folder below a file": Case(r"part of the path is a file", ["paths.log_dir_of_current_run=x_test.npz/a"]),
    "results folder of others": Case(r"not results of a run", ["paths.log_dir_of_current_run=log"]),
    "label outside": Case(r"runlabel = \.\./x", ["paths.runlabel=../x"]),
    **MODELS,
}  # fmt: skip

@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_message_and_nothing_else(case, workspace, capsys):
    case.change(workspace)
    assert re.search(case.message, refusal(workspace, case.keys, capsys), re.DOTALL)


CONFIGS = {
    "missing": (r"does not exist.*snntoolbox init", None),
    "empty": (r"is empty", b""),
    "binary": (r"is not a text file", bytes(range(256))),
    "no sections": (r"line 1: expected a section", b"duration = 4\n"),
    "no value": (r"line 2: expected key = value", b"[paths]\nfilename_ann\n"),
    "twice": (r"paths\.filename_ann: is set again in line 3", b"[paths]\nfilename_ann = a\nfilename_ann = b\n"),
    "section twice": (r"\[paths\]: comes again in line 3", b"[paths]\nfilename_ann = a\n[paths]\n"),
    "no model": (r"paths\.filename_ann: is required", b"[simulation]\nduration = 4\n"),
    "two problems": (r"2 problems.*batch_sise.*top_k", b"[simulation]\nbatch_sise=1\ntop_k=0\n[paths]\nfilename_ann=a"),
}


@pytest.mark.parametrize(("message", "content"), CONFIGS.values(), ids=CONFIGS)
def test_a_configuration_that_is_none(message, content, workspace, capsys):
    if content is not None:
        (workspace / "bad.ini").write_bytes(content)
    assert re.search(message, refusal(workspace, [], capsys, "bad.ini"), re.DOTALL)


@pytest.mark.parametrize("name", ["log", "digits_cnn.onnx", "x_test.npz"])
def test_something_else_as_configuration(name, workspace, capsys):
    assert re.search(r"is a folder|snntoolbox init", refusal(workspace, [], capsys, name))


def test_an_absent_gpu(workspace, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "there is no CUDA device" in refusal(workspace, ["simulation.device=cuda"], capsys)


# -- what the machine does ------------------------------------------------------------------------------------------


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*args, **keywords):
        raise error

    return fail


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
DISK = {
    "saved networks": (np, "savez_compressed", FULL, []),
    "logged variables": (np, "savez_compressed", FULL, ["output.log_vars=activations_n_b_l"]),
    "report": (os, "fsync", FULL, []),
    "array cut short": (np, "savez_compressed", OSError("4000 requested and 12 written"), []),
}


@pytest.mark.parametrize(("module", "function", "error", "keys"), DISK.values(), ids=DISK)
def test_a_full_disk(module, function, error, keys, workspace, capsys, monkeypatch):
    monkeypatch.setattr(module, function, raising(error))
    assert re.search(r"cannot write .*no space is left", refusal(workspace, keys, capsys))


def test_pictures_that_find_no_room_cost_no_numbers(workspace, capsys, monkeypatch):
    monkeypatch.setattr(canvas, "save", raising(FULL))
    assert main(arguments(workspace / CONFIG, ["output.plot_vars={'error_t', 'spikerates'}"])) == 0
    assert "error_t.png could not be drawn: No space left on device" in capsys.readouterr().err
    report = json.loads((workspace / "log" / "demo_onnx" / "report.json").read_text())
    assert report["samples"] == 30
    assert "relu1: spikerates.png could not be drawn: No space left on device" in report["warnings"]


def test_a_report_that_finds_no_room_is_shown(workspace, capsys, monkeypatch):
    """The long work is done: what it gave is told, though nothing can be written."""
    earlier = files_in(workspace / "log")
    monkeypatch.setattr(story, "write_json", raising(FULL))
    assert main(arguments(workspace / CONFIG, [])) == 2
    told = capsys.readouterr()
    assert "SNN, 4 ms on INI" in told.out
    assert "report.json" not in told.out
    assert re.search(r"cannot write .*no space is left", told.err)
    assert files_in(workspace / "log") == earlier


def test_no_permission_to_write(workspace, capsys, monkeypatch):
    monkeypatch.setattr("tempfile.mkdtemp", raising(PermissionError(errno.EACCES, "Permission denied", "log")))
    assert re.search(r"cannot write .*no permission to write", refusal(workspace, [], capsys))


def test_no_permission_to_read(workspace, capsys, monkeypatch):
    denied = PermissionError(errno.EACCES, "Permission denied", "digits_cnn.onnx")
    monkeypatch.setattr("snntoolbox.frontends.onnx.OnnxFrontend.open", raising(denied))
    assert "Permission denied: 'digits_cnn.onnx'" in refusal(workspace, [], capsys)


MEMORY = {
    "numpy": MemoryError("Unable to allocate 9 TiB"),
    "torch": RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
}


@pytest.mark.parametrize("error", MEMORY.values(), ids=MEMORY)
def test_too_little_memory(error, workspace, capsys, monkeypatch):
    monkeypatch.setattr(Simulation, "run", raising(error))
    assert re.search(r"not enough memory.*smaller \[simulation\] batch_size", refusal(workspace, [], capsys), re.DOTALL)


def test_a_defect_keeps_its_traceback(workspace, monkeypatch):
    earlier = files_in(workspace / "log")
    monkeypatch.setattr(Simulation, "run", raising(RuntimeError("a defect")))
    with pytest.raises(RuntimeError, match="a defect"):
        main(arguments(workspace / CONFIG, []))
    assert files_in(workspace / "log") == earlier


def test_an_interruption_in_the_second_batch(workspace, capsys, monkeypatch):
    run, batches = Simulation.run, []

    def interrupted(self, *x, **options):
        batches.append(x)
        if len(batches) == 2:
            raise KeyboardInterrupt
        return run(self, *x, **options)

    monkeypatch.setattr(Simulation, "run", interrupted)
    assert "interrupted" in refusal(workspace, ["output.log_vars=all", "output.plot_vars=all"], capsys)


def listening() -> None:
    """Whoever runs the tests in the background of a shell has them ignore Ctrl-C, and all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(*arguments: str, **options) -> subprocess.Popen:
    call = [sys.executable, "-m", "snntoolbox.workflow.cli", *arguments]
    return subprocess.Popen(call, text=True, preexec_fn=listening, **options)


ENDS = {"SIGINT": (2, "interrupted"), "SIGTERM": (128 + signal.SIGTERM, "ended by SIGTERM")}


@pytest.mark.long
@pytest.mark.parametrize("sent", ENDS)
def test_a_signal_while_it_simulates(workspace, sent):
    code, words = ENDS[sent]
    earlier = files_in(workspace / "log")
    endless = [f"simulation.{key}" for key in ("duration=100000", "batch_size=1", "num_to_test=-1", "chunk=10")]
    call = arguments(workspace / CONFIG, [*endless, "tools.normalize=False", "output.log_vars=activations_n_b_l"])
    process = command(*call, "--set", "output.verbose=2", stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    seen = ""
    for line in process.stderr:  # the log tells when it simulates
        seen += line
        if "simulate" in line:
            break
    time.sleep(0.5)
    process.send_signal(getattr(signal, sent))
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, seen + err
    assert words in err
    assert "Traceback" not in err
    assert out == ""
    assert files_in(workspace / "log") == earlier
    assert os.listdir(workspace / "log") == ["demo_onnx"]


CHILDREN = """#!/bin/sh
sleep 1000 &
echo $! > "{folder}/child"
wait
"""


def alive(process):
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
@pytest.mark.long
def test_a_signal_while_a_deployment_is_checked(workspace, tmp_path):
    """What make has started ends, and nothing of the project is left."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("make", "verilator"):
        (tools / name).write_text(CHILDREN.format(folder=tmp_path))
        (tools / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    call = ["deploy", str(workspace / CONFIG), "--target", "generic", "-o", str(tmp_path / "out"), "--samples", "1"]
    call += ["--set", "simulation.num_to_test=2", "--set", "simulation.duration=2"]
    process = command(*call, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
    child = tmp_path / "child"
    until(lambda: process.poll() is not None or (child.exists() and child.read_text().strip()))
    assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert "ended by SIGTERM" in err
    assert "Traceback" not in err
    assert not [name for name in os.listdir(tmp_path) if name == "out" or "partial" in name]
    until(lambda: not alive(int(child.read_text())))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.long
def test_a_full_disk_behind_standard_output(workspace):
    with open("/dev/full", "w") as full:
        process = command("inspect", str(workspace / "digits_cnn.onnx"), stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert err == "snntoolbox: cannot write: No space left on device\n"


def test_a_reader_that_goes_away(workspace):
    process = command(
        "inspect", str(workspace / "digits_cnn.onnx"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=PATIENCE) == 0
    assert err == ""


# -- the other commands ---------------------------------------------------------------------------------------------

COMMANDS = {
    "inspect nothing": (["inspect", "nix.onnx"], r"there is no model 'nix\.onnx'"),
    "inspect a folder": (["inspect", "."], r"is a folder"),
    "inspect a missing folder": (["inspect", "nowhere/m.onnx"], r"'nowhere' does not exist"),
    "inspect below a file": (["inspect", "x_test.npz/m.onnx"], r"is no folder"),
    "inspect data": (["inspect", "x_test.npz"], r"model_lib = auto does not read"),
    "inspect unknown layers": (["inspect", "odd.onnx"], r"layer_b.*Hardmax.*layer_y.*Det"),
    "inspect a pickle": (["inspect", "bad.pt2"], r"bad\.pt2"),
    "init nothing": (["init", "nix"], r"there is no model 'nix'"),
    "init unknown layers": (["init", "odd.onnx"], r"layer_b.*Hardmax.*layer_y.*Det"),
    "init twice": (["init", "digits_cnn.onnx", "-o", CONFIG], r"demo_onnx\.ini' exists.*--force"),
    "init to a folder": (["init", "digits_cnn.onnx", "-o", "log", "--force"], r"cannot write 'log'"),
    "init to nowhere": (["init", "digits_cnn.onnx", "-o", "nowhere/c.ini"], r"cannot write 'nowhere/c\.ini'"),
    "demo in a file": (["demo", "--folder", "x_test.npz"], r"the demo cannot be written"),
}


@pytest.mark.parametrize(("call", "message"), COMMANDS.values(), ids=COMMANDS)
def test_other_commands(call, message, workspace, capsys, monkeypatch):
    unknown_layers(workspace)
    model_file("pytorch", DAMAGE["pickle"])(workspace)
    before = files_in(workspace)
    monkeypatch.chdir(workspace)
    assert main(call) == 2
    assert re.search(message, capsys.readouterr().err, re.DOTALL)
    assert files_in(workspace) == before


USAGE = {
    "nothing": [],
    "only -t": ["-t"],
    "no config": ["run"],
    "unknown option": ["config.ini", "--fast"],
    "unknown framework": ["demo", "--framework", "theano"],
    "no value": ["config.ini", "--set"],
}


@pytest.mark.parametrize("call", USAGE.values(), ids=USAGE)
def test_wrong_usage(call, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(call)
    assert stopped.value.code == 2
    assert "usage: snntoolbox" in capsys.readouterr().err
