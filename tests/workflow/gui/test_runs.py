"""Two runs side by side: what they measured, and in which settings they differ."""

import json

import pytest

from snntoolbox.workflow.gui.folder import WorkFolder
from snntoolbox.workflow.gui.runs import differing, measured, names_of


def wrote(folder, name, duration, **report):
    there = folder / "log" / name
    there.mkdir(parents=True)
    (there / "report.html").write_text("page")
    (there / "report.json").write_text(json.dumps({"samples": 100, "seconds": {"a": 1.25}, **report}))
    (there / "config.ini").write_text(f"[paths]\nrunlabel = {name}\n[simulation]\nduration = {duration}\ndt = 1\n")
    return f"log/{name}/report.html"


def test_figures_and_settings_that_differ(tmp_path):
    left = wrote(tmp_path, "a", 8, snn_accuracy=0.5, synaptic_operations=12345.6)
    right = wrote(tmp_path, "b", 16, snn_accuracy=0.75)
    assert measured(WorkFolder(tmp_path), left, right) == [
        ("accuracy of the spiking network", "50.00%", "75.00%"),
        ("samples", "100", "100"),
        ("operations per sample", "12,346", "-"),
        ("seconds", "1.2", "1.2"),
    ]
    assert differing(WorkFolder(tmp_path), left, right) == [("simulation.duration", "8", "16")]


def test_a_run_without_a_report_has_none(tmp_path):
    pages = "log/a/report.html", "log/b/report.html"
    assert measured(WorkFolder(tmp_path), *pages) == differing(WorkFolder(tmp_path), *pages) == []


@pytest.mark.parametrize(
    ("left", "right", "names"),
    [
        ("demo/log/a/report.html", "demo/log/b/report.html", ("a", "b")),
        ("demo/log/a/report.html", "demo/log/a/report.html", ("a", "a")),
        ("one/log/a/report.html", "two/log/a/report.html", ("one/log/a", "two/log/a")),
        ("log/a/report.html", "log/a/b/report.html", ("a", "a/b")),
        ("report.html", "chip/report.html", ("report.html", "chip")),
    ],
)
def test_runs_are_called_by_what_tells_them_apart(left, right, names):
    assert names_of(left, right) == names
