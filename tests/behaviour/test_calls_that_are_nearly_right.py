"""Calls as somebody types them who comes from elsewhere: where one fails, the message says what to type."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.errors import SNNToolboxError

torch = pytest.importorskip("torch")
nn = torch.nn

X = torch.rand(40, 6)


@pytest.fixture(scope="module")
def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


@pytest.fixture(scope="module")
def snn(perceptron):
    return stb.convert(perceptron, X, T=16)


IMAGES = torch.rand(5, 1, 6, 6)


def images():
    """A network for images, which does not say their shape."""
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)).eval()


def loader():
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X))


CALLS = {
    "no shape": (lambda m, s: stb.convert(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())), "input_shape="),
    "a third argument": (lambda m, s: stb.convert(m, X, 8), "duration, T"),
    "a loader to convert with": (lambda m, s: stb.convert(m, loader()), "np.concatenate"),
    "a loader to run": (lambda m, s: s.run(loader()), "np.concatenate"),
    "a list of rows": (lambda m, s: stb.convert(m, X.tolist()), "np.stack"),
    "samples and labels": (lambda m, s: stb.convert(m, (X, torch.zeros(40))), "without their labels"),
    "no steps": (lambda m, s: s.run(X, T=0), "T=32"),
    "timesteps of a run": (lambda m, s: s.run(X, timesteps=8), "T is the number of steps"),
    "num_steps of a conversion": (lambda m, s: stb.convert(m, X, num_steps=8), "did you mean T"),
    "calibration": (lambda m, s: stb.convert(m, calibration=X), "did you mean calibration_data"),
    "steps to compare": (lambda m, s: stb.compare(s, X, steps=8), "it takes network, x, simulators, duration"),
    "a loader for images": (lambda m, s: stb.convert(images(), loader()), "np.concatenate"),
    "a list of images": (lambda m, s: stb.convert(images(), list(IMAGES)), "np.stack"),
    "images as nested lists": (lambda m, s: stb.convert(images(), IMAGES.tolist()), "np.stack"),
    "images of another size": (lambda m, s: stb.convert(images(), torch.rand(9, 1, 7, 7)), "of shape (1, 7, 7)"),
    "images, channels last": (lambda m, s: stb.convert(images(), torch.rand(9, 6, 6, 1)), "np.moveaxis(x, -1, 1)"),
    "images without channels": (lambda m, s: stb.convert(images(), torch.rand(9, 6, 6)), "x.reshape(len(x), 1, 6, 6)"),
    "archives of arrays": (lambda m, s: stb.convert(images(), {"arr_0": IMAGES}), "data['arr_0']"),
    "arrays by name": (lambda m, s: stb.convert(m, {"x": X, "z": X}), "[data['x'], data['z']]"),
    "a file of images": (lambda m, s: stb.convert(images(), "x.npy"), "np.load"),
    "weights alone": (lambda m, s: stb.convert(m.state_dict(), X), "load_state_dict"),
    "a class": (lambda m, s: stb.convert(nn.Linear, X), "not its class"),
    "one sample of another shape": (lambda m, s: s.run(torch.rand(7)), "one sample has shape (7,)"),
    "a file as data": (lambda m, s: s.run("x.npy"), "np.load"),
    "a network of floats on an FPGA": (lambda m, s: stb.deploy(s, X, "out", target="artix7"), "weight_bits=8"),
    "a model to simulate": (lambda m, s: stb.simulate(m, X), "snntoolbox.convert"),
    "a network to convert": (lambda m, s: stb.convert(s), "simulate(network, x)"),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_message_says_what_to_type(name, perceptron, snn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, said = CALLS[name]
    with pytest.raises(SNNToolboxError) as caught:
        call(perceptron, snn)
    assert said in str(caught.value)


def test_tensors_arrays_and_frames_are_data(perceptron):
    for x in (X, X.numpy(), np.asfortranarray(X.numpy()), X.double()):
        assert stb.convert(perceptron, x, T=4).T == 4


def test_one_image_tells_the_shape_of_all():
    assert stb.convert(images(), IMAGES[0], T=4).run(IMAGES[0]).samples == 1


@pytest.mark.parametrize(("setting", "hint"), [({"headroom": "much"}, False), ({"neuron": "lif"}, True)])
def test_objects_are_named_where_one_is_missing(perceptron, setting, hint):
    with pytest.raises(SNNToolboxError) as caught:
        stb.convert(perceptron, X, **setting)
    assert ("snntoolbox.IF" in str(caught.value)) == hint
