"""Layers that loops multiply in tiles, with all that a convolution can have."""

import numpy as np

from snntoolbox.ir.nodes import Conv, Dense

# shape of a sample, filters, and what the convolution has beside a 3 x 3 kernel and one place of padding
LAYERS = {
    "plain": ((4, 6, 9), 32, {}),
    "odd sizes": ((3, 5, 7), 5, {}),
    "many filters": ((2, 4, 4), 50, {}),
    "one column": ((1, 4, 1), 3, {}),
    "strided": ((2, 9, 8), 16, {"stride": (2, 3)}),
    "uneven": ((2, 6, 7), 16, {"kernel": (2, 4), "padding": ((0, 1), (3, 0))}),
    "cut short": ((2, 7, 9), 16, {"kernel": (1, 1), "stride": (4, 4), "padding": ((0, 0), (0, 0))}),
    "dilated rows": ((2, 8, 6), 16, {"dilation": (2, 1), "padding": ((2, 2), (1, 1))}),
    "one axis": ((5, 20), 7, {"kernel": (3,), "padding": ((1, 0),), "stride": (1,), "dilation": (1,)}),
    "dense": ((36,), 20, {}),
    "dense to one": ((8,), 1, {}),
}


def layer(name, whole=True):
    shape, filters, given = LAYERS[name]
    generator = np.random.default_rng(len(name))
    kernel = given.get("kernel", (3, 3)) if len(shape) > 1 else ()
    weight = generator.integers(-128, 128, (filters, shape[0], *kernel)).astype(float)
    weight = np.abs(weight) if filters == 1 else weight
    weight = weight if whole else weight + generator.random(weight.shape)
    if len(shape) == 1:
        return Dense(name="n", inputs=("x",), weight=weight), shape
    geometry = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1, **given}
    geometry.pop("kernel", None)
    return Conv(name="n", inputs=("x",), weight=weight, **geometry), shape
