"""`stb.tune` on a small network: what it holds back, what it finds, and what it refuses before any work."""

import time

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis import trials
from snntoolbox.analysis.tuning import tune as tuning
from snntoolbox.backends.simulate import simulate_batches
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.settle import settle
from snntoolbox.conversion.stages import spiking
from snntoolbox.errors import ArgumentError, ConversionError, DataError, SNNToolboxError, UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Dense, Input, Multiply, ReLU


def network(outputs=4):
    """Two hidden layers, and classes of about the same number of samples."""
    random = np.random.default_rng(3)
    x, last = random.random((200, 8)), random.normal(size=(outputs, 24))
    nodes = [
        Input(name="x", shape=(8,)),
        Dense(name="d1", inputs=("x",), weight=random.normal(size=(24, 8)), bias=random.normal(size=24)),
        ReLU(name="r1", inputs=("d1",)),
        Dense(name="d2", inputs=("r1",), weight=random.normal(size=(24, 24))),
        ReLU(name="r2", inputs=("d2",)),
    ]
    hidden = Graph(nodes, ["r2"]).run(x)
    nodes.append(Dense(name="out", inputs=("r2",), weight=last, bias=-(hidden @ last.T).mean(axis=0)))
    return Graph(nodes, ["out"]), x


pytestmark = pytest.mark.usefixtures("process_clock")

FEW = ("start", "correction", "readout", "pool")
"""Axes to keep, so that a search ends as soon as all is tried, and not with its budget."""


@pytest.fixture(scope="module")
def small():
    return network()


FAULTY = Recipe(
    neuron=IF(), threshold_rule="max", per_channel=False, layer_correction="none", readout_correction=0
)  # fmt: skip


@pytest.fixture(scope="module")
def found(small, process_clock):
    """A search from a poor recipe."""
    return stb.tune(*small, steps=[4, 8], recipe=FAULTY, budget=3)


def test_it_is_better_than_the_start_and_converts(small, found):
    graph, x = small
    assert found.start.candidate.steps == 8
    assert found.best.measured.outcome.agreement > found.start.measured.outcome.agreement
    assert found.best.costs in [t.costs for t in found.front]
    snn = stb.convert(graph, x, recipe=found.recipe, duration=found.duration)
    result = stb.simulate(snn, x, duration=found.duration)
    wanted = np.argmax(graph.run(x), axis=1)
    assert np.mean(result.predictions == wanted) > found.start.measured.outcome.agreement


def test_its_numbers_are_those_of_a_run(small, found):
    """What is measured for the best is what converting and simulating the same samples gives."""
    from snntoolbox.analysis.trials import Trials
    from snntoolbox.ir.operations import synaptic_operations

    graph, x = small
    trials = Trials(graph, [x], found.duration, found.recipe, most_held=tuning.HELD, most_fitted=tuning.FITTED)
    snn = stb.convert(graph, trials.fitted[0], recipe=found.recipe, duration=found.duration)
    result = stb.simulate(snn, trials.held[0], duration=found.duration)
    wanted = np.argmax(graph.run(trials.held[0]), axis=1)
    assert found.best.measured.outcome.agreement == np.mean(result.predictions == wanted)
    assert found.best.measured.operations == pytest.approx(synaptic_operations(snn, result.events))
    assert found.best.steps == result.steps
    assert found.best.samples == len(trials.held[0]) == 50
    assert found.fitted == len(trials.fitted[0]) == 150


def test_samples_that_score_never_choose_thresholds(small, monkeypatch):
    graph, x = small
    fitted, scored = set(), set()

    def settling(lowered, data, *rest):
        fitted.update(bytes(s) for s in data[0])
        return settle(lowered, data, *rest)

    def converting(lowered, settled, data, *rest):
        fitted.update(bytes(s) for s in data[0])
        return spiking(lowered, settled, data, *rest)

    def running(network, data, *rest, **choices):
        scored.update(bytes(s) for s in data[0])
        return simulate_batches(network, data, *rest, **choices)

    monkeypatch.setattr(trials, "settle", settling)
    monkeypatch.setattr(trials, "spiking", converting)
    monkeypatch.setattr(trials, "simulate_batches", running)
    stb.tune(graph, x, steps=[4], budget=1.5, keep=[*FEW, "coding"])
    assert fitted
    assert scored
    assert not fitted & scored
    assert fitted | scored <= {bytes(s) for s in x}


def test_the_time_is_bounded(small):
    found = stb.tune(*small, steps=[8], budget=0.7)
    assert found.seconds <= 0.7 + 1  # a machine may hang for a moment
    assert sum(found.untried.values()) == found.candidates - found.screened - len(found.failed)
    assert "left untried" in str(found).lower()
    assert max(map(len, str(found).splitlines())) <= 80


