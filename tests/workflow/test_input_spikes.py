"""A run that ends after so many spikes of its input."""

import json

import numpy as np
import pytest

from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.input_spikes import steps_within


@pytest.mark.parametrize(("most", "steps"), [(1, 3), (2, 3), (3, 5), (4, 7), (36, 49), (60, 50)])
def test_counted_as_values_add_up(most, steps):
    assert steps_within(np.array([[0.5, 0.25], [-0.5, 0.25]]), most, 50) == steps


def test_a_run_lasts_one_step_at_least():
    assert steps_within(np.ones((1, 5)), 2, 50) == 1


def run(config, *settings):
    short = ["simulation.num_to_test=10", "normalization.num_samples=60", "conversion.layer_correction=none"]
    chosen = [*short, *settings]
    assert main([str(config), *(part for text in chosen for part in ("--set", text))]) == 0
    return json.loads(next(config.parent.glob("log/*/report.json")).read_text())


@pytest.mark.parametrize("dt", [1, 0.5])
def test_a_run_is_that_of_the_shorter_duration(dt, tmp_path):
    config = demo.copy_to(tmp_path)
    whole = run(config, "simulation.duration=16", f"simulation.dt={dt}")
    cut = run(config, "simulation.duration=16", f"simulation.dt={dt}", "input.max_num_input_spikes=60")
    assert 1 <= cut["duration"] < whole["duration"] == 16
    assert any("max_num_input_spikes = 60" in text for text in cut["warnings"])
    short = run(config, f"simulation.duration={cut['duration']}", f"simulation.dt={dt}")
    assert cut["spikes_per_layer"] == short["spikes_per_layer"]


@pytest.mark.parametrize(
    ("setting", "why"),
    [("poisson_input = True", "poisson_input"), ("dataset_format = events", "dataset_format"),
     ("\n[conversion]\nschedule = phased", "schedule"),
     ("\n[conversion]\nspike_code = ttfs", "schedule = first-spike")],
)  # fmt: skip
def test_where_nothing_is_counted_it_is_told(setting, why, tmp_path):
    text = f"[paths]\nfilename_ann = n\n[input]\nmax_num_input_spikes = 9\n{setting}\n"
    (tmp_path / "c.ini").write_text(text)
    told = [t for t in load_config(tmp_path / "c.ini").without_effect if "max_num_input_spikes" in t]
    assert why in told[0]
