"""What images are like: the steps are those of Keras' generator, fitted on calibration images."""

import numpy as np
import pytest

from snntoolbox.errors import DataError
from snntoolbox.frontends.keras.runtime import import_keras
from snntoolbox.workflow.data.images import image_format
from snntoolbox.workflow.data.load import load_calibration, load_test
from snntoolbox.workflow.data.standardising import fitted

image_module = pytest.importorskip("PIL.Image")
pytest.importorskip("keras")

RANDOM = np.random.default_rng(1)
TEST = RANDOM.integers(0, 256, (5, 3, 2, 3), np.uint8)
NORM = RANDOM.integers(0, 200, (40, 3, 2, 3), np.uint8)


@pytest.fixture
def folder(tmp_path):
    for name, images in (("x_test", TEST), ("x_norm", NORM)):
        (tmp_path / name / "one").mkdir(parents=True)
        for i, pixels in enumerate(images):
            image_module.fromarray(pixels).save(tmp_path / name / "one" / f"{i:02}.png")
    return tmp_path


def by_keras(options, images):
    """What Keras makes of images, in its own generator fitted on the calibration images."""
    import_keras()
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(**options)
    first = options.get("data_format") == "channels_first"
    x, norm = (np.moveaxis(a, -1, 1) if first else a for a in (images.astype(np.float32), NORM.astype(np.float32)))
    generator.fit(norm)
    return np.stack([generator.standardize(image.copy()) for image in x])


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"featurewise_center": True},
        {"featurewise_std_normalization": True, "rescale": 1 / 255},
        {"featurewise_center": True, "featurewise_std_normalization": True, "rescale": 1 / 255},
        {"zca_whitening": True, "zca_epsilon": 0.01, "featurewise_center": True, "rescale": 1 / 255},
        {"samplewise_center": True, "featurewise_center": True, "samplewise_std_normalization": True},
    ],
)
def test_as_keras(folder, options, first):
    options = {**options, "data_format": "channels_first" if first else "channels_last"}
    if first and options.get("zca_whitening"):
        del options["data_format"]  # it is the same matrix in another order of values
    for load, images in ((load_test, TEST), (load_calibration, NORM)):
        x = load(folder, dataset_format="png", datagen_kwargs=options).x
        np.testing.assert_allclose(x, by_keras(options, images), rtol=1e-4, atol=1e-4)


def test_whitened_values_go_their_own_ways(folder):
    options = {"zca_whitening": True, "featurewise_center": True, "rescale": 1 / 255}
    x = load_calibration(folder, dataset_format="png", datagen_kwargs=options).x.reshape(len(NORM), -1)
    np.testing.assert_allclose(x.T @ x / len(x), np.eye(18), atol=1e-3)


def test_channels_first_is_whitened_too(folder):
    options = {"zca_whitening": True, "rescale": 1 / 255}
    last, first = (
        load_test(folder, dataset_format="png", datagen_kwargs={**options, "data_format": f"channels_{place}"}).x
        for place in ("last", "first")
    )
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


def test_too_large_to_whiten():
    form = image_format({"zca_whitening": True}, {}).standards
    with pytest.raises(DataError, match="needs a matrix of 12,288 x 12,288 numbers"):
        fitted(form, lambda most: np.zeros((2, 64, 64, 3)))


def test_few_images_are_told(caplog):
    fitted(image_format({"zca_whitening": True}, {}).standards, lambda most: NORM[:3].astype(np.float32))
    assert "3 calibration images do not tell how 18 values go together" in caplog.text
