"""The pages of comparisons, sweeps, searches and hardware projects, from data."""

from dataclasses import replace

import numpy as np
import pytest
from pages import whole

from snntoolbox.analysis.comparison.comparison import Cause, Comparison, Divergence, Membrane, Side, Status
from snntoolbox.workflow.config.load import model_settings
from snntoolbox.workflow.report.html.compare_page import compare_page
from snntoolbox.workflow.report.html.deploy_page import deploy_page
from snntoolbox.workflow.report.html.front import front_chart, on_front
from snntoolbox.workflow.report.html.sweep_page import sweep_page
from snntoolbox.workflow.report.html.tune_page import tune_page

NAME = "<script>x</script>"
MEMBRANES = (
    Membrane(previous=0.5, before=1.25, after=0.25, spiked=True),
    Membrane(previous=0.5, before=0.75, after=None, spiked=False),
)


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "m.onnx").touch()
    return model_settings(tmp_path / "m.onnx", [])


def text_of(page):
    reader = whole(page)
    assert reader.tags.count("script") == 1
    return " ".join(" ".join(reader.texts).split())


def test_a_comparison_shows_both_membranes(settings):
    spikes, cells = {NAME: 12.0}, {NAME: 100}
    first = Divergence(
        population=NAME, layer=NAME, neuron=3, position=(0, 3), sample=1, step=5, threshold=1.0, reference=MEMBRANES[0],
        simulator=MEMBRANES[1], cause=Cause.ROUNDING, departs=("other",), evidence="Currents differ by 1e-7.",
    )  # fmt: skip
    sides = (
        Side(simulator="INI", status=Status.RAN, samples=4, accuracy=0.75, spikes=spikes, cells=cells),
        Side(simulator="other", status=Status.RAN, samples=4, agreement=0.5, spikes=spikes, differing={NAME: 7},
             cells=cells, compared=4, divergence=first),
        Side(simulator="third", status=Status.MISSING, reason="it is not installed"),
    )  # fmt: skip
    comparison = Comparison(
        model=NAME, reference="INI", samples=4, steps=8, duration=8.0, weight_bits=0, layers={NAME: "of the model"},
        sides=sides,
    )  # fmt: skip
    report = {"versions": {"numpy": "1"}, "seconds": {"compare": 1.0}}
    page = compare_page(comparison, report, settings, "/a b/config.ini")
    shown = text_of(page)
    for words in ("by rounding alone", "7 of 100", "1.25", "0.75", "not known", "neuron 3", "it is not installed"):
        assert words in shown
    assert "snntoolbox compare '/a b/config.ini' --simulators INI,other,third --samples 4" in shown
    assert page.count('class="chart"') == 1
    alone = replace(comparison, sides=sides[2:], reference="")
    assert "Nothing could be compared" in text_of(compare_page(alone, report, settings, "c"))


def report(operations, accuracy=None, error=None):
    seconds = {"simulate": 1.5}
    return {"snn_accuracy": accuracy, "snn_error": error, "synaptic_operations": operations, "duration": 8,
            "agreement": accuracy, "seconds": seconds}  # fmt: skip


@pytest.mark.parametrize("kind", ["accuracy", "error", "nothing"])
def test_a_sweep_links_to_each_run(kind, settings):
    given = {"accuracy": {"accuracy": 0.9}, "error": {"error": {"rmse": 0.25}}, "nothing": {}}[kind]
    reports = [report(100, **given), report(None if kind == "nothing" else 400, **given)]
    page = sweep_page(["cell.v_thresh", NAME], [(1.0, NAME), (2.0, "b")], ["one", "t w?"], reports, settings)
    reader, shown = whole(page), text_of(page)
    links = [value for tag, name, value in reader.attributes if (tag, name) == ("a", "href")]
    assert {"one/report.html", "t%20w%3F/report.html"} <= set(links)
    assert {"accuracy": "90.00%", "error": "rmse 0.25", "nothing": "-"}[kind] in shown
    assert page.count('class="chart"') == (kind != "nothing")


