"""The schedules by name, and their neurons, from Python and from configurations: runs, refusals, reports."""

import json

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.scales import choose_scales
from snntoolbox.conversion.settle import settle
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.neurons import IF, Negative
from snntoolbox.workflow import demo
from snntoolbox.workflow.choices import recipe_of
from snntoolbox.workflow.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    demo.copy_to(folder)
    return folder


@pytest.fixture(scope="module")
def digits(folder):
    """The demo's graph, calibration samples, test samples."""
    graph = stb.load(folder / "digits_cnn.onnx")
    x_norm, x_test = (np.load(folder / f"{n}.npz")["arr_0"] for n in ("x_norm", "x_test"))
    return graph, x_norm[:100], x_test[:60]


def test_phased_in_python(digits):
    """T = 4 levels: all but a few predictions of the original, and exactly those of the quantised graph."""
    graph, x_norm, x = digits
    recipe = stb.Recipe(schedule="phased", threshold_rule="percentile", readout_correction=0, layer_correction="none")
    snn = stb.convert(graph, x_norm, recipe=recipe, duration=4)
    result = stb.simulate(snn, x, dtype="float64")
    assert result.steps == snn.schedule.steps
    assert result.steps == 4 * (1 + max(snn.depths[p] for p in snn.populations))

    lowered = lower(graph, recipe)
    scales = choose_scales(lowered, [x_norm], recipe)
    reference = stb.quantized_reference(lowered, scales, 4, [x])
    np.testing.assert_allclose(result.output, reference[lowered.outputs[0]], atol=1e-9)
    assert np.mean(result.predictions == graph.run(x).argmax(1)) >= 0.95


def test_a_phased_network_needs_its_duration(digits):
    graph, x_norm, x = digits
    with pytest.raises(ConversionError, match="duration=8"):
        stb.convert(graph, x_norm, schedule="phased")
    snn = stb.convert(graph, x_norm, schedule="phased", duration=2)
    with pytest.raises(ConversionError, match="windows of 2 ms, not 64"):
        stb.simulate(snn, x[:1], duration=64)


@pytest.mark.parametrize("correction", ["auto", "search", "potential", "steps"])
def test_a_correction_is_what_its_name_says(digits, correction):
    """What a phased network does to its layers is named, in the recipe and by who asks for it; all else is refused."""
    graph, x_norm, _ = digits
    choices = {"schedule": "phased", "layer_correction": correction, "duration": 2}
    if correction == "steps":
        for call in (stb.convert, stb.tune):
            with pytest.raises(ConversionError, match=r"steps does not go with(.|\n)*auto or search or potential or"):
                call(graph, x_norm, **choices)
        return
    lowered = lower(graph, stb.Recipe(schedule="phased", layer_correction=correction))
    settled = settle(lowered, [x_norm], stb.Recipe(schedule="phased", layer_correction=correction), 2.0)
    assert settled.recipe.layer_correction in (("search", "potential") if correction == "auto" else (correction,))
    starts = [p.neuron.initial for p in stb.convert(graph, x_norm, **choices).populations.values()]
    uncorrected = stb.convert(graph, x_norm, **{**choices, "layer_correction": "none"})
    plain = [p.neuron.initial for p in uncorrected.populations.values()]
    assert any(np.any(a != b) for a, b in zip(starts, plain, strict=True))


def test_a_correction_that_lacks_something_is_named(digits, caplog):
    graph, x_norm, _ = digits
    stb.convert(graph, x_norm, layer_correction="steps")
    assert "layer_correction = steps needs a duration: no layer is corrected" in caplog.text


@pytest.mark.parametrize("schedule", ["phased", "radix", "first-spike", "differential"])
def test_the_output_is_corrected_without_forgetting_steps(digits, schedule):
    """The mean error on calibration samples is taken off; nothing is forgotten, as every spike counts."""
    graph, x_norm, _ = digits
    snn = stb.convert(graph, x_norm, schedule=schedule, duration=2)
    assert snn.readouts[0].start == 0
    error = stb.simulate(snn, x_norm, duration=2).output - graph.run(x_norm)
    assert np.abs(error.mean(axis=0)).max() < 1e-4


def test_a_saved_network_knows_its_schedule(digits, tmp_path):
    graph, x_norm, x = digits
    snn = stb.convert(graph, x_norm, schedule="phased", duration=2)
    again = stb.load_network(stb.save(snn, tmp_path / "snn"))
    np.testing.assert_array_equal(stb.simulate(again, x[:5]).output, stb.simulate(snn, x[:5]).output)