def test_a_budget_for_nothing_is_refused(small):
    words = r"no setting can be tried in 1e-06 seconds: the shortest trial, 8 steps on 48 samples should take about"
    with pytest.raises(ConversionError, match=words):
        stb.tune(*small, steps=[8], budget=1e-6)


def test_trials_that_are_too_long_are_not_begun(small, monkeypatch):
    """A million steps: short trials tell what they would take. Beside others they are named, alone refused."""
    longest, measured = [], trials.Trials.measured

    def measuring(self, recipe, duration):
        longest.append(duration * len(self.held[0]))
        return measured(self, recipe, duration)

    monkeypatch.setattr(trials.Trials, "measured", measuring)
    begin = time.process_time()
    words = r"1000000 steps on 48 samples should take about \d+ (minutes|hours|days)"
    with pytest.raises(ConversionError, match=words):
        stb.tune(*small, steps=[1_000_000], budget=2)
    assert time.process_time() - begin < 10
    assert 8 < max(longest) < 1e5 * 8
    found = stb.tune(*small, steps=[4, 1_000_000], budget=2)
    assert found.untried[1_000_000] > 100
    assert "at 1000000 steps" in str(found)
    assert {t.candidate.steps for t in found.trials} == {4}


def test_a_target_that_is_not_reached_is_told(small):
    found = stb.tune(*small, steps=[1], budget=1, operations=1, keep=[*FEW, "coding"])
    assert not found.reached
    assert "NOT REACHED" in str(found)


@pytest.mark.long
def test_phased_takes_its_latency_as_steps(small):
    found = stb.tune(*small, steps=[4], budget=3, schedule="phased")
    phased = [t for t in found.trials if t.candidate.chosen["coding"] == "phased"]
    assert phased
    assert {t.steps for t in phased} == {12}


def test_early_exit_counts_the_mean_steps(small):
    found = stb.tune(*small, steps=[32], budget=2, early_exit=0.9, keep=[*FEW, "coding"])
    assert all(1 <= t.steps < 32 for t in found.trials)
    assert found.start.steps < 24


def test_other_outputs_are_judged_by_their_error():
    found = stb.tune(*network(outputs=1), steps=[8], budget=1.5, keep=[*FEW, "coding"])
    assert found.best.measured.outcome.agreement is None
    assert 0 < found.best.loss < 1
    assert "error" in str(found)


def test_axes_can_be_kept(small):
    found = stb.tune(*small, steps=[4], budget=1, keep=[*FEW, "coding", "rule"], threshold_rule="ltb")
    assert {(t.candidate.chosen["coding"], t.candidate.chosen["rule"]) for t in found.trials} == {("plain", "ltb")}
    assert len({t.candidate.chosen["scope"] for t in found.trials}) == 2
    stays = stb.tune(*small, steps=[4], budget=1, keep=[*FEW, "coding", "rule"])
    assert {t.candidate.chosen["rule"] for t in stays.trials} == {"auto"}
    assert stays.changes["threshold_rule"] == "auto"


def test_what_the_simulator_cannot_run_is_left_out(small):
    found = stb.tune(*small, steps=[4], budget=1, simulator="nest", keep=FEW)
    others = (*CODINGS_OF_PRODUCTS, "recurrent", "signed", "several levels", "differential")
    assert set(found.left_out) == {f"coding {name}" for name in others}
    assert "nest cannot run signed spikes" in found.left_out["coding signed"]
    assert {t.candidate.chosen["coding"] for t in found.trials} == {"plain"}


def test_steps_of_a_sequence_are_not_tried_where_nothing_recurs(small):
    found = stb.tune(*small, steps=[4], budget=1, keep=[*FEW, "rule", "scope"])
    assert found.left_out == {"coding recurrent": "no layer that recurs from step to step"}


