"""Models that other people trained give identical rasters on every simulator, once they are on the integer grid.

The models are not part of the repository: see tests/test_zoo.py.
"""

import importlib.util
import os
from pathlib import Path

import pytest

from snntoolbox.analysis.comparison.compare import compare
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.load import simplify
from snntoolbox.conversion.stages import convert
from snntoolbox.frontends.registry import frontend_named

FOLDER = Path(os.environ.get("SNNTOOLBOX_ZOO", Path(__file__).parents[3] / "shared"))
STEPS = 32
BITS = 8

CASES = {
    "lenet": ("onnx_mnist_lenet_torch13", 10, ["brian2", "nest", "pynn.nest", "pynn.neuron"]),
    "sinabs": ("torch_sinabs_mnist_avgpool", 10, ["brian2", "nest", "pynn.nest"]),
    # Every synapse of NEURON is an object of Python: five million take about 10 s to build and 10 s for each sample.
    "sinabs on NEURON": ("torch_sinabs_mnist_avgpool", 2, ["pynn.neuron"]),
}

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not (FOLDER / "zoo.py").is_file(), reason=f"there is no zoo of models in {FOLDER}"),
]


@pytest.fixture(scope="module")
def zoo():
    spec = importlib.util.spec_from_file_location("model_zoo", FOLDER / "zoo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "samples", "simulators"), CASES.values(), ids=CASES)
def test_rasters_are_identical(name, samples, simulators, zoo):
    sample = zoo.sample(name, samples)
    frontend = frontend_named(sample.framework)
    graph = simplify(frontend.parse(frontend.open(sample.file)))
    network = convert(graph, sample.x_cal, duration=STEPS, weight_bits=BITS)
    here = [n for n in simulators if os.environ.get("CI") or backend_named(n).capabilities.installed()]
    found = compare(
        network,
        sample.x_test,
        simulators=["INI", *here],
        duration=STEPS,
        labels=sample.y_test[:samples],
        predictions=sample.pred[:samples],
    )
    for side in found.sides:
        assert (side.status, side.samples, side.differing_cells) == ("ran", samples, 0), side
        assert side.ann_agreement >= 0.9
        assert sum(side.spikes.values()) > 1000
    assert found.equal
