"""Collectors take in a run batch by batch; what they report does not depend on the batches."""

from collections.abc import Mapping

import numpy as np
import pytest

from snntoolbox.analysis.diagnosis.observer import Observer
from snntoolbox.backends.simulate import simulate_batches
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.stages import convert
from snntoolbox.engine.executor import Executor
from snntoolbox.errors import DiedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.result import ExitRule, Record
from snntoolbox.ir.structure import source_supports
from snntoolbox.workflow.collecting import (
    DIAGNOSED,
    Batch,
    Diagnosing,
    EarlyExits,
    EnginePaths,
    Operations,
    OutputDifferences,
    Outputs,
    Populations,
    collect,
)
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.report.recording import Recorder

SAMPLES, STEPS = 12, 6


@pytest.fixture(scope="module")
def lowered():
    random = np.random.default_rng(0)
    nodes = [
        Input(name="x", shape=(5,)),
        Dense(name="d", inputs=("x",), weight=random.normal(size=(8, 5))),
        ReLU(name="r", inputs=("d",)),
        Dense(name="y", inputs=("r",), weight=random.normal(size=(3, 8))),
    ]
    return lower(Graph(nodes, ["y"]), Recipe())


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(1).random((SAMPLES, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def network(lowered, samples):
    return convert(lowered, samples, weight_bits=8, layer_correction="none")


@pytest.fixture(scope="module")
def batches(lowered, samples, network):
    """A function from the size of a batch to the batches of a run."""

    def of(size):
        executor, done = Executor(lowered), 0
        for result in simulate_batches(network, samples, STEPS, "INI", size, Record(spikes=True)):
            x = samples[done : done + result.samples]
            yield Batch(x, result, executor.values(x, keep=["r", *lowered.outputs]))
            done += result.samples

    return of


@pytest.fixture(scope="module")
def test_set(lowered, samples):
    return Dataset.of(samples, Executor(lowered).run(samples).argmax(axis=1))


def collectors(lowered, network, test_set, folder):
    """One of each kind: a new one is listed here."""
    parsed = Executor(lowered).run(test_set.x).argmax(axis=1)
    rule = ExitRule(margin=0.1, agreement=0.9, assured=0.9, samples=5)
    return [
        Populations(network),
        OutputDifferences(lowered.outputs),
        Diagnosing(Observer(network, lowered)),
        EarlyExits(rule, test_set),
        Operations(network, lowered),
        EnginePaths(),
        Outputs(test_set, parsed, head=CLASSES, top_k=1),
        Recorder(network, folder, frozenset({"input_b_l_t"}), frozenset()),
    ]


def leaves(value):
    """The numbers and names in a report."""
    if isinstance(value, Mapping):
        for name in sorted(value):
            yield name
            yield from leaves(value[name])
    elif isinstance(value, list | tuple | np.ndarray):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def test_reports_do_not_depend_on_the_batches(batches, lowered, network, test_set, tmp_path):
    reports = []
    for size in (SAMPLES, 5):
        (tmp_path / str(size)).mkdir()
        found = collectors(lowered, network, test_set, tmp_path / str(size))
        assert collect(batches(size), found) is None
        reports.append([collector.report() for collector in found])
    whole, parts = ([list(leaves(report)) for report in both] for both in reports)
    for one, other in zip(whole, parts, strict=True):
        assert [type(a) for a in one] == [type(b) for b in other]
        numbers = [(a, b) for a, b in zip(one, other, strict=True) if isinstance(a, float | np.floating)]
        assert [a for a, _ in numbers] == pytest.approx([b for _, b in numbers], rel=1e-6, nan_ok=True)
        assert [a for a in one if not isinstance(a, float)] == [b for b in other if not isinstance(b, float)]
    keys = [key for report in reports[0] for key in report]
    assert len(keys) == len(set(keys)), "each part of a report has one collector"


def test_every_collector_gets_every_batch_in_order(batches):
    class Seen:
        def __init__(self):
            self.samples = []

        def add(self, batch):
            self.samples.append(len(batch.x))

    first, second = Seen(), Seen()
    assert collect(batches(5), [first, second]) is None
    assert first.samples == second.samples == [5, 5, 2]


def dying(batches, after):
    for number, batch in enumerate(batches):
        if number == after:
            raise DiedError("gone")
        yield batch


def test_a_simulator_that_dies_leaves_what_it_finished(batches, network, test_set):
    outputs = Outputs(test_set, None, head=CLASSES, top_k=1)
    failure = collect(dying(batches(5), 2), [outputs])
    assert failure.message == "gone"
    assert outputs.samples == 10
    assert outputs.confusion(3).sum() == 10
    with pytest.raises(DiedError, match="gone"):
        collect(dying(batches(5), 0), [outputs])


def test_enough_samples_are_diagnosed(batches, lowered, network, monkeypatch):
    assert DIAGNOSED == 500
    monkeypatch.setattr("snntoolbox.workflow.collecting.DIAGNOSED", 4)
    diagnosing = Diagnosing(Observer(network, lowered))
    collect(batches(3), [diagnosing])
    assert diagnosing.report()["diagnosis"]["samples"] == 6


CLASSES = Head(kind="classes")

KINDS = {
    "labels": ({}, {"snn_accuracy", "snn_accuracy_per_step", "agreement", "agreement_per_step"}),
    "no labels": ({"y": None}, {"agreement", "agreement_per_step"}),
    "no parsed network": ({"parsed": None}, {"snn_accuracy", "snn_accuracy_per_step"}),
    "targets": ({"y": np.zeros((SAMPLES, 3), np.float32), "regression": True, "parsed": None}, {"snn_error"}),
    "no classes": ({"y": np.zeros((SAMPLES, 3)), "regression": True, "head": Head(), "parsed": None}, {"snn_error"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_outputs_are_held_against(kind, batches, lowered, test_set):
    changes, keys = KINDS[kind]
    parsed = Executor(lowered).run(test_set.x).argmax(axis=1)
    held = {"y": test_set.y, "parsed": parsed, "head": CLASSES, "regression": False}
    held |= changes
    test = Dataset(test_set.x, held["y"], held["regression"])
    outputs = Outputs(test, held["parsed"], head=held["head"], top_k=1)
    collect(batches(5), [outputs])
    assert outputs.report().keys() == keys
    assert (outputs.confusion(3) is not None) == ("snn_accuracy" in keys)


def test_top_k_counts_what_is_among_the_best(batches, test_set):
    outputs = Outputs(test_set, None, head=CLASSES, top_k=3)
    collect(batches(5), [outputs])
    found = outputs.report()
    assert found["snn_accuracy_top_k"] == 1.0
    assert found["snn_accuracy"] == found["snn_accuracy_per_step"][-1]


def test_a_run_works_out_once_who_reaches_whom(network, batches, monkeypatch):
    asked = []
    told = lambda of: asked.append(of) or source_supports(of)  # noqa: E731
    monkeypatch.setattr("snntoolbox.ir.operations.source_supports", told)
    operations = Operations(network.replaced(), None)
    for batch in batches(5):
        operations.add(batch)
    assert operations.report()["synaptic_operations"] > 0
    assert len(asked) == 1
