"""The table of the SNN Toolbox's keys: it names all of them, and none is accepted and ignored."""

import sys
from pathlib import Path

import pytest

from snntoolbox.workflow.config.key import Refused
from snntoolbox.workflow.config.refusals import UNUSED_SECTIONS, refused
from snntoolbox.workflow.config.schema import keys

sys.path.append("benchmarks")
BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")

OURS = {
    "conversion.bias",
    *("input.latency_input", "input.latency_steps", "input.digit_input", "simulation.architecture"),
    *("input.head", "input.class_axis", "input.scored_output", "conversion.recipe", "conversion.readout"),
    *("input.class_place", "input.input_shape", "input.input_tensor", "input.constant_inputs"),
    "input.converter_python",
    *("conversion.initial_potential", "conversion.threshold_scope", "conversion.threshold_rule"),
    *("conversion.avgpool_neurons", "conversion.approximate", "conversion.schedule", "conversion.layer_correction"),
    *("conversion.correction_samples", "conversion.readout_correction", "conversion.weight_bits"),
    *("conversion.bits", "conversion.products", "conversion.neurons_per_value"),
    *("conversion.allowed_loss", "conversion.most_neurons"),
    *("simulation.early_exit", "simulation.device", "simulation.workers", "simulation.scheduler"),
    *("simulation.chunk", "simulation.engine", "simulation.seed", "cell.levels", "cell.spikes", "output.diagnosis"),
    "cell.v_limits",
    *("lava.python", "spinnaker.board", "spinnaker.python"),
}
"""Keys that the toolbox has not."""


@pytest.fixture(scope="module")
def toolbox_keys():
    """The module of the benchmark."""
    sys.path.insert(0, BENCHMARKS)
    import toolbox_keys as module

    sys.path.remove(BENCHMARKS)
    return module


@pytest.fixture(scope="module")
def folder(toolbox_keys, tmp_path_factory):
    place = tmp_path_factory.mktemp("keys")
    toolbox_keys.prepare(place)
    return place


def test_every_key_is_there(toolbox_keys):
    tried = {key.partition(" ")[0] for key in toolbox_keys.CASES}
    assert refused().keys() <= tried
    assert set(UNUSED_SECTIONS) <= {key.partition(".")[0] for key in tried}
    assert tried - refused().keys() <= keys().keys() | {key for key in tried if key.split(".")[0] in UNUSED_SECTIONS}
    assert {key for key in keys().keys() - tried if not keys()[key].saved} <= OURS | {"normalization.headroom"}


SOME = {
    "simulation.duration": ("works", "spikes_per_layer: "),
    "input.datagen_kwargs": ("works", "spikes_per_layer: "),
    "cell.binarize_weights": ("works", "spikes_per_layer: "),
    "output.overwrite": ("works", "exit code: 0 -> 2"),
    "conversion.append_softmax": ("works", "agreement_per_step: "),
    "cell.cm": ("no effect", "it cancels"),
    "tools.convert": ("works", "recipe: "),
}


@pytest.mark.parametrize("key", SOME)
def test_what_became_of_some(toolbox_keys, folder, key):
    kind, words = SOME[key]
    became = toolbox_keys.outcome(key, folder)
    assert (became.kind, words in became.what) == (kind, True), became


def test_a_key_that_is_ignored_is_found(toolbox_keys, monkeypatch, capsys):
    monkeypatch.setattr("snntoolbox.workflow.config.unused.refused", lambda: {
        **refused(), "cell.e_rev_E": Refused("cell", "e_rev_E", 0, "")
    })  # fmt: skip
    assert toolbox_keys.main(["--only", "cell.e_rev_E"]) == 1
    assert "ignored" in capsys.readouterr().out


@pytest.mark.long
def test_none_is_ignored(toolbox_keys, capsys):
    assert toolbox_keys.main([]) == 0, capsys.readouterr().out