def trial(agreement, steps, operations):
    return {"duration_steps": steps, "choices": {"rule": NAME}, "agreement": agreement, "output_error": 0.125,
            "mean_steps": float(steps), "steps_between_samples": float(steps), "synaptic_operations": operations,
            "spikes": operations / 10, "neurons": 6784, "samples": 30, "seconds": 1.0}  # fmt: skip


@pytest.mark.parametrize("reached", [True, False])
@pytest.mark.parametrize("agreement", [0.96875, None])
def test_a_search_names_the_best(reached, agreement, settings):
    trials = [trial(agreement, 4, 1000.0), trial(agreement, 16, 5000.0)]
    data = {
        "target": {"agreement": 0.99, "operations": None}, "reached": reached, "trials": trials, "front": trials[:1],
        "best": {**trials[0], "settings": {"cell.v_thresh": 2.0}}, "start": trials[1], "screened": 2, "candidates": 9,
        "samples": {"held_back": 30}, "seconds": 3.2, "left_out": {NAME: "it takes long"}, "failed": {},
    }  # fmt: skip
    page = tune_page(data, settings, "/a b/tuned.ini")
    shown = text_of(page)
    assert ("96.88%" if agreement else "12.50%") in shown
    assert ("NOT REACHED" in shown) != reached
    for words in ("cell.v_thresh = 2.0", "snntoolbox run '/a b/tuned.ini'", "16 before", "it takes long"):
        assert words in shown
    assert "6,784" in shown
    assert page.count('class="chart"') == 5


def test_hardware_says_what_it_takes():
    device = {"luts": 4000, "flipflops": 8000, "blocks": 30, "dsps": 0}
    checks = [
        {"goal": "lint", "outcome": "passed", "why": "", "seconds": 0.5},
        {"goal": "synth", "outcome": "failed", "why": NAME, "seconds": 2.0},
    ]
    layer = {"name": NAME, "neurons": 5, "bits": 9, "lanes": 1, "spikes": None, "arriving": 3.0, "busy": 44.0}
    data = {
        "network": NAME, "target": "ice40", "device": device, "checks": checks, "layers": [layer], "steps": 4,
        "resources": {"luts": 1000, "flipflops": 500, "blocks": 3, "dsps": 0}, "routed_mhz": 51.26, "clock_mhz": 12.0,
        "microseconds": 81.0, "samples_per_second": 12345.6, "energy_estimated": {"joules": 1.5e-5, "watts": 0.18},
        "weight_bits": 8, "accuracy": {"samples": 9, "ann": 1.0, "snn": 0.875, "parsed": None},
    }  # fmt: skip
    shown = text_of(deploy_page(data))
    for words in ("1 of 2", "25%", "51.3 MHz", "81.0 µs", "12,346", "15 µJ", "87.50%", "synth: failed", "44"):
        assert words in shown
    unknown = ("resources", "device", "microseconds", "routed_mhz", "energy_estimated")
    bare = {**data, **dict.fromkeys(unknown), "accuracy": {}}
    assert "Resources" not in text_of(deploy_page(bare))


def test_what_nothing_beats():
    costs, losses = np.array([1.0, 2, 2, 3, 1]), np.array([0.5, 0.2, 0.3, 0.2, 0.5])
    assert on_front(costs, losses).tolist() == [True, True, False, False, True]


@pytest.mark.parametrize("values", [[1.0, 1.0], [0.2, 0.9], [0.0, 0.0]])
@pytest.mark.parametrize("costs", [[1.0, 1.0], [3.0, 900.0], [0.0, 5.0]])
@pytest.mark.parametrize("least", [True, False])
def test_runs_lie_on_the_sheet(values, costs, least):
    chart = front_chart("cost", costs, "quality", values, ["a", "b"], least=least)
    for x, y, _ in chart.points:
        assert chart.across.start <= x <= chart.across.end
        assert chart.up.end <= y <= chart.up.start
