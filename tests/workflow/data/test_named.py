"""Data sets of Keras by name: in the model's layout, with a clear error where they are not to be had."""

import numpy as np
import pytest

from snntoolbox.errors import ConfigError, DataError
from snntoolbox.frontends.keras.runtime import import_keras
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.data import named
from snntoolbox.workflow.data.named import named_calibration, named_test

pytest.importorskip("keras")
keras = import_keras()
rng = np.random.default_rng(0)


def images(*shape):
    return rng.integers(0, 256, shape, np.uint8)


GREY = (images(30, 4, 5), None), (images(8, 4, 5), np.arange(8) % 3)
COLOUR = (images(30, 4, 5, 3), None), (images(8, 4, 5, 3), np.arange(8)[:, None])


@pytest.fixture(autouse=True)
def cache(monkeypatch):
    named._loaded.cache_clear()
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: GREY)
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: COLOUR)
    yield
    named._loaded.cache_clear()


@pytest.mark.parametrize("shape", [(4, 5, 1), (1, 4, 5), (4, 5), (20,)])
def test_layouts_of_grey_images(shape):
    data = named_test("mnist", {"rescale": 0.5}, shape, -1, None)
    np.testing.assert_array_equal(data.x.reshape(8, 4, 5), GREY[1][0] * np.float32(0.5))
    np.testing.assert_array_equal(data.y, np.arange(8) % 3)
    assert data.x.shape == (8, *shape)
    assert len(named_calibration("mnist", {}, shape, 7).x) == 7


def test_colours():
    data = named_test("cifar10", {}, (3, 4, 5), 2, [5, 1])
    np.testing.assert_array_equal(data.x, np.moveaxis(COLOUR[1][0][[5, 1]], -1, 1))
    assert data.y.tolist() == [5, 1]
    assert data.span == (0, 7)


def test_a_model_that_they_do_not_fit():
    with pytest.raises(DataError, match=r"images of mnist have shape \(4, 5, 1\)"):
        named_test("mnist", {}, (28, 28, 1), -1, None)


def test_no_cache_and_no_connection(monkeypatch):
    def offline():
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", offline)
    with pytest.raises(DataError, match="URL fetch failure") as error:
        named_test("mnist", {}, (4, 5), -1, None)
    assert "~/.keras/datasets" in error.value.hint


@pytest.mark.parametrize("line", ["keras_dataset = imagenet", "keras_dataset = mnist\ndataset_format = png"])
def test_what_does_not_go_together(line, tmp_path):
    (tmp_path / "c.ini").write_text(f"[paths]\nfilename_ann = n\n[input]\n{line}\n")
    with pytest.raises(ConfigError, match="keras_dataset"):
        load_config(tmp_path / "c.ini")


def test_images_are_prepared_as_files_are():
    """By what the training images are like, and each by itself."""
    options = {"featurewise_center": True, "rescale": 0.5}
    mean = np.float32(0.5) * COLOUR[0][0].mean(axis=(0, 1, 2))
    data = named_test("cifar10", options, (4, 5, 3), -1, None)
    np.testing.assert_allclose(data.x, COLOUR[1][0] * np.float32(0.5) - mean, rtol=1e-5, atol=1e-4)
    alone = named_test("cifar10", {"samplewise_center": True}, (3, 4, 5), -1, None).x
    np.testing.assert_allclose(alone.mean(axis=(1, 2, 3)), 0, atol=1e-3)