def test_a_simulator_with_pulses_alone_gets_pulses(digits):
    """NEST has no windows: on the grid it gets pulses, and spikes as the reference does with windows."""
    graph, x_norm, x = digits
    nest = backend_named("nest")
    snn = stb.convert(graph, x_norm, schedule="phased", duration=2, weight_bits=8)
    held = legalized(snn, nest, [x])
    assert not nest.capabilities.missing(held)
    assert nest.capabilities.missing(snn)
    steps = snn.schedule.steps
    expected, found = interpret(snn, x[:3], steps=steps), interpret(held, x[:3], steps=steps)
    np.testing.assert_array_equal(found.output, expected.output)
    assert held.encodings["x" if "x" in held.encodings else next(iter(held.encodings))].largest >= np.abs(x).max()
    assert legalized(snn, backend_named("INI"), [x]) is snn, "one with windows keeps them"


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"schedule": "fast"}, "none of rate, phased, radix, first-spike, recurrent, differential"),
        ({"schedule": "phased", "neuron": IF(leak=0.5)}, "without leak"),
        ({"schedule": "differential", "neuron": IF(refractory=1)}, "refractory"),
        ({"schedule": "phased", "neuron": IF(negative=Negative.MEMORY)}, "plain spikes"),
        ({"schedule": "differential", "weight_bits": 8}, "whole numbers of thresholds"),
        ({"neuron": IF(levels=(1.0, 0.5)), "weight_bits": 8}, "whole numbers of thresholds"),
        ({"neuron": IF(saturation=(-1, 2)), "weight_bits": 8}, "weight_bits needs neurons without limits"),
    ],
)
def test_choices_that_exclude_one_another(choices, message):
    with pytest.raises(ConversionError, match=message):
        stb.Recipe(**choices)


def test_gates_are_refused_before_thresholds_are_chosen(digits):
    graph, x_norm, _ = digits
    with pytest.raises(UnsupportedError, match=r"gate(.|\n)*relu_tree"):
        stb.convert(graph, x_norm, schedule="phased", duration=4, max_pool="gate")


def test_bursts_of_whole_levels_can_be_quantised(digits):
    graph, x_norm, x = digits
    snn = stb.convert(graph, x_norm, neuron=IF(initial=0.5, levels=(1.0, 2.0), negative=Negative.MEMORY), duration=8)
    result = stb.simulate(Quantize(12)(snn), x, duration=8)
    assert np.mean(result.predictions == graph.run(x).argmax(1)) >= 0.95


# -- by configuration -----------------------------------------------------------------------------------------------


def run(folder, **keys):
    """The exit code of a short run and its report."""
    base = {"simulation.num_to_test": 40, "simulation.duration": 4, "normalization.num_samples": 60}
    changes = [a for k, v in {**base, **keys}.items() for a in ("--set", f"{k}={v}")]
    code = main(["run", str(folder / "demo_onnx.ini"), *changes])
    return code, json.loads((folder / "log" / "demo_onnx" / "report.json").read_text()) if not code else {}


# schedule: (latency in steps, samples per step with one membrane, with two, share of right answers)
RUNS = {
    "rate": (4, 1 / 4, 1 / 4, 0.85),
    "phased": (28, 1 / 16, 1 / 12, 0.95),
    "radix": (28, 1 / 16, 1 / 12, 0.95),
    "first-spike": (28, 1 / 16, 1 / 12, 0.95),
    "differential": (4, 1 / 4, 1 / 4, 0.95),
}


@pytest.mark.parametrize("schedule", RUNS)
def test_a_schedule_by_configuration(folder, schedule):
    code, report = run(folder, **{"conversion.schedule": schedule})
    latency, one, two, accuracy = RUNS[schedule]
    assert code == 0
    assert report["latency_steps"] == latency
    assert report["throughput"] == {"one_membrane": one, "two_membranes": two}
    assert len(report["snn_accuracy_per_step"]) == latency
    assert report["snn_accuracy"] >= accuracy


def test_an_early_exit_by_configuration(folder, capsys):
    code, report = run(folder, **{"simulation.early_exit": 0.95, "simulation.duration": 16})
    assert code == 0
    found = report["early_exit"]
    assert set(found) == {"target", "assured", "margin", "mean_steps", "agreement", "accuracy"}
    assert found["assured"] < 0.95, "30 samples cannot be sure of it"
    assert any("assure no more than" in w for w in report["warnings"])
    assert found["agreement"] >= 0.9
    assert found["mean_steps"] < 10
    assert "early" in capsys.readouterr().out.lower()


@pytest.mark.long
def test_an_early_exit_is_the_same_on_workers(folder):
    pytest.importorskip("distributed")
    keys = {"simulation.early_exit": 0.9, "simulation.duration": 8, "simulation.batch_size": 10}
    alone, spread = (run(folder, **keys, **{"simulation.workers": n})[1]["early_exit"] for n in (0, 2))
    assert alone == spread
    assert alone["mean_steps"] < 8