@pytest.mark.parametrize("duration", [8, 100])
def test_by_default_steps_are_halved_from_the_duration(duration):
    found = tuning.chosen_steps([], duration, Recipe())
    assert found == [duration // 8, duration // 4, duration // 2, duration]
    assert tuning.chosen_steps([16, 8, 16], duration, Recipe()) == [8, 16]
    assert tuning.chosen_steps([], 1, Recipe()) == [1]
    assert tuning.chosen_steps([], 6, Recipe(schedule="radix")) == [3, 4, 5, 6]
    with pytest.raises(ConversionError, match="17 are too many"):
        tuning.chosen_steps([17], 6, Recipe(schedule="radix"))


def test_latency_throughput_and_spikes_are_costs(small):
    """A phased network answers later and takes samples less often; one of digits less so, at as many levels."""
    graph, x = small
    measuring = trials.Trials(graph, [x], 15.0, Recipe())
    durations = {"rate": 15.0, "phased": 15.0, "radix": 4.0}
    found = {s: measuring.measured(Recipe(schedule=s), duration) for s, duration in durations.items()}
    layers = found["phased"].outcome.steps // 15
    assert {s: m.outcome.steps for s, m in found.items()} == {"rate": 15, "phased": 15 * layers, "radix": 4 * layers}
    assert {s: m.interval for s, m in found.items()} == {"rate": 15, "phased": 30, "radix": 8}
    assert found["phased"].spikes > found["radix"].spikes > 0


def test_more_neurons_for_each_value_reach_what_one_misses_in_as_many_steps(small):
    graph, x = small
    choices = {"schedule": "radix", "keep": [*FEW, "coding", "rule", "scope"], "steps": [2], "budget": 60}
    found = {t.candidate.chosen["neurons"]: t for t in stb.tune(graph, x, agreement=1.0, **choices).trials}
    assert {n: t.measured.neurons for n, t in found.items()} == {"1": 48, "2": 96, "4": 192}
    assert len({t.steps for t in found.values()}) == 1
    errors = [found[n].measured.outcome.output_error for n in ("1", "2", "4")]
    assert errors == sorted(errors, reverse=True)
    losses = [found[n].loss for n in ("1", "2", "4")]
    assert max(losses[1:]) < losses[0]
    enough = stb.tune(graph, x, agreement=1 - min(losses), **choices)
    assert enough.reached
    assert enough.changes["neurons_per_value"] > 1
    assert {t["neurons"] for t in enough.data()["front"]} <= {48, 96, 192}
    easy = stb.tune(graph, x, agreement=1 - losses[0], **choices)
    assert {t.candidate.chosen["neurons"] for t in easy.trials} == {"1"}
    assert easy.candidates == easy.screened == 1
    assert not easy.untried
    assert not easy.never


REFUSED = {
    "few samples": ({"data": slice(0, 10)}, DataError, "too few"),
    "steps": ({"steps": [0]}, ConversionError, "whole number"),
    "agreement": ({"agreement": 1.5}, ConversionError, "agreement = 1.5 is not"),
    "operations": ({"operations": 0}, ConversionError, "not above 0"),
    "budget": ({"budget": 0}, ConversionError, "budget"),
    "exit": ({"early_exit": 2}, ConversionError, "early_exit = 2 is not"),
    "axis": ({"keep": ["codings"]}, ConversionError, "unknown axis"),
    "choice": ({"percent": 3}, ConversionError, "percent"),
    "no thresholds": ({"normalize": False}, ConversionError, "normalize"),
    "kept": ({"simulator": "nest", "keep": ["coding"], "schedule": "phased"}, ConversionError, "not possible: nest"),
    "simulator": ({"simulator": "nest", "neuron": IF(reset=Reset.MODULO)}, UnsupportedError, "modulo"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_any_trial(case, small, monkeypatch):
    choices, kind, text = REFUSED[case]
    graph, x = small
    monkeypatch.setattr(tuning, "search", lambda *a: pytest.fail("it began"))
    choices = dict(choices)
    with pytest.raises(kind, match=text):
        stb.tune(graph, x[choices.pop("data", slice(None))], **choices)


def test_no_data_and_no_graph(small):
    with pytest.raises(DataError, match="calibration"):
        stb.tune(small[0], None)
    with pytest.raises(ArgumentError, match="is no Graph"):
        stb.tune("model.onnx", small[1])


def test_an_agreement_needs_classes():
    graph, x = network(outputs=1)
    with pytest.raises(SNNToolboxError, match="says no classes"):
        stb.tune(graph, x, agreement=0.9)


CODINGS_OF_PRODUCTS = ("phased", "radix", "radix+6", "radix+8", "first-spike")


def test_codings_without_products_are_left_out():
    random = np.random.default_rng(3)
    nodes = [
        Input(name="x", shape=(4,)),
        Dense(name="d", inputs=("x",), weight=random.normal(size=(3, 4))),
        ReLU(name="r", inputs=("d",)),
        Multiply(name="y", inputs=("d", "r")),
    ]
    found = stb.tune(Graph(nodes, ["y"]), random.normal(size=(40, 4)), steps=[2], schedule="phased", budget=1)
    assert "product of two activations" in found.left_out["coding plain"]
    assert all(t.candidate.chosen["coding"] in CODINGS_OF_PRODUCTS for t in found.trials)
