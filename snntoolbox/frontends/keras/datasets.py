"""Data sets that Keras has by name: from its cache, else downloaded by it."""

from __future__ import annotations

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.frontends.keras.runtime import import_keras
from snntoolbox.ir.node import Array

NAMES = ("mnist", "fashion_mnist", "cifar10", "cifar100")


def keras_dataset(name: str) -> tuple[Array, Array, Array]:
    """Training images, test images (samples, height, width, channels) of 0 to 255, and classes of the latter.

    DataError where they are not to be had, FrontendError without Keras.
    """
    source = getattr(import_keras().datasets, name)
    try:
        (train, _), (test, labels) = source.load_data()
    except Exception as error:  # Keras raises a bare one where it cannot download
        told = f"Keras cannot give its data set {name}: {error}"
        hint = "it needs a connection, or the file in ~/.keras/datasets (KERAS_HOME moves it); or save x_test.npz"
        raise DataError(told, hint=hint) from None
    images = [x if x.ndim == 4 else x[..., None] for x in (np.asarray(train), np.asarray(test))]
    return images[0], images[1], np.asarray(labels).reshape(-1)
