"""What a run draws: how pictures name layers."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.ir.drawing import canvas, plots
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Origin
from snntoolbox.ir.nodes import Input, ReLU
from snntoolbox.workflow.collecting import Batch
from snntoolbox.workflow.report.recording import Recorder

LAYERS = ("raster", "potentials", "rate_maps", "activation_maps", "rates_against_activations", "histograms")
DRAWN = frozenset(
    ("spiketrains", "v_mem", "spikerates", "activations", "correlation", "hist_spikerates_activations", "spikecounts")
)


@pytest.mark.parametrize("simple", [True, False])
def test_labels_of_layers(tmp_path, monkeypatch, simple):
    """Simply, or with the shape and, where it is known, the type: on every picture."""
    origin = Origin("onnx", "Relu", "r1")
    hidden = ReLU(name="hidden", inputs=("x",), origin=origin)
    graph = Graph([Input(name="x", shape=(2, 5, 5)), hidden], ["hidden"])
    x = np.ones((2, 2, 5, 5), np.float32)
    network = stb.convert(graph, x)
    recorder = Recorder(network, tmp_path, frozenset(), DRAWN, simple_labels=simple)
    result = stb.simulate(network, x, duration=4, record=recorder.record)
    recorder.add(Batch(x, result, {"hidden": np.ones((2, 2, 5, 5))}))
    named = []
    for name in LAYERS:
        monkeypatch.setattr(plots, name, lambda *given: named.append([v for v in given if isinstance(v, str)]))
    for name in ("correlations", "spike_counts"):
        monkeypatch.setattr(plots, name, lambda values, *more: named.append(list(values)))
    monkeypatch.setattr(canvas, "save_if_possible", lambda draw, path, warn: draw())
    about = dict.fromkeys(("error_per_step", "ann_accuracy", "ann_operations"))
    about["confusion"] = lambda classes: None
    recorder.plot(pytest.fail, **about, correlations={"hidden": 1.0})
    assert named == [["hidden" if simple else "hidden (onnx Relu, 2x5x5)"]] * (len(LAYERS) + 2)
