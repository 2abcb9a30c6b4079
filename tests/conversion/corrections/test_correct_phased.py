"""Start potentials of phased networks: by hand, that the error falls, and that the network stays its quantised one."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.corrections.correct_phased import CorrectPhased
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.engine.quantized import QuantizedRun
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.workflow import demo


def one(levels=None):
    """x -> relu, scale 1, as it is read out."""
    nodes = [Input(name="x", shape=(1,)), Dense(name="d", inputs=("x",), weight=np.ones((1, 1)))]
    nodes.append(ReLU(name="r", inputs=("d",), levels=levels, max_value=1.0 if levels else None))
    return Graph([*nodes, Dense(name="o", inputs=("r",), weight=np.ones((1, 1)))], ["o"])


# value of all samples, T -> the change of V0 in thresholds: T x + 1/2 + d is to be floored to the nearest of T x
CASES = [(0.25, 4, 0.0), (0.3, 2, 0.0), (0.2, 2, 0.0), (3.0, 2, 0.0)]


@pytest.mark.parametrize(("value", "window", "shift"), CASES)
def test_what_is_rounded_well_is_left_alone(value, window, shift):
    graph = one()
    network = Convert()(graph, {"r": np.ones(1)})
    corrected = CorrectPhased(FireInTurn(window))(network, graph, [np.full((20, 1), value)])
    assert float(np.ravel(corrected.populations["r"].neuron.initial)[0]) == 0.5 + shift


def test_activations_that_gather_at_one_side_of_a_level_are_shifted():
    """With V0 = 0 each of them loses its fraction: 1.6 and 1.9 of T = 4 levels are floored to 1, 0.75 too few."""
    from snntoolbox.ir.neurons import IF

    graph = one()
    network = Convert(neuron=IF(initial=0.0))(graph, {"r": np.ones(1)})
    x = np.tile([[1.6 / 4], [1.9 / 4]], (20, 1))
    corrected = CorrectPhased(FireInTurn(4))(network, graph, [x])
    assert float(np.ravel(corrected.populations["r"].neuron.initial)[0]) == pytest.approx(0.75)
    assert CorrectPhased(FireInTurn(4))(network, graph, [x[:10]]) is network, "so few say nothing"
    finer = CorrectPhased(FireInTurn(9))(network, graph, [x])  # of 3.6 and 4.275 levels
    assert float(np.ravel(finer.populations["r"].neuron.initial)[0]) == pytest.approx((0.6 + 0.275) / 2)


def test_a_search_finds_what_a_mean_error_is_too_small_for():
    """With V0 = 0 one value in ten, 0.6 levels, is floored to 0: a tenth of its error, taken off twice, is no help."""
    from snntoolbox.ir.neurons import IF

    graph = one()
    network = Convert(neuron=IF(initial=0.0))(graph, {"r": np.ones(1)})
    x = np.tile([[0.6 / 4], *[[0.05 / 4]] * 9], (4, 1))
    for search, shift in ((False, 0.0), (True, 0.5)):
        corrected = CorrectPhased(FireInTurn(4), search)(network, graph, [x])
        assert float(np.ravel(corrected.populations["r"].neuron.initial)[0]) == shift


def test_rectifiers_that_were_trained_with_levels_stay():
    graph = one(levels=4)
    network = Convert()(graph, {"r": np.ones(1)})
    corrected = CorrectPhased(FireInTurn(3))(network, graph, [np.full((20, 1), 0.9 / 3)])
    assert float(np.ravel(corrected.populations["r"].neuron.initial)[0]) == 0.5


def test_the_error_falls_and_the_network_equals_its_quantised_one():
    graph = stb.load(demo.folder() / demo.MODELS["onnx"])
    cal, x = (np.load(demo.folder() / n)["arr_0"] for n in ("x_norm.npz", "x_test.npz"))
    found = {}
    for correction in ("none", "auto"):
        snn = stb.convert(graph, cal, duration=2, schedule="phased", readout_correction=0, layer_correction=correction)
        result = stb.simulate(snn, x[:20], dtype="float64")
        for name, counts in QuantizedRun(snn).counts([x[:20]]).items():
            np.testing.assert_array_equal(result.counts[name], counts)
        lowered = lower(graph, Recipe())
        found[correction] = np.mean((QuantizedRun(snn).outputs([x])[0] - lowered.run(x)) ** 2)
    assert found["auto"] < 0.9 * found["none"]
