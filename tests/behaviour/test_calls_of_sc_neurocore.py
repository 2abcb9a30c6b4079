"""The calls that users of SC-NeuroCore's conversion type, with this package's name: each does what it does there."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nn = torch.nn


def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))


@pytest.fixture(scope="module")
def converted():
    from snntoolbox.conversion import convert

    model = perceptron()
    return model, convert(model, calibration_data=torch.randn(100, 784), T=32)


def test_a_live_model_is_converted_for_so_many_steps(converted):
    _, snn = converted
    assert (snn.n_layers, snn.T) == (3, 32)


def test_one_sample_is_run_and_classified(converted):
    model, snn = converted
    x = np.random.default_rng(0).random(784)
    assert snn.run(x).steps == 32
    prediction = snn.classify(x)
    assert np.shape(prediction) == ()
    assert prediction == snn.classify(x[None])[0]
    many = snn.classify(x, T=512)
    with torch.no_grad():
        assert many == model(torch.tensor(x, dtype=torch.float32)).argmax()


def test_a_batch_is_classified(converted):
    _, snn = converted
    assert snn.classify(np.random.default_rng(0).random((100, 784))).shape == (100,)


@pytest.mark.parametrize("samples", [0, 20])
def test_rectifiers_are_replaced_in_place_and_tell_the_steps(samples):
    from snntoolbox.conversion import convert, replace_relu_with_qcfs

    model = perceptron()
    x = torch.rand(20, 784)
    replace_relu_with_qcfs(model, 8, *([x] if samples else []))
    assert [type(m).__name__ for m in model].count("ReLU") == 0
    model.eval()
    snn = convert(model)
    assert (snn.n_layers, snn.T, snn.initial_membrane_fraction) == (3, 8, 0.5)
    with torch.no_grad():
        expected = model(x).argmax(dim=1).numpy()
    assert np.mean(snn.classify(x) == expected) > 0.7


def test_a_network_is_built_of_quantised_rectifiers():
    import snntoolbox as stb
    from snntoolbox.conversion import QCFSActivation

    assert stb.QCFSActivation is QCFSActivation
    model = nn.Sequential(nn.Linear(784, 256), QCFSActivation(T=16), nn.Linear(256, 10))
    assert stb.convert(model).T == 16


def test_what_is_imported_under_these_names_does_not_depend_on_the_order():
    code = "import snntoolbox.conversion.stages; from snntoolbox.conversion import convert; assert callable(convert)"
    subprocess.run([sys.executable, "-c", code], check=True)
