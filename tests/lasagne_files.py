"""Little Lasagne models for tests: the file that builds a network, and its parameters."""

from __future__ import annotations

import numpy as np

HEAD = """
import theano
import theano.tensor as T
import lasagne
from lasagne.layers import *


def build_network():
    net = InputLayer({shape})
"""


def random(*shape, seed=0, scale=0.5):
    return np.float32(np.random.default_rng((seed, *shape)).normal(size=shape) * scale)


def write(folder, body, parameters, shape=(None, 2, 6, 6), name="net", top=""):
    """Both files; the path of the code. `body` are lines that change `net`."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    code = top + HEAD.format(shape=shape) + lines + "    return {'model': net, 'val_fn': None}\n"
    (folder / f"{name}.py").write_text(code)
    np.savez(folder / f"{name}.npz", *parameters)
    return folder / f"{name}.py"
