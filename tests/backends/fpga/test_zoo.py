"""Models that other people trained, deployed: exact in both simulators, and as accurate as before.

They are not part of the repository: SNNTOOLBOX_ZOO names their folder, by default ``shared`` beside the checkout.
"""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

import snntoolbox as stb
from snntoolbox.conversion.load import simplify
from snntoolbox.frontends.registry import frontend_named

FOLDER = Path(os.environ.get("SNNTOOLBOX_ZOO", Path(__file__).parents[4] / "shared"))
STEPS, FEW = 16, 2
"""Steps of the accuracy, and of the simulations in Verilog: Icarus takes ten minutes for 16 steps of three samples."""
# samples that are simulated in Verilog, samples and share for the accuracy, None where it is not promised
MODELS = {"onnx_mnist_lenet_torch13": (3, 1000, 0.003), "onnx_cifar_resnet2b": (3, 100, None)}

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not (FOLDER / "zoo.py").is_file(), reason=f"there is no zoo of models in {FOLDER}"),
    pytest.mark.skipif(
        not all(map(shutil.which, ("make", "verilator", "iverilog"))) and os.environ.get("CI") != "true",
        reason="no simulators",  # in CI a missing one fails
    ),
]


@pytest.fixture(scope="module")
def zoo():
    spec = importlib.util.spec_from_file_location("model_zoo", FOLDER / "zoo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", MODELS)
def test_is_exact_in_both_simulators(name, zoo, tmp_path):
    count, judged, points = MODELS[name]
    sample = zoo.sample(name, 1000)
    frontend = frontend_named(sample.framework)
    graph = simplify(frontend.parse(frontend.open(sample.file)))
    net = stb.convert(graph, sample.x_cal[:1000], duration=STEPS, weight_bits=8)
    if points is not None:
        x, y = sample.x_test[:judged], sample.y_test[:judged]
        float_accuracy = (sample.pred[:judged] == y).mean()
        assert stb.simulate(net, x, duration=STEPS).accuracy(y) >= float_accuracy - points
    made = stb.deploy(
        net, sample.x_test[:count], tmp_path / "build", target="generic", duration=FEW, samples=count,
        sim_seconds=3000, synth_seconds=0,
    )  # fmt: skip
    outcomes = {c.goal: c.outcome for c in made.measured.checks}
    assert {outcomes[goal] for goal in ("lint", "sim", "sim-verilator")} == {"passed"}
    assert made.report["clocks_estimated"] == pytest.approx(made.report["clocks"], rel=0.05)
