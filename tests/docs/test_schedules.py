"""The figures of the demo in the page about schedules are those that come out."""

import json
import re

import pytest
from doc_pages import text_of

from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main

PAGE = text_of("docs/schedules.md")
ROW = re.compile(r"^\| (`[^|]+`[^|]*)\| ([\d.]+) % \| ([\d,]+) \| ([\d.]+) % \| ([\d,]+) \|$", re.MULTILINE)
ROWS = {row[0].strip(): row[1:] for row in ROW.findall(PAGE)}


def reported(folder, settings):
    config = demo.copy_to(folder, "onnx")
    chosen = [word for setting in settings for word in ("--set", setting)]
    assert main(["run", str(config), *chosen, "--set", "paths.runlabel=it"]) == 0
    return json.loads((folder / "log" / "it" / "report.json").read_text())


def test_all_rows_are_seen():
    assert len(ROWS) == 5


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("steps", [2, 4])
@pytest.mark.long
def test_accuracy_and_operations(row, steps, tmp_path):
    report = reported(tmp_path, [*re.findall(r"`([^`]+)`", row), f"simulation.duration={steps}"])
    accuracy, operations = ROWS[row][:2] if steps == 2 else ROWS[row][2:]
    assert f"{100 * report['snn_accuracy']:.1f}" == accuracy
    assert f"{report['synaptic_operations']:,.0f}" == operations


def test_early_exit(tmp_path):
    found = reported(tmp_path, ["simulation.duration=32", "simulation.early_exit=0.99"])["early_exit"]
    said = re.search(r"Early exit: ([\d.]+) steps on average, the prediction after all steps on ([\d.]+)%", PAGE)
    assert said.groups() == (f"{found['mean_steps']:.1f}", f"{100 * found['agreement']:.1f}")


def test_an_early_exit_for_less(tmp_path):
    found = reported(tmp_path, ["simulation.early_exit=0.95"])["early_exit"]
    said = re.search(r"`--set simulation.early_exit=0.95`\) is ([\d.]+) % in ([\d.]+) steps", PAGE)
    assert said.groups() == (f"{100 * found['agreement']:.1f}", f"{found['mean_steps']:.1f}")
