"""Slips that would otherwise change a result without a word."""

import shutil

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.simulate import simulate
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.stages import convert
from snntoolbox.conversion.thresholds.thresholds import PercentileThresholds
from snntoolbox.errors import ConfigError, ConversionError, DataError, FrontendError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.neurons import IF, MaxGate
from snntoolbox.ir.nodes import Add, Dense, Input, MaxPool, ReLU
from snntoolbox.ir.result import Result
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main


def mlp():
    rng = np.random.default_rng(0)
    nodes = [
        Input(name="x", shape=(6,)),
        Dense(name="d", inputs=("x",), weight=rng.normal(size=(8, 6))),
        ReLU(name="r", inputs=("d",)),
        Dense(name="out", inputs=("r",), weight=rng.normal(size=(3, 8))),
    ]
    return Graph(nodes, ["out"])


CHOICES = [
    {"percentile": 0},
    {"percentile": 101},
    {"readout": "spike"},
    {"max_pool": "avg"},
    {"weight_bits": 1},
    {"weight_bits": 17},
    {"weight_bits": 2.5},
    {"approximate": "gelu"},
    {"approximate": {"relu"}},
    {"dt": 0},
    {"batch_size": 0},
    {"readout_correction": -1},
    {"input_range": (1, 0)},
    {"percentil": 99},
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_impossible_choices_are_refused(choice):
    with pytest.raises(ConversionError, match=next(iter(choice))):
        convert(mlp(), np.ones((4, 6)), **choice)


@pytest.mark.parametrize(
    "fields", [{"threshold": 0}, {"threshold": -1.0}, {"leak": 2.0}, {"leak": 0}, {"refractory": -1}]
)
def test_impossible_neurons_are_refused(fields):
    with pytest.raises(ConversionError, match=next(iter(fields))):
        IF(**fields)


def test_what_is_no_model_is_not_converted():
    with pytest.raises(FrontendError, match="no frontend takes an object"):
        convert(object(), np.ones((4, 6)))


def test_no_batches():
    with pytest.raises(DataError, match="batch_size"):
        simulate(convert(mlp(), np.ones((4, 6))), np.ones((2, 6)), batch_size=0)


def test_poisson_input_that_would_be_cut_off():
    network = convert(mlp(), np.ones((4, 6)), encoding=stb.Poisson(amplitude=1.0))
    simulate(network, np.ones((2, 6)), duration=4)
    with pytest.raises(DataError, match=r"amplitude 1.*up to 3"):
        simulate(network, 3 * np.ones((2, 6)), duration=4)


def test_weights_alone_need_the_range_of_the_input():
    graph, x = mlp(), np.random.default_rng(1).normal(scale=40, size=(50, 6))
    wide = convert(graph, input_range=(float(x.min()), float(x.max())))
    result = simulate(wide, x, duration=1024)
    assert np.mean(result.predictions == graph.run(x).argmax(1)) > 0.95


def result(values):
    values = np.asarray(values, float)
    return Result(steps=1, samples=len(values), counts={}, outputs={"y": values}, outputs_per_step={"y": values[None]})


def test_a_silent_output_is_no_class():
    found = result([[0, 0, 0], [0, 2, 1]])
    np.testing.assert_array_equal(found.predictions, [-1, 1])
    np.testing.assert_array_equal(found.predictions_per_step, [[-1, 1]])
    assert found.accuracy(np.array([0, 1])) == 0.5


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0], [0, 0.5], [True, False]], ids=str)
def test_impossible_labels(labels):
    with pytest.raises(DataError, match=r"from 0 to 2|True and False, but there are 3"):
        result([[1, 0, 0], [0, 2, 1]]).accuracy(np.array(labels))


def test_a_map_is_no_class():
    with pytest.raises(DataError, match="no class"):
        _ = result(np.zeros((2, 3, 4, 4))).predictions


def pools():
    geometry = {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    nodes = [
        Input(name="x", shape=(1, 8, 8)),
        Dense(name="c", inputs=("x",), weight=np.ones((2, 1)), axis=0),
        ReLU(name="r", inputs=("c",)),
        MaxPool(name="gated", inputs=("r",), **geometry),
        Add(name="a", inputs=("gated", "gated")),
        MaxPool(name="tree", inputs=("a",), **geometry),
    ]
    return Graph(nodes, ["tree"])


def test_a_pool_that_no_gate_can_do_becomes_a_tree(caplog):
    lowered = lower(pools(), Recipe(max_pool="gate"))
    assert "gated" in lowered.nodes
    assert "tree" not in lowered.nodes
    assert "tree" in caplog.text
    network = convert(pools(), np.random.default_rng(0).random((20, 1, 8, 8)), max_pool="gate")
    assert [p.name for p in network.populations.values() if isinstance(p.neuron, MaxGate)] == ["gated"]


def test_rounding_errors_are_no_activations():
    nodes = [
        Input(name="x", shape=(4,)),
        Dense(name="d1", inputs=("x",), weight=np.eye(4)),
        ReLU(name="r1", inputs=("d1",)),
        Dense(name="d2", inputs=("r1",), weight=1e-9 * np.eye(4)),
        ReLU(name="r2", inputs=("d2",)),
    ]
    scales = PercentileThresholds()(Graph(nodes, ["r2"]), [np.random.default_rng(0).random((50, 4), np.float32)])
    assert np.all(scales["r2"] == 1)


def run(folder, **keys):
    overrides = [part for name, value in keys.items() for part in ("--set", f"{name.replace('__', '.')}={value}")]
    short = ["--set", "simulation.num_to_test=20", "--set", "simulation.duration=8"]
    return main([str(folder / "demo_onnx.ini"), *short, *overrides])


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """The demo and what a run of it has left."""
    folder = tmp_path_factory.mktemp("converted")
    demo.copy_to(folder)
    assert run(folder) == 0
    return folder


@pytest.fixture
def workspace(converted, tmp_path):
    return shutil.copytree(converted, tmp_path, dirs_exist_ok=True)


RELOAD = {"tools__parse": False, "tools__convert": False}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cell__reset", "zero"),
        ("conversion__weight_bits", 8),
        ("input__poisson_input", True),
        ("conversion__readout", "spikes"),
    ],
)
def test_a_saved_network_is_not_run_as_another(workspace, capsys, key, value):
    assert run(workspace, **RELOAD, **{key: value}) == 2
    message = capsys.readouterr().err
    assert key.replace("__", ".") in message
    assert "convert = True" in message


def test_another_duration_than_the_read_out_was_corrected_for(workspace, capsys):
    assert run(workspace, **RELOAD, simulation__duration=16) == 0
    assert "fitted to a run of 8 ms, not 16 ms" in capsys.readouterr().err


def test_data_scaled_in_two_ways(workspace, capsys):
    np.savez(workspace / "x_norm.npz", 255 * np.load(workspace / "x_norm.npz")["arr_0"])
    assert run(workspace) == 0
    assert "scaled in the same way" in capsys.readouterr().err


def test_a_saved_network_knows_the_scale_of_its_calibration(workspace, capsys):
    np.savez(workspace / "x_test.npz", 255 * np.load(workspace / "x_test.npz")["arr_0"])
    (workspace / "x_norm.npz").unlink()
    assert run(workspace, **RELOAD) == 0
    assert "scaled in the same way" in capsys.readouterr().err


def test_config_errors_are_config_errors():
    assert issubclass(ConfigError, stb.SNNToolboxError)
