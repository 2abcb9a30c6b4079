"""The quantised run of a phased network: what it takes.

That it is equal is seen in tests/conversion/schedules/test_fire_in_turn.py.
"""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.engine.quantized import QuantizedRun
from snntoolbox.errors import ConversionError
from snntoolbox.ir.encodings import Poisson
from snntoolbox.ir.nodes import Dense, Input, ReLU

CASES = {
    "schedule = phased, radix or first-spike": {},
    "constant currents": {"schedule": "phased", "encoding": Poisson(amplitude=1.0)},
    "integer grid": {"schedule": "phased", "weight_bits": 8},
}


@pytest.mark.parametrize(("message", "choices"), CASES.items())
def test_networks_without_a_quantised_one_are_refused(message, choices):
    random = np.random.default_rng(0)
    layers = [Input(name="x", shape=(4,)), Dense(name="d", inputs=("x",), weight=random.normal(size=(3, 4)))]
    layers += [ReLU(name="r", inputs=("d",)), Dense(name="o", inputs=("r",), weight=random.normal(size=(2, 3)))]
    network = stb.convert(stb.Graph(layers, ["o"]), random.random((20, 4)), duration=4, **choices)
    with pytest.raises(ConversionError, match=message):
        QuantizedRun(network)
