"""The analogue network on the test set: its outputs, those of the original, and what a report says of them."""

import numpy as np
import pytest

from snntoolbox.errors import GraphError, NoReferenceError
from snntoolbox.ir.head import Head
from snntoolbox.workflow import demo
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.evaluation import Scores, evaluated
from snntoolbox.workflow.inputs import open_inputs


@pytest.fixture
def inputs(tmp_path):
    """A function from changes to what a run works on, and the list of what it is warned of."""
    config = demo.copy_to(tmp_path)
    warnings = []

    def opened(*changes):
        settings = load_config(config, ["simulation.num_to_test=20", "simulation.batch_size=8", *changes])
        return open_inputs(settings, warnings.append), warnings

    return opened


def test_the_graph_and_the_original_are_run(inputs):
    opened, warnings = inputs()
    done = []
    found = evaluated(opened, opened.graph, done.append)
    assert done == [8, 8, 4]
    assert found.classes.tolist() == opened.test.y.tolist()
    assert found.report["parsed_accuracy"] == found.report["ann_accuracy"] == 1.0
    assert found.report["parsed_difference"] < 1e-5
    assert warnings == []


def test_the_best_of_several(inputs):
    opened, _ = inputs("simulation.top_k=10")
    found = evaluated(opened, opened.graph, lambda n: None).report
    assert found["parsed_accuracy_top_k"] == found["ann_accuracy_top_k"] == 1.0


def test_an_original_that_cannot_be_run_is_told_once(inputs, monkeypatch):
    opened, warnings = inputs()
    calls = []

    def fail(model, x):
        calls.append(len(x))
        raise NoReferenceError("no runtime")

    monkeypatch.setattr(opened.frontend, "predict", fail)
    found = evaluated(opened, opened.graph, lambda n: None)
    assert calls == [8]
    assert warnings == ["no runtime: parsing was checked for shapes and weights only"]
    assert found.report.keys() == {"parsed_accuracy"}
    assert len(found.classes) == 20


def test_an_original_that_differs_stops(inputs, monkeypatch):
    opened, _ = inputs()
    predict = opened.frontend.predict
    monkeypatch.setattr(opened.frontend, "predict", lambda model, x: tuple(y * 1.001 for y in predict(model, x)))
    with pytest.raises(GraphError, match="differs from the original"):
        evaluated(opened, opened.graph, lambda n: None)


CLASSES = Head(kind="classes")


def scored(test, outputs, k=1):
    """Scores of outputs that come one by one."""
    scores = Scores(test, CLASSES, k)
    for one in outputs:
        scores.add(one[None])
    return scores


def test_accuracy_is_of_the_samples_that_are_there():
    test = Dataset.of(np.zeros((3, 2)), np.array([0, 1, 1]))
    outputs = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert scored(test, outputs).accuracies("a") == {"a": 0.5}
    assert scored(test, outputs).error is None
    assert scored(test, outputs, 2).accuracies("a") == {"a": 0.5, "a_top_k": 1.0}
    assert scored(Dataset(np.zeros((3, 2))), outputs, 2).accuracies("a") == {"a": None, "a_top_k": None}
    targets = Dataset(np.zeros((3, 2)), np.zeros((3, 2)), regression=True)
    assert scored(targets, outputs).accuracies("a") == {"a": None}
    assert scored(targets, outputs).error == {"rmse": pytest.approx(0.5**0.5), "largest": 1.0}
