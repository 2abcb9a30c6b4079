"""Every story begins with `prepare`: what it gives, and when a story's check is asked."""

from dataclasses import FrozenInstanceError

import pytest

from snntoolbox.errors import ConfigError, ConversionError, UnsupportedError
from snntoolbox.workflow import demo
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.preparation import ALWAYS_REPORTED, prepare, resets_alone, runs_on
from snntoolbox.workflow.stories.run import run

SHORT = ["simulation.num_to_test=20", "simulation.duration=4", "normalization.num_samples=60"]


@pytest.fixture
def settings(tmp_path):
    config = demo.copy_to(tmp_path)
    return lambda *changes: load_config(config, [*SHORT, *changes])


def anything(network):
    """No check at all."""


def test_what_a_story_goes_on_with(settings):
    prepared = prepare(settings("conversion.weight_bits=8"), anything)
    assert set(ALWAYS_REPORTED) <= prepared.report.keys()
    assert prepared.report["seconds"] is prepared.journal.seconds
    assert list(prepared.journal.seconds) == ["parse", "evaluate", "convert"]
    assert prepared.report["ann_accuracy"] == prepared.report["parsed_accuracy"] == 1.0
    assert prepared.network.grid.weight_bits == prepared.recipe.weight_bits == 8
    assert prepared.unquantized.grid is None
    assert prepared.parsed_classes.shape == (20,)
    assert prepared.lowered.shapes.keys() >= {p.activation for p in prepared.network.populations.values()}
    with pytest.raises(FrozenInstanceError):
        prepared.network = None


def test_stages_that_are_off_leave_nothing(settings):
    prepared = prepare(settings("tools.convert=False", "tools.simulate=False", "tools.evaluate_ann=False"), anything)
    assert (prepared.network, prepared.unquantized, prepared.parsed_classes) == (None, None, None)
    assert prepared.recipe is not None
    assert list(prepared.journal.seconds) == ["parse"]


def test_the_check_is_asked_before_long_work_and_of_what_came_out(settings, monkeypatch):
    asked = []
    prepared = prepare(settings(), asked.append)
    assert asked[-1] is prepared.network
    assert len(asked) == 3
    assert asked[0].neurons == asked[1].neurons < asked[2].neurons / 100

    def refuse(network):
        raise UnsupportedError("a story", [])

    for long in ("open_inputs", "evaluated", "settle"):
        monkeypatch.setattr(f"snntoolbox.workflow.preparation.{long}", lambda *a: pytest.fail("it began"))
    with pytest.raises(UnsupportedError):
        prepare(settings(), refuse)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["conversion.readout=softmax"], ["read-out that draws spikes by a softmax", "max pooling by a gate"]),
        (["paths.filename_clamp_indices=clamps.json"], ["potentials held", "max pooling by a gate"]),
        (["conversion.maxpool_type=wta", "cell.delay=2"], ["a delay of its own", "a recurrent connection"]),
    ],
)
def test_all_that_a_simulator_cannot_is_named_before_a_model_is_opened(settings, tmp_path, monkeypatch, changes, told):
    (tmp_path / "clamps.json").write_text('{"0": 2}')
    chosen = settings("conversion.maxpool_type=fir_max", "simulation.simulator=verilog", "cell.leak=True", *changes)
    monkeypatch.setattr("snntoolbox.workflow.preparation.open_inputs", lambda *a: pytest.fail("it began"))
    with pytest.raises(UnsupportedError) as caught:
        prepare(chosen, runs_on(chosen))
    for words in ("leak", "weights that are not on an integer grid", *told):
        assert words in str(caught.value)


def test_a_saved_network_is_checked_too(settings):
    run(settings())
    asked = []
    prepared = prepare(settings("tools.convert=False"), asked.append)
    assert asked == [prepared.network]
    assert prepared.recipe is not None
    alone = prepare(settings("tools.convert=False", "tools.parse=False", "tools.evaluate_ann=False"), anything)
    assert alone.parsed_classes is None
    assert alone.report["model"] == "digits_cnn"


def test_a_simulator_refuses_what_it_cannot_run(settings):
    gate = settings("conversion.maxpool_type=gate")
    with pytest.raises(UnsupportedError, match="max pooling by a gate"):
        prepare(gate, runs_on(settings("simulation.simulator=nest")))
    assert prepare(gate, runs_on(settings("simulation.simulator=INI"))).network is not None


def test_films_are_refused_before_long_work(settings, monkeypatch):
    """By a simulator, by a schedule; and by what resets before each sample."""
    film = "simulation.reset_between_nth_sample=2"
    monkeypatch.setattr("snntoolbox.workflow.preparation.settle", lambda *a: pytest.fail("it began"))
    cases = {
        "simulation.simulator=nest": "sequences presented step by step",
        "conversion.schedule=phased": "schedule = phased",
    }
    for change, words in cases.items():
        chosen = settings(film, change)
        with pytest.raises(UnsupportedError, match=words):
            prepare(chosen, runs_on(chosen))
    with pytest.raises(ConfigError, match="early_exit ends each sample by itself"):
        prepare(settings(film, "simulation.early_exit=0.9"), anything)
    for number, alone in (("1", True), ("-1", False), ("3", False)):
        chosen = settings(f"simulation.reset_between_nth_sample={number}")
        if alone:
            resets_alone(chosen, "a search")
            continue
        with pytest.raises(ConfigError, match="a search resets before each sample"):
            resets_alone(chosen, "a search")


def test_a_film_of_all_samples(settings):
    """Other spikes than with resets, told that errors are not split; every frame has its prediction."""
    each, never = (run(settings(f"simulation.reset_between_nth_sample={n}")).report for n in (1, -1))
    assert never["samples"] == each["samples"] == 20
    assert never["spikes_per_layer"] != each["spikes_per_layer"]
    assert len(never["snn_accuracy_per_step"]) == len(each["snn_accuracy_per_step"]) == 4
    assert any("errors are not split" in text for text in never["warnings"])
    assert "diagnosis" in each
    assert "diagnosis" not in never


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["conversion.schedule=radix", "input.dataset_format=events"], "frames of the events"),
        (["conversion.schedule=phased", "cell.spikes=signed"], "spikes = unsigned"),
        (["conversion.schedule=recurrent", "conversion.weight_bits=8"], "weight_bits = 0"),
    ],
)
def test_choices_that_do_not_go_together_are_refused_before_anything_is_read(settings, monkeypatch, change, words):
    """And before anything is told."""
    monkeypatch.setattr("snntoolbox.workflow.preparation.open_inputs", lambda *a: pytest.fail("it began"))
    monkeypatch.setattr("snntoolbox.workflow.preparation.Journal", lambda *a: pytest.fail("it was told"))
    with pytest.raises(ConversionError) as caught:
        prepare(settings(*change), anything)
    assert words in caught.value.hint


def test_input_that_ends_early_is_named_where_networks_disagree(settings):
    poisson = ["input.poisson_input=True", "conversion.readout_correction=0", "conversion.layer_correction=none"]
    report = run(settings(*poisson, "input.num_poisson_events_per_sample=2")).report
    told = [text for text in report["warnings"] if "agrees with the original on only" in text]
    assert len(told) == 1
    assert "num_poisson_events_per_sample = 2 ends the input early" in told[0]
