"""Every story begins with `prepare`: what it gives, and when a story's check is asked."""

from dataclasses import FrozenInstanceError

import pytest

from snntoolbox.errors import UnsupportedError
from snntoolbox.workflow import demo
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.preparation import ALWAYS_REPORTED, prepare, runs_on
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
    assert prepared.parsed.shape == (20, 10)
    assert prepared.lowered.shapes.keys() >= {p.activation for p in prepared.network.populations.values()}
    with pytest.raises(FrozenInstanceError):
        prepared.network = None


def test_stages_that_are_off_leave_nothing(settings):
    prepared = prepare(settings("tools.convert=False", "tools.simulate=False", "tools.evaluate_ann=False"), anything)
    assert (prepared.network, prepared.unquantized, prepared.parsed) == (None, None, None)
    assert prepared.recipe is not None
    assert list(prepared.journal.seconds) == ["parse"]


def test_the_check_is_asked_before_long_work_and_of_what_came_out(settings, monkeypatch):
    asked = []
    prepared = prepare(settings(), asked.append)
    assert asked[-1] is prepared.network
    assert len(asked) == 2
    assert asked[0].neurons < asked[1].neurons / 100

    def refuse(network):
        raise UnsupportedError("a story", [])

    for long in ("evaluated", "settle"):
        monkeypatch.setattr(f"snntoolbox.workflow.preparation.{long}", lambda *a: pytest.fail("it began"))
    with pytest.raises(UnsupportedError):
        prepare(settings(), refuse)


def test_a_saved_network_is_checked_too(settings):
    run(settings())
    asked = []
    prepared = prepare(settings("tools.convert=False"), asked.append)
    assert asked == [prepared.network]
    assert prepared.recipe is not None
    alone = prepare(settings("tools.convert=False", "tools.parse=False", "tools.evaluate_ann=False"), anything)
    assert alone.parsed is None
    assert alone.report["model"] == "digits_cnn"


def test_a_simulator_refuses_what_it_cannot_run(settings):
    gate = settings("conversion.maxpool_type=gate")
    with pytest.raises(UnsupportedError, match="max pooling by a gate"):
        prepare(gate, runs_on("nest"))
    assert prepare(gate, runs_on("INI")).network is not None
