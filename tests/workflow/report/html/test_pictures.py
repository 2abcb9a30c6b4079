"""Samples as pictures that any browser, here Pillow, reads."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from snntoolbox.workflow.report.html.pictures import LARGEST, picture


def opened(sample):
    kind, data = picture(sample).split(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_grey_values_keep_their_order():
    values = np.arange(12.0).reshape(3, 4)
    pixels = opened(values)
    assert pixels.shape == (3, 4)
    assert (pixels[0, 0], pixels[-1, -1]) == (0, 255)
    assert (np.diff(pixels.ravel().astype(int)) > 0).all()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 5, 4), (5, 4)), ((3, 5, 4), (5, 4, 3)), ((5, 4, 3), (5, 4, 3)), ((2, 5, 4), (5, 9)), ((7,), (3, 3)),
        ((), (1, 1)), ((1, 1, 6), (2, 3)), ((2, 3, 4, 5), (11, 11)), ((3, 300, 200), (60, 40, 3)),
    ],
)  # fmt: skip
def test_shapes(shape, expected):
    pixels = opened(np.random.default_rng(0).normal(size=shape))
    assert pixels.shape == expected
    assert max(pixels.shape[:2]) <= LARGEST


def test_colours_are_where_they_were():
    image = np.zeros((3, 2, 2))
    image[2, 1, 0] = 1
    assert opened(image)[1, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -3.0])
def test_values_that_are_none(value):
    assert opened(np.full((4, 4), value)).shape == (4, 4)
