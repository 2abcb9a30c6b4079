"""The page of what survives where says of each target and feature what the capabilities say, once."""

from snntoolbox.ir import features as f
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.workflow.report.targets_page import targets_page

MEASURED = {
    "about": {
        **{"steps": 16, "command": "measure", "processor": "a chip"},
        **{"samples": 2, "samples replayed": 20, "digits": 9},
    },
    "ran": {"one": {"weights": "8 bits", "cells": 12345, "differ": 6}},
    "written": [{"target": "two", "weights": "8 bits", "goal": "equal spikes", "outcome": "passed"}],
    "importers": [{"importer": "L 1", "rules": "r", "settings": "s", "cells": 0.5, "classes": 0.25}],
    "settings": [{"setting": "`x = 1`", "right": 0.9, "agree": 0.8}],
}
SOME = Capabilities(
    features=frozenset({f.BIAS, f.RESET_SUBTRACT, f.RESET_ZERO, f.REFRACTORY.beside(f.RESET_ZERO)}),
    reasons={f.LEAK: "it never leaks"},
)


def test_each_feature_stands_once_in_the_section_of_a_target():
    text = targets_page({"one": SOME, "two.b": Capabilities()}, {"one": "runs", "two.b": "writes"}, MEASURED)
    section = text.partition("## one\n")[2].partition("## two.b\n")[0]
    exact = section.partition("Exact: ")[2].partition(".\n")[0]
    rows = {line.split(" | ")[0].strip("| "): line for line in section.splitlines() if line.startswith("| ")}
    assert set(rows) - {"feature"} | {r.name for r in f.FEATURES if f"{r.name}; " in f"{exact}; "} == {
        r.name for r in f.FEATURES
    }
    assert "reset by subtraction" in exact
    assert rows["leak"] == "| leak | refused | it never leaks | [cell] leak = False |"
    assert "exact with reset zero, else refused" in rows["refractory period"]
    assert "made otherwise" in rows["max pooling"]
    assert "maxpool_type = relu_tree" in rows["max pooling"]
    assert "## two.b" in text
    assert "[two.b](#twob) | writes" in text


def test_what_was_measured_stands_with_its_command():
    text = targets_page({"one": SOME}, {}, MEASURED)
    for told in ("`measure` on a chip", "| one | 8 bits | 12,345 | 6 |", "| two | 8 bits | equal spikes | passed |"):
        assert told in text
    assert "| L 1 | r | s | 50.00% | 25.0% |" in text
    assert "| `x = 1` | 90.0% | 80.0% |" in text