def test_neurons_by_configuration(folder):
    code, report = run(folder, **{"cell.spikes": "signed", "cell.levels": "[1, 0.5]", "output.log_vars": "{'all'}"})
    assert code == 0
    assert report["snn_accuracy"] > 0.9
    with np.load(next((folder / "log" / "demo_onnx" / "log_vars").glob("*.npz"))) as logged:
        trains = [logged[k] for k in logged.files if k.startswith("spiketrains")]
    assert set(np.unique(np.concatenate([t.ravel() for t in trains]))) <= {-1.0, -0.5, 0.0, 0.5, 1.0}


def test_a_pattern_is_digits(folder):
    """The same run as by the schedule's own name, and another with other digits."""
    names = ("snn_accuracy", "spikes_per_layer", "snn_accuracy_per_step")
    runs = ({"conversion.spike_code": "temporal_pattern", "conversion.num_bits": bits} for bits in (5, 2))
    keys = [*runs, {"conversion.schedule": "radix", "simulation.duration": 5}]
    pattern, coarse, radix = ([report[name] for name in names] for _, report in (run(folder, **k) for k in keys))
    assert pattern == radix
    assert pattern[0] > 0.9
    assert pattern != coarse


REFUSED = {
    "signed on nest": ({"cell.spikes": "signed", "simulation.simulator": "nest"}, "signed spikes"),
    "levels on nest": ({"cell.levels": "[1, 2]", "simulation.simulator": "nest"}, "spikes that carry values"),
    "float windows on nest": ({"conversion.schedule": "phased", "simulation.simulator": "nest"}, "weight_bits = 8"),
    "digits on nest": (
        {"conversion.schedule": "radix", "conversion.weight_bits": 8, "simulation.simulator": "nest"},
        "steps that are binary digits (radix windows)",
    ),
    "a step for each of 64 digits": ({"conversion.schedule": "radix", "simulation.duration": 64}, "64 are too many"),
    "random digits": (
        {"conversion.schedule": "radix", "input.poisson_input": True}, "constant-current or binary-digit input"
    ),
    "first spikes on nest": (
        {"conversion.schedule": "first-spike", "conversion.weight_bits": 8, "simulation.simulator": "nest"},
        "spikes that count by their time (first-spike windows)",
    ),
    "first spikes on hardware": (
        {"conversion.spike_code": "ttfs", "conversion.weight_bits": 8, "simulation.simulator": "verilog"},
        "first-spike windows",
    ),
    "random first spikes": (
        {"conversion.schedule": "first-spike", "input.poisson_input": True},
        "needs constant-current or latency input",
    ),
    "latency by digits": (
        {"conversion.schedule": "radix", "input.latency_input": True},
        "constant-current or binary-digit input",
    ),
    "digits at a rate": ({"input.digit_input": True}, "(schedule = radix), not schedule = rate"),
    "digits in phases": (
        {"conversion.schedule": "phased", "input.digit_input": True},
        "(schedule = radix), not schedule = phased",
    ),
    "latency by changes": (
        {"conversion.schedule": "differential", "input.latency_input": True},
        "constant-current input",
    ),
    "a code and another schedule": (
        {"conversion.spike_code": "ttfs", "conversion.schedule": "phased"},
        "ttfs: is schedule = first-spike",
    ),
    "gate": ({"conversion.schedule": "phased", "conversion.maxpool_type": "gate"}, "relu_tree"),
    "levels and bits": ({"cell.levels": "[1, 0.5]", "conversion.weight_bits": 8}, "whole numbers"),
    "level twice": ({"cell.levels": "[1, 1]"}, "different numbers above 0"),
    "no level": ({"cell.levels": "[]"}, "different numbers above 0"),
    "negative level": ({"cell.levels": "[1, -1]"}, "different numbers above 0"),
    "more than all": ({"simulation.early_exit": 1.5}, "early_exit"),
    "phased, other correction": (
        {"conversion.schedule": "phased", "conversion.layer_correction": "steps"},
        "layer_correction = steps does not go with schedule = phased",
    ),
    "differential, correction": (
        {"conversion.schedule": "differential", "conversion.layer_correction": "bias"},
        "layer_correction = bias does not go with schedule = differential",
    ),
}


@pytest.mark.parametrize(("keys", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_before_long_work(folder, capsys, monkeypatch, keys, message):
    """With exit code 2, a message and no conversion begun."""
    monkeypatch.setattr("snntoolbox.workflow.preparation.settle", None)
    code, _ = run(folder, **keys)
    assert code == 2
    assert message in capsys.readouterr().err


def test_settings_reach_the_recipe(folder):
    from snntoolbox.workflow.config.load import load_config

    settings = load_config(folder / "demo_onnx.ini", ["cell.spikes=signed", "cell.levels=[2, 1]"])
    recipe = recipe_of(settings, 1.0, (0.0, 1.0))
    assert recipe.neuron.negative is Negative.MEMORY
    assert recipe.neuron.levels == (2.0, 1.0)
    assert recipe.schedule == "rate"
