"""Every example runs as its README says, from any folder, and its network converts."""

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from needed import needed
from waiting import PATIENCE

EXAMPLES = Path(__file__).parents[2] / "examples"
NEEDS = {  # folder -> packages beyond the core
    "keras_mlp": ("keras", "sklearn"),
    "pytorch_cnn": ("sklearn",),
    "onnx_residual": ("onnxscript", "sklearn"),
    "event_cnn": (),
}

pytestmark = pytest.mark.long


def run(*arguments, cwd):
    """Run Python on `arguments` in `cwd` and return what it prints."""
    # Many threads on few cores slow networks this small down, the more the more tests run beside this one.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(EXAMPLES.parent)}
    command = [sys.executable, *map(str, arguments)]
    how = {"cwd": cwd, "env": environment, "capture_output": True, "text": True, "timeout": PATIENCE}
    done = subprocess.run(command, check=False, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_folder_with_a_configuration_is_tested():
    assert {path.parent.name for path in EXAMPLES.glob("*/config.ini")} == set(NEEDS)


def test_the_readme_names_every_example():
    text = (EXAMPLES / "README.md").read_text()
    names = [path.name for path in EXAMPLES.iterdir() if path.is_dir() or path.suffix in (".py", ".ipynb")]
    assert [name for name in names if f"]({name})" not in text and name != "__pycache__"] == []


@pytest.mark.parametrize("name", NEEDS)
def test_model_is_made_and_converted(name, tmp_path):
    for package in NEEDS[name]:
        needed(package)
    folder, elsewhere = tmp_path / name, tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    for file in (*EXAMPLES.joinpath(name).glob("*.py"), EXAMPLES / name / "config.ini"):
        shutil.copy(file, folder)

    run(folder / "make_model.py", cwd=elsewhere)
    run("-m", "snntoolbox.workflow.cli", folder / "config.ini", cwd=elsewhere)

    report = json.loads((folder / "log" / name / "report.json").read_text())
    assert report["samples"] == 360
    assert report["ann_accuracy"] >= 0.95
    assert report["parsed_accuracy"] == report["ann_accuracy"]
    assert abs(report["snn_accuracy"] - report["ann_accuracy"]) <= (0.01 if name == "event_cnn" else 0.02)
    assert list(elsewhere.iterdir()) == []


def test_the_notebook_tells_what_it_shows(tmp_path, monkeypatch):
    needed("nbclient")
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    kept = nbformat.read(EXAMPLES / "whole_story.ipynb", 4)
    fresh = nbformat.read(EXAMPLES / "whole_story.ipynb", 4)
    for cell in fresh.cells:
        cell.pop("outputs", None)
        cell.update({"outputs": [], "execution_count": None} if cell.cell_type == "code" else {})
    resources = {"metadata": {"path": str(tmp_path)}}
    patient = {"timeout": PATIENCE, "startup_timeout": PATIENCE}
    NotebookClient(fresh, kernel_name="python3", resources=resources, **patient).execute()
    assert [shown_kinds(cell) for cell in fresh.cells] == [shown_kinds(cell) for cell in kept.cells]
    assert sum(kinds.count("image/png") for kinds in map(shown_kinds, fresh.cells)) == 7
    assert [printed(cell) for cell in fresh.cells] == [printed(cell) for cell in kept.cells]
    assert list(tmp_path.iterdir()) == []


def shown_kinds(cell):
    """What kinds of outputs a cell has, those of one output in order."""
    return [kind for output in cell.get("outputs", ()) for kind in sorted(output.get("data", {}))]


def printed(cell):
    """Lines with accuracies; which advice is tried depends on the time there is."""
    text = "".join(output["text"] for output in cell.get("outputs", ()) if output.output_type == "stream")
    return [line for line in text.splitlines() if "%" in line]


def test_conversion_in_python(tmp_path):
    printed = run(EXAMPLES / "convert_in_python.py", cwd=tmp_path)
    first, second, *rest = (line.rsplit(" ", 1)[-1] for line in printed.splitlines())
    assert abs(float(first) - float(second)) <= 0.01
    assert float(rest[-1]) >= 0.95
    assert list(tmp_path.iterdir()) == []


def test_fine_tuning_helps_at_few_steps(tmp_path):
    needed("sklearn")
    header, *rows = run(EXAMPLES / "qcfs_finetune.py", cwd=tmp_path).splitlines()
    plain, tuned = ([float(a) for a in row.split()[-4:]] for row in rows)
    assert header.split()[0] == "network"
    assert tuned[0] >= plain[0] - 0.05, "few levels cost the network little"
    assert tuned[2] >= tuned[0] - 0.04, "as many steps as levels lose little of it"
    assert tuned[1] >= 0.8
    assert list(tmp_path.iterdir()) == []


def test_attacks_on_the_original_reach_the_spikes(tmp_path):
    for package in ("sklearn", "matplotlib"):
        needed(package)
    _, *rows = run(EXAMPLES / "robustness.py", cwd=tmp_path).splitlines()
    shares = {(row.split()[0], float(row.split()[1])): [float(a) for a in row.split()[2:]] for row in rows}
    assert all(min(of) > 0.9 for (_, epsilon), of in shares.items() if epsilon == 0)
    assert all(max(of) < 0.2 for (_, epsilon), of in shares.items() if epsilon >= 0.2)
    assert all(abs(of[-1] - of[0]) <= 0.03 for of in shares.values()), "with many steps the spikes err as the original"
    assert all(shares["PGD", e][0] <= shares["FGSM", e][0] + 0.01 for e in (0.1, 0.15, 0.2)), "many steps attack better"
    assert [path.name for path in tmp_path.iterdir()] == ["robustness.png"]


def test_variance_falls_with_the_square_of_the_steps_but_for_random_input(tmp_path):
    needed("matplotlib")
    _, *rows = run(EXAMPLES / "error_against_steps.py", cwd=tmp_path).splitlines()
    values = {(row[:24].strip(), row[24:33].strip()): row[33:].split() for row in rows}
    powers = {label: float(row[-1].removeprefix("T^")) for (label, what), row in values.items() if what == "variance"}
    assert powers["constant, start at 0"] < -1.8
    assert powers["constant, start at 1/2"] < -1.8
    assert -1.2 < powers["Poisson"] < -0.8
    biases = {label: [float(b) for b in row] for (label, what), row in values.items() if what == "bias"}
    for bias, steps in zip(biases["constant, start at 0"], (8, 16, 32, 64, 128, 256), strict=True):
        assert abs(bias + 0.5 / steps) < 0.1 / steps, "half a spike too low"
    assert max(abs(b) * t for b, t in zip(biases["constant, start at 1/2"], (8, 16, 32, 64), strict=False)) < 0.1
    assert [path.name for path in tmp_path.iterdir()] == ["error_against_steps.png"]


def test_a_recurrent_network_keeps_its_accuracy(tmp_path):
    needed("sklearn")
    original, *rows = run(EXAMPLES / "recurrent_digits.py", cwd=tmp_path).splitlines()
    expected = float(original.split("\t")[1].rstrip(" %"))
    assert expected >= 93
    assert len(rows) == 4
    for row in rows:
        lost = expected - float(row.split("\t")[2].rstrip(" %"))  # of 360 digits some are won, by chance
        assert -2 <= lost <= 1, row
    assert list(tmp_path.iterdir()) == []


def test_a_transformer_keeps_its_accuracy_the_better_the_more_digits(tmp_path):
    needed("sklearn")
    code = f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); from digits_transformer import main"
    printed = run("-c", f"{code}; main({str(tmp_path)!r}, epochs=30, samples=150, digits=(3, 6))", cwd=tmp_path)
    parameters, _, original, *rows = printed.splitlines()
    assert parameters == "26,538 parameters"
    right, fewer, more = (float(line.split("\t")[1].rstrip(" %")) for line in (original, *rows))
    assert right > 75
    assert fewer > right - 20
    assert more > right - 4
    same = [float(row.split("\t")[2].rstrip(" %")) for row in rows]
    assert same[0] < same[1] > 94
    assert [path.name for path in tmp_path.iterdir()] == ["digits_transformer.pt2"]


def test_cells_with_gates_keep_their_accuracy_the_better_the_more_digits(tmp_path):
    needed("sklearn")
    code = f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); from digits_lstm import main"
    settings = "epochs=15, samples=100, digits=(3, 5), kinds=('LSTM',)"
    _, original, *rows = run("-c", f"{code}; main({str(tmp_path)!r}, {settings})", cwd=tmp_path).splitlines()
    right, fewer, more = (float(line.split("\t")[1].rstrip(" %")) for line in (original, *rows))
    assert right > 75
    assert fewer > right - 20
    assert more > right - 4
    same = [float(row.split("\t")[2].rstrip(" %")) for row in rows]
    assert same[0] <= same[1] > 94
    assert [path.name for path in tmp_path.iterdir()] == ["digits_lstm.pt2"]


def test_synapses_that_last_take_jitter_away(tmp_path):
    needed("matplotlib")
    _, *rows = run(EXAMPLES / "synaptic_filtering.py", cwd=tmp_path).splitlines()
    spread = {(int(row.split()[0]), row.split()[1]): [float(v) for v in row.split()[2:]] for row in rows}
    for jitter in (2, 4, 8):
        current, intervals = spread[jitter, "current"], spread[jitter, "intervals"]
        assert all(later < 0.7 * earlier for earlier, later in pairwise(current)), "each longer synapse damps more"
        assert intervals[-1] < intervals[0]
    assert spread[0, "current"][0] < 0.01 < spread[2, "current"][0] <= spread[8, "current"][0]
    assert [path.name for path in tmp_path.iterdir()] == ["synaptic_filtering.png"]


@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_digits_go_on_a_chip(network, tmp_path):
    arguments = ["--digits", "sklearn", "--network", network, "--epochs", "12", "--lanes", "1,4", "--samples", "2"]
    arguments += ["--target", "generic", "--synth-seconds", "0", "--output", tmp_path / "chip"]
    held, header, _, *rows = run(EXAMPLES / "mnist_fpga.py", *arguments, cwd=tmp_path).splitlines()
    original, spikes = (float(word.rstrip("%")) for word in held.split() if word.endswith("%"))
    assert spikes > original - 3 > 80
    assert "energy (estimate)" in header
    one, four = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)
    assert (one[0], four[0], one[1]) == ("1", "4", f"{spikes:.2f}%")
    assert sorted(path.name for path in (tmp_path / "chip").iterdir()) == [f"{network}_generic_{n}" for n in (1, 4)]
    if shutil.which("make") and shutil.which("iverilog"):
        assert int(four[5].replace(",", "")) < int(one[5].replace(",", ""))
